/* http: the parser. A request that is whole in the input goes straight through parse_head, which
 * looks at each byte once; only one that is cut is looked through for its end first (find_end). A
 * head is refused when it is whole, or when it can have no end any more; so the verdict is the same
 * wherever the input was cut. */
#include "proto/http.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"

/* Longest line of a chunk's size, with what a peer may add to it. */
#define CHUNK_LINE_MAX 256
/* Longest trailers: they are not used. */
#define TRAILER_MAX 8192
/* Digits of a length: what is longer cannot be meant. */
#define LENGTH_DIGITS_MAX 18
#define CHUNK_DIGITS_MAX  15

#define CHAR_TOKEN  1 /* of a method or a field's name */
#define CHAR_TARGET 2 /* of a request's target */
#define CHAR_HOST   4

/* What each byte may be part of. */
static const unsigned char kinds[256] = {
    ['!'] = 3, ['#'] = 1, ['$'] = 3,  ['%'] = 7,         ['&'] = 3,         ['\''] = 3,
    ['*'] = 3, ['+'] = 3, ['-'] = 7,  ['.'] = 7,         ['^'] = 3,         ['_'] = 7,
    ['`'] = 3, ['|'] = 3, ['~'] = 7,  ['0' ... '9'] = 7, ['A' ... 'Z'] = 7, ['a' ... 'z'] = 7,
    ['"'] = 2, ['('] = 2, [')'] = 2,  [','] = 2,         ['/'] = 2,         [':'] = 6,
    [';'] = 2, ['<'] = 2, ['='] = 2,  ['>'] = 2,         ['?'] = 2,         ['@'] = 2,
    ['['] = 6, [']'] = 6, ['\\'] = 2, ['{'] = 2,         ['}'] = 2,
};

static inline bool is_kind(char c, unsigned kind) {
    return kinds[(unsigned char)c] & kind;
}

static enum http_status fail(struct http_state *state, int status) {
    state->status = (uint16_t)status;
    return HTTP_ERROR;
}

/* ---- the end of a head that is cut ---- */

/* Looks on for the empty line from state->at. READY with state->head set, MORE, or ERROR. */
static enum http_status find_end(struct http_state *state, const char *input, size_t size,
                                 const struct http_limits *limits) {
    size_t end = size < limits->head_max ? size : limits->head_max;
    if (state->at == 0 && size > 0 && !is_kind(input[0], CHAR_TOKEN) && input[0] != '\r') {
        return fail(state, 400); /* binary, as TLS is, or a blank line without CR */
    }
    while (state->at < end) {
        const char *found = memchr(input + state->at, '\n', end - state->at);
        if (found == NULL) {
            state->at = end;
            break;
        }
        size_t at = (size_t)(found - input);
        if (at == 0 || input[at - 1] != '\r') {
            return fail(state, 400);
        }
        state->at = at + 1;
        if (at >= 3 && input[at - 2] == '\n') {
            state->head = at + 1;
            return HTTP_READY;
        }
    }
    if (size < limits->head_max) {
        return HTTP_MORE;
    }
    return fail(state, memchr(input, '\n', end) == NULL ? 414 : 431);
}

/* ---- lines ---- */

#define EACH(byte) (0x0101010101010101ULL * (byte))

/* The first byte of p[0 .. end) that is a control character, but for tabs; `end` if none is. Eight
 * at a time. */
static inline const char *find_control(const char *p, const char *end) {
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        uint64_t below = (word - EACH(0x20)) & ~word;
        uint64_t delete = word ^ EACH(0x7f);
        delete = (delete - EACH(1)) & ~delete;
        uint64_t found = (below | delete) & EACH(0x80);
        if (found == 0) {
            p += 8;
            continue;
        }
        p += __builtin_ctzll(found) / 8; /* the lowest one is never a false alarm */
        if (*p != '\t') {
            return p;
        }
        p++;
    }
    while (p < end && (*p == '\t' || ((unsigned char)*p >= 0x20 && *p != 0x7f))) {
        p++;
    }
    return p;
}

static struct bytes trimmed(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return bytes_of(at, (size_t)(end - at));
}

static inline uint32_t word_of(const char *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t word_text(const char text[4]) {
    return word_of(text);
}

static enum http_method method_of(struct bytes name) {
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},       {"PUT", HTTP_PUT},
                   {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS}, {"PURGE", HTTP_PURGE}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (bytes_equal(name, bytes_text(methods[i].name))) {
            return methods[i].method;
        }
    }
    return HTTP_OTHER;
}

static bool all_of(struct bytes text, unsigned kind) {
    for (size_t i = 0; i < text.size; i++) {
        if (!is_kind(text.at[i], kind)) {
            return false;
        }
    }
    return true;
}

/* Divides a target: "/path?query", "*", or "http://host/path", whose host takes Host's place. */
static bool divide_target(struct http_head *head, struct bytes target) {
    if (UNLIKELY(target.size > 7 && bytes_is(bytes_of(target.at, 7), "http://"))) {
        const char *from = target.at + 7;
        const char *slash = memchr(from, '/', target.size - 7);
        const char *end = slash == NULL ? target.at + target.size : slash;
        head->fields[HTTP_HOST] = bytes_of(from, (size_t)(end - from));
        if (end == from || !all_of(head->fields[HTTP_HOST], CHAR_HOST)) {
            return false;
        }
        target = slash == NULL ? bytes_text("/")
                               : bytes_of(slash, (size_t)(target.at + target.size - slash));
    }
    if (target.size == 0 || (target.at[0] != '/' && !bytes_equal(target, bytes_text("*")))) {
        return false;
    }
    const char *mark = memchr(target.at, '?', target.size);
    if (mark == NULL) {
        head->path = target;
        return true;
    }
    head->path = bytes_of(target.at, (size_t)(mark - target.at));
    head->query = bytes_of(mark + 1, (size_t)(target.at + target.size - mark - 1));
    return true;
}

/* "GET /path HTTP/1.1\r\n" from `p` on, behind which is the result; NULL with *status set when it
 * is not one. */
static const char *parse_line(const char *p, const char *end, struct http_head *head, int *status) {
    const char *start = p;
    *status = 400;
    if (LIKELY(end - p > 4 && word_of(p) == word_text("GET "))) {
        head->method = HTTP_GET;
        p += 3;
    } else {
        while (p < end && is_kind(*p, CHAR_TOKEN)) {
            p++;
        }
        head->method = method_of(bytes_of(start, (size_t)(p - start)));
    }
    if (p == start || p == end || *p != ' ') {
        return NULL;
    }
    const char *target = ++p;
    while (p < end && is_kind(*p, CHAR_TARGET)) {
        p++;
    }
    const char *target_end = p;
    if (end - p < 11 || memcmp(p, " HTTP/", 6) != 0 || p[7] != '.' || p[9] != '\r' ||
        p[10] != '\n') {
        return NULL;
    }
    if (p[6] < '0' || p[6] > '9' || p[8] < '0' || p[8] > '9') {
        return NULL;
    }
    if (p[6] != '1') {
        *status = 505;
        return NULL;
    }
    head->minor = p[8] == '0' ? 0 : 1;
    head->keep_alive = head->minor == 1;
    return divide_target(head, bytes_of(target, (size_t)(target_end - target))) ? p + 11 : NULL;
}

/* ---- fields ---- */

static bool read_length(struct http_head *head, struct bytes value) {
    if (value.size == 0 || value.size > LENGTH_DIGITS_MAX) {
        return false;
    }
    int64_t length = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') {
            return false;
        }
        length = length * 10 + (value.at[i] - '0');
    }
    head->content_length = length;
    return true;
}

static void read_connection(struct http_head *head, struct bytes value) {
    struct bytes member;
    while (http_list_next(&value, &member)) {
        if (bytes_is(member, "close")) {
            head->keep_alive = false;
            return;
        }
        head->keep_alive |= bytes_is(member, "keep-alive");
    }
}

/* A field that is kept; standing twice makes it bad, unless its value is a list, of which the first
 * line is enough. */
static bool keep(struct http_head *head, enum http_field field, struct bytes value) {
    if (head->fields[field].at == NULL) {
        head->fields[field] = value;
        return true;
    }
    return field == HTTP_CACHE_CONTROL || field == HTTP_ACCEPT;
}

/* What this server has to know of a field. 0, or the status with which the request is refused. */
static int read_field(struct http_head *head, struct http_framing *framing, struct bytes name,
                      struct bytes value) {
    static const struct {
        const char *name;
        enum http_field field;
    } kept[] = {
        {"authorization", HTTP_AUTHORIZATION},
        {"origin", HTTP_ORIGIN},
        {"if-match", HTTP_IF_MATCH},
        {"if-none-match", HTTP_IF_NONE_MATCH},
        {"if-range", HTTP_IF_RANGE},
        {"range", HTTP_RANGE},
        {"cache-control", HTTP_CACHE_CONTROL},
        {"accept", HTTP_ACCEPT},
        {"content-type", HTTP_CONTENT_TYPE},
        {"content-encoding", HTTP_CONTENT_ENCODING},
        {"upstash-encoding", HTTP_ENCODING},
        {"access-control-request-method", HTTP_REQUEST_METHOD},
    };
    /* Sizes of the names that matter; most of what browsers send is passed over here. */
    const uint32_t sizes = 1U << 4 | 1U << 5 | 1U << 6 | 1U << 8 | 1U << 10 | 1U << 12 | 1U << 13 |
                           1U << 14 | 1U << 16 | 1U << 17 | 1U << 29;
    if (name.size > 31 || (sizes >> name.size & 1) == 0) {
        return 0;
    }
    if (name.size == 4 && bytes_is(name, "host")) {
        bool twice = framing->host;
        framing->host = true;
        if (head->fields[HTTP_HOST].at == NULL) {
            head->fields[HTTP_HOST] = value;
        }
        return twice || !all_of(value, CHAR_HOST) ? 400 : 0;
    }
    if (bytes_is(name, "content-length")) {
        bool twice = framing->length;
        framing->length = true;
        return twice || !read_length(head, value) ? 400 : 0;
    }
    if (bytes_is(name, "transfer-encoding")) {
        bool twice = framing->coding;
        framing->coding = head->chunked = true;
        return twice || !bytes_is(value, "chunked") ? 400 : 0;
    }
    if (bytes_is(name, "connection")) {
        read_connection(head, value);
        return 0;
    }
    if (bytes_is(name, "expect")) {
        head->expects = true;
        return bytes_is(value, "100-continue") ? 0 : 417;
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (bytes_is(name, kept[i].name)) {
            return keep(head, kept[i].field, value) ? 0 : 400;
        }
    }
    return 0;
}

/* "Name: value\r\n" at `p`; behind it is the result, NULL when it is no such line. */
static inline const char *parse_field(const char *p, const char *end, struct bytes *name,
                                      struct bytes *value) {
    const char *start = p;
    while (p < end && is_kind(*p, CHAR_TOKEN)) {
        p++;
    }
    if (p == start || p == end || *p != ':') {
        return NULL;
    }
    *name = bytes_of(start, (size_t)(p - start));
    const char *from = p + 1;
    p = find_control(from, end);
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n') {
        return NULL;
    }
    *value = trimmed(from, p);
    return p + 2;
}

void http_head_begin(struct http_head *head, struct http_framing *framing) {
    memset(head, 0, sizeof *head);
    head->content_length = -1;
    *framing = (struct http_framing){.length = false};
}

bool http_head_line(struct http_head *head, struct bytes method, struct bytes target) {
    head->method = bytes_equal(method, bytes_of("GET", 3)) ? HTTP_GET : method_of(method);
    head->minor = 1;
    head->keep_alive = true;
    return method.size > 0 && all_of(method, CHAR_TOKEN) && all_of(target, CHAR_TARGET) &&
           divide_target(head, target);
}

int http_head_field(struct http_head *head, struct http_framing *framing, struct bytes name,
                    struct bytes value) {
    return read_field(head, framing, name, value);
}

static int check_framing(const struct http_head *head, const struct http_framing *framing) {
    if ((framing->length && framing->coding) || (framing->coding && head->minor == 0) ||
        (!framing->host && head->minor == 1)) {
        return 400;
    }
    return 0;
}

/* The whole head input[0 .. size), or as much of it as is there. READY with state->head set, or
 * ERROR, which may only mean that it is cut. */
static enum http_status parse_head(struct http_state *state, const char *input, size_t size,
                                   const struct http_limits *limits, struct http_head *head) {
    const char *p = input;
    const char *end = input + (size < limits->head_max ? size : limits->head_max);
    int status;
    struct http_framing framing;
    http_head_begin(head, &framing);
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
        p += 2; /* one blank line in front, as some peers send behind a body */
    }
    p = parse_line(p, end, head, &status);
    if (p == NULL) {
        return fail(state, status);
    }
    for (uint32_t count = 0;; count++) {
        if (end - p >= 2 && p[0] == '\r') {
            if (p[1] != '\n') {
                return fail(state, 400);
            }
            break;
        }
        struct bytes name;
        struct bytes value;
        p = parse_field(p, end, &name, &value);
        if (p == NULL) {
            return fail(state, 400);
        }
        if (count == limits->field_max) {
            return fail(state, 431);
        }
        status = read_field(head, &framing, name, value);
        if (status != 0) {
            return fail(state, status);
        }
    }
    status = check_framing(head, &framing);
    if (status != 0) {
        return fail(state, status);
    }
    state->head = (size_t)(p + 2 - input);
    return HTTP_READY;
}

/* The head has come: how the body does. */
static enum http_status begin_body(struct http_state *state, const struct http_limits *limits,
                                   const struct http_head *head) {
    state->at = state->head;
    state->body_size = 0;
    state->phase = HTTP_PHASE_BODY;
    state->left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (head->chunked) {
        state->phase = HTTP_PHASE_CHUNK_SIZE;
    } else if (state->left > limits->body_max) {
        return fail(state, 413);
    }
    return HTTP_READY;
}

/* ---- chunks ---- */

/* A line from state->at, CR LF at its end, `max` bytes at most with them: its size without them in
 * *length. */
static enum http_status take_line(struct http_state *state, const char *input, size_t size,
                                  size_t max, int too_long, size_t *length) {
    const char *line = input + state->at;
    size_t here = size - state->at < max ? size - state->at : max;
    const char *end = find_control(line, line + here);
    size_t at = (size_t)(end - line);
    if (at == here) {
        return here == max ? fail(state, too_long) : HTTP_MORE;
    }
    if (*end != '\r') {
        return fail(state, 400);
    }
    if (at + 1 == here) {
        return here == max ? fail(state, too_long) : HTTP_MORE;
    }
    if (end[1] != '\n') {
        return fail(state, 400);
    }
    *length = at;
    state->at += at + 2;
    return HTTP_READY;
}

static int hex_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "1a2b" or "1a2b;anything". */
static enum http_status parse_chunk_size(struct http_state *state, const char *input, size_t size,
                                         const struct http_limits *limits) {
    size_t start = state->at;
    size_t length;
    enum http_status status = take_line(state, input, size, CHUNK_LINE_MAX, 400, &length);
    if (status != HTTP_READY) {
        return status;
    }
    uint64_t chunk = 0;
    size_t i = 0;
    for (; i < length && hex_value(input[start + i]) >= 0; i++) {
        chunk = chunk << 4 | (uint64_t)hex_value(input[start + i]);
    }
    if (i == 0 || i > CHUNK_DIGITS_MAX || (i < length && input[start + i] != ';')) {
        return fail(state, 400);
    }
    if (chunk > limits->body_max || state->body_size > limits->body_max - chunk) {
        return fail(state, 413);
    }
    state->left = chunk;
    state->phase = chunk > 0 ? HTTP_PHASE_CHUNK : HTTP_PHASE_TRAILER;
    return HTTP_READY;
}

/* Moves what has come of the chunk to what came before. */
static enum http_status take_chunk(struct http_state *state, char *input, size_t size) {
    size_t here = size - state->at;
    size_t part = state->left < here ? (size_t)state->left : here;
    memmove(input + state->head + state->body_size, input + state->at, part);
    state->body_size += part;
    state->at += part;
    state->left -= part;
    if (state->left > 0) {
        return HTTP_MORE;
    }
    state->phase = HTTP_PHASE_CHUNK_END;
    return HTTP_READY;
}

static enum http_status end_chunk(struct http_state *state, const char *input, size_t size) {
    size_t here = size - state->at;
    if ((here > 0 && input[state->at] != '\r') || (here > 1 && input[state->at + 1] != '\n')) {
        return fail(state, 400);
    }
    if (here < 2) {
        return HTTP_MORE;
    }
    state->at += 2;
    state->phase = HTTP_PHASE_CHUNK_SIZE;
    return HTTP_READY;
}

/* A trailer is a field that is not used. *done at the empty line. */
static enum http_status parse_trailer(struct http_state *state, const char *input, size_t size,
                                      bool *done) {
    size_t start = state->at;
    size_t length;
    enum http_status status =
        take_line(state, input, size, TRAILER_MAX - state->trailer, 431, &length);
    if (status != HTTP_READY) {
        return status;
    }
    *done = length == 0;
    if (*done) {
        return HTTP_READY;
    }
    struct bytes name;
    struct bytes value;
    if (parse_field(input + start, input + state->at, &name, &value) == NULL) {
        return fail(state, 400);
    }
    state->trailer += (uint32_t)(length + 2);
    return HTTP_READY;
}

static enum http_status parse_body(struct http_state *state, char *input, size_t size,
                                   const struct http_limits *limits) {
    if (state->phase == HTTP_PHASE_BODY) {
        if (size - state->head < state->left) {
            return HTTP_MORE;
        }
        state->body_size = (size_t)state->left;
        state->at = state->head + state->body_size;
        return HTTP_READY;
    }
    for (bool done = false; !done;) {
        enum http_status status =
            state->phase == HTTP_PHASE_CHUNK_SIZE  ? parse_chunk_size(state, input, size, limits)
            : state->phase == HTTP_PHASE_CHUNK     ? take_chunk(state, input, size)
            : state->phase == HTTP_PHASE_CHUNK_END ? end_chunk(state, input, size)
                                                   : parse_trailer(state, input, size, &done);
        if (status != HTTP_READY) {
            return status;
        }
    }
    return HTTP_READY;
}

/* ---- requests ---- */

enum http_status http_parse(struct http_state *state, char *input, size_t size,
                            const struct http_limits *limits, struct http_head *head) {
    bool has_head = false;
    if (LIKELY(state->phase == HTTP_PHASE_HEAD)) {
        enum http_status status = HTTP_MORE;
        if (LIKELY(state->at == 0)) {
            status = parse_head(state, input, size, limits, head);
        }
        if (UNLIKELY(status != HTTP_READY)) {
            enum http_status end = find_end(state, input, size, limits);
            if (end != HTTP_READY) {
                return end;
            }
            status = parse_head(state, input, size, limits, head);
        }
        if (status != HTTP_READY) {
            return status;
        }
        status = begin_body(state, limits, head);
        if (status != HTTP_READY) {
            return status;
        }
        has_head = true;
    }
    enum http_status status = parse_body(state, input, size, limits);
    if (status == HTTP_READY && !has_head) {
        size_t whole = state->head;
        status = parse_head(state, input, whole, limits, head); /* it is where it lies now */
        check(status == HTTP_READY && state->head == whole);
    }
    return status;
}

/* ---- pieces ---- */

ptrdiff_t http_unescape(char *at, size_t size, bool plus) {
    const char *from = at;
    const char *end = at + size;
    char *to = at;
    while (from < end) {
        char c = *from++;
        if (c == '%') {
            if (end - from < 2 || hex_value(from[0]) < 0 || hex_value(from[1]) < 0) {
                return -1;
            }
            c = (char)(hex_value(from[0]) << 4 | hex_value(from[1]));
            from += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        *to++ = c;
    }
    return to - at;
}

bool http_query_next(struct bytes *query, struct bytes *name, struct bytes *value) {
    if (query->at == NULL || query->size == 0) {
        return false;
    }
    const char *end = query->at + query->size;
    const char *mark = memchr(query->at, '&', query->size);
    const char *stop = mark == NULL ? end : mark;
    const char *equals = memchr(query->at, '=', (size_t)(stop - query->at));
    *name = bytes_of(query->at, (size_t)((equals == NULL ? stop : equals) - query->at));
    *value = equals == NULL ? bytes_of(NULL, 0) : bytes_of(equals + 1, (size_t)(stop - equals - 1));
    *query = mark == NULL ? bytes_of(end, 0) : bytes_of(mark + 1, (size_t)(end - mark - 1));
    return true;
}

bool http_list_next(struct bytes *list, struct bytes *member) {
    const char *p = list->at;
    const char *end = p + list->size;
    while (p < end && (*p == ',' || *p == ' ' || *p == '\t')) {
        p++;
    }
    if (list->size == 0 || p == end) {
        return false;
    }
    const char *start = p;
    bool quoted = false;
    for (; p < end && (quoted || *p != ','); p++) {
        quoted ^= *p == '"';
    }
    *member = trimmed(start, p);
    *list = bytes_of(p, (size_t)(end - p));
    return true;
}

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

static char *two_digits(char *out, int64_t number) {
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
    return out + 2;
}

/* Days to a date by eras of 400 years, of which each begins in March. */
void http_format_date(char out[HTTP_DATE_SIZE], int64_t seconds) {
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day = seconds / 86400;
    int64_t second = seconds % 86400;
    int64_t shifted = day + 719468;
    int64_t era = shifted / 146097;
    int64_t of_era = shifted % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march = (5 * of_year + 2) / 153;
    int64_t month = march < 10 ? march + 2 : march - 10; /* from 0 */
    int64_t whole = year + era * 400 + (month < 2 ? 1 : 0);
    memcpy(out, days + 3 * (day % 7), 3);
    memcpy(out + 3, ", ", 2);
    char *p = two_digits(out + 5, of_year - (153 * march + 2) / 5 + 1);
    *p++ = ' ';
    memcpy(p, months + 3 * month, 3);
    p[3] = ' ';
    p = two_digits(two_digits(p + 4, whole / 100 % 100), whole % 100);
    *p++ = ' ';
    p = two_digits(p, second / 3600);
    *p++ = ':';
    p = two_digits(p, second / 60 % 60);
    *p++ = ':';
    p = two_digits(p, second % 60);
    memcpy(p, " GMT", 4);
}
