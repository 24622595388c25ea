/* Tests of command/config.c: CONFIG GET and SET, with what clients get to see. */
#include "support/session.h"

#include <stdio.h>
#include <string.h>

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

static void test_get(void **state) {
    (void)state;
    session_expect(session, "CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
    session_expect(session, "CONFIG GET nosuch", "*0\r\n");
    session_expect(session, "CONFIG GET TIME* time[o]ut", "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
    session_expect(session, "CONFIG GET slowlog-[lm]*",
                   "*4\r\n$23\r\nslowlog-log-slower-than\r\n$5\r\n10000\r\n"
                   "$15\r\nslowlog-max-len\r\n$3\r\n128\r\n");
    /* By its old name an option is shown under that. */
    session_expect(session, "CONFIG GET hash-max-ziplist-value",
                   "*2\r\n$22\r\nhash-max-ziplist-value\r\n$2\r\n64\r\n");
    session_ask(session, "HELLO 3");
    session_expect(session, "CONFIG GET timeout", "%1\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
    session_expect(session, "CONFIG GET nosuch", "%0\r\n");
}

static void test_set(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET timeout 5 SLOWLOG-max-len 7", "+OK\r\n");
    session_expect(session, "CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n");
    session_expect(session, "CONFIG SET a b c", "-ERR syntax error\r\n");
    session_expect(session, "CONFIG SET Foo bar timeout 6",
                   "-ERR Unknown option or number of arguments for CONFIG SET - 'Foo'\r\n");
    session_expect(session, "CONFIG SET timeout 6 TIMEOUT 7",
                   "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate "
                   "parameter\r\n");
    /* All or nothing. */
    session_expect(session, "CONFIG SET timeout 6 MAXMEMORY x",
                   "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument "
                   "must be a memory or percent value\r\n");
    session_expect(session, "CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n");
    /* A name that is longer than any. */
    char line[1024];
    char expected[1024];
    char name[500];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(line, sizeof line, "CONFIG SET %s 1", name);
    snprintf(expected, sizeof expected,
             "-ERR Unknown option or number of arguments for CONFIG SET - '%s'\r\n", name);
    session_expect(session, line, expected);
}

static void test_maxmemory_options(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET maxmemory 1gb maxmemory-policy ALLKEYS-LFU", "+OK\r\n");
    session_expect(session, "CONFIG GET maxmemory-policy",
                   "*2\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lfu\r\n");
    assert_non_null(strstr(session_ask(session, "INFO memory"),
                           "\r\nmaxmemory:1073741824\r\nmaxmemory_human:1.00G\r\n"
                           "maxmemory_policy:allkeys-lfu\r\n"));
    session_expect(session, "CONFIG SET maxmemory-policy lru",
                   "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - "
                   "argument(s) must be one of the following: volatile-lru, volatile-lfu, "
                   "volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, "
                   "noeviction, allkeys-adaptive\r\n");
    session_expect(session, "CONFIG SET maxmemory-clients 5%", "+OK\r\n");
    session_expect(session, "CONFIG GET maxmemory-clients",
                   "*2\r\n$17\r\nmaxmemory-clients\r\n$2\r\n5%\r\n");
    session_expect(session, "CONFIG SET maxmemory 0 maxmemory-policy noeviction", "+OK\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, start, end),
        cmocka_unit_test_setup_teardown(test_set, start, end),
        cmocka_unit_test_setup_teardown(test_maxmemory_options, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
