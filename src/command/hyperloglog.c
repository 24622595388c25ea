/* hyperloglog: the PF commands, over string values in Redis's byte format (types/hll.h).
 *
 * A sparse value is a few hundred bytes to three kilobytes; it is copied, changed and assigned
 * again. A dense one is changed where it is. */
#include <string.h>

#include "call/call.h"
#include "call/pass_on.h"
#include "command/string_edit.h"
#include "command/tables.h"
#include "types/hll.h"
#include "types/string.h"

static void reply_corrupt(struct call *call) {
    reply_error(call->reply, "INVALIDOBJ Corrupted HLL object detected");
}

/* The value's bytes. False when the entry is no HyperLogLog: the error has been replied. */
static bool value_of(struct call *call, const struct entry *entry, struct bytes *value) {
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return false;
    }
    /* An integer is no HyperLogLog, so the scratch is not looked at. */
    char scratch[NUM_I64_SIZE];
    *value = string_bytes(entry, scratch);
    if (!hll_is_valid(*value)) {
        reply_error(call->reply, "WRONGTYPE Key is not a valid HyperLogLog string value.");
        return false;
    }
    return true;
}

/* Most bytes of a value in the sparse form. */
static size_t sparse_max(const struct call *call) {
    uint64_t most = (uint64_t)call->keyspace->hll_options.sparse_max;
    return most < HLL_SPARSE_SIZE_MAX ? (size_t)most : HLL_SPARSE_SIZE_MAX;
}

/* Gives the key the value, whose deadline stays. False when there is no memory: replied. */
static bool assign(struct call *call, struct key *key, struct entry *old, struct bytes value) {
    struct entry *entry =
        keyspace_assign_text(call->keyspace, key, old, value, NULL,
                             old == NULL ? ENTRY_NO_DEADLINE : KEYSPACE_KEEP_DEADLINE);
    if (entry == NULL) {
        reply_no_memory(call->reply);
        return false;
    }
    entry->flags |= ENTRY_TOUCHED_RAW;
    return true;
}

/* Makes the value dense, without telling anybody. False: replied. */
static bool become_dense(struct call *call, struct key *key, struct entry *old,
                         struct bytes value) {
    uint8_t registers[HLL_REGISTERS];
    char dense[HLL_SPARSE_SIZE_MAX];
    if (hll_read(value, registers) == HLL_CORRUPT) {
        reply_corrupt(call);
        return false;
    }
    size_t size = hll_write(registers, 0, value.at, dense);
    return assign(call, key, old, bytes_of(dense, size));
}

/* Raises the registers of the elements from argument `from` on, in a value that is dense. */
static bool add_dense(struct call *call, struct key *key, struct entry *entry, int from,
                      bool *changed) {
    char *at = string_edit(call, key, entry, HLL_DENSE_SIZE);
    if (at == NULL) {
        return false;
    }
    for (int i = from; i < call->argc; i++) {
        *changed |= hll_dense_raise(at, hll_place_of(call->args[i])) == HLL_CHANGED;
    }
    return true;
}

/* The same in a sparse one, as far as it stays sparse; *next is the first argument that it does not
 * take. */
static bool add_sparse(struct call *call, struct hll_sparse *sparse, int *next, bool *changed) {
    size_t most = sparse_max(call);
    for (*next = 2; *next < call->argc; (*next)++) {
        enum hll_status status = hll_sparse_raise(sparse, hll_place_of(call->args[*next]), most);
        if (status == HLL_CORRUPT) {
            reply_corrupt(call);
            return false;
        }
        if (status == HLL_TOO_LARGE) {
            break;
        }
        *changed |= status == HLL_CHANGED;
    }
    return true;
}

/* PFADD to a value that is sparse, or absent: `entry` NULL. */
static bool add_to_sparse(struct call *call, struct key *key, struct entry *entry,
                          struct bytes value, bool *changed) {
    struct hll_sparse sparse;
    int next;
    if (entry == NULL) {
        sparse.size = hll_new(sparse.bytes);
        hll_forget(sparse.bytes);
        *changed = true;
    } else if (!hll_sparse_load(&sparse, value)) {
        reply_corrupt(call);
        return false;
    }
    if (!add_sparse(call, &sparse, &next, changed)) {
        return false;
    }
    value = bytes_of(sparse.bytes, sparse.size);
    if (next == call->argc) {
        return !*changed || assign(call, key, entry, value);
    }
    if (!become_dense(call, key, entry, value)) {
        return false;
    }
    *changed = true;
    return add_dense(call, key, keyspace_peek(call->keyspace, key), next, changed);
}

static void pfadd(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    struct bytes value = bytes_of(NULL, 0);
    if (entry != NULL && !value_of(call, entry, &value)) {
        return;
    }
    bool changed = false;
    bool done = entry == NULL || hll_is_sparse(value)
                    ? add_to_sparse(call, &key, entry, value, &changed)
                    : add_dense(call, &key, entry, 2, &changed);
    if (!done) {
        return;
    }
    if (changed) {
        keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "pfadd");
    }
    reply_integer(call->reply, changed);
}

/* Raises `registers` to those of all the keys from argument `from` on. *dense tells whether one of
 * them is. False: replied. */
static bool merge_keys(struct call *call, int from, uint8_t *registers, bool *dense) {
    memset(registers, 0, HLL_REGISTERS);
    *dense = false;
    for (int i = from; i < call->argc; i++) {
        struct key key = call_key(call, i);
        struct entry *entry = keyspace_read(call->keyspace, &key);
        struct bytes value;
        if (entry == NULL) {
            continue;
        }
        if (!value_of(call, entry, &value)) {
            return false;
        }
        uint8_t other[HLL_REGISTERS];
        if (hll_read(value, other) == HLL_CORRUPT) {
            reply_corrupt(call);
            return false;
        }
        *dense |= !hll_is_sparse(value);
        hll_merge(registers, other);
    }
    return true;
}

static void count_union(struct call *call) {
    uint8_t registers[HLL_REGISTERS];
    bool dense;
    if (merge_keys(call, 1, registers, &dense)) {
        reply_integer(call->reply, (int64_t)hll_estimate(registers));
    }
}

/* The count of one key is kept in its value, so that it need not be reckoned again: a read that
 * writes. */
static void pfcount(struct call *call) {
    if (call->argc > 2) {
        count_union(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    struct bytes value;
    uint64_t cardinality;
    if (entry == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    if (!value_of(call, entry, &value)) {
        return;
    }
    if (!hll_remembered(value, &cardinality)) {
        uint8_t registers[HLL_REGISTERS];
        if (hll_read(value, registers) == HLL_CORRUPT) {
            reply_corrupt(call);
            return;
        }
        cardinality = hll_estimate(registers);
        keyspace_about_to_change(&key, entry);
        char *at = string_edit(call, &key, entry, value.size);
        if (at == NULL) {
            return;
        }
        hll_remember(at, cardinality);
        keyspace_changed(call->keyspace, &key, 0, "");
        call_pass_on_itself(call);
    }
    reply_integer(call->reply, (int64_t)cardinality);
}

/* The destination is one of the sources. */
static void pfmerge(struct call *call) {
    uint8_t registers[HLL_REGISTERS];
    char merged[HLL_SPARSE_SIZE_MAX];
    bool dense;
    if (!merge_keys(call, 1, registers, &dense)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    struct bytes value;
    if (entry != NULL && !value_of(call, entry, &value)) {
        return;
    }
    size_t size =
        hll_write(registers, dense ? 0 : sparse_max(call), entry != NULL ? value.at : NULL, merged);
    hll_forget(merged);
    if (assign(call, &key, entry, bytes_of(merged, size))) {
        keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "pfadd");
        reply_ok(call->reply);
    }
}

/* ---- PFDEBUG ---- */

static void debug_registers(struct call *call, struct key *key, struct entry *entry,
                            struct bytes value) {
    uint8_t registers[HLL_REGISTERS];
    if (hll_read(value, registers) == HLL_CORRUPT) {
        reply_corrupt(call);
        return;
    }
    if (hll_is_sparse(value)) {
        if (!become_dense(call, key, entry, value)) {
            return;
        }
        keyspace_changed(call->keyspace, key, 0, "");
    }
    reply_array(call->reply, HLL_REGISTERS);
    for (int i = 0; i < HLL_REGISTERS; i++) {
        reply_integer(call->reply, registers[i]);
    }
}

/* "z:3 Z:100 v:2,1": runs of zeros in one byte or two, of values with their length. */
static void debug_decode(struct call *call, struct bytes value) {
    if (!hll_is_sparse(value)) {
        reply_error(call->reply, "ERR HLL encoding is not sparse");
        return;
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    struct hll_run run;
    for (size_t offset = HLL_HEADER_SIZE; hll_run_at(value, offset, &run); offset += run.bytes) {
        const char *space = text.size > 0 ? " " : "";
        if (run.rank > 0) {
            buffer_printf(&text, "%sv:%d,%u", space, run.rank, run.length);
        } else {
            buffer_printf(&text, "%s%c:%u", space, run.bytes == 1 ? 'z' : 'Z', run.length);
        }
    }
    reply_bulk(call->reply, buffer_bytes(&text));
    buffer_clear(&text);
}

static void debug_to_dense(struct call *call, struct key *key, struct entry *entry,
                           struct bytes value) {
    bool sparse = hll_is_sparse(value);
    if (sparse) {
        if (!become_dense(call, key, entry, value)) {
            return;
        }
        keyspace_changed(call->keyspace, key, 0, "");
    }
    reply_integer(call->reply, sparse);
}

static void pfdebug(struct call *call) {
    struct key key = call_key(call, 2);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    struct bytes value;
    if (entry == NULL) {
        reply_error(call->reply, "ERR The specified key does not exist");
        return;
    }
    if (!value_of(call, entry, &value)) {
        return;
    }
    if (call_arg_is(call, 1, "getreg")) {
        debug_registers(call, &key, entry, value);
    } else if (call_arg_is(call, 1, "decode")) {
        debug_decode(call, value);
    } else if (call_arg_is(call, 1, "encoding")) {
        reply_status(call->reply, hll_is_sparse(value) ? "sparse" : "dense");
    } else if (call_arg_is(call, 1, "todense")) {
        debug_to_dense(call, &key, entry, value);
    } else {
        reply_errorf(call->reply, "ERR Unknown PFDEBUG subcommand '%.*s'",
                     (int)(call->args[1].size < 128 ? call->args[1].size : 128), call->args[1].at);
    }
}

/* ---- PFSELFTEST ---- */

/* How many elements the test adds; standard errors that the estimate may be off, in which one in
 * fifteen thousand would be by chance (and what is added is always the same). */
#define SELFTEST_ELEMENTS 100000
/* Bytes up to which the sparse form takes part. */
#define SELFTEST_SPARSE_MAX 3000
#define SELFTEST_SIGMAS     4
/* 1.04 / sqrt(registers), in millionths. */
#define STANDARD_ERROR_PPM 8125

static bool estimate_is_near(const uint8_t *registers, uint64_t count) {
    uint64_t estimate = hll_estimate(registers);
    uint64_t off = estimate > count ? estimate - count : count - estimate;
    return off * 1000000 <= count * STANDARD_ERROR_PPM * SELFTEST_SIGMAS + 1000000;
}

/* The same elements go to both forms: their registers must agree, and the estimate be near, at each
 * power of two. */
static void pfselftest(struct call *call) {
    struct hll_sparse sparse = {.size = hll_new(sparse.bytes)};
    char dense[HLL_SPARSE_SIZE_MAX];
    uint8_t registers[HLL_REGISTERS] = {0};
    uint8_t of_sparse[HLL_REGISTERS];
    hll_write(registers, 0, NULL, dense);
    bool is_sparse = true;
    for (uint64_t i = 1; i <= SELFTEST_ELEMENTS; i++) {
        char digits[NUM_I64_SIZE];
        struct bytes element = bytes_of(digits, num_format_i64(digits, (int64_t)i));
        struct hll_place place = hll_place_of(element);
        hll_dense_raise(dense, place);
        is_sparse =
            is_sparse && hll_sparse_raise(&sparse, place, SELFTEST_SPARSE_MAX) <= HLL_CHANGED;
        if ((i & (i - 1)) != 0) {
            continue;
        }
        hll_read(bytes_of(dense, HLL_DENSE_SIZE), registers);
        bool same = !is_sparse ||
                    (hll_read(bytes_of(sparse.bytes, sparse.size), of_sparse) != HLL_CORRUPT &&
                     memcmp(registers, of_sparse, sizeof registers) == 0);
        if (!same || !estimate_is_near(registers, i)) {
            reply_errorf(call->reply, "ERR TESTFAILED %s after %llu elements",
                         same ? "too high an error" : "the forms differ", (unsigned long long)i);
            return;
        }
    }
    reply_ok(call->reply);
}

#define PF CATEGORY_HYPERLOGLOG

static const struct command_row rows[] = {
    {.name = "pfadd",
     .fn = pfadd,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = PF | CATEGORY_WRITE | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_HYPERLOGLOG,
     .since = "2.8.9",
     .complexity = "O(1) for each element",
     .summary = "Counts elements in a HyperLogLog, which is made if there is none.",
     .syntax = "key [element [element ...]]"},
    {.name = "pfcount",
     .fn = pfcount,
     .arity = -2,
     .flags = COMMAND_READONLY | COMMAND_MAY_REPLICATE,
     .categories = PF | CATEGORY_READ | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, -1, 1, 0, KEY_RW | KEY_ACCESS)},
     .group = GROUP_HYPERLOGLOG,
     .since = "2.8.9",
     .complexity = "O(N), N being the number of keys; O(1) while one key's count is remembered",
     .summary = "Estimates how many different elements were counted in all the keys.",
     .syntax = "key [key ...]"},
    {.name = "pfdebug",
     .fn = pfdebug,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_ADMIN,
     .categories = PF | CATEGORY_WRITE | CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .keys = {KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_ACCESS)},
     .group = GROUP_HYPERLOGLOG,
     .since = "2.8.9",
     .complexity = "O(1)",
     .summary = "Shows how a HyperLogLog is kept.",
     .syntax = "subcommand key"},
    {.name = "pfmerge",
     .fn = pfmerge,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = PF | CATEGORY_WRITE | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_INSERT),
              KEYS_RANGE(2, -1, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_HYPERLOGLOG,
     .since = "2.8.9",
     .complexity = "O(N), N being the number of keys",
     .summary = "Makes a HyperLogLog of what was counted in several.",
     .syntax = "destkey [sourcekey [sourcekey ...]]"},
    {.name = "pfselftest",
     .fn = pfselftest,
     .arity = 1,
     .flags = COMMAND_ADMIN,
     .categories = PF | CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .group = GROUP_HYPERLOGLOG,
     .since = "2.8.9",
     .complexity = "O(1)",
     .summary = "Checks that both forms of a HyperLogLog agree and that the estimate is near.",
     .syntax = ""},
};

const struct command_table *command_hyperloglogs(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
