/* topkeys: which keys are used most, and which are largest: always on, in a few tens of kilobytes,
 * at a cost that no request shows.
 *
 * By use: some thousand requests a second are looked at (client/sample.h) and their keys counted by
 * Space-Saving (Metwally, Agrawal, El Abbadi 2005): TOPKEYS_COUNTERS counters; a key that has none
 * takes over the smallest, whose count it inherits as its possible error. What is certain is the
 * count less the error; a key that has more than one in TOPKEYS_COUNTERS of all requests is always
 * there. Counts fade by half in about 30 seconds.
 *
 * By size: the keyspace is walked all the time, a few microseconds ten times a second; what was
 * largest in the last whole round and in this one is kept. */
#ifndef LARDER_FEATURE_TOPKEYS_H
#define LARDER_FEATURE_TOPKEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/context.h"

#ifdef LARDER_TEST_SMALL
#define TOPKEYS_COUNTERS 16
#define TOPKEYS_SIZES    4
#else
#define TOPKEYS_COUNTERS 128
#define TOPKEYS_SIZES    32
#endif
/* Bytes of a key's name that are kept; its beginning is what people know it by. */
#define TOPKEYS_NAME 96

struct topkeys;

struct topkey {
    int database;
    size_t name_size; /* of the whole name */
    double value;     /* requests a second; or bytes */
    const char *type; /* by size: as TYPE answers */
    char name[TOPKEYS_NAME];
};

/* Takes samples of the requests of context->clients from now on. */
struct topkeys *topkeys_new(struct context *context);
void topkeys_free(struct topkeys *topkeys);

/* About ten times a second: walks on, fades counts. At most some 100 us. */
void topkeys_cron(struct topkeys *topkeys);

/* The first `max` at most, the greatest first; returns how many. Sizes are those of now, and only
 * of keys that are there. */
size_t topkeys_used(const struct topkeys *topkeys, struct topkey *out, size_t max);
size_t topkeys_largest(struct topkeys *topkeys, struct topkey *out, size_t max);

/* What the name says of it: up to TOPKEYS_NAME bytes. */
static inline struct bytes topkey_name(const struct topkey *key) {
    return bytes_of(key->name, key->name_size < TOPKEYS_NAME ? key->name_size : TOPKEYS_NAME);
}

#endif
