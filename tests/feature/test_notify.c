/* Tests of feature/notify: the option's letters, and what is published when. */
#include "feature/notify.h"

#include "support/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct session *session;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static void test_letters(void **state) {
    (void)state;
    static const struct {
        const char *value;
        const char *then;
    } cases[] = {{"KEA", "AKE"},      {"AKEmn", "AKEm"},    {"tmdnK", "tdnKm"},
                 {"g$lshzxetd", "A"}, {"lshzxe", "lshzxe"}, {"\"\"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        char answer[100];
        snprintf(line, sizeof line, "CONFIG SET notify-keyspace-events %s", cases[i].value);
        session_expect(session, line, "+OK\r\n");
        snprintf(answer, sizeof answer, "*2\r\n$22\r\nnotify-keyspace-events\r\n$%zu\r\n%s\r\n",
                 strlen(cases[i].then), cases[i].then);
        session_expect(session, "CONFIG GET notify-keyspace-events", answer);
    }
    session_expect(session, "CONFIG SET notify-keyspace-events q",
                   "-ERR CONFIG SET failed (possibly related to argument "
                   "'notify-keyspace-events') - Invalid event class character. Use "
                   "'Ag$lshzxeKEtmdn'.\r\n");
}

/* Nothing is called unless both a channel and a kind are asked for. */
static void test_classes(void **state) {
    (void)state;
    const unsigned *classes = &session->server.keyspace.hooks.classes;
    session_ask(session, "CONFIG SET notify-keyspace-events A");
    assert_int_equal(*classes, 0);
    session_ask(session, "CONFIG SET notify-keyspace-events KE");
    assert_int_equal(*classes, 0);
    session_ask(session, "CONFIG SET notify-keyspace-events Kd");
    assert_int_equal(*classes, 0);
    session_ask(session, "CONFIG SET notify-keyspace-events K$m");
    assert_int_equal(*classes, KEYSPACE_STRING | KEYSPACE_MISS);
}

static void test_channels(void **state) {
    (void)state;
    int fd = session_connect(session);
    session_ask_on(session, fd, "PSUBSCRIBE __key*");
    session_ask(session, "SELECT 9");
    session_ask(session, "CONFIG SET notify-keyspace-events K$");
    session_ask(session, "SET \"a\\x00b\" 1");
    session_pass(session);
    static const char expected[] = "*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n"
                                   "$18\r\n__keyspace@9__:a\0b\r\n$3\r\nset\r\n";
    assert_memory_equal(session_read(session, fd), expected, sizeof expected);
    session_ask(session, "CONFIG SET notify-keyspace-events E$");
    session_ask(session, "SET a 1");
    session_ask(session, "DEL a");
    session_pass(session);
    assert_string_equal(session_read(session, fd),
                        "*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$18\r\n__keyevent@9__:set\r\n"
                        "$1\r\na\r\n");
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_letters, start, end),
        cmocka_unit_test_setup_teardown(test_classes, start, end),
        cmocka_unit_test_setup_teardown(test_channels, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
