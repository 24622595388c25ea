/* request: the parser, over pipelines as they come from clients: everything is there, one request
 * behind the other. */
#include "base/buffer.h"
#include "base/check.h"
#include "pieces/piece.h"
#include "proto/request.h"

#define PIPELINE 100
#define ARGS_MAX 100
#define COUNT    200000
#define BULK_MAX (512 * 1024 * 1024)
#define VALUE_64 "$64\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"

struct pipeline {
    struct buffer bytes;
    struct buffer fresh; /* a copy, where the parser writes into what it parses; else empty */
    int argc;            /* of each request */
    struct bytes args[ARGS_MAX];
};

static struct pipeline *pipeline_new(int argc) {
    struct pipeline *pipeline = mem_zalloc(MEM_OTHER, sizeof *pipeline);
    buffer_init(&pipeline->bytes, MEM_OTHER);
    buffer_init(&pipeline->fresh, MEM_OTHER);
    pipeline->argc = argc;
    return pipeline;
}

static void *prepare_get(size_t count) {
    (void)count;
    struct pipeline *pipeline = pipeline_new(2);
    for (int i = 0; i < PIPELINE; i++) {
        buffer_printf(&pipeline->bytes, "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n", i);
    }
    return pipeline;
}

static void *prepare_set(size_t count) {
    (void)count;
    struct pipeline *pipeline = pipeline_new(3);
    for (int i = 0; i < PIPELINE; i++) {
        buffer_printf(&pipeline->bytes, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n" VALUE_64, i);
    }
    return pipeline;
}

static void *prepare_inline(size_t count) {
    (void)count;
    struct pipeline *pipeline = pipeline_new(2);
    for (int i = 0; i < PIPELINE; i++) {
        buffer_printf(&pipeline->bytes, "GET key:%012d\r\n", i);
    }
    buffer_append(&pipeline->fresh, pipeline->bytes.at, pipeline->bytes.size);
    return pipeline;
}

/* MSET with a name, 49 pairs and, so that it is a hundred, one key more: the parser does not
 * mind. */
static void *prepare_mset(size_t count) {
    (void)count;
    struct pipeline *pipeline = pipeline_new(ARGS_MAX);
    for (int i = 0; i < PIPELINE; i++) {
        buffer_printf(&pipeline->bytes, "*%d\r\n$4\r\nMSET\r\n", ARGS_MAX);
        for (int a = 1; a < ARGS_MAX; a++) {
            if (a % 2 == 1) {
                buffer_printf(&pipeline->bytes, "$16\r\nkey:%012d\r\n", a);
            } else {
                buffer_append_text(&pipeline->bytes, VALUE_64);
            }
        }
    }
    return pipeline;
}

static void run(void *state, size_t count) {
    struct pipeline *pipeline = state;
    const struct request_limits limits = {.bulk_max = BULK_MAX};
    struct request_state request;
    request_begin(&request, 0);
    for (size_t i = 0; i < count; i++) {
        enum request_status status = request_parse(
            &request, pipeline->bytes.at, pipeline->bytes.size, &limits, pipeline->args, ARGS_MAX);
        check(status == REQUEST_READY && request.have == pipeline->argc);
        piece_keep((uint64_t)request.have);
        bool is_last = request.at == pipeline->bytes.size;
        request_begin(&request, is_last ? 0 : request.at);
        if (is_last && pipeline->fresh.size > 0) {
            memcpy(pipeline->bytes.at, pipeline->fresh.at, pipeline->fresh.size);
        }
    }
}

static void finish(void *state, size_t count) {
    (void)count;
    struct pipeline *pipeline = state;
    buffer_clear(&pipeline->bytes);
    buffer_clear(&pipeline->fresh);
    mem_free(MEM_OTHER, pipeline, sizeof *pipeline);
}

static const struct piece rows[] = {
    {.name = "request_get",
     .about = "parse GET with a key of 16 bytes",
     .count = COUNT,
     .prepare = prepare_get,
     .run = run,
     .finish = finish},
    {.name = "request_set",
     .about = "parse SET with a value of 64 bytes",
     .count = COUNT,
     .prepare = prepare_set,
     .run = run,
     .finish = finish},
    {.name = "request_inline",
     .about = "parse an inline GET",
     .count = COUNT,
     .prepare = prepare_inline,
     .run = run,
     .finish = finish},
    {.name = "request_mset",
     .about = "parse MSET with 100 arguments",
     .count = COUNT / 20,
     .prepare = prepare_mset,
     .run = run,
     .finish = finish},
};

const struct piece_table *pieces_request(void) {
    static const struct piece_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
