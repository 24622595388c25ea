/* What was acknowledged with WAIT 1 outlives the primary: servers are killed without warning, in
 * turns, while a client writes.
 *
 * LARDER_TEST_ROUNDS: how often, 10 if it is not set. */
#include "replica.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* More than is written in some hundred rounds. */
#define WRITES_MAX 1000000

/* Writes one number after the other, and counts what the replica has. */
struct writer {
    pthread_t thread;
    int port;
    _Atomic bool ended;
    _Atomic long long next;
    _Atomic long long acknowledged;    /* the last one */
    _Atomic bool is_there[WRITES_MAX]; /* by number: that was acknowledged */
};

static long long integer_of(redisContext *context, const char *format, long long number) {
    redisReply *reply = redisCommand(context, format, number);
    long long result = -1;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        result = reply->integer;
    } else if (reply != NULL && reply->type == REDIS_REPLY_STATUS) {
        result = 1;
    }
    freeReplyObject(reply);
    return result;
}

/* Ends when the connection does. */
static void *write_on(void *context) {
    struct writer *writer = context;
    redisContext *connection = redisConnect("127.0.0.1", writer->port);
    while (!writer->ended && connection->err == 0 && writer->next < WRITES_MAX) {
        long long number = writer->next++;
        if (integer_of(connection, "RPUSH numbers %lld", number) > 0 &&
            integer_of(connection, "SET last %lld", number) == 1 &&
            integer_of(connection, "WAIT 1 %lld", 10000) >= 1) {
            writer->is_there[number] = true;
            writer->acknowledged = number;
        }
    }
    redisFree(connection);
    return NULL;
}

static void start_writing(struct writer *writer, const struct server *server) {
    writer->port = server_port(server);
    writer->ended = false;
    assert_int_equal(pthread_create(&writer->thread, NULL, write_on, writer), 0);
}

static void stop_writing(struct writer *writer) {
    writer->ended = true;
    pthread_join(writer->thread, NULL);
}

struct progress {
    const struct writer *writer;
    long long until;
};

static bool has_come_to(void *context) {
    const struct progress *progress = context;
    return progress->writer->acknowledged >= progress->until;
}

static void await_writes(const struct writer *writer, long long count) {
    struct progress progress = {writer, writer->acknowledged + count};
    harness_wait_for(has_come_to, &progress, "more is acknowledged");
}

static void expect_all(redisContext *context, const struct writer *writer) {
    redisReply *reply = redisCommand(context, "GET last");
    assert_non_null(reply);
    long long last = reply->str == NULL ? -1 : strtoll(reply->str, NULL, 10);
    freeReplyObject(reply);
    if (last < writer->acknowledged) {
        harness_fail("%lld was acknowledged, and %lld is the last one", writer->acknowledged, last);
    }
    reply = redisCommand(context, "LRANGE numbers 0 -1");
    assert_non_null(reply);
    long long expected = 0; /* those that were not acknowledged may be missing */
    for (size_t i = 0; i < reply->elements; i++) {
        long long number = strtoll(reply->element[i]->str, NULL, 10);
        for (; expected < number; expected++) {
            assert_false(writer->is_there[expected]);
        }
        assert_int_equal(number, expected);
        expected++;
    }
    assert_true(expected > writer->acknowledged);
    freeReplyObject(reply);
}

static struct server *start(void) {
    static const char *const options[] = {"--repl-diskless-sync-delay", "0", NULL};
    return server_start(options);
}

static struct server *follow_with_new(const struct server *primary) {
    struct server *replica = start();
    redisContext *context = client_connect(replica);
    replica_follow(context, server_port(primary));
    replica_await(context, "master_link_status:up");
    redisFree(context);
    return replica;
}

static void what_was_acknowledged_stays(void **state) {
    (void)state;
    const char *wish = getenv("LARDER_TEST_ROUNDS");
    int rounds = wish == NULL ? 10 : (int)strtol(wish, NULL, 10);
    static struct writer writer = {.acknowledged = -1};
    struct server *primary = start();
    struct server *replica = follow_with_new(primary);
    for (int round = 0; round < rounds; round++) {
        start_writing(&writer, primary);
        await_writes(&writer, 1 + (round * 37) % 50);
        if (round % 3 == 2) { /* the replica goes, and another comes, under writes */
            free(server_kill(replica, false));
            replica = follow_with_new(primary);
            await_writes(&writer, 5);
        }
        free(server_kill(primary, false));
        stop_writing(&writer);
        redisContext *context = client_connect(replica);
        client_expect(context, "+OK", "REPLICAOF NO ONE");
        expect_all(context, &writer);
        redisFree(context);
        primary = replica;
        replica = follow_with_new(primary);
    }
    server_stop(primary);
    server_stop(replica);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_acknowledged_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
