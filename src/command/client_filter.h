/* client_filter: which connections CLIENT KILL means. */
#ifndef LARDER_COMMAND_CLIENT_FILTER_H
#define LARDER_COMMAND_CLIENT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/call.h"
#include "client/client.h"

/* No class: matches no client at all ("master" is understood, and there are none). */
#define CLIENT_FILTER_NO_CLASS (-2)

/* What is not set matches every client. */
struct client_filter {
    uint64_t id;       /* 0: any */
    int class_;        /* -1: any */
    struct bytes peer; /* "ip:port"; .at NULL: any */
    struct bytes own;  /* likewise, of our end */
    int64_t age_s_min; /* 0: any */
    bool skip_caller;
};

/* Reads pairs of option and value from argument `from` on. False when they are wrong, the error
 * replied. */
bool client_filter_read(struct client_filter *filter, struct call *call, int from);

/* A class by its name; false when there is none of that name, the error replied. */
bool client_filter_class(struct call *call, struct bytes name, int *class_);

bool client_filter_matches(const struct client_filter *filter, const struct call *call,
                           const struct client *client);

#endif
