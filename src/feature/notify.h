/* notify: keyspace notifications: what happens to keys is published, on a channel named by the key
 * (`__keyspace@0__:name`, the event is the message) and on one named by the event
 * (`__keyevent@0__:expired`, the key is the message), as notify-keyspace-events says. While it says
 * nothing, the keyspace calls nobody. */
#ifndef LARDER_FEATURE_NOTIFY_H
#define LARDER_FEATURE_NOTIFY_H

#include "base/option.h"
#include "call/context.h"

#define NOTIFY_OPTIONS(X)                                                                          \
    X(CUSTOM, events, "notify-keyspace-events", "", 0, 0, &notify_events_option, 0, NULL,          \
      "Which events of keys are published: K by key, E by event; g$lshzxetdmn kinds, A most.")
struct notify_options {
    NOTIFY_OPTIONS(OPTION_FIELD)
};

struct notify;

/* Registers its option, and hears the events of context->keyspace. It publishes by
 * context->pubsub. */
struct notify *notify_new(struct context *context);
void notify_free(struct notify *notify);

#endif
