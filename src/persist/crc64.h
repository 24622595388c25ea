/* crc64: the checksum of Redis's files and DUMP payloads: the Jones polynomial, bits reflected, no
 * initial and no final value. "123456789" gives e9c6d914c4b8d9ca. */
#ifndef LARDER_PERSIST_CRC64_H
#define LARDER_PERSIST_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` is of (0: nothing) followed by these bytes. From any thread. */
uint64_t crc64(uint64_t crc, const void *at, size_t size);

#endif
