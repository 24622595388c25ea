/* The commands on strings: every line is sent and its reply compared. What the reference knows
 * holds for it as well; tables named new_ are of later versions. */
#include "harness.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exchange {
    const char *line;
    const char *reply;
};

static const struct exchange setting[] = {
    {"SET k v", "+OK"},
    {"GET k", "\"v\""},
    {"SET k v2 NX", "nil"},
    {"SET absent v XX", "nil"},
    {"SET k v2 XX GET", "\"v\""},
    {"SET k v3 EX 100 KEEPTTL", "-ERR syntax error"},
    {"SET k v3 EX 0", "-ERR invalid expire time in 'set' command"},
    {"SET k v3 EX abc", "-ERR value is not an integer or out of range"},
    {"SET k v3 EX", "-ERR syntax error"},
    {"SET k v3 NX XX", "-ERR syntax error"},
    {"SET k v3 FOO", "-ERR syntax error"},
    {"SET k v3 PX 9223372036854775807", "-ERR invalid expire time in 'set' command"},
    {"SET k v3 PXAT 99999999999999", "+OK"},
    {"PEXPIRETIME k", ":99999999999999"},
    {"SET k v4 KEEPTTL", "+OK"},
    {"PEXPIRETIME k", ":99999999999999"},
    {"SET k v5", "+OK"},
    {"TTL k", ":-1"},
    {"SET k v6 PXAT 1", "+OK"},
    {"GET k", "nil"},
    {"SETEX k 0 v", "-ERR invalid expire time in 'setex' command"},
    {"SETEX k 100 v", "+OK"},
    {"PERSIST k", ":1"},
    {"PSETEX k x v", "-ERR value is not an integer or out of range"},
    {"PSETEX k 100000 v", "+OK"},
    {"PERSIST k", ":1"},
    {"SETNX k w", ":0"},
    {"SETNX n w", ":1"},
    {"GETSET n x", "\"w\""},
    {"PEXPIRETIME n", ":-1"},
    {"GETSET fresh x", "nil"},
    {"HSET h f v", ":1"},
    {"GET h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"GETSET h x", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"SET h x GET", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"SET h x NX", "nil"},
    {"SET h x", "+OK"},
    {"GET h", "\"x\""},
    {"MSET a 1 b 2 a 3", "+OK"},
    {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"},
    {"MGET a b none", "[\"3\", \"2\", nil]"},
    {"HSET h2 f v", ":1"},
    {"MGET a h2", "[\"3\", nil]"},
    {"MSETNX a 9 new 9", ":0"},
    {"EXISTS new", ":0"},
    {"MSETNX new 1 newer 2", ":1"},
    {"MGET new newer", "[\"1\", \"2\"]"},
};

static const struct exchange reading[] = {
    {"SET k hello", "+OK"},
    {"STRLEN k", ":5"},
    {"STRLEN none", ":0"},
    {"GETRANGE k 0 -1", "\"hello\""},
    {"GETRANGE k 1 3", "\"ell\""},
    {"GETRANGE k -3 -2", "\"ll\""},
    {"GETRANGE k -1 -3", "\"\""},
    {"GETRANGE k 3 100", "\"lo\""},
    {"GETRANGE k 100 200", "\"\""},
    {"GETRANGE none 0 1", "\"\""},
    {"GETRANGE k a 1", "-ERR value is not an integer or out of range"},
    {"SUBSTR k 0 1", "\"he\""},
    {"SET n -123", "+OK"},
    {"GETRANGE n 0 1", "\"-1\""},
    {"STRLEN n", ":4"},
    {"HSET h f v", ":1"},
    {"STRLEN h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"GETRANGE h 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"GETEX k PXAT 99999999999999", "\"hello\""},
    {"PEXPIRETIME k", ":99999999999999"},
    {"GETEX k PERSIST", "\"hello\""},
    {"PEXPIRETIME k", ":-1"},
    {"GETEX none EX 0", "nil"},
    {"GETEX k EX 0", "-ERR invalid expire time in 'getex' command"},
    {"GETEX k KEEPTTL", "-ERR syntax error"},
    {"GETEX h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"GETEX k PXAT 1", "\"hello\""},
    {"EXISTS k", ":0"},
    {"SET k gone", "+OK"},
    {"GETDEL k", "\"gone\""},
    {"GETDEL k", "nil"},
    {"GETDEL h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
};

static const struct exchange changing[] = {
    {"APPEND k ab", ":2"},
    {"OBJECT ENCODING k", "\"embstr\""},
    {"APPEND k cd", ":4"},
    {"OBJECT ENCODING k", "\"raw\""},
    {"GET k", "\"abcd\""},
    {"SET n 12", "+OK"},
    {"OBJECT ENCODING n", "\"int\""},
    {"APPEND n 3", ":3"},
    {"OBJECT ENCODING n", "\"raw\""},
    {"INCR n", ":124"},
    {"OBJECT ENCODING n", "\"int\""},
    {"SETRANGE s 3 x", ":4"},
    {"GET s", "\"\\x00\\x00\\x00x\""},
    {"SETRANGE s 0 ab", ":4"},
    {"GET s", "\"ab\\x00x\""},
    {"SETRANGE s -1 x", "-ERR offset is out of range"},
    {"SETRANGE s 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
    {"SETRANGE s x x", "-ERR value is not an integer or out of range"},
    {"HSET h f v", ":1"},
    {"APPEND h x", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"SETRANGE h 1 x", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"SET e 12345678901234567890123456789012345678901234", "+OK"},
    {"OBJECT ENCODING e", "\"embstr\""},
    {"SET e 123456789012345678901234567890123456789012345", "+OK"},
    {"OBJECT ENCODING e", "\"raw\""},
};

static const struct exchange counting[] = {
    {"INCR n", ":1"},
    {"INCRBY n 10", ":11"},
    {"DECR n", ":10"},
    {"DECRBY n 20", ":-10"},
    {"GET n", "\"-10\""},
    {"INCRBY n abc", "-ERR value is not an integer or out of range"},
    {"INCRBY n 9223372036854775807", ":9223372036854775797"},
    {"SET n 9223372036854775807", "+OK"},
    {"INCR n", "-ERR increment or decrement would overflow"},
    {"DECRBY n -9223372036854775808", "-ERR decrement would overflow"},
    {"SET n -9223372036854775808", "+OK"},
    {"DECR n", "-ERR increment or decrement would overflow"},
    {"SET n 1.5", "+OK"},
    {"INCR n", "-ERR value is not an integer or out of range"},
    {"INCRBYFLOAT n 0.1", "\"1.6\""},
    {"INCRBYFLOAT n -1.6", "\"0\""},
    {"OBJECT ENCODING n", "\"embstr\""},
    {"INCRBYFLOAT n abc", "-ERR value is not a valid float"},
    {"INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity"},
    {"INCRBYFLOAT n 1e400",
     "\"1000000000000000000028188068394758651458645343362905203862591069353968553400862986203936399"
     "484832416052209405392731761620029582277725925573402382897659334066101779744743454617391786244"
     "811667497172377894382439159333804747067502624668440135923751360383034373548550524495596497902"
     "182503828009106841494740245689865304095101751265809261582758892018347251164331659136266413817"
     "6309734806343732497430221946880\""},
    {"SET t abc", "+OK"},
    {"INCRBYFLOAT t 1", "-ERR value is not a valid float"},
    {"INCR t", "-ERR value is not an integer or out of range"},
    {"SET x 5 PXAT 99999999999999", "+OK"},
    {"INCR x", ":6"},
    {"PEXPIRETIME x", ":99999999999999"},
    {"INCRBYFLOAT x 1.5", "\"7.5\""},
    {"PEXPIRETIME x", ":99999999999999"},
    {"HSET h f v", ":1"},
    {"INCR h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"INCRBYFLOAT h 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
};

static const struct exchange common[] = {
    {"MSET a ohmytext b mynewtext", "+OK"},
    {"LCS a b", "\"mytext\""},
    {"LCS a b LEN", ":6"},
    {"LCS a b IDX", "[\"matches\", [[[:4, :7], [:5, :8]], [[:2, :3], [:0, :1]]], \"len\", :6]"},
    {"LCS a b IDX MINMATCHLEN 4", "[\"matches\", [[[:4, :7], [:5, :8]]], \"len\", :6]"},
    {"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
     "[\"matches\", [[[:4, :7], [:5, :8], :4]], \"len\", :6]"},
    {"LCS a b IDX LEN", "-ERR If you want both the length and indexes, please just use IDX."},
    {"LCS a b MINMATCHLEN x", "-ERR value is not an integer or out of range"},
    {"LCS a b FOO", "-ERR syntax error"},
    {"LCS a none", "\"\""},
    {"LCS none none IDX", "[\"matches\", [], \"len\", :0]"},
    {"HSET h f v", ":1"},
    {"LCS a h", "-ERR The specified keys must contain string values"},
};

static const struct exchange new_comparing[] = {
    {"SET k Hello", "+OK"},
    {"DIGEST k", "\"38e23bf5a2a77616\""},
    {"DIGEST none", "nil"},
    {"SET k v IFEQ other", "nil"},
    {"SET k v IFEQ Hello GET", "\"Hello\""},
    {"SET k w IFNE v", "nil"},
    {"SET k w IFNE x", "+OK"},
    {"SET k x IFDEQ 12", "-ERR must be exactly 16 hexadecimal characters"},
    {"SET k x IFDEQ 0000000000000000", "nil"},
    {"SET k x IFDNE 0000000000000000", "+OK"},
    {"SET none x IFEQ a", "nil"},
    {"SET none x IFDEQ 0000000000000000", "nil"},
    {"SET none x IFNE a", "+OK"},
    {"SET k y NX IFEQ x", "-ERR syntax error"},
    {"SET k y IFEQ", "-ERR syntax error"},
    {"DELEX k IFEQ other", ":0"},
    {"DELEX k IFNE other", ":1"},
    {"DELEX k", ":0"},
    {"SET k test", "+OK"},
    {"DELEX k IFDEQ 9EC9F7918D7DFC40", ":1"},
    {"SET k test", "+OK"},
    {"DELEX k IFDNE 9ec9f7918d7dfc40", ":0"},
    {"DELEX k IFDEQ short", "-ERR must be exactly 16 hexadecimal characters"},
    {"DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"},
    {"DELEX k FOO x", "-ERR syntax error"},
    {"DELIFEQ k other", ":0"},
    {"DELIFEQ k test", ":1"},
    {"DELIFEQ k test", ":0"},
    {"HSET h f v", ":1"},
    {"DIGEST h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"DELEX h IFEQ v", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"DELIFEQ h v", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"SET h v IFEQ x", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"DELEX h", ":1"},
};

static const struct exchange new_msetex[] = {
    {"MSETEX 2 a 1 b 2 PXAT 99999999999999", ":1"},
    {"PEXPIRETIME b", ":99999999999999"},
    {"MSETEX 2 a 1 c 2 NX", ":0"},
    {"EXISTS c", ":0"},
    {"MSETEX 2 a 3 b 4 XX KEEPTTL", ":1"},
    {"MGET a b", "[\"3\", \"4\"]"},
    {"PEXPIRETIME a", ":99999999999999"},
    {"MSETEX 1 a 5", ":1"},
    {"PEXPIRETIME a", ":-1"},
    {"MSETEX 0 a b", "-ERR invalid numkeys value"},
    {"MSETEX x a b", "-ERR invalid numkeys value"},
    {"MSETEX 2 a b", "-ERR wrong number of key-value pairs"},
    {"MSETEX 1 a b EX 0", "-ERR invalid expire time in 'msetex' command"},
    {"MSETEX 1 a b c", "-ERR syntax error"},
    {"MSETEX 1 a b NX XX", "-ERR syntax error"},
};

static const struct exchange new_increx[] = {
    {"INCREX c", "[:1, :1]"},
    {"INCREX c BYINT 5", "[:6, :5]"},
    {"INCREX c BYINT 5 UBOUND 10", "[:6, :0]"},
    {"GET c", "\"6\""},
    {"INCREX c BYINT 5 UBOUND 10 SATURATE PXAT 99999999999999", "[:10, :4]"},
    {"PEXPIRETIME c", ":99999999999999"},
    {"INCREX c BYINT -100 LBOUND 0 SATURATE", "[:0, :-10]"},
    {"PEXPIRETIME c", ":99999999999999"},
    {"INCREX c PERSIST", "[:1, :1]"},
    {"PEXPIRETIME c", ":-1"},
    {"INCREX c PXAT 50000000000000 ENX", "[:2, :1]"},
    {"INCREX c PXAT 60000000000000 ENX", "[:3, :1]"},
    {"PEXPIRETIME c", ":50000000000000"},
    {"INCREX c ENX", "-ERR ENX flag requires an expiration"},
    {"INCREX c ENX PERSIST", "-ERR syntax error"},
    {"INCREX c LBOUND 5 UBOUND 1", "-ERR LBOUND must be less than or equal to UBOUND"},
    {"INCREX c BYINT 1 BYFLOAT 1", "-ERR syntax error"},
    {"INCREX c EX 0", "-ERR invalid expire time in 'increx' command"},
    {"INCREX c BYINT x", "-ERR value is not an integer or out of range"},
    {"INCREX c BYFLOAT 1.5", "[\"4.5\", \"1.5\"]"},
    {"INCREX c BYFLOAT 10 UBOUND 5", "[\"4.5\", \"0\"]"},
    {"INCREX c BYFLOAT 10 UBOUND 5 SATURATE", "[\"5\", \"0.5\"]"},
    {"INCREX c BYFLOAT nan", "-ERR value is not a valid float"},
    {"SET c 4.5", "+OK"},
    {"INCREX c", "-ERR value is not an integer or out of range"},
    {"SET c 9223372036854775807", "+OK"},
    {"INCREX c", "[:9223372036854775807, :0]"},
    {"INCREX c SATURATE", "[:9223372036854775807, :0]"},
    {"SET c -9223372036854775808", "+OK"},
    {"INCREX c LBOUND 9223372036854775807 SATURATE", "-ERR applied increment would overflow"},
    {"INCREX fresh UBOUND 0", "[:0, :0]"},
    {"EXISTS fresh", ":0"},
    {"HSET h f v", ":1"},
    {"INCREX h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
};

static struct server *server;

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    server_stop(server);
}

static void run(const struct exchange *exchanges, size_t count) {
    int fd = wire_connect(server);
    wire_expect_reply(fd, "FLUSHALL", "+OK");
    for (size_t i = 0; i < count; i++) {
        harness_note(exchanges[i].line);
        wire_expect_reply(fd, exchanges[i].line, exchanges[i].reply);
    }
    close(fd);
}

static void test_setting(void **state) {
    (void)state;
    run(setting, sizeof setting / sizeof setting[0]);
}

static void test_reading(void **state) {
    (void)state;
    run(reading, sizeof reading / sizeof reading[0]);
}

static void test_changing(void **state) {
    (void)state;
    run(changing, sizeof changing / sizeof changing[0]);
}

static void test_counting(void **state) {
    (void)state;
    run(counting, sizeof counting / sizeof counting[0]);
}

static void test_common(void **state) {
    (void)state;
    run(common, sizeof common / sizeof common[0]);
}

static void test_new_comparing(void **state) {
    (void)state;
    if (server_is_reference()) {
        skip();
    }
    run(new_comparing, sizeof new_comparing / sizeof new_comparing[0]);
}

static void test_new_msetex(void **state) {
    (void)state;
    if (server_is_reference()) {
        skip();
    }
    run(new_msetex, sizeof new_msetex / sizeof new_msetex[0]);
}

static void test_new_increx(void **state) {
    (void)state;
    if (server_is_reference()) {
        skip();
    }
    run(new_increx, sizeof new_increx / sizeof new_increx[0]);
}

/* Sends words of any bytes and compares the reply. */
static void ask_words(int fd, const char *const *words, const size_t *sizes, size_t count,
                      const char *expected) {
    wire_send_words(fd, words, sizes, count);
    char *reply = wire_read_reply(fd);
    assert_string_equal(reply, expected);
    free(reply);
}

static void test_any_bytes(void **state) {
    (void)state;
    int fd = wire_connect(server);
    ask_words(fd, (const char *[]){"SET", "k\0\r\n", "v\0\r\n$-1\r\n"}, (size_t[]){3, 4, 9}, 3,
              "+OK");
    ask_words(fd, (const char *[]){"GET", "k\0\r\n"}, (size_t[]){3, 4}, 2,
              "\"v\\x00\\r\\n$-1\\r\\n\"");
    ask_words(fd, (const char *[]){"SET", "", ""}, (size_t[]){3, 0, 0}, 3, "+OK");
    ask_words(fd, (const char *[]){"GET", ""}, (size_t[]){3, 0}, 2, "\"\"");
    ask_words(fd, (const char *[]){"APPEND", "", ""}, (size_t[]){6, 0, 0}, 3, ":0");
    ask_words(fd, (const char *[]){"SETRANGE", "none", "5", ""}, (size_t[]){8, 4, 1, 0}, 4, ":0");
    ask_words(fd, (const char *[]){"EXISTS", "none"}, (size_t[]){6, 4}, 2, ":0");
    close(fd);
}

/* Around the sizes at which a value is kept, received and sent in another way. */
static void test_large_values(void **state) {
    (void)state;
    static const size_t sizes[] = {999, 1000, 1001, 16383, 16384, 32767, 32768, 40000, 300000};
    static char value[300000];
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (char)('a' + i % 23);
    }
    int fd = wire_connect(server);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        char number[32];
        snprintf(number, sizeof number, ":%zu", size + 3);
        char header[32];
        int header_size = snprintf(header, sizeof header, "$%zu\r\n", size);
        ask_words(fd, (const char *[]){"SET", "large", value}, (size_t[]){3, 5, size}, 3, "+OK");
        /* The old value is sent although it is replaced at once. */
        wire_send_words(fd, (const char *[]){"GETSET", "large", value}, (size_t[]){6, 5, size}, 3);
        wire_expect_bytes(fd, header, (size_t)header_size);
        wire_expect_bytes(fd, value, size);
        wire_expect(fd, "\r\n");
        /* As is one that changes under the reply. */
        wire_send_text(fd, "GET large\r\nSETRANGE large 0 XYZ\r\n");
        wire_expect_bytes(fd, header, (size_t)header_size);
        wire_expect_bytes(fd, value, size);
        char changed[32];
        snprintf(changed, sizeof changed, "\r\n:%zu\r\n", size);
        wire_expect(fd, changed);
        wire_expect_reply(fd, "APPEND large end", number);
        wire_expect_reply(fd, "GETRANGE large 0 4", "\"XYZde\"");
        wire_expect_reply(fd, "GETRANGE large -3 -1", "\"end\"");
        wire_expect_reply(fd, "OBJECT ENCODING large", "\"raw\"");
    }
    close(fd);
}

/* More keys than are looked ahead for at once. */
static void test_many_keys(void **state) {
    (void)state;
    enum { KEYS = 150 };
    static char names[KEYS][8];
    static const char *set[2 * KEYS + 1] = {"MSET"};
    static size_t set_sizes[2 * KEYS + 1] = {4};
    static const char *get[KEYS + 1] = {"MGET"};
    static size_t get_sizes[KEYS + 1] = {4};
    int fd = wire_connect(server);
    wire_expect_reply(fd, "FLUSHALL", "+OK");
    for (int i = 0; i < KEYS; i++) {
        size_t size = (size_t)snprintf(names[i], sizeof names[i], "key%d", i);
        set[2 * i + 1] = set[2 * i + 2] = get[i + 1] = names[i];
        set_sizes[2 * i + 1] = set_sizes[2 * i + 2] = get_sizes[i + 1] = size;
    }
    ask_words(fd, set, set_sizes, 2 * KEYS + 1, "+OK");
    wire_expect_reply(fd, "DBSIZE", ":150");
    wire_send_words(fd, get, get_sizes, KEYS + 1);
    wire_expect(fd, "*150\r\n");
    for (int i = 0; i < KEYS; i++) {
        char header[32];
        snprintf(header, sizeof header, "$%zu\r\n", get_sizes[i + 1]);
        wire_expect(fd, header);
        wire_expect(fd, names[i]);
        wire_expect(fd, "\r\n");
    }
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setting),    cmocka_unit_test(test_reading),
        cmocka_unit_test(test_changing),   cmocka_unit_test(test_counting),
        cmocka_unit_test(test_common),     cmocka_unit_test(test_new_comparing),
        cmocka_unit_test(test_new_msetex), cmocka_unit_test(test_new_increx),
        cmocka_unit_test(test_any_bytes),  cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_many_keys),  cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
