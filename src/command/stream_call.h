/* stream_call: what commands on streams have in common: looking the stream up, reading ids and
 * writing them, replying entries. */
#ifndef LARDER_COMMAND_STREAM_CALL_H
#define LARDER_COMMAND_STREAM_CALL_H

#include <stdbool.h>

#include "call/call.h"
#include "types/stream.h"
#include "types/stream_group.h"

/* A command at work on the stream that an argument names. */
struct stream_call {
    struct call *call;
    struct key key;
    struct entry *entry;   /* NULL: absent */
    struct stream *stream; /* of the entry */
};

/* Look up the stream that argument `index` names. False when the key holds another type: the error
 * has been replied. */
bool stream_call_read(struct call *call, int index, struct stream_call *on);
bool stream_call_write(struct call *call, int index, struct stream_call *on);

/* Makes the stream if it is absent. False when there is no memory: the error has been replied. */
bool stream_call_create(struct stream_call *on);

/* Tells that the stream was changed; `event` is what happened. */
void stream_call_changed(struct stream_call *on, const char *event);

/* Clients that wait for the stream look at it again. */
void stream_call_wake(struct stream_call *on);

/* The group that argument `index` names; NULL when it or the stream is absent, and then the error
 * that most commands have for that has been replied. */
struct stream_group *stream_call_group(struct stream_call *on, int index);

/* The text of an id, "1526919030474-55". */
#define STREAM_ID_SIZE (2 * NUM_I64_SIZE + 1)
size_t stream_id_format(char *out, struct stream_id id);

/* Reads an id that may lack its second half, which is `missing_seq` then. "ms-*" is read if
 * `any_seq` is not NULL, and sets it. */
bool stream_id_parse(struct bytes text, uint64_t missing_seq, struct stream_id *id, bool *any_seq);

/* The same of an argument, an absent second half being 0; false when an error has been replied. */
bool stream_call_id(struct call *call, int index, struct stream_id *id);

/* The ends of an interval: "-", "+", or an id, behind "(" if it is not included itself. An absent
 * second half is 0 for the start and the greatest for the end. */
bool stream_call_start(struct call *call, int index, struct stream_id *id);
bool stream_call_end(struct call *call, int index, struct stream_id *id);

void stream_reply_id(struct reply *reply, struct stream_id id);

/* [id, [name, value ...]] */
void stream_reply_entry(struct reply *reply, const struct stream_entry *entry);
/* The second half of it. */
void stream_reply_fields(struct reply *reply, const struct stream_entry *entry);

/* Replies "ERR Invalid stream ID ...". */
void stream_reply_bad_id(struct reply *reply);

/* The array of ids that begins with IDS and their number; they are argument `first` on. False when
 * an error has been replied. */
struct stream_ids {
    int first;
    int count;
};
bool stream_call_ids(struct call *call, int index, struct stream_ids *ids);

#endif
