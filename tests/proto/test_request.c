/* Tests of proto/request.c: a corpus of inputs gives the same requests, or the same error at the
 * same place, however it is cut; every error; large bulks given from elsewhere; random bytes. */
#include "proto/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

/* Bytes with NUL bytes in them, as a slice. */
#define TEXT(literal)                                                                              \
    { literal, sizeof literal - 1 }

static const struct request_limits usual = {.bulk_max = 512 * 1024 * 1024};
static const struct request_limits strange = {.bulk_max = 512 * 1024 * 1024, .stranger = true};
static const struct request_limits narrow = {.bulk_max = 8};

/* A connection: what has come of it, in memory of exactly that size, and what the parser found. */
struct stream {
    const struct request_limits *limits;
    struct request_state state;
    char *input;
    size_t size;
    struct bytes *args;
    size_t room;
    bool gathers; /* bulks of which the end is missing are given */
    struct buffer given[32];
    int given_count;
    struct buffer record;
    bool ended; /* by an error */
};

static void stream_init(struct stream *stream, const struct request_limits *limits, bool gathers) {
    *stream = (struct stream){.limits = limits, .gathers = gathers, .room = 1};
    stream->input = malloc(1);
    stream->args = malloc(sizeof *stream->args);
    buffer_init(&stream->record, MEM_OTHER);
    request_begin(&stream->state, 0);
}

static void stream_clear(struct stream *stream) {
    free(stream->input);
    free(stream->args);
    for (int i = 0; i < stream->given_count; i++) {
        buffer_clear(&stream->given[i]);
    }
    buffer_clear(&stream->record);
}

static void note_request(struct stream *stream) {
    buffer_printf(&stream->record, "%d:", (int)stream->state.have);
    for (int32_t i = 0; i < stream->state.have; i++) {
        buffer_append_quoted(&stream->record, stream->args[i]);
    }
    buffer_append_text(&stream->record, "\n");
}

static void parse(struct stream *stream) {
    for (;;) {
        enum request_status status = request_parse(&stream->state, stream->input, stream->size,
                                                   stream->limits, stream->args, stream->room);
        assert_true(stream->state.at <= stream->size);
        assert_true((size_t)stream->state.have <= stream->room);
        if (status == REQUEST_ROOM) {
            stream->room *= 2;
            stream->args = realloc(stream->args, stream->room * sizeof *stream->args);
        } else if (status == REQUEST_READY) {
            note_request(stream);
            request_begin(&stream->state, stream->state.at);
        } else if (status == REQUEST_ERROR) {
            char text[64];
            request_error_text(&stream->state, text);
            buffer_append_text(&stream->record, text);
            stream->ended = true;
            return;
        } else {
            return;
        }
    }
}

/* The bytes move to new memory together with those that were there. */
static void feed(struct stream *stream, const char *at, size_t size) {
    if (stream->ended || size == 0) {
        return;
    }
    if (stream->gathers && stream->state.bulk >= 0) {
        /* Gathered elsewhere as far as it goes; only what is behind it comes into the input. */
        struct buffer *bulk = &stream->given[stream->given_count];
        size_t missing = (size_t)stream->state.bulk - bulk->size;
        size_t part = size < missing ? size : missing;
        buffer_append(bulk, at, part);
        if (part < missing) {
            return;
        }
        stream->given_count++;
        request_give_bulk(&stream->state, stream->size, buffer_bytes(bulk), stream->args);
        feed(stream, at + part, size - part);
        return;
    }
    char *moved = malloc(stream->size + size);
    memcpy(moved, stream->input, stream->size);
    memcpy(moved + stream->size, at, size);
    request_rebase(stream->args, stream->state.have, stream->input, stream->size, moved);
    free(stream->input);
    stream->input = moved;
    stream->size += size;
    parse(stream);
    size_t here = stream->size - stream->state.at;
    if (stream->gathers && !stream->ended && stream->state.bulk >= 0 && stream->given_count < 31 &&
        here < (size_t)stream->state.bulk) {
        struct buffer *bulk = &stream->given[stream->given_count];
        buffer_init(bulk, MEM_OTHER);
        buffer_append(bulk, stream->input + stream->state.at, here);
        stream->size = stream->state.at;
    } else if (stream->gathers) {
        stream->gathers = stream->state.bulk < 0 || stream->ended;
    }
}

/* What the parser found in the input cut at these places; to be freed. */
static char *parsed(struct bytes input, const struct request_limits *limits, size_t first,
                    size_t second, bool gathers) {
    struct stream stream;
    stream_init(&stream, limits, gathers);
    feed(&stream, input.at, first);
    feed(&stream, input.at + first, second - first);
    feed(&stream, input.at + second, input.size - second);
    char *text = strdup(buffer_text(&stream.record));
    stream_clear(&stream);
    return text;
}

struct sample {
    struct {
        const char *at;
        size_t size;
    } input;
    const char *found;
    const struct request_limits *limits; /* NULL: the usual ones */
};

static const struct sample corpus[] = {
    {TEXT("*1\r\n$4\r\nPING\r\n"), "1:\"PING\"\n", NULL},
    {TEXT("PING\r\n"), "1:\"PING\"\n", NULL},
    {TEXT("PING\nPING\r\n"), "1:\"PING\"\n1:\"PING\"\n", NULL},
    {TEXT("\r\n\n*0\r\n*-1\r\nPING\r\n"), "0:\n0:\n0:\n0:\n1:\"PING\"\n", NULL},
    {TEXT("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
     "2:\"GET\"\"\"\n2:\"GET\"\"k\"\n", NULL},
    {TEXT("*3\r\n$3\r\nSET\r\n$4\r\n\r\n\0*\r\n$12\r\n*1\r\n$4\r\nPING\r\n"),
     "3:\"SET\"\"\\r\\n\\x00*\"\"*1\\r\\n$4\\r\\nPING\"\n", NULL},
    {TEXT("set  'a\\'b' \"c\\x00\\r\\n\"\r\nget 'x y'\n"),
     "3:\"set\"\"a'b\"\"c\\x00\\r\\n\"\n2:\"get\"\"x y\"\n", NULL},
    {TEXT("*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\nPING\r\n*1\r\n$"
          "4\r\nQUIT\r\n"),
     "5:\"MSET\"\"a\"\"1\"\"b\"\"2\"\n1:\"PING\"\n1:\"QUIT\"\n", NULL},
    /* Ends in the middle: nothing is found of the last. */
    {TEXT("PING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk"), "1:\"PING\"\n", NULL},
    /* Errors, with requests in front of them and bytes behind. */
    {TEXT("PING\r\n*x\r\nPING\r\n"), "1:\"PING\"\ninvalid multibulk length", NULL},
    {TEXT("*\r\n"), "invalid multibulk length", NULL},
    {TEXT("*01\r\n"), "invalid multibulk length", NULL},
    {TEXT("*+1\r\n"), "invalid multibulk length", NULL},
    {TEXT("*2147483648\r\n"), "invalid multibulk length", NULL},
    {TEXT("*99999999999999999999999\r\n"), "invalid multibulk length", NULL},
    {TEXT("*1\r\n$-1\r\n"), "invalid bulk length", NULL},
    {TEXT("*1\r\n$\r\n"), "invalid bulk length", NULL},
    {TEXT("*1\r\n$ 4\r\nPING\r\n"), "invalid bulk length", NULL},
    {TEXT("*1\r\n$04\r\nPING\r\n"), "invalid bulk length", NULL},
    {TEXT("*1\r\n$536870913\r\n"), "invalid bulk length", NULL},
    {TEXT("*1\r\n$99999999999999999999\r\n"), "invalid bulk length", NULL},
    {TEXT("*2\r\n$3\r\nGET\r\n+OK\r\n"), "expected '$', got '+'", NULL},
    {TEXT("*1\r\n4\r\nPING\r\n"), "expected '$', got '4'", NULL},
    {TEXT("PING\r\nGET \"abc\r\n"), "1:\"PING\"\nunbalanced quotes in request", NULL},
    {TEXT("GET 'a'b\r\n"), "unbalanced quotes in request", NULL},
    {TEXT("*1\r\n$4\r\nPINGPING\r\n"), "expected CR and LF", NULL},
    {TEXT("*1\r\n$4\r\nPING\rPING\r\n"), "expected CR and LF", NULL},
    {TEXT("*1\r*1\r\n"), "expected CR and LF", NULL},
    {TEXT("*1\r\n$4\rPING\r\n"), "expected CR and LF", NULL},
    /* What is not text. */
    {TEXT("PING\r\n\x16\x03\x01\x02\0\x01\r\nSET pwned 1\r\n"),
     "1:\"PING\"\nunexpected first byte of a request", NULL},
    {TEXT("\0PING\r\n"), "unexpected first byte of a request", NULL},
    {TEXT("\x80PING\r\n"), "unexpected first byte of a request", NULL},
    {TEXT("\xffPING\r\n"), "unexpected first byte of a request", NULL},
    {TEXT("\x7fPING\r\n"), "unexpected first byte of a request", NULL},
    {TEXT("\x08PING\r\n"), "unexpected first byte of a request", NULL},
    {TEXT("\x0ePING\r\n"), "unexpected first byte of a request", NULL},
    {TEXT("*0\r\n\x1bPING\r\n"), "0:\nunexpected first byte of a request", NULL},
    {TEXT("PING\nPI\0NG\r\nSET pwned 1\r\n"), "1:\"PING\"\nNUL byte in inline request", NULL},
    {TEXT("PING \0"), "NUL byte in inline request", NULL},
    {TEXT("SET \"a\0b\" 1\r\n"), "NUL byte in inline request", NULL},
    {TEXT("GET \"a\0\r\n"), "NUL byte in inline request", NULL},
    /* Space in front, and bytes that are not ASCII behind the beginning, are text. */
    {TEXT("\tPING\r\n\vPING\r\n\fPING\r\n\rPING\r\n PING\r\n"),
     "1:\"PING\"\n1:\"PING\"\n1:\"PING\"\n1:\"PING\"\n1:\"PING\"\n", NULL},
    {TEXT("~ \x01\r\n+PING\r\nSET \xc3\xa9 \xff\x7f\r\n"),
     "2:\"~\"\"\\x01\"\n1:\"+PING\"\n3:\"SET\"\"\\xc3\\xa9\"\"\\xff\\x7f\"\n", NULL},
    /* Limits. */
    {TEXT("*11\r\n$4\r\nPING\r\n"), "unauthenticated multibulk length", &strange},
    {TEXT("*1\r\n$16385\r\n"), "unauthenticated bulk length", &strange},
    {TEXT("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*10\r\n$16384\r\n"), "2:\"AUTH\"\"x\"\n", &strange},
    {TEXT("*2\r\n$4\r\nECHO\r\n$8\r\n12345678\r\n*1\r\n$9\r\n123456789\r\n"),
     "2:\"ECHO\"\"12345678\"\ninvalid bulk length", &narrow},
};
#define CORPUS (sizeof corpus / sizeof corpus[0])

static void expect(const struct sample *sample, size_t first, size_t second, bool gathers) {
    struct bytes input = bytes_of(sample->input.at, sample->input.size);
    char *found =
        parsed(input, sample->limits == NULL ? &usual : sample->limits, first, second, gathers);
    if (strcmp(found, sample->found) != 0) {
        fail_msg("input %d cut at %zu and %zu%s:\n%s\ninstead of\n%s", (int)(sample - corpus),
                 first, second, gathers ? ", gathered" : "", found, sample->found);
    }
    free(found);
}

static void test_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < CORPUS; i++) {
        expect(&corpus[i], corpus[i].input.size, corpus[i].input.size, false);
    }
}

static void test_every_split(void **state) {
    (void)state;
    for (size_t i = 0; i < CORPUS; i++) {
        for (size_t at = 0; at <= corpus[i].input.size; at++) {
            expect(&corpus[i], at, corpus[i].input.size, false);
            expect(&corpus[i], at, corpus[i].input.size, true);
        }
    }
}

static void test_every_pair_of_splits(void **state) {
    (void)state;
    for (size_t i = 0; i < CORPUS; i++) {
        for (size_t first = 0; first <= corpus[i].input.size; first++) {
            for (size_t second = first; second <= corpus[i].input.size; second++) {
                expect(&corpus[i], first, second, false);
                expect(&corpus[i], first, second, true);
            }
        }
    }
}

static void test_byte_by_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < CORPUS; i++) {
        struct stream stream;
        stream_init(&stream, corpus[i].limits == NULL ? &usual : corpus[i].limits, false);
        for (size_t at = 0; at < corpus[i].input.size; at++) {
            feed(&stream, corpus[i].input.at + at, 1);
        }
        assert_string_equal(buffer_text(&stream.record), corpus[i].found);
        stream_clear(&stream);
    }
}

/* Where the parser stands after an error: at the beginning of what is wrong. */
static void test_place_of_errors(void **state) {
    (void)state;
    char input[] = "*2\r\n$3\r\nGET\r\n+OK\r\n";
    struct bytes args[4];
    struct request_state parsing;
    request_begin(&parsing, 0);
    assert_int_equal(request_parse(&parsing, input, sizeof input - 1, &usual, args, 4),
                     REQUEST_ERROR);
    assert_int_equal(parsing.error, REQUEST_EXPECTED_BULK);
    assert_int_equal(parsing.got, '+');
    assert_int_equal(parsing.at, 13);
    assert_int_equal(parsing.have, 1);
}

/* A line that does not end. */
static void expect_long(const char *start, enum request_error error) {
    size_t head = strlen(start);
    size_t size = head + REQUEST_LINE_MAX + 3;
    char *input = malloc(size);
    memcpy(input, start, head);
    memset(input + head, '1', size - head);
    struct bytes args[4];
    struct request_state parsing;
    request_begin(&parsing, 0);
    /* As long as it may still end within the limit there is no error. */
    assert_int_equal(request_parse(&parsing, input, head + REQUEST_LINE_MAX - 1, &usual, args, 4),
                     REQUEST_MORE);
    assert_int_equal(request_parse(&parsing, input, size, &usual, args, 4), REQUEST_ERROR);
    assert_int_equal(parsing.error, error);
    free(input);
}

static void test_long_lines(void **state) {
    (void)state;
    expect_long("*", REQUEST_LONG_COUNT);
    expect_long("*1\r\n$", REQUEST_LONG_BULK);
    expect_long("", REQUEST_LONG_INLINE);
    /* An inline request of exactly the limit, and one byte more, when its end is there. */
    char *input = malloc(REQUEST_LINE_MAX + 3);
    for (size_t size = REQUEST_LINE_MAX; size <= REQUEST_LINE_MAX + 1; size++) {
        memset(input, 'a', size);
        memcpy(input + size, "\r\n", 2);
        struct stream stream;
        stream_init(&stream, &usual, false);
        feed(&stream, input, size + 2);
        assert_int_equal(stream.ended, size > REQUEST_LINE_MAX);
        stream_clear(&stream);
        /* The same when its end comes byte by byte. */
        stream_init(&stream, &usual, false);
        feed(&stream, input, size);
        feed(&stream, input + size, 1);
        feed(&stream, input + size + 1, 1);
        assert_int_equal(stream.ended, size > REQUEST_LINE_MAX);
        stream_clear(&stream);
    }
    free(input);
}

static void test_error_texts(void **state) {
    (void)state;
    for (int error = REQUEST_BAD_COUNT; error <= REQUEST_NUL_INLINE; error++) {
        struct request_state parsing = {.error = (enum request_error)error, .got = 'x'};
        char text[64];
        memset(text, 'x', sizeof text);
        request_error_text(&parsing, text);
        assert_non_null(memchr(text, 0, sizeof text));
        assert_int_not_equal(text[0], 0);
    }
    struct request_state parsing = {.error = REQUEST_LONG_COUNT};
    char text[64];
    request_error_text(&parsing, text);
    assert_string_equal(text, "too big mbulk count string");
    parsing.error = REQUEST_LONG_BULK;
    request_error_text(&parsing, text);
    assert_string_equal(text, "too big bulk count string");
    parsing.error = REQUEST_LONG_INLINE;
    request_error_text(&parsing, text);
    assert_string_equal(text, "too big inline request");
}

/* Room is asked for only when the next argument would not fit, and nothing is lost by it. */
static void test_room(void **state) {
    (void)state;
    char input[] = "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n";
    struct bytes args[3];
    for (size_t room = 0; room < 3; room++) {
        struct request_state parsing;
        request_begin(&parsing, 0);
        assert_int_equal(request_parse(&parsing, input, sizeof input - 1, &usual, args, room),
                         REQUEST_ROOM);
        assert_int_equal(parsing.have, room);
        assert_int_equal(request_parse(&parsing, input, sizeof input - 1, &usual, args, 3),
                         REQUEST_READY);
        assert_int_equal(parsing.have, 3);
        assert_int_equal(parsing.at, sizeof input - 1);
        assert_memory_equal(args[2].at, "c", 1);
    }
    /* A large announcement asks for no more than what is there. */
    char huge[] = "*2147483647\r\n$1\r\na\r\n";
    struct request_state parsing;
    request_begin(&parsing, 0);
    assert_int_equal(request_parse(&parsing, huge, sizeof huge - 1, &usual, args, 2), REQUEST_MORE);
    assert_int_equal(parsing.have, 1);
    assert_int_equal(parsing.expect, INT32_MAX);
}

static void test_given_bulks(void **state) {
    (void)state;
    char head[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n";
    struct bytes args[3];
    struct request_state parsing;
    request_begin(&parsing, 0);
    assert_int_equal(request_parse(&parsing, head, sizeof head - 1, &usual, args, 3), REQUEST_MORE);
    assert_int_equal(parsing.bulk, 100);
    assert_int_equal(parsing.at, sizeof head - 1);
    char value[100];
    memset(value, 'v', sizeof value);
    request_give_bulk(&parsing, 0, bytes_of(value, sizeof value), args);
    /* Its line end comes in two reads, in input that begins anew. */
    char rest[] = "\r\nPING\r\n";
    assert_int_equal(request_parse(&parsing, rest, 0, &usual, args, 3), REQUEST_MORE);
    assert_int_equal(request_parse(&parsing, rest, 1, &usual, args, 3), REQUEST_MORE);
    assert_int_equal(request_parse(&parsing, rest, sizeof rest - 1, &usual, args, 3),
                     REQUEST_READY);
    assert_int_equal(parsing.at, 2);
    assert_int_equal(parsing.have, 3);
    assert_ptr_equal(args[2].at, value);
    /* And when something else is in its place. */
    request_begin(&parsing, 0);
    assert_int_equal(request_parse(&parsing, head, sizeof head - 1, &usual, args, 3), REQUEST_MORE);
    request_give_bulk(&parsing, 0, bytes_of(value, sizeof value), args);
    char wrong[] = "x\r\n";
    assert_int_equal(request_parse(&parsing, wrong, sizeof wrong - 1, &usual, args, 3),
                     REQUEST_ERROR);
    assert_int_equal(parsing.error, REQUEST_NO_LINE_END);
}

static void test_rebase(void **state) {
    (void)state;
    char old[8] = "abcdefg";
    char new[8] = "";
    char other[2] = "x";
    struct bytes args[] = {bytes_of(old, 2), bytes_of(old + 7, 0), bytes_of(other, 1),
                           bytes_of(old + 8, 0)};
    request_rebase(args, 4, old, 8, new);
    assert_ptr_equal(args[0].at, new);
    assert_ptr_equal(args[1].at, new + 7);
    assert_ptr_equal(args[2].at, other);
    assert_ptr_equal(args[3].at, new + 8);
}

/* Bytes of the protocol's alphabet, so that much of it is nearly right. */
static void test_random_bytes(void **state) {
    (void)state;
    static const char alphabet[] = "*$\r\n\r\n0123-+ \"'\\xaGET\0";
    uint32_t seed = 12345;
    for (int round = 0; round < 20000; round++) {
        char input[64];
        size_t size = 1 + (size_t)round % sizeof input;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            input[i] = alphabet[(seed >> 16) % (sizeof alphabet)];
        }
        seed = seed * 1664525u + 1013904223u;
        size_t cut = (seed >> 16) % (size + 1);
        const struct request_limits *limits = round % 3 == 0 ? &narrow : &usual;
        struct bytes all = bytes_of(input, size);
        char *whole = parsed(all, limits, size, size, false);
        char *split = parsed(all, limits, cut, size, false);
        char *gathered = parsed(all, limits, cut, size, true);
        assert_string_equal(whole, split);
        assert_string_equal(whole, gathered);
        free(whole);
        free(split);
        free(gathered);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_every_pair_of_splits),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_place_of_errors),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_error_texts),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_given_bulks),
        cmocka_unit_test(test_rebase),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
