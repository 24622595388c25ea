/* set_call: what commands on sets begin and end with: looking the set up, making it when it is to
 * be written, and telling the keyspace what has become of it. */
#ifndef LARDER_COMMAND_SET_CALL_H
#define LARDER_COMMAND_SET_CALL_H

#include <stdbool.h>

#include "call/call.h"
#include "types/set.h"

/* A command at work on a set. */
struct set_call {
    struct call *call;
    struct key key;
    struct entry *set; /* NULL: absent */
};

/* Look up the set that argument `index` names. False when the key holds another type: the error has
 * been replied. */
bool set_call_read(struct call *call, int index, struct set_call *on);
bool set_call_write(struct call *call, int index, struct set_call *on);

/* Makes the set if it is absent, for `count` members of which this is the first. False when there
 * is no memory: the error has been replied. */
bool set_call_create(struct set_call *on, struct bytes first, size_t count);

/* Tells that the set was changed; `event` is what happened. */
void set_call_changed(struct set_call *on, const char *event);

/* After all changes: removes the set if nothing is left. Then `set` is NULL. */
void set_call_settle(struct set_call *on);

/* A set_visit_fn whose context is the struct reply: appends the member. */
void set_call_reply_member(void *reply, struct bytes member);

#endif
