/* batch_int: what the two halves of a batch share: reading and parsing (batch_read.c) fill it,
 * planning, executing and flushing (batch.c) empty it. client/batch.h draws the picture. */
#ifndef LARDER_CLIENT_BATCH_INT_H
#define LARDER_CLIENT_BATCH_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "client/batch.h"
#include "client/dispatch.h"
#include "client/reply.h"
#include "proto/request.h"

#ifdef LARDER_TEST_SMALL
#define ARENA_SIZE  1024
#define SLICES_KEPT 32
#else
/* Read arena. When less than a read is left, the batch runs. Small enough that slices and requests
 * are still in the second-level cache when they are executed. */
#define ARENA_SIZE  (256 * 1024)
/* Room for slices that is kept from one run to the next: a megabyte. Beyond it the batch also runs
 * before it parses what lies outside the arena. */
#define SLICES_KEPT (64 * 1024)
#endif

struct input;

enum request_kind { REQUEST_CALL, REQUEST_FAULT, REQUEST_SKIP };

struct request {
    struct client *client;
    struct command *command; /* NULL: unknown */
    uint64_t hash;           /* of the first key, when the command has one */
    uint32_t first_slice;
    int32_t argc;
    struct input *input; /* holds blobs of this request; NULL usually */
    uint8_t kind;        /* enum request_kind */
    bool overflows;      /* the first key's chain has to be followed beyond its first bucket */
};

/* A client's replies, finished and not sent yet. */
struct finished {
    struct client *client;
    const char *at; /* when no pieces */
    size_t size;
    uint32_t piece_from;
    uint32_t piece_to;
};

struct batch {
    struct clients *clients;
    struct dispatch dispatch;
    struct reply reply;
    char *arena;
    size_t arena_used;
    struct bytes *slices;
    size_t slice_count;
    size_t slice_room;
    struct request *requests;
    size_t request_count;
    size_t request_room;
    struct finished *finished;
    size_t finished_count;
    size_t finished_room;
    struct input **garbage; /* inputs that slices point into, freed after the run */
    size_t garbage_count;
    size_t garbage_room;
    /* The client whose requests are being executed, and where its replies begin. */
    struct client *current;
    uint32_t current_piece;
};

/* Makes room for one more element in an array that doubles. */
#define GROW(array, count, room)                                                                   \
    do {                                                                                           \
        if ((count) == (room)) {                                                                   \
            size_t grown = (room) == 0 ? 256 : (room)*2;                                           \
            (array) = mem_realloc(MEM_ARENA, (array), (room) * sizeof *(array),                    \
                                  grown * sizeof *(array));                                        \
            (room) = grown;                                                                        \
        }                                                                                          \
    } while (0)

/* A fault keeps its error where a call has its hash. */
static inline enum request_error fault_error(const struct request *request) {
    return (enum request_error)(request->hash >> 8);
}

static inline char fault_got(const struct request *request) {
    return (char)(request->hash & 0xff);
}

#endif
