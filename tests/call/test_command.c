/* Tests of call/command and call/command_keys: finding names of every length, subcommands,
 * renaming, and which arguments of a call are keys. */
#include "call/command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/mem.h"
#include "call/call.h"

static void nothing(struct call *call) {
    (void)call;
}

#define TEXTS .group = GROUP_GENERIC, .since = "1.0.0", .complexity = "O(1)", .summary = "Does so."

static const struct command_row rows[] = {
    {.name = "get", .fn = nothing, .arity = 2, .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO)}, TEXTS},
    {.name = "set",
     .fn = nothing,
     .arity = -3,
     .flags = COMMAND_WRITE,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS)},
     TEXTS,
     .syntax = "key value [NX|XX]"},
    {.name = "mset", .fn = nothing, .arity = -3, .keys = {KEYS_RANGE(1, -1, 2, 0, KEY_OW)}, TEXTS},
    {.name = "lcs", .fn = nothing, .arity = -3, .keys = {KEYS_RANGE(1, 1, 1, 0, KEY_RO)}, TEXTS},
    {.name = "copy",
     .fn = nothing,
     .arity = -3,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO), KEYS_RANGE(2, 0, 1, 0, KEY_OW)},
     TEXTS},
    {.name = "eval", .fn = nothing, .arity = -3, .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RW)}, TEXTS},
    {.name = "msetex", .fn = nothing, .arity = -4, .keys = {KEYS_COUNT(1, 0, 1, 2, KEY_OW)}, TEXTS},
    {.name = "xread",
     .fn = nothing,
     .arity = -4,
     .keys = {KEYS_BEHIND("STREAMS", 1, -1, 1, 2, KEY_RO)},
     TEXTS},
    {.name = "migrate",
     .fn = nothing,
     .arity = -6,
     .keys = {KEYS_RANGE(3, 0, 1, 0, KEY_RW), KEYS_BEHIND("KEYS", -2, -1, 1, 0, KEY_RW)},
     TEXTS},
    {.name = "publish",
     .fn = nothing,
     .arity = 3,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_NOT_KEY)},
     TEXTS},
    {.name = "bitfield",
     .fn = nothing,
     .arity = -2,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_VARIABLE_FLAGS)},
     TEXTS},
    {.name = "a", .fn = nothing, .arity = 1, TEXTS},
    {.name = "bb", .fn = nothing, .arity = 1, TEXTS},
    {.name = "sort_ro", .fn = nothing, .arity = -2, TEXTS},
    {.name = "flushall", .fn = nothing, .arity = -1, TEXTS},
    {.name = "aaaaaaaaa", .fn = nothing, .arity = 1, TEXTS},
    {.name = "incrbyfloat", .fn = nothing, .arity = 3, TEXTS},
    {.name = "sixteen-letters-", .fn = nothing, .arity = 1, TEXTS},
    {.name = "seventeen-letters", .fn = nothing, .arity = 1, TEXTS},
    {.name = "georadiusbymember_ro", .fn = nothing, .arity = -5, TEXTS},
    {.name = "config", .arity = -2, .group = GROUP_SERVER, .since = "2.0.0", .summary = "Holds."},
    {.name = "config|get", .fn = nothing, .arity = -3, TEXTS},
    {.name = "config|set",
     .fn = nothing,
     .arity = -4,
     .keys = {KEYS_RANGE(2, 0, 1, 0, KEY_RO)},
     TEXTS},
    {.name = "command", .fn = nothing, .arity = -1, TEXTS},
    {.name = "command|count", .fn = nothing, .arity = 2, TEXTS},
};
#define ROWS (sizeof rows / sizeof rows[0])

static int setup(void **state) {
    static const struct command_table table = {rows, ROWS};
    struct commands *commands = commands_new();
    commands_register(commands, &table);
    *state = commands;
    return 0;
}

static int teardown(void **state) {
    commands_free(*state);
    return 0;
}

static struct command *find(struct commands *commands, const char *name) {
    /* In memory that ends with the name, so that a sanitizer sees reads behind it. */
    size_t size = strlen(name);
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, name, size);
    struct command *command = commands_find(commands, bytes_of(copy, size));
    free(copy);
    return command;
}

static void test_every_name_is_found(void **state) {
    struct commands *commands = *state;
    assert_int_equal(commands_count(commands), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        struct command *command = commands_at(commands, (int)i);
        assert_ptr_equal(command->row, &rows[i]);
        assert_int_equal(command->id, (int)i);
        assert_ptr_equal(commands_find_full(commands, bytes_text(rows[i].name)), command);
        if (command->parent != NULL) {
            assert_null(find(commands, rows[i].name));
            continue;
        }
        assert_ptr_equal(find(commands, rows[i].name), command);
        char upper[64];
        size_t size = strlen(rows[i].name);
        for (size_t k = 0; k <= size; k++) {
            char c = rows[i].name[k];
            upper[k] = (char)(c >= 'a' && c <= 'z' && k % 2 == 0 ? c - 32 : c);
        }
        assert_ptr_equal(find(commands, upper), command);
    }
}

static void test_near_misses_are_not_found(void **state) {
    struct commands *commands = *state;
    static const char *const wrong[] = {
        "",
        "g",
        "ge",
        "gett",
        "get ",
        "sort\x7fro",
        "sort\x3fro",
        "SORT_R\x4f ",
        "aaaaaaaa",
        "aaaaaaaaaa",
        "aaaaaaaaaaaaaaaa",
        "incrbyfloau",
        "jncrbyfloat",
        "seventeen+letters",
        "seventeen-letter",
        "georadiusbymembe_ro_",
        "config|get",
        "config|",
        "|",
        "g\xe5t",
        "\xc7\xc5\xd4",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (find(commands, wrong[i]) != NULL) {
            fail_msg("found %s", wrong[i]);
        }
    }
    assert_null(commands_find(commands, bytes_of("get\0", 4)));
    assert_null(commands_find(commands, bytes_of("get\0\0\0\0\0", 8)));
    assert_null(commands_find(commands, bytes_of("\0\0", 2)));
    /* Every byte in place of every byte: only the two cases of a letter are the name. */
    for (int c = 0; c < 256; c++) {
        for (int at = 0; at < 8; at++) {
            char name[9] = "flushall";
            name[at] = (char)c;
            bool same = (c | 32) == "flushall"[at] && ((c >= 'A' && c <= 'Z') || c >= 'a');
            assert_int_equal(commands_find(commands, bytes_of(name, 8)) != NULL, same);
        }
    }
}

static void test_subcommands_are_resolved(void **state) {
    struct commands *commands = *state;
    struct bytes args[3] = {bytes_text("CONFIG"), bytes_text("Get"), bytes_text("x")};
    struct command *config = find(commands, "config");
    struct command *get = commands_resolve(commands, args, 3);
    assert_string_equal(get->name, "config|get");
    assert_ptr_equal(get->parent, config);
    assert_int_equal(config->child_count, 2);
    assert_ptr_equal(commands_resolve(commands, args, 1), config);
    args[1] = bytes_text("nosuch");
    assert_ptr_equal(commands_resolve(commands, args, 2), config);
    args[0] = bytes_text("get");
    assert_ptr_equal(commands_resolve(commands, args, 2), find(commands, "get"));
    args[0] = bytes_text("nosuch");
    assert_null(commands_resolve(commands, args, 2));
    assert_null(commands_resolve(commands, args, 0));
    assert_ptr_equal(commands_find_full(commands, bytes_text("CONFIG|GET")), get);
    assert_null(commands_find_full(commands, bytes_text("config|")));
    assert_null(commands_find_full(commands, bytes_text("get|get")));
    assert_null(commands_find_full(commands, bytes_text("nosuch|get")));
    assert_null(commands_find_full(commands, bytes_of("", 0)));
}

static void test_renaming(void **state) {
    struct commands *commands = *state;
    struct command *get = find(commands, "get");
    assert_int_equal(commands_rename(commands, bytes_text("nosuch"), bytes_text("x")), -ENOENT);
    assert_int_equal(commands_rename(commands, bytes_text("get"), bytes_text("SET")), -EEXIST);
    assert_int_equal(commands_rename(commands, bytes_text("GET"), bytes_text("Fetch")), 0);
    assert_null(find(commands, "get"));
    assert_ptr_equal(find(commands, "FETCH"), get);
    assert_string_equal(get->name, "Fetch");
    assert_int_equal(commands_rename(commands, bytes_text("fetch"), bytes_text("get")), 0);
    assert_ptr_equal(find(commands, "get"), get);

    /* A container goes with its subcommands; the others close up. */
    assert_int_equal(commands_rename(commands, bytes_text("config"), bytes_text("")), 0);
    assert_null(find(commands, "config"));
    assert_null(commands_find_full(commands, bytes_text("config|get")));
    assert_int_equal(commands_count(commands), ROWS - 3);
    for (int i = 0; i < commands_count(commands); i++) {
        struct command *command = commands_at(commands, i);
        assert_int_equal(command->id, i);
        assert_ptr_equal(commands_find_full(commands, bytes_text(command->name)), command);
    }
}

static void test_first_keys(void **state) {
    struct commands *commands = *state;
    assert_int_equal(find(commands, "get")->first_key, 1);
    assert_int_equal(find(commands, "mset")->first_key, 1);
    assert_int_equal(find(commands, "msetex")->first_key, 2);
    /* May be called without keys. */
    assert_int_equal(find(commands, "eval")->first_key, 0);
    assert_int_equal(find(commands, "xread")->first_key, 0);
    assert_int_equal(find(commands, "publish")->first_key, 0);
    assert_int_equal(find(commands, "a")->first_key, 0);
}

/* The keys of a call as text: "1:flags 3:flags", "-1" for arguments that make no sense. */
static void expect_keys(struct commands *commands, const char *line, const char *expected) {
    char words[256];
    struct bytes args[32];
    int argc = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        args[argc++] = bytes_text(word);
    }
    struct command_key keys[32];
    char text[512] = "";
    size_t size = 0;
    int count = command_keys(commands_resolve(commands, args, argc), args, argc, keys, 32);
    if (count < 0) {
        snprintf(text, sizeof text, "%d", count);
    }
    for (int i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%d:%u", i > 0 ? " " : "",
                                 keys[i].index, keys[i].flags);
    }
    assert_string_equal(text, expected);
    /* Without room it counts all the same. */
    assert_int_equal(command_keys(commands_resolve(commands, args, argc), args, argc, NULL, 0),
                     count);
}

static void test_keys_of_calls(void **state) {
    struct commands *commands = *state;
    expect_keys(commands, "a", "");
    expect_keys(commands, "get k", "1:1");
    expect_keys(commands, "mset k v l w", "1:4 3:4");
    expect_keys(commands, "mset k v l", "1:4 3:4");
    expect_keys(commands, "lcs a b LEN", "1:1 2:1");
    expect_keys(commands, "lcs a", "-1");
    expect_keys(commands, "copy a b REPLACE", "1:1 2:4");
    expect_keys(commands, "copy a", "-1");
    expect_keys(commands, "eval s 0", "");
    expect_keys(commands, "eval s 0 x", "");
    expect_keys(commands, "eval s 2 x y z", "3:2 4:2");
    expect_keys(commands, "eval s 2 x", "-1");
    expect_keys(commands, "eval s -1 x", "-1");
    expect_keys(commands, "eval s x x", "-1");
    expect_keys(commands, "eval s 9223372036854775807 x", "-1");
    expect_keys(commands, "eval s", "-1");
    expect_keys(commands, "msetex 2 a 1 b 2 NX", "2:4 4:4");
    expect_keys(commands, "msetex 2 a 1", "-1");
    expect_keys(commands, "xread COUNT 2 streams a b 0 0", "4:1 5:1");
    expect_keys(commands, "xread COUNT 2 streams", "-1");
    expect_keys(commands, "xread COUNT 2 nothing", "");
    expect_keys(commands, "migrate host port k 0 10", "3:2");
    expect_keys(commands, "migrate host port k 0 10 KEYS a b", "3:2 7:2 8:2");
    expect_keys(commands, "publish channel message", "");
    expect_keys(commands, "config set k v", "2:1");
}

static void test_flags_that_depend_on_the_call(void **state) {
    struct commands *commands = *state;
    expect_keys(commands, "set k v", "1:36");     /* OW update */
    expect_keys(commands, "set k v gEt", "1:50"); /* RW access update */
    expect_keys(commands, "set k get", "1:36");
    expect_keys(commands, "bitfield k", "1:17"); /* RO access */
    expect_keys(commands, "bitfield k GET u8 0", "1:17");
    expect_keys(commands, "bitfield k incrby u8 0 1", "1:50");
}

static void test_reset_stats(void **state) {
    struct commands *commands = *state;
    struct command *get = find(commands, "get");
    get->calls = 1;
    get->busy_ns = 2;
    get->rejected = 3;
    get->failed = 4;
    get->latency = histogram_new();
    histogram_record(get->latency, 1000, 1);
    commands_reset_stats(commands);
    assert_int_equal(get->calls + get->busy_ns + get->rejected + get->failed, 0);
    assert_int_equal(histogram_count(get->latency), 0);
}

static void test_nothing_is_left_behind(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_OTHER);
    void *commands;
    setup(&commands);
    assert_int_equal(commands_rename(commands, bytes_text("get"), bytes_text("other")), 0);
    assert_int_equal(commands_rename(commands, bytes_text("command"), bytes_text("")), 0);
    commands_free(commands);
    assert_int_equal(mem_used_by(MEM_OTHER), before);
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(category_name(0), "keyspace");
    assert_string_equal(category_name(__builtin_ctz(CATEGORY_SORTED_SET)), "sortedset");
    assert_string_equal(category_name(CATEGORY_COUNT - 1), "cache");
    assert_string_equal(group_name(GROUP_SORTED_SET), "sorted-set");
    assert_string_equal(group_name(GROUP_BITMAP), "bitmap");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_name_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_near_misses_are_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subcommands_are_resolved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renaming, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_of_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags_that_depend_on_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_stats, setup, teardown),
        cmocka_unit_test(test_nothing_is_left_behind),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
