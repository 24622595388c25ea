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

#include "ev/backends.h"

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
    assert_false(ends->here.has_pending);
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

/* Streams of a loop, over each backend. */

struct guest {
    struct loop_watch watch; /* first: its function gets this address */
    struct transport transport;
    char bytes[32];
    size_t size;
    ssize_t last;
};

static void on_ready(struct loop_watch *watch, unsigned ready) {
    struct guest *guest = (struct guest *)(void *)watch;
    assert_int_equal(ready, LOOP_READ);
    guest->last = transport_read(&guest->transport, guest->bytes + guest->size,
                                 sizeof guest->bytes - guest->size);
    guest->size += guest->last > 0 ? (size_t)guest->last : 0;
}

static void run_until(struct loop *loop, const struct guest *guest, size_t size, ssize_t last) {
    for (int i = 0; i < 1000 && (guest->size < size || guest->last != last); i++) {
        loop_run_once(loop, 1000);
    }
    assert_int_equal(guest->size, size);
    assert_int_equal(guest->last, last);
}

static void test_streams(void **state) {
    (void)state;
    const char *error;
    int fds[2];
    struct loop *loop = loop_new(backend, 64, &error);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct guest guest = {.watch = {.fd = fds[0], .on_ready = on_ready}, .last = -1};
    transport_attach(&guest.transport, loop, &guest.watch, NULL);
    bool is_ahead = loop_receives_ahead(loop);
    assert_int_equal(guest.watch.use, is_ahead ? LOOP_STREAM : LOOP_POLLED);
    assert_true((guest.transport.kind == transport_plain()) == !is_ahead);
    assert_int_equal(loop_watch_add(loop, &guest.watch, LOOP_READ), 0);

    assert_int_equal(transport_read(&guest.transport, guest.bytes, 4), -EAGAIN);
    assert_int_equal(write(fds[1], "abc", 3), 3);
    run_until(loop, &guest, 3, 3);
    assert_memory_equal(guest.bytes, "abc", 3);

    char in[8];
    assert_int_equal(transport_write(&guest.transport, "x\r\n", 3), 3);
    char yz[] = "yz";
    struct iovec pieces[2] = {{.iov_base = yz, .iov_len = 1}, {.iov_base = yz + 1, .iov_len = 1}};
    assert_int_equal(transport_writev(&guest.transport, pieces, 2), 2);
    assert_int_equal(read(fds[1], in, sizeof in), 5);
    assert_memory_equal(in, "x\r\nyz", 5);
    assert_false(guest.transport.has_pending);

    close(fds[1]);
    run_until(loop, &guest, 3, 0);
    assert_int_equal(transport_write(&guest.transport, "x", 1), -EPIPE);
    loop_watch_remove(loop, &guest.watch);
    transport_close(&guest.transport);
    assert_int_equal(guest.transport.fd, -1);
    loop_free(loop);
}

#define ENDS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int group(void) {
    const struct CMUnitTest tests[] = {
        ENDS_TEST(test_bytes_go_through),
        ENDS_TEST(test_pieces),
        ENDS_TEST(test_more_pieces_than_the_kernel_takes),
        ENDS_TEST(test_full_socket_takes_part_then_nothing),
        ENDS_TEST(test_closed_peer),
        cmocka_unit_test(test_other_kinds_go_through_their_functions),
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}

int main(void) {
    return run_over_backends(group);
}
