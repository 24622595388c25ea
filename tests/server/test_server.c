/* Tests of server/: options in force, sockets that change, INFO, background expiry, the end. */
#include "server/server.h"

#include "support/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"

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

/* A port that was free a moment ago. */
static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int try_connect(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void expect_listening(int port, bool listening) {
    int fd = try_connect(port);
    assert_int_equal(fd >= 0, listening);
    if (fd >= 0) {
        close(fd);
        session_pass(session);
    }
}

static void set(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    session_expect(session, line, "+OK\r\n");
}

static void test_port_changes(void **state) {
    (void)state;
    int first = free_port();
    assert_int_equal(listeners_count(&session->server.listeners), 1);
    set("CONFIG SET bind 127.0.0.1 port %d", first);
    assert_int_equal(listeners_count(&session->server.listeners), 2);
    expect_listening(first, true);
    int second = free_port();
    set("CONFIG SET port %d", second);
    expect_listening(first, false);
    expect_listening(second, true);
    set("CONFIG SET port 0");
    expect_listening(second, false);
    assert_int_equal(listeners_count(&session->server.listeners), 1);
}

/* A port that somebody else has: the old one goes on. */
static void test_port_refused(void **state) {
    (void)state;
    int port = free_port();
    set("CONFIG SET bind 127.0.0.1 port %d", port);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    char line[64];
    snprintf(line, sizeof line, "CONFIG SET port %d", ntohs(address.sin_port));
    session_expect(session, line,
                   "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to "
                   "listen on this port. Check server logs.\r\n");
    close(taken);
    expect_listening(port, true);
    assert_int_equal(session->server.options.port, port);
}

static void test_bind_changes(void **state) {
    (void)state;
    int port = free_port();
    set("CONFIG SET port %d bind \"127.0.0.1 -192.0.2.1\"", port);
    expect_listening(port, true);
    session_expect(session, "CONFIG GET bind",
                   "*2\r\n$4\r\nbind\r\n$20\r\n127.0.0.1 -192.0.2.1\r\n");
    /* An address that the machine does not have. */
    session_expect(session, "CONFIG SET bind \"127.0.0.1 192.0.2.1\"",
                   "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind "
                   "to specified addresses.\r\n");
    expect_listening(port, true);
    /* From one address to all that include it, and back. */
    set("CONFIG SET bind *");
    expect_listening(port, true);
    set("CONFIG SET bind 127.0.0.1");
    expect_listening(port, true);
    session_expect(session, "CONFIG SET bind \"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\"",
                   "-ERR CONFIG SET failed (possibly related to argument 'bind') - Too many bind "
                   "addresses specified.\r\n");
    set("CONFIG SET bind \"\"");
    expect_listening(port, false);
    session_expect(session, "CONFIG GET bind", "*2\r\n$4\r\nbind\r\n$0\r\n\r\n");
}

static void test_options(void **state) {
    (void)state;
    /* Beyond the bounds is taken as the bound. */
    set("CONFIG SET hz 0");
    session_expect(session, "CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$1\r\n1\r\n");
    set("CONFIG SET hz 100000");
    session_expect(session, "CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$3\r\n500\r\n");
    set("CONFIG SET shutdown-on-sigint \"force now save\"");
    session_expect(session, "CONFIG GET shutdown-on-sigint",
                   "*2\r\n$18\r\nshutdown-on-sigint\r\n$14\r\nsave now force\r\n");
    set("CONFIG SET shutdown-on-sigterm default");
    session_expect(session, "CONFIG GET shutdown-on-sigterm",
                   "*2\r\n$19\r\nshutdown-on-sigterm\r\n$7\r\ndefault\r\n");
    session_expect(session, "CONFIG SET shutdown-on-sigint \"save nosave\"",
                   "-ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - "
                   "shutdown options SAVE and NOSAVE can't be used simultaneously\r\n");
    session_expect(session, "CONFIG SET shutdown-on-sigint later",
                   "-ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - "
                   "argument(s) must be one of the following: default, save, nosave, now, "
                   "force\r\n");
    session_expect(session, "CONFIG SET dir /",
                   "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set "
                   "protected config\r\n");
    session_expect(session, "CONFIG SET databases 3",
                   "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set "
                   "immutable config\r\n");
    session_expect(session, "DEBUG SLEEP 0",
                   "-ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                   "\"local\", you can run it from a local connection, otherwise you need to set "
                   "this option in the configuration file, and then restart the server.\r\n");
    session_expect(session, "CONFIG REWRITE",
                   "-ERR The server is running without a config file\r\n");
}

static void test_gates(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-debug-command", "local",
                                          "--enable-protected-configs", "yes", NULL};
    char here[256];
    assert_non_null(getcwd(here, sizeof here));
    session = session_start(options);
    session_expect(session, "DEBUG SLEEP 0", "+OK\r\n");
    session_expect(session, "CONFIG SET dir /", "+OK\r\n");
    session_expect(session, "CONFIG GET dir", "*2\r\n$3\r\ndir\r\n$1\r\n/\r\n");
    session_expect(session, "CONFIG SET dir /nonexistent",
                   "-ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or "
                   "directory\r\n");
    assert_int_equal(chdir(here), 0);
    session_end(session);
}

static void expect_info(const char *section, const char *line) {
    char command[64];
    snprintf(command, sizeof command, "INFO %s", section);
    const char *text = session_ask(session, command);
    if (strstr(text, line) == NULL) {
        fail_msg("INFO %s has no `%s`:\n%s", section, line, text);
    }
}

static void test_info(void **state) {
    (void)state;
    session_ask(session, "SET a b");
    session_ask(session, "GET a");
    session_ask(session, "INCR a");
    expect_info("server", "\r\n# Server\r\nredis_version:" LARDER_REDIS_VERSION "\r\n");
    expect_info("server", "\r\nmultiplexing_api:epoll\r\n");
    expect_info("clients", "\r\n# Clients\r\nconnected_clients:1\r\n");
    expect_info("memory", "\r\n# Memory\r\nused_memory:");
    expect_info("memory", "\r\nmaxmemory_policy:noeviction\r\n");
    expect_info("stats", "\r\nkeyspace_hits:1\r\n");
    expect_info("replication", "\r\nrole:master\r\n");
    expect_info("persistence", "\r\nrdb_changes_since_last_save:1\r\n");
    expect_info("commandstats", "\r\ncmdstat_get:calls=1,");
    expect_info("commandstats", "\r\ncmdstat_incr:calls=1,");
    expect_info("errorstats", "\r\nerrorstat_ERR:count=1\r\n");
    expect_info("latencystats", "\r\nlatency_percentiles_usec_get:p50=");
    expect_info("KEYSPACE", "\r\ndb0:keys=1,expires=0");
    expect_info("cluster cluster", "\r\n# Cluster\r\ncluster_enabled:0\r\n");
    session_expect(session, "INFO nosuch", "$0\r\n\r\n");
    assert_null(strstr(session_ask(session, "INFO"), "# Commandstats"));
    assert_non_null(strstr(session_ask(session, "INFO default"), "# Errorstats"));
    assert_non_null(strstr(session_ask(session, "INFO everything"), "# Latencystats"));
    session_expect(session, "CONFIG RESETSTAT", "+OK\r\n");
    expect_info("stats", "\r\nkeyspace_hits:0\r\n");
    assert_null(strstr(session_ask(session, "INFO commandstats"), "cmdstat_get"));
    session_expect(session, "INFO errorstats", "$14\r\n# Errorstats\r\n\r\n");
    /* As a verbatim text for those who know such. */
    session_ask(session, "HELLO 3");
    assert_memory_equal(session_ask(session, "INFO cluster"), "=34\r\ntxt:# Cluster\r\n", 20);
}

static void test_rates(void **state) {
    (void)state;
    struct info *info = &session->server.info;
    struct clock *clock = &session->server.clock;
    struct client_metrics *metrics = clients_metrics(session->server.context.clients);
    clock_drive(clock, 1700000000000);
    for (int i = 0; i < INFO_SAMPLES; i++) {
        clock_drive(clock, clock->now_ms + 100);
        metrics->total_commands_processed += 500;
        info_sample(info);
    }
    /* The first sample has an interval of its own. */
    uint64_t rate = info_rate(info, INFO_RATE_COMMANDS);
    assert_in_range(rate, 4600, 5400);
    /* A counter that was set back is no rate; a clock that stands still no sample. */
    metrics->total_commands_processed = 0;
    size_t next = info->next_sample;
    info_sample(info);
    assert_int_equal(info->next_sample, next);
    for (int i = 0; i < INFO_SAMPLES; i++) {
        clock_drive(clock, clock->now_ms + 100);
        info_sample(info);
    }
    assert_int_equal(info_rate(info, INFO_RATE_COMMANDS), 0);
}

/* Keys whose time has come go without being touched, slice by slice. */
static void test_background_expiry(void **state) {
    (void)state;
    struct server *server = &session->server;
    int64_t now_ms = server->clock.now_ms;
    clock_drive(&server->clock, now_ms);
    char line[64];
    for (int i = 0; i < 500; i++) {
        snprintf(line, sizeof line, "SET k%d v PX %d", i, 100 + i);
        session_ask(session, line);
    }
    assert_int_equal(keyspace_size(&server->keyspace), 500);
    clock_drive(&server->clock, now_ms + 5000);
    /* The timer of the cron runs on the loop's own clock. */
    for (int i = 0; i < 20000 && keyspace_size(&server->keyspace) > 0; i++) {
        loop_run_once(server->loop, 10);
    }
    assert_int_equal(keyspace_size(&server->keyspace), 0);
    assert_int_equal(server->keyspace.metrics.expired_keys, 500);
}

/* The end: what has arrived is answered, nobody is accepted any more, the loop stops. */
static void test_end(void **state) {
    (void)state;
    struct server *server = &session->server;
    int port = free_port();
    set("CONFIG SET bind 127.0.0.1 port %d", port);
    ending_begin(&server->ending, false);
    assert_int_equal(server->ending.state, ENDING_DRAINING);
    expect_listening(port, false);
    session_expect(session, "PING", "+PONG\r\n");
    loop_run(server->loop);
    assert_int_equal(server->ending.state, ENDING_FLUSHING);
    assert_false(ending_abort(&server->ending));
}

static void test_end_taken_back(void **state) {
    (void)state;
    struct server *server = &session->server;
    int port = free_port();
    set("CONFIG SET bind 127.0.0.1 port %d", port);
    session_expect(session, "SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n");
    ending_begin(&server->ending, false);
    session_expect(session, "SHUTDOWN ABORT", "+OK\r\n");
    assert_int_equal(server->ending.state, ENDING_SERVING);
    expect_listening(port, true);
    assert_int_equal(listeners_count(&server->listeners), 2);
    session_expect(session, "SHUTDOWN NOSAVE SAVE", "-ERR syntax error\r\n");
    session_expect(session, "SHUTDOWN ABORT NOW", "-ERR syntax error\r\n");
}

static void test_end_at_once(void **state) {
    (void)state;
    struct server *server = &session->server;
    ending_begin(&server->ending, false);
    ending_begin(&server->ending, false);
    /* Stopped already: this returns. */
    loop_run(server->loop);
    assert_int_equal(server->ending.state, ENDING_DRAINING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_port_changes, start, end),
        cmocka_unit_test_setup_teardown(test_port_refused, start, end),
        cmocka_unit_test_setup_teardown(test_bind_changes, start, end),
        cmocka_unit_test_setup_teardown(test_options, start, end),
        cmocka_unit_test(test_gates),
        cmocka_unit_test_setup_teardown(test_info, start, end),
        cmocka_unit_test_setup_teardown(test_rates, start, end),
        cmocka_unit_test_setup_teardown(test_background_expiry, start, end),
        cmocka_unit_test_setup_teardown(test_end, start, end),
        cmocka_unit_test_setup_teardown(test_end_taken_back, start, end),
        cmocka_unit_test_setup_teardown(test_end_at_once, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
