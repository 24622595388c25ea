/* FAILOVER: a primary and its replica change places under writes, and none is lost; its errors are
 * those of redis-server; and WAIT, WAITAOF and min-replicas-to-write. */
#include "compare.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "replica.h"

enum { OURS, REFERENCE };

#define SERVERS 2

struct servers {
    struct server *all[SERVERS];
    redisContext *contexts[SERVERS];
};

static const char *const options[] = {"--repl-diskless-sync-delay", "0", NULL};

static struct servers start(bool first_is_reference, bool second_is_reference) {
    struct servers servers;
    bool are_references[SERVERS] = {first_is_reference, second_is_reference};
    for (int i = 0; i < SERVERS; i++) {
        servers.all[i] =
            are_references[i] ? server_start_reference(options) : server_start(options);
        servers.contexts[i] = client_connect(servers.all[i]);
    }
    replica_follow(servers.contexts[1], server_port(servers.all[0]));
    replica_catch_up(servers.contexts[0], servers.contexts[1]);
    return servers;
}

static void stop(struct servers *servers) {
    for (int i = 0; i < SERVERS; i++) {
        redisFree(servers->contexts[i]);
        server_stop(servers->all[i]);
    }
}

/* ---- writing meanwhile ---- */

/* Counts up on whichever server takes it. */
struct writer {
    pthread_t thread;
    int ports[SERVERS];
    _Atomic bool ended;
    _Atomic long long acknowledged;
    _Atomic long long refused;
};

static void *write_on(void *context) {
    struct writer *writer = context;
    redisContext *contexts[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        contexts[i] = redisConnect("127.0.0.1", writer->ports[i]);
    }
    for (int at = 0; !writer->ended;) {
        redisReply *reply = redisCommand(contexts[at], "INCR counter");
        if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
            writer->acknowledged++;
        } else {
            writer->refused++;
            at = 1 - at;
        }
        freeReplyObject(reply);
    }
    for (int i = 0; i < SERVERS; i++) {
        redisFree(contexts[i]);
    }
    return NULL;
}

static void start_writing(struct writer *writer, const struct servers *servers) {
    *writer = (struct writer){.ended = false};
    for (int i = 0; i < SERVERS; i++) {
        writer->ports[i] = server_port(servers->all[i]);
    }
    assert_int_equal(pthread_create(&writer->thread, NULL, write_on, writer), 0);
}

static void stop_writing(struct writer *writer) {
    writer->ended = true;
    pthread_join(writer->thread, NULL);
}

static bool has_written(void *context) {
    const struct writer *writer = context;
    return writer->acknowledged > 100;
}

/* ---- tests ---- */

/* There and back again, under writes. */
static void places_change(bool first_is_reference, bool second_is_reference) {
    struct servers servers = start(first_is_reference, second_is_reference);
    long long acknowledged = 0;
    for (int primary = 0; primary < SERVERS; primary++) {
        redisContext *from = servers.contexts[primary];
        redisContext *to = servers.contexts[1 - primary];
        struct writer writer;
        start_writing(&writer, &servers);
        harness_wait_for(has_written, &writer, "something is written");
        if (primary == 0) {
            client_expect(from, "+OK", "FAILOVER");
        } else {
            client_expect(from, "+OK", "FAILOVER TO 127.0.0.1 %d TIMEOUT 20000",
                          server_port(servers.all[1 - primary]));
        }
        replica_await(to, "role:master");
        replica_await(from, "role:slave");
        replica_await(from, "master_failover_state:no-failover");
        replica_await(from, "master_link_status:up");
        long long then = writer.acknowledged;
        while (writer.acknowledged < then + 50) {
            harness_breathe();
        }
        stop_writing(&writer);
        acknowledged += writer.acknowledged;
        char expected[32];
        snprintf(expected, sizeof expected, "\"%lld\"", acknowledged);
        client_expect(to, expected, "GET counter");
        replica_catch_up(to, from);
        client_expect(from, expected, "GET counter");
        assert_int_equal(replica_figure(to, "sync_full"), primary == 0 ? 0 : 1);
    }
    stop(&servers);
}

static void nothing_is_lost(void **state) {
    (void)state;
    places_change(false, false);
    places_change(true, false);
    places_change(false, true);
}

static void errors_are_the_same(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "FAILOVER",
        "FAILOVER ABORT",
        "FAILOVER ABORT TIMEOUT 1",
        "FAILOVER TIMEOUT 10 ABORT",
        "FAILOVER TIMEOUT",
        "FAILOVER TIMEOUT x",
        "FAILOVER TIMEOUT 0",
        "FAILOVER TIMEOUT -1",
        "FAILOVER TIMEOUT 5 TIMEOUT 5",
        "FAILOVER TO",
        "FAILOVER TO a",
        "FAILOVER TO a b",
        "FAILOVER TO a 1",
        "FAILOVER TO a 1 TO a 1",
        "FAILOVER TO a 99999999999999999999",
        "FAILOVER TO a 1 FORCE",
        "FAILOVER TO a 1 FORCE TIMEOUT 5",
        "FAILOVER FORCE",
        "FAILOVER FORCE TIMEOUT 5",
        "FAILOVER FORCE FORCE",
        "FAILOVER nonsense",
        "PSYNC ? x",
        "PSYNC",
        "REPLCONF",
        "REPLCONF a",
        "REPLCONF listening-port",
        "REPLCONF listening-port x",
        "REPLCONF nonsense 1",
        "REPLCONF capa nonsense",
        "PSYNC 0123456789012345678901234567890123456789 1 FAILOVER",
        "REPLICAOF",
        "REPLICAOF a b",
        "REPLICAOF a -1",
        "REPLICAOF no one",
        "WAIT",
        "WAIT x 1",
        "WAIT 1 x",
        "WAIT 1 -1",
        "ROLE x",
    };
    for (int round = 0; round < 2; round++) { /* without replicas; with one */
        struct server *servers[] = {server_start(options), server_start_reference(options)};
        redisContext *contexts[] = {client_connect(servers[OURS]),
                                    client_connect(servers[REFERENCE])};
        struct server *follower = server_start(options);
        redisContext *following = client_connect(follower);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            char *texts[2];
            for (int side = 0; side < 2; side++) {
                if (round == 1) {
                    replica_follow(following, server_port(servers[side]));
                    replica_catch_up(contexts[side], following);
                }
                /* What would begin one begins nothing. */
                bool begins = round == 1 && strcmp(wrong[i], "FAILOVER") == 0;
                texts[side] = client_command(contexts[side], begins ? "PING" : wrong[i]);
            }
            if (strcmp(texts[OURS], texts[REFERENCE]) != 0) {
                harness_fail("%s: %s here, %s there", wrong[i], texts[OURS], texts[REFERENCE]);
            }
            free(texts[OURS]);
            free(texts[REFERENCE]);
        }
        redisFree(following);
        server_stop(follower);
        for (int side = 0; side < 2; side++) {
            redisFree(contexts[side]);
            server_stop(servers[side]);
        }
    }
}

/* A replica that stands still never has all: writes wait until the time is up, or ABORT. */
static void ends_without_a_change(void **state) {
    (void)state;
    struct servers servers = start(false, false);
    redisContext *primary = servers.contexts[0];
    redisContext *other = client_connect(servers.all[0]);
    pid_t stopped = server_pid(servers.all[1]);
    assert_int_equal(kill(stopped, SIGSTOP), 0);
    client_expect(primary, "+OK", "SET a 1");
    client_expect(primary, "+OK", "FAILOVER TIMEOUT 100");
    client_expect(primary, "-ERR FAILOVER already in progress.", "FAILOVER");
    client_expect(primary, "-ERR REPLICAOF not allowed while failing over.", "REPLICAOF NO ONE");
    client_expect(primary, "+OK", "SET a 2"); /* answered once the time is up */
    assert_true(replica_says(primary, "master_failover_state:no-failover"));
    client_expect(primary, "+OK", "FAILOVER");
    assert_true(replica_says(primary, "master_failover_state:waiting-for-sync"));
    client_expect(primary, "\"2\"", "GET a");
    assert_int_equal(redisAppendCommand(other, "SET a 3"), REDIS_OK);
    int done = 0;
    while (!done) {
        assert_int_equal(redisBufferWrite(other, &done), REDIS_OK);
    }
    client_expect(primary, "\"2\"", "GET a");
    client_expect(primary, "+OK", "FAILOVER ABORT");
    redisReply *reply;
    assert_int_equal(redisGetReply(other, (void **)&reply), REDIS_OK);
    assert_string_equal(reply->str, "OK");
    freeReplyObject(reply);
    client_expect(primary, "\"3\"", "GET a");
    /* CLIENT UNPAUSE does not end what FAILOVER holds back, nor the other way round. */
    client_expect(primary, "+OK", "FAILOVER TIMEOUT 60000");
    client_expect(primary, "+OK", "CLIENT UNPAUSE");
    assert_int_equal(redisAppendCommand(other, "SET a 4"), REDIS_OK);
    for (done = 0; !done;) {
        assert_int_equal(redisBufferWrite(other, &done), REDIS_OK);
    }
    client_expect(primary, "\"3\"", "GET a");
    client_expect(primary, "+OK", "CLIENT PAUSE 60000 WRITE");
    client_expect(primary, "+OK", "FAILOVER ABORT");
    client_expect(primary, "\"3\"", "GET a");
    client_expect(primary, "+OK", "CLIENT UNPAUSE");
    assert_int_equal(redisGetReply(other, (void **)&reply), REDIS_OK);
    freeReplyObject(reply);
    client_expect(primary, "\"4\"", "GET a");
    assert_int_equal(kill(stopped, SIGCONT), 0);
    replica_catch_up(primary, servers.contexts[1]);
    client_expect(servers.contexts[1], "\"4\"", "GET a");
    redisFree(other);
    stop(&servers);
}

/* With FORCE the time does not end it: but this target is gone, so the primary stays one. */
static void forced(void **state) {
    (void)state;
    struct servers servers = start(false, false);
    redisContext *primary = servers.contexts[0];
    pid_t stopped = server_pid(servers.all[1]);
    client_expect(primary, "+OK", "CONFIG SET repl-timeout 2");
    assert_int_equal(kill(stopped, SIGSTOP), 0);
    client_expect(primary, "+OK", "SET a 1");
    client_expect(primary, "+OK", "FAILOVER TO 127.0.0.1 %d FORCE TIMEOUT 50",
                  server_port(servers.all[1]));
    replica_await(primary, "master_failover_state:failover-in-progress");
    client_expect(primary, "+OK", "SET a 2"); /* once it is over */
    assert_true(replica_says(primary, "role:master"));
    assert_int_equal(kill(stopped, SIGCONT), 0);
    stop(&servers);
}

/* ---- what clients may wait for ---- */

static void waiting(void **state) {
    (void)state;
    struct servers servers = start(false, false);
    redisContext *primary = servers.contexts[0];
    client_expect(primary, ":1", "WAIT 0 0");
    client_expect(primary, "+OK", "SET a 1");
    client_expect(primary, ":1", "WAIT 1 0");
    client_expect(primary, ":1", "WAIT 2 1"); /* the one has it, and is not asked again */
    client_expect(primary, "[:0, :0]", "WAITAOF 0 1 20");
    client_expect(primary, "[:0, :0]", "WAITAOF 0 0 0");
    client_expect(primary,
                  "-ERR WAITAOF cannot be used when numlocal is set but appendonly is "
                  "disabled.",
                  "WAITAOF 1 0 0");
    client_expect(servers.contexts[1],
                  "-ERR WAITAOF cannot be used with replica instances. Please also note that "
                  "writes to replicas are just local and are not propagated.",
                  "WAITAOF 0 0 0");
    client_expect(primary, "+OK", "CONFIG SET min-replicas-to-write 1");
    client_expect(primary, "+OK", "SET a 2");
    client_expect(servers.contexts[1], "+OK", "REPLICAOF NO ONE");
    replica_await(primary, "connected_slaves:0");
    client_expect(primary, "-NOREPLICAS Not enough good replicas to write.", "SET a 3");
    client_expect(primary, "+OK", "MULTI");
    client_expect(primary, "-NOREPLICAS Not enough good replicas to write.", "SET a 3");
    client_expect(primary, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    client_expect(primary, ":0", "WAIT 1 1");
    stop(&servers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(errors_are_the_same),
        cmocka_unit_test(ends_without_a_change),
        cmocka_unit_test(forced),
        cmocka_unit_test(waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
