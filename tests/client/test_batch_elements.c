/* Tests of the plan's steps for elements of collections (client/batch_execute.c): while some
 * requests ask for an element ahead of time, others that are executed meanwhile remove it, its
 * collection and its key, change the encoding, or put another type there. What a pipeline answers
 * is what the same commands answer when they come alone. */
#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

#define ROUNDS        150
#define COMMANDS      60
#define LINE_MAX_SIZE 128

static void draw(struct random *random, char *line) {
    unsigned key = (unsigned)random_below(random, 5);
    unsigned field = (unsigned)random_below(random, 40);
    unsigned other = (unsigned)random_below(random, 40);
    static const char *const forms[] = {
        "HSET h%u f%u v%u",
        "HSET h%u f%u v%u",
        "HSET h%u %u a-longer-value-%u",
        "HGET h%u f%u",
        "HGET h%u %u",
        "HDEL h%u f%u f%u",
        "HEXISTS h%u f%u",
        "HINCRBY h%u n%u 7",
        "HMGET h%u f%u f%u",
        "SADD h%u f%u f%u",
        "SISMEMBER h%u f%u",
        "LPUSH h%u f%u f%u",
        "APPEND h%u f%u",
        "HSETNX h%u f%u %u",
        "HPEXPIRE h%u 100000 FIELDS 1 f%u",
        "HGET h%u",
        "HSTRLEN h%u f%u",
        "HSET h%u f%u xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%u",
        "XADD h%u 9-%u a b",
        "ZADD h%u %u m%u",
        "ZADD h%u %u m%u",
        "ZADD h%u NX %u m%u",
        "ZINCRBY h%u %u m%u",
        "ZSCORE h%u m%u",
        "ZRANK h%u m%u",
        "ZREM h%u m%u m%u",
    };
    switch (random_below(random, 40)) {
    case 0:
        snprintf(line, LINE_MAX_SIZE, "DEL h%u\r\n", key);
        return;
    case 1:
        snprintf(line, LINE_MAX_SIZE, "RENAME h%u h%u\r\n", key, (key + 1) % 5);
        return;
    default: {
        size_t count = sizeof forms / sizeof forms[0];
        char text[LINE_MAX_SIZE - 2];
        snprintf(text, sizeof text, forms[random_below(random, count)], key, field, other);
        snprintf(line, LINE_MAX_SIZE, "%s\r\n", text);
    }
    }
}

/* All of it at once; passes until nothing more comes. */
static void ask_at_once(struct session *session, int fd, const char *text, char *answer,
                        size_t room) {
    size_t size = strlen(text);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    size_t have = 0;
    for (int quiet = 0; quiet < 5;) {
        session_pass(session);
        const char *more = session_read(session, fd);
        size_t got = strlen(more);
        assert_true(have + got < room);
        memcpy(answer + have, more, got + 1);
        have += got;
        quiet = got > 0 ? 0 : quiet + 1;
    }
}

static void test_pipelines(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    session_expect(session, "CONFIG SET hash-max-listpack-entries 20", "+OK\r\n");
    int fd = session_connect(session);
    assert_string_equal(session_ask_on(session, fd, "SELECT 1"), "+OK\r\n");
    struct random random;
    random_init(&random, 11);
    static char pipeline[COMMANDS * LINE_MAX_SIZE];
    static char expected[SESSION_ANSWER_SIZE];
    static char answer[SESSION_ANSWER_SIZE];
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = 0;
        size_t answered = 0;
        for (int i = 0; i < COMMANDS; i++) {
            char line[LINE_MAX_SIZE];
            draw(&random, line);
            memcpy(pipeline + size, line, strlen(line) + 1);
            size += strlen(line);
            line[strlen(line) - 2] = '\0';
            const char *alone = session_ask(session, line);
            memcpy(expected + answered, alone, strlen(alone) + 1);
            answered += strlen(alone);
        }
        ask_at_once(session, fd, pipeline, answer, sizeof answer);
        assert_string_equal(answer, expected);
    }
    close(fd);
    session_end(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pipelines)};
    return cmocka_run_group_tests_name("client/batch_elements", tests, NULL, NULL);
}
