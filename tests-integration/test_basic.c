/* The everyday commands through hiredis, one connection and many, and values of every size. Holds
 * for the reference as well. */
#include "client.h"
#include "harness.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS   200
#define PIPELINE      1000
#define BIG_VALUE_MAX (4u << 20)

static struct server *server;
static redisContext *client;

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    client = client_connect(server);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    redisFree(client);
    server_stop(server);
}

static void strings(void **state) {
    (void)state;
    client_expect(client, "+PONG", "PING");
    client_expect(client, "+OK", "SET key value");
    client_expect(client, "\"value\"", "GET key");
    client_expect(client, ":5", "STRLEN key");
    client_expect(client, "nil", "SET key other NX");
    client_expect(client, ":8", "APPEND key 123");
    client_expect(client, "\"value123\"", "GET key");
    client_expect(client, ":1", "EXISTS key");
    client_expect(client, ":1", "DEL key");
    client_expect(client, "nil", "GET key");
    client_expect(client, "+OK", "MSET a 1 b 2");
    client_expect(client, "[\"1\", nil, \"2\"]", "MGET a none b");
    client_expect(client, ":2", "INCR a");
    client_expect(client, "-ERR value is not an integer or out of range", "INCRBY b x");
    client_expect(client, ":2", "DEL a b none");
}

static void binary_keys_and_values(void **state) {
    (void)state;
    client_expect(client, "+OK", "SET %b %b", "k\0\r\n", (size_t)4, "\0\xff\r\n\"", (size_t)5);
    client_expect(client, "\"\\x00\\xff\\r\\n\\\"\"", "GET %b", "k\0\r\n", (size_t)4);
    client_expect(client, "nil", "GET k");
    client_expect(client, ":1", "DEL %b", "k\0\r\n", (size_t)4);
    client_expect(client, "+OK", "SET %b %b", "", (size_t)0, "", (size_t)0);
    client_expect(client, "\"\"", "GET %b", "", (size_t)0);
    client_expect(client, ":1", "DEL %b", "", (size_t)0);
}

static bool has_expired(void *context) {
    (void)context;
    char *reply = client_command(client, "GET soon");
    bool gone = strcmp(reply, "nil") == 0;
    free(reply);
    return gone;
}

static void deadlines(void **state) {
    (void)state;
    client_expect(client, "+OK", "SET soon 1 PX 30");
    client_expect(client, "+OK", "SET late 1 EX 100");
    client_expect(client, ":100", "TTL late");
    client_expect(client, ":1", "PERSIST late");
    client_expect(client, ":-1", "TTL late");
    client_expect(client, ":-2", "TTL none");
    harness_wait_for(has_expired, NULL, "the key's deadline");
    client_expect(client, ":1", "DEL late soon");
}

static void hashes(void **state) {
    (void)state;
    client_expect(client, ":2", "HSET hash f1 v1 f2 v2");
    client_expect(client, "\"v1\"", "HGET hash f1");
    client_expect(client, "[\"f1\", \"v1\", \"f2\", \"v2\"]", "HGETALL hash");
    client_expect(client, "-WRONGTYPE Operation against a key holding the wrong kind of value",
                  "GET hash");
    client_expect(client, ":2", "HDEL hash f1 f2");
    client_expect(client, ":0", "EXISTS hash");
}

/* A value of each size near the borders where servers change how they hold or send it. */
static void values_of_many_sizes(void **state) {
    (void)state;
    static const size_t near[] = {16,
                                  64,
                                  128,
                                  512,
                                  1024,
                                  4096,
                                  16 * 1024,
                                  32 * 1024,
                                  64 * 1024,
                                  1024 * 1024,
                                  BIG_VALUE_MAX - 1};
    char *value = malloc(BIG_VALUE_MAX);
    for (size_t i = 0; i < BIG_VALUE_MAX; i++) {
        value[i] = (char)(i * 7 + (i >> 8));
    }
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        for (size_t size = near[i] - 1; size <= near[i] + 1; size++) {
            client_expect(client, "+OK", "SET big %b", value, size);
            redisReply *reply = redisCommand(client, "GET big");
            assert_non_null(reply);
            assert_int_equal(reply->type, REDIS_REPLY_STRING);
            assert_int_equal(reply->len, size);
            assert_memory_equal(reply->str, value, size);
            freeReplyObject(reply);
        }
    }
    free(value);
    client_expect(client, ":1", "DEL big");
}

static void long_pipelines_keep_their_order(void **state) {
    (void)state;
    for (int i = 0; i < PIPELINE; i++) {
        redisAppendCommand(client, "SET p:%d %d", i, i);
        redisAppendCommand(client, "GET p:%d", i);
        redisAppendCommand(client, "DEL p:%d", i);
    }
    for (int i = 0; i < PIPELINE; i++) {
        char number[32];
        snprintf(number, sizeof number, "\"%d\"", i);
        const char *const expected[] = {"+OK", number, ":1"};
        for (int j = 0; j < 3; j++) {
            void *reply = NULL;
            assert_int_equal(redisGetReply(client, &reply), REDIS_OK);
            char *text = client_text(reply);
            assert_string_equal(text, expected[j]);
            free(text);
            freeReplyObject(reply);
        }
    }
}

static void many_connections_do_not_mix(void **state) {
    (void)state;
    int connections[CONNECTIONS];
    char text[96];
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i] = wire_connect(server);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        snprintf(text, sizeof text, "SET c:%d %d\r\nGET c:%d\r\nDEL c:%d\r\n", i, i, i, i);
        wire_send_text(connections[i], text);
    }
    for (int i = CONNECTIONS - 1; i >= 0; i--) {
        int digits = snprintf(NULL, 0, "%d", i);
        snprintf(text, sizeof text, "+OK\r\n$%d\r\n%d\r\n:1\r\n", digits, i);
        wire_expect(connections[i], text);
        close(connections[i]);
    }
}

static void databases(void **state) {
    (void)state;
    client_expect(client, "+OK", "SET d 0");
    client_expect(client, "+OK", "SELECT 1");
    client_expect(client, "nil", "GET d");
    client_expect(client, "-ERR DB index is out of range", "SELECT 1000000");
    client_expect(client, "+OK", "SELECT 0");
    client_expect(client, ":1", "DBSIZE");
    client_expect(client, "+OK", "FLUSHALL");
    client_expect(client, ":0", "DBSIZE");
}

static void protocol_3(void **state) {
    (void)state;
    int fd = wire_connect(server);
    char *hello = wire_ask(fd, "HELLO", "3", NULL);
    assert_non_null(strstr(hello, "\"proto\": :3"));
    assert_int_equal(hello[0], '{');
    free(hello);
    wire_expect_reply(fd, "GET none", "null");
    wire_expect_reply(fd, "HSET h f v", ":1");
    wire_expect_reply(fd, "HGETALL h", "{\"f\": \"v\"}");
    wire_expect_reply(fd, "DEL h", ":1");
    free(wire_ask(fd, "HELLO", "2", NULL));
    wire_expect_reply(fd, "GET none", "nil");
    wire_expect_reply(fd, "HELLO 4", "-NOPROTO unsupported protocol version");
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(binary_keys_and_values),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(hashes),
        cmocka_unit_test(values_of_many_sizes),
        cmocka_unit_test(long_pipelines_keep_their_order),
        cmocka_unit_test(many_connections_do_not_mix),
        cmocka_unit_test(databases),
        cmocka_unit_test(protocol_3),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
