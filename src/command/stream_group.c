/* stream_group: XGROUP, which makes and removes groups and consumers, and XACK. */
#include "base/num.h"
#include "command/stream_call.h"
#include "command/stream_claim.h"
#include "command/tables.h"

/* What XGROUP CREATE and SETID are told behind the group's name. */
struct grouping {
    bool make_stream;
    int64_t entries_read;
};

static bool parse_grouping(struct call *call, bool may_make, struct grouping *grouping) {
    *grouping = (struct grouping){.entries_read = STREAM_READ_UNKNOWN};
    for (int i = 5; i < call->argc; i++) {
        if (may_make && call_arg_is(call, i, "mkstream")) {
            grouping->make_stream = true;
        } else if (i + 1 < call->argc && call_arg_is(call, i, "entriesread")) {
            i++;
            if (!call_integer(call, i, &grouping->entries_read)) {
                return false;
            }
            if (grouping->entries_read < 0 && grouping->entries_read != STREAM_READ_UNKNOWN) {
                reply_error(call->reply, "ERR value for ENTRIESREAD must be positive or -1");
                return false;
            }
        } else {
            reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
            return false;
        }
    }
    return true;
}

/* Looks up the stream; false when it is absent and must not be, or of another type. */
static bool find_stream(struct call *call, struct stream_call *on, bool may_be_absent) {
    if (!stream_call_write(call, 2, on)) {
        return false;
    }
    if (on->stream == NULL && !may_be_absent) {
        reply_error(call->reply,
                    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you "
                    "may want to use the MKSTREAM option to create an empty stream automatically.");
        return false;
    }
    return true;
}

/* And the group; NULL when there is none. */
static struct stream_group *find_group(struct call *call, struct stream_call *on) {
    if (!find_stream(call, on, false)) {
        return NULL;
    }
    struct stream_group *group = stream_group_find(on->stream, call->args[3]);
    if (group == NULL) {
        reply_errorf(call->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     (int)call->args[3].size, call->args[3].at, (int)call->args[2].size,
                     call->args[2].at);
    }
    return group;
}

/* "$" is the last id there has been; SETID takes "-" and "+" as well. */
static bool parse_last_id(struct call *call, const struct stream *stream, bool any_end,
                          struct stream_id *id) {
    struct bytes text = call->args[4];
    char sign = text.size == 1 ? text.at[0] : 0;
    if (sign == '$') {
        *id = stream != NULL ? stream->last_id : STREAM_ID_MIN;
        return true;
    }
    if (any_end && (sign == '-' || sign == '+')) {
        *id = sign == '-' ? STREAM_ID_MIN : STREAM_ID_MAX;
        return true;
    }
    return stream_call_id(call, 4, id);
}

/* An option given twice shows in the number of arguments, which is looked at last. */
static bool check_argument_count(struct call *call, int count_max) {
    if (call->argc > count_max) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return false;
    }
    return true;
}

static void xgroup_create(struct call *call) {
    struct grouping grouping;
    struct stream_call on;
    struct stream_id id;
    if (!parse_grouping(call, true, &grouping) || !find_stream(call, &on, grouping.make_stream) ||
        !check_argument_count(call, 8) || !parse_last_id(call, on.stream, false, &id)) {
        return;
    }
    bool is_new = on.stream == NULL;
    bool no_memory;
    if (!stream_call_create(&on)) {
        return;
    }
    struct stream_group *group =
        stream_group_try_add(on.stream, call->args[3], id, grouping.entries_read, &no_memory);
    if (group == NULL) {
        if (is_new) {
            keyspace_remove(call->keyspace, &on.key, on.entry, false);
        }
        if (no_memory) {
            reply_no_memory(call->reply);
        } else {
            reply_error(call->reply, "BUSYGROUP Consumer Group name already exists");
        }
        return;
    }
    reply_ok(call->reply);
    stream_call_changed(&on, "xgroup-create");
}

static void xgroup_setid(struct call *call) {
    struct grouping grouping;
    struct stream_call on;
    struct stream_group *group;
    struct stream_id id;
    if (!parse_grouping(call, false, &grouping) || (group = find_group(call, &on)) == NULL ||
        !check_argument_count(call, 7) || !parse_last_id(call, on.stream, true, &id)) {
        return;
    }
    group->last_id = id;
    group->entries_read = grouping.entries_read;
    reply_ok(call->reply);
    stream_call_changed(&on, "xgroup-setid");
}

static void xgroup_destroy(struct call *call) {
    struct stream_call on;
    if (!find_stream(call, &on, false)) {
        return;
    }
    bool is_there = stream_group_delete(on.stream, call->args[3]);
    reply_integer(call->reply, is_there);
    if (is_there) {
        stream_call_changed(&on, "xgroup-destroy");
        stream_call_wake(&on); /* who waits as one of the group is told that there is none */
    }
}

static void xgroup_createconsumer(struct call *call) {
    struct stream_call on;
    struct stream_group *group = find_group(call, &on);
    if (group == NULL) {
        return;
    }
    if (stream_consumer_find(group, call->args[4]) != NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    if (stream_consumer_try_add(group, call->args[4], call->now_ms) == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    reply_integer(call->reply, 1);
    stream_call_changed(&on, "xgroup-createconsumer");
}

static void xgroup_delconsumer(struct call *call) {
    struct stream_call on;
    struct stream_group *group = find_group(call, &on);
    if (group == NULL) {
        return;
    }
    struct stream_consumer *consumer = stream_consumer_find(group, call->args[4]);
    if (consumer == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    reply_integer(call->reply, (int64_t)consumer->pending.size);
    stream_consumer_delete(group, consumer);
    stream_call_changed(&on, "xgroup-delconsumer");
}

static void xgroup_help(struct call *call) {
    static const char *const lines[] = {
        "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <count>]",
        "    Make a group that is handed what comes after the id; $ stands for the last one.",
        "    MKSTREAM makes the stream as well if it is absent. ENTRIESREAD says how many entries",
        "    came up to that id, for the lag to be known.",
        "CREATECONSUMER <key> <group> <consumer>",
        "    Make a consumer.",
        "DELCONSUMER <key> <group> <consumer>",
        "    Remove a consumer with all that is pending for it.",
        "DESTROY <key> <group>",
        "    Remove a group.",
        "SETID <key> <group> <id|$> [ENTRIESREAD <count>]",
        "    Set what a group was handed last.",
        NULL,
    };
    reply_help(call->reply, "XGROUP", lines);
}

static void xack(struct call *call) {
    struct stream_call on;
    if (!stream_call_write(call, 1, &on)) {
        return;
    }
    struct stream_group *group =
        on.stream != NULL ? stream_group_find(on.stream, call->args[2]) : NULL;
    if (group == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    struct stream_id id;
    for (int i = 3; i < call->argc; i++) {
        if (!stream_call_id(call, i, &id)) {
            return;
        }
    }
    int64_t acknowledged = 0;
    for (int i = 3; i < call->argc; i++) {
        stream_id_parse(call->args[i], 0, &id, NULL);
        acknowledged += stream_pending_remove(group, id);
    }
    if (acknowledged > 0) {
        stream_call_noted(&on);
    }
    reply_integer(call->reply, acknowledged);
}

#define WRITES_SLOWLY   CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_SLOW
#define GROUPS          .categories = WRITES_SLOWLY, .group = GROUP_STREAM
#define KEY_SECOND(how) KEYS_RANGE(2, 0, 1, 0, (how))

static const struct command_row rows[] = {
    {.name = "xack",
     .fn = xack,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(N log M) for N ids, M being pending.",
     .summary = "Acknowledges entries that a group has been handed and returns how many were "
                "pending.",
     .syntax = "key group id [id ...]"},
    {.name = "xgroup",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands on groups of consumers."},
    {GROUPS, .name = "xgroup|create", .fn = xgroup_create, .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM, .keys = {KEY_SECOND(KEY_RW | KEY_INSERT)},
     .since = "5.0.0", .complexity = "O(log N) for N groups.",
     .summary = "Makes a group of consumers.",
     .syntax = "key group <id|$> [MKSTREAM] [ENTRIESREAD entries-read]"},
    {GROUPS, .name = "xgroup|createconsumer", .fn = xgroup_createconsumer, .arity = 5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM, .keys = {KEY_SECOND(KEY_RW | KEY_INSERT)},
     .since = "6.2.0", .complexity = "O(log N) for N consumers.",
     .summary = "Makes a consumer in a group.", .syntax = "key group consumer"},
    {GROUPS, .name = "xgroup|delconsumer", .fn = xgroup_delconsumer, .flags = COMMAND_WRITE,
     .arity = 5, .keys = {KEY_SECOND(KEY_RW | KEY_DELETE)}, .since = "5.0.0",
     .complexity = "O(N) for N entries pending for it.",
     .summary = "Removes a consumer from a group and returns how many entries were pending for it.",
     .syntax = "key group consumer"},
    {GROUPS, .name = "xgroup|destroy", .fn = xgroup_destroy, .flags = COMMAND_WRITE, .arity = 4,
     .keys = {KEY_SECOND(KEY_RW | KEY_DELETE)}, .since = "5.0.0",
     .complexity = "O(N) for N entries pending in it.", .summary = "Removes a group of consumers.",
     .syntax = "key group"},
    {.name = "xgroup|help",
     .fn = xgroup_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_STREAM | CATEGORY_SLOW,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {GROUPS, .name = "xgroup|setid", .fn = xgroup_setid, .flags = COMMAND_WRITE, .arity = -5,
     .keys = {KEY_SECOND(KEY_RW | KEY_UPDATE)}, .since = "5.0.0", .complexity = "O(1)",
     .summary = "Sets what a group was handed last.",
     .syntax = "key group <id|$> [ENTRIESREAD entries-read]"},
};

const struct command_table *command_stream_groups(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
