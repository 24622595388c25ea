/* base64: three bytes are four letters. */
#include "proto/base64.h"

#include <stdint.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(char *out, struct bytes text) {
    const unsigned char *p = (const unsigned char *)text.at;
    size_t left = text.size;
    for (; left > 0; p += 3) {
        uint32_t group = (uint32_t)p[0] << 16;
        group |= left > 1 ? (uint32_t)p[1] << 8 : 0;
        group |= left > 2 ? p[2] : 0;
        out[0] = letters[group >> 18];
        out[1] = letters[group >> 12 & 63];
        out[2] = left > 1 ? letters[group >> 6 & 63] : '=';
        out[3] = left > 2 ? letters[group & 63] : '=';
        out += 4;
        left -= left < 3 ? left : 3;
    }
    return out;
}

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ptrdiff_t base64_decode(char *out, struct bytes text) {
    const char *start = out;
    if (text.size % 4 != 0) {
        return -1;
    }
    for (size_t i = 0; i < text.size; i += 4) {
        const char *p = text.at + i;
        bool last = i + 4 == text.size;
        int padding = last && p[3] == '=' ? p[2] == '=' ? 2 : 1 : 0;
        uint32_t group = 0;
        for (int k = 0; k < 4; k++) {
            int value = k >= 4 - padding ? 0 : value_of(p[k]);
            if (value < 0) {
                return -1;
            }
            group = group << 6 | (uint32_t)value;
        }
        for (int k = 0; k < 3 - padding; k++) {
            *out++ = (char)(group >> (16 - 8 * k));
        }
    }
    return out - start;
}
