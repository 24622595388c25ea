/* Tests of client/sends: many are gathered, each is told what became of it, also of those that fail
 * and of those that had to go because there were too many. */
#include "client/sends.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ev/loop.h"

#define PAIRS 5

struct end {
    int fds[2];
    int told;
    ssize_t sent;
    size_t offered;
};

static char epoll[] = "epoll";
static char uring[] = "io_uring";
static struct loop *loop;
static struct sends *sends;
static struct end ends[PAIRS];

static int setup(void **state) {
    const char *error;
    loop = loop_new(*state, 64, &error);
    assert_non_null(loop);
    sends = sends_new(loop);
    memset(ends, 0, sizeof ends);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i].fds), 0);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        close(ends[i].fds[0]);
        if (ends[i].fds[1] >= 0) {
            close(ends[i].fds[1]);
        }
    }
    sends_free(sends);
    loop_free(loop);
    return 0;
}

static void done(void *owner, void *what, ssize_t sent, size_t offered) {
    assert_ptr_equal(owner, ends);
    struct end *end = what;
    end->told++;
    end->sent = sent;
    end->offered = offered;
}

static void send_to(int i) {
    static char one[] = "one";
    static char two[] = "two!";
    struct iovec *pieces = sends_pieces(sends);
    pieces[0] = (struct iovec){.iov_base = one, .iov_len = 3};
    pieces[1] = (struct iovec){.iov_base = two, .iov_len = 4};
    sends_add(sends, ends[i].fds[0], 2, 7, done, ends, &ends[i]);
}

static void expect_sent(int i) {
    char got[16];
    assert_int_equal(ends[i].told, 1);
    assert_int_equal(ends[i].sent, 7);
    assert_int_equal(ends[i].offered, 7);
    assert_int_equal(read(ends[i].fds[1], got, sizeof got), 7);
    assert_memory_equal(got, "onetwo!", 7);
}

static void test_all_are_told(void **state) {
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        send_to(i);
    }
    assert_true(ends[0].told == 1); /* more than go together in a test build */
    assert_true(ends[PAIRS - 1].told == 0);
    sends_commit(sends);
    for (int i = 0; i < PAIRS; i++) {
        expect_sent(i);
    }
    sends_commit(sends); /* nothing is left */
    assert_int_equal(ends[0].told, 1);
}

static void test_full_and_broken_sockets(void **state) {
    (void)state;
    static char bytes[65536];
    while (write(ends[0].fds[0], bytes, sizeof bytes) > 0) {}
    close(ends[1].fds[1]);
    ends[1].fds[1] = -1;
    for (int i = 0; i < 3; i++) {
        send_to(i);
    }
    sends_commit(sends);
    assert_int_equal(ends[0].told, 1);
    assert_int_equal(ends[0].sent, 0);
    assert_int_equal(ends[1].told, 1);
    assert_int_equal(ends[1].sent, -EPIPE);
    expect_sent(2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(test_all_are_told, setup, teardown, epoll),
        cmocka_unit_test_prestate_setup_teardown(test_all_are_told, setup, teardown, uring),
        cmocka_unit_test_prestate_setup_teardown(test_full_and_broken_sockets, setup, teardown,
                                                 epoll),
        cmocka_unit_test_prestate_setup_teardown(test_full_and_broken_sockets, setup, teardown,
                                                 uring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
