/* fetch: values that are computed once for all who ask: FETCH shows a value, even a stale one, and
 * grants the lease of one that is missing or stale; STORE is SET with a lease and a grace; UNLEASE
 * gives a lease back. feature/leases.h says what a lease is, client/waiting.h who waits for it.
 *
 * Every command here answers under LARDER.<NAME> as well. FETCH needs the permission to write its
 * key, though it changes no value: who may only read must not take leases. */
#include "call/pass_on.h"
#include "client/waiting.h"
#include "command/string_options.h"
#include "command/string_write.h"
#include "command/tables.h"
#include "ds/extras.h"
#include "feature/leases.h"

#define MS_IN_S 1000

/* ---- FETCH ---- */

struct fetch {
    struct key key;
    struct entry *entry; /* fresh or stale; NULL: there is none */
    int64_t ttl_ms;      /* of one with a deadline: 0 or negative is stale */
    bool has_ttl;
    bool is_stale;
    int64_t lease_ms; /* 0: none is asked for */
    int64_t wait_ms;  /* 0: does not wait */
    int64_t early_ms;
};

static bool read_options(struct call *call, struct fetch *fetch) {
    for (int i = 2; i < call->argc; i += 2) {
        bool is_lease = call_arg_is(call, i, "lease");
        int64_t *ms = is_lease                        ? &fetch->lease_ms
                      : call_arg_is(call, i, "wait")  ? &fetch->wait_ms
                      : call_arg_is(call, i, "early") ? &fetch->early_ms
                                                      : NULL;
        if (ms == NULL || i + 1 == call->argc) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (!call_integer_between(call, i + 1, is_lease, LEASE_MS_MAX, ms)) {
            return false;
        }
    }
    return true;
}

/* False when it is no string: replied. */
static bool look(struct call *call, struct fetch *fetch) {
    fetch->key = call_key(call, 1);
    fetch->entry = keyspace_fetch(call->keyspace, &fetch->key);
    if (!call_type_ok(call, fetch->entry, ENTRY_STRING)) {
        return false;
    }
    if (fetch->entry != NULL && fetch->entry->flags & ENTRY_HAS_DEADLINE) {
        fetch->has_ttl = true;
        fetch->ttl_ms = entry_deadline(fetch->entry) - call->now_ms;
        fetch->is_stale = fetch->ttl_ms <= 0;
    }
    return true;
}

static void reply_value(struct call *call, const struct fetch *fetch) {
    reply_array(call->reply, 3);
    if (fetch->entry != NULL) {
        reply_string_entry(call->reply, fetch->entry);
    } else {
        reply_null(call->reply);
    }
    if (fetch->has_ttl) {
        reply_integer(call->reply, fetch->ttl_ms);
    } else {
        reply_null(call->reply);
    }
    keyspace_count_read(call->keyspace, &fetch->key, fetch->entry != NULL);
    leases_metrics(call->context->leases)->lease_stale_served += fetch->is_stale;
}

static void reply_token(struct call *call, const struct fetch *fetch, uint64_t token) {
    char text[LEASE_TOKEN_SIZE];
    struct lease_metrics *metrics = leases_metrics(call->context->leases);
    metrics->lease_promoted += call->again;
    metrics->lease_early += fetch->entry != NULL && !fetch->is_stale;
    lease_token_write(token, text);
    reply_bulk(call->reply, bytes_of(text, sizeof text));
}

static void fetch_timed_out(struct call *call) {
    reply_literal(call->reply, "*3\r\n");
    for (int i = 0; i < 3; i++) {
        reply_null(call->reply);
    }
    struct key key = call_key(call, 1);
    keyspace_count_read(call->keyspace, &key, false);
    leases_metrics(call->context->leases)->lease_wait_timeouts += call->again;
}

/* Nothing to show, and somebody else is at it. */
static void wait_for_value(struct call *call, const struct fetch *fetch) {
    int64_t most_ms = leases_options(call->context->leases)->wait_ms_max;
    const struct wait wait = {.type = ENTRY_STRING,
                              .in_turn = fetch->lease_ms > 0,
                              .first_key = 1,
                              .key_count = 1,
                              .timeout_ms = fetch->wait_ms < most_ms ? fetch->wait_ms : most_ms,
                              .timed_out = fetch_timed_out};
    if (wait.timeout_ms > 0) {
        waiting_begin(call, &wait);
    } else {
        fetch_timed_out(call);
    }
}

static bool wants_lease(const struct fetch *fetch) {
    return fetch->lease_ms > 0 && (fetch->entry == NULL || fetch->is_stale ||
                                   (fetch->has_ttl && fetch->ttl_ms < fetch->early_ms));
}

static void fetch(struct call *call) {
    struct fetch fetch = {.entry = NULL};
    struct leases *leases = call->context->leases;
    if ((call->argc > 2 && !read_options(call, &fetch)) || !look(call, &fetch)) {
        return;
    }
    enum lease_answer answer = LEASE_HELD;
    uint64_t token = 0;
    if (UNLIKELY(wants_lease(&fetch))) {
        answer = leases_ask(leases, &fetch.key, call->client, fetch.lease_ms, &token);
    } else if (fetch.entry == NULL && leases_bar(leases, &fetch.key)) {
        answer = LEASE_BARRED;
    }
    if (fetch.entry == NULL && answer == LEASE_HELD && fetch.wait_ms > 0) {
        wait_for_value(call, &fetch);
        return;
    }
    reply_value(call, &fetch);
    if (answer == LEASE_GRANTED) {
        reply_token(call, &fetch, token);
    } else if (answer == LEASE_OVERFLOW) {
        reply_bulk(call->reply, bytes_text("*"));
    } else {
        reply_null(call->reply);
        leases_metrics(leases)->lease_coalesced += call->again && fetch.entry != NULL;
    }
}

static void fetch_ro(struct call *call) {
    struct fetch fetch = {.entry = NULL};
    if (look(call, &fetch)) {
        reply_value(call, &fetch);
        reply_null(call->reply);
    }
}

/* ---- STORE ---- */

/* The grace that the options ask for, 0 for none. False after an error. */
static bool read_grace(struct call *call, const struct string_options *options, int64_t *grace_ms) {
    *grace_ms = 0;
    if (!(options->given & (STRING_STALE | STRING_PSTALE))) {
        return true;
    }
    int64_t unit_ms = options->given & STRING_STALE ? MS_IN_S : 1;
    int64_t value;
    if (!call_integer_between(call, options->grace_at, 0, EXTRA_GRACE_MS_MAX / unit_ms, &value)) {
        return false;
    }
    *grace_ms = value * unit_ms;
    return true;
}

/* Whether there is a deadline that the grace begins at. False: replied. */
static bool grace_ok(struct call *call, const struct string_options *options, int64_t grace_ms) {
    if (grace_ms == 0 || (options->given & STRING_EXPIRES) != 0) {
        return true;
    }
    if ((options->given & STRING_KEEP_TTL) != 0) {
        struct key key = call_key(call, 1);
        const struct entry *entry = keyspace_peek(call->keyspace, &key);
        if (entry != NULL && entry->flags & ENTRY_HAS_DEADLINE) {
            return true;
        }
    }
    reply_error(call->reply, "ERR STALE needs a deadline: EX, PX, EXAT, PXAT, or KEEPTTL of a key "
                             "that has one");
    return false;
}

/* Whether the value may be stored as far as its lease goes. */
static bool lease_stands(struct call *call, const struct string_options *options) {
    if (!(options->given & STRING_LEASE)) {
        return true;
    }
    struct bytes text = call->args[options->lease_at];
    struct key key = call_key(call, 1);
    uint64_t token;
    return bytes_is(text, "*") ||
           (lease_token_read(text, &token) && leases_stand(call->context->leases, &key, token));
}

static void refuse(struct call *call, const struct string_options *options) {
    struct key key = call_key(call, 1);
    struct entry *old = options->given & STRING_GET ? keyspace_read(call->keyspace, &key) : NULL;
    leases_metrics(call->context->leases)->lease_refused++;
    if (call_type_ok(call, old, ENTRY_STRING)) {
        string_write_refused(call, options, old);
    }
}

/* Who keeps the deadline keeps what the key carries besides. */
static struct bytes kept_extras(struct call *call, const struct string_options *options) {
    struct key key = call_key(call, 1);
    const struct entry *entry =
        options->given & STRING_KEEP_TTL ? keyspace_peek(call->keyspace, &key) : NULL;
    return entry == NULL ? bytes_of(NULL, 0) : entry_extras(entry);
}

static void store_with_options(struct call *call) {
    struct string_options options;
    struct string_write write = {.value = 2};
    struct extras extras;
    int64_t grace_ms;
    if (!string_options_read(call, 3,
                             STRING_CONDITIONS | STRING_LEASE | STRING_GET | STRING_KEEP_TTL |
                                 STRING_EXPIRES | STRING_STALE | STRING_PSTALE,
                             &options) ||
        !string_options_deadline(call, &options, &write.deadline_ms) ||
        !read_grace(call, &options, &grace_ms) || !grace_ok(call, &options, grace_ms)) {
        return;
    }
    if (!lease_stands(call, &options)) {
        refuse(call, &options);
        return;
    }
    if (options.given & (STRING_STALE | STRING_PSTALE)) {
        extras_begin(&extras, kept_extras(call, &options));
        extras_set_grace(&extras, grace_ms);
        write.extras = extras_run(&extras);
    }
    if (string_write_on(call, &options, &write)) {
        leases_metrics(call->context->leases)->lease_filled += (options.given & STRING_LEASE) != 0;
        call_pass_on_set(call, call->args[1], call->args[2], write.deadline_ms);
    }
}

static void store(struct call *call) {
    if (UNLIKELY(call->argc != 3)) {
        store_with_options(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *old = keyspace_write(call->keyspace, &key);
    if (LIKELY(string_assign(call, &key, old, 2, ENTRY_NO_DEADLINE))) {
        call_pass_on_set(call, key.name, call->args[2], ENTRY_NO_DEADLINE);
        reply_ok(call->reply);
    }
}

/* ---- UNLEASE ---- */

static void unlease(struct call *call) {
    int64_t bar_ms = 0;
    uint64_t token;
    if (call->argc != 3 && (call->argc != 5 || !call_arg_is(call, 3, "backoff"))) {
        reply_syntax_error(call->reply);
        return;
    }
    if (call->argc == 5 && !call_integer_between(call, 4, 0, LEASE_MS_MAX, &bar_ms)) {
        return;
    }
    struct key key = call_key(call, 1);
    reply_integer(call->reply, lease_token_read(call->args[2], &token) &&
                                   leases_give_back(call->context->leases, &key, token, bar_ms));
}

/* ---- the table ---- */

#define FETCH_CATEGORIES                                                                           \
    (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_BLOCKING | CATEGORY_CACHE | CATEGORY_FAST)

#define FETCH_ROW(name_)                                                                           \
    {                                                                                              \
        .name = name_, .fn = fetch, .arity = -2,                                                   \
        .flags = COMMAND_WRITE | COMMAND_FAST | COMMAND_BLOCKING | COMMAND_TRACKED,                \
        .categories = FETCH_CATEGORIES,                                                            \
        .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .group = GROUP_STRING, \
        .since = "1.0.0", .complexity = "O(1)",                                                    \
        .summary = "Returns a value, fresh or stale, how long it is fresh, and perhaps the lease " \
                   "to compute it.",                                                               \
        .syntax = "key [LEASE milliseconds] [WAIT milliseconds] [EARLY milliseconds]"              \
    }
#define FETCH_RO_ROW(name_)                                                                        \
    {                                                                                              \
        .name = name_, .fn = fetch_ro, .arity = 2, .flags = COMMAND_READONLY | COMMAND_FAST,       \
        .categories = CATEGORY_READ | CATEGORY_STRING | CATEGORY_CACHE | CATEGORY_FAST,            \
        .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)}, .group = GROUP_STRING,              \
        .since = "1.0.0", .complexity = "O(1)",                                                    \
        .summary = "Returns a value, fresh or stale, and how long it is fresh.", .syntax = "key"   \
    }
#define STORE_ROW(name_)                                                                           \
    {                                                                                              \
        .name = name_, .fn = store, .arity = -3,                                                   \
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,                                   \
        .categories = CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_CACHE | CATEGORY_FAST,           \
        .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .group = GROUP_STRING, \
        .since = "1.0.0",                                                                          \
        .complexity = "O(1), and O(N) to serve the N clients that wait for the value",             \
        .summary = "Gives a key a string value, with a lease that must stand, and for how long "   \
                   "it may be shown when it is stale.",                                            \
        .syntax = "key value [NX|XX|IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE "     \
                  "ifdne-digest|LEASE token] [GET] [EX seconds|PX milliseconds|EXAT "              \
                  "unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL] [STALE "                 \
                  "stale-seconds|PSTALE stale-milliseconds]"                                       \
    }
#define UNLEASE_ROW(name_)                                                                         \
    {                                                                                              \
        .name = name_, .fn = unlease, .arity = -3, .flags = COMMAND_WRITE | COMMAND_FAST,          \
        .categories = CATEGORY_WRITE | CATEGORY_CACHE | CATEGORY_FAST,                             \
        .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)}, .group = GROUP_STRING,              \
        .since = "1.0.0", .complexity = "O(1)",                                                    \
        .summary = "Gives a lease back without a value, perhaps for nobody to get it for a time.", \
        .syntax = "key token [BACKOFF milliseconds]"                                               \
    }

static const struct command_row rows[] = {
    FETCH_ROW("fetch"),        FETCH_RO_ROW("fetch_ro"),      STORE_ROW("store"),
    UNLEASE_ROW("unlease"),    FETCH_ROW("larder.fetch"),     FETCH_RO_ROW("larder.fetch_ro"),
    STORE_ROW("larder.store"), UNLEASE_ROW("larder.unlease"),
};

const struct command_table *command_fetches(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
