/* uniform: whether what was drawn at random was drawn evenly: Pearson's chi-square test of counts,
 * at 0.1 % on either side. A test gives its generator a fixed seed, so that what passes once passes
 * always. */
#ifndef LARDER_TESTS_SUPPORT_UNIFORM_H
#define LARDER_TESTS_SUPPORT_UNIFORM_H

#include <stddef.h>

/* Draws for each element that a test of this kind makes. */
#define UNIFORM_DRAWS 200

/* Asserts that `counts` of `size` elements, 2 or more, look like draws with equal chances.
 * `at_once`: how many different elements each draw gave; 1 when they were drawn one by one. */
void assert_uniform(const unsigned *counts, size_t size, size_t at_once);

#endif
