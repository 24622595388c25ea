/* guard: who decides who somebody is and what he may do. Access control lists (feature/acl.h) are
 * the guard; this room, which asks it, knows of a user only that there is one. */
#ifndef LARDER_CLIENT_GUARD_H
#define LARDER_CLIENT_GUARD_H

#include <stdbool.h>

#include "base/bytes.h"

struct call;
struct client;
struct command;
struct user;

/* What a user lacks. The later ones are nearer to being allowed. */
enum guard_verdict { GUARD_ALLOWED, GUARD_COMMAND, GUARD_KEY, GUARD_CHANNEL };

/* On whose way the call came. */
enum guard_way { GUARD_TOPLEVEL, GUARD_TRANSACTION, GUARD_SCRIPT };

struct guard {
    void *context;
    /* Who a connection belongs to until it says otherwise. */
    struct user *newcomer;
    /* Whether somebody becomes this user without a password. */
    bool (*is_open)(const struct user *user);
    /* Whether there is anything that he may not do. */
    bool (*is_restricted)(const struct user *user);
    struct bytes (*name)(const struct user *user);
    /* The user of that name, if the password is right and he may log in; NULL otherwise. Takes as
     * long for a wrong one. */
    struct user *(*identify)(void *context, struct bytes name, struct bytes password);
    /* What he lacks for these arguments, and the index of the one at fault. */
    enum guard_verdict (*judge)(void *context, const struct user *user,
                                const struct command *command, const struct bytes *args, int argc,
                                int *at);
    /* Something was refused: for the log and the counters. */
    void (*note)(void *context, const struct call *call, enum guard_verdict verdict, int at,
                 enum guard_way way);
    /* A log-in has failed. */
    void (*note_login)(void *context, const struct call *call, struct bytes name);
    /* Whether he may run this command on every key: of one that reads keys which its arguments do
     * not name. */
    bool (*reads_all)(const struct user *user, const struct command *command);
};

#endif
