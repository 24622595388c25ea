/* config_foreign: the directives that a configuration written for Redis or Valkey may hold and that
 * Larder has no use for. They are ordinary options, so that a file is accepted as it is, CONFIG GET
 * answers what clients ask, CONFIG SET refuses what Redis would refuse, and CONFIG REWRITE keeps
 * them. The one who reads the configuration names those that were given, in one warning.
 *
 * Some of them promise what is not kept: that data survives, that strangers stay out. The start
 * stops at the latter, warns about each of the former, and changing any of them to a value that
 * promises something is an error.
 *
 * A module that gives a directive a meaning declares it as its own option and nothing changes here:
 * main registers this table last, and names that are taken are left out. */
#ifndef LARDER_SERVER_CONFIG_FOREIGN_H
#define LARDER_SERVER_CONFIG_FOREIGN_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/option.h"

struct foreign;

/* Registers what is not registered yet, and the old names that Redis knows for options of any
 * module. Must outlive the registry. */
struct foreign *foreign_new(struct options *options);
void foreign_free(struct foreign *foreign);

/* Whether a row of the registry is one of this table: accepted, without effect. */
bool foreign_has(const struct foreign *foreign, const struct option *row);

/* For a row of this table with the value that it has now: why the start must stop, and what is to
 * be warned about. The rest of a sentence that the name begins, or NULL. */
const char *foreign_refusal(const struct foreign *foreign, const struct option *row);
const char *foreign_warning(const struct foreign *foreign, const struct option *row);

/* Whether a line of this name, which is no option, is accepted without effect (`loadmodule`). */
bool foreign_is_line(struct bytes name);

/* The same for lines that are no options, by name: `user` is refused, `loadmodule` warned about. */
const char *foreign_line_refusal(struct bytes name);
const char *foreign_line_warning(struct bytes name);

#endif
