/* What write commands become for others: for each command its words, and that whoever repeats what
 * was passed on has the same keys, values and deadlines, whatever expires meanwhile. */
#include "call/pass_on.h"

#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/call.h"
#include "client/client.h"
#include "proto/request.h"

#define START_MS 1700000000000

static struct session *session;
static struct buffer heard;
static struct buffer stream; /* all of it */

static void passed(void *unused, struct bytes unit, int commands) {
    (void)unused;
    (void)commands;
    buffer_append(&heard, unit.at, unit.size);
    buffer_append(&stream, unit.at, unit.size);
}

static struct pass_on_listener listener = {.passed = passed};

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--lazyfree-lazy-expire", "no", NULL};
    session = session_start(options);
    clock_drive(&session->server.clock, START_MS);
    buffer_init(&heard, MEM_OTHER);
    buffer_init(&stream, MEM_OTHER);
    pass_on_listen(session->server.context.pass_on, &listener);
    session_ask(session, "SET first x"); /* so that SELECT has been said */
    heard.size = 0;
    return 0;
}

static int end(void **state) {
    (void)state;
    buffer_clear(&heard);
    buffer_clear(&stream);
    session_end(session);
    return 0;
}

/* What was passed on since the last call: words with spaces between, commands with "; ". */
static const char *lines(void) {
    static char text[8192];
    size_t size = 0;
    const char *at = buffer_text(&heard);
    while (*at == '*') {
        long words = strtol(at + 1, NULL, 10);
        at = strchr(at, '\n') + 1;
        if (size > 0) {
            size += (size_t)snprintf(text + size, sizeof text - size, "; ");
        }
        for (long i = 0; i < words; i++) {
            long length = strtol(at + 1, NULL, 10);
            at = strchr(at, '\n') + 1;
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", i > 0 ? " " : "",
                                     (int)length, at);
            at += length + 2;
        }
    }
    text[size] = '\0';
    heard.size = 0;
    return text;
}

static void becomes(const char *line, const char *expected) {
    session_ask(session, line);
    const char *got = lines();
    if (strcmp(got, expected) != 0) {
        fail_msg("%s\n  became   %s\n  expected %s", line, got, expected);
    }
}

static void pass_time(int64_t ms) {
    clock_drive(&session->server.clock, session->server.clock.now_ms + ms);
}

static void test_strings(void **state) {
    (void)state;
    becomes("SET k v", "SET k v");
    becomes("SET k v EX 10", "SET k v PXAT 1700000010000");
    becomes("SET k w PX 5000 XX GET", "SET k w PXAT 1700000005000");
    becomes("SET k w EXAT 1700000020", "SET k w PXAT 1700000020000");
    becomes("SET k w KEEPTTL", "SET k w KEEPTTL");
    becomes("SET k w NX", "");
    becomes("SET k w GET", "SET k w");
    becomes("SETEX k 10 v", "SET k v PXAT 1700000010000");
    becomes("PSETEX k 10 v", "SET k v PXAT 1700000000010");
    becomes("SETNX k v", "");
    becomes("SETNX n v", "SETNX n v");
    becomes("GETSET k v", "GETSET k v");
    becomes("GETEX k", "");
    becomes("GETEX k EX 7", "PEXPIREAT k 1700000007000");
    becomes("GETEX k PERSIST", "PERSIST k");
    becomes("GETEX k PERSIST", "");
    becomes("GETEX k PXAT 5", "DEL k");
    becomes("GETDEL n", "DEL n");
    becomes("GETDEL n", "");
    becomes("INCR i", "INCR i");
    becomes("INCRBYFLOAT i 0.5", "SET i 1.5 KEEPTTL");
    becomes("INCREX c BYINT 3 EX 5", "SET c 3 PXAT 1700000005000");
    becomes("INCREX c BYINT 3", "SET c 6 KEEPTTL");
    becomes("MSET a 1 b 2", "MSET a 1 b 2");
    becomes("MSETNX a 1 z 2", "");
    becomes("MSETEX 2 a 1 b 2 EX 10", "MSETEX 2 a 1 b 2 PXAT 1700000010000");
    becomes("MSETEX 1 a 1 NX", "");
    becomes("DELEX a IFEQ 1", "DEL a");
    becomes("DELIFEQ b x", "");
    becomes("APPEND s abc", "APPEND s abc");
    becomes("SETRANGE s 1 x", "SETRANGE s 1 x");
    becomes("SETBIT s 1 1", "");
    becomes("SETBIT s 1 0", "SETBIT s 1 0");
    becomes("BITFIELD s SET u8 0 33", "");
    becomes("BITFIELD s SET u8 0 34 INCRBY u8 8 0", "BITFIELD s SET u8 0 34 INCRBY u8 8 0");
    becomes("BITFIELD s INCRBY u8 8 0 GET u8 0", "");
}

static void test_keys(void **state) {
    (void)state;
    becomes("SET k v", "SET k v");
    becomes("EXPIRE k 10", "PEXPIREAT k 1700000010000");
    becomes("PEXPIRE k 10", "PEXPIREAT k 1700000000010");
    becomes("EXPIREAT k 1700000020", "PEXPIREAT k 1700000020000");
    becomes("PEXPIREAT k 1700000030000", "PEXPIREAT k 1700000030000");
    becomes("EXPIRE k 10 NX", "");
    becomes("PERSIST k", "PERSIST k");
    becomes("PERSIST k", "");
    becomes("EXPIRE k -1", "DEL k");
    becomes("DEL k nothing", "");
    becomes("SET k v", "SET k v");
    becomes("COPY k l", "COPY k l");
    becomes("COPY k l", "");
    becomes("RENAME k m", "RENAME k m");
    becomes("RENAMENX m l", "");
    becomes("MOVE m 3", "MOVE m 3");
    becomes("SELECT 3", "");
    becomes("UNLINK m", "SELECT 3; UNLINK m");
    becomes("SWAPDB 0 5", "SWAPDB 0 5");
    becomes("SELECT 0", "");
    becomes("FLUSHDB", "SELECT 0; FLUSHDB");
    becomes("FLUSHALL", "FLUSHALL");
    becomes("PUBLISH c m", "PUBLISH c m");
    becomes("SPUBLISH c m", "SPUBLISH c m");
    becomes("GET k", "");
}

static void test_hashes(void **state) {
    (void)state;
    becomes("HSET h f 1 g 2", "HSET h f 1 g 2");
    becomes("HSETNX h f 1", "");
    becomes("HSETNX h n 1", "HSET h n 1");
    becomes("HINCRBY h f 5", "HSET h f 6");
    becomes("HINCRBYFLOAT h f 0.5", "HSET h f 6.5");
    becomes("HEXPIRE h 10 FIELDS 3 f g x", "HPEXPIREAT h 1700000010000 FIELDS 2 f g");
    becomes("HINCRBYFLOAT h f 0.5", "HSETEX h PXAT 1700000010000 FIELDS 1 f 7");
    becomes("HPEXPIRE h 10 NX FIELDS 1 f", "");
    becomes("HPERSIST h FIELDS 3 f n x", "HPERSIST h FIELDS 1 f");
    becomes("HPEXPIREAT h 5 FIELDS 2 f x", "HDEL h f");
    becomes("HSETEX h EX 10 FIELDS 2 a 1 b 2", "HSETEX h PXAT 1700000010000 FIELDS 2 a 1 b 2");
    becomes("HSETEX h FXX KEEPTTL FIELDS 1 a 3", "HSETEX h KEEPTTL FIELDS 1 a 3");
    becomes("HSETEX h FNX FIELDS 1 a 3", "");
    becomes("HSETEX h PXAT 5 FIELDS 2 b 3 x 4", "HDEL h b");
    becomes("HGETEX h FIELDS 1 a", "");
    becomes("HGETEX h PX 10 FIELDS 2 a x", "HPEXPIREAT h 1700000000010 FIELDS 1 a");
    becomes("HGETEX h PERSIST FIELDS 2 a n", "HPERSIST h FIELDS 1 a");
    becomes("HGETEX h PXAT 5 FIELDS 1 a", "HDEL h a");
    becomes("HGETDEL h FIELDS 2 n x", "HDEL h n x");
    becomes("HGETDEL h FIELDS 2 n x", "");
    becomes("HDEL h x", "");
    becomes("HDEL h g", "HDEL h g");
}

static void test_units(void **state) {
    (void)state;
    becomes("MULTI", "");
    becomes("SET a 1 EX 10", "");
    becomes("GET a", "");
    becomes("INCR b", "");
    becomes("EXEC", "MULTI; SET a 1 PXAT 1700000010000; INCR b; EXEC");
    becomes("MULTI", "");
    becomes("INCR b", "");
    becomes("EXEC", "INCR b");
    becomes("MULTI", "");
    becomes("GET b", "");
    becomes("EXEC", "");
    /* Keys and fields that leave by themselves, before the command that met them. */
    becomes("SET k v PX 10", "SET k v PXAT 1700000000010");
    pass_time(20);
    becomes("GET k", "DEL k");
    becomes("SET k v PX 10", "SET k v PXAT 1700000000030");
    pass_time(20);
    becomes("APPEND k w", "MULTI; DEL k; APPEND k w; EXEC");
    becomes("HSETEX h PX 10 FIELDS 1 f v", "HSETEX h PXAT 1700000000050 FIELDS 1 f v");
    pass_time(20);
    becomes("HLEN h", "HDEL h f");
    becomes("SET k v", "SET k v");
    becomes("CONFIG SET maxmemory-policy allkeys-lru lazyfree-lazy-eviction no", "");
    session_ask(session, "FLUSHALL");
    becomes("SET k v", "FLUSHALL; SET k v");
    session_ask(session, "CONFIG SET maxmemory 1");
    session_ask(session, "SET l v");
    assert_memory_equal(lines(), "DEL k", 5);
    session_ask(session, "CONFIG SET maxmemory 0");
}

static void test_waiting(void **state) {
    (void)state;
    static const char *const waits[] = {"BLPOP q 0", "BRPOP q 0", "BLMPOP 0 1 q LEFT COUNT 5",
                                        "BLMOVE q r LEFT RIGHT 0", "BRPOPLPUSH q r 0"};
    static const char *const expected[] = {"RPUSH q v; LPOP q", "RPUSH q v; RPOP q",
                                           "RPUSH q v; LPOP q 1", "RPUSH q v; LMOVE q r LEFT RIGHT",
                                           "RPUSH q v; RPOPLPUSH q r"};
    for (int i = 0; i < 5; i++) {
        int fd = session_connect(session);
        assert_int_equal(write(fd, waits[i], strlen(waits[i])), (ssize_t)strlen(waits[i]));
        assert_int_equal(write(fd, "\r\n", 2), 2);
        session_pass(session);
        becomes("RPUSH q v", expected[i]);
        close(fd);
    }
    becomes("RPUSH q a b c", "RPUSH q a b c");
    becomes("BLMPOP 0 1 q RIGHT COUNT 2", "RPOP q 2");
    becomes("RPUSH q d e f", "RPUSH q d e f");
    becomes("LMPOP 2 none q LEFT COUNT 2", "LPOP q 2");
    becomes("LMPOP 1 q RIGHT", "RPOP q 1");
    becomes("BLPOP q 0", "LPOP q");
    becomes("ZADD z 1 a 2 b 3 c", "ZADD z 1 a 2 b 3 c");
    becomes("BZPOPMIN z 0", "ZPOPMIN z 1");
    becomes("BZMPOP 0 1 z MAX COUNT 9", "ZPOPMAX z 2");
}

/* ---- replay ---- */

#define KEYS 8

/* All that there is to all keys. */
static char *state_of(void) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    static const char *const looks[] = {"TYPE %s", "PEXPIRETIME %s",
                                        "GET %s",  "LRANGE %s 0 -1",
                                        "HLEN %s", "ZRANGE %s 0 -1 WITHSCORES"};
    for (int database = 0; database < 2; database++) {
        char line[64];
        snprintf(line, sizeof line, "SELECT %d", database);
        session_ask(session, line);
        for (int i = 0; i < KEYS; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            for (size_t j = 0; j < sizeof looks / sizeof looks[0]; j++) {
                snprintf(line, sizeof line, looks[j], key);
                buffer_append_text(&out, session_ask(session, line));
            }
            for (int f = 0; f < 4; f++) {
                snprintf(line, sizeof line, "HGET %s f%d", key, f);
                buffer_append_text(&out, session_ask(session, line));
                snprintf(line, sizeof line, "HPEXPIRETIME %s FIELDS 1 f%d", key, f);
                buffer_append_text(&out, session_ask(session, line));
            }
        }
    }
    char *text = strdup(buffer_text(&out));
    buffer_clear(&out);
    return text;
}

static unsigned seed;

static int draw(int below) {
    return rand_r(&seed) % below;
}

static void random_command(char *line, size_t size) {
    static const char *const forms[] = {"SET k%d v%d",
                                        "SET k%d v%d PX 300",
                                        "SET k%d %d EX 1 GET",
                                        "SET k%d %d KEEPTTL",
                                        "SETNX k%d v%d",
                                        "GETEX k%d PX %d",
                                        "GETDEL k%d",
                                        "INCRBYFLOAT k%d 1.%d",
                                        "INCRBY k%d %d",
                                        "APPEND k%d %d",
                                        "EXPIRE k%d %d",
                                        "PEXPIRE k%d %d GT",
                                        "PERSIST k%d",
                                        "DEL k%d",
                                        "COPY k%d k%d REPLACE",
                                        "RENAME k%d k%d",
                                        "MOVE k%d 1",
                                        "SELECT 0",
                                        "SELECT 1",
                                        "HSET k%d f1 %d",
                                        "HSETNX k%d f2 %d",
                                        "HINCRBY k%d f1 %d",
                                        "HINCRBYFLOAT k%d f2 0.%d",
                                        "HPEXPIRE k%d %d FIELDS 2 f1 f2",
                                        "HPERSIST k%d FIELDS 2 f1 f3",
                                        "HSETEX k%d PX %d FIELDS 2 f3 a f2 7",
                                        "HGETEX k%d PX %d FIELDS 1 f1",
                                        "HGETDEL k%d FIELDS 1 f%d",
                                        "HDEL k%d f%d",
                                        "RPUSH k%d %d 1 2",
                                        "BLPOP k%d k%d 0.001",
                                        "BLMOVE k%d k%d LEFT RIGHT 0.001",
                                        "BLMPOP 0.001 1 k%d RIGHT COUNT %d",
                                        "ZADD k%d %d m 5 n",
                                        "BZPOPMIN k%d 0.001",
                                        "MULTI",
                                        "EXEC",
                                        "EXEC",
                                        "SWAPDB 0 1",
                                        "MSETEX 1 k%d v%d PX 200",
                                        "INCREX k%d BYINT %d EX 1",
                                        "SETBIT k%d %d 1",
                                        "BITFIELD k%d INCRBY u8 0 %d",
                                        "DEL k%d k%d",
                                        "HSETEX k%d FNX KEEPTTL FIELDS 1 f%d x"};
    const char *form = forms[draw(sizeof forms / sizeof forms[0])];
    snprintf(line, size, form, draw(KEYS), draw(KEYS));
}

/* What is due goes, though nobody asks for it. */
static void expire_all(void) {
    pass_time(1000);
    session_pass(session);
    while (!keyspace_expire(&session->server.keyspace, 1000000)) {}
}

static void replay(void) {
    int fd = session_connect(session);
    for (size_t at = 0; at < stream.size;) {
        size_t some = stream.size - at < 2000 ? stream.size - at : 2000;
        ssize_t sent = write(fd, stream.at + at, some);
        assert_true(sent > 0);
        at += (size_t)sent;
        for (int i = 0; i < 30; i++) {
            session_pass(session);
            char scratch[65536];
            while (read(fd, scratch, sizeof scratch) > 0) {}
        }
    }
    for (int i = 0; i < 300; i++) {
        session_pass(session);
        char scratch[65536];
        while (read(fd, scratch, sizeof scratch) > 0) {}
    }
    close(fd);
}

static void test_replay(void **state) {
    (void)state;
    enum { ROUNDS = 12, STEPS = 400 };
    session_ask(session, "FLUSHALL");
    for (int round = 0; round < ROUNDS; round++) {
        seed = 100 + (unsigned)round;
        session_ask(session, "SELECT 0");
        session_ask(session, "FLUSHALL");
        stream.size = 0;
        pass_on_select_again(session->server.context.pass_on);
        for (int step = 0; step < STEPS; step++) {
            char line[128];
            random_command(line, sizeof line);
            session_ask(session, line);
            if (draw(4) == 0) {
                pass_time(draw(100));
            }
        }
        session_ask(session, "RESET");
        expire_all();
        char *ours = state_of();
        pass_on_unlisten(session->server.context.pass_on, &listener);
        session_ask(session, "SELECT 0");
        session_ask(session, "FLUSHALL");
        /* Those who repeat it do not let keys expire by themselves. */
        int64_t now_ms = session->server.clock.now_ms;
        clock_drive(&session->server.clock, START_MS / 2);
        replay();
        clock_drive(&session->server.clock, now_ms - 1000);
        expire_all();
        char *theirs = state_of();
        if (strcmp(ours, theirs) != 0) {
            size_t at = 0;
            while (ours[at] == theirs[at]) {
                at++;
            }
            fail_msg("round %d differs at %zu:\n%.200s\n--- but\n%.200s", round, at,
                     ours + (at > 60 ? at - 60 : 0), theirs + (at > 60 ? at - 60 : 0));
        }
        free(ours);
        free(theirs);
        pass_on_listen(session->server.context.pass_on, &listener);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(test_strings), TEST(test_keys),    TEST(test_hashes),
        TEST(test_units),   TEST(test_waiting), TEST(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
