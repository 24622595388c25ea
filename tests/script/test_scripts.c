/* Tests of script/scripts: what is known, what leaves, what a script can reach, and what happens
 * when there is no memory. That replies are Redis's is for the comparison with it. */
#include "script/scripts.h"

#include "support/session.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha1.h"
#include "script/engine.h"
#include "store/keyspace.h"
#include "store/lazyfree.h"

static struct session *session;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

/* EVAL of a script without double quotes. */
static const char *run(const char *script) {
    static char line[8192];
    snprintf(line, sizeof line, "EVAL \"%s\" 2 k1 k2 a1 a2", script);
    return session_ask(session, line);
}

static void gives(const char *script, const char *answer) {
    assert_string_equal(run(script), answer);
}

static void fails(const char *script, const char *part) {
    const char *answer = run(script);
    if (answer[0] != '-' || strstr(answer, part) == NULL) {
        fail_msg("%s: %s", script, answer);
    }
}

static struct script_figures figures(void) {
    struct script_figures now;
    scripts_figures(session->server.context.scripts, &now);
    return now;
}

static void test_digest(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *hex;
    } rows[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mnopqrsmnopqrstnopqrstu",
         "a49b2446a02c645bf419f995b67091253a04a259"},
    };
    char hex[SHA1_HEX_SIZE + 1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sha1_hex(bytes_text(rows[i].text), hex);
        assert_string_equal(hex, rows[i].hex);
    }
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    sha1_hex(bytes_of(million, 1000000), hex);
    assert_string_equal(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(million);
}

static void test_known(void **state) {
    (void)state;
    session_expect(session, "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
                   "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    session_expect(session, "EVAL \"return 1\" 0", ":1\r\n");
    session_expect(session, "EVALSHA E0E1F9FABFC9D4800c877a703b823ac0578ff8db 0", ":1\r\n");
    session_expect(session, "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x",
                   "*2\r\n:1\r\n:0\r\n");
    session_expect(session, "SCRIPT SHOW e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
                   "$8\r\nreturn 1\r\n");
    session_expect(session, "SCRIPT FLUSH", "+OK\r\n");
    session_expect(session, "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
                   "*1\r\n:0\r\n");
    assert_int_equal(figures().scripts, 0);
    assert_int_equal(figures().eval_scripts, 0);
}

/* Of five that may stay in small builds the one that was not used for the longest time goes. */
static void test_many(void **state) {
    (void)state;
    char line[128];
    char *kept = strdup(session_ask(session, "SCRIPT LOAD \"return 'kept'\"") + 5);
    kept[40] = '\0';
    session_expect(session, "EVAL \"return 'used'\" 0", "$4\r\nused\r\n");
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "EVAL \"return %d\" 0", i);
        session_ask(session, line);
        session_expect(session, "EVAL \"return 'used'\" 0", "$4\r\nused\r\n");
    }
    assert_int_equal(figures().scripts, 6);
    snprintf(line, sizeof line, "EVALSHA %s 0", kept);
    session_expect(session, line, "$4\r\nkept\r\n");
    free(kept);
    /* One that EVAL brought is kept from SCRIPT LOAD on. */
    session_ask(session, "SCRIPT LOAD \"return 'used'\"");
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "EVAL \"return -%d\" 0", i);
        session_ask(session, line);
    }
    assert_int_equal(figures().scripts, 7);
}

/* Nothing that a script does is seen by the next one. */
static void test_nothing_stays(void **state) {
    (void)state;
    static const char *const changes[] = {
        "x = 1",
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, {})",
        "string.x = 1",
        "rawset(string, 'x', 1)",
        "table.insert(redis, 1)",
        "table.setn(redis, 1)",
        "redis.call = 1",
        "getmetatable('').x = 1",
        "getmetatable('').__index.x = 1",
        "KEYS = 1",
        "math.random = 1",
        "coroutine.x = 1",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        fails(changes[i], i == 7 ? "" : "Attempt to modify a readonly table");
        gives("local n = 0 for k in pairs(_G) do n = n + (k == 'x' and 1 or 0) end return n",
              ":0\r\n");
        gives("return type(redis.call) .. type(string.x) .. #redis", "$12\r\nfunctionnil0\r\n");
    }
    /* KEYS and ARGV may be changed, for as long as the script runs. */
    gives("KEYS[1] = 'z' KEYS[3] = 'y' KEYS.x = 1 KEYS[-1] = 2 ARGV[9] = 1 return #KEYS", ":3\r\n");
    gives("local n = 0 for k in pairs(KEYS) do n = n + 1 end return {n, KEYS[1], KEYS.x or 'no'}",
          "*3\r\n:2\r\n$2\r\nk1\r\n$2\r\nno\r\n");
    gives("KEYS[1] = nil KEYS.x = 1 KEYS.x = nil KEYS.y = 1 return 1", ":1\r\n");
    gives("local n = 0 for k in pairs(KEYS) do n = n + 1 end return n", ":2\r\n");
    gives("setmetatable(KEYS, {__index = function() return 'trap' end}) return KEYS[5]",
          "$4\r\ntrap\r\n");
    gives("return KEYS[5]", "$-1\r\n");
    gives("ARGV.keys = KEYS return 1", ":1\r\n");
    gives("return ARGV.keys", "$-1\r\n");
}

static void test_absent(void **state) {
    (void)state;
    static const char *const names[] = {"print",    "dofile",  "loadfile", "require",
                                        "module",   "package", "io",       "debug",
                                        "newproxy", "getfenv", "setfenv"};
    char line[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(line, sizeof line, "return %s", names[i]);
        fails(line, "nonexistent global variable");
    }
    fails("return loadstring(string.dump(function() return 1 end))()", "user_script");
    fails("\\x1bLua", "Error compiling script");
}

/* Who takes too much ends with an error, whatever he does about it, and others go on. */
static void test_memory_is_bounded(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET lua-memory-limit 2mb", "+OK\r\n");
    static const char *const greedy[] = {
        "local t = {} for i = 1, 1e8 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t = {t} end",
        "return string.rep('x', 100000000)",
        "local t = {} pcall(function() while true do t = {t} end end) while true do t = {t} end",
    };
    for (size_t i = 0; i < sizeof greedy / sizeof greedy[0]; i++) {
        fails(greedy[i], "not enough memory");
        gives("return #KEYS", ":2\r\n");
    }
    /* Garbage is not held against a script. */
    gives("for i = 1, 100000 do local t = {i, i, i} end return 1", ":1\r\n");
    assert_true(figures().eval_lua < 2 * 1024 * 1024);
    /* Nor may a command's reply be larger. */
    session_expect(session, "SETRANGE big 4000000 x", ":4000001\r\n");
    fails("return redis.call('get', 'big')", "larger than lua-memory-limit");
    gives("return redis.call('strlen', 'big')", ":4000001\r\n");
}

/* Wherever an allocation fails, an error is all that comes of it. */
static void test_no_memory(void **state) {
    (void)state;
    session_expect(session, "RPUSH list a b c", ":3\r\n");
    bool served = false;
    int closed = 0;
    for (uint64_t n = 1; n < 2000 && !served; n++) {
        session_expect(session, "SCRIPT FLUSH", "+OK\r\n");
        mem_fail_after(n);
        const char *answer =
            run("local t = redis.call('lrange', 'list', 0, -1) t[4] = tostring({}) ~= nil "
                "t[5] = {map = {a = KEYS[1] .. ARGV[2]}} return t");
        mem_fail_after(0);
        served = answer[0] == '*';
        if (answer[0] == '\0') { /* no room for what is read or replied: the connection goes */
            close(session->fd);
            session->fd = session_connect(session);
            closed++;
        } else if (!served && answer[0] != '-') {
            fail_msg("allocation %d: %s", (int)n, answer);
        }
    }
    assert_true(closed < 20);
    assert_true(served);
}

/* Scripts that came by EVAL leave when their texts take much, however few they are. */
static void test_long_scripts(void **state) {
    (void)state;
    static char line[60000];
    session_expect(session, "CONFIG SET lua-memory-limit 2mb", "+OK\r\n");
    for (int n = 0; n < 40; n++) {
        int size = snprintf(line, sizeof line, "EVAL \"return %d --", n);
        memset(line + size, 'x', 50000);
        strcpy(line + size + 50000, "\" 0");
        char answer[16];
        snprintf(answer, sizeof answer, ":%d\r\n", n);
        session_expect(session, line, answer);
        assert_true(figures().scripts <= 3);
        assert_true(figures().eval_scripts <= 2 * 1024 * 1024 / 16 + 8192);
    }
    gives("return 1", ":1\r\n");
}

/* What is forgotten is gone at once for everybody, and its memory soon. */
static void test_flush_in_the_background(void **state) {
    (void)state;
    const struct lazyfree *lazyfree = session->server.context.keyspace->lazyfree;
    static const char *const flushes[] = {"FLUSH", "FLUSH ASYNC", "FLUSH SYNC"};
    for (size_t i = 0; i < sizeof flushes / sizeof flushes[0]; i++) {
        char line[200];
        size_t before = mem_used_by(MEM_SCRIPT);
        for (int n = 0; n < 300; n++) {
            snprintf(line, sizeof line, "SCRIPT LOAD \"return %d\"", n);
            session_ask(session, line);
            snprintf(line, sizeof line,
                     "FUNCTION LOAD \"#!lua name=l%d\\nredis.register_function('f%d', "
                     "function() return %d end)\"",
                     n, n, n);
            assert_int_equal(session_ask(session, line)[0], '$');
        }
        session_expect(session, "FCALL f7 0", ":7\r\n");
        gives("return 7", ":7\r\n");
        assert_true(mem_used_by(MEM_SCRIPT) > before + 100000);
        snprintf(line, sizeof line, "SCRIPT %s", flushes[i]);
        session_expect(session, line, "+OK\r\n");
        snprintf(line, sizeof line, "FUNCTION %s", flushes[i]);
        session_expect(session, line, "+OK\r\n");
        session_expect(session, "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
                       "-NOSCRIPT No matching script. Please use EVAL.\r\n");
        session_expect(session, "FCALL f7 0", "-ERR Function not found\r\n");
        assert_int_equal(figures().scripts + figures().functions + figures().libraries, 0);
        gives("return 8", ":8\r\n");
        session_expect(session, "SCRIPT FLUSH SYNC", "+OK\r\n");
        while (lazyfree_pending(lazyfree) > 0) {
            sched_yield();
        }
        assert_true(mem_used_by(MEM_SCRIPT) < before + 50000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test_setup_teardown(test_known, start, end),
        cmocka_unit_test_setup_teardown(test_many, start, end),
        cmocka_unit_test_setup_teardown(test_nothing_stays, start, end),
        cmocka_unit_test_setup_teardown(test_absent, start, end),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, start, end),
        cmocka_unit_test_setup_teardown(test_no_memory, start, end),
        cmocka_unit_test_setup_teardown(test_flush_in_the_background, start, end),
        cmocka_unit_test_setup_teardown(test_long_scripts, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
