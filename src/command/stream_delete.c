/* stream_delete: commands that delete entries, or give them back, and say of each id what has
 * become of it: XDELEX, XACKDEL and XNACK. */
#include "command/stream_claim.h"
#include "command/stream_trim.h"
#include "command/tables.h"

/* What is replied for an id. */
enum outcome {
    OUTCOME_ABSENT = -1,
    OUTCOME_DELETED = 1,
    OUTCOME_KEPT = 2, /* some group needs it */
};

/* Deletes an entry as far as its references allow. What dangles goes with DELREF even when the
 * entry has gone before. */
static enum outcome delete_entry(struct stream *stream, struct stream_id id,
                                 enum stream_references references, bool *changed) {
    if (references == STREAM_DELETE_REFERENCES) {
        *changed |= stream_forget_pending(stream, id);
    }
    if (references == STREAM_ACKNOWLEDGED && stream_has(stream, id) &&
        stream_is_needed(stream, id)) {
        return OUTCOME_KEPT;
    }
    if (!stream_delete(stream, id)) {
        return OUTCOME_ABSENT;
    }
    *changed = true;
    return OUTCOME_DELETED;
}

/* Reads the options from `index` on: what becomes of references, and IDS, in any order. */
static bool parse_deletion(struct call *call, int index, enum stream_references *references,
                           struct stream_ids *ids) {
    bool has_references = false;
    *references = STREAM_KEEP_REFERENCES;
    ids->count = 0;
    for (int i = index; i < call->argc; i++) {
        if (ids->count == 0 && call_arg_is(call, i, "ids")) {
            if (!stream_call_ids(call, i, ids)) {
                return false;
            }
            i = ids->first + ids->count - 1;
        } else if (!has_references && stream_references_parse(call, i, references)) {
            has_references = true;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    if (ids->count == 0) {
        reply_syntax_error(call->reply);
        return false;
    }
    return true;
}

static void reply_absent(struct call *call, int count) {
    reply_array(call->reply, count);
    for (int i = 0; i < count; i++) {
        reply_integer(call->reply, OUTCOME_ABSENT);
    }
}

static void xdelex(struct call *call) {
    enum stream_references references;
    struct stream_ids ids;
    struct stream_call on;
    if (!parse_deletion(call, 2, &references, &ids) || !stream_call_write(call, 1, &on)) {
        return;
    }
    if (on.stream == NULL) {
        reply_absent(call, ids.count);
        return;
    }
    bool changed = false;
    bool deleted = false;
    reply_array(call->reply, ids.count);
    for (int i = 0; i < ids.count; i++) {
        struct stream_id id;
        stream_id_parse(call->args[ids.first + i], 0, &id, NULL);
        enum outcome outcome = delete_entry(on.stream, id, references, &changed);
        deleted |= outcome == OUTCOME_DELETED;
        reply_integer(call->reply, outcome);
    }
    if (deleted) {
        stream_call_changed(&on, "xdel");
    } else if (changed) {
        stream_call_noted(&on);
    }
}

/* An id that is not pending in the group is absent; another one is acknowledged, whatever becomes
 * of the entry. */
static void xackdel(struct call *call) {
    enum stream_references references;
    struct stream_ids ids;
    struct stream_call on;
    if (!parse_deletion(call, 3, &references, &ids) || !stream_call_write(call, 1, &on)) {
        return;
    }
    struct stream_group *group =
        on.stream != NULL ? stream_group_find(on.stream, call->args[2]) : NULL;
    if (group == NULL) {
        reply_absent(call, ids.count);
        return;
    }
    bool changed = false;
    bool deleted = false;
    reply_array(call->reply, ids.count);
    for (int i = 0; i < ids.count; i++) {
        struct stream_id id;
        stream_id_parse(call->args[ids.first + i], 0, &id, NULL);
        enum outcome outcome = OUTCOME_ABSENT;
        if (stream_pending_remove(group, id)) {
            changed = true;
            outcome = delete_entry(on.stream, id, references, &changed);
            deleted |= outcome == OUTCOME_DELETED;
            /* It was acknowledged, and there is nothing left to delete. */
            outcome = outcome == OUTCOME_ABSENT ? OUTCOME_DELETED : outcome;
        } else if (references == STREAM_DELETE_REFERENCES) {
            changed |= stream_forget_pending(on.stream, id);
        }
        reply_integer(call->reply, outcome);
    }
    if (deleted) {
        stream_call_changed(&on, "xdel");
    } else if (changed) {
        stream_call_noted(&on);
    }
}

/* How XNACK counts a delivery that came to nothing. */
enum failure {
    FAILURE_SILENT, /* as if it had not been */
    FAILURE_FAIL,   /* as it is */
    FAILURE_FATAL,  /* never again */
};

struct refusal {
    enum failure failure;
    struct stream_ids ids;
    int64_t deliveries; /* -1: by the failure */
    bool force;
};

static bool parse_refusal(struct call *call, struct refusal *refusal) {
    static const char *const failures[] = {"SILENT", "FAIL", "FATAL"};
    size_t failure = 0;
    while (failure < 3 && !call_arg_is(call, 3, failures[failure])) {
        failure++;
    }
    if (failure == 3) {
        reply_syntax_error(call->reply);
        return false;
    }
    *refusal = (struct refusal){.failure = (enum failure)failure, .deliveries = -1};
    if (!stream_call_ids(call, 4, &refusal->ids)) {
        return false;
    }
    for (int i = refusal->ids.first + refusal->ids.count; i < call->argc; i++) {
        if (call_arg_is(call, i, "force")) {
            refusal->force = true;
        } else if (i + 1 < call->argc && call_arg_is(call, i, "retrycount")) {
            i++;
            if (!call_integer(call, i, &refusal->deliveries)) {
                return false;
            }
            if (refusal->deliveries < 0) {
                reply_error(call->reply, "ERR RETRYCOUNT must be >= 0");
                return false;
            }
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

/* Gives an entry back; false when it was not pending, nor made so by force. */
static bool refuse(struct stream_call *on, struct stream_group *group,
                   const struct refusal *refusal, struct stream_id id) {
    bool is_new = stream_pending_find(group, id) == NULL;
    if (is_new && !(refusal->force && stream_has(on->stream, id))) {
        return false;
    }
    struct stream_pending *pending = stream_pending_give(group, id, NULL, 0);
    if (refusal->deliveries >= 0) {
        pending->deliveries = refusal->deliveries;
    } else if (refusal->failure == FAILURE_FATAL) {
        pending->deliveries = INT64_MAX;
    } else if (refusal->failure == FAILURE_SILENT && pending->deliveries > 0) {
        pending->deliveries--;
    }
    return true;
}

static void xnack(struct call *call) {
    struct refusal refusal;
    struct stream_call on;
    struct stream_group *group;
    if (!parse_refusal(call, &refusal) || !stream_call_write(call, 1, &on) ||
        (group = stream_call_group(&on, 2)) == NULL) {
        return;
    }
    int64_t refused = 0;
    for (int i = 0; i < refusal.ids.count; i++) {
        struct stream_id id;
        stream_id_parse(call->args[refusal.ids.first + i], 0, &id, NULL);
        refused += refuse(&on, group, &refusal, id);
    }
    if (refused > 0) {
        stream_call_noted(&on);
        stream_call_wake(&on);
    }
    reply_integer(call->reply, refused);
}

#define DELETES                                                                                    \
    .flags = COMMAND_WRITE | COMMAND_FAST,                                                         \
    .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST, .group = GROUP_STREAM

static const struct command_row rows[] = {
    {DELETES, .name = "xackdel", .fn = xackdel, .arity = -6,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE | KEY_DELETE)}, .since = "8.2.0",
     .complexity = "O(N log M) for N ids in a stream of M entries.",
     .summary = "Acknowledges entries and deletes them, as far as other groups allow.",
     .syntax = "key group [KEEPREF|DELREF|ACKED] IDS numids id [id ...]"},
    {DELETES, .name = "xdelex", .fn = xdelex, .arity = -5,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)}, .since = "8.2.0",
     .complexity = "O(N log M) for N ids in a stream of M entries.",
     .summary = "Deletes entries, with what groups know of them or as far as groups allow.",
     .syntax = "key [KEEPREF|DELREF|ACKED] IDS numids id [id ...]"},
    {DELETES, .name = "xnack", .fn = xnack, .arity = -7,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)}, .since = "8.8.0",
     .complexity = "O(N log M) for N ids, M being pending.",
     .summary = "Gives entries back to the group, for any consumer to claim at once.",
     .syntax = "key group <SILENT|FAIL|FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]"},
};

const struct command_table *command_stream_deletions(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
