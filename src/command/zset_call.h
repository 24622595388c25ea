/* zset_call: what commands on sorted sets begin and end with: looking the sorted set up, making it
 * when it is to be written, telling the keyspace what has become of it; and what several of them
 * share: reading ranges, replying members, popping. */
#ifndef LARDER_COMMAND_ZSET_CALL_H
#define LARDER_COMMAND_ZSET_CALL_H

#include <stdbool.h>

#include "call/call.h"
#include "types/zset.h"

/* A command at work on a sorted set. */
struct zset_call {
    struct call *call;
    struct key key;
    struct entry *zset; /* NULL: absent */
};

/* Look up the sorted set that argument `index` names. False when the key holds another type: the
 * error has been replied. */
bool zset_call_read(struct call *call, int index, struct zset_call *on);
bool zset_call_write(struct call *call, int index, struct zset_call *on);

/* Makes the sorted set if it is absent. False when there is no memory: the error has been
 * replied. */
bool zset_call_create(struct zset_call *on);

/* zset_set on the one that is there. */
static inline enum zset_outcome zset_call_set(struct zset_call *on, const struct zset_write *write,
                                              double *score) {
    return zset_set(on->zset, &on->call->keyspace->zset_options, write, score);
}

/* Tells that the sorted set was changed; `event` is what happened. */
void zset_call_changed(struct zset_call *on, const char *event);

/* After all changes: removes the sorted set if nothing is left. Then `zset` is NULL. */
void zset_call_settle(struct zset_call *on);

/* Removes the members of a span, with all that belongs to it. */
void zset_call_remove(struct zset_call *on, struct zset_span span, const char *event);

/* Makes what a STORE command has computed the value of the key that argument `index` names; an
 * empty one deletes the key. Replies the count, tells the keyspace. The shape is taken over. */
void zset_call_store(struct call *call, int index, const struct entry_shape *shape, size_t count,
                     const char *event);

/* Ranges as arguments; false when an error has been replied. */
bool zset_call_scores(struct call *call, int least, int most, struct zset_scores *range);
bool zset_call_names(struct call *call, int least, int most, struct zset_names *range);

/* How members are replied. The array around them is the caller's. */
struct zset_replying {
    struct reply *reply;
    bool with_scores;
    bool in_pairs; /* each member with its score in an array of its own */
};
/* A zset_visit_fn; the context is a struct zset_replying. */
void zset_call_reply_member(void *replying, const struct zset_member *member);
/* Members with scores are pairs of their own in RESP3. */
struct zset_replying zset_call_replying(struct call *call, bool with_scores);
/* The header of an array of so many members. */
void zset_call_reply_header(const struct zset_replying *replying, size_t count);
/* The members of a span; ends when the reply is not wanted any more. */
void zset_call_reply_span(struct zset_replying *replying, const struct entry *zset,
                          struct zset_span span, bool reverse);
/* Members between two looks at whether the reply is still wanted. */
#define ZSET_CALL_PORTION 1024

/* Appends the lowest or highest members of a sorted set that is there, up to `count`, to the reply,
 * and removes them, with all that belongs to it. What the call becomes for others is the caller's:
 * zset_call_pass_on_pop, unless it is that itself. */
void zset_call_pop(struct zset_call *on, bool highest, size_t count,
                   const struct zset_replying *replying);
/* The call becomes a ZPOPMIN or ZPOPMAX of so many. */
void zset_call_pass_on_pop(const struct zset_call *on, bool highest, size_t count);

/* The arguments of ZMPOP and BZMPOP from the number of keys on. */
struct zset_mpop {
    int first_key; /* argument index */
    int key_count;
    bool highest;
    size_t count;
};
/* False when an error has been replied. `index` is the argument with the number of keys. */
bool zset_call_parse_mpop(struct call *call, int index, struct zset_mpop *mpop);
/* Pops from one key and replies it with its members. */
void zset_call_mpop(struct zset_call *on, const struct zset_mpop *mpop);

#endif
