/* Links between replicas and primaries that are guarded (passwords, users, TLS) or that lie, stall
 * and are slow: a wrong state never stays, and who does not read costs others nothing. */
#include "replica.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secure.h"
#include "wire.h"

#define ENDS_MAX 2

/* A primary and its replica; each may be the reference. */
struct ends {
    struct server *servers[ENDS_MAX];
    redisContext *contexts[ENDS_MAX];
};

enum { PRIMARY, REPLICA };

static struct server *start(bool is_reference, const char *const *options) {
    const char *words[48] = {"--repl-diskless-sync-delay", "0"};
    size_t count = 2;
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        words[count++] = options[i];
    }
    return is_reference ? server_start_reference(words) : server_start(words);
}

static struct ends ends_of(struct server *primary, struct server *replica) {
    return (struct ends){.servers = {primary, replica},
                         .contexts = {client_connect(primary), client_connect(replica)}};
}

static void ends_stop(struct ends *ends) {
    for (int i = 0; i < ENDS_MAX; i++) {
        redisFree(ends->contexts[i]);
        server_stop(ends->servers[i]);
    }
}

/* What is written here arrives there. */
static void expect_following(const struct ends *ends) {
    client_expect(ends->contexts[PRIMARY], "+OK", "SET followed %d", (int)random());
    char *value = client_command(ends->contexts[PRIMARY], "GET followed");
    replica_catch_up(ends->contexts[PRIMARY], ends->contexts[REPLICA]);
    client_expect(ends->contexts[REPLICA], value, "GET followed");
    free(value);
}

/* ---- who may follow ---- */

static void a_password(bool primary_is_reference, bool replica_is_reference) {
    static const char *const guarded[] = {"--requirepass", "secret", NULL};
    struct ends ends =
        ends_of(start(primary_is_reference, guarded), start(replica_is_reference, NULL));
    client_expect(ends.contexts[PRIMARY], "+OK", "AUTH secret");
    client_expect(ends.contexts[REPLICA], "+OK", "CONFIG SET masterauth wrong");
    replica_follow(ends.contexts[REPLICA], server_port(ends.servers[PRIMARY]));
    replica_await(ends.contexts[PRIMARY], "connected_slaves:0");
    client_expect(ends.contexts[REPLICA], "+OK", "CONFIG SET masterauth secret");
    expect_following(&ends);
    /* A user with no more rights than that takes. */
    client_expect(ends.contexts[PRIMARY], "+OK",
                  "ACL SETUSER follower on >word +psync +replconf +ping");
    client_expect(ends.contexts[REPLICA], "+OK", "CONFIG SET masterauth word");
    client_expect(ends.contexts[REPLICA], "+OK", "CONFIG SET masteruser follower");
    client_expect(ends.contexts[PRIMARY], ":1", "CLIENT KILL TYPE replica");
    expect_following(&ends);
    char *list = client_command(ends.contexts[PRIMARY], "CLIENT LIST TYPE replica");
    assert_non_null(strstr(list, "user=follower"));
    assert_non_null(strstr(list, "flags=S"));
    free(list);
    /* And one with fewer is refused, while what the replica has stays. */
    client_expect(ends.contexts[PRIMARY], "+OK", "ACL SETUSER follower -psync");
    free(client_command(ends.contexts[PRIMARY], "CLIENT KILL TYPE replica"));
    replica_await(ends.contexts[REPLICA], "master_link_status:down");
    replica_await(ends.contexts[PRIMARY], "connected_slaves:0");
    client_expect(ends.contexts[REPLICA], ":1", "DBSIZE");
    ends_stop(&ends);
}

static void with_passwords(void **state) {
    (void)state;
    a_password(false, false);
    a_password(true, false);
    a_password(false, true);
}

/* What the primary sends passes whatever users of the replica may do. */
static void users_of_the_replica(void **state) {
    (void)state;
    struct ends ends = ends_of(start(false, NULL), start(false, NULL));
    client_expect(ends.contexts[REPLICA], "+OK", "ACL SETUSER me on >x ~* &* +@all");
    client_expect(ends.contexts[REPLICA], "+OK", "AUTH me x");
    client_expect(ends.contexts[REPLICA], "+OK", "ACL SETUSER default off");
    replica_follow(ends.contexts[REPLICA], server_port(ends.servers[PRIMARY]));
    expect_following(&ends);
    client_expect(ends.contexts[PRIMARY], "+OK", "MULTI");
    client_expect(ends.contexts[PRIMARY], "+QUEUED", "SET a 1");
    client_expect(ends.contexts[PRIMARY], "+QUEUED", "SET b 2");
    client_expect(ends.contexts[PRIMARY], "[+OK, +OK]", "EXEC");
    expect_following(&ends);
    client_expect(ends.contexts[REPLICA], "[\"1\", \"2\"]", "MGET a b");
    ends_stop(&ends);
}

/* ---- TLS ---- */

static char *folder;

static struct server *start_secure(bool is_reference, int *port) {
    char text[12];
    *port = harness_free_port();
    snprintf(text, sizeof text, "%d", *port);
    const char *words[] = {"--tls-port",
                           text,
                           "--tls-replication",
                           "yes",
                           "--tls-cert-file",
                           secure_path(folder, "server", "crt"),
                           "--tls-key-file",
                           secure_path(folder, "server", "key"),
                           "--tls-ca-cert-file",
                           secure_path(folder, "ca", "crt"),
                           NULL};
    return start(is_reference, words);
}

/* Values of all lengths: records that come in parts, and several at a time. */
static void write_many(redisContext *primary, const char *name, size_t step) {
    char *value = calloc(1, 200 * step + 1);
    for (size_t i = 0; i < 200; i++) {
        memset(value, 'v', i * step);
        client_expect(primary, "+OK", "SET %s:%d %b", name, (int)i, value, i * step);
    }
    free(value);
}

static void over_tls(bool primary_is_reference, bool replica_is_reference) {
    int ports[2];
    struct server *primary = start_secure(primary_is_reference, &ports[PRIMARY]);
    struct server *replica = start_secure(replica_is_reference, &ports[REPLICA]);
    struct ends ends = ends_of(primary, replica);
    write_many(ends.contexts[PRIMARY], "key", 97);
    /* To the port without TLS: nobody understands that. */
    replica_follow(ends.contexts[REPLICA], server_port(primary));
    replica_await(ends.contexts[REPLICA], "master_link_status:down");
    replica_follow(ends.contexts[REPLICA], ports[PRIMARY]);
    expect_following(&ends);
    char line[80];
    snprintf(line, sizeof line, "port=%d", ports[REPLICA]);
    char *info = client_command(ends.contexts[PRIMARY], "INFO replication");
    assert_non_null(strstr(info, line));
    free(info);
    write_many(ends.contexts[PRIMARY], "more", 301);
    expect_following(&ends);
    client_expect(ends.contexts[REPLICA], ":401", "DBSIZE");
    char *last = client_command(ends.contexts[PRIMARY], "GET more:199");
    client_expect(ends.contexts[REPLICA], last, "GET more:199");
    free(last);
    ends_stop(&ends);
}

static void with_tls(void **state) {
    (void)state;
    if (!secure_is_built()) {
        skip();
    }
    folder = secure_make();
    over_tls(false, false);
    over_tls(true, false);
    over_tls(false, true);
    secure_remove(folder);
}

/* ---- links that lie and stall ---- */

#define OLD_KEYS 100

/* A primary whose snapshot is some megabytes, and a replica with data of its own. */
static struct ends start_far_apart(void) {
    static const char *const options[] = {"--enable-debug-command", "yes", "--rdbcompression", "no",
                                          NULL};
    struct ends ends = ends_of(start(false, options), start(false, options));
    client_expect(ends.contexts[PRIMARY], "+OK", "DEBUG POPULATE 20000 new 100");
    client_expect(ends.contexts[REPLICA], "+OK", "DEBUG POPULATE %d old 10", OLD_KEYS);
    return ends;
}

static void expect_same(const struct ends *ends) {
    expect_following(ends);
    char *digest = client_command(ends->contexts[PRIMARY], "DEBUG DIGEST");
    client_expect(ends->contexts[REPLICA], digest, "DEBUG DIGEST");
    free(digest);
}

struct waiting_for_proxy {
    const struct proxy *proxy;
    int connections;
};

static bool has_connections(void *context) {
    const struct waiting_for_proxy *waiting = context;
    return proxy_connections(waiting->proxy) >= waiting->connections;
}

/* The first try goes wrong; what the replica has is served until the second has come whole. */
static void expect_second_try(const struct proxy_ways *ways) {
    struct ends ends = start_far_apart();
    if (ways->stalled > 0) {
        client_expect(ends.contexts[REPLICA], "+OK", "CONFIG SET repl-timeout 3");
    }
    struct proxy *proxy = proxy_start(server_port(ends.servers[PRIMARY]), ways);
    struct waiting_for_proxy second = {proxy, 2};
    client_expect(ends.contexts[PRIMARY], "+OK", "CONFIG SET repl-diskless-sync-delay 0");
    replica_follow(ends.contexts[REPLICA], proxy_port(proxy));
    while (proxy_connections(proxy) < 2) {
        client_expect(ends.contexts[REPLICA], ":1", "EXISTS old:%d", 1);
        harness_breathe();
        if (replica_is_up(ends.contexts[REPLICA])) {
            harness_fail("the link came up at the first try");
        }
    }
    harness_wait_for(has_connections, &second, "the replica tries again");
    expect_same(&ends);
    client_expect(ends.contexts[REPLICA], ":0", "EXISTS old:%d", 1);
    replica_follow(ends.contexts[REPLICA], server_port(ends.servers[PRIMARY]));
    expect_same(&ends);
    proxy_stop(proxy);
    ends_stop(&ends);
}

static void damaged_snapshots(void **state) {
    (void)state;
    /* Greeting and answers come first, about 150 bytes; then the head of the file. */
    expect_second_try(&(struct proxy_ways){.damaged = 300000}); /* the checksum tells */
    expect_second_try(&(struct proxy_ways){.damaged = 20});     /* an answer to REPLCONF or PSYNC */
}

static void stalling_primaries(void **state) {
    (void)state;
    expect_second_try(&(struct proxy_ways){.stalled = 100000});
    expect_second_try(&(struct proxy_ways){.stalled = 3});
}

/* Bytes in the stream that are none of its commands: all comes again. */
static void damaged_streams(void **state) {
    (void)state;
    struct ends ends = start_far_apart();
    replica_follow(ends.contexts[REPLICA], server_port(ends.servers[PRIMARY]));
    expect_same(&ends);
    long long full = replica_figure(ends.contexts[PRIMARY], "sync_full");
    /* "+PONG", four answers, "+CONTINUE" and the id: then a command's first byte. */
    size_t first = strlen("+PONG\r\n") + 2 * strlen("+OK\r\n") + strlen("+CONTINUE \r\n") + 40;
    struct proxy *proxy =
        proxy_start(server_port(ends.servers[PRIMARY]), &(struct proxy_ways){.damaged = first});
    replica_follow(ends.contexts[REPLICA], proxy_port(proxy));
    expect_same(&ends);
    assert_int_equal(replica_figure(ends.contexts[PRIMARY], "sync_full"), full + 1);
    proxy_stop(proxy);
    ends_stop(&ends);
}

/* ---- replicas that do not read ---- */

/* Says what a replica says, and reads no more than a line. */
static int pretend(const struct server *primary) {
    int wire = wire_connect(primary);
    wire_send_text(wire, "REPLCONF listening-port 1 capa eof\r\n");
    wire_expect(wire, "+OK\r\n");
    wire_send_text(wire, "PSYNC ? -1\r\n");
    return wire;
}

static void slow_replicas(void **state) {
    (void)state;
    struct ends ends = start_far_apart();
    redisContext *primary = ends.contexts[PRIMARY];
    client_expect(primary, "+OK", "DEBUG POPULATE 200000 more 100");
    client_expect(primary, "+OK", "CONFIG SET repl-timeout 4");
    /* One takes nothing of the snapshot: it is closed in the end, and the other is served. */
    int wire = pretend(ends.servers[PRIMARY]);
    replica_await(primary, "connected_slaves:1");
    replica_follow(ends.contexts[REPLICA], server_port(ends.servers[PRIMARY]));
    expect_same(&ends);
    replica_await(primary, "connected_slaves:1");
    close(wire);
    /* The other takes nothing of the stream: its limit closes it. */
    client_expect(primary, "+OK", "CONFIG SET client-output-buffer-limit %s", "replica 2mb 1mb 60");
    client_expect(primary, "+OK", "CONFIG SET repl-timeout 60");
    pid_t slow = server_pid(ends.servers[REPLICA]);
    assert_int_equal(kill(slow, SIGSTOP), 0);
    char *value = calloc(1, 100001);
    memset(value, 'x', 100000);
    bool is_closed = false;
    for (int i = 0; i < 1000 && !is_closed; i++) {
        client_expect(primary, "+OK", "SET large:%d %s", i % 10, value);
        is_closed = replica_says(primary, "connected_slaves:0");
    }
    free(value);
    assert_true(is_closed);
    client_expect(primary, "+OK", "SET small 1");
    assert_int_equal(kill(slow, SIGCONT), 0);
    expect_same(&ends);
    ends_stop(&ends);
}

/* ---- while a snapshot is on its way ---- */

static bool is_being_sent(void *context) {
    redisReply *reply = redisCommand(context, "INFO replication");
    assert_non_null(reply);
    bool is_sent = strstr(reply->str, "state=send_bulk") != NULL;
    freeReplyObject(reply);
    return is_sent;
}

/* A replica that takes nothing holds the snapshot up, so that all of this happens in the middle of
 * the other's. */
static void in_the_middle(void **state) {
    (void)state;
    static const char *const commands[] = {
        "SWAPDB 0 3",     "MSET p 1 q 2",     "FLUSHDB",
        "SET a 1",        "SELECT 3",         "DEL new:1 new:2 new:3",
        "RENAME new:4 b", "LPUSH list x y z", "SET new:5 1 PX 100000",
        "FLUSHALL",       "SET c 1",          "SWAPDB 3 9",
    };
    const size_t large = 20 << 20;
    for (size_t last = 0; last < sizeof commands / sizeof *commands; last += 6) {
        struct ends ends = start_far_apart();
        redisContext *primary = ends.contexts[PRIMARY];
        client_expect(primary, "+OK", "CONFIG SET repl-timeout 4");
        client_expect(primary, "+OK", "DEBUG POPULATE 100000 more 100");
        int wire = pretend(ends.servers[PRIMARY]);
        replica_await(primary, "connected_slaves:1");
        client_expect(primary, "+OK", "CONFIG SET repl-diskless-sync-max-replicas 2");
        replica_follow(ends.contexts[REPLICA], server_port(ends.servers[PRIMARY]));
        harness_wait_for(is_being_sent, primary, "a snapshot is being sent");
        char *value = calloc(1, large + 1);
        memset(value, 'v', large);
        client_expect(primary, "+OK", "SET large %b", value, large);
        free(value);
        for (size_t i = 0; i < last + 6; i++) {
            free(client_command(primary, commands[i]));
        }
        client_expect(primary, "+OK", "SELECT 0");
        expect_same(&ends);
        close(wire);
        ends_stop(&ends);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_passwords),     cmocka_unit_test(users_of_the_replica),
        cmocka_unit_test(with_tls),           cmocka_unit_test(damaged_snapshots),
        cmocka_unit_test(stalling_primaries), cmocka_unit_test(damaged_streams),
        cmocka_unit_test(slow_replicas),      cmocka_unit_test(in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
