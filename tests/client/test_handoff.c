/* Tests of client/handoff: order within one thread and between two. */
#include "client/handoff.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
    struct handoff link;
    uint64_t number;
};

static void test_order(void **state) {
    (void)state;
    struct handoff_queue queue = {NULL};
    struct item items[5] = {0};
    assert_true(handoff_is_empty(&queue));
    assert_null(handoff_take(&queue));
    for (int round = 1; round <= 5; round++) {
        for (int i = 0; i < round; i++) {
            items[i].number = (uint64_t)i;
            handoff_push(&queue, &items[i].link);
            assert_false(handoff_is_empty(&queue));
        }
        struct handoff *at = handoff_take(&queue);
        for (int i = 0; i < round; i++, at = at->next) {
            assert_ptr_equal(at, &items[i].link);
        }
        assert_null(at);
        assert_true(handoff_is_empty(&queue));
    }
}

#define ITEMS 200000

static struct handoff_queue there;
static struct handoff_queue back;

/* Gives back what comes, with its number doubled. */
static void *answer(void *context) {
    (void)context;
    for (uint64_t seen = 0; seen < ITEMS;) {
        struct handoff *at = handoff_take(&there);
        if (at == NULL) {
            sched_yield();
        }
        while (at != NULL) {
            struct handoff *next = at->next;
            struct item *item = (struct item *)at;
            item->number *= 2;
            handoff_push(&back, at);
            seen++;
            at = next;
        }
    }
    return NULL;
}

/* Two threads, two queues, few items: everything comes back in order, with what was done to it. */
static void test_threads(void **state) {
    (void)state;
    enum { ABOUT = 64 };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer, NULL), 0);
    uint64_t sent = 0;
    uint64_t received = 0;
    while (received < ITEMS) {
        while (sent < ITEMS && sent - received < ABOUT) {
            struct item *item = malloc(sizeof *item);
            item->number = sent++;
            handoff_push(&there, &item->link);
        }
        struct handoff *at = handoff_take(&back);
        if (at == NULL) {
            sched_yield();
        }
        while (at != NULL) {
            struct handoff *next = at->next;
            assert_int_equal(((struct item *)at)->number, received * 2);
            received++;
            free(at);
            at = next;
        }
    }
    pthread_join(thread, NULL);
    assert_true(handoff_is_empty(&there) && handoff_is_empty(&back));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
