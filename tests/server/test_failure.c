/* Allocations that fail, the first, the second ... of each command that takes memory of a size that
 * a client chooses: an error or the reply as ever, the keyspace whole, and everything as before or
 * as it shall be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/session.h"

/* More allocations that may fail than any of the commands makes. */
#define FAILURES_MAX 200
#define LONG_SIZE    20000
/* ... and than the allocations of most. */
#define ALLOCATIONS_MAX 12

static struct session *session;
static size_t failures; /* commands that did not end as ever */
static char line[3 * LONG_SIZE];
static char text[LONG_SIZE + 1];

static int set_up(void **state) {
    (void)state;
    failures = 0;
    static const char *const options[] = {"--hash-max-listpack-entries", "8", NULL};
    session = session_start(options);
    memset(text, 'x', LONG_SIZE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

/* `%` in a command stands for a long text. */
static const char *ask(const char *command) {
    size_t size = 0;
    for (; *command != '\0'; command++) {
        if (*command == '%') {
            memcpy(line + size, text, LONG_SIZE);
            size += LONG_SIZE;
        } else {
            line[size++] = *command;
        }
    }
    line[size] = '\0';
    return session_ask(session, line);
}

static void prepare(void) {
    ask("FLUSHALL SYNC");
    ask("SET small value PX 1000000");
    ask("SET number 12345");
    ask("SET middle 0123456789012345678901234567890123456789");
    ask("SET big %");
    ask("HSET pack a 1 b 2 c 3");
    ask("HSET table a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10");
    ask("HPEXPIRE table 1000000 FIELDS 2 a b");
    ask("RPUSH list c a b");
    ask("RPUSH blocks a b % c d");
    ask("SADD integers 1 2 3 4 5 6 7 8 9 10 11 12");
    ask("SADD pack-of-three a b c");
    ask("SADD members m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11 m12 m13 m14 m15 m16 %");
}

/* Where the request itself found no memory, the connection is closed, and nothing else happens. */
static void reconnect_if_closed(void) {
    char byte;
    session_pass(session);
    session_read(session, session->fd);
    if (recv(session->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        close(session->fd);
        session->fd = session_connect(session);
    }
}

/* Runs the command with its Nth allocation failing, for all N, until one goes through. */
static void try_all(const char *command) {
    prepare();
    char expected[64];
    snprintf(expected, sizeof expected, "%s", ask(command));
    for (uint64_t n = 1;; n++) {
        assert_true(n < FAILURES_MAX);
        prepare();
        mem_fail_after(n);
        char answer[64];
        snprintf(answer, sizeof answer, "%s", ask(command));
        bool answered = answer[0] != '\0';
        mem_fail_after(0);
        keyspace_validate(&session->server.keyspace);
        reconnect_if_closed();
        session_expect(session, "PING", "+PONG\r\n");
        bool as_ever = strcmp(answer, expected) == 0;
        failures += !as_ever;
        if (answered && !as_ever && strncmp(answer, "-OOM ", 5) != 0 &&
            strncmp(answer, "-ERR ", 5) != 0) {
            fail_msg("%.20s: %s", command, answer);
        }
        if (strncmp(command, "APPEND number", 13) != 0) {
            session_expect(session, "GET number", "$5\r\n12345\r\n");
        }
        if (strncmp(command, "RENAME table", 12) != 0) {
            session_expect(session, "HGET table j", "$2\r\n10\r\n");
        }
        if (as_ever && n > ALLOCATIONS_MAX) {
            return;
        }
    }
}

static void test_strings(void **state) {
    (void)state;
    static const char *const commands[] = {
        "SET new %",
        "SET small %",
        "SET big y%",
        "SETNX fresh %",
        "GETSET small %",
        "APPEND small %",
        "APPEND big %",
        "APPEND number %",
        "APPEND absent %",
        "SETRANGE small 100000 x",
        "SETRANGE absent 70000 x",
        "SETRANGE big 200000 x",
        "SETBIT small 900000 1",
        "SETBIT absent 900000 1",
        "BITOP NOT other big",
        "BITFIELD absent SET u8 700000 1",
        "MSET p % q %",
        "INCRBYFLOAT middle 1",
        "SET small x KEEPTTL GET",
        "PSETEX small 100000 %",
        "GETEX number PX 100000",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        try_all(commands[i]);
    }
    assert_true(failures >= 3);
}

static void test_keys(void **state) {
    (void)state;
    static const char *const commands[] = {
        "RENAME small long%",     "RENAME big long%",      "RENAME table long%",
        "RENAMENX pack long%",    "COPY small other",      "COPY big long%",
        "COPY table other",       "COPY pack long%",       "MOVE small 1",
        "PEXPIRE number 1000000", "PEXPIRE table 1000000", "PERSIST small",
        "GETRANGE big 0 -1",      "SORT_RO absent",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        try_all(commands[i]);
    }
    assert_true(failures >= 3);
}

static void test_hashes(void **state) {
    (void)state;
    static const char *const commands[] = {
        "HSET pack d %",
        "HSET pack % d",
        "HSET table k %",
        "HSET table a %",
        "HSET fresh a %",
        "HSET pack d 4 e 5 f 6 g 7 h 8 i 9 j 10",
        "HSETNX table l %",
        "HINCRBY table a 5",
        "HINCRBYFLOAT table b 1.5",
        "HPEXPIRE pack 1000000 FIELDS 1 a",
        "HPEXPIRE table 1000000 FIELDS 2 c d",
        "HGETALL table",
        "HMGET table a b c d",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        try_all(commands[i]);
    }
    assert_true(failures >= 3);
}

static void test_lists(void **state) {
    (void)state;
    static const char *const commands[] = {
        "RPUSH list %",
        "LPUSH blocks a % b",
        "RPUSH fresh %",
        "RPUSH fresh% a",
        "LSET list 1 %",
        "LSET blocks 2 a",
        "LINSERT list BEFORE a %",
        "LINSERT blocks AFTER % %",
        "LMOVE blocks list LEFT RIGHT",
        "LMOVE list fresh% LEFT RIGHT",
        "LMOVEM blocks fresh% LEFT RIGHT COUNT 4 BULK",
        "LMOVEM blocks blocks LEFT RIGHT COUNT 4 OBO",
        "LRANGE blocks 0 -1",
        "LPOP blocks 4",
        "COPY blocks fresh%",
        "SORT list ALPHA BY w_* GET #",
        "SORT blocks ALPHA",
        "SORT blocks ALPHA BY w_* GET # GET small STORE result",
        "SORT integers STORE fresh%",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        try_all(commands[i]);
    }
    assert_true(failures >= 3);
}

static void test_sets(void **state) {
    (void)state;
    static const char *const commands[] = {
        "SADD pack-of-three %",
        "SADD members %",
        "SADD integers 5000000000",
        "SADD integers %",
        "SADD fresh % a",
        "SMOVE members integers m1",
        "SMOVE members fresh m1",
        "SUNIONSTORE result members integers pack-of-three",
        "SUNION members integers pack-of-three a b c d",
        "SINTERSTORE result members members",
        "SDIFFSTORE result members integers",
        "COPY members other",
        "COPY integers other",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        try_all(commands[i]);
    }
    assert_true(failures >= 10);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_strings), TEST(test_keys), TEST(test_hashes), TEST(test_lists), TEST(test_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
