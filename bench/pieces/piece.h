/* piece: a part of the server whose cost is measured alone. A file of this folder ends with a table
 * of pieces; bench/micro.c runs them.
 *
 * A round is prepare, run, finish; only run is measured. What it computes goes through piece_keep,
 * or the compiler would see that nobody wants it. */
#ifndef LARDER_PIECES_PIECE_H
#define LARDER_PIECES_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
    const char *name;
    const char *about; /* what one operation is */
    size_t count;      /* operations of a round */
    bool spent;        /* a run uses up what prepare made: each needs its own */
    void *(*prepare)(size_t count);
    void (*run)(void *state, size_t count);
    void (*finish)(void *state, size_t count);
};

struct piece_table {
    const struct piece *rows;
    size_t count;
};

const struct piece_table *pieces_request(void);
const struct piece_table *pieces_dict(void);
const struct piece_table *pieces_packmap(void);
const struct piece_table *pieces_small(void);

static inline void piece_keep(uint64_t value) {
    __asm__ volatile("" : : "r"(value) : "memory");
}

#endif
