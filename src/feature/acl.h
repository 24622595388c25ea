/* acl: access control lists: who may log in, and what each may do. This is the guard that
 * client/guard.h speaks of.
 *
 *     users      sorted by name; "default" is always among them: newcomers belong to him
 *     client     ->user, and CLIENT_RESTRICTED in its flags unless he may do everything: the one
 *                flag that a request looks at
 *
 * Users come from `user` lines of the configuration or from a file of their own (aclfile), not
 * both, and from ACL SETUSER. A user who is changed stays the same struct, so that his connections
 * follow at their next command; those of one who is deleted are closed, and so are subscribers who
 * may not hear any more what they subscribe to.
 *
 * Passwords are kept as SHA-256 only. requirepass is the password of "default". */
#ifndef LARDER_FEATURE_ACL_H
#define LARDER_FEATURE_ACL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/context.h"
#include "client/guard.h"

struct client;
struct user;
struct acl;

#define ACL_OPTIONS(X)                                                                             \
    X(TEXT, password, "requirepass", "", 0, 0, NULL, OPTION_SECRET, acl_apply_password,            \
      "Password that AUTH must give; empty: none needed.")                                         \
    X(TEXT, file, "aclfile", "", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                               \
      "File of users, a line each; ACL LOAD reads it and ACL SAVE writes it.")                     \
    X(INT, log_max, "acllog-max-len", "128", 0, INT32_MAX, NULL, 0, NULL,                          \
      "Entries that ACL LOG keeps.")                                                               \
    X(CHOICE, new_channels, "acl-pubsub-default", "resetchannels", 0, 0, acl_channel_choices, 0,   \
      NULL, "Whether a new user may use all channels, or none.")
struct acl_options {
    ACL_OPTIONS(OPTION_FIELD)
};

#define ACL_METRICS(X)                                                                             \
    X(STATS, acl_access_denied_auth, COUNTER, "Failed authentications.")                           \
    X(STATS, acl_access_denied_cmd, COUNTER, "Commands refused for want of permission.")           \
    X(STATS, acl_access_denied_key, COUNTER, "Commands refused because of a key.")                 \
    X(STATS, acl_access_denied_channel, COUNTER, "Commands refused because of a channel.")
struct acl_metrics {
    ACL_METRICS(METRIC_FIELD)
};

/* Registers options and metrics, and is the guard of context->clients. */
struct acl *acl_new(struct context *context);
void acl_free(struct acl *acl);

/* `is_foreign`: which names of commands that are not here may stand in rules all the same. */
void acl_set_foreign(struct acl *acl, bool (*is_foreign)(struct bytes name));

/* For the option tables. */
bool acl_apply_password(void *module, const char **error);

/* A `user` line of the configuration; config_on_line's function. */
bool acl_take_line(void *acl, const struct bytes *words, int count, const char **error);
/* Appends the users' lines for CONFIG REWRITE; nothing when they are in a file of their own, or
 * nobody but an unchanged "default" is there. */
void acl_print_lines(void *acl, struct buffer *out);

/* Once the options are read: makes the users. 0, or -1 after logging why not. */
int acl_start(struct acl *acl);

/* Users in the order of their names. */
size_t acl_count(const struct acl *acl);
const struct user *acl_at(const struct acl *acl, size_t index);
/* NULL when there is none. */
const struct user *acl_find(const struct acl *acl, struct bytes name);

/* ACL SETUSER: all rules or none. False with a whole error text, code included, in `error`. */
bool acl_set_user(struct acl *acl, struct bytes name, const struct bytes *rules, int count,
                  struct buffer *error);
/* ACL DELUSER; false when there is none. Not "default". */
bool acl_delete_user(struct acl *acl, struct bytes name);

bool acl_has_file(const struct acl *acl);

/* ACL LOAD and ACL SAVE. False with the error's text. */
bool acl_load(struct acl *acl, struct buffer *error);
bool acl_save(struct acl *acl, struct buffer *error);

/* What somebody lacks for a call; see client/guard.h. */
enum guard_verdict acl_judge(struct acl *acl, const struct user *user,
                             const struct command *command, const struct bytes *args, int argc,
                             int *at);

struct acl_log *acl_log_of(struct acl *acl);

#endif
