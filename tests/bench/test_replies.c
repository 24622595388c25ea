/* Tests of bench/load/replies: streams of all types, cut at every place and sent byte by byte, give
 * the same count. */
#include "load/replies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t count_all(const char *at, size_t size, size_t step, struct replies_tally *tally) {
    struct replies replies;
    int64_t count = 0;
    replies_init(&replies, 1);
    memset(tally, 0, sizeof *tally);
    for (size_t from = 0; from < size; from += step) {
        size_t piece = size - from < step ? size - from : step;
        /* A copy, so that a look beyond the piece is seen by the sanitizer. */
        char *copy = malloc(piece);
        assert_non_null(copy);
        memcpy(copy, at + from, piece);
        int64_t more = replies_count(&replies, copy, piece, tally);
        free(copy);
        if (more < 0) {
            return -1;
        }
        count += more;
    }
    return count;
}

struct stream {
    const char *text;
    int64_t replies; /* -1: no replies */
    uint64_t nulls;
    uint64_t errors;
};

static const struct stream streams[] = {
    {"+OK\r\n", 1, 0, 0},
    {"+OK\r\n+OK\r\n+OK\r\n+PONG\r\n+OK\r\n", 5, 0, 0},
    {"$3\r\nabc\r\n$3\r\n\r\n\r\r\n$3\r\n$3\r\r\n", 3, 0, 0},
    {"$-1\r\n$-1\r\n$-1\r\n_\r\n_\r\n", 5, 5, 0},
    {"$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n", 3, 0, 0},
    {"$64\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"
     "$64\r\n+OK\r\n56789012345678901234567890123456789012345678901234567890123\r\n"
     "+OK\r\n$-1\r\n$64\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"
     "+OK\r\n",
     6, 1, 0},
    {":1\r\n:0\r\n:-7\r\n:123456789012\r\n:1\r\n", 5, 0, 0},
    {"*3\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n*0\r\n*-1\r\n*1\r\n*2\r\n+OK\r\n+OK\r\n+OK\r\n", 5, 2, 0},
    {"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n#t\r\n~2\r\n,1.5\r\n(123\r\n=7\r\ntxt:abc\r\n", 3, 0, 0},
    {"-ERR one\r\n+OK\r\n-OOM two\r\n", 3, 0, 2},
    {"!9\r\nERR three\r\n+OK\r\n", 2, 0, 1},
    {"+a line that is longer than any form, and goes on and on and on and on and on and on and on "
     "and on and on and on and on and on and on and on\r\n+OK\r\n",
     2, 0, 0},
    {"hello\r\n", -1, 0, 0},
    {"\r\n", -1, 0, 0},
    {"+OK\r\n$x\r\n", -1, 0, 0},
    {"*99999999999999\r\n", -1, 0, 0},
};

static void test_streams(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        const struct stream *stream = &streams[i];
        size_t size = strlen(stream->text);
        for (size_t step = 1; step <= size; step++) {
            struct replies_tally tally;
            int64_t count = count_all(stream->text, size, step, &tally);
            assert_int_equal(count, stream->replies);
            if (count >= 0) {
                assert_int_equal(tally.nulls, stream->nulls);
                assert_int_equal(tally.errors, stream->errors);
            }
        }
    }
}

static void test_first_error(void **state) {
    (void)state;
    static const char text[] = "+OK\r\n-ERR first\r\n-ERR second\r\n";
    struct replies_tally tally;
    struct replies_tally sum = {0};
    for (size_t step = 1; step < sizeof text; step++) {
        assert_int_equal(count_all(text, sizeof text - 1, step, &tally), 3);
        assert_string_equal(tally.first_error, "ERR first");
    }
    replies_tally_add(&sum, &tally);
    replies_tally_add(&sum, &tally);
    assert_int_equal(sum.errors, 4);
    assert_string_equal(sum.first_error, "ERR first");
}

static void test_unfinished(void **state) {
    (void)state;
    static const char *const texts[] = {"$3\r\nabc\r", "*2\r\n+OK\r\n", "+OK", "$10\r\n123", "*"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct replies_tally tally;
        assert_int_equal(count_all(texts[i], strlen(texts[i]), 100, &tally), 0);
    }
}

/* Replies that belong to one request count as one, wherever the stream is cut. */
static void test_groups(void **state) {
    (void)state;
    static const char text[] = "+OK\r\n+QUEUED\r\n*2\r\n+OK\r\n$3\r\nabc\r\n"
                               "+OK\r\n+QUEUED\r\n*-1\r\n+OK\r\n-ERR no\r\n-EXECABORT\r\n"
                               "+OK\r\n+QUEUED\r\n";
    for (size_t step = 1; step < sizeof text; step++) {
        struct replies replies;
        struct replies_tally tally = {0};
        int64_t count = 0;
        replies_init(&replies, 3);
        for (size_t from = 0; from < sizeof text - 1; from += step) {
            size_t rest = sizeof text - 1 - from;
            count += replies_count(&replies, text + from, rest < step ? rest : step, &tally);
        }
        assert_int_equal(count, 3);
        assert_int_equal(tally.errors, 2);
        assert_int_equal(tally.nulls, 1);
        assert_int_equal(replies_count(&replies, "*0\r\n", 4, &tally), 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_first_error),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
