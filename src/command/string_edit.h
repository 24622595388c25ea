/* string_edit: changing a string value in place, whatever encoding it has, for the commands that
 * write into its middle (APPEND, SETRANGE, SETBIT, BITFIELD). */
#ifndef LARDER_COMMAND_STRING_EDIT_H
#define LARDER_COMMAND_STRING_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "call/call.h"

/* The value's bytes for writing: at least `size` of them, what was not there before is zero.
 * `entry` is what keyspace_write gave for `key`, of type string or NULL: then the key is made. The
 * value is called raw from now on. NULL when there is no memory: the error has been replied, and
 * nothing has changed. */
char *string_edit(struct call *call, struct key *key, struct entry *entry, size_t size);

/* Whether a string may become old_size + more bytes (proto-max-bulk-len); false when the error has
 * been replied. */
bool string_size_ok(struct call *call, size_t old_size, size_t more);

#endif
