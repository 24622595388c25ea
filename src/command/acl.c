/* acl: ACL and its subcommands: users and what they may do (feature/acl.h). */
#include "command/tables.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/num.h"
#include "base/random.h"
#include "call/call.h"
#include "client/client.h"
#include "feature/acl.h"
#include "feature/acl_log.h"
#include "feature/acl_user.h"

/* What ACL LOG shows when it is not told. */
#define LOG_SHOWN 10
/* ACL GENPASS, in bits. */
#define SECRET_USUAL 256
#define SECRET_MAX   4096

static void reply_buffer(struct reply *reply, struct buffer *text) {
    reply_bulk(reply, buffer_bytes(text));
    text->size = 0;
}

static void reply_problem(struct reply *reply, const char *code, struct buffer *text) {
    reply_errorf(reply, "%s%s", code, buffer_text(text));
}

static void acl_whoami(struct call *call) {
    reply_bulk(call->reply, client_user_name(call->client));
}

static void acl_users(struct call *call) {
    const struct acl *acl = call->context->acl;
    reply_array(call->reply, (int64_t)acl_count(acl));
    for (size_t i = 0; i < acl_count(acl); i++) {
        reply_bulk(call->reply, acl_at(acl, i)->name);
    }
}

static void acl_list(struct call *call) {
    const struct acl *acl = call->context->acl;
    struct buffer line;
    buffer_init(&line, MEM_FEATURE);
    reply_array(call->reply, (int64_t)acl_count(acl));
    for (size_t i = 0; i < acl_count(acl); i++) {
        acl_user_print(acl_at(acl, i), &line);
        reply_buffer(call->reply, &line);
    }
    buffer_clear(&line);
}

static void reply_selector(struct reply *reply, const struct acl_selector *selector,
                           struct buffer *text) {
    reply_bulk_text(reply, "commands");
    acl_selector_print_commands(selector, text);
    reply_buffer(reply, text);
    reply_bulk_text(reply, "keys");
    acl_selector_print_keys(selector, text);
    reply_buffer(reply, text);
    reply_bulk_text(reply, "channels");
    acl_selector_print_channels(selector, text);
    reply_buffer(reply, text);
}

static void acl_getuser(struct call *call) {
    struct reply *reply = call->reply;
    const struct user *user = acl_find(call->context->acl, call->args[2]);
    if (user == NULL) {
        reply_null(reply);
        return;
    }
    struct buffer text;
    buffer_init(&text, MEM_FEATURE);
    reply_map(reply, 6);
    reply_bulk_text(reply, "flags");
    reply_set(reply, 2 + user->needs_no_password);
    reply_bulk_text(reply, user->is_on ? "on" : "off");
    if (user->needs_no_password) {
        reply_bulk_text(reply, "nopass");
    }
    reply_bulk_text(reply, user->skips_sanitizing ? "skip-sanitize-payload" : "sanitize-payload");
    reply_bulk_text(reply, "passwords");
    reply_array(reply, (int64_t)user->passwords.count);
    for (size_t i = 0; i < user->passwords.count; i++) {
        reply_bulk(reply, user->passwords.items[i].text);
    }
    reply_selector(reply, user->selectors, &text);
    int64_t further = 0;
    for (const struct acl_selector *s = user->selectors->next; s != NULL; s = s->next) {
        further++;
    }
    reply_bulk_text(reply, "selectors");
    reply_array(reply, further);
    for (const struct acl_selector *s = user->selectors->next; s != NULL; s = s->next) {
        reply_map(reply, 3);
        reply_selector(reply, s, &text);
    }
    buffer_clear(&text);
}

static void acl_setuser(struct call *call) {
    struct buffer error;
    buffer_init(&error, MEM_FEATURE);
    if (acl_set_user(call->context->acl, call->args[2], call->args + 3, call->argc - 3, &error)) {
        reply_ok(call->reply);
    } else {
        reply_problem(call->reply, "", &error);
    }
    buffer_clear(&error);
}

static void acl_deluser(struct call *call) {
    struct acl *acl = call->context->acl;
    int64_t deleted = 0;
    for (int i = 2; i < call->argc; i++) {
        if (bytes_equal(call->args[i], bytes_text("default"))) {
            reply_error(call->reply, "ERR The 'default' user cannot be removed");
            return;
        }
    }
    for (int i = 2; i < call->argc; i++) {
        deleted += acl_delete_user(acl, call->args[i]);
    }
    reply_integer(call->reply, deleted);
}

static void acl_cat(struct call *call) {
    if (call->argc > 3) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (call->argc == 2) {
        reply_array(call->reply, CATEGORY_COUNT);
        for (int bit = 0; bit < CATEGORY_COUNT; bit++) {
            reply_bulk_text(call->reply, category_name(bit));
        }
        return;
    }
    int category = acl_find_category(call->args[2]);
    if (category < 0) {
        reply_errorf(call->reply, "ERR Unknown category '%.*s'", bytes_printed(call->args[2]),
                     call->args[2].at);
        return;
    }
    const struct commands *commands = call->context->commands;
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    for (int i = 0; i < commands_count(commands); i++) {
        const struct command *command = commands_at(commands, i);
        if (command->row->categories >> category & 1) {
            reply_bulk_text(call->reply, command->row->name);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '*', count);
}

static void acl_genpass(struct call *call) {
    int64_t bits = SECRET_USUAL;
    if (call->argc > 3) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (call->argc == 3 && !call_integer(call, 2, &bits)) {
        return;
    }
    if (bits < 1 || bits > SECRET_MAX) {
        reply_errorf(call->reply,
                     "ERR ACL GENPASS argument must be the number of bits for the output "
                     "password, a positive number up to %d",
                     SECRET_MAX);
        return;
    }
    unsigned char secret[SECRET_MAX / 8];
    char digits[SECRET_MAX / 4];
    size_t count = (size_t)(bits + 3) / 4;
    random_secret(secret, sizeof secret);
    for (size_t i = 0; i < count; i++) {
        digits[i] = "0123456789abcdef"[i % 2 == 0 ? secret[i / 2] >> 4 : secret[i / 2] & 15];
    }
    reply_bulk(call->reply, bytes_of(digits, count));
}

/* Which command the arguments from index 3 on call; NULL with an error when they call none. */
static const struct command *command_to_try(const struct call *call) {
    const struct bytes *args = call->args + 3;
    int argc = call->argc - 3;
    const struct command *command = commands_resolve(call->context->commands, args, argc);
    if (command == NULL || (command->fn == NULL && argc > 1)) {
        reply_errorf(call->reply, "ERR Command '%.*s' not found", bytes_printed(args[0]),
                     args[0].at);
        return NULL;
    }
    if (command->fn == NULL ||
        (command->arity > 0 ? argc != command->arity : argc < -command->arity)) {
        reply_bad_arity(call->reply, command->name);
        return NULL;
    }
    return command;
}

static void acl_dryrun(struct call *call) {
    struct acl *acl = call->context->acl;
    const struct user *user = acl_find(acl, call->args[2]);
    if (user == NULL) {
        reply_errorf(call->reply, "ERR User '%.*s' not found", bytes_printed(call->args[2]),
                     call->args[2].at);
        return;
    }
    const struct command *command = command_to_try(call);
    if (command == NULL) {
        return;
    }
    const struct bytes *args = call->args + 3;
    int at;
    enum guard_verdict verdict = acl_judge(acl, user, command, args, call->argc - 3, &at);
    if (verdict == GUARD_ALLOWED) {
        reply_ok(call->reply);
        return;
    }
    struct buffer text;
    buffer_init(&text, MEM_FEATURE);
    buffer_printf(&text, "User %.*s has no permissions to ", bytes_printed(user->name),
                  user->name.at);
    if (verdict == GUARD_COMMAND) {
        buffer_printf(&text, "run the '%s' command", command->row->name);
    } else {
        buffer_append_text(&text, "access the '");
        buffer_append(&text, args[at].at, args[at].size);
        buffer_append_text(&text, verdict == GUARD_KEY ? "' key" : "' channel");
    }
    reply_buffer(call->reply, &text);
    buffer_clear(&text);
}

static void reply_event(struct call *call, const struct acl_event *event) {
    struct reply *reply = call->reply;
    reply_map(reply, 10);
    reply_bulk_text(reply, "count");
    reply_integer(reply, event->count);
    reply_bulk_text(reply, "reason");
    reply_bulk_text(reply, event->reason);
    reply_bulk_text(reply, "context");
    reply_bulk_text(reply, event->context);
    reply_bulk_text(reply, "object");
    reply_bulk(reply, event->object);
    reply_bulk_text(reply, "username");
    reply_bulk(reply, event->user);
    reply_bulk_text(reply, "age-seconds");
    reply_double(reply, (double)(call->now_ms - event->updated_ms) / 1000);
    reply_bulk_text(reply, "client-info");
    reply_bulk(reply, event->client);
    reply_bulk_text(reply, "entry-id");
    reply_integer(reply, (int64_t)event->id);
    reply_bulk_text(reply, "timestamp-created");
    reply_integer(reply, event->created_ms);
    reply_bulk_text(reply, "timestamp-last-updated");
    reply_integer(reply, event->updated_ms);
}

static void acl_log(struct call *call) {
    struct acl_log *log = acl_log_of(call->context->acl);
    int64_t count = LOG_SHOWN;
    if (call->argc > 3) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (call->argc == 3 && call_arg_is(call, 2, "reset")) {
        acl_log_clear(log);
        reply_ok(call->reply);
        return;
    }
    if (call->argc == 3 && !call_integer(call, 2, &count)) {
        return;
    }
    count = count < 0 ? 0 : count;
    count = count > (int64_t)log->count ? (int64_t)log->count : count;
    reply_array(call->reply, count);
    const struct acl_event *event = log->newest;
    for (int64_t i = 0; i < count; i++, event = event->older) {
        reply_event(call, event);
    }
}

/* LOAD and SAVE are nothing without a file. */
static bool has_file(struct call *call) {
    if (acl_has_file(call->context->acl)) {
        return true;
    }
    reply_error(call->reply,
                "ERR This Redis instance is not configured to use an ACL file. You may want to "
                "specify users via the ACL SETUSER command and then issue a CONFIG REWRITE "
                "(assuming you have a Redis configuration file set) in order to store users in the "
                "Redis configuration.");
    return false;
}

static void load_or_save(struct call *call, bool (*what)(struct acl *acl, struct buffer *error)) {
    if (!has_file(call)) {
        return;
    }
    struct buffer error;
    buffer_init(&error, MEM_FEATURE);
    if (what(call->context->acl, &error)) {
        reply_ok(call->reply);
    } else {
        reply_problem(call->reply, "ERR ", &error);
    }
    buffer_clear(&error);
}

static void acl_load_file(struct call *call) {
    load_or_save(call, acl_load);
}

static void acl_save_file(struct call *call) {
    load_or_save(call, acl_save);
}

static void acl_help(struct call *call) {
    static const char *const lines[] = {
        "CAT [<category>]",
        "    The categories of commands, or the commands of one.",
        "DELUSER <username> [<username> ...]",
        "    Delete users and close their connections.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Tell whether the user may run that command, without running it.",
        "GENPASS [<bits>]",
        "    Make up a password of 256 bits, or of so many.",
        "GETUSER <username>",
        "    Show what a user is and may do.",
        "LIST",
        "    Show all users, each as a line of the file of users.",
        "LOAD",
        "    Read the file of users anew.",
        "LOG [<count>|RESET]",
        "    Show what was refused lately, or forget it.",
        "SAVE",
        "    Write all users to the file of users.",
        "SETUSER <username> [<rule> ...]",
        "    Make a user or change one.",
        "USERS",
        "    Show the names of all users.",
        "WHOAMI",
        "    Show the name of this connection's user.",
        NULL,
    };
    reply_help(call->reply, "ACL", lines);
}

/* Everybody may know of himself. */
#define OPEN_FLAGS       (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define ADMIN_FLAGS      (OPEN_FLAGS | COMMAND_ADMIN)
#define ADMIN_CATEGORIES (CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS)

#define ROW(name_, fn_, arity_, flags_, categories_, since_, complexity_, summary_, syntax_)       \
    {                                                                                              \
        .name = "acl|" name_, .fn = (fn_), .arity = (arity_), .flags = (flags_),                   \
        .categories = (categories_), .group = GROUP_SERVER, .since = (since_),                     \
        .complexity = (complexity_), .summary = (summary_), .syntax = (syntax_),                   \
    }

static const struct command_row rows[] = {
    {.name = "acl",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "6.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Users and what they may do."},
    ROW("cat", acl_cat, -2, OPEN_FLAGS, CATEGORY_SLOW, "6.0.0",
        "O(N), N being the number of commands or categories",
        "Lists the categories of commands, or the commands of one.", "[category]"),
    ROW("deluser", acl_deluser, -3, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of connections, for each user",
        "Deletes users and closes their connections.", "username [username ...]"),
    ROW("dryrun", acl_dryrun, -4, ADMIN_FLAGS, ADMIN_CATEGORIES, "7.0.0",
        "O(N), N being the number of the user's rules",
        "Tells whether a user may run a command, without running it.",
        "username command [arg [arg ...]]"),
    ROW("genpass", acl_genpass, -2, OPEN_FLAGS, CATEGORY_SLOW, "6.0.0", "O(1)",
        "Makes up a password.", "[bits]"),
    ROW("getuser", acl_getuser, 3, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of the user's rules", "Shows what a user is and may do.",
        "username"),
    ROW("help", acl_help, 2, COMMAND_LOADING | COMMAND_STALE, CATEGORY_SLOW, "6.0.0", "O(1)",
        "Lists the subcommands of ACL.", NULL),
    ROW("list", acl_list, 2, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of users and their rules",
        "Shows all users, each as a line of the file of users.", NULL),
    ROW("load", acl_load_file, 2, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of users and connections", "Reads the file of users anew.", NULL),
    ROW("log", acl_log, -2, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of entries shown",
        "Shows what was refused lately, or forgets it.", "[count|RESET]"),
    ROW("save", acl_save_file, 2, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of users", "Writes all users to the file of users.", NULL),
    ROW("setuser", acl_setuser, -3, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of rules, and of connections",
        "Makes a user, or changes what a user is and may do.", "username [rule [rule ...]]"),
    ROW("users", acl_users, 2, ADMIN_FLAGS, ADMIN_CATEGORIES, "6.0.0",
        "O(N), N being the number of users", "Lists the names of all users.", NULL),
    ROW("whoami", acl_whoami, 2, OPEN_FLAGS, CATEGORY_SLOW, "6.0.0", "O(1)",
        "Tells the name of the connection's user.", NULL),
};

const struct command_table *command_acl(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
