/* element_random: the arguments of the commands that draw elements of one collection with a count:
 * HRANDFIELD and ZRANDMEMBER. */
#ifndef LARDER_COMMAND_ELEMENT_RANDOM_H
#define LARDER_COMMAND_ELEMENT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"

/* Argument 2, how many (negative: with repetitions), and behind it perhaps the option `with`, which
 * doubles what is replied. False when the error has been replied. */
bool element_random_read(struct call *call, const char *with, int64_t *count, bool *is_given);

#endif
