/* tests: the requests that have a name. */
#ifndef LARDER_LOAD_TESTS_H
#define LARDER_LOAD_TESTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"
#include "load/mix.h"

/* Run when none are named. */
#define TESTS_DEFAULT "ping,set,get,incr,mset,hset"

/* A command that is sent `count` times before a test, with numbers below that in sequence, or drawn
 * evenly. */
struct test_step {
    const char *words; /* NULL behind the last step */
    uint64_t count;    /* 0: as many as the test sends requests */
    bool drawn;
};

struct test {
    const char *name;
    const char *raw;    /* the bytes of an inline request; NULL: words */
    const char *words;  /* with spaces between; of several commands, ` ; ` between them */
    const char *serves; /* of a pair: what the other connection sends; NULL: no pair */
    const char *load;   /* name of the test that stores what this one reads; NULL: none */
    bool fills; /* stores each key once, in sequence, whatever number of requests is asked for */

    /* What this one reads whatever keys are asked for; NULL: nothing. Its steps are taken before
     * the first round, or before each one. */
    const struct test_step *data;
    bool anew;
    bool pops;        /* takes away what the steps bring, so it runs by number, never by time */
    uint64_t numbers; /* that it draws from; 0: as many as there are keys */
};

/* NULL when there is none of that name. */
const struct test *tests_find(struct bytes name);

/* Indented, on lines of their own; the last one is not ended. */
void tests_print_names(FILE *out);

/* What the test sends, for a mix that has been initialised and is empty. Freed with mix_free. */
void test_mix(const struct test *test, const struct shape *shape, struct mix *mix);

/* The same of words with spaces between. */
void test_words(const char *words, const struct shape *shape, struct mix *mix);

/* Adds to the mix what the text says: `80/20` is reads and writes, GET and SET; otherwise names of
 * tests with weights, `get:80,set:15,del:5`. -1 when it says neither, or names a test that wants
 * data or numbers of its own, or whose request is not one command. */
int tests_read_mix(const char *text, const struct shape *shape, struct mix *mix);

#endif
