/* acl_int: what the files of access control share. Nobody else includes it. */
#ifndef LARDER_FEATURE_ACL_INT_H
#define LARDER_FEATURE_ACL_INT_H

#include "feature/acl.h"
#include "feature/acl_log.h"
#include "feature/acl_user.h"

struct command_key;

/* Users by name, sorted. */
struct acl_users {
    struct user **list;
    size_t count;
    size_t capacity;
};

/* The words of a `user` line of the configuration, until commands have their names. */
struct acl_line {
    struct acl_line *next;
    struct acl_list words;
};

struct acl {
    struct context *context;
    struct guard guard;
    struct acl_options options;
    struct acl_metrics metrics;
    struct acl_names names;
    struct acl_users users;
    struct acl_log log;
    struct acl_line *lines; /* in their order */
    struct acl_line **lines_end;
    struct buffer problem;    /* the text of the last error of a line */
    struct command_key *keys; /* scratch for the keys of a call */
    size_t key_capacity;
};

/* The names of the moment: acl-pubsub-default may change. */
const struct acl_names *acl_names_now(struct acl *acl);

void acl_users_clear(struct acl_users *users);
struct user *acl_users_find(const struct acl_users *users, struct bytes name);
/* A name that is not there. */
void acl_users_add(struct acl_users *users, struct user *user);
/* Takes him out; he is the caller's then. */
void acl_users_remove(struct acl_users *users, const struct user *user);

/* "default", on, with all rights, and the password of the option if it has one. */
struct user *acl_default_user(struct acl *acl);

/* From now on the users are these, which are emptied; connections of those who are gone are
 * closed. */
void acl_replace_users(struct acl *acl, struct acl_users *users);

/* Reads the file of users into `users`, which is empty. False with the error's text. */
bool acl_read_file(struct acl *acl, struct acl_users *users, struct buffer *error);

#endif
