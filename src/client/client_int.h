/* client_int: what the files of this room share about the registry. Nobody else includes it. */
#ifndef LARDER_CLIENT_CLIENT_INT_H
#define LARDER_CLIENT_CLIENT_INT_H

#include "client/batch.h"
#include "client/client.h"
#include "client/dispatch.h"
#include "client/hold.h"
#include "client/ids.h"
#include "client/io_thread.h"
#include "client/sample.h"

/* Different error codes that are counted; further ones count under the last. */
#define CLIENT_ERROR_CODES_MAX 128

struct output_limit {
    size_t hard; /* bytes; 0: none */
    size_t soft;
    int64_t soft_seconds; /* any number, so that it is not turned into milliseconds */
};

struct clients {
    struct context *context;
    const struct guard *guard; /* NULL: none */
    struct client_options options;
    struct client_metrics metrics;
    struct output_limit output_limits[CLIENT_CLASSES];
    struct dispatch dispatch;
    struct batch *executing;  /* NULL: none */
    const char *busy_text;    /* client/busy.h: during a turn for others; NULL */
    struct batch *busy_batch; /* what they sent; NULL until there was one */
    bool busy_abandoned;
    struct client *first;
    struct client *last;
    struct ids ids;
    size_t count;
    uint64_t next_id;
    struct client *to_flush;
    struct call_observer *observers;
    struct client_watcher *watchers;
    struct watches *watches;               /* of keys, by clients */
    struct waiting *waiting;               /* clients, for keys */
    struct transaction *spare_transaction; /* memory for the next one; NULL: none */
    bool track_latency;                    /* durations go to the commands' histograms */
    bool paused;                           /* something is held back: */
    bool pause_only_writes;                /* ... but not what only reads */
    bool pause_asked;                      /* by CLIENT PAUSE, until then */
    bool pause_asked_writes;               /* ... of writes alone */
    bool writes_held;                      /* by clients_hold_writes */
    int64_t pause_until_ms;
    struct tls_context *tls; /* for new connections; NULL: none */
    size_t held;             /* clients with CLIENT_PAUSED */
    bool over_budget;        /* buffers take more than they may */
    int64_t queued; /* bytes queued in this pass since they were last compared with the budget */
    struct reply scratch;
    struct sample sample; /* of the requests */
    struct error_count errors[CLIENT_ERROR_CODES_MAX];
    size_t error_count;
    /* The threads: client/crew.c. */
    struct io_thread inlined;
    struct io_thread *threads[IO_THREADS_MAX];
    size_t thread_count;  /* retired ones included */
    size_t next_thread;   /* whose batches are looked at first */
    int threads_begun;    /* ever */
    bool balance_due;     /* the option has changed, or a thread has to end */
    bool stopped;         /* reads no more */
    bool resumed;         /* the last pass that could go on with cut pipelines did */
    bool quiet;           /* nothing was under way when clients_are_quiet was last called */
    uint64_t quiet_reads; /* reads until then */
    const char *backend;
    int fd_max;
    cpu_set_t cpus; /* that the process may use */
    struct hold hold;
};

/* Puts the client into the list of those whose output or orders leave at the end of the pass. */
void client_flush_later(struct client *client);

/* The client belongs to who a connection belongs to before it says anything. */
void client_begin_as_newcomer(struct client *client);

/* The order is carried out by its thread; at once when that is this one. */
void client_order(struct client *client, unsigned orders);

/* Sends what waits for connections that this thread serves, hands over what waits for others. */
void clients_flush(struct clients *clients);

/* The client is going: its watchers are told, the registry forgets it. */
void client_forget(struct client *client);
/* What forgetting leaves, but for what connection_free frees. */
void client_free_memory(struct client *client);

/* At the end of a pass: closes the largest clients if all together buffer more than they may. */
void clients_keep_budget(struct clients *clients);
/* From connection_cron, for each client in turn: adds up what they buffer. */
void clients_budget_look(struct io_thread *thread, const struct client *client);

/* bounds.c: whether the running command's reply may have so many bytes more; if not, its client has
 * been closed. The reply's may_grow. */
bool clients_may_grow(void *clients, size_t more);
/* So many bytes have been queued for a client outside the replies: closes it if that is too much
 * for it, and the largest if it is too much for all. */
void client_check_queue(struct client *client, size_t size);

/* crew.c: the connection goes to the thread that has fewest. */
void crew_place(struct client *client);
/* Executes what the I/O threads have handed over. */
void crew_work(struct clients *clients);
/* Whether some of it is left. */
bool crew_has_work(const struct clients *clients);
/* Follows the option io-threads, at the end of a pass. */
void crew_balance(struct clients *clients);
/* Hands all open parcels over. */
void crew_post(struct clients *clients);
/* The counts of all threads up to now go to the registry's; threads must stand still. */
void crew_collect(struct clients *clients);

#endif
