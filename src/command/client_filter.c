/* client_filter: a table of the options, each with how its value is read and what it says of a
 * client; NOT- in front of an option's name turns it round. Ids are apart: they name the clients
 * instead of describing them. Unwanted ones are marked for as long as the filter is applied. */
#include "command/client_filter.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "feature/acl.h"

/* A class that no client has: "master" is understood, and there are none. */
#define NO_CLASS (-2)
/* Every letter that a client's flags can have, here or in Redis and Valkey. */
#define FLAGS_KNOWN "AbBcdeEgiIMNOPrRStTuUx"
/* Capabilities that a client can tell of: r, that it follows redirections. */
#define CAPABILITIES_KNOWN "r"

/* ---- reading values ---- */

static bool read_text(struct call *call, struct bytes text, struct filter_criterion *out) {
    (void)call;
    out->text = text;
    return true;
}

static bool read_class(struct call *call, struct bytes text, struct filter_criterion *out) {
    out->number = client_class_named(text);
    if (out->number < 0 && (bytes_is(text, "master") || bytes_is(text, "primary"))) {
        out->number = NO_CLASS;
    }
    if (out->number == -1) {
        reply_errorf(call->reply, "ERR Unknown client type '%.*s'", bytes_printed(text), text.at);
        return false;
    }
    return true;
}

static bool read_seconds(struct call *call, struct bytes text, const char *name, int64_t *out) {
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

static bool read_age(struct call *call, struct bytes text, struct filter_criterion *out) {
    return read_seconds(call, text, "maxage", &out->number);
}

static bool read_idle(struct call *call, struct bytes text, struct filter_criterion *out) {
    return read_seconds(call, text, "idle", &out->number);
}

static bool read_database(struct call *call, struct bytes text, struct filter_criterion *out) {
    if (!num_parse_i64(text, &out->number)) {
        reply_not_integer(call->reply);
        return false;
    }
    if (out->number < 0 || out->number >= (int64_t)call->keyspace->database_count) {
        reply_error(call->reply, "ERR DB index is out of range");
        return false;
    }
    return true;
}

/* Letters, each of which must be one of those. */
static bool read_letters(struct call *call, struct bytes text, const char *known, const char *what,
                         struct filter_criterion *out) {
    for (size_t i = 0; i < text.size; i++) {
        if (memchr(known, text.at[i], strlen(known)) == NULL) {
            reply_errorf(call->reply, "ERR Unknown %s found in the provided filter: %.*s", what,
                         bytes_printed(text), text.at);
            return false;
        }
    }
    out->text = text;
    return true;
}

static bool read_flags(struct call *call, struct bytes text, struct filter_criterion *out) {
    return read_letters(call, text, FLAGS_KNOWN, "flags", out);
}

static bool read_capabilities(struct call *call, struct bytes text, struct filter_criterion *out) {
    return read_letters(call, text, CAPABILITIES_KNOWN, "capa", out);
}

static bool read_user(struct call *call, struct bytes text, struct filter_criterion *out) {
    if (acl_find(call->context->acl, text) == NULL) {
        reply_errorf(call->reply, "ERR No such user '%.*s'", bytes_printed(text), text.at);
        return false;
    }
    out->text = text;
    return true;
}

/* ---- matching ---- */

static bool matches_text(struct bytes wanted, const char *text) {
    return bytes_equal(wanted, bytes_text(text == NULL ? "" : text));
}

static bool has_address(const struct client *client, const struct filter_criterion *is) {
    char name[SOCKET_NAME_SIZE];
    client_peer_name(client, name);
    return matches_text(is->text, name);
}

static bool has_own_address(const struct client *client, const struct filter_criterion *is) {
    char name[SOCKET_NAME_SIZE];
    client_own_name(client, name);
    return matches_text(is->text, name);
}

/* An address without its port; that of an IPv6 address is in brackets, or not. */
static bool has_ip(const struct client *client, const struct filter_criterion *is) {
    char name[SOCKET_NAME_SIZE];
    client_peer_name(client, name);
    char *colon = strrchr(name, ':');
    if (colon != NULL) {
        *colon = '\0';
    }
    struct bytes ip = bytes_text(name);
    if (ip.size >= 2 && ip.at[0] == '[' && is->text.size > 0 && is->text.at[0] != '[') {
        ip = bytes_of(ip.at + 1, ip.size - 2);
    }
    return bytes_equal(is->text, ip);
}

static bool has_name(const struct client *client, const struct filter_criterion *is) {
    return matches_text(is->text, client->name);
}

static bool has_lib_name(const struct client *client, const struct filter_criterion *is) {
    return matches_text(is->text, client->lib_name);
}

static bool has_lib_version(const struct client *client, const struct filter_criterion *is) {
    return matches_text(is->text, client->lib_version);
}

static bool has_class(const struct client *client, const struct filter_criterion *is) {
    return client->class_ == is->number;
}

static int64_t seconds_since(const struct client *client, int64_t ms) {
    return (clients_context(client->clients)->clock->now_ms - ms) / 1000;
}

static bool has_age(const struct client *client, const struct filter_criterion *is) {
    return seconds_since(client, client->created_ms) >= is->number;
}

static bool has_idled(const struct client *client, const struct filter_criterion *is) {
    return seconds_since(client, client->last_ms) >= is->number;
}

static bool has_database(const struct client *client, const struct filter_criterion *is) {
    return client->database != NULL && client->database->id == is->number;
}

static bool has_letters(const char *letters, struct bytes wanted) {
    for (size_t i = 0; i < wanted.size; i++) {
        if (strchr(letters, wanted.at[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool has_flags(const struct client *client, const struct filter_criterion *is) {
    char flags[CLIENT_FLAGS_SIZE];
    client_write_flags(client, flags);
    return has_letters(flags, is->text);
}

static bool has_capabilities(const struct client *client, const struct filter_criterion *is) {
    return has_letters(client->flags & CLIENT_REDIRECTED ? CAPABILITIES_KNOWN : "", is->text);
}

static bool has_user(const struct client *client, const struct filter_criterion *is) {
    return bytes_equal(client_user_name(client), is->text);
}

/* ---- the table ---- */

static const struct filter_row {
    const char *name;
    bool (*read)(struct call *call, struct bytes text, struct filter_criterion *out);
    bool (*matches)(const struct client *client, const struct filter_criterion *is);
    bool only_positive;
} filter_rows[FILTER_KINDS] = {
    [FILTER_ADDRESS] = {"addr", read_text, has_address, false},
    [FILTER_AGE] = {"maxage", read_age, has_age, true},
    [FILTER_CAPABILITIES] = {"capa", read_capabilities, has_capabilities, false},
    [FILTER_CLASS] = {"type", read_class, has_class, false},
    [FILTER_DATABASE] = {"db", read_database, has_database, false},
    [FILTER_FLAGS] = {"flags", read_flags, has_flags, false},
    [FILTER_IDLE] = {"idle", read_idle, has_idled, true},
    [FILTER_IP] = {"ip", read_text, has_ip, false},
    [FILTER_LIB_NAME] = {"lib-name", read_text, has_lib_name, false},
    [FILTER_LIB_VERSION] = {"lib-ver", read_text, has_lib_version, false},
    [FILTER_NAME] = {"name", read_text, has_name, false},
    [FILTER_OWN_ADDRESS] = {"laddr", read_text, has_own_address, false},
    [FILTER_USER] = {"user", read_user, has_user, false},
};

/* ---- reading ---- */

/* Takes "not-" off the option's name if it is there. */
static bool is_negated(struct bytes *option) {
    if (option->size < 4 || !bytes_is(bytes_of(option->at, 4), "not-")) {
        return false;
    }
    *option = bytes_of(option->at + 4, option->size - 4);
    return true;
}

static bool add_id(struct client_filter *filter, struct call *call, int64_t id, bool negated) {
    if (filter->ids == NULL) {
        filter->id_room = (size_t)call->argc;
        filter->ids = mem_try_alloc(MEM_OTHER, filter->id_room * sizeof *filter->ids);
        if (filter->ids == NULL) {
            reply_no_memory(call->reply);
            return false;
        }
    }
    if (negated) {
        filter->ids[filter->id_room - ++filter->not_id_count] = id;
    } else {
        filter->ids[filter->id_count++] = id;
        filter->has_ids = true;
    }
    return true;
}

/* The ids behind the option at *index, up to what is no number, or is the name of another option.
 * CLIENT LIST takes any number; as in Redis, what follows its ids and is nothing is a wrong id. */
static bool read_ids(struct client_filter *filter, struct call *call, int *index, bool negated,
                     enum filter_use use) {
    int i = *index + 1;
    if (i == call->argc) {
        reply_syntax_error(call->reply);
        return false;
    }
    int64_t id;
    for (; i < call->argc && num_parse_i64(call->args[i], &id); i++) {
        if (id < 1 && use == FILTER_FOR_KILL) {
            break;
        }
        if (!add_id(filter, call, id, negated)) {
            return false;
        }
    }
    bool none = i == *index + 1;
    bool wrong = i < call->argc && num_parse_i64(call->args[i], &id);
    if (none || wrong) {
        reply_error(call->reply, use == FILTER_FOR_KILL ? "ERR client-id should be greater than 0"
                                                        : "ERR Invalid client ID");
        return false;
    }
    *index = i;
    return true;
}

static const struct filter_row *find_row(struct bytes option, bool negated) {
    for (int kind = 0; kind < FILTER_KINDS; kind++) {
        const struct filter_row *row = &filter_rows[kind];
        if (bytes_is(option, row->name) && !(negated && row->only_positive)) {
            return row;
        }
    }
    return NULL;
}

/* One option at *index with what belongs to it. */
static bool read_option(struct client_filter *filter, struct call *call, int *index,
                        enum filter_use use, bool behind_ids) {
    struct bytes option = call->args[*index];
    bool negated = is_negated(&option);
    if (bytes_is(option, "id")) {
        return read_ids(filter, call, index, negated, use);
    }
    if (*index + 1 < call->argc) {
        struct bytes value = call->args[*index + 1];
        const struct filter_row *row = find_row(option, negated);
        if (row != NULL) {
            struct filter_criterion *is =
                &(negated ? filter->unwanted : filter->wanted)[row - filter_rows];
            is->is_set = true;
            *index += 2;
            return row->read(call, value, is);
        }
        if (!negated && bytes_is(option, "skipme") &&
            (bytes_is(value, "yes") || bytes_is(value, "no"))) {
            filter->skip_caller = bytes_is(value, "yes");
            *index += 2;
            return true;
        }
    }
    if (behind_ids && use == FILTER_FOR_LIST && find_row(option, negated) == NULL) {
        reply_error(call->reply, "ERR Invalid client ID");
    } else {
        reply_syntax_error(call->reply);
    }
    return false;
}

static bool is_option(struct bytes word) {
    bool negated = is_negated(&word);
    return bytes_is(word, "id") || find_row(word, negated) != NULL ||
           (!negated && bytes_is(word, "skipme"));
}

/* Whether each option is one and has a value, whatever that is. Wrong ids are for later. */
static bool is_well_formed(const struct call *call, int from) {
    int64_t id;
    for (int i = from; i < call->argc;) {
        struct bytes option = call->args[i++];
        is_negated(&option);
        if (bytes_is(option, "id")) {
            const int first = i;
            while (i < call->argc && num_parse_i64(call->args[i], &id)) {
                i++;
            }
            if (i < call->argc && (i == first || !is_option(call->args[i]))) {
                return true;
            }
        } else if (!is_option(call->args[i - 1]) || i == call->argc) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

bool client_filter_read(struct client_filter *filter, struct call *call, int from,
                        enum filter_use use) {
    if (use == FILTER_FOR_LIST && !is_well_formed(call, from)) {
        /* In CLIENT LIST this comes before what is wrong with a value. */
        reply_syntax_error(call->reply);
        return false;
    }
    *filter = (struct client_filter){.skip_caller = use == FILTER_FOR_KILL};
    bool behind_ids = false;
    for (int i = from; i < call->argc;) {
        struct bytes option = call->args[i];
        is_negated(&option);
        if (!read_option(filter, call, &i, use, behind_ids)) {
            client_filter_free(filter);
            return false;
        }
        behind_ids = bytes_is(option, "id");
    }
    return true;
}

void client_filter_address(struct client_filter *filter, struct bytes address) {
    *filter = (struct client_filter){0};
    filter->wanted[FILTER_ADDRESS] = (struct filter_criterion){.is_set = true, .text = address};
}

void client_filter_free(struct client_filter *filter) {
    mem_free(MEM_OTHER, filter->ids, filter->id_room * sizeof *filter->ids);
    filter->ids = NULL;
    filter->id_room = 0;
}

/* ---- applying ---- */

static bool matches(const struct client_filter *filter, const struct call *call,
                    const struct client *client) {
    if (client->flags & (CLIENT_CLOSING | CLIENT_UNWANTED) ||
        (filter->skip_caller && client == call->client)) {
        return false;
    }
    for (int kind = 0; kind < FILTER_KINDS; kind++) {
        const struct filter_row *row = &filter_rows[kind];
        if ((filter->wanted[kind].is_set && !row->matches(client, &filter->wanted[kind])) ||
            (filter->unwanted[kind].is_set && row->matches(client, &filter->unwanted[kind]))) {
            return false;
        }
    }
    return true;
}

static struct client *find(const struct call *call, int64_t id) {
    return id < 1 ? NULL : clients_find(call->client->clients, (uint64_t)id);
}

static void mark_unwanted(const struct client_filter *filter, const struct call *call, bool on) {
    for (size_t i = 1; i <= filter->not_id_count; i++) {
        struct client *client = find(call, filter->ids[filter->id_room - i]);
        if (client != NULL) {
            client->flags &= ~(uint32_t)CLIENT_UNWANTED;
            client->flags |= on ? CLIENT_UNWANTED : 0;
        }
    }
}

void client_filter_visit(const struct client_filter *filter, const struct call *call,
                         bool (*visit)(void *context, struct client *client), void *context) {
    mark_unwanted(filter, call, true);
    bool goes_on = true;
    if (filter->has_ids) {
        for (size_t i = 0; i < filter->id_count && goes_on; i++) {
            struct client *client = find(call, filter->ids[i]);
            goes_on = client == NULL || !matches(filter, call, client) || visit(context, client);
        }
    } else {
        for (struct client *client = clients_first(call->client->clients);
             client != NULL && goes_on; client = client->next) {
            goes_on = !matches(filter, call, client) || visit(context, client);
        }
    }
    mark_unwanted(filter, call, false);
}
