/* tracking: which clients may hold what they have read, so that they are told when it changes: the
 * server's half of client-side caching (CLIENT TRACKING).
 *
 * Terms. A tracker is a client that is tracking. In the common mode what it reads is remembered by
 * key, whatever the database, until the key changes once; in broadcast mode nothing is remembered,
 * and it is told of all keys with a prefix. An invalidation is the message; it goes to the tracker
 * itself, as a push of protocol 3, or to the client that it redirects to, there also as a message
 * of the channel __redis__:invalidate.
 *
 *     keys      dict: key -> id of the one holder, or an array of ids      at most
 *     tracking-table-max-keys trackers  dict: id -> tracker
 *     prefixes  | text, trackers, keys of this pass | ...   sorted           (tracking_prefix.h)
 *
 * Keys refer to holders by id, so a holder that goes leaves ids behind. They are swept out in
 * slices at the ends of the passes; when no tracker is left, all keys go at once, and their memory
 * in slices.
 *
 * Invariants:
 * 1. a key has a holder's id at most once, and at least one;
 * 2. `items` is the number of ids in the table;
 * 3. a client has CLIENT_TRACKING when its `tracking` is set.
 *
 * Costs: nothing but a NULL test for a write while nobody tracks. A read of a tracker: a look-up
 * and about 40 bytes and the name's length for a new key. */
#ifndef LARDER_FEATURE_TRACKING_H
#define LARDER_FEATURE_TRACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/option.h"
#include "client/client.h"
#include "call/context.h"

#define TRACKING_OPTIONS(X)                                                                        \
    X(INT, keys_max, "tracking-table-max-keys", "1000000", 0, INT64_MAX, NULL, 0, NULL,            \
      "Keys that are remembered for tracking clients; 0: any number.")
struct tracking_options {
    TRACKING_OPTIONS(OPTION_FIELD)
};

enum tracking_mode {
    TRACKING_BROADCAST = 1,
    TRACKING_OPT_IN = 2,  /* only what is read right after CLIENT CACHING YES is remembered */
    TRACKING_OPT_OUT = 4, /* all but what is read right after CLIENT CACHING NO */
    TRACKING_NO_LOOP = 8  /* not told of its own writes */
};

struct tracking;
struct tracking_prefix;

/* A client that is tracking. */
struct tracker {
    struct client_tracking shown; /* what the client knows of it */
    struct client *client;
    struct client *target; /* whom it redirects to; NULL: nobody, or gone */
    unsigned modes;
    bool caching;                      /* CLIENT CACHING was said */
    struct tracking_prefix **prefixes; /* sorted */
    uint32_t prefix_count;
    struct tracker *next;
    struct tracker *previous;
};

/* Registers option and metrics, watches context->clients and, while there are trackers, hears the
 * changes of context->keyspace. */
struct tracking *tracking_new(struct context *context);
/* Once no client is left. */
void tracking_free(struct tracking *tracking);

/* NULL when the client is not tracking. */
static inline struct tracker *tracking_of(const struct client *client) {
    return (struct tracker *)client->tracking;
}

/* Begins, or changes what is on. `target` NULL: the client itself. The caller has checked that the
 * modes fit together and that the prefixes do not overlap. */
void tracking_on(struct tracking *tracking, struct client *client, struct client *target,
                 unsigned modes, const struct bytes *prefixes, size_t prefix_count);
/* Nothing when it is not tracking. */
void tracking_off(struct tracking *tracking, struct client *client);

/* A key has changed or gone: tells its holders and forgets it. */
void tracking_invalidate(struct tracking *tracking, struct bytes key);

/* Sends an invalidation to whom the tracker wants it sent. `keys` is an array as it goes over the
 * wire, or a null. */
void tracking_send(struct tracking *tracking, struct tracker *tracker, struct bytes keys);

size_t tracking_key_count(const struct tracking *tracking);

/* Walks everything and asserts the invariants. For tests. */
void tracking_validate(const struct tracking *tracking);

#endif
