/* bitfield: integers of 1 to 64 bits anywhere in a string.
 *
 * The operations are read twice: once to find every mistake, and how long the string must be,
 * before anything changes; then to carry them out. So no memory is needed for them, however many
 * there are. */
#include "call/call.h"
#include "command/bitmap.h"
#include "command/string_edit.h"
#include "command/tables.h"
#include "types/bits.h"
#include "types/string.h"

enum operation_kind { OPERATION_GET, OPERATION_SET, OPERATION_ADD };
enum overflow { OVERFLOW_WRAP, OVERFLOW_SATURATE, OVERFLOW_FAIL };

struct operation {
    enum operation_kind kind;
    enum overflow overflow;
    bool is_signed;
    unsigned width;
    uint64_t at;
    int64_t argument; /* value or increment */
};

/* Where reading has got to. */
struct reader {
    int next; /* argument */
    enum overflow overflow;
};

/* "i16", "u8": at most i64 and u63. */
static bool type_ok(struct call *call, int index, struct operation *operation) {
    struct bytes text = call->args[index];
    int64_t width;
    operation->is_signed = text.size > 0 && text.at[0] == 'i';
    if (text.size > 0 && (text.at[0] == 'i' || text.at[0] == 'u') &&
        num_parse_i64(bytes_of(text.at + 1, text.size - 1), &width) && width >= 1 &&
        width <= (operation->is_signed ? 64 : 63)) {
        operation->width = (unsigned)width;
        return true;
    }
    reply_error(call->reply, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is.");
    return false;
}

static bool overflow_ok(struct call *call, int index, enum overflow *overflow) {
    if (call_arg_is(call, index, "wrap")) {
        *overflow = OVERFLOW_WRAP;
    } else if (call_arg_is(call, index, "sat")) {
        *overflow = OVERFLOW_SATURATE;
    } else if (call_arg_is(call, index, "fail")) {
        *overflow = OVERFLOW_FAIL;
    } else {
        reply_error(call->reply, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

/* The next operation, past OVERFLOW. 1; 0 at the end; -1 for a mistake, which has been replied. */
static int read_operation(struct call *call, struct reader *reader, struct operation *operation) {
    while (reader->next < call->argc) {
        int at = reader->next;
        int behind = call->argc - at - 1;
        if (call_arg_is(call, at, "get") && behind >= 2) {
            operation->kind = OPERATION_GET;
        } else if (call_arg_is(call, at, "set") && behind >= 3) {
            operation->kind = OPERATION_SET;
        } else if (call_arg_is(call, at, "incrby") && behind >= 3) {
            operation->kind = OPERATION_ADD;
        } else if (call_arg_is(call, at, "overflow") && behind >= 1) {
            if (!overflow_ok(call, at + 1, &reader->overflow)) {
                return -1;
            }
            reader->next += 2;
            continue;
        } else {
            reply_syntax_error(call->reply);
            return -1;
        }
        operation->overflow = reader->overflow;
        if (!type_ok(call, at + 1, operation) ||
            !bitmap_offset(call, at + 2, operation->width, &operation->at)) {
            return -1;
        }
        reader->next += 3;
        if (operation->kind != OPERATION_GET) {
            if (!call_integer(call, at + 3, &operation->argument)) {
                return -1;
            }
            reader->next++;
        }
        return 1;
    }
    return 0;
}

static int64_t as_number(const struct operation *operation, uint64_t bits) {
    if (operation->is_signed && operation->width < 64 && bits >> (operation->width - 1) != 0) {
        bits |= UINT64_MAX << operation->width;
    }
    return (int64_t)bits;
}

/* What a write makes of the field: false when it overflows and shall fail. */
static bool result_of(const struct operation *operation, int64_t old, int64_t *result) {
    __int128 least = 0;
    __int128 most = ((__int128)1 << operation->width) - 1;
    if (operation->is_signed) {
        least = -((__int128)1 << (operation->width - 1));
        most = -least - 1;
    }
    __int128 value;
    if (operation->kind == OPERATION_ADD) {
        value = (__int128)old + operation->argument;
    } else if (operation->is_signed) {
        value = operation->argument;
    } else {
        /* A negative number set in an unsigned field counts as one beyond its largest. */
        value = (uint64_t)operation->argument;
    }
    if (value < least || value > most) {
        if (operation->overflow == OVERFLOW_FAIL) {
            return false;
        }
        if (operation->overflow == OVERFLOW_SATURATE) {
            value = value < least ? least : most;
        }
    }
    uint64_t mask = operation->width == 64 ? UINT64_MAX : ((uint64_t)1 << operation->width) - 1;
    *result = as_number(operation, (uint64_t)value & mask);
    return true;
}

/* Replies to one operation and carries it out. Whether that has changed anything. */
static bool perform(struct call *call, const struct operation *operation, struct bytes value,
                    char *writable) {
    int64_t old = as_number(operation, bits_field(value, operation->at, operation->width));
    if (operation->kind == OPERATION_GET) {
        reply_integer(call->reply, old);
        return false;
    }
    int64_t result;
    if (!result_of(operation, old, &result)) {
        reply_null(call->reply);
        return false;
    }
    bits_set_field(writable, operation->at, operation->width, (uint64_t)result);
    reply_integer(call->reply, operation->kind == OPERATION_SET ? old : result);
    return result != old;
}

/* Looks for mistakes. The number of operations, or -1; *size: how long the string must be for the
 * writes, 0 when there are none. */
static int survey(struct call *call, size_t *size) {
    struct reader reader = {.next = 2};
    struct operation operation;
    int count = 0;
    int status;
    *size = 0;
    while ((status = read_operation(call, &reader, &operation)) > 0) {
        count++;
        size_t end = (operation.at + operation.width - 1) / 8 + 1;
        if (operation.kind != OPERATION_GET && end > *size) {
            *size = end;
        }
    }
    return status < 0 ? -1 : count;
}

static void bitfield_generic(struct call *call, bool may_write) {
    size_t size;
    int count = survey(call, &size);
    if (count < 0) {
        return;
    }
    bool writes = size > 0;
    if (writes && !may_write) {
        reply_error(call->reply, "ERR BITFIELD_RO only supports the GET subcommand");
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry =
        writes ? keyspace_write(call->keyspace, &key) : keyspace_read(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    char scratch[NUM_I64_SIZE];
    char *writable = NULL;
    bool grows = false;
    struct bytes value = bytes_of("", 0);
    if (writes) {
        size_t old_size = entry == NULL ? 0 : string_size(entry);
        grows = entry == NULL || size > old_size;
        writable = string_edit(call, &key, entry, size);
        if (writable == NULL) {
            return;
        }
        value = bytes_of(writable, size > old_size ? size : old_size);
    } else if (entry != NULL) {
        value = string_bytes(entry, scratch);
    }
    reply_array(call->reply, count);
    struct reader reader = {.next = 2};
    struct operation operation;
    bool changed = writes && grows;
    while (read_operation(call, &reader, &operation) > 0) {
        changed |= perform(call, &operation, value, writable);
    }
    if (changed) {
        keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "setbit");
    }
}

static void bitfield(struct call *call) {
    bitfield_generic(call, true);
}

static void bitfield_ro(struct call *call) {
    bitfield_generic(call, false);
}

static const struct command_row rows[] = {
    {.name = "bitfield",
     .fn = bitfield,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_BITMAP | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS)},
     .group = GROUP_BITMAP,
     .since = "3.2.0",
     .complexity = "O(1) for each operation",
     .summary = "Reads and changes integers of any width within a key's value.",
     .syntax = "key [GET encoding offset|[OVERFLOW WRAP|SAT|FAIL] <SET encoding offset "
               "value|INCRBY encoding offset increment> [GET encoding offset|[OVERFLOW "
               "WRAP|SAT|FAIL] <SET encoding offset value|INCRBY encoding offset increment> ...]]"},
    {.name = "bitfield_ro",
     .fn = bitfield_ro,
     .arity = -2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_BITMAP | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_BITMAP,
     .since = "6.0.0",
     .complexity = "O(1) for each operation",
     .summary = "Reads integers of any width within a key's value.",
     .syntax = "key [GET encoding offset [GET encoding offset ...]]"},
};

const struct command_table *command_bitfields(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
