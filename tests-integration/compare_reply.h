/* compare_reply: whether two replies, as they came over the wire, say the same. */
#ifndef LARDER_TESTS_INTEGRATION_COMPARE_REPLY_H
#define LARDER_TESTS_INTEGRATION_COMPARE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

enum compare_how {
    COMPARE_EXACT, /* byte for byte */
    COMPARE_SET,   /* the elements in any order: what a table or the keyspace lists */
    COMPARE_PAIRS, /* pairs of elements in any order */
    COMPARE_NEAR,  /* positive integers differ by less than COMPARE_NEAR_MAX: times that remain */
    COMPARE_SHAPE, /* kinds, counts and errors alike, contents not: what chance or time decides */
    COMPARE_KIND,  /* the kind of the whole, and errors: what each server counts for itself */
};

/* Milliseconds, or more than enough seconds: deadlines are 200 seconds apart (generate.h). */
#define COMPARE_NEAR_MAX 20000

/* The size of the whole reply that begins at `at`; 0 when it has not arrived whole, `size` bytes
 * being there. Fails the running test when it is no reply. */
size_t reply_size(const char *at, size_t size);

/* Of two whole replies. */
bool replies_match(enum compare_how how, const char *ours, size_t our_size, const char *theirs,
                   size_t their_size);

#endif
