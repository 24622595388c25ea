/* sha1: the digest of FIPS 180-4 by which clients name scripts. Not for secrets. */
#ifndef LARDER_BASE_SHA1_H
#define LARDER_BASE_SHA1_H

#include "base/bytes.h"

#define SHA1_SIZE     20
#define SHA1_HEX_SIZE 40

/* The digest as small hexadecimal digits, with a NUL behind. */
void sha1_hex(struct bytes text, char hex[SHA1_HEX_SIZE + 1]);

#endif
