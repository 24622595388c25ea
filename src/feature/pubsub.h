/* pubsub: who subscribes to what, and the delivery of what is published.
 *
 * Terms. A topic is what can be subscribed to: a channel, a pattern of channels' names, or a shard
 * channel (a channel of another name space). A subscription is one client's interest in one topic.
 * A topic exists as long as it has a subscription.
 *
 *     names[kind]   dict: name -> topic
 *     topic         subscribers: | client, subscription | client, subscription | ...   an array
 *     pairs         dict: (topic, client) -> subscription, to know whether there is one
 *     client        ->subscriptions: its subscriptions of each kind, a list in their order
 *     patterns      | first bytes, mask, topic | ...   an array that PUBLISH walks
 *
 * Publishing. A message is encoded once for each protocol version among a topic's subscribers, into
 * a log of shared bytes (client/shared.h), and each subscriber notes its part of the log. Messages
 * to channels and to patterns have logs of their own: so those of a channel stay together also when
 * each of them matches a pattern.
 *
 * Invariants:
 * 1. a subscription is in its topic's array at `place`, in the pairs, and in its client's list, or
 *    in none;
 * 2. a topic in a dict has subscribers;
 * 3. a client with a subscription is of class pubsub, one without is not.
 *
 * Costs. Subscribing and leaving: constant. Publishing: a look-up, some nanoseconds for each
 * subscriber, a comparison of 8 bytes for each pattern and a match for those that pass it. About
 * 100 bytes for a subscription and the name's length and 100 bytes for a topic. */
#ifndef LARDER_FEATURE_PUBSUB_H
#define LARDER_FEATURE_PUBSUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/context.h"

struct client;
struct pubsub;

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

/* Registers its metrics, and watches the clients of context->clients. */
struct pubsub *pubsub_new(struct context *context);
/* Once no client is left. */
void pubsub_free(struct pubsub *pubsub);

/* Whether the client has the subscription now: false when there was no memory. */
bool pubsub_subscribe(struct pubsub *pubsub, struct client *client, enum pubsub_kind kind,
                      struct bytes name);

/* Nothing when there is no such subscription. */
void pubsub_unsubscribe(struct pubsub *pubsub, struct client *client, enum pubsub_kind kind,
                        struct bytes name);

/* A client's subscriptions: how many, and the name of the oldest (valid until it is ended). */
size_t pubsub_count(const struct client *client, enum pubsub_kind kind);
struct bytes pubsub_oldest(const struct client *client, enum pubsub_kind kind);

/* Sends the message to the channel's subscribers and to those of patterns that it matches, or to
 * the shard channel's. Returns how many got it, -1 when there was no memory. */
int64_t pubsub_publish(struct pubsub *pubsub, struct bytes channel, struct bytes message);
int64_t pubsub_publish_shard(struct pubsub *pubsub, struct bytes channel, struct bytes message);

/* Topics of a kind, and subscribers of one. */
size_t pubsub_topics(const struct pubsub *pubsub, enum pubsub_kind kind);
size_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct bytes name);

/* Visits the topics of a kind, in no particular order, or those of one client, in the order in
 * which it subscribed. `visit` must not change them. */
typedef void (*pubsub_visit_fn)(void *context, struct bytes name);
void pubsub_visit_client(const struct client *client, enum pubsub_kind kind, pubsub_visit_fn visit,
                         void *context);
void pubsub_visit(const struct pubsub *pubsub, enum pubsub_kind kind, pubsub_visit_fn visit,
                  void *context);

/* Walks everything and asserts the invariants. For tests. */
void pubsub_validate(const struct pubsub *pubsub);

#endif
