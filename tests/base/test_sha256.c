/* SHA-256 against the standard's examples, and at every length around a block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static void expect(const char *text, const char *digits) {
    char got[SHA256_DIGITS + 1] = {0};
    sha256_digits(bytes_text(text), got);
    assert_string_equal(got, digits);
}

static void test_examples(void **state) {
    (void)state;
    expect("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_a_million_letters(void **state) {
    (void)state;
    char *text = malloc(1000001);
    memset(text, 'a', 1000000);
    text[1000000] = '\0';
    expect(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

/* The hash of the hashes of "", "b", "bb" ... up to 130 letters, as Python's hashlib gives it. */
static void test_every_length(void **state) {
    (void)state;
    char text[131];
    char digits[131 * SHA256_DIGITS + 1];
    memset(text, 'b', sizeof text);
    for (size_t size = 0; size <= 130; size++) {
        sha256_digits(bytes_of(text, size), digits + size * SHA256_DIGITS);
    }
    digits[sizeof digits - 1] = '\0';
    expect(digits, "f03fa14c3c386399e9b0a30a03cb4170d435db472cb4e6706bcc94f2ea9c2cbd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_a_million_letters),
        cmocka_unit_test(test_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
