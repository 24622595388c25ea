/* unparse: the reverse of proto/request. A request comes back as an array of bulks, also when it
 * was an inline one; a fault as the shortest bytes that are wrong in the same way. */
#include "call/unparse.h"

#include <string.h>

#include "proto/resp.h"

void unparse_header(struct buffer *out, char type, int64_t number) {
    char *at = buffer_reserve(out, RESP_HEADER_SIZE);
    out->size += (size_t)(resp_header(at, type, number) - at);
}

void unparse_argument(struct buffer *out, struct bytes argument) {
    unparse_header(out, '$', (int64_t)argument.size);
    buffer_append(out, argument.at, argument.size);
    buffer_append(out, "\r\n", 2);
}

void unparse_call(struct buffer *out, const struct bytes *args, int32_t argc) {
    unparse_header(out, '*', argc);
    for (int32_t i = 0; i < argc; i++) {
        unparse_argument(out, args[i]);
    }
}

/* More than a line may have, its CR included. */
static void append_long_line(struct buffer *out) {
    size_t size = REQUEST_LINE_MAX + 2;
    memset(buffer_reserve(out, size), '1', size);
    out->size += size;
}

void unparse_fault(struct buffer *out, enum request_error error, char got) {
    switch (error) {
    case REQUEST_BAD_COUNT:
        buffer_append_text(out, "*x\r\n");
        break;
    case REQUEST_LONG_COUNT:
        buffer_append_text(out, "*");
        append_long_line(out);
        break;
    case REQUEST_STRANGER_COUNT:
        unparse_header(out, '*', REQUEST_STRANGER_ARGS_MAX + 1);
        break;
    case REQUEST_EXPECTED_BULK:
        buffer_append_text(out, "*1\r\n");
        buffer_append_byte(out, got);
        buffer_append_text(out, "\r\n");
        break;
    case REQUEST_BAD_BULK:
        buffer_append_text(out, "*1\r\n$x\r\n");
        break;
    case REQUEST_LONG_BULK:
        buffer_append_text(out, "*1\r\n$");
        append_long_line(out);
        break;
    case REQUEST_STRANGER_BULK:
        buffer_append_text(out, "*1\r\n");
        unparse_header(out, '$', REQUEST_STRANGER_BULK_MAX + 1);
        break;
    case REQUEST_LONG_INLINE:
        append_long_line(out);
        break;
    case REQUEST_UNBALANCED_QUOTES:
        buffer_append_text(out, "\"\r\n");
        break;
    case REQUEST_NO_LINE_END:
        buffer_append_text(out, "*1\r\n$0\r\nxx");
        break;
    case REQUEST_BAD_START:
        buffer_append_byte(out, '\0');
        break;
    case REQUEST_NUL_INLINE:
        buffer_append(out, "x", 2);
        break;
    }
}
