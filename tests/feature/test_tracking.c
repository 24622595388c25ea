/* Tests of feature/tracking: the table through random reads, writes, comings and goings; broadcast
 * prefixes; giving up and sweeping in slices. */
#include "feature/tracking.h"

#include "support/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "client/client.h"

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

static struct tracking *tracking(void) {
    return session->server.context.tracking;
}

static int track(const char *how) {
    int fd = session_connect(session);
    session_ask_on(session, fd, "HELLO 3");
    assert_string_equal(session_ask_on(session, fd, how), "+OK\r\n");
    return fd;
}

static const char *got(int fd) {
    session_pass(session);
    return session_read(session, fd);
}

static void test_nobody_listens_unless_somebody_tracks(void **state) {
    (void)state;
    const struct store_hooks *hooks = &session->server.keyspace.hooks;
    assert_null(hooks->listeners);
    int fd = track("CLIENT TRACKING on");
    assert_non_null(hooks->listeners);
    session_ask_on(session, fd, "GET a");
    assert_int_equal(tracking_key_count(tracking()), 1);
    session_ask_on(session, fd, "CLIENT TRACKING off");
    assert_null(hooks->listeners);
    assert_int_equal(tracking_key_count(tracking()), 0);
    close(fd);
}

/* Told once, however often the key changes, and only of what was read. */
static void test_told_once(void **state) {
    (void)state;
    int fd = track("CLIENT TRACKING on");
    session_ask_on(session, fd, "MGET a b \"x\\x00y\"");
    tracking_validate(tracking());
    session_expect(session, "SET a 1", "+OK\r\n");
    assert_string_equal(got(fd), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n");
    session_expect(session, "SET a 2", "+OK\r\n");
    session_expect(session, "SET c 2", "+OK\r\n");
    assert_string_equal(got(fd), "");
    session_expect(session, "SET \"x\\x00y\" 2", "+OK\r\n");
    assert_memory_equal(got(fd), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nx\0y\r\n", 34);
    assert_int_equal(tracking_key_count(tracking()), 1);
    close(fd);
}

static void test_prefixes(void **state) {
    (void)state;
    static const char *const hows[] = {
        "CLIENT TRACKING on BCAST", "CLIENT TRACKING on BCAST PREFIX a PREFIX bb",
        "CLIENT TRACKING on BCAST PREFIX aa PREFIX aab1", "CLIENT TRACKING on BCAST PREFIX aab"};
    /* aa and aab1 overlap: the third is refused, and put right. */
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = track(i == 2 ? "CLIENT TRACKING on BCAST PREFIX aa PREFIX ab1" : hows[i]);
    }
    assert_string_equal(session_ask(session, hows[2]),
                        "-ERR Prefix 'aa' overlaps with another provided prefix 'aab1'. Prefixes "
                        "for a single client must not overlap.\r\n");
    tracking_validate(tracking());
    static const struct {
        const char *key;
        unsigned told; /* a bit for each */
    } cases[] = {{"x", 1}, {"a", 3},  {"aa", 7},  {"aab", 15}, {"aabz", 15}, {"aac", 7},
                 {"b", 1}, {"ab", 3}, {"ab1", 7}, {"bb", 3},   {"bba", 3},   {"bc", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        char key[64];
        snprintf(line, sizeof line, "SET %s 1", cases[i].key);
        snprintf(key, sizeof key, "\r\n%s\r\n", cases[i].key);
        session_expect(session, line, "+OK\r\n");
        for (int j = 0; j < 4; j++) {
            bool told = strstr(got(fds[j]), key) != NULL;
            assert_int_equal(told, cases[i].told >> j & 1);
        }
    }
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
        session_pass(session);
        tracking_validate(tracking());
    }
}

/* The tables go in slices, and all that a client had is gone in the end. */
static void test_sweeping(void **state) {
    (void)state;
    int stays = track("CLIENT TRACKING on");
    for (int round = 0; round < 3; round++) {
        int goes = track("CLIENT TRACKING on");
        char line[64];
        for (int i = 0; i < 100; i++) {
            snprintf(line, sizeof line, "GET key:%d", i);
            session_ask_on(session, goes, line);
            if (i % 10 == 0) {
                session_ask_on(session, stays, line);
            }
        }
        assert_int_equal(tracking_key_count(tracking()), 100);
        close(goes);
        for (int i = 0; i < 300; i++) {
            session_pass(session);
            tracking_validate(tracking());
        }
        assert_int_equal(tracking_key_count(tracking()), 10);
    }
    session_expect(session, "FLUSHALL", "+OK\r\n");
    assert_string_equal(got(stays), ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    assert_int_equal(tracking_key_count(tracking()), 0);
    close(stays);
}

/* Against a model: who holds what. Each change must tell exactly the holders. */
static void test_model(void **state) {
    (void)state;
    enum { TRACKERS = 4, KEYS = 8, STEPS = 1500 };
    bool holds[TRACKERS][KEYS] = {{false}};
    int fds[TRACKERS];
    struct random random;
    random_init(&random, 11);
    for (int i = 0; i < TRACKERS; i++) {
        fds[i] = track("CLIENT TRACKING on");
    }
    for (int step = 0; step < STEPS; step++) {
        uint64_t who = random_below(&random, TRACKERS);
        uint64_t key = random_below(&random, KEYS);
        char line[64];
        if (random_below(&random, 50) == 0) {
            close(fds[who]);
            fds[who] = track("CLIENT TRACKING on");
            memset(holds[who], 0, sizeof holds[who]);
        } else if (random_below(&random, 3) > 0) {
            snprintf(line, sizeof line, "GET k%d", (int)key);
            session_ask_on(session, fds[who], line);
            holds[who][key] = true;
        } else {
            snprintf(line, sizeof line,
                     random_below(&random, 2) == 0 ? "SET k%d 1" : "APPEND k%d x", (int)key);
            session_ask(session, line);
            for (int i = 0; i < TRACKERS; i++) {
                assert_int_equal(got(fds[i])[0] == '>', holds[i][key]);
                holds[i][key] = false;
            }
        }
        tracking_validate(tracking());
    }
    for (int i = 0; i < TRACKERS; i++) {
        close(fds[i]);
    }
    session_pass(session);
    assert_int_equal(tracking_key_count(tracking()), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody_listens_unless_somebody_tracks, start, end),
        cmocka_unit_test_setup_teardown(test_told_once, start, end),
        cmocka_unit_test_setup_teardown(test_prefixes, start, end),
        cmocka_unit_test_setup_teardown(test_sweeping, start, end),
        cmocka_unit_test_setup_teardown(test_model, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
