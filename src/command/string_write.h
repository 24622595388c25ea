/* string_write: giving a key a string: what SET's family and STORE share. */
#ifndef LARDER_COMMAND_STRING_WRITE_H
#define LARDER_COMMAND_STRING_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "call/call.h"
#include "command/string_options.h"

struct string_write {
    int value; /* index of the argument that is the text */
    /* Or ENTRY_NO_DEADLINE, KEYSPACE_KEEP_DEADLINE. */
    int64_t deadline_ms;
    /* What the key is to carry, as in an entry's shape. .at NULL: nothing, or what it did if its
     * deadline is kept. */
    struct bytes extras;
};

/* The slow part of string_assign: with a deadline or extras, or a text that was read into a
 * blob. */
bool string_assign_slowly(struct call *call, struct key *key, struct entry *old,
                          const struct string_write *write);

/* Makes the key's value argument `index`; `old` is what the look-up gave. False when there is no
 * memory: replied. */
static inline bool string_assign(struct call *call, struct key *key, struct entry *old, int index,
                                 int64_t deadline_ms) {
    if (UNLIKELY(call->blob_count > 0 || deadline_ms >= 0)) {
        const struct string_write write = {.value = index, .deadline_ms = deadline_ms};
        return string_assign_slowly(call, key, old, &write);
    }
    if (UNLIKELY(keyspace_assign_text(call->keyspace, key, old, call->args[index], NULL,
                                      deadline_ms) == NULL)) {
        reply_no_memory(call->reply);
        return false;
    }
    keyspace_changed(call->keyspace, key, KEYSPACE_STRING, "set");
    return true;
}

/* Assigns and replies the old value. False when there is no memory: replied. */
bool string_exchange(struct call *call, struct key *key, struct entry *old,
                     const struct string_write *write);

/* The whole of SET's way on argument 1, from the options' conditions to the reply. Whether the
 * value was written. */
bool string_write_on(struct call *call, const struct string_options *options,
                     const struct string_write *write);

/* The reply of one whose condition does not hold. */
void string_write_refused(struct call *call, const struct string_options *options,
                          const struct entry *old);

#endif
