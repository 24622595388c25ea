/* bitop: combines strings bit by bit into another. The result is made before the destination is
 * touched, which may be one of the sources. */
#include "base/mem.h"
#include "call/call.h"
#include "command/tables.h"
#include "types/bits.h"
#include "types/string.h"

static const struct {
    const char *name;
    enum bits_operation operation;
    int sources_min;
} operations[] = {
    {"and", BITS_AND, 1},     {"or", BITS_OR, 1},     {"xor", BITS_XOR, 1},
    {"not", BITS_NOT, 1},     {"diff", BITS_DIFF, 2}, {"diff1", BITS_DIFF1, 2},
    {"andor", BITS_ANDOR, 2}, {"one", BITS_ONE, 1},
};

/* What one source is: its bytes, printed here if it is an integer. */
struct source {
    char scratch[NUM_I64_SIZE];
};

struct bitop {
    enum bits_operation operation;
    int count;
    struct bytes *values; /* of the sources; empty for an absent key */
    struct source *sources;
    size_t size; /* of the longest */
};

/* Index of the first source among the arguments. */
#define FIRST_SOURCE 3

static bool operation_ok(struct call *call, struct bitop *bitop) {
    bitop->count = call->argc - FIRST_SOURCE;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (!call_arg_is(call, 1, operations[i].name)) {
            continue;
        }
        bitop->operation = operations[i].operation;
        if (bitop->operation == BITS_NOT && bitop->count != 1) {
            reply_error(call->reply, "ERR BITOP NOT must be called with a single source key.");
            return false;
        }
        if (bitop->count < operations[i].sources_min) {
            reply_errorf(call->reply,
                         "ERR BITOP %.*s must be called with at least two source keys.",
                         bytes_printed(call->args[1]), call->args[1].at);
            return false;
        }
        return true;
    }
    reply_syntax_error(call->reply);
    return false;
}

/* Looks the sources up; false when one is no string: replied. */
static bool find_sources(struct call *call, struct bitop *bitop) {
    for (int i = 0; i < bitop->count; i++) {
        struct key key = call_key(call, FIRST_SOURCE + i);
        struct entry *entry = keyspace_read(call->keyspace, &key);
        if (!call_type_ok(call, entry, ENTRY_STRING)) {
            return false;
        }
        bitop->values[i] = bytes_of("", 0);
        if (entry != NULL) {
            bitop->values[i] = string_bytes(entry, bitop->sources[i].scratch);
        }
        if (bitop->values[i].size > bitop->size) {
            bitop->size = bitop->values[i].size;
        }
    }
    return true;
}

static void store(struct call *call, const struct bitop *bitop) {
    char small[ENTRY_INLINE_MAX];
    struct entry_shape shape;
    struct blob *blob = NULL;
    char *out = small;
    if (bitop->size > ENTRY_INLINE_MAX) {
        blob = blob_try_new(bitop->size);
        if (blob == NULL) {
            reply_no_memory(call->reply);
            return;
        }
        blob->size = bitop->size;
        out = blob->bytes;
        shape = string_blob_shape(blob);
    } else {
        shape = (struct entry_shape){
            .type = ENTRY_STRING, .encoding = ENTRY_INLINE, .value = bytes_of(small, bitop->size)};
    }
    bits_combine(bitop->operation, bitop->values, (size_t)bitop->count, out, bitop->size);
    struct key key = call_key(call, 2);
    struct entry *old = keyspace_write(call->keyspace, &key);
    struct entry *entry = keyspace_assign(call->keyspace, &key, old, &shape, ENTRY_NO_DEADLINE);
    if (entry == NULL) {
        if (blob != NULL) {
            blob_release(blob);
        }
        reply_no_memory(call->reply);
        return;
    }
    entry->flags |= ENTRY_TOUCHED_RAW;
    keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "set");
    reply_integer(call->reply, (int64_t)bitop->size);
}

static void bitop_command(struct call *call) {
    struct bitop bitop = {0};
    if (!operation_ok(call, &bitop)) {
        return;
    }
    size_t values_size = (size_t)bitop.count * sizeof bitop.values[0];
    size_t sources_size = (size_t)bitop.count * sizeof bitop.sources[0];
    bitop.values = mem_try_alloc(MEM_OTHER, values_size);
    bitop.sources = mem_try_alloc(MEM_OTHER, sources_size);
    if (bitop.values == NULL || bitop.sources == NULL) {
        reply_no_memory(call->reply);
    } else if (find_sources(call, &bitop)) {
        if (bitop.size > 0) {
            store(call, &bitop);
        } else {
            struct key key = call_key(call, 2);
            if (keyspace_delete(call->keyspace, &key, call->keyspace->options.lazy_server_del)) {
                keyspace_changed(call->keyspace, &key, KEYSPACE_GENERIC, "del");
            }
            reply_integer(call->reply, 0);
        }
    }
    mem_free(MEM_OTHER, bitop.values, values_size);
    mem_free(MEM_OTHER, bitop.sources, sources_size);
}

static const struct command_row rows[] = {
    {.name = "bitop",
     .fn = bitop_command,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_BITMAP | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(2, 0, 1, 0, KEY_OW | KEY_UPDATE),
              KEYS_RANGE(3, -1, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_BITMAP,
     .since = "2.6.0",
     .complexity = "O(N), N being the length of all the values together",
     .summary = "Combines the values of several keys bit by bit and stores the result.",
     .syntax = "<AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE> destkey key [key ...]"},
};

const struct command_table *command_bitop(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
