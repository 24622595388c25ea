/* set_table: a large set as a dict of entries without a value. */
#include "types/set_int.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "types/elements.h"

struct set_table *set_table_new(void) {
    struct set_table *table = mem_alloc(MEM_DATA, sizeof *table);
    dict_init(&table->dict, MEM_TABLE, false);
    return table;
}

void set_table_free(struct set_table *table) {
    elements_free_some(&table->dict, entry_free, SIZE_MAX);
    dict_clear(&table->dict);
    mem_free(MEM_DATA, table, sizeof *table);
}

int set_table_add_new(struct set_table *table, struct bytes member, uint64_t hash) {
    struct entry *e = entry_try_new(
        member, &(struct entry_shape){.type = ENTRY_ELEMENT, .encoding = ENTRY_NOTHING});
    if (e == NULL) {
        return -ENOMEM;
    }
    dict_insert(&table->dict, hash, e);
    return 0;
}

int set_table_add(struct entry *set, struct bytes member, uint64_t hash) {
    struct set_table *table = set_table_of(set);
    if (dict_find(&table->dict, hash, member.at, member.size) != NULL) {
        return 0;
    }
    int result = set_table_add_new(table, member, hash);
    return result == 0 ? 1 : result;
}

bool set_table_remove(struct entry *set, struct bytes member, uint64_t hash) {
    struct dict *dict = &set_table_of(set)->dict;
    uint64_t *slot = dict_find(dict, hash, member.at, member.size);
    if (slot == NULL) {
        return false;
    }
    dict_changing(dict, dict_slot_entry(*slot));
    entry_free(dict_remove(dict, hash, slot));
    return true;
}

/* A table of what a walk gives, which is there once. NULL when there is no memory. */
static struct set_table *table_of(const struct entry *set) {
    struct set_table *table = set_table_new();
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        set_batch_hash(&batch);
        for (size_t i = 0; i < batch.count; i++) {
            if (set_table_add_new(table, batch.members[i], batch.hashes[i]) != 0) {
                set_table_free(table);
                return NULL;
            }
        }
    }
    return table;
}

int set_become_table(struct entry *set) {
    struct set_table *table = table_of(set);
    if (table == NULL) {
        return -ENOMEM;
    }
    set_free(set);
    set_become(set, ENTRY_TABLE, table);
    return 0;
}

int set_table_copy(const struct entry *set, struct entry_shape *copy) {
    copy->word = (uintptr_t)table_of(set);
    return copy->word == 0 ? -ENOMEM : 0;
}

struct visiting {
    set_visit_fn visit;
    void *context;
};

static void visit_element(void *context, struct entry *e) {
    const struct visiting *visiting = context;
    visiting->visit(visiting->context, entry_key(e));
}

static void visit_drawn(void *context, const struct entry *e) {
    const struct visiting *visiting = context;
    visiting->visit(visiting->context, entry_key(e));
}

uint64_t set_table_scan(const struct entry *set, uint64_t cursor, set_visit_fn visit,
                        void *context) {
    struct visiting visiting = {.visit = visit, .context = context};
    return dict_scan(&set_table_of(set)->dict, cursor, visit_element, &visiting);
}

void set_table_random(const struct entry *set, struct random *random, size_t count,
                      set_visit_fn visit, void *context) {
    struct visiting visiting = {.visit = visit, .context = context};
    const struct dict *dict = &set_table_of(set)->dict;
    for (size_t i = 0; i < count; i++) {
        visit_element(&visiting, dict_random(dict, random));
    }
}

void set_table_random_distinct(const struct entry *set, struct random *random, size_t count,
                               set_visit_fn visit, void *context) {
    struct visiting visiting = {.visit = visit, .context = context};
    const struct dict *dict = &set_table_of(set)->dict;
    const struct elements_draw draw = {.dict = dict,
                                       .random = random,
                                       .count = dict_size(dict),
                                       .visit = visit_drawn,
                                       .context = &visiting};
    elements_random_distinct(&draw, count);
}

void set_table_pop(struct entry *set, struct random *random, size_t count, set_visit_fn visit,
                   void *context) {
    struct dict *dict = &set_table_of(set)->dict;
    for (size_t i = 0; i < count; i++) {
        struct entry *e = dict_random(dict, random);
        uint64_t hash = dict_hash(dict, entry_key(e));
        dict_changing(dict, e);
        visit(context, entry_key(e));
        entry_free(dict_remove(dict, hash, dict_find_entry(dict, hash, e)));
    }
}

static void element_moved(void *context, struct entry *old, struct entry *e) {
    (void)context;
    (void)old;
    (void)e;
}

/* The table's own struct is moved with the first portion. */
void set_table_settle(struct entry *set, uint32_t *cursor, struct sparse_tally *tally) {
    struct set_table *table = set_table_of(set);
    if (*cursor == 0 && table->dict.watch == NULL) {
        table = sparse_settle(table, sizeof *table, tally);
        entry_set_pointer(set, table);
    }
    uint64_t *slots[SPARSE_BATCH_MAX];
    size_t count = dict_slots(&table->dict, cursor, slots, SPARSE_BATCH_MAX, tally);
    dict_settle(slots, count, &(struct dict_mover){.moved = element_moved}, tally);
}

size_t set_table_footprint(const struct entry *set, size_t samples) {
    const struct set_table *table = set_table_of(set);
    return mem_class(sizeof *table) + dict_footprint(&table->dict) +
           elements_footprint(&table->dict, samples, entry_footprint);
}

void set_table_validate(const struct entry *set) {
    const struct dict *dict = &set_table_of(set)->dict;
    dict_validate(dict);
    struct dict_walk walk = {0};
    struct entry *e;
    while (dict_walk(dict, &walk, &e, 1) > 0) {
        struct bytes member = entry_key(e);
        check(entry_type(e) == ENTRY_ELEMENT && entry_encoding(e) == ENTRY_NOTHING);
        check(!(e->flags & ENTRY_HAS_DEADLINE));
        uint64_t *slot = dict_find(dict, dict_hash(dict, member), member.at, member.size);
        check(slot != NULL && dict_slot_entry(*slot) == e);
    }
}
