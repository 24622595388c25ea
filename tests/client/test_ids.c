/* Tests of client/ids.c against a plain array, while clients come and go: in order of their ids, as
 * they do, and with gaps. */
#include "client/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/client.h"

#define MOST 500

static struct client *clients[MOST];
static struct ids ids;

static void expect_all(uint64_t next_id) {
    assert_true(ids_are_valid(&ids));
    size_t count = 0;
    for (int i = 0; i < MOST; i++) {
        if (clients[i] != NULL) {
            assert_ptr_equal(ids_find(&ids, clients[i]->id), clients[i]);
            count++;
        }
    }
    assert_int_equal(ids.count, count);
    assert_null(ids_find(&ids, 0));
    assert_null(ids_find(&ids, next_id));
    assert_null(ids_find(&ids, UINT64_MAX));
}

static void test_coming_and_going(void **state) {
    (void)state;
    srand(1);
    uint64_t next_id = 1;
    ids_init(&ids);
    for (int step = 0; step < 6000; step++) {
        /* By turns more come than go, and the other way round. */
        int at = rand() % MOST;
        bool growing = step / 1000 % 2 == 0;
        if (clients[at] == NULL && (growing || rand() % 8 == 0)) {
            clients[at] = calloc(1, sizeof(struct client));
            clients[at]->id = next_id++;
            next_id += step % 3 == 0 ? (uint64_t)(rand() % 1000) : 0;
            ids_add(&ids, clients[at]);
        } else if (clients[at] != NULL && (!growing || rand() % 8 == 0)) {
            uint64_t id = clients[at]->id;
            ids_remove(&ids, clients[at]);
            assert_null(ids_find(&ids, id));
            free(clients[at]);
            clients[at] = NULL;
        }
        if (step % 7 == 0) {
            expect_all(next_id);
        }
    }
    for (int i = 0; i < MOST; i++) {
        if (clients[i] != NULL) {
            ids_remove(&ids, clients[i]);
            free(clients[i]);
            clients[i] = NULL;
        }
    }
    expect_all(next_id);
    ids_free(&ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coming_and_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
