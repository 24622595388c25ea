/* call: one command being executed. All that a command sees: its arguments, its hash, its database,
 * where the reply goes. It sees no socket and no protocol version, so the same function serves a
 * connection, a transaction, a script, an HTTP request or a replica. */
#ifndef LARDER_CALL_CALL_H
#define LARDER_CALL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/command.h"
#include "call/context.h"
#include "call/reply.h"
#include "ds/blob.h"
#include "ds/element_name.h"
#include "store/keyspace.h"

struct client;

/* A large argument that was read straight into a blob. */
struct call_blob {
    struct blob *blob;  /* NULL once taken */
    struct blob *taken; /* then this is it, held until the call is over: observers see it */
    int32_t index;      /* which argument */
};

struct call {
    const struct bytes *args; /* args[0] is the name as the client wrote it */
    int argc;
    uint64_t hash; /* of args[command->first_key], if that is not 0 */
    /* The argument whose hash is known too, or NULL. An address, so that whoever makes a call with
     * arguments of its own out of this one needs not care. */
    const struct bytes *element;
    uint64_t element_hash;
    struct command *command;
    struct client *client; /* on whose behalf; never NULL, but may have no connection */
    struct database *database;
    struct keyspace *keyspace;
    struct reply *reply;
    struct context *context;
    int64_t now_ms; /* of this pass */
    bool inner;     /* executed by another command (EXEC, a script): must not wait */
    bool again;     /* has been executed before and waited since: client/waiting.h */
    /* Made by a script: the wall time that it sees, microseconds, 0 until it has asked. NULL: the
     * call is not. */
    int64_t *script_us;
    struct call_blob *blobs;
    int blob_count;
};

/* The key that is argument `index`; the planned hash is used where it is that one's. */
static inline struct key call_key(const struct call *call, int index) {
    struct key key = {.name = call->args[index], .hash = call->hash, .database = call->database};
    if (UNLIKELY(index != call->command->first_key)) {
        key.hash = keyspace_hash(call->keyspace, key.name);
    }
    return key;
}

/* The element of a collection that argument `index` names, with the planned hash if it has one. */
static inline struct element_name call_element_name(const struct call *call, int index) {
    struct element_name name = element_name_of(call->args[index]);
    if (LIKELY(call->element == &call->args[index])) {
        name.hash = call->element_hash;
    }
    return name;
}

/* The blob that argument `index` was read into, with its reference; NULL when it was not. It counts
 * as shared as long as the call lasts: call_end. */
struct blob *call_take_blob(struct call *call, int index);

/* Lets go of the blobs that were taken, whatever has become of them meanwhile. */
void call_end(struct call *call);

/* Whether argument `index` is this word; letters fold. */
static inline bool call_arg_is(const struct call *call, int index, const char *word) {
    return bytes_is(call->args[index], word);
}

/* Argument as a number; false when it is not one, and then the error has been replied. */
bool call_integer(struct call *call, int index, int64_t *out);
bool call_integer_between(struct call *call, int index, int64_t least, int64_t most, int64_t *out);
bool call_double(struct call *call, int index, double *out);

/* The entry if it is of that type; false when it is of another, and then WRONGTYPE has been
 * replied. A NULL entry passes. */
static inline bool call_type_ok(struct call *call, const struct entry *entry,
                                enum entry_type type) {
    if (entry != NULL && entry_type(entry) != type) {
        reply_wrong_type(call->reply);
        return false;
    }
    return true;
}

/* Who is told of calls, set at start-up by features: before (MONITOR) and after (SLOWLOG,
 * LATENCY). */
struct call_observer {
    void *context;
    void (*before)(void *context, const struct call *call);
    void (*after)(void *context, const struct call *call, int64_t duration_ns);
    /* `after` is only called for durations of at least this, nanoseconds; INT64_MAX never. */
    int64_t after_min_ns;
    bool before_on; /* whether `before` wants calls now */
    struct call_observer *next;
};

#endif
