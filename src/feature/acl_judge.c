/* acl_judge: whether a user may run a command with these arguments. */
#include "base/mem.h"
#include "call/command.h"
#include "feature/acl_int.h"

/* Commands whose arguments are channels: from which argument on, up to which (0: the last), and
 * whether they are patterns. */
struct channels {
    const char *command;
    int first;
    int last;
    bool are_patterns;
};

static const struct channels *channels_of(const struct command *command) {
    static const struct channels table[] = {
        {"publish", 1, 1, false},    {"spublish", 1, 1, false},  {"subscribe", 1, 0, false},
        {"ssubscribe", 1, 0, false}, {"psubscribe", 1, 0, true},
    };
    if (command->row->group != GROUP_PUBSUB) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (bytes_is(bytes_text(command->row->name), table[i].command)) {
            return &table[i];
        }
    }
    return NULL;
}

/* The call's keys into the scratch; 0 when it has none. Of one that makes no sense only the first
 * key, if that is always in the same place: the command itself will say what is wrong. */
static int find_keys(struct acl *acl, const struct command *command, const struct bytes *args,
                     int argc) {
    if (command->row->keys[0].flags == 0) {
        return 0;
    }
    if ((size_t)argc > acl->key_capacity) {
        size_t size = acl->key_capacity * sizeof *acl->keys;
        acl->keys = mem_realloc(MEM_FEATURE, acl->keys, size, (size_t)argc * sizeof *acl->keys);
        acl->key_capacity = (size_t)argc;
    }
    int count = command_keys(command, args, argc, acl->keys, argc);
    if (count >= 0 || command->first_key <= 0 || command->first_key >= argc ||
        command->row->keys[0].is_count) {
        return count < 0 ? 0 : count;
    }
    acl->keys[0] =
        (struct command_key){.index = command->first_key, .flags = command->row->keys[0].flags};
    return 1;
}

/* Most commands have one key, and always in the same place. */
static inline bool has_one_key(const struct command *command, int argc) {
    const struct key_spec *spec = &command->row->keys[0];
    return spec->flags != 0 && !(spec->flags & (KEY_VARIABLE_FLAGS | KEY_NOT_KEY)) &&
           spec->keyword == NULL && !spec->is_count && spec->last == 0 && spec->index < argc &&
           command->row->keys[1].flags == 0;
}

struct question {
    const struct command *command;
    const struct bytes *args;
    int argc;
    const struct command_key *keys;
    int key_count;
    const struct channels *channels;
};

static enum guard_verdict judge_by(const struct acl_selector *selector,
                                   const struct question *question, int *at) {
    *at = 0;
    if (!acl_selector_has_command(selector, question->command, question->args, question->argc)) {
        return GUARD_COMMAND;
    }
    for (int i = 0; i < question->key_count && !selector->all_keys; i++) {
        const struct command_key *key = &question->keys[i];
        if (!acl_selector_has_key(selector, question->args[key->index], key->flags)) {
            *at = key->index;
            return GUARD_KEY;
        }
    }
    const struct channels *channels = question->channels;
    if (channels == NULL || selector->all_channels) {
        return GUARD_ALLOWED;
    }
    int last = channels->last == 0 ? question->argc - 1 : channels->last;
    for (int i = channels->first; i <= last; i++) {
        if (!acl_selector_has_channel(selector, question->args[i], channels->are_patterns)) {
            *at = i;
            return GUARD_CHANNEL;
        }
    }
    return GUARD_ALLOWED;
}

enum guard_verdict acl_judge(struct acl *acl, const struct user *user,
                             const struct command *command, const struct bytes *args, int argc,
                             int *at) {
    struct question question = {
        .command = command, .args = args, .argc = argc, .channels = channels_of(command)};
    struct command_key only;
    if (has_one_key(command, argc)) {
        const struct key_spec *spec = &command->row->keys[0];
        only = (struct command_key){.index = spec->index, .flags = spec->flags};
        question.keys = &only;
        question.key_count = 1;
    } else {
        question.key_count = find_keys(acl, command, args, argc);
        question.keys = acl->keys;
    }
    enum guard_verdict nearest = GUARD_COMMAND;
    *at = 0;
    for (const struct acl_selector *s = user->selectors; s != NULL; s = s->next) {
        int where;
        enum guard_verdict verdict = judge_by(s, &question, &where);
        if (verdict == GUARD_ALLOWED) {
            return GUARD_ALLOWED;
        }
        if (verdict > nearest || (verdict == nearest && where > *at)) {
            nearest = verdict;
            *at = where;
        }
    }
    return nearest;
}
