/* acl_user: a user: name, passwords, whether he may log in, and his selectors, of which one is
 * always there. */
#ifndef LARDER_FEATURE_ACL_USER_H
#define LARDER_FEATURE_ACL_USER_H

#include "feature/acl_selector.h"

struct user {
    struct bytes name; /* owned */
    bool is_on;
    bool needs_no_password;
    bool skips_sanitizing; /* skip-sanitize-payload: shown; payloads are checked whatever it says */
    struct acl_list passwords; /* SHA-256 in hexadecimal digits */
    struct acl_selector *selectors;
};

/* One who may do nothing and not log in: as ACL SETUSER of a new name makes him. */
struct user *acl_user_new(struct bytes name, const struct acl_names *names);
void acl_user_free(struct user *user);
struct user *acl_user_copy(const struct user *user);
/* `user` becomes what the other one is, but for the name, and `other` what it was. */
void acl_user_swap(struct user *user, struct user *other);

enum acl_problem acl_user_apply(struct user *user, const struct acl_names *names,
                                struct bytes rule);

/* Rules that are one selector, "(+get" "~a)", become one word. Adds all words to `out`. -1 and *at
 * when a parenthesis is not closed: the index of the word that opens it. */
int acl_merge_words(const struct bytes *words, int count, struct acl_list *out, int *at);

/* Whether the password is one of his. Compares with all of them in the same time, whatever they
 * are. */
bool acl_user_has_password(const struct user *user, struct bytes password);
/* The same without a user, which takes as long. */
void acl_pretend_password(struct bytes password);

bool acl_user_is_unlimited(const struct user *user);

/* Appends the line of ACL LIST: "user name on ...". */
void acl_user_print(const struct user *user, struct buffer *out);

/* A name of a user: no blanks, no NUL. */
bool acl_is_user_name(struct bytes name);

#endif
