/* Tests of command/server.c: commands about the server as a whole. INFO and SHUTDOWN are tested
 * with the server (tests/server/test_server.c). */
#include "support/session.h"

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

/* Two keys in database 0, one in 1. */
static void fill(void) {
    session_expect(session, "MSET a 1 b 2", "+OK\r\n");
    session_expect(session, "SELECT 1", "+OK\r\n");
    session_expect(session, "SET c 3", "+OK\r\n");
    session_expect(session, "SELECT 0", "+OK\r\n");
}

static void test_dbsize_and_flush(void **state) {
    (void)state;
    session_expect(session, "DBSIZE", ":0\r\n");
    fill();
    session_expect(session, "DBSIZE", ":2\r\n");
    session_expect(session, "FLUSHDB", "+OK\r\n");
    session_expect(session, "DBSIZE", ":0\r\n");
    session_expect(session, "SELECT 1", "+OK\r\n");
    session_expect(session, "DBSIZE", ":1\r\n");
    session_expect(session, "FLUSHDB nosuch", "-ERR syntax error\r\n");
    session_expect(session, "FLUSHALL ASYNC SYNC", "-ERR syntax error\r\n");
    session_expect(session, "DBSIZE", ":1\r\n");
    session_expect(session, "FLUSHALL async", "+OK\r\n");
    session_expect(session, "DBSIZE", ":0\r\n");
    fill();
    session_expect(session, "FLUSHALL SYNC", "+OK\r\n");
    session_expect(session, "SELECT 1", "+OK\r\n");
    session_expect(session, "DBSIZE", ":0\r\n");
    session_expect(session, "CONFIG SET lazyfree-lazy-user-flush no", "+OK\r\n");
    fill();
    session_expect(session, "FLUSHALL", "+OK\r\n");
    session_expect(session, "GET a", "$-1\r\n");
}

static void test_swapdb(void **state) {
    (void)state;
    fill();
    session_expect(session, "SWAPDB 0 1", "+OK\r\n");
    session_expect(session, "DBSIZE", ":1\r\n");
    session_expect(session, "GET c", "$1\r\n3\r\n");
    session_expect(session, "SWAPDB 1 1", "+OK\r\n");
    session_expect(session, "SWAPDB x 1", "-ERR invalid first DB index\r\n");
    session_expect(session, "SWAPDB 0 1x", "-ERR invalid second DB index\r\n");
    session_expect(session, "SWAPDB -1 0", "-ERR DB index is out of range\r\n");
    session_expect(session, "SWAPDB 0 16", "-ERR DB index is out of range\r\n");
    session_expect(session, "SWAPDB 0 15", "+OK\r\n");
    session_expect(session, "DBSIZE", ":0\r\n");
}

static void test_time_and_role(void **state) {
    (void)state;
    clock_drive(&session->server.clock, 1700000000123);
    session_expect(session, "TIME", "*2\r\n$10\r\n1700000000\r\n$6\r\n123000\r\n");
    session_expect(session, "ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dbsize_and_flush, start, end),
        cmocka_unit_test_setup_teardown(test_swapdb, start, end),
        cmocka_unit_test_setup_teardown(test_time_and_role, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
