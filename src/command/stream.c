/* stream: commands on the entries of streams: adding, deleting, trimming and counting them. What
 * reads them is in stream_range.c and stream_read.c, consumer groups in stream_group.c. */
#include "base/mem.h"
#include "base/num.h"
#include "call/pass_on.h"
#include "command/stream_call.h"
#include "command/stream_producer.h"
#include "command/stream_trim.h"
#include "command/tables.h"

/* What XADD was told. */
struct adding {
    struct stream_trimming trimming;
    bool no_make;
    bool any_id;  /* "*" */
    bool any_seq; /* "ms-*" */
    struct stream_id id;
    int id_at;
    int pair_count;
    int producer_at;   /* argument; 0: none */
    struct bytes sent; /* its idempotent id for this; empty: it follows from the content */
    char content_id[STREAM_CONTENT_ID_SIZE];
};

/* IDMP or IDMPAUTO at *index, which becomes its last argument. 1: it was one, 0: it is none, -1: an
 * error has been replied. */
static int producer_option(struct call *call, int *index, struct adding *adding) {
    int at = *index;
    bool names_id = at + 2 < call->argc && call_arg_is(call, at, "idmp");
    if (!names_id && !(at + 1 < call->argc && call_arg_is(call, at, "idmpauto"))) {
        return 0;
    }
    if (adding->producer_at != 0 || call->args[at + 1].size == 0 ||
        (names_id && call->args[at + 2].size == 0)) {
        reply_syntax_error(call->reply);
        return -1;
    }
    adding->producer_at = at + 1;
    if (names_id) {
        adding->sent = call->args[at + 2];
    }
    *index = names_id ? at + 2 : at + 1;
    return 1;
}

/* Reads everything up to the id and sees that pairs follow. False when an error has been
 * replied. */
static bool parse_add(struct call *call, struct adding *adding) {
    int i = 2;
    for (; i < call->argc; i++) {
        if (call->args[i].size == 1 && call->args[i].at[0] == '*') {
            adding->any_id = true;
            break;
        }
        int result = stream_trimming_option(call, &i, &adding->trimming);
        if (result == 0) {
            result = producer_option(call, &i, adding);
        }
        if (result < 0) {
            return false;
        }
        if (result > 0) {
            continue;
        }
        if (call_arg_is(call, i, "nomkstream")) {
            adding->no_make = true;
            continue;
        }
        if (!stream_id_parse(call->args[i], 0, &adding->id, &adding->any_seq)) {
            stream_reply_bad_id(call->reply);
            return false;
        }
        break;
    }
    if (!stream_trimming_complete(call, &adding->trimming)) {
        return false;
    }
    adding->id_at = i;
    int rest = call->argc - i - 1;
    if (rest < 2 || rest % 2 != 0) {
        reply_bad_arity(call->reply, call->command->name);
        return false;
    }
    adding->pair_count = rest / 2;
    return true;
}

static void reply_too_large(struct reply *reply) {
    reply_error(reply, "ERR Elements are too large to be stored");
}

/* The id that the entry gets; false when an error has been replied. */
static bool choose_id(struct call *call, const struct stream *stream, struct adding *adding) {
    struct stream_id last = stream->last_id;
    if (last.ms == UINT64_MAX && last.seq == UINT64_MAX) {
        reply_error(call->reply, "ERR The stream has exhausted the last possible ID, unable to add "
                                 "more items");
        return false;
    }
    if (adding->any_id) {
        adding->id = (struct stream_id){.ms = (uint64_t)call->now_ms};
        if (adding->id.ms <= last.ms) {
            adding->id = last;
            stream_id_after(&adding->id);
        }
        return true;
    }
    if (adding->any_seq && adding->id.ms == last.ms) {
        if (last.seq == UINT64_MAX) {
            /* Redis's words for it, whatever they mean. */
            reply_too_large(call->reply);
            return false;
        }
        adding->id.seq = last.seq + 1;
    }
    if (!stream_id_less(last, adding->id)) {
        reply_error(call->reply, "ERR The ID specified in XADD is equal or smaller than the target "
                                 "stream top item");
        return false;
    }
    return true;
}

/* Others get the id as it came out, and are told exactly how much to trim. */
static void pass_on_add(struct stream_call *on, const struct adding *adding, uint64_t trimmed) {
    struct call *call = on->call;
    bool approximate = adding->trimming.is_given && adding->trimming.trim.approximate;
    bool as_it_is = !adding->any_id && !adding->any_seq && !approximate && adding->producer_at == 0;
    if (!call_is_heard(call) || as_it_is) {
        return;
    }
    size_t pairs = 2 * (size_t)adding->pair_count;
    size_t words_max = 3 + STREAM_TRIMMING_WORDS + pairs;
    struct bytes *words = mem_alloc(MEM_BUFFER, words_max * sizeof *words);
    char id[STREAM_ID_SIZE];
    struct stream_trimming_words trim;
    int count = 0;
    words[count++] = call->args[0];
    words[count++] = call->args[1];
    if (trimmed > 0) {
        stream_trimming_words(on, &adding->trimming, &trim);
        memcpy(words + count, trim.words, (size_t)trim.count * sizeof *words);
        count += trim.count;
    }
    words[count++] = bytes_of(id, stream_id_format(id, adding->id));
    memcpy(words + count, call->args + adding->id_at + 1, pairs * sizeof *words);
    call_pass_on(call, words, count + (int)pairs);
    mem_free(MEM_BUFFER, words, words_max * sizeof *words);
    if (adding->producer_at != 0) {
        CALL_PASS_ON(call, bytes_text("XIDMPRECORD"), call->args[1],
                     call->args[adding->producer_at], adding->sent,
                     bytes_of(id, stream_id_format(id, adding->id)));
    }
}

/* Whether the producer has sent this before: then the id that it got is replied. */
static bool is_sent_again(struct stream_call *on, struct adding *adding) {
    struct call *call = on->call;
    struct stream_id id;
    if (adding->producer_at == 0) {
        return false;
    }
    if (adding->sent.size == 0) {
        adding->sent = stream_content_id(call->args + adding->id_at + 1, (size_t)adding->pair_count,
                                         adding->content_id);
    }
    struct stream_producers *producers = stream_call_producers(on);
    if (!stream_sent_find(producers, call->args[adding->producer_at],
                          stream_sent_id_of(adding->sent), call->now_ms, &id)) {
        return false;
    }
    producers->duplicates++;
    stream_reply_id(call->reply, id);
    return true;
}

/* What cannot be remembered for want of memory has been added all the same. */
static void remember_sent(struct stream_call *on, const struct adding *adding) {
    if (adding->producer_at != 0) {
        stream_sent_try_add(on->stream->producers, on->call->args[adding->producer_at],
                            stream_sent_id_of(adding->sent), on->call->now_ms, adding->id);
    }
}

static bool is_too_large(const struct bytes *pairs, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pairs[i].size;
    }
    return size >= STREAM_ENTRY_SIZE_MAX;
}

static void trim_and_pass_on(struct stream_call *on, struct adding *adding) {
    uint64_t trimmed = 0;
    if (adding->trimming.is_given) {
        trimmed = stream_trimming_do(on, &adding->trimming);
        if (trimmed > 0) {
            keyspace_event(on->call->keyspace, &on->key, KEYSPACE_STREAM, "xtrim");
        }
    }
    pass_on_add(on, adding, trimmed);
}

static void xadd(struct call *call) {
    struct adding adding = {.no_make = false};
    if (!parse_add(call, &adding)) {
        return;
    }
    if (!adding.any_id && !adding.any_seq && stream_id_is_zero(adding.id)) {
        reply_error(call->reply, "ERR The ID specified in XADD must be greater than 0-0");
        return;
    }
    struct stream_call on;
    if (!stream_call_write(call, 1, &on)) {
        return;
    }
    if (on.entry == NULL && adding.no_make) {
        reply_null(call->reply);
        return;
    }
    const struct bytes *pairs = call->args + adding.id_at + 1;
    if (is_too_large(pairs, 2 * (size_t)adding.pair_count)) {
        reply_too_large(call->reply);
        return;
    }
    bool is_new = on.entry == NULL;
    if (!stream_call_create(&on)) {
        return;
    }
    if (is_sent_again(&on, &adding)) {
        return;
    }
    bool added = choose_id(call, on.stream, &adding);
    if (added && stream_add(on.stream, &call->keyspace->stream_options, adding.id, pairs,
                            (uint32_t)adding.pair_count) != 0) {
        reply_no_memory(call->reply);
        added = false;
    }
    if (!added) {
        if (is_new) {
            keyspace_remove(call->keyspace, &on.key, on.entry, false);
        }
        return;
    }
    stream_reply_id(call->reply, adding.id);
    remember_sent(&on, &adding);
    stream_call_changed(&on, "xadd");
    stream_call_wake(&on);
    trim_and_pass_on(&on, &adding);
}

static void xlen(struct call *call) {
    struct stream_call on;
    if (stream_call_read(call, 1, &on)) {
        reply_integer(call->reply, on.stream != NULL ? (int64_t)on.stream->length : 0);
    }
}

static void xdel(struct call *call) {
    struct stream_call on;
    if (!stream_call_write(call, 1, &on)) {
        return;
    }
    if (on.stream == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    struct stream_id id;
    for (int i = 2; i < call->argc; i++) {
        if (!stream_call_id(call, i, &id)) {
            return;
        }
    }
    int64_t deleted = 0;
    for (int i = 2; i < call->argc; i++) {
        stream_id_parse(call->args[i], 0, &id, NULL);
        deleted += stream_delete(on.stream, id);
    }
    if (deleted > 0) {
        stream_call_changed(&on, "xdel");
    }
    reply_integer(call->reply, deleted);
}

static void xtrim(struct call *call) {
    struct stream_trimming trimming = {.is_given = false};
    for (int i = 2; i < call->argc; i++) {
        int result = stream_trimming_option(call, &i, &trimming);
        if (result < 0) {
            return;
        }
        if (result == 0) {
            reply_syntax_error(call->reply);
            return;
        }
    }
    if (trimming.trim.limit == 0 && !trimming.is_given) {
        reply_error(call->reply, "ERR syntax error, XTRIM must be called with a trimming strategy");
        return;
    }
    struct stream_call on;
    if (!stream_trimming_complete(call, &trimming) || !stream_call_write(call, 1, &on)) {
        return;
    }
    uint64_t trimmed = on.stream != NULL ? stream_trimming_do(&on, &trimming) : 0;
    reply_integer(call->reply, (int64_t)trimmed);
    if (trimmed == 0) {
        return;
    }
    stream_call_changed(&on, "xtrim");
    if (trimming.trim.approximate && call_is_heard(call)) {
        struct stream_trimming_words trim;
        stream_trimming_words(&on, &trimming, &trim);
        struct bytes words[2 + STREAM_TRIMMING_WORDS] = {call->args[0], call->args[1]};
        memcpy(words + 2, trim.words, (size_t)trim.count * sizeof *words);
        call_pass_on(call, words, 2 + trim.count);
    }
}

/* What XSETID was told beside the id. */
struct setting {
    struct stream_id last_id;
    struct stream_id max_deleted_id;
    int64_t entries_added; /* -1: not given */
};

static bool parse_setting(struct call *call, struct setting *setting) {
    *setting = (struct setting){.entries_added = -1};
    if (!stream_call_id(call, 2, &setting->last_id)) {
        return false;
    }
    for (int i = 3; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        if (more && call_arg_is(call, i, "entriesadded")) {
            if (!call_integer(call, i + 1, &setting->entries_added)) {
                return false;
            }
            if (setting->entries_added < 0) {
                reply_error(call->reply, "ERR entries_added must be positive");
                return false;
            }
        } else if (more && call_arg_is(call, i, "maxdeletedid")) {
            if (!stream_call_id(call, i + 1, &setting->max_deleted_id)) {
                return false;
            }
            if (stream_id_less(setting->last_id, setting->max_deleted_id)) {
                reply_error(call->reply, "ERR The ID specified in XSETID is smaller than the "
                                         "provided max_deleted_entry_id");
                return false;
            }
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static void xsetid(struct call *call) {
    struct setting setting;
    struct stream_call on;
    if (!parse_setting(call, &setting) || !stream_call_write(call, 1, &on)) {
        return;
    }
    if (on.stream == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    struct stream *stream = on.stream;
    if (stream->length > 0) {
        if (stream_id_less(setting.last_id, stream_last_entry_id(stream))) {
            reply_error(call->reply, "ERR The ID specified in XSETID is smaller than the target "
                                     "stream top item");
            return;
        }
        if (setting.entries_added != -1 && stream->length > (uint64_t)setting.entries_added) {
            reply_error(call->reply, "ERR The entries_added specified in XSETID is smaller than "
                                     "the target stream length");
            return;
        }
    }
    stream->last_id = setting.last_id;
    if (setting.entries_added != -1) {
        stream->entries_added = (uint64_t)setting.entries_added;
    }
    if (!stream_id_is_zero(setting.max_deleted_id)) {
        stream->max_deleted_id = setting.max_deleted_id;
    }
    reply_ok(call->reply);
    stream_call_changed(&on, "xsetid");
}

#define ONE_KEY(how) KEYS_RANGE(1, 0, 1, 0, (how))

static const struct command_row rows[] = {
    {.name = "xadd",
     .fn = xadd,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},
     .tips = TIP_CHANCE,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(1), and O(N) for N entries that are trimmed.",
     .summary = "Adds an entry to a stream, which is made if it is absent, and may trim it.",
     .syntax = "key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO pid|IDMP pid iid] "
               "[<MAXLEN|MINID> [=|~] threshold [LIMIT "
               "count]] <*|id> field value [field value ...]"},
    {.name = "xdel",
     .fn = xdel,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(N) for N entries to delete.",
     .summary = "Deletes entries of a stream and returns how many there were.",
     .syntax = "key id [id ...]"},
    {.name = "xlen",
     .fn = xlen,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {ONE_KEY(KEY_RO)},
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Returns how many entries a stream has.",
     .syntax = "key"},
    {.name = "xsetid",
     .fn = xsetid,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Sets the last id of a stream, and what is counted of it.",
     .syntax = "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]"},
    {.name = "xtrim",
     .fn = xtrim,
     .arity = -4,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_SLOW,
     .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},
     .tips = TIP_CHANCE,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(N) for N entries that are trimmed; those that are kept together go together.",
     .summary = "Deletes the oldest entries of a stream and returns how many.",
     .syntax = "key <MAXLEN|MINID> [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]"},
};

const struct command_table *command_streams(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
