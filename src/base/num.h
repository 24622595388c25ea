/* num: numbers to text and back, with the rules that Redis clients rely on. All parsers take a
 * slice (no NUL needed) and accept the whole slice or nothing: no spaces, no trailing bytes. */
#ifndef LARDER_BASE_NUM_H
#define LARDER_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Enough for any 64-bit integer in decimal with sign, without NUL. */
#define NUM_I64_SIZE 20
/* Enough for num_format_double and num_format_long_double: the largest long double has 4933 digits
 * before the point, and 17 behind. Also the end of what the floating point parsers accept. */
#define NUM_FLOAT_SIZE 5120

/* Canonical decimal integer only: "-0", "+1", "01", "" and " 1" are refused, as is overflow. What
 * passes here prints back to the same bytes, which is why a value may be stored as integer. */
bool num_parse_i64(struct bytes text, int64_t *out);
bool num_parse_u64(struct bytes text, uint64_t *out);

/* Writes the decimal digits, no NUL; `out` has room for NUM_I64_SIZE. Returns the length. */
size_t num_format_i64(char *out, int64_t value);
size_t num_format_u64(char *out, uint64_t value);

/* How many bytes num_format_i64 would write. */
size_t num_digits_i64(int64_t value);

/* Floating point in any form that strtod knows ("1e3", "0x1p3", "inf", "-infinity"); refused:
 * empty, leading space, trailing bytes, NaN, overflow to infinity, underflow to zero, and texts of
 * NUM_FLOAT_SIZE bytes and more. */
bool num_parse_double(struct bytes text, double *out);
bool num_parse_long_double(struct bytes text, long double *out);
/* As the borders of a range of scores are read: all that strtod takes, so that nothing at all is 0,
 * leading space is skipped, what is too large is infinite, and a NUL ends it. Refused: trailing
 * bytes, NaN, and texts of NUM_FLOAT_SIZE bytes and more. */
bool num_parse_double_leniently(struct bytes text, double *out);

/* What printf's %.17g gives, the form of scores in Redis 7.0: "3.1400000000000001", "0.5", "3000",
 * "1e+17", "-0", "inf", "-inf", "nan". `out` has room for NUM_FLOAT_SIZE. Returns the length; the
 * text is not terminated. */
size_t num_format_double(char *out, double value);

/* Fixed notation with 17 digits behind the point and trailing zeros removed: the form of
 * INCRBYFLOAT and HINCRBYFLOAT ("4.1", "3000", "0" for minus zero, "inf", "-inf", "nan"). `out` has
 * room for NUM_FLOAT_SIZE. Returns the length; the text is not terminated. */
size_t num_format_long_double(char *out, long double value);

/* "100", "1k" (1000), "1kb" (1024), "1m", "1mb", "1g", "1gb", "1b": bytes. Letters in any case,
 * leading zeros allowed. Negative values, a unit alone and overflow are refused. */
bool num_parse_memory(struct bytes text, uint64_t *out);

/* A size as people write it into a configuration, with the largest unit that leaves nothing over:
 * 64mb, 1gb, 1000. At most 24 bytes, NUL included. */
void num_format_memory(char *out, uint64_t bytes);

/* "12.34M" style text for INFO's *_human fields: B, K, M, G, T, P. `out` has room for 32 with
 * NUL. */
void num_format_human(char *out, uint64_t bytes);

#endif
