/* Tests of http/metric_names: the table is in order, without doubles, and named as Prometheus wants
 * it. */
#include "http/metric_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text);
    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static void test_table(void **state) {
    (void)state;
    const struct metric_name *row;
    const struct metric_name *before = NULL;
    for (size_t i = 0; (row = metric_name_at(i)) != NULL; i++) {
        assert_true(before == NULL || strcmp(before->field, row->field) < 0);
        assert_ptr_equal(metric_name_of(bytes_text(row->field)), row);
        assert_true(row->unit > 0);
        assert_true(row->name[0] == '\0' || strncmp(row->name, "redis_", 6) == 0 ||
                    strncmp(row->name, "larder_", 7) == 0);
        assert_int_equal(ends_with(row->name, "_total"), row->type == METRIC_TYPE_COUNTER);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(row->name));
        for (size_t j = 0; j < i; j++) {
            assert_true(row->name[0] == '\0' || strcmp(metric_name_at(j)->name, row->name) != 0);
        }
        before = row;
    }
    assert_non_null(before);
}

static void test_unknown(void **state) {
    (void)state;
    static const char *const fields[] = {"", "a", "used_memor", "used_memoryx", "zzz"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        assert_null(metric_name_of(bytes_text(fields[i])));
    }
    assert_string_equal(metric_name_of(bytes_text("used_memory"))->name, "redis_memory_used_bytes");
    assert_string_equal(metric_name_of(bytes_text("keyspace_hits"))->name,
                        "redis_keyspace_hits_total");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
