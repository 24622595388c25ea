/* Scripts beside what else a server does: others are served while one runs for long, and may end
 * it; what scripts do is seen by transactions, trackers and monitors; memory. With one thread and
 * with several, with epoll and with io_uring. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY "-" BUSY_TEXT
#define BUSY_TEXT                                                                                  \
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
#define FOR_EVER "while true do end"

static struct server *server;
static int control; /* a connection */

static int start_with(const char *const *options) {
    server = server_start(options);
    control = wire_connect(server);
    return 0;
}

#define BUSY_SOON "--busy-reply-threshold", "20"

static int start_plain(void **state) {
    (void)state;
    return start_with((const char *const[]){BUSY_SOON, NULL});
}

static int start_threads(void **state) {
    (void)state;
    return start_with(
        (const char *const[]){BUSY_SOON, "--io-threads", "3", "--io-cpulist", "0,1", NULL});
}

static int start_uring(void **state) {
    (void)state;
    return start_with((const char *const[]){BUSY_SOON, "--io-backend", "io_uring", NULL});
}

static int end(void **state) {
    (void)state;
    close(control);
    server_stop(server);
    return 0;
}

static void send_eval(int fd, const char *script) {
    const char *words[] = {"EVAL", script, "0"};
    const size_t sizes[] = {4, strlen(script), 1};
    wire_send_words(fd, words, sizes, 3);
}

static void expect_answer(int fd, const char *expected) {
    char *text = wire_read_reply(fd);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_part(int fd, const char *part) {
    char *text = wire_read_reply(fd);
    if (strstr(text, part) == NULL) {
        fail_msg("%s is not in %s", part, text);
    }
    free(text);
}

static void expect_eval(int fd, const char *script, const char *expected) {
    send_eval(fd, script);
    expect_answer(fd, expected);
}

/* ---- busy ---- */

static bool is_busy(void *context) {
    (void)context;
    char *text = wire_ask(control, "PING", NULL);
    bool busy = strcmp(text, BUSY) == 0;
    free(text);
    if (!busy) {
        harness_breathe();
    }
    return busy;
}

static void wait_until_busy(void) {
    harness_wait_for(is_busy, NULL, "the script to count as busy");
}

static void others_are_served(void **state) {
    (void)state;
    int runner = wire_connect(server);
    int other = wire_connect(server);
    wire_expect_reply(other, "SET a 1", "+OK");
    for (int round = 0; round < 3; round++) {
        send_eval(runner, FOR_EVER);
        wait_until_busy();
        wire_expect_reply(other, "GET a", BUSY);
        wire_expect_reply(other, "GET", "-ERR wrong number of arguments for 'get' command");
        wire_expect_reply(other, "MULTI", "+OK");
        wire_expect_reply(other, "SET a 2", BUSY);
        wire_expect_reply(other, "EXEC", "-EXECABORT Transaction discarded because of: " BUSY_TEXT);
        wire_expect_reply(control, "SCRIPT KILL", "+OK");
        expect_part(runner, "-ERR Script killed by user with SCRIPT KILL... script: ");
        wire_expect_reply(other, "GET a", "\"1\"");
    }
    close(other);
    close(runner);
}

static void they_may_end_it(void **state) {
    (void)state;
    static const char *const scripts[] = {
        FOR_EVER,
        "while true do pcall(function() while true do end end) end",
        "while true do\n pcall(function() while true do end end)\n end",
        "local c = coroutine.wrap(function() while true do end end) c() return 7",
        "local t = {} while true do t = {t[1]} end",
        "while true do redis.pcall('get', 'a') end",
        "while true do redis.pcall('nosuch') end",
    };
    int runner = wire_connect(server);
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        wire_expect_reply(control, "SCRIPT KILL", "-NOTBUSY No scripts in execution right now.");
        send_eval(runner, scripts[i]);
        wait_until_busy();
        wire_expect_reply(control, "SCRIPT KILL", "+OK");
        expect_part(runner, "-ERR Script killed by user with SCRIPT KILL... script: ");
        expect_eval(runner, "return 1", ":1");
    }
    close(runner);
}

/* Requests that came with the script's, or behind it, have their turn in order. */
static void order_is_kept(void **state) {
    (void)state;
    int runner = wire_connect(server);
    wire_expect_reply(runner, "SET a 1", "+OK");
    wire_send_text(runner, "INCR a\r\nINCR a\r\n");
    send_eval(runner, FOR_EVER);
    wire_send_text(runner, "INCR a\r\n");
    wait_until_busy();
    wire_send_text(runner, "INCR a\r\n");
    wire_expect_reply(control, "SCRIPT KILL", "+OK");
    expect_answer(runner, ":2");
    expect_answer(runner, ":3");
    expect_part(runner, "killed");
    expect_answer(runner, ":4");
    expect_answer(runner, ":5");
    close(runner);
}

/* Many come and go, and send much, while a script runs. */
static void a_crowd(void **state) {
    (void)state;
    int runner = wire_connect(server);
    int crowd[40];
    for (int i = 0; i < 40; i++) {
        crowd[i] = wire_connect(server);
        wire_expect_reply(crowd[i], "PING", "+PONG");
    }
    send_eval(runner, FOR_EVER);
    wait_until_busy();
    for (int i = 0; i < 40; i++) {
        if (i % 4 == 0) {
            close(crowd[i]);
            crowd[i] = wire_connect(server);
        }
        for (int k = 0; k < 50; k++) {
            wire_send_text(crowd[i], "PING\r\n");
        }
    }
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 50; k++) {
            expect_answer(crowd[i], BUSY);
        }
        if (i % 4 == 1) {
            close(crowd[i]);
        }
    }
    wire_expect_reply(control, "SCRIPT KILL", "+OK");
    expect_part(runner, "killed");
    for (int i = 0; i < 40; i++) {
        if (i % 4 != 1) {
            wire_expect_reply(crowd[i], "PING", "+PONG");
            close(crowd[i]);
        }
    }
    close(runner);
}

/* Who runs it leaves; the script goes on, and its end hurts nobody. */
static void runner_leaves(void **state) {
    (void)state;
    int runner = wire_connect(server);
    send_eval(runner, FOR_EVER);
    wait_until_busy();
    close(runner);
    wait_until_busy();
    wire_expect_reply(control, "SCRIPT KILL", "+OK");
    wire_expect_reply(control, "PING", "+PONG");
}

/* In a transaction, muted, and with one that waits for what the script pushes: it is served when
 * the script is over, not before. */
static void states(void **state) {
    (void)state;
    int runner = wire_connect(server);
    int waiter = wire_connect(server);
    wire_send_text(waiter, "BLPOP list 0\r\n");
    wire_settle(control);
    wire_expect_reply(runner, "MULTI", "+OK");
    send_eval(runner, "redis.call('rpush', 'list', 'x') local t = redis.call('time') "
                      "for i = 1, 2e7 do end return redis.call('llen', 'list')");
    expect_answer(runner, "+QUEUED");
    wire_send_text(runner, "EXEC\r\n");
    wait_until_busy();
    char *answer = wire_ask(control, "SCRIPT", "KILL", NULL);
    assert_true(strncmp(answer, "-UNKILLABLE ", 12) == 0 || strncmp(answer, "-NOTBUSY ", 9) == 0);
    free(answer);
    expect_answer(runner, "[:1]");
    expect_answer(waiter, "[\"list\", \"x\"]");
    wire_send_text(runner, "CLIENT REPLY OFF\r\n");
    send_eval(runner, "return redis.call('set', 'muted', redis.call('echo', 'y'))");
    wire_send_text(runner, "CLIENT REPLY ON\r\n");
    expect_answer(runner, "+OK");
    wire_expect_reply(runner, "GET muted", "\"y\"");
    close(waiter);
    close(runner);
}

static void hard_end(void **state) {
    (void)state;
    int runner = wire_connect(server);
    send_eval(runner, "redis.call('set', 'a', 1) while true do end");
    wait_until_busy();
    wire_expect_reply(control, "SHUTDOWN", BUSY);
    wire_send_text(control, "SHUTDOWN NOSAVE\r\n");
    server_wait(server);
    close(runner);
    start_plain(NULL);
}

/* A function is ended by FUNCTION KILL only, and FUNCTION STATS shows it. */
static void functions_too(void **state) {
    (void)state;
    static const char busy[] =
        "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    static const char source[] = "#!lua name=l\n"
                                 "redis.register_function('f', function() while true do end end)";
    const char *words[] = {"FUNCTION", "LOAD", source};
    const size_t sizes[] = {8, 4, strlen(words[2])};
    int runner = wire_connect(server);
    wire_send_words(runner, words, sizes, 3);
    expect_answer(runner, "\"l\"");
    wire_send_text(runner, "FCALL f 0\r\n");
    for (int i = 0; i < 1000; i++) {
        char *text = wire_ask(control, "PING", NULL);
        bool found = strcmp(text, busy) == 0;
        free(text);
        if (found) {
            break;
        }
        harness_breathe();
    }
    wire_expect_reply(control, "SCRIPT KILL", busy);
    char *stats = wire_ask(control, "FUNCTION", "STATS", NULL);
    assert_non_null(strstr(stats, "\"command\", [\"FCALL\", \"f\", \"0\"]"));
    free(stats);
    wire_expect_reply(control, "FUNCTION KILL", "+OK");
    expect_part(runner, "killed by user");
    wire_expect_reply(control, "FUNCTION KILL", "-NOTBUSY No scripts in execution right now.");
    close(runner);
}

/* ---- what others see ---- */

static void transactions(void **state) {
    (void)state;
    int other = wire_connect(server);
    wire_expect_reply(control, "WATCH w", "+OK");
    expect_eval(other, "return redis.call('set', 'w', 1)", "+OK");
    wire_expect_reply(control, "MULTI", "+OK");
    wire_expect_reply(control, "PING", "+QUEUED");
    wire_expect_reply(control, "EXEC", "nil*");
    wire_expect_reply(control, "WATCH w", "+OK");
    expect_eval(other, "return redis.call('get', 'w')", "\"1\"");
    wire_expect_reply(control, "MULTI", "+OK");
    send_eval(control, "redis.call('select', 3) return redis.call('incr', 'w')");
    expect_answer(control, "+QUEUED");
    wire_expect_reply(control, "GET w", "+QUEUED");
    wire_expect_reply(control, "EXEC", "[:1, \"1\"]");
    wire_expect_reply(control, "SELECT 3", "+OK");
    wire_expect_reply(control, "GET w", "\"1\"");
    wire_expect_reply(control, "DEL w", ":1");
    wire_expect_reply(control, "SELECT 0", "+OK");
    close(other);
}

static void tracking(void **state) {
    (void)state;
    int tracker = wire_connect(server);
    free(wire_ask(tracker, "HELLO", "3", NULL));
    wire_expect_reply(tracker, "CLIENT TRACKING ON", "+OK");
    expect_eval(tracker, "return redis.call('get', 'tracked')", "null");
    wire_expect_reply(control, "SET tracked 1", "+OK");
    expect_answer(tracker, ">[\"invalidate\", [\"tracked\"]]");
    expect_eval(tracker, "redis.call('get', 'tracked') return redis.call('set', 'tracked', 2)",
                "+OK");
    close(tracker);
}

static void monitor(void **state) {
    (void)state;
    int watcher = wire_connect(server);
    wire_expect_reply(watcher, "MONITOR", "+OK");
    expect_eval(control, "redis.call('select', 2) return redis.call('set', 'm', 1)", "+OK");
    expect_part(watcher, "\"EVAL\"");
    expect_part(watcher, "[2 lua] \"select\" \"2\"");
    expect_part(watcher, "[2 lua] \"set\" \"m\" \"1\"");
    close(watcher);
}

static void figures(void **state) {
    (void)state;
    wire_expect_reply(control, "CONFIG RESETSTAT", "+OK");
    wire_expect_reply(control, "CONFIG SET slowlog-log-slower-than 0", "+OK");
    wire_expect_reply(control, "SLOWLOG RESET", "+OK");
    expect_eval(control,
                "redis.call('get', 'x') redis.call('get', 'x') redis.pcall('get') return 1", ":1");
    wire_expect_reply(control, "CONFIG SET slowlog-log-slower-than 10000", "+OK");
    char *log = wire_ask(control, "SLOWLOG", "GET", "10", NULL);
    assert_non_null(strstr(log, "\"EVAL\""));
    assert_null(strstr(log, "\"get\""));
    free(log);
    char *info = wire_ask(control, "INFO", "commandstats", NULL);
    assert_non_null(strstr(info, "cmdstat_get:calls=2"));
    const char *line = strstr(info, "cmdstat_get:");
    assert_non_null(strstr(line, "rejected_calls=1,failed_calls=0"));
    assert_non_null(strstr(info, "cmdstat_eval:calls=1"));
    free(info);
    info = wire_ask(control, "INFO", "memory", NULL);
    assert_null(strstr(info, "number_of_cached_scripts:0\\r"));
    assert_null(strstr(info, "used_memory_vm_eval:0\\r"));
    free(info);
}

static void time_stands_still(void **state) {
    (void)state;
    expect_eval(control,
                "redis.call('set', 'k', 'v', 'px', 3) local a = redis.call('time') "
                "for i = 1, 3e6 do end local b = redis.call('time') "
                "return {a[1] == b[1] and a[2] == b[2], redis.call('get', 'k')}",
                "[:1, \"v\"]");
}

/* ---- memory ---- */

static void memory(void **state) {
    (void)state;
    wire_expect_reply(control, "SET a 1", "+OK");
    wire_expect_reply(control, "CONFIG SET maxmemory 1", "+OK");
    const char *oom = "-OOM command not allowed when used memory > 'maxmemory'.";
    send_eval(control, "return redis.call('set', 'b', 1)");
    expect_part(control, oom);
    send_eval(control, "#!lua\nreturn 1");
    expect_answer(control, oom);
    expect_eval(control, "#!lua flags=allow-oom\nreturn redis.call('set', 'b', 1)", "+OK");
    expect_eval(control, "#!lua flags=no-writes\nreturn redis.call('get', 'b')", "\"1\"");
    /* One that has written may go on. */
    expect_eval(control, "redis.call('del', 'b') return redis.call('set', 'b', 2)", "+OK");
    wire_expect_reply(control, "MULTI", "+OK");
    send_eval(control, "#!lua\nreturn 1");
    expect_answer(control, "+QUEUED");
    wire_expect_reply(control, "EXEC",
                      "[-OOM allow-oom flag is not set on the script, can not run it when used "
                      "memory > 'maxmemory']");
    wire_expect_reply(control, "CONFIG SET maxmemory 0", "+OK");
    /* A hundred thousand different ones leave nothing behind. */
    char script[64];
    for (int i = 0; i < 20000; i++) {
        snprintf(script, sizeof script, "return %d", i);
        send_eval(control, script);
        char expected[16];
        snprintf(expected, sizeof expected, ":%d", i);
        expect_answer(control, expected);
    }
    char *info = wire_ask(control, "INFO", "memory", NULL);
    assert_non_null(strstr(info, "number_of_cached_scripts:500\\r"));
    const char *used = strstr(info, "used_memory_vm_eval:");
    assert_non_null(used);
    assert_true(atol(used + strlen("used_memory_vm_eval:")) < 4 * 1024 * 1024);
    free(info);
}

#define TEST(function, start_function)                                                             \
    { #function " (" #start_function ")", function, start_function, end, NULL }
#define EVERYWHERE(function)                                                                       \
    TEST(function, start_plain), TEST(function, start_threads), TEST(function, start_uring)

int main(void) {
    const struct CMUnitTest tests[] = {
        EVERYWHERE(others_are_served), EVERYWHERE(they_may_end_it), EVERYWHERE(order_is_kept),
        EVERYWHERE(a_crowd),           EVERYWHERE(runner_leaves),   EVERYWHERE(states),
        EVERYWHERE(hard_end),          EVERYWHERE(functions_too),   EVERYWHERE(transactions),
        EVERYWHERE(tracking),          EVERYWHERE(monitor),         EVERYWHERE(figures),
        EVERYWHERE(time_stands_still), TEST(memory, start_plain),
    };
    return cmocka_run_group_tests_name("scripts", tests, NULL, NULL);
}
