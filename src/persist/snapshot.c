/* snapshot: the moment, the walk, and what is told by who changes keys. */
#include "persist/snapshot_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "call/control.h"
#include "ds/extras.h"
#include "persist/encode.h"
#include "persist/rdb_file.h"
#include "store/access.h"
#include "store/adapt.h"
#include "store/lazyfree.h"
#include "store/worth.h"
#include "types/value.h"

#define MS_IN_S 1000

/* Opcodes between keys. */
enum mark {
    MARK_LIBRARY = 0xf5,
    MARK_IDLE = 0xf8,
    MARK_FREQUENCY = 0xf9,
    MARK_NOTE = 0xfa,
    MARK_SIZES = 0xfb,
    MARK_DEADLINE = 0xfc, /* milliseconds */
    MARK_DATABASE = 0xfe,
    MARK_END = 0xff
};

/* ---- what is written ---- */

static void write_note(struct rdb_writer *writer, struct bytes name, struct bytes value) {
    rdb_write_byte(writer, MARK_NOTE);
    rdb_write_string(writer, name);
    rdb_write_string(writer, value);
}

static void write_note_number(struct rdb_writer *writer, const char *name, int64_t number) {
    char text[NUM_I64_SIZE];
    write_note(writer, bytes_text(name), bytes_of(text, num_format_i64(text, number)));
}

static void write_beginning(struct snapshot *snapshot) {
    const struct snapshot_setup *setup = &snapshot->setup;
    struct rdb_writer *writer = snapshot_stream_writer(snapshot, &snapshot->out);
    char magic[16];
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    buffer_printf(&text, "REDIS%04u", snapshot->version);
    memcpy(magic, text.at, 9);
    buffer_clear(&text);
    rdb_write_raw(writer, magic, 9);
    write_note(writer, bytes_text("redis-ver"), bytes_text(LARDER_REDIS_VERSION));
    write_note_number(writer, "redis-bits", (int64_t)sizeof(void *) * 8);
    write_note_number(writer, "ctime", snapshot->now_ms / MS_IN_S);
    write_note_number(writer, "used-mem", (int64_t)mem_used());
    write_note(writer, bytes_text("larder-ver"), bytes_text(LARDER_VERSION));
    for (size_t i = 0; i < setup->note_count; i++) {
        write_note(writer, setup->notes[2 * i], setup->notes[2 * i + 1]);
    }
}

static void write_libraries(struct snapshot *snapshot) {
    const struct server_control *control = snapshot->setup.control;
    const void *at = NULL;
    struct bytes source;
    if (control == NULL || control->libraries.next == NULL) {
        return;
    }
    while (control->libraries.next(control->server, &at, &source)) {
        struct rdb_writer *writer = snapshot_stream_writer(snapshot, &snapshot->out);
        rdb_write_byte(writer, MARK_LIBRARY);
        rdb_write_string(writer, source);
        snapshot_stream_written(snapshot, &snapshot->out);
    }
}

static void select_database(struct snapshot_part *part, struct snapshot_stream *stream,
                            struct rdb_writer *writer) {
    if (stream->selected == part->id) {
        return;
    }
    stream->selected = part->id;
    rdb_write_byte(writer, MARK_DATABASE);
    rdb_write_length(writer, (uint64_t)part->id);
    if (!part->announced) {
        part->announced = true;
        rdb_write_byte(writer, MARK_SIZES);
        rdb_write_length(writer, part->keys);
        rdb_write_length(writer, part->deadlines);
    }
}

static void write_use(const struct snapshot *snapshot, const struct entry *entry,
                      struct rdb_writer *writer) {
    const struct keyspace *keyspace = snapshot->setup.keyspace;
    int64_t now_ms = keyspace->clock->now_ms;
    if (snapshot->setup.use == SNAPSHOT_USE_IDLE) {
        rdb_write_byte(writer, MARK_IDLE);
        rdb_write_length(writer, (uint64_t)access_idle_ms(entry, now_ms) / MS_IN_S);
    } else if (snapshot->setup.use == SNAPSHOT_USE_FREQUENCY) {
        uint32_t count = keyspace->access_rule == ACCESS_WORTH
                             ? worth_count(entry->access, adapt_now(keyspace->adapt))
                             : access_counter(entry->access, access_minute(now_ms),
                                              keyspace->counter_decay_minutes);
        rdb_write_byte(writer, MARK_FREQUENCY);
        rdb_write_byte(writer, (uint8_t)(count < UINT8_MAX ? count : UINT8_MAX));
    }
}

/* What the key carries besides: persist/rdb_file.h. */
static void write_extras(const struct entry *entry, struct rdb_writer *writer) {
    char text[40];
    int64_t grace_ms = entry_grace_ms(entry);
    if (grace_ms > 0) {
        int size = snprintf(text, sizeof text, "grace=%" PRId64, grace_ms);
        write_note(writer, bytes_text(RDB_EXTRAS_NAME), bytes_of(text, (size_t)size));
    }
}

void snapshot_write_head(struct snapshot_part *part, struct snapshot_stream *stream,
                         const struct entry *entry) {
    struct rdb_writer *writer = snapshot_stream_writer(part->snapshot, stream);
    select_database(part, stream, writer);
    if (UNLIKELY(entry->flags & ENTRY_HAS_EXTRAS)) {
        write_extras(entry, writer);
    }
    int64_t deadline_ms = entry_deadline(entry);
    if (deadline_ms != ENTRY_NO_DEADLINE) {
        rdb_write_byte(writer, MARK_DEADLINE);
        rdb_write_number(writer, (uint64_t)deadline_ms, 8);
    }
    write_use(part->snapshot, entry, writer);
}

/* A key whose value is written in one go. */
static void write_whole(struct snapshot_part *part, struct snapshot_stream *stream,
                        const struct entry *entry) {
    struct snapshot *snapshot = part->snapshot;
    struct rdb_writer *writer = snapshot_stream_writer(snapshot, stream);
    select_database(part, stream, writer);
    size_t size = writer->size;
    size_t marks = writer->marks->count;
    snapshot_write_head(part, stream, entry);
    struct bytes key = entry_key(entry);
    int version = encode_value(entry, &key, snapshot->now_ms, writer);
    if (version < 0) {
        rdb_write_undo(writer, size, marks);
        snapshot->figures.left_out += version != -ENODATA;
    }
    snapshot_stream_written(snapshot, stream);
}

/* An old key: it is written, or gets a record, and is new then. */
static void take(struct snapshot_part *part, struct entry *entry) {
    struct snapshot *snapshot = part->snapshot;
    entry->flags ^= ENTRY_PHASE;
    snapshot->figures.keys++;
    /* A stale key is written, with the deadline that it had: others take it for expired. */
    bool is_over = entry->flags & ENTRY_HAS_DEADLINE && entry_end(entry) <= snapshot->now_ms;
    if (snapshot->is_mute || is_over) {
        return;
    }
    if (snapshot_record_wanted(entry)) {
        snapshot_record_open(part, entry);
    } else {
        write_whole(part, snapshot_is_recording(snapshot) ? &snapshot->aside : &snapshot->out,
                    entry);
    }
}

/* ---- what others do ---- */

static void key_changing(struct entry_watch *watch, struct entry *entry) {
    take((struct snapshot_part *)watch, entry);
}

static bool keep_tables(struct snapshot *snapshot, const struct database *database, size_t bytes) {
    struct snapshot_tables *tables = mem_alloc(MEM_OTHER, sizeof *tables);
    *tables = (struct snapshot_tables){.next = snapshot->tables,
                                       .keys = database->keys,
                                       .deadlines = database->deadlines,
                                       .field_deadlines = database->field_deadlines,
                                       .bytes = bytes};
    snapshot->tables = tables;
    return true;
}

/* The tables of a database that is emptied: they come here if they are a part's, or if a collection
 * that is being written may have got there. */
static bool database_left(void *context, struct database *database, size_t bytes) {
    struct snapshot *snapshot = context;
    if (database->keys.watch == NULL) {
        return snapshot->first != NULL && dict_size(&database->keys) > 0 &&
               keep_tables(snapshot, database, bytes);
    }
    struct snapshot_part *part = (struct snapshot_part *)database->keys.watch;
    part->is_own = true;
    part->own_keys = database->keys;
    part->own_deadlines = database->deadlines;
    part->own_field_deadlines = database->field_deadlines;
    part->own_bytes = bytes;
    return true;
}

/* Where the part's keys are. SWAPDB moves them. */
static struct dict *keys_of(struct snapshot_part *part) {
    if (part->is_own) {
        return &part->own_keys;
    }
    struct keyspace *keyspace = part->snapshot->setup.keyspace;
    for (int i = 0; i < keyspace->database_count; i++) {
        int at = (part->location + i) % keyspace->database_count;
        if (keyspace->databases[at].keys.watch == &part->watch) {
            part->location = at;
            return &keyspace->databases[at].keys;
        }
    }
    check(!"a part that is not ended is somewhere");
    return NULL;
}

/* ---- the walk ---- */

struct batch {
    struct entry *entries[SNAPSHOT_BATCH];
    size_t count;
    unsigned phase;
    bool is_full; /* something was left out */
};

static void gather(void *context, struct entry *entry) {
    struct batch *batch = context;
    if (batch->count == SNAPSHOT_BATCH) {
        batch->is_full = true;
        return;
    }
    __builtin_prefetch(entry);
    __builtin_prefetch((const char *)entry + 64);
    batch->entries[batch->count++] = entry;
}

static void prefetch_value(const struct entry *entry) {
    if (entry->flags & ENTRY_HAS_LINK) {
        const char *value = entry_pointer(entry);
        __builtin_prefetch(value);
        __builtin_prefetch(value + 64);
    }
}

/* How far ahead in the batch values are asked for. */
#define AHEAD 4

struct direct {
    struct snapshot_part *part;
    unsigned phase;
};

static void take_old(void *context, struct entry *entry) {
    const struct direct *direct = context;
    if (!entry_is_of(entry, direct->phase)) {
        take(direct->part, entry);
    }
}

/* Gathers some chains; where the walk goes on behind them. A chain that does not fit waits, and one
 * that never would is dealt with at once. */
static uint64_t gather_chains(struct snapshot_part *part, const struct dict *keys,
                              struct batch *batch) {
    uint64_t cursor = part->cursor;
    int chains = 0;
    do {
        size_t count = batch->count;
        uint64_t next = dict_scan(keys, cursor, gather, batch);
        if (batch->is_full) {
            batch->count = count;
            if (chains > 0) {
                break;
            }
            struct direct direct = {part, batch->phase};
            dict_scan(keys, cursor, take_old, &direct);
            return next;
        }
        cursor = next;
        chains++;
    } while (cursor != 0 && chains < SNAPSHOT_CHAINS);
    return cursor;
}

/* The cursor moves only when all that was gathered was dealt with: what was taken is new, so that
 * the rest is found when it is gathered again. */
static void walk_step(struct snapshot_part *part, const struct dict *keys, int64_t end_us) {
    struct batch batch = {.phase = dict_phase(keys)};
    uint64_t cursor = gather_chains(part, keys, &batch);
    for (size_t i = 0; i < batch.count; i++) {
        if (i + AHEAD < batch.count) {
            prefetch_value(batch.entries[i + AHEAD]);
        }
        struct entry *entry = batch.entries[i];
        if (entry_is_of(entry, batch.phase)) {
            continue;
        }
        bool is_long = entry_type(entry) != ENTRY_STRING;
        take(part, entry);
        if (is_long && clock_mono_us() >= end_us) {
            return;
        }
    }
    part->cursor = cursor;
    part->is_walked = cursor == 0;
}

/* Every key of the part is written, and every collection of it let go of. */
static void end_part(struct snapshot_part *part) {
    struct keyspace *keyspace = part->snapshot->setup.keyspace;
    dict_watch_end(keys_of(part));
    if (part->is_own) {
        lazyfree_database(keyspace->lazyfree, part->own_keys, part->own_deadlines,
                          part->own_field_deadlines, part->own_bytes);
        part->is_own = false;
    }
}

static void finish(struct snapshot *snapshot) {
    if (snapshot->is_mute) {
        snapshot->state = SNAPSHOT_FAILED;
        return;
    }
    struct rdb_writer *writer = snapshot_stream_writer(snapshot, &snapshot->out);
    rdb_write_byte(writer, MARK_END);
    snapshot_stream_join(snapshot, &snapshot->out);
    pump_end(snapshot->setup.pump);
    snapshot->state = SNAPSHOT_WRITTEN;
}

static void step(struct snapshot *snapshot, int64_t end_us) {
    if (snapshot->first != NULL) {
        snapshot_record_step(snapshot);
        return;
    }
    if (snapshot->part_at == snapshot->part_count) {
        finish(snapshot);
        return;
    }
    struct snapshot_part *part = &snapshot->parts[snapshot->part_at];
    if (part->is_walked) {
        end_part(part);
        snapshot->part_at++;
        return;
    }
    walk_step(part, keys_of(part), end_us);
}

enum snapshot_state snapshot_slice(struct snapshot *snapshot, int64_t budget_us, bool *more) {
    int64_t end_us = clock_mono_us() + budget_us;
    *more = false;
    do {
        if (snapshot->state != SNAPSHOT_WRITING) {
            return snapshot->state;
        }
        int status;
        if (!snapshot->is_mute && pump_state(snapshot->setup.pump, &status) == PUMP_FAILED) {
            snapshot_give_up(snapshot);
        }
        if (!snapshot->is_mute && !pump_has_room(snapshot->setup.pump)) {
            return snapshot->state;
        }
        step(snapshot, end_us);
    } while (clock_mono_us() < end_us);
    *more = snapshot->state == SNAPSHOT_WRITING;
    return snapshot->state;
}

/* ---- life ---- */

static void begin_part(struct snapshot *snapshot, struct database *database) {
    struct snapshot_part *part = &snapshot->parts[snapshot->part_count++];
    part->watch.changing = key_changing;
    part->snapshot = snapshot;
    part->id = database->id;
    part->location = database->id;
    part->keys = dict_size(&database->keys);
    part->deadlines = database->deadlines.size;
    snapshot->figures.keys_total += part->keys;
    if (database->field_deadlines.size > 0) {
        snapshot->version = RDB_VERSION_TIMED;
    }
    dict_watch_begin(&database->keys, &part->watch);
}

struct snapshot *snapshot_begin(const struct snapshot_setup *setup) {
    struct keyspace *keyspace = setup->keyspace;
    struct snapshot *snapshot = mem_zalloc(MEM_OTHER, sizeof *snapshot);
    snapshot->setup = *setup;
    snapshot->now_ms = keyspace->clock->now_ms;
    snapshot->version = RDB_VERSION;
    snapshot->out.selected = -1;
    snapshot->aside.selected = -1;
    snapshot->parts =
        mem_zalloc(MEM_OTHER, (size_t)keyspace->database_count * sizeof *snapshot->parts);
    for (int i = 0; i < keyspace->database_count; i++) {
        if (dict_size(&keyspace->databases[i].keys) > 0) {
            begin_part(snapshot, &keyspace->databases[i]);
        }
    }
    keyspace->hooks.database_left = database_left;
    keyspace->hooks.database_context = snapshot;
    write_beginning(snapshot);
    write_libraries(snapshot);
    snapshot->setup.notes = NULL;
    return snapshot;
}

void snapshot_give_up(struct snapshot *snapshot) {
    if (snapshot->is_mute) {
        return;
    }
    snapshot->is_mute = true;
    snapshot_stream_clear(snapshot, &snapshot->out);
    snapshot_stream_clear(snapshot, &snapshot->aside);
    pump_give_up(snapshot->setup.pump);
}

void snapshot_figures(const struct snapshot *snapshot, struct snapshot_figures *figures) {
    *figures = snapshot->figures;
}

void snapshot_free(struct snapshot *snapshot) {
    struct keyspace *keyspace = snapshot->setup.keyspace;
    while (snapshot->first != NULL) {
        snapshot_record_drop(snapshot, snapshot->first);
    }
    for (; snapshot->part_at < snapshot->part_count; snapshot->part_at++) {
        end_part(&snapshot->parts[snapshot->part_at]);
    }
    snapshot_stream_clear(snapshot, &snapshot->out);
    snapshot_stream_clear(snapshot, &snapshot->aside);
    keyspace->hooks.database_left = NULL;
    mem_free(MEM_OTHER, snapshot->parts,
             (size_t)keyspace->database_count * sizeof *snapshot->parts);
    mem_free(MEM_OTHER, snapshot, sizeof *snapshot);
}
