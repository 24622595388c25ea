/* command: COMMAND and its subcommands: what commands there are, what their rows say, which
 * arguments are keys. Clients for clusters read key positions from here, interactive ones the
 * documentation. */
#include "command/tables.h"

#include "base/glob.h"
#include "base/mem.h"
#include "call/call.h"
#include "command/command_docs.h"

#include <string.h>

struct bit_name {
    unsigned bit;
    const char *name;
};

/* In the order in which clients are used to see them. */
static const struct bit_name command_flags[] = {
    {COMMAND_WRITE, "write"},
    {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},
    {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},
    {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},
    {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},
    {COMMAND_SKIP_MONITOR, "skip_monitor"},
    {COMMAND_SKIP_SLOWLOG, "skip_slowlog"},
    {COMMAND_ASKING, "asking"},
    {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_NO_MANDATORY_KEYS, "no_mandatory_keys"},
    {COMMAND_NO_ASYNC_LOADING, "no_async_loading"},
    {COMMAND_NO_MULTI, "no_multi"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"},
    {COMMAND_ALLOW_BUSY, "allow_busy"},
};

static const struct bit_name key_flags[] = {
    {KEY_RO, "RO"},
    {KEY_RW, "RW"},
    {KEY_OW, "OW"},
    {KEY_RM, "RM"},
    {KEY_ACCESS, "access"},
    {KEY_UPDATE, "update"},
    {KEY_INSERT, "insert"},
    {KEY_DELETE, "delete"},
    {KEY_NOT_KEY, "not_key"},
    {KEY_INCOMPLETE, "incomplete"},
    {KEY_VARIABLE_FLAGS, "variable_flags"},
};

static void reply_bits(struct reply *reply, unsigned bits, const struct bit_name *names,
                       size_t count) {
    int64_t set = 0;
    for (size_t i = 0; i < count; i++) {
        set += (bits & names[i].bit) != 0;
    }
    reply_set(reply, set);
    for (size_t i = 0; i < count; i++) {
        if (bits & names[i].bit) {
            reply_status(reply, names[i].name);
        }
    }
}

static void reply_key_flags(struct reply *reply, unsigned flags) {
    reply_bits(reply, flags, key_flags, sizeof key_flags / sizeof key_flags[0]);
}

static void reply_tips(struct reply *reply, unsigned tips) {
    static const char *const names[] = {
        "nondeterministic_output",       "nondeterministic_output_order",
        "request_policy:all_nodes",      "request_policy:all_shards",
        "request_policy:multi_shard",    "request_policy:special",
        "response_policy:all_succeeded", "response_policy:agg_sum",
        "response_policy:agg_min",       "response_policy:special",
        "response_policy:one_succeeded", "response_policy:agg_logical_and"};
    reply_set(reply, __builtin_popcount(tips));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (tips & 1u << i) {
            reply_bulk_text(reply, names[i]);
        }
    }
}

static void reply_categories(struct reply *reply, unsigned categories) {
    reply_set(reply, __builtin_popcount(categories));
    for (int i = 0; i < CATEGORY_COUNT; i++) {
        if (categories & 1u << i) {
            char name[32] = "@";
            strncat(name, category_name(i), sizeof name - 2);
            reply_status(reply, name);
        }
    }
}

/* The one range that old clients understand: the specifications' ranges as far as they adjoin. 0,
 * 0, 0 when there is none. */
static void legacy_range(const struct command_row *row, int *first, int *last, int *step) {
    *first = 0;
    *last = 0;
    *step = 0;
    for (int i = 0; i < COMMAND_KEY_SPECS && row->keys[i].flags != 0; i++) {
        const struct key_spec *spec = &row->keys[i];
        if (spec->keyword != NULL || spec->is_count) {
            continue;
        }
        int spec_last = spec->last >= 0 ? spec->index + spec->last : spec->last;
        if (*first == 0) {
            *first = spec->index;
            *last = spec_last;
            *step = spec->step;
        } else if (spec->step == 1 && *step == 1 && *last >= 0 && spec->index == *last + 1) {
            *last = spec_last;
        }
    }
}

static void reply_named_integer(struct reply *reply, const char *name, int64_t value) {
    reply_bulk_text(reply, name);
    reply_integer(reply, value);
}

static void reply_key_spec(struct reply *reply, const struct key_spec *spec) {
    reply_map(reply, 3);
    reply_bulk_text(reply, "flags");
    reply_key_flags(reply, spec->flags);
    reply_bulk_text(reply, "begin_search");
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    reply_bulk_text(reply, spec->keyword != NULL ? "keyword" : "index");
    reply_bulk_text(reply, "spec");
    if (spec->keyword != NULL) {
        reply_map(reply, 2);
        reply_bulk_text(reply, "keyword");
        reply_bulk_text(reply, spec->keyword);
        reply_named_integer(reply, "startfrom", spec->index);
    } else {
        reply_map(reply, 1);
        reply_named_integer(reply, "index", spec->index);
    }
    reply_bulk_text(reply, "find_keys");
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    reply_bulk_text(reply, spec->is_count ? "keynum" : "range");
    reply_bulk_text(reply, "spec");
    reply_map(reply, 3);
    if (spec->is_count) {
        reply_named_integer(reply, "keynumidx", spec->count_at);
        reply_named_integer(reply, "firstkey", spec->first);
        reply_named_integer(reply, "keystep", spec->step);
    } else {
        reply_named_integer(reply, "lastkey", spec->last);
        reply_named_integer(reply, "keystep", spec->step);
        reply_named_integer(reply, "limit", spec->limit);
    }
}

static void reply_info(struct reply *reply, const struct command *command) {
    const struct command_row *row = command->row;
    int first;
    int last;
    int step;
    legacy_range(row, &first, &last, &step);
    reply_array(reply, 10);
    reply_bulk_text(reply, command->name);
    reply_integer(reply, command->arity);
    reply_bits(reply, command->flags, command_flags,
               sizeof command_flags / sizeof command_flags[0]);
    reply_integer(reply, first);
    reply_integer(reply, last);
    reply_integer(reply, step);
    reply_categories(reply, row->categories);
    reply_tips(reply, row->tips);
    int specs = 0;
    while (specs < COMMAND_KEY_SPECS && row->keys[specs].flags != 0) {
        specs++;
    }
    reply_set(reply, specs);
    for (int i = 0; i < specs; i++) {
        reply_key_spec(reply, &row->keys[i]);
    }
    if (command->child_count == 0) {
        reply_set(reply, 0);
        return;
    }
    reply_array(reply, command->child_count);
    for (int i = 0; i < command->child_count; i++) {
        reply_info(reply, command->children[i]);
    }
}

/* Commands without subcommands: what COMMAND COUNT means. */
static int64_t count_top(const struct commands *commands) {
    int64_t count = 0;
    for (int i = 0; i < commands_count(commands); i++) {
        count += commands_at(commands, i)->parent == NULL;
    }
    return count;
}

static void reply_all(struct call *call) {
    const struct commands *commands = call->context->commands;
    reply_array(call->reply, count_top(commands));
    for (int i = 0; i < commands_count(commands); i++) {
        const struct command *command = commands_at(commands, i);
        if (command->parent == NULL) {
            reply_info(call->reply, command);
        }
    }
}

static void command_all(struct call *call) {
    if (call->argc > 1) {
        reply_unknown_subcommand(call->reply, call->command->name, call->args[1]);
        return;
    }
    reply_all(call);
}

static void command_count(struct call *call) {
    reply_integer(call->reply, count_top(call->context->commands));
}

static void command_info(struct call *call) {
    if (call->argc == 2) {
        reply_all(call);
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        const struct command *command = commands_find_full(call->context->commands, call->args[i]);
        if (command == NULL) {
            reply_null(call->reply);
        } else {
            reply_info(call->reply, command);
        }
    }
}

static void command_docs(struct call *call) {
    const struct commands *commands = call->context->commands;
    if (call->argc == 2) {
        reply_map(call->reply, count_top(commands));
        for (int i = 0; i < commands_count(commands); i++) {
            if (commands_at(commands, i)->parent == NULL) {
                command_docs_reply(call->reply, commands_at(commands, i));
            }
        }
        return;
    }
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    for (int i = 2; i < call->argc; i++) {
        const struct command *command = commands_find_full(commands, call->args[i]);
        if (command != NULL) {
            command_docs_reply(call->reply, command);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '%', count);
}

/* What COMMAND LIST leaves. */
struct list_filter {
    unsigned category;
    bool by_category;
    bool by_pattern;
    bool nothing; /* commands of a module: there are no modules */
    struct bytes pattern;
};

static bool list_matches(const struct list_filter *filter, const struct command *command) {
    if (filter->nothing) {
        return false;
    }
    if (filter->by_category && !(command->row->categories & filter->category)) {
        return false;
    }
    return !filter->by_pattern || glob_match(filter->pattern, bytes_text(command->name), true);
}

static bool read_list_filter(const struct call *call, struct list_filter *filter) {
    *filter = (struct list_filter){0};
    if (call->argc == 2) {
        return true;
    }
    if (call->argc != 5 || !call_arg_is(call, 2, "filterby")) {
        return false;
    }
    if (call_arg_is(call, 3, "module")) {
        filter->nothing = true;
    } else if (call_arg_is(call, 3, "aclcat")) {
        filter->by_category = true;
        for (int i = 0; i < CATEGORY_COUNT; i++) {
            if (bytes_is(call->args[4], category_name(i))) {
                filter->category = 1u << i;
            }
        }
    } else if (call_arg_is(call, 3, "pattern")) {
        filter->by_pattern = true;
        filter->pattern = call->args[4];
    } else {
        return false;
    }
    return true;
}

static void command_list(struct call *call) {
    struct list_filter filter;
    if (!read_list_filter(call, &filter)) {
        reply_syntax_error(call->reply);
        return;
    }
    const struct commands *commands = call->context->commands;
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    for (int i = 0; i < commands_count(commands); i++) {
        const struct command *command = commands_at(commands, i);
        if (list_matches(&filter, command)) {
            reply_bulk_text(call->reply, command->name);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '*', count);
}

/* The command that arguments from the third on would call, if it has keys; NULL with the error
 * replied otherwise. */
static const struct command *command_of_call(struct call *call) {
    const struct bytes *args = call->args + 2;
    int argc = call->argc - 2;
    const struct command *command = commands_resolve(call->context->commands, args, argc);
    if (command == NULL || (command->child_count > 0 && (command->fn == NULL || argc > 1))) {
        reply_error(call->reply, "ERR Invalid command specified");
        return NULL;
    }
    if (command->row->keys[0].flags == 0) {
        reply_error(call->reply, "ERR The command has no key arguments");
        return NULL;
    }
    if (command->arity > 0 ? argc != command->arity : argc < -command->arity) {
        reply_error(call->reply, "ERR Invalid number of arguments specified for command");
        return NULL;
    }
    return command;
}

static void get_keys(struct call *call, bool with_flags) {
    const struct command *command = command_of_call(call);
    if (command == NULL) {
        return;
    }
    const struct bytes *args = call->args + 2;
    int argc = call->argc - 2;
    int count = command_keys(command, args, argc, NULL, 0);
    if (count < 0 || (count == 0 && !(command->flags & COMMAND_NO_MANDATORY_KEYS))) {
        reply_error(call->reply, "ERR Invalid arguments specified for command");
        return;
    }
    reply_array(call->reply, count);
    if (count == 0) {
        return;
    }
    size_t size = (size_t)count * sizeof(struct command_key);
    struct command_key *keys = mem_alloc(MEM_OTHER, size);
    command_keys(command, args, argc, keys, count);
    for (int i = 0; i < count; i++) {
        if (with_flags) {
            reply_array(call->reply, 2);
        }
        reply_bulk(call->reply, args[keys[i].index]);
        if (with_flags) {
            reply_key_flags(call->reply, keys[i].flags);
        }
    }
    mem_free(MEM_OTHER, keys, size);
}

static void command_getkeys(struct call *call) {
    get_keys(call, false);
}

static void command_getkeysandflags(struct call *call) {
    get_keys(call, true);
}

static void command_help(struct call *call) {
    static const char *const lines[] = {
        "(no subcommand)",
        "    Show what is known of all commands.",
        "COUNT",
        "    Show how many commands there are.",
        "DOCS [<command-name> ...]",
        "    Show the documentation of some commands or of all.",
        "GETKEYS <command> [<argument> ...]",
        "    Show which arguments of a call are keys.",
        "GETKEYSANDFLAGS <command> [<argument> ...]",
        "    Show the keys of a call and what it does with each.",
        "INFO [<command-name> ...]",
        "    Show what is known of some commands or of all.",
        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    Show the names of all commands, or of those that the filter leaves.",
        NULL,
    };
    reply_help(call->reply, "COMMAND", lines);
}

#define COMMAND_COMMAND_FLAGS      (COMMAND_LOADING | COMMAND_STALE)
#define COMMAND_COMMAND_CATEGORIES (CATEGORY_SLOW | CATEGORY_CONNECTION)

static const struct command_row rows[] = {
    {.name = "command",
     .fn = command_all,
     .arity = -1,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(N), N being the number of commands",
     .summary = "Shows what is known of all commands."},
    {.name = "command|count",
     .fn = command_count,
     .arity = 2,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(N), N being the number of commands",
     .summary = "Counts the commands."},
    {.name = "command|docs",
     .fn = command_docs,
     .arity = -2,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SERVER,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of names",
     .summary = "Shows the documentation of commands.",
     .syntax = "[command-name [command-name ...]]"},
    {.name = "command|getkeys",
     .fn = command_getkeys,
     .arity = -3,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(N), N being the number of arguments",
     .summary = "Shows which arguments of a call are keys.",
     .syntax = "command [arg [arg ...]]"},
    {.name = "command|getkeysandflags",
     .fn = command_getkeysandflags,
     .arity = -3,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of arguments",
     .summary = "Shows the keys of a call and what it does with them.",
     .syntax = "command [arg [arg ...]]"},
    {.name = "command|help",
     .fn = command_help,
     .arity = 2,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "command|info",
     .fn = command_info,
     .arity = -2,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(N), N being the number of names",
     .summary = "Shows what is known of some commands.",
     .syntax = "[command-name [command-name ...]]"},
    {.name = "command|list",
     .fn = command_list,
     .arity = -2,
     .flags = COMMAND_COMMAND_FLAGS,
     .categories = COMMAND_COMMAND_CATEGORIES,
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SERVER,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of commands",
     .summary = "Shows the commands' names.",
     .syntax = "[FILTERBY MODULE module-name|ACLCAT category|PATTERN pattern]"},
};

const struct command_table *command_commands(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
