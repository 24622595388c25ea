/* Tests of what commands draw at random: each key, field and member comes with the same chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "support/session.h"
#include "support/uniform.h"

#define SIZE_MAX_DRAWN 1000
/* Passes that answering these may take. */
#define PASSES_MAX 10000
/* Commands sent together. */
#define TOGETHER 100

static struct session *session;
static unsigned counts[SIZE_MAX_DRAWN];

static const int sizes[] = {20, 100, 1000};
#define SIZES (sizeof sizes / sizeof *sizes)

static int set_up(void **state) {
    (void)state;
    session = session_start(NULL);
    random_init(&session->server.keyspace.random, 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

/* Counts the bulk strings of an answer, which are numbers. */
static size_t count_numbers(const char *answer, int size) {
    size_t found = 0;
    for (const char *line = answer; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_true(*line != '-');
        if (*line >= '0' && *line <= '9') {
            int number = atoi(line);
            assert_in_range(number, 0, size - 1);
            counts[number]++;
            found++;
        }
    }
    return found;
}

/* Sends a command until it has given 200 elements for each that there is. */
static void check_uniform(const char *command, int size, size_t at_once) {
    char line[TOGETHER * 64] = "";
    memset(counts, 0, sizeof counts);
    size_t end = 0;
    for (int i = 0; i < TOGETHER; i++) {
        end +=
            (size_t)snprintf(line + end, sizeof line - end, "%s%s", i > 0 ? "\r\n" : "", command);
    }
    size_t drawn = 0;
    while (drawn < (size_t)size * UNIFORM_DRAWS) {
        size_t more = count_numbers(session_ask(session, line), size);
        for (int pass = 0; more < TOGETHER * at_once; pass++) {
            assert_true(pass < PASSES_MAX);
            session_pass(session);
            more += count_numbers(session_read(session, session->fd), size);
        }
        assert_int_equal(more, TOGETHER * at_once);
        drawn += more;
    }
    assert_uniform(counts, (size_t)size, at_once);
}

/* Fills with the numbers from 0 on; `form` has a place for each. */
static void fill(const char *form, int size) {
    char line[96];
    session_expect(session, "FLUSHALL", "+OK\r\n");
    for (int i = 0; i < size; i++) {
        snprintf(line, sizeof line, form, i);
        session_ask(session, line);
    }
}

static void test_randomkey(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        fill("SET %d v", sizes[i]);
        check_uniform("RANDOMKEY", sizes[i], 1);
    }
}

/* One by one, and several different ones at once. */
static void check_draws(const char *fill_form, const char *command) {
    static const int at_once[] = {3, 5, 15};
    char line[96];
    for (size_t i = 0; i < SIZES; i++) {
        fill(fill_form, sizes[i]);
        check_uniform(command, sizes[i], 1);
        for (size_t k = 0; k < sizeof at_once / sizeof *at_once; k++) {
            snprintf(line, sizeof line, "%s %d", command, at_once[k]);
            check_uniform(line, sizes[i], (size_t)at_once[k]);
        }
    }
}

static void test_hrandfield(void **state) {
    (void)state;
    check_draws("HSET h %d v", "HRANDFIELD h");
    session_expect(session, "CONFIG SET hash-max-listpack-entries 0", "+OK\r\n");
    check_draws("HSET h %d v", "HRANDFIELD h");
    session_expect(session, "CONFIG SET hash-max-listpack-entries 512", "+OK\r\n");
}

static void test_srandmember(void **state) {
    (void)state;
    check_draws("SADD s %d", "SRANDMEMBER s");
    session_expect(session, "CONFIG SET set-max-intset-entries 0", "+OK\r\n");
    session_expect(session, "CONFIG SET set-max-listpack-entries 1000", "+OK\r\n");
    check_draws("SADD s %d", "SRANDMEMBER s");
    session_expect(session, "CONFIG SET set-max-listpack-entries 0", "+OK\r\n");
    check_draws("SADD s %d", "SRANDMEMBER s");
}

static void test_zrandmember(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET zset-max-listpack-entries 1000", "+OK\r\n");
    check_draws("ZADD z 1 %d", "ZRANDMEMBER z");
    session_expect(session, "CONFIG SET zset-max-listpack-entries 0", "+OK\r\n");
    check_draws("ZADD z 1 %d", "ZRANDMEMBER z");
}

/* Each member that was popped is put back before the next one is. */
static void check_pops(int size) {
    char line[32];
    fill("SADD s %d", size);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < size * UNIFORM_DRAWS; i++) {
        const char *answer = session_ask(session, "SPOP s");
        assert_int_equal(count_numbers(answer, size), 1);
        snprintf(line, sizeof line, "SADD s %d", atoi(strchr(answer, '\n')));
        session_expect(session, line, ":1\r\n");
    }
    assert_uniform(counts, (size_t)size, 1);
}

static void test_spop(void **state) {
    (void)state;
    check_pops(20);
    check_pops(100);
    session_expect(session, "CONFIG SET set-max-intset-entries 0", "+OK\r\n");
    check_pops(20);
    check_pops(100);
    session_expect(session, "CONFIG SET set-max-listpack-entries 0", "+OK\r\n");
    check_pops(20);
    check_pops(1000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_randomkey),   TEST(test_hrandfield), TEST(test_srandmember),
        TEST(test_zrandmember), TEST(test_spop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
