/* Tests of client/waiting: who is served when and with what, what ends waiting otherwise, and what
 * becomes of what a waiting client sends. */
#include "client/waiting.h"

#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/client.h"
#include "client/client_int.h"

#define CLIENTS 5
/* Passes after which what should have happened will not. */
#define PASSES_MAX 2000000

static struct session *session;
static int fds[CLIENTS];

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = session_connect(session);
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    session_end(session);
    return 0;
}

static const struct waiting *waiting(void) {
    return session->server.context.clients->waiting;
}

static void send_line(int who, const char *line) {
    assert_int_equal(write(fds[who], line, strlen(line)), (ssize_t)strlen(line));
    assert_int_equal(write(fds[who], "\r\n", 2), 2);
    session_pass(session);
    waiting_validate(waiting());
}

static void expect(const char *line, const char *answer) {
    session_expect(session, line, answer);
    waiting_validate(waiting());
}

/* What this client has got meanwhile. */
static void got(int who, const char *text) {
    session_pass(session);
    assert_string_equal(session_read(session, fds[who]), text);
}

static void test_in_order(void **state) {
    (void)state;
    send_line(0, "BLPOP q 0");
    send_line(1, "BRPOP q 0");
    send_line(2, "BLPOP q 0");
    send_line(3, "BLPOP q 0");
    assert_int_equal(waiting_count(waiting()), 4);
    assert_int_equal(waiting_keys(waiting()), 1);
    expect("RPUSH q 1 2 3", ":3\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\n1\r\n");
    got(1, "*2\r\n$1\r\nq\r\n$1\r\n3\r\n");
    got(2, "*2\r\n$1\r\nq\r\n$1\r\n2\r\n");
    got(3, "");
    expect("EXISTS q", ":0\r\n");
    expect("RPUSH q 4 5", ":2\r\n");
    got(3, "*2\r\n$1\r\nq\r\n$1\r\n4\r\n");
    expect("LRANGE q 0 -1", "*1\r\n$1\r\n5\r\n");
    assert_null(session->server.keyspace.hooks.appeared);
}

static void test_chains(void **state) {
    (void)state;
    send_line(0, "BLMOVE a b LEFT RIGHT 0");
    send_line(1, "BLMOVE b c LEFT RIGHT 0");
    send_line(2, "BLMPOP 0 2 x c LEFT COUNT 5");
    expect("RPUSH a v", ":1\r\n");
    got(0, "$1\r\nv\r\n");
    got(1, "$1\r\nv\r\n");
    got(2, "*2\r\n$1\r\nc\r\n*1\r\n$1\r\nv\r\n");
    expect("EXISTS a b c", ":0\r\n");
    /* Round in a circle. */
    send_line(0, "BRPOPLPUSH l l 0");
    expect("RPUSH l v", ":1\r\n");
    got(0, "$1\r\nv\r\n");
    expect("LRANGE l 0 -1", "*1\r\n$1\r\nv\r\n");
}

static void test_transactions(void **state) {
    (void)state;
    send_line(0, "BLPOP q 0");
    expect("MULTI", "+OK\r\n");
    expect("RPUSH q 1", "+QUEUED\r\n");
    expect("DEL q", "+QUEUED\r\n");
    expect("EXEC", "*2\r\n:1\r\n:1\r\n");
    got(0, "");
    expect("MULTI", "+OK\r\n");
    expect("RPUSH q 1", "+QUEUED\r\n");
    expect("RPUSH q 2", "+QUEUED\r\n");
    expect("LPOP q", "+QUEUED\r\n");
    expect("EXEC", "*3\r\n:1\r\n:2\r\n$1\r\n1\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\n2\r\n");
    expect("MULTI", "+OK\r\n");
    expect("BLPOP q 0", "+QUEUED\r\n");
    expect("BLMOVE q r LEFT LEFT 0", "+QUEUED\r\n");
    expect("WAIT 3 0", "+QUEUED\r\n");
    expect("EXEC", "*3\r\n*-1\r\n*-1\r\n:0\r\n");
    assert_int_equal(waiting_count(waiting()), 0);
}

static void test_types(void **state) {
    (void)state;
    send_line(0, "BLPOP q 0");
    expect("SET q v", "+OK\r\n");
    got(0, "");
    expect("DEL q", ":1\r\n");
    expect("XADD q 1-1 f v", "$3\r\n1-1\r\n");
    got(0, "");
    expect("DEL q", ":1\r\n");
    expect("RPUSH q v", ":1\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
    /* What it would move to cannot take it: an error, and the next one has it. */
    expect("SET str v", "+OK\r\n");
    send_line(0, "BLMOVE q str LEFT RIGHT 0");
    send_line(1, "BLPOP q 0");
    expect("RPUSH q v", ":1\r\n");
    got(0, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    got(1, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
}

static void test_sorted_sets(void **state) {
    (void)state;
    send_line(0, "BZPOPMIN a b 0");
    send_line(1, "BZPOPMAX a 0");
    send_line(2, "BZMPOP 0 2 c a MIN COUNT 2");
    send_line(3, "BLPOP a 0");
    expect("ZADD a 1 x 2 y 3 z 4 w", ":4\r\n");
    got(0, "*3\r\n$1\r\na\r\n$1\r\nx\r\n$1\r\n1\r\n");
    got(1, "*3\r\n$1\r\na\r\n$1\r\nw\r\n$1\r\n4\r\n");
    got(2, "*2\r\n$1\r\na\r\n*2\r\n*2\r\n$1\r\ny\r\n$1\r\n2\r\n*2\r\n$1\r\nz\r\n$1\r\n3\r\n");
    got(3, "");
    expect("EXISTS a", ":0\r\n");
    expect("ZADD a 1 x", ":1\r\n");
    got(3, "");
    expect("BZPOPMIN nokey a 0", "*3\r\n$1\r\na\r\n$1\r\nx\r\n$1\r\n1\r\n");
    expect("RPUSH a v", ":1\r\n");
    got(3, "*2\r\n$1\r\na\r\n$1\r\nv\r\n");
    /* What another command leaves under the key. */
    send_line(0, "HELLO 3\r\nBZPOPMAX d 0");
    session_read(session, fds[0]);
    expect("ZADD s 2.5 m", ":1\r\n");
    expect("ZUNIONSTORE d 1 s", ":1\r\n");
    got(0, "*3\r\n$1\r\nd\r\n$1\r\nm\r\n,2.5\r\n");
}

static void test_other_ways_for_a_key_to_appear(void **state) {
    (void)state;
    static const char *const before[] = {"RPUSH t v", "RPUSH t v", "SELECT 3", "SELECT 5"};
    static const char *const ways[] = {"RENAME t q", "COPY t q", "MOVE q 0", "SWAPDB 0 5"};
    static const char *const answers[] = {"+OK\r\n", ":1\r\n", ":1\r\n", "+OK\r\n"};
    for (int i = 0; i < 4; i++) {
        send_line(0, "BLPOP q 0");
        session_ask(session, before[i]);
        if (i >= 2) {
            expect("RPUSH q v", ":1\r\n");
        }
        expect(ways[i], answers[i]);
        got(0, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
        expect("SELECT 0", "+OK\r\n");
        session_ask(session, "FLUSHALL");
    }
    send_line(0, "SELECT 2");
    got(0, "+OK\r\n");
    send_line(0, "BLPOP q 0");
    expect("RPUSH q v", ":1\r\n"); /* another database's */
    got(0, "");
    expect("MOVE q 2", ":1\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\nv\r\n");
}

static void test_what_is_sent_meanwhile(void **state) {
    (void)state;
    send_line(0, "PING\r\nBLPOP q 0\r\nPING\r\nBLPOP q 0\r\nECHO x");
    got(0, "+PONG\r\n");
    for (int i = 0; i < 100; i++) {
        send_line(0, "ECHO some-more"); /* beyond what is taken from the socket */
    }
    got(0, "");
    expect("RPUSH q 1", ":1\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\n1\r\n+PONG\r\n");
    expect("RPUSH q 2", ":1\r\n");
    for (int i = 0; i < 100; i++) {
        session_pass(session);
    }
    const char *text = session_read(session, fds[0]);
    assert_memory_equal(text, "*2\r\n$1\r\nq\r\n$1\r\n2\r\n$1\r\nx\r\n", 25);
    assert_int_equal(strlen(text), 25 + 100 * strlen("$9\r\nsome-more\r\n"));
    /* Half of a command, and what is pushed by itself in the same batch. */
    assert_int_equal(write(fds[1], "BLPOP q 0\r\nEC", 13), 13);
    session_pass(session);
    assert_int_equal(write(fds[1], "HO y\r\n", 6), 6);
    send_line(2, "RPUSH q 3\r\nPING");
    got(1, "*2\r\n$1\r\nq\r\n$1\r\n3\r\n$1\r\ny\r\n");
    got(2, ":1\r\n+PONG\r\n");
}

static void test_served_in_the_batch_that_began_it(void **state) {
    (void)state;
    /* Both are read in the same pass. */
    assert_int_equal(write(fds[0], "BLPOP q 0\r\nPING\r\n", 17), 17);
    assert_int_equal(write(fds[1], "RPUSH q 1\r\nPING\r\n", 17), 17);
    session_pass(session);
    got(0, "*2\r\n$1\r\nq\r\n$1\r\n1\r\n+PONG\r\n");
    got(1, ":1\r\n+PONG\r\n");
    send_line(0, "PING");
    got(0, "+PONG\r\n");
}

static void test_messages_reach_it(void **state) {
    (void)state;
    send_line(0, "HELLO 3\r\nSUBSCRIBE c");
    session_read(session, fds[0]);
    send_line(0, "BLPOP q 0");
    expect("PUBLISH c m", ":1\r\n");
    got(0, ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    expect("RPUSH q 1", ":1\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\n1\r\n");
}

static void wait_until_served(int who, const char *text) {
    for (int i = 0; i < PASSES_MAX && waiting_count(waiting()) > 0; i++) {
        session_pass(session);
    }
    got(who, text);
}

static void test_time(void **state) {
    (void)state;
    send_line(0, "BLPOP a b 0.01");
    send_line(1, "BLPOP a 0");
    assert_int_equal(waiting_timed(waiting()), 1);
    send_line(2, "WAIT 1 5");
    send_line(3, "HELLO 3\r\nBLMOVE a b LEFT LEFT 0.0001\r\nPING");
    for (int i = 0; i < PASSES_MAX && waiting_count(waiting()) > 1; i++) {
        session_pass(session);
    }
    got(0, "*-1\r\n");
    got(2, ":0\r\n");
    assert_non_null(strstr(session_read(session, fds[3]), "_\r\n+PONG\r\n"));
    expect("RPUSH a v", ":1\r\n");
    wait_until_served(1, "*2\r\n$1\r\na\r\n$1\r\nv\r\n");
    assert_int_equal(waiting_timed(waiting()), 0);
    send_line(0, "WAITAOF 0 1 1");
    wait_until_served(0, "*2\r\n:0\r\n:0\r\n");
    expect("WAIT 0 0", ":0\r\n");
    expect("WAITAOF 0 0 0", "*2\r\n:0\r\n:0\r\n");
    expect("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1\r\n");
    expect("WAITAOF 1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is "
                            "disabled.\r\n");
    expect("BLPOP q inf", "-ERR timeout is out of range\r\n");
    expect("BLPOP q -0.1", "-ERR timeout is negative\r\n");
    expect("BLPOP q nan", "-ERR timeout is not a float or out of range\r\n");
    expect("WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n");
}

static void unblock(int who, const char *how, const char *answer) {
    char line[64];
    struct client *client = session->server.context.clients->first;
    for (int i = 0; i <= who; i++) {
        client = client->next;
    }
    snprintf(line, sizeof line, "CLIENT UNBLOCK %d%s", (int)client->id, how);
    expect(line, answer);
}

static void test_unblock_and_kill(void **state) {
    (void)state;
    send_line(0, "BLPOP a b 0\r\nPING");
    send_line(1, "BLPOP a 100");
    send_line(2, "WAIT 1 0");
    unblock(0, "", ":1\r\n");
    got(0, "*-1\r\n+PONG\r\n");
    unblock(0, "", ":0\r\n");
    unblock(1, " ERROR", ":1\r\n");
    got(1, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    unblock(2, " TIMEOUT", ":1\r\n");
    got(2, ":0\r\n");
    unblock(2, " x", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
    expect("CLIENT UNBLOCK x", "-ERR value is not an integer or out of range\r\n");
    /* The first of two goes, by itself or killed with what it might have got. */
    send_line(0, "BLPOP a b 0");
    send_line(1, "BLPOP a 0");
    close(fds[0]);
    session_pass(session);
    waiting_validate(waiting());
    assert_int_equal(waiting_count(waiting()), 1);
    expect("RPUSH a v", ":1\r\n");
    got(1, "*2\r\n$1\r\na\r\n$1\r\nv\r\n");
    fds[0] = session_connect(session);
    send_line(1, "BLPOP a 0\r\nPING"); /* with more behind, its end is noticed too */
    close(fds[1]);
    session_pass(session);
    assert_int_equal(waiting_count(waiting()), 0);
    fds[1] = session_connect(session);
    send_line(2, "BLPOP a 0");
    expect("CLIENT KILL TYPE normal", ":5\r\n");
    assert_int_equal(waiting_count(waiting()), 0);
    expect("RPUSH a v", ":1\r\n");
    expect("LLEN a", ":1\r\n");
}

static void test_pause(void **state) {
    (void)state;
    send_line(0, "BLPOP q 0");
    send_line(1, "BLPOP r 0.01");
    expect("CLIENT PAUSE 1000000 WRITE", "+OK\r\n");
    send_line(2, "RPUSH q 1\r\nPING");
    for (int i = 0; i < PASSES_MAX && waiting_count(waiting()) > 1; i++) {
        session_pass(session);
    }
    got(0, "");
    got(1, "*-1\r\n");
    unblock(2, "", ":0\r\n"); /* it is held, but waits for no key */
    expect("CLIENT UNPAUSE", "+OK\r\n");
    got(0, "*2\r\n$1\r\nq\r\n$1\r\n1\r\n");
    got(2, ":1\r\n+PONG\r\n");
}

static void test_what_is_shown(void **state) {
    (void)state;
    send_line(0, "BLPOP a b 5");
    send_line(1, "BLPOP a 0");
    assert_non_null(strstr(session_ask(session, "CLIENT LIST"), "flags=bU "));
    assert_non_null(strstr(session_ask(session, "CLIENT LIST"), "cmd=blpop "));
    const char *info = session_ask(session, "INFO clients");
    assert_non_null(strstr(info, "blocked_clients:2\r\n"));
    assert_non_null(strstr(info, "clients_in_timeout_table:1\r\n"));
    assert_non_null(strstr(info, "total_blocking_keys:2\r\n"));
    assert_non_null(strstr(info, "total_blocking_keys_on_nokey:0\r\n"));
    expect("RPUSH a 1 2", ":2\r\n");
    got(0, "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    assert_non_null(strstr(session_ask(session, "INFO commandstats"), "cmdstat_blpop:calls=2,"));
}

static void test_no_memory(void **state) {
    (void)state;
    mem_fail_after(1);
    send_line(0, "BLPOP a b c 0");
    mem_fail_after(0);
    got(0, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_int_equal(waiting_count(waiting()), 0);
    assert_int_equal(waiting_keys(waiting()), 0);
}

static void test_served_again_without_memory(void **state) {
    (void)state;
    send_line(0, "BLMOVE a b LEFT RIGHT 0");
    send_line(1, "BLPOP a 0");
    expect("MULTI", "+OK\r\n");
    expect("RPUSH a v", "+QUEUED\r\n");
    expect("CONFIG SET maxmemory 1 maxmemory-policy noeviction", "+QUEUED\r\n");
    expect("EXEC", "*2\r\n:1\r\n+OK\r\n");
    got(0, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    got(1, "*2\r\n$1\r\na\r\n$1\r\nv\r\n");
    expect("CONFIG SET maxmemory 0", "+OK\r\n");
}

/* Random clients wait for random keys and others push: who waits for longest gets what comes. */
static void test_model(void **state) {
    (void)state;
    enum { KEYS = 4, STEPS = 6000 };
    struct {
        bool waits;
        int order;
        int keys[3];
    } models[CLIENTS] = {{0}};
    unsigned seed = 11;
    int order = 0;
    for (int step = 0; step < STEPS; step++) {
        char line[80];
        int who = rand_r(&seed) % CLIENTS;
        if (rand_r(&seed) % 2 == 0 && !models[who].waits) {
            for (int i = 0; i < 3; i++) {
                models[who].keys[i] = rand_r(&seed) % KEYS;
            }
            models[who].waits = true;
            models[who].order = order++;
            snprintf(line, sizeof line, "BLPOP k%d k%d k%d 0", models[who].keys[0],
                     models[who].keys[1], models[who].keys[2]);
            send_line(who, line);
        } else if (rand_r(&seed) % 10 == 0 && models[who].waits) {
            close(fds[who]);
            fds[who] = session_connect(session);
            models[who].waits = false;
        } else {
            int key = rand_r(&seed) % KEYS;
            int first = -1;
            for (int i = 0; i < CLIENTS; i++) {
                bool wants = models[i].keys[0] == key || models[i].keys[1] == key ||
                             models[i].keys[2] == key;
                if (models[i].waits && wants &&
                    (first < 0 || models[i].order < models[first].order)) {
                    first = i;
                }
            }
            snprintf(line, sizeof line, "RPUSH k%d %d", key, step);
            expect(line, ":1\r\n");
            if (first < 0) {
                snprintf(line, sizeof line, "DEL k%d", key);
                expect(line, ":1\r\n");
                continue;
            }
            char digits[16];
            snprintf(digits, sizeof digits, "%d", step);
            snprintf(line, sizeof line, "*2\r\n$2\r\nk%d\r\n$%d\r\n%s\r\n", key,
                     (int)strlen(digits), digits);
            got(first, line);
            models[first].waits = false;
        }
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(test_in_order),
        TEST(test_chains),
        TEST(test_transactions),
        TEST(test_types),
        TEST(test_sorted_sets),
        TEST(test_other_ways_for_a_key_to_appear),
        TEST(test_what_is_sent_meanwhile),
        TEST(test_served_in_the_batch_that_began_it),
        TEST(test_messages_reach_it),
        TEST(test_time),
        TEST(test_unblock_and_kill),
        TEST(test_pause),
        TEST(test_what_is_shown),
        TEST(test_no_memory),
        TEST(test_served_again_without_memory),
        TEST(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
