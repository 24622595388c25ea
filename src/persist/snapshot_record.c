/* snapshot_record: a large collection, written element by element while its elements change.
 *
 * Its elements are in a dict. What is written of it before its turn comes, because somebody was
 * about to change it, waits in the record's own runs, behind the head. Of a list, whose elements
 * have an order, blocks are written one after the other, and those that somebody is about to change
 * are kept as they are until then (types/list_watch.h). */
#include "persist/snapshot_int.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "persist/encode.h"
#include "store/lazyfree.h"
#include "types/hash.h"
#include "types/value.h"

bool snapshot_record_wanted(const struct entry *entry) {
    if (entry_encoding(entry) == ENTRY_TABLE || entry_encoding(entry) == ENTRY_ORDERED) {
        return dict_size(entry_pointer(entry)) > SNAPSHOT_WHOLE_MAX;
    }
    return entry_type(entry) == ENTRY_LIST && list_strips(entry) > SNAPSHOT_BLOCKS_MAX;
}

static void write_hash_field(const struct snapshot_record *record, struct rdb_writer *writer,
                             const struct entry *element) {
    struct hash_field field;
    char scratch[NUM_I64_SIZE];
    hash_read_element(element, &field, scratch);
    if (record->first_ms != 0) {
        rdb_write_length(writer, field.deadline_ms == ENTRY_NO_DEADLINE
                                     ? 0
                                     : (uint64_t)(field.deadline_ms - record->first_ms) + 1);
    }
    rdb_write_string(writer, field.name);
    rdb_write_value(writer, field.value, field.blob);
}

static void write_member(struct rdb_writer *writer, const struct entry *element) {
    double score = entry_score(element);
    uint64_t bits;
    memcpy(&bits, &score, sizeof bits);
    rdb_write_string(writer, entry_key(element));
    rdb_write_number(writer, bits, 8);
}

/* An old element: it is written, and new then. */
static void take(struct snapshot_record *record, struct entry *element) {
    struct snapshot *snapshot = record->snapshot;
    element->flags ^= ENTRY_PHASE;
    check(record->left > 0);
    record->left--;
    if (snapshot->is_mute) {
        return;
    }
    struct snapshot_stream *stream = record->is_writing ? &snapshot->out : &record->stream;
    struct rdb_writer *writer = snapshot_stream_writer(snapshot, stream);
    if (record->type == ENTRY_HASH) {
        write_hash_field(record, writer, element);
    } else if (record->type == ENTRY_SET) {
        rdb_write_string(writer, entry_key(element));
    } else {
        write_member(writer, element);
    }
    snapshot_stream_written(snapshot, stream);
}

static void element_changing(struct entry_watch *watch, struct entry *element) {
    take((struct snapshot_record *)watch, element);
}

static void owner_left(struct entry_watch *watch, struct entry *owner) {
    ((struct snapshot_record *)watch)->owner = owner;
}

/* Type, key, and what else stands before the elements. */
static void write_head(struct snapshot_record *record, struct entry *entry) {
    struct snapshot_stream *stream = &record->stream;
    snapshot_write_head(record->part, stream, entry);
    struct rdb_writer *writer = snapshot_stream_writer(record->snapshot, stream);
    enum rdb_type type = RDB_ZSET_2;
    if (record->type == ENTRY_LIST) {
        type = RDB_LIST_QUICKLIST_2;
    } else if (record->type == ENTRY_SET) {
        type = RDB_SET;
    } else if (record->type == ENTRY_HASH) {
        bool is_timed = hash_has_deadlines(entry);
        record->first_ms = is_timed ? hash_next_deadline(entry) : 0;
        type = is_timed ? RDB_HASH_TIMED : RDB_HASH;
    }
    rdb_write_byte(writer, (uint8_t)type);
    rdb_write_string(writer, entry_key(entry));
    if (type == RDB_HASH_TIMED) {
        rdb_write_number(writer, (uint64_t)record->first_ms, 8);
    }
    rdb_write_length(writer, record->left);
}

void snapshot_record_open(struct snapshot_part *part, struct entry *entry) {
    struct snapshot *snapshot = part->snapshot;
    struct snapshot_record *record = mem_zalloc(MEM_OTHER, sizeof *record);
    record->watch.changing = element_changing;
    record->watch.left = owner_left;
    record->snapshot = snapshot;
    record->part = part;
    record->type = entry_type(entry);
    record->dict = record->type == ENTRY_LIST ? NULL : entry_pointer(entry);
    record->stream.selected = -1;
    record->left = record->dict == NULL ? list_strips(entry) : dict_size(record->dict);
    write_head(record, entry);
    if (record->dict == NULL) {
        record->list.kept = &snapshot->figures.kept;
        list_watch_begin(&record->list, entry);
    } else {
        dict_watch_begin(record->dict, &record->watch);
    }
    if (snapshot->last != NULL) {
        snapshot->last->next = record;
    } else {
        snapshot->first = record;
    }
    snapshot->last = record;
}

struct batch {
    struct snapshot_record *record;
    struct entry *entries[SNAPSHOT_BATCH];
    size_t count;
    unsigned phase;
};

static void take_if_old(struct batch *batch, struct entry *element) {
    if (!entry_is_of(element, batch->phase)) {
        take(batch->record, element);
    }
}

/* Those of a chain that is too long are not asked for ahead. */
static void gather(void *context, struct entry *element) {
    struct batch *batch = context;
    if (batch->count == SNAPSHOT_BATCH) {
        take_if_old(batch, element);
        return;
    }
    __builtin_prefetch(element);
    batch->entries[batch->count++] = element;
}

/* The first record has been written: what was kept aside meanwhile follows it. */
static void end(struct snapshot *snapshot) {
    struct snapshot_record *record = snapshot->first;
    check(record->left == 0);
    snapshot_record_drop(snapshot, record);
    if (!snapshot->is_mute) {
        snapshot_stream_join(snapshot, &snapshot->aside);
    }
}

/* The next blocks of a list; whether these were all. One at a time is written: it may be large. */
static bool list_step(struct snapshot_record *record) {
    struct snapshot *snapshot = record->snapshot;
    for (int i = 0; i < (snapshot->is_mute ? SNAPSHOT_BATCH : 1) && record->left > 0; i++) {
        if (!snapshot->is_mute) {
            encode_list_block(list_watch_next(&record->list),
                              snapshot_stream_writer(snapshot, &snapshot->out));
            snapshot_stream_written(snapshot, &snapshot->out);
        }
        list_watch_seen(&record->list);
        record->left--;
    }
    return record->left == 0;
}

/* The next elements of a dict; whether these were all. */
static bool dict_step(struct snapshot_record *record) {
    struct batch batch = {.record = record, .phase = dict_phase(record->dict)};
    int chains = 0;
    do {
        record->cursor = dict_scan(record->dict, record->cursor, gather, &batch);
        chains++;
    } while (record->cursor != 0 && chains < SNAPSHOT_CHAINS);
    for (size_t i = 0; i < batch.count; i++) {
        take_if_old(&batch, batch.entries[i]);
    }
    return record->cursor == 0;
}

void snapshot_record_step(struct snapshot *snapshot) {
    struct snapshot_record *record = snapshot->first;
    if (!record->is_writing) {
        record->is_writing = true;
        if (!snapshot->is_mute) {
            snapshot_stream_join(snapshot, &record->stream);
        }
    }
    if (record->dict == NULL ? list_step(record) : dict_step(record)) {
        end(snapshot);
    }
}

/* No collection is watched any more. */
static void free_tables(struct snapshot *snapshot) {
    while (snapshot->tables != NULL) {
        struct snapshot_tables *tables = snapshot->tables;
        snapshot->tables = tables->next;
        lazyfree_database(snapshot->setup.keyspace->lazyfree, tables->keys, tables->deadlines,
                          tables->field_deadlines, tables->bytes);
        mem_free(MEM_OTHER, tables, sizeof *tables);
    }
}

void snapshot_record_drop(struct snapshot *snapshot, struct snapshot_record *record) {
    check(record == snapshot->first);
    snapshot->first = record->next;
    if (snapshot->first == NULL) {
        snapshot->last = NULL;
    }
    if (record->dict == NULL) {
        list_watch_end(&record->list);
    } else {
        dict_watch_end(record->dict);
    }
    snapshot_stream_clear(snapshot, &record->stream);
    if (record->owner != NULL) {
        struct lazyfree *lazyfree = snapshot->setup.keyspace->lazyfree;
        lazyfree_entry(value_weight(record->owner) >= VALUE_FREE_LAZILY_MIN ? lazyfree : NULL,
                       record->owner);
    }
    mem_free(MEM_OTHER, record, sizeof *record);
    if (snapshot->first == NULL) {
        free_tables(snapshot);
    }
}
