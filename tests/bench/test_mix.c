/* Tests of bench/load/template, mix and tests: the bytes of requests, the shapes of keys, values of
 * varying size, and the shares of a mix. */
#include "load/mix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "load/tests.h"

static const struct shape plain = {.key_prefix = "key:", .key_digits = 12, .sizes = {.least = 3}};

static void sequence(struct keys *keys, uint64_t first, uint64_t count) {
    struct keys_plan plan = {.order = KEYS_SEQUENCE, .count = count};
    keys_init(keys, &plan, 0, 1);
    keys->next = first;
}

static void assert_bytes(const struct buffer *buffer, const char *text) {
    assert_int_equal(buffer->size, strlen(text));
    assert_memory_equal(buffer->at, text, buffer->size);
}

static void test_word_forms(void **state) {
    (void)state;
    static const char *const words[] = {"SET", "__key__", "__value__", "a__rand_int__b"};
    struct template template;
    struct keys keys;
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    sequence(&keys, 987654321098, 1000000000000);
    assert_int_equal(template_init(&template, words, 4, &plain), 0);
    assert_false(template.varies);
    template_append(&template, &out, &keys, &plain.sizes);
    assert_bytes(&out, "*4\r\n$3\r\nSET\r\n$16\r\nkey:987654321098\r\n$3\r\nxxx\r\n"
                       "$14\r\na987654321099b\r\n");
    template_free(&template);
    buffer_clear(&out);
}

static void test_key_shapes(void **state) {
    (void)state;
    static const struct {
        struct shape shape;
        const char *request;
    } rows[] = {
        {{.key_prefix = "k", .key_digits = 1}, "*1\r\n$2\r\nk7\r\n"},
        {{.key_prefix = "", .key_digits = 3}, "*1\r\n$3\r\n007\r\n"},
        {{.key_prefix = "user:", .key_digits = 12, .key_zeros = 3},
         "*1\r\n$20\r\nuser:000000000000007\r\n"},
    };
    static const char *const words[] = {"__key__"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct template template;
        struct keys keys;
        struct buffer out;
        buffer_init(&out, MEM_OTHER);
        sequence(&keys, 7, 10);
        assert_int_equal(template_init(&template, words, 1, &rows[i].shape), 0);
        template_append(&template, &out, &keys, &plain.sizes);
        assert_bytes(&out, rows[i].request);
        template_free(&template);
        buffer_clear(&out);
    }
}

/* Copies that lie ready carry new numbers, of any width, each time. */
static void test_renewed(void **state) {
    (void)state;
    static const char *const words[] = {"__key__"};
    struct shape shape = {.key_prefix = "", .key_digits = 5};
    struct template template;
    struct mix mix;
    struct keys keys;
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    mix_init(&mix, &shape.sizes);
    assert_int_equal(template_init(&template, words, 1, &shape), 0);
    assert_int_equal(mix_add(&mix, &template, 1), 0);
    assert_true(mix_is_uniform(&mix));
    sequence(&keys, 99998, 100000);
    uint64_t ready = mix_renew(&mix, &out, 0, 1, &keys);
    assert_int_equal(ready, 1);
    assert_bytes(&out, "*1\r\n$5\r\n99998\r\n");
    ready = mix_renew(&mix, &out, ready, 3, &keys);
    assert_int_equal(ready, 3);
    assert_bytes(&out, "*1\r\n$5\r\n99999\r\n*1\r\n$5\r\n00000\r\n*1\r\n$5\r\n00001\r\n");
    ready = mix_renew(&mix, &out, ready, 2, &keys);
    assert_int_equal(ready, 3);
    assert_bytes(&out, "*1\r\n$5\r\n00002\r\n*1\r\n$5\r\n00003\r\n");
    ready = mix_renew(&mix, &out, ready, 3, &keys);
    assert_bytes(&out, "*1\r\n$5\r\n00004\r\n*1\r\n$5\r\n00005\r\n*1\r\n$5\r\n00006\r\n");
    mix_free(&mix);
    buffer_clear(&out);
}

/* Numbers of every length, in places of every width that has room for them. */
static void test_digits(void **state) {
    (void)state;
    static const char *const words[] = {"__key__"};
    struct random random;
    random_init(&random, 1);
    for (int digits = 1; digits <= TEMPLATE_DIGITS; digits++) {
        struct shape shape = {.key_prefix = "", .key_digits = digits};
        struct template template;
        uint64_t count = 1;
        for (int i = 0; i < digits; i++) {
            count *= 10;
        }
        assert_int_equal(template_init(&template, words, 1, &shape), 0);
        for (int i = 0; i < 5000; i++) {
            struct keys keys;
            struct buffer out;
            char wanted[64];
            uint64_t number = i < 2000 ? (uint64_t)i % count : random_below(&random, count);
            sequence(&keys, number, i % 2 == 0 ? count : number + 1);
            buffer_init(&out, MEM_OTHER);
            template_append(&template, &out, &keys, &shape.sizes);
            snprintf(wanted, sizeof wanted, "*1\r\n$%d\r\n%0*llu\r\n", digits, digits,
                     (unsigned long long)number);
            assert_bytes(&out, wanted);
            buffer_clear(&out);
        }
        template_free(&template);
    }
}

static void test_varying_values(void **state) {
    (void)state;
    static const char *const words[] = {"SET", "__key__", "__value__"};
    struct shape shape = plain;
    struct template template;
    struct keys keys;
    assert_true(sizes_parse(&shape.sizes, "9-11"));
    assert_int_equal(template_init(&template, words, 3, &shape), 0);
    assert_true(template.varies);
    sequence(&keys, 0, 1);
    bool seen[3] = {false};
    for (int i = 0; i < 100; i++) {
        struct buffer out;
        char wanted[128];
        buffer_init(&out, MEM_OTHER);
        template_append(&template, &out, &keys, &shape.sizes);
        const char *head = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$";
        int size = atoi(buffer_text(&out) + strlen(head));
        assert_in_range(size, 9, 11);
        seen[size - 9] = true;
        snprintf(wanted, sizeof wanted, "%s%d\r\n%.*s\r\n", head, size, size, "xxxxxxxxxxx");
        assert_bytes(&out, wanted);
        buffer_clear(&out);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    template_free(&template);
}

static void test_too_many_places(void **state) {
    (void)state;
    size_t before = mem_used();
    const char *words[TEMPLATE_PLACES_MAX + 1];
    for (int i = 0; i <= TEMPLATE_PLACES_MAX; i++) {
        words[i] = "__key__";
    }
    struct template template;
    assert_int_equal(template_init(&template, words, TEMPLATE_PLACES_MAX + 1, &plain), -1);
    assert_int_equal(mem_used(), before);
    assert_int_equal(template_init(&template, words, TEMPLATE_PLACES_MAX, &plain), 0);
    template_free(&template);
}

static void test_shares(void **state) {
    (void)state;
    enum { DRAWS = 100000 };
    struct mix mix;
    struct keys keys;
    struct buffer out;
    int sets = 0;
    mix_init(&mix, &plain.sizes);
    assert_int_equal(tests_read_mix("80/20", &plain, &mix), 0);
    assert_false(mix_is_uniform(&mix));
    sequence(&keys, 0, 1);
    buffer_init(&out, MEM_OTHER);
    for (int i = 0; i < DRAWS; i++) {
        out.size = 0;
        mix_append(&mix, &out, &keys);
        sets += out.at[1] == '3';
    }
    assert_true(fabs(sets - DRAWS * 0.2) < 5 * sqrt(DRAWS * 0.2 * 0.8));
    buffer_clear(&out);
    mix_free(&mix);
}

static void test_mix_texts(void **state) {
    (void)state;
    static const char *const good[] = {
        "100/0",          "0/1",          "get:1", "get:80,set:15,del:5", "GET:1,mget:2",
        "lpush:1,lpop:1", "sadd:3,spop:2"};
    static const char *const bad[] = {
        "",        "0/0",     "80",          "80/",         "/20",           "a/b",    "-1/2",
        "get",     "get:",    "get:x",       "nosuch:1",    "get:0",         "fill:1", "get:1,,",
        "80/20/5", "blpop:1", "multi_set:1", "hset_1000:1", "get:1,sinter:1"};
    size_t before = mem_used();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct mix mix;
        mix_init(&mix, &plain.sizes);
        assert_int_equal(tests_read_mix(good[i], &plain, &mix), 0);
        mix_free(&mix);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mix mix;
        mix_init(&mix, &plain.sizes);
        if (tests_read_mix(bad[i], &plain, &mix) == 0) {
            fail_msg("%s was taken", bad[i]);
        }
        mix_free(&mix);
    }
    assert_int_equal(mem_used(), before);
}

/* Numbers that belong together: a group and its member, a number again; words of other lengths than
 * what they become. */
static void test_numbers_made_of_others(void **state) {
    (void)state;
    static const char *const words[] = {"a__group__b", "__member__", "x__same__",
                                        "__rand_int____same__"};
    struct template template;
    struct keys keys;
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    sequence(&keys, 7654321, 1000000000000);
    assert_int_equal(template_init(&template, words, 4, &plain), 0);
    template_append(&template, &out, &keys, &plain.sizes);
    assert_bytes(&out, "*4\r\n$14\r\na000000007654b\r\n$12\r\n000000000321\r\n"
                       "$13\r\nx000007654321\r\n$24\r\n000007654322000007654322\r\n");
    template_free(&template);
    buffer_clear(&out);
}

/* A request of several commands is one template, and awaits as many replies. */
static void test_commands(void **state) {
    (void)state;
    struct mix mix;
    struct keys keys;
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    mix_init(&mix, &plain.sizes);
    sequence(&keys, 5, 10);
    test_words("MULTI ; SET __key__ __value__ ; EXEC", &plain, &mix);
    assert_true(mix_is_uniform(&mix));
    assert_int_equal(mix_replies(&mix), 3);
    mix_append(&mix, &out, &keys);
    assert_bytes(&out, "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000005\r\n"
                       "$3\r\nxxx\r\n*1\r\n$4\r\nEXEC\r\n");
    mix_free(&mix);
    buffer_clear(&out);
}

static void test_pairs(void **state) {
    (void)state;
    const struct test *test = tests_find(bytes_text("blpop"));
    struct mix mix;
    struct keys keys;
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    mix_init(&mix, &plain.sizes);
    sequence(&keys, 0, 10);
    test_mix(test, &plain, &mix);
    assert_true(mix.pairs);
    assert_false(mix_is_uniform(&mix));
    assert_int_equal(mix_replies(&mix), 1);
    mix_append_half(&mix, true, &out, &keys);
    assert_bytes(&out, "*3\r\n$5\r\nBLPOP\r\n$11\r\nbench:queue\r\n$1\r\n0\r\n");
    out.size = 0;
    mix_append_half(&mix, false, &out, &keys);
    assert_bytes(&out, "*3\r\n$5\r\nLPUSH\r\n$11\r\nbench:queue\r\n$3\r\nxxx\r\n");
    mix_free(&mix);
    buffer_clear(&out);
}

/* Every name of the list is a test whose request and data can be made. */
static void test_all_names(void **state) {
    (void)state;
    size_t before = mem_used();
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    tests_print_names(out);
    fclose(out);
    int count = 0;
    char *rest = NULL;
    for (char *name = strtok_r(text, " \n", &rest); name != NULL;
         name = strtok_r(NULL, " \n", &rest)) {
        const struct test *test = tests_find(bytes_text(name));
        assert_non_null(test);
        struct mix mix;
        mix_init(&mix, &plain.sizes);
        test_mix(test, &plain, &mix);
        assert_int_equal(mix.count, test->serves != NULL ? 2 : 1);
        mix_free(&mix);
        /* Only what is popped is stored as often as it is asked for. */
        for (const struct test_step *step = test->data; step != NULL && step->words != NULL;
             step++) {
            assert_true(step->count > 0 || test->pops);
            mix_init(&mix, &plain.sizes);
            test_words(step->words, &plain, &mix);
            mix_free(&mix);
        }
        assert_true(test->load == NULL || tests_find(bytes_text(test->load))->fills);
        count++;
    }
    assert_true(count > 40);
    free(text);
    assert_int_equal(mem_used(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_word_forms),
        cmocka_unit_test(test_key_shapes),
        cmocka_unit_test(test_renewed),
        cmocka_unit_test(test_varying_values),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_too_many_places),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_mix_texts),
        cmocka_unit_test(test_numbers_made_of_others),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_all_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
