/* bytes: a slice of memory that somebody else owns. The way a request's arguments, keys and values
 * are handed about without copying. A slice may hold any byte, NUL included, and is not
 * terminated; an empty slice may have any pointer. */
#ifndef LARDER_BASE_BYTES_H
#define LARDER_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *at;
    size_t size; /* in bytes */
};

static inline struct bytes bytes_of(const void *at, size_t size) {
    return (struct bytes){.at = at, .size = size};
}

/* The slice of a NUL-terminated string, without its NUL. */
static inline struct bytes bytes_text(const char *text) {
    return (struct bytes){.at = text, .size = strlen(text)};
}

/* Compares `size` bytes. Keys are short, so eight bytes at a time with an overlapping last load
 * beats the call to memcmp. */
static inline bool bytes_same(const char *a, const char *b, size_t size) {
    if (size < 8) {
        while (size > 0) {
            size--;
            if (a[size] != b[size]) {
                return false;
            }
        }
        return true;
    }
    if (size > 64) {
        return memcmp(a, b, size) == 0;
    }
    uint64_t x;
    uint64_t y;
    for (size_t i = 0; i + 8 < size; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y) {
            return false;
        }
    }
    memcpy(&x, a + size - 8, 8);
    memcpy(&y, b + size - 8, 8);
    return x == y;
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && bytes_same(a.at, b.at, a.size);
}

/* Whether the slice equals a NUL-terminated text, letters compared without case (ASCII only):
 * how options and subcommands are matched. */
bool bytes_is(struct bytes a, const char *text);

/* The size as printf's `%.*s` takes it: what is longer is cut, for a size that a client chose need
 * not be an int, and a negative one would have printf read to the next NUL. */
#define BYTES_PRINTED_MAX (1 << 20)
static inline int bytes_printed(struct bytes a) {
    return a.size > BYTES_PRINTED_MAX ? BYTES_PRINTED_MAX : (int)a.size;
}

/* Like memcmp over the common length, then by length: <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);

#endif
