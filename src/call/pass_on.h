/* pass_on: what a write becomes for those who repeat it: replicas, a log on disk. The one place
 * that collects it; nothing is kept and nothing encoded while nobody listens.
 *
 * Terms. A unit is what happened as one: a command, a transaction, a script, or a key that left by
 * itself. A unit of several commands is wrapped in MULTI and EXEC.
 *
 *     pass_on_begin   the unit begins
 *         command     changed something  -> its own words, or what call_pass_on was given
 *         key expired or was evicted     -> DEL or UNLINK, where it happened
 *     pass_on_end     SELECT if the database is another one, MULTI if there are several, the
 *                     commands, EXEC: one run of bytes as in the protocol, to each listener
 *
 * Units nest: the commands of a transaction are part of its unit. A unit of no commands becomes
 * nothing. A command that writes and changes nothing (keyspace->changes) is not passed on, unless
 * it says otherwise. */
#ifndef LARDER_CALL_PASS_ON_H
#define LARDER_CALL_PASS_ON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/num.h"

struct call;
struct keyspace;

struct pass_on_listener {
    void *context;
    /* A unit, as the protocol has it, and how many commands it is, SELECT, MULTI and EXEC
     * included. Valid during the call. */
    void (*passed)(void *context, struct bytes unit, int commands);
    struct pass_on_listener *next;
};

struct pass_on {
    struct pass_on_listener *listeners;
    struct buffer unit;    /* the unit's commands, encoded, with its SELECTs */
    struct buffer wrapped; /* the same within MULTI and EXEC */
    uint32_t commands;     /* of the unit, without SELECTs */
    uint32_t selects;      /* and these */
    uint32_t depth;        /* units that have begun and not ended */
    int database;          /* that the stream is in; -1: SELECT comes first, whatever it is */
    uint64_t changes;      /* of the keyspace, when the running command began */
    bool declared;         /* the running command has said what it becomes */
    bool muted;            /* what happens is nobody's business: redis.set_repl */
};

void pass_on_init(struct pass_on *pass_on);
void pass_on_free(struct pass_on *pass_on);

/* From the next unit on; not within one. A listener must outlive this. */
void pass_on_listen(struct pass_on *pass_on, struct pass_on_listener *listener);
void pass_on_unlisten(struct pass_on *pass_on, struct pass_on_listener *listener);

/* The stream begins anew for somebody: the next command comes with a SELECT. */
void pass_on_select_again(struct pass_on *pass_on);

static inline bool pass_on_is_heard(const struct pass_on *pass_on) {
    return pass_on->listeners != NULL;
}

/* Dispatch's side. Only while somebody listens. */
void pass_on_begin(struct pass_on *pass_on);
void pass_on_end(struct pass_on *pass_on);
/* Before and after a command's function. */
void pass_on_calling(struct pass_on *pass_on, const struct call *call);
void pass_on_called(struct pass_on *pass_on, const struct call *call);

/* One command, whoever caused it, in that database. Begins and ends a unit if there is none. */
void pass_on_words(struct pass_on *pass_on, int database, const struct bytes *words, int count);

/* From now on the keys and fields of this keyspace that leave by themselves are passed on. */
void pass_on_follow(struct pass_on *pass_on, struct keyspace *keyspace);

/* A number as a word. */
struct bytes pass_on_number(char digits[NUM_I64_SIZE], int64_t number);

/* A command's side. */

/* Whether anybody wants to know: a command may save itself the words otherwise. */
bool call_is_heard(const struct call *call);

/* The call becomes these words instead of its own. Called again, these as well, in that order. The
 * words are copied. Cheap while nobody listens. */
void call_pass_on(struct call *call, const struct bytes *words, int count);

/* It becomes nothing, though it changes something; or nothing but what call_pass_on is given. */
void call_pass_on_nothing(struct call *call);

/* It is passed on as it is, though it changes no key (PUBLISH, FLUSHALL of nothing). */
void call_pass_on_itself(struct call *call);

/* What many commands become: DEL, or UNLINK if it is freed in the background; PEXPIREAT; and SET
 * with a deadline, without one (ENTRY_NO_DEADLINE) or with KEYSPACE_KEEP_DEADLINE. */
void call_pass_on_removal(struct call *call, struct bytes key, bool lazily);
void call_pass_on_deadline(struct call *call, struct bytes key, int64_t deadline_ms);
void call_pass_on_set(struct call *call, struct bytes key, struct bytes value, int64_t deadline_ms);

/* The same with the words as arguments; they are not looked at while nobody listens. */
#define CALL_PASS_ON(call, ...)                                                                    \
    do {                                                                                           \
        if (call_is_heard(call)) {                                                                 \
            const struct bytes pass_on_list[] = {__VA_ARGS__};                                     \
            call_pass_on((call), pass_on_list,                                                     \
                         (int)(sizeof pass_on_list / sizeof pass_on_list[0]));                     \
        }                                                                                          \
    } while (0)

#endif
