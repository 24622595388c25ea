/* ghosts: what evicted keys were worth, for a while. A key that comes back soon after it was
 * evicted is known again, and not taken for a new one.
 *
 * Lines of one cache line with 16 ghosts each; a key's hash chooses its line. In a full line the
 * least worth gives way.
 *
 *     line   | tags 16 x 2 bytes            | worths 16 x 2 bytes          |   64 bytes
 *            16 bits of the hash, 0: empty    the worth's upper 20 bits less 4
 *
 * So a ghost takes 4 bytes; there is one for each key that is kept, up to the bytes that the owner
 * allows. The lines come in segments that are allocated when they are first needed, so that nothing
 * large is zeroed at once. Two keys with the same tag in a line are taken for one another: with 16
 * tags of 16 bits, one look-up in 4,000. */
#ifndef LARDER_STORE_GHOSTS_H
#define LARDER_STORE_GHOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GHOSTS_PER_LINE 16

struct ghost_line {
    uint16_t tags[GHOSTS_PER_LINE];
    uint16_t worths[GHOSTS_PER_LINE];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct ghost_line) == 64, "a line of ghosts is one cache line");

struct ghosts {
    struct ghost_line **segments;
    uint32_t line_count;
    uint32_t segment_count;
    struct ghost_line **retired; /* segments of the size before, freed one by one */
    uint32_t retired_left;
    uint32_t retired_count;
    uint32_t retired_lines;
};

void ghosts_init(struct ghosts *ghosts);
void ghosts_clear(struct ghosts *ghosts);

/* Makes room for about so many; forgets all ghosts if that changes the size. */
void ghosts_resize(struct ghosts *ghosts, size_t count);

/* Frees a piece of what a resize has left. */
void ghosts_tidy(struct ghosts *ghosts);

/* Remembers an evicted key; `now` is the clock that its worth was kept by. */
void ghosts_put(struct ghosts *ghosts, uint64_t hash, uint32_t worth, uint32_t now);

/* Takes the key's ghost out and gives its worth; false when there is none. */
bool ghosts_take(struct ghosts *ghosts, uint64_t hash, uint32_t now, uint32_t *worth);

/* Asks for the cache line that either will need. */
void ghosts_prefetch(const struct ghosts *ghosts, uint64_t hash);

size_t ghosts_footprint(const struct ghosts *ghosts);

#endif
