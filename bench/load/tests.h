/* tests: the requests that have a name. */
#ifndef LARDER_LOAD_TESTS_H
#define LARDER_LOAD_TESTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"
#include "load/template.h"

/* Run when none are named. */
#define TESTS_DEFAULT "ping,set,get,incr,mset,hset"

struct test {
    const char *name;
    const char *raw;   /* the bytes of an inline request; NULL: words */
    const char *words; /* with spaces between */
    bool fills; /* stores each key once, in sequence, whatever number of requests is asked for */
};

/* NULL when there is none of that name. */
const struct test *tests_find(struct bytes name);

void tests_print_names(FILE *out);

/* The test's request. Freed with template_free. */
void test_template(const struct test *test, size_t value_size, struct template *template);

#endif
