/* Tests of command/debug.c. */
#include "persist/replication.h"
#include "support/session.h"

#include <string.h>

static struct session *session;

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-debug-command", "yes", NULL};
    session = session_start(options);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static void test_protocol(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *two;
        const char *three;
    } cases[] = {
        {"DEBUG PROTOCOL string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"},
        {"DEBUG PROTOCOL integer", ":12345\r\n", ":12345\r\n"},
        {"DEBUG PROTOCOL double", "$5\r\n3.141\r\n", ",3.141\r\n"},
        {"DEBUG PROTOCOL null", "$-1\r\n", "_\r\n"},
        {"DEBUG PROTOCOL array", "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"},
        {"DEBUG PROTOCOL set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"},
        {"DEBUG PROTOCOL map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
         "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"},
        {"DEBUG PROTOCOL attrib", "$39\r\nSome real reply following the attribute\r\n",
         "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
         "$39\r\nSome real reply following the attribute\r\n"},
        {"DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command\r\n",
         ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n"
         "$40\r\nSome real reply following the push reply\r\n"},
        {"DEBUG PROTOCOL verbatim", "$25\r\nThis is a verbatim\nstring\r\n",
         "=29\r\ntxt:This is a verbatim\nstring\r\n"},
        {"DEBUG PROTOCOL true", ":1\r\n", "#t\r\n"},
        {"DEBUG PROTOCOL false", ":0\r\n", "#f\r\n"},
        {"DEBUG PROTOCOL bignum", "$37\r\n1234567999999999999999999999999999999\r\n",
         "(1234567999999999999999999999999999999\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        session_ask(session, "HELLO 2");
        session_expect(session, cases[i].line, cases[i].two);
        session_ask(session, "HELLO 3");
        session_expect(session, cases[i].line, cases[i].three);
    }
    assert_memory_equal(session_ask(session, "DEBUG PROTOCOL nosuch"),
                        "-ERR Wrong protocol type name.", 30);
}

static void test_populate(void **state) {
    (void)state;
    session_expect(session, "SET key:1 kept", "+OK\r\n");
    session_expect(session, "DEBUG POPULATE 3", "+OK\r\n");
    session_expect(session, "DBSIZE", ":3\r\n");
    session_expect(session, "GET key:1", "$4\r\nkept\r\n");
    session_expect(session, "GET key:2", "$7\r\nvalue:2\r\n");
    session_expect(session, "DEBUG POPULATE 2 p 12", "+OK\r\n");
    session_expect(session, "STRLEN p:1", ":12\r\n");
    session_expect(session, "GETRANGE p:1 0 6", "$7\r\nvalue:1\r\n");
    session_expect(session, "DEBUG POPULATE 2 q 3", "+OK\r\n");
    session_expect(session, "GET q:0", "$3\r\nval\r\n");
    session_expect(session, "DEBUG POPULATE 1 empty 0", "+OK\r\n");
    session_expect(session, "STRLEN empty:0", ":0\r\n");
    session_expect(session, "DEBUG POPULATE 0", "+OK\r\n");
    static const char *const wrong[] = {"DEBUG POPULATE x", "DEBUG POPULATE -1",
                                        "DEBUG POPULATE 1 p x", "DEBUG POPULATE 1 p -1",
                                        "DEBUG POPULATE 1 p 9999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        session_expect(session, wrong[i], "-ERR value is out of range, must be positive\r\n");
    }
}

static void test_others(void **state) {
    (void)state;
    struct server *server = &session->server;
    session_expect(session, "DEBUG OBJECT a", "-ERR no such key\r\n");
    session_expect(session, "SET a 12345", "+OK\r\n");
    const char *text = session_ask(session, "DEBUG OBJECT a");
    assert_memory_equal(text, "+Value at:0x", 12);
    assert_non_null(strstr(text, " refcount:1 encoding:int serializedlength:"));
    assert_non_null(strstr(text, " lru_seconds_idle:0\r\n"));
    session_expect(session, "DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n");
    assert_true(server->keyspace.expire_paused);
    session_expect(session, "DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n");
    assert_false(server->keyspace.expire_paused);
    char before[41];
    memcpy(before, replication_id(server->context.replication), sizeof before);
    session_expect(session, "DEBUG CHANGE-REPL-ID", "+OK\r\n");
    assert_string_not_equal(replication_id(server->context.replication), before);
    assert_int_equal(strspn(replication_id(server->context.replication), "0123456789abcdef"), 40);
    session_expect(session, "DEBUG STRINGMATCH-LEN 10000 a*a*a*a*a*b", ":0\r\n");
    session_expect(session, "DEBUG STRINGMATCH-LEN 3 a?a", ":1\r\n");
    session_expect(session, "DEBUG STRINGMATCH-LEN 0 *", ":1\r\n");
    session_expect(session, "DEBUG ERROR \"FOO b\\r\\nar\"", "-FOO b  ar\r\n");
    session_expect(session, "DEBUG LOG \"a line\"", "+OK\r\n");
    session_expect(session, "DEBUG SLEEP 0", "+OK\r\n");
    session_expect(session, "DEBUG SLEEP nonsense", "+OK\r\n");
    session_expect(session, "DEBUG SLEEP",
                   "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG "
                   "HELP.\r\n");
    session_expect(session, "DEBUG nosuch 1 2",
                   "-ERR unknown subcommand or wrong number of arguments for 'nosuch'. Try DEBUG "
                   "HELP.\r\n");
    assert_int_equal(session_ask(session, "DEBUG HELP")[0], '*');
    assert_int_equal(session_ask(session, "DEBUG JMAP")[0], '$');
    session_expect(session, "DEBUG VALIDATE", "+OK\r\n");
}

/* Made in another order and by other ways, the content is the same; each change is seen, and that
 * it was taken back. */
static const char *const one_way[] = {
    "SET s 12",
    "RPUSH l a 1 b",
    "SADD t 1 2 3",
    "SADD u a b c 1",
    "ZADD z 1 a 2.5 b",
    "HSET h f 1 g 2",
    "XADD x 1-1 f 1",
    "XADD x 1-2 g 1 h 2",
    "XGROUP CREATE x g 0",
    "XGROUP CREATECONSUMER x g c",
    "PEXPIREAT s 99999999999999",
    NULL,
};
static const char *const other_way[] = {
    "XADD x 1-1 f 1",
    "XADD x 1-2 g 1 h 2",
    "XGROUP CREATE x g 0",
    "XGROUP CREATECONSUMER x g c",
    "HSET h g 2 extra 3 f 0",
    "HINCRBY h f 1",
    "HDEL h extra",
    "ZADD z 2.5 b 0 a",
    "ZINCRBY z 1 a",
    "SADD u 1 c b a",
    "SADD t 3 text 2 1",
    "SREM t text",
    "LPUSH l b 1 a",
    "SET s 10 PXAT 99999999999999",
    "INCRBY s 2",
    NULL,
};
static const char *const changes[][2] = {
    {"SET s 13 KEEPTTL", "SET s 12 KEEPTTL"},
    {"PEXPIREAT s 99999999999998", "PEXPIREAT s 99999999999999"},
    {"LSET l 0 c", "LSET l 0 a"},
    {"SADD t 4", "SREM t 4"},
    {"ZADD z 2.25 b", "ZADD z 2.5 b"},
    {"HSET h f 2", "HSET h f 1"},
    {"HPEXPIREAT h 60000000000000 FIELDS 1 f", "HPERSIST h FIELDS 1 f"},
    {"RENAME s s2", "RENAME s2 s"},
    {"XGROUP SETID x g 1-1", "XGROUP SETID x g 0"},
    {"XGROUP CREATECONSUMER x g d", "XGROUP DELCONSUMER x g d"},
    {"SWAPDB 0 1", "SWAPDB 0 1"},
};

static void run(const char *const *lines) {
    session_ask(session, "FLUSHALL");
    for (; *lines != NULL; lines++) {
        assert_true(*session_ask(session, *lines) != '-');
    }
}

static void test_digest(void **state) {
    (void)state;
    char digest[64];
    session_expect(session, "FLUSHALL", "+OK\r\n");
    session_expect(session, "DEBUG DIGEST", "+0000000000000000000000000000000000000000\r\n");
    run(one_way);
    strncpy(digest, session_ask(session, "DEBUG DIGEST"), sizeof digest - 1);
    assert_int_equal(strlen(digest), 43);
    run(other_way);
    session_expect(session, "DEBUG DIGEST", digest);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_true(*session_ask(session, changes[i][0]) != '-');
        assert_string_not_equal(session_ask(session, "DEBUG DIGEST"), digest);
        assert_true(*session_ask(session, changes[i][1]) != '-');
        session_expect(session, "DEBUG DIGEST", digest);
    }
    /* What has expired is not there. */
    session_expect(session, "SET gone x PX 1", "+OK\r\n");
    clock_drive(&session->server.clock, session->server.clock.now_ms + 10);
    session->server.keyspace.expire_paused = true;
    session_expect(session, "DEBUG DIGEST", digest);
    session->server.keyspace.expire_paused = false;
}

static void test_digest_of_values(void **state) {
    (void)state;
    char digests[256];
    session_expect(session, "FLUSHALL", "+OK\r\n");
    session_expect(session, "DEBUG DIGEST-VALUE", "*0\r\n");
    session_expect(session, "DEBUG DIGEST-VALUE none",
                   "*1\r\n$40\r\n0000000000000000000000000000000000000000\r\n");
    session_ask(session, "MSET a 1 b 2");
    strncpy(digests, session_ask(session, "DEBUG DIGEST-VALUE a b"), sizeof digests - 1);
    session_ask(session, "MSET c 1 d 2");
    session_expect(session, "DEBUG DIGEST-VALUE c d", digests);
    assert_string_not_equal(session_ask(session, "DEBUG DIGEST-VALUE d c"), digests);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_protocol, start, end),
        cmocka_unit_test_setup_teardown(test_populate, start, end),
        cmocka_unit_test_setup_teardown(test_digest, start, end),
        cmocka_unit_test_setup_teardown(test_digest_of_values, start, end),
        cmocka_unit_test_setup_teardown(test_others, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
