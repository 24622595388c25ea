/* Tests of the commands on lists that other servers cannot be compared in: LMOVEM, which is newer
 * than the reference; events, and in which order; large elements; and long lists that leave in the
 * background. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/lazyfree.h"
#include "support/session.h"

static struct session *session;

static int set_up(void **state) {
    (void)state;
    session = session_start(NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static void expect_list(const char *key, const char *elements) {
    char line[64];
    char answer[512];
    char copy[256];
    size_t size = 0;
    int count = 0;
    snprintf(copy, sizeof copy, "%s", elements);
    char body[400] = "";
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        size +=
            (size_t)snprintf(body + size, sizeof body - size, "$%zu\r\n%s\r\n", strlen(word), word);
        count++;
    }
    snprintf(line, sizeof line, "LRANGE %s 0 -1", key);
    snprintf(answer, sizeof answer, "*%d\r\n%s", count, body);
    session_expect(session, line, answer);
}

/* Makes both lists and moves: what is answered is what the destination got. */
static void check_move(const char *how, const char *moved, const char *source,
                       const char *destination) {
    char line[128];
    session_ask(session, "DEL a b");
    session_ask(session, "RPUSH a 1 2 3 4");
    session_ask(session, "RPUSH b x y");
    snprintf(line, sizeof line, "LMOVEM a b %s", how);
    session_expect(session, line, moved);
    expect_list("a", source);
    expect_list("b", destination);
}

static void test_lmovem(void **state) {
    (void)state;
    check_move("LEFT LEFT", "*1\r\n$1\r\n1\r\n", "2 3 4", "1 x y");
    check_move("RIGHT RIGHT COUNT 2 OBO", "*2\r\n$1\r\n4\r\n$1\r\n3\r\n", "1 2", "x y 4 3");
    check_move("RIGHT RIGHT COUNT 2 BULK", "*2\r\n$1\r\n3\r\n$1\r\n4\r\n", "1 2", "x y 3 4");
    check_move("LEFT LEFT COUNT 2 OBO", "*2\r\n$1\r\n2\r\n$1\r\n1\r\n", "3 4", "2 1 x y");
    check_move("LEFT LEFT EXACTLY 2 BULK", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n", "3 4", "1 2 x y");
    check_move("LEFT RIGHT COUNT 2 OBO", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n", "3 4", "x y 1 2");
    check_move("RIGHT LEFT COUNT 2 BULK", "*2\r\n$1\r\n3\r\n$1\r\n4\r\n", "1 2", "3 4 x y");
    check_move("LEFT LEFT EXACTLY 5 BULK", "*-1\r\n", "1 2 3 4", "x y");
    check_move("LEFT LEFT COUNT 0 BULK", "-ERR count should be greater than 0\r\n", "1 2 3 4",
               "x y");
    check_move("LEFT LEFT COUNT 2", "-ERR syntax error\r\n", "1 2 3 4", "x y");
    check_move("LEFT UP", "-ERR syntax error\r\n", "1 2 3 4", "x y");
    session_ask(session, "LMOVEM a b LEFT RIGHT COUNT 100 BULK");
    session_expect(session, "EXISTS a", ":0\r\n");
    expect_list("b", "x y 1 2 3 4");
    session_expect(session, "LMOVEM a b LEFT RIGHT", "*-1\r\n");
    session_expect(session, "LMOVEM b b LEFT RIGHT COUNT 2 BULK", "*2\r\n$1\r\nx\r\n$1\r\ny\r\n");
    expect_list("b", "1 2 3 4 x y");
    session_expect(session, "LMOVEM b new RIGHT LEFT COUNT 2 BULK", "*2\r\n$1\r\nx\r\n$1\r\ny\r\n");
    expect_list("new", "x y");
}

/* What a line is told as, by the names of the events and their keys. */
static void expect_events(int listener, const char *line, const char *expected) {
    session_ask(session, line);
    const char *told = session_read(session, listener);
    char events[1024] = "";
    size_t size = 0;
    for (const char *at = strstr(told, "__:"); at != NULL; at = strstr(at, "__:")) {
        at += 3;
        const char *key = strstr(at, "\r\n$");
        key = strstr(key + 3, "\r\n") + 2;
        size += (size_t)snprintf(events + size, sizeof events - size, "%s%.*s %.*s",
                                 size > 0 ? ", " : "", (int)strcspn(at, "\r"), at,
                                 (int)strcspn(key, "\r"), key);
    }
    assert_string_equal(events, expected);
}

static void test_events(void **state) {
    (void)state;
    int listener = session_connect(session);
    session_ask(session, "CONFIG SET notify-keyspace-events Elg");
    session_ask_on(session, listener, "PSUBSCRIBE __keyevent*");
    expect_events(listener, "RPUSH l a b c d", "rpush l");
    expect_events(listener, "LPUSH l z y", "lpush l");
    expect_events(listener, "LPUSHX none z", "");
    expect_events(listener, "LSET l 0 x", "lset l");
    expect_events(listener, "LINSERT l BEFORE x w", "linsert l");
    expect_events(listener, "LINSERT l BEFORE none w", "");
    expect_events(listener, "LREM l 0 w", "lrem l");
    expect_events(listener, "LREM l 0 w", "");
    expect_events(listener, "LPOP l", "lpop l");
    expect_events(listener, "RPOP l 2", "rpop l");
    expect_events(listener, "LPOP l 0", "");
    expect_events(listener, "LTRIM l 0 1", "ltrim l");
    expect_events(listener, "LMOVE l m LEFT RIGHT", "rpush m, lpop l");
    expect_events(listener, "LMOVE l m RIGHT LEFT", "lpush m, rpop l, del l");
    expect_events(listener, "LMOVEM m m LEFT RIGHT COUNT 2 BULK", "rpush m, lpop m");
    expect_events(listener, "LMPOP 2 l m LEFT COUNT 5", "lpop m, del m");
    expect_events(listener, "RPUSH n 2 1", "rpush n");
    expect_events(listener, "SORT n STORE o", "sortstore o");
    expect_events(listener, "SORT none STORE o", "del o");
    expect_events(listener, "LTRIM n 5 6", "ltrim n, del n");
}

/* Elements of all sizes through the whole server: those that are read into blobs too. */
static void test_large_elements(void **state) {
    (void)state;
    static const size_t sizes[] = {99, 100, 101, 5000, 40000};
    static char line[50000];
    static char answer[50100];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t head = (size_t)sprintf(line, "RPUSH big:%zu ", sizes[i]);
        memset(line + head, 'a' + (int)i, sizes[i]);
        line[head + sizes[i]] = '\0';
        session_expect(session, line, ":1\r\n");
        head = (size_t)sprintf(answer, "$%zu\r\n", sizes[i]);
        memset(answer + head, 'a' + (int)i, sizes[i]);
        strcpy(answer + head + sizes[i], "\r\n");
        char ask[64];
        sprintf(ask, "LINDEX big:%zu 0", sizes[i]);
        session_expect(session, ask, answer);
        sprintf(ask, "LMOVE big:%zu all LEFT LEFT", sizes[i]);
        session_expect(session, ask, answer);
        session_expect(session, "LMOVE all all LEFT RIGHT", answer);
        session_expect(session, "LMOVE all all RIGHT LEFT", answer);
        session_expect(session, "COPY all copy REPLACE", ":1\r\n");
        session_expect(session, "LPOP copy", answer);
        session_expect(session, "SORT all BY nosort LIMIT 0 1 STORE copy", ":1\r\n");
        session_expect(session, "LINDEX copy -1", answer);
    }
    session_expect(session, "LLEN all", ":5\r\n");
}

/* A long list leaves in the background, whether it is deleted or expires, and nothing is left. */
static void test_long_lists_leave(void **state) {
    (void)state;
    for (int how = 0; how < 2; how++) {
        size_t before = mem_used_by(MEM_DATA);
        for (int i = 0; i < 300; i++) {
            char line[4096] = "RPUSH long";
            size_t size = strlen(line);
            for (int j = 0; j < 30; j++) {
                size += (size_t)snprintf(line + size, sizeof line - size,
                                         " of-some-fifty-bytes-each-so-that-there-are-many-%d", j);
            }
            session_ask(session, line);
        }
        session_expect(session, "LLEN long", ":9000\r\n");
        assert_true(mem_used_by(MEM_DATA) > before + 9000 * 50);
        session_expect(session, how == 0 ? "DEL long" : "PEXPIRE long 1", ":1\r\n");
        for (int i = 0; i < 100000 && mem_used_by(MEM_DATA) > before + 1000; i++) {
            session_pass(session);
        }
        assert_true(mem_used_by(MEM_DATA) <= before + 1000);
        session_expect(session, "EXISTS long", ":0\r\n");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lmovem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_elements, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_lists_leave, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
