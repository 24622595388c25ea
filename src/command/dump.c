/* dump: values that travel: DUMP, RESTORE.
 *
 *     payload   type 1 | value ... | version 2 | CRC-64 of all before 8      little-endian */
#include "command/tables.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "call/call.h"
#include "call/pass_on.h"
#include "persist/crc64.h"
#include "persist/decode.h"
#include "persist/encode.h"
#include "store/access.h"
#include "types/value.h"

#define FOOTER_SIZE 10u
#define MS_IN_S     1000
/* Longest idle time that the access field tells from "just now", see store/access.h. */
#define IDLE_S_MAX ((int64_t)(ACCESS_MASK - ACCESS_AHEAD_MAX) * ACCESS_TICK_MS / MS_IN_S)

static void reply_payload(struct call *call, const struct entry *entry) {
    struct rdb_writer writer;
    rdb_writer_init(&writer, true);
    int version = encode_value(entry, NULL, call->now_ms, &writer);
    if (version == -ENOTSUP) {
        reply_error(call->reply, "ERR values of this type cannot be dumped");
    } else if (version == -ENODATA) {
        reply_null(call->reply);
    } else {
        rdb_write_number(&writer, (uint64_t)version, 2);
        struct bytes written = rdb_written(&writer);
        rdb_write_number(&writer, crc64(0, written.at, written.size), 8);
        if (writer.failed) {
            reply_no_memory(call->reply);
        } else {
            reply_bulk(call->reply, rdb_written(&writer));
        }
    }
    rdb_writer_clear(&writer);
}

static void dump(struct call *call) {
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_read(call->keyspace, &key);
    if (entry == NULL) {
        reply_null(call->reply);
    } else {
        reply_payload(call, entry);
    }
}

#define NOT_GIVEN (-1)

struct restore_options {
    bool replace;
    bool absolute;
    int64_t idle_s;
    int64_t frequency;
};

/* False when there is something wrong with them, which has been replied. */
static bool parse_options(struct call *call, struct restore_options *options) {
    *options = (struct restore_options){.idle_s = NOT_GIVEN, .frequency = NOT_GIVEN};
    for (int i = 4; i < call->argc; i++) {
        bool is_more = i + 1 < call->argc;
        if (call_arg_is(call, i, "replace")) {
            options->replace = true;
        } else if (call_arg_is(call, i, "absttl")) {
            options->absolute = true;
        } else if (call_arg_is(call, i, "idletime") && is_more && options->frequency == NOT_GIVEN) {
            if (!call_integer(call, ++i, &options->idle_s)) {
                return false;
            }
            if (options->idle_s < 0) {
                reply_error(call->reply, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (call_arg_is(call, i, "freq") && is_more && options->idle_s == NOT_GIVEN) {
            if (!call_integer(call, ++i, &options->frequency)) {
                return false;
            }
            if (options->frequency < 0 || options->frequency > UINT8_MAX) {
                reply_error(call->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

/* Takes the footer off. False when it is not right, or of a version that is not known. */
static bool open_payload(struct bytes payload, struct rdb_reader *reader, int *version) {
    if (payload.size < FOOTER_SIZE) {
        return false;
    }
    *reader = rdb_reader_of(payload);
    struct rdb_reader footer =
        rdb_reader_of(bytes_of(payload.at + payload.size - FOOTER_SIZE, FOOTER_SIZE));
    uint64_t said = 0;
    uint64_t checksum = 0;
    if (!rdb_read_number(&footer, 2, &said) || !rdb_read_number(&footer, 8, &checksum) ||
        checksum != crc64(0, payload.at, payload.size - 8)) {
        return false;
    }
    reader->end -= FOOTER_SIZE;
    *version = (int)said;
    return said <= RDB_VERSION_LATEST || said == RDB_VERSION_VALKEY;
}

/* False when it is damaged, which has been replied. */
static bool decode_payload(struct call *call, struct rdb_text *text, struct entry_shape *shape) {
    struct rdb_reader reader;
    int version;
    if (!open_payload(call->args[3], &reader, &version)) {
        reply_error(call->reply, "ERR DUMP payload version or checksum are wrong");
        return false;
    }
    uint64_t type;
    int status = -EBADMSG;
    if (rdb_read_number(&reader, 1, &type)) {
        struct decode_source source = {.reader = &reader,
                                       .type = (int)type,
                                       .version = version,
                                       .text = text,
                                       .keyspace = call->keyspace,
                                       .now_ms = call->now_ms};
        status = decode_value(&source, shape);
        if (status == 0 && rdb_left(&reader) != 0) {
            value_discard(shape);
            status = -EBADMSG;
        }
    }
    if (status == -ENOMEM) {
        reply_no_memory(call->reply);
    } else if (status != 0) {
        reply_error(call->reply, "ERR Bad data format");
    }
    return status == 0;
}

/* What the time or count that comes with the value makes of the access field, if the policy has a
 * use for it. */
static void set_access(struct call *call, struct entry *entry,
                       const struct restore_options *options) {
    const struct keyspace *keyspace = call->keyspace;
    if (options->idle_s >= 0 && keyspace->access_rule == ACCESS_RECENCY) {
        int64_t idle_s = options->idle_s < IDLE_S_MAX ? options->idle_s : IDLE_S_MAX;
        entry->access = access_tick(call->now_ms - idle_s * MS_IN_S) & ACCESS_MASK;
    } else if (options->frequency >= 0 && keyspace->access_rule == ACCESS_FREQUENCY) {
        entry->access =
            access_counted(access_minute(call->now_ms), (uint32_t)options->frequency) & ACCESS_MASK;
    }
}

/* A relative deadline becomes the moment itself for who repeats the command later. */
static void pass_on_absolute(struct call *call, int64_t deadline_ms,
                             const struct restore_options *options) {
    if (!call_is_heard(call)) {
        return;
    }
    char deadline[NUM_I64_SIZE];
    char use[NUM_I64_SIZE];
    struct bytes words[8] = {call->args[0], call->args[1],
                             bytes_of(deadline, num_format_i64(deadline, deadline_ms)),
                             call->args[3], bytes_text("ABSTTL")};
    int count = 5;
    if (options->replace) {
        words[count++] = bytes_text("REPLACE");
    }
    if (options->idle_s >= 0 || options->frequency >= 0) {
        bool is_idle = options->idle_s >= 0;
        words[count++] = bytes_text(is_idle ? "IDLETIME" : "FREQ");
        words[count++] =
            bytes_of(use, num_format_i64(use, is_idle ? options->idle_s : options->frequency));
    }
    call_pass_on(call, words, count);
}

/* The deadline has passed: the key is not made, and what it would have replaced goes. */
static void restore_expired(struct call *call, struct key *key, struct entry *old) {
    if (old != NULL) {
        keyspace_remove(call->keyspace, key, old, call->keyspace->options.lazy_server_del);
        keyspace_changed(call->keyspace, key, KEYSPACE_GENERIC, "del");
        CALL_PASS_ON(call, bytes_text("DEL"), key->name);
    }
    reply_ok(call->reply);
}

static void file_value(struct call *call, struct key *key, struct entry *old,
                       const struct entry_shape *shape, int64_t deadline_ms,
                       const struct restore_options *options) {
    struct entry *entry = keyspace_assign(call->keyspace, key, old, shape, deadline_ms);
    if (entry == NULL) {
        value_discard(shape);
        reply_no_memory(call->reply);
        return;
    }
    set_access(call, entry, options);
    if (entry_type(entry) == ENTRY_HASH && hash_has_deadlines(entry)) {
        keyspace_field_deadline_changed(call->keyspace, key, entry);
    }
    if (deadline_ms != ENTRY_NO_DEADLINE && !options->absolute) {
        pass_on_absolute(call, deadline_ms, options);
    }
    keyspace_changed(call->keyspace, key, KEYSPACE_GENERIC, "restore");
    reply_ok(call->reply);
}

static void restore(struct call *call) {
    struct restore_options options;
    if (!parse_options(call, &options)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *old = keyspace_write(call->keyspace, &key);
    if (old != NULL && !options.replace) {
        reply_error(call->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    int64_t ttl;
    if (!call_integer(call, 2, &ttl)) {
        return;
    }
    if (ttl < 0) {
        reply_error(call->reply, "ERR Invalid TTL value, must be >= 0");
        return;
    }
    int64_t deadline_ms = ttl == 0 ? ENTRY_NO_DEADLINE : ttl;
    if (ttl != 0 && !options.absolute && __builtin_add_overflow(ttl, call->now_ms, &deadline_ms)) {
        deadline_ms = ENTRY_DEADLINE_MAX;
    }
    struct rdb_text text = {0};
    struct entry_shape shape = {0};
    if (decode_payload(call, &text, &shape)) {
        if (deadline_ms != ENTRY_NO_DEADLINE && deadline_ms <= call->now_ms) {
            value_discard(&shape);
            restore_expired(call, &key, old);
        } else {
            file_value(call, &key, old, &shape, deadline_ms, &options);
        }
    }
    rdb_text_clear(&text);
}

static const struct command_row rows[] = {
    {.name = "dump",
     .fn = dump,
     .arity = 2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_GENERIC,
     .since = "2.6.0",
     .complexity = "O(N) for a value of N elements, and its bytes.",
     .summary = "Returns a key's value in a form that RESTORE takes.",
     .syntax = "key"},
    {.name = "restore",
     .fn = restore,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE)},
     .group = GROUP_GENERIC,
     .since = "2.6.0",
     .complexity = "O(N) for a value of N elements, O(N log N) for a sorted set.",
     .summary = "Makes a key of what DUMP has returned.",
     .syntax = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"},
};

const struct command_table *command_dumps(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
