/* Replication: the server under test as the replica of redis-server, and as its primary: snapshots
 * and streams of random writes of all types, links that break, the change over to another server;
 * and chains of three. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "replica.h"

enum { OURS, REFERENCE };

#define WRITES       2000
#define BREAKS       10 /* LARDER_TEST_ROUNDS says otherwise */
#define BREAK_WRITES 150

static struct pair *pair;
static redisContext *ours;
static redisContext *reference;
static struct generator generator;

/* ---- writing ---- */

static const char *const writes[] = {
    "SET %s %v",
    "SET %s %V PX 100000",
    "SETEX %s 100 %v",
    "APPEND %s %v",
    "INCRBY n:%n %i",
    "INCRBYFLOAT n:%n %f",
    "SETRANGE %s 3 %v",
    "SETBIT b:%n 77 1",
    "GETDEL %s",
    "GETEX %s PX 100000",
    "EXPIRE %s 100",
    "PERSIST %s",
    "HSET %h {%F %V}",
    "HDEL %h {%F}",
    "HINCRBY %h number %i",
    "HINCRBYFLOAT %h float 1.25",
    "RPUSH l:%n {%v}",
    "LPUSH l:%n %v",
    "LPOP l:%n 2",
    "LMPOP 1 l:%n RIGHT COUNT 2",
    "LMOVE l:1 l:2 LEFT RIGHT",
    "LTRIM l:%n 0 30",
    "SADD e:%n {%v}",
    "SPOP e:%n",
    "SPOP e:%n 2",
    "SREM e:%n %v",
    "SMOVE e:1 e:2 %v",
    "SUNIONSTORE e:3 e:1 e:2",
    "ZADD z:%n 7 %v 1.25 %v",
    "ZINCRBY z:%n 1.5 %v",
    "ZPOPMIN z:%n",
    "ZMPOP 1 z:%n MAX",
    "ZUNIONSTORE z:3 2 z:1 z:2",
    "XADD x:%n * f %v",
    "XADD x:%n MAXLEN ~ 50 * f %v g %v",
    "XTRIM x:%n MAXLEN 20",
    "XGROUP CREATE x:%n g 0 MKSTREAM",
    "XREADGROUP GROUP g c COUNT 2 STREAMS x:%n >",
    "XAUTOCLAIM x:%n g d 0 0 COUNT 1",
    "PFADD p:%n {%v}",
    "PFMERGE p:3 p:1 p:2",
    "GEOADD g:%n 13.3 38.1 %v",
    "BITOP OR b:3 b:1 b:2",
    "COPY %s %s REPLACE",
    "RENAME %s %s",
    "SELECT (0|1|3)",
    "MOVE %s 2",
    "DEL %s",
    "UNLINK l:%n",
    "SWAPDB 0 1",
    "EVAL redis.call('incr','n:1')redis.call('rpush','l:1','script') 0",
};

/* `%n` is a digit. */
static void make(const char *form, struct words *words) {
    char text[256];
    size_t size = 0;
    for (const char *at = form; *at != '\0' && size + 2 < sizeof text; at++) {
        if (at[0] == '%' && at[1] == 'n') {
            text[size++] = (char)('1' + generate_below(&generator, 3));
            at++;
        } else {
            text[size++] = *at;
        }
    }
    text[size] = '\0';
    if (strncmp(form, "EVAL", 4) == 0) {
        const char *script = "redis.call('incr','n:1') redis.call('rpush','l:1','script')";
        words_clear(words);
        words_add_text(words, "EVAL");
        words_add_text(words, script);
        words_add_text(words, "0");
        return;
    }
    generate_command(&generator, text, words);
}

static void ask(redisContext *context, const struct words *words) {
    const char *args[WORDS_COUNT_MAX];
    for (size_t i = 0; i < words->count; i++) {
        args[i] = words->at[i];
    }
    redisReply *reply = redisCommandArgv(context, (int)words->count, args, words->sizes);
    assert_non_null(reply);
    freeReplyObject(reply);
}

static void write_some(redisContext *context, int count) {
    struct words words = {0};
    bool in_transaction = false;
    for (int i = 0; i < count; i++) {
        if (generate_below(&generator, 20) == 0 || i == count - 1) {
            if (in_transaction) {
                freeReplyObject(redisCommand(context, "EXEC"));
            } else if (i < count - 1) {
                freeReplyObject(redisCommand(context, "MULTI"));
            }
            in_transaction = !in_transaction && i < count - 1;
        }
        make(writes[generate_below(&generator, sizeof writes / sizeof *writes)], &words);
        ask(context, &words);
    }
    words_clear(&words);
}

/* ---- tests ---- */

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--repl-diskless-sync-delay",
                                          "0",
                                          "--repl-backlog-size",
                                          "10mb",
                                          "--enable-debug-command",
                                          "yes",
                                          NULL};
    pair = pair_start(options);
    pair_connect(pair, 2);
    ours = client_connect(pair_server(pair, OURS));
    reference = client_connect(pair_server(pair, REFERENCE));
    generate_init(&generator, 15);
    generator.without_odd_keys = true;
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    redisFree(ours);
    redisFree(reference);
    pair_stop(pair);
}

/* Both answer the same. */
static char *same(const char *format, const char *key, const char *more) {
    char *texts[2];
    redisContext *sides[] = {ours, reference};
    for (int side = 0; side < 2; side++) {
        texts[side] = client_command(sides[side], format, key, more);
    }
    if (strcmp(texts[0], texts[1]) != 0) {
        harness_fail("%s of %s %s: %.300s here, %.300s there", format, key, more, texts[0],
                     texts[1]);
    }
    free(texts[0]);
    return texts[1];
}

/* redis-server 7.0 does not pass on that a consumer was made by reading or claiming nothing, so its
 * replicas have fewer. */
static void cut_consumers(char *text) {
    static const char field[] = "\"consumers\", :";
    for (char *at = text; (at = strstr(at, field)) != NULL;) {
        char *end = strchr(at + strlen(field), ',');
        assert_non_null(end);
        memmove(at, end, strlen(end) + 1);
    }
}

static void compare_groups(const char *key) {
    char *here = client_command(ours, "XINFO GROUPS %s", key);
    char *there = client_command(reference, "XINFO GROUPS %s", key);
    if (replica_says(ours, "role:slave")) {
        cut_consumers(here);
        cut_consumers(there);
    }
    if (strcmp(here, there) != 0) {
        harness_fail("groups of %s: %s here, %s there", key, here, there);
    }
    free(here);
    free(there);
}

static void compare_key(const char *key) {
    char *type = same("TYPE %s", key, "");
    free(same("PEXPIRETIME %s", key, ""));
    if (strcmp(type, "+string") == 0) {
        free(same("GET %s", key, ""));
    } else if (strcmp(type, "+list") == 0) {
        free(same("LRANGE %s 0 -1", key, ""));
    } else if (strcmp(type, "+set") == 0) {
        redisReply *members = redisCommand(reference, "SMEMBERS %s", key);
        for (size_t i = 0; i < members->elements; i++) {
            const redisReply *member = members->element[i];
            redisReply *found =
                redisCommand(ours, "SISMEMBER %s %b", key, member->str, member->len);
            assert_int_equal(found->integer, 1);
            freeReplyObject(found);
        }
        freeReplyObject(members);
        free(same("SCARD %s", key, ""));
    } else if (strcmp(type, "+zset") == 0) {
        free(same("ZRANGE %s 0 -1 WITHSCORES", key, ""));
    } else if (strcmp(type, "+stream") == 0) {
        free(same("XRANGE %s - +", key, ""));
        compare_groups(key);
    } else if (strcmp(type, "+none") != 0) { /* a name with a NUL, which formats cut */
        assert_string_equal(type, "+hash");
        redisReply *fields = redisCommand(reference, "HKEYS %s", key);
        for (size_t i = 0; i < fields->elements; i++) {
            free(same("HGET %s %s", key, fields->element[i]->str));
        }
        freeReplyObject(fields);
        free(same("HLEN %s", key, ""));
    }
    free(type);
}

static void compare_data(void) {
    for (int database = 0; database < 5; database++) {
        char index[12];
        snprintf(index, sizeof index, "%d", database);
        free(same("SELECT %s", index, ""));
        redisReply *keys = redisCommand(reference, "KEYS *");
        for (size_t i = 0; i < keys->elements; i++) {
            compare_key(keys->element[i]->str);
        }
        freeReplyObject(keys);
        free(same("DBSIZE", "", ""));
    }
}

static void compare(void) {
    replica_catch_up(reference, ours);
    compare_data();
}

static void follows_redis(void **state) {
    (void)state;
    client_expect(ours, "+OK", "SET of-the-old-server 1");
    write_some(reference, WRITES);
    replica_follow(ours, server_port(pair_server(pair, REFERENCE)));
    compare();
    client_expect(ours, "nil", "GET of-the-old-server");
    for (int i = 0; i < 4; i++) {
        write_some(reference, WRITES / 4);
        compare();
    }
    client_expect(ours, "+OK Already connected to specified master", "REPLICAOF 127.0.0.1 %d",
                  server_port(pair_server(pair, REFERENCE)));
    client_expect(ours, "-READONLY You can't write against a read only replica.", "SET a b");
}

/* What has expired is not seen, and stays until the primary says. */
static void keeps_what_expired(void **state) {
    (void)state;
    client_expect(reference, "+OK", "SELECT 0");
    client_expect(ours, "+OK", "SELECT 0");
    client_expect(reference, "+OK", "DEBUG SET-ACTIVE-EXPIRE 0");
    client_expect(reference, "+OK", "FLUSHALL");
    client_expect(reference, "+OK", "SET short 1 PX 1");
    client_expect(reference, "+OK", "SET long 1");
    replica_catch_up(reference, ours);
    harness_breathe();
    client_expect(ours, "nil", "GET short");
    client_expect(ours, ":-2", "TTL short");
    client_expect(ours, ":0", "EXISTS short");
    client_expect(ours, ":2", "DBSIZE");
    client_expect(ours, "[\"long\"]", "KEYS *");
    client_expect(reference, "nil", "GET short");
    replica_catch_up(reference, ours);
    client_expect(ours, ":1", "DBSIZE");
    client_expect(reference, "+OK", "DEBUG SET-ACTIVE-EXPIRE 1");
}

/* In the middle of anything; a transaction fits in. */
static const struct proxy_ways cutting = {.cut_least = 20000, .cut_most = 60000, .seed = 3};

static void goes_on_where_it_was(void **state) {
    (void)state;
    replica_catch_up(reference, ours);
    long long full = replica_figure(reference, "sync_full");
    long long partial = replica_figure(reference, "sync_partial_ok");
    struct proxy *proxy = proxy_start(server_port(pair_server(pair, REFERENCE)), &cutting);
    replica_follow(ours, proxy_port(proxy));
    const char *wish = getenv("LARDER_TEST_ROUNDS");
    int breaks = wish == NULL ? BREAKS : (int)strtol(wish, NULL, 10);
    while (proxy_connections(proxy) < breaks) {
        if (replica_is_up(ours)) {
            write_some(reference, BREAK_WRITES);
        }
        harness_breathe();
    }
    replica_follow(ours, server_port(pair_server(pair, REFERENCE)));
    int connections = proxy_connections(proxy);
    proxy_stop(proxy);
    compare();
    assert_int_equal(replica_figure(reference, "sync_full"), full);
    assert_true(replica_figure(reference, "sync_partial_ok") >= partial + connections / 2);
}

static void is_promoted(void **state) {
    (void)state;
    client_expect(ours, "+OK", "REPLICAOF NO ONE");
    client_expect(ours, "+OK", "REPLICAOF NO ONE");
    client_expect(ours, "+OK", "SET a b");
    client_expect(ours, "\"b\"", "GET a");
    client_expect(ours, "-ERR Invalid master port", "REPLICAOF 127.0.0.1 x");
    client_expect(ours, "-ERR Invalid master port", "REPLICAOF 127.0.0.1 65536");
}

static struct server *chain[3];
static redisContext *links[3];

static void start_chain(void) {
    static const char *const options[] = {"--repl-diskless-sync-delay",
                                          "0",
                                          "--enable-debug-command",
                                          "yes",
                                          "--repl-backlog-size",
                                          "4mb",
                                          NULL};
    for (int i = 0; i < 3; i++) {
        chain[i] = server_start(options);
        links[i] = client_connect(chain[i]);
    }
}

static void compare_chain(void) {
    replica_catch_up(links[0], links[1]);
    replica_catch_up(links[1], links[2]);
    char *first = client_command(links[0], "DEBUG DIGEST");
    for (int i = 1; i < 3; i++) {
        client_expect(links[i], first, "DEBUG DIGEST");
    }
    free(first);
}

/* A snapshot begins while much is written; the third gets the stream from the second. */
static void chains(void **state) {
    (void)state;
    start_chain();
    client_expect(links[0], "+OK", "DEBUG POPULATE 20000 key 40");
    write_some(links[0], WRITES);
    replica_follow(links[1], server_port(chain[0]));
    replica_follow(links[2], server_port(chain[1]));
    write_some(links[0], WRITES);
    compare_chain();
    client_expect(links[0], "+OK", "SELECT 0");
    client_expect(links[0], "+OK", "SET a 1");
    client_expect(links[0], ":1", "WAIT 1 10000");
    client_expect(links[1], "\"1\"", "GET a");
    client_expect(links[0], ":1", "WAIT 2 10"); /* the one is there already */
    client_expect(links[0], ":0", "CLIENT KILL TYPE pubsub");
    client_expect(links[0], ":1", "CLIENT KILL TYPE replica");
    write_some(links[0], WRITES / 4);
    compare_chain();
    assert_int_equal(replica_figure(links[0], "sync_full"), 1);
    assert_int_equal(replica_figure(links[0], "sync_partial_ok"), 1);
}

/* The second takes the first's place, which follows it: nothing is sent again. */
static void places_change(void **state) {
    (void)state;
    client_expect(links[1], "+OK", "REPLICAOF NO ONE");
    replica_follow(links[0], server_port(chain[1]));
    write_some(links[1], WRITES / 4);
    replica_catch_up(links[1], links[0]);
    replica_catch_up(links[1], links[2]);
    char *first = client_command(links[1], "DEBUG DIGEST");
    client_expect(links[0], first, "DEBUG DIGEST");
    client_expect(links[2], first, "DEBUG DIGEST");
    free(first);
    assert_int_equal(replica_figure(links[1], "sync_full"), 1);
    client_expect(links[1], "+OK", "CONFIG SET min-replicas-to-write 2");
    client_expect(links[1], "+OK", "SELECT 0");
    client_expect(links[1], "+OK", "SET b 1");
    client_expect(links[2], "+OK", "REPLICAOF NO ONE");
    client_expect(links[1], "+OK", "CONFIG SET min-replicas-to-write 3");
    client_expect(links[1], "-NOREPLICAS Not enough good replicas to write.", "SET b 2");
    client_expect(links[1], "\"1\"", "GET b");
    for (int i = 0; i < 3; i++) {
        redisFree(links[i]);
        server_stop(chain[i]);
    }
}

/* The other way round: redis-server follows. */
static void is_followed_by_redis(void **state) {
    (void)state;
    client_expect(ours, "+OK", "REPLICAOF NO ONE");
    write_some(ours, WRITES);
    replica_follow(reference, server_port(pair_server(pair, OURS)));
    write_some(ours, WRITES);
    replica_catch_up(ours, reference);
    compare_data();
    client_expect(reference, "+OK", "REPLICAOF NO ONE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_redis),        cmocka_unit_test(keeps_what_expired),
        cmocka_unit_test(goes_on_where_it_was), cmocka_unit_test(is_promoted),
        cmocka_unit_test(is_followed_by_redis), cmocka_unit_test(chains),
        cmocka_unit_test(places_change),        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
