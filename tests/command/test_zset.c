/* Tests of the commands on sorted sets that other servers cannot be compared in: what popping
 * becomes for those who repeat it, what is told of changes, what is newer than the reference, and
 * whole values that leave in the background. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/lazyfree.h"
#include "support/heard.h"
#include "support/session.h"

static struct session *session;

static int set_up(void **state) {
    (void)state;
    session = session_start(NULL);
    heard_begin(session);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    heard_end(session);
    session_end(session);
    return 0;
}

static void add_numbers(int count) {
    char line[64];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof line, "ZADD z %d m%d", i, i);
        session_ask(session, line);
    }
    heard_words();
}

static void zmpop_becomes_zpop(void **state) {
    (void)state;
    add_numbers(5);
    session_expect(session, "ZMPOP 2 none z MIN",
                   "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$2\r\nm0\r\n$1\r\n0\r\n");
    assert_string_equal(heard_words(), "ZPOPMIN z 1");
    session_ask(session, "ZMPOP 1 z MAX COUNT 3");
    assert_string_equal(heard_words(), "ZPOPMAX z 3");
    session_ask(session, "ZMPOP 1 z MIN COUNT 100");
    assert_string_equal(heard_words(), "ZPOPMIN z 1");
    session_expect(session, "EXISTS z", ":0\r\n");
    session_expect(session, "ZMPOP 1 z MIN COUNT 100", "*-1\r\n");
    assert_string_equal(heard_words(), "");
    add_numbers(3);
    session_ask(session, "ZPOPMAX z 2");
    assert_string_equal(heard_words(), "ZPOPMAX z 2");
}

static void what_changes_nothing_is_not_heard(void **state) {
    (void)state;
    static const char *const commands[] = {
        "ZADD z 1 m1",
        "ZADD z NX 7 m1",
        "ZADD z GT CH 0 m1",
        "ZADD z XX 1 nosuch",
        "ZADD none XX 1 nosuch",
        "ZADD z LT INCR 5 m1",
        "ZINCRBY z 0 m1",
        "ZREM z nosuch",
        "ZREM none m1",
        "ZPOPMIN none",
        "ZPOPMIN z 0",
        "ZREMRANGEBYRANK z 7 9",
        "ZREMRANGEBYSCORE z 100 200",
        "ZREMRANGEBYLEX none - +",
        "ZRANGESTORE d none 0 -1",
        "ZUNIONSTORE d 1 none",
        "ZDIFFSTORE d 2 z z",
        "ZRANDMEMBER z",
        "ZRANGE z 0 -1",
    };
    add_numbers(5);
    uint64_t changes = session->server.keyspace.changes;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        session_ask(session, commands[i]);
        assert_string_equal(heard_words(), "");
    }
    assert_int_equal(session->server.keyspace.changes, changes);
    session_expect(session, "ZADD z 9 m0 1 new 2 new", ":1\r\n");
    assert_string_equal(heard_words(), "ZADD z 9 m0 1 new 2 new");
    assert_int_equal(session->server.keyspace.changes, changes + 1);
}

/* Each command with what it tells, in order. */
static void what_is_told_of_changes(void **state) {
    (void)state;
    static const struct {
        const char *command;
        const char *events; /* with a space behind each */
    } cases[] = {
        {"ZADD z 1 a 2 b 3 c 4 d 5 e", "zadd "},
        {"ZADD z 1 a", ""},
        {"ZADD z 7 a 8 f", "zadd "},
        {"ZADD z INCR 1 a", "zincr "},
        {"ZINCRBY z 1 new", "zincr "},
        {"ZREM z new a nosuch", "zrem "},
        {"ZPOPMIN z", "zpopmin "},
        {"ZMPOP 1 z MAX", "zpopmax "},
        {"ZRANGESTORE d z 0 0", "zrangestore "},
        {"ZRANGESTORE d z 9 9", "del "},
        {"ZRANGESTORE d z 9 9", ""},
        {"ZUNIONSTORE d 1 z", "zunionstore "},
        {"ZINTERSTORE d 2 z none", "del "},
        {"ZINTERSTORE d 1 z", "zinterstore "},
        {"ZDIFFSTORE d 1 z", "zdiffstore "},
        {"ZREMRANGEBYRANK z 0 0", "zremrangebyrank "},
        {"ZREMRANGEBYSCORE z -inf 4", "zremrangebyscore "},
        {"ZREMRANGEBYLEX z - +", "zremrangebylex del "},
        {"ZADD z 1 a", "zadd "},
        {"ZREM z a", "zrem del "},
        {"ZADD z 1 a", "zadd "},
        {"ZPOPMAX z 5", "zpopmax del "},
    };
    session_expect(session, "CONFIG SET notify-keyspace-events Ezg", "+OK\r\n");
    int other = session_connect(session);
    session_ask_on(session, other, "PSUBSCRIBE __keyevent@0__:*");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char told[256] = "";
        session_ask(session, cases[i].command);
        session_pass(session);
        const char *at = session_read(session, other);
        while ((at = strstr(at, "\r\n__keyevent@0__:")) != NULL) {
            at += strlen("\r\n__keyevent@0__:");
            size_t size = strcspn(at, "\r");
            if (*at != '*') { /* the pattern */
                snprintf(told + strlen(told), sizeof told - strlen(told), "%.*s ", (int)size, at);
            }
        }
        if (strcmp(told, cases[i].events) != 0) {
            fail_msg("%s: told %s", cases[i].command, told);
        }
    }
    close(other);
}

static void what_is_newer_than_the_reference(void **state) {
    (void)state;
    static const struct {
        const char *command;
        const char *answer;
    } cases[] = {
        {"ZADD s1 1 foo 1.5 bar", ":2\r\n"},
        {"ZADD s2 2 foo 2 bar", ":2\r\n"},
        {"ZADD s3 3 foo", ":1\r\n"},
        {"SADD s4 foo other", ":2\r\n"},
        {"ZRANK s1 bar WITHSCORE", "*2\r\n:1\r\n$3\r\n1.5\r\n"},
        {"ZREVRANK s1 bar WITHSCORE", "*2\r\n:0\r\n$3\r\n1.5\r\n"},
        {"ZRANK s1 none WITHSCORE", "*-1\r\n"},
        {"ZRANK none none WITHSCORE", "*-1\r\n"},
        {"ZRANK s1 none", "$-1\r\n"},
        {"ZRANK s1 bar SCORE", "-ERR syntax error\r\n"},
        {"ZUNIONSTORE out 3 s1 s2 s3 AGGREGATE COUNT", ":2\r\n"},
        {"ZRANGE out 0 -1 WITHSCORES", "*4\r\n$3\r\nbar\r\n$1\r\n2\r\n$3\r\nfoo\r\n$1\r\n3\r\n"},
        {"ZUNION 2 s3 s4 AGGREGATE COUNT WITHSCORES WEIGHTS 10 5",
         "*4\r\n$5\r\nother\r\n$1\r\n5\r\n$3\r\nfoo\r\n$2\r\n15\r\n"},
        {"ZINTER 3 s1 s2 s4 WITHSCORES AGGREGATE COUNT", "*2\r\n$3\r\nfoo\r\n$1\r\n3\r\n"},
        {"ZSCAN s1 0 NOSCORES", "*2\r\n$1\r\n0\r\n*2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n"},
        {"ZSCAN s1 0 NOSCORES MATCH b*", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\nbar\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session_expect(session, cases[i].command, cases[i].answer);
    }
}

/* Large sorted sets are handed to the thread that frees, by whatever they leave. */
static void large_ones_are_freed_elsewhere(void **state) {
    (void)state;
    static const char *const commands[] = {
        "DEL z",          "UNLINK z",         "SET z v",
        "ZPOPMIN z 9999", "PEXPIRE z -1",     "ZREMRANGEBYRANK z 0 -1",
        "RENAME y z",     "COPY y z REPLACE", "ZDIFFSTORE z 2 z z",
        "FLUSHALL ASYNC"};
    struct keyspace *keyspace = &session->server.keyspace;
    size_t before = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        add_numbers(2000);
        session_expect(session, "OBJECT ENCODING z", "$8\r\nskiplist\r\n");
        session_ask(session, "ZADD y 1 a");
        keyspace_validate(keyspace);
        session_ask(session, commands[i]);
        size_t freed = lazyfree_freed(keyspace->lazyfree) + lazyfree_pending(keyspace->lazyfree);
        if (freed <= before) {
            fail_msg("%s: freed here", commands[i]);
        }
        session_ask(session, "DEL z");
        before = lazyfree_freed(keyspace->lazyfree) + lazyfree_pending(keyspace->lazyfree);
        keyspace_validate(keyspace);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(zmpop_becomes_zpop),
        TEST(what_changes_nothing_is_not_heard),
        TEST(what_is_told_of_changes),
        TEST(what_is_newer_than_the_reference),
        TEST(large_ones_are_freed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
