/* crc64: eight bytes a step ("slicing by 8"): tables[k] holds what a byte does to the remainder
 * when k more bytes follow it. Made before main, so that no thread finds them half done. */
#include "persist/crc64.h"

#include <string.h>

/* 0xad93d23594c935a9 with its bits in reverse order. */
#define POLYNOMIAL 0x95ac9329ac4bc9b5u

static uint64_t tables[8][256];

__attribute__((constructor)) static void make_tables(void) {
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        tables[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t crc = tables[k - 1][byte];
            tables[k][byte] = crc >> 8 ^ tables[0][crc & 0xff];
        }
    }
}

static uint64_t step(uint64_t crc, const uint8_t *at) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) {
        word |= (uint64_t)at[i] << (8 * i);
    }
    crc ^= word;
    uint64_t next = 0;
    for (int i = 0; i < 8; i++) {
        next ^= tables[7 - i][crc >> (8 * i) & 0xff];
    }
    return next;
}

uint64_t crc64(uint64_t crc, const void *at, size_t size) {
    const uint8_t *byte = at;
    for (; size >= 8; size -= 8, byte += 8) {
        crc = step(crc, byte);
    }
    for (; size > 0; size--, byte++) {
        crc = crc >> 8 ^ tables[0][(crc ^ *byte) & 0xff];
    }
    return crc;
}
