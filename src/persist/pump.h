/* pump: a thread that brings what a snapshot writes to where it goes: compresses texts, reckons the
 * checksum, and hands the bytes to a sink, which may take its time.
 *
 *     writer's thread    run -> run -> run      at most PUMP_BYTES_MAX, else the writer waits
 *                          |
 *     the pump's thread    v   texts compressed, bytes summed
 *                        sink.write ... sink.write, checksum, sink.finish
 *
 * Terms. A run is a part of the stream that is written: bytes, and texts that are to be compressed
 * (persist/rdb_bytes.h). The sink is a file, or whoever receives the stream; its functions are
 * called in the pump's thread, and may block: that is how a slow receiver slows the writer down.
 *
 * Once the sink has failed, or the stream was given up, runs go nowhere, and the sink is told to
 * undo what it has done. */
#ifndef LARDER_PERSIST_PUMP_H
#define LARDER_PERSIST_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persist/rdb_bytes.h"

/* Bytes that may wait. With what the sink is writing and what the writer fills, and those that a
 * large collection has to keep in the meantime, a snapshot takes some tens of megabytes. */
#ifdef LARDER_TEST_SMALL
#define PUMP_BYTES_MAX ((size_t)2 << 10)
#else
#define PUMP_BYTES_MAX ((size_t)16 << 20)
#endif

/* What a run for the stream proper has room for, so that it need not grow while it is filled:
 * bytes, the last text included unless it is a long one, and marks. The thread makes such runs
 * ahead and touches them, and takes back those that are done with: in a virtual machine, memory
 * that nobody has touched takes milliseconds when the host has to find it, which are the thread's
 * then. */
#ifdef LARDER_TEST_SMALL
#define PUMP_RUN_ROOM   384u
#define PUMP_RUN_MARKS  4u
#define PUMP_SPARES_MIN 1u
#define PUMP_SPARES_MAX 2u
#else
#define PUMP_RUN_ROOM   ((size_t)160 << 10)
#define PUMP_RUN_MARKS  2048u
/* Kept at hand: what a writer fills in some ten milliseconds, and at most what may wait. */
#define PUMP_SPARES_MIN 8u
#define PUMP_SPARES_MAX 64u
#endif

struct pump_run {
    struct pump_run *next;
    struct rdb_writer writer; /* its marks are these */
    struct rdb_marks marks;
};

/* A run without room, for what may stay short. */
struct pump_run *pump_run_new(bool compress);
void pump_run_free(struct pump_run *run);

/* What it takes, texts of blobs included. */
static inline size_t pump_run_bytes(const struct pump_run *run) {
    return run->writer.size + run->marks.blob_bytes;
}

/* Where the bytes go. 0 or -errno. */
struct pump_sink {
    int (*write)(void *context, const void *at, size_t size);
    /* That was all: makes it last. */
    int (*finish)(void *context);
    /* Something went wrong: undoes what it can. After a failed write or finish, too. */
    void (*cancel)(void *context);
    void *context;
};

enum pump_state { PUMP_GOING, PUMP_DONE, PUMP_FAILED };

struct pump_setup {
    struct pump_sink sink;
    bool compress;
    bool checksum; /* otherwise zeros stand in its place */
    /* From the pump's thread: there is room again, or it is over. */
    void (*wake)(void *context);
    void *wake_context;
};

struct pump;

/* NULL when there is no thread to be had. */
struct pump *pump_new(const struct pump_setup *setup);

/* Ends the thread: what has not gone yet does not go any more. */
void pump_free(struct pump *pump);

/* An empty run with room, if there is one at hand; otherwise it finds its memory when it is
 * filled. */
struct pump_run *pump_take_run(struct pump *pump);

/* Takes the run over, whether there is room or not. */
void pump_push(struct pump *pump, struct pump_run *run);

/* Whether the writer should go on; otherwise `wake` will be called. */
bool pump_has_room(struct pump *pump);

/* No run comes any more: the checksum follows, and the sink finishes. Or the stream is given up,
 * which needs no end before. */
void pump_end(struct pump *pump);
void pump_give_up(struct pump *pump);

/* PUMP_FAILED with *status: what the sink said, or -ECANCELED. Done and failed are final. */
enum pump_state pump_state(struct pump *pump, int *status);

/* Waits until there is room, or it is over. */
void pump_wait(struct pump *pump);

/* Bytes that the sink has taken. */
uint64_t pump_bytes(struct pump *pump);

#endif
