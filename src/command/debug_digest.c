/* debug_digest: DEBUG DIGEST of all databases and DEBUG DIGEST-VALUE of keys, see types/digest.h.
 * The digests are Larder's own, to compare a Larder with a Larder. */
#include "command/debug_digest.h"

#include "store/keyspace.h"
#include "types/digest.h"

/* Keys that are taken from the dict at once. */
#define WALK_MAX 64u

static void reply_digest(struct reply *reply, const struct digest *digest, bool bulk) {
    char text[DIGEST_TEXT_SIZE + 1];
    digest_format(digest, text);
    text[DIGEST_TEXT_SIZE] = '\0';
    if (bulk) {
        reply_bulk_text(reply, text);
    } else {
        reply_status(reply, text);
    }
}

/* A key with its value; what has expired is not there. */
static void add_key(struct digest *digest, const struct call *call, int database,
                    const struct entry *entry) {
    bool is_empty = entry_type(entry) == ENTRY_HASH && hash_length(entry, call->now_ms) == 0;
    if (is_empty || entry_is_due(entry, call->now_ms)) {
        return;
    }
    struct digest part = {{0}};
    digest_number(&part, (uint64_t)database);
    digest_text(&part, entry_key(entry));
    digest_number(&part, (uint64_t)entry_deadline(entry));
    digest_value(&part, entry, call->now_ms);
    digest_sum(digest, &part);
}

void debug_digest(struct call *call) {
    struct digest digest = {{0}};
    for (int i = 0; i < call->keyspace->database_count; i++) {
        const struct database *database = &call->keyspace->databases[i];
        struct dict_walk walk = {0};
        struct entry *entries[WALK_MAX];
        size_t count;
        while ((count = dict_walk(&database->keys, &walk, entries, WALK_MAX)) > 0) {
            for (size_t k = 0; k < count; k++) {
                add_key(&digest, call, i, entries[k]);
            }
        }
    }
    reply_digest(call->reply, &digest, false);
}

void debug_digest_value(struct call *call) {
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        struct digest digest = {{0}};
        struct key key = call_key(call, i);
        const struct entry *entry = keyspace_peek(call->keyspace, &key);
        if (entry != NULL) {
            digest_value(&digest, entry, call->now_ms);
        }
        reply_digest(call->reply, &digest, true);
    }
}
