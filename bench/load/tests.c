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
/* Between the commands of one request. */
#define COMMAND_END " ; "

#define KEY    "__key__"
#define PAIR   " " KEY " __value__"
#define TEN(x) x x x x x x x x x x

/* ---- what tests read ---- */

#define HUNDRED  100
#define THOUSAND 1000
#define MANY     100000
#define MILLION  1000000

/* Collections of the tests' own begin with `bench:`, and are made anew. Those whose names
 * redis-benchmark has too (mylist ...) are left as they are, and only added to. */
#define LIST      "bench:list"
#define LIST_LONG "bench:list:long"
#define NUMBERS   "bench:list:numbers"
#define SET       "bench:set"
#define SET_ONE   "bench:set:one"
#define SET_TWO   "bench:set:two"
#define HASH      "bench:hash"
#define ZSET      "bench:zset"
#define ZSET_ONE  "bench:zset:one"
#define ZSET_TWO  "bench:zset:two"
#define STREAM    "bench:stream"
#define QUEUE     "bench:queue"
/* Of a thousand of them: the group's number follows. */
#define LISTS   "bench:lists:"
#define SETS    "bench:sets:"
#define HASHES  "bench:hashes:"
#define ZSETS   "bench:zsets:"
#define ELEMENT "element:__rand_int__"
#define MEMBER  "element:__member__"
#define SCORED  " __rand_int__ element:__same__"

/* Numbers come in no order, since ten connections send them. */
static const struct test_step list_data[] = {
    {.words = "DEL " LIST, .count = 1},
    {.words = "RPUSH " LIST " " ELEMENT, .count = THOUSAND},
    {0}};
static const struct test_step list_long_data[] = {
    {.words = "DEL " LIST_LONG, .count = 1},
    {.words = "RPUSH " LIST_LONG " " ELEMENT, .count = MILLION},
    {0}};
static const struct test_step numbers_data[] = {
    {.words = "DEL " NUMBERS, .count = 1},
    {.words = "RPUSH " NUMBERS " __rand_int__", .count = MANY, .drawn = true},
    {0}};
static const struct test_step set_data[] = {
    {.words = "DEL " SET, .count = 1}, {.words = "SADD " SET " " ELEMENT, .count = HUNDRED}, {0}};
/* Half of each is in the other. */
static const struct test_step sets_data[] = {
    {.words = "DEL " SET_ONE " " SET_TWO, .count = 1},
    {.words = "SADD " SET_ONE " " ELEMENT, .count = MANY},
    {.words = "SADD " SET_TWO " " ELEMENT, .count = MANY / 2},
    {.words = "SADD " SET_TWO " another:__rand_int__", .count = MANY / 2},
    {0}};
static const struct test_step hash_data[] = {
    {.words = "DEL " HASH, .count = 1},
    {.words = "HSET " HASH " " ELEMENT " __value__", .count = HUNDRED},
    {0}};
static const struct test_step hashes_data[] = {
    {.words = "DEL " HASHES "__rand_int__", .count = THOUSAND},
    {.words = "HSET " HASHES "__group__ " MEMBER " __value__", .count = MILLION},
    {0}};
static const struct test_step zset_data[] = {
    {.words = "DEL " ZSET, .count = 1}, {.words = "ZADD " ZSET SCORED, .count = MANY}, {0}};
static const struct test_step zsets_data[] = {
    {.words = "DEL " ZSET_ONE " " ZSET_TWO, .count = 1},
    {.words = "ZADD " ZSET_ONE SCORED, .count = MANY},
    {.words = "ZADD " ZSET_TWO SCORED, .count = MANY / 2},
    {.words = "ZADD " ZSET_TWO " __rand_int__ another:__same__", .count = MANY / 2},
    {0}};
static const struct test_step stream_data[] = {
    {.words = "DEL " STREAM, .count = 1},
    {.words = "XADD " STREAM " * field __value__", .count = MANY / 10},
    {0}};
/* What a thousand collections grow by in a round must not be there in the next. */
static const struct test_step no_lists[] = {
    {.words = "DEL " LISTS "__rand_int__", .count = THOUSAND}, {0}};
static const struct test_step no_sets[] = {{.words = "DEL " SETS "__rand_int__", .count = THOUSAND},
                                           {0}};
static const struct test_step no_zsets[] = {
    {.words = "DEL " ZSETS "__rand_int__", .count = THOUSAND}, {0}};
static const struct test_step no_queue[] = {{.words = "DEL " QUEUE, .count = 1}, {0}};
/* As many as will be popped. */
static const struct test_step push_data[] = {{.words = "LPUSH mylist __value__"}, {0}};
static const struct test_step add_data[] = {{.words = "SADD myset " ELEMENT}, {0}};
static const struct test_step score_data[] = {{.words = "ZADD myzset" SCORED}, {0}};

/* ---- the table ---- */

static const struct test tests[] = {
    {.name = "ping", .words = "PING"},
    {.name = "ping_inline", .raw = "PING\r\n"},
    {.name = "set", .words = "SET" PAIR, .load = "fill"},
    {.name = "setex", .words = "SET" PAIR " EX 86400", .load = "fill"},
    {.name = "get", .words = "GET " KEY, .load = "fill"},
    {.name = "incr", .words = "INCR counter:__rand_int__"},
    {.name = "mset", .words = "MSET" TEN(PAIR), .load = "fill"},
    {.name = "mget", .words = "MGET" TEN(" " KEY), .load = "fill"},
    {.name = "exists", .words = "EXISTS " KEY, .load = "fill"},
    {.name = "expire", .words = "EXPIRE " KEY " 86400", .load = "fill"},
    {.name = "del", .words = "DEL " KEY, .load = "fill"},
    {.name = "multi_set", .words = "MULTI" TEN(" ; SET" PAIR) " ; EXEC", .load = "fill"},

    {.name = "hset", .words = "HSET myhash " ELEMENT " __value__", .load = "fill_hash"},
    {.name = "hget", .words = "HGET myhash " ELEMENT, .load = "fill_hash"},
    {.name = "hset_1000",
     .words = "HSET " HASHES "__group__ " MEMBER " __value__",
     .data = hashes_data,
     .numbers = MILLION},
    {.name = "hget_1000",
     .words = "HGET " HASHES "__group__ " MEMBER,
     .data = hashes_data,
     .numbers = MILLION},
    {.name = "hgetall_100", .words = "HGETALL " HASH, .data = hash_data},

    {.name = "lpush", .words = "LPUSH mylist __value__"},
    {.name = "rpush", .words = "RPUSH mylist __value__"},
    {.name = "lpush_1000",
     .words = "LPUSH " LISTS "__rand_int__ __value__",
     .data = no_lists,
     .anew = true,
     .numbers = THOUSAND},
    {.name = "lpop", .words = "LPOP mylist", .data = push_data, .anew = true, .pops = true},
    {.name = "rpop", .words = "RPOP mylist", .data = push_data, .anew = true, .pops = true},
    {.name = "lrange_100", .words = "LRANGE " LIST " 0 99", .data = list_data},
    {.name = "lrange_300", .words = "LRANGE " LIST " 0 299", .data = list_data},
    {.name = "lrange_500", .words = "LRANGE " LIST " 0 499", .data = list_data},
    {.name = "lrange_600", .words = "LRANGE " LIST " 0 599", .data = list_data},
    {.name = "lindex", .words = "LINDEX " LIST_LONG " 500000", .data = list_long_data},
    {.name = "sort", .words = "SORT " NUMBERS, .data = numbers_data},

    {.name = "sadd", .words = "SADD myset " ELEMENT},
    {.name = "sadd_1000",
     .words = "SADD " SETS "__group__ " MEMBER,
     .data = no_sets,
     .anew = true,
     .numbers = MILLION},
    {.name = "spop", .words = "SPOP myset", .data = add_data, .anew = true, .pops = true},
    {.name = "sismember",
     .words = "SISMEMBER " SET_ONE " " ELEMENT,
     .data = sets_data,
     .numbers = MANY},
    {.name = "smembers_100", .words = "SMEMBERS " SET, .data = set_data},
    {.name = "sinter", .words = "SINTER " SET_ONE " " SET_TWO, .data = sets_data},
    {.name = "sunion", .words = "SUNION " SET_ONE " " SET_TWO, .data = sets_data},

    {.name = "zadd", .words = "ZADD myzset __rand_int__ " ELEMENT},
    {.name = "zadd_1000",
     .words = "ZADD " ZSETS "__group__ __rand_int__ " ELEMENT,
     .data = no_zsets,
     .anew = true,
     .numbers = MILLION},
    {.name = "zpopmin", .words = "ZPOPMIN myzset", .data = score_data, .anew = true, .pops = true},
    {.name = "zrank", .words = "ZRANK " ZSET " " ELEMENT, .data = zset_data, .numbers = MANY},
    {.name = "zrange_100", .words = "ZRANGE " ZSET " 50000 50099", .data = zset_data},
    {.name = "zrangebyscore_100",
     .words = "ZRANGE " ZSET " 50000 50099 BYSCORE",
     .data = zset_data},
    {.name = "zunionstore",
     .words = "ZUNIONSTORE bench:zset:union 2 " ZSET_ONE " " ZSET_TWO,
     .data = zsets_data},

    {.name = "xadd", .words = "XADD mystream * field __value__"},
    {.name = "xrange_100", .words = "XRANGE " STREAM " - + COUNT 100", .data = stream_data},

    {.name = "blpop",
     .words = "BLPOP " QUEUE " 0",
     .serves = "LPUSH " QUEUE " __value__",
     .data = no_queue,
     .anew = true},
    {.name = "bzpopmin",
     .words = "BZPOPMIN " QUEUE " 0",
     .serves = "ZADD " QUEUE SCORED,
     .data = no_queue,
     .anew = true,
     /* An element that is there already brings nobody anything: all differ. */
     .numbers = MILLION * (uint64_t)MILLION},

    {.name = "fill", .words = "SET" PAIR, .fills = true},
    {.name = "fill_expiring", .words = "SET" PAIR " EX 86400", .fills = true},
    {.name = "fill_hash", .words = "HSET myhash " ELEMENT " __value__", .fills = true},
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

/* Takes the words of one command off the text; NULL at its end. */
static char *next_command(char **text) {
    char *command = *text;
    if (command == NULL) {
        return NULL;
    }
    char *end = strstr(command, COMMAND_END);
    *text = end == NULL ? NULL : end + strlen(COMMAND_END);
    if (end != NULL) {
        *end = '\0';
    }
    return command;
}

static void add_command(struct template *template, char *text, const struct shape *shape) {
    const char *words[WORDS_MAX];
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        check(count < WORDS_MAX);
        words[count++] = word;
    }
    int status = template->commands == 0 ? template_init(template, words, count, shape)
                                         : template_add(template, words, count, shape);
    check(status == 0);
}

void test_words(const char *words, const struct shape *shape, struct mix *mix) {
    char text[TEXT_MAX];
    check(strlen(words) < sizeof text);
    memcpy(text, words, strlen(words) + 1);
    struct template template = {0};
    char *rest = text;
    for (char *command = next_command(&rest); command != NULL; command = next_command(&rest)) {
        add_command(&template, command, shape);
    }
    int status = mix_add(mix, &template, 1);
    check(status == 0);
}

void test_mix(const struct test *test, const struct shape *shape, struct mix *mix) {
    if (test->raw != NULL) {
        struct template template;
        template_init_raw(&template, test->raw);
        int status = mix_add(mix, &template, 1);
        check(status == 0);
        return;
    }
    test_words(test->words, shape, mix);
    if (test->serves != NULL) {
        test_words(test->serves, shape, mix);
        mix->pairs = true;
    }
}

/* Whether a request of the test stands for itself: one command, and data as of any other. */
static bool can_be_mixed(const struct test *test) {
    return !test->fills && test->serves == NULL && test->numbers == 0 &&
           (test->data == NULL || test->pops) &&
           (test->words == NULL || strstr(test->words, COMMAND_END) == NULL);
}

static int add_to_mix(struct bytes name, struct bytes weight, const struct shape *shape,
                      struct mix *mix) {
    const struct test *test = tests_find(name);
    uint64_t number;
    if (test == NULL || !can_be_mixed(test) || !num_parse_u64(weight, &number) ||
        number > WEIGHT_MAX) {
        return -1;
    }
    if (number == 0) {
        return 0;
    }
    if (mix->count == MIX_MAX) {
        return -1;
    }
    test_mix(test, shape, mix);
    mix_set_weight(mix, number);
    return 0;
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
