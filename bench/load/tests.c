/* tests: the table. Names and requests are those of redis-benchmark where it has the same. */
#include "load/tests.h"

#include <string.h>

#include "base/check.h"

#define WORDS_MAX 64
#define TEXT_MAX  1024

#define KEY    "key:__rand_int__"
#define PAIR   " " KEY " __value__"
#define TEN(x) x x x x x x x x x x

static const struct test tests[] = {
    {.name = "ping", .words = "PING"},
    {.name = "ping_inline", .raw = "PING\r\n"},
    {.name = "set", .words = "SET" PAIR},
    {.name = "setex", .words = "SET" PAIR " EX 86400"},
    {.name = "get", .words = "GET " KEY},
    {.name = "incr", .words = "INCR counter:__rand_int__"},
    {.name = "mset", .words = "MSET" TEN(PAIR)},
    {.name = "mget", .words = "MGET" TEN(" " KEY)},
    {.name = "hset", .words = "HSET myhash element:__rand_int__ __value__"},
    {.name = "hget", .words = "HGET myhash element:__rand_int__"},
    {.name = "exists", .words = "EXISTS " KEY},
    {.name = "expire", .words = "EXPIRE " KEY " 86400"},
    {.name = "del", .words = "DEL " KEY},
    {.name = "fill", .words = "SET" PAIR, .fills = true},
    {.name = "fill_expiring", .words = "SET" PAIR " EX 86400", .fills = true},
};
static const size_t test_count = sizeof tests / sizeof tests[0];

const struct test *tests_find(struct bytes name) {
    for (size_t i = 0; i < test_count; i++) {
        if (bytes_is(name, tests[i].name)) {
            return &tests[i];
        }
    }
    return NULL;
}

void tests_print_names(FILE *out) {
    for (size_t i = 0; i < test_count; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : " ", tests[i].name);
    }
}

void test_template(const struct test *test, size_t value_size, struct template *template) {
    if (test->raw != NULL) {
        template_init_raw(template, test->raw);
        return;
    }
    char text[TEXT_MAX];
    check(strlen(test->words) < sizeof text);
    memcpy(text, test->words, strlen(test->words) + 1);
    const char *words[WORDS_MAX];
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        check(count < WORDS_MAX);
        words[count++] = word;
    }
    int status = template_init(template, words, count, value_size);
    check(status == 0);
}
