/* watch: keys and who watches them. The header draws the picture. */
#include "client/watch.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/client_int.h"
#include "ds/dict.h"

struct watched;

struct watch {
    struct client *client;
    struct watched *key;
    bool was_due;       /* already then: only what is put there is a change */
    struct watch *next; /* of the same key */
    struct watch *previous;
    struct watch *next_own; /* of the same client */
};

struct watched {
    struct watch *first;
    struct entry *entry; /* in the dict, with the name */
    uint64_t hash;
    int database;
};

struct watches {
    struct keyspace *keyspace;
    struct store_listener listener; /* listens while there is a watch */
    struct dict *dicts;             /* one for each database; NULL until the first watch */
    size_t count;
    size_t clients;
    size_t keys;
};

static struct dict *dict_of(const struct watches *watches, int database) {
    return &watches->dicts[database];
}

static struct watched *find(const struct watches *watches, int database, const struct key *key) {
    const struct dict *dict = dict_of(watches, database);
    if (dict_size(dict) == 0) {
        return NULL;
    }
    const uint64_t *slot = dict_find(dict, key->hash, key->name.at, key->name.size);
    return slot == NULL ? NULL : entry_pointer(dict_slot_entry(*slot));
}

/* ---- telling ---- */

static void spoil(struct watched *watched) {
    struct watch *watch = watched->first;
    while (watch != NULL) {
        struct client *client = watch->client;
        watch = watch->next; /* another client's */
        bool last = watch == NULL;
        client->flags |= CLIENT_DIRTY;
        watch_forget(client);
        if (last) {
            return; /* the key is gone with its last watch */
        }
    }
}

static void on_modified(void *context, const struct key *key) {
    struct watched *watched = find(context, key->database->id, key);
    if (UNLIKELY(watched != NULL)) {
        spoil(watched);
    }
}

/* What a walk over a database's watched keys looks for: those that are in one of two databases. */
struct search {
    struct database *databases[2];
    struct buffer found; /* of struct client *: who watches one of them, perhaps more than once */
};

static void look(void *context, struct entry *entry) {
    struct search *search = context;
    const struct watched *watched = entry_pointer(entry);
    bool is_there = false;
    for (int i = 0; i < 2 && !is_there; i++) {
        const struct key key = {
            .name = entry_key(entry), .hash = watched->hash, .database = search->databases[i]};
        is_there = key.database != NULL && keyspace_has(&key);
    }
    for (struct watch *w = watched->first; w != NULL && is_there; w = w->next) {
        buffer_append(&search->found, &w->client, sizeof w->client);
    }
}

/* Watched keys of a database that are in it, or in the other one (NULL: none), are about to
 * change. The walk comes first, for what follows changes the dict. */
static void spoil_those_in(struct watches *watches, int database, struct database *other) {
    struct search search = {.databases = {&watches->keyspace->databases[database], other}};
    buffer_init(&search.found, MEM_BUFFER);
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(dict_of(watches, database), cursor, look, &search);
    } while (cursor != 0);
    for (size_t at = 0; at < search.found.size; at += sizeof(struct client *)) {
        struct client *client;
        memcpy(&client, search.found.at + at, sizeof client);
        client->flags |= CLIENT_DIRTY;
        watch_forget(client);
    }
    buffer_clear(&search.found);
}

static void on_flushing(void *context, int database) {
    struct watches *watches = context;
    for (int i = 0; i < watches->keyspace->database_count; i++) {
        if (database < 0 || database == i) {
            spoil_those_in(watches, i, NULL);
        }
    }
}

static void on_swapping(void *context, int a, int b) {
    struct watches *watches = context;
    spoil_those_in(watches, a, &watches->keyspace->databases[b]);
    spoil_those_in(watches, b, &watches->keyspace->databases[a]);
}

/* ---- watching ---- */

static struct watched *add_key(struct watches *watches, const struct key *key) {
    struct watched *watched = mem_alloc(MEM_BUFFER, sizeof *watched);
    struct entry_shape shape = {
        .type = ENTRY_ELEMENT, .encoding = ENTRY_TABLE, .word = (uint64_t)(uintptr_t)watched};
    struct entry *entry = entry_try_new(key->name, &shape);
    if (entry == NULL) {
        mem_free(MEM_BUFFER, watched, sizeof *watched);
        return NULL;
    }
    *watched = (struct watched){.entry = entry, .hash = key->hash, .database = key->database->id};
    dict_insert(dict_of(watches, watched->database), key->hash, entry);
    watches->keys++;
    return watched;
}

static void drop_key(struct watches *watches, struct watched *watched) {
    struct dict *dict = dict_of(watches, watched->database);
    dict_remove(dict, watched->hash, dict_find_entry(dict, watched->hash, watched->entry));
    entry_free(watched->entry);
    mem_free(MEM_BUFFER, watched, sizeof *watched);
    watches->keys--;
}

/* Whichever of the two lists is shorter says so: no client of many keys, and no key of many
 * clients, makes it long. */
static bool has_watch(const struct client *client, const struct watched *watched) {
    const struct watch *own = client->watches;
    const struct watch *others = watched->first;
    while (own != NULL && others != NULL) {
        if (own->key == watched || others->client == client) {
            return true;
        }
        own = own->next_own;
        others = others->next;
    }
    return false;
}

static void prepare_dicts(struct watches *watches) {
    if (watches->dicts == NULL) {
        size_t count = (size_t)watches->keyspace->database_count;
        watches->dicts = mem_alloc(MEM_OTHER, count * sizeof *watches->dicts);
        for (size_t i = 0; i < count; i++) {
            dict_init(&watches->dicts[i], MEM_BUFFER, false);
        }
    }
}

bool watch_add(struct client *client, struct key *key) {
    struct watches *watches = client->clients->watches;
    if (client->flags & CLIENT_DIRTY) {
        return true;
    }
    /* What has expired already is gone: that it leaves is no change any more. */
    (void)keyspace_peek(watches->keyspace, key);
    prepare_dicts(watches);
    struct watched *watched = find(watches, key->database->id, key);
    if (watched == NULL) {
        watched = add_key(watches, key);
        if (watched == NULL) {
            return false;
        }
    } else if (has_watch(client, watched)) {
        return true;
    }
    if (watches->count++ == 0) {
        keyspace_listen(watches->keyspace, &watches->listener);
    }
    struct watch *watch = mem_alloc(MEM_BUFFER, sizeof *watch);
    *watch = (struct watch){.client = client,
                            .key = watched,
                            .was_due = keyspace_is_due(watches->keyspace, key),
                            .next = watched->first,
                            .next_own = client->watches};
    if (watched->first != NULL) {
        watched->first->previous = watch;
    }
    watched->first = watch;
    watches->clients += client->watches == NULL;
    client->watches = watch;
    client->watch_count++;
    return true;
}

static void drop(struct watches *watches, struct watch *watch) {
    struct watched *watched = watch->key;
    *(watch->previous == NULL ? &watched->first : &watch->previous->next) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    if (watched->first == NULL) {
        drop_key(watches, watched);
    }
    mem_free(MEM_BUFFER, watch, sizeof *watch);
    watches->count--;
}

void watch_forget(struct client *client) {
    struct watches *watches = client->clients->watches;
    if (client->watches == NULL) {
        return;
    }
    while (client->watches != NULL) {
        struct watch *watch = client->watches;
        client->watches = watch->next_own;
        drop(watches, watch);
    }
    client->watch_count = 0;
    watches->clients--;
    if (watches->count == 0) {
        keyspace_unlisten(watches->keyspace, &watches->listener);
    }
}

bool watch_has_changed(const struct client *client) {
    const struct watches *watches = client->clients->watches;
    bool changed = client->flags & CLIENT_DIRTY;
    for (const struct watch *w = client->watches; w != NULL && !changed; w = w->next_own) {
        const struct key key = {.name = entry_key(w->key->entry),
                                .hash = w->key->hash,
                                .database = &watches->keyspace->databases[w->key->database]};
        changed = !w->was_due && keyspace_is_due(watches->keyspace, &key);
    }
    return changed;
}

/* ---- telling of it ---- */

size_t watch_footprint(const struct client *client) {
    return client->watch_count * mem_class(sizeof(struct watch));
}

size_t watches_clients(const struct watches *watches) {
    return watches->clients;
}

size_t watches_keys(const struct watches *watches) {
    return watches->keys;
}

/* ---- life ---- */

struct watches *watches_new(struct keyspace *keyspace) {
    struct watches *watches = mem_zalloc(MEM_OTHER, sizeof *watches);
    watches->keyspace = keyspace;
    watches->listener = (struct store_listener){.context = watches,
                                                .modified = on_modified,
                                                .flushing = on_flushing,
                                                .swapping = on_swapping};
    return watches;
}

void watches_free(struct watches *watches) {
    check(watches->count == 0);
    if (watches->dicts != NULL) {
        size_t count = (size_t)watches->keyspace->database_count;
        for (size_t i = 0; i < count; i++) {
            dict_clear(&watches->dicts[i]);
        }
        mem_free(MEM_OTHER, watches->dicts, count * sizeof *watches->dicts);
    }
    mem_free(MEM_OTHER, watches, sizeof *watches);
}

/* ---- validation ---- */

static void count_watches(void *context, struct entry *entry) {
    size_t *count = context;
    const struct watched *watched = entry_pointer(entry);
    check(watched->entry == entry && watched->first != NULL);
    const struct watch *previous = NULL;
    for (const struct watch *w = watched->first; w != NULL; w = w->next) {
        check(w->previous == previous && w->key == watched);
        check(!(w->client->flags & CLIENT_DIRTY));
        bool is_own = false;
        for (const struct watch *own = w->client->watches; own != NULL; own = own->next_own) {
            check(!is_own || own->key != watched);
            is_own |= own == w;
        }
        check(is_own);
        previous = w;
        (*count)++;
    }
}

void watches_validate(const struct watches *watches) {
    size_t count = 0;
    size_t keys = 0;
    for (int i = 0; watches->dicts != NULL && i < watches->keyspace->database_count; i++) {
        const struct dict *dict = dict_of(watches, i);
        dict_validate(dict);
        keys += dict_size(dict);
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(dict, cursor, count_watches, &count);
        } while (cursor != 0);
    }
    check(count == watches->count && keys == watches->keys);
}
