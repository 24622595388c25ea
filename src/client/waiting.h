/* waiting: clients that wait until a key has what their command needs, or until their time is up.
 *
 * Terms. A waiter is a client whose command found nothing: a copy of the command, its deadline, and
 * a place in the queue of each key that it names. A key is awaited while it has a waiter; it is
 * ready once a value of an awaited type has appeared under it (store/hooks.h), and then its waiters
 * are served: each is executed again as a whole, in the order in which they came, until the key has
 * no more for them.
 *
 *     dicts[database]  key -> awaited -> queues[list]   place <-> place <-> place
 *                                     -> queues[zset]   place ...
 *                                     -> queues[stream]   |
 *                                     -> queues[any]      |
 *                                     -> queues[turn]     |
 *     client->waiter --------------------> [ waiter | arguments | places | bytes ]
 *     ready: awaited -> awaited -> ...     in the order in which their values appeared
 *
 * Waiters of a type have a queue of their own, so that those of another are not walked over again
 * and again. Of those who wait for a value of any type or for a lease, what one gets or finds
 * nothing of holds for those behind it too: they are served from the front until one stays. They
 * may be many, and all get the same, so no pass serves more than WAITING_SERVED_MAX of them; the
 * others' turn comes in the next.
 *
 * Serving happens behind the reply of the command, transaction or script that made the
 * key appear, before the next command; what it makes appear in turn is served too.
 *
 * Meanwhile the connection is held (client/connection.h): what it sends stays in its input, and
 * runs when its command is over. Messages reach it all the same.
 *
 * Invariants: 1. a client has CLIENT_WAITING exactly when it has a waiter; 2. an awaited key has at
 * least one place, unless it is ready; 3. a waiter has one place for each key at most; 4. the
 * keyspace's hook is set exactly while a key is awaited; 5. its listener, exactly while somebody
 * waits who minds that a key goes.
 *
 * Costs: a waiter is one allocation, a buffer of its connection. Nothing while nothing happens; a
 * value that appears costs a look-up while any key is awaited. Leaving takes as long as there are
 * keys. Deadlines are timers of the loop. */
#ifndef LARDER_CLIENT_WAITING_H
#define LARDER_CLIENT_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/call.h"

struct client;
struct clients;
struct waiting;

/* Who wait for any value or a lease, and are served in one pass: about a millisecond, most of which
 * goes into one send each. */
#ifdef LARDER_TEST_SMALL
#define WAITING_SERVED_MAX 4
#else
#define WAITING_SERVED_MAX 100
#endif

/* What a command that found nothing waits for. */
struct wait {
    enum entry_type type; /* of the value: list, sorted set or stream; string stands for any */
    bool in_turn;         /* of any: waits for a lease of the key as well (feature/leases.h) */
    int first_key;        /* argument indexes */
    int key_count;        /* 0: only its time ends it */
    int64_t timeout_ms;   /* 0: for ever */
    /* What is replied when the time is up; NULL: a null array. */
    void (*timed_out)(struct call *call);
    /* The arguments that it is executed with again, as many as the call's; NULL: those. */
    const struct bytes *args;
    bool minds_loss; /* of streams: it is executed again, too, when a key has gone or is no stream
                        any more */
    bool enduring;   /* CLIENT UNBLOCK does not end it: what is waited for cannot be taken back */
};

/* The client waits, unless it must not (in a transaction, a script), and then it has the reply of
 * one whose time is up. Nothing may have been replied. A command that is executed again and finds
 * nothing again says so likewise, and goes on waiting where it was, for as long as it had. */
void waiting_begin(struct call *call, const struct wait *wait);

/* Whether a call may wait. */
bool waiting_may_begin(const struct call *call);

/* What the client waits for, which is no key, is over: `reply` replies, and the client goes on.
 * Nothing is done for one that does not wait enduringly. */
void waiting_end(struct client *client, void (*reply)(struct call *call, const void *context),
                 const void *context);

/* Argument `index` as a time to wait: seconds with fractions, which become milliseconds rounded up;
 * or milliseconds. False when the error has been replied. */
bool waiting_read_seconds(struct call *call, int index, int64_t *timeout_ms);
bool waiting_read_ms(struct call *call, int index, int64_t *timeout_ms);

/* CLIENT UNBLOCK: as if its time were up, or with an error. Whether it was waiting. */
bool waiting_unblock(struct client *client, bool with_error);

/* All waiting ends with that error. */
void waiting_end_all(struct clients *clients, const char *error);

/* The client is going: whatever it waited for. */
void waiting_forget(struct client *client);

/* A value is looked at by its waiters again, though it has been there: what a stream tells of each
 * new entry. */
void waiting_signal(struct clients *clients, const struct key *key, enum entry_type type);

/* Who waits for a lease of the key, or for any value, looks again. */
void waiting_signal_turn(struct clients *clients, const struct key *key);

/* A pass begins: as many may be served again. Whether there are some that had to wait for it. */
void waiting_pass(struct waiting *waiting);
bool waiting_has_more(const struct waiting *waiting);

/* Dispatch's side: serves who waits for keys that are ready. */
bool waiting_has_ready(const struct waiting *waiting);
void waiting_serve(struct waiting *waiting);

/* Bytes that the client's waiter takes. */
size_t waiting_footprint(const struct client *client);

struct waiting *waiting_new(struct clients *clients);
/* Once nobody waits. */
void waiting_free(struct waiting *waiting);

/* How many wait; of those, with a deadline, and for any value or a lease; keys that are awaited. */
size_t waiting_count(const struct waiting *waiting);
size_t waiting_parked(const struct waiting *waiting);
size_t waiting_timed(const struct waiting *waiting);
size_t waiting_keys(const struct waiting *waiting);

/* Walks everything and asserts the invariants. For tests. */
void waiting_validate(const struct waiting *waiting);

#endif
