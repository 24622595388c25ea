/* reply: the parts that are not on the path of every request: taking a fresh chunk, referring to
 * large values, headers whose count comes later, and the errors that several commands share.
 *
 * A run is the bytes from `start` to `at` in the current chunk. It becomes a piece when something
 * has to come behind it that does not lie there: the next chunk's bytes, or a blob. Chunks that are
 * full stay in the list until the reset, because pieces point into them.
 *
 * A deferred header keeps RESP_HEADER_SIZE bytes free in front of its elements. When the count is
 * known, the elements that follow in the same run move down to the header's end: one memmove within
 * a chunk, cheaper than sending the header as a piece of its own. Elements that went into later
 * chunks or blobs stay where they are. */
#include "call/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"

/* The first list of pieces; it doubles from there and lives as long as the reply. */
#define PIECES_FIRST 16
/* Most errors; a longer one repeats something that a client sent. */
#define ERROR_SIZE_USUAL 1024
/* Bytes in a chunk of the usual size. */
#define CHUNK_CAPACITY (REPLY_CHUNK_SIZE - sizeof(struct reply_chunk))
/* How much of an unknown subcommand's name an error repeats. */
#define NAME_SHOWN_MAX 128

static struct reply_chunk *chunk_new(size_t capacity) {
    struct reply_chunk *chunk = mem_alloc(MEM_ARENA, sizeof *chunk + capacity);
    chunk->next = NULL;
    chunk->capacity = capacity;
    return chunk;
}

static void chunk_free(struct reply_chunk *chunk) {
    mem_free(MEM_ARENA, chunk, sizeof *chunk + chunk->capacity);
}

/* Writes go to the beginning of the first chunk from now on. */
static void start_chunk(struct reply *reply) {
    reply->at = reply->chunks->bytes;
    reply->start = reply->at;
    reply->end = reply->at + reply->chunks->capacity;
}

void reply_init(struct reply *reply) {
    *reply = (struct reply){.version = 2};
}

static void drop_pieces(struct reply *reply) {
    for (uint32_t i = 0; i < reply->piece_count; i++) {
        if (reply->pieces[i].blob != NULL) {
            blob_release(reply->pieces[i].blob);
        }
    }
    reply->piece_count = 0;
    reply->size = 0;
}

void reply_free(struct reply *reply) {
    drop_pieces(reply);
    mem_free(MEM_ARENA, reply->pieces, reply->piece_capacity * sizeof *reply->pieces);
    while (reply->chunks != NULL) {
        struct reply_chunk *next = reply->chunks->next;
        chunk_free(reply->chunks);
        reply->chunks = next;
    }
    *reply = (struct reply){.version = 2};
}

void reply_reset(struct reply *reply) {
    if (reply->piece_count > 0) {
        drop_pieces(reply);
    }
    /* One chunk stays, for the next reply will need one; an unusually large one does not. */
    struct reply_chunk *kept = NULL;
    while (reply->chunks != NULL) {
        struct reply_chunk *next = reply->chunks->next;
        if (kept == NULL && reply->chunks->capacity == CHUNK_CAPACITY) {
            kept = reply->chunks;
            kept->next = NULL;
        } else {
            chunk_free(reply->chunks);
        }
        reply->chunks = next;
    }
    reply->chunks = kept;
    if (kept != NULL) {
        start_chunk(reply);
    } else {
        reply->at = reply->start = reply->end = NULL;
    }
}

static void add_piece(struct reply *reply, const char *at, size_t size, struct blob *blob) {
    if (reply->piece_count == reply->piece_capacity) {
        uint32_t capacity = reply->piece_capacity == 0 ? PIECES_FIRST : reply->piece_capacity * 2;
        reply->pieces =
            mem_realloc(MEM_ARENA, reply->pieces, reply->piece_capacity * sizeof *reply->pieces,
                        capacity * sizeof *reply->pieces);
        reply->piece_capacity = capacity;
    }
    reply->pieces[reply->piece_count++] = (struct reply_piece){at, size, blob};
    reply->size += size;
}

void reply_close_run(struct reply *reply) {
    if (reply->at > reply->start) {
        add_piece(reply, reply->start, (size_t)(reply->at - reply->start), NULL);
        reply->start = reply->at;
    }
}

void reply_grow(struct reply *reply, size_t size) {
    reply_close_run(reply);
    struct reply_chunk *chunk = chunk_new(size > CHUNK_CAPACITY ? size : CHUNK_CAPACITY);
    chunk->next = reply->chunks;
    reply->chunks = chunk;
    start_chunk(reply);
}

/* Type byte, text, CR LF. */
static void line(struct reply *reply, char type, struct bytes text) {
    char *out = reply_room(reply, text.size + 3);
    *out++ = type;
    memcpy(out, text.at, text.size);
    reply->at = resp_end(out + text.size);
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
    if (size < REPLY_REFER_MIN) {
        reply_bulk(reply, bytes_of(blob->bytes + from, size));
        return;
    }
    /* The bulk's CR LF too, so that it lies behind the blob in the same chunk. */
    char *out = reply_room(reply, RESP_HEADER_SIZE + 2);
    reply->at = resp_header(out, '$', (int64_t)size);
    reply_close_run(reply);
    add_piece(reply, blob->bytes + from, size, blob_hold(blob));
    reply->at = resp_end(reply->at);
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

void reply_verbatim(struct reply *reply, const char *format3, struct bytes text) {
    if (reply->version == 2) {
        reply_bulk(reply, text);
        return;
    }
    debug_check(strlen(format3) == 3);
    char *out = reply_room(reply, RESP_HEADER_SIZE + 4 + text.size + 2);
    out = resp_header(out, '=', (int64_t)text.size + 4);
    memcpy(out, format3, 3);
    out[3] = ':';
    memcpy(out + 4, text.at, text.size);
    reply->at = resp_end(out + 4 + text.size);
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
    debug_check(piece->at == mark.start && piece->blob == NULL);
    memmove(behind, elements, (size_t)(piece->at + piece->size - elements));
    piece->size -= saved;
    reply->size -= saved;
}

void reply_error(struct reply *reply, const char *text) {
    size_t size = strlen(text);
    char *out = reply_room(reply, size + 3);
    *out++ = '-';
    for (size_t i = 0; i < size; i++) {
        out[i] = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    }
    reply->at = resp_end(out + size);
    reply->errors++;
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

void reply_unknown_subcommand(struct reply *reply, const char *container, struct bytes name) {
    char upper[64];
    size_t size = 0;
    for (; size < sizeof upper - 1 && container[size] != '\0'; size++) {
        char c = container[size];
        upper[size] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    upper[size] = '\0';
    int shown = (int)(name.size < NAME_SHOWN_MAX ? name.size : NAME_SHOWN_MAX);
    reply_errorf(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.", shown, name.at, upper);
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
