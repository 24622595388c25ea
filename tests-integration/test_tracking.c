/* Client tracking: the same bytes as the reference sends, in all modes; the bound of the table;
 * what is left when clients go. */
#include "script.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct script *script;

static int start(void **state) {
    (void)state;
    script = script_start(NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    script_stop(script);
    return 0;
}

static void switching(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: CLIENT TRACKINGINFO | CLIENT GETREDIR | CLIENT CACHING yes | CLIENT CACHING foo",
        "a: CLIENT TRACKING | CLIENT TRACKING foo | CLIENT TRACKING on foo | CLIENT TRACKING off x",
        "a: CLIENT TRACKING on redirect | CLIENT TRACKING on redirect x",
        "a: CLIENT TRACKING on redirect 99999 | CLIENT TRACKING on redirect 0",
        "a: CLIENT TRACKING on redirect -1 | CLIENT TRACKING on redirect @b redirect @c",
        "a: CLIENT TRACKING on prefix x | CLIENT TRACKING on optin optout",
        "a: CLIENT TRACKING on bcast optin | CLIENT TRACKING on bcast prefix",
        "a: CLIENT TRACKING on bcast prefix x prefix xy",
        "a: CLIENT TRACKING on bcast prefix xy prefix x | CLIENT TRACKING on bcast prefix x prefix "
        "x",
        "a: CLIENT TRACKINGINFO | CLIENT TRACKING on bcast prefix b prefix a | CLIENT TRACKINGINFO",
        "a: CLIENT TRACKING on bcast prefix ab | CLIENT TRACKING on bcast prefix a",
        "a: CLIENT TRACKING on bcast prefix c noloop | CLIENT TRACKINGINFO | CLIENT GETREDIR",
        "a: CLIENT TRACKING on | CLIENT TRACKING on optin | CLIENT CACHING yes",
        "a: CLIENT TRACKING off optin bcast | CLIENT TRACKINGINFO | CLIENT TRACKING off",
        "a: CLIENT TRACKING on bcast | CLIENT TRACKINGINFO | CLIENT TRACKING off",
        "a: CLIENT TRACKING on optin | CLIENT TRACKING on optout | CLIENT TRACKINGINFO",
        "a: CLIENT CACHING no | CLIENT CACHING foo | CLIENT CACHING yes | CLIENT TRACKINGINFO",
        "a: CLIENT TRACKINGINFO | PING | CLIENT TRACKINGINFO | CLIENT TRACKING on bcast optin",
        "a: CLIENT TRACKING on | CLIENT TRACKINGINFO | CLIENT TRACKING on noloop",
        "a: CLIENT TRACKINGINFO | CLIENT TRACKING off | CLIENT TRACKING on optout",
        "a: CLIENT CACHING no | CLIENT TRACKINGINFO | CLIENT CACHING yes | RESET",
        "a: CLIENT TRACKINGINFO",
        NULL,
    };
    script_run(script, "", lines);
    script_run(script, "a", lines);
}

static void invalidations(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: CLIENT TRACKING on",
        "a: GET k1 | MGET k2 k3 k1",
        "b: SET k1 x | SET k1 y | SET k3 x | DEL k1",
        "a: GET k1 | SET k1 z | PING | GET k1",
        "a: MGET k1 k2 k3 | MSET k1 1 k2 2 | PING",
        "c: CLIENT TRACKING on | GET k1 | GET k2",
        "a: GET k2",
        "b: INCR k2 | INCR k1 | RENAME k1 k4 | HSET h f 1",
        "a: HGET h f | EXISTS k4 | TTL k2 | TYPE h | STRLEN k3 | BITCOUNT k9 | EXPIRETIME k8",
        "b: HSET h f 2 | EXPIRE k2 100 | COPY k2 k9 | UNLINK k4 | APPEND k3 x | GETDEL k3",
        "a: GET k2 | GET k3",
        "b: SELECT 3 | SET k2 x | SELECT 0",
        "a: GET k1 | CLIENT TRACKING off | GET k2",
        "b: SET k1 x | SET k2 x",
        "a: CLIENT TRACKING on noloop | GET k1 | SET k1 a | GET k1",
        "b: SET k1 b",
        "b: FLUSHALL",
        "a: GET k1 | FLUSHDB | PING",
        "b: SET k1 x",
        "a: GET k1 | CLIENT REPLY OFF | GET k2 | SET k1 a | PING",
        "b: SET k2 x",
        NULL,
    };
    script_run(script, "", lines);
    script_run(script, "a", lines);
    script_run(script, "abcd", lines);
}

static void choosing(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: CLIENT TRACKING on optin | GET k1 | CLIENT CACHING yes | GET k2 | GET k3",
        "b: MSET k1 1 k2 2 k3 3",
        "a: CLIENT CACHING yes | CLIENT GETREDIR | GET k1 | CLIENT CACHING yes | PING | GET k2",
        "b: MSET k1 1 k2 2 k3 3",
        "a: CLIENT TRACKING off | CLIENT TRACKING on optout | GET k1 | CLIENT CACHING no | GET k2",
        "b: MSET k1 1 k2 2 k3 3",
        NULL,
    };
    script_run(script, "a", lines);
}

static void broadcasts(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: CLIENT TRACKING on bcast prefix k prefix z prefix b",
        "a: SET k1 x | SET z2 x | SET k1 y | SET k0 z | SET q 1 | PING",
        "b: SET k1 y | SET k2 y | SET k12 r | SET a 1 | SET b1 1 | SET kk 1 | DEL k12",
        "c: CLIENT TRACKING on bcast noloop | SET k1 x | SET c 1",
        "b: SET k1 y | SET k2 y",
        "d: CLIENT TRACKING on bcast prefix k1 prefix k2 | SET k1 a | SET k22 b",
        "b: FLUSHALL",
        "c: CLIENT TRACKING off | GET k1",
        "b: SET k1 y | SET other y",
        NULL,
    };
    script_run(script, "acd", lines);
    script_run(script, "ad", lines);
}

static void redirection(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: CLIENT TRACKING on redirect @c | GET k1",
        "b: SET k1 n",
        "c: SUBSCRIBE __redis__:invalidate",
        "a: GET k1 | MGET k2 k3",
        "b: SET k1 n | MSET k2 1 k3 1",
        "b: FLUSHALL",
        "d: CLIENT TRACKING on redirect @c bcast prefix z",
        "b: SET z1 1 | SET z2 2",
        "a: GET k1 | SET k1 x | PING",
        "b: PUBLISH __redis__:invalidate x",
        "a: GET k1",
        NULL,
    };
    static const char *const protocols[] = {"", "a", "c", "abcd"};
    for (int i = 0; i < 4; i++) {
        script_run(script, protocols[i], lines);
        script_close(script, 'c');
        script_step(script, "b: SET k1 y | SET z1 2");
        script_step(script, "b: SET z1 3");
        script_step(script, "a: CLIENT TRACKING off | CLIENT TRACKINGINFO");
    }
}

static void expiry(void **state) {
    (void)state;
    script_begin(script, "a");
    script_step(script, "a: CLIENT TRACKING on | SET e 1 PX 30 | GET e");
    script_await(script, 'a');
    script_step(script, "b: SET f 1");
    script_step(script, "a: GET f");
    script_step(script, "b: PEXPIRE f 20");
    script_begin(script, "a");
    script_step(script, "b: SET g 1 PX 30");
    script_step(script, "a: CLIENT TRACKING on bcast prefix g");
    script_await(script, 'a');
}

static long info_number(int fd, const char *name) {
    char *info = wire_ask(fd, "INFO", NULL);
    char *at = strstr(info, name);
    assert_non_null(at);
    long number = strtol(at + strlen(name) + 1, NULL, 10);
    free(info);
    return number;
}

struct wanted {
    int fd;
    const char *name;
    long number;
};

static bool is_as_wanted(void *context) {
    const struct wanted *wanted = context;
    return info_number(wanted->fd, wanted->name) == wanted->number;
}

static void await_number(int fd, const char *name, long number) {
    struct wanted wanted = {fd, name, number};
    harness_wait_for(is_as_wanted, &wanted, name);
}

/* What a client has read is forgotten when it goes, and only that. */
static void leaving(void **state) {
    (void)state;
    struct server *server = server_start(NULL);
    int first = wire_connect(server);
    int second = wire_connect(server);
    int other = wire_connect(server);
    wire_expect_reply(first, "CLIENT TRACKING on", "+OK");
    wire_expect_reply(second, "CLIENT TRACKING on", "+OK");
    char line[64];
    for (int i = 0; i < 20000; i++) {
        int size = snprintf(line, sizeof line, "GET key:%d\r\n", i);
        wire_send(first, line, (size_t)size);
        wire_expect(first, "$-1\r\n");
    }
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "GET key:%d", i * 2);
        wire_expect_reply(second, line, "nil");
    }
    assert_int_equal(info_number(other, "tracking_clients"), 2);
    assert_int_equal(info_number(other, "tracking_total_keys"), 20000);
    assert_int_equal(info_number(other, "tracking_total_items"), 20100);
    close(first);
    await_number(other, "tracking_total_keys", 100);
    await_number(other, "tracking_total_items", 100);
    wire_expect_reply(second, "CLIENT TRACKING off", "+OK");
    assert_int_equal(info_number(other, "tracking_total_keys"), 0);
    assert_int_equal(info_number(other, "tracking_clients"), 0);
    close(second);
    close(other);
    server_stop(server);
}

static void bound(void **state) {
    (void)state;
    static const char *const options[] = {"--tracking-table-max-keys", "10", NULL};
    struct server *server = server_start(options);
    int fd = wire_connect(server);
    int other = wire_connect(server);
    free(wire_ask(fd, "HELLO", "3", NULL));
    wire_expect_reply(fd, "CLIENT TRACKING on", "+OK");
    char line[64];
    int told = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "GET key:%d", i);
        wire_expect_reply(fd, line, "null");
        if (i >= 10) {
            char *push = wire_read_reply(fd);
            assert_non_null(strstr(push, ">[\"invalidate\", [\"key:"));
            free(push);
            told++;
        }
        assert_true(info_number(other, "tracking_total_keys") <= 10);
    }
    assert_int_equal(told, 90);
    /* Lowered, it gives up the rest. */
    wire_expect_reply(other, "CONFIG SET tracking-table-max-keys 3", "+OK");
    for (int i = 0; i < 7; i++) {
        char *push = wire_read_reply(fd);
        assert_non_null(strstr(push, "invalidate"));
        free(push);
    }
    assert_int_equal(info_number(other, "tracking_total_keys"), 3);
    close(fd);
    close(other);
    server_stop(server);
}

/* Keys that go for lack of memory are told of. */
static void eviction(void **state) {
    (void)state;
    static const char *const options[] = {"--maxmemory", "8mb", "--maxmemory-policy",
                                          "allkeys-random", NULL};
    struct server *server = server_start(options);
    int fd = wire_connect(server);
    int other = wire_connect(server);
    free(wire_ask(fd, "HELLO", "3", NULL));
    wire_expect_reply(other, "SET target 1", "+OK");
    wire_expect_reply(fd, "CLIENT TRACKING on", "+OK");
    wire_expect_reply(fd, "GET target", "\"1\"");
    char line[1200];
    for (int i = 0; i < 100000; i++) {
        int size = snprintf(line, sizeof line, "SET filler:%d %0*d\r\n", i, 1000, 0);
        wire_send(other, line, (size_t)size);
        wire_expect(other, "+OK\r\n");
        if (i % 1000 == 999 && info_number(other, "tracking_total_keys") == 0) {
            break;
        }
    }
    char *push = wire_read_reply(fd);
    assert_string_equal(push, ">[\"invalidate\", [\"target\"]]");
    free(push);
    wire_expect_reply(fd, "GET target", "null");
    close(fd);
    close(other);
    server_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switching),  cmocka_unit_test(invalidations), cmocka_unit_test(choosing),
        cmocka_unit_test(broadcasts), cmocka_unit_test(redirection),   cmocka_unit_test(expiry),
        cmocka_unit_test(leaving),    cmocka_unit_test(bound),         cmocka_unit_test(eviction),
    };
    return cmocka_run_group_tests(tests, start, end);
}
