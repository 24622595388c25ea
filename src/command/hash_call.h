/* hash_call: what all commands on hashes begin and end with: looking the hash up, making it when
 * it is to be written, and telling the keyspace what has become of it. */
#ifndef LARDER_COMMAND_HASH_CALL_H
#define LARDER_COMMAND_HASH_CALL_H

#include <stdbool.h>

#include "call/call.h"
#include "types/hash.h"

/* A command at work on the hash that argument 1 names. */
struct hash_call {
    struct call *call;
    struct key key;
    struct entry *hash; /* NULL: absent */
};

/* Look the hash up. False when the key holds another type: the error has been replied. Up to
 * HASH_CALL_EXPIRE_MAX expired fields are removed first, and the hash with its last field. */
bool hash_call_read(struct call *call, struct hash_call *on);
bool hash_call_write(struct call *call, struct hash_call *on);
#define HASH_CALL_EXPIRE_MAX 1000

/* Makes the hash if it is absent. False when there is no memory: the error has been replied. */
bool hash_call_create(struct hash_call *on);

/* Sets the field that argument `index` names to the argument behind it. What hash_set answers,
 * except that the error has been replied when it is negative. */
int hash_call_set(struct hash_call *on, int index, int64_t deadline_ms);

/* The call becomes the words of `head` and these fields behind them, if there are any; an HDEL of
 * them. */
void hash_call_pass_on_fields(const struct hash_call *on, const struct bytes *head, int head_count,
                              const struct bytes *fields, int count);
void hash_call_pass_on_deleted(const struct hash_call *on, const struct bytes *fields, int count);

/* Tells that the hash was changed; `event` is what happened. */
void hash_call_changed(struct hash_call *on, const char *event);

/* After all changes: files the hash under its next deadline, or removes it if nothing is left. Then
 * `hash` is NULL. */
void hash_call_settle(struct hash_call *on);

/* Replies a field's value, or null if it is absent. */
void hash_call_reply_field(const struct hash_call *on, struct element_name field);

/* Replies a value; a large one is referred to. `blob` as in struct hash_value. */
void hash_call_reply_value(struct reply *reply, struct bytes value, struct blob *blob);

#endif
