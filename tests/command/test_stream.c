/* Tests of what the reference does not have, or does not show: what writes become for those who
 * repeat them, the commands that came after it, and large streams that leave in the background. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "call/pass_on.h"
#include "store/lazyfree.h"
#include "client/client_int.h"
#include "client/waiting.h"
#include "support/session.h"
#include "types/value.h"

static struct session *session;
static struct buffer heard;

static void passed(void *unused, struct bytes unit, int commands) {
    (void)unused;
    (void)commands;
    buffer_append(&heard, unit.at, unit.size);
}

static struct pass_on_listener listener = {.passed = passed};

static int set_up(void **state) {
    (void)state;
    session = session_start(NULL);
    buffer_init(&heard, MEM_OTHER);
    pass_on_listen(session->server.context.pass_on, &listener);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    pass_on_unlisten(session->server.context.pass_on, &listener);
    buffer_clear(&heard);
    session_end(session);
    return 0;
}

/* Protocol without what only a machine needs: "[a b [c]]" is not told from "a b c", but lengths of
 * arrays stay. */
static const char *plain(const char *text) {
    static char words[256 * 1024];
    char *copy = strdup(text);
    size_t size = 0;
    for (char *line = strtok(copy, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
        if (*line != '$' || line[1] == '-') {
            size += (size_t)snprintf(words + size, sizeof words - size, "%s ", line);
        }
    }
    words[size > 0 ? size - 1 : 0] = '\0';
    free(copy);
    return words;
}

/* The answer, and what others hear of it. NULL: does not matter. */
static void ask(const char *line, const char *answer, const char *others) {
    heard.size = 0;
    const char *got = plain(session_ask(session, line));
    if (answer != NULL && strcmp(got, answer) != 0) {
        fail_msg("%s: %s, and not %s", line, got, answer);
    }
    if (others != NULL) {
        const char *words = heard.size == 0 ? "" : plain(buffer_text(&heard));
        if (strcmp(words, others) != 0) {
            fail_msg("%s becomes %s, and not %s", line, words, others);
        }
    }
}

static void select_is_heard_once(void) {
    ask("SET other 1", "+OK", NULL);
}

static void what_writes_become(void **state) {
    (void)state;
    char line[128];
    select_is_heard_once();
    ask("XADD s 5-* a b", "5-0", "*5 XADD s 5-0 a b");
    ask("XADD s 6-1 a b", "6-1", "*5 XADD s 6-1 a b");
    for (int i = 0; i < 400; i++) {
        snprintf(line, sizeof line, "XADD s %d-0 a b", 10 + i);
        ask(line, NULL, NULL);
    }
    ask("XADD s MAXLEN ~ 350 500-0 a b", "500-0", "*5 XADD s 500-0 a b");
    ask("XADD s MAXLEN ~ 250 501-0 a b", "501-0", "*8 XADD s MAXLEN = 304 501-0 a b");
    ask("XTRIM s MINID ~ 250", ":100", "*5 XTRIM s MINID = 208-0");
    ask("XTRIM s MINID ~ 250", ":0", "");
    ask("XTRIM s MAXLEN 3", ":201", "*4 XTRIM s MAXLEN 3");
    ask("XDEL s 1-1", ":0", "");
    ask("XGROUP CREATE s g 0", "+OK", "*5 XGROUP CREATE s g 0");
    ask("XGROUP CREATECONSUMER s g c", ":1", "*5 XGROUP CREATECONSUMER s g c");
    ask("XREADGROUP GROUP g c COUNT 1 STREAMS s >", "*1 *2 s *1 *2 409-0 *2 a b", NULL);
    const char *words = plain(buffer_text(&heard));
    assert_int_equal(strncmp(words, "*14 XCLAIM s g c 0 409-0 TIME ", 30), 0);
    assert_non_null(strstr(words, " RETRYCOUNT 1 FORCE JUSTID LASTID 409-0"));
    ask("XREADGROUP GROUP g d NOACK COUNT 1 STREAMS s >", "*1 *2 s *1 *2 500-0 *2 a b",
        "*1 MULTI *5 XGROUP CREATECONSUMER s g d *7 XGROUP SETID s g 500-0 ENTRIESREAD 403 *1 "
        "EXEC");
    ask("XREADGROUP GROUP g c STREAMS s 0", "*1 *2 s *1 *2 409-0 *2 a b", "");
    ask("XCLAIM s g d 0 409-0 JUSTID TIME 5", "*1 409-0",
        "*14 XCLAIM s g d 0 409-0 TIME 5 RETRYCOUNT 2 FORCE JUSTID LASTID 500-0");
    ask("XCLAIM s g d 0 1-0 LASTID 501-0", "*0", "*7 XGROUP SETID s g 501-0 ENTRIESREAD 403");
    ask("XDEL s 409-0", ":1", "*3 XDEL s 409-0");
    ask("XAUTOCLAIM s g c 0 0", "*3 0-0 *0 *1 409-0", "*4 XACK s g 409-0");
    ask("XREADGROUP GROUP g e STREAMS s >", "*-1", "*5 XGROUP CREATECONSUMER s g e");
    ask("XREADGROUP GROUP g f STREAMS s 0", "*1 *2 s *0", "*5 XGROUP CREATECONSUMER s g f");
    ask("XACK s g 500-0", ":0", "");
    ask("XGROUP DELCONSUMER s g e", ":0", "*5 XGROUP DELCONSUMER s g e");
}

static void fill(void) {
    ask("DEL s", NULL, NULL);
    for (int i = 1; i <= 5; i++) {
        char line[64];
        snprintf(line, sizeof line, "XADD s %d-0 f v%d", i, i);
        ask(line, NULL, NULL);
    }
    ask("XGROUP CREATE s g 0", "+OK", NULL);
    ask("XGROUP CREATE s h 0", "+OK", NULL);
}

static void deleting_by_references(void **state) {
    (void)state;
    select_is_heard_once();
    fill();
    ask("XREADGROUP GROUP g c COUNT 3 STREAMS s >", NULL, NULL);
    ask("XDELEX s IDS 2 1-0 9-0", "*2 :1 :-1", "*6 XDELEX s IDS 2 1-0 9-0");
    ask("XPENDING s g", "*4 :3 1-0 3-0 *1 *2 c 3", NULL);
    ask("XDELEX s DELREF IDS 2 1-0 2-0", "*2 :-1 :1", NULL);
    ask("XPENDING s g", "*4 :1 3-0 3-0 *1 *2 c 1", NULL);
    ask("XDELEX s ACKED IDS 1 3-0", "*1 :2", "");
    ask("XACKDEL s g ACKED IDS 1 3-0", "*1 :2", "*7 XACKDEL s g ACKED IDS 1 3-0");
    ask("XPENDING s g", "*4 :0 $-1 $-1 *-1", NULL);
    ask("XREADGROUP GROUP h c COUNT 2 STREAMS s >", NULL, NULL);
    ask("XACKDEL s h IDS 3 ACKED 3-0 4-0 8-0", NULL, NULL);
    ask("XACKDEL s h ACKED IDS 2 3-0 4-0", "*2 :1 :2", NULL);
    ask("XACKDEL s h IDS 1 3-0", "*1 :-1", "");
    ask("XLEN s", ":2", NULL);
    ask("XDELEX none IDS 2 1 2", "*2 :-1 :-1", "");
    ask("XACKDEL s none IDS 1 5-0", "*1 :-1", "");
    ask("XDELEX s IDS 0 1", "-ERR Number of IDs must be a positive integer", "");
    ask("XDELEX s IDS 3 1 2", "-ERR The `numids` parameter must match the number of arguments", "");
    ask("XDELEX s IDS 1 x", "-ERR Invalid stream ID specified as stream command argument", "");
    ask("XDELEX s KEEPREF ACKED IDS 1 1", "-ERR syntax error", "");
    ask("XDELEX other IDS 1 1",
        "-WRONGTYPE Operation against a key holding the wrong kind of value", "");
}

static void trimming_by_references(void **state) {
    (void)state;
    select_is_heard_once();
    fill();
    ask("XREADGROUP GROUP g c COUNT 3 STREAMS s >", NULL, NULL);
    ask("XREADGROUP GROUP h c COUNT 3 NOACK STREAMS s >", NULL, NULL);
    ask("XACK s g 2-0", ":1", NULL);
    ask("XTRIM s MAXLEN 1 ACKED", ":1", "*5 XTRIM s MAXLEN 1 ACKED");
    ask("XRANGE s - + COUNT 2", "*2 *2 1-0 *2 f v1 *2 3-0 *2 f v3", NULL);
    ask("XTRIM s DELREF MAXLEN 2", ":2", NULL);
    ask("XPENDING s g", "*4 :0 $-1 $-1 *-1", NULL);
    ask("XADD s KEEPREF MAXLEN 1 9-0 f v9", "9-0", NULL);
    ask("XLEN s", ":1", NULL);
}

static void giving_back(void **state) {
    (void)state;
    select_is_heard_once();
    fill();
    ask("XREADGROUP GROUP g c COUNT 3 STREAMS s >", NULL, NULL);
    ask("XNACK s g FAIL IDS 2 1-0 7-0", ":1", "*8 XNACK s g FAIL IDS 2 1-0 7-0");
    ask("XNACK s g SILENT IDS 1 2-0", ":1", NULL);
    ask("XNACK s g FATAL IDS 1 3-0", ":1", NULL);
    ask("XPENDING s g - + 9", "*3 *4 1-0 :-1 :1 *4 2-0 :-1 :0 *4 3-0 :-1 :9223372036854775807",
        NULL);
    ask("XNACK s g FAIL IDS 1 5-0", ":0", "");
    ask("XNACK s g FAIL IDS 1 5-0 FORCE RETRYCOUNT 4", ":1", NULL);
    ask("XCLAIM s g d 100000 5-0 JUSTID", "*1 5-0", NULL);
    ask("XPENDING s g - + 9 d", NULL, NULL);
    ask("XNACK s g WORSE IDS 1 5-0", "-ERR syntax error", "");
    ask("XNACK s none FAIL IDS 1 5-0", "-NOGROUP No such key 's' or consumer group 'none'", "");
    ask("XGROUP DELCONSUMER s g c", ":0", NULL);
    ask("XACK s g 1-0 2-0", ":2", NULL);
    value_validate(keyspace_peek(
        &session->server.keyspace,
        &(struct key){.name = bytes_text("s"),
                      .hash = keyspace_hash(&session->server.keyspace, bytes_text("s")),
                      .database = session->server.keyspace.databases}));
}

static void reading_what_others_left(void **state) {
    (void)state;
    select_is_heard_once();
    fill();
    ask("XREADGROUP GROUP g c COUNT 2 STREAMS s >", NULL, NULL);
    ask("XCLAIM s g c 0 1-0 2-0 IDLE 5000 JUSTID", "*2 1-0 2-0", NULL);
    ask("XCLAIM s g c 0 1-0 TIME 1000 JUSTID", "*1 1-0", NULL);
    ask("XREADGROUP GROUP g d CLAIM 99999999999999 STREAMS s 0", "*1 *2 s *0", NULL);
    ask("XDEL s 2-0", ":1", NULL);
    ask("XREADGROUP GROUP g d COUNT 2 CLAIM 4000 STREAMS s >", NULL, NULL);
    const char *answer = plain(session_ask(session, "XPENDING s g - + 9"));
    assert_non_null(strstr(answer, "1-0 d "));
    assert_null(strstr(answer, "2-0"));
    assert_non_null(strstr(answer, "3-0 d "));
    ask("XREADGROUP GROUP g d CLAIM 4000 STREAMS s >",
        "*1 *2 s *2 *4 4-0 *2 f v4 :0 :0 *4 5-0 *2 f v5 :0 :0", NULL);
    ask("XREADGROUP GROUP g d CLAIM 4000 STREAMS s >", "*-1", "");
    ask("XREADGROUP GROUP g d CLAIM -1 STREAMS s >",
        "-ERR min-idle-time must be a positive integer", "");
    ask("XREAD CLAIM 1 STREAMS s 0", "-ERR syntax error", "");
}

static void reading_no_more_than(void **state) {
    (void)state;
    select_is_heard_once();
    fill();
    ask("XADD t 7-0 f v7", "7-0", NULL);
    ask("XREAD STREAMS s t + +", "*2 *2 s *1 *2 5-0 *2 f v5 *2 t *1 *2 7-0 *2 f v7", "");
    ask("XREAD MAXCOUNT 2 STREAMS s t 0 0", "*1 *2 s *2 *2 1-0 *2 f v1 *2 2-0 *2 f v2", "");
    ask("XREAD COUNT 1 MAXCOUNT 2 STREAMS s t 0 0",
        "*2 *2 s *1 *2 1-0 *2 f v1 *2 t *1 *2 7-0 *2 f v7", "");
    ask("XREAD MAXSIZE 1 STREAMS s 0", "*1 *2 s *1 *2 1-0 *2 f v1", "");
    ask("XREAD MAXCOUNT 0 STREAMS s 0", "*-1", "");
    ask("XREAD MAXSIZE -1 STREAMS s 0", "-ERR MAXSIZE must be >= 0", "");
}

static void adding_once(void **state) {
    (void)state;
    select_is_heard_once();
    ask("XADD s IDMP p 1 7-1 a b", "7-1",
        "*1 MULTI *5 XADD s 7-1 a b *5 XIDMPRECORD s p 1 7-1 *1 EXEC");
    ask("XADD s IDMP p 1 * a b", "7-1", "");
    ask("XADD s IDMP q 1 7-2 a b", "7-2", NULL);
    ask("XADD s IDMPAUTO p 7-3 a b", "7-3", NULL);
    ask("XADD s IDMPAUTO p * a b", "7-3", "");
    ask("XADD s IDMPAUTO p 7-4 a c", "7-4", NULL);
    ask("XLEN s", ":4", NULL);
    ask("XIDMPRECORD s p 1 7-1", "+OK", "");
    ask("XIDMPRECORD s p 1 7-2", "-ERR the idempotent id belongs to another entry", "");
    ask("XIDMPRECORD s p 9 9-9", "-ERR no such entry in the stream", "");
    ask("XIDMPRECORD s p new 7-2", "+OK", "*5 XIDMPRECORD s p new 7-2");
    ask("XADD s IDMP p new * a b", "7-2", "");
    ask("COPY s t", ":1", NULL);
    ask("XADD t IDMP p new * a b", "7-2", "");
    ask("XCFGSET s IDMP-MAXSIZE 1", "+OK", "*4 XCFGSET s IDMP-MAXSIZE 1");
    ask("XADD s IDMP p 1 8-1 a b", "8-1", NULL);
    ask("XADD s IDMP p 2 8-2 a b", "8-2", NULL);
    ask("XADD s IDMP p 1 8-3 a b", "8-3", NULL);
    ask("XADD s IDMP p 1 8-4 a b", "8-3", "");
    ask("XCFGSET s IDMP-DURATION 0", "-ERR invalid duration", "");
    ask("XCFGSET s IDMP-MAXSIZE 10001", "-ERR invalid maxsize", "");
    ask("XCFGSET s", "-ERR syntax error", "");
    ask("XCFGSET none IDMP-MAXSIZE 5", "-ERR no such key", "");
    const char *info = plain(session_ask(session, "XINFO STREAM s"));
    assert_non_null(strstr(info, "idmp-maxsize :1 pids-tracked :1 iids-tracked :1"));
    assert_non_null(strstr(info, "iids-duplicates :4"));
}

/* Sends a command that waits, on a connection of its own. */
static int wait_with(const char *line) {
    int fd = session_connect(session);
    assert_string_equal(session_ask_on(session, fd, line), "");
    return fd;
}

static void came(int fd, const char *answer) {
    session_pass(session);
    assert_string_equal(plain(session_read(session, fd)), answer);
}

static void readers_wait(void **state) {
    (void)state;
    select_is_heard_once();
    int none = wait_with("XREAD BLOCK 0 STREAMS s $");
    ask("XADD s 5-0 f v", "5-0", NULL);
    came(none, "*1 *2 s *1 *2 5-0 *2 f v");
    int all[3];
    all[0] = wait_with("XREAD BLOCK 0 STREAMS s $");
    all[1] = wait_with("XREAD BLOCK 0 COUNT 1 STREAMS t s 0 $");
    all[2] = wait_with("XREAD BLOCK 0 STREAMS s 7-0");
    ask("MULTI", NULL, NULL);
    session_ask(session, "XADD s 6-0 f v6");
    session_ask(session, "XADD s 7-0 f v7");
    ask("EXEC", "*2 6-0 7-0", NULL);
    came(all[0], "*1 *2 s *2 *2 6-0 *2 f v6 *2 7-0 *2 f v7");
    came(all[1], "*1 *2 s *1 *2 6-0 *2 f v6");
    came(all[2], "");
    ask("DEL s", ":1", NULL);
    ask("XADD s 3-0 f v", "3-0", NULL);
    came(all[2], "");
    ask("XADD s 8-0 f v8", "8-0", NULL);
    came(all[2], "*1 *2 s *1 *2 8-0 *2 f v8");
    /* What is there already is not waited for. */
    ask("XREAD BLOCK 0 STREAMS s 7-0", "*1 *2 s *1 *2 8-0 *2 f v8", NULL);
    ask("XREAD BLOCK x STREAMS s 0", "-ERR timeout is not an integer or out of range", NULL);
    ask("XREAD BLOCK -1 STREAMS s 0", "-ERR timeout is negative", NULL);
    for (int i = 0; i < 3; i++) {
        close(all[i]);
    }
    close(none);
}

static void consumers_wait(void **state) {
    (void)state;
    select_is_heard_once();
    ask("XGROUP CREATE s g $ MKSTREAM", "+OK", NULL);
    int one = wait_with("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    int other = wait_with("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
    ask("XADD s 1-0 f v", "1-0", NULL);
    const char *words = plain(buffer_text(&heard));
    assert_int_equal(strncmp(words, "*5 XADD s 1-0 f v *14 XCLAIM s g c 0 1-0 TIME ", 46), 0);
    came(one, "*1 *2 s *1 *2 1-0 *2 f v");
    came(other, "");
    ask("XADD s 2-0 f w", "2-0", NULL);
    came(other, "*1 *2 s *1 *2 2-0 *2 f w");
    ask("XPENDING s g", "*4 :2 1-0 2-0 *2 *2 c 1 *2 d 1", NULL);
    close(one);
    close(other);
    one = wait_with("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    ask("XGROUP DESTROY s g", ":1", NULL);
    came(one, "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option");
    close(one);
    ask("XREADGROUP GROUP g c BLOCK 0 STREAMS s 0",
        "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option", NULL);
    /* In a transaction nobody waits. */
    ask("MULTI", NULL, NULL);
    session_ask(session, "XREAD BLOCK 0 STREAMS s $");
    ask("EXEC", "*1 *-1", NULL);
}

/* What takes the stream away, and what who waits for its group is told. */
static void consumers_learn_that_the_stream_has_gone(void **state) {
    (void)state;
    static const char gone[] =
        "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    static const char retyped[] =
        "-WRONGTYPE Operation against a key holding the wrong kind of value";
    static const struct {
        const char *command;
        const char *told;
    } cases[] = {
        {"DEL s", gone},          {"SET s x", retyped},
        {"RENAME s other", gone}, {"RENAME text s", retyped},
        {"FLUSHALL", gone},       {"SWAPDB 0 1", gone},
        {"MOVE s 1", gone},       {"PEXPIREAT s 1", gone},
        {"XTRIM s MAXLEN 0", ""}, {"DEL text", ""},
    };
    clock_drive(&session->server.clock, 1000000);
    for (size_t i = 0; i <= sizeof cases / sizeof cases[0]; i++) {
        session_ask(session, "FLUSHALL");
        session_ask(session, "SET text x");
        session_ask(session, "XGROUP CREATE s g $ MKSTREAM");
        int waits = wait_with("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        /* XREAD waits on. */
        int reads = wait_with("XREAD BLOCK 0 STREAMS s $");
        if (i < sizeof cases / sizeof cases[0]) {
            session_ask(session, cases[i].command);
            came(waits, cases[i].told);
        } else {
            /* It expires, and nobody looks. */
            session_ask(session, "PEXPIRE s 100");
            clock_drive(&session->server.clock, 1000200);
            const char *told;
            int64_t until_us = clock_mono_us() + 10000000;
            while (*(told = session_read(session, waits)) == '\0') {
                session_pass(session);
                assert_true(clock_mono_us() < until_us);
            }
            assert_string_equal(plain(told), gone);
        }
        came(reads, "");
        close(waits);
        close(reads);
        session_pass(session);
        session_pass(session);
    }
    waiting_validate(session->server.context.clients->waiting);
}

/* Large streams are handed to the thread that frees. */
static void large_streams_are_freed_elsewhere(void **state) {
    (void)state;
    char line[128];
    for (int i = 1; i <= 7000; i++) {
        snprintf(line, sizeof line, "XADD big %d-0 field value", i);
        session_ask(session, line);
    }
    size_t before = lazyfree_freed(session->server.keyspace.lazyfree);
    session_expect(session, "DEL big", ":1\r\n");
    while (lazyfree_pending(session->server.keyspace.lazyfree) > 0) {
        session_pass(session);
    }
    assert_int_equal(lazyfree_freed(session->server.keyspace.lazyfree), before + 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_writes_become),
        TEST(deleting_by_references),
        TEST(trimming_by_references),
        TEST(giving_back),
        TEST(reading_what_others_left),
        TEST(reading_no_more_than),
        TEST(adding_once),
        TEST(readers_wait),
        TEST(consumers_wait),
        TEST(consumers_learn_that_the_stream_has_gone),
        TEST(large_streams_are_freed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
