/* string_compare: conditions on a value: that it equals a text, or that its digest does. For SET's
 * and DELEX's IFEQ, IFNE, IFDEQ and IFDNE. */
#ifndef LARDER_COMMAND_STRING_COMPARE_H
#define LARDER_COMMAND_STRING_COMPARE_H

#include <stdbool.h>

#include "call/call.h"
#include "ds/entry.h"

/* Whether the entry, of type string, meets the condition; `comparison` is one of
 * STRING_COMPARISONS and argument `index` what is compared with. False with *failed set when the
 * argument is no digest: the error has been replied. */
bool string_compare(struct call *call, const struct entry *entry, unsigned comparison, int index,
                    bool *failed);

#endif
