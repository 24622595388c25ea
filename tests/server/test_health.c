/* Tests of server/health: what is said when something is wrong, and that it is said no more when it
 * is right again. */
#include "server/health.h"

#include "support/session.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feature/history.h"

static struct session *session;
static char text[256];

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-protected-configs", "yes", NULL};
    session = session_start(options);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static enum control_health tell(void) {
    return health_tell(&session->server, text, sizeof text);
}

static void is_well(void) {
    assert_int_equal(tell(), CONTROL_WELL);
    assert_string_equal(text, "Healthy.");
}

static void is(enum control_health state, const char *words) {
    assert_int_equal(tell(), state);
    assert_non_null(strstr(text, words));
}

static void test_loading(void **state) {
    (void)state;
    is_well();
    session->server.control.loading = CONTROL_LOADING_ALONE;
    is(CONTROL_UNWELL, "being loaded");
    session->server.control.loading = CONTROL_LOADING_NOT;
    is_well();
}

/* Without a limit nothing is full; with one it depends on the policy. */
static void test_memory(void **state) {
    (void)state;
    char line[128];
    session_expect(session, "CONFIG SET maxmemory 1gb", "+OK\r\n");
    session_expect(session, "CONFIG SET maxmemory-policy noeviction", "+OK\r\n");
    is_well();
    long long used = (long long)evict_used(&session->server.evict);
    snprintf(line, sizeof line, "CONFIG SET maxmemory %lld", used + used / 20);
    session_expect(session, line, "+OK\r\n");
    is(CONTROL_WARNED, "% full, and the policy is noeviction");
    snprintf(line, sizeof line, "CONFIG SET maxmemory %lld", used - used / 20);
    session_expect(session, line, "+OK\r\n");
    is(CONTROL_UNWELL, "Memory is full");
    session_expect(session, "CONFIG SET maxmemory-policy allkeys-lru", "+OK\r\n");
    session_expect(session, "CONFIG SET maxmemory 0", "+OK\r\n");
    is_well();
}

static void test_clients(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET maxclients 1", "+OK\r\n");
    is(CONTROL_UNWELL, "1 of 1 connections");
    session_expect(session, "CONFIG SET maxclients 100", "+OK\r\n");
    is_well();
}

/* One slow second is none; ten in a row are. */
static void test_slow(void **state) {
    (void)state;
    struct history *history = session->server.context.history;
    struct history_point point = {.values[HISTORY_P99] = 50e6F};
    for (int second = 0; second < 9; second++) {
        history_add(history, HISTORY_BY_SECOND, second, 0, &point);
    }
    is_well();
    history_add(history, HISTORY_BY_SECOND, 9, 0, &point);
    is(CONTROL_WARNED, "waits longer than 50 ms");
    point.values[HISTORY_P99] = 1000;
    history_add(history, HISTORY_BY_SECOND, 10, 0, &point);
    is_well();
}

/* A folder stands where the file should be. */
static void test_save(void **state) {
    (void)state;
    char path[512];
    char line[640];
    snprintf(path, sizeof path, "%s/in-the-way", session->folder);
    snprintf(line, sizeof line, "CONFIG SET dir %s", session->folder);
    session_expect(session, line, "+OK\r\n");
    session_expect(session, "CONFIG SET dbfilename in-the-way", "+OK\r\n");
    session_expect(session, "SET a 1", "+OK\r\n");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(session_ask(session, "SAVE")[0], '-');
    is(CONTROL_UNWELL, "The last save failed");
    assert_int_equal(rmdir(path), 0);
    session_expect(session, "SAVE", "+OK\r\n");
    is_well();
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_clients), cmocka_unit_test(test_slow),
        cmocka_unit_test(test_save),
    };
    return cmocka_run_group_tests(tests, start, end);
}
