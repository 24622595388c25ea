/* Tests of base/option. Error texts were compared with those of redis-server 7.0. */
#include "base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "base/words.h"

static const struct option_choice levels[] = {{"low", 1}, {"lowest", 1}, {"high", 5}, {NULL, 0}};

/* A custom option: a list of numbers below 100, with a fault to be switched on. */
#define LIST_MAX 8

struct sample;
static bool list_set(void *module, const struct bytes *words, int count, const char **error);
static void list_get(void *module, struct buffer *out);
static void list_rewrite(void *module, struct buffer *out);
static bool apply_number(void *module, const char **error);
static bool apply_text(void *module, const char **error);
static bool apply_list(void *module, const char **error);

static const struct option_custom list = {.set = list_set, .get = list_get};
static const struct option_custom rewritten_list = {
    .set = list_set, .get = list_get, .rewrite = list_rewrite};

#define SAMPLE_OPTIONS(X)                                                                          \
    X(BOOL, flag, "flag", "yes", 0, 0, NULL, 0, NULL, "A switch.")                                 \
    X(INT, number, "number", "10", 1, 500, NULL, 0, apply_number, "A number.")                     \
    X(INT, other, "other-number", "-3", -5, INT64_MAX, NULL, 0, apply_number, "Another.")          \
    X(OCTAL, mode, "mode", "700", 0, 0777, NULL, 0, NULL, "Permissions.")                          \
    X(MEMORY, size, "size", "1mb", 0, INT64_MAX, NULL, 0, NULL, "Bytes.")                          \
    X(MEMORY, share, "share", "0", 0, INT64_MAX, NULL, OPTION_PERCENT, NULL, "Bytes or part.")     \
    X(TEXT, text, "text", "", 0, 0, NULL, 0, apply_text, "Any text.")                              \
    X(TEXT, words, "words", "a b", 0, 0, NULL, OPTION_REPEATS, NULL, "Any words.")                 \
    X(CHOICE, level, "level", "high", 0, 0, levels, 0, NULL, "A level.")                           \
    X(CUSTOM, list, "list", "1 2", 0, 0, &list, OPTION_REPEATS, apply_list, "A list.")             \
    X(INT, fixed, "fixed", "1", 0, 9, NULL, OPTION_IMMUTABLE, NULL, "Start-up only.")              \
    X(INT, guarded, "guarded", "1", 0, 9, NULL, OPTION_PROTECTED, NULL, "By permission.")

struct sample {
    SAMPLE_OPTIONS(OPTION_FIELD)
    int64_t items[LIST_MAX];
    int item_count;
    int sets;           /* calls of list_set */
    int number_applied; /* calls of apply_number, and what they saw last */
    int64_t number_seen;
    int text_applied;
    int list_applied;
    bool refuse_text;
};

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct sample, __VA_ARGS__)
    SAMPLE_OPTIONS(ROW)
#undef ROW
};

static bool list_set(void *module, const struct bytes *words, int count, const char **error) {
    struct sample *sample = module;
    int64_t items[LIST_MAX];
    assert_true(count >= 1);
    sample->sets++;
    if (count == 1 && words[0].size == 0) {
        sample->item_count = 0;
        return true;
    }
    for (int i = 0; i < count; i++) {
        if (i == LIST_MAX || !num_parse_i64(words[i], &items[i]) || items[i] > 99) {
            *error = "Invalid list";
            return false;
        }
    }
    memcpy(sample->items, items, (size_t)count * sizeof items[0]);
    sample->item_count = count;
    return true;
}

static void list_get(void *module, struct buffer *out) {
    struct sample *sample = module;
    for (int i = 0; i < sample->item_count; i++) {
        buffer_printf(out, "%s%d", i == 0 ? "" : " ", (int)sample->items[i]);
    }
}

static void list_rewrite(void *module, struct buffer *out) {
    struct sample *sample = module;
    for (int i = 0; i < sample->item_count; i++) {
        buffer_printf(out, "rewritten %d\n", (int)sample->items[i]);
    }
}

static bool apply_number(void *module, const char **error) {
    (void)error;
    struct sample *sample = module;
    sample->number_applied++;
    sample->number_seen = sample->number;
    return true;
}

static bool apply_text(void *module, const char **error) {
    struct sample *sample = module;
    sample->text_applied++;
    if (sample->refuse_text) {
        *error = "Unable to do it";
        return false;
    }
    return true;
}

static bool apply_list(void *module, const char **error) {
    (void)error;
    ((struct sample *)module)->list_applied++;
    return true;
}

static struct sample sample;
static struct options *options;
static size_t used_before;

static int set_up(void **state) {
    (void)state;
    used_before = mem_used();
    memset(&sample, 0x55, sizeof sample);
    sample.item_count = 0;
    sample.sets = 0;
    sample.number_applied = sample.text_applied = sample.list_applied = 0;
    sample.refuse_text = false;
    options = options_new();
    options_register(options, rows, sizeof rows / sizeof rows[0], &sample, &sample);
    options_alias(options, "old-number", "number");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    options_free(options);
    return mem_used() == used_before ? 0 : -1;
}

/* What CONFIG GET would answer. */
static const char *value_of(const char *name) {
    static char text[600];
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    options_print(options, options_find(options, bytes_text(name)), &out);
    strncpy(text, buffer_text(&out), sizeof text - 1);
    buffer_clear(&out);
    return text;
}

static const char *lines_of(const char *name) {
    static char text[600];
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    options_print_lines(options, options_find(options, bytes_text(name)), &out);
    strncpy(text, buffer_text(&out), sizeof text - 1);
    buffer_clear(&out);
    return text;
}

/* One line of the file: NULL when it is accepted, else the error. */
static const char *line(const char *name, const char *first, const char *second) {
    struct bytes words[2];
    int count = 0;
    if (first != NULL) {
        words[count++] = bytes_text(first);
    }
    if (second != NULL) {
        words[count++] = bytes_text(second);
    }
    const char *error = NULL;
    int status = options_set(options, bytes_text(name), words, count, &error);
    return status == 0 ? NULL : status == -ENOENT ? "unknown" : error;
}

/* CONFIG SET with one pair. */
static const char *change(const char *name, const char *value) {
    struct bytes pair[2] = {bytes_text(name), bytes_text(value)};
    const char *error = NULL;
    int which = -1;
    int status = options_change(options, pair, 1, false, &which, &error);
    if (status == 0) {
        return NULL;
    }
    assert_int_equal(which, 0);
    return error;
}

/* CONFIG SET with several pairs, as one text. */
static int change_many(const char *text, int *which, const char **error) {
    static char scratch[600];
    struct bytes words[40];
    int count = words_split(bytes_text(text), scratch, words, 40);
    assert_true(count > 0 && count % 2 == 0);
    return options_change(options, words, count / 2, false, which, error);
}

static void test_defaults(void **state) {
    (void)state;
    assert_true(sample.flag);
    assert_int_equal(sample.number, 10);
    assert_int_equal(sample.other, -3);
    assert_int_equal(sample.mode, 0700);
    assert_int_equal(sample.size, 1048576);
    assert_int_equal(sample.share, 0);
    assert_string_equal(sample.text, "");
    assert_string_equal(sample.words, "a b");
    assert_int_equal(sample.level, 5);
    assert_int_equal(sample.item_count, 2);
    for (int i = 0; i < options_count(options); i++) {
        assert_true(options_is_default(options, i));
    }
    assert_int_equal(sample.number_applied + sample.text_applied + sample.list_applied, 0);
    assert_string_equal(value_of("flag"), "yes");
    assert_string_equal(value_of("mode"), "700");
    assert_string_equal(value_of("size"), "1048576");
    assert_string_equal(value_of("level"), "high");
    assert_string_equal(value_of("list"), "1 2");
}

static void test_finds(void **state) {
    (void)state;
    assert_int_equal(options_count(options), sizeof rows / sizeof rows[0]);
    assert_int_equal(options_find(options, bytes_text("flag")), 0);
    assert_int_equal(options_find(options, bytes_text("NUMBER")), 1);
    assert_int_equal(options_find(options, bytes_text("Old-Number")), 1);
    assert_int_equal(options_find(options, bytes_text("numbe")), -1);
    assert_int_equal(options_find(options, bytes_text("")), -1);
    assert_ptr_equal(options_row(options, 3), &rows[3]);
    int target = -1;
    assert_string_equal(options_alias_at(options, 0, &target), "old-number");
    assert_int_equal(target, 1);
    assert_null(options_alias_at(options, 1, &target));
    assert_null(options_alias_at(options, -1, &target));
}

static void test_bool(void **state) {
    (void)state;
    assert_null(change("flag", "NO"));
    assert_false(sample.flag);
    assert_null(line("flag", "Yes", NULL));
    assert_true(sample.flag);
    static const char *const bad[] = {"", "1", "true", "ye", "yess", "on"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_string_equal(change("flag", bad[i]), "argument must be 'yes' or 'no'");
    }
    assert_true(sample.flag);
}

static void test_int(void **state) {
    (void)state;
    assert_null(change("number", "500"));
    assert_int_equal(sample.number, 500);
    assert_null(change("other-number", "9223372036854775807"));
    assert_int_equal(sample.other, INT64_MAX);
    assert_string_equal(change("number", "501"), "argument must be between 1 and 500 inclusive");
    assert_string_equal(change("number", "0"), "argument must be between 1 and 500 inclusive");
    assert_string_equal(change("other-number", "-6"),
                        "argument must be between -5 and 9223372036854775807 inclusive");
    static const char *const bad[] = {"", "x", "1k", " 1", "1 ", "+1", "01", "9223372036854775808"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_string_equal(change("number", bad[i]),
                            "argument couldn't be parsed into an integer");
    }
    assert_int_equal(sample.number, 500);
}

static void test_octal(void **state) {
    (void)state;
    assert_null(line("mode", "644", NULL));
    assert_int_equal(sample.mode, 0644);
    assert_string_equal(value_of("mode"), "644");
    assert_null(line("mode", "0755", NULL));
    assert_string_equal(value_of("mode"), "755");
    assert_string_equal(line("mode", "8", NULL), "argument couldn't be parsed as an octal number");
    assert_string_equal(line("mode", "", NULL), "argument couldn't be parsed as an octal number");
    assert_string_equal(line("mode", "777777777777777777777777", NULL),
                        "argument couldn't be parsed as an octal number");
    assert_string_equal(line("mode", "1777", NULL), "argument must be between 0 and 777 inclusive");
    assert_int_equal(sample.mode, 0755);
}

static void test_memory(void **state) {
    (void)state;
    assert_null(change("size", "2GB"));
    assert_int_equal(sample.size, (int64_t)2 << 30);
    assert_string_equal(value_of("size"), "2147483648");
    assert_string_equal(change("size", "-1"), "argument must be a memory value");
    assert_string_equal(change("size", "10%"), "argument must be a memory value");
    assert_string_equal(change("size", "1.5gb"), "argument must be a memory value");
    assert_string_equal(change("size", "9223372036854775808"),
                        "argument must be between 0 and 9223372036854775807 inclusive");
    assert_int_equal(sample.size, (int64_t)2 << 30);
}

static void test_percent(void **state) {
    (void)state;
    assert_null(change("share", "75%"));
    assert_int_equal(sample.share, -75);
    assert_string_equal(value_of("share"), "75%");
    assert_string_equal(lines_of("share"), "share 75%\n");
    assert_null(change("share", "100%"));
    assert_string_equal(change("share", "101%"),
                        "percentage argument must be less or equal to 100");
    assert_string_equal(change("share", "%"), "argument must be a memory or percent value");
    assert_string_equal(change("share", "-1%"), "argument must be a memory or percent value");
    assert_int_equal(sample.share, -100);
    assert_null(change("share", "0%"));
    assert_string_equal(value_of("share"), "0");
    assert_null(change("share", "1k"));
    assert_int_equal(sample.share, 1000);
}

static void test_text(void **state) {
    (void)state;
    assert_null(change("text", "hello \"you\""));
    assert_string_equal(sample.text, "hello \"you\"");
    assert_string_equal(value_of("text"), "hello \"you\"");
    struct bytes pair[2] = {bytes_text("text"), bytes_of("a\0b", 3)};
    const char *error = NULL;
    int which;
    assert_int_equal(options_change(options, pair, 1, false, &which, &error), -EINVAL);
    assert_non_null(error);
    assert_string_equal(sample.text, "hello \"you\"");
    mem_fail_after(2);
    assert_string_equal(change("text", "more"), "out of memory");
    assert_string_equal(sample.text, "hello \"you\"");
    mem_fail_after(1);
    assert_string_equal(change("text", "more"), "out of memory");
    mem_fail_after(0);
    assert_null(change("text", ""));
    assert_true(options_is_default(options, options_find(options, bytes_text("text"))));
}

static void test_choice(void **state) {
    (void)state;
    assert_null(change("level", "LOWEST"));
    assert_int_equal(sample.level, 1);
    assert_string_equal(value_of("level"), "low");
    assert_string_equal(change("level", "middle"),
                        "argument(s) must be one of the following: low, lowest, high");
    assert_string_equal(change("level", ""),
                        "argument(s) must be one of the following: low, lowest, high");
    assert_int_equal(sample.level, 1);
}

static void test_custom(void **state) {
    (void)state;
    assert_null(change("list", "7  8 9"));
    assert_string_equal(value_of("list"), "7 8 9");
    assert_string_equal(change("list", "7 x"), "Invalid list");
    assert_string_equal(change("list", "\"7"), "Unbalanced quotes in configuration line");
    assert_string_equal(value_of("list"), "7 8 9");
    assert_null(change("list", ""));
    assert_string_equal(value_of("list"), "");
    assert_null(change("list", "  "));
    assert_string_equal(value_of("list"), "");
    assert_int_equal(sample.list_applied, 3);
    mem_fail_after(2);
    assert_string_equal(change("list", "5"), "out of memory");
    mem_fail_after(3);
    assert_string_equal(change("list", "5"), "out of memory");
    mem_fail_after(0);
    assert_string_equal(value_of("list"), "");
}

static void test_line_needs_its_words(void **state) {
    (void)state;
    assert_string_equal(line("number", NULL, NULL), "wrong number of arguments");
    assert_string_equal(line("number", "1", "2"), "wrong number of arguments");
    assert_string_equal(line("text", "a", "b"), "wrong number of arguments");
    assert_string_equal(line("list", NULL, NULL), "wrong number of arguments");
    assert_string_equal(line("words", NULL, NULL), "wrong number of arguments");
    assert_string_equal(line("nothing", "1", NULL), "unknown");
    assert_null(line("fixed", "3", NULL));
    assert_int_equal(sample.fixed, 3);
    assert_null(line("guarded", "4", NULL));
    assert_int_equal(sample.guarded, 4);
    assert_null(line("OLD-number", "5", NULL));
    assert_int_equal(sample.number, 5);
    assert_int_equal(sample.number_applied, 0);
}

static void test_lines_add_up(void **state) {
    (void)state;
    assert_null(line("list", "3", "4"));
    assert_string_equal(value_of("list"), "3 4");
    assert_null(line("list", "5", NULL));
    assert_string_equal(value_of("list"), "3 4 5");
    assert_string_equal(line("list", "6", "x"), "Invalid list");
    assert_null(line("list", "7", NULL));
    assert_string_equal(value_of("list"), "3 4 5 7");
    assert_null(line("list", "", NULL));
    assert_string_equal(value_of("list"), "");
    assert_null(line("list", "8", NULL));
    assert_string_equal(value_of("list"), "8");
    assert_null(line("words", "::1", "x\"y"));
    assert_null(line("words", "c", NULL));
    assert_string_equal(sample.words, "::1 x\"y c");
    assert_null(line("words", "", NULL));
    assert_string_equal(sample.words, "");
    assert_null(change("words", "new value"));
    assert_string_equal(sample.words, "new value");
}

static void test_change_refuses_pairs(void **state) {
    (void)state;
    int which;
    const char *error;
    assert_int_equal(change_many("number 5 nothing 1 fixed 2", &which, &error), -ENOENT);
    assert_int_equal(which, 1);
    assert_int_equal(change_many("fixed 5 nothing 1", &which, &error), -EPERM);
    assert_int_equal(which, 0);
    assert_string_equal(error, "can't set immutable config");
    assert_int_equal(change_many("number x guarded 1", &which, &error), -EPERM);
    assert_int_equal(which, 1);
    assert_string_equal(error, "can't set protected config");
    assert_int_equal(change_many("flag no number 5 Number 6 nothing 1", &which, &error), -EEXIST);
    assert_int_equal(which, 2);
    assert_string_equal(error, "duplicate parameter");
    assert_int_equal(change_many("number 5 old-number 6", &which, &error), -EEXIST);
    assert_int_equal(sample.number, 10);
    assert_true(sample.flag);
    struct bytes pair[2] = {bytes_text("guarded"), bytes_text("6")};
    assert_int_equal(options_change(options, pair, 1, true, &which, &error), 0);
    assert_int_equal(sample.guarded, 6);
}

static void test_change_is_all_or_nothing(void **state) {
    (void)state;
    int which;
    const char *error;
    assert_int_equal(
        change_many("flag no text new list '9 9' level low number 0 size 1", &which, &error),
        -EINVAL);
    assert_int_equal(which, 4);
    assert_string_equal(error, "argument must be between 1 and 500 inclusive");
    assert_true(sample.flag);
    assert_string_equal(sample.text, "");
    assert_string_equal(value_of("list"), "1 2");
    assert_int_equal(sample.level, 5);
    assert_int_equal(sample.size, 1048576);
    assert_int_equal(sample.number_applied + sample.text_applied + sample.list_applied, 0);
    for (int i = 0; i < options_count(options); i++) {
        assert_true(options_is_default(options, i));
    }
    assert_int_equal(
        change_many("flag no text new list '9 9' level low number 1 size 1", &which, &error), 0);
    assert_string_equal(value_of("list"), "9 9");
    assert_string_equal(sample.text, "new");
    assert_int_equal(sample.number, 1);
    assert_int_equal(sample.text_applied, 1);
}

static void test_apply_is_called_once(void **state) {
    (void)state;
    int which;
    const char *error;
    assert_int_equal(change_many("number 20 other-number 21", &which, &error), 0);
    assert_int_equal(sample.number_applied, 1);
    assert_int_equal(sample.number_seen, 20);
    assert_null(change("number", "20"));
    assert_null(change("text", ""));
    assert_int_equal(sample.number_applied, 1);
    assert_int_equal(sample.text_applied, 0);
    /* The first does not differ, the second does. */
    assert_int_equal(change_many("number 20 other-number 22", &which, &error), 0);
    assert_int_equal(sample.number_applied, 2);
}

static void test_apply_may_refuse(void **state) {
    (void)state;
    int which;
    const char *error;
    sample.refuse_text = true;
    assert_int_equal(change_many("number 20 text new list 5", &which, &error), -EINVAL);
    assert_int_equal(which, 1);
    assert_string_equal(error, "Unable to do it");
    assert_int_equal(sample.number, 10);
    assert_string_equal(sample.text, "");
    assert_string_equal(value_of("list"), "1 2");
    /* Both were told of the new values and then of the old ones; the list heard nothing. */
    assert_int_equal(sample.number_applied, 2);
    assert_int_equal(sample.number_seen, 10);
    assert_int_equal(sample.text_applied, 2);
    assert_int_equal(sample.list_applied, 0);
}

static void test_lines(void **state) {
    (void)state;
    assert_string_equal(lines_of("flag"), "flag yes\n");
    assert_string_equal(lines_of("number"), "number 10\n");
    assert_string_equal(lines_of("mode"), "mode 700\n");
    assert_string_equal(lines_of("text"), "text \"\"\n");
    assert_string_equal(lines_of("words"), "words a b\n");
    assert_string_equal(lines_of("list"), "list 1 2\n");
    assert_null(change("text", "a b"));
    assert_string_equal(lines_of("text"), "text \"a b\"\n");
    assert_null(change("text", "it's\n\xff\\"));
    assert_string_equal(lines_of("text"), "text \"it's\\n\\xff\\\\\"\n");
    assert_null(change("text", "plain\\#{}"));
    assert_string_equal(lines_of("text"), "text plain\\#{}\n");
    assert_null(change("words", "x \"y z"));
    assert_string_equal(lines_of("words"), "words x \"\\\"y\" z\n");
    assert_null(change("list", ""));
    assert_string_equal(lines_of("list"), "list \"\"\n");
}

static void test_rewrites_itself(void **state) {
    (void)state;
    static const struct option row = {.name = "rewritten",
                                      .kind = OPTION_KIND_CUSTOM,
                                      .offset = offsetof(struct sample, list),
                                      .initial = NULL,
                                      .extra = &rewritten_list};
    int sets = sample.sets;
    options_register(options, &row, 1, &sample, &sample);
    assert_int_equal(sample.sets, sets);
    assert_string_equal(lines_of("rewritten"), "rewritten 1\nrewritten 2\n");
    assert_null(line("rewritten", "4", "5"));
    assert_null(line("rewritten", "6", NULL));
    assert_string_equal(value_of("rewritten"), "6");
}

/* What an option prints for the file it reads back. */
static void test_accepts_what_it_prints(void **state) {
    (void)state;
    assert_null(change("text", "a \"b\" 'c' \\ \x01"));
    assert_null(change("share", "7%"));
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    for (int i = 0; i < options_count(options); i++) {
        out.size = 0;
        options_print_lines(options, i, &out);
        struct bytes words[20];
        int count = words_split(buffer_bytes(&out), out.at, words, 20);
        assert_true(count >= 2);
        char before[600];
        strcpy(before, value_of(options_row(options, i)->name));
        const char *error = NULL;
        assert_int_equal(options_set(options, words[0], words + 1, count - 1, &error), 0);
        assert_string_equal(value_of(options_row(options, i)->name), before);
    }
    buffer_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_int, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_octal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_percent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_choice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_custom, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_line_needs_its_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_change_refuses_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_change_is_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_apply_is_called_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_apply_may_refuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rewrites_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_accepts_what_it_prints, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
