/* load: the part of loading that has the keyspace. A slice takes decoded portions one after the
 * other, and asks for the memory of what comes next while it puts in what comes first. */
#include "persist/load.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "ds/dict.h"
#include "persist/load_ahead.h"
#include "persist/written.h"
#include "store/lazyfree.h"
#include "types/value.h"

/* Keys that are put in between two looks at the clock, some microseconds; and between two at the
 * limit of memory. */
#ifdef LARDER_TEST_SMALL
#define BETWEEN_LOOKS 3
#else
#define BETWEEN_LOOKS 32
#endif
/* So many keys ahead their buckets and entries are asked for: a miss takes as long as some. */
#define PREFETCH_AHEAD 10

/* The filter of written names takes a part of the file's size: with keys of 80 bytes in all that is
 * some 20 bits for each. */
#define FILTER_PART     32
#define FILTER_SIZE_MIN ((size_t)16 << 10)
#define FILTER_SIZE_MAX ((size_t)32 << 20)

/* A database of the file. */
struct place {
    int at; /* the number that it has now */
    bool flushed;
};

struct load {
    struct load_setup setup;
    struct rdb_file file;
    struct load_ahead *ahead;
    struct load_portion *portion; /* being put in */
    size_t next;                  /* of its items */
    struct load_figures figures;
    enum load_state state;
    struct rdb_damage damage;
    /* Of shared loading. */
    struct written written;
    struct store_listener listener;
    struct place *places; /* by the file's number */
    int *origins;         /* the file's number of what is at each */
    bool inserting;       /* what listeners are told comes from here */
};

/* ---- what clients do meanwhile ---- */

/* The file's name of a key is its hash and its database, the file's number of that. */
static uint64_t name_of(uint64_t hash, int origin) {
    return hash + hash_mix((uint64_t)origin + 1);
}

void load_outdo(struct load *load, const struct key *key) {
    if (load->written.words != NULL) {
        written_add(&load->written, name_of(key->hash, load->origins[key->database->id]));
    }
}

static void on_modified(void *context, const struct key *key) {
    struct load *load = context;
    if (!load->inserting) {
        load_outdo(load, key);
    }
}

static void on_flushing(void *context, int database) {
    struct load *load = context;
    for (int i = 0; i < load->setup.keyspace->database_count; i++) {
        load->places[i].flushed |= database < 0 || load->places[i].at == database;
    }
}

static void on_swapping(void *context, int a, int b) {
    struct load *load = context;
    int origin = load->origins[a];
    load->origins[a] = load->origins[b];
    load->origins[b] = origin;
    load->places[load->origins[a]].at = a;
    load->places[load->origins[b]].at = b;
}

static void begin_sharing(struct load *load) {
    size_t size = load->file.size / FILTER_PART;
    size = size < FILTER_SIZE_MIN ? FILTER_SIZE_MIN : size;
    written_init(&load->written, size > FILTER_SIZE_MAX ? FILTER_SIZE_MAX : size);
    load->listener = (struct store_listener){
        .context = load, .modified = on_modified, .flushing = on_flushing, .swapping = on_swapping};
    keyspace_listen(load->setup.keyspace, &load->listener);
}

static void end_sharing(struct load *load) {
    if (load->written.words != NULL) {
        keyspace_unlisten(load->setup.keyspace, &load->listener);
        written_clear(&load->written);
    }
}

/* ---- life ---- */

static void make_places(struct load *load) {
    int count = load->setup.keyspace->database_count;
    load->places = mem_zalloc(MEM_OTHER, (size_t)count * sizeof *load->places);
    load->origins = mem_zalloc(MEM_OTHER, (size_t)count * sizeof *load->origins);
    for (int i = 0; i < count; i++) {
        load->places[i].at = i;
        load->origins[i] = i;
    }
}

static int start(struct load *load) {
    if (load->setup.is_shared) {
        begin_sharing(load);
    }
    struct load_ahead_setup ahead = {.file = &load->file,
                                     .keyspace = load->setup.keyspace,
                                     .threads = load->setup.threads,
                                     .room = load->setup.room,
                                     .keeps_expired = load->setup.keeps_expired,
                                     .wake = load->setup.wake,
                                     .wake_context = load->setup.wake_context};
    load->ahead = load_ahead_new(&ahead);
    return load->ahead == NULL ? -EAGAIN : 0;
}

struct load *load_begin(const struct load_setup *setup, int *status, struct rdb_damage *damage) {
    struct load *load = mem_zalloc(MEM_OTHER, sizeof *load);
    load->setup = *setup;
    make_places(load);
    *status = rdb_file_open(&load->file, setup->path, setup->keyspace->database_count);
    if (*status == -EBADMSG) {
        *damage = load->file.damage;
    }
    if (*status == 0) {
        load->file.checks_sum = !setup->ignores_sum;
        load->figures.bytes_total = load->file.size;
        *status = start(load);
    }
    if (*status != 0) {
        load_free(load);
        return NULL;
    }
    return load;
}

void load_free(struct load *load) {
    if (load == NULL) {
        return;
    }
    if (load->portion != NULL) {
        load_ahead_give(load->ahead, load->portion);
    }
    load_ahead_free(load->ahead);
    end_sharing(load);
    rdb_file_close(&load->file);
    size_t count = (size_t)load->setup.keyspace->database_count;
    mem_free(MEM_OTHER, load->places, count * sizeof *load->places);
    mem_free(MEM_OTHER, load->origins, count * sizeof *load->origins);
    mem_free(MEM_OTHER, load, sizeof *load);
}

const struct load_figures *load_figures(const struct load *load) {
    return &load->figures;
}

const struct rdb_damage *load_damage(const struct load *load) {
    return &load->damage;
}

/* ---- putting in ---- */

static struct database *database_of(const struct load *load, const struct load_item *item) {
    return &load->setup.keyspace->databases[load->places[item->record.database].at];
}

static void drop(struct load *load, struct load_item *item) {
    struct entry *entry = item->entry;
    item->entry = NULL;
    if (value_weight(entry) >= VALUE_FREE_LAZILY_MIN) {
        lazyfree_entry(load->setup.keyspace->lazyfree, entry);
    } else {
        value_free(entry);
    }
}

/* Whether clients have written the key meanwhile. One that is there and was not written is in the
 * file twice. */
static bool is_outdone(const struct load *load, const struct load_item *item,
                       const struct key *key) {
    return load->setup.is_shared &&
           (load->places[item->record.database].flushed ||
            written_has(&load->written, name_of(key->hash, item->record.database)));
}

static void damaged_twice(struct load *load, const struct load_item *item, const struct key *key) {
    rdb_damaged(&load->damage, item->record.offset, "the key %.*s is in the file twice",
                key->name.size < 64 ? (int)key->name.size : 64, key->name.at);
    load->state = LOAD_DAMAGED;
}

static void put_in(struct load *load, struct load_item *item) {
    struct keyspace *keyspace = load->setup.keyspace;
    struct entry *entry = item->entry;
    int64_t deadline_ms = item->record.deadline_ms;
    struct key key = {
        .name = entry_key(entry), .hash = item->hash, .database = database_of(load, item)};
    if (UNLIKELY(deadline_ms != ENTRY_NO_DEADLINE && !load->setup.keeps_expired &&
                 deadline_ms <= keyspace->clock->now_ms - item->record.grace_ms)) {
        load->figures.expired++;
        drop(load, item);
    } else if (UNLIKELY(is_outdone(load, item, &key))) {
        load->figures.outdone++;
        drop(load, item);
    } else if (UNLIKELY(keyspace_has(&key)) &&
               !(load->setup.replaces && keyspace_delete(keyspace, &key, false))) {
        damaged_twice(load, item, &key);
        drop(load, item);
    } else {
        item->entry = NULL;
        load->inserting = true;
        keyspace_load(keyspace, &key, entry, deadline_ms);
        load->inserting = false;
        load->figures.keys++;
    }
}

/* A text that is not a key, read where it lies; "" when it cannot be. */
static void put_text(struct load *load, const struct load_item *item) {
    const struct rdb_record *record = &item->record;
    struct rdb_text name = {0};
    struct rdb_text value = {0};
    struct rdb_reader names = rdb_reader_of(record->name);
    struct rdb_reader values = rdb_reader_of(record->value);
    int status = record->kind == RDB_RECORD_AUX ? rdb_read_string(&names, &name) : 0;
    if (status == 0) {
        status = rdb_read_string(&values, &value);
    }
    if (status != 0) {
        rdb_damaged(&load->damage, record->offset, "a text cannot be expanded");
        load->state = LOAD_DAMAGED;
    } else if (record->kind == RDB_RECORD_AUX && load->setup.on_note != NULL) {
        load->setup.on_note(load->setup.context, name.text, value.text);
    } else if (record->kind == RDB_RECORD_FUNCTION) {
        if (load->setup.on_function != NULL) {
            load->setup.on_function(load->setup.context, value.text);
        } else {
            load->figures.functions++;
        }
    }
    rdb_text_clear(&name);
    rdb_text_clear(&value);
}

static void ask_ahead(const struct load *load, size_t index) {
    if (index < load->portion->count && load->portion->items[index].entry != NULL) {
        const struct load_item *item = &load->portion->items[index];
        dict_prefetch_bucket(&database_of(load, item)->keys, item->hash);
        __builtin_prefetch(item->entry);
    }
}

/* Makes room for what was put in, by the policy; where that says that nothing may go, nothing
 * does. */
static void keep_limit(const struct load *load) {
    struct evict *evict = load->setup.evict;
    if (evict != NULL && UNLIKELY(evict_is_over(evict)) &&
        evict->limit->options.policy != LIMIT_NOEVICTION) {
        (void)evict_make_room(evict);
    }
}

/* Some items of the portion that is there. */
static void put_some(struct load *load) {
    struct load_portion *portion = load->portion;
    size_t end =
        load->next + BETWEEN_LOOKS < portion->count ? load->next + BETWEEN_LOOKS : portion->count;
    for (; load->next < end && load->state == LOAD_GOING; load->next++) {
        struct load_item *item = &portion->items[load->next];
        ask_ahead(load, load->next + PREFETCH_AHEAD);
        if (item->entry != NULL) {
            put_in(load, item);
        } else if (UNLIKELY(item->record.kind != RDB_RECORD_KEY)) {
            put_text(load, item);
        }
    }
    keep_limit(load);
}

static void take_figures(struct load *load, const struct load_portion *portion) {
    load->figures.expired += portion->expired;
    load->figures.empty += portion->empty;
    load->figures.unwanted += portion->unwanted;
    if (portion->end > load->figures.bytes) {
        load->figures.bytes = portion->end;
    }
}

/* Goes on to the next portion. False when none is there. */
static bool next_portion(struct load *load, bool wait) {
    if (load->portion != NULL) {
        load_ahead_give(load->ahead, load->portion);
        load->portion = NULL;
    }
    bool over;
    load->portion = load_ahead_take(load->ahead, wait, &over);
    load->next = 0;
    if (load->portion != NULL) {
        take_figures(load, load->portion);
        for (size_t i = 0; i < PREFETCH_AHEAD; i++) {
            ask_ahead(load, i);
        }
        return true;
    }
    if (over) {
        const struct rdb_damage *damage = load_ahead_damage(load->ahead);
        load->state = damage != NULL ? LOAD_DAMAGED : LOAD_DONE;
        if (damage != NULL) {
            load->damage = *damage;
        }
    }
    return false;
}

enum load_state load_pass(struct load *load, int64_t budget_us, bool *more) {
    int64_t end_us = clock_mono_us() + budget_us;
    *more = false;
    while (load->state == LOAD_GOING) {
        if ((load->portion == NULL || load->next == load->portion->count) &&
            !next_portion(load, false)) {
            break;
        }
        put_some(load);
        if (clock_mono_us() >= end_us) {
            *more = load->state == LOAD_GOING;
            break;
        }
    }
    return load->state;
}

enum load_state load_finish(struct load *load) {
    while (load->state == LOAD_GOING) {
        if ((load->portion == NULL || load->next == load->portion->count) &&
            !next_portion(load, true)) {
            continue;
        }
        put_some(load);
    }
    return load->state;
}
