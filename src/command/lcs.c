/* lcs: the longest common subsequence of two strings, by dynamic programming (Wagner and Fischer
 * 1974).
 *
 *     length(i, j) = length(i-1, j-1) + 1                          if a[i-1] == b[j-1]
 *                  = max(length(i-1, j), length(i, j-1))           otherwise
 *
 * Two rows of lengths are kept at a time. The way back from (|a|, |b|) to the origin needs to know
 * of each cell only whether the length above is greater than that to the left: one bit, in a
 * matrix
 *
 *     bit (i-1) * |b| + (j-1)     |a| * |b| / 8 bytes
 *
 * which is a thirty-second of the matrix of lengths. Where both are equal the way goes left, so
 * that of several longest subsequences the same is found as in Redis.
 *
 * Costs: O(|a| * |b|) time. Inputs for which a matrix of 32-bit lengths would exceed
 * proto-max-bulk-len are refused, as in Redis: that bounds the time. */
#include <string.h>

#include "base/mem.h"
#include "call/call.h"
#include "client/client.h"
#include "command/tables.h"
#include "types/string.h"

struct lcs {
    struct bytes a;
    struct bytes b;
    bool length_only;
    bool positions;     /* IDX */
    bool match_lengths; /* WITHMATCHLEN */
    int64_t match_min;  /* MINMATCHLEN */
    uint32_t *rows;     /* two of b.size + 1 lengths */
    uint8_t *up;        /* the matrix of bits; NULL with LEN alone */
    size_t up_size;
    uint32_t length;
};

static size_t rows_size(const struct lcs *lcs) {
    return 2 * (lcs->b.size + 1) * sizeof lcs->rows[0];
}

/* Fills the rows, and the bits if there are any. */
static void compute(struct lcs *lcs) {
    size_t width = lcs->b.size;
    uint32_t *above = lcs->rows;
    uint32_t *row = lcs->rows + width + 1;
    memset(lcs->rows, 0, rows_size(lcs));
    for (size_t i = 0; i < lcs->a.size; i++) {
        for (size_t j = 0; j < width; j++) {
            uint32_t best = above[j + 1] > row[j] ? above[j + 1] : row[j];
            row[j + 1] = lcs->a.at[i] == lcs->b.at[j] ? above[j] + 1 : best;
        }
        if (lcs->up != NULL) {
            for (size_t j = 0; j < width; j++) {
                size_t bit = i * width + j;
                lcs->up[bit / 8] |= (uint8_t)((above[j + 1] > row[j]) << (bit % 8));
            }
        }
        uint32_t *swap = above;
        above = row;
        row = swap;
    }
    lcs->length = above[width];
}

static bool goes_up(const struct lcs *lcs, size_t i, size_t j) {
    size_t bit = (i - 1) * lcs->b.size + (j - 1);
    return (lcs->up[bit / 8] >> (bit % 8) & 1) != 0;
}

/* A run of equal bytes on the way back: a[a_at .. a_at + size) and b[b_at .. b_at + size). */
struct run {
    size_t a_at;
    size_t b_at;
    size_t size;
};

/* Goes back from (*i, *j) past the next run; false when there is none any more. */
static bool next_run(const struct lcs *lcs, size_t *i, size_t *j, struct run *run) {
    while (*i > 0 && *j > 0 && lcs->a.at[*i - 1] != lcs->b.at[*j - 1]) {
        if (goes_up(lcs, *i, *j)) {
            --*i;
        } else {
            --*j;
        }
    }
    run->size = 0;
    while (*i > 0 && *j > 0 && lcs->a.at[*i - 1] == lcs->b.at[*j - 1]) {
        --*i;
        --*j;
        run->size++;
    }
    run->a_at = *i;
    run->b_at = *j;
    return run->size > 0;
}

static void reply_positions(struct call *call, const struct lcs *lcs) {
    struct reply *reply = call->reply;
    reply_map(reply, 2);
    reply_bulk_text(reply, "matches");
    struct reply_mark mark = reply_defer(reply);
    int64_t count = 0;
    size_t i = lcs->a.size;
    size_t j = lcs->b.size;
    struct run run;
    while (next_run(lcs, &i, &j, &run)) {
        if ((int64_t)run.size < lcs->match_min) {
            continue;
        }
        count++;
        reply_array(reply, lcs->match_lengths ? 3 : 2);
        reply_array(reply, 2);
        reply_integer(reply, (int64_t)run.a_at);
        reply_integer(reply, (int64_t)(run.a_at + run.size - 1));
        reply_array(reply, 2);
        reply_integer(reply, (int64_t)run.b_at);
        reply_integer(reply, (int64_t)(run.b_at + run.size - 1));
        if (lcs->match_lengths) {
            reply_integer(reply, (int64_t)run.size);
        }
    }
    reply_defer_end(reply, mark, '*', count);
    reply_bulk_text(reply, "len");
    reply_integer(reply, lcs->length);
}

static void reply_text(struct call *call, const struct lcs *lcs) {
    struct blob *blob = blob_try_new(lcs->length);
    if (blob == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    blob->size = lcs->length;
    size_t left = lcs->length;
    size_t i = lcs->a.size;
    size_t j = lcs->b.size;
    struct run run;
    while (next_run(lcs, &i, &j, &run)) {
        left -= run.size;
        memcpy(blob->bytes + left, lcs->a.at + run.a_at, run.size);
    }
    reply_bulk_blob(call->reply, blob, 0, blob->size);
    blob_release(blob);
}

static bool options_ok(struct call *call, struct lcs *lcs) {
    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "idx")) {
            lcs->positions = true;
        } else if (call_arg_is(call, i, "len")) {
            lcs->length_only = true;
        } else if (call_arg_is(call, i, "withmatchlen")) {
            lcs->match_lengths = true;
        } else if (call_arg_is(call, i, "minmatchlen") && i + 1 < call->argc) {
            i++;
            if (!call_integer(call, i, &lcs->match_min)) {
                return false;
            }
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    if (lcs->positions && lcs->length_only) {
        reply_error(call->reply,
                    "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

/* Refuses what would take too long or too much, and allocates. */
static bool allocate(struct call *call, struct lcs *lcs) {
    uint64_t most = (uint64_t)clients_options(call->context->clients)->bulk_size_max;
    size_t cells;
    size_t bytes;
    if (lcs->a.size >= UINT32_MAX - 1 || lcs->b.size >= UINT32_MAX - 1) {
        reply_error(call->reply, "ERR String too long for LCS");
        return false;
    }
    if (__builtin_mul_overflow(lcs->a.size + 1, lcs->b.size + 1, &cells) ||
        __builtin_mul_overflow(cells, sizeof lcs->rows[0], &bytes) || bytes > most) {
        reply_error(call->reply,
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return false;
    }
    lcs->rows = mem_try_alloc(MEM_OTHER, rows_size(lcs));
    if (!lcs->length_only) {
        lcs->up_size = lcs->a.size * lcs->b.size / 8 + 1;
        lcs->up = mem_try_alloc(MEM_OTHER, lcs->up_size);
    }
    if (lcs->rows == NULL || (lcs->up == NULL && !lcs->length_only)) {
        reply_error(call->reply,
                    "ERR Insufficient memory, failed allocating transient memory for LCS");
        return false;
    }
    if (lcs->up != NULL) {
        memset(lcs->up, 0, lcs->up_size);
    }
    return true;
}

static void lcs_command(struct call *call) {
    struct lcs lcs = {0};
    struct key keys[2] = {call_key(call, 1), call_key(call, 2)};
    struct bytes texts[2] = {bytes_of("", 0), bytes_of("", 0)};
    char scratch[2][NUM_I64_SIZE];
    for (int i = 0; i < 2; i++) {
        struct entry *entry = keyspace_read(call->keyspace, &keys[i]);
        if (entry == NULL) {
            continue;
        }
        if (entry_type(entry) != ENTRY_STRING) {
            reply_error(call->reply, "ERR The specified keys must contain string values");
            return;
        }
        texts[i] = string_bytes(entry, scratch[i]);
    }
    lcs.a = texts[0];
    lcs.b = texts[1];
    if (!options_ok(call, &lcs)) {
        return;
    }
    if (allocate(call, &lcs)) {
        compute(&lcs);
        if (lcs.length_only) {
            reply_integer(call->reply, lcs.length);
        } else if (lcs.positions) {
            reply_positions(call, &lcs);
        } else {
            reply_text(call, &lcs);
        }
    }
    mem_free(MEM_OTHER, lcs.rows, rows_size(&lcs));
    mem_free(MEM_OTHER, lcs.up, lcs.up_size);
}

static const struct command_row rows[] = {
    {.name = "lcs",
     .fn = lcs_command,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_STRING | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 1, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_STRING,
     .since = "7.0.0",
     .complexity = "O(N*M), N and M being the lengths of the two values",
     .summary = "Finds the longest subsequence that two keys' values have in common.",
     .syntax = "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]"},
};

const struct command_table *command_lcs(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
