/* written: see the header. */
#include "persist/written.h"

#include "base/hash.h"
#include "base/mem.h"

#define BLOCK_SIZE  64
#define BLOCK_WORDS (BLOCK_SIZE / sizeof(uint64_t))
#define BLOCK_BITS  9 /* of the number of a bit in a block */

void written_init(struct written *written, size_t size) {
    size_t blocks = 1;
    while (blocks * BLOCK_SIZE < size) {
        blocks *= 2;
    }
    *written = (struct written){.block_count = blocks};
    written->words = mem_zalloc(MEM_FEATURE, blocks * BLOCK_SIZE);
}

void written_clear(struct written *written) {
    mem_free(MEM_FEATURE, written->words, written->block_count * BLOCK_SIZE);
    *written = (struct written){.words = NULL};
}

static uint64_t *block_of(const struct written *written, uint64_t hash) {
    return written->words + (hash & (written->block_count - 1)) * BLOCK_WORDS;
}

void written_add(struct written *written, uint64_t hash) {
    uint64_t *block = block_of(written, hash);
    uint64_t bits = hash_mix(hash);
    for (int i = 0; i < WRITTEN_BITS; i++, bits >>= BLOCK_BITS) {
        block[bits >> 6 & (BLOCK_WORDS - 1)] |= (uint64_t)1 << (bits & 63);
    }
    written->added++;
}

bool written_has(const struct written *written, uint64_t hash) {
    const uint64_t *block = block_of(written, hash);
    uint64_t bits = hash_mix(hash);
    bool has = true;
    for (int i = 0; i < WRITTEN_BITS; i++, bits >>= BLOCK_BITS) {
        has &= block[bits >> 6 & (BLOCK_WORDS - 1)] >> (bits & 63) & 1;
    }
    return has;
}
