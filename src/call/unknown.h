/* unknown: which commands were asked for that are not here, so that an operator sees what his
 * programs miss: each is named once in the log, and counted by its name in INFO.
 *
 * Terms: a name is a command's, or a container's with its subcommand (`client nosuch`), in small
 * letters, cut to UNKNOWN_NAME_SIZE - 1 bytes, every byte that could confuse a reader of log or
 * INFO replaced by `?`.
 *
 *     names[0 .. count)   { name 48 | calls 8 }   in no order; 128 at most
 *
 * Any bytes may come as a name, so the table is bounded: once it is full, a new name takes the
 * place and the count of the one that was asked for least (Space-Saving, by Metwally, Agrawal and
 * El Abbadi), so that those which are asked for most stay, counted too high by at most the least
 * count.
 *
 * Invariants:
 * 1. no name twice;
 * 2. no count is 0 but after a reset;
 * 3. once the table has been full nothing is logged any more, so that no name is logged twice.
 *
 * Costs: 7 KiB; a walk of the table for each request that is refused anyway. */
#ifndef LARDER_CALL_UNKNOWN_H
#define LARDER_CALL_UNKNOWN_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/metric.h"

#define UNKNOWN_NAMES_MAX 128
#define UNKNOWN_NAME_SIZE 48

struct unknown;

/* Makes it and registers its figures. */
struct unknown *unknown_new(struct metrics *metrics);
void unknown_free(struct unknown *unknown);

/* A request for `name`, or for `subcommand` of the container `name`, was refused. An empty
 * subcommand: none. */
void unknown_note(struct unknown *unknown, struct bytes name, struct bytes subcommand);

/* For tests: how often a name, as it is kept, was asked for; 0 when it is not kept. */
uint64_t unknown_calls(const struct unknown *unknown, const char *name);
void unknown_validate(const struct unknown *unknown);

#endif
