/* tests: the table. Names and requests are those of redis-benchmark where it has the same. A server
 * that does not know a command answers so, and the run ends with that. */
#include "load/tests.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"

#define WORDS_MAX  64
#define TEXT_MAX   1024
#define WEIGHT_MAX 1000000
/* Of a list of names. */
#define COLUMNS_MAX 80

#define KEY    "__key__"
#define PAIR   " " KEY " __value__"
#define TEN(x) x x x x x x x x x x

static const struct test tests[] = {
    {.name = "ping", .words = "PING"},
    {.name = "ping_inline", .raw = "PING\r\n"},
    {.name = "set", .words = "SET" PAIR, .load = "fill"},
    {.name = "setex", .words = "SET" PAIR " EX 86400", .load = "fill"},
    {.name = "get", .words = "GET " KEY, .load = "fill"},
    {.name = "incr", .words = "INCR counter:__rand_int__"},
    {.name = "mset", .words = "MSET" TEN(PAIR), .load = "fill"},
    {.name = "mget", .words = "MGET" TEN(" " KEY), .load = "fill"},
    {.name = "hset", .words = "HSET myhash element:__rand_int__ __value__", .load = "fill_hash"},
    {.name = "hget", .words = "HGET myhash element:__rand_int__", .load = "fill_hash"},
    {.name = "lpush", .words = "LPUSH mylist __value__"},
    {.name = "rpush", .words = "RPUSH mylist __value__"},
    {.name = "lpop", .words = "LPOP mylist"},
    {.name = "rpop", .words = "RPOP mylist"},
    {.name = "lrange_100", .words = "LRANGE mylist 0 99"},
    {.name = "sadd", .words = "SADD myset element:__rand_int__"},
    {.name = "spop", .words = "SPOP myset"},
    {.name = "zadd", .words = "ZADD myzset __rand_int__ element:__rand_int__"},
    {.name = "zpopmin", .words = "ZPOPMIN myzset"},
    {.name = "exists", .words = "EXISTS " KEY, .load = "fill"},
    {.name = "expire", .words = "EXPIRE " KEY " 86400", .load = "fill"},
    {.name = "del", .words = "DEL " KEY, .load = "fill"},
    {.name = "fill", .words = "SET" PAIR, .fills = true},
    {.name = "fill_expiring", .words = "SET" PAIR " EX 86400", .fills = true},
    {.name = "fill_hash", .words = "HSET myhash element:__rand_int__ __value__", .fills = true},
};
static const size_t test_count = sizeof tests / sizeof tests[0];

const struct test *tests_find(struct bytes name) {
    /* The names that redis-benchmark prints. */
    if (bytes_is(name, "ping_mbulk")) {
        name = bytes_text("ping");
    }
    for (size_t i = 0; i < test_count; i++) {
        if (bytes_is(name, tests[i].name)) {
            return &tests[i];
        }
    }
    return NULL;
}

void tests_print_names(FILE *out) {
    size_t column = COLUMNS_MAX;
    for (size_t i = 0; i < test_count; i++) {
        size_t size = strlen(tests[i].name) + 1;
        column += size;
        if (column > COLUMNS_MAX) {
            fputs("\n ", out);
            column = 1 + size;
        }
        fprintf(out, " %s", tests[i].name);
    }
}

void test_template(const struct test *test, const struct shape *shape, struct template *template) {
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
    int status = template_init(template, words, count, shape);
    check(status == 0);
}

static int add_to_mix(struct bytes name, struct bytes weight, const struct shape *shape,
                      struct mix *mix) {
    const struct test *test = tests_find(name);
    uint64_t number;
    if (test == NULL || test->fills || !num_parse_u64(weight, &number) || number > WEIGHT_MAX) {
        return -1;
    }
    if (number == 0) {
        return 0;
    }
    struct template template;
    test_template(test, shape, &template);
    int status = mix_add(mix, &template, number);
    if (status != 0) {
        template_free(&template);
    }
    return status;
}

int tests_read_mix(const char *text, const struct shape *shape, struct mix *mix) {
    const char *slash = strchr(text, '/');
    int status = 0;
    if (slash != NULL) {
        struct bytes reads = bytes_of(text, (size_t)(slash - text));
        status = add_to_mix(bytes_text("get"), reads, shape, mix);
        if (status == 0) {
            status = add_to_mix(bytes_text("set"), bytes_text(slash + 1), shape, mix);
        }
    } else {
        while (status == 0 && *text != '\0') {
            size_t size = strcspn(text, ",");
            size_t name_size = strcspn(text, ":,");
            size_t weight_at = name_size < size ? name_size + 1 : size;
            status = add_to_mix(bytes_of(text, name_size),
                                bytes_of(text + weight_at, size - weight_at), shape, mix);
            text += size;
            text += *text == ',';
        }
    }
    return status == 0 && mix->count > 0 ? 0 : -1;
}
