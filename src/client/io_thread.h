/* io_thread: a thread that moves bytes of connections, and what passes between it and the thread
 * that executes commands.
 *
 *      I/O thread                                            executing thread
 *      read, parse -> batch ----------- to_main ---------->  plan, execute
 *      flush, limits <- batch --------- from_main ---------  replies in it
 *      obey, queue   <- parcel -------- from_main ---------  messages, orders
 *
 * A batch is handed over whole and comes back with replies; whoever has it owns all that it holds.
 * Each thread has BATCHES_PER_THREAD of them, so it reads while another is executed; when all are
 * away it waits. A parcel is a list of connections with what has been queued for them since the
 * last one. Both go through the same queue, so that each connection gets its replies and messages
 * in the order in which they were made.
 *
 * A connection that ends rides in a batch too (`gone`): the executing thread forgets the client and
 * gives the batch back, and then nobody but the I/O thread knows it. Likewise one that moves to
 * another thread (`moved`), which the executing thread gives to that.
 *
 * With one thread in all there is one struct io_thread for it, `inlined`, with no thread and no
 * queue of its own: its batch is executed where it was filled. */
#ifndef LARDER_CLIENT_IO_THREAD_H
#define LARDER_CLIENT_IO_THREAD_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "client/client.h"
#include "client/handshakes.h"
#include "client/handoff.h"
#include "client/hold.h"

/* One that is filled while the other is executed. */
#define BATCHES_PER_THREAD 2

struct batch;

/* What has been queued for a connection. */
struct mail {
    struct client *client;
    struct output output;
    unsigned orders;
};

struct parcel {
    struct handoff link;
    size_t count;
    size_t room;
    bool stop_reading; /* orders for the thread as a whole */
    bool end;
    struct mail mail[];
};

struct io_thread {
    struct clients *clients;
    struct loop *loop;
    struct clock *clock;
    struct histogram *latency;     /* of its requests: clients_add_latency */
    struct client_metrics *counts; /* where it counts: its own, or the registry's when inlined */
    bool inlined;
    bool stopped;         /* reads no more */
    struct client *first; /* its connections */
    struct client *last;
    size_t count;
    struct client *cron_next; /* where connection_cron goes on */
    int64_t budget_sum;       /* buffered by those that it has seen in this round */
    struct client *closing;   /* not in flight, to be forgotten */
    struct client *moving;    /* not in flight, to be given away */
    struct client *to_resume;
    struct client *resuming; /* of those, whose turn it is; they come before the others */
    int cut_count;           /* connections that are CONNECTION_CUT */
    struct sends *sends;     /* that go together; NULL until there were some */
    struct tls_desk *desk;   /* where its TLS is done; NULL until there was some */
    struct handshakes handshakes;
    int64_t handshake_logged_ms; /* when the log was last told that one failed */
    struct batch *filling;       /* never NULL while connections are looked at */
    struct batch *spare;

    /* Of a thread of its own. */
    int number; /* from 1 */
    pthread_t thread;
    struct clock own_clock;
    struct client_metrics own_counts;
    struct handoff_queue to_main;
    struct handoff_queue from_main;
    struct loop_timer timer;
    struct hold_member member;
    uint64_t batches;
    uint64_t requests;
    uint64_t waits;           /* for a batch to come back */
    struct loop_stats stats;  /* as of the last pass */
    _Atomic int64_t buffered; /* by its connections, as of the last round of connection_cron */

    /* The executing thread's. */
    struct parcel *open; /* what is to be handed over */
    size_t assigned;     /* connections, those that are leaving included */
    size_t leaving;
    bool retired;          /* ends when it has none */
    bool serves;           /* gets connections */
    uint64_t quiet_passes; /* that it had made when it became quiet: clients_are_quiet */
};

/* The one for the executing thread's own loop, which may be set later. */
void io_thread_init_inlined(struct io_thread *thread, struct clients *clients);
void io_thread_free_inlined(struct io_thread *thread);

/* Begins a thread with a loop of this backend, on these processors. NULL with *error set. */
struct io_thread *io_thread_start(struct clients *clients, int number, const char *backend,
                                  int fd_max, const cpu_set_t *cpus, const char **error);
/* One of its batches, which was under way when it ended, is freed with it. */
void io_thread_keep(struct io_thread *thread, struct batch *batch);
/* Frees one that has ended, with all connections that it still has. */
void io_thread_free(struct io_thread *thread);

/* The batch that is filled, with room for one more read; hands a full one over first. */
struct batch *io_thread_batch(struct io_thread *thread);

/* Where sends that go together are gathered, and their end. */
struct sends *io_thread_sends(struct io_thread *thread);
void io_thread_commit(struct io_thread *thread);

/* Where the thread encrypts and decrypts. */
struct tls_desk *io_thread_desk(struct io_thread *thread);

/* Parses on in what connections have left over, until the batch is full. */
void io_thread_resume(struct io_thread *thread);

static inline bool io_thread_can_resume(const struct io_thread *thread) {
    return thread->to_resume != NULL || thread->resuming != NULL;
}

/* What the executing thread fills and hands over; see crew.c. */
struct mail *parcel_add(struct parcel **parcel);
struct parcel *parcel_new(void);
void parcel_free(struct parcel *parcel);
/* One that nobody opens: what was queued is lost. */
void parcel_drop(struct parcel *parcel);

#endif
