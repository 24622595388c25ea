/* list_call: see the header. */
#include "command/list_call.h"

#include "base/mem.h"
#include "base/num.h"
#include "call/pass_on.h"
#include "command/list_reply.h"

bool list_call_read(struct call *call, int index, struct list_call *on) {
    on->call = call;
    on->key = call_key(call, index);
    on->list = keyspace_read(call->keyspace, &on->key);
    return call_type_ok(call, on->list, ENTRY_LIST);
}

bool list_call_write(struct call *call, int index, struct list_call *on) {
    on->call = call;
    on->key = call_key(call, index);
    on->list = keyspace_write(call->keyspace, &on->key);
    return call_type_ok(call, on->list, ENTRY_LIST);
}

bool list_call_create(struct list_call *on, size_t size) {
    if (on->list != NULL) {
        return true;
    }
    struct keyspace *keyspace = on->call->keyspace;
    struct entry_shape shape = list_new_shape(&keyspace->list_options, size);
    on->list = keyspace_add(keyspace, &on->key, &shape, ENTRY_NO_DEADLINE);
    if (on->list == NULL) {
        list_discard(&shape);
        reply_no_memory(on->call->reply);
        return false;
    }
    return true;
}

struct list_write list_call_argument(struct call *call, int index) {
    return (struct list_write){
        .text = call->args[index],
        .blob = call->blob_count > 0 ? call_take_blob(call, index) : NULL,
    };
}

void list_call_changed(const struct list_call *on, const char *event) {
    keyspace_changed(on->call->keyspace, &on->key, KEYSPACE_LIST, event);
}

void list_call_settle(struct list_call *on) {
    if (on->list != NULL && list_length(on->list) == 0) {
        keyspace_remove(on->call->keyspace, &on->key, on->list, false);
        on->list = NULL;
        keyspace_event(on->call->keyspace, &on->key, KEYSPACE_GENERIC, "del");
    }
}

bool list_call_end(const struct call *call, int index, enum list_end *end) {
    if (call_arg_is(call, index, "left")) {
        *end = LIST_HEAD;
        return true;
    }
    *end = LIST_TAIL;
    return call_arg_is(call, index, "right");
}

static bool parse_count(struct call *call, int index, size_t *count) {
    int64_t value;
    if (!num_parse_i64(call->args[index], &value) || value < 1) {
        reply_error(call->reply, "ERR count should be greater than 0");
        return false;
    }
    *count = (size_t)value;
    return true;
}

bool list_call_parse_mpop(struct call *call, int index, struct list_mpop *mpop) {
    int64_t keys;
    if (!num_parse_i64(call->args[index], &keys) || keys < 1) {
        reply_error(call->reply, "ERR numkeys should be greater than 0");
        return false;
    }
    *mpop = (struct list_mpop){.first_key = index + 1, .count = 1};
    if (keys > call->argc - index - 2 || !list_call_end(call, index + 1 + (int)keys, &mpop->end)) {
        reply_syntax_error(call->reply);
        return false;
    }
    mpop->key_count = (int)keys;
    bool counted = false;
    for (int i = index + 2 + (int)keys; i < call->argc; i += 2) {
        if (counted || i + 1 == call->argc || !call_arg_is(call, i, "count")) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (!parse_count(call, i + 1, &mpop->count)) {
            return false;
        }
        counted = true;
    }
    return true;
}

bool list_call_first(struct call *call, int first_key, int key_count, struct list_call *on) {
    for (int i = 0; i < key_count; i++) {
        if (!list_call_write(call, first_key + i, on)) {
            return false;
        }
        if (on->list != NULL) {
            return true;
        }
    }
    return true;
}

/* Removes elements from an end. */
static void drop(struct list_call *on, enum list_end end, size_t count) {
    size_t at = end == LIST_HEAD ? 0 : list_length(on->list) - count;
    list_remove(on->list, &on->call->keyspace->list_options, at, count);
}

/* The position of an end's element. */
static size_t end_position(const struct entry *list, enum list_end end) {
    return end == LIST_HEAD ? 0 : list_length(list) - 1;
}

void list_call_pop(struct list_call *on, enum list_end end, size_t count) {
    struct reply *reply = on->call->reply;
    size_t at = end_position(on->list, end);
    if (count == 1) {
        list_reply_element(reply, on->list, at);
    } else if (end == LIST_HEAD) {
        list_reply_range(reply, on->list, at, count);
    } else {
        list_reply_backwards(reply, on->list, at, count);
    }
    drop(on, end, count);
    list_call_changed(on, end == LIST_HEAD ? "lpop" : "rpop");
    list_call_settle(on);
}

void list_call_mpop(struct list_call *on, const struct list_mpop *mpop) {
    struct reply *reply = on->call->reply;
    size_t length = list_length(on->list);
    size_t count = length < mpop->count ? length : mpop->count;
    char digits[NUM_I64_SIZE];
    reply_array(reply, 2);
    reply_bulk(reply, on->key.name);
    reply_array(reply, (int64_t)count);
    list_call_pop(on, mpop->end, count);
    CALL_PASS_ON(on->call, bytes_text(mpop->end == LIST_HEAD ? "LPOP" : "RPOP"), on->key.name,
                 bytes_of(digits, num_format_i64(digits, (int64_t)count)));
}

void list_call_pop_one(struct list_call *on, enum list_end end) {
    struct reply *reply = on->call->reply;
    reply_array(reply, 2);
    reply_bulk(reply, on->key.name);
    list_call_pop(on, end, 1);
}

/* What one element needs in a new list, if it is not large. */
#define ELEMENT_ROOM(text) ((text).size + 10)

/* A copy of an element to be moved within one list, for a list does not take text that lies in
 * itself. A large one is a blob and is not copied. */
static struct list_write detached(const struct list_value *value, char *copy) {
    struct list_write write = {.text = value->text};
    if (value->blob != NULL) {
        write.blob = blob_share(value->blob);
    } else {
        memcpy(copy, value->text.at, value->text.size);
        write.text.at = copy;
    }
    return write;
}

/* Takes an element from one end of a list and puts it at one of its ends. */
static bool rotate(struct list_call *on, enum list_end from_end, enum list_end to_end) {
    struct call *call = on->call;
    char copy[LIST_LARGE_MIN];
    struct list_value value;
    list_get(on->list, end_position(on->list, from_end), &value);
    struct list_write write = detached(&value, copy);
    /* Added first: for what may fail comes before what is lost. */
    if (list_push(on->list, &call->keyspace->list_options, to_end, &write) != 0) {
        reply_no_memory(call->reply);
        return false;
    }
    size_t length = list_length(on->list);
    size_t old = from_end == LIST_HEAD ? (to_end == LIST_HEAD ? 1 : 0)
                                       : (to_end == LIST_TAIL ? length - 2 : length - 1);
    list_remove(on->list, &call->keyspace->list_options, old, 1);
    list_reply_element(call->reply, on->list, end_position(on->list, to_end));
    return true;
}

/* Takes an element from one list and puts it into another, which exists. */
static bool transfer(struct list_call *from, enum list_end from_end, struct list_call *to,
                     enum list_end to_end) {
    struct call *call = from->call;
    size_t at = end_position(from->list, from_end);
    struct list_value value;
    list_get(from->list, at, &value);
    struct list_write write = {.text = value.text};
    if (value.blob != NULL) {
        write.blob = blob_share(value.blob);
    }
    if (list_push(to->list, &call->keyspace->list_options, to_end, &write) != 0) {
        reply_no_memory(call->reply);
        return false;
    }
    list_reply_element(call->reply, from->list, at);
    drop(from, from_end, 1);
    return true;
}

static const char *push_event(enum list_end end) {
    return end == LIST_HEAD ? "lpush" : "rpush";
}

static const char *pop_event(enum list_end end) {
    return end == LIST_HEAD ? "lpop" : "rpop";
}

bool list_call_move(struct list_call *from, enum list_end from_end, struct list_call *to,
                    enum list_end to_end) {
    bool same = from->list == to->list;
    if (same) {
        if (!rotate(from, from_end, to_end)) {
            return false;
        }
    } else {
        struct list_value value;
        list_get(from->list, end_position(from->list, from_end), &value);
        if (!list_call_create(to, ELEMENT_ROOM(value.text))) {
            return false;
        }
        /* A new key moves the others' slots, not their entries. */
        from->key.slot = NULL;
        if (!transfer(from, from_end, to, to_end)) {
            list_call_settle(to);
            return false;
        }
    }
    list_call_changed(to, push_event(to_end));
    list_call_changed(from, pop_event(from_end));
    if (!same) {
        list_call_settle(from);
    }
    return true;
}

/* Adds a block of a list's elements at an end of another one, in its order or the reverse of it.
 * Does not fail: what might need memory that a client chose is a blob already. */
static void add_block(struct call *call, const struct entry *source, size_t at, size_t count,
                      struct entry *target, enum list_end end, bool reverse) {
    bool forwards = (end == LIST_TAIL) != reverse;
    for (size_t i = 0; i < count; i++) {
        struct list_value value;
        list_get(source, forwards ? at + i : at + count - 1 - i, &value);
        struct list_write write = {.text = value.text};
        if (value.blob != NULL) {
            write.blob = blob_share(value.blob);
        }
        check(list_push(target, &call->keyspace->list_options, end, &write) == 0);
    }
}

/* Within one list the block is taken out first, into a list of its own. */
static bool rotate_block(struct list_call *on, size_t at, size_t count, enum list_end to_end,
                         bool reverse) {
    struct call *call = on->call;
    const struct list_options *options = &call->keyspace->list_options;
    struct entry_shape shape = list_new_shape(options, 0);
    struct entry *block = entry_try_new(bytes_of("", 0), &shape);
    if (block == NULL) {
        list_discard(&shape);
        reply_no_memory(call->reply);
        return false;
    }
    add_block(call, on->list, at, count, block, LIST_TAIL, false);
    list_remove(on->list, options, at, count);
    add_block(call, block, 0, count, on->list, to_end, reverse);
    list_free(block);
    entry_free(block);
    return true;
}

bool list_call_move_many(struct list_call *from, enum list_end from_end, struct list_call *to,
                         enum list_end to_end, size_t count, bool reverse) {
    bool same = from->list == to->list;
    size_t at = from_end == LIST_HEAD ? 0 : list_length(from->list) - count;
    if (same) {
        if (!rotate_block(from, at, count, to_end, reverse)) {
            return false;
        }
    } else {
        if (!list_call_create(to, 0)) {
            return false;
        }
        from->key.slot = NULL;
        add_block(from->call, from->list, at, count, to->list, to_end, reverse);
        drop(from, from_end, count);
    }
    size_t moved = to_end == LIST_HEAD ? 0 : list_length(to->list) - count;
    reply_array(from->call->reply, (int64_t)count);
    list_reply_range(from->call->reply, to->list, moved, count);
    list_call_changed(to, push_event(to_end));
    list_call_changed(from, pop_event(from_end));
    if (!same) {
        list_call_settle(from);
    }
    return true;
}
