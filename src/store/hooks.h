/* hooks: what flows upward from the keyspace, as function pointers set at start-up. Any of them may
 * be NULL. A hook must not change the keyspace. */
#ifndef LARDER_STORE_HOOKS_H
#define LARDER_STORE_HOOKS_H

#include "base/bytes.h"

/* Classes of keyspace notifications; the letters of notify-keyspace-events. */
enum keyspace_class {
    KEYSPACE_GENERIC = 1 << 0, /* g */
    KEYSPACE_STRING = 1 << 1,  /* $ */
    KEYSPACE_LIST = 1 << 2,    /* l */
    KEYSPACE_SET = 1 << 3,     /* s */
    KEYSPACE_HASH = 1 << 4,    /* h */
    KEYSPACE_SORTED = 1 << 5,  /* z */
    KEYSPACE_EXPIRED = 1 << 6, /* x */
    KEYSPACE_EVICTED = 1 << 7, /* e */
    KEYSPACE_STREAM = 1 << 8,  /* t */
    KEYSPACE_MISS = 1 << 9,    /* m */
    KEYSPACE_NEW = 1 << 10,    /* n */
};

struct store_hooks {
    void *context;
    /* A key's value or deadline was changed, or the key is gone: for WATCH and tracking. */
    void (*modified)(void *context, int database, struct bytes key);
    /* Something happened to a key that can be subscribed to. Called only for classes in
     * `classes`. */
    void (*event)(void *context, int database, enum keyspace_class event_class, const char *event,
                  struct bytes key);
    unsigned classes;
    /* A whole database was emptied (-1: all), or two were swapped. */
    void (*flushed)(void *context, int database);
};

#endif
