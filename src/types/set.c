/* set: chooses between the encodings, and holds the two compact ones, which are little more than
 * their structure. */
#include "types/set.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "types/set_int.h"

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct set_options, __VA_ARGS__)
    SET_OPTIONS(ROW)
#undef ROW
};

void set_register_options(struct options *registry, struct set_options *fields) {
    options_register(registry, rows, sizeof rows / sizeof rows[0], fields, fields);
}

static inline bool is_table(const struct entry *set) {
    return entry_encoding(set) == ENTRY_TABLE;
}

static inline bool is_integers(const struct entry *set) {
    return entry_encoding(set) == ENTRY_INTEGERS;
}

static inline bool parse(struct bytes member, int64_t *value) {
    return member.size <= NUM_I64_SIZE && num_parse_i64(member, value);
}

/* ---- making and converting ---- */

struct entry_shape set_new_shape(const struct set_options *limits, struct bytes first,
                                 size_t count) {
    struct entry_shape shape = {.type = ENTRY_SET};
    int64_t value;
    if ((int64_t)count <= limits->integers_max && parse(first, &value)) {
        shape.encoding = ENTRY_INTEGERS;
        shape.word = (uintptr_t)integers_new();
    } else if ((int64_t)count <= limits->pack_entries_max &&
               (int64_t)first.size <= limits->pack_value_max) {
        shape.encoding = ENTRY_PACK;
        shape.word = (uintptr_t)packmap_new(1);
    } else {
        shape.encoding = ENTRY_TABLE;
        shape.word = (uintptr_t)set_table_new();
    }
    return shape;
}

static void free_value(enum entry_encoding encoding, void *value) {
    switch (encoding) {
    case ENTRY_INTEGERS:
        integers_free(value);
        break;
    case ENTRY_PACK:
        packmap_free(value);
        break;
    default:
        set_table_free(value);
    }
}

void set_discard(const struct entry_shape *shape) {
    free_value(shape->encoding, (void *)(uintptr_t)shape->word);
}

void set_free(struct entry *set) {
    free_value(entry_encoding(set), entry_pointer(set));
}

/* Makes a pack of integers. */
static void become_pack(struct entry *set) {
    struct integers *integers = entry_pointer(set);
    struct packmap *pack = packmap_new(1);
    for (size_t i = 0; i < integers->count; i++) {
        struct packmap_item item = packmap_of_integer(integers_at(integers, i));
        pack = packmap_append(pack, &item);
    }
    integers_free(integers);
    set_become(set, ENTRY_PACK, pack);
}

/* ---- reading and changing ---- */

const char *set_encoding_name(const struct entry *set) {
    if (is_table(set)) {
        return "hashtable";
    }
    return is_integers(set) ? "intset" : "listpack";
}

size_t set_size(const struct entry *set) {
    if (is_table(set)) {
        return dict_size(&set_table_of(set)->dict);
    }
    const struct integers *integers = entry_pointer(set);
    return is_integers(set) ? integers->count : packmap_count(entry_pointer(set));
}

bool set_has(const struct entry *set, struct bytes member, uint64_t hash) {
    if (is_table(set)) {
        return dict_find(&set_table_of(set)->dict, hash, member.at, member.size) != NULL;
    }
    if (is_integers(set)) {
        int64_t value;
        size_t index;
        return parse(member, &value) && integers_find(entry_pointer(set), value, &index);
    }
    return packmap_find_hashed(entry_pointer(set), member, hash) != 0;
}

/* Adds to a compact set what is not in it. 0, -ENOMEM, or -E2BIG when it has to become a table. */
static int add_to_pack(struct entry *set, const struct set_options *limits, struct bytes member) {
    struct packmap *pack = entry_pointer(set);
    if ((int64_t)packmap_count(pack) >= limits->pack_entries_max ||
        (int64_t)member.size > limits->pack_value_max || !packmap_fits(pack, member.size)) {
        return -E2BIG;
    }
    struct packmap_item item = packmap_of_text(member);
    entry_set_pointer(set, packmap_append(pack, &item));
    return 0;
}

static int add_integer(struct entry *set, const struct set_options *limits, int64_t value,
                       size_t index) {
    struct integers *integers = entry_pointer(set);
    if ((int64_t)integers->count >= limits->integers_max ||
        integers_size_with(integers, value) > SET_INTEGERS_SIZE_MAX) {
        return -E2BIG;
    }
    integers = integers_try_insert(integers, index, value);
    if (integers == NULL) {
        return -ENOMEM;
    }
    entry_set_pointer(set, integers);
    return 0;
}

/* Adds to integers what is none. */
static int add_text(struct entry *set, const struct set_options *limits, struct bytes member) {
    const struct integers *integers = entry_pointer(set);
    size_t count = integers->count;
    int64_t longest = 0;
    if (count > 0) {
        int64_t first = (int64_t)num_digits_i64(integers_at(integers, 0));
        int64_t last = (int64_t)num_digits_i64(integers_at(integers, count - 1));
        longest = first > last ? first : last;
    }
    if ((int64_t)count >= limits->pack_entries_max || longest > limits->pack_value_max ||
        (int64_t)member.size > limits->pack_value_max ||
        integers_size(integers) * 2 > PACKMAP_SIZE_MAX) {
        return -E2BIG;
    }
    become_pack(set);
    return add_to_pack(set, limits, member);
}

static int add_as_table(struct entry *set, struct bytes member, uint64_t hash) {
    if (set_become_table(set) != 0) {
        return -ENOMEM;
    }
    return set_table_add_new(set_table_of(set), member, hash);
}

int set_add(struct entry *set, const struct set_options *limits, struct bytes member,
            uint64_t hash) {
    if (is_table(set)) {
        return set_table_add(set, member, hash);
    }
    int64_t value;
    size_t index;
    int result;
    if (!is_integers(set)) {
        if (packmap_find_hashed(entry_pointer(set), member, hash) != 0) {
            return 0;
        }
        result = add_to_pack(set, limits, member);
    } else if (!parse(member, &value)) {
        result = add_text(set, limits, member);
    } else {
        if (integers_find(entry_pointer(set), value, &index)) {
            return 0;
        }
        result = add_integer(set, limits, value, index);
    }
    if (result == -E2BIG) {
        result = add_as_table(set, member, hash);
    }
    return result == 0 ? 1 : result;
}

int set_add_new(struct entry *set, const struct set_options *limits, struct bytes member,
                uint64_t hash) {
    if (is_table(set)) {
        return set_table_add_new(set_table_of(set), member, hash);
    }
    if (is_integers(set)) {
        int result = set_add(set, limits, member, hash);
        return result > 0 ? 0 : result;
    }
    int result = add_to_pack(set, limits, member);
    return result == -E2BIG ? add_as_table(set, member, hash) : result;
}

bool set_remove(struct entry *set, struct bytes member, uint64_t hash) {
    if (is_table(set)) {
        return set_table_remove(set, member, hash);
    }
    if (is_integers(set)) {
        int64_t value;
        size_t index;
        if (!parse(member, &value) || !integers_find(entry_pointer(set), value, &index)) {
            return false;
        }
        entry_set_pointer(set, integers_remove(entry_pointer(set), index, 1));
        return true;
    }
    packmap_at at = packmap_find_hashed(entry_pointer(set), member, hash);
    if (at == 0) {
        return false;
    }
    entry_set_pointer(set, packmap_remove(entry_pointer(set), &at, 1));
    return true;
}

/* ---- visiting ---- */

uint64_t set_scan(const struct entry *set, uint64_t cursor, set_visit_fn visit, void *context) {
    if (is_table(set)) {
        return set_table_scan(set, cursor, visit, context);
    }
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            visit(context, batch.members[i]);
        }
    }
    return 0;
}

/* Asks for the entries of the table that come next. */
static void look_ahead(struct set_walk *walk) {
    walk->ahead_count =
        dict_walk(&set_table_of(walk->set)->dict, &walk->walk, walk->ahead, SET_BATCH);
    for (size_t i = 0; i < walk->ahead_count; i++) {
        __builtin_prefetch(walk->ahead[i]);
    }
}

void set_walk_begin(struct set_walk *walk, const struct entry *set) {
    walk->set = set;
    walk->index = 0;
    walk->at = 0;
    walk->ahead_count = 0;
    if (is_table(set)) {
        walk->walk = (struct dict_walk){0};
        look_ahead(walk);
    } else if (!is_integers(set)) {
        walk->at = packmap_first(entry_pointer(set));
    }
}

bool set_walk_next(struct set_walk *walk, struct set_batch *batch) {
    const struct entry *set = walk->set;
    size_t count = 0;
    if (is_table(set)) {
        for (; count < walk->ahead_count; count++) {
            batch->members[count] = entry_key(walk->ahead[count]);
        }
        look_ahead(walk);
    } else if (is_integers(set)) {
        const struct integers *integers = entry_pointer(set);
        for (; count < SET_BATCH && walk->index < integers->count; count++) {
            char *digits = batch->scratch[count];
            int64_t value = integers_at(integers, walk->index++);
            batch->members[count] = bytes_of(digits, num_format_i64(digits, value));
        }
    } else {
        const struct packmap *pack = entry_pointer(set);
        for (; count < SET_BATCH && walk->at != 0; count++) {
            batch->members[count] = packmap_text(pack, walk->at, 0, batch->scratch[count]);
            walk->at = packmap_next(pack, walk->at);
        }
    }
    batch->count = count;
    return count > 0;
}

void set_batch_hash(struct set_batch *batch) {
    uint64_t seed = hash_seed();
    for (size_t i = 0; i < batch->count; i++) {
        batch->hashes[i] = hash_bytes(seed, batch->members[i].at, batch->members[i].size);
    }
}

/* The first two steps of a find in a dict, each for the whole batch: what one waits for, all have
 * asked for. */
void set_batch_prefetch(const struct set_batch *batch, const struct entry *set) {
    if (!is_table(set)) {
        return;
    }
    const struct dict *dict = &set_table_of(set)->dict;
    for (size_t i = 0; i < batch->count; i++) {
        dict_prefetch_bucket(dict, batch->hashes[i]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        dict_prefetch_entry(dict, batch->hashes[i]);
    }
}

void set_batch_keep(struct set_batch *batch, const struct entry *set, bool those_it_has) {
    set_batch_prefetch(batch, set);
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (set_has(set, batch->members[i], batch->hashes[i]) == those_it_has) {
            batch->members[kept] = batch->members[i];
            batch->hashes[kept++] = batch->hashes[i];
        }
    }
    batch->count = kept;
}

/* ---- at random ---- */

/* Member `index` of a compact set. */
static struct bytes member_at(const struct entry *set, size_t index, char *scratch) {
    if (is_integers(set)) {
        return bytes_of(scratch, num_format_i64(scratch, integers_at(entry_pointer(set), index)));
    }
    const struct packmap *pack = entry_pointer(set);
    return packmap_text(pack, packmap_seek(pack, (int64_t)index), 0, scratch);
}

void set_random(const struct entry *set, struct random *random, size_t count, set_visit_fn visit,
                void *context) {
    if (is_table(set)) {
        set_table_random(set, random, count, visit, context);
        return;
    }
    char scratch[NUM_I64_SIZE];
    for (size_t i = 0; i < count; i++) {
        visit(context, member_at(set, random_below(random, set_size(set)), scratch));
    }
}

/* Whether the next of those that are left is one of the wanted: drawn so that every choice of
 * so many is equally likely (Knuth's algorithm S). */
static bool select_next(struct random *random, size_t *wanted, size_t *left) {
    bool selected = random_below(random, *left) < *wanted;
    *wanted -= selected;
    --*left;
    return selected;
}

void set_random_distinct(const struct entry *set, struct random *random, size_t count,
                         set_visit_fn visit, void *context) {
    if (is_table(set)) {
        set_table_random_distinct(set, random, count, visit, context);
        return;
    }
    size_t left = set_size(set);
    size_t wanted = count < left ? count : left;
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (wanted > 0 && set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            if (select_next(random, &wanted, &left)) {
                visit(context, batch.members[i]);
            }
        }
    }
}

static void pop_one(struct entry *set, size_t index, set_visit_fn visit, void *context) {
    char scratch[NUM_I64_SIZE];
    visit(context, member_at(set, index, scratch));
    if (is_integers(set)) {
        entry_set_pointer(set, integers_remove(entry_pointer(set), index, 1));
    } else {
        packmap_at at = packmap_seek(entry_pointer(set), (int64_t)index);
        entry_set_pointer(set, packmap_remove(entry_pointer(set), &at, 1));
    }
}

struct popping {
    struct random *random;
    size_t wanted;
    size_t left;
    set_visit_fn visit;
    void *context;
};

static bool stays(void *context, int64_t value) {
    struct popping *popping = context;
    if (!select_next(popping->random, &popping->wanted, &popping->left)) {
        return true;
    }
    char scratch[NUM_I64_SIZE];
    popping->visit(popping->context, bytes_of(scratch, num_format_i64(scratch, value)));
    return false;
}

/* A pack without what is popped, made anew: one walk, however many they are. */
static void pop_of_pack(struct entry *set, struct popping *popping) {
    struct packmap *pack = entry_pointer(set);
    struct packmap *rest = packmap_new(1);
    for (packmap_at at = packmap_first(pack); at != 0; at = packmap_next(pack, at)) {
        if (select_next(popping->random, &popping->wanted, &popping->left)) {
            char scratch[NUM_I64_SIZE];
            popping->visit(popping->context, packmap_text(pack, at, 0, scratch));
        } else {
            struct packmap_item item;
            packmap_get(pack, at, 0, &item);
            rest = packmap_append(rest, &item);
        }
    }
    packmap_free(pack);
    entry_set_pointer(set, rest);
}

void set_pop(struct entry *set, struct random *random, size_t count, set_visit_fn visit,
             void *context) {
    size_t size = set_size(set);
    if (is_table(set)) {
        set_table_pop(set, random, count, visit, context);
        return;
    }
    if (count == 1) {
        pop_one(set, random_below(random, size), visit, context);
        return;
    }
    struct popping popping = {
        .random = random, .wanted = count, .left = size, .visit = visit, .context = context};
    if (is_integers(set)) {
        entry_set_pointer(set, integers_filter(entry_pointer(set), stays, &popping));
    } else {
        pop_of_pack(set, &popping);
    }
}

/* ---- what is asked of every value ---- */

int set_copy(const struct entry *set, struct entry_shape *copy) {
    *copy = (struct entry_shape){.type = ENTRY_SET, .encoding = entry_encoding(set)};
    if (is_table(set)) {
        return set_table_copy(set, copy);
    }
    copy->word = is_integers(set) ? (uintptr_t)integers_try_copy(entry_pointer(set))
                                  : (uintptr_t)packmap_copy(entry_pointer(set));
    return copy->word == 0 ? -ENOMEM : 0;
}

size_t set_free_cost(const struct entry *set) {
    return is_table(set) ? set_size(set) : 1;
}

void set_settle(struct entry *set, uint32_t *cursor, struct sparse_tally *tally) {
    if (is_table(set)) {
        set_table_settle(set, cursor, tally);
        return;
    }
    *cursor = 0;
    if (is_integers(set)) {
        entry_set_pointer(set, integers_settle(entry_pointer(set), tally));
    } else {
        entry_set_pointer(set, packmap_settle(entry_pointer(set), tally));
    }
}

size_t set_footprint(const struct entry *set, size_t samples) {
    if (is_table(set)) {
        return set_table_footprint(set, samples);
    }
    return is_integers(set) ? integers_footprint(entry_pointer(set))
                            : packmap_footprint(entry_pointer(set));
}

void set_validate(const struct entry *set) {
    check(entry_type(set) == ENTRY_SET);
    if (is_table(set)) {
        set_table_validate(set);
    } else if (is_integers(set)) {
        integers_validate(entry_pointer(set));
        check(integers_size(entry_pointer(set)) <= SET_INTEGERS_SIZE_MAX);
    } else {
        const struct packmap *pack = entry_pointer(set);
        check(packmap_width(pack) == 1 && packmap_validate(pack, packmap_size(pack)));
        for (packmap_at at = packmap_first(pack); at != 0; at = packmap_next(pack, at)) {
            char scratch[NUM_I64_SIZE];
            check(packmap_find(pack, packmap_text(pack, at, 0, scratch)) == at);
        }
    }
}
