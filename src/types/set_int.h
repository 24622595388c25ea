/* set_int: what the files of the set value share: its three encodings behind one set of functions
 * (set.c), of which the table is in set_table.c. The contracts are those of types/set.h where names
 * match.
 *
 *     ENTRY_INTEGERS  link -> struct integers (ds/integers.h)
 *     ENTRY_PACK      link -> struct packmap of width 1 (ds/packmap.h)
 *     ENTRY_TABLE     link -> struct set_table: dict of ENTRY_ELEMENT entries, ENTRY_NOTHING
 *
 * Invariants (set_validate checks them): a member is there once; what is in an array or a pack is
 * within the sizes that bound these. */
#ifndef LARDER_TYPES_SET_INT_H
#define LARDER_TYPES_SET_INT_H

#include "ds/integers.h"
#include "types/set.h"

static inline struct set_table *set_table_of(const struct entry *set) {
    return entry_pointer(set);
}

/* Changes encoding and link of a set's entry in place: all encodings have a link. */
static inline void set_become(struct entry *set, enum entry_encoding encoding, void *value) {
    set->kind = (uint8_t)(encoding << 4 | ENTRY_SET);
    entry_set_pointer(set, value);
}

struct set_table *set_table_new(void);

/* Makes a table of a set that is compact. 0, or -ENOMEM with nothing changed. */
int set_become_table(struct entry *set);

int set_table_add(struct entry *set, struct bytes member, uint64_t hash);
int set_table_add_new(struct set_table *table, struct bytes member, uint64_t hash);
bool set_table_remove(struct entry *set, struct bytes member, uint64_t hash);
uint64_t set_table_scan(const struct entry *set, uint64_t cursor, set_visit_fn visit,
                        void *context);
void set_table_random(const struct entry *set, struct random *random, size_t count,
                      set_visit_fn visit, void *context);
void set_table_random_distinct(const struct entry *set, struct random *random, size_t count,
                               set_visit_fn visit, void *context);
void set_table_pop(struct entry *set, struct random *random, size_t count, set_visit_fn visit,
                   void *context);
int set_table_copy(const struct entry *set, struct entry_shape *copy);
void set_table_free(struct set_table *table);
void set_table_settle(struct entry *set, uint32_t *cursor, struct sparse_tally *tally);
size_t set_table_footprint(const struct entry *set, size_t samples);
void set_table_validate(const struct entry *set);

#endif
