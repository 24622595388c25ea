/* command: what a command is. A file in src/command/ declares one row for each of its commands in a
 * table at its foot; main hands the tables to the registry. Everything that is known of a command
 * comes from its row: dispatch, arity, COMMAND and its subcommands, key extraction, ACL categories.
 *
 *     static const struct command_row rows[] = {
 *         {.name = "get", .fn = get, .arity = 2, .flags = COMMAND_READONLY | COMMAND_FAST,
 *          .categories = CATEGORY_READ | CATEGORY_STRING | CATEGORY_FAST,
 *          .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
 *          .group = GROUP_STRING, .since = "1.0.0", .complexity = "O(1)",
 *          .summary = "Returns the value of a key.", .syntax = "key"},
 *     };
 *     const struct command_table *command_strings(void) {
 *         static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
 *         return &table;
 *     }
 *
 * A container (CONFIG) is a row without function whose subcommands are rows named "config|get"
 * anywhere behind it. The summary and complexity are in our own words; name, arity, flags,
 * categories, key specifications and syntax are facts that clients rely on. */
#ifndef LARDER_CLIENT_COMMAND_H
#define LARDER_CLIENT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct call;
typedef void (*command_fn)(struct call *call);

enum command_flag {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2, /* refused when memory is over its limit */
    COMMAND_ADMIN = 1 << 3,
    COMMAND_PUBSUB = 1 << 4,
    COMMAND_NOSCRIPT = 1 << 5,
    COMMAND_BLOCKING = 1 << 6,
    COMMAND_LOADING = 1 << 7,
    COMMAND_STALE = 1 << 8,
    COMMAND_SKIP_MONITOR = 1 << 9,
    COMMAND_SKIP_SLOWLOG = 1 << 10,
    COMMAND_ASKING = 1 << 11,
    COMMAND_FAST = 1 << 12,    /* constant or logarithmic time */
    COMMAND_NO_AUTH = 1 << 13, /* allowed before AUTH */
    COMMAND_MAY_REPLICATE = 1 << 14,
    COMMAND_NO_ASYNC_LOADING = 1 << 15,
    COMMAND_NO_MULTI = 1 << 16,
    COMMAND_ALLOW_BUSY = 1 << 17,
    COMMAND_MOVABLE_KEYS = 1 << 18,
    COMMAND_NO_MANDATORY_KEYS = 1 << 19,
    COMMAND_SCRIPT_RUNNER = 1 << 20,
    COMMAND_TRACKED = 1 << 25,    /* ours: what it names counts as read, though it may write */
    COMMAND_AT_ONCE = 1 << 26,    /* ours: executed within MULTI, not queued */
    COMMAND_RUNS_QUEUE = 1 << 27, /* ours: EXEC, which is allowed what all that is queued is */
    COMMAND_STILL = 1 << 28,      /* ours: I/O threads stand still while it runs */
    COMMAND_SUBSCRIBED = 1 << 29, /* ours: allowed to a subscriber in protocol 2 */
    COMMAND_BRIEF = 1 << 30, /* ours: not called fast, but of bounded time; see client/dispatch.h */
};

/* ACL categories; category_name gives "read" for the lowest bit and so on. */
enum command_category {
    CATEGORY_KEYSPACE = 1 << 0,
    CATEGORY_READ = 1 << 1,
    CATEGORY_WRITE = 1 << 2,
    CATEGORY_SET = 1 << 3,
    CATEGORY_SORTED_SET = 1 << 4,
    CATEGORY_LIST = 1 << 5,
    CATEGORY_HASH = 1 << 6,
    CATEGORY_STRING = 1 << 7,
    CATEGORY_BITMAP = 1 << 8,
    CATEGORY_HYPERLOGLOG = 1 << 9,
    CATEGORY_GEO = 1 << 10,
    CATEGORY_STREAM = 1 << 11,
    CATEGORY_PUBSUB = 1 << 12,
    CATEGORY_ADMIN = 1 << 13,
    CATEGORY_FAST = 1 << 14,
    CATEGORY_SLOW = 1 << 15,
    CATEGORY_BLOCKING = 1 << 16,
    CATEGORY_DANGEROUS = 1 << 17,
    CATEGORY_CONNECTION = 1 << 18,
    CATEGORY_TRANSACTION = 1 << 19,
    CATEGORY_SCRIPTING = 1 << 20,
    CATEGORY_CACHE = 1 << 21, /* ours: leases, tags */
};
#define CATEGORY_COUNT 22
const char *category_name(int bit);

enum command_group {
    GROUP_GENERIC,
    GROUP_STRING,
    GROUP_LIST,
    GROUP_SET,
    GROUP_SORTED_SET,
    GROUP_HASH,
    GROUP_PUBSUB,
    GROUP_TRANSACTIONS,
    GROUP_CONNECTION,
    GROUP_SERVER,
    GROUP_SCRIPTING,
    GROUP_HYPERLOGLOG,
    GROUP_CLUSTER,
    GROUP_GEO,
    GROUP_STREAM,
    GROUP_BITMAP,
};
/* "string", "sorted-set" ... as COMMAND DOCS says. */
const char *group_name(enum command_group group);

/* What a client or a proxy of a cluster may want to know: whether a reply can be had again, which
 * nodes a command must go to, and what becomes of their replies. COMMAND INFO shows them in this
 * order. */
enum command_tip {
    TIP_CHANCE = 1 << 0,    /* replies differ though the data is the same */
    TIP_ANY_ORDER = 1 << 1, /* only their order does */
    TIP_ALL_NODES = 1 << 2,
    TIP_ALL_SHARDS = 1 << 3,
    TIP_SHARDS_OF_KEYS = 1 << 4, /* those that have the keys, each for its own */
    TIP_REQUEST_SPECIAL = 1 << 5,
    TIP_ALL_SUCCEEDED = 1 << 6, /* fine when all are */
    TIP_SUM = 1 << 7,
    TIP_LEAST = 1 << 8,
    TIP_RESPONSE_SPECIAL = 1 << 9,
    TIP_ONE_SUCCEEDED = 1 << 10, /* one of them is enough */
    TIP_ALL_TRUE = 1 << 11,      /* true where all are, element by element */
};

enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_NOT_KEY = 1 << 8,
    KEY_INCOMPLETE = 1 << 9,
    KEY_VARIABLE_FLAGS = 1 << 10,
};

/* Where keys are among the arguments. begin: at an index, or behind a keyword searched from
 * argument `from` (negative: from the end backwards). find: a range, or as many as an argument
 * says. */
struct key_spec {
    unsigned flags; /* enum key_flag; 0 ends the row's list */
    bool is_count;
    const char *keyword;   /* NULL: begins at `index` */
    int index;             /* or `from`, with a keyword */
    int last, step, limit; /* range: relative to the first; last < 0 from the end */
    int count_at, first;   /* count: where the number is and where the keys begin, both
                                   relative to the begin; `step` applies */
};
#define KEYS_RANGE(index_, last_, step_, limit_, flags_)                                           \
    { .flags = (flags_), .index = (index_), .last = (last_), .step = (step_), .limit = (limit_) }
#define KEYS_COUNT(index_, at_, first_, step_, flags_)                                             \
    {                                                                                              \
        .flags = (flags_), .is_count = true, .index = (index_), .count_at = (at_),                 \
        .first = (first_), .step = (step_)                                                         \
    }
#define KEYS_BEHIND(keyword_, from_, last_, step_, limit_, flags_)                                 \
    {                                                                                              \
        .flags = (flags_), .keyword = (keyword_), .index = (from_), .last = (last_),               \
        .step = (step_), .limit = (limit_)                                                         \
    }
#define COMMAND_KEY_SPECS 4

struct command_row {
    const char *name; /* lower-case; "config|get" for a subcommand */
    command_fn fn;    /* NULL for a container */
    int arity;        /* as Redis counts: with the name; negative: at least */
    unsigned flags;
    unsigned categories;
    struct key_spec keys[COMMAND_KEY_SPECS];
    /* Argument index of the first element of the collection at the first key, where that is usual
     * (for ZADD key score member it is 3, though options may stand there); 0: none. What a batch
     * asks the memory for ahead of the command. */
    int element;
    unsigned tips; /* enum command_tip */
    enum command_group group;
    const char *since;
    const char *complexity;
    const char *summary;
    const char *syntax; /* arguments behind the name, in the notation of command references */
    const char *deprecated_since; /* NULL: not */
    const char *replaced_by;
};

struct command_table {
    const struct command_row *rows;
    size_t count;
};

struct histogram;

/* A registered command: the row, what is hot of it, and its figures. The figures belong to the
 * thread that executes commands. */
struct command {
    command_fn fn;
    unsigned flags;
    int16_t arity;
    int16_t first_key; /* argument index of the first key if it is always the same, else 0 */
    int16_t element;   /* as in the row */
    bool is_unusual;   /* has an element, or children */
    int id;            /* 0 .. commands_count() - 1 */
    const struct command_row *row;
    const char *name; /* as renamed, if it was; "config|get" */
    struct command *parent;
    struct command **children; /* of a container */
    int child_count;
    uint64_t calls;
    uint64_t busy_ns;          /* time spent executing */
    uint64_t rejected;         /* refused before execution: arity, auth, memory ... */
    uint64_t failed;           /* answered with an error */
    struct histogram *latency; /* nanoseconds; NULL until the first call */
};

struct commands; /* the registry; main owns it */

struct commands *commands_new(void);
void commands_free(struct commands *commands);

/* Adds a table. Asserts that each row is sound: name new and lower-case, parent known, arity not 0,
 * key specifications within the arity, syntax that parses, texts present. */
void commands_register(struct commands *commands, const struct command_table *table);

/* rename-command: an empty new name removes. -ENOENT, -EEXIST or 0. */
int commands_rename(struct commands *commands, struct bytes name, struct bytes new_name);

/* By the name alone, letters fold; NULL when there is none. Hot. */
struct command *commands_find(const struct commands *commands, struct bytes name);

/* By all the arguments: a container gives its subcommand. NULL when the name is unknown; a
 * container itself when the subcommand is missing or unknown. */
struct command *commands_resolve(const struct commands *commands, const struct bytes *args,
                                 int argc);

/* By "config|get" or "get", as COMMAND INFO takes it. */
struct command *commands_find_full(const struct commands *commands, struct bytes name);

/* Subcommands count too; parents come before children. */
int commands_count(const struct commands *commands);
struct command *commands_at(const struct commands *commands, int id);

/* Figures of all commands to zero. */
void commands_reset_stats(struct commands *commands);

/* The keys of a call. Stores argument indexes and flags, up to `max`, and returns how many there
 * are in all; -1 when the arguments do not make sense for this command. */
struct command_key {
    int index;
    unsigned flags;
};
int command_keys(const struct command *command, const struct bytes *args, int argc,
                 struct command_key *out, int max);

#endif
