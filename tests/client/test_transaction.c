/* Tests of client/transaction and client/watch: what is queued and executed, in whatever sizes;
 * what ends a transaction; which changes a watcher hears of. */
#include "client/transaction.h"

#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/watch.h"

#define START_MS 1700000000000

static struct session *session;
static int other; /* another connection */

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-debug-command", "yes", NULL};
    session = session_start(options);
    clock_drive(&session->server.clock, START_MS);
    other = session_connect(session);
    return 0;
}

static int end(void **state) {
    (void)state;
    close(other);
    session_end(session);
    return 0;
}

static struct clients *clients(void) {
    return session->server.context.clients;
}

static void expect(const char *line, const char *answer) {
    session_expect(session, line, answer);
    watches_validate(clients()->watches);
}

static void expect_other(const char *line, const char *answer) {
    assert_string_equal(session_ask_on(session, other, line), answer);
    watches_validate(clients()->watches);
}

static void pass_time(int64_t ms) {
    clock_drive(&session->server.clock, session->server.clock.now_ms + ms);
    session_pass(session);
}

/* ---- the queue ---- */

static void test_queue_grows(void **state) {
    (void)state;
    enum { COUNT = 100 };
    for (int round = 0; round < 2; round++) {
        expect("MULTI", "+OK\r\n");
        char line[400];
        for (int i = 0; i < COUNT; i++) {
            /* From short ones to those that are read into blobs of their own. */
            snprintf(line, sizeof line, "APPEND k%d %0*d", i % 7, 1 + i * 3, i);
            expect(line, "+QUEUED\r\n");
        }
        const char *list = session_ask(session, "EXEC");
        assert_memory_equal(list, round == 0 ? "*100\r\n:1\r\n:4\r\n" : "*100\r\n:2221\r\n", 13);
        expect("GETRANGE k0 0 1", "$2\r\n00\r\n");
        expect("STRLEN k6", round == 0 ? ":2177\r\n" : ":4354\r\n");
    }
    assert_int_equal(transaction_count(clients()->first), -1);
}

static void test_large_arguments(void **state) {
    (void)state;
    expect("SET small 1", "+OK\r\n");
    int fd = session_connect(session);
    char text[2048];
    char value[1000];
    memset(value, 'v', sizeof value);
    int size =
        snprintf(text, sizeof text, "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n",
                 sizeof value);
    assert_int_equal(write(fd, text, (size_t)size), size);
    session_pass(session);
    assert_int_equal(write(fd, value, sizeof value), sizeof value);
    assert_int_equal(write(fd, "\r\n", 2), 2);
    session_pass(session);
    assert_string_equal(session_read(session, fd), "+OK\r\n+QUEUED\r\n");
    size_t footprint = transaction_footprint(clients()->last);
    assert_true(footprint > sizeof value);
    assert_string_equal(session_ask_on(session, fd, "STRLEN k"), "+QUEUED\r\n");
    assert_string_equal(session_ask_on(session, fd, "EXEC"), "*2\r\n+OK\r\n:1000\r\n");
    /* One that is never executed. */
    assert_int_equal(write(fd, text, (size_t)size), size);
    session_pass(session);
    assert_int_equal(write(fd, value, sizeof value), sizeof value);
    assert_int_equal(write(fd, "\r\n", 2), 2);
    session_pass(session);
    assert_string_equal(session_read(session, fd), "+OK\r\n+QUEUED\r\n");
    close(fd);
    session_pass(session);
    expect("STRLEN k", ":1000\r\n");
}

static void test_no_memory(void **state) {
    (void)state;
    expect("MULTI", "+OK\r\n");
    mem_fail_after(1);
    const char *answer = session_ask(session, "SET k some-value");
    mem_fail_after(0);
    assert_memory_equal(answer, "-OOM ", 5);
    expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    expect("EXISTS k", ":0\r\n");
}

static void test_limit(void **state) {
    (void)state;
    expect("CONFIG SET client-query-buffer-limit 1048576", "+OK\r\n");
    int fd = session_connect(session);
    char line[20000] = "SET k ";
    memset(line + 6, 'x', sizeof line - 7);
    assert_string_equal(session_ask_on(session, fd, "MULTI"), "+OK\r\n");
    uint64_t closed = clients()->metrics.client_query_buffer_limit_disconnections;
    int queued = 0;
    while (clients()->metrics.client_query_buffer_limit_disconnections == closed) {
        assert_true(queued++ < 60);
        session_ask_on(session, fd, line);
    }
    assert_true(queued > 40);
    close(fd);
    session_pass(session);
    expect("EXISTS k", ":0\r\n");
}

static void test_what_ends_it(void **state) {
    (void)state;
    expect("MULTI", "+OK\r\n");
    expect("SET a 1", "+QUEUED\r\n");
    expect("DISCARD", "+OK\r\n");
    expect("MULTI", "+OK\r\n");
    expect("SET a 1", "+QUEUED\r\n");
    expect("RESET", "+RESET\r\n");
    expect("EXEC", "-ERR EXEC without MULTI\r\n");
    expect("MULTI", "+OK\r\n");
    expect("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
    expect("SET a 1", "+QUEUED\r\n");
    expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    expect("MULTI", "+OK\r\n");
    expect("EXEC 1", "-EXECABORT Transaction discarded because of: wrong number of arguments for "
                     "'exec' command\r\n");
    expect("MULTI", "+OK\r\n");
    expect("SHUTDOWN", "-ERR Command not allowed inside a transaction\r\n");
    expect("DISCARD", "+OK\r\n");
    int fd = session_connect(session);
    session_ask_on(session, fd, "WATCH a");
    session_ask_on(session, fd, "MULTI");
    session_ask_on(session, fd, "SET a 1");
    close(fd);
    session_pass(session);
    expect("EXISTS a", ":0\r\n");
    assert_int_equal(watches_keys(clients()->watches), 0);
}

static void test_memory_limit(void **state) {
    (void)state;
    expect("SET k v", "+OK\r\n");
    expect("MULTI", "+OK\r\n");
    expect("GET k", "+QUEUED\r\n");
    expect_other("MULTI", "+OK\r\n");
    expect_other("SET k w", "+QUEUED\r\n");
    int fd = session_connect(session);
    session_ask_on(session, fd, "CONFIG SET maxmemory 1 maxmemory-policy noeviction");
    expect("GET k", "+QUEUED\r\n");
    expect("EXEC", "*2\r\n$1\r\nv\r\n$1\r\nv\r\n");
    expect_other("EXEC", "-EXECABORT Transaction discarded because of: OOM command not allowed "
                         "when used memory > 'maxmemory'.\r\n");
    expect_other("MULTI", "+OK\r\n");
    expect_other("SET k w", "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    expect_other("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    session_ask_on(session, fd, "CONFIG SET maxmemory 0");
    close(fd);
}

static void test_pause(void **state) {
    (void)state;
    expect("MULTI", "+OK\r\n");
    expect("INCR n", "+QUEUED\r\n");
    expect_other("CLIENT PAUSE 100000 WRITE", "+OK\r\n");
    assert_int_equal(write(session->fd, "EXEC\r\n", 6), 6);
    session_pass(session);
    assert_string_equal(session_read(session, session->fd), "");
    expect_other("EXISTS n", ":0\r\n");
    expect_other("CLIENT UNPAUSE", "+OK\r\n");
    session_pass(session);
    assert_string_equal(session_read(session, session->fd), "*1\r\n:1\r\n");
}

/* ---- what is seen of it ---- */

static void assert_shows(const char *line, const char *part) {
    const char *answer = session_ask(session, line);
    if (strstr(answer, part) == NULL) {
        print_error("%s\nis not in\n%s\n", part, answer);
    }
    assert_non_null(strstr(answer, part));
}

static void test_what_is_shown(void **state) {
    (void)state;
    expect_other("WATCH a b a", "+OK\r\n");
    assert_shows("CLIENT LIST", "flags=U db=0 sub=0 psub=0 ssub=0 multi=-1 watch=2 ");
    assert_shows("INFO clients", "watching_clients:1\r\n");
    assert_shows("INFO clients", "total_watched_keys:2\r\n");
    expect_other("MULTI", "+OK\r\n");
    expect_other("GET a", "+QUEUED\r\n");
    expect_other("TTL a", "+QUEUED\r\n");
    assert_shows("CLIENT LIST", "flags=xU db=0 sub=0 psub=0 ssub=0 multi=2 watch=2 ");
    assert_shows("CLIENT LIST", "cmd=ttl ");
    expect("SET b 1", "+OK\r\n");
    assert_shows("CLIENT LIST", "flags=xdU ");
    assert_shows("INFO clients", "watching_clients:0\r\n");
    uint64_t executed = clients()->metrics.total_commands_processed;
    expect_other("EXEC", "*-1\r\n");
    assert_int_equal(clients()->metrics.total_commands_processed, executed + 1);
    expect_other("MULTI", "+OK\r\n");
    expect_other("CLIENT LIST", "+QUEUED\r\n");
    assert_non_null(strstr(session_ask_on(session, other, "EXEC"), "flags=xU "));
    assert_shows("INFO commandstats", "cmdstat_exec:calls=2,");
}

static void test_monitor_sees_the_order(void **state) {
    (void)state;
    int fd = session_connect(session);
    assert_string_equal(session_ask_on(session, fd, "MONITOR"), "+OK\r\n");
    expect("MULTI", "+OK\r\n");
    expect("SET a 1", "+QUEUED\r\n");
    expect("EXEC", "*1\r\n+OK\r\n");
    session_pass(session);
    const char *seen = session_read(session, fd);
    const char *multi = strstr(seen, "\"MULTI\"");
    assert_non_null(multi);
    const char *set = strstr(multi, "\"SET\" \"a\" \"1\"");
    assert_non_null(set);
    assert_non_null(strstr(set, "\"EXEC\""));
    assert_null(strstr(set + 1, "\"SET\""));
    close(fd);
    expect("MULTI", "+OK\r\n");
    expect("MONITOR", "+QUEUED\r\n");
    expect("EXEC", "*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n");
}

static void test_muted(void **state) {
    (void)state;
    expect("MULTI", "+OK\r\n");
    expect("CLIENT REPLY OFF", "+QUEUED\r\n");
    expect("SET a 1", "+QUEUED\r\n");
    expect("EXEC", "*2\r\n");
    const char text[] = "MULTI\r\nGET a\r\nCLIENT REPLY ON\r\nGET a\r\nEXEC\r\n";
    assert_int_equal(write(session->fd, text, sizeof text - 1), sizeof text - 1);
    session_pass(session);
    assert_string_equal(session_read(session, session->fd), "+OK\r\n$1\r\n1\r\n");
    expect("MULTI", "+OK\r\n");
    expect("CLIENT REPLY OFF", "+QUEUED\r\n");
    expect("GET a", "+QUEUED\r\n");
    expect("CLIENT REPLY ON", "+QUEUED\r\n");
    expect("GET a", "+QUEUED\r\n");
    expect("EXEC", "*4\r\n+OK\r\n$1\r\n1\r\n");
}

static void test_messages_come_behind(void **state) {
    (void)state;
    session_ask(session, "HELLO 3");
    expect("SUBSCRIBE c", ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    expect("MULTI", "+OK\r\n");
    expect("PUBLISH c m", "+QUEUED\r\n");
    expect("HGETALL h", "+QUEUED\r\n");
    expect("EXEC", "*2\r\n:1\r\n%0\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    expect("CLIENT TRACKING ON OPTIN", "+OK\r\n");
    expect("SET k v", "+OK\r\n");
    expect("CLIENT CACHING YES", "+OK\r\n");
    expect("MULTI", "+OK\r\n");
    expect("GET a", "+QUEUED\r\n");
    expect("GET k", "+QUEUED\r\n");
    expect("EXEC", "*2\r\n_\r\n$1\r\nv\r\n");
    expect_other("SET k w", "+OK\r\n");
    session_pass(session);
    assert_string_equal(session_read(session, session->fd),
                        ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
}

/* ---- watching ---- */

/* Whether an EXEC fails when this happens between WATCH and MULTI. */
static bool fails(const char *watch, const char *happens) {
    expect(watch, "+OK\r\n");
    session_ask_on(session, other, happens);
    expect("MULTI", "+OK\r\n");
    expect("PING", "+QUEUED\r\n");
    const char *answer = session_ask(session, "EXEC");
    watches_validate(clients()->watches);
    assert_int_equal(clients()->first->watch_count, 0);
    if (strcmp(answer, "*-1\r\n") == 0) {
        return true;
    }
    assert_string_equal(answer, "*1\r\n+PONG\r\n");
    return false;
}

static void test_what_is_a_change(void **state) {
    (void)state;
    static const struct {
        const char *before;
        const char *happens;
        bool changes;
    } cases[] = {
        {"SET k v", "SET k v", true},
        {"SET k v", "GETSET k v", true},
        {"SET k v", "GET k", false},
        {"SET k v", "DEL k", true},
        {"DEL k", "DEL k", false},
        {"SET k v", "EXPIRE k 100", true},
        {"SET k v", "PERSIST k", false},
        {"SET k v", "EXPIRE k -1", true},
        {"DEL k", "EXPIRE k 100", false},
        {"SET k 1", "INCRBY k 0", true},
        {"SET k v", "SET k w NX", false},
        {"SET k v", "SETRANGE k 0 ", false},
        {"SET k v", "RENAME k l", true},
        {"SET l v", "RENAME l k", true},
        {"SET k v", "COPY k m", false},
        {"SET n v", "COPY n k REPLACE", true},
        {"SET k v", "MOVE k 3", true},
        {"SET k v", "TOUCH k", false},
        {"SET k v", "FLUSHALL", true},
        {"DEL k", "FLUSHALL", false},
        {"SET k v", "FLUSHDB", true},
        {"SET k v", "SWAPDB 0 5", true},
        {"FLUSHALL", "SWAPDB 0 5", false},
        {"SET k v", "SWAPDB 1 2", false},
        {"SET k v", "GETEX k PERSIST", false},
        {"HSET k2 f v", "HSET k2 f v", true},
        {"SET k v", "GETEX k EX 10", true},
        {"SET k v", "SET other v", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        session_ask(session, cases[i].before);
        if (fails("WATCH k k2 unrelated", cases[i].happens) != cases[i].changes) {
            fail_msg("%s, then %s", cases[i].before, cases[i].happens);
        }
    }
    /* In the other database of a swap, in another one than the client's, and undone. */
    session_ask(session, "FLUSHALL");
    session_ask(session, "SELECT 5");
    session_ask(session, "SET k v");
    session_ask(session, "SELECT 0");
    assert_true(fails("WATCH k", "SWAPDB 0 5"));
    assert_false(fails("WATCH nothing", "SWAPDB 0 5"));
    expect("SET k v", "+OK\r\n");
    expect("WATCH k", "+OK\r\n");
    expect("SELECT 1", "+OK\r\n");
    assert_true(fails("WATCH l", "SET k v"));
    assert_false(fails("WATCH k", "SET k v"));
    expect("SELECT 0", "+OK\r\n");
    expect("WATCH k", "+OK\r\n");
    expect("SET k 2", "+OK\r\n"); /* its own writes count */
    expect("UNWATCH", "+OK\r\n");
    assert_false(fails("WATCH l", "PING"));
}

static void test_expiry(void **state) {
    (void)state;
    expect("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n");
    expect("SET k v PX 100", "+OK\r\n");
    expect("WATCH k", "+OK\r\n");
    pass_time(200);
    assert_true(fails("WATCH other", "PING")); /* though nobody has removed it */
    expect("SET k v PX 100", "+OK\r\n");
    pass_time(200);
    assert_false(fails("WATCH k", "GET k")); /* it had expired before */
    expect("SET k v PX 100", "+OK\r\n");
    pass_time(200);
    assert_true(fails("WATCH k", "SET k w"));
}

static void test_eviction(void **state) {
    (void)state;
    expect("CONFIG SET maxmemory-policy allkeys-random", "+OK\r\n");
    expect("SET k v", "+OK\r\n");
    expect("WATCH k", "+OK\r\n");
    expect("CONFIG SET maxmemory 1", "+OK\r\n");
    session_ask(session, "SET l v");
    expect("CONFIG SET maxmemory 0", "+OK\r\n");
    expect("EXISTS k", ":0\r\n");
    assert_true(fails("WATCH other", "PING"));
}

/* Many clients and keys, random changes: each EXEC fails when one of its keys was changed. */
static void test_model(void **state) {
    (void)state;
    enum { CLIENTS = 6, KEYS = 12, STEPS = 4000 };
    int fds[CLIENTS];
    bool watches[CLIENTS][KEYS] = {{false}};
    bool dirty[CLIENTS] = {false};
    unsigned seed = 7;
    char line[64];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = session_connect(session);
    }
    for (int step = 0; step < STEPS; step++) {
        int who = rand_r(&seed) % CLIENTS;
        int key = rand_r(&seed) % KEYS;
        switch (rand_r(&seed) % 6) {
        case 0:
        case 1:
        case 2:
            snprintf(line, sizeof line, "WATCH k%d", key);
            assert_string_equal(session_ask_on(session, fds[who], line), "+OK\r\n");
            watches[who][key] |= !dirty[who];
            break;
        case 3:
            snprintf(line, sizeof line, "INCR k%d", key);
            session_ask_on(session, fds[who], line);
            for (int i = 0; i < CLIENTS; i++) {
                dirty[i] |= watches[i][key];
            }
            break;
        case 4:
            session_ask_on(session, fds[who], "MULTI");
            assert_string_equal(session_ask_on(session, fds[who], "EXEC"),
                                dirty[who] ? "*-1\r\n" : "*0\r\n");
            memset(watches[who], 0, sizeof watches[who]);
            dirty[who] = false;
            break;
        default:
            if (rand_r(&seed) % 8 == 0) {
                close(fds[who]);
                fds[who] = session_connect(session);
                memset(watches[who], 0, sizeof watches[who]);
                dirty[who] = false;
            }
        }
        watches_validate(clients()->watches);
    }
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    session_pass(session);
    assert_int_equal(watches_keys(clients()->watches), 0);
    assert_null(session->server.keyspace.hooks.listeners);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(test_queue_grows),
        TEST(test_large_arguments),
        TEST(test_no_memory),
        TEST(test_limit),
        TEST(test_what_ends_it),
        TEST(test_memory_limit),
        TEST(test_pause),
        TEST(test_what_is_shown),
        TEST(test_monitor_sees_the_order),
        TEST(test_muted),
        TEST(test_messages_come_behind),
        TEST(test_what_is_a_change),
        TEST(test_expiry),
        TEST(test_eviction),
        TEST(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
