/* Tests of proto/http.c: a corpus of inputs gives the same requests, or the same refusal, however
 * it is cut; what smuggles requests is refused; limits; dates, queries, lists; random bytes. */
#include "proto/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static const struct http_limits usual = {.head_max = 4096, .field_max = 20, .body_max = 1 << 20};
static const struct http_limits narrow = {.head_max = 64, .field_max = 2, .body_max = 8};

static void note_text(struct buffer *record, struct bytes text) {
    if (text.at == NULL) {
        buffer_append_text(record, "-");
    } else {
        buffer_append_quoted(record, text);
    }
}

static void note_request(struct buffer *record, const struct http_state *state,
                         const struct http_head *head, const char *input) {
    buffer_printf(record, "%d.%d %c ", (int)head->method, head->minor,
                  head->keep_alive ? 'k' : 'c');
    note_text(record, head->path);
    note_text(record, head->query);
    for (int i = 0; i < HTTP_FIELDS; i++) {
        if (head->fields[i].at != NULL) {
            buffer_printf(record, " %d=", i);
            note_text(record, head->fields[i]);
        }
    }
    buffer_append_text(record, " ");
    buffer_append_quoted(record, bytes_of(input + state->head, state->body_size));
    buffer_append_text(record, "\n");
}

/* Feeds `text` in pieces that end at the offsets which `next` gives, the input in memory of exactly
 * its size each time, and records what comes. */
static void feed(const struct http_limits *limits, struct bytes text,
                 size_t (*next)(size_t fed, size_t at), size_t at, struct buffer *record) {
    char *input = malloc(1);
    size_t size = 0;
    size_t fed = 0;
    struct http_state state;
    struct http_head head;
    http_begin(&state);
    while (fed < text.size) {
        size_t to = next(fed, at);
        to = to > text.size || to <= fed ? text.size : to;
        char *moved = malloc(size + (to - fed) + 1);
        memcpy(moved, input, size);
        memcpy(moved + size, text.at + fed, to - fed);
        size += to - fed;
        fed = to;
        free(input);
        input = malloc(size + 1);
        memcpy(input, moved, size);
        free(moved);
        input = realloc(input, size > 0 ? size : 1);
        for (;;) {
            enum http_status status = http_parse(&state, input, size, limits, &head);
            if (status == HTTP_MORE) {
                break;
            }
            if (status == HTTP_ERROR) {
                buffer_printf(record, "refused %d\n", state.status);
                free(input);
                return;
            }
            assert_true(state.at <= size && state.head + state.body_size <= state.at);
            note_request(record, &state, &head, input);
            size -= state.at;
            memmove(input, input + state.at, size);
            input = realloc(input, size > 0 ? size : 1);
            http_begin(&state);
            if (size == 0) {
                break;
            }
        }
    }
    free(input);
    if (size > 0) {
        buffer_append_text(record, "more\n");
    }
}

static size_t whole(size_t fed, size_t at) {
    (void)fed;
    (void)at;
    return SIZE_MAX;
}

static size_t split(size_t fed, size_t at) {
    return fed == 0 ? at : SIZE_MAX;
}

static size_t single(size_t fed, size_t at) {
    (void)at;
    return fed + 1;
}

/* However it is cut, it gives this. */
static void expect(const struct http_limits *limits, struct bytes text, const char *wanted) {
    struct buffer record;
    buffer_init(&record, MEM_OTHER);
    feed(limits, text, whole, 0, &record);
    if (wanted != NULL) {
        assert_string_equal(buffer_text(&record), wanted);
    }
    struct buffer again;
    buffer_init(&again, MEM_OTHER);
    for (size_t at = 1; at <= text.size; at++) {
        again.size = 0;
        feed(limits, text, at == text.size ? single : split, at, &again);
        assert_string_equal(buffer_text(&again), buffer_text(&record));
    }
    buffer_clear(&again);
    buffer_clear(&record);
}

#define EXPECT(text, wanted) expect(&usual, bytes_of(text, sizeof(text) - 1), wanted)
#define H                    "Host: a\r\n"

static void test_requests(void **state) {
    (void)state;
    EXPECT("GET / HTTP/1.1\r\n" H "\r\n", "0.1 k \"/\"- 0=\"a\" \"\"\n");
    EXPECT("GET / HTTP/1.0\r\n\r\n", "0.0 c \"/\"- \"\"\n");
    EXPECT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "0.0 k \"/\"- \"\"\n");
    EXPECT("GET / HTTP/1.1\r\n" H "Connection: te, close\r\n\r\n", "0.1 c \"/\"- 0=\"a\" \"\"\n");
    EXPECT("PUT /k?ttl=5&x HTTP/1.1\r\nhOsT:a\r\nContent-Length: 3\r\n\r\nabc",
           "3.1 k \"/k\"\"ttl=5&x\" 0=\"a\" \"abc\"\n");
    EXPECT("\r\nGET / HTTP/1.1\r\n" H "\r\n", "0.1 k \"/\"- 0=\"a\" \"\"\n");
    EXPECT("GET http://b:80/p?q HTTP/1.1\r\n" H "\r\n", "0.1 k \"/p\"\"q\" 0=\"b:80\" \"\"\n");
    EXPECT("GET http://b HTTP/1.1\r\n" H "\r\n", "0.1 k \"/\"- 0=\"b\" \"\"\n");
    EXPECT("OPTIONS * HTTP/1.1\r\n" H "\r\n", "5.1 k \"*\"- 0=\"a\" \"\"\n");
    EXPECT("BREW / HTTP/1.1\r\n" H "\r\n", "7.1 k \"/\"- 0=\"a\" \"\"\n");
    EXPECT("GET /a HTTP/1.1\r\n" H "\r\nHEAD /b HTTP/1.1\r\n" H "\r\nPOST /c HTTP/1.1\r\n" H
           "Content-Length: 0\r\n\r\nDELETE /d HTTP/1.1\r\n" H "\r\n",
           "0.1 k \"/a\"- 0=\"a\" \"\"\n1.1 k \"/b\"- 0=\"a\" \"\"\n2.1 k \"/c\"- 0=\"a\" \"\"\n"
           "4.1 k \"/d\"- 0=\"a\" \"\"\n");
    EXPECT("GET / HTTP/1.1\r\n" H "If-None-Match: \"x\"\r\nX: \xff\t y\r\nRange: \t bytes=0-1 \r\n"
           "\r\n",
           "0.1 k \"/\"- 0=\"a\" 4=\"\\\"x\\\"\" 6=\"bytes=0-1\" \"\"\n");
}

static void test_chunks(void **state) {
    (void)state;
    EXPECT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A;x=\"y\"\r\n"
           "0123456789\r\n0\r\nX: y\r\n\r\nGET /n HTTP/1.1\r\n" H "\r\n",
           "2.1 k \"/\"- 0=\"a\" \"abc0123456789\"\n0.1 k \"/n\"- 0=\"a\" \"\"\n");
    EXPECT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "2.1 k \"/\"- 0=\"a\" \"\"\n");
#define CHUNKS(text, wanted)                                                                       \
    EXPECT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n" text, wanted)
    CHUNKS("3\r\nabcd\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("3\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("3\r\nabc\n0\r\n\r\n", "refused 400\n");
    CHUNKS("0x3\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("+3\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("-1\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS(" 3\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("3 \r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("3 ;x\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("3;a\nb\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("ffffffffffffffff\r\n", "refused 400\n");
    CHUNKS("0000000000000003\r\nabc\r\n0\r\n\r\n", "refused 400\n");
    CHUNKS("fffffff\r\n", "refused 413\n");
    CHUNKS("0\r\nX : y\r\n\r\n", "refused 400\n");
    CHUNKS("0\r\nX: y\n\r\n", "refused 400\n");
    CHUNKS("0\r\n X: y\r\n\r\n", "refused 400\n");
    CHUNKS("3\r\nab", "more\n");
#undef CHUNKS
}

/* What two readers could take for different requests. */
static const char *const smuggled[] = {
    "GET / HTTP/1.1\n" H "\r\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\n" H "\n",
    "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n",
    "GET / HTTP/1.1\r\n X: a\r\n" H "\r\n",
    "GET / HTTP/1.1\r\n" H "X : a\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n",
    "GET / HTTP/1.1\r\n" H ": a\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X(y): a\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "\xc3\xa9: a\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X: \x01\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "X: \x7f\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\n" H H "\r\n",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "GET  / HTTP/1.1\r\n" H "\r\n",
    "GET /  HTTP/1.1\r\n" H "\r\n",
    "GET / HTTP/1.1 \r\n" H "\r\n",
    " GET / HTTP/1.1\r\n" H "\r\n",
    "GET\t/ HTTP/1.1\r\n" H "\r\n",
    "GET /a\tb HTTP/1.1\r\n" H "\r\n",
    "GET /a b HTTP/1.1\r\n" H "\r\n",
    "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n",
    "GET /a#b HTTP/1.1\r\n" H "\r\n",
    "GET a HTTP/1.1\r\n" H "\r\n",
    "GET ** HTTP/1.1\r\n" H "\r\n",
    "CONNECT a:80 HTTP/1.1\r\n" H "\r\n",
    "GET http:///p HTTP/1.1\r\n" H "\r\n",
    "GET http://a@b/p HTTP/1.1\r\n" H "\r\n",
    "GET https://b/p HTTP/1.1\r\n" H "\r\n",
    "GET / http/1.1\r\n" H "\r\n",
    "GET / HTTP/1\r\n" H "\r\n",
    "GET / HTTP/1.10\r\n" H "\r\n",
    "GET / HTTP/01.1\r\n" H "\r\n",
    "GET / HTTP/1.x\r\n" H "\r\n",
    "GET /\r\n" H "\r\n",
    "GET\r\n\r\n",
    "\r\n\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n",
    "\nGET / HTTP/1.1\r\n" H "\r\n",
    "G(T / HTTP/1.1\r\n" H "\r\n",
    "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: 3 4\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: 3.0\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Content_Length: 3\r\nContent-Length : 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n",
    "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\x0b"
    "chunked\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
    "GET / HTTP/1.1\r\n" H "Authorization: a\r\nAuthorization: b\r\n\r\n",
};

static void test_smuggling(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof smuggled / sizeof smuggled[0]; i++) {
        print_message("%s\n", smuggled[i]);
        expect(&usual, bytes_text(smuggled[i]), "refused 400\n");
    }
    EXPECT("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", "refused 400\n");
    EXPECT("GET /\0 HTTP/1.1\r\n" H "\r\n", "refused 400\n");
    EXPECT("\x16\x03\x01", "refused 400\n");
    EXPECT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "refused 505\n");
    EXPECT("GET / HTTP/3.1\r\n" H "\r\n", "refused 505\n");
    EXPECT("GET / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", "refused 417\n");
}

static void test_limits(void **state) {
    (void)state;
    expect(&narrow, bytes_text("GET / HTTP/1.1\r\n" H "A: b\r\n\r\n"),
           "0.1 k \"/\"- 0=\"a\" \"\"\n");
    expect(&narrow, bytes_text("GET / HTTP/1.1\r\n" H "A: b\r\nC: d\r\n\r\n"), "refused 431\n");
    expect(&narrow,
           bytes_text("GET /0123456789012345678901234567890123456789012345678901234567890 HTTP"),
           "refused 414\n");
    expect(&narrow,
           bytes_text("GET / HTTP/1.1\r\nHost: 01234567890123456789012345678901234567890123456789"),
           "refused 431\n");
    expect(&narrow, bytes_text("PUT / HTTP/1.1\r\n" H "Content-Length: 8\r\n\r\n01234567"),
           "3.1 k \"/\"- 0=\"a\" \"01234567\"\n");
    expect(&narrow, bytes_text("PUT / HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\n"),
           "refused 413\n");
    /* Heads of every size around the limit. */
    for (size_t size = 0; size < 60; size++) {
        char text[256];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "A: %.*s\r\n\r\n", (int)size,
                 "0123456789012345678901234567890123456789012345678901234567890");
        expect(&narrow, bytes_text(text),
               strlen(text) <= 64 ? "0.1 k \"/\"- 0=\"a\" \"\"\n" : "refused 431\n");
    }
}

static void test_expectation(void **state) {
    (void)state;
    char text[] = "PUT /k HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab";
    struct http_state parse;
    struct http_head head;
    http_begin(&parse);
    assert_int_equal(http_parse(&parse, text, sizeof text - 3, &usual, &head), HTTP_MORE);
    assert_int_equal(parse.phase, HTTP_PHASE_BODY);
    assert_true(head.expects);
    assert_int_equal(head.content_length, 2);
    assert_int_equal(http_parse(&parse, text, sizeof text - 1, &usual, &head), HTTP_READY);
    assert_int_equal(parse.at, sizeof text - 1);
}

/* Pieces of requests, put together and spoilt: every cut gives the same. */
static void test_random(void **state) {
    (void)state;
    static const char *const pieces[] = {"GET / HTTP/1.1\r\n",
                                         "POST /a HTTP/1.1\r\n",
                                         H,
                                         "\r\n",
                                         "Content-Length: 2\r\n",
                                         "ab",
                                         "Transfer-Encoding: chunked\r\n",
                                         "1\r\nx\r\n",
                                         "0\r\n\r\n",
                                         "\n",
                                         "\r",
                                         " ",
                                         ":",
                                         "X: y\r\n",
                                         "Expect: 100-continue\r\n",
                                         "\t"};
    srand(7);
    for (int round = 0; round < 3000; round++) {
        char text[256];
        size_t size = 0;
        for (int i = 0; i < 8; i++) {
            const char *piece = pieces[(size_t)rand() % (sizeof pieces / sizeof pieces[0])];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        if (rand() % 4 == 0) {
            text[(size_t)rand() % size] = (char)rand();
        }
        expect(&usual, bytes_of(text, size), NULL);
    }
}

static void test_unescape(void **state) {
    (void)state;
    char text[] = "a%20b%00%fF+c";
    assert_int_equal(http_unescape(text, sizeof text - 1, false), 7);
    assert_memory_equal(text, "a b\0\xff+c", 7);
    char query[] = "a+b%2B";
    assert_int_equal(http_unescape(query, 6, true), 4);
    assert_memory_equal(query, "a b+", 4);
    char bad[] = "%2x%%%";
    for (size_t size = 1; size < 7; size++) {
        assert_int_equal(http_unescape(bad, size, false), -1);
    }
}

static void test_query(void **state) {
    (void)state;
    struct bytes query = bytes_text("a=1&b&c=&=d");
    struct bytes name;
    struct bytes value;
    assert_true(http_query_next(&query, &name, &value));
    assert_true(bytes_is(name, "a") && bytes_is(value, "1"));
    assert_true(http_query_next(&query, &name, &value));
    assert_true(bytes_is(name, "b") && value.at == NULL);
    assert_true(http_query_next(&query, &name, &value));
    assert_true(bytes_is(name, "c") && value.at != NULL && value.size == 0);
    assert_true(http_query_next(&query, &name, &value));
    assert_true(name.size == 0 && bytes_is(value, "d"));
    assert_false(http_query_next(&query, &name, &value));
}

static void test_list(void **state) {
    (void)state;
    struct bytes list = bytes_text(" , \"a,b\" ,W/\"c\",, d ");
    struct bytes member;
    assert_true(http_list_next(&list, &member) && bytes_is(member, "\"a,b\""));
    assert_true(http_list_next(&list, &member) && bytes_is(member, "W/\"c\""));
    assert_true(http_list_next(&list, &member) && bytes_is(member, "d"));
    assert_false(http_list_next(&list, &member));
}

static void test_date(void **state) {
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } dates[] = {{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
                 {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
                 {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
                 {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
                 {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"}};
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        char out[HTTP_DATE_SIZE];
        http_format_date(out, dates[i].seconds);
        assert_memory_equal(out, dates[i].text, HTTP_DATE_SIZE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_smuggling),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_expectation), cmocka_unit_test(test_random),
        cmocka_unit_test(test_unescape),    cmocka_unit_test(test_query),
        cmocka_unit_test(test_list),        cmocka_unit_test(test_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
