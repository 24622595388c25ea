/* leases: who may compute a key's value while the others wait, and that nothing is stored which was
 * computed before the key was last written or removed (FETCH, STORE, UNLEASE).
 *
 * Terms. A lease belongs to a key and has a token, which whoever stores must show; its holder is
 * the connection that got it. What is not in the keyspace has a lease as well as what is, so leases
 * lie in tables of their own, and nothing of them is seen in SCAN, a snapshot or a replica.
 *
 *     tables[database]  dict: key -> lease      client->leases -> holder -> lease <-> lease
 *                                        dying -> table of a database that was emptied or swapped:
 *     times  index of when states are over             all of it void, freed in slices
 *
 *     held ----------- its time is over, or its holder goes -----------> lapsed
 *     lapsed --------- another asks -----------------------------------> held, with a new token
 *     held, lapsed --- the key is written or removed, or it is given back --> none
 *     lapsed --------- its time once more -----------------------------> none
 *     held, lapsed --- it is given back with a back-off ---------------> barred -- time --> none
 *
 * A token stands while its lease is held or lapsed and none has been granted since. Whenever a
 * lease is held no longer, who waits for it is served (client/waiting.h): the first one gets it.
 *
 * Invariants (leases_validate):
 * 1. a key has one lease at most, hence one token that stands at most;
 * 2. a lease has a holder only while it is held; a holder has one lease at least;
 * 3. the keyspace is listened to exactly while there is a lease;
 * 4. no two tokens are ever the same until the server ends.
 *
 * Costs: nothing for anybody while there is none; while there is one, a look-up for each write. A
 * lease is 80 bytes and 13 in the index of times, and an entry with the key's name. */
#ifndef LARDER_FEATURE_LEASES_H
#define LARDER_FEATURE_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/context.h"
#include "client/client.h"
#include "store/keyspace.h"

#define LEASE_OPTIONS(X)                                                                           \
    X(INT, leases_max, "lease-max", "100000", 0, 10000000, NULL, 0, NULL,                          \
      "Leases at the same time; beyond them FETCH gives tokens that protect nothing.")             \
    X(INT, wait_ms_max, "lease-max-wait", "5000", 0, 3600000, NULL, 0, NULL,                       \
      "Milliseconds that FETCH waits at most, whatever it asks for.")
struct lease_options {
    LEASE_OPTIONS(OPTION_FIELD)
};

#define LEASE_METRICS(X)                                                                           \
    X(LEASES, lease_granted, COUNTER, "Leases that were granted.")                                 \
    X(LEASES, lease_promoted, COUNTER, "Of these, those of clients that had waited.")              \
    X(LEASES, lease_early, COUNTER, "Of these, those of keys that were still fresh.")              \
    X(LEASES, lease_filled, COUNTER, "Values that were stored with a token that stood.")           \
    X(LEASES, lease_refused, COUNTER, "Values that were not, for their token was void.")           \
    X(LEASES, lease_lapsed, COUNTER, "Leases whose time was over, or whose holder went.")          \
    X(LEASES, lease_overflowed, COUNTER, "Leases that there was no room for (lease-max).")         \
    X(LEASES, lease_coalesced, COUNTER, "Clients that waited and were served.")                    \
    X(LEASES, lease_wait_timeouts, COUNTER, "Clients that waited for nothing.")                    \
    X(LEASES, lease_stale_served, COUNTER, "Stale values that were given.")
struct lease_metrics {
    LEASE_METRICS(METRIC_FIELD)
};

/* Longest time of a lease: a day. */
#define LEASE_MS_MAX ((int64_t)86400000)

/* Characters of a token: base64url of 64 bits. */
#define LEASE_TOKEN_SIZE 11

enum lease_answer {
    LEASE_GRANTED,
    LEASE_HELD,     /* by somebody, who may be the same client */
    LEASE_BARRED,   /* nobody is granted it for some time */
    LEASE_OVERFLOW, /* there is no room: whoever asks computes without protection */
};

struct leases;

/* Registers options and metrics, watches context->clients. */
struct leases *leases_new(struct context *context);
/* Once no client is left. */
void leases_free(struct leases *leases);

const struct lease_options *leases_options(const struct leases *leases);
struct lease_metrics *leases_metrics(struct leases *leases);

/* Asks for the key's lease, for `ms` milliseconds, 1 to LEASE_MS_MAX. `token` only if it was
 * granted. A client of another protocol does not hold it by its connection. */
enum lease_answer leases_ask(struct leases *leases, const struct key *key, struct client *client,
                             int64_t ms, uint64_t *token);

/* Whether the key's lease could not be asked for now, because it was given back with a back-off. */
bool leases_bar(const struct leases *leases, const struct key *key);

/* Whether the token stands. What is written then ends its lease. */
bool leases_stand(const struct leases *leases, const struct key *key, uint64_t token);

/* Gives it back; false when the token does not stand. Nobody is granted the lease for `bar_ms`
 * milliseconds. */
bool leases_give_back(struct leases *leases, const struct key *key, uint64_t token, int64_t bar_ms);

/* A token as text, and back; false when the text is none. */
void lease_token_write(uint64_t token, char text[LEASE_TOKEN_SIZE]);
bool lease_token_read(struct bytes text, uint64_t *token);

/* Held, lapsed and barred ones together. */
size_t leases_count(const struct leases *leases);

/* Walks everything and asserts the invariants. For tests. */
void leases_validate(const struct leases *leases);

#endif
