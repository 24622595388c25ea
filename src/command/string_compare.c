/* string_compare: DIGEST, DELEX, DELIFEQ: what a client needs to change a value only if it still
 * is what it has read.
 *
 * The digest is XXH3 of the value, 64 bits with seed 0, as 16 hexadecimal digits. Clients compute
 * it themselves, so it must stay what it is. */
#include "call/pass_on.h"
#include "command/string_compare.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "command/string_options.h"
#include "command/tables.h"
#include "types/string.h"

#define DIGEST_SIZE 16

static void digest_of(const struct entry *entry, char *out) {
    char scratch[NUM_I64_SIZE];
    struct bytes value = string_bytes(entry, scratch);
    char text[DIGEST_SIZE + 1];
    snprintf(text, sizeof text, "%016" PRIx64, hash_bytes(0, value.at, value.size));
    memcpy(out, text, DIGEST_SIZE);
}

/* Hexadecimal digits in either case. */
static bool digest_is(const struct entry *entry, struct bytes wanted) {
    char digest[DIGEST_SIZE];
    digest_of(entry, digest);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        char c = wanted.at[i];
        if (c >= 'A' && c <= 'F') {
            c = (char)(c - 'A' + 'a');
        }
        if (c != digest[i]) {
            return false;
        }
    }
    return true;
}

bool string_compare(struct call *call, const struct entry *entry, unsigned comparison, int index,
                    bool *failed) {
    struct bytes wanted = call->args[index];
    *failed = false;
    if ((comparison & (STRING_IFEQ | STRING_IFNE)) != 0) {
        char scratch[NUM_I64_SIZE];
        return bytes_equal(string_bytes(entry, scratch), wanted) ==
               ((comparison & STRING_IFEQ) != 0);
    }
    if (wanted.size != DIGEST_SIZE) {
        reply_error(call->reply, "ERR must be exactly 16 hexadecimal characters");
        *failed = true;
        return false;
    }
    return digest_is(entry, wanted) == ((comparison & STRING_IFDEQ) != 0);
}

static void digest(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return;
    }
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    char text[DIGEST_SIZE];
    digest_of(entry, text);
    reply_bulk(call->reply, bytes_of(text, sizeof text));
}

static void remove_and_reply(struct call *call, struct key *key, struct entry *entry) {
    keyspace_remove(call->keyspace, key, entry, call->keyspace->options.lazy_user_del);
    keyspace_changed(call->keyspace, key, KEYSPACE_GENERIC, "del");
    call_pass_on_removal(call, key->name, false);
    reply_integer(call->reply, 1);
}

static void delete_if(struct call *call, unsigned comparison, int index) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    if (entry == NULL) {
        keyspace_remove_absent(call->keyspace, &key);
        reply_integer(call->reply, 0);
        return;
    }
    if (comparison != 0) {
        bool failed;
        if (!call_type_ok(call, entry, ENTRY_STRING)) {
            return;
        }
        if (!string_compare(call, entry, comparison, index, &failed)) {
            if (!failed) {
                reply_integer(call->reply, 0);
            }
            return;
        }
    }
    remove_and_reply(call, &key, entry);
}

static void delex(struct call *call) {
    if (call->argc != 2 && call->argc != 4) {
        reply_bad_arity(call->reply, call->command->row->name);
        return;
    }
    struct string_options options;
    if (string_options_read(call, 2, STRING_COMPARISONS, &options)) {
        delete_if(call, options.given, options.comparison_at);
    }
}

static void delifeq(struct call *call) {
    delete_if(call, STRING_IFEQ, 2);
}

#define WRITES (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_FAST)

static const struct command_row rows[] = {
    {.name = "delex",
     .fn = delex,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE | KEY_VARIABLE_FLAGS)},
     .group = GROUP_STRING,
     .since = "8.4.0",
     .complexity = "O(1); with a digest O(N), N being the length of the value",
     .summary =
         "Removes a key if its value, or the digest of its value, is or is not the given one.",
     .syntax = "key [IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE ifdne-digest]"},
    {.name = "delifeq",
     .fn = delifeq,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RM | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_STRING,
     .since = "9.0.0",
     .complexity = "O(1)",
     .summary = "Removes a key if its value is the given one.",
     .syntax = "key value"},
    {.name = "digest",
     .fn = digest,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_STRING | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_STRING,
     .since = "8.4.0",
     .complexity = "O(N), N being the length of the value",
     .summary = "Returns the XXH3 digest of a key's value in hexadecimal digits.",
     .syntax = "key"},
};

const struct command_table *command_string_compare(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
