/* set: commands on members of sets: adding, removing, moving and asking for them. What goes through
 * all members is in set_visit.c, what compares sets in set_algebra.c. */
#include "command/set_call.h"
#include "command/tables.h"

/* Hashes the members from argument `index` on, as many as a batch holds, and asks for what looking
 * for them will read. */
static void look_ahead(const struct call *call, int index, const struct entry *set,
                       struct set_batch *batch) {
    size_t left = (size_t)(call->argc - index);
    batch->count = left < SET_BATCH ? left : SET_BATCH;
    for (size_t i = 0; i < batch->count; i++) {
        struct element_name name = call_element_name(call, index + (int)i);
        batch->members[i] = name.text;
        batch->hashes[i] = element_name_hash(&name);
    }
    if (batch->count > 1) {
        set_batch_prefetch(batch, set);
    }
}

static void sadd(struct call *call) {
    struct set_call on;
    if (!set_call_write(call, 1, &on) ||
        !set_call_create(&on, call->args[2], (size_t)call->argc - 2)) {
        return;
    }
    const struct set_options *limits = &call->keyspace->set_options;
    struct set_batch batch;
    int64_t added = 0;
    int result = 0;
    for (int i = 2; i < call->argc && result >= 0; i += SET_BATCH) {
        look_ahead(call, i, on.set, &batch);
        for (size_t k = 0; k < batch.count && result >= 0; k++) {
            result = set_add(on.set, limits, batch.members[k], batch.hashes[k]);
            added += result > 0;
        }
    }
    if (result >= 0) {
        reply_integer(call->reply, added);
    } else {
        reply_no_memory(call->reply);
    }
    if (added > 0) {
        set_call_changed(&on, "sadd");
    } else if (result < 0 && set_size(on.set) == 0) {
        keyspace_remove(call->keyspace, &on.key, on.set, false);
    }
}

static void srem(struct call *call) {
    struct set_call on;
    if (!set_call_write(call, 1, &on)) {
        return;
    }
    struct set_batch batch;
    int64_t removed = 0;
    for (int i = 2; on.set != NULL && i < call->argc; i += SET_BATCH) {
        look_ahead(call, i, on.set, &batch);
        for (size_t k = 0; k < batch.count; k++) {
            removed += set_remove(on.set, batch.members[k], batch.hashes[k]);
        }
    }
    reply_integer(call->reply, removed);
    if (removed > 0) {
        set_call_changed(&on, "srem");
        set_call_settle(&on);
    }
}

static void sismember(struct call *call) {
    struct set_call on;
    if (set_call_read(call, 1, &on)) {
        struct element_name member = call_element_name(call, 2);
        reply_integer(call->reply,
                      on.set != NULL && set_has(on.set, member.text, element_name_hash(&member)));
    }
}

static void smismember(struct call *call) {
    struct set_call on;
    if (!set_call_read(call, 1, &on)) {
        return;
    }
    struct set_batch batch;
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i += SET_BATCH) {
        if (on.set == NULL) {
            batch.count =
                (size_t)(call->argc - i) < SET_BATCH ? (size_t)(call->argc - i) : SET_BATCH;
        } else {
            look_ahead(call, i, on.set, &batch);
        }
        for (size_t k = 0; k < batch.count; k++) {
            reply_integer(call->reply,
                          on.set != NULL && set_has(on.set, batch.members[k], batch.hashes[k]));
        }
    }
}

static void scard(struct call *call) {
    struct set_call on;
    if (set_call_read(call, 1, &on)) {
        reply_integer(call->reply, on.set != NULL ? (int64_t)set_size(on.set) : 0);
    }
}

/* The member comes into the one set before it leaves the other, so that nothing has changed when
 * there is no memory. Each step may move the slots of the other key. */
static void move_member(struct set_call *from, struct set_call *to, struct bytes member,
                        uint64_t hash) {
    struct call *call = from->call;
    from->key.slot = NULL;
    if (!set_call_create(to, member, 1)) {
        return;
    }
    int result = set_add(to->set, &call->keyspace->set_options, member, hash);
    if (result < 0) {
        if (set_size(to->set) == 0) {
            keyspace_remove(call->keyspace, &to->key, to->set, false);
        }
        reply_no_memory(call->reply);
        return;
    }
    set_remove(from->set, member, hash);
    set_call_changed(from, "srem");
    set_call_settle(from);
    if (result > 0) {
        set_call_changed(to, "sadd");
    }
    reply_integer(call->reply, 1);
}

static void smove(struct call *call) {
    struct set_call from = {.call = call, .key = call_key(call, 1)};
    struct set_call to = {.call = call, .key = call_key(call, 2)};
    struct element_name name = call_element_name(call, 3);
    struct bytes member = name.text;
    uint64_t hash = element_name_hash(&name);
    from.set = keyspace_write(call->keyspace, &from.key);
    to.set = keyspace_write(call->keyspace, &to.key);
    if (from.set == NULL) {
        reply_integer(call->reply, 0);
    } else if (!call_type_ok(call, from.set, ENTRY_SET) || !call_type_ok(call, to.set, ENTRY_SET)) {
        return;
    } else if (from.set == to.set || !set_has(from.set, member, hash)) {
        reply_integer(call->reply, set_has(from.set, member, hash));
    } else {
        move_member(&from, &to, member, hash);
    }
}

#define READ_FAST    (CATEGORY_READ | CATEGORY_SET | CATEGORY_FAST)
#define WRITE_FAST   (CATEGORY_WRITE | CATEGORY_SET | CATEGORY_FAST)
#define ONE_KEY(how) KEYS_RANGE(1, 0, 1, 0, (how))

static const struct command_row rows[] = {
    {.name = "sadd",
     .fn = sadd,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_INSERT)},
     .element = 2,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members.",
     .summary = "Adds members to a set and returns how many of them are new.",
     .syntax = "key member [member ...]"},
    {.name = "scard",
     .fn = scard,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO)},
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns how many members a set has.",
     .syntax = "key"},
    {.name = "sismember",
     .fn = sismember,
     .arity = 3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO)},
     .element = 2,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Tells whether a set has a member.",
     .syntax = "key member"},
    {.name = "smismember",
     .fn = smismember,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_SET,
     .since = "6.2.0",
     .complexity = "O(N) for N members asked for.",
     .summary = "Tells for each of several members whether a set has it.",
     .syntax = "key member [member ...]"},
    {.name = "smove",
     .fn = smove,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE),
              KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .element = 3,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Moves a member from one set to another.",
     .syntax = "source destination member"},
    {.name = "srem",
     .fn = srem,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},
     .element = 2,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members.",
     .summary = "Removes members from a set, and the set with its last member.",
     .syntax = "key member [member ...]"},
};

const struct command_table *command_sets(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
