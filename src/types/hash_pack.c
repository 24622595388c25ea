/* hash_pack: a small hash as a packmap of pairs, or of triples once a field has a deadline.
 *
 * Both are handled here as one thing: records of a field, its value and, if there are three, its
 * deadline. The triple costs a byte for a field without a deadline and seven for one with a
 * deadline. */
#include "types/hash_int.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"

/* No deadline, as it stands in a triple and as it compares. */
#define NO_DEADLINE 0
#define NEVER       INT64_MAX

/* Items of a record. */
enum { FIELD, VALUE, DEADLINE };

/* A packed hash, taken apart. */
struct packed {
    struct packmap *map;
    struct hash_timed *timed; /* NULL: pairs */
};

static struct packed packed_of(const struct entry *hash) {
    struct packed packed = {.timed = NULL};
    if (entry_encoding(hash) == ENTRY_TIMED_PACK) {
        packed.timed = entry_pointer(hash);
        packed.map = packed.timed->map;
    } else {
        packed.map = entry_pointer(hash);
    }
    return packed;
}

/* Puts the map back where it was taken from, since edits move it. */
static void packed_put(struct entry *hash, const struct packed *packed) {
    if (packed->timed != NULL) {
        packed->timed->map = packed->map;
    } else {
        entry_set_pointer(hash, packed->map);
    }
}

static size_t packed_count(const struct packed *packed) {
    return packmap_count(packed->map);
}

/* The deadline of the field at `at`, NEVER for none. */
static int64_t field_deadline(const struct packed *packed, packmap_at at) {
    if (packed->timed == NULL) {
        return NEVER;
    }
    int64_t deadline_ms = packmap_integer(packed->map, at, DEADLINE);
    return deadline_ms == NO_DEADLINE ? NEVER : deadline_ms;
}

static packmap_at next_field(const struct packed *packed, packmap_at at) {
    return packmap_next(packed->map, at);
}

/* The hash of the field's name is used where it is known, but not worked out for a few fields. */
static packmap_at find_any(const struct packed *packed, const struct element_name *field) {
    if (field->hash != 0) {
        return packmap_find_hashed(packed->map, field->text, field->hash);
    }
    return packmap_find(packed->map, field->text);
}

/* Position of a field that is not expired; 0 when absent. */
static packmap_at find_live(const struct packed *packed, const struct element_name *field,
                            int64_t now_ms) {
    packmap_at at = find_any(packed, field);
    return at != 0 && field_deadline(packed, at) <= now_ms ? 0 : at;
}

static bool may_have_expired(const struct packed *packed, int64_t now_ms) {
    return packed->timed != NULL && packed->timed->earliest_ms <= now_ms;
}

static void find_earliest(struct packed *packed) {
    int64_t earliest_ms = NEVER;
    for (packmap_at at = packmap_first(packed->map); at != 0; at = next_field(packed, at)) {
        int64_t deadline_ms = field_deadline(packed, at);
        if (deadline_ms < earliest_ms) {
            earliest_ms = deadline_ms;
        }
    }
    packed->timed->earliest_ms = earliest_ms;
}

/* A deadline has been replaced by another; NEVER stands for none. */
static void deadline_changed(struct packed *packed, int64_t old_ms, int64_t new_ms) {
    if (packed->timed == NULL || old_ms == new_ms) {
        return;
    }
    if (new_ms <= packed->timed->earliest_ms) {
        packed->timed->earliest_ms = new_ms;
    } else if (old_ms == packed->timed->earliest_ms) {
        find_earliest(packed);
    }
}

size_t hash_packed_length(const struct entry *hash, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    if (!may_have_expired(&packed, now_ms)) {
        return packed_count(&packed);
    }
    size_t count = 0;
    for (packmap_at at = packmap_first(packed.map); at != 0; at = next_field(&packed, at)) {
        count += field_deadline(&packed, at) > now_ms;
    }
    return count;
}

bool hash_packed_is_empty(const struct entry *hash) {
    struct packed packed = packed_of(hash);
    return packmap_count(packed.map) == 0;
}

bool hash_packed_get(const struct entry *hash, struct element_name field, int64_t now_ms,
                     struct hash_value *value) {
    struct packed packed = packed_of(hash);
    packmap_at at = find_live(&packed, &field, now_ms);
    if (at == 0) {
        return false;
    }
    value->blob = NULL;
    value->text = packmap_text(packed.map, at, VALUE, value->scratch);
    return true;
}

int64_t hash_packed_deadline(const struct entry *hash, struct element_name field, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    packmap_at at = find_live(&packed, &field, now_ms);
    if (at == 0) {
        return HASH_NO_FIELD;
    }
    int64_t deadline_ms = field_deadline(&packed, at);
    return deadline_ms == NEVER ? ENTRY_NO_DEADLINE : deadline_ms;
}

static void append(struct packed *packed, struct bytes field, struct bytes value,
                   int64_t deadline_ms) {
    struct packmap_item items[] = {
        [FIELD] = packmap_of_text(field),
        [VALUE] = packmap_of_text(value),
        [DEADLINE] = packmap_of_integer(deadline_ms == NEVER ? NO_DEADLINE : deadline_ms),
    };
    packed->map = packmap_append(packed->map, items);
    deadline_changed(packed, NEVER, deadline_ms);
}

/* Turns pairs into triples. */
static void become_timed(struct entry *hash) {
    struct packed pairs = packed_of(hash);
    if (pairs.timed != NULL) {
        return;
    }
    struct hash_timed *timed = mem_alloc(MEM_DATA, sizeof *timed);
    *timed = (struct hash_timed){.earliest_ms = NEVER, .map = packmap_new(DEADLINE + 1)};
    struct packed triples = {.map = timed->map, .timed = timed};
    char field[NUM_I64_SIZE];
    char value[NUM_I64_SIZE];
    for (packmap_at at = packmap_first(pairs.map); at != 0; at = next_field(&pairs, at)) {
        append(&triples, packmap_text(pairs.map, at, FIELD, field),
               packmap_text(pairs.map, at, VALUE, value), NEVER);
    }
    packmap_free(pairs.map);
    timed->map = triples.map;
    hash_become(hash, ENTRY_TIMED_PACK, timed);
}

/* Whether the map stays within the limits with this field set; `is_new`: it comes on top. */
static bool fits(const struct packed *packed, const struct hash_options *limits,
                 const struct hash_write *write, bool is_new) {
    uint64_t size_max = (uint64_t)limits->pack_value_max;
    uint64_t count_max = (uint64_t)limits->pack_entries_max;
    if (write->field.text.size > size_max || write->value.size > size_max ||
        packed_count(packed) + is_new > count_max) {
        return false;
    }
    /* The sum does not overflow: the sizes are those of memory that is there. */
    return packmap_fits(packed->map, write->value.size + (is_new ? write->field.text.size : 0));
}

/* Writes the deadline of the field at `at`; NEVER for none. */
static void write_deadline(struct packed *packed, packmap_at at, int64_t deadline_ms) {
    if (packed->timed == NULL) {
        return;
    }
    int64_t old_ms = field_deadline(packed, at);
    struct packmap_item item = packmap_of_integer(deadline_ms == NEVER ? NO_DEADLINE : deadline_ms);
    packed->map = packmap_replace(packed->map, &at, DEADLINE, &item);
    deadline_changed(packed, old_ms, deadline_ms);
}

int hash_packed_set(struct entry *hash, const struct hash_options *limits,
                    const struct hash_write *write, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    packmap_at at = find_any(&packed, &write->field);
    if (!fits(&packed, limits, write, at == 0)) {
        return -E2BIG;
    }
    if (write->deadline_ms >= 0 && packed.timed == NULL) {
        become_timed(hash);
        packed = packed_of(hash);
        at = at == 0 ? 0 : find_any(&packed, &write->field);
    }
    if (at == 0) {
        append(&packed, write->field.text, write->value,
               write->deadline_ms < 0 ? NEVER : hash_deadline_held(write->deadline_ms));
        packed_put(hash, &packed);
        return 1;
    }
    bool was_there = field_deadline(&packed, at) > now_ms;
    struct packmap_item value = packmap_of_text(write->value);
    packed.map = packmap_replace(packed.map, &at, VALUE, &value);
    if (write->deadline_ms >= 0) {
        write_deadline(&packed, at, hash_deadline_held(write->deadline_ms));
    } else if (write->deadline_ms == ENTRY_NO_DEADLINE || !was_there) {
        write_deadline(&packed, at, NEVER);
    }
    packed_put(hash, &packed);
    return was_there ? 0 : 1;
}

/* Takes the field at *at out; *at is the next one then. */
static void remove_field(struct packed *packed, packmap_at *at) {
    packed->map = packmap_remove(packed->map, at, 1);
}

bool hash_packed_delete(struct entry *hash, struct element_name field, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    packmap_at at = find_live(&packed, &field, now_ms);
    if (at == 0) {
        return false;
    }
    int64_t deadline_ms = field_deadline(&packed, at);
    remove_field(&packed, &at);
    deadline_changed(&packed, deadline_ms, NEVER);
    packed_put(hash, &packed);
    return true;
}

int hash_packed_set_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                             int64_t now_ms) {
    struct packed packed = packed_of(hash);
    packmap_at at = find_live(&packed, &field, now_ms);
    if (at == 0) {
        return -ENOENT;
    }
    if (deadline_ms == NO_DEADLINE) {
        if (field_deadline(&packed, at) == NEVER) {
            return -ENODATA;
        }
        write_deadline(&packed, at, NEVER);
    } else {
        become_timed(hash);
        packed = packed_of(hash);
        write_deadline(&packed, find_any(&packed, &field), hash_deadline_held(deadline_ms));
    }
    packed_put(hash, &packed);
    return 0;
}

size_t hash_packed_expire_due(struct entry *hash, int64_t now_ms, size_t max,
                              const struct hash_gone *gone, bool *done) {
    struct packed packed = packed_of(hash);
    *done = true;
    if (!may_have_expired(&packed, now_ms)) {
        return 0;
    }
    size_t removed = 0;
    packmap_at at = packmap_first(packed.map);
    while (at != 0) {
        if (field_deadline(&packed, at) > now_ms) {
            at = next_field(&packed, at);
        } else if (removed < max) {
            char scratch[NUM_I64_SIZE];
            if (gone != NULL) {
                gone->fn(gone->context, packmap_text(packed.map, at, FIELD, scratch));
            }
            remove_field(&packed, &at);
            removed++;
        } else {
            *done = false;
            break;
        }
    }
    find_earliest(&packed);
    packed_put(hash, &packed);
    return removed;
}

static void visit_at(const struct packed *packed, packmap_at at, hash_visit_fn visit,
                     void *context) {
    char name_scratch[NUM_I64_SIZE];
    char value_scratch[NUM_I64_SIZE];
    int64_t deadline_ms = field_deadline(packed, at);
    struct hash_field field = {
        .name = packmap_text(packed->map, at, FIELD, name_scratch),
        .value = packmap_text(packed->map, at, VALUE, value_scratch),
        .deadline_ms = deadline_ms == NEVER ? ENTRY_NO_DEADLINE : deadline_ms,
    };
    visit(context, &field);
}

void hash_packed_visit(const struct entry *hash, int64_t now_ms, hash_visit_fn visit,
                       void *context) {
    struct packed packed = packed_of(hash);
    for (packmap_at at = packmap_first(packed.map); at != 0; at = next_field(&packed, at)) {
        if (field_deadline(&packed, at) > now_ms) {
            visit_at(&packed, at, visit, context);
        }
    }
}

/* Visits fields drawn from all, none of which is expired. */
static void visit_any(const struct packed *packed, struct random *random, size_t count,
                      hash_visit_fn visit, void *context) {
    for (size_t i = 0; i < count; i++) {
        size_t index = random_below(random, packed_count(packed));
        visit_at(packed, packmap_seek(packed->map, (int64_t)index), visit, context);
    }
}

/* Where fields shall be different, or may be expired, notes where those are that can be drawn, and
 * draws from these. The list is bounded by HASH_PACK_SIZE_MAX. */
size_t hash_packed_random(const struct entry *hash, int64_t now_ms, struct random *random,
                          size_t count, bool distinct, hash_visit_fn visit, void *context) {
    struct packed packed = packed_of(hash);
    size_t capacity = packed_count(&packed);
    if (capacity == 0 || count == 0) {
        return 0;
    }
    if (!may_have_expired(&packed, now_ms) && (!distinct || count == 1)) {
        visit_any(&packed, random, count, visit, context);
        return count;
    }
    packmap_at *places = mem_alloc(MEM_OTHER, capacity * sizeof *places);
    size_t live = 0;
    for (packmap_at at = packmap_first(packed.map); at != 0; at = next_field(&packed, at)) {
        if (field_deadline(&packed, at) > now_ms) {
            places[live++] = at;
        }
    }
    if (live == 0 || (distinct && count > live)) {
        count = live;
    }
    for (size_t i = 0; i < count; i++) {
        if (distinct) {
            /* One step of a shuffle (Fisher and Yates): what has been drawn stands in front. */
            size_t other = i + random_below(random, live - i);
            packmap_at drawn = places[other];
            places[other] = places[i];
            visit_at(&packed, drawn, visit, context);
        } else {
            visit_at(&packed, places[random_below(random, live)], visit, context);
        }
    }
    mem_free(MEM_OTHER, places, capacity * sizeof *places);
    return count;
}

void hash_packed_copy(const struct entry *hash, struct entry_shape *copy) {
    struct packed packed = packed_of(hash);
    void *value = packmap_copy(packed.map);
    if (packed.timed != NULL) {
        struct hash_timed *timed = mem_alloc(MEM_DATA, sizeof *timed);
        *timed = (struct hash_timed){.earliest_ms = packed.timed->earliest_ms, .map = value};
        value = timed;
    }
    copy->encoding = entry_encoding(hash);
    copy->word = (uintptr_t)value;
}

void hash_packed_free(struct entry *hash) {
    struct packed packed = packed_of(hash);
    packmap_free(packed.map);
    if (packed.timed != NULL) {
        mem_free(MEM_DATA, packed.timed, sizeof *packed.timed);
    }
}

void hash_packed_settle(struct entry *hash, struct sparse_tally *tally) {
    struct packed packed = packed_of(hash);
    packed.map = packmap_settle(packed.map, tally);
    if (packed.timed != NULL) {
        packed.timed = sparse_settle(packed.timed, sizeof *packed.timed, tally);
        entry_set_pointer(hash, packed.timed);
    }
    packed_put(hash, &packed);
}

size_t hash_packed_footprint(const struct entry *hash) {
    struct packed packed = packed_of(hash);
    size_t timed = packed.timed != NULL ? mem_class(sizeof *packed.timed) : 0;
    return packmap_footprint(packed.map) + timed;
}

void hash_packed_validate(const struct entry *hash) {
    struct packed packed = packed_of(hash);
    check(packmap_validate(packed.map, packmap_size(packed.map)));
    check(packmap_width(packed.map) == (packed.timed != NULL ? DEADLINE + 1 : VALUE + 1));
    int64_t earliest_ms = NEVER;
    char scratch[NUM_I64_SIZE];
    for (packmap_at at = packmap_first(packed.map); at != 0; at = next_field(&packed, at)) {
        check(packmap_find(packed.map, packmap_text(packed.map, at, FIELD, scratch)) == at);
        if (packed.timed != NULL) {
            struct packmap_item item;
            packmap_get(packed.map, at, DEADLINE, &item);
            check(item.kind == PACKMAP_INTEGER && item.integer >= 0);
        }
        int64_t deadline_ms = field_deadline(&packed, at);
        earliest_ms = deadline_ms < earliest_ms ? deadline_ms : earliest_ms;
    }
    check(packed.timed == NULL || packed.timed->earliest_ms == earliest_ms);
}
