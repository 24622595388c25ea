/* sha256: the hash function SHA-256 (FIPS 180-4). For passwords, which are kept and compared as
 * such; some 200 MB a second, so not for much else. */
#ifndef LARDER_BASE_SHA256_H
#define LARDER_BASE_SHA256_H

#include <stdint.h>

#include "base/bytes.h"

#define SHA256_SIZE 32
/* As hexadecimal digits, without a NUL. */
#define SHA256_DIGITS (2 * SHA256_SIZE)

void sha256(struct bytes text, uint8_t hash[SHA256_SIZE]);

/* The same in lower-case hexadecimal digits. */
void sha256_digits(struct bytes text, char digits[SHA256_DIGITS]);

#endif
