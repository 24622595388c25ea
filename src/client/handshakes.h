/* handshakes: connections of one thread whose TLS handshake is not done. Strangers all of them, so
 * what they may take is bounded:
 *
 *     in time    each has the option tls-handshake-timeout, from when it was accepted;
 *     in number  of those that have begun, tls-handshakes-max; one more closes the oldest, so
 *                that those who stall make room for those who do not. Who has said nothing yet
 *                takes no memory but the client's own;
 *     in a pass  one step of a handshake can take most of a millisecond (a signature), so the
 *                steps wait until the requests of the pass are done, and after some of them the
 *                rest waits for the next pass.
 *
 *     first -> [handshake]-[handshake]-[handshake] <- last      by deadline
 *     first_ready -> [handshake]-...                            those that the peer has written to
 *
 * A connection has CONNECTION_HANDSHAKE and a struct handshake exactly as long as it is here or on
 * its way to another thread. */
#ifndef LARDER_CLIENT_HANDSHAKES_H
#define LARDER_CLIENT_HANDSHAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct io_thread;

struct handshake {
    struct client *client;
    struct handshake *next;
    struct handshake *previous;
    struct handshake *next_ready;
    int64_t deadline_ms;
    bool has_begun; /* the peer has said something */
    bool is_ready;  /* in the list of those */
    bool is_quiet;  /* and reported more than once: not listened to meanwhile */
};

struct handshakes {
    struct handshake *first;
    struct handshake *last;
    struct handshake *first_ready;
    struct handshake *last_ready;
    size_t count;
    size_t begun;
};

/* A client was accepted on the port for TLS; the executing thread's. */
void handshake_begin(struct client *client, int64_t now_ms);
/* Frees it, wherever the handshake has got to. Of a client that has none, nothing. */
void handshake_end(struct client *client);

/* The thread has got the connection, or lets go of it. */
void handshakes_add(struct io_thread *thread, struct client *client);
void handshakes_remove(struct io_thread *thread, struct client *client);

/* The peer has written. */
void handshakes_ready(struct io_thread *thread, struct client *client);

/* Goes on with those that are ready, as far as a pass allows. */
void handshakes_work(struct io_thread *thread);

/* Closes those whose time is up. Ten times a second. */
void handshakes_cron(struct io_thread *thread);

/* Whether the next pass has some to go on with. */
static inline bool handshakes_wait(const struct handshakes *handshakes) {
    return handshakes->first_ready != NULL;
}

#endif
