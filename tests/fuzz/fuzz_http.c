/* Fuzzer of the HTTP parser: feeds the input whole, byte by byte, in two pieces for every place of
 * the split (short inputs) and in pieces of changing sizes, each time in memory of exactly its
 * size, and checks that all see the same requests and the same refusal. The first byte chooses the
 * limits. */
#include "proto/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* Up to this size everything is split everywhere: the work grows with the square. */
#define SHORT_INPUT 160

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run saw. */
struct seen {
    uint64_t hash;
    uint64_t requests;
    int status;
};

static void require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "fuzz_http: %s\n", what);
        abort();
    }
}

static void note(struct seen *seen, struct bytes text) {
    seen->hash = hash_bytes(seen->hash + text.size + (text.at == NULL), text.at, text.size);
}

static void within(struct bytes text, const char *input, size_t size) {
    require(text.at == NULL || text.size == 0 || bytes_is(text, "/") ||
                (text.at >= input && text.at + text.size <= input + size),
            "a slice outside of the head");
}

static void note_request(struct seen *seen, const struct http_state *state,
                         const struct http_head *head, const char *input, size_t size) {
    require(state->at <= size && state->head + state->body_size <= state->at, "sizes");
    within(head->path, input, state->head);
    within(head->query, input, state->head);
    seen->requests++;
    seen->hash += (uint64_t)head->method * 8 + (uint64_t)head->minor * 4 + head->keep_alive * 2 +
                  head->chunked;
    note(seen, head->path);
    note(seen, head->query);
    for (int i = 0; i < HTTP_FIELDS; i++) {
        within(head->fields[i], input, state->head);
        note(seen, head->fields[i]);
    }
    note(seen, bytes_of(input + state->head, state->body_size));
}

/* One run: pieces of `first` bytes and then of `step`. */
static struct seen run(const uint8_t *data, size_t size, const struct http_limits *limits,
                       size_t first, size_t step) {
    struct seen seen = {.hash = 1};
    struct http_state state;
    struct http_head head;
    char *input = malloc(1);
    size_t held = 0;
    http_begin(&state);
    for (size_t fed = 0; fed < size;) {
        size_t more = fed == 0 ? first : step;
        more = more > size - fed ? size - fed : more;
        char *moved = malloc(held + more);
        memcpy(moved, input, held);
        memcpy(moved + held, data + fed, more);
        free(input);
        input = moved;
        held += more;
        fed += more;
        while (held > 0) {
            enum http_status status = http_parse(&state, input, held, limits, &head);
            if (status == HTTP_ERROR) {
                seen.status = state.status;
                free(input);
                return seen;
            }
            if (status == HTTP_MORE) {
                break;
            }
            note_request(&seen, &state, &head, input, held);
            held -= state.at;
            moved = malloc(held + 1);
            memcpy(moved, input + state.at, held);
            free(input);
            input = moved;
            http_begin(&state);
        }
    }
    free(input);
    seen.hash += held;
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    struct http_limits limits = {.head_max = 4096, .field_max = 16, .body_max = 65536};
    if (data[0] & 1) {
        limits = (struct http_limits){.head_max = 48, .field_max = 2, .body_max = 4};
    }
    const size_t step = data[0] / 2 + 1;
    data++;
    size--;
    struct seen whole = run(data, size, &limits, size, size);
    struct seen pieces = run(data, size, &limits, step, step);
    require(memcmp(&whole, &pieces, sizeof whole) == 0, "pieces differ");
    if (size <= SHORT_INPUT) {
        for (size_t first = 1; first <= size; first++) {
            struct seen split = run(data, size, &limits, first, first == size ? 1 : size);
            require(memcmp(&whole, &split, sizeof whole) == 0, "a split differs");
        }
    }
    return 0;
}
