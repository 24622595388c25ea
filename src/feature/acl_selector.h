/* acl_selector: one set of permissions: commands, keys by pattern, channels by pattern. A user has
 * one and may have more; a request passes if one of them allows all of it.
 *
 *     allowed      a bit for each command, by id; a container's own bit means nothing
 *     first_args   of commands without a bit: the first arguments with which they may be called
 *     rules        the command rules as they were given: what ACL LIST shows, behind +@all or -@all
 *     keys         patterns with the rights that they give
 *
 * Rules are applied one after the other, and the later ones win. The text of the rules is kept
 * because it cannot be told from the bits: of two rules for the same command, or for a container
 * and then its subcommand, only what has an effect stays. */
#ifndef LARDER_FEATURE_ACL_SELECTOR_H
#define LARDER_FEATURE_ACL_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "call/command.h"
#include "client/guard.h"
#include "feature/acl_list.h"

/* The rights of a key's pattern. */
enum acl_right { ACL_READ = 1, ACL_WRITE = 2 };

/* Why a rule is not taken. */
enum acl_problem {
    ACL_FINE,
    ACL_SYNTAX,
    ACL_UNKNOWN,
    ACL_BEHIND_ALL_KEYS,
    ACL_BEHIND_ALL_CHANNELS,
    ACL_NO_SUCH_PASSWORD,
    ACL_BAD_HASH,
    ACL_FIRST_ARG,
};
/* In Redis's words. */
const char *acl_problem_text(enum acl_problem problem);

/* What rules refer to. */
struct acl_names {
    const struct commands *commands;
    /* Whether a name is one of Redis's that is not here: rules about it are taken and mean nothing.
     * May be NULL. */
    bool (*is_foreign)(struct bytes name);
    bool new_channels; /* a new selector has all channels */
};

struct acl_selector {
    struct acl_selector *next; /* of the same user */
    bool all_keys;
    bool all_channels;
    bool all_commands; /* the rules start from +@all, and so do commands that come to be */
    bool is_unlimited; /* all of it, and nothing taken away */
    size_t words;      /* of `allowed` */
    uint64_t *allowed;
    struct acl_list first_args; /* tag: the command's id */
    struct acl_list rules;
    struct acl_list keys; /* tag: set of enum acl_right */
    struct acl_list channels;
};

/* Allows nothing, but for channels if names->new_channels. */
struct acl_selector *acl_selector_new(const struct acl_names *names);
struct acl_selector *acl_selector_copy(const struct acl_selector *selector);
void acl_selector_free(struct acl_selector *selector);

enum acl_problem acl_selector_apply(struct acl_selector *selector, const struct acl_names *names,
                                    struct bytes rule);

/* Appends what ACL GETUSER shows, and ACL LIST: the latter all three, one behind the other. */
void acl_selector_print_commands(const struct acl_selector *selector, struct buffer *out);
void acl_selector_print_keys(const struct acl_selector *selector, struct buffer *out);
void acl_selector_print_channels(const struct acl_selector *selector, struct buffer *out);
void acl_selector_print(const struct acl_selector *selector, struct buffer *out);

/* Whether it has every command of which the rights are asked for. */
bool acl_selector_has_command(const struct acl_selector *selector, const struct command *command,
                              const struct bytes *args, int argc);
/* Whether a key or a channel is within its patterns; the rights are those of the key's flags
 * (enum key_flag). A subscriber's pattern must be one of the patterns to the letter. */
bool acl_selector_has_key(const struct acl_selector *selector, struct bytes key, unsigned flags);
bool acl_selector_has_channel(const struct acl_selector *selector, struct bytes channel,
                              bool is_pattern);

/* The command of that name, which is not the one that rename-command gave it, a subcommand's as
 * "config|get". NULL when there is none. */
const struct command *acl_find_command(const struct commands *commands, struct bytes name);

/* The bit of a category by its name, -1 when there is none. */
int acl_find_category(struct bytes name);

#endif
