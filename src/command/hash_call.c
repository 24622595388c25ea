/* hash_call: see the header. */
#include "command/hash_call.h"

#include <string.h>

#include "base/mem.h"
#include "call/pass_on.h"

/* Removes what has expired, so that lengths need not be counted and an expired hash is absent. */
static void expire_fields(struct hash_call *on) {
    int64_t next_ms = hash_next_deadline(on->hash);
    if (LIKELY(next_ms == ENTRY_NO_DEADLINE || next_ms > on->call->now_ms)) {
        return;
    }
    bool done;
    if (keyspace_expire_fields(on->call->keyspace, &on->key, on->hash, HASH_CALL_EXPIRE_MAX,
                               &done) > 0) {
        hash_call_changed(on, "hexpired");
        hash_call_settle(on);
    }
}

static bool check_hash(struct hash_call *on) {
    if (on->hash == NULL) {
        return true;
    }
    if (!call_type_ok(on->call, on->hash, ENTRY_HASH)) {
        return false;
    }
    expire_fields(on);
    return true;
}

void hash_call_pass_on_fields(const struct hash_call *on, const struct bytes *head, int head_count,
                              const struct bytes *fields, int count) {
    struct call *call = on->call;
    if (!call_is_heard(call) || count == 0) {
        return;
    }
    size_t size = (size_t)(head_count + count) * sizeof(struct bytes);
    struct bytes *words = mem_alloc(MEM_ARENA, size);
    memcpy(words, head, (size_t)head_count * sizeof *words);
    memcpy(words + head_count, fields, (size_t)count * sizeof *words);
    call_pass_on(call, words, head_count + count);
    mem_free(MEM_ARENA, words, size);
}

void hash_call_pass_on_deleted(const struct hash_call *on, const struct bytes *fields, int count) {
    const struct bytes head[] = {bytes_text("HDEL"), on->key.name};
    hash_call_pass_on_fields(on, head, 2, fields, count);
}

bool hash_call_read(struct call *call, struct hash_call *on) {
    on->call = call;
    on->key = call_key(call, 1);
    on->hash = keyspace_read(call->keyspace, &on->key);
    return check_hash(on);
}

bool hash_call_write(struct call *call, struct hash_call *on) {
    on->call = call;
    on->key = call_key(call, 1);
    on->hash = keyspace_write(call->keyspace, &on->key);
    return check_hash(on);
}

bool hash_call_create(struct hash_call *on) {
    if (on->hash != NULL) {
        return true;
    }
    struct entry_shape shape = hash_new_shape();
    on->hash = keyspace_add(on->call->keyspace, &on->key, &shape, ENTRY_NO_DEADLINE);
    if (on->hash == NULL) {
        hash_discard(&shape);
        reply_no_memory(on->call->reply);
        return false;
    }
    return true;
}

int hash_call_set(struct hash_call *on, int index, int64_t deadline_ms) {
    struct call *call = on->call;
    struct hash_write write = {
        .field = call_element_name(call, index),
        .value = call->args[index + 1],
        .blob = call->blob_count > 0 ? call_take_blob(call, index + 1) : NULL,
        .deadline_ms = deadline_ms,
    };
    int result = hash_set(on->hash, &call->keyspace->hash_options, &write, call->now_ms);
    if (UNLIKELY(result < 0)) {
        reply_no_memory(call->reply);
    }
    return result;
}

void hash_call_changed(struct hash_call *on, const char *event) {
    keyspace_changed(on->call->keyspace, &on->key, KEYSPACE_HASH, event);
}

void hash_call_settle(struct hash_call *on) {
    struct keyspace *keyspace = on->call->keyspace;
    if (on->hash == NULL) {
        return;
    }
    if (hash_is_empty(on->hash)) {
        keyspace_remove(keyspace, &on->key, on->hash, false);
        on->hash = NULL;
        keyspace_event(keyspace, &on->key, KEYSPACE_GENERIC, "del");
    } else if (hash_due_word(on->hash) != NULL) {
        keyspace_field_deadline_changed(keyspace, &on->key, on->hash);
    }
}

void hash_call_reply_value(struct reply *reply, struct bytes value, struct blob *blob) {
    if (blob != NULL) {
        reply_bulk_blob(reply, blob, 0, value.size);
    } else {
        reply_bulk(reply, value);
    }
}

void hash_call_reply_field(const struct hash_call *on, struct element_name field) {
    struct hash_value value;
    if (on->hash != NULL && hash_get(on->hash, field, on->call->now_ms, &value)) {
        hash_call_reply_value(on->call->reply, value.text, value.blob);
    } else {
        reply_null(on->call->reply);
    }
}
