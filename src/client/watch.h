/* watch: which clients watch which keys, so that EXEC can tell whether one of them has changed.
 *
 * Terms. A watch is one client's interest in one key of one database. A client is dirty
 * (CLIENT_DIRTY) once a key that it watched has changed; its watches are dropped then, for its EXEC
 * fails whatever else happens.
 *
 *     dicts[database]  key -> watched -> watch <-> watch <-> watch      of one key
 *                                          |
 *     client->watches --------------------> watch -> watch              of one client
 *
 * Invariants: 1. a watched key has at least one watch; 2. a client watches a key once at most, and
 * none while it is dirty.
 *
 * Costs: while nobody watches anything, a change costs nothing; else one look-up in the dict of its
 * database, if that is not empty. */
#ifndef LARDER_CLIENT_WATCH_H
#define LARDER_CLIENT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/keyspace.h"

struct client;
struct clients;
struct watches;

struct watches *watches_new(struct keyspace *keyspace);
/* Once no client watches anything. */
void watches_free(struct watches *watches);

/* WATCH: the client's EXEC fails if the key changes from now on. Nothing for one that is dirty.
 * False when there is no memory for the name. */
bool watch_add(struct client *client, struct key *key);

/* Drops all of the client's watches; it is as dirty as before. */
void watch_forget(struct client *client);

/* Whether a key that the client watches has changed, or has expired without anybody noticing. */
bool watch_has_changed(const struct client *client);

/* What the client's watches take. */
size_t watch_footprint(const struct client *client);

/* Clients that watch something, and keys that are watched. */
size_t watches_clients(const struct watches *watches);
size_t watches_keys(const struct watches *watches);

/* Walks everything and asserts the invariants. For tests. */
void watches_validate(const struct watches *watches);

#endif
