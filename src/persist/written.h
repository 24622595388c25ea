/* written: which names have been written while a file is being loaded, in memory that does not
 * grow. What is asked for and was added is always found; what was not is found by mistake now and
 * then, more often the more was added: then a key of the file is left out, and for a cache that is
 * a miss.
 *
 * A Bloom filter in blocks of one cache line (Putze, Sanders and Singler 2007): the hash chooses a
 * block, and WRITTEN_BITS of its 512 bits are set. With as many names as 1 for each 27 bits, a
 * mistake is made in less than one of a thousand; with 1 for each 8, in 3 of a hundred.
 *
 * Costs: one cache miss to add or to ask. */
#ifndef LARDER_PERSIST_WRITTEN_H
#define LARDER_PERSIST_WRITTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITTEN_BITS 4

struct written {
    uint64_t *words;
    size_t block_count; /* a power of two */
    uint64_t added;     /* names, some of them perhaps more than once */
};

/* Takes about `size` bytes, rounded to a power of two: memory that the system has zeroed and that
 * is only really there once it is written. */
void written_init(struct written *written, size_t size);
void written_clear(struct written *written);

/* `hash` is all that is known of a name: 64 well-mixed bits. */
void written_add(struct written *written, uint64_t hash);
bool written_has(const struct written *written, uint64_t hash);

#endif
