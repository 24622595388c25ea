/* compare_table: the differences from the reference that are meant to be, with their reasons. */
#ifndef LARDER_TESTS_INTEGRATION_COMPARE_TABLE_H
#define LARDER_TESTS_INTEGRATION_COMPARE_TABLE_H

#include "generate.h"

/* From now on OBJECT ENCODING may say listpack where the reference has a hashtable: for programs
 * that test sets. Elsewhere it would hide mistakes. */
void allow_packed_sets(void);

/* The reason why this command may be answered so by us and so by the reference (canonical texts,
 * wire.h); NULL when it may not. */
const char *intended_difference(const struct words *command, const char *ours, const char *theirs);

#endif
