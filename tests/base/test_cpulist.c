/* Tests of base/cpulist: lists as people write them, good and bad. */
#include "base/cpulist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The members as text, "0 2 4". */
static const char *members(const char *text) {
    static char out[256];
    cpu_set_t set;
    int count = cpulist_parse(text, &set);
    out[0] = '\0';
    if (count < 0) {
        return "bad";
    }
    assert_int_equal(count, CPU_COUNT(&set));
    for (int i = 0; i < count; i++) {
        char one[16];
        snprintf(one, sizeof one, "%s%d", i == 0 ? "" : " ", cpulist_at(&set, i));
        strcat(out, one);
    }
    assert_int_equal(cpulist_at(&set, count), -1);
    return out;
}

static void test_good(void **state) {
    (void)state;
    assert_string_equal(members(""), "");
    assert_string_equal(members("0"), "0");
    assert_string_equal(members("3,1"), "1 3");
    assert_string_equal(members("0-3"), "0 1 2 3");
    assert_string_equal(members("0-7:2"), "0 2 4 6");
    assert_string_equal(members("1-8:3,0,20-21"), "0 1 4 7 20 21");
    assert_string_equal(members("5-5"), "5");
    assert_string_equal(members("1,1,1"), "1");
    assert_string_equal(members("1023"), "1023");
}

static void test_bad(void **state) {
    (void)state;
    static const char *const texts[] = {",",
                                        "1,",
                                        ",1",
                                        "a",
                                        "1-",
                                        "-1",
                                        "3-1",
                                        "1:2",
                                        "1-2:0",
                                        "1-2:",
                                        "1 2",
                                        "1024",
                                        "0-1024",
                                        "99999999999999999999",
                                        "0-3:99999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(members(texts[i]), "bad");
    }
}

static void test_usable(void **state) {
    (void)state;
    cpu_set_t set;
    cpulist_usable(&set);
    assert_true(CPU_COUNT(&set) >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
