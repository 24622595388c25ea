/* hash_pack: a small hash as a pack of pairs, or of triples once a field has a deadline.
 *
 * Both are handled here as one thing, a pack in which every field is followed by its value and,
 * if the width is 3, by its deadline. The triple costs a byte for a field without a deadline and
 * nine for one with a deadline. */
#include "types/hash_int.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"

/* No deadline, as it stands in a triple and as it compares. */
#define NO_DEADLINE 0
#define NEVER       INT64_MAX

/* Overhead of one element at most, see ds/pack.c; the width of a deadline with it. */
#define ELEMENT_OVERHEAD 10

/* A packed hash, taken apart. */
struct packed {
    struct pack *pack;
    struct hash_timed *timed; /* NULL: pairs */
    unsigned width;           /* elements a field: 2 or 3 */
};

static struct packed packed_of(const struct entry *hash) {
    struct packed packed = {.width = 2};
    if (entry_encoding(hash) == ENTRY_TIMED_PACK) {
        packed.timed = entry_pointer(hash);
        packed.pack = packed.timed->pack;
        packed.width = 3;
    } else {
        packed.pack = entry_pointer(hash);
    }
    return packed;
}

/* Puts the pack back where it was taken from, since edits move it. */
static void packed_put(struct entry *hash, const struct packed *packed) {
    if (packed->timed != NULL) {
        packed->timed->pack = packed->pack;
    } else {
        entry_set_pointer(hash, packed->pack);
    }
}

static size_t packed_count(const struct packed *packed) {
    return pack_count(packed->pack) / packed->width;
}

/* Where the deadline of the field at `at` stands. Only in triples. */
static pack_at deadline_at(const struct packed *packed, pack_at at) {
    return pack_next(packed->pack, pack_next(packed->pack, at));
}

/* The deadline of the field at `at`, NEVER for none. */
static int64_t field_deadline(const struct packed *packed, pack_at at) {
    if (packed->timed == NULL) {
        return NEVER;
    }
    struct pack_item item;
    pack_get(packed->pack, deadline_at(packed, at), &item);
    return item.integer == NO_DEADLINE ? NEVER : item.integer;
}

static pack_at next_field(const struct packed *packed, pack_at at) {
    for (unsigned i = 0; i < packed->width; i++) {
        at = pack_next(packed->pack, at);
    }
    return at;
}

static pack_at find_any(const struct packed *packed, struct bytes field) {
    return pack_find(packed->pack, pack_first(packed->pack), field, packed->width);
}

/* Position of a field that is not expired; 0 when absent. */
static pack_at find_live(const struct packed *packed, struct bytes field, int64_t now_ms) {
    pack_at at = find_any(packed, field);
    return at != 0 && field_deadline(packed, at) <= now_ms ? 0 : at;
}

static bool may_have_expired(const struct packed *packed, int64_t now_ms) {
    return packed->timed != NULL && packed->timed->earliest_ms <= now_ms;
}

static void find_earliest(struct packed *packed) {
    int64_t earliest_ms = NEVER;
    for (pack_at at = pack_first(packed->pack); at != 0; at = next_field(packed, at)) {
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
    for (pack_at at = pack_first(packed.pack); at != 0; at = next_field(&packed, at)) {
        count += field_deadline(&packed, at) > now_ms;
    }
    return count;
}

bool hash_packed_is_empty(const struct entry *hash) {
    struct packed packed = packed_of(hash);
    return pack_count(packed.pack) == 0;
}

bool hash_packed_get(const struct entry *hash, struct bytes field, int64_t now_ms,
                     struct hash_value *value) {
    struct packed packed = packed_of(hash);
    pack_at at = find_live(&packed, field, now_ms);
    if (at == 0) {
        return false;
    }
    value->blob = NULL;
    value->text = pack_text(packed.pack, pack_next(packed.pack, at), value->scratch);
    return true;
}

int64_t hash_packed_deadline(const struct entry *hash, struct bytes field, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    pack_at at = find_live(&packed, field, now_ms);
    if (at == 0) {
        return HASH_NO_FIELD;
    }
    int64_t deadline_ms = field_deadline(&packed, at);
    return deadline_ms == NEVER ? ENTRY_NO_DEADLINE : deadline_ms;
}

/* Turns pairs into triples. */
static void become_timed(struct entry *hash) {
    struct packed packed = packed_of(hash);
    if (packed.timed != NULL) {
        return;
    }
    char scratch[NUM_I64_SIZE];
    struct pack *triples = pack_new();
    pack_at at = pack_first(packed.pack);
    while (at != 0) {
        for (unsigned i = 0; i < 2; i++) {
            triples = pack_append(triples, pack_text(packed.pack, at, scratch));
            at = pack_next(packed.pack, at);
        }
        triples = pack_append_integer(triples, NO_DEADLINE);
    }
    pack_free(packed.pack);
    struct hash_timed *timed = mem_alloc(MEM_DATA, sizeof *timed);
    *timed = (struct hash_timed){.earliest_ms = NEVER, .pack = triples};
    hash_become(hash, ENTRY_TIMED_PACK, timed);
}

/* Whether the pack stays within the limits with this field set; `is_new`: it comes on top. */
static bool fits(const struct packed *packed, const struct hash_options *limits,
                 const struct hash_write *write, bool is_new) {
    uint64_t size_max = (uint64_t)limits->pack_value_max;
    uint64_t count_max = (uint64_t)limits->pack_entries_max;
    if (write->field.size > size_max || write->value.size > size_max ||
        packed_count(packed) + is_new > count_max) {
        return false;
    }
    size_t more = write->value.size + 3 * ELEMENT_OVERHEAD;
    more += is_new ? write->field.size : 0;
    /* Neither sum overflows: all the sizes are those of memory that is there. */
    size_t timed = write->deadline_ms >= 0 && packed->timed == NULL ? packed_count(packed) : 0;
    return pack_size(packed->pack) + more + timed <= HASH_PACK_SIZE_MAX;
}

static void append(struct packed *packed, const struct hash_write *write) {
    packed->pack = pack_append(packed->pack, write->field);
    packed->pack = pack_append(packed->pack, write->value);
    if (packed->timed != NULL) {
        int64_t deadline_ms =
            write->deadline_ms < 0 ? NO_DEADLINE : hash_deadline_held(write->deadline_ms);
        packed->pack = pack_append_integer(packed->pack, deadline_ms);
        deadline_changed(packed, NEVER, deadline_ms == NO_DEADLINE ? NEVER : deadline_ms);
    }
}

/* Writes the deadline of the field at `at`; NEVER for none. */
static void write_deadline(struct packed *packed, pack_at at, int64_t deadline_ms) {
    if (packed->timed == NULL) {
        return;
    }
    int64_t old_ms = field_deadline(packed, at);
    pack_at place = deadline_at(packed, at);
    packed->pack = pack_replace_integer(packed->pack, &place,
                                        deadline_ms == NEVER ? NO_DEADLINE : deadline_ms);
    deadline_changed(packed, old_ms, deadline_ms);
}

int hash_packed_set(struct entry *hash, const struct hash_options *limits,
                    const struct hash_write *write, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    pack_at at = find_any(&packed, write->field);
    if (!fits(&packed, limits, write, at == 0)) {
        return -E2BIG;
    }
    if (write->deadline_ms >= 0 && packed.timed == NULL) {
        become_timed(hash);
        packed = packed_of(hash);
        at = at == 0 ? 0 : find_any(&packed, write->field);
    }
    if (at == 0) {
        append(&packed, write);
        packed_put(hash, &packed);
        return 1;
    }
    int64_t old_ms = field_deadline(&packed, at);
    bool was_there = old_ms > now_ms;
    pack_at value_at = pack_next(packed.pack, at);
    packed.pack = pack_replace(packed.pack, &value_at, write->value);
    if (write->deadline_ms >= 0) {
        write_deadline(&packed, at, hash_deadline_held(write->deadline_ms));
    } else if (write->deadline_ms == ENTRY_NO_DEADLINE || !was_there) {
        write_deadline(&packed, at, NEVER);
    }
    packed_put(hash, &packed);
    return was_there ? 0 : 1;
}

/* Takes the field at *at out; *at is the next one then. */
static void remove_field(struct packed *packed, pack_at *at) {
    packed->pack = pack_remove(packed->pack, at, packed->width);
}

bool hash_packed_delete(struct entry *hash, struct bytes field, int64_t now_ms) {
    struct packed packed = packed_of(hash);
    pack_at at = find_live(&packed, field, now_ms);
    if (at == 0) {
        return false;
    }
    int64_t deadline_ms = field_deadline(&packed, at);
    remove_field(&packed, &at);
    deadline_changed(&packed, deadline_ms, NEVER);
    packed_put(hash, &packed);
    return true;
}

int hash_packed_set_deadline(struct entry *hash, struct bytes field, int64_t deadline_ms,
                             int64_t now_ms) {
    struct packed packed = packed_of(hash);
    pack_at at = find_live(&packed, field, now_ms);
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
        write_deadline(&packed, find_any(&packed, field), hash_deadline_held(deadline_ms));
    }
    packed_put(hash, &packed);
    return 0;
}

size_t hash_packed_expire_due(struct entry *hash, int64_t now_ms, size_t max, bool *done) {
    struct packed packed = packed_of(hash);
    *done = true;
    if (!may_have_expired(&packed, now_ms)) {
        return 0;
    }
    size_t removed = 0;
    pack_at at = pack_first(packed.pack);
    while (at != 0) {
        if (field_deadline(&packed, at) > now_ms) {
            at = next_field(&packed, at);
        } else if (removed < max) {
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

static void visit_at(const struct packed *packed, pack_at at, hash_visit_fn visit, void *context) {
    char name_scratch[NUM_I64_SIZE];
    char value_scratch[NUM_I64_SIZE];
    int64_t deadline_ms = field_deadline(packed, at);
    struct hash_field field = {
        .name = pack_text(packed->pack, at, name_scratch),
        .value = pack_text(packed->pack, pack_next(packed->pack, at), value_scratch),
        .deadline_ms = deadline_ms == NEVER ? ENTRY_NO_DEADLINE : deadline_ms,
    };
    visit(context, &field);
}

void hash_packed_visit(const struct entry *hash, int64_t now_ms, hash_visit_fn visit,
                       void *context) {
    struct packed packed = packed_of(hash);
    for (pack_at at = pack_first(packed.pack); at != 0; at = next_field(&packed, at)) {
        if (field_deadline(&packed, at) > now_ms) {
            visit_at(&packed, at, visit, context);
        }
    }
}

/* Notes where the fields are that are not expired, since reaching them one by one would be
 * walking the pack once for each; then draws from these. The list is bounded by
 * HASH_PACK_SIZE_MAX. */
size_t hash_packed_random(const struct entry *hash, int64_t now_ms, struct random *random,
                          size_t count, bool distinct, hash_visit_fn visit, void *context) {
    struct packed packed = packed_of(hash);
    size_t capacity = packed_count(&packed);
    if (capacity == 0 || count == 0) {
        return 0;
    }
    pack_at *places = mem_alloc(MEM_OTHER, capacity * sizeof *places);
    size_t live = 0;
    for (pack_at at = pack_first(packed.pack); at != 0; at = next_field(&packed, at)) {
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
            pack_at drawn = places[other];
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
    void *value = pack_copy(packed.pack);
    if (packed.timed != NULL) {
        struct hash_timed *timed = mem_alloc(MEM_DATA, sizeof *timed);
        *timed = (struct hash_timed){.earliest_ms = packed.timed->earliest_ms, .pack = value};
        value = timed;
    }
    copy->encoding = entry_encoding(hash);
    copy->word = (uintptr_t)value;
}

void hash_packed_free(struct entry *hash) {
    struct packed packed = packed_of(hash);
    pack_free(packed.pack);
    if (packed.timed != NULL) {
        mem_free(MEM_DATA, packed.timed, sizeof *packed.timed);
    }
}

void hash_packed_settle(struct entry *hash, struct sparse_tally *tally) {
    struct packed packed = packed_of(hash);
    packed.pack = pack_settle(packed.pack, tally);
    if (packed.timed != NULL) {
        packed.timed = sparse_settle(packed.timed, sizeof *packed.timed, tally);
        entry_set_pointer(hash, packed.timed);
    }
    packed_put(hash, &packed);
}

size_t hash_packed_footprint(const struct entry *hash) {
    struct packed packed = packed_of(hash);
    size_t timed = packed.timed != NULL ? mem_class(sizeof *packed.timed) : 0;
    return pack_footprint(packed.pack) + timed;
}

void hash_packed_validate(const struct entry *hash) {
    struct packed packed = packed_of(hash);
    check(pack_validate(packed.pack));
    check(pack_count(packed.pack) % packed.width == 0);
    int64_t earliest_ms = NEVER;
    char scratch[NUM_I64_SIZE];
    for (pack_at at = pack_first(packed.pack); at != 0; at = next_field(&packed, at)) {
        check(find_any(&packed, pack_text(packed.pack, at, scratch)) == at);
        int64_t deadline_ms = field_deadline(&packed, at);
        earliest_ms = deadline_ms < earliest_ms ? deadline_ms : earliest_ms;
        if (packed.timed != NULL) {
            struct pack_item item;
            pack_get(packed.pack, deadline_at(&packed, at), &item);
            check(item.is_integer && item.integer >= 0);
        }
    }
    check(packed.timed == NULL || packed.timed->earliest_ms == earliest_ms);
}
