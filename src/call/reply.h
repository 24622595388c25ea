/* reply: where a command's answer goes: a run of bytes in the loop's reply arena, with references
 * to values that are too large to copy. Knows the protocol's version, so that commands need not.
 *
 *     chunk   |..........bytes..........|at      end|
 *     pieces  [chunk bytes][blob bytes][chunk bytes] ... in order of sending
 *
 * Each append is bounded by the caller: reply_room first, then the bytes; a fresh chunk is taken
 * when the current one is full, and what is long goes over several. While everything fits into one
 * chunk and no blob is referred to, there are no pieces at all: the reply is start .. at.
 *
 * Chunks are blobs, so that what a socket does not take is held where it lies (client/output.h)
 * instead of being copied: a large reply exists once.
 *
 * Whoever may not be sent that much is stopped in the middle. Whenever the reply is to grow by a
 * chunk or a value, may_grow is asked; if it refuses, the reply is discarded: what it has since its
 * origin is given back, and what else is appended goes nowhere, at next to no cost, until
 * reply_discard_end. A loop whose length a client chose looks at reply_is_discarded and ends.
 *
 * A reply that is not for a socket (script, HTTP, replica) is the same struct with another
 * consumer. */
#ifndef LARDER_CLIENT_REPLY_H
#define LARDER_CLIENT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "ds/blob.h"
#include "ds/entry.h"
#include "proto/resp.h"

/* Values from this size on are referred to, not copied. */
#define REPLY_REFER_MIN 16384
/* Size of an arena chunk, and from which size on values are referred to in a reply that has filled
 * one: a reference costs some 150 bytes and a place in a vector, which is little beside them. */
#ifdef LARDER_TEST_SMALL
#define REPLY_CHUNK_SIZE 512
#define REPLY_REFER_MANY 1024
#else
#define REPLY_CHUNK_SIZE (128 * 1024)
#define REPLY_REFER_MANY 4096
#endif

/* What may_grow is asked for when there is no memory: it must refuse. */
#define REPLY_NO_MEMORY SIZE_MAX

struct reply_piece {
    const char *at;
    size_t size;
    struct blob *blob; /* where they lie: a chunk, or a value of which one reference is held */
    bool is_value;
};

struct reply {
    char *at;        /* where the next byte goes */
    char *end;       /* of the current chunk */
    char *start;     /* of the run that is not a piece yet */
    uint8_t version; /* 2 or 3 */
    bool discards;   /* what is appended goes nowhere */
    uint32_t errors; /* error replies appended so far; a reset does not forget them */
    size_t size;     /* bytes in pieces; see reply_size */
    struct reply_piece *pieces;
    uint32_t piece_count;
    uint32_t piece_capacity;
    struct blob **chunks; /* last is the current one */
    uint32_t chunk_count;
    uint32_t chunk_room;
    uint32_t origin_pieces; /* how many there were at the origin */
    uint32_t origin_chunks;
    /* Whether it may grow by so many bytes at least. NULL: it may. */
    bool (*may_grow)(void *context, size_t more);
    void (*on_error)(void *context, struct bytes text); /* each error reply, without '-' */
    void *context;
};

/* Takes no memory before the first append. */
void reply_init(struct reply *reply);
void reply_free(struct reply *reply);

/* Forgets the content (dropping blob references), keeps one chunk. */
void reply_reset(struct reply *reply);

/* Bytes appended since the last reset. */
static inline size_t reply_size(const struct reply *reply) {
    return reply->size + (size_t)(reply->at - reply->start);
}

/* Closes the current run, so that everything is in pieces. */
void reply_close_run(struct reply *reply);

/* What is appended from now on is what goes if the reply is discarded. What came before must be in
 * pieces, or be forgotten by the reply: its run begins at `at`. */
void reply_set_origin(struct reply *reply);

/* Whether what is appended goes nowhere, because there was too much. */
static inline bool reply_is_discarded(const struct reply *reply) {
    return reply->discards;
}

/* Is empty from its origin on, and takes what is appended again. */
void reply_discard_end(struct reply *reply);

/* The slow part of reply_room: a fresh chunk. */
void reply_grow(struct reply *reply, size_t size);
/* And of those that append bytes, however many. */
void reply_raw_slowly(struct reply *reply, const void *at, size_t size);
void reply_bulk_slowly(struct reply *reply, struct bytes text);

/* At least `size` bytes at reply->at; less than REPLY_CHUNK_SIZE / 2. */
static inline char *reply_room(struct reply *reply, size_t size) {
    if (UNLIKELY((size_t)(reply->end - reply->at) < size)) {
        reply_grow(reply, size);
    }
    return reply->at;
}

/* Bytes as they are. */
static inline void reply_raw(struct reply *reply, const void *at, size_t size) {
    if (UNLIKELY((size_t)(reply->end - reply->at) < size)) {
        reply_raw_slowly(reply, at, size);
        return;
    }
    memcpy(reply->at, at, size);
    reply->at += size;
}

/* A string literal as it is: reply_literal(r, "+OK\r\n"). */
#define reply_literal(reply, text) reply_raw((reply), (text), sizeof(text) - 1)

static inline void reply_ok(struct reply *reply) {
    reply_literal(reply, "+OK\r\n");
}

void reply_status(struct reply *reply, const char *text); /* +text */

static inline void reply_integer(struct reply *reply, int64_t value) {
    reply->at = resp_header(reply_room(reply, RESP_HEADER_SIZE), ':', value);
}

static inline void reply_bulk(struct reply *reply, struct bytes text) {
    if (UNLIKELY((size_t)(reply->end - reply->at) < RESP_HEADER_SIZE + text.size + 2)) {
        reply_bulk_slowly(reply, text);
        return;
    }
    reply->at = resp_bulk(reply->at, text);
}

void reply_bulk_text(struct reply *reply, const char *text);
void reply_bulk_integer(struct reply *reply, int64_t value);
/* A blob's bytes [from, from + size) as bulk; referred to if large, or among many. */
void reply_bulk_blob(struct reply *reply, struct blob *blob, size_t from, size_t size);

/* Bytes at `at` that lie in the blob, as they are; referred to if they are many. */
void reply_raw_blob(struct reply *reply, struct blob *blob, const char *at, size_t size);

/* The value of a string entry that is not inline. */
void reply_string_word(struct reply *reply, const struct entry *entry);

/* The value of a string entry. */
static inline void reply_string_entry(struct reply *reply, const struct entry *entry) {
    if (LIKELY(entry_encoding(entry) == ENTRY_INLINE)) {
        reply_bulk(reply, entry_inline(entry));
    } else {
        reply_string_word(reply, entry);
    }
}

/* $-1 or _ */
static inline void reply_null(struct reply *reply) {
    if (reply->version == 2) {
        reply_literal(reply, "$-1\r\n");
    } else {
        reply_literal(reply, "_\r\n");
    }
}

void reply_null_array(struct reply *reply);           /* *-1 or _ */
void reply_boolean(struct reply *reply, bool value);  /* :1 or #t */
void reply_double(struct reply *reply, double value); /* bulk or , */
/* A double in the human form of INCRBYFLOAT, always as bulk. */
void reply_long_double(struct reply *reply, long double value);
/* A double with all of its decimals, up to 17: bulk or , */
void reply_exact_double(struct reply *reply, double value);
void reply_verbatim(struct reply *reply, const char *format3, struct bytes text); /* bulk or = */
void reply_big_number(struct reply *reply, struct bytes digits);                  /* bulk or ( */

/* Headers; the elements follow. Map counts pairs. In RESP2 a map is an array of twice the length, a
 * set an array, a push an array, an attribute nothing (returns false: skip its content). */
void reply_array(struct reply *reply, int64_t count);
void reply_map(struct reply *reply, int64_t pairs);
void reply_set(struct reply *reply, int64_t count);
void reply_push(struct reply *reply, int64_t count);
bool reply_attribute(struct reply *reply, int64_t pairs);

/* A header whose count is not known yet: keep the mark, append the elements, then end it with the
 * kind ('*', '%', '~', '>') and the count (pairs for '%'). May nest. */
struct reply_mark {
    uint32_t piece; /* piece_count when it was set */
    char *at;
    char *start; /* of the run it lies in */
};
struct reply_mark reply_defer(struct reply *reply);
void reply_defer_end(struct reply *reply, struct reply_mark mark, char kind, int64_t count);

/* Errors. The text begins with its code ("ERR ...", "WRONGTYPE ..."); CR and LF in it become
 * spaces. */
void reply_error(struct reply *reply, const char *text);
void reply_errorf(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_wrong_type(struct reply *reply);
void reply_syntax_error(struct reply *reply);
void reply_not_integer(struct reply *reply);
void reply_not_float(struct reply *reply);
void reply_no_memory(struct reply *reply); /* the -OOM error */
void reply_bad_arity(struct reply *reply, const char *name);
/* "ERR unknown subcommand 'x'. Try CONFIG HELP." */
void reply_unknown_subcommand(struct reply *reply, const char *container, struct bytes name);
/* "ERR unknown subcommand or wrong number of arguments for 'x'. Try CONFIG HELP.", of one that
 * takes fewer than its arity says. */
void reply_bad_subcommand(struct reply *reply, const char *container, struct bytes name);
/* An array of status lines, as HELP subcommands answer; lines ends with NULL. The heading and the
 * line for HELP itself are added. */
void reply_help(struct reply *reply, const char *container, const char *const *lines);

#endif
