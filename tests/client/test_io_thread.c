/* Tests of client/io_thread: parcels. Its threads are tested in tests-integration: test_threads.c,
 * test_thread_edges.c. */
#include "client/io_thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client/shared.h"

/* ---- parcels ---- */

static void test_an_empty_parcel(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_BUFFER);
    struct parcel *parcel = parcel_new();
    assert_int_equal(parcel->link.kind, HANDOFF_PARCEL);
    assert_int_equal(parcel->count, 0);
    assert_false(parcel->end);
    assert_false(parcel->stop_reading);
    parcel_free(parcel);
    parcel_drop(parcel_new());
    assert_int_equal(mem_used_by(MEM_BUFFER), before);
}

/* What is in it stays in order while it grows. */
static void test_parcels_grow(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    static struct client *const nobody;
    size_t before = mem_used_by(MEM_BUFFER);
    struct parcel *parcel = NULL;
    for (unsigned i = 0; i < COUNT; i++) {
        struct mail *mail = parcel_add(&parcel);
        *mail = (struct mail){.client = nobody, .orders = i};
        assert_ptr_equal(mail, &parcel->mail[i]);
    }
    assert_int_equal(parcel->count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(parcel->mail[i].orders, i);
    }
    parcel_free(parcel);
    assert_int_equal(mem_used_by(MEM_BUFFER), before);
}

/* One that nobody opens gives back what was queued: bytes, blobs and shared runs. */
static void test_dropping_a_parcel(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_BUFFER);
    struct shared_log log = {0};
    struct blob *blob = blob_try_new(100000);
    assert_non_null(blob);
    blob->size = 100000;
    memset(blob->bytes, 'b', blob->size);
    struct parcel *parcel = NULL;
    for (int i = 0; i < 40; i++) {
        struct mail *mail = parcel_add(&parcel);
        *mail = (struct mail){0};
        output_init(&mail->output);
        if (i % 3 == 0) {
            output_append(&mail->output, "bytes", 5);
        }
        if (i % 3 == 1) {
            output_append_blob(&mail->output, blob, blob->bytes, blob->size);
        }
        if (i % 2 == 0) {
            char *at = shared_log_room(&log, 10);
            memset(at, 's', 10);
            struct shared_run run = shared_log_take(&log, at + 10);
            output_append_run(&mail->output, &run);
            shared_release(run.block);
        }
    }
    assert_true(blob_is_shared(blob));
    parcel_drop(parcel);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
    shared_log_clear(&log);
    assert_int_equal(mem_used_by(MEM_BUFFER), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_parcel),
        cmocka_unit_test(test_parcels_grow),
        cmocka_unit_test(test_dropping_a_parcel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
