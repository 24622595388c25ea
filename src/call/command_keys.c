/* command_keys: which arguments of a call are keys, by the specifications in the command's row. For
 * COMMAND GETKEYS, access control and cluster, not for executing: that knows its arguments. */
#include "call/command.h"

#include <string.h>

#include "base/num.h"

/* Where the specification's keys begin; 0 when its keyword is not among the arguments. */
static int find_begin(const struct key_spec *spec, const struct bytes *args, int argc) {
    if (spec->keyword == NULL) {
        return spec->index;
    }
    int step = spec->index > 0 ? 1 : -1;
    int from = spec->index > 0 ? spec->index : argc + spec->index;
    for (int i = from; i >= 1 && i < argc; i += step) {
        if (bytes_is(args[i], spec->keyword)) {
            return i + 1;
        }
    }
    return 0;
}

/* First and last index of the keys; false when the arguments do not make sense. */
static bool find_range(const struct key_spec *spec, int begin, const struct bytes *args, int argc,
                       int *first, int *last) {
    *first = begin;
    if (spec->is_count) {
        int64_t count;
        int at = begin + spec->count_at;
        *first = begin + spec->first;
        if (at >= argc || !num_parse_i64(args[at], &count) || count < 0 ||
            count > (argc - *first + spec->step - 1) / spec->step) {
            return false;
        }
        *last = *first + ((int)count - 1) * spec->step;
        return true;
    }
    if (spec->last >= 0) {
        *last = begin + spec->last;
    } else if (spec->limit > 1 && spec->last == -1) {
        *last = begin + (argc - begin) / spec->limit - 1;
    } else {
        *last = argc + spec->last;
    }
    return *first < argc && *last < argc && *last >= *first;
}

/* What a command whose flags depend on its options does with its key in this call. */
static unsigned settle_flags(const struct command *command, unsigned flags,
                             const struct bytes *args, int argc) {
    if (!(flags & KEY_VARIABLE_FLAGS)) {
        return flags;
    }
    if (strcmp(command->row->name, "set") == 0) {
        for (int i = 3; i < argc; i++) {
            if (bytes_is(args[i], "GET")) {
                return KEY_RW | KEY_ACCESS | KEY_UPDATE;
            }
        }
        return KEY_OW | KEY_UPDATE;
    }
    if (strcmp(command->row->name, "bitfield") == 0) {
        /* It only reads if all that it does is GET. */
        for (int i = 2; i < argc; i++) {
            int behind = argc - i - 1;
            if (bytes_is(args[i], "GET") && behind >= 2) {
                i += 2;
            } else if (bytes_is(args[i], "OVERFLOW") && behind >= 1) {
                i++;
            } else {
                return KEY_RW | KEY_ACCESS | KEY_UPDATE;
            }
        }
        return KEY_RO | KEY_ACCESS;
    }
    return flags & ~(unsigned)KEY_VARIABLE_FLAGS;
}

/* MIGRATE with KEYS has an empty text where its key would be. */
static bool is_left_empty(const struct command *command, const struct key_spec *spec,
                          const struct bytes *args, int argc) {
    return spec->keyword == NULL && strcmp(command->row->name, "migrate") == 0 &&
           spec->index < argc && args[spec->index].size == 0;
}

int command_keys(const struct command *command, const struct bytes *args, int argc,
                 struct command_key *out, int max) {
    int found = 0;
    for (int s = 0; s < COMMAND_KEY_SPECS && command->row->keys[s].flags != 0; s++) {
        const struct key_spec *spec = &command->row->keys[s];
        if ((spec->flags & KEY_NOT_KEY) || is_left_empty(command, spec, args, argc)) {
            continue;
        }
        int begin = find_begin(spec, args, argc);
        bool optional = spec->keyword == NULL && spec->index >= -command->row->arity;
        if (begin == 0 || (optional && command->row->arity < 0 && begin >= argc)) {
            continue;
        }
        int first;
        int last;
        if (!find_range(spec, begin, args, argc, &first, &last)) {
            return -1;
        }
        unsigned flags = settle_flags(command, spec->flags, args, argc);
        for (int i = first; i <= last; i += spec->step) {
            if (found < max) {
                out[found] = (struct command_key){.index = i, .flags = flags};
            }
            found++;
        }
    }
    return found;
}
