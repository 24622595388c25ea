/* client_filter: reads the options of CLIENT KILL and applies them to one client. */
#include "command/client_filter.h"

#include <string.h>

#include "base/num.h"

bool client_filter_class(struct call *call, struct bytes name, int *class_) {
    *class_ = client_class_named(name);
    if (*class_ < 0 && bytes_is(name, "master")) {
        *class_ = CLIENT_FILTER_NO_CLASS;
    }
    if (*class_ == -1) {
        reply_errorf(call->reply, "ERR Unknown client type '%.*s'", bytes_printed(name), name.at);
        return false;
    }
    return true;
}

static bool read_positive(struct call *call, struct bytes text, const char *name, int64_t *out) {
    if (!num_parse_i64(text, out)) {
        reply_errorf(call->reply, "ERR %s is not an integer or out of range", name);
        return false;
    }
    if (*out < 1) {
        reply_errorf(call->reply, "ERR %s should be greater than 0", name);
        return false;
    }
    return true;
}

static bool read_id(struct client_filter *filter, struct call *call, struct bytes value) {
    int64_t id;
    if (!num_parse_i64(value, &id) || id < 1) {
        reply_error(call->reply, "ERR client-id should be greater than 0");
        return false;
    }
    filter->id = (uint64_t)id;
    return true;
}

static bool read_option(struct client_filter *filter, struct call *call, struct bytes option,
                        struct bytes value) {
    if (bytes_is(option, "id")) {
        return read_id(filter, call, value);
    }
    if (bytes_is(option, "type")) {
        return client_filter_class(call, value, &filter->class_);
    }
    if (bytes_is(option, "maxage")) {
        return read_positive(call, value, "maxage", &filter->age_s_min);
    }
    if (bytes_is(option, "addr")) {
        filter->peer = value;
        return true;
    }
    if (bytes_is(option, "laddr")) {
        filter->own = value;
        return true;
    }
    if (bytes_is(option, "user")) {
        /* Everybody is the default user. */
        if (!bytes_equal(value, bytes_text("default"))) {
            reply_errorf(call->reply, "ERR No such user '%.*s'", bytes_printed(value), value.at);
            return false;
        }
        return true;
    }
    if (bytes_is(option, "skipme") && (bytes_is(value, "yes") || bytes_is(value, "no"))) {
        filter->skip_caller = bytes_is(value, "yes");
        return true;
    }
    reply_syntax_error(call->reply);
    return false;
}

bool client_filter_read(struct client_filter *filter, struct call *call, int from) {
    *filter = (struct client_filter){.class_ = -1, .skip_caller = true};
    for (int i = from; i < call->argc; i += 2) {
        if (i + 1 == call->argc) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (!read_option(filter, call, call->args[i], call->args[i + 1])) {
            return false;
        }
    }
    return true;
}

bool client_filter_matches(const struct client_filter *filter, const struct call *call,
                           const struct client *client) {
    char name[SOCKET_NAME_SIZE];
    if (filter->id != 0 && client->id != filter->id) {
        return false;
    }
    if (filter->class_ != -1 && client->class_ != filter->class_) {
        return false;
    }
    if (filter->skip_caller && client == call->client) {
        return false;
    }
    if ((call->now_ms - client->created_ms) / 1000 < filter->age_s_min) {
        return false;
    }
    if (filter->peer.at != NULL) {
        client_peer_name(client, name);
        if (!bytes_equal(filter->peer, bytes_text(name))) {
            return false;
        }
    }
    if (filter->own.at != NULL) {
        client_own_name(client, name);
        return bytes_equal(filter->own, bytes_text(name));
    }
    return true;
}
