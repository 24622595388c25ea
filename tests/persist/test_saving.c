/* saving: the options of the file. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "call/context.h"
#include "persist/saving.h"

static int set(struct context *context, const char *name, const char *value, const char **error) {
    struct bytes word = bytes_text(value);
    return options_set(context->options, bytes_text(name), &word, 1, error);
}

static void test_the_file_has_a_name_and_no_path(void **state) {
    (void)state;
    struct context context = {.options = options_new()};
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_has_a_name_and_no_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
