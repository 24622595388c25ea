/* stream_claim: what is done to what is pending, as it is passed on to others: with the outcome,
 * not with what led to it. */
#ifndef LARDER_COMMAND_STREAM_CLAIM_H
#define LARDER_COMMAND_STREAM_CLAIM_H

#include "command/stream_call.h"

/* A command at work for a consumer, which is made when it is first needed. */
struct stream_client {
    struct stream_call *on;
    struct bytes group_name;
    struct stream_group *group;
    struct bytes name;
    struct stream_consumer *consumer; /* NULL: not looked up, or none */
};

/* The consumer, made if there is none; NULL when there is no memory, and then the error has been
 * replied. Notes that it was seen. */
struct stream_consumer *stream_client_consumer(struct stream_client *client);

/* Others learn whose the entry is now and how often it was delivered. */
void stream_pass_on_pending(const struct stream_client *client,
                            const struct stream_pending *pending);

/* That it is not pending any more. */
void stream_pass_on_removal(const struct stream_client *client, struct stream_id id);

/* How far the group has come. */
void stream_pass_on_group_id(const struct stream_client *client);

/* Counts a change that is no event and that nobody who watches the key is told of: Redis does so
 * with what is pending. */
static inline void stream_call_noted(struct stream_call *on) {
    on->call->keyspace->changes++;
}

#endif
