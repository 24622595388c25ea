/* base64: RFC 4648, the usual alphabet, with padding. Pure functions. */
#ifndef LARDER_PROTO_BASE64_H
#define LARDER_PROTO_BASE64_H

#include <stddef.h>

#include "base/bytes.h"

/* Bytes that so many become. */
static inline size_t base64_size(size_t size) {
    return (size + 2) / 3 * 4;
}

/* Writes base64_size(text.size) bytes; returns behind them. */
char *base64_encode(char *out, struct bytes text);

/* The size of what `text` means, written to `out`, which has room for text.size / 4 * 3 bytes; -1
 * when it is not base64, padding included. */
ptrdiff_t base64_decode(char *out, struct bytes text);

#endif
