/* bitmap: single bits, counting and searching. */
#include "command/bitmap.h"

#include "client/client.h"
#include "command/string_edit.h"
#include "command/tables.h"
#include "types/bits.h"
#include "types/string.h"

bool bitmap_offset(struct call *call, int index, unsigned width, uint64_t *offset) {
    struct bytes text = call->args[index];
    int64_t factor = 1;
    if (width != 0 && text.size > 0 && text.at[0] == '#') {
        factor = width;
        text = bytes_of(text.at + 1, text.size - 1);
    }
    int64_t value;
    if (!num_parse_i64(text, &value) || __builtin_mul_overflow(value, factor, &value) ||
        value < 0 || value / 8 >= clients_options(call->context->clients)->bulk_size_max) {
        reply_error(call->reply, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *offset = (uint64_t)value;
    return true;
}

static void setbit(struct call *call) {
    uint64_t offset;
    int64_t value;
    if (!bitmap_offset(call, 2, 0, &offset)) {
        return;
    }
    if (!num_parse_i64(call->args[3], &value) || value < 0 || value > 1) {
        reply_error(call->reply, "ERR bit is not an integer or out of range");
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    size_t byte = offset / 8;
    bool grows = entry == NULL || string_size(entry) <= byte;
    char *at = string_edit(call, &key, entry, byte + 1);
    if (at == NULL) {
        return;
    }
    uint8_t mask = (uint8_t)(0x80u >> (offset % 8));
    bool old = ((uint8_t)at[byte] & mask) != 0;
    if (grows || old != (value != 0)) {
        at[byte] = (char)(((uint8_t)at[byte] & (uint8_t)~mask) | (value != 0 ? mask : 0));
        keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "setbit");
    }
    reply_integer(call->reply, old);
}

static void getbit(struct call *call) {
    uint64_t offset;
    if (!bitmap_offset(call, 2, 0, &offset)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    bool value = false;
    if (entry != NULL) {
        char scratch[NUM_I64_SIZE];
        struct bytes bytes = string_bytes(entry, scratch);
        value = offset / 8 < bytes.size &&
                ((uint8_t)bytes.at[offset / 8] & (0x80u >> (offset % 8))) != 0;
    }
    reply_integer(call->reply, value);
}

/* A range of bits that a client gave in bytes or bits, from either end. */
struct range {
    int64_t first;
    int64_t last;
    bool in_bits;
};

/* Argument `index` as BYTE or BIT; false when it is neither: replied. */
static bool unit_ok(struct call *call, int index, struct range *range) {
    range->in_bits = call_arg_is(call, index, "bit");
    if (!range->in_bits && !call_arg_is(call, index, "byte")) {
        reply_syntax_error(call->reply);
        return false;
    }
    return true;
}

/* Makes it a range of bits within `size` bytes; false when nothing is in it. */
static bool range_settle(struct range *range, size_t size) {
    int64_t total = (int64_t)size * (range->in_bits ? 8 : 1);
    int64_t first = range->first < 0 ? range->first + total : range->first;
    int64_t last = range->last < 0 ? range->last + total : range->last;
    first = first < 0 ? 0 : first;
    last = last < 0 ? 0 : last;
    last = last >= total ? total - 1 : last;
    if (first > last) {
        return false;
    }
    range->first = range->in_bits ? first : first * 8;
    range->last = range->in_bits ? last : last * 8 + 7;
    return true;
}

static void bitcount(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    if (entry == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    struct range range = {.first = 0, .last = -1};
    if (call->argc > 2 && call->argc < 6) {
        if (!call_integer(call, 2, &range.first) ||
            (call->argc > 3 && !call_integer(call, 3, &range.last))) {
            return;
        }
        if (range.first < 0 && range.last < 0 && range.first > range.last) {
            reply_integer(call->reply, 0);
            return;
        }
        if (call->argc == 5 && !unit_ok(call, 4, &range)) {
            return;
        }
    } else if (call->argc != 2) {
        reply_syntax_error(call->reply);
        return;
    }
    char scratch[NUM_I64_SIZE];
    struct bytes bytes = string_bytes(entry, scratch);
    uint64_t count = 0;
    if (range_settle(&range, bytes.size)) {
        count = bits_count_range(bytes, (uint64_t)range.first, (uint64_t)range.last);
    }
    reply_integer(call->reply, (int64_t)count);
}

static bool bitpos_range(struct call *call, struct range *range) {
    *range = (struct range){.first = 0, .last = -1};
    if (call->argc > 6) {
        reply_syntax_error(call->reply);
        return false;
    }
    if (call->argc > 3 && !call_integer(call, 3, &range->first)) {
        return false;
    }
    if (call->argc == 6 && !unit_ok(call, 5, range)) {
        return false;
    }
    return call->argc < 5 || call_integer(call, 4, &range->last);
}

static void bitpos(struct call *call) {
    int64_t bit;
    if (!call_integer(call, 2, &bit)) {
        return;
    }
    if (bit != 0 && bit != 1) {
        reply_error(call->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    if (entry == NULL) {
        reply_integer(call->reply, bit == 1 ? -1 : 0);
        return;
    }
    struct range range;
    if (!bitpos_range(call, &range)) {
        return;
    }
    char scratch[NUM_I64_SIZE];
    struct bytes bytes = string_bytes(entry, scratch);
    int64_t found = -1;
    if (range_settle(&range, bytes.size)) {
        found = bits_find(bytes, (uint64_t)range.first, (uint64_t)range.last, bit != 0);
        /* Without an end the string counts as continued with zeros. */
        if (found == -1 && bit == 0 && call->argc < 5) {
            found = (int64_t)bytes.size * 8;
        }
    }
    reply_integer(call->reply, found);
}

#define READS      (CATEGORY_READ | CATEGORY_BITMAP | CATEGORY_SLOW)
#define READS_FAST (CATEGORY_READ | CATEGORY_BITMAP | CATEGORY_FAST)

static const struct command_row rows[] = {
    {.name = "bitcount",
     .fn = bitcount,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_BITMAP,
     .since = "2.6.0",
     .complexity = "O(N), N being the length of the range",
     .summary = "Counts the bits that are set in a key's value, or in a part of it.",
     .syntax = "key [start [end [BYTE|BIT]]]"},
    {.name = "bitpos",
     .fn = bitpos,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_BITMAP,
     .since = "2.8.7",
     .complexity = "O(N), N being the length of the range",
     .summary = "Finds the first bit that is set, or is not, in a key's value.",
     .syntax = "key bit [start [end [BYTE|BIT]]]"},
    {.name = "getbit",
     .fn = getbit,
     .arity = 3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READS_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_BITMAP,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Returns one bit of a key's value.",
     .syntax = "key offset"},
    {.name = "setbit",
     .fn = setbit,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_BITMAP | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_BITMAP,
     .since = "2.2.0",
     .complexity = "O(1), if the value need not grow",
     .summary =
         "Sets one bit of a key's value and returns what it was; the value grows as need be.",
     .syntax = "key offset value"},
};

const struct command_table *command_bitmaps(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
