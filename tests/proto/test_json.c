/* Tests of proto/json.c and proto/base64.c: tokens of texts as canonical strings; what is refused;
 * UTF-8; random bytes; base64 there and back. */
#include "proto/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "proto/base64.h"

/* The tokens of `text`, which lies in memory of exactly its size. */
static void read_all(struct bytes text, struct buffer *out) {
    char *copy = malloc(text.size > 0 ? text.size : 1);
    memcpy(copy, text.at, text.size);
    struct json json;
    json_begin(&json, copy, text.size);
    for (;;) {
        struct bytes token = bytes_of("", 0);
        switch (json_next(&json, &token)) {
        case JSON_ARRAY:
            buffer_append_text(out, "[");
            break;
        case JSON_ARRAY_END:
            buffer_append_text(out, "]");
            break;
        case JSON_STRING:
            buffer_append_quoted(out, token);
            break;
        case JSON_NUMBER:
        case JSON_WORD:
            buffer_printf(out, "<%.*s>", (int)token.size, token.at);
            break;
        case JSON_END:
            buffer_append_text(out, ".");
            free(copy);
            return;
        case JSON_BAD:
            buffer_append_text(out, "!");
            free(copy);
            return;
        }
    }
}

static void expect(const char *text, const char *wanted) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    read_all(bytes_text(text), &out);
    assert_string_equal(buffer_text(&out), wanted);
    buffer_clear(&out);
}

static void test_tokens(void **state) {
    (void)state;
    expect("[]", "[].");
    expect(" [ \"a\" , 1 , -2.5e+3, true,null ] \r\n", "[\"a\"<1><-2.5e+3><true><null>].");
    expect("[[\"SET\",\"k\",\"v\"],[\"GET\",\"k\"]]", "[[\"SET\"\"k\"\"v\"][\"GET\"\"k\"]].");
    expect("[\"\\u0041\\n\\/\\\"\\\\\\u00e9\\u20ac\\ud83d\\ude00\\u0000\"]",
           "[\"A\\n/\\\"\\\\\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\x00\"].");
    expect("[\"\\ud83d\"]", "[\"\\xef\\xbf\\xbd\"].");
    expect("[\"\\ude00\\ud83dx\"]", "[\"\\xef\\xbf\\xbd\\xef\\xbf\\xbdx\"].");
    expect("5", "<5>.");
    expect("\"x\"", "\"x\".");
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",           "[",           "]",     "[,]",  "[1,]",      "[1 2]",       "[1]]",
        "[1][",       "{}",          "[{}]",  "[01]", "[1.]",      "[.5]",        "[1e]",
        "[-]",        "[+1]",        "[tru]", "[\"]", "[\"\\x\"]", "[\"\\u12\"]", "[\"\\",
        "[\"a\nb\"]", "[[[[[1]]]]]", "['a']", "[1],", "nul",       "[\"a\"\"b\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buffer out;
        buffer_init(&out, MEM_OTHER);
        read_all(bytes_text(bad[i]), &out);
        assert_int_equal(out.at[out.size - 1], '!');
        buffer_clear(&out);
    }
    expect("[[[[1]]]]", "[[[[<1>]]]].");
}

static void test_random(void **state) {
    (void)state;
    static const char letters[] = "[]\",:\\u0123459eE+-.ntrufalse {}\xc3\xa9\x01";
    srand(3);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t size = (size_t)rand() % sizeof text;
        for (size_t i = 0; i < size; i++) {
            text[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        }
        struct buffer out;
        buffer_init(&out, MEM_OTHER);
        read_all(bytes_of(text, size), &out);
        assert_true(out.size > 0);
        buffer_clear(&out);
    }
}

static void test_utf8(void **state) {
    (void)state;
    assert_int_equal(json_utf8(bytes_text("a")), 1);
    assert_int_equal(json_utf8(bytes_text("\xc3\xa9x")), 2);
    assert_int_equal(json_utf8(bytes_text("\xe2\x82\xac")), 3);
    assert_int_equal(json_utf8(bytes_text("\xf0\x9f\x98\x80")), 4);
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xff",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(json_utf8(bytes_text(bad[i])), 0);
    }
}

static void test_base64(void **state) {
    (void)state;
    static const struct {
        const char *plain;
        const char *encoded;
    } pairs[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[64];
        struct bytes plain = bytes_text(pairs[i].plain);
        size_t size = (size_t)(base64_encode(out, plain) - out);
        assert_int_equal(size, base64_size(plain.size));
        assert_int_equal(size, strlen(pairs[i].encoded));
        assert_memory_equal(out, pairs[i].encoded, size);
        assert_int_equal(base64_decode(out, bytes_text(pairs[i].encoded)), plain.size);
        assert_memory_equal(out, plain.at, plain.size);
    }
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm8-", "Zm 8"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char out[16];
        assert_int_equal(base64_decode(out, bytes_text(bad[i])), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
