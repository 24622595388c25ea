/* lzf: the compression of strings in Redis's files. Written out here rather than taken from a
 * library: it is two short loops, and the one that reads must distrust every byte.
 *
 *     000nnnnn                 n + 1 bytes follow as they are
 *     lllddddd         dddddddd   l + 2 bytes (l from 1 to 6) from d + 1 bytes back
 *     111ddddd llllllll dddddddd  l + 9 bytes from d + 1 bytes back
 *
 * What is copied from may overlap what it is copied to. */
#ifndef LARDER_PERSIST_LZF_H
#define LARDER_PERSIST_LZF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Three bytes become 264 at most: who claims more lies. */
#define LZF_GROWTH_MAX 88u

/* Writes `text` (less than 4 GiB) compressed. Returns the size, or 0 if it takes more than
 * `room`. */
size_t lzf_compress(struct bytes text, char *out, size_t room);

/* Whether `packed` expands to exactly `size` bytes, which are written to `out` then; otherwise some
 * of them may be. */
bool lzf_expand(struct bytes packed, char *out, size_t size);

#endif
