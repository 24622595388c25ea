/* saving: the options of the file. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "call/context.h"
#include "persist/saving.h"
#include "persist/saving_points.h"

static int set(struct context *context, const char *name, const char *value, const char **error) {
    struct bytes word = bytes_text(value);
    return options_set(context->options, bytes_text(name), &word, 1, error);
}

static void test_the_file_has_a_name_and_no_path(void **state) {
    (void)state;
    struct clock clock = {0};
    struct context context = {.options = options_new(), .clock = &clock};
    struct saving *saving = saving_new(&context);
    const char *error = NULL;
    assert_string_equal(saving_file_name(saving), "dump.rdb");
    assert_int_equal(set(&context, "dbfilename", "cache.rdb", &error), 0);
    assert_string_equal(saving_file_name(saving), "cache.rdb");
    char longest[NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[NAME_MAX + 1] = '\0';
    const char *const wrong[] = {"", "a/b", "/dump.rdb", longest};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(set(&context, "dbfilename", wrong[i], &error), -EINVAL);
        assert_string_equal(error, "dbfilename can't be a path, just a filename");
        assert_string_equal(saving_file_name(saving), "cache.rdb");
    }
    longest[NAME_MAX] = '\0';
    assert_int_equal(set(&context, "dbfilename", longest, &error), 0);
    assert_string_equal(saving_file_name(saving), longest);
    options_free(context.options);
    saving_free(saving);
}

static bool read(struct saving_points *points, const char *first, const char *second) {
    const struct bytes words[] = {bytes_text(first), bytes_text(second == NULL ? "" : second)};
    return saving_points_read(points, words, second == NULL ? 1 : 2);
}

static void test_points(void **state) {
    (void)state;
    struct saving_points points = {0};
    assert_true(read(&points, "900", "1"));
    assert_true(read(&points, "900 1", "300 10"));
    static const char *const wrong[] = {"900", "900 1 5", "0 1",   "900 -1",
                                        "a 1", "900  1",  "900 1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(read(&points, wrong[i], NULL));
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    saving_points_print(&points, &text);
    assert_string_equal(buffer_text(&text), "900 1 300 10");
    buffer_clear(&text);
    assert_null(saving_points_due(&points, 300, 1000));
    assert_int_equal(saving_points_due(&points, 301, 10)->seconds, 300);
    assert_null(saving_points_due(&points, 900, 9));
    assert_int_equal(saving_points_due(&points, 901, 9)->seconds, 900);
    assert_null(saving_points_due(&points, 901, 0));
    assert_true(read(&points, "", NULL));
    assert_int_equal(points.count, 0);
    assert_null(saving_points_due(&points, 100000, 100000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_has_a_name_and_no_path),
        cmocka_unit_test(test_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
