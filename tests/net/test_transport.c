/* Tests of net/transport: each result that its contract names, on socket pairs. */
#include "net/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
    struct transport here;
    int there;
};

static int set_up(void **state) {
    struct ends *ends = calloc(1, sizeof *ends);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ends->here = (struct transport){.kind = transport_plain(), .fd = fds[0]};
    ends->there = fds[1];
    *state = ends;
    return 0;
}

static int tear_down(void **state) {
    struct ends *ends = *state;
    if (ends->here.fd >= 0) {
        transport_close(&ends->here);
    }
    assert_int_equal(ends->here.fd, -1);
    close(ends->there);
    free(ends);
    return 0;
}

static void test_bytes_go_through(void **state) {
    struct ends *ends = *state;
    char in[16];
    assert_int_equal(transport_read(&ends->here, in, sizeof in), -EAGAIN);
    assert_int_equal(transport_write(&ends->here, "a\0\r\n", 4), 4);
    assert_int_equal(read(ends->there, in, sizeof in), 4);
    assert_memory_equal(in, "a\0\r\n", 4);
    assert_int_equal(write(ends->there, "xyz", 3), 3);
    assert_int_equal(transport_read(&ends->here, in, 2), 2);
    assert_int_equal(transport_read(&ends->here, in + 2, 14), 1);
    assert_memory_equal(in, "xyz", 3);
    assert_false(ends->here.kind->has_pending(&ends->here));
}

static void test_pieces(void **state) {
    struct ends *ends = *state;
    char first[2];
    char second[8];
    struct iovec out[] = {{.iov_base = (char[]){'a', 'b'}, .iov_len = 2},
                          {.iov_base = NULL, .iov_len = 0},
                          {.iov_base = (char[]){'c', 'd', 'e'}, .iov_len = 3}};
    struct iovec in[] = {{.iov_base = first, .iov_len = sizeof first},
                         {.iov_base = second, .iov_len = sizeof second}};
    assert_int_equal(transport_readv(&ends->here, in, 2), -EAGAIN);
    assert_int_equal(transport_writev(&ends->here, out, 3), 5);
    assert_int_equal(read(ends->there, second, sizeof second), 5);
    assert_memory_equal(second, "abcde", 5);
    assert_int_equal(write(ends->there, "12345", 5), 5);
    assert_int_equal(transport_readv(&ends->here, in, 2), 5);
    assert_memory_equal(first, "12", 2);
    assert_memory_equal(second, "345", 3);
}

static void test_more_pieces_than_the_kernel_takes(void **state) {
    struct ends *ends = *state;
    enum { COUNT = IOV_MAX + 10 };
    static char bytes[COUNT];
    static struct iovec pieces[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pieces[i] = (struct iovec){.iov_base = &bytes[i], .iov_len = 1};
    }
    assert_int_equal(transport_writev(&ends->here, pieces, COUNT), IOV_MAX);
}

static void test_full_socket_takes_part_then_nothing(void **state) {
    struct ends *ends = *state;
    size_t size = (size_t)8 << 20;
    char *large = calloc(1, size);
    ssize_t moved = transport_write(&ends->here, large, size);
    assert_in_range(moved, 1, size - 1);
    assert_int_equal(transport_write(&ends->here, large, size), -EAGAIN);
    struct iovec piece = {.iov_base = large, .iov_len = size};
    assert_int_equal(transport_writev(&ends->here, &piece, 1), -EAGAIN);
    free(large);
}

static void test_closed_peer(void **state) {
    struct ends *ends = *state;
    char in[4];
    struct iovec piece = {.iov_base = in, .iov_len = sizeof in};
    close(ends->there);
    ends->there = dup(0);
    assert_int_equal(transport_read(&ends->here, in, sizeof in), 0);
    assert_int_equal(transport_readv(&ends->here, &piece, 1), 0);
    /* An error, and no SIGPIPE that would end the test. */
    assert_int_equal(transport_write(&ends->here, "x", 1), -EPIPE);
    assert_int_equal(transport_writev(&ends->here, &piece, 1), -EPIPE);
    transport_close(&ends->here);
    assert_int_equal(transport_read(&ends->here, in, sizeof in), -EBADF);
}

/* Another kind, to see that the shortcut of the plain one leaves it alone. */

static size_t seen_size;

static ssize_t odd_readv(struct transport *transport, const struct iovec *pieces, int count) {
    (void)transport;
    assert_int_equal(count, 1);
    memset(pieces[0].iov_base, 'o', pieces[0].iov_len);
    return (ssize_t)pieces[0].iov_len;
}

static ssize_t odd_writev(struct transport *transport, const struct iovec *pieces, int count) {
    (void)transport;
    assert_int_equal(count, 1);
    seen_size = pieces[0].iov_len;
    return -EAGAIN;
}

static void test_other_kinds_go_through_their_functions(void **state) {
    (void)state;
    const struct transport_kind kind = {.name = "odd", .readv = odd_readv, .writev = odd_writev};
    struct transport odd = {.kind = &kind, .fd = -1};
    char in[3];
    assert_int_equal(transport_read(&odd, in, 3), 3);
    assert_memory_equal(in, "ooo", 3);
    assert_int_equal(transport_write(&odd, "four", 4), -EAGAIN);
    assert_int_equal(seen_size, 4);
}

#define ENDS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ENDS_TEST(test_bytes_go_through),
        ENDS_TEST(test_pieces),
        ENDS_TEST(test_more_pieces_than_the_kernel_takes),
        ENDS_TEST(test_full_socket_takes_part_then_nothing),
        ENDS_TEST(test_closed_peer),
        cmocka_unit_test(test_other_kinds_go_through_their_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
