/* string_options: a table of words with what each excludes. */
#include "command/string_options.h"

#include <stddef.h>

struct word {
    const char *text;
    unsigned option;
    unsigned excludes; /* other options that may not be given with it */
    size_t argument;   /* where its argument's index goes in struct string_options; 0: takes none */
};

#define ARGUMENT(field)       offsetof(struct string_options, field)
#define OTHERS(group, option) ((group) & ~(unsigned)(option))
#define CONDITION(text, o, at)                                                                     \
    { text, o, OTHERS(STRING_CONDITIONS | STRING_LEASE, o), at }
#define DEADLINE(text, o, at)                                                                      \
    { text, o, OTHERS(STRING_DEADLINES, o), at }

static const struct word words[] = {
    CONDITION("nx", STRING_NX, 0),
    CONDITION("xx", STRING_XX, 0),
    CONDITION("ifeq", STRING_IFEQ, ARGUMENT(comparison_at)),
    CONDITION("ifne", STRING_IFNE, ARGUMENT(comparison_at)),
    CONDITION("ifdeq", STRING_IFDEQ, ARGUMENT(comparison_at)),
    CONDITION("ifdne", STRING_IFDNE, ARGUMENT(comparison_at)),
    CONDITION("lease", STRING_LEASE, ARGUMENT(lease_at)),
    {"get", STRING_GET, 0, 0},
    DEADLINE("ex", STRING_EX, ARGUMENT(expire_at)),
    DEADLINE("px", STRING_PX, ARGUMENT(expire_at)),
    DEADLINE("exat", STRING_EXAT, ARGUMENT(expire_at)),
    DEADLINE("pxat", STRING_PXAT, ARGUMENT(expire_at)),
    DEADLINE("keepttl", STRING_KEEP_TTL, 0),
    DEADLINE("persist", STRING_PERSIST, 0),
    {"stale", STRING_STALE, STRING_PSTALE, ARGUMENT(grace_at)},
    {"pstale", STRING_PSTALE, STRING_STALE, ARGUMENT(grace_at)},
    {"enx", STRING_ENX, 0, 0},
    {"saturate", STRING_SATURATE, 0, 0},
    {"lbound", STRING_LBOUND, 0, ARGUMENT(lower_at)},
    {"ubound", STRING_UBOUND, 0, ARGUMENT(upper_at)},
    {"byint", STRING_BYINT, STRING_BYFLOAT, ARGUMENT(increment_at)},
    {"byfloat", STRING_BYFLOAT, STRING_BYINT, ARGUMENT(increment_at)},
};
_Static_assert(offsetof(struct string_options, given) == 0, "no argument's index lies at offset 0");

static const struct word *find(struct bytes text, unsigned allowed) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((words[i].option & allowed) != 0 && bytes_is(text, words[i].text)) {
            return &words[i];
        }
    }
    return NULL;
}

bool string_options_read(struct call *call, int from, unsigned allowed,
                         struct string_options *options) {
    *options = (struct string_options){0};
    for (int i = from; i < call->argc; i++) {
        const struct word *word = find(call->args[i], allowed);
        if (word == NULL || (options->given & word->excludes) != 0 ||
            (word->argument != 0 && i + 1 == call->argc)) {
            reply_syntax_error(call->reply);
            return false;
        }
        options->given |= word->option;
        if (word->argument != 0) {
            i++;
            *(int *)(void *)((char *)options + word->argument) = i;
        }
    }
    return true;
}

static void reply_bad_deadline(struct call *call) {
    reply_errorf(call->reply, "ERR invalid expire time in '%s' command", call->command->row->name);
}

bool string_deadline(struct call *call, int index, unsigned unit, int64_t *deadline_ms) {
    int64_t value;
    if (!call_integer(call, index, &value)) {
        return false;
    }
    bool in_seconds = (unit & (STRING_EX | STRING_EXAT)) != 0;
    bool is_absolute = (unit & STRING_ABSOLUTE) != 0;
    if (value <= 0 || (in_seconds && __builtin_mul_overflow(value, 1000, &value)) ||
        (!is_absolute && __builtin_add_overflow(value, call->now_ms, &value))) {
        reply_bad_deadline(call);
        return false;
    }
    *deadline_ms = value < ENTRY_DEADLINE_MAX ? value : ENTRY_DEADLINE_MAX;
    return true;
}

bool string_options_deadline(struct call *call, const struct string_options *options,
                             int64_t *deadline_ms) {
    if ((options->given & STRING_EXPIRES) != 0) {
        return string_deadline(call, options->expire_at, options->given & STRING_EXPIRES,
                               deadline_ms);
    }
    *deadline_ms =
        (options->given & STRING_KEEP_TTL) != 0 ? KEYSPACE_KEEP_DEADLINE : ENTRY_NO_DEADLINE;
    return true;
}
