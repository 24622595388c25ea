/* protocol: how a connection that speaks something else than RESP joins the batch. A protocol finds
 * requests in the bytes of a connection and turns them into commands with arguments, which are
 * planned and executed among all others; and it turns their replies into what its peer reads.
 *
 *     bytes -> parse -> [note][arguments][extra] -> plan -> execute -> command -> reply of its own
 *                                                                         |
 *                                              bytes of the protocol <----+
 *
 * A note is what the protocol remembers of a request; extra are slices that are no arguments. They
 * lie among the batch's slices, so that a request costs no memory of its own. A request that cannot
 * be executed in its batch goes back into the connection's input as a frame, with all that was
 * found of it, and is not parsed again.
 *
 * A client whose `protocol` is NULL speaks RESP, and does not pay for this. */
#ifndef LARDER_CLIENT_PROTOCOL_H
#define LARDER_CLIENT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/command.h"
#include "call/reply.h"
#include "proto/http.h"

struct batch;
struct client;
struct clients;
struct input;

struct protocol_note {
    uint32_t kind;
    uint32_t extra; /* slices behind the arguments */
    uint64_t words[5];
};

/* What is parsed: a request begins at window[0]. In the I/O thread. */
struct protocol_parse {
    struct client *client;
    struct batch *batch;
    char *window;
    size_t size;
    struct http_state *state; /* where parsing stands; all zero at a request's beginning */
    bool stranger;            /* the client has not authenticated, and must */
    int64_t now_ms;
    size_t turn; /* requests that it may add, about */
    bool told;   /* kept for the request while it is under way: the peer has been told to go on */
};

enum protocol_status {
    PROTOCOL_DONE, /* window[0 .. state->at) has become requests, or nothing */
    PROTOCOL_MORE, /* the request is not whole */
    PROTOCOL_END,  /* nothing more is taken from this connection */
};

enum protocol_result {
    PROTOCOL_EXECUTED,
    PROTOCOL_HOLD, /* not now: executed again later */
};

/* What is executed. In the executing thread. */
struct protocol_call {
    struct client *client;
    const struct protocol_note *note;
    struct command *command;  /* NULL: none, or unknown */
    const struct bytes *args; /* `argc` of them, and note->extra behind */
    int argc;
    uint64_t hash;       /* of the command's first key */
    struct reply *reply; /* where the protocol's bytes go */
};

/* Where a command's answer goes before the protocol has turned it into its own. The protocol's, one
 * for the executing thread. */
struct protocol_scratch {
    struct reply reply; /* all in pieces */
    struct clients *clients;
};
void protocol_scratch_init(struct protocol_scratch *scratch, struct clients *clients);

/* What a connection waits for while nothing of it is being executed. */
enum protocol_wait {
    PROTOCOL_IDLE,   /* a request */
    PROTOCOL_BEGUN,  /* the rest of one */
    PROTOCOL_UNSENT, /* that its peer takes its answers */
};

struct client_protocol {
    const char *name;
    void *context;
    /* What is said to somebody who is refused at the door; for a full house, and for strangers from
     * another machine. */
    const char *full;
    const char *closed;
    const char *alpn; /* what it is called inside TLS: tls_session_offer */
    /* Most that a request may take that has not arrived whole. Any thread. */
    size_t (*request_max)(const struct client_protocol *protocol);
    enum protocol_status (*parse)(const struct client_protocol *protocol,
                                  struct protocol_parse *parse);
    enum protocol_result (*execute)(const struct client_protocol *protocol,
                                    struct protocol_call *call);
    /* Requests were added to a batch, or are answered or held. Any thread. */
    void (*count)(const struct client_protocol *protocol, int64_t more);
    /* The connection has waited so long by now: whether that is too long, and what is to be said
     * then (at most; nothing where answers are unsent). Its I/O thread. */
    bool (*overdue)(const struct client_protocol *protocol, struct client *client,
                    enum protocol_wait wait, int64_t now_ms, int64_t waited_ms,
                    struct bytes *last_words);
    /* Whether there is something to be done for the connection that nothing new from its peer
     * causes: then parse is called with an empty window. No request of its is under way. */
    bool (*wants_turn)(const struct client_protocol *protocol, struct client *client);
    /* Frees client->session. */
    void (*leaves)(const struct client_protocol *protocol, struct client *client);
};

/* ---- for parse ---- */

/* Room for `count` arguments and extra slices of the next request; valid until protocol_add, or
 * until it is asked again with more, which keeps what is there. */
struct bytes *protocol_args(struct protocol_parse *parse, size_t count);

/* Memory that lives until the batch is over, for what does not stand in the window as it is meant;
 * NULL when there is none. */
char *protocol_memory(struct protocol_parse *parse, size_t size);

/* The input lives until the batch is over, and then goes. */
void protocol_adopt(struct protocol_parse *parse, struct input *input);

/* Adds the request: `argc` arguments and note->extra slices have been put there. */
void protocol_add(struct protocol_parse *parse, struct command *command, int argc,
                  const struct protocol_note *note);

/* ---- for execute ---- */

/* Checks the call and executes its command; what it answers goes to `scratch`, which is emptied
 * first and bounded as the client's own replies are. Commands do not wait. */
enum protocol_result protocol_dispatch(struct protocol_call *call,
                                       struct protocol_scratch *scratch);

/* The same for a command of the protocol's own making. */
enum protocol_result protocol_command(struct client *client, struct command *command,
                                      const struct bytes *args, int argc,
                                      struct protocol_scratch *scratch);

/* Whether the call would be refused; the error is in `scratch` then. */
bool protocol_is_refused(struct client *client, struct command *command, const struct bytes *args,
                         int argc, struct protocol_scratch *scratch);

/* ---- for the batch ---- */

struct request;

void protocol_read(struct batch *batch, struct client *client);
void protocol_resume(struct batch *batch, struct client *client);
enum protocol_result protocol_execute(struct batch *batch, struct request *request);
/* What was held goes back in front of the client's input, whose requests begin at `first`. */
void protocol_put_back(struct batch *batch, struct client *client, size_t first);
/* The batch is over: its requests are under way no more. */
void protocol_finish(struct batch *batch);
/* Closes the connection if it keeps its request or us waiting. */
void protocol_look(struct client *client, int64_t now_ms);

#endif
