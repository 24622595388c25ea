/* unparse: requests that have been parsed as the protocol's bytes again, to be parsed later: what a
 * pause or a reader that does not read holds back. Pure functions into a buffer. */
#ifndef LARDER_CLIENT_UNPARSE_H
#define LARDER_CLIENT_UNPARSE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "proto/request.h"

/* "*3\r\n" or "$16\r\n". */
void unparse_header(struct buffer *out, char type, int64_t number);

/* "$3\r\nSET\r\n" */
void unparse_argument(struct buffer *out, struct bytes argument);

/* A whole request. */
void unparse_call(struct buffer *out, const struct bytes *args, int32_t argc);

/* Bytes in which the parser finds the same fault. Those that came may have been changed by it, and
 * need not be kept. `got` as in request_state. */
void unparse_fault(struct buffer *out, enum request_error error, char got);

#endif
