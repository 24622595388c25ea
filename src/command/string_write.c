/* string_write: the slow part of assigning, and options. The fast part is inline: SET with three
 * arguments is the hottest write of all. */
#include "command/string_write.h"

#include <string.h>

#include "command/string_compare.h"
#include "types/string.h"

bool string_assign_slowly(struct call *call, struct key *key, struct entry *old,
                          const struct string_write *write) {
    struct bytes text = call->args[write->value];
    struct blob *blob = call->blob_count > 0 ? call_take_blob(call, write->value) : NULL;
    struct entry *entry =
        write->extras.at == NULL
            ? keyspace_assign_text(call->keyspace, key, old, text, blob, write->deadline_ms)
            : keyspace_assign_carrying(call->keyspace, key, old, text, blob, write->deadline_ms,
                                       write->extras);
    if (entry == NULL) {
        if (blob != NULL) {
            blob_release(blob);
        }
        reply_no_memory(call->reply);
        return false;
    }
    keyspace_changed(call->keyspace, key, KEYSPACE_STRING, "set");
    if (write->deadline_ms >= 0) {
        keyspace_event(call->keyspace, key, KEYSPACE_GENERIC, "expire");
    }
    return true;
}

/* A copy of a value that is going to be replaced, for the reply that follows the replacement. */
struct kept {
    bool present;
    struct blob *blob; /* one reference; NULL: the text is in `bytes` */
    size_t size;
    char bytes[ENTRY_INLINE_MAX];
};

static void keep(struct kept *kept, const struct entry *entry) {
    kept->present = entry != NULL;
    kept->blob = NULL;
    kept->size = 0;
    if (entry == NULL) {
        return;
    }
    if (entry_encoding(entry) == ENTRY_BLOB) {
        kept->blob = blob_hold(entry_pointer(entry));
        return;
    }
    char scratch[NUM_I64_SIZE];
    struct bytes value = string_bytes(entry, scratch);
    kept->size = value.size;
    memcpy(kept->bytes, value.at, value.size);
}

static void kept_reply(struct call *call, const struct kept *kept) {
    if (!kept->present) {
        reply_null(call->reply);
    } else if (kept->blob != NULL) {
        reply_bulk_blob(call->reply, kept->blob, 0, kept->blob->size);
    } else {
        reply_bulk(call->reply, bytes_of(kept->bytes, kept->size));
    }
}

static void kept_drop(struct kept *kept) {
    if (kept->blob != NULL) {
        blob_release(kept->blob);
    }
}

bool string_exchange(struct call *call, struct key *key, struct entry *old,
                     const struct string_write *write) {
    struct kept kept;
    if (old != NULL) {
        keyspace_about_to_change(key, old);
    }
    keep(&kept, old);
    bool done = string_assign_slowly(call, key, old, write);
    if (done) {
        kept_reply(call, &kept);
    }
    kept_drop(&kept);
    return done;
}

/* Whether SET's condition holds for what the look-up gave. */
static bool condition_holds(struct call *call, const struct string_options *options,
                            const struct entry *old, bool *failed) {
    *failed = false;
    unsigned condition = options->given & STRING_CONDITIONS;
    if (old == NULL) {
        return (condition & (STRING_XX | STRING_IFEQ | STRING_IFDEQ)) == 0;
    }
    if ((condition & STRING_COMPARISONS) != 0) {
        if (!call_type_ok(call, old, ENTRY_STRING)) {
            *failed = true;
            return false;
        }
        return string_compare(call, old, condition, options->comparison_at, failed);
    }
    return (condition & STRING_NX) == 0;
}

void string_write_refused(struct call *call, const struct string_options *options,
                          const struct entry *old) {
    if ((options->given & STRING_GET) != 0 && old != NULL) {
        reply_string_entry(call->reply, old);
    } else {
        reply_null(call->reply);
    }
}

bool string_write_on(struct call *call, const struct string_options *options,
                     const struct string_write *write) {
    bool gets = (options->given & STRING_GET) != 0;
    struct key key = call_key(call, 1);
    struct entry *old =
        gets ? keyspace_read(call->keyspace, &key) : keyspace_write(call->keyspace, &key);
    if (gets && !call_type_ok(call, old, ENTRY_STRING)) {
        return false;
    }
    bool failed;
    if (!condition_holds(call, options, old, &failed)) {
        if (!failed) {
            string_write_refused(call, options, old);
        }
        return false;
    }
    if (gets) {
        return string_exchange(call, &key, old, write);
    }
    bool done = string_assign_slowly(call, &key, old, write);
    if (done) {
        reply_ok(call->reply);
    }
    return done;
}
