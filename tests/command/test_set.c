/* Tests of the commands on sets that other servers cannot be compared in: what popping becomes for
 * those who repeat it, and whole values that leave in the background. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void add_numbers(const char *prefix, int count) {
    char line[64];
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof line, "SADD s %s%d", prefix, i);
        session_ask(session, line);
    }
    heard_words();
}

static void a_popped_member_becomes_srem(void **state) {
    (void)state;
    char expected[64];
    char answer[32];
    static const char *const prefixes[] = {"", "a"};
    for (int i = 0; i < 2; i++) {
        add_numbers(prefixes[i], 9);
        for (int left = 9; left > 0; left--) {
            snprintf(answer, sizeof answer, "%s", session_ask(session, "SPOP s"));
            char *name = strchr(answer, '\n') + 1;
            name[strcspn(name, "\r")] = '\0';
            snprintf(expected, sizeof expected, "SREM s %s", name);
            assert_string_equal(heard_words(), expected);
        }
        session_expect(session, "SPOP s", "$-1\r\n");
        session_expect(session, "SPOP s 3", "*0\r\n");
        session_expect(session, "EXISTS s", ":0\r\n");
        assert_string_equal(heard_words(), "");
    }
}

/* Some are removed in batches within one transaction; all become DEL. What repeats it has the
 * same set. */
static void many_become_a_transaction(void **state) {
    (void)state;
    static const int sizes[] = {10, 300, 600};
    for (size_t i = 0; i < 3; i++) {
        add_numbers(i % 2 == 0 ? "" : "b", sizes[i]);
        char line[32];
        int count = sizes[i] * 9 / 10;
        snprintf(line, sizeof line, "SPOP s %d", count);
        char *answer = strdup(session_ask(session, line));
        const char *words = heard_words();
        assert_int_equal(
            strncmp(words, count > 128 ? "MULTI\nSREM s " : "SREM s ", count > 128 ? 13 : 7), 0);
        int found = 0;
        for (char *name = strtok(answer, "\r\n"); name != NULL; name = strtok(NULL, "\r\n")) {
            if (*name != '$' && *name != '*') {
                char word[40];
                snprintf(word, sizeof word, " %s", name);
                const char *at = strstr(words, word);
                while (at != NULL && at[strlen(word)] > ' ') {
                    at = strstr(at + 1, word);
                }
                assert_non_null(at);
                found++;
            }
        }
        free(answer);
        assert_int_equal(found, count);
        snprintf(line, sizeof line, ":%d\r\n", sizes[i] - count);
        session_expect(session, "SCARD s", line);
        session_ask(session, "SPOP s 100000");
        assert_string_equal(heard_words(), "DEL s");
        session_expect(session, "EXISTS s", ":0\r\n");
    }
}

static void what_changes_nothing_is_not_heard(void **state) {
    (void)state;
    static const char *const commands[] = {
        "SADD s 1",   "SREM s 9",       "SMOVE s t 9",       "SMOVE s s 1", "SPOP s 0",
        "SREM t 1",   "SPOP t",         "SINTERSTORE d t",   "SCARD s",     "SRANDMEMBER s",
        "SMEMBERS s", "SDIFFSTORE d t", "SUNIONSTORE d t t", "SADD s 1 2",
    };
    add_numbers("", 5);
    uint64_t changes = session->server.keyspace.changes;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        session_ask(session, commands[i]);
        assert_string_equal(heard_words(), "");
    }
    assert_int_equal(session->server.keyspace.changes, changes);
    session_expect(session, "SMOVE s t 3", ":1\r\n");
    assert_string_equal(heard_words(), "SMOVE s t 3");
    session_expect(session, "SUNIONSTORE d s t", ":5\r\n");
    assert_string_equal(heard_words(), "SUNIONSTORE d s t");
}

/* Large sets are handed to the thread that frees, by whatever they leave. */
static void large_sets_are_freed_elsewhere(void **state) {
    (void)state;
    static const char *const commands[] = {
        "DEL s",         "UNLINK s",     "SET s v",       "SDIFFSTORE s none",
        "SPOP s 100000", "PEXPIRE s -1", "FLUSHALL ASYNC"};
    struct keyspace *keyspace = &session->server.keyspace;
    size_t before = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        add_numbers("member:", 2000);
        session_ask(session, commands[i]);
        size_t freed = lazyfree_freed(keyspace->lazyfree) + lazyfree_pending(keyspace->lazyfree);
        if (freed <= before) {
            fail_msg("%s: freed here", commands[i]);
        }
        before = freed;
        session_ask(session, "DEL s");
        keyspace_validate(keyspace);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_popped_member_becomes_srem),
        TEST(many_become_a_transaction),
        TEST(what_changes_nothing_is_not_heard),
        TEST(large_sets_are_freed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
