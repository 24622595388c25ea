/* connection: a client's connection, as the I/O thread that serves it sees it: reading, sending,
 * limits, closing. What is declared here is called in that thread only (which is the executing
 * thread itself when there are no others), or while the threads stand still.
 *
 * A connection is in at most one batch at a time. While another thread has that batch
 * (CONNECTION_IN_FLIGHT) nothing is read from the socket, so the order of its requests is kept, and
 * what they have changed about the client is known before the next ones are parsed. */
#ifndef LARDER_CLIENT_CONNECTION_H
#define LARDER_CLIENT_CONNECTION_H

#include "client/client.h"

/* What one connection may produce in a row while it does not take it. */
#ifdef LARDER_TEST_SMALL
#define CONNECTION_REPLY_MAX 2048
#else
#define CONNECTION_REPLY_MAX (1024 * 1024)
#endif

/* What the I/O thread sees in client->state. */
enum connection_state {
    CONNECTION_CLOSING = 1 << 0,        /* not watched any more; goes when no batch has it */
    CONNECTION_CLOSE_SENT = 1 << 1,     /* closed once its output is sent */
    CONNECTION_READING_PAUSED = 1 << 2, /* its output is full: requests wait in the socket */
    CONNECTION_HELD = 1 << 3,           /* CLIENT PAUSE holds a request of its back, or it waits */
    CONNECTION_TO_RESUME = 1 << 4,      /* has input left to parse, once it may be */
    CONNECTION_IN_LIST = 1 << 5,        /* ... and is in the list of those */
    CONNECTION_IN_FLIGHT = 1 << 6,      /* the executing thread has its requests */
    CONNECTION_UNREAD = 1 << 7,         /* readable while in flight: not waited for meanwhile */
    CONNECTION_STRANGER = 1 << 8,       /* has not authenticated */
    CONNECTION_PATIENT = 1 << 9,        /* may be idle for any time */
    CONNECTION_MOVING = 1 << 10,        /* to be given to another thread */
    CONNECTION_CUT = 1 << 11,           /* the rest of what was read is for further turns */
    CONNECTION_GATHERED = 1 << 12,      /* its output waits for them, not for the socket */
    CONNECTION_WAITS = 1 << 13,         /* what was cut has not been answered whole */
    CONNECTION_HANDSHAKE = 1 << 14,     /* its TLS is not ready: client/handshakes.h */
    CONNECTION_FOREIGN = 1 << 15,       /* speaks another protocol: client/protocol.h */
    CONNECTION_DEAF = 1 << 16,          /* what it sends is dropped: it has been told why */
};

/* While none of these is set the socket is read. */
#define CONNECTION_UNREADABLE                                                                      \
    (CONNECTION_CLOSING | CONNECTION_CLOSE_SENT | CONNECTION_READING_PAUSED | CONNECTION_HELD |    \
     CONNECTION_TO_RESUME | CONNECTION_IN_FLIGHT | CONNECTION_MOVING | CONNECTION_HANDSHAKE)

/* What the executing thread wants of the I/O thread, in client->orders. */
enum client_order {
    CLIENT_ORDER_ADOPT = 1 << 0,  /* serve it from now on */
    CLIENT_ORDER_CLOSE = 1 << 1,  /* at once */
    CLIENT_ORDER_RESUME = 1 << 2, /* the pause is over, or what it waited for has come */
    CLIENT_ORDER_MOVE = 1 << 3,   /* let go of it */
};

/* Watches the connection in client->thread, which serves it from now on; closes it if that is not
 * to be. */
void connection_adopt(struct client *client);
/* The thread no longer knows it: neither watched nor in any list. It must be neither in flight nor
 * closing. What its loop had received goes with it. */
void connection_release(struct client *client);

/* Not watched any more; given to the executing thread to be forgotten, then freed. */
void connection_close(struct client *client);
/* Closes the socket and frees the whole client, which nobody knows any more. */
void connection_free(struct client *client);

/* Does what it may do now of orders. */
void connection_obey(struct client *client, unsigned orders);

/* Whether the rest of what was read from it is for further turns. */
void connection_set_cut(struct client *client, bool on);

/* Puts the client into the list of those whose input is parsed on at the end of the pass. */
void connection_resume_later(struct client *client);

/* Turns waiting for writability and reading on or off according to the connection's state. */
void connection_update_interest(struct client *client);

/* All has been sent, and it was the last: closes the connection. Where what it sent was not all
 * read, its peer could lose the answer with it; so that of another protocol is first shut for
 * sending, and what comes is dropped for a moment. */
void connection_end(struct client *client);

/* Closes a client whose unsent output is over its limit, or notes since when it is. */
void connection_check_output(struct client *client);

/* Sends what waits, and puts right what depended on it. */
void connection_send_output(struct client *client);

/* The same for several in a row, which go with one system call where the loop can: what was offered
 * is sent when io_thread_commit returns, at the latest. Once for each connection in between. */
void connection_offer_output(struct client *client);

/* Bytes that may wait for a client before its requests do: so many that its limits, if it has some,
 * are passed first. */
size_t connection_backlog_max(const struct client *client);

/* Looks at a share of the thread's connections: idle ones, limits that lasted, what they buffer.
 * Ten times a second. */
void connection_cron(struct io_thread *thread);

#endif
