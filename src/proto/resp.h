/* resp: the bytes of replies in RESP2 and RESP3, written at a pointer with enough room. Pure
 * functions; each returns the pointer behind what it wrote. Where room comes from is
 * call/reply.h. */
#ifndef LARDER_PROTO_RESP_H
#define LARDER_PROTO_RESP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

/* Room for any header: type byte, 20 digits, CR LF, and a byte to spare. */
#define RESP_HEADER_SIZE 24

static inline char *resp_end(char *out) {
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
}

/* "$64\r\n", "*2\r\n", ":17\r\n": the type byte and a number. */
static inline char *resp_header(char *out, char type, int64_t number) {
    *out++ = type;
    if (number >= 0 && number < 10) {
        *out++ = (char)('0' + number);
    } else if (number >= 10 && number < 100) {
        *out++ = (char)('0' + number / 10);
        *out++ = (char)('0' + number % 10);
    } else {
        out += num_format_i64(out, number);
    }
    return resp_end(out);
}

/* A bulk string; room for RESP_HEADER_SIZE + size + 2. */
static inline char *resp_bulk(char *out, struct bytes text) {
    out = resp_header(out, '$', (int64_t)text.size);
    memcpy(out, text.at, text.size);
    return resp_end(out + text.size);
}

#endif
