/* The server as a process: how it begins, what it says, how it is configured, and how it ends. */
#include "harness.h"
#include "probe.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PIPELINE 100000

static void expect_words(const char *output, const char *const *words) {
    for (int i = 0; words[i] != NULL; i++) {
        if (strstr(output, words[i]) == NULL) {
            harness_fail("`%s` is missing in:\n%s", words[i], output);
        }
    }
}

static void texts(void **state) {
    (void)state;
    static const char *const versions[] = {"--version", "-v"};
    static const char *const helps[] = {"--help", "-h"};
    for (int i = 0; i < 2; i++) {
        const char *arguments[] = {versions[i], NULL};
        char *output;
        assert_int_equal(server_run_bare(arguments, &output), 0);
        expect_words(output, (const char *const[]){"Larder server v=", "malloc=", "bits=64", NULL});
        free(output);
        arguments[0] = helps[i];
        assert_int_equal(server_run_bare(arguments, &output), 0);
        expect_words(output, (const char *const[]){"Usage: ", "--port", "--version", "Memory  ",
                                                   "larder.conf(5)", NULL});
        free(output);
    }
}

static void log_lines(void **state) {
    (void)state;
    struct server *server = server_start(NULL);
    char address[64];
    snprintf(address, sizeof address, "Listening on tcp 127.0.0.1:%d.", server_port(server));
    probe_wait_log(server, "Ready to accept connections");
    char *output = server_output(server);
    expect_words(output, (const char *const[]){"is starting", address, "Event loop: ",
                                               "There is no configuration file", NULL});
    free(output);
    kill(server_pid(server), SIGTERM);
    assert_int_equal(server_end(server, &output), 0);
    expect_words(output, (const char *const[]){"Received SIGTERM: shutting down.",
                                               "The server has ended.", NULL});
    free(output);
}

/* Nothing at level warning, protocol errors at level verbose; into a file. */
static void log_levels(void **state) {
    (void)state;
    static const char *const options[] = {"--loglevel", "verbose", "--logfile", "log", NULL};
    struct server *server = server_start(options);
    int fd = wire_connect(server);
    wire_send_text(fd, "*x\r\n");
    wire_expect(fd, "-ERR Protocol error: invalid multibulk length\r\n");
    wire_expect_end(fd);
    close(fd);
    char path[512];
    snprintf(path, sizeof path, "%s/log", server_folder(server));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char text[65536];
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    expect_words(text, (const char *const[]){"Ready to accept connections",
                                             "Protocol error (invalid multibulk length)", NULL});
    assert_false(probe_log_has(server, "Ready to accept"));
    server_stop(server);
    static const char *const quiet[] = {"--loglevel", "warning", NULL};
    server = server_start(quiet);
    fd = wire_connect(server);
    wire_settle(fd);
    close(fd);
    assert_false(probe_log_has(server, "Ready to accept"));
    assert_false(probe_log_has(server, "is starting"));
    server_stop(server);
}

static void wrong_configurations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *words[4];
    } wrong[] = {
        {"port 6379\n\n# comment\nmaxclients many\n",
         {"line 4 of ", "larder.conf", "'maxclients many'", "Expected: maxclients"}},
        {"no-such-option 1\n", {"line 1 of ", "'no-such-option 1'", "Bad directive", NULL}},
        {"timeout\n", {"line 1 of ", "'timeout'", NULL, NULL}},
        {"requirepass \"open\n", {"line 1 of ", "requirepass", NULL, NULL}},
        {"proto-max-bulk-len 10\n", {"line 1 of ", "proto-max-bulk-len", NULL, NULL}},
        {"include none.conf\n", {"line 1 of ", "none.conf", NULL, NULL}},
        {"client-output-buffer-limit normal 1 2\n", {"line 1 of ", NULL, NULL, NULL}},
        {"appendfsync sometimes\nhz x\n", {"larder.conf", NULL, NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        harness_note(wrong[i].text);
        char *output;
        assert_int_equal(server_run_configured(wrong[i].text, NULL, &output), 1);
        for (int j = 0; j < 4 && wrong[i].words[j] != NULL; j++) {
            expect_words(output, (const char *const[]){wrong[i].words[j], NULL});
        }
        free(output);
    }
    static const char *const options[] = {"--hz", "often", NULL};
    char *output;
    assert_int_equal(server_run(options, &output), 1);
    expect_words(output, (const char *const[]){"command line", "hz often", NULL});
    free(output);
    static const char *const missing[] = {"/nonexistent/larder.conf", NULL};
    assert_int_equal(server_run_bare(missing, &output), 1);
    expect_words(output, (const char *const[]){"/nonexistent/larder.conf", NULL});
    free(output);
    static const char *const nowhere[] = {"--bind", "192.0.2.1", NULL};
    assert_int_equal(server_run(nowhere, &output), 1);
    expect_words(output, (const char *const[]){"192.0.2.1", NULL});
    free(output);
}

static char *read_config(const struct server *server) {
    char path[512];
    snprintf(path, sizeof path, "%s/larder.conf", server_folder(server));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static void expect_option(int fd, const char *name, const char *value) {
    char *reply = wire_ask(fd, "CONFIG", "GET", name, NULL);
    char expected[256];
    snprintf(expected, sizeof expected, "[\"%s\", \"%s\"]", name, value);
    assert_string_equal(reply, expected);
    free(reply);
}

/* What is set, written back and read again is what was set; comments stay. */
static void rewriting(void **state) {
    (void)state;
    struct server *server = server_start_configured("# my own words\n"
                                                    "timeout 100\n"
                                                    "\n"
                                                    "tcp-keepalive 60\n"
                                                    "client-output-buffer-limit pubsub 1mb 1mb 5\n",
                                                    NULL);
    int fd = wire_connect(server);
    expect_option(fd, "timeout", "100");
    static const char *const settings[][2] = {
        {"timeout", "77"},
        {"requirepass", "a \"quoted\" pass\\\\word #1"},
        {"maxclients", "321"},
        {"proto-max-bulk-len", "2097152"},
        {"client-output-buffer-limit", "normal 1048576 524288 10"},
        {"slowlog-log-slower-than", "-1"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char *reply = wire_ask(fd, "CONFIG", "SET", settings[i][0], settings[i][1], NULL);
        assert_string_equal(reply, "+OK");
        free(reply);
    }
    wire_expect_reply(fd, "CONFIG REWRITE", "+OK");
    wire_expect_reply(fd, "CONFIG REWRITE", "+OK");
    char *text = read_config(server);
    expect_words(text, (const char *const[]){"# my own words\n", "timeout 77\n",
                                             "tcp-keepalive 60\n", "maxclients 321\n", NULL});
    assert_null(strstr(text, "timeout 100"));
    close(fd);
    server_stop(server);
    /* The folder has gone with its server. */
    char *folder = strstr(text, "\ndir ");
    if (folder != NULL) {
        folder[1] = '#';
    }
    server = server_start_configured(text, NULL);
    free(text);
    fd = wire_connect(server);
    char *reply = wire_ask(fd, "AUTH", "a \"quoted\" pass\\\\word #1", NULL);
    assert_string_equal(reply, "+OK");
    free(reply);
    expect_option(fd, "timeout", "77");
    expect_option(fd, "tcp-keepalive", "60");
    expect_option(fd, "maxclients", "321");
    expect_option(fd, "proto-max-bulk-len", "2097152");
    expect_option(fd, "slowlog-log-slower-than", "-1");
    expect_option(fd, "client-output-buffer-limit",
                  "normal 1048576 524288 10 slave 268435456 67108864 60 pubsub 1048576 1048576 5");
    close(fd);
    server_stop(server);
}

static void without_a_file_nothing_is_rewritten(void **state) {
    (void)state;
    struct server *server = server_start(NULL);
    int fd = wire_connect(server);
    wire_expect_reply(fd, "CONFIG REWRITE", "-ERR The server is running without a config file");
    close(fd);
    server_stop(server);
}

static void command_line_wins(void **state) {
    (void)state;
    static const char *const options[] = {"--timeout", "5", "--databases", "3", NULL};
    struct server *server = server_start_configured("timeout 100\ntcp-keepalive 9\n", options);
    int fd = wire_connect(server);
    expect_option(fd, "timeout", "5");
    expect_option(fd, "tcp-keepalive", "9");
    expect_option(fd, "databases", "3");
    wire_expect_reply(fd, "SELECT 3", "-ERR DB index is out of range");
    close(fd);
    server_stop(server);
}

/* Everything that had been sent before the signal is answered. */
static void signals_let_requests_finish(void **state) {
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        struct server *server = server_start(NULL);
        int fd = wire_connect(server);
        char *requests = malloc(PIPELINE * 6);
        for (int j = 0; j < PIPELINE; j++) {
            memcpy(requests + 6 * j, "PING\r\n", 6);
        }
        /* As much as fits into the sockets, most of it unread when the signal comes. */
        size_t sent = wire_try_send(fd, requests, PIPELINE * 6) / 6 * 6;
        assert_true(sent > 0);
        kill(server_pid(server), signals[i]);
        for (size_t j = 0; j < sent / 6; j++) {
            wire_expect(fd, "+PONG\r\n");
        }
        char rest;
        while (read(fd, &rest, 1) > 0) {}
        close(fd);
        assert_int_equal(server_end(server, NULL), 0);
        free(requests);
    }
}

/* A reader that does not read holds the end up, but not for ever; a second signal ends it at
 * once. */
static void a_second_signal_ends_at_once(void **state) {
    (void)state;
    static const char *const options[] = {"--shutdown-timeout", "1000", NULL};
    for (int i = 0; i < 2; i++) {
        struct server *server = server_start(options);
        int fd = wire_connect(server);
        wire_expect_reply(fd, "SETRANGE big 50000000 x", ":50000001");
        wire_send_text(fd, "GET big\r\n");
        int other = wire_connect(server);
        wire_settle(other);
        int number = i == 0 ? SIGTERM : SIGINT;
        kill(server_pid(server), number);
        probe_wait_log(server, "shutting down");
        kill(server_pid(server), number);
        char *output;
        assert_int_equal(server_end(server, &output), 0);
        expect_words(output, (const char *const[]){"ending at once", NULL});
        free(output);
        close(other);
        close(fd);
    }
}

static void late_readers_get_their_replies_before_the_end(void **state) {
    (void)state;
    struct server *server = server_start(NULL);
    int fd = wire_connect(server);
    wire_expect_reply(fd, "SETRANGE big 9999999 x", ":10000000");
    for (int i = 0; i < 5; i++) {
        wire_send_text(fd, "GET big\r\n");
    }
    wire_send_text(fd, "ECHO last\r\n");
    int other = wire_connect(server);
    wire_settle(other);
    kill(server_pid(server), SIGTERM);
    probe_wait_log(server, "shutting down");
    char *value = malloc(10000000);
    for (int i = 0; i < 5; i++) {
        wire_expect(fd, "$10000000\r\n");
        wire_read(fd, value, 10000000);
        assert_int_equal(value[9999999], 'x');
        wire_expect(fd, "\r\n");
    }
    wire_expect(fd, "$4\r\nlast\r\n");
    free(value);
    wire_expect_end(fd);
    close(fd);
    close(other);
    assert_int_equal(server_end(server, NULL), 0);
}

static void the_shutdown_timeout(void **state) {
    (void)state;
    static const char *const options[] = {"--shutdown-timeout", "0", NULL};
    struct server *server = server_start(options);
    int fd = wire_connect(server);
    wire_expect_reply(fd, "SETRANGE big 50000000 x", ":50000001");
    wire_send_text(fd, "GET big\r\n");
    int other = wire_connect(server);
    wire_settle(other);
    kill(server_pid(server), SIGTERM);
    char *output;
    assert_int_equal(server_end(server, &output), 0);
    expect_words(output, (const char *const[]){"Not all clients have taken their replies", NULL});
    free(output);
    close(other);
    close(fd);
}

static void shutdown_commands(void **state) {
    (void)state;
    static const char *const lines[] = {"SHUTDOWN\r\n", "SHUTDOWN NOSAVE\r\n", "SHUTDOWN NOW\r\n",
                                        "SHUTDOWN NOSAVE NOW FORCE\r\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct server *server = server_start(NULL);
        int fd = wire_connect(server);
        wire_expect_reply(fd, "SHUTDOWN SOON", "-ERR syntax error");
        wire_expect_reply(fd, "SHUTDOWN ABORT", "-ERR No shutdown in progress.");
        wire_send_text(fd, lines[i]);
        wire_expect_end(fd);
        close(fd);
        assert_int_equal(server_end(server, NULL), 0);
    }
}

/* An operator sees what his programs miss; strangers do not get to say anything. */
static void commands_that_are_not_here_are_named(void **state) {
    (void)state;
    static const char *const options[] = {"--requirepass", "secret", NULL};
    struct server *server = server_start(options);
    int fd = wire_connect(server);
    free(wire_ask(fd, "STRANGER.COMMAND", NULL));
    wire_expect_reply(fd, "AUTH secret", "+OK");
    for (int i = 0; i < 3; i++) {
        free(wire_ask(fd, "NOSUCH.COMMAND", "a", NULL));
    }
    free(wire_ask(fd, "CLIENT", "NOSUCH\nx", NULL));
    char *info = wire_ask(fd, "INFO", "stats", NULL);
    expect_words(info, (const char *const[]){
                           "unknown_commands_calls:4\\r",
                           "unknown_commands:nosuch.command=3,client|nosuch?x=1\\r", NULL});
    free(info);
    close(fd);
    char *output;
    kill(server_pid(server), SIGTERM);
    assert_int_equal(server_end(server, &output), 0);
    const char *first = strstr(output, "'nosuch.command', which is not here");
    assert_non_null(first);
    assert_null(strstr(first + 1, "'nosuch.command'"));
    assert_null(strstr(output, "stranger"));
    free(output);
}

/* A limit that nobody can mean is warned of, and CONFIG REWRITE writes sizes as people do. */
static void sizes_as_people_write_them(void **state) {
    (void)state;
    struct server *server = server_start_configured("maxmemory 100\n", NULL);
    int fd = wire_connect(server);
    free(wire_ask(fd, "CONFIG", "SET", "maxmemory", "1gb", "client-output-buffer-limit",
                  "replica 512mb 64mb 60", NULL));
    wire_expect_reply(fd, "CONFIG REWRITE", "+OK");
    close(fd);
    char path[300];
    snprintf(path, sizeof path, "%s/larder.conf", server_folder(server));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char text[4096] = {0};
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    expect_words(text, (const char *const[]){"maxmemory 1gb\n", "slave 512mb 64mb 60\n", NULL});
    char *output;
    kill(server_pid(server), SIGTERM);
    assert_int_equal(server_end(server, &output), 0);
    expect_words(output, (const char *const[]){"maxmemory is 100 bytes", NULL});
    free(output);
}

/* What promises that data survives, and is not there, is said to be empty. */
static void promises_of_data_are_warned_about(void **state) {
    (void)state;
    static const char *const options[] = {"--appendonly", "yes", "--rename-command",
                                          "BGREWRITEAOF", "",    NULL};
    struct server *server = server_start(options);
    char *output;
    assert_int_equal(kill(server_pid(server), SIGTERM), 0);
    assert_int_equal(server_end(server, &output), 0);
    expect_words(output, (const char *const[]){"appendonly is not supported: ",
                                               "rename-command names commands that are not here "
                                               "anyway: bgrewriteaof",
                                               NULL});
    free(output);
}

/* What promises to keep strangers out stops the start. */
static void promises_of_safety_stop_the_start(void **state) {
    (void)state;
    static const char *const cases[][3] = {{"--sentinel", "monitor m 127.0.0.1 1 1", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *output;
        assert_int_equal(server_run_bare(cases[i], &output), 1);
        expect_words(output, (const char *const[]){"FATAL CONFIG FILE ERROR", cases[i][0] + 2,
                                                   "belongs to Sentinel", NULL});
        free(output);
    }
}

/* In the background: whoever starts it gets its prompt back when the server serves, and reads its
 * error when it does not. */
static void daemonized(void **state) {
    (void)state;
    struct server *other = server_start(NULL);
    char folder[] = "/tmp/larder-daemon-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char port[16];
    snprintf(port, sizeof port, "%d", server_port(other));
    char *output;
    static const char *const logs[] = {"", "log"};
    for (int i = 0; i < 2; i++) {
        const char *taken[] = {"--daemonize", "yes",   "--port", port,        "--dir", folder,
                               "--logfile",   logs[i], "--bind", "127.0.0.1", NULL};
        assert_int_equal(server_run_bare(taken, &output), 1);
        expect_words(output, (const char *const[]){"Address already in use", NULL});
        free(output);
    }
    char path[64];
    snprintf(path, sizeof path, "%s/socket", folder);
    const char *good[] = {"--daemonize", "yes",          "--port", "0",         "--dir",
                          folder,        "--unixsocket", path,     "--logfile", "log",
                          "--pidfile",   "pid",          NULL};
    assert_int_equal(server_run_bare(good, &output), 0);
    free(output);
    /* At once, and without a retry. */
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    wire_expect_reply(fd, "PING", "+PONG");
    wire_send_text(fd, "SHUTDOWN NOSAVE\r\n");
    wire_expect_end(fd);
    close(fd);
    harness_remove_folder(folder);
    server_stop(other);
}

/* A sanitizer, with which server and tests are built alike, reports by itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

/* A crash leaves a report in the log and ends the process by its signal. */
static void a_crash_leaves_a_report(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-debug-command", "yes", NULL};
    static const struct {
        const char *line;
        int signal;
        const char *words[3];
    } cases[] = {
        {"DEBUG SEGFAULT\r\n", SIGSEGV, {"(SIGSEGV), code 2, address 0x", " debug_segfault+"}},
        {"DEBUG ASSERT\r\n", SIGABRT, {"(SIGABRT)", "failed check: call == NULL (src/"}},
        {"DEBUG PANIC\r\n", SIGABRT, {"(SIGABRT)", "failed check: called by DEBUG PANIC"}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server *server = server_start(options);
        int fd = wire_connect(server);
        wire_expect_reply(fd, "CLIENT SETNAME victim", "+OK");
        wire_send_text(fd, cases[i].line);
        wire_expect_end(fd);
        close(fd);
        char *output;
        int status = server_end(server, &output);
        if (!is_sanitized) {
            assert_int_equal(status, 256 + cases[i].signal);
            expect_words(output, cases[i].words);
            expect_words(output,
                         (const char *const[]){"registers:", " main+", "command: debug, words 2 ",
                                               "client: id ", "name \"victim\"",
                                               "used_memory:", "REPORT: end", NULL});
        }
        free(output);
    }
}

static void debug_is_gated(void **state) {
    (void)state;
    struct server *server = server_start(NULL);
    int fd = wire_connect(server);
    char *reply = wire_ask(fd, "DEBUG", "SLEEP", "0", NULL);
    assert_memory_equal(reply, "-ERR DEBUG command not allowed.", 31);
    free(reply);
    wire_expect_reply(fd, "CONFIG SET enable-debug-command yes",
                      "-ERR CONFIG SET failed (possibly related to argument "
                      "'enable-debug-command') - can't set immutable config");
    close(fd);
    server_stop(server);
    static const char *const values[] = {"yes", "local"};
    for (int i = 0; i < 2; i++) {
        const char *options[] = {"--enable-debug-command", values[i], NULL};
        server = server_start(options);
        fd = wire_connect(server);
        wire_expect_reply(fd, "DEBUG SLEEP 0", "+OK");
        close(fd);
        server_stop(server);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(log_lines),
        cmocka_unit_test(log_levels),
        cmocka_unit_test(wrong_configurations),
        cmocka_unit_test(rewriting),
        cmocka_unit_test(without_a_file_nothing_is_rewritten),
        cmocka_unit_test(command_line_wins),
        cmocka_unit_test(signals_let_requests_finish),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(late_readers_get_their_replies_before_the_end),
        cmocka_unit_test(the_shutdown_timeout),
        cmocka_unit_test(shutdown_commands),
        cmocka_unit_test(commands_that_are_not_here_are_named),
        cmocka_unit_test(daemonized),
        cmocka_unit_test(sizes_as_people_write_them),
        cmocka_unit_test(a_crash_leaves_a_report),
        cmocka_unit_test(promises_of_data_are_warned_about),
        cmocka_unit_test(promises_of_safety_stop_the_start),
        cmocka_unit_test(debug_is_gated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
