/* batch_int: what the parts of a batch share. Reading and parsing (batch_read.c) fill it; planning
 * and executing (batch_execute.c) put replies into it; flushing (batch_flush.c) empties it.
 * client/batch.h draws the picture.
 *
 *     requests  [a][a][a][b][c][c]        in order of execution, one client's together
 *     turns     [a      ][b][c   ]        one for each client: where its requests begin, its
 *     replies
 *
 * Whoever executes touches neither the connections nor what they own: what they must know comes
 * back in their turn. */
#ifndef LARDER_CLIENT_BATCH_INT_H
#define LARDER_CLIENT_BATCH_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "client/batch.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/handoff.h"
#include "client/input.h"
#include "call/reply.h"
#include "proto/request.h"

#ifdef LARDER_TEST_SMALL
#define ARENA_SIZE  1024
#define SLICES_KEPT 32
#define FLUSH_SIZE  128
#else
/* Read arena. When less than a read is left, the batch runs. Small enough that slices and requests
 * are still in the second-level cache when they are executed. */
#define ARENA_SIZE  (256 * 1024)
/* Room for slices that is kept from one run to the next: a megabyte. Beyond it the batch also runs
 * before it parses what lies outside the arena. */
#define SLICES_KEPT (64 * 1024)
/* Replies gathered before they are flushed, if the batch is longer than that. */
#define FLUSH_SIZE  (64 * 1024)
#endif
/* Replies of one batch that another thread flushes: beyond it the rest waits for the next one. */
#define REPLIES_MAX (16 * CONNECTION_REPLY_MAX)

struct input;

enum request_kind {
    REQUEST_CALL,
    REQUEST_FAULT,
    REQUEST_TAKEN,   /* has gone back to its client while the batch stood still */
    REQUEST_FOREIGN, /* of a protocol other than RESP: client/protocol.h */
};

struct request {
    struct client *client;
    struct command *command; /* NULL: unknown */
    uint64_t hash;           /* of the first key, when the command has one */
    uint64_t element_hash;   /* of the element that it names, or 0 */
    uint32_t first_slice;
    int32_t argc;
    struct input *input; /* holds its arguments, and its blobs; NULL usually */
    uint8_t kind;        /* enum request_kind */
    bool overflows;      /* the first key's chain has to be followed beyond its first bucket */
    bool held;           /* not executed: goes back into the client's input */
};

/* One client's part of a batch. */
struct turn {
    struct client *client;
    uint32_t first_request;
    uint32_t piece_from; /* of its replies; the same as piece_to: they are at .. at + size */
    uint32_t piece_to;
    const char *at;
    size_t size; /* bytes of replies */
    /* About the client, when it has been executed. */
    bool executed;
    bool close;    /* once its replies are sent */
    bool held;     /* some of its requests are */
    bool paused;   /* by CLIENT PAUSE, or because its command waits */
    bool cut;      /* for want of time: they have their turn later, as if they had been cut */
    bool stranger; /* has not authenticated */
    bool patient;  /* may be idle */
    uint8_t class_;
};

struct batch {
    struct handoff link;
    struct io_thread *thread;
    /* Filled by reading. */
    char *arena;
    size_t arena_used;
    struct bytes *slices;
    size_t slice_count;
    size_t slice_room;
    size_t outside_count; /* arguments in inputs of their own: request_args */
    struct request *requests;
    size_t request_count;
    size_t request_room;
    bool has_elements;                     /* some name an element of a collection */
    const struct client_protocol *foreign; /* whose requests are among them ... */
    int64_t foreign_count;                 /* ... and how many */
    struct turn *turns;
    size_t turn_count;
    size_t turn_room;
    struct input **garbage; /* inputs that slices point into, freed after the run */
    size_t garbage_count;
    size_t garbage_room;
    int64_t ready_since_ns;
    /* Its pace: batch_follow_pace. Means over the last runs: */
    int64_t cost_ns;       /* of a request */
    int64_t request_bytes; /* that it takes of the arena */
    /* What follows from them: */
    uint32_t first_max; /* requests of one client in its first turn, or its share if that is more */
    uint32_t turn_max;  /* and in a further one */
    uint32_t request_max; /* and of all, with which it is full */
    /* What goes along to the executing thread. */
    struct client *gone;          /* to be forgotten */
    struct client *moved;         /* to be given to another thread */
    struct client_metrics counts; /* since the last batch */
    /* Execution. */
    struct reply reply;
    struct turn *turn;      /* whose requests are being executed; NULL: nobody's */
    size_t next_turn;       /* behind it */
    size_t flushed;         /* turns whose replies have been sent already */
    uint32_t current_piece; /* where the current replies begin, as pieces ... */
    size_t current_size;    /* ... and as bytes */
    bool holding;           /* the rest of this client's requests is not executed */
    bool full;              /* nor is that of the others */
    bool late;              /* ... for want of time */
    bool interrupted;       /* others had a turn meanwhile: client/busy.h */
};

/* Where a request's arguments are: in the input that its beginning lived in, if there was one. */
static inline const struct bytes *request_args(const struct batch *batch,
                                               const struct request *request) {
    return LIKELY(request->input == NULL) ? batch->slices + request->first_slice
                                          : request->input->args;
}

/* For client/protocol.c, which reads what is not RESP; as the functions of the same names without
 * prefix in batch_read.c. A foreign request's arguments and `slices` in all are the next ones. */
void batch_reserve_slices(struct batch *batch, size_t more);
void batch_add_foreign(struct batch *batch, struct client *client, struct command *command,
                       int32_t argc, size_t slices);
void batch_discard_later(struct batch *batch, struct input *input);
size_t batch_turn_of(const struct batch *batch, const struct client *client);
char *batch_window(const struct batch *batch);
void batch_window_taken(struct batch *batch, size_t size);
bool batch_account_read(struct batch *batch, struct client *client, ssize_t size);

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

/* So many requests have taken so long to execute. From the mean of the last runs follows how much
 * is taken into the next one. */
void batch_follow_pace(struct batch *batch, int64_t busy_ns, uint64_t executed);

/* Puts what is held of a turn back in front of its client's input, in the client's thread. */
void batch_put_back(struct batch *batch, const struct turn *turn);

/* Sends what turns before `end` have to send, and tells their connections; the replies stay where
 * they are. */
void batch_flush_turns(struct batch *batch, size_t end);

#endif
