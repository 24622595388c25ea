/* Tests of call/pass_on: what units become: alone, together, in other databases, declared, of
 * commands that change nothing, and while nobody listens. */
#include "call/pass_on.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "call/call.h"

static struct pass_on pass_on;
static struct buffer heard;
static int heard_commands;
static int units;
static struct keyspace keyspace;
static struct context context = {.pass_on = &pass_on};
static struct database databases[2] = {{.id = 0}, {.id = 1}};
static struct command command = {.flags = COMMAND_WRITE};

static void passed(void *unused, struct bytes unit, int commands) {
    (void)unused;
    buffer_append(&heard, unit.at, unit.size);
    heard_commands += commands;
    units++;
}

static struct pass_on_listener listener = {.passed = passed};

static int setup(void **state) {
    (void)state;
    pass_on_init(&pass_on);
    buffer_init(&heard, MEM_OTHER);
    heard_commands = 0;
    units = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pass_on_free(&pass_on);
    buffer_clear(&heard);
    return 0;
}

static void expect(const char *expected, int commands) {
    assert_string_equal(buffer_text(&heard), expected);
    assert_int_equal(heard_commands, commands);
    heard.size = 0;
    heard_commands = 0;
}

/* A command that changes `changes` keys and becomes `instead`, NULL: says nothing. */
static void run(struct database *database, int changes, const char *word, const char *instead) {
    struct bytes args[] = {bytes_text(word)};
    struct call call = {.args = args,
                        .argc = 1,
                        .command = &command,
                        .context = &context,
                        .keyspace = &keyspace,
                        .database = database};
    pass_on_calling(&pass_on, &call);
    keyspace.changes += (uint64_t)changes;
    if (instead != NULL && *instead == '\0') {
        call_pass_on_nothing(&call);
    } else if (instead != NULL) {
        CALL_PASS_ON(&call, bytes_text(instead));
    }
    pass_on_called(&pass_on, &call);
}

static void test_alone(void **state) {
    (void)state;
    pass_on_listen(&pass_on, &listener);
    run(&databases[0], 1, "A", NULL);
    expect("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$1\r\nA\r\n", 2);
    run(&databases[0], 1, "B", NULL);
    expect("*1\r\n$1\r\nB\r\n", 1);
    run(&databases[0], 0, "C", NULL);
    expect("", 0);
    run(&databases[0], 0, "D", "E");
    expect("*1\r\n$1\r\nE\r\n", 1);
    run(&databases[0], 1, "F", "");
    expect("", 0);
    command.flags = COMMAND_READONLY;
    run(&databases[0], 1, "G", NULL);
    command.flags = COMMAND_WRITE;
    expect("", 0);
    assert_int_equal(units, 3);
}

static void test_together(void **state) {
    (void)state;
    pass_on_listen(&pass_on, &listener);
    pass_on_begin(&pass_on);
    run(&databases[0], 1, "A", NULL);
    run(&databases[1], 1, "B", NULL);
    run(&databases[1], 0, "C", NULL);
    expect("", 0);
    pass_on_end(&pass_on);
    expect("*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$1\r\nA\r\n"
           "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*1\r\n$1\r\nB\r\n*1\r\n$4\r\nEXEC\r\n",
           6);
    pass_on_begin(&pass_on);
    run(&databases[1], 1, "D", NULL);
    pass_on_end(&pass_on);
    expect("*1\r\n$1\r\nD\r\n", 1);
    pass_on_begin(&pass_on);
    pass_on_end(&pass_on);
    expect("", 0);
    assert_int_equal(units, 2);
}

static void test_keys_that_leave(void **state) {
    (void)state;
    const struct bytes words[] = {bytes_text("DEL"), bytes_text("k")};
    pass_on_words(&pass_on, 0, words, 2);
    pass_on_listen(&pass_on, &listener);
    pass_on_words(&pass_on, 1, words, 2);
    expect("*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n", 2);
    pass_on_select_again(&pass_on);
    pass_on_words(&pass_on, 1, words, 2);
    expect("*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n", 2);
    pass_on_unlisten(&pass_on, &listener);
    run(&databases[0], 1, "A", "B");
    expect("", 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_that_leave, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
