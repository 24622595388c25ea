/* tests: the requests that have a name. */
#ifndef LARDER_LOAD_TESTS_H
#define LARDER_LOAD_TESTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"
#include "load/mix.h"

/* Run when none are named. */
#define TESTS_DEFAULT "ping,set,get,incr,mset,hset"

struct test {
    const char *name;
    const char *raw;   /* the bytes of an inline request; NULL: words */
    const char *words; /* with spaces between */
    const char *load;  /* name of the test that stores what this one reads; NULL: none */
    bool fills; /* stores each key once, in sequence, whatever number of requests is asked for */
};

/* NULL when there is none of that name. */
const struct test *tests_find(struct bytes name);

/* Indented, on lines of their own; the last one is not ended. */
void tests_print_names(FILE *out);

/* The test's request. Freed with template_free. */
void test_template(const struct test *test, const struct shape *shape, struct template *template);

/* Adds to the mix what the text says: `80/20` is reads and writes, GET and SET; otherwise names of
 * tests with weights, `get:80,set:15,del:5`. -1 when it says neither. */
int tests_read_mix(const char *text, const struct shape *shape, struct mix *mix);

#endif
