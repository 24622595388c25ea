/* list_call: what all commands on lists begin and end with, waiting ones included: looking a list
 * up, making it, adding to it, popping with a reply, moving elements to another list, and telling
 * the keyspace what has become of it. */
#ifndef LARDER_COMMAND_LIST_CALL_H
#define LARDER_COMMAND_LIST_CALL_H

#include <stdbool.h>

#include "call/call.h"
#include "types/list.h"

/* A command at work on the list under one of its keys. */
struct list_call {
    struct call *call;
    struct key key;
    struct entry *list; /* NULL: absent */
};

/* Look up the list that an argument names. False when the key holds another type: the error has
 * been replied. */
bool list_call_read(struct call *call, int index, struct list_call *on);
bool list_call_write(struct call *call, int index, struct list_call *on);

/* Makes the list if it is absent, with room for `size` bytes. False when there is no memory: the
 * error has been replied. */
bool list_call_create(struct list_call *on, size_t size);

/* Argument `index` as what is to be stored. */
struct list_write list_call_argument(struct call *call, int index);

/* Tells that the list was changed, by the event's name. */
void list_call_changed(const struct list_call *on, const char *event);

/* After removals: removes the list if nothing is left; then `list` is NULL. */
void list_call_settle(struct list_call *on);

/* LEFT or RIGHT; false when the argument is neither, without a reply. */
bool list_call_end(const struct call *call, int index, enum list_end *end);

/* The arguments of LMPOP and BLMPOP from the number of keys on. */
struct list_mpop {
    int first_key; /* argument index */
    int key_count;
    enum list_end end;
    size_t count;
};
/* False when an error has been replied. `index` is the argument with the number of keys. */
bool list_call_parse_mpop(struct call *call, int index, struct list_mpop *mpop);

/* The first of several keys in a row that is there; `list` is NULL when none is. False when one
 * before it holds another type: the error has been replied. */
bool list_call_first(struct call *call, int first_key, int key_count, struct list_call *on);

/* Pops `count` elements, no more than there are, and replies them as bulk strings, in the order of
 * popping; the array's header is the caller's business. Tells the keyspace. The list must be
 * there. */
void list_call_pop(struct list_call *on, enum list_end end, size_t count);

/* What LMPOP and BLMPOP do with a list that is there: the reply is the key, and an array of what
 * was popped. For others the call becomes an LPOP or RPOP of so many. */
void list_call_mpop(struct list_call *on, const struct list_mpop *mpop);

/* The reply of BLPOP and BRPOP for a list that is there: the key and the element popped. */
void list_call_pop_one(struct list_call *on, enum list_end end);

/* Moves one element and replies it: LMOVE and its kin. The source must be there; the destination
 * may be the same list, or absent. False when there was no memory: the error has been replied and
 * nothing has changed. */
bool list_call_move(struct list_call *from, enum list_end from_end, struct list_call *to,
                    enum list_end to_end);

/* Moves `count` elements, no more than there are, and replies them as an array in the order they
 * have in the destination: the one they had, or the reverse of it. */
bool list_call_move_many(struct list_call *from, enum list_end from_end, struct list_call *to,
                         enum list_end to_end, size_t count, bool reverse);

#endif
