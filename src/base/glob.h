/* glob: matching with * ? [a-z] [^a] and \ escapes, as KEYS, SCAN, CONFIG GET and PSUBSCRIBE use
 * it. Iterative: it keeps one point to come back to (the last star), so its time is bounded by
 * pattern size times text size and its stack is constant. */
#ifndef LARDER_BASE_GLOB_H
#define LARDER_BASE_GLOB_H

#include <stdbool.h>

#include "base/bytes.h"

/* Whether the whole text matches. `fold` compares ASCII letters without case. */
bool glob_match(struct bytes pattern, struct bytes text, bool fold);

/* How many bytes it begins with that stand for themselves: what does not begin with these does not
 * match, unless letters fold. */
size_t glob_literal_size(struct bytes pattern);

/* Whether the pattern is "*" (or several stars), which everything matches. */
bool glob_matches_all(struct bytes pattern);

#endif
