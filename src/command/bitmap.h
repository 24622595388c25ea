/* bitmap: what the commands on bits share. */
#ifndef LARDER_COMMAND_BITMAP_H
#define LARDER_COMMAND_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"

/* Argument `index` as the offset of a bit that a string may have. `width`, if not 0, allows "#n": n
 * times that many bits. False when it is none: the error has been replied. */
bool bitmap_offset(struct call *call, int index, unsigned width, uint64_t *offset);

#endif
