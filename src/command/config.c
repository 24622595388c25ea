/* config: CONFIG: reading and changing options while the server runs. */
#include "command/tables.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/glob.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/call.h"
#include "call/control.h"
#include "client/client.h"
#include "command/guard.h"
#include "feature/acl_selector.h"

/* Pairs in one CONFIG SET: more than there are options. */
#define PAIRS_MAX 1024
/* Longer than the name of any option. */
#define NAME_SHOWN_MAX 64

/* Whether any of the patterns behind CONFIG GET matches. A hidden option must be named in full. */
static bool is_asked_for(const struct call *call, const char *name, bool hidden) {
    for (int i = 2; i < call->argc; i++) {
        if (hidden ? bytes_is(call->args[i], name)
                   : glob_match(call->args[i], bytes_text(name), true)) {
            return true;
        }
    }
    return false;
}

/* Passwords are shown to who could set them, and to others it is as if they were not there. */
static bool may_see_secrets(const struct call *call) {
    const struct client *client = call->client;
    if (LIKELY(!(client->flags & CLIENT_RESTRICTED))) {
        return true;
    }
    const struct bytes args[] = {bytes_text("config"), bytes_text("set"), bytes_text("requirepass"),
                                 bytes_text("")};
    const struct guard *guard = clients_guard(client->clients);
    const struct command *set = acl_find_command(call->context->commands, bytes_text("config|set"));
    int at;
    return set != NULL &&
           guard->judge(guard->context, client->user, set, args, 4, &at) == GUARD_ALLOWED;
}

static bool reply_option(struct call *call, const char *name, int index, struct buffer *value) {
    const struct options *options = call->context->options;
    unsigned flags = options_row(options, index)->flags;
    if (!is_asked_for(call, name, (flags & OPTION_HIDDEN) != 0) ||
        (flags & OPTION_SECRET && !may_see_secrets(call))) {
        return false;
    }
    value->size = 0;
    options_print(options, index, value);
    reply_bulk_text(call->reply, name);
    reply_bulk(call->reply, buffer_bytes(value));
    return true;
}

static void config_get(struct call *call) {
    const struct options *options = call->context->options;
    struct buffer value;
    buffer_init(&value, MEM_OTHER);
    struct reply_mark mark = reply_defer(call->reply);
    int64_t pairs = 0;
    for (int index = 0; index < options_count(options); index++) {
        pairs += reply_option(call, options_row(options, index)->name, index, &value);
    }
    const char *alias;
    int target;
    for (int i = 0; (alias = options_alias_at(options, i, &target)) != NULL; i++) {
        pairs += reply_option(call, alias, target, &value);
    }
    reply_defer_end(call->reply, mark, '%', pairs);
    buffer_clear(&value);
}

static void config_set(struct call *call) {
    if (call->argc % 2 != 0 || call->argc > 2 * PAIRS_MAX) {
        reply_syntax_error(call->reply);
        return;
    }
    int which = 0;
    const char *error = NULL;
    int status = options_change(call->context->options, call->args + 2, (call->argc - 2) / 2,
                                guard_allows(call, "enable-protected-configs"), &which, &error);
    if (status == 0) {
        reply_ok(call->reply);
        return;
    }
    struct bytes name = call->args[2 + 2 * which];
    if (status == -ENOENT) {
        reply_errorf(call->reply,
                     "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                     bytes_printed(name), name.at);
        return;
    }
    /* Registered names are lower-case, and that is how they are answered. */
    char lower[NAME_SHOWN_MAX];
    size_t size = name.size < NAME_SHOWN_MAX ? name.size : NAME_SHOWN_MAX;
    for (size_t i = 0; i < size; i++) {
        lower[i] = (char)tolower((unsigned char)name.at[i]);
    }
    reply_errorf(call->reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
                 (int)size, lower, error);
}

static void config_resetstat(struct call *call) {
    metrics_reset(call->context->metrics);
    reply_ok(call->reply);
}

static void config_rewrite(struct call *call) {
    const struct server_control *control = call->context->control;
    int status = control->rewrite_config(control->server);
    if (status == -ENOENT && control->config_file[0] == '\0') {
        reply_error(call->reply, "ERR The server is running without a config file");
    } else if (status != 0) {
        log_warning("Rewriting the configuration file failed: %s", strerror(-status));
        reply_errorf(call->reply, "ERR Rewriting config file: %s", strerror(-status));
    } else {
        log_notice("The configuration file has been rewritten.");
        reply_ok(call->reply);
    }
}

static void config_help(struct call *call) {
    static const char *const lines[] = {
        "GET <pattern> [<pattern> ...]",
        "    The options whose names match, with their values.",
        "SET <option> <value> [<option> <value> ...]",
        "    Change options: all of them, or none when one is refused.",
        "RESETSTAT",
        "    Set the counters of INFO to zero.",
        "REWRITE",
        "    Write the options as they are now into the configuration file.",
        NULL,
    };
    reply_help(call->reply, "CONFIG", lines);
}

#define CONFIG_FLAGS      (COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define CONFIG_CATEGORIES (CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS)

static const struct command_row rows[] = {
    {.name = "config",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "2.0.0",
     .complexity = "Depends on the subcommand.",
     .summary = "The server's options."},
    {.name = "config|get",
     .fn = config_get,
     .arity = -3,
     .flags = CONFIG_FLAGS,
     .categories = CONFIG_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "2.0.0",
     .complexity = "O(N) with the number of options and patterns.",
     .summary = "Shows options and their values.",
     .syntax = "parameter [parameter ...]"},
    {.name = "config|set",
     .fn = config_set,
     .arity = -4,
     .flags = COMMAND_STILL | CONFIG_FLAGS,
     .categories = CONFIG_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_ALL_SUCCEEDED,
     .group = GROUP_SERVER,
     .since = "2.0.0",
     .complexity = "O(N) with the number of options that are set.",
     .summary = "Changes options while the server runs.",
     .syntax = "parameter value [parameter value ...]"},
    {.name = "config|resetstat",
     .fn = config_resetstat,
     .arity = 2,
     .flags = COMMAND_STILL | CONFIG_FLAGS,
     .categories = CONFIG_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Sets the counters that INFO shows to zero."},
    {.name = "config|rewrite",
     .fn = config_rewrite,
     .arity = 2,
     .flags = CONFIG_FLAGS,
     .categories = CONFIG_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "2.8.0",
     .complexity = "O(1)",
     .summary = "Writes the options in force into the configuration file."},
    {.name = "config|help",
     .fn = config_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
};

const struct command_table *command_config(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
