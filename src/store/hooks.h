/* hooks: what flows upward from the keyspace, as function pointers set at start-up, and the list of
 * those who listen to changes at the moment. Any function may be NULL. A hook must not change the
 * keyspace. */
#ifndef LARDER_STORE_HOOKS_H
#define LARDER_STORE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

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

struct database;
struct key;

/* Who wants to know of changes, for as long as it does (WATCH, tracking, leases):
 * keyspace_listen. */
struct store_listener {
    void *context;
    /* A key's value or deadline was changed, or the key is gone. */
    void (*modified)(void *context, const struct key *key);
    /* A command has written its value or removed it, or would have if it had been there: what was
     * read before is old. Not told of what leaves by itself, nor of deadlines. Behind
     * `modified`. */
    void (*written)(void *context, const struct key *key);
    /* A whole database (-1: all) is about to be emptied. */
    void (*flushing)(void *context, int database);
    /* Two are about to be swapped. */
    void (*swapping)(void *context, int a, int b);
    struct store_listener *next;
};

struct store_hooks {
    struct store_listener *listeners; /* while NULL, a change costs this test */
    /* A field of a hash is about to go because its deadline has come: one call for each, before
     * the event "hexpired". NULL: nobody wants to know. */
    void (*field_expired)(void *context, const struct key *key, struct bytes field);
    void *fields_context;
    /* A key has left by itself: its deadline had come, or room was made. Before its event; `lazily`
     * is whether it is freed in the background. */
    void (*key_left)(void *context, const struct key *key, bool lazily);
    void *keys_context;
    /* A database is emptied whose keys somebody watches: whether its tables, which take about
     * `bytes`, have been taken over. */
    bool (*database_left)(void *context, struct database *database, size_t bytes);
    void *database_context;
    void *context;
    /* Something happened to a key that can be subscribed to. Called only for classes in
     * `classes`. */
    void (*event)(void *context, int database, enum keyspace_class event_class, const char *event,
                  struct bytes key);
    unsigned classes;
    /* A value has appeared under a key where none of its type was (type: enum entry_type), and two
     * databases have been swapped: set while somebody waits for keys, with a context of its own. */
    void *awaits;
    void (*appeared)(void *awaits, const struct key *key, int type);
    void (*swapped)(void *awaits, int a, int b);
};

#endif
