/* Tests of base/hash: the published values of XXH3, and that the seed counts. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_known_values(void **state) {
    (void)state;
    /* XXH3_64bits of the empty text, from the specification's test vectors. */
    assert_true(hash_bytes(0, "", 0) == 0x2d06800538d394c2ULL);
    assert_true(hash_bytes(0, NULL, 0) == 0x2d06800538d394c2ULL);
}

static void test_every_byte_and_seed_counts(void **state) {
    (void)state;
    unsigned char key[300];
    memset(key, 7, sizeof key);
    for (size_t size = 1; size <= sizeof key; size++) {
        uint64_t hash = hash_bytes(1, key, size);
        assert_true(hash == hash_bytes(1, key, size));
        assert_true(hash != hash_bytes(2, key, size));
        assert_true(hash != hash_bytes(1, key, size - 1));
        for (size_t i = 0; i < size; i += 1 + size / 10) {
            key[i]++;
            assert_true(hash != hash_bytes(1, key, size));
            key[i]--;
        }
    }
}

static void test_seed(void **state) {
    (void)state;
    hash_seed_set(42);
    assert_true(hash_seed() == 42);
    hash_seed_draw();
    uint64_t first = hash_seed();
    hash_seed_draw();
    assert_true(first != hash_seed());
}

static void test_mix(void **state) {
    (void)state;
    assert_true(hash_mix(0) == 0);
    assert_true(hash_mix(1) == 0xb456bcfc34c2cb2cULL);
    for (unsigned bit = 0; bit < 64; bit++) {
        int changed =
            __builtin_popcountll(hash_mix(12345) ^ hash_mix(12345 ^ ((uint64_t)1 << bit)));
        assert_in_range(changed, 10, 54);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_every_byte_and_seed_counts),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
