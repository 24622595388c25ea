/* client_int: what the files of this room share about the registry. Nobody else includes it. */
#ifndef LARDER_CLIENT_CLIENT_INT_H
#define LARDER_CLIENT_CLIENT_INT_H

#include "client/batch.h"
#include "client/client.h"
#include "client/dispatch.h"

/* Different error codes that are counted; further ones count under the last. */
#define CLIENT_ERROR_CODES_MAX 128

struct output_limit {
    size_t hard; /* bytes; 0: none */
    size_t soft;
    int64_t soft_ms;
};

struct clients {
    struct context *context;
    struct client_options options;
    struct client_metrics metrics;
    struct output_limit output_limits[CLIENT_CLASSES];
    struct batch *batch;
    struct client *first;
    struct client *last;
    size_t count;
    uint64_t next_id;
    struct client *closing;
    struct client *to_flush;
    struct client *to_resume;
    struct client *cron_next; /* where clients_cron goes on */
    struct call_observer *observers;
    struct client_watcher *watchers;
    bool observing_before; /* some observer wants calls before they run; refreshed each pass */
    bool bound;
    bool stopped;       /* reads no more */
    bool track_latency; /* durations go to the commands' histograms */
    bool paused;
    bool pause_only_writes;
    int64_t pause_until_ms;
    size_t held;        /* clients with CLIENT_PAUSED */
    bool over_budget;   /* buffers take more than they may */
    int64_t budget_sum; /* of the clients that clients_cron has seen in this round */
    struct reply scratch;
    struct error_count errors[CLIENT_ERROR_CODES_MAX];
    size_t error_count;
};

/* Puts the client into the list of those whose input is parsed on at the end of the pass. */
void client_resume_later(struct client *client);

/* New output: sent at the end of the pass; checks the output limits. */
void client_flush_later(struct client *client);

/* Turns waiting for writability and reading on or off according to what the client's state asks
 * for. */
void client_update_interest(struct client *client);

/* Closes a client whose unsent output is over its limit, or notes since when it is. */
void client_check_output(struct client *client);

/* Sends what waits, and puts right what depended on it. */
void client_send_output(struct client *client);

/* One send for each client with new output. */
void clients_flush(struct clients *clients);

/* At the end of a pass: closes the largest clients if all together buffer more than they may. */
void clients_keep_budget(struct clients *clients);
/* From clients_cron, for each client in turn: adds up what they buffer. */
void clients_budget_look(struct clients *clients, const struct client *client);

/* Counts an error reply by its code; the reply's on_error. */
void clients_count_error(void *clients, struct bytes text);

#endif
