/* hold: lets one thread make the others stand still for a moment, so that it may look at and change
 * what is theirs: for rare commands (CLIENT LIST, CONFIG SET, INFO). What is done for each request
 * needs none of it.
 *
 * Each of the others says when it begins to touch its things and when it ends, once a pass, with
 * one store and one load. Asleep it has ended already, so holding wakes nobody: who wakes up by
 * himself while he is held waits until he is let go.
 *
 *     held thread:  enter ... (yield) ... leave, sleep, enter ...
 *     holder:       begin: wait until nobody is inside ... end: all go on
 *
 * Order: `inside` and `wanted` are written and read in one total order, so either the holder sees
 * that somebody is inside, or that one sees that it is wanted still. The holder may wait for as
 * long as the slowest takes to its next yield, some tens of microseconds. */
#ifndef LARDER_CLIENT_HOLD_H
#define LARDER_CLIENT_HOLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Of the holder. */
struct hold {
    atomic_bool wanted;
    int depth; /* the holder's own: begin may nest */
    pthread_mutex_t lock;
    pthread_cond_t left;  /* somebody went out */
    pthread_cond_t ended; /* all may go on */
};

/* Of each thread that is held. */
struct hold_member {
    atomic_bool inside;
};

void hold_init(struct hold *hold);
void hold_free(struct hold *hold);

/* By a member: from now on its things are its own; waits while it is held. */
void hold_enter(struct hold *hold, struct hold_member *member);
/* From now on others may touch its things. */
void hold_leave(struct hold *hold, struct hold_member *member);

static inline bool hold_is_wanted(const struct hold *hold) {
    return atomic_load_explicit(&hold->wanted, memory_order_relaxed);
}

/* By a member that is inside, at a place where its things are in order: lets a holder in. */
static inline void hold_yield(struct hold *hold, struct hold_member *member) {
    if (hold_is_wanted(hold)) {
        hold_leave(hold, member);
        hold_enter(hold, member);
    }
}

/* By the holder: nobody enters from now on; then hold_wait for each member. */
void hold_begin(struct hold *hold);
void hold_wait(struct hold *hold, struct hold_member *member);
/* The last of nested ones lets all go on. */
void hold_end(struct hold *hold);

#endif
