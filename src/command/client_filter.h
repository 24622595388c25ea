/* client_filter: which connections CLIENT LIST and CLIENT KILL mean: options in any order, each a
 * criterion that must be met, most of them also as NOT-... that must not be.
 *
 * Clients that are named by id are found in constant time each, whether they are wanted or
 * unwanted; without ids each client is looked at. */
#ifndef LARDER_COMMAND_CLIENT_FILTER_H
#define LARDER_COMMAND_CLIENT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/call.h"
#include "client/client.h"

enum filter_kind {
    FILTER_ADDRESS,
    FILTER_AGE,
    FILTER_CAPABILITIES,
    FILTER_CLASS,
    FILTER_DATABASE,
    FILTER_FLAGS,
    FILTER_IDLE,
    FILTER_IP,
    FILTER_LIB_NAME,
    FILTER_LIB_VERSION,
    FILTER_NAME,
    FILTER_OWN_ADDRESS,
    FILTER_USER,
    FILTER_KINDS
};

struct filter_criterion {
    bool is_set;
    int64_t number;
    struct bytes text; /* a slice of the arguments */
};

/* What is not set matches every client. */
struct client_filter {
    struct filter_criterion wanted[FILTER_KINDS];
    struct filter_criterion unwanted[FILTER_KINDS];
    int64_t *ids; /* wanted ones from the front, unwanted ones from the back */
    size_t id_room;
    size_t id_count;
    size_t not_id_count;
    bool has_ids; /* some are wanted, be they of clients or not */
    bool skip_caller;
};

enum filter_use { FILTER_FOR_LIST, FILTER_FOR_KILL };

/* Reads the options from argument `from` on; for the use decides what ids may be, and whether the
 * caller is skipped unless told. False when they are wrong, the error replied; nothing is to be
 * freed then. */
bool client_filter_read(struct client_filter *filter, struct call *call, int from,
                        enum filter_use use);

/* The one that has only this address, as CLIENT KILL ip:port means it. */
void client_filter_address(struct client_filter *filter, struct bytes address);

void client_filter_free(struct client_filter *filter);

/* Calls `visit` for each client that is meant and is not closing: in the order of the ids that were
 * given, one as often as it was given, else in the order of the registry. Ends when visit says
 * false. */
void client_filter_visit(const struct client_filter *filter, const struct call *call,
                         bool (*visit)(void *context, struct client *client), void *context);

#endif
