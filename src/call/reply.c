/* reply: the parts that are not on the path of every request: taking a fresh chunk, referring to
 * large values, headers whose count comes later, and the errors that several commands share.
 *
 * A run is the bytes from `start` to `at` in the current chunk. It becomes a piece when something
 * has to come behind it that does not lie there: the next chunk's bytes, or a value. Chunks that
 * are full stay in the list until the reset, because pieces point into them.
 *
 * A deferred header keeps RESP_HEADER_SIZE bytes free in front of its elements. When the count is
 * known, the elements that follow in the same run move down to the header's end: one memmove within
 * a chunk, cheaper than sending the header as a piece of its own. Elements that went into later
 * chunks or values stay where they are.
 *
 * While a reply is discarded, its chunk is `nowhere`, which is filled again and again. It is small,
 * so that this stays in the first-level cache; what does not fit is not copied at all. */
#include "call/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"

/* The first lists of pieces and chunks; they double from there and live as long as the reply. */
#define PIECES_FIRST 16
/* Longer lists go with their reply. */
#ifdef LARDER_TEST_SMALL
#define PIECES_KEPT 64
#else
#define PIECES_KEPT 1024
#endif
/* Strings from this size on may go over the end of a chunk; shorter ones begin the next. */
#define SPLIT_MIN 256
/* Most errors; a longer one repeats something that a client sent. */
#define ERROR_SIZE_USUAL 1024
/* Bytes in a chunk of the usual size. */
#define CHUNK_CAPACITY (REPLY_CHUNK_SIZE - sizeof(struct blob))
/* Where a discarded reply goes. */
#define NOWHERE_SIZE (CHUNK_CAPACITY < 4096 ? CHUNK_CAPACITY : 4096)
/* How much of an unknown subcommand's name an error repeats. */
#define NAME_SHOWN_MAX 128

/* Written, never read: replies are made in one thread. */
static char nowhere[NOWHERE_SIZE];

/* Writes go there from now on. */
static void start_run(struct reply *reply, char *at, size_t size) {
    reply->at = at;
    reply->start = at;
    reply->end = at + size;
}

static void end_run(struct reply *reply) {
    reply->at = reply->start = reply->end = NULL;
}

void reply_init(struct reply *reply) {
    *reply = (struct reply){.version = 2};
}

/* All pieces but the first `kept`. */
static void drop_pieces(struct reply *reply, uint32_t kept) {
    for (uint32_t i = kept; i < reply->piece_count; i++) {
        struct reply_piece *piece = &reply->pieces[i];
        reply->size -= piece->size;
        if (piece->is_value) {
            blob_release(piece->blob);
        }
    }
    reply->piece_count = kept;
}

static void drop_chunks(struct reply *reply, uint32_t kept) {
    while (reply->chunk_count > kept) {
        blob_release(reply->chunks[--reply->chunk_count]);
    }
}

static void free_pieces(struct reply *reply) {
    mem_free(MEM_ARENA, reply->pieces, reply->piece_capacity * sizeof *reply->pieces);
    reply->pieces = NULL;
    reply->piece_capacity = 0;
}

static void free_chunks(struct reply *reply) {
    drop_chunks(reply, 0);
    mem_free(MEM_ARENA, reply->chunks, reply->chunk_room * sizeof *reply->chunks);
    reply->chunks = NULL;
    reply->chunk_room = 0;
}

void reply_free(struct reply *reply) {
    drop_pieces(reply, 0);
    free_pieces(reply);
    free_chunks(reply);
    reply_init(reply);
}

void reply_reset(struct reply *reply) {
    drop_pieces(reply, 0);
    if (UNLIKELY(reply->piece_capacity > PIECES_KEPT)) {
        free_pieces(reply);
    }
    /* One chunk stays, for the next reply will need one; unless an output has come to hold it. */
    if (UNLIKELY(reply->chunk_room > PIECES_KEPT)) {
        free_chunks(reply);
    } else if (UNLIKELY(reply->chunk_count > 1)) {
        drop_chunks(reply, 1);
    }
    if (reply->chunk_count == 1 && UNLIKELY(blob_purpose(reply->chunks[0]) != MEM_ARENA)) {
        drop_chunks(reply, 0);
    }
    if (LIKELY(reply->chunk_count == 1)) {
        start_run(reply, reply->chunks[0]->bytes, CHUNK_CAPACITY);
    } else {
        end_run(reply);
    }
    reply->discards = false;
    reply_set_origin(reply);
}

/* Room for a value's piece and the run behind it. False when there is no memory. */
static bool reserve_pieces(struct reply *reply) {
    if (reply->piece_capacity - reply->piece_count >= 2) {
        return true;
    }
    uint32_t capacity = reply->piece_capacity == 0 ? PIECES_FIRST : reply->piece_capacity * 2;
    struct reply_piece *pieces =
        mem_try_realloc(MEM_ARENA, reply->pieces, reply->piece_capacity * sizeof *pieces,
                        capacity * sizeof *pieces);
    if (pieces != NULL) {
        reply->pieces = pieces;
        reply->piece_capacity = capacity;
    }
    return pieces != NULL;
}

static void add_piece(struct reply *reply, const char *at, size_t size, struct blob *blob,
                      bool is_value) {
    if (UNLIKELY(reply->piece_count == reply->piece_capacity)) {
        check(reserve_pieces(reply)); /* the first, of a reply that has not grown yet */
    }
    reply->pieces[reply->piece_count++] = (struct reply_piece){at, size, blob, is_value};
    reply->size += size;
}

void reply_close_run(struct reply *reply) {
    if (reply->at > reply->start && !reply->discards) {
        add_piece(reply, reply->start, (size_t)(reply->at - reply->start),
                  reply->chunks[reply->chunk_count - 1], false);
        reply->start = reply->at;
    }
}

/* ---- growing and discarding ---- */

void reply_set_origin(struct reply *reply) {
    reply->origin_pieces = reply->piece_count;
    reply->origin_chunks = reply->chunk_count;
}

static void discard(struct reply *reply) {
    drop_pieces(reply, reply->origin_pieces);
    drop_chunks(reply, reply->origin_chunks);
    reply->discards = true;
    start_run(reply, nowhere, sizeof nowhere);
}

void reply_discard_end(struct reply *reply) {
    if (reply->discards) {
        reply->discards = false;
        end_run(reply);
    }
}

/* Whether the reply may have so many bytes more; it is discarded otherwise. */
static bool may_grow(struct reply *reply, size_t more) {
    if (reply->discards) {
        return false;
    }
    reply_close_run(reply);
    if (!reserve_pieces(reply)) {
        more = REPLY_NO_MEMORY;
    }
    if (reply->may_grow == NULL) {
        check(more != REPLY_NO_MEMORY);
        return true;
    }
    if (!reply->may_grow(reply->context, more)) {
        discard(reply);
        return false;
    }
    return true;
}

/* False when there is no memory for another chunk. */
static bool add_chunk(struct reply *reply) {
    struct blob *chunk = blob_try_new(CHUNK_CAPACITY);
    if (chunk == NULL) {
        return false;
    }
    blob_charge(chunk, MEM_ARENA);
    if (reply->chunk_count == reply->chunk_room) {
        uint32_t room = reply->chunk_room == 0 ? PIECES_FIRST : reply->chunk_room * 2;
        reply->chunks =
            mem_realloc(MEM_ARENA, reply->chunks, reply->chunk_room * sizeof *reply->chunks,
                        room * sizeof *reply->chunks);
        reply->chunk_room = room;
    }
    reply->chunks[reply->chunk_count++] = chunk;
    start_run(reply, chunk->bytes, CHUNK_CAPACITY);
    return true;
}

void reply_grow(struct reply *reply, size_t size) {
    check(size <= sizeof nowhere);
    if (may_grow(reply, 0) && !add_chunk(reply)) {
        check(!may_grow(reply, REPLY_NO_MEMORY));
    }
    if (reply->discards) {
        start_run(reply, nowhere, sizeof nowhere);
    }
}

void reply_raw_slowly(struct reply *reply, const void *at, size_t size) {
    const char *from = at;
    if (size < SPLIT_MIN) {
        char *out = reply_room(reply, size);
        memcpy(out, from, size);
        reply->at = out + size;
        return;
    }
    while (size > 0 && !reply->discards) {
        if (reply->at == reply->end) {
            reply_grow(reply, 1);
        }
        size_t room = (size_t)(reply->end - reply->at);
        size_t part = size < room ? size : room;
        memcpy(reply->at, from, part);
        reply->at += part;
        from += part;
        size -= part;
    }
}

void reply_bulk_slowly(struct reply *reply, struct bytes text) {
    reply->at = resp_header(reply_room(reply, RESP_HEADER_SIZE), '$', (int64_t)text.size);
    reply_raw(reply, text.at, text.size);
    reply_literal(reply, "\r\n");
}

/* ---- types ---- */

/* Type byte, text, CR LF. */
static void line(struct reply *reply, char type, struct bytes text) {
    reply_raw(reply, &type, 1);
    reply_raw(reply, text.at, text.size);
    reply_literal(reply, "\r\n");
}

void reply_status(struct reply *reply, const char *text) {
    line(reply, '+', bytes_text(text));
}

void reply_bulk_text(struct reply *reply, const char *text) {
    reply_bulk(reply, bytes_text(text));
}

void reply_bulk_integer(struct reply *reply, int64_t value) {
    char digits[NUM_I64_SIZE];
    reply_bulk(reply, bytes_of(digits, num_format_i64(digits, value)));
}

void reply_bulk_blob(struct reply *reply, struct blob *blob, size_t from, size_t size) {
    check(from <= blob->size && size <= blob->size - from);
    bool among_many = reply->piece_count > reply->origin_pieces;
    if (size < (among_many ? REPLY_REFER_MANY : REPLY_REFER_MIN)) {
        reply_bulk(reply, bytes_of(blob->bytes + from, size));
        return;
    }
    /* The bulk's CR LF too, so that it lies behind the blob in the same chunk. */
    char *out = reply_room(reply, RESP_HEADER_SIZE + 2);
    reply->at = resp_header(out, '$', (int64_t)size);
    if (may_grow(reply, size)) {
        add_piece(reply, blob->bytes + from, size, blob_hold(blob), true);
        reply->at = resp_end(reply->at);
    }
}

void reply_raw_blob(struct reply *reply, struct blob *blob, const char *at, size_t size) {
    if (size < REPLY_REFER_MIN) {
        reply_raw(reply, at, size);
        return;
    }
    reply_room(reply, 1); /* a run of which it is the end */
    if (may_grow(reply, size)) {
        add_piece(reply, at, size, blob_hold(blob), true);
    }
}

void reply_string_word(struct reply *reply, const struct entry *entry) {
    if (entry_encoding(entry) == ENTRY_INTEGER) {
        reply_bulk_integer(reply, entry_integer(entry));
        return;
    }
    check(entry_encoding(entry) == ENTRY_BLOB);
    struct blob *blob = entry_pointer(entry);
    reply_bulk_blob(reply, blob, 0, blob->size);
}

void reply_null_array(struct reply *reply) {
    if (reply->version == 2) {
        reply_literal(reply, "*-1\r\n");
    } else {
        reply_literal(reply, "_\r\n");
    }
}

void reply_boolean(struct reply *reply, bool value) {
    if (reply->version == 2) {
        reply_integer(reply, value);
    } else if (value) {
        reply_literal(reply, "#t\r\n");
    } else {
        reply_literal(reply, "#f\r\n");
    }
}

void reply_double(struct reply *reply, double value) {
    char digits[NUM_FLOAT_SIZE];
    struct bytes text = bytes_of(digits, num_format_double(digits, value));
    if (reply->version == 2) {
        reply_bulk(reply, text);
    } else {
        line(reply, ',', text);
    }
}

void reply_long_double(struct reply *reply, long double value) {
    char digits[NUM_FLOAT_SIZE];
    reply_bulk(reply, bytes_of(digits, num_format_long_double(digits, value)));
}

void reply_exact_double(struct reply *reply, double value) {
    char digits[NUM_FLOAT_SIZE];
    struct bytes text = bytes_of(digits, num_format_long_double(digits, value));
    if (reply->version == 2) {
        reply_bulk(reply, text);
    } else {
        line(reply, ',', text);
    }
}

void reply_verbatim(struct reply *reply, const char *format3, struct bytes text) {
    if (reply->version == 2) {
        reply_bulk(reply, text);
        return;
    }
    debug_check(strlen(format3) == 3);
    char *out = reply_room(reply, RESP_HEADER_SIZE + 4);
    out = resp_header(out, '=', (int64_t)text.size + 4);
    memcpy(out, format3, 3);
    out[3] = ':';
    reply->at = out + 4;
    reply_raw(reply, text.at, text.size);
    reply_literal(reply, "\r\n");
}

void reply_big_number(struct reply *reply, struct bytes digits) {
    if (reply->version == 2) {
        reply_bulk(reply, digits);
    } else {
        line(reply, '(', digits);
    }
}

/* What a header looks like in the client's version. */
static char *write_header(const struct reply *reply, char *out, char kind, int64_t count) {
    if (reply->version == 2) {
        return resp_header(out, '*', kind == '%' ? count * 2 : count);
    }
    return resp_header(out, kind, count);
}

static void header(struct reply *reply, char kind, int64_t count) {
    char *out = reply_room(reply, RESP_HEADER_SIZE);
    reply->at = write_header(reply, out, kind, count);
}

void reply_array(struct reply *reply, int64_t count) {
    header(reply, '*', count);
}

void reply_map(struct reply *reply, int64_t pairs) {
    header(reply, '%', pairs);
}

void reply_set(struct reply *reply, int64_t count) {
    header(reply, '~', count);
}

void reply_push(struct reply *reply, int64_t count) {
    header(reply, '>', count);
}

bool reply_attribute(struct reply *reply, int64_t pairs) {
    if (reply->version == 2) {
        return false;
    }
    header(reply, '|', pairs);
    return true;
}

struct reply_mark reply_defer(struct reply *reply) {
    char *at = reply_room(reply, RESP_HEADER_SIZE);
    reply->at = at + RESP_HEADER_SIZE;
    return (struct reply_mark){.piece = reply->piece_count, .at = at, .start = reply->start};
}

void reply_defer_end(struct reply *reply, struct reply_mark mark, char kind, int64_t count) {
    if (reply->discards) {
        return;
    }
    char *behind = write_header(reply, mark.at, kind, count);
    char *elements = mark.at + RESP_HEADER_SIZE;
    size_t saved = (size_t)(elements - behind);
    if (mark.piece == reply->piece_count) {
        memmove(behind, elements, (size_t)(reply->at - elements));
        reply->at -= saved;
        return;
    }
    /* The run has been closed since: it is the piece that was next then. */
    struct reply_piece *piece = &reply->pieces[mark.piece];
    debug_check(piece->at == mark.start && !piece->is_value);
    memmove(behind, elements, (size_t)(piece->at + piece->size - elements));
    piece->size -= saved;
    reply->size -= saved;
}

/* It need not lie in one chunk; who is told sees the beginning, where the code is. */
static void long_error(struct reply *reply, const char *text) {
    reply_literal(reply, "-");
    for (const char *rest = text; *rest != '\0';) {
        size_t part = strcspn(rest, "\r\n");
        reply_raw(reply, rest, part);
        rest += part;
        if (*rest != '\0') {
            reply_literal(reply, " ");
            rest++;
        }
    }
    reply_literal(reply, "\r\n");
    if (reply->on_error != NULL) {
        reply->on_error(reply->context, bytes_of(text, strcspn(text, "\r\n")));
    }
}

void reply_error(struct reply *reply, const char *text) {
    size_t size = strlen(text);
    reply->errors++;
    if (UNLIKELY(size + 3 > sizeof nowhere)) {
        long_error(reply, text);
        return;
    }
    char *out = reply_room(reply, size + 3);
    *out++ = '-';
    for (size_t i = 0; i < size; i++) {
        out[i] = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    }
    reply->at = resp_end(out + size);
    if (reply->on_error != NULL) {
        reply->on_error(reply->context, bytes_of(out, size));
    }
}

void reply_errorf(struct reply *reply, const char *format, ...) {
    char text[ERROR_SIZE_USUAL];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < ERROR_SIZE_USUAL) {
        reply_error(reply, text);
        return;
    }
    /* It repeats an argument, which may be of any size. */
    char *whole = mem_try_alloc(MEM_ARENA, (size_t)size + 1);
    if (whole == NULL) {
        reply_error(reply, text);
        return;
    }
    va_start(arguments, format);
    vsnprintf(whole, (size_t)size + 1, format, arguments);
    va_end(arguments);
    reply_error(reply, whole);
    mem_free(MEM_ARENA, whole, (size_t)size + 1);
}

void reply_wrong_type(struct reply *reply) {
    reply_error(reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void reply_syntax_error(struct reply *reply) {
    reply_error(reply, "ERR syntax error");
}

void reply_not_integer(struct reply *reply) {
    reply_error(reply, "ERR value is not an integer or out of range");
}

void reply_not_float(struct reply *reply) {
    reply_error(reply, "ERR value is not a valid float");
}

void reply_no_memory(struct reply *reply) {
    reply_error(reply, "OOM command not allowed when used memory > 'maxmemory'.");
}

void reply_bad_arity(struct reply *reply, const char *name) {
    reply_errorf(reply, "ERR wrong number of arguments for '%s' command", name);
}

/* An error about a subcommand. */
static void reply_about_subcommand(struct reply *reply, bool is_known, const char *container,
                                   struct bytes name) {
    char upper[64];
    size_t size = 0;
    for (; size < sizeof upper - 1 && container[size] != '\0'; size++) {
        char c = container[size];
        upper[size] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    upper[size] = '\0';
    int shown = (int)(name.size < NAME_SHOWN_MAX ? name.size : NAME_SHOWN_MAX);
    reply_errorf(reply, "ERR unknown subcommand%s '%.*s'. Try %s HELP.",
                 is_known ? " or wrong number of arguments for" : "", shown, name.at, upper);
}

void reply_unknown_subcommand(struct reply *reply, const char *container, struct bytes name) {
    reply_about_subcommand(reply, false, container, name);
}

void reply_bad_subcommand(struct reply *reply, const char *container, struct bytes name) {
    reply_about_subcommand(reply, true, container, name);
}

void reply_help(struct reply *reply, const char *container, const char *const *lines) {
    char heading[128];
    snprintf(heading, sizeof heading,
             "%s <subcommand> [argument ...], where subcommand is one of:", container);
    int64_t count = 0;
    while (lines[count] != NULL) {
        count++;
    }
    reply_array(reply, count + 3);
    reply_status(reply, heading);
    for (int64_t i = 0; i < count; i++) {
        reply_status(reply, lines[i]);
    }
    reply_status(reply, "HELP");
    reply_status(reply, "    Show these lines.");
}
