/* dispatch: from a parsed request to an executed command: the checks in front (known, arity,
 * authentication, pause), the call itself, the figures behind it.
 *
 * Time. A clock read costs as much as a GET, so runs of one fast or brief command are timed as a
 * whole, and the average is recorded for each; other commands are timed one by one, and so is
 * everything while the slow log or a monitor of latency wants to know of short ones (an observer's
 * after_min_ns below DISPATCH_EXACT_NS). */
#ifndef LARDER_CLIENT_DISPATCH_H
#define LARDER_CLIENT_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "call/call.h"

/* Observers that ask for durations below this make every command be timed by itself. */
#define DISPATCH_EXACT_NS 1000000

struct clients;

enum dispatch_special {
    DISPATCH_EXACT = 1 << 0,    /* durations of single calls are asked for */
    DISPATCH_OBSERVED = 1 << 1, /* somebody wants to know of calls before they run */
    DISPATCH_HEARD = 1 << 2,    /* and somebody of writes: call/pass_on.h */
    DISPATCH_AWAITED = 1 << 3,  /* clients wait for keys: client/waiting.h */
    DISPATCH_STRICT = 1 << 4,   /* the server is in a state in which not all commands are served */
};

struct dispatch {
    struct clients *clients;
    struct context *context;
    struct call call;
    struct reply discarded;  /* where muted clients' replies go */
    struct command *running; /* of the run being timed; NULL when none is */
    uint64_t run_calls;
    int64_t run_start_ns;
    int64_t busy_ns;  /* of all commands */
    unsigned special; /* set of dispatch_special */
    /* Of the gated client whose command is running: what its reply had before, and messages that
     * come behind it. */
    bool gated;
    size_t reply_before;
    struct buffer behind;
};

enum dispatch_result {
    DISPATCH_DONE,
    DISPATCH_HOLD, /* not now: the client is paused, or waits; the request must be kept */
};

void dispatch_init(struct dispatch *dispatch, struct clients *clients);
void dispatch_free(struct dispatch *dispatch);

/* Before the first request of a batch: takes over the pass's time and the observers' wishes. */
void dispatch_begin(struct dispatch *dispatch);

/* One request. `command` is what commands_resolve found, NULL when unknown; `hash` that of its
 * first key. */
enum dispatch_result dispatch_request(struct dispatch *dispatch, struct client *client,
                                      struct command *command, const struct bytes *args, int argc,
                                      uint64_t hash, struct reply *reply, struct call_blob *blobs,
                                      int blob_count);

/* Executes another command for the same client, from within one (EXEC; a script): with the same
 * figures, observers and passing on, but without the checks in front (client/refusal.h), which may
 * have been made earlier. The caller has filled in `call`, which is its own, `inner` set; database
 * and blobs are taken care of. */
void dispatch_run(struct call *call);

/* Executes a command that has waited, for a client that need not be the one whose turn it is: with
 * the checks in front, but it is not counted as another call. */
void dispatch_again(struct call *call);

/* A message for the client whose command is running, whose replies are in `reply`. */
void dispatch_message(struct dispatch *dispatch, struct reply *reply, struct bytes message,
                      bool behind);

/* Ends the run that is being timed. After the last request of a batch. */
void dispatch_end(struct dispatch *dispatch);

#endif
