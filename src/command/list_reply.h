/* list_reply: elements of a list as bulk strings, many at a time: what LRANGE, LPOP and their kin
 * spend their time on. The header of the array is the caller's business. */
#ifndef LARDER_COMMAND_LIST_REPLY_H
#define LARDER_COMMAND_LIST_REPLY_H

#include "call/reply.h"
#include "types/list.h"

/* The element at a position below the length. */
void list_reply_element(struct reply *reply, const struct entry *list, size_t at);

/* `count` elements from a position on; all of them must be there. */
void list_reply_range(struct reply *reply, const struct entry *list, size_t at, size_t count);

/* `count` elements, the one at the position first and then those before it. */
void list_reply_backwards(struct reply *reply, const struct entry *list, size_t at, size_t count);

#endif
