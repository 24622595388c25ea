/* Tests of the loop's streams, listeners and sends, over each backend that there is here. The
 * buffers of the test build are few and small, so that they run out all the time. */
#include "ev/loop.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ev/backends.h"

/* A test gives up after so many passes without progress, each of which waits for so long at
 * most. */
enum { PASSES_MAX = 500, WAIT_MS = 10 };
enum { PIECE_MAX = 65536 };

/* One end of a pair, as a stream. Bytes that go through are numbered, so that a byte lost, doubled
 * or out of order is seen. */
struct stream {
    struct loop_watch watch; /* first: its function gets this address */
    struct loop *loop;
    int there;
    size_t piece; /* taken at once; 0: nothing is taken */
    size_t received;
    size_t sent;
    int calls;
    unsigned ready;
    ssize_t last; /* result of the last receive */
};

static char byte_at(size_t position) {
    return (char)(position * 31 % 251);
}

static void take(struct stream *stream) {
    static char bytes[PIECE_MAX];
    size_t half = stream->piece / 2;
    struct iovec pieces[2] = {{.iov_base = bytes, .iov_len = stream->piece - half},
                              {.iov_base = bytes + stream->piece - half, .iov_len = half}};
    stream->last = loop_receive(stream->loop, &stream->watch, pieces, half > 0 ? 2 : 1);
    for (ssize_t i = 0; i < stream->last; i++) {
        if (bytes[i] != byte_at(stream->received + (size_t)i)) {
            fail_msg("byte %zu is wrong", stream->received + (size_t)i);
        }
    }
    stream->received += stream->last > 0 ? (size_t)stream->last : 0;
}

static void on_ready(struct loop_watch *watch, unsigned ready) {
    struct stream *stream = (struct stream *)(void *)watch;
    stream->calls++;
    stream->ready = ready;
    if ((ready & LOOP_READ) && stream->piece > 0) {
        take(stream);
    }
}

static struct stream *stream_of(struct loop *loop, const int ends[2], size_t piece,
                                unsigned interest) {
    struct stream *stream = calloc(1, sizeof *stream);
    stream->watch = (struct loop_watch){.fd = ends[0], .use = LOOP_STREAM, .on_ready = on_ready};
    stream->loop = loop;
    stream->there = ends[1];
    stream->piece = piece;
    assert_int_equal(loop_watch_add(loop, &stream->watch, interest), 0);
    return stream;
}

static struct stream *stream_new(struct loop *loop, size_t piece, unsigned interest) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    return stream_of(loop, ends, piece, interest);
}

static void stream_close_there(struct stream *stream) {
    close(stream->there);
    stream->there = -1;
}

static void stream_free(struct stream *stream) {
    loop_watch_remove(stream->loop, &stream->watch);
    close(stream->watch.fd);
    if (stream->there >= 0) {
        close(stream->there);
    }
    free(stream);
}

/* Writes the next bytes, as many as the socket takes. */
static size_t feed(struct stream *stream, size_t size) {
    static char bytes[PIECE_MAX];
    size = size < sizeof bytes ? size : sizeof bytes;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(stream->sent + i);
    }
    ssize_t written = write(stream->there, bytes, size);
    assert_true(written >= 0 || errno == EAGAIN);
    stream->sent += written > 0 ? (size_t)written : 0;
    return written > 0 ? (size_t)written : 0;
}

static void run_until_received(struct stream *stream, size_t wanted) {
    for (int i = 0; i < PASSES_MAX && stream->received < wanted; i++) {
        size_t before = stream->received;
        loop_run_once(stream->loop, WAIT_MS);
        i = stream->received > before ? 0 : i;
    }
    assert_int_equal(stream->received, wanted);
}

static void run_until_called(struct stream *stream) {
    int calls = stream->calls;
    for (int i = 0; i < PASSES_MAX && stream->calls == calls; i++) {
        loop_run_once(stream->loop, WAIT_MS);
    }
    assert_true(stream->calls > calls);
}

static void run_idle(struct loop *loop) {
    for (int i = 0; i < 4; i++) {
        loop_run_once(loop, 0);
    }
}

static int set_up(void **state) {
    const char *error;
    *state = loop_new(backend, 1024, &error);
    return *state == NULL;
}

static int tear_down(void **state) {
    loop_free(*state);
    return 0;
}

static void test_what_is_not_taken_is_reported_again(void **state) {
    struct stream *stream = stream_new(*state, 3, LOOP_READ);
    take(stream);
    assert_int_equal(stream->last, -EAGAIN);
    loop_run_once(*state, 0);
    assert_int_equal(stream->calls, 0);
    feed(stream, 10);
    for (int i = 1; i <= 4; i++) {
        run_until_called(stream);
        assert_int_equal(stream->ready, LOOP_READ);
        assert_int_equal(stream->received, i < 4 ? 3 * i : 10);
    }
    int calls = stream->calls;
    run_idle(*state);
    assert_int_equal(stream->calls, calls);
    take(stream);
    assert_int_equal(stream->last, -EAGAIN);
    stream_free(stream);
}

static void test_the_end_comes_behind_the_bytes(void **state) {
    struct stream *stream = stream_new(*state, 8, LOOP_READ);
    feed(stream, 20);
    stream_close_there(stream);
    run_until_received(stream, 20);
    run_until_called(stream);
    assert_int_equal(stream->last, 0);
    run_until_called(stream); /* and stays */
    assert_int_equal(stream->last, 0);
    stream_free(stream);
}

/* A connection over TCP; *listening is the socket that it came through. */
static void tcp_pair(int ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address, size), 0);
    ends[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    assert_true(ends[0] >= 0);
    close(listening);
}

static void test_a_reset_is_an_error(void **state) {
    int ends[2];
    tcp_pair(ends);
    struct stream *stream = stream_of(*state, ends, 8, LOOP_READ);
    run_idle(*state);
    struct linger linger = {.l_onoff = 1};
    setsockopt(stream->there, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    stream_close_there(stream);
    run_until_called(stream);
    assert_int_equal(stream->last, -ECONNRESET);
    stream_free(stream);
}

static void test_not_a_socket_is_an_error(void **state) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct stream *stream = stream_of(*state, ends, 8, LOOP_READ);
    assert_int_equal(write(stream->there, "x", 1), 1);
    run_until_called(stream);
    assert_int_equal(stream->last, -ENOTSOCK);
    stream_free(stream);
}

static void test_without_interest_nothing_is_reported_and_nothing_lost(void **state) {
    struct stream *stream = stream_new(*state, 50, LOOP_READ);
    feed(stream, 30);
    run_until_called(stream);
    loop_watch_change(*state, &stream->watch, 0);
    int calls = stream->calls;
    for (int i = 0; i < 10; i++) {
        feed(stream, 100);
        loop_run_once(*state, 0);
    }
    assert_int_equal(stream->calls, calls);
    /* Who asks gets it all the same. */
    size_t before = stream->received;
    take(stream);
    assert_true(stream->received > before);
    loop_watch_change(*state, &stream->watch, LOOP_READ);
    run_until_received(stream, stream->sent);
    stream_free(stream);
}

static void test_interest_toggles_while_bytes_come(void **state) {
    struct stream *stream = stream_new(*state, 70, LOOP_READ);
    for (unsigned i = 0; i < 600; i++) {
        feed(stream, i % 7 == 0 ? 300 : 40);
        if (i % 3 != 0) {
            loop_watch_change(*state, &stream->watch, i % 2 == 0 ? LOOP_READ : 0);
        }
        if (i % 5 == 0) {
            loop_watch_change(*state, &stream->watch, LOOP_WRITE);
            loop_watch_change(*state, &stream->watch, LOOP_READ | LOOP_WRITE);
        }
        loop_run_once(*state, 0);
    }
    loop_watch_change(*state, &stream->watch, LOOP_READ);
    run_until_received(stream, stream->sent);
    stream_free(stream);
}

static void test_much_through_one_stream(void **state) {
    const size_t pieces[] = {1000, 17, PIECE_MAX, 64, 128};
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct stream *stream = stream_new(*state, pieces[p], LOOP_READ);
        struct stream *other = stream_new(*state, 10, LOOP_READ);
        while (stream->sent < 100000) {
            feed(stream, 100000 - stream->sent);
            feed(other, 5);
            loop_run_once(*state, 0);
        }
        run_until_received(stream, 100000);
        run_until_received(other, other->sent);
        stream_free(stream);
        stream_free(other);
    }
}

/* More streams than there are buffers, some of which nobody reads. */
static void test_buffers_run_out(void **state) {
    enum { COUNT = 60 };
    struct stream *streams[COUNT];
    for (int i = 0; i < COUNT; i++) {
        streams[i] = stream_new(*state, i % 3 == 0 ? 0 : 100, LOOP_READ);
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < COUNT; i++) {
            feed(streams[i], i % 3 == 0 ? 150 : 50); /* little: it goes through buffers */
        }
        loop_run_once(*state, 0);
    }
    for (int i = 0; i < COUNT; i++) {
        if (streams[i]->piece == 0) {
            /* Switched off, it must not keep the others' buffers. */
            loop_watch_change(*state, &streams[i]->watch, 0);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        if (streams[i]->piece > 0) {
            run_until_received(streams[i], streams[i]->sent);
        }
    }
    for (int i = 0; i < COUNT; i += 3) {
        streams[i]->piece = 100;
        loop_watch_change(*state, &streams[i]->watch, LOOP_READ);
    }
    for (int i = 0; i < COUNT; i++) {
        run_until_received(streams[i], streams[i]->sent);
        stream_free(streams[i]);
    }
}

static void test_removed_with_bytes_under_way(void **state) {
    struct stream *other = stream_new(*state, 100, LOOP_READ);
    for (int i = 0; i < 300; i++) {
        struct stream *stream = stream_new(*state, i % 2 == 0 ? 0 : 5, LOOP_READ | LOOP_WRITE);
        if (i % 4 < 2) {
            loop_run_once(*state, 0);
        }
        feed(stream, 200);
        if (i % 3 == 0) {
            loop_run_once(*state, 0);
        }
        feed(other, 20);
        stream_free(stream);
    }
    run_until_received(other, other->sent);
    stream_free(other);
}

/* Bytes come for a stream between its removal and the end of its receive: while the sends of that
 * pass are made. */
static void test_removed_before_sends(void **state) {
    struct stream *other = stream_new(*state, 40, LOOP_READ);
    struct stream *third = stream_new(*state, 40, LOOP_READ);
    char bytes[] = "xy";
    struct iovec piece = {.iov_base = bytes, .iov_len = 1};
    for (int i = 0; i < 100; i++) {
        struct stream *stream = stream_new(*state, 10, LOOP_READ);
        run_idle(*state);
        feed(stream, 20);
        loop_watch_remove(*state, &stream->watch);
        struct loop_send sends[2] = {
            {.fd = other->watch.fd, .count = 1, .pieces = &piece},
            {.fd = third->watch.fd, .count = 1, .pieces = &piece},
        };
        loop_send(*state, &sends[0]);
        loop_send(*state, &sends[1]);
        loop_send_commit(*state);
        assert_int_equal(sends[0].result + sends[1].result, 2);
        close(stream->watch.fd);
        close(stream->there);
        free(stream);
        feed(other, 30);
        run_until_received(other, other->sent);
    }
    stream_free(other);
    stream_free(third);
}

/* The next one has the same descriptor, and gets nothing of what was meant for the one before. */
static void test_removed_and_descriptor_reused(void **state) {
    for (int i = 0; i < 50; i++) {
        struct stream *stream = stream_new(*state, 0, LOOP_READ);
        loop_run_once(*state, 0);
        feed(stream, 100);
        int fd = stream->watch.fd;
        stream_free(stream);
        stream = stream_new(*state, 30, LOOP_READ);
        assert_int_equal(stream->watch.fd, fd);
        feed(stream, 100);
        run_until_received(stream, 100);
        run_idle(*state);
        stream_free(stream);
    }
}

/* Closing reaches the peer, although an operation was under way. */
static void test_the_peer_sees_the_close(void **state) {
    struct stream *stream = stream_new(*state, 10, LOOP_READ | LOOP_WRITE);
    int there = dup(stream->there);
    run_idle(*state);
    stream_free(stream);
    char byte;
    ssize_t size = -1;
    for (int i = 0; i < PASSES_MAX && size < 0; i++) {
        loop_run_once(*state, WAIT_MS);
        size = read(there, &byte, 1);
    }
    assert_int_equal(size, 0);
    close(there);
}

static void test_a_stream_moves_to_another_loop(void **state) {
    const char *error;
    struct loop *loops[2] = {*state, loop_new(backend, 64, &error)};
    struct stream *stream = stream_new(loops[0], 40, LOOP_READ);
    for (int i = 1; i < 100; i++) {
        feed(stream, (size_t)i * 5);
        for (int pass = 0; pass < i % 3; pass++) {
            loop_run_once(stream->loop, 0);
        }
        if (i % 5 == 0) {
            loop_watch_change(stream->loop, &stream->watch, 0);
        }
        if (i % 10 == 0) {
            loop_run_once(stream->loop, 0);
        }
        loop_watch_remove_kept(stream->loop, &stream->watch);
        feed(stream, 3);
        stream->loop = loops[i % 2];
        assert_int_equal(
            loop_watch_add_kept(stream->loop, &stream->watch, i % 7 == 0 ? 0 : LOOP_READ), 0);
    }
    loop_watch_change(stream->loop, &stream->watch, LOOP_READ);
    run_until_received(stream, stream->sent);

    /* The end moves too. */
    feed(stream, 10);
    stream_close_there(stream);
    stream->piece = 0;
    run_until_called(stream);
    run_idle(stream->loop);
    loop_watch_remove_kept(stream->loop, &stream->watch);
    stream->loop = stream->loop == loops[0] ? loops[1] : loops[0];
    stream->piece = 40;
    assert_int_equal(loop_watch_add_kept(stream->loop, &stream->watch, LOOP_READ), 0);
    run_until_received(stream, stream->sent);
    run_until_called(stream);
    assert_int_equal(stream->last, 0);
    stream_free(stream);
    loop_free(loops[1]);
}

static void test_a_move_that_fails_leaves_no_memory_behind(void **state) {
    struct stream *stream = stream_new(*state, 0, LOOP_READ);
    size_t before = mem_used();
    for (int i = 0; i < 2; i++) {
        feed(stream, 30);
        run_idle(*state);
        loop_watch_remove_kept(*state, &stream->watch);
        if (i == 0) {
            int fd = stream->watch.fd;
            stream->watch.fd = -1;
            assert_int_equal(loop_watch_add_kept(*state, &stream->watch, LOOP_READ), -EBADF);
            stream->watch.fd = fd;
        } else {
            loop_watch_drop_kept(&stream->watch);
        }
        assert_null(stream->watch.backend);
        assert_int_equal(loop_watch_add(*state, &stream->watch, LOOP_READ), 0);
    }
    assert_int_equal(mem_used(), before);
    stream_free(stream);
}

static void test_loops_give_back_all_memory(void **state) {
    (void)state;
    const char *error;
    size_t before = mem_used();
    for (int i = 0; i < 10; i++) {
        struct loop *loop = loop_new(backend, 64, &error);
        struct stream *a = stream_new(loop, 0, LOOP_READ);
        struct stream *b = stream_new(loop, 0, LOOP_READ);
        feed(a, 500);
        feed(b, 500);
        run_idle(loop);
        loop_watch_change(loop, &a->watch, 0);
        run_idle(loop);
        stream_free(a);
        loop_free(loop); /* with b in it */
        close(b->watch.fd);
        close(b->there);
        free(b);
    }
    assert_int_equal(mem_used(), before);
}

/* Sends. */

static void test_sends_of_a_pass(void **state) {
    enum { COUNT = 30 };
    struct stream *streams[COUNT];
    struct loop_send sends[COUNT];
    struct iovec pieces[COUNT][3];
    char text[] = "abcdef";
    for (int i = 0; i < COUNT; i++) {
        streams[i] = stream_new(*state, 50, LOOP_READ);
    }
    run_idle(*state);
    for (int count = 0; count <= COUNT; count += count < 3 ? 1 : 9) {
        for (int i = 0; i < count; i++) {
            feed(streams[i], 10); /* bytes that arrive meanwhile */
            pieces[i][0] = (struct iovec){.iov_base = text, .iov_len = 3};
            pieces[i][1] = (struct iovec){.iov_base = NULL, .iov_len = 0};
            pieces[i][2] = (struct iovec){.iov_base = text + 3, .iov_len = 2};
            sends[i] = (struct loop_send){
                .fd = streams[i]->watch.fd, .count = i % 2 == 0 ? 3 : 1, .pieces = pieces[i]};
            loop_send(*state, &sends[i]);
        }
        loop_send_commit(*state);
        for (int i = 0; i < count; i++) {
            char in[16];
            ssize_t size = i % 2 == 0 ? 5 : 3;
            assert_int_equal(sends[i].result, size);
            assert_int_equal(read(streams[i]->there, in, sizeof in), size);
            assert_memory_equal(in, text, (size_t)size);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        run_until_received(streams[i], streams[i]->sent);
        stream_free(streams[i]);
    }
}

static void test_sends_that_fail_or_are_partial(void **state) {
    enum { COUNT = 5 };
    struct stream *streams[COUNT];
    size_t size = 4 << 20;
    char *large = calloc(1, size);
    struct iovec piece = {.iov_base = large, .iov_len = size};
    struct loop_send sends[COUNT];
    for (int i = 0; i < COUNT; i++) {
        streams[i] = stream_new(*state, 50, LOOP_READ);
        sends[i] = (struct loop_send){.fd = streams[i]->watch.fd, .count = 1, .pieces = &piece};
    }
    stream_close_there(streams[1]);
    sends[2].fd = -1;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            loop_send(*state, &sends[i]);
        }
        loop_send_commit(*state);
        assert_int_equal(sends[1].result, -EPIPE);
        assert_int_equal(sends[2].result, -EBADF);
        for (int i = 0; i < COUNT; i += 3) {
            if (round == 0) {
                assert_in_range(sends[i].result, 1, size - 1);
            } else {
                assert_int_equal(sends[i].result, -EAGAIN);
            }
        }
    }
    /* When the peer has read, it is told. */
    struct stream *stream = streams[0];
    loop_watch_change(*state, &stream->watch, LOOP_READ | LOOP_WRITE);
    run_idle(*state);
    assert_int_equal(stream->calls, 0);
    while (read(stream->there, large, size) > 0) {}
    run_until_called(stream);
    assert_int_equal(stream->ready, LOOP_WRITE);
    run_until_called(stream); /* level-triggered */
    feed(stream, 10);
    run_until_received(stream, 10);
    assert_int_equal(stream->ready, LOOP_READ | LOOP_WRITE);
    for (int i = 0; i < COUNT; i++) {
        stream_free(streams[i]);
    }
    free(large);
}

/* Many. */

static void test_thousands_of_streams(void **state) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int count = limit.rlim_max < 6200 ? (int)(limit.rlim_max - 200) / 2 : 3000;
    struct stream **streams = calloc((size_t)count, sizeof(struct stream *));
    for (int i = 0; i < count; i++) {
        streams[i] = stream_new(*state, 60, LOOP_READ);
    }
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < count; i++) {
            feed(streams[i], 100);
        }
        for (int i = 0; i < count; i++) {
            run_until_received(streams[i], (size_t)round * 100);
        }
    }
    for (int i = 0; i < count; i++) {
        stream_free(streams[i]);
    }
    run_idle(*state);
    free(streams);
}

/* Threads: made here, run there. */

static void *run_there(void *context) {
    struct stream *stream = context;
    for (int i = 0; i < 10 * PASSES_MAX && stream->received < 5000; i++) {
        loop_run_once(stream->loop, WAIT_MS);
    }
    loop_watch_remove(stream->loop, &stream->watch);
    loop_run_once(stream->loop, 0);
    return NULL;
}

static void test_a_loop_is_run_by_another_thread(void **state) {
    struct stream *stream = stream_new(*state, 100, LOOP_READ);
    struct stream *others[20];
    for (int i = 0; i < 20; i++) {
        others[i] = stream_new(*state, 10, LOOP_READ); /* more than one submission holds */
    }
    feed(stream, 5000);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_there, stream), 0);
    pthread_join(thread, NULL);
    assert_int_equal(stream->received, 5000);
    close(stream->watch.fd);
    close(stream->there);
    free(stream);
    for (int i = 0; i < 20; i++) {
        stream_free(others[i]);
    }
}

/* Listeners. */

struct door {
    struct loop_watch watch; /* first */
    struct loop *loop;
    struct sockaddr_in address;
    int accepted;
    int per_pass;
};

static void on_door(struct loop_watch *watch, unsigned ready) {
    struct door *door = (struct door *)(void *)watch;
    assert_int_equal(ready, LOOP_READ);
    for (int i = 0; i < door->per_pass; i++) {
        int fd = loop_accept(door->loop, watch);
        if (fd == -EAGAIN) {
            break;
        }
        assert_true(fd >= 0);
        close(fd);
        door->accepted++;
    }
}

static void door_open(struct door *door, struct loop *loop) {
    socklen_t size = sizeof door->address;
    *door = (struct door){.loop = loop, .per_pass = 2};
    door->address.sin_family = AF_INET;
    door->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    door->watch.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    door->watch.use = LOOP_LISTENER;
    door->watch.on_ready = on_door;
    assert_int_equal(bind(door->watch.fd, (struct sockaddr *)&door->address, size), 0);
    assert_int_equal(listen(door->watch.fd, 128), 0);
    getsockname(door->watch.fd, (struct sockaddr *)&door->address, &size);
    assert_int_equal(loop_watch_add(loop, &door->watch, LOOP_READ), 0);
}

static int guest(const struct door *door) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&door->address, sizeof door->address), 0);
    return fd;
}

static void test_a_listener_accepts(void **state) {
    struct door door;
    int guests[20];
    door_open(&door, *state);
    for (int i = 0; i < 20; i++) {
        guests[i] = guest(&door);
        if (i % 5 == 0) {
            loop_watch_change(*state, &door.watch, i % 10 == 0 ? 0 : LOOP_READ);
            loop_run_once(*state, 0);
        }
    }
    loop_watch_change(*state, &door.watch, LOOP_READ);
    for (int i = 0; i < PASSES_MAX && door.accepted < 20; i++) {
        loop_run_once(*state, WAIT_MS);
    }
    assert_int_equal(door.accepted, 20);
    assert_int_equal(loop_accept(*state, &door.watch), -EAGAIN);
    for (int i = 0; i < 20; i++) {
        close(guests[i]);
    }
    loop_watch_remove(*state, &door.watch);
    close(door.watch.fd);
}

/* Who was accepted but not taken sees the connection end. */
static void test_a_listener_goes_with_guests_waiting(void **state) {
    struct door door;
    door_open(&door, *state);
    door.per_pass = 0;
    int waiting = guest(&door);
    run_idle(*state);
    loop_watch_remove(*state, &door.watch);
    close(door.watch.fd);
    run_idle(*state);
    char byte;
    assert_true(read(waiting, &byte, 1) <= 0);
    close(waiting);
}

#define STREAM_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int group(void) {
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_what_is_not_taken_is_reported_again),
        STREAM_TEST(test_the_end_comes_behind_the_bytes),
        STREAM_TEST(test_a_reset_is_an_error),
        STREAM_TEST(test_not_a_socket_is_an_error),
        STREAM_TEST(test_without_interest_nothing_is_reported_and_nothing_lost),
        STREAM_TEST(test_interest_toggles_while_bytes_come),
        STREAM_TEST(test_much_through_one_stream),
        STREAM_TEST(test_buffers_run_out),
        STREAM_TEST(test_removed_with_bytes_under_way),
        STREAM_TEST(test_removed_before_sends),
        STREAM_TEST(test_removed_and_descriptor_reused),
        STREAM_TEST(test_the_peer_sees_the_close),
        STREAM_TEST(test_a_stream_moves_to_another_loop),
        STREAM_TEST(test_a_move_that_fails_leaves_no_memory_behind),
        cmocka_unit_test(test_loops_give_back_all_memory),
        STREAM_TEST(test_sends_of_a_pass),
        STREAM_TEST(test_sends_that_fail_or_are_partial),
        STREAM_TEST(test_thousands_of_streams),
        STREAM_TEST(test_a_loop_is_run_by_another_thread),
        STREAM_TEST(test_a_listener_accepts),
        STREAM_TEST(test_a_listener_goes_with_guests_waiting),
    };
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}

int main(void) {
    return run_over_backends(group);
}
