/* request: the parser. The common request (short decimal counts, everything in the input) runs
 * straight through parse_array; what is unusual about a count is left to slow_number, which also
 * words the errors as clients know them. */
#include "proto/request.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "base/words.h"

static enum request_status fail(struct request_state *state, enum request_error error) {
    state->error = error;
    return REQUEST_ERROR;
}

/* Reads "<digits>\r\n" at input[*at]. Everything that is not a plain number of up to 18 digits, all
 * there, is false. */
static inline bool fast_number(const char *input, size_t size, size_t *at, int64_t *number) {
    const char *p = input + *at;
    const char *end = input + size;
    const char *start = p;
    int64_t value = 0;
    while (p < end && (unsigned char)(*p - '0') <= 9 && p - start < 18) {
        value = value * 10 + (*p - '0');
        p++;
    }
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n' || p == start ||
        (*start == '0' && p - start > 1)) {
        return false;
    }
    *number = value;
    *at = (size_t)(p + 2 - input);
    return true;
}

/* The line from `at` (behind its type byte `type_at`) up to CR LF as a number. */
static enum request_status slow_number(struct request_state *state, const char *input, size_t size,
                                       size_t type_at, enum request_error too_long,
                                       enum request_error bad, int64_t *number) {
    const char *line = input + type_at;
    const char *end = memchr(line, '\r', size - type_at);
    if (end == NULL) {
        return size - type_at > REQUEST_LINE_MAX ? fail(state, too_long) : REQUEST_MORE;
    }
    if ((size_t)(end - input) + 1 >= size) {
        return REQUEST_MORE;
    }
    if (bad == REQUEST_BAD_BULK && *line != '$') {
        state->got = *line;
        return fail(state, REQUEST_EXPECTED_BULK);
    }
    if (!num_parse_i64(bytes_of(line + 1, (size_t)(end - line - 1)), number)) {
        return fail(state, bad);
    }
    if (end[1] != '\n') {
        return fail(state, REQUEST_NO_LINE_END);
    }
    state->at = (size_t)(end + 2 - input);
    return REQUEST_READY;
}

/* "*3\r\n" at state->at. */
static enum request_status parse_count(struct request_state *state, const char *input, size_t size,
                                       const struct request_limits *limits) {
    size_t at = state->at + 1;
    int64_t number;
    if (fast_number(input, size, &at, &number)) {
        state->at = at;
    } else {
        enum request_status status = slow_number(state, input, size, state->at, REQUEST_LONG_COUNT,
                                                 REQUEST_BAD_COUNT, &number);
        if (status != REQUEST_READY) {
            return status;
        }
    }
    if (number > REQUEST_ARGS_MAX) {
        return fail(state, REQUEST_BAD_COUNT);
    }
    if (limits->stranger && number > REQUEST_STRANGER_ARGS_MAX) {
        return fail(state, REQUEST_STRANGER_COUNT);
    }
    state->expect = number > 0 ? (int32_t)number : 0;
    return REQUEST_READY;
}

/* "$16\r\n" at state->at. */
static inline enum request_status parse_bulk_size(struct request_state *state, const char *input,
                                                  size_t size,
                                                  const struct request_limits *limits) {
    if (state->at >= size) {
        return REQUEST_MORE;
    }
    size_t at = state->at + 1;
    int64_t number;
    if (LIKELY(input[state->at] == '$') && LIKELY(fast_number(input, size, &at, &number))) {
        state->at = at;
    } else {
        enum request_status status = slow_number(state, input, size, state->at, REQUEST_LONG_BULK,
                                                 REQUEST_BAD_BULK, &number);
        if (status != REQUEST_READY) {
            return status;
        }
    }
    if (number < 0 || number > limits->bulk_max) {
        return fail(state, REQUEST_BAD_BULK);
    }
    if (UNLIKELY(limits->stranger) && number > REQUEST_STRANGER_BULK_MAX) {
        return fail(state, REQUEST_STRANGER_BULK);
    }
    state->bulk = number;
    return REQUEST_READY;
}

static enum request_status parse_array(struct request_state *state, const char *input, size_t size,
                                       const struct request_limits *limits, struct bytes *args,
                                       size_t room) {
    if (UNLIKELY(state->end_due)) {
        if (size - state->at < 2) {
            return REQUEST_MORE;
        }
        if (input[state->at] != '\r' || input[state->at + 1] != '\n') {
            return fail(state, REQUEST_NO_LINE_END);
        }
        state->at += 2;
        state->end_due = false;
    }
    while (state->have < state->expect) {
        if (UNLIKELY((size_t)state->have >= room)) {
            return REQUEST_ROOM;
        }
        if (LIKELY(state->bulk < 0)) {
            enum request_status status = parse_bulk_size(state, input, size, limits);
            if (UNLIKELY(status != REQUEST_READY)) {
                return status;
            }
        }
        size_t bulk = (size_t)state->bulk;
        if (UNLIKELY(size - state->at < bulk + 2)) {
            return REQUEST_MORE;
        }
        const char *end = input + state->at + bulk;
        if (UNLIKELY(end[0] != '\r' || end[1] != '\n')) {
            return fail(state, REQUEST_NO_LINE_END);
        }
        args[state->have++] = bytes_of(input + state->at, bulk);
        state->at += bulk + 2;
        state->bulk = -1;
    }
    return REQUEST_READY;
}

/* Whether a line of text may begin so: with space (an empty line's CR or LF too) or a word. */
static bool begins_text(char first) {
    return (first >= ' ' && first <= '~') || (first >= '\t' && first <= '\r');
}

static enum request_status parse_inline(struct request_state *state, char *input, size_t size,
                                        struct bytes *args, size_t room) {
    char *line = input + state->at;
    if (UNLIKELY(!begins_text(*line))) {
        return fail(state, REQUEST_BAD_START);
    }
    const char *end = memchr(line, '\n', size - state->at);
    size_t length = end == NULL ? size - state->at : (size_t)(end - line);
    if (memchr(line, '\0', length < REQUEST_LINE_MAX ? length : REQUEST_LINE_MAX) != NULL) {
        return fail(state, REQUEST_NUL_INLINE);
    }
    if (end == NULL) {
        /* One more than the limit may be its CR. */
        return length > REQUEST_LINE_MAX + 1 ? fail(state, REQUEST_LONG_INLINE) : REQUEST_MORE;
    }
    size_t whole = length + 1;
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    if (length > REQUEST_LINE_MAX) {
        return fail(state, REQUEST_LONG_INLINE);
    }
    /* Words are unescaped over the line itself, so there must be room for all of them before. */
    if (room < length / 2 + 1) {
        return REQUEST_ROOM;
    }
    int words = words_split(bytes_of(line, length), line, args, (int)(length / 2 + 1));
    if (words < 0) {
        return fail(state, REQUEST_UNBALANCED_QUOTES);
    }
    state->have = state->expect = words;
    state->at += whole;
    return REQUEST_READY;
}

enum request_status request_parse(struct request_state *state, char *input, size_t size,
                                  const struct request_limits *limits, struct bytes *args,
                                  size_t room) {
    if (state->expect < 0) {
        if (state->at >= size) {
            return REQUEST_MORE;
        }
        if (UNLIKELY(input[state->at] != '*')) {
            return parse_inline(state, input, size, args, room);
        }
        enum request_status status = parse_count(state, input, size, limits);
        if (UNLIKELY(status != REQUEST_READY)) {
            return status;
        }
    }
    return parse_array(state, input, size, limits, args, room);
}

void request_give_bulk(struct request_state *state, size_t at, struct bytes bulk,
                       struct bytes *args) {
    check(state->bulk == (int64_t)bulk.size);
    args[state->have++] = bulk;
    state->bulk = -1;
    state->at = at;
    state->end_due = true;
}

void request_rebase(struct bytes *args, int32_t count, const char *from, size_t size,
                    const char *to) {
    for (int32_t i = 0; i < count; i++) {
        if (args[i].at >= from && args[i].at <= from + size) {
            args[i].at = to + (args[i].at - from);
        }
    }
}

void request_error_text(const struct request_state *state, char *out) {
    static const char *const texts[] = {
        [REQUEST_BAD_COUNT] = "invalid multibulk length",
        [REQUEST_LONG_COUNT] = "too big mbulk count string",
        [REQUEST_STRANGER_COUNT] = "unauthenticated multibulk length",
        [REQUEST_BAD_BULK] = "invalid bulk length",
        [REQUEST_LONG_BULK] = "too big bulk count string",
        [REQUEST_STRANGER_BULK] = "unauthenticated bulk length",
        [REQUEST_LONG_INLINE] = "too big inline request",
        [REQUEST_UNBALANCED_QUOTES] = "unbalanced quotes in request",
        [REQUEST_NO_LINE_END] = "expected CR and LF",
        [REQUEST_BAD_START] = "unexpected first byte of a request",
        [REQUEST_NUL_INLINE] = "NUL byte in inline request",
    };
    if (state->error == REQUEST_EXPECTED_BULK) {
        snprintf(out, 64, "expected '$', got '%c'", state->got);
    } else {
        snprintf(out, 64, "%s", texts[state->error]);
    }
}
