/* The commands on bitmaps: every line is sent and its reply compared. What the reference knows
 * holds for it as well; tables named new_ are of later versions. */
#include "harness.h"
#include "wire.h"

#include <unistd.h>

struct exchange {
    const char *line;
    const char *reply;
};

static const struct exchange single[] = {
    {"SETBIT k 7 1", ":0"},
    {"SETBIT k 7 0", ":1"},
    {"SETBIT k 100 1", ":0"},
    {"STRLEN k", ":13"},
    {"GETBIT k 100", ":1"},
    {"GETBIT k 101", ":0"},
    {"GETBIT k 10000", ":0"},
    {"GETBIT none 0", ":0"},
    {"SETBIT k -1 1", "-ERR bit offset is not an integer or out of range"},
    {"SETBIT k 4294967296 1", "-ERR bit offset is not an integer or out of range"},
    {"SETBIT k 0 2", "-ERR bit is not an integer or out of range"},
    {"SETBIT k x 1", "-ERR bit offset is not an integer or out of range"},
    {"GETBIT k x", "-ERR bit offset is not an integer or out of range"},
    {"SET n 12", "+OK"},
    {"SETBIT n 0 0", ":0"},
    {"OBJECT ENCODING n", "\"raw\""},
    {"HSET h f v", ":1"},
    {"SETBIT h 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"GETBIT h 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
};

static const struct exchange counting[] = {
    {"SET k foobar", "+OK"},
    {"BITCOUNT k", ":26"},
    {"BITCOUNT k 0 0", ":4"},
    {"BITCOUNT k 1 1", ":6"},
    {"BITCOUNT k -2 -1", ":7"},
    {"BITCOUNT k -1 -2", ":0"},
    {"BITCOUNT k 5 30 BIT", ":17"},
    {"BITCOUNT k 5 30 BYTE", ":4"},
    {"BITCOUNT k 1 x", "-ERR value is not an integer or out of range"},
    {"BITCOUNT k 1 2 FOO", "-ERR syntax error"},
    {"BITCOUNT none x", ":0"},
    {"BITPOS k 1", ":1"},
    {"BITPOS k 0", ":0"},
    {"BITPOS k 1 2", ":17"},
    {"BITPOS k 1 -1 -1", ":41"},
    {"BITPOS k 1 7 15 BIT", ":9"},
    {"BITPOS k 1 100", ":-1"},
    {"BITPOS k 2", "-ERR The bit argument must be 1 or 0."},
    {"BITPOS k x", "-ERR value is not an integer or out of range"},
    {"BITPOS k 1 1 2 FOO", "-ERR syntax error"},
    {"BITPOS none 1", ":-1"},
    {"BITPOS none 0", ":0"},
    {"SETBIT z 20 0", ":0"},
    {"BITPOS z 1", ":-1"},
    {"BITFIELD f SET u16 0 65535", "[:0]"},
    {"BITPOS f 0", ":16"},
    {"BITPOS f 0 0 -1", ":-1"},
    {"BITPOS f 0 1", ":16"},
    {"HSET h f v", ":1"},
    {"BITCOUNT h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"BITPOS h 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
};

static const struct exchange combining[] = {
    {"MSET a abcdef b ABCD", "+OK"},
    {"BITOP AND d a b", ":6"},
    {"GET d", "\"ABCD\\x00\\x00\""},
    {"BITOP OR d a b", ":6"},
    {"GET d", "\"abcdef\""},
    {"BITOP XOR d a b none", ":6"},
    {"GET d", "\"    ef\""},
    {"BITOP NOT d b", ":4"},
    {"GET d", "\"\\xbe\\xbd\\xbc\\xbb\""},
    {"OBJECT ENCODING d", "\"raw\""},
    {"BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key."},
    {"BITOP AND d none", ":0"},
    {"EXISTS d", ":0"},
    {"BITOP AND a a b", ":6"},
    {"GET a", "\"ABCD\\x00\\x00\""},
    {"BITOP FOO d a", "-ERR syntax error"},
    {"HSET h f v", ":1"},
    {"BITOP AND d a h", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
};

static const struct exchange new_combining[] = {
    {"MSET x abc y b z c1", "+OK"},
    {"BITOP DIFF d x y z", ":3"},
    {"GET d", "\"\\x00Bc\""},
    {"BITOP DIFF1 d x y z", ":3"},
    {"GET d", "\"\\x02\\x11\\x00\""},
    {"BITOP ANDOR d x y z", ":3"},
    {"GET d", "\"a \\x00\""},
    {"BITOP ONE d x y z", ":3"},
    {"GET d", "\"\\x00Sc\""},
    {"BITOP ONE d x", ":3"},
    {"GET d", "\"abc\""},
    {"BITOP DIFF d x", "-ERR BITOP DIFF must be called with at least two source keys."},
};

static const struct exchange fields[] = {
    {"BITFIELD k SET u8 0 255 GET u8 0 GET i8 0", "[:0, :255, :-1]"},
    {"BITFIELD k INCRBY u4 #1 3 GET u4 4", "[:2, :2]"},
    {"BITFIELD k OVERFLOW SAT INCRBY u4 4 100 OVERFLOW FAIL INCRBY u4 4 1 GET u4 4",
     "[:15, nil, :15]"},
    {"BITFIELD k OVERFLOW SAT INCRBY u4 4 -100", "[:0]"},
    {"BITFIELD k SET i64 60 -1 GET i64 60 GET u63 61", "[:0, :-1, :9223372036854775807]"},
    {"BITFIELD k OVERFLOW WRAP INCRBY i64 60 -9223372036854775808", "[:9223372036854775807]"},
    {"BITFIELD k OVERFLOW FAIL SET u8 0 256", "[nil]"},
    {"BITFIELD k OVERFLOW SAT SET u8 0 -1 GET u8 0", "[:240, :255]"},
    {"BITFIELD k OVERFLOW SAT SET i8 0 -200 GET i8 0", "[:-1, :-128]"},
    {"BITFIELD none GET u8 1000", "[:0]"},
    {"EXISTS none", ":0"},
    {"BITFIELD k", "[]"},
    {"BITFIELD k GET u64 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is."},
    {"BITFIELD k GET i65 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is."},
    {"BITFIELD k GET x8 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                            "is not supported but i64 is."},
    {"BITFIELD k GET u8 -1", "-ERR bit offset is not an integer or out of range"},
    {"BITFIELD k GET u8 4294967296", "-ERR bit offset is not an integer or out of range"},
    {"BITFIELD k GET u8", "-ERR syntax error"},
    {"BITFIELD k SET u8 0 x", "-ERR value is not an integer or out of range"},
    {"BITFIELD k OVERFLOW FOO", "-ERR Invalid OVERFLOW type specified"},
    {"BITFIELD k FOO", "-ERR syntax error"},
    {"BITFIELD_RO k GET u8 0", "[:128]"},
    {"BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"},
    {"HSET h f v", ":1"},
    {"BITFIELD h GET u8 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    {"BITFIELD h SET u8 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
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

static void test_single(void **state) {
    (void)state;
    run(single, sizeof single / sizeof single[0]);
}

static void test_counting(void **state) {
    (void)state;
    run(counting, sizeof counting / sizeof counting[0]);
}

static void test_combining(void **state) {
    (void)state;
    run(combining, sizeof combining / sizeof combining[0]);
}

static void test_new_combining(void **state) {
    (void)state;
    if (server_is_reference()) {
        skip();
    }
    run(new_combining, sizeof new_combining / sizeof new_combining[0]);
}

static void test_fields(void **state) {
    (void)state;
    run(fields, sizeof fields / sizeof fields[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),    cmocka_unit_test(test_counting),
        cmocka_unit_test(test_combining), cmocka_unit_test(test_new_combining),
        cmocka_unit_test(test_fields),    cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
