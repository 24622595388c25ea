/* set_call: see the header. */
#include "command/set_call.h"

bool set_call_read(struct call *call, int index, struct set_call *on) {
    on->call = call;
    on->key = call_key(call, index);
    on->set = keyspace_read(call->keyspace, &on->key);
    return call_type_ok(call, on->set, ENTRY_SET);
}

bool set_call_write(struct call *call, int index, struct set_call *on) {
    on->call = call;
    on->key = call_key(call, index);
    on->set = keyspace_write(call->keyspace, &on->key);
    return call_type_ok(call, on->set, ENTRY_SET);
}

bool set_call_create(struct set_call *on, struct bytes first, size_t count) {
    if (on->set != NULL) {
        return true;
    }
    struct keyspace *keyspace = on->call->keyspace;
    struct entry_shape shape = set_new_shape(&keyspace->set_options, first, count);
    on->set = keyspace_add(keyspace, &on->key, &shape, ENTRY_NO_DEADLINE);
    if (on->set == NULL) {
        set_discard(&shape);
        reply_no_memory(on->call->reply);
        return false;
    }
    return true;
}

void set_call_changed(struct set_call *on, const char *event) {
    keyspace_changed(on->call->keyspace, &on->key, KEYSPACE_SET, event);
}

void set_call_settle(struct set_call *on) {
    struct keyspace *keyspace = on->call->keyspace;
    if (on->set != NULL && set_size(on->set) == 0) {
        keyspace_remove(keyspace, &on->key, on->set, false);
        on->set = NULL;
        keyspace_event(keyspace, &on->key, KEYSPACE_GENERIC, "del");
    }
}

void set_call_reply_member(void *reply, struct bytes member) {
    reply_bulk(reply, member);
}
