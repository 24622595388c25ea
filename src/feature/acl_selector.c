/* acl_selector: the grammar of rules, and what they make of a selector. */
#include "feature/acl_selector.h"

#include <string.h>

#include "base/check.h"
#include "base/glob.h"
#include "base/mem.h"

const char *acl_problem_text(enum acl_problem problem) {
    static const char *const texts[] = {
        [ACL_FINE] = "",
        [ACL_SYNTAX] = "Syntax error",
        [ACL_UNKNOWN] = "Unknown command or category name in ACL",
        [ACL_BEHIND_ALL_KEYS] =
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
            "not have any effect. Try 'resetkeys' to start with an empty list of patterns",
        [ACL_BEHIND_ALL_CHANNELS] =
            "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and "
            "does not have any effect. Try 'resetchannels' to start with an empty list of channels",
        [ACL_NO_SUCH_PASSWORD] = "The password you are trying to remove from the user does not "
                                 "exist",
        [ACL_BAD_HASH] = "The password hash must be exactly 64 characters and contain only "
                         "lowercase hexadecimal characters",
        [ACL_FIRST_ARG] = "Allowing first-arg of a subcommand is not supported",
    };
    return texts[problem];
}

/* ---- names ---- */

const struct command *acl_find_command(const struct commands *commands, struct bytes name) {
    const struct command *found = commands_find_full(commands, name);
    if (found != NULL && bytes_is(name, found->row->name)) {
        return found;
    }
    for (int i = 0; i < commands_count(commands); i++) {
        found = commands_at(commands, i);
        if (bytes_is(name, found->row->name)) {
            return found;
        }
    }
    return NULL;
}

int acl_find_category(struct bytes name) {
    for (int bit = 0; bit < CATEGORY_COUNT; bit++) {
        if (bytes_is(name, category_name(bit))) {
            return bit;
        }
    }
    return -1;
}

/* ---- life ---- */

static void update_limits(struct acl_selector *selector) {
    selector->is_unlimited = selector->all_keys && selector->all_channels &&
                             selector->all_commands && selector->rules.count == 0;
}

struct acl_selector *acl_selector_new(const struct acl_names *names) {
    struct acl_selector *selector = mem_zalloc(MEM_FEATURE, sizeof *selector);
    selector->words = ((size_t)commands_count(names->commands) + 63) / 64;
    selector->allowed = mem_zalloc(MEM_FEATURE, selector->words * sizeof *selector->allowed);
    selector->all_channels = names->new_channels;
    return selector;
}

struct acl_selector *acl_selector_copy(const struct acl_selector *selector) {
    struct acl_selector *copy = mem_zalloc(MEM_FEATURE, sizeof *copy);
    size_t size = selector->words * sizeof *selector->allowed;
    *copy = *selector;
    copy->next = NULL;
    copy->allowed = mem_alloc(MEM_FEATURE, size);
    memcpy(copy->allowed, selector->allowed, size);
    copy->first_args = copy->rules = copy->keys = copy->channels = (struct acl_list){0};
    acl_list_copy(&copy->first_args, &selector->first_args);
    acl_list_copy(&copy->rules, &selector->rules);
    acl_list_copy(&copy->keys, &selector->keys);
    acl_list_copy(&copy->channels, &selector->channels);
    return copy;
}

void acl_selector_free(struct acl_selector *selector) {
    acl_list_clear(&selector->first_args);
    acl_list_clear(&selector->rules);
    acl_list_clear(&selector->keys);
    acl_list_clear(&selector->channels);
    mem_free(MEM_FEATURE, selector->allowed, selector->words * sizeof *selector->allowed);
    mem_free(MEM_FEATURE, selector, sizeof *selector);
}

/* ---- command rules ---- */

static bool has_bit(const struct acl_selector *selector, int id) {
    size_t word = (size_t)id / 64;
    return word < selector->words && selector->allowed[word] >> (id % 64) & 1;
}

/* First arguments are for commands without a bit, so that any change of the bit ends them. */
static void set_bit(struct acl_selector *selector, int id, bool on) {
    check((size_t)id / 64 < selector->words);
    uint64_t bit = (uint64_t)1 << (id % 64);
    if (on) {
        selector->allowed[id / 64] |= bit;
    } else {
        selector->allowed[id / 64] &= ~bit;
    }
    for (size_t i = selector->first_args.count; i-- > 0;) {
        if (selector->first_args.items[i].tag == (unsigned)id) {
            acl_list_remove(&selector->first_args, i);
        }
    }
}

static void set_command(struct acl_selector *selector, const struct command *command, bool on) {
    set_bit(selector, command->id, on);
    for (int i = 0; i < command->child_count; i++) {
        set_bit(selector, command->children[i]->id, on);
    }
}

static void set_all(struct acl_selector *selector, bool on) {
    memset(selector->allowed, on ? 0xff : 0, selector->words * sizeof *selector->allowed);
    acl_list_clear(&selector->first_args);
    acl_list_clear(&selector->rules);
    selector->all_commands = on;
}

/* Notes a rule, "+get" or "-@string" or "+client|kill", and drops those that it makes void: of the
 * same thing, and of subcommands and first arguments of it. */
static void note_rule(struct acl_selector *selector, struct bytes rule) {
    char *lower = mem_copy_text(MEM_FEATURE, rule.at, rule.size);
    for (size_t i = 0; i < rule.size; i++) {
        lower[i] |= (char)(lower[i] >= 'A' && lower[i] <= 'Z' ? 0x20 : 0);
    }
    struct bytes name = bytes_of(lower + 1, rule.size - 1);
    for (size_t i = selector->rules.count; i-- > 0;) {
        struct bytes other = selector->rules.items[i].text;
        other = bytes_of(other.at + 1, other.size - 1);
        if (other.size >= name.size && bytes_same(other.at, name.at, name.size) &&
            (other.size == name.size || other.at[name.size] == '|')) {
            acl_list_remove(&selector->rules, i);
        }
    }
    acl_list_add(&selector->rules, bytes_of(lower, rule.size), 0);
    mem_free(MEM_FEATURE, lower, rule.size + 1);
}

static enum acl_problem apply_category(struct acl_selector *selector, const struct acl_names *names,
                                       struct bytes rule, bool on) {
    struct bytes name = bytes_of(rule.at + 2, rule.size - 2);
    if (bytes_is(name, "all")) {
        set_all(selector, on);
        return ACL_FINE;
    }
    int category = acl_find_category(name);
    if (category < 0) {
        return ACL_UNKNOWN;
    }
    for (int i = 0; i < commands_count(names->commands); i++) {
        const struct command *command = commands_at(names->commands, i);
        if (command->row->categories >> category & 1) {
            set_bit(selector, command->id, on);
        }
    }
    note_rule(selector, rule);
    return ACL_FINE;
}

/* +command|argument, of a command without subcommands. */
static enum acl_problem apply_first_arg(struct acl_selector *selector,
                                        const struct command *command, struct bytes argument,
                                        struct bytes rule, bool on) {
    if (argument.size == 0) {
        return ACL_SYNTAX;
    }
    if (memchr(argument.at, '|', argument.size) != NULL) {
        return ACL_FIRST_ARG;
    }
    if (!on || command->child_count > 0) {
        return ACL_UNKNOWN;
    }
    if (!has_bit(selector, command->id)) {
        acl_list_add(&selector->first_args, argument, (unsigned)command->id);
    }
    note_rule(selector, rule);
    return ACL_FINE;
}

static enum acl_problem apply_command(struct acl_selector *selector, const struct acl_names *names,
                                      struct bytes rule) {
    bool on = rule.at[0] == '+';
    struct bytes name = bytes_of(rule.at + 1, rule.size - 1);
    if (name.size > 0 && name.at[0] == '@') {
        return apply_category(selector, names, rule, on);
    }
    const char *bar = name.size > 0 ? memchr(name.at, '|', name.size) : NULL;
    const struct command *command = acl_find_command(names->commands, name);
    if (command != NULL) {
        set_command(selector, command, on);
        note_rule(selector, rule);
        return ACL_FINE;
    }
    struct bytes first = bar == NULL ? name : bytes_of(name.at, (size_t)(bar - name.at));
    command = bar == NULL ? NULL : acl_find_command(names->commands, first);
    if (command != NULL && bar != NULL) {
        struct bytes argument = bytes_of(bar + 1, name.size - first.size - 1);
        return apply_first_arg(selector, command, argument, rule, on);
    }
    if (names->is_foreign != NULL && names->is_foreign(first)) {
        note_rule(selector, rule);
        return ACL_FINE;
    }
    return ACL_UNKNOWN;
}

/* ---- patterns ---- */

static bool is_pattern_sound(struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte == 0 || byte == ' ' || (byte >= '\t' && byte <= '\r')) {
            return false;
        }
    }
    return true;
}

static enum acl_problem add_key_pattern(struct acl_selector *selector, struct bytes pattern,
                                        unsigned rights) {
    if (!is_pattern_sound(pattern)) {
        return ACL_SYNTAX;
    }
    struct acl_item *there = acl_list_find(&selector->keys, pattern);
    if (there != NULL) {
        there->tag |= rights;
    } else {
        acl_list_add(&selector->keys, pattern, rights);
    }
    return ACL_FINE;
}

/* %R~pattern and the like. */
static enum acl_problem apply_rights(struct acl_selector *selector, struct bytes rule) {
    unsigned rights = 0;
    size_t at = 1;
    for (; at < rule.size && rule.at[at] != '~'; at++) {
        unsigned char letter = (unsigned char)rule.at[at] | 0x20;
        unsigned right = letter == 'r' ? ACL_READ : letter == 'w' ? ACL_WRITE : 0;
        if (right == 0 || rights & right) {
            return ACL_SYNTAX;
        }
        rights |= right;
    }
    if (at == rule.size || rights == 0) {
        return ACL_SYNTAX;
    }
    return add_key_pattern(selector, bytes_of(rule.at + at + 1, rule.size - at - 1), rights);
}

static enum acl_problem apply_pattern(struct acl_selector *selector, struct bytes rule) {
    struct bytes rest = bytes_of(rule.at + 1, rule.size - 1);
    if (rule.at[0] == '&') {
        if (selector->all_channels) {
            return ACL_BEHIND_ALL_CHANNELS;
        }
        if (!is_pattern_sound(rest)) {
            return ACL_SYNTAX;
        }
        if (acl_list_find(&selector->channels, rest) == NULL) {
            acl_list_add(&selector->channels, rest, 0);
        }
        return ACL_FINE;
    }
    if (selector->all_keys) {
        return ACL_BEHIND_ALL_KEYS;
    }
    return rule.at[0] == '%' ? apply_rights(selector, rule)
                             : add_key_pattern(selector, rest, ACL_READ | ACL_WRITE);
}

/* Words that are whole rules. Whether it is one. */
static bool apply_word(struct acl_selector *selector, struct bytes rule) {
    if (bytes_is(rule, "allkeys") || bytes_is(rule, "~*") || bytes_is(rule, "resetkeys")) {
        acl_list_clear(&selector->keys);
        selector->all_keys = !bytes_is(rule, "resetkeys");
    } else if (bytes_is(rule, "allchannels") || bytes_is(rule, "&*") ||
               bytes_is(rule, "resetchannels")) {
        acl_list_clear(&selector->channels);
        selector->all_channels = !bytes_is(rule, "resetchannels");
    } else if (bytes_is(rule, "allcommands") || bytes_is(rule, "nocommands")) {
        set_all(selector, bytes_is(rule, "allcommands"));
    } else {
        return false;
    }
    return true;
}

enum acl_problem acl_selector_apply(struct acl_selector *selector, const struct acl_names *names,
                                    struct bytes rule) {
    enum acl_problem problem = ACL_FINE;
    if (!apply_word(selector, rule)) {
        switch (rule.size == 0 ? '\0' : rule.at[0]) {
        case '~':
        case '%':
        case '&':
            problem = apply_pattern(selector, rule);
            break;
        case '+':
        case '-':
            problem = is_pattern_sound(rule) ? apply_command(selector, names, rule) : ACL_UNKNOWN;
            break;
        default:
            return ACL_SYNTAX;
        }
    }
    update_limits(selector);
    return problem;
}

/* ---- showing ---- */

void acl_selector_print_commands(const struct acl_selector *selector, struct buffer *out) {
    buffer_append_text(out, selector->all_commands ? "+@all" : "-@all");
    for (size_t i = 0; i < selector->rules.count; i++) {
        struct bytes rule = selector->rules.items[i].text;
        buffer_append_byte(out, ' ');
        buffer_append(out, rule.at, rule.size);
    }
}

void acl_selector_print_keys(const struct acl_selector *selector, struct buffer *out) {
    static const char *const prefixes[] = {"", "%R~", "%W~", "~"};
    if (selector->all_keys) {
        buffer_append_text(out, "~*");
    }
    for (size_t i = 0; i < selector->keys.count; i++) {
        const struct acl_item *item = &selector->keys.items[i];
        buffer_append_text(out, i > 0 ? " " : "");
        buffer_append_text(out, prefixes[item->tag]);
        buffer_append(out, item->text.at, item->text.size);
    }
}

void acl_selector_print_channels(const struct acl_selector *selector, struct buffer *out) {
    if (selector->all_channels) {
        buffer_append_text(out, "&*");
    }
    for (size_t i = 0; i < selector->channels.count; i++) {
        struct bytes text = selector->channels.items[i].text;
        buffer_append_text(out, i > 0 ? " &" : "&");
        buffer_append(out, text.at, text.size);
    }
}

void acl_selector_print(const struct acl_selector *selector, struct buffer *out) {
    if (selector->all_keys || selector->keys.count > 0) {
        acl_selector_print_keys(selector, out);
        buffer_append_byte(out, ' ');
    }
    if (!selector->all_channels) {
        buffer_append_text(out, "resetchannels ");
    }
    if (selector->all_channels || selector->channels.count > 0) {
        acl_selector_print_channels(selector, out);
        buffer_append_byte(out, ' ');
    }
    acl_selector_print_commands(selector, out);
}

/* ---- deciding ---- */

bool acl_selector_has_command(const struct acl_selector *selector, const struct command *command,
                              const struct bytes *args, int argc) {
    if (command->flags & COMMAND_NO_AUTH || has_bit(selector, command->id)) {
        return true;
    }
    for (size_t i = 0; argc > 1 && i < selector->first_args.count; i++) {
        const struct acl_item *item = &selector->first_args.items[i];
        if (item->tag == (unsigned)command->id && item->text.size == args[1].size &&
            strncasecmp(item->text.at, args[1].at, args[1].size) == 0) {
            return true;
        }
    }
    return false;
}

/* Most patterns are a prefix and a star. */
static inline bool matches(const struct acl_item *item, struct bytes text) {
    return text.size >= item->literal && bytes_same(text.at, item->text.at, item->literal) &&
           (item->is_prefix || glob_match(item->text, text, false));
}

/* What a command does with a key says which rights it takes; one that does neither read nor write
 * (EXISTS) is satisfied with any. */
bool acl_selector_has_key(const struct acl_selector *selector, struct bytes key, unsigned flags) {
    if (selector->all_keys) {
        return true;
    }
    unsigned wanted = (flags & KEY_ACCESS ? ACL_READ : 0u) |
                      (flags & (KEY_INSERT | KEY_UPDATE | KEY_DELETE) ? ACL_WRITE : 0u);
    for (size_t i = 0; i < selector->keys.count; i++) {
        const struct acl_item *item = &selector->keys.items[i];
        if ((item->tag & wanted) == wanted && matches(item, key)) {
            return true;
        }
    }
    return false;
}

bool acl_selector_has_channel(const struct acl_selector *selector, struct bytes channel,
                              bool is_pattern) {
    if (selector->all_channels) {
        return true;
    }
    for (size_t i = 0; i < selector->channels.count; i++) {
        const struct acl_item *item = &selector->channels.items[i];
        if (is_pattern ? bytes_equal(item->text, channel) : matches(item, channel)) {
            return true;
        }
    }
    return false;
}
