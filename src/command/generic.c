/* generic: commands on keys of any type: DEL, UNLINK, EXISTS, TOUCH, TYPE, RENAME, RENAMENX, COPY,
 * MOVE.
 *
 * Those that take many keys go through them in portions: the memory's latency for one key's bucket
 * is hidden behind the others, as it is in a batch of requests. */
#include "command/tables.h"

#include <inttypes.h>

#include "base/num.h"
#include "call/call.h"
#include "types/value.h"

/* Keys whose buckets are asked for at a time: some more than a core keeps loads in flight. */
#define KEYS_PORTION 16

typedef bool (*each_key_fn)(struct call *call, struct key *key);

/* Does something with each key from argument 1 on; replies for how many it was true. */
static void reply_count(struct call *call, each_key_fn each) {
    struct key keys[KEYS_PORTION];
    int64_t total = 0;
    for (int i = 1; i < call->argc;) {
        size_t count = 0;
        for (; count < KEYS_PORTION && i < call->argc; i++) {
            keys[count++] = call_key(call, i);
        }
        if (count > 1) {
            keyspace_prefetch(keys, count);
        }
        for (size_t k = 0; k < count; k++) {
            total += each(call, &keys[k]);
        }
    }
    reply_integer(call->reply, total);
}

static bool delete_key(struct call *call, struct key *key, bool lazy) {
    if (!keyspace_delete(call->keyspace, key, lazy)) {
        return false;
    }
    keyspace_changed(call->keyspace, key, KEYSPACE_GENERIC, "del");
    return true;
}

static bool del_key(struct call *call, struct key *key) {
    return delete_key(call, key, call->keyspace->options.lazy_user_del);
}

static void del(struct call *call) {
    reply_count(call, del_key);
}

static bool unlink_key(struct call *call, struct key *key) {
    return delete_key(call, key, true);
}

static void unlink_keys(struct call *call) {
    reply_count(call, unlink_key);
}

static bool exists_key(struct call *call, struct key *key) {
    return keyspace_look(call->keyspace, key) != NULL;
}

static void exists(struct call *call) {
    reply_count(call, exists_key);
}

static bool touch_key(struct call *call, struct key *key) {
    return keyspace_read(call->keyspace, key) != NULL;
}

/* Touches even for a client that asked for NO-TOUCH: this is what the command is for. */
static void touch(struct call *call) {
    bool no_touch = call->keyspace->no_touch;
    call->keyspace->no_touch = false;
    reply_count(call, touch_key);
    call->keyspace->no_touch = no_touch;
}

static void type(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_look(call->keyspace, &key);
    reply_status(call->reply, entry == NULL ? "none" : value_type_name(entry_type(entry)));
}

/* Whether the key was renamed; otherwise an error or 0 has been replied. */
static bool rename_key(struct call *call, bool replace) {
    struct keyspace *keyspace = call->keyspace;
    struct key from = call_key(call, 1);
    struct key to = call_key(call, 2);
    struct entry *source = keyspace_write(keyspace, &from);
    if (source == NULL) {
        reply_error(call->reply, "ERR no such key");
        return false;
    }
    if (bytes_equal(from.name, to.name)) {
        if (!replace) {
            reply_integer(call->reply, 0);
        }
        return replace;
    }
    struct entry *target = keyspace_write(keyspace, &to);
    if (target != NULL && !replace) {
        reply_integer(call->reply, 0);
        return false;
    }
    from.slot = NULL; /* any removal, of an expired or an overwritten key, may move slots */
    struct entry *renamed = entry_try_rename(source, to.name);
    if (renamed == NULL) {
        reply_no_memory(call->reply);
        return false;
    }
    int64_t deadline_ms = entry_deadline(source);
    if (target != NULL) {
        keyspace_remove(keyspace, &to, target, keyspace->options.lazy_server_del);
    }
    keyspace_detach(keyspace, &from, source);
    entry_free(source);
    keyspace_attach(keyspace, &to, renamed, deadline_ms);
    keyspace_changed(keyspace, &from, KEYSPACE_GENERIC, "rename_from");
    keyspace_changed(keyspace, &to, KEYSPACE_GENERIC, "rename_to");
    return true;
}

static void rename_any(struct call *call) {
    if (rename_key(call, true)) {
        reply_ok(call->reply);
    }
}

static void renamenx(struct call *call) {
    if (rename_key(call, false)) {
        reply_integer(call->reply, 1);
    }
}

/* The database that argument `index` names; NULL after an error. */
static struct database *named_database(struct call *call, int index) {
    int64_t id;
    if (!num_parse_i64(call->args[index], &id)) {
        reply_not_integer(call->reply);
        return NULL;
    }
    if (id < INT32_MIN || id > INT32_MAX) {
        reply_errorf(call->reply,
                     "ERR value is out of range, value must between %" PRId32 " and %" PRId32,
                     INT32_MIN, INT32_MAX);
        return NULL;
    }
    if (id < 0 || id >= call->keyspace->database_count) {
        reply_error(call->reply, "ERR DB index is out of range");
        return NULL;
    }
    return &call->keyspace->databases[id];
}

static void copy(struct call *call) {
    struct keyspace *keyspace = call->keyspace;
    struct database *database = call->database;
    bool replace = false;
    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "replace")) {
            replace = true;
        } else if (call_arg_is(call, i, "db") && i + 1 < call->argc) {
            database = named_database(call, ++i);
            if (database == NULL) {
                return;
            }
        } else {
            reply_syntax_error(call->reply);
            return;
        }
    }
    struct key from = call_key(call, 1);
    struct key to = keyspace_key(keyspace, database, call->args[2]);
    if (from.database == to.database && bytes_equal(from.name, to.name)) {
        reply_error(call->reply, "ERR source and destination objects are the same");
        return;
    }
    struct entry *source = keyspace_read(keyspace, &from);
    struct entry *target = source == NULL ? NULL : keyspace_write(keyspace, &to);
    if (source == NULL || (target != NULL && !replace)) {
        reply_integer(call->reply, 0);
        return;
    }
    struct entry *copied = value_try_copy(source, to.name);
    if (copied == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    int64_t deadline_ms = entry_deadline(source);
    copied->access = keyspace->access_new & 0xffffff;
    if (target != NULL) {
        keyspace_remove(keyspace, &to, target, keyspace->options.lazy_server_del);
    }
    keyspace_attach(keyspace, &to, copied, deadline_ms);
    keyspace_changed(keyspace, &to, KEYSPACE_GENERIC, "copy_to");
    reply_integer(call->reply, 1);
}

static void move(struct call *call) {
    struct keyspace *keyspace = call->keyspace;
    struct database *database = named_database(call, 2);
    if (database == NULL) {
        return;
    }
    if (database == call->database) {
        reply_error(call->reply, "ERR source and destination objects are the same");
        return;
    }
    struct key from = call_key(call, 1);
    struct key to = from;
    to.database = database;
    struct entry *entry = keyspace_write(keyspace, &from);
    if (entry == NULL || keyspace_write(keyspace, &to) != NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    int64_t deadline_ms = entry_deadline(entry);
    keyspace_detach(keyspace, &from, entry);
    keyspace_attach(keyspace, &to, entry, deadline_ms);
    keyspace_changed(keyspace, &from, KEYSPACE_GENERIC, "move_from");
    keyspace_changed(keyspace, &to, KEYSPACE_GENERIC, "move_to");
    reply_integer(call->reply, 1);
}

#define WRITE_FAST  (CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_FAST)
#define WRITE_SLOW  (CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_SLOW)
#define READ_FAST   (CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_FAST)
#define FIRST_KEY   KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE)
#define ALL(flags_) KEYS_RANGE(1, -1, 1, 0, flags_)

static const struct command_row rows[] = {
    {.name = "copy",
     .fn = copy,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = WRITE_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS),
              KEYS_RANGE(2, 0, 1, 0, KEY_OW | KEY_UPDATE)},
     .group = GROUP_GENERIC,
     .since = "6.2.0",
     .complexity = "O(N) for a collection of N elements, O(1) for a string.",
     .summary = "Copies a key's value and deadline to another key.",
     .syntax = "source destination [DB destination-db] [REPLACE]"},
    {.name = "del",
     .fn = del,
     .arity = -2,
     .flags = COMMAND_WRITE,
     .categories = WRITE_SLOW,
     .keys = {ALL(KEY_RM | KEY_DELETE)},
     .tips = TIP_SHARDS_OF_KEYS | TIP_SUM,
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(N) for N keys; large collections are freed in the background.",
     .summary = "Deletes keys and returns how many there were.",
     .syntax = "key [key ...]"},
    {.name = "exists",
     .fn = exists,
     .arity = -2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {ALL(KEY_RO)},
     .tips = TIP_SHARDS_OF_KEYS | TIP_SUM,
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(N) for N keys.",
     .summary = "Counts which of the keys exist; one that is named twice counts twice.",
     .syntax = "key [key ...]"},
    {.name = "move",
     .fn = move,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Moves a key to another database unless it exists there.",
     .syntax = "key db"},
    {.name = "rename",
     .fn = rename_any,
     .arity = 3,
     .flags = COMMAND_WRITE,
     .categories = WRITE_SLOW,
     .keys = {FIRST_KEY, KEYS_RANGE(2, 0, 1, 0, KEY_OW | KEY_UPDATE)},
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1); a large collection that is overwritten is freed in the background.",
     .summary = "Gives a key another name, overwriting what had it.",
     .syntax = "key newkey"},
    {.name = "renamenx",
     .fn = renamenx,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {FIRST_KEY, KEYS_RANGE(2, 0, 1, 0, KEY_OW | KEY_INSERT)},
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name unless that is taken.",
     .syntax = "key newkey"},
    {.name = "touch",
     .fn = touch,
     .arity = -2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {ALL(KEY_RO)},
     .tips = TIP_SHARDS_OF_KEYS | TIP_SUM,
     .group = GROUP_GENERIC,
     .since = "3.2.1",
     .complexity = "O(N) for N keys.",
     .summary = "Marks keys as used now and returns how many there are.",
     .syntax = "key [key ...]"},
    {.name = "type",
     .fn = type,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO)},
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns the type of a key's value.",
     .syntax = "key"},
    {.name = "unlink",
     .fn = unlink_keys,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {ALL(KEY_RM | KEY_DELETE)},
     .tips = TIP_SHARDS_OF_KEYS | TIP_SUM,
     .group = GROUP_GENERIC,
     .since = "4.0.0",
     .complexity = "O(N) for N keys.",
     .summary = "Deletes keys, freeing large collections in the background.",
     .syntax = "key [key ...]"},
};

const struct command_table *command_generic(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
