/* Tests of client/output: what goes in comes out, in order, whatever the socket takes at a time. */
#include "client/output.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/socket.h"

/* A connection, the queue in front of it, and what must arrive. */
struct pipe {
    struct output output;
    struct transport transport;
    int other;
    struct buffer expected;
    size_t received;
    size_t used_before;
};

static int setup(void **state) {
    struct pipe *pipe = calloc(1, sizeof *pipe);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(socket_set_nonblocking(ends[0]), 0);
    assert_int_equal(socket_set_nonblocking(ends[1]), 0);
    pipe->used_before = mem_used_by(MEM_BUFFER);
    output_init(&pipe->output);
    pipe->transport = (struct transport){.kind = transport_plain(), .fd = ends[0]};
    pipe->other = ends[1];
    buffer_init(&pipe->expected, MEM_OTHER);
    *state = pipe;
    return 0;
}

static int teardown(void **state) {
    struct pipe *pipe = *state;
    output_clear(&pipe->output);
    assert_int_equal(mem_used_by(MEM_BUFFER), pipe->used_before);
    buffer_clear(&pipe->expected);
    transport_close(&pipe->transport);
    close(pipe->other);
    free(pipe);
    return 0;
}

static void append(struct pipe *pipe, const void *at, size_t size) {
    output_append(&pipe->output, at, size);
    buffer_append(&pipe->expected, at, size);
}

/* Reads what has arrived, at most `max` bytes, and compares. */
static size_t receive(struct pipe *pipe, size_t max) {
    char got[65536];
    ssize_t size = read(pipe->other, got, max < sizeof got ? max : sizeof got);
    if (size <= 0) {
        return 0;
    }
    assert_true(pipe->received + (size_t)size <= pipe->expected.size);
    assert_memory_equal(got, pipe->expected.at + pipe->received, (size_t)size);
    pipe->received += (size_t)size;
    return (size_t)size;
}

static struct blob *make_blob(size_t size, char fill) {
    struct blob *blob = blob_try_new(size);
    assert_non_null(blob);
    memset(blob->bytes, fill, size);
    blob->size = size;
    return blob;
}

static void test_empty(void **state) {
    struct pipe *pipe = *state;
    assert_true(output_is_empty(&pipe->output));
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), 0);
    output_append(&pipe->output, "", 0);
    assert_true(output_is_empty(&pipe->output));
    assert_int_equal(pipe->output.footprint, 0);
    assert_int_equal(mem_used_by(MEM_BUFFER), pipe->used_before);
}

static void test_small_appends_share_blocks(void **state) {
    struct pipe *pipe = *state;
    for (int i = 0; i < 10; i++) {
        append(pipe, "\0\r\n", 3);
    }
    assert_int_equal(pipe->output.size, 30);
    assert_in_range(output_block_count(&pipe->output), 1, 2);
    assert_true(pipe->output.footprint >= 30);
    assert_true(pipe->output.footprint <= 2 * mem_class(OUTPUT_BLOCK_SIZE));
    assert_int_equal(pipe->output.footprint, mem_used_by(MEM_BUFFER) - pipe->used_before);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), 30);
    assert_int_equal(receive(pipe, SIZE_MAX), 30);
    assert_int_equal(pipe->output.footprint, 0);
    assert_int_equal(mem_used_by(MEM_BUFFER), pipe->used_before);
}

static void test_sends_no_more_than_asked(void **state) {
    struct pipe *pipe = *state;
    append(pipe, "0123456789", 10);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, 4), 4);
    assert_int_equal(pipe->output.size, 6);
    append(pipe, "abc", 3);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, 0), 0);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, 9), 9);
    assert_int_equal(receive(pipe, SIZE_MAX), 13);
}

static void test_more_pieces_than_one_write_takes(void **state) {
    struct pipe *pipe = *state;
    struct blob *blob = make_blob(OUTPUT_BLOCK_SIZE, 'x');
    for (int i = 0; i < 150; i++) {
        append(pipe, "$header\r\n", 9);
        output_append_blob(&pipe->output, blob, blob->bytes, blob->size);
        buffer_append(&pipe->expected, blob->bytes, blob->size);
    }
    assert_int_equal(atomic_load(&blob->references), 151);
    assert_int_equal(output_block_count(&pipe->output), 300);
    while (!output_is_empty(&pipe->output)) {
        assert_true(output_send(&pipe->output, &pipe->transport, SIZE_MAX) > 0);
        while (receive(pipe, SIZE_MAX) > 0) {}
    }
    assert_int_equal(pipe->received, pipe->expected.size);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
}

static void test_a_full_socket(void **state) {
    struct pipe *pipe = *state;
    struct blob *blob = make_blob(4 << 20, 'y');
    output_append_blob(&pipe->output, blob, blob->bytes + 1, blob->size - 1);
    buffer_append(&pipe->expected, blob->bytes + 1, blob->size - 1);
    append(pipe, "end", 3);
    assert_true(pipe->output.footprint > blob->size);
    ssize_t sent = output_send(&pipe->output, &pipe->transport, SIZE_MAX);
    assert_true(sent > 0 && (size_t)sent < pipe->expected.size);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), 0);
    assert_int_equal(pipe->output.size, pipe->expected.size - (size_t)sent);
    while (pipe->received < pipe->expected.size) {
        assert_true(receive(pipe, SIZE_MAX) > 0);
        assert_true(output_send(&pipe->output, &pipe->transport, SIZE_MAX) >= 0);
    }
    assert_true(output_is_empty(&pipe->output));
    assert_false(blob_is_shared(blob));
    blob_release(blob);
}

static void test_the_rest_of_a_blob_is_copied(void **state) {
    struct pipe *pipe = *state;
    struct blob *blob = make_blob(1 << 20, 'z');
    size_t rest = OUTPUT_BLOCK_SIZE - 1;
    output_append_blob(&pipe->output, blob, blob->bytes + blob->size - rest, rest);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
    assert_int_equal(pipe->output.size, rest);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), (ssize_t)rest);
}

static void test_clear_lets_blobs_go(void **state) {
    struct pipe *pipe = *state;
    struct blob *blob = make_blob(1 << 20, 'z');
    output_append(&pipe->output, "a", 1);
    output_append_blob(&pipe->output, blob, blob->bytes, blob->size);
    assert_true(blob_is_shared(blob));
    output_clear(&pipe->output);
    assert_false(blob_is_shared(blob));
    assert_true(output_is_empty(&pipe->output));
    blob_release(blob);
}

/* Appends a run of `size` random bytes that the log gives. */
static void append_run(struct pipe *pipe, struct shared_log *log, struct random *random,
                       size_t size) {
    char *at = shared_log_room(log, size);
    assert_non_null(at);
    for (size_t i = 0; i < size; i++) {
        at[i] = (char)random_next(random);
    }
    struct shared_run run = shared_log_take(log, at + size);
    buffer_append(&pipe->expected, at, size);
    if (!output_extend_run(&pipe->output, &run)) {
        output_append_run(&pipe->output, &run);
    }
    shared_release(run.block);
}

static void test_runs_are_one_while_they_follow(void **state) {
    struct pipe *pipe = *state;
    struct random random;
    random_init(&random, 1);
    struct shared_log log = {0};
    for (int i = 0; i < 5; i++) {
        append_run(pipe, &log, &random, 10);
    }
    assert_int_equal(output_block_count(&pipe->output), 1);
    assert_int_equal(pipe->output.size, 50);
    assert_int_equal(pipe->output.footprint, 50);
    append(pipe, "reply", 5);
    append_run(pipe, &log, &random, 10);
    assert_int_equal(output_block_count(&pipe->output), 3);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, 3), 3);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), 62);
    assert_int_equal(receive(pipe, SIZE_MAX), 65);
    assert_true(output_is_empty(&pipe->output));
    assert_int_equal(pipe->output.footprint, 0);
    assert_int_equal(log.block->references, 1);
    shared_log_clear(&log);
}

/* A small part of a block does not keep the whole of it for one who is slow. */
static void test_waiting_runs(void **state) {
    struct pipe *pipe = *state;
    struct random random;
    random_init(&random, 2);
    struct shared_log log = {0};
    append_run(pipe, &log, &random, 10);
    append_run(pipe, &log, &random, 10);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, 5), 5);
    assert_true(pipe->output.waits);
    struct shared_block *block = shared_hold(log.block);
    append(pipe, "reply", 5);
    assert_int_equal(block->references, 2);
    shared_log_clear(&log);
    shared_release(block);
    /* A large one is referred to. */
    append_run(pipe, &log, &random, SHARED_BLOCK_SIZE / 2);
    block = shared_hold(log.block);
    append(pipe, "reply", 5);
    assert_int_equal(block->references, 3);
    shared_log_clear(&log);
    while (!output_is_empty(&pipe->output)) {
        assert_true(output_send(&pipe->output, &pipe->transport, 7) > 0);
        receive(pipe, SIZE_MAX);
    }
    assert_int_equal(pipe->received, pipe->expected.size);
    assert_false(pipe->output.waits);
    assert_int_equal(block->references, 1);
    shared_release(block);
}

static void test_clear_lets_runs_go(void **state) {
    struct pipe *pipe = *state;
    struct random random;
    random_init(&random, 3);
    struct shared_log log = {0};
    append_run(pipe, &log, &random, 100);
    append(pipe, "x", 1);
    append_run(pipe, &log, &random, 10);
    output_clear(&pipe->output);
    assert_int_equal(log.block->references, 1);
    assert_int_equal(pipe->output.footprint, 0);
    shared_log_clear(&log);
}

static void test_a_broken_connection(void **state) {
    struct pipe *pipe = *state;
    append(pipe, "lost", 4);
    shutdown(pipe->transport.fd, SHUT_RDWR);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), -EPIPE);
    assert_int_equal(pipe->output.size, 4);
}

/* Random appends, sends and reads, against a plain run of bytes. */
static void test_random_traffic(void **state) {
    struct pipe *pipe = *state;
    struct random random;
    random_init(&random, 42);
    struct blob *blob = make_blob(100000, 'b');
    for (size_t i = 0; i < blob->size; i++) {
        blob->bytes[i] = (char)random_next(&random);
    }
    struct shared_log log = {0};
    for (int round = 0; round < 5000; round++) {
        size_t size = random_below(&random, 300);
        size_t from = random_below(&random, blob->size - size);
        switch (random_below(&random, 6)) {
        case 0:
            append(pipe, blob->bytes + from, size);
            break;
        case 1:
            output_append_blob(&pipe->output, blob, blob->bytes + from, size);
            buffer_append(&pipe->expected, blob->bytes + from, size);
            break;
        case 2:
            append_run(pipe, &log, &random, size / 2 + 1);
            break;
        case 3:
            assert_true(output_send(&pipe->output, &pipe->transport, size + 1) >= 0);
            break;
        default:
            receive(pipe, size + 1);
        }
        if (output_is_empty(&pipe->output)) {
            assert_int_equal(pipe->output.footprint, 0);
        }
    }
    while (pipe->received < pipe->expected.size) {
        assert_true(output_send(&pipe->output, &pipe->transport, SIZE_MAX) >= 0);
        assert_true(receive(pipe, SIZE_MAX) > 0);
    }
    assert_true(output_is_empty(&pipe->output));
    assert_false(blob_is_shared(blob));
    blob_release(blob);
    shared_log_clear(&log);
}

/* ---- two queues ---- */

static void collect(void *context, struct bytes bytes) {
    buffer_append(context, bytes.at, bytes.size);
}

/* What a visit shows is what will arrive, and changes nothing. */
static void expect_visit(const struct pipe *pipe, const struct output *output, size_t from) {
    struct buffer seen;
    buffer_init(&seen, MEM_OTHER);
    output_visit(output, collect, &seen);
    assert_int_equal(seen.size, output->size);
    assert_true(from + seen.size <= pipe->expected.size);
    if (seen.size > 0) {
        assert_memory_equal(seen.at, pipe->expected.at + from, seen.size);
    }
    buffer_clear(&seen);
}

static void test_taking_nothing(void **state) {
    struct pipe *pipe = *state;
    struct output more;
    output_init(&more);
    output_take(&pipe->output, &more);
    assert_true(output_is_empty(&pipe->output));
    expect_visit(pipe, &pipe->output, 0);
    append(pipe, "abc", 3);
    output_take(&pipe->output, &more);
    assert_int_equal(pipe->output.size, 3);
    expect_visit(pipe, &pipe->output, 0);
    output_take(&more, &pipe->output);
    assert_true(output_is_empty(&pipe->output));
    assert_int_equal(pipe->output.footprint, 0);
    expect_visit(pipe, &more, 0);
    output_clear(&more);
}

/* A run that goes on where the other queue's ended makes that one longer; its reference is given
 * back. One that does not is put behind it. */
static void test_taking_runs(void **state) {
    struct pipe *pipe = *state;
    struct shared_log log = {0};
    struct output more;
    output_init(&more);
    for (int i = 0; i < 3; i++) {
        memcpy(shared_log_room(&log, 4), "run:", 4);
        struct shared_run run = shared_log_take(&log, log.block->bytes + log.block->used + 4);
        buffer_append(&pipe->expected, "run:", 4);
        output_append_run(i == 1 ? &more : &pipe->output, &run);
        shared_release(run.block);
        if (i == 1) {
            output_take(&pipe->output, &more);
            assert_true(output_is_empty(&more));
            assert_int_equal(more.footprint, 0);
            assert_null(more.run.block);
        }
    }
    assert_int_equal(output_block_count(&pipe->output), 1);
    assert_int_equal(pipe->output.footprint, 12);
    assert_int_equal(log.block->references, 2);
    expect_visit(pipe, &pipe->output, 0);
    /* Not the next one: something was left out between them. */
    (void)shared_log_room(&log, 2);
    struct shared_run gap = shared_log_take(&log, log.block->bytes + log.block->used + 2);
    shared_release(gap.block);
    memcpy(shared_log_room(&log, 4), "far:", 4);
    struct shared_run far = shared_log_take(&log, log.block->bytes + log.block->used + 4);
    buffer_append(&pipe->expected, "far:", 4);
    output_append_run(&more, &far);
    shared_release(far.block);
    output_take(&pipe->output, &more);
    assert_int_equal(output_block_count(&pipe->output), 2);
    expect_visit(pipe, &pipe->output, 0);
    assert_int_equal(output_send(&pipe->output, &pipe->transport, SIZE_MAX), 16);
    assert_int_equal(receive(pipe, SIZE_MAX), 16);
    assert_int_equal(log.block->references, 1);
    shared_log_clear(&log);
}

/* Everything goes into a second queue first, which is taken now and then, as an I/O thread takes
 * what the executing thread has queued. */
static void test_random_traffic_through_two_queues(void **state) {
    struct pipe *pipe = *state;
    struct random random;
    random_init(&random, 7);
    struct blob *blob = make_blob(100000, 'b');
    for (size_t i = 0; i < blob->size; i++) {
        blob->bytes[i] = (char)random_next(&random);
    }
    struct shared_log log = {0};
    struct output more;
    output_init(&more);
    for (int round = 0; round < 5000; round++) {
        size_t size = random_below(&random, 300);
        size_t from = random_below(&random, blob->size - size);
        switch (random_below(&random, 8)) {
        case 0:
            output_append(&more, blob->bytes + from, size);
            buffer_append(&pipe->expected, blob->bytes + from, size);
            break;
        case 1:
            output_append_blob(&more, blob, blob->bytes + from, size);
            buffer_append(&pipe->expected, blob->bytes + from, size);
            break;
        case 2: {
            char *at = shared_log_room(&log, size + 1);
            memset(at, (int)random_below(&random, 256), size + 1);
            struct shared_run run = shared_log_take(&log, at + size + 1);
            buffer_append(&pipe->expected, at, size + 1);
            output_append_run(&more, &run);
            shared_release(run.block);
            break;
        }
        case 3:
            output_take(&pipe->output, &more);
            assert_true(output_is_empty(&more));
            assert_int_equal(more.footprint, 0);
            break;
        case 4:
            assert_true(output_send(&pipe->output, &pipe->transport, 2 * size + 1) >= 0);
            break;
        default:
            receive(pipe, size + 1);
        }
        if (round % 50 == 0) {
            expect_visit(pipe, &more, pipe->expected.size - more.size);
            expect_visit(pipe, &pipe->output, pipe->expected.size - more.size - pipe->output.size);
        }
    }
    output_take(&pipe->output, &more);
    while (pipe->received < pipe->expected.size) {
        assert_true(output_send(&pipe->output, &pipe->transport, SIZE_MAX) >= 0);
        assert_true(receive(pipe, SIZE_MAX) > 0);
    }
    assert_true(output_is_empty(&pipe->output));
    assert_int_equal(pipe->output.footprint, 0);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
    shared_log_clear(&log);
}

/* What is in front, as one offers it to the loop, and what is left when part of it went. */
static void test_the_front(void **state) {
    struct pipe *pipe = *state;
    struct blob *blob = make_blob(OUTPUT_BLOCK_SIZE, 'x');
    struct iovec pieces[3];
    size_t size;
    assert_int_equal(output_front(&pipe->output, pieces, 3, SIZE_MAX, &size), 0);
    assert_int_equal(size, 0);
    for (int i = 0; i < 2; i++) {
        append(pipe, "head", 4);
        output_append_blob(&pipe->output, blob, blob->bytes, blob->size);
        buffer_append(&pipe->expected, blob->bytes, blob->size);
    }
    assert_int_equal(output_front(&pipe->output, pieces, 3, SIZE_MAX, &size), 3);
    assert_int_equal(size, 8 + blob->size);
    assert_memory_equal(pieces[0].iov_base, "head", 4);
    assert_int_equal(pieces[1].iov_len, blob->size);
    assert_int_equal(output_front(&pipe->output, pieces, 3, 6, &size), 2);
    assert_int_equal(size, 6);
    assert_int_equal(pieces[1].iov_len, 2);
    output_sent(&pipe->output, 5, 6);
    assert_true(pipe->output.waits);
    expect_visit(pipe, &pipe->output, 5);
    assert_int_equal(output_front(&pipe->output, pieces, 3, SIZE_MAX, &size), 3);
    assert_int_equal(pieces[0].iov_len, blob->size - 1);
    output_sent(&pipe->output, size, size);
    assert_true(output_is_empty(&pipe->output));
    assert_false(pipe->output.waits);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small_appends_share_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sends_no_more_than_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_pieces_than_one_write_takes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_rest_of_a_blob_is_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clear_lets_blobs_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs_are_one_while_they_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clear_lets_runs_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_traffic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_taking_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_taking_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_traffic_through_two_queues, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_front, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
