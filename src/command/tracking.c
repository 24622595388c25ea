/* tracking: the subcommands of CLIENT about the keys that a client holds. */
#include "command/tables.h"

#include "base/num.h"
#include "call/call.h"
#include "client/client.h"
#include "feature/tracking.h"
#include "feature/tracking_prefix.h"

/* What CLIENT TRACKING asks for. */
struct wish {
    unsigned modes;
    struct client *target;
    struct bytes *prefixes; /* in order; room for as many as there are arguments */
    size_t prefix_count;
};

static bool read_target(struct call *call, int index, struct wish *wish) {
    int64_t id;
    if (wish->target != NULL) {
        reply_error(call->reply, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!call_integer(call, index, &id)) {
        return false;
    }
    wish->target = id > 0 ? clients_find(call->client->clients, (uint64_t)id) : NULL;
    if (wish->target == NULL) {
        reply_error(call->reply, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    return true;
}

/* The options behind ON or OFF; false when the error has been replied. */
static bool read_wish(struct call *call, struct wish *wish) {
    static const struct {
        const char *word;
        unsigned mode;
    } modes[] = {{"bcast", TRACKING_BROADCAST},
                 {"optin", TRACKING_OPT_IN},
                 {"optout", TRACKING_OPT_OUT},
                 {"noloop", TRACKING_NO_LOOP}};
    for (int i = 3; i < call->argc; i++) {
        unsigned mode = 0;
        for (size_t j = 0; j < sizeof modes / sizeof modes[0]; j++) {
            mode |= call_arg_is(call, i, modes[j].word) ? modes[j].mode : 0;
        }
        wish->modes |= mode;
        if (mode != 0) {
            continue;
        }
        if (call_arg_is(call, i, "redirect") && i + 1 < call->argc) {
            if (!read_target(call, ++i, wish)) {
                return false;
            }
        } else if (call_arg_is(call, i, "prefix") && i + 1 < call->argc) {
            wish->prefixes[wish->prefix_count++] = call->args[++i];
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

/* Whether the modes fit together, and to those that are on. */
static bool check_modes(struct call *call, const struct wish *wish) {
    const struct tracker *tracker = tracking_of(call->client);
    const unsigned choices = TRACKING_OPT_IN | TRACKING_OPT_OUT;
    const char *error = NULL;
    if (wish->prefix_count > 0 && !(wish->modes & TRACKING_BROADCAST)) {
        error = "ERR PREFIX option requires BCAST mode to be enabled";
    } else if (tracker != NULL && (tracker->modes ^ wish->modes) & TRACKING_BROADCAST) {
        error = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
                "and then re-enabling it with a different mode.";
    } else if (wish->modes & TRACKING_BROADCAST && wish->modes & choices) {
        error = "ERR OPTIN and OPTOUT are not compatible with BCAST";
    } else if ((wish->modes & choices) == choices) {
        error = "ERR You can't specify both OPTIN mode and OPTOUT mode";
    } else if (tracker != NULL && ((tracker->modes | wish->modes) & choices) == choices) {
        error = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, "
                "and then re-enabling it with a different mode.";
    }
    if (error != NULL) {
        reply_error(call->reply, error);
    }
    return error == NULL;
}

static void reply_overlap(struct call *call, struct bytes prefix, const char *other,
                          struct bytes with) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    buffer_append_text(&text, "ERR Prefix '");
    buffer_append(&text, prefix.at, prefix.size);
    buffer_printf(&text, "' overlaps with %s prefix '", other);
    buffer_append(&text, with.at, with.size);
    buffer_append_text(&text, "'. Prefixes for a single client must not overlap.");
    reply_error(call->reply, buffer_text(&text));
    buffer_clear(&text);
}

static bool check_prefixes(struct call *call, const struct wish *wish) {
    const struct tracker *tracker = tracking_of(call->client);
    for (size_t i = 0; i < wish->prefix_count; i++) {
        struct bytes prefix = wish->prefixes[i];
        for (uint32_t j = 0; tracker != NULL && j < tracker->prefix_count; j++) {
            if (tracking_prefixes_overlap(prefix, tracker->prefixes[j]->text)) {
                reply_overlap(call, prefix, "an existing", tracker->prefixes[j]->text);
                return false;
            }
        }
        for (size_t j = i + 1; j < wish->prefix_count; j++) {
            if (tracking_prefixes_overlap(prefix, wish->prefixes[j])) {
                reply_overlap(call, prefix, "another provided", wish->prefixes[j]);
                return false;
            }
        }
    }
    return true;
}

static void obey(struct call *call, const struct wish *wish) {
    struct tracking *tracking = call->context->tracking;
    if (call_arg_is(call, 2, "off")) {
        tracking_off(tracking, call->client);
    } else if (!call_arg_is(call, 2, "on")) {
        reply_syntax_error(call->reply);
        return;
    } else if (!check_modes(call, wish) || !check_prefixes(call, wish)) {
        return;
    } else {
        tracking_on(tracking, call->client, wish->target, wish->modes, wish->prefixes,
                    wish->prefix_count);
    }
    reply_ok(call->reply);
}

static void client_tracking(struct call *call) {
    size_t room = (size_t)call->argc * sizeof(struct bytes);
    struct wish wish = {.prefixes = mem_alloc(MEM_OTHER, room)};
    if (read_wish(call, &wish)) {
        obey(call, &wish);
    }
    mem_free(MEM_OTHER, wish.prefixes, room);
}

static void client_caching(struct call *call) {
    struct tracker *tracker = tracking_of(call->client);
    bool yes = call_arg_is(call, 2, "yes");
    if (tracker == NULL) {
        reply_error(call->reply, "ERR CLIENT CACHING can be called only when the client is in "
                                 "tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (!yes && !call_arg_is(call, 2, "no")) {
        reply_syntax_error(call->reply);
    } else if (yes && !(tracker->modes & TRACKING_OPT_IN)) {
        reply_error(call->reply, "ERR CLIENT CACHING YES is only valid when tracking is enabled in "
                                 "OPTIN mode.");
    } else if (!yes && !(tracker->modes & TRACKING_OPT_OUT)) {
        reply_error(call->reply, "ERR CLIENT CACHING NO is only valid when tracking is enabled in "
                                 "OPTOUT mode.");
    } else {
        tracker->caching = true;
        reply_ok(call->reply);
    }
}

static int64_t redirect_of(const struct client *client) {
    return client->tracking == NULL ? -1 : (int64_t)client->tracking->redirect;
}

static void client_getredir(struct call *call) {
    reply_integer(call->reply, redirect_of(call->client));
}

/* What CLIENT TRACKINGINFO calls the state; returns how many words. */
static int name_flags(const struct tracker *tracker, const char **words) {
    int count = 0;
    if (tracker == NULL) {
        words[count++] = "off";
        return count;
    }
    words[count++] = "on";
    if (tracker->modes & TRACKING_BROADCAST) {
        words[count++] = "bcast";
    }
    if (tracker->modes & TRACKING_OPT_IN) {
        words[count++] = "optin";
        if (tracker->caching) {
            words[count++] = "caching-yes";
        }
    }
    if (tracker->modes & TRACKING_OPT_OUT) {
        words[count++] = "optout";
        if (tracker->caching) {
            words[count++] = "caching-no";
        }
    }
    if (tracker->modes & TRACKING_NO_LOOP) {
        words[count++] = "noloop";
    }
    if (tracker->shown.broken) {
        words[count++] = "broken_redirect";
    }
    return count;
}

static void client_trackinginfo(struct call *call) {
    const struct tracker *tracker = tracking_of(call->client);
    struct reply *reply = call->reply;
    const char *words[8];
    int count = name_flags(tracker, words);
    reply_map(reply, 3);
    reply_bulk_text(reply, "flags");
    reply_set(reply, count);
    for (int i = 0; i < count; i++) {
        reply_bulk_text(reply, words[i]);
    }
    reply_bulk_text(reply, "redirect");
    reply_integer(reply, redirect_of(call->client));
    reply_bulk_text(reply, "prefixes");
    uint32_t prefixes = tracker == NULL ? 0 : tracker->prefix_count;
    reply_array(reply, prefixes);
    for (uint32_t i = 0; i < prefixes; i++) {
        reply_bulk(reply, tracker->prefixes[i]->text);
    }
}

#define TRACKING_FLAGS      (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define TRACKING_CATEGORIES (CATEGORY_SLOW | CATEGORY_CONNECTION)

static const struct command_row rows[] = {
    {.name = "client|caching",
     .fn = client_caching,
     .arity = 3,
     .flags = TRACKING_FLAGS,
     .categories = TRACKING_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Says whether the next command's keys are tracked.",
     .syntax = "<YES|NO>"},
    {.name = "client|getredir",
     .fn = client_getredir,
     .arity = 2,
     .flags = TRACKING_FLAGS,
     .categories = TRACKING_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Shows which connection gets the invalidations."},
    {.name = "client|tracking",
     .fn = client_tracking,
     .arity = -3,
     .flags = TRACKING_FLAGS,
     .categories = TRACKING_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "6.0.0",
     .complexity = "O(N), N being the number of prefixes",
     .summary = "Remembers what the connection reads, to tell it when that changes.",
     .syntax = "<ON|OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] "
               "[OPTOUT] [NOLOOP]"},
    {.name = "client|trackinginfo",
     .fn = client_trackinginfo,
     .arity = 2,
     .flags = TRACKING_FLAGS,
     .categories = TRACKING_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Shows how keys are tracked for the connection."},
};

const struct command_table *command_tracking(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
