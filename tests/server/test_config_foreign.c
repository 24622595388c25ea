/* Tests of server/config_foreign: values and errors as redis-server 7.0.15 gives them, and names
 * that a module has taken. */
#include "server/config_foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

static const char *value_of(const struct options *options, const char *name) {
    static struct buffer text;
    int index = options_find(options, bytes_text(name));
    assert_true(index >= 0);
    buffer_clear(&text);
    options_print(options, index, &text);
    return buffer_text(&text);
}

/* NULL when the change was made, otherwise the error. */
static const char *change(struct options *options, const char *name, const char *value) {
    const struct bytes pair[] = {bytes_text(name), bytes_text(value)};
    const char *error = NULL;
    int which;
    return options_change(options, pair, 1, false, &which, &error) == 0 ? NULL : error;
}

static void test_defaults(void **state) {
    (void)state;
    struct options *options = options_new();
    struct foreign *foreign = foreign_new(options);
    assert_string_equal(value_of(options, "appendonly"), "no");
    assert_string_equal(value_of(options, "appendfsync"), "everysec");
    assert_string_equal(value_of(options, "cluster-slave-no-failover"), "no");
    assert_string_equal(value_of(options, "auto-aof-rewrite-min-size"), "67108864");
    assert_string_equal(value_of(options, "cluster-slave-validity-factor"), "10");
    assert_string_equal(value_of(options, "oom-score-adj-values"), "0 200 800");
    assert_string_equal(value_of(options, "proc-title-template"),
                        "{title} {listen-addr} {server-mode}");
    assert_string_equal(value_of(options, "bio_cpulist"), "");
    for (int i = 0; i < options_count(options); i++) {
        assert_true(options_is_default(options, i));
        assert_true(foreign_has(foreign, options_row(options, i)));
    }
    options_free(options);
    foreign_free(foreign);
}

static void test_changes(void **state) {
    (void)state;
    static const char range[] = "argument must be between 0 and 100 inclusive";
    static const char scores[] =
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    static const char aof[] = "appendonly is not supported: no log of writes is kept, and data is "
                              "lost when the server ends";
    static const char tls[] =
        "tls-port is not supported: this program was built without TLS, so that nobody could "
        "connect there. Set it to 0, and put a proxy that speaks TLS before the server";
    static const struct {
        const char *name;
        const char *value;
        const char *error; /* NULL: the change is made */
        const char *then;  /* the value afterwards */
    } cases[] = {
        {"appendonly", "yes", aof, "no"},
        {"appendonly", "maybe", "argument must be 'yes' or 'no'", "no"},
        {"appendonly", "no", NULL, "no"},
        {"tls-port", "6380", tls, "0"},
        {"cluster-compatibility-sample-ratio", "101", range, "0"},
        {"cluster-compatibility-sample-ratio", "100", NULL, "100"},
        {"cluster-enabled", "yes", "can't set immutable config", "no"},
        {"oom-score-adj-values", "1 2 3", NULL, "1 2 3"},
        {"oom-score-adj-values", "-2001 1 1", scores, "1 2 3"},
        {"oom-score-adj-values", "a b c", scores, "1 2 3"},
        {"oom-score-adj-values", "1 2", "wrong number of arguments", "1 2 3"},
        {"oom-score-adj-values", "1 2 3 4", "wrong number of arguments", "1 2 3"},
    };
    struct options *options = options_new();
    struct foreign *foreign = foreign_new(options);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *error = change(options, cases[i].name, cases[i].value);
        if (cases[i].error == NULL) {
            assert_null(error);
        } else {
            assert_non_null(error);
            assert_string_equal(error, cases[i].error);
        }
        assert_string_equal(value_of(options, cases[i].name), cases[i].then);
    }
    options_free(options);
    foreign_free(foreign);
}

static void test_lines(void **state) {
    (void)state;
    struct options *options = options_new();
    struct foreign *foreign = foreign_new(options);
    assert_true(foreign_is_line(bytes_text("LoadModule")));
    assert_true(foreign_is_line(bytes_text("search-timeout")));
    assert_false(foreign_is_line(bytes_text("sentinel")));
    assert_non_null(foreign_line_refusal(bytes_text("sentinel")));
    assert_null(foreign_line_refusal(bytes_text("loadmodule")));
    assert_non_null(foreign_line_warning(bytes_text("LoadModule")));
    assert_null(foreign_line_warning(bytes_text("aclfile")));
    options_free(options);
    foreign_free(foreign);
}

/* A module that has made one of the names its own. */
struct own {
    int64_t entries;
};

static void test_names_that_are_taken_are_left_out(void **state) {
    (void)state;
    static const struct option rows[] = {
        {.name = "cluster-replica-validity-factor",
         .kind = OPTION_KIND_INT,
         .offset = offsetof(struct own, entries),
         .initial = "7",
         .most = 100,
         .description = "Own."},
    };
    size_t used = mem_used();
    struct own own;
    struct options *options = options_new();
    options_register(options, rows, 1, &own, &own);
    options_alias(options, "cluster-slave-validity-factor", "cluster-replica-validity-factor");
    struct foreign *foreign = foreign_new(options);
    assert_string_equal(value_of(options, "cluster-slave-validity-factor"), "7");
    assert_false(foreign_has(foreign, options_row(options, 0)));
    assert_string_equal(value_of(options, "cluster-slave-no-failover"), "no");
    options_free(options);
    foreign_free(foreign);
    foreign_free(NULL);
    assert_int_equal(mem_used(), used);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_names_that_are_taken_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
