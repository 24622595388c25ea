/* Tests of command/sort_order: random items of all kinds of keys against a sort by plain
 * insertion, in arrays from empty to what is sorted by bytes. */
#include "command/sort_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define ITEMS_MAX 700

static char texts[ITEMS_MAX][16];

static struct bytes text_of(void *context, uint64_t index, char *scratch) {
    (void)context;
    (void)scratch;
    return bytes_text(texts[index]);
}

/* What is expected, by the definition: key, then text, then place. */
static bool is_before(const struct sort_item *a, const struct sort_item *b, bool by_text) {
    if (a->key != b->key) {
        return a->key < b->key;
    }
    int order = by_text ? strcmp(texts[a->index], texts[b->index]) : 0;
    return order != 0 ? order < 0 : a->index < b->index;
}

static void test_random_items(void **state) {
    (void)state;
    static struct sort_item items[ITEMS_MAX];
    static struct sort_item others[ITEMS_MAX];
    static const uint64_t spreads[] = {1, 3, 300, 70000, UINT64_MAX};
    struct random random;
    random_init(&random, 3);
    for (unsigned round = 0; round < 300; round++) {
        size_t count = round < 140 ? round : random_below(&random, ITEMS_MAX);
        uint64_t spread = spreads[round % 5];
        bool by_text = round % 3 > 0;
        for (size_t i = 0; i < count; i++) {
            items[i] = (struct sort_item){random_below(&random, spread) << (round % 7), i};
            snprintf(texts[i], sizeof texts[i], "%u", (unsigned)random_below(&random, 100));
        }
        const struct sort_item *sorted =
            sort_order(items, others, count, by_text ? text_of : NULL, NULL);
        assert_true(sorted == items || sorted == others);
        static bool seen[ITEMS_MAX];
        memset(seen, 0, sizeof seen);
        for (size_t i = 0; i < count; i++) {
            assert_true(sorted[i].index < count && !seen[sorted[i].index]);
            seen[sorted[i].index] = true;
            assert_true(i == 0 || is_before(&sorted[i - 1], &sorted[i], by_text));
        }
    }
}

static void test_keys(void **state) {
    (void)state;
    static const double numbers[] = {-INFINITY, -1e308, -2, -1.5, -1e-308, 0,
                                     1e-308,    1,      2,  1e17, 1e308,   INFINITY};
    for (size_t i = 1; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_true(sort_key_of_number(numbers[i - 1]) < sort_key_of_number(numbers[i]));
    }
    assert_true(sort_key_of_number(-0.0) == sort_key_of_number(0.0));
    static const char *const words[] = {"", "\x01", "a", "a\x01", "ab", "abcdefgh", "b", "\xff"};
    for (size_t i = 1; i < sizeof words / sizeof words[0]; i++) {
        assert_true(sort_key_of_text(bytes_text(words[i - 1]), 0) <
                    sort_key_of_text(bytes_text(words[i]), 0));
    }
    assert_true(sort_key_of_text(bytes_text("xxab"), 2) == sort_key_of_text(bytes_text("ab"), 0));
    assert_true(sort_key_of_text(bytes_text("x"), 1) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_items),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
