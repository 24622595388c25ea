/* hash_expire: deadlines of single fields: setting them (HEXPIRE and its variants, HSETEX,
 * HGETEX), taking them away and reading them. */
#include "call/pass_on.h"
#include "command/hash_call.h"

#include "base/mem.h"
#include "base/num.h"
#include "command/tables.h"

/* The latest deadline that is accepted: 46 bits of milliseconds, as in Redis (the year 4199). */
#define DEADLINE_MAX (((int64_t)1 << 46) - 1)

/* How a time is given or asked for. */
enum time_form {
    IN_SECONDS,
    IN_MS,
    AT_SECONDS,
    AT_MS,
};

static bool is_in_seconds(enum time_form form) {
    return form == IN_SECONDS || form == AT_SECONDS;
}

static bool is_absolute(enum time_form form) {
    return form == AT_SECONDS || form == AT_MS;
}

/* Reads argument `index` as a deadline; false when it is none: the error has been replied. */
static bool read_deadline(struct call *call, int index, enum time_form form, int64_t *deadline_ms) {
    int64_t time;
    if (!call_integer(call, index, &time)) {
        return false;
    }
    if (time < 0) {
        reply_error(call->reply, "ERR invalid expire time, must be >= 0");
        return false;
    }
    int64_t base_ms = is_absolute(form) ? 0 : call->now_ms;
    int64_t unit_ms = is_in_seconds(form) ? 1000 : 1;
    if (time > DEADLINE_MAX / unit_ms || time * unit_ms > DEADLINE_MAX - base_ms) {
        reply_errorf(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    *deadline_ms = base_ms + time * unit_ms;
    return true;
}

/* Reads FIELDS and the number behind it at argument `at`; the fields follow, `step` arguments
 * each, up to the end. False when that is not so: the error has been replied. */
static bool read_fields(struct call *call, int at, int step, const char *bad_number,
                        int64_t *count) {
    if (at + 1 >= call->argc || !call_arg_is(call, at, "fields")) {
        reply_error(call->reply,
                    "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (!num_parse_i64(call->args[at + 1], count) || *count < 1) {
        reply_error(call->reply, bad_number);
        return false;
    }
    int given = call->argc - at - 2;
    if (given % step != 0 || *count != given / step) {
        reply_error(call->reply,
                    "ERR The `numfields` parameter must match the number of arguments");
        return false;
    }
    return true;
}

#define NOT_POSITIVE "ERR Number of fields must be a positive integer"

/* What changes of deadlines have come to, for the events. */
struct changes {
    int deadline_set; /* so many fields */
    int deadline_gone;
    int deleted;
    int64_t deadline_ms; /* that was set */
    struct bytes *set;   /* the fields, while somebody wants to know what the call becomes */
    struct bytes *gone;
    struct bytes *left;
    size_t room;
};

static void begin_changes(const struct call *call, struct changes *changes) {
    *changes = (struct changes){0};
    if (call_is_heard(call)) {
        changes->room = (size_t)call->argc;
        changes->set = mem_alloc(MEM_ARENA, 3 * changes->room * sizeof(struct bytes));
        changes->gone = changes->set + changes->room;
        changes->left = changes->gone + changes->room;
    }
}

static void note(struct bytes *fields, int *count, struct bytes field) {
    if (fields != NULL) {
        fields[*count] = field;
    }
    (*count)++;
}

/* Only the fields that something has happened to, and times of the clock. */
static void pass_on_changes(const struct hash_call *on, struct changes *changes) {
    char time[NUM_I64_SIZE];
    char digits[NUM_I64_SIZE];
    if (changes->set == NULL) {
        return;
    }
    const struct bytes set[] = {bytes_text("HPEXPIREAT"), on->key.name,
                                pass_on_number(time, changes->deadline_ms), bytes_text("FIELDS"),
                                pass_on_number(digits, changes->deadline_set)};
    hash_call_pass_on_fields(on, set, 5, changes->set, changes->deadline_set);
    const struct bytes gone[] = {bytes_text("HPERSIST"), on->key.name, bytes_text("FIELDS"),
                                 pass_on_number(digits, changes->deadline_gone)};
    hash_call_pass_on_fields(on, gone, 4, changes->gone, changes->deadline_gone);
    hash_call_pass_on_deleted(on, changes->left, changes->deleted);
    mem_free(MEM_ARENA, changes->set, 3 * changes->room * sizeof(struct bytes));
}

static void tell_changes(struct hash_call *on, struct changes *changes) {
    if (changes->deadline_set > 0) {
        hash_call_changed(on, "hexpire");
    }
    if (changes->deadline_gone > 0) {
        hash_call_changed(on, "hpersist");
    }
    if (changes->deleted > 0) {
        hash_call_changed(on, "hdel");
    }
    pass_on_changes(on, changes);
    if (on->hash != NULL) {
        hash_call_settle(on);
    }
}

/* HEXPIRE and its variants. */

enum condition { ALWAYS, IF_NONE, IF_ANY, IF_LATER, IF_EARLIER };

/* What the reply says of a field. */
enum expire_code {
    EXPIRE_NO_FIELD = -2,
    EXPIRE_REFUSED = 0,
    EXPIRE_SET = 1,
    EXPIRE_DELETED = 2,
};

/* Whether a field with deadline `old_ms`, which may be ENTRY_NO_DEADLINE, gets the new one. None
 * counts as infinitely late. */
static bool condition_holds(enum condition condition, int64_t old_ms, int64_t new_ms) {
    switch (condition) {
    case IF_NONE:
        return old_ms == ENTRY_NO_DEADLINE;
    case IF_ANY:
        return old_ms != ENTRY_NO_DEADLINE;
    case IF_LATER:
        return old_ms != ENTRY_NO_DEADLINE && new_ms > old_ms;
    case IF_EARLIER:
        return old_ms == ENTRY_NO_DEADLINE || new_ms < old_ms;
    default:
        return true;
    }
}

/* Having no memory for the deadline counts as refused. */
static enum expire_code expire_field(struct hash_call *on, struct element_name field,
                                     enum condition condition, int64_t deadline_ms,
                                     struct changes *changes) {
    int64_t now_ms = on->call->now_ms;
    int64_t old_ms = on->hash == NULL ? HASH_NO_FIELD : hash_deadline(on->hash, field, now_ms);
    if (old_ms == HASH_NO_FIELD) {
        return EXPIRE_NO_FIELD;
    }
    if (!condition_holds(condition, old_ms, deadline_ms)) {
        return EXPIRE_REFUSED;
    }
    if (deadline_ms <= now_ms) {
        hash_delete(on->hash, field, now_ms);
        note(changes->left, &changes->deleted, field.text);
        return EXPIRE_DELETED;
    }
    if (hash_set_deadline(on->hash, field, deadline_ms, now_ms) != 0) {
        return EXPIRE_REFUSED;
    }
    note(changes->set, &changes->deadline_set, field.text);
    changes->deadline_ms = deadline_ms;
    return EXPIRE_SET;
}

static enum condition read_condition(const struct call *call, int index) {
    static const struct {
        const char *word;
        enum condition condition;
    } words[] = {{"nx", IF_NONE}, {"xx", IF_ANY}, {"gt", IF_LATER}, {"lt", IF_EARLIER}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (call_arg_is(call, index, words[i].word)) {
            return words[i].condition;
        }
    }
    return ALWAYS;
}

static void expire(struct call *call, enum time_form form) {
    struct hash_call on;
    int64_t deadline_ms;
    int64_t count;
    if (!hash_call_write(call, &on) || !read_deadline(call, 2, form, &deadline_ms)) {
        return;
    }
    enum condition condition = read_condition(call, 3);
    int at = condition == ALWAYS ? 3 : 4;
    if (!read_fields(call, at, 1, "ERR Parameter `numFields` should be greater than 0", &count)) {
        return;
    }
    struct changes changes;
    begin_changes(call, &changes);
    reply_array(call->reply, count);
    for (int i = at + 2; i < call->argc; i++) {
        int code = expire_field(&on, call_element_name(call, i), condition, deadline_ms, &changes);
        reply_integer(call->reply, code);
    }
    tell_changes(&on, &changes);
}

static void hexpire(struct call *call) {
    expire(call, IN_SECONDS);
}

static void hpexpire(struct call *call) {
    expire(call, IN_MS);
}

static void hexpireat(struct call *call) {
    expire(call, AT_SECONDS);
}

static void hpexpireat(struct call *call) {
    expire(call, AT_MS);
}

/* How a field without deadline and an absent one are replied. */
static int64_t no_deadline_code(int64_t deadline_ms) {
    return deadline_ms == HASH_NO_FIELD ? -2 : -1;
}

static void hpersist(struct call *call) {
    struct hash_call on;
    int64_t count;
    if (!hash_call_write(call, &on) || !read_fields(call, 2, 1, NOT_POSITIVE, &count)) {
        return;
    }
    struct changes changes;
    begin_changes(call, &changes);
    reply_array(call->reply, count);
    for (int i = 4; i < call->argc; i++) {
        int64_t old_ms = HASH_NO_FIELD;
        if (on.hash != NULL) {
            old_ms = hash_deadline(on.hash, call_element_name(call, i), call->now_ms);
        }
        if (old_ms < 0) {
            reply_integer(call->reply, no_deadline_code(old_ms));
        } else {
            hash_persist(on.hash, call_element_name(call, i), call->now_ms);
            note(changes.gone, &changes.deadline_gone, call->args[i]);
            reply_integer(call->reply, 1);
        }
    }
    tell_changes(&on, &changes);
}
/* HTTL and its variants: -2 no field, -1 no deadline. Seconds are rounded up. */
static void time_to_live(struct call *call, enum time_form form) {
    struct hash_call on;
    int64_t count;
    if (!hash_call_read(call, &on) || !read_fields(call, 2, 1, NOT_POSITIVE, &count)) {
        return;
    }
    int64_t base_ms = is_absolute(form) ? 0 : call->now_ms;
    reply_array(call->reply, count);
    for (int i = 4; i < call->argc; i++) {
        int64_t time = HASH_NO_FIELD;
        if (on.hash != NULL) {
            time = hash_deadline(on.hash, call_element_name(call, i), call->now_ms);
        }
        if (time < 0) {
            reply_integer(call->reply, no_deadline_code(time));
            continue;
        }
        time -= base_ms;
        reply_integer(call->reply, is_in_seconds(form) ? (time + 999) / 1000 : time);
    }
}

static void httl(struct call *call) {
    time_to_live(call, IN_SECONDS);
}

static void hpttl(struct call *call) {
    time_to_live(call, IN_MS);
}

static void hexpiretime(struct call *call) {
    time_to_live(call, AT_SECONDS);
}

static void hpexpiretime(struct call *call) {
    time_to_live(call, AT_MS);
}

/* HGETEX and HSETEX. */

/* Options in front of FIELDS. */
struct field_options {
    bool is_setting;     /* HSETEX */
    int fields_at;       /* index of FIELDS */
    bool has_deadline;   /* EX, PX, EXAT, PXAT */
    bool keeps;          /* KEEPTTL */
    bool persists;       /* PERSIST */
    bool if_none;        /* FNX */
    bool if_all;         /* FXX */
    bool if_no_key;      /* NX */
    bool if_key;         /* XX */
    int64_t deadline_ms; /* with has_deadline */
};

static bool time_form_named(const struct call *call, int index, enum time_form *form) {
    static const char *const words[] = {
        [IN_SECONDS] = "ex", [IN_MS] = "px", [AT_SECONDS] = "exat", [AT_MS] = "pxat"};
    for (int i = IN_SECONDS; i <= AT_MS; i++) {
        if (call_arg_is(call, index, words[i])) {
            *form = (enum time_form)i;
            return true;
        }
    }
    return false;
}

/* One option at *index, which is left at its last argument. False when an error has been
 * replied. */
static bool read_option(struct call *call, int *index, struct field_options *options) {
    enum time_form form;
    bool is_setting = options->is_setting;
    bool is_keep = is_setting && call_arg_is(call, *index, "keepttl");
    bool is_persist = !is_setting && call_arg_is(call, *index, "persist");
    bool is_time = time_form_named(call, *index, &form);
    if (is_keep || is_persist || is_time) {
        if (options->has_deadline || options->keeps || options->persists) {
            reply_errorf(call->reply,
                         "ERR Only one of EX, PX, EXAT, PXAT or %s arguments can be specified",
                         is_setting ? "KEEPTTL" : "PERSIST");
            return false;
        }
        options->keeps = is_keep;
        options->persists = is_persist;
        options->has_deadline = is_time;
        if (is_time && *index + 1 >= call->argc) {
            reply_error(call->reply, "ERR missing expire time");
            return false;
        }
        return !is_time || read_deadline(call, ++*index, form, &options->deadline_ms);
    }
    bool is_no_key = is_setting && call_arg_is(call, *index, "nx");
    bool is_key = is_setting && call_arg_is(call, *index, "xx");
    if (is_no_key || is_key) {
        if (options->if_no_key || options->if_key) {
            reply_error(call->reply, "ERR Only one of NX or XX arguments can be specified");
            return false;
        }
        options->if_no_key = is_no_key;
        options->if_key = is_key;
        return true;
    }
    bool is_none = is_setting && call_arg_is(call, *index, "fnx");
    bool is_all = is_setting && call_arg_is(call, *index, "fxx");
    if (!is_none && !is_all) {
        reply_errorf(call->reply, "ERR unknown argument: %.*s", bytes_printed(call->args[*index]),
                     call->args[*index].at);
        return false;
    }
    if (options->if_none || options->if_all) {
        reply_error(call->reply, "ERR Only one of FXX or FNX arguments can be specified");
        return false;
    }
    options->if_none = is_none;
    options->if_all = is_all;
    return true;
}

static bool read_options(struct call *call, bool is_setting, struct field_options *options) {
    *options = (struct field_options){.is_setting = is_setting};
    int i = 2;
    for (; i < call->argc && !call_arg_is(call, i, "fields"); i++) {
        if (!read_option(call, &i, options)) {
            return false;
        }
    }
    options->fields_at = i;
    return true;
}

static void hgetex(struct call *call) {
    struct hash_call on;
    struct field_options options;
    int64_t count;
    if (!hash_call_write(call, &on) || !read_options(call, false, &options) ||
        !read_fields(call, options.fields_at, 1, NOT_POSITIVE, &count)) {
        return;
    }
    struct changes changes;
    begin_changes(call, &changes);
    reply_array(call->reply, count);
    for (int i = options.fields_at + 2; i < call->argc; i++) {
        struct element_name field = call_element_name(call, i);
        hash_call_reply_field(&on, field);
        if (options.has_deadline) {
            expire_field(&on, field, ALWAYS, options.deadline_ms, &changes);
        } else if (options.persists && on.hash != NULL &&
                   hash_persist(on.hash, field, call->now_ms) == 0) {
            note(changes.gone, &changes.deadline_gone, call->args[i]);
        }
    }
    tell_changes(&on, &changes);
}

/* Whether FNX or FXX let the fields be set. */
static bool may_set(const struct hash_call *on, const struct field_options *options) {
    const struct call *call = on->call;
    bool has_key = on->hash != NULL && hash_length(on->hash, call->now_ms) > 0;
    if ((options->if_no_key && has_key) || (options->if_key && !has_key)) {
        return false;
    }
    if (!options->if_none && !options->if_all) {
        return true;
    }
    for (int i = options->fields_at + 2; i < call->argc; i += 2) {
        bool exists =
            on->hash != NULL && hash_exists(on->hash, call_element_name(call, i), call->now_ms);
        if (exists != options->if_all) {
            return false;
        }
    }
    return true;
}

/* Fields that are set with a deadline in the past are not there afterwards. */
static void delete_instead(struct hash_call *on, const struct field_options *options) {
    const struct call *call = on->call;
    struct changes changes;
    begin_changes(call, &changes);
    for (int i = options->fields_at + 2; on->hash != NULL && i < call->argc; i += 2) {
        if (hash_delete(on->hash, call_element_name(call, i), call->now_ms)) {
            note(changes.left, &changes.deleted, call->args[i]);
        }
    }
    tell_changes(on, &changes);
    reply_integer(call->reply, 1);
}

/* HSETEX without its condition, with a time of the clock; of the fields before argument `end`. */
static void pass_on_set(const struct hash_call *on, const struct field_options *options, int end) {
    const struct call *call = on->call;
    char time[NUM_I64_SIZE];
    char digits[NUM_I64_SIZE];
    int first = options->fields_at + 2;
    struct bytes head[6] = {bytes_text("HSETEX"), on->key.name};
    int count = 2;
    if (options->has_deadline) {
        head[count++] = bytes_text("PXAT");
        head[count++] = pass_on_number(time, options->deadline_ms);
    } else if (options->keeps) {
        head[count++] = bytes_text("KEEPTTL");
    }
    head[count++] = bytes_text("FIELDS");
    head[count++] = pass_on_number(digits, (end - first) / 2);
    hash_call_pass_on_fields(on, head, count, call->args + first, end - first);
}

static void hsetex(struct call *call) {
    struct hash_call on;
    struct field_options options;
    int64_t count;
    if (!hash_call_write(call, &on) || !read_options(call, true, &options) ||
        !read_fields(call, options.fields_at, 2, NOT_POSITIVE, &count)) {
        return;
    }
    if (!may_set(&on, &options)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (options.has_deadline && options.deadline_ms <= call->now_ms) {
        delete_instead(&on, &options);
        return;
    }
    if (!hash_call_create(&on)) {
        return;
    }
    int64_t deadline_ms = options.keeps ? HASH_KEEP_DEADLINE : ENTRY_NO_DEADLINE;
    if (options.has_deadline) {
        deadline_ms = options.deadline_ms;
    }
    int result = 0;
    int first = options.fields_at + 2;
    int i = first;
    for (; i < call->argc && result >= 0; i += 2) {
        result = hash_call_set(&on, i, deadline_ms);
    }
    bool any_set = result >= 0 || i > first + 2;
    if (any_set) {
        hash_call_changed(&on, "hset");
    }
    if (any_set) {
        pass_on_set(&on, &options, i);
    }
    struct changes changes = {.deadline_set = any_set && options.has_deadline};
    tell_changes(&on, &changes);
    if (result >= 0) {
        reply_integer(call->reply, 1);
    }
}

#define READ_KEY   KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)
#define UPDATE_KEY KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)
#define READ_FAST  (CATEGORY_READ | CATEGORY_HASH | CATEGORY_FAST)
#define WRITE_FAST (CATEGORY_WRITE | CATEGORY_HASH | CATEGORY_FAST)
#define EACH_FIELD "O(N) for N fields."

static const struct command_row rows[] = {
    {.name = "hexpire",
     .fn = hexpire,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {UPDATE_KEY},
     .element = 5,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Gives fields of a hash a time to live in seconds.",
     .syntax = "key seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]"},
    {.name = "hexpireat",
     .fn = hexpireat,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {UPDATE_KEY},
     .element = 5,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Lets fields of a hash expire at a Unix time in seconds.",
     .syntax = "key unix-time-seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]"},
    {.name = "hexpiretime",
     .fn = hexpiretime,
     .arity = -5,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .element = 4,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Returns when fields of a hash expire, as Unix times in seconds.",
     .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hgetex",
     .fn = hgetex,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_HASH,
     .since = "8.0.0",
     .complexity = EACH_FIELD,
     .summary = "Returns the values of fields of a hash and changes when they expire.",
     .syntax = "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|"
               "PXAT unix-time-milliseconds|PERSIST] FIELDS numfields field [field ...]"},
    {.name = "hpersist",
     .fn = hpersist,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {UPDATE_KEY},
     .element = 4,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Takes the time to live of fields of a hash away.",
     .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hpexpire",
     .fn = hpexpire,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {UPDATE_KEY},
     .element = 5,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Gives fields of a hash a time to live in milliseconds.",
     .syntax = "key milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]"},
    {.name = "hpexpireat",
     .fn = hpexpireat,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {UPDATE_KEY},
     .element = 5,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Lets fields of a hash expire at a Unix time in milliseconds.",
     .syntax = "key unix-time-milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]"},
    {.name = "hpexpiretime",
     .fn = hpexpiretime,
     .arity = -5,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .element = 4,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Returns when fields of a hash expire, as Unix times in milliseconds.",
     .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hpttl",
     .fn = hpttl,
     .arity = -5,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .element = 4,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Returns the time to live of fields of a hash in milliseconds.",
     .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hsetex",
     .fn = hsetex,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = WRITE_FAST,
     .keys = {UPDATE_KEY},
     .group = GROUP_HASH,
     .since = "8.0.0",
     .complexity = EACH_FIELD,
     .summary = "Sets fields of a hash together with when they expire.",
     .syntax = "key [NX|XX] [FNX|FXX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|"
               "PXAT unix-time-milliseconds|KEEPTTL] FIELDS numfields field value "
               "[field value ...]"},
    {.name = "httl",
     .fn = httl,
     .arity = -5,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .element = 4,
     .group = GROUP_HASH,
     .since = "7.4.0",
     .complexity = EACH_FIELD,
     .summary = "Returns the time to live of fields of a hash in seconds.",
     .syntax = "key FIELDS numfields field [field ...]"},
};

const struct command_table *command_hash_expiry(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
