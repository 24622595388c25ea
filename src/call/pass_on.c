/* pass_on: see the header. A unit is encoded as it happens; whether it needs MULTI is known at its
 * end, and then it is copied once behind it. */
#include "call/pass_on.h"

#include "base/check.h"
#include "base/num.h"
#include "call/call.h"
#include "call/command.h"
#include "call/context.h"
#include "call/unparse.h"

/* Memory for a unit that is kept for the next one. */
#define KEPT_MAX (256 * 1024)

void pass_on_init(struct pass_on *pass_on) {
    *pass_on = (struct pass_on){.database = -1};
    buffer_init(&pass_on->unit, MEM_ARENA);
    buffer_init(&pass_on->wrapped, MEM_ARENA);
}

void pass_on_free(struct pass_on *pass_on) {
    buffer_clear(&pass_on->unit);
    buffer_clear(&pass_on->wrapped);
}

void pass_on_listen(struct pass_on *pass_on, struct pass_on_listener *listener) {
    check(pass_on->depth == 0);
    listener->next = pass_on->listeners;
    pass_on->listeners = listener;
    pass_on_select_again(pass_on);
}

void pass_on_unlisten(struct pass_on *pass_on, struct pass_on_listener *listener) {
    check(pass_on->depth == 0);
    struct pass_on_listener **link = &pass_on->listeners;
    while (*link != listener) {
        check(*link != NULL);
        link = &(*link)->next;
    }
    *link = listener->next;
}

void pass_on_select_again(struct pass_on *pass_on) {
    pass_on->database = -1;
}

void pass_on_begin(struct pass_on *pass_on) {
    pass_on->depth++;
}

static void forget_unit(struct pass_on *pass_on) {
    pass_on->commands = 0;
    pass_on->selects = 0;
    pass_on->unit.size = 0;
    pass_on->wrapped.size = 0;
    if (pass_on->unit.capacity > KEPT_MAX) {
        buffer_clear(&pass_on->unit);
        buffer_clear(&pass_on->wrapped);
    }
}

/* A SELECT of the unit may stand within MULTI, as it may anywhere in a stream. */
void pass_on_end(struct pass_on *pass_on) {
    check(pass_on->depth > 0);
    pass_on->depth--;
    if (pass_on->depth > 0 || pass_on->commands == 0) {
        return;
    }
    struct bytes run = buffer_bytes(&pass_on->unit);
    int commands = (int)(pass_on->commands + pass_on->selects);
    if (pass_on->commands > 1) {
        const struct bytes multi = bytes_text("MULTI");
        const struct bytes exec = bytes_text("EXEC");
        unparse_call(&pass_on->wrapped, &multi, 1);
        buffer_append(&pass_on->wrapped, run.at, run.size);
        unparse_call(&pass_on->wrapped, &exec, 1);
        run = buffer_bytes(&pass_on->wrapped);
        commands += 2;
    }
    for (struct pass_on_listener *l = pass_on->listeners; l != NULL; l = l->next) {
        l->passed(l->context, run, commands);
    }
    forget_unit(pass_on);
}

static void add(struct pass_on *pass_on, int database, const struct bytes *words, int count) {
    if (UNLIKELY(pass_on->muted)) {
        return;
    }
    if (database != pass_on->database) {
        char digits[NUM_I64_SIZE];
        const struct bytes select[] = {bytes_text("SELECT"),
                                       bytes_of(digits, num_format_i64(digits, database))};
        unparse_call(&pass_on->unit, select, 2);
        pass_on->database = database;
        pass_on->selects++;
    }
    unparse_call(&pass_on->unit, words, count);
    pass_on->commands++;
}

void pass_on_words(struct pass_on *pass_on, int database, const struct bytes *words, int count) {
    if (!pass_on_is_heard(pass_on)) {
        return;
    }
    pass_on_begin(pass_on);
    add(pass_on, database, words, count);
    pass_on_end(pass_on);
}

static void key_left(void *context, const struct key *key, bool lazily) {
    const struct bytes words[] = {bytes_text(lazily ? "UNLINK" : "DEL"), key->name};
    pass_on_words(context, key->database->id, words, 2);
}

static void field_expired(void *context, const struct key *key, struct bytes field) {
    const struct bytes words[] = {bytes_text("HDEL"), key->name, field};
    pass_on_words(context, key->database->id, words, 3);
}

void pass_on_follow(struct pass_on *pass_on, struct keyspace *keyspace) {
    keyspace->hooks.keys_context = pass_on;
    keyspace->hooks.key_left = key_left;
    keyspace->hooks.fields_context = pass_on;
    keyspace->hooks.field_expired = field_expired;
}

struct bytes pass_on_number(char digits[NUM_I64_SIZE], int64_t number) {
    return bytes_of(digits, num_format_i64(digits, number));
}

void pass_on_calling(struct pass_on *pass_on, const struct call *call) {
    pass_on_begin(pass_on);
    pass_on->declared = false;
    pass_on->changes = call->keyspace->changes;
}

/* The database is the one that the call began with, also for SELECT's like. */
void pass_on_called(struct pass_on *pass_on, const struct call *call) {
    if (!pass_on->declared && call->keyspace->changes != pass_on->changes &&
        call->command->flags & COMMAND_WRITE) {
        add(pass_on, call->database->id, call->args, call->argc);
    }
    pass_on_end(pass_on);
}

bool call_is_heard(const struct call *call) {
    return pass_on_is_heard(call->context->pass_on);
}

void call_pass_on(struct call *call, const struct bytes *words, int count) {
    struct pass_on *pass_on = call->context->pass_on;
    if (pass_on_is_heard(pass_on)) {
        pass_on->declared = true;
        add(pass_on, call->database->id, words, count);
    }
}

void call_pass_on_nothing(struct call *call) {
    call->context->pass_on->declared = true;
}

void call_pass_on_itself(struct call *call) {
    call_pass_on(call, call->args, call->argc);
}

void call_pass_on_removal(struct call *call, struct bytes key, bool lazily) {
    CALL_PASS_ON(call, bytes_text(lazily ? "UNLINK" : "DEL"), key);
}

void call_pass_on_deadline(struct call *call, struct bytes key, int64_t deadline_ms) {
    char digits[NUM_I64_SIZE];
    CALL_PASS_ON(call, bytes_text("PEXPIREAT"), key, pass_on_number(digits, deadline_ms));
}

void call_pass_on_set(struct call *call, struct bytes key, struct bytes value,
                      int64_t deadline_ms) {
    char digits[NUM_I64_SIZE];
    if (deadline_ms >= 0) {
        CALL_PASS_ON(call, bytes_text("SET"), key, value, bytes_text("PXAT"),
                     pass_on_number(digits, deadline_ms));
    } else if (deadline_ms == KEYSPACE_KEEP_DEADLINE) {
        CALL_PASS_ON(call, bytes_text("SET"), key, value, bytes_text("KEEPTTL"));
    } else {
        CALL_PASS_ON(call, bytes_text("SET"), key, value);
    }
}
