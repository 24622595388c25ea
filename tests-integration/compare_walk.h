/* compare_walk: walks with cursors, which must find the same on both servers. */
#ifndef LARDER_TESTS_INTEGRATION_COMPARE_WALK_H
#define LARDER_TESTS_INTEGRATION_COMPARE_WALK_H

#include <stddef.h>

#include "compare.h"

/* Walks to the end on both servers: `head` is the command up to the cursor, `tail` what follows. Of
 * what comes, `group` elements are one (2: pairs of field and value); what comes more than once
 * counts once. Fails the running test when both have not found the same. */
void pair_compare_walks(struct pair *pair, const char *head, const char *tail, size_t group);

#endif
