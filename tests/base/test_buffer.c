/* Tests of base/buffer: growing, printing, quoting. */
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/words.h"

static struct buffer fresh(void) {
    struct buffer buffer;
    buffer_init(&buffer, MEM_OTHER);
    return buffer;
}

static void test_empty(void **state) {
    (void)state;
    size_t before = mem_used();
    struct buffer buffer = fresh();
    assert_int_equal(buffer_bytes(&buffer).size, 0);
    buffer_append(&buffer, NULL, 0);
    assert_null(buffer.at);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.size, 0);
    buffer_clear(&buffer);
    buffer_clear(&buffer);
    assert_int_equal(mem_used(), before);
    buffer_append_text(&buffer, "again");
    assert_string_equal(buffer_text(&buffer), "again");
    buffer_clear(&buffer);
}

static void test_grows(void **state) {
    (void)state;
    size_t before = mem_used();
    struct buffer buffer = fresh();
    for (int i = 0; i < 10000; i++) {
        buffer_append_byte(&buffer, (char)i);
    }
    assert_int_equal(buffer.size, 10000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(buffer.at[i], (char)i);
    }
    assert_int_equal(mem_used() - before, mem_class(buffer.capacity));
    char *room = buffer_reserve(&buffer, 100000);
    assert_ptr_equal(room, buffer.at + 10000);
    assert_int_equal(buffer.size, 10000);
    memset(room, 1, 100000);
    buffer_clear(&buffer);
    assert_int_equal(mem_used(), before);
}

/* The NUL must have room even when the content fills the capacity to the last byte. */
static void test_text_at_the_edge(void **state) {
    (void)state;
    struct buffer buffer = fresh();
    buffer_append_byte(&buffer, 'x');
    while (buffer.size < buffer.capacity) {
        buffer_append_byte(&buffer, 'x');
    }
    size_t size = buffer.size;
    assert_int_equal(strlen(buffer_text(&buffer)), size);
    assert_int_equal(buffer.size, size);
    assert_true(buffer.capacity > size);
    buffer_clear(&buffer);
}

static void test_printf(void **state) {
    (void)state;
    struct buffer buffer = fresh();
    buffer_printf(&buffer, "%s:%d", "a", 7);
    buffer_printf(&buffer, "%s", "");
    for (int width = 50; width < 80; width++) {
        size_t size = buffer.size;
        buffer_printf(&buffer, "%*d", width, width);
        assert_int_equal(buffer.size - size, width);
    }
    buffer_printf(&buffer, "%5000d|", 1);
    const char *text = buffer_text(&buffer);
    assert_int_equal(strncmp(text, "a:7", 3), 0);
    assert_int_equal(text[buffer.size - 1], '|');
    assert_int_equal(text[buffer.size - 2], '1');
    assert_int_equal(text[buffer.size - 3], ' ');
    buffer_clear(&buffer);
}

static void test_quoted(void **state) {
    (void)state;
    struct buffer buffer = fresh();
    buffer_append_quoted(&buffer, bytes_of(NULL, 0));
    assert_string_equal(buffer_text(&buffer), "\"\"");
    buffer_clear(&buffer);
    buffer_append_quoted(&buffer, bytes_of("a b\"\\\n\r\t\a\b\0\x01\x7f\xff'~", 16));
    assert_string_equal(buffer_text(&buffer),
                        "\"a b\\\"\\\\\\n\\r\\t\\a\\b\\x00\\x01\\x7f\\xff'~\"");
    buffer_clear(&buffer);
}

static void test_quoted_reads_back(void **state) {
    (void)state;
    char all[256];
    for (int i = 0; i < 256; i++) {
        all[i] = (char)i;
    }
    struct buffer buffer = fresh();
    buffer_append_quoted(&buffer, bytes_of(all, sizeof all));
    struct bytes word;
    assert_int_equal(words_split(buffer_bytes(&buffer), buffer.at, &word, 1), 1);
    assert_true(bytes_equal(word, bytes_of(all, sizeof all)));
    buffer_clear(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_text_at_the_edge),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_quoted_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
