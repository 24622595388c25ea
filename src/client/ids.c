/* ids: the buckets. The header draws the picture. */
#include "client/ids.h"

#include "base/check.h"
#include "base/mem.h"
#include "client/client.h"

#ifdef LARDER_TEST_SMALL
#define BUCKETS_MIN 2
#else
#define BUCKETS_MIN 64
#endif
_Static_assert((BUCKETS_MIN & (BUCKETS_MIN - 1)) == 0, "a power of two");

void ids_init(struct ids *ids) {
    *ids = (struct ids){.room = BUCKETS_MIN, .used = BUCKETS_MIN, .level = BUCKETS_MIN};
    ids->buckets = mem_zalloc(MEM_CLIENT, ids->room * sizeof(struct client *));
}

void ids_free(struct ids *ids) {
    mem_free(MEM_CLIENT, ids->buckets, ids->room * sizeof(struct client *));
    *ids = (struct ids){0};
}

static size_t bucket_of(const struct ids *ids, uint64_t id) {
    size_t bucket = id & (2 * ids->level - 1);
    return bucket < ids->used ? bucket : bucket - ids->level;
}

/* One bucket more: takes its clients from the one that they were in. */
static void split(struct ids *ids) {
    if (ids->used == ids->room) {
        ids->buckets = mem_realloc(MEM_CLIENT, ids->buckets, ids->room * sizeof(struct client *),
                                   2 * ids->room * sizeof(struct client *));
        ids->room *= 2;
    }
    const size_t fresh = ids->used++;
    struct client *chain = ids->buckets[fresh - ids->level];
    ids->buckets[fresh - ids->level] = NULL;
    ids->buckets[fresh] = NULL;
    while (chain != NULL) {
        struct client *next = chain->next_by_id;
        struct client **bucket = &ids->buckets[bucket_of(ids, chain->id)];
        chain->next_by_id = *bucket;
        *bucket = chain;
        chain = next;
    }
    if (ids->used == 2 * ids->level) {
        ids->level *= 2;
    }
}

void ids_add(struct ids *ids, struct client *client) {
    debug_check(ids_find(ids, client->id) == NULL);
    struct client **bucket = &ids->buckets[bucket_of(ids, client->id)];
    client->next_by_id = *bucket;
    *bucket = client;
    ids->count++;
    if (ids->count > ids->used) {
        split(ids);
    }
}

void ids_remove(struct ids *ids, struct client *client) {
    struct client **link = &ids->buckets[bucket_of(ids, client->id)];
    while (*link != client) {
        check(*link != NULL);
        link = &(*link)->next_by_id;
    }
    *link = client->next_by_id;
    ids->count--;
}

struct client *ids_find(const struct ids *ids, uint64_t id) {
    struct client *client = ids->buckets[bucket_of(ids, id)];
    while (client != NULL && client->id != id) {
        client = client->next_by_id;
    }
    return client;
}

bool ids_are_valid(const struct ids *ids) {
    size_t count = 0;
    if (ids->used < ids->level || ids->used >= 2 * ids->level || ids->used > ids->room ||
        (ids->level & (ids->level - 1)) != 0) {
        return false;
    }
    for (size_t i = 0; i < ids->used; i++) {
        for (const struct client *c = ids->buckets[i]; c != NULL; c = c->next_by_id) {
            count++;
            if (bucket_of(ids, c->id) != i || count > ids->count) {
                return false;
            }
        }
    }
    return count == ids->count && count <= ids->used;
}
