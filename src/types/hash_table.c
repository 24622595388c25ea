/* hash_table: a large hash as a dict of entries, with an index of deadlines once a field has one.
 *
 * An entry changes in place where its allocation allows it, and else gives way to a new one, of
 * which dict and index are told. Room for a deadline is made when it is first needed and given
 * up only with the next move, so that setting a field with a deadline again and again moves
 * nothing. */
#include "types/hash_int.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "types/elements.h"

/* How many entries are taken out of the dict or the index at a time. */
#define PORTION 64
/* Items that the index may look at for each that it gives out; what it does not give out it files
 * again nearer to its time, which happens DUE_LEVELS times to an item at most. */
#define WORK_PER_FIELD 8

/* Whether the index holds the entry. */
static bool is_filed(const struct entry *e) {
    return entry_deadline(e) > 0;
}

/* ENTRY_NO_DEADLINE where there is room for one but none in it. */
static int64_t deadline_of(const struct entry *e) {
    return is_filed(e) ? entry_deadline(e) : ENTRY_NO_DEADLINE;
}

static bool is_expired(const struct entry *e, int64_t now_ms) {
    return is_filed(e) && entry_deadline(e) <= now_ms;
}

static void element_free(struct entry *e) {
    if (entry_encoding(e) == ENTRY_BLOB) {
        blob_drop(entry_pointer(e));
    }
    entry_free(e);
}

static uint64_t *element_due_word(void *item) {
    return entry_deadline_word(item);
}

/* Frees what is left when all the entries have been drained. */
static void table_free(struct hash_table *table) {
    if (table->due != NULL) {
        due_clear(table->due);
        mem_free(MEM_DEADLINE, table->due, sizeof *table->due);
    }
    dict_clear(&table->dict);
    mem_free(MEM_DATA, table, sizeof *table);
}

static struct hash_table *table_new(void) {
    struct hash_table *table = mem_zalloc(MEM_DATA, sizeof *table);
    dict_init(&table->dict, MEM_TABLE, false);
    return table;
}

bool hash_table_free_some(struct entry *hash, size_t max) {
    struct hash_table *table = hash_table_of(hash);
    if (!elements_free_some(&table->dict, element_free, max)) {
        return false;
    }
    table_free(table);
    return true;
}

static void table_discard(struct hash_table *table) {
    elements_free_some(&table->dict, element_free, SIZE_MAX);
    table_free(table);
}

/* A field as the dict found it. */
struct place {
    uint64_t hash;
    uint64_t *slot; /* NULL when there is no such entry */
    struct entry *element;
};

static struct place find(const struct hash_table *table, struct element_name field) {
    struct place place = {.hash = element_name_hash(&field)};
    place.slot = dict_find(&table->dict, place.hash, field.text.at, field.text.size);
    place.element = place.slot != NULL ? dict_slot_entry(*place.slot) : NULL;
    return place;
}

/* The entry of a field that is not expired, or NULL. */
static struct entry *find_live(const struct hash_table *table, struct element_name field,
                               int64_t now_ms) {
    struct entry *e = find(table, field).element;
    return e != NULL && !is_expired(e, now_ms) ? e : NULL;
}

static void unfile(struct hash_table *table, struct entry *e) {
    if (is_filed(e)) {
        due_remove(table->due, e);
    }
}

/* Files an entry that has room under its deadline, or ENTRY_NO_DEADLINE takes it out. */
static void file(struct hash_table *table, struct entry *e, int64_t deadline_ms, int64_t now_ms) {
    if (deadline_ms == ENTRY_NO_DEADLINE) {
        unfile(table, e);
        return;
    }
    if (table->due == NULL) {
        table->due = mem_alloc(MEM_DEADLINE, sizeof *table->due);
        due_init(table->due, element_due_word, now_ms);
    }
    if (!is_filed(e)) {
        due_add(table->due, e, deadline_ms);
    } else if (entry_deadline(e) != deadline_ms) {
        due_move(table->due, e, deadline_ms);
    }
    if (deadline_ms <= table->clean_ms) {
        table->clean_ms = deadline_ms - 1;
    }
}

/* Chooses how the value is kept. False when there is no memory. */
static bool shape_value(struct entry_shape *shape, struct bytes value, struct blob *blob) {
    int64_t integer;
    shape->type = ENTRY_ELEMENT;
    if (value.size <= NUM_I64_SIZE && num_parse_i64(value, &integer)) {
        shape->encoding = ENTRY_INTEGER;
        shape->word = (uint64_t)integer;
    } else if (value.size <= ENTRY_INLINE_MAX) {
        shape->encoding = ENTRY_INLINE;
        shape->value = value;
    } else {
        blob = blob != NULL ? blob_share(blob) : blob_try_copy(value);
        if (blob == NULL) {
            return false;
        }
        shape->encoding = ENTRY_BLOB;
        shape->word = (uintptr_t)blob;
    }
    return true;
}

/* The shape that the entry has. */
static struct entry_shape shape_of(const struct entry *e) {
    struct entry_shape shape = {.type = ENTRY_ELEMENT, .encoding = entry_encoding(e)};
    if (shape.encoding == ENTRY_INLINE) {
        shape.value = entry_inline(e);
    } else {
        shape.word = entry_shape_word(e);
    }
    return shape;
}

/* Puts a reshaped entry into a found place. The old one's own allocation is freed, not its blob. */
static bool move_element(struct hash_table *table, struct place *place,
                         const struct entry_shape *shape) {
    struct entry *old = place->element;
    struct entry *e = entry_try_reshape(old, shape);
    if (e == NULL) {
        return false;
    }
    dict_replace(place->slot, e);
    if (is_filed(old)) {
        if (shape->has_deadline) {
            *entry_deadline_word(e) = *entry_deadline_word(old);
            due_replace(table->due, old, e);
        } else {
            due_remove(table->due, old);
        }
    }
    entry_free(old);
    place->element = e;
    return true;
}

/* Whether the value can be written where the old one is. */
static bool fits_in_place(const struct entry *e, const struct entry_shape *shape) {
    if (shape->has_deadline && !(e->flags & ENTRY_HAS_DEADLINE)) {
        return false;
    }
    if (shape->encoding == ENTRY_INLINE) {
        return entry_inline_fits(e, shape->value.size);
    }
    return entry_encoding(e) == shape->encoding;
}

/* Overwrites a found field's value. False when there is no memory, and then nothing has changed. */
static bool overwrite(struct hash_table *table, struct place *place,
                      const struct entry_shape *shape) {
    struct entry *e = place->element;
    struct blob *old_blob = entry_encoding(e) == ENTRY_BLOB ? entry_pointer(e) : NULL;
    if (!fits_in_place(e, shape)) {
        if (!move_element(table, place, shape)) {
            return false;
        }
    } else if (shape->encoding == ENTRY_INLINE) {
        entry_set_inline_size(e, shape->value.size);
        if (shape->value.size > 0) {
            memcpy(entry_inline_at(e), shape->value.at, shape->value.size);
        }
    } else if (shape->encoding == ENTRY_INTEGER) {
        *entry_word(e) = shape->word;
    } else {
        entry_set_pointer(e, (void *)(uintptr_t)shape->word);
    }
    if (old_blob != NULL) {
        blob_drop(old_blob);
    }
    return true;
}

int hash_table_set(struct entry *hash, const struct hash_write *write, int64_t now_ms) {
    struct hash_table *table = hash_table_of(hash);
    struct place place = find(table, write->field);
    bool was_there = place.element != NULL && !is_expired(place.element, now_ms);
    int64_t deadline_ms = ENTRY_NO_DEADLINE;
    if (write->deadline_ms >= 0) {
        deadline_ms = hash_deadline_held(write->deadline_ms);
    } else if (write->deadline_ms == HASH_KEEP_DEADLINE && was_there) {
        deadline_ms = deadline_of(place.element);
    }
    struct entry_shape shape = {.has_deadline = deadline_ms != ENTRY_NO_DEADLINE};
    if (!shape_value(&shape, write->value, write->blob)) {
        return -ENOMEM;
    }
    bool is_done;
    if (place.element != NULL) {
        dict_changing(&table->dict, place.element);
        is_done = overwrite(table, &place, &shape);
    } else {
        place.element = entry_try_new(write->field.text, &shape);
        is_done = place.element != NULL;
        if (is_done) {
            dict_insert(&table->dict, place.hash, place.element);
        }
    }
    if (!is_done) {
        if (shape.encoding == ENTRY_BLOB) {
            blob_drop((struct blob *)(uintptr_t)shape.word);
        }
        return -ENOMEM;
    }
    file(table, place.element, deadline_ms, now_ms);
    return was_there ? 0 : 1;
}

bool hash_table_delete(struct entry *hash, struct element_name field, int64_t now_ms) {
    struct hash_table *table = hash_table_of(hash);
    struct place place = find(table, field);
    if (place.element == NULL || is_expired(place.element, now_ms)) {
        return false;
    }
    dict_changing(&table->dict, place.element);
    unfile(table, place.element);
    element_free(dict_remove(&table->dict, place.hash, place.slot));
    return true;
}

static void read_value(const struct entry *e, struct bytes *text, struct blob **blob,
                       char *scratch) {
    *blob = NULL;
    switch (entry_encoding(e)) {
    case ENTRY_INTEGER:
        *text = bytes_of(scratch, num_format_i64(scratch, entry_integer(e)));
        break;
    case ENTRY_BLOB:
        *blob = entry_pointer(e);
        *text = blob_bytes(*blob);
        break;
    default:
        *text = entry_inline(e);
    }
}

bool hash_table_get(const struct entry *hash, struct element_name field, int64_t now_ms,
                    struct hash_value *value) {
    const struct entry *e = find_live(hash_table_of(hash), field, now_ms);
    if (e == NULL) {
        return false;
    }
    read_value(e, &value->text, &value->blob, value->scratch);
    return true;
}

int64_t hash_table_deadline(const struct entry *hash, struct element_name field, int64_t now_ms) {
    const struct entry *e = find_live(hash_table_of(hash), field, now_ms);
    return e != NULL ? deadline_of(e) : HASH_NO_FIELD;
}

int hash_table_set_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                            int64_t now_ms) {
    struct hash_table *table = hash_table_of(hash);
    struct place place = find(table, field);
    if (place.element == NULL || is_expired(place.element, now_ms)) {
        return -ENOENT;
    }
    if (deadline_ms == 0 && !is_filed(place.element)) {
        return -ENODATA;
    }
    dict_changing(&table->dict, place.element);
    if (deadline_ms == 0) {
        unfile(table, place.element);
        return 0;
    }
    if (!(place.element->flags & ENTRY_HAS_DEADLINE)) {
        struct entry_shape shape = shape_of(place.element);
        shape.has_deadline = true;
        if (!move_element(table, &place, &shape)) {
            return -ENOMEM;
        }
    }
    file(table, place.element, hash_deadline_held(deadline_ms), now_ms);
    return 0;
}

int64_t hash_table_next_deadline(const struct entry *hash) {
    const struct hash_table *table = hash_table_of(hash);
    if (table->due == NULL || table->due->size == 0) {
        return ENTRY_NO_DEADLINE;
    }
    int64_t earliest_ms = due_earliest(table->due);
    return earliest_ms > table->clean_ms ? earliest_ms : table->clean_ms + 1;
}

size_t hash_table_expire_due(struct entry *hash, int64_t now_ms, size_t max,
                             const struct hash_gone *gone, bool *done) {
    struct hash_table *table = hash_table_of(hash);
    *done = true;
    if (table->due == NULL || now_ms <= table->clean_ms) {
        return 0;
    }
    size_t removed = 0;
    size_t work = max * WORK_PER_FIELD;
    do {
        void *items[PORTION];
        size_t portion = max - removed < PORTION ? max - removed : PORTION;
        if (portion == 0) {
            *done = false;
            return removed;
        }
        size_t count = due_take(table->due, now_ms, items, portion, work, done);
        for (size_t i = 0; i < count; i++) {
            struct entry *e = items[i];
            if (gone != NULL) {
                gone->fn(gone->context, entry_key(e));
            }
            if (UNLIKELY(table->dict.watch != NULL)) {
                /* The index has cleared it; that it had one is part of what it was. */
                *entry_deadline_word(e) = (uint64_t)now_ms << 10;
                dict_changing(&table->dict, e);
            }
            uint64_t key_hash = dict_hash(&table->dict, entry_key(e));
            dict_remove(&table->dict, key_hash, dict_find_entry(&table->dict, key_hash, e));
            element_free(e);
        }
        removed += count;
        if (count == 0) {
            break;
        }
    } while (!*done);
    if (*done) {
        table->clean_ms = now_ms;
    }
    return removed;
}

struct counting {
    int64_t now_ms;
    size_t count;
};

static void count_live(void *context, struct entry *e) {
    struct counting *counting = context;
    counting->count += !is_expired(e, counting->now_ms);
}

size_t hash_table_length(const struct entry *hash, int64_t now_ms) {
    const struct hash_table *table = hash_table_of(hash);
    int64_t next_ms = hash_table_next_deadline(hash);
    if (next_ms == ENTRY_NO_DEADLINE || next_ms > now_ms) {
        return dict_size(&table->dict);
    }
    struct counting counting = {.now_ms = now_ms};
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&table->dict, cursor, count_live, &counting);
    } while (cursor != 0);
    return counting.count;
}

struct visiting {
    int64_t now_ms;
    hash_visit_fn visit;
    void *context;
};

void hash_read_element(const struct entry *element, struct hash_field *field, char *scratch) {
    field->name = entry_key(element);
    field->deadline_ms = deadline_of(element);
    read_value(element, &field->value, &field->blob, scratch);
}

static void visit_element(const struct visiting *visiting, const struct entry *e) {
    char scratch[NUM_I64_SIZE];
    struct hash_field field = {.name = entry_key(e), .deadline_ms = deadline_of(e)};
    read_value(e, &field.value, &field.blob, scratch);
    visiting->visit(visiting->context, &field);
}

static void visit_live(void *context, struct entry *e) {
    const struct visiting *visiting = context;
    if (!is_expired(e, visiting->now_ms)) {
        visit_element(visiting, e);
    }
}

uint64_t hash_table_scan(const struct entry *hash, uint64_t cursor, int64_t now_ms,
                         hash_visit_fn visit, void *context) {
    struct visiting visiting = {.now_ms = now_ms, .visit = visit, .context = context};
    return dict_scan(&hash_table_of(hash)->dict, cursor, visit_live, &visiting);
}

static bool skips_expired(void *context, const struct entry *e) {
    const struct visiting *visiting = context;
    return is_expired(e, visiting->now_ms);
}

static void visit_drawn(void *context, const struct entry *e) {
    visit_element(context, e);
}

size_t hash_table_random(const struct entry *hash, int64_t now_ms, struct random *random,
                         size_t count, bool distinct, hash_visit_fn visit, void *context) {
    struct visiting visiting = {.now_ms = now_ms, .visit = visit, .context = context};
    const struct elements_draw draw = {
        .dict = &hash_table_of(hash)->dict,
        .random = random,
        .count = hash_table_length(hash, now_ms),
        .skips = skips_expired,
        .visit = visit_drawn,
        .context = &visiting,
    };
    if (distinct) {
        return elements_random_distinct(&draw, count);
    }
    elements_random(&draw, count);
    return draw.count == 0 ? 0 : count;
}

/* A copy being made; goes on without doing anything once there was no memory. */
struct copying {
    struct hash_table *table;
    int64_t now_ms; /* the new index of deadlines begins there */
    bool failed;
};

static void copy_element(void *context, struct entry *e) {
    struct copying *copying = context;
    if (copying->failed) {
        return;
    }
    int64_t deadline_ms = deadline_of(e);
    struct entry_shape shape = shape_of(e);
    shape.has_deadline = deadline_ms != ENTRY_NO_DEADLINE;
    struct entry *copy = entry_try_new(entry_key(e), &shape);
    if (copy == NULL) {
        copying->failed = true;
        return;
    }
    if (shape.encoding == ENTRY_BLOB) {
        blob_share(entry_pointer(e)); /* blobs are never written to here, so both may have it */
    }
    struct dict *dict = &copying->table->dict;
    dict_insert(dict, dict_hash(dict, entry_key(copy)), copy);
    file(copying->table, copy, deadline_ms, copying->now_ms);
}

int hash_table_copy(const struct entry *hash, struct entry_shape *copy) {
    const struct due *due = hash_table_of(hash)->due;
    struct copying copying = {.table = table_new()};
    copying.now_ms = due != NULL ? due->tick * DUE_TICK_MS : 0;
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&hash_table_of(hash)->dict, cursor, copy_element, &copying);
    } while (cursor != 0 && !copying.failed);
    if (copying.failed) {
        table_discard(copying.table);
        return -ENOMEM;
    }
    copy->encoding = ENTRY_TABLE;
    copy->word = (uintptr_t)copying.table;
    return 0;
}

/* A table being filled with the fields of a pack. */
static void take_over(void *context, const struct hash_field *field) {
    struct copying *copying = context;
    if (copying->failed) {
        return;
    }
    struct entry_shape shape = {.has_deadline = field->deadline_ms != ENTRY_NO_DEADLINE};
    struct entry *e =
        shape_value(&shape, field->value, NULL) ? entry_try_new(field->name, &shape) : NULL;
    if (e == NULL) {
        if (shape.encoding == ENTRY_BLOB && shape.word != 0) {
            blob_drop((struct blob *)(uintptr_t)shape.word);
        }
        copying->failed = true;
        return;
    }
    struct dict *dict = &copying->table->dict;
    dict_insert(dict, dict_hash(dict, field->name), e);
    file(copying->table, e, field->deadline_ms, copying->now_ms);
}

int hash_become_table(struct entry *hash, int64_t now_ms) {
    struct copying copying = {.table = table_new(), .now_ms = now_ms};
    bool is_timed = entry_encoding(hash) == ENTRY_TIMED_PACK;
    /* Expired fields come along, so that they are reported when they are removed. */
    hash_packed_visit(hash, INT64_MIN, take_over, &copying);
    if (copying.failed) {
        table_discard(copying.table);
        return -ENOMEM;
    }
    copying.table->due_word = is_timed ? ((struct hash_timed *)entry_pointer(hash))->due_word : 0;
    hash_packed_free(hash);
    hash_become(hash, ENTRY_TABLE, copying.table);
    return 0;
}

static void element_moved(void *context, struct entry *old, struct entry *e) {
    if (is_filed(e)) {
        struct hash_table *table = context;
        due_replace(table->due, old, e);
    }
}

/* The table's own struct is moved with the first portion. */
void hash_table_settle(struct entry *hash, uint32_t *cursor, struct sparse_tally *tally) {
    struct hash_table *table = hash_table_of(hash);
    if (*cursor == 0 && table->dict.watch == NULL) {
        table = sparse_settle(table, sizeof *table, tally);
        entry_set_pointer(hash, table);
    }
    uint64_t *slots[SPARSE_BATCH_MAX];
    size_t count = dict_slots(&table->dict, cursor, slots, SPARSE_BATCH_MAX, tally);
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(dict_slot_entry(*slots[i]));
    }
    dict_settle(slots, count, &(struct dict_mover){.moved = element_moved, .context = table},
                tally);
    for (size_t i = 0; i < count; i++) {
        struct entry *e = dict_slot_entry(*slots[i]);
        if (entry_encoding(e) == ENTRY_BLOB) {
            entry_set_pointer(e, blob_settle(entry_pointer(e), tally));
        }
    }
}

static size_t element_footprint(const struct entry *e) {
    size_t blob = entry_encoding(e) == ENTRY_BLOB ? blob_footprint(entry_pointer(e)) : 0;
    return entry_footprint(e) + blob;
}

size_t hash_table_footprint(const struct entry *hash, size_t samples) {
    const struct hash_table *table = hash_table_of(hash);
    size_t size = mem_class(sizeof *table) + dict_footprint(&table->dict);
    if (table->due != NULL) {
        size += mem_class(sizeof *table->due) + due_footprint(table->due);
    }
    return size + elements_footprint(&table->dict, samples, element_footprint);
}

struct validating {
    const struct hash_table *table;
    size_t filed;
};

static void validate_element(void *context, struct entry *e) {
    struct validating *validating = context;
    check(entry_type(e) == ENTRY_ELEMENT);
    validating->filed += is_filed(e);
    check(!is_filed(e) || entry_deadline(e) > validating->table->clean_ms);
    char scratch[NUM_I64_SIZE];
    struct bytes text;
    struct blob *blob;
    int64_t integer;
    read_value(e, &text, &blob, scratch);
    bool is_integer = text.size <= NUM_I64_SIZE && num_parse_i64(text, &integer);
    check(is_integer == (entry_encoding(e) == ENTRY_INTEGER));
    check((text.size > ENTRY_INLINE_MAX) == (entry_encoding(e) == ENTRY_BLOB));
}

void hash_table_validate(const struct entry *hash) {
    struct validating validating = {.table = hash_table_of(hash)};
    dict_validate(&validating.table->dict);
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&validating.table->dict, cursor, validate_element, &validating);
    } while (cursor != 0);
    if (validating.table->due == NULL) {
        check(validating.filed == 0);
    } else {
        due_validate(validating.table->due);
        check(validating.table->due->size == validating.filed);
    }
}
