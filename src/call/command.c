/* command: the registry of commands and how a name finds its command.
 *
 * A name is looked up on the way of every request, so it is compared as words, not as text: up to 8
 * bytes are one 64-bit word whose letters are folded with a few operations on all bytes at once.
 * The word and the length are multiplied into an index of an open-addressing table that is at most
 * a quarter full:
 *
 *     slot   | head 8: first bytes | tail 8: last bytes | size 8 | command 8 |  32 bytes
 *
 * A name of up to 16 bytes equals a slot's exactly when head, tail and size do; longer ones are
 * compared in full as well. Subcommands are found among their container's children, one by one:
 * there are few, and they are not called often.
 *
 * Commands live as long as the registry, except those that rename-command removes at start-up. */
#include "call/command.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "call/command_syntax.h"

/* Slots for a command: an empty slot is met early, also for unknown names. */
#define SLOTS_PER_COMMAND 4
#define SLOTS_FIRST       64
/* 2^64 divided by the golden ratio, and a prime: they spread the bits that the shift keeps. */
#define SPREAD_A 0x9e3779b97f4a7c15ULL
#define SPREAD_B 0xc2b2ae3d27d4eb4fULL

struct name_words {
    uint64_t head;
    uint64_t tail;
    uint64_t size;
};

struct slot {
    struct name_words words;
    struct command *command; /* NULL: empty */
};

struct commands {
    struct slot *slots;
    size_t slot_count; /* a power of two */
    unsigned shift;    /* 64 minus its logarithm */
    struct command **list;
    int count;
    int capacity;
    int top_count; /* without subcommands: those in slots */
};

const char *category_name(int bit) {
    static const char *const names[] = {
        "keyspace",   "read",        "write",     "set",         "sortedset", "list",
        "hash",       "string",      "bitmap",    "hyperloglog", "geo",       "stream",
        "pubsub",     "admin",       "fast",      "slow",        "blocking",  "dangerous",
        "connection", "transaction", "scripting", "cache",
    };
    _Static_assert(sizeof names / sizeof names[0] == CATEGORY_COUNT, "each category has a name");
    return names[bit];
}

const char *group_name(enum command_group group) {
    static const char *const names[] = {
        [GROUP_GENERIC] = "generic",
        [GROUP_STRING] = "string",
        [GROUP_LIST] = "list",
        [GROUP_SET] = "set",
        [GROUP_SORTED_SET] = "sorted-set",
        [GROUP_HASH] = "hash",
        [GROUP_PUBSUB] = "pubsub",
        [GROUP_TRANSACTIONS] = "transactions",
        [GROUP_CONNECTION] = "connection",
        [GROUP_SERVER] = "server",
        [GROUP_SCRIPTING] = "scripting",
        [GROUP_HYPERLOGLOG] = "hyperloglog",
        [GROUP_CLUSTER] = "cluster",
        [GROUP_GEO] = "geo",
        [GROUP_STREAM] = "stream",
        [GROUP_BITMAP] = "bitmap",
    };
    return names[group];
}

/* Eight bytes with A-Z made a-z, exactly: a byte's high bit in `upper` says that it is such a
 * letter. */
static inline uint64_t fold_word(uint64_t word) {
    const uint64_t ones = 0x0101010101010101ULL;
    uint64_t low = word & (0x7f * ones);
    uint64_t upper =
        (low + (0x80 - 'A') * ones) & ~(low + (0x7f - 'Z') * ones) & ~word & (0x80 * ones);
    return word | upper >> 2;
}

/* Never reads beyond the name: its end may be the end of a page. */
static inline struct name_words words_of(struct bytes name) {
    uint64_t head = 0;
    uint64_t tail = 0;
    const char *at = name.at;
    if (name.size >= 8) {
        memcpy(&head, at, 8);
        memcpy(&tail, at + name.size - 8, 8);
    } else if (name.size >= 4) {
        uint32_t first;
        uint32_t last;
        memcpy(&first, at, 4);
        memcpy(&last, at + name.size - 4, 4);
        head = first | (uint64_t)last << 32;
    } else if (name.size > 0) {
        head = (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[name.size / 2] << 8 |
               (uint64_t)(unsigned char)at[name.size - 1] << 16;
    }
    return (struct name_words){fold_word(head), fold_word(tail), name.size};
}

static inline size_t slot_of(const struct commands *commands, const struct name_words *words) {
    uint64_t mixed = (words->head ^ (words->tail + words->size) * SPREAD_B) * SPREAD_A;
    return (size_t)(mixed >> commands->shift);
}

struct command *commands_find(const struct commands *commands, struct bytes name) {
    struct name_words words = words_of(name);
    size_t mask = commands->slot_count - 1;
    for (size_t i = slot_of(commands, &words);; i = (i + 1) & mask) {
        const struct slot *slot = &commands->slots[i];
        if (LIKELY(slot->words.head == words.head && slot->words.tail == words.tail &&
                   slot->words.size == words.size)) {
            if (name.size <= 16 || slot->command == NULL || bytes_is(name, slot->command->name)) {
                return slot->command;
            }
        } else if (slot->command == NULL) {
            return NULL;
        }
    }
}

/* Files all commands that are not subcommands anew. */
static void fill_slots(struct commands *commands) {
    mem_free(MEM_OTHER, commands->slots, commands->slot_count * sizeof *commands->slots);
    commands->slot_count = SLOTS_FIRST;
    commands->shift = 64 - (unsigned)__builtin_ctz(SLOTS_FIRST);
    while (commands->slot_count < (size_t)commands->top_count * SLOTS_PER_COMMAND) {
        commands->slot_count *= 2;
        commands->shift--;
    }
    commands->slots = mem_zalloc(MEM_OTHER, commands->slot_count * sizeof *commands->slots);
    for (int i = 0; i < commands->count; i++) {
        struct command *command = commands->list[i];
        if (command->parent != NULL) {
            continue;
        }
        struct name_words words = words_of(bytes_text(command->name));
        size_t at = slot_of(commands, &words);
        while (commands->slots[at].command != NULL) {
            at = (at + 1) & (commands->slot_count - 1);
        }
        commands->slots[at] = (struct slot){words, command};
    }
}

struct commands *commands_new(void) {
    struct commands *commands = mem_zalloc(MEM_OTHER, sizeof *commands);
    fill_slots(commands);
    return commands;
}

static void free_command(struct command *command) {
    if (command->parent == NULL && command->name != command->row->name) {
        mem_free(MEM_OTHER, (void *)(uintptr_t)command->name, strlen(command->name) + 1);
    }
    histogram_free(command->latency);
    mem_free(MEM_OTHER, command->children, (size_t)command->child_count * sizeof(struct command *));
    mem_free(MEM_OTHER, command, sizeof *command);
}

void commands_free(struct commands *commands) {
    for (int i = 0; i < commands->count; i++) {
        free_command(commands->list[i]);
    }
    mem_free(MEM_OTHER, commands->list, (size_t)commands->capacity * sizeof(struct command *));
    mem_free(MEM_OTHER, commands->slots, commands->slot_count * sizeof *commands->slots);
    mem_free(MEM_OTHER, commands, sizeof *commands);
}

static struct command *find_child(const struct command *parent, struct bytes name) {
    for (int i = 0; i < parent->child_count; i++) {
        const char *bar = strchr(parent->children[i]->name, '|');
        if (bytes_is(name, bar + 1)) {
            return parent->children[i];
        }
    }
    return NULL;
}

struct command *commands_resolve(const struct commands *commands, const struct bytes *args,
                                 int argc) {
    struct command *command = argc > 0 ? commands_find(commands, args[0]) : NULL;
    if (command == NULL || command->child_count == 0 || argc < 2) {
        return command;
    }
    struct command *child = find_child(command, args[1]);
    return child != NULL ? child : command;
}

struct command *commands_find_full(const struct commands *commands, struct bytes name) {
    const char *bar = name.size > 0 ? memchr(name.at, '|', name.size) : NULL;
    if (bar == NULL) {
        return commands_find(commands, name);
    }
    size_t size = (size_t)(bar - name.at);
    struct command *parent = commands_find(commands, bytes_of(name.at, size));
    if (parent == NULL) {
        return NULL;
    }
    return find_child(parent, bytes_of(bar + 1, name.size - size - 1));
}

int commands_count(const struct commands *commands) {
    return commands->count;
}

struct command *commands_at(const struct commands *commands, int id) {
    check(id >= 0 && id < commands->count);
    return commands->list[id];
}

void commands_reset_stats(struct commands *commands) {
    for (int i = 0; i < commands->count; i++) {
        struct command *command = commands->list[i];
        command->calls = 0;
        command->busy_ns = 0;
        command->rejected = 0;
        command->failed = 0;
        if (command->latency != NULL) {
            histogram_reset(command->latency);
        }
    }
}

static void check_name(const char *name) {
    check(name != NULL && name[0] != '\0' && name[0] != '|');
    int bars = 0;
    for (const char *at = name; *at != '\0'; at++) {
        bars += *at == '|';
        check((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-' ||
              *at == '_' || *at == '|' || *at == '.');
    }
    check(bars <= 1 && name[strlen(name) - 1] != '|');
}

static void check_keys(const struct command_row *row) {
    int arguments = row->arity < 0 ? -row->arity : row->arity;
    bool ended = false;
    for (int i = 0; i < COMMAND_KEY_SPECS; i++) {
        const struct key_spec *spec = &row->keys[i];
        ended = ended || spec->flags == 0;
        if (ended) {
            check(spec->flags == 0 && spec->index == 0);
            continue;
        }
        if (spec->keyword != NULL) {
            check(spec->index != 0);
        } else {
            /* SUNSUBSCRIBE may name nothing, and PFMERGE no source. */
            check(spec->index >= 1 && (spec->index < arguments || row->arity < 0));
        }
        check(spec->step >= 1);
        if (spec->is_count) {
            check(spec->count_at >= 0 && spec->first > spec->count_at);
        } else {
            check(spec->limit >= 0);
            check(row->arity < 0 || spec->last < 0 || spec->index + spec->last < arguments);
        }
    }
}

static void check_row(const struct command_row *row) {
    check_name(row->name);
    check(row->arity != 0 && row->arity >= INT16_MIN && row->arity <= INT16_MAX);
    check(strchr(row->name, '|') == NULL || row->arity >= 2 || row->arity <= -2);
    check(row->since != NULL && row->summary != NULL && row->summary[0] != '\0');
    check(row->complexity != NULL || row->fn == NULL);
    check(row->categories >> CATEGORY_COUNT == 0);
    check(!(row->flags & COMMAND_WRITE) || !(row->flags & COMMAND_READONLY));
    check_keys(row);
    check(row->element == 0 || (row->element > row->keys[0].index && row->element <= INT16_MAX));
    if (row->syntax != NULL) {
        struct syntax syntax;
        check(syntax_parse(row->syntax, &syntax));
        syntax_free(&syntax);
    }
}

/* The first key's index, if every call that passes the arity has it there. */
static int16_t fixed_first_key(const struct command_row *row) {
    const struct key_spec *spec = &row->keys[0];
    int arguments = row->arity < 0 ? -row->arity : row->arity;
    if (spec->flags == 0 || (spec->flags & KEY_NOT_KEY) || spec->keyword != NULL) {
        return 0;
    }
    int index = spec->index + (spec->is_count ? spec->first : 0);
    return (int16_t)(index < arguments ? index : 0);
}

static void add_child(struct command *parent, struct command *child) {
    size_t size = (size_t)parent->child_count * sizeof(struct command *);
    parent->children =
        mem_realloc(MEM_OTHER, parent->children, size, size + sizeof(struct command *));
    parent->children[parent->child_count++] = child;
    parent->is_unusual = true;
    child->parent = parent;
}

static void add_row(struct commands *commands, const struct command_row *row) {
    check_row(row);
    check(commands_find_full(commands, bytes_text(row->name)) == NULL);
    struct command *command = mem_zalloc(MEM_OTHER, sizeof *command);
    command->fn = row->fn;
    command->flags = row->flags;
    command->arity = (int16_t)row->arity;
    command->first_key = fixed_first_key(row);
    command->element = (int16_t)row->element;
    command->is_unusual = row->element > 0;
    command->id = commands->count;
    command->row = row;
    command->name = row->name;
    if (commands->count == commands->capacity) {
        size_t size = (size_t)commands->capacity * sizeof(struct command *);
        int capacity = commands->capacity == 0 ? 64 : commands->capacity * 2;
        commands->list = mem_realloc(MEM_OTHER, commands->list, size,
                                     (size_t)capacity * sizeof(struct command *));
        commands->capacity = capacity;
    }
    commands->list[commands->count++] = command;
    const char *bar = strchr(row->name, '|');
    if (bar != NULL) {
        struct command *parent =
            commands_find(commands, bytes_of(row->name, (size_t)(bar - row->name)));
        check(parent != NULL && row->fn != NULL);
        add_child(parent, command);
    } else {
        commands->top_count++;
        fill_slots(commands);
    }
}

void commands_register(struct commands *commands, const struct command_table *table) {
    int from = commands->count;
    for (size_t i = 0; i < table->count; i++) {
        add_row(commands, &table->rows[i]);
    }
    /* Only a container may be without a function. */
    for (int i = from; i < commands->count; i++) {
        check(commands->list[i]->fn != NULL || commands->list[i]->child_count > 0);
    }
}

static void remove_command(struct commands *commands, struct command *command) {
    int kept = 0;
    for (int i = 0; i < commands->count; i++) {
        struct command *other = commands->list[i];
        if (other->parent == command) {
            free_command(other);
        } else if (other != command) {
            other->id = kept;
            commands->list[kept++] = other;
        }
    }
    commands->count = kept;
    commands->top_count--;
    free_command(command);
}

int commands_rename(struct commands *commands, struct bytes name, struct bytes new_name) {
    struct command *command = commands_find(commands, name);
    if (command == NULL) {
        return -ENOENT;
    }
    if (new_name.size == 0) {
        remove_command(commands, command);
        fill_slots(commands);
        return 0;
    }
    if (commands_find(commands, new_name) != NULL ||
        memchr(new_name.at, '\0', new_name.size) != NULL) {
        return -EEXIST;
    }
    if (command->name != command->row->name) {
        mem_free(MEM_OTHER, (void *)(uintptr_t)command->name, strlen(command->name) + 1);
    }
    command->name = mem_copy_text(MEM_OTHER, new_name.at, new_name.size);
    fill_slots(commands);
    return 0;
}
