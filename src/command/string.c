/* string: reading strings and parts of them, and adding to them. GET is the hottest command of
 * all: a look-up and a reply, nothing else. */
#include <string.h>

#include "call/pass_on.h"
#include "call/call.h"
#include "command/string_edit.h"
#include "command/string_options.h"
#include "command/tables.h"
#include "types/string.h"

/* Keys whose cache lines are asked for ahead, as in string_set.c. */
#define KEYS_AHEAD 32

static void get(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (UNLIKELY(entry == NULL)) {
        reply_null(call->reply);
    } else if (UNLIKELY(entry_type(entry) != ENTRY_STRING)) {
        reply_wrong_type(call->reply);
    } else {
        reply_string_entry(call->reply, entry);
    }
}

static void mget(struct call *call) {
    reply_array(call->reply, call->argc - 1);
    struct key keys[KEYS_AHEAD];
    int count;
    for (int first = 1; first < call->argc; first += count) {
        for (count = 0; count < KEYS_AHEAD && first + count < call->argc; count++) {
            keys[count] = call_key(call, first + count);
        }
        keyspace_prefetch(keys, (size_t)count);
        for (int i = 0; i < count; i++) {
            struct entry *entry = keyspace_read(call->keyspace, &keys[i]);
            if (entry == NULL || entry_type(entry) != ENTRY_STRING) {
                reply_null(call->reply);
            } else {
                reply_string_entry(call->reply, entry);
            }
        }
    }
}

/* The key's entry if it is a string; NULL when it has been replied that it is absent or another
 * type. */
static struct entry *find_or_null(struct call *call, struct key *key) {
    struct entry *entry = keyspace_read(call->keyspace, key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return NULL;
    }
    if (entry == NULL) {
        reply_null(call->reply);
    }
    return entry;
}

static void getdel(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = find_or_null(call, &key);
    if (entry != NULL) {
        reply_string_entry(call->reply, entry);
        keyspace_remove(call->keyspace, &key, entry, call->keyspace->options.lazy_user_del);
        keyspace_changed(call->keyspace, &key, KEYSPACE_GENERIC, "del");
        call_pass_on_removal(call, key.name, false);
    } else if (key.slot == NULL) {
        keyspace_remove_absent(call->keyspace, &key);
    }
}

static void getex(struct call *call) {
    struct string_options options;
    if (!string_options_read(call, 2, STRING_EXPIRES | STRING_PERSIST, &options)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = find_or_null(call, &key);
    int64_t deadline_ms;
    if (entry == NULL || !string_options_deadline(call, &options, &deadline_ms)) {
        return;
    }
    if ((options.given & STRING_ABSOLUTE) != 0 && deadline_ms <= call->now_ms) {
        reply_string_entry(call->reply, entry);
        keyspace_remove(call->keyspace, &key, entry, call->keyspace->options.lazy_expire);
        keyspace_changed(call->keyspace, &key, KEYSPACE_GENERIC, "del");
        call_pass_on_removal(call, key.name, call->keyspace->options.lazy_expire);
        return;
    }
    bool expires = (options.given & STRING_EXPIRES) != 0;
    bool persists =
        (options.given & STRING_PERSIST) != 0 && entry_deadline(entry) != ENTRY_NO_DEADLINE;
    if (expires || persists) {
        entry = keyspace_set_deadline(call->keyspace, &key, entry, deadline_ms);
        if (entry == NULL) {
            reply_no_memory(call->reply);
            return;
        }
        keyspace_timed(call->keyspace, &key, expires ? "expire" : "persist");
        if (expires) {
            call_pass_on_deadline(call, key.name, deadline_ms);
        } else {
            CALL_PASS_ON(call, bytes_text("PERSIST"), key.name);
        }
    }
    reply_string_entry(call->reply, entry);
}

static void string_length(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (call_type_ok(call, entry, ENTRY_STRING)) {
        reply_integer(call->reply, entry == NULL ? 0 : (int64_t)string_size(entry));
    }
}

/* Bytes first .. last of the value, both counted from the end when negative. */
static void reply_range(struct call *call, const struct entry *entry, int64_t first, int64_t last) {
    int64_t size = (int64_t)string_size(entry);
    bool backwards = first < 0 && last < 0 && first > last;
    first = first < 0 ? first + size : first;
    last = last < 0 ? last + size : last;
    first = first < 0 ? 0 : first;
    last = last < 0 ? 0 : last;
    last = last >= size ? size - 1 : last;
    if (backwards || first > last || size == 0) {
        reply_bulk(call->reply, bytes_of("", 0));
        return;
    }
    size_t length = (size_t)(last - first + 1);
    if (entry_encoding(entry) == ENTRY_BLOB) {
        reply_bulk_blob(call->reply, entry_pointer(entry), (size_t)first, length);
        return;
    }
    char scratch[NUM_I64_SIZE];
    struct bytes value = string_bytes(entry, scratch);
    reply_bulk(call->reply, bytes_of(value.at + first, length));
}

static void getrange(struct call *call) {
    int64_t first;
    int64_t last;
    if (!call_integer(call, 2, &first) || !call_integer(call, 3, &last)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    if (entry == NULL) {
        reply_bulk(call->reply, bytes_of("", 0));
    } else {
        reply_range(call, entry, first, last);
    }
}

static void append(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    struct bytes more = call->args[2];
    size_t old_size = 0;
    if (entry == NULL) {
        struct blob *blob = call_take_blob(call, 2);
        if (keyspace_assign_text(call->keyspace, &key, NULL, more, blob, ENTRY_NO_DEADLINE) ==
            NULL) {
            if (blob != NULL) {
                blob_release(blob);
            }
            reply_no_memory(call->reply);
            return;
        }
    } else {
        if (!call_type_ok(call, entry, ENTRY_STRING)) {
            return;
        }
        old_size = string_size(entry);
        if (!string_size_ok(call, old_size, more.size)) {
            return;
        }
        char *at = string_edit(call, &key, entry, old_size + more.size);
        if (at == NULL) {
            return;
        }
        if (more.size > 0) {
            memcpy(at + old_size, more.at, more.size);
        }
    }
    keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "append");
    reply_integer(call->reply, (int64_t)(old_size + more.size));
}

static void setrange(struct call *call) {
    int64_t offset;
    if (!call_integer(call, 2, &offset)) {
        return;
    }
    if (offset < 0) {
        reply_error(call->reply, "ERR offset is out of range");
        return;
    }
    struct bytes value = call->args[3];
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    size_t old_size = entry == NULL ? 0 : string_size(entry);
    if (value.size == 0) {
        reply_integer(call->reply, (int64_t)old_size);
        return;
    }
    if (!string_size_ok(call, (size_t)offset, value.size)) {
        return;
    }
    size_t end = (size_t)offset + value.size;
    char *at = string_edit(call, &key, entry, end);
    if (at == NULL) {
        return;
    }
    memcpy(at + offset, value.at, value.size);
    keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "setrange");
    reply_integer(call->reply, (int64_t)(end > old_size ? end : old_size));
}

#define READS       (CATEGORY_READ | CATEGORY_STRING | CATEGORY_SLOW)
#define READS_FAST  (CATEGORY_READ | CATEGORY_STRING | CATEGORY_FAST)
#define WRITES      (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_SLOW)
#define WRITES_FAST (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_FAST)

static const struct command_row rows[] = {
    {.name = "append",
     .fn = append,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = WRITES_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_STRING,
     .since = "2.0.0",
     .complexity = "O(1) amortised, for a value that is appended to again and again",
     .summary = "Adds text at the end of a key's value; an absent key becomes the text.",
     .syntax = "key value"},
    {.name = "get",
     .fn = get,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READS_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns a key's value.",
     .syntax = "key"},
    {.name = "getdel",
     .fn = getdel,
     .arity = 2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITES_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_STRING,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Returns a key's value and removes the key.",
     .syntax = "key"},
    {.name = "getex",
     .fn = getex,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITES_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_STRING,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Returns a key's value and sets or takes away its deadline.",
     .syntax = "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT "
               "unix-time-milliseconds|PERSIST]"},
    {.name = "getrange",
     .fn = getrange,
     .arity = 4,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_STRING,
     .since = "2.4.0",
     .complexity = "O(N), N being the number of bytes returned",
     .summary = "Returns a part of a key's value.",
     .syntax = "key start end"},
    {.name = "mget",
     .fn = mget,
     .arity = -2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READS_FAST,
     .keys = {KEYS_RANGE(1, -1, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_SHARDS_OF_KEYS,
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Returns the values of several keys.",
     .syntax = "key [key ...]"},
    {.name = "setrange",
     .fn = setrange,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = WRITES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .group = GROUP_STRING,
     .since = "2.2.0",
     .complexity = "O(M), M being the length of the text written, if the value need not grow",
     .summary = "Writes text over a part of a key's value, which grows as need be.",
     .syntax = "key offset value"},
    {.name = "strlen",
     .fn = string_length,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READS_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO)},
     .group = GROUP_STRING,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Returns the length of a key's value in bytes.",
     .syntax = "key"},
    {.name = "substr",
     .fn = getrange,
     .arity = 4,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(N), N being the number of bytes returned",
     .summary = "Returns a part of a key's value; an older name of GETRANGE.",
     .syntax = "key start end",
     .deprecated_since = "2.0.0",
     .replaced_by = "`GETRANGE`"},
};

const struct command_table *command_strings(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
