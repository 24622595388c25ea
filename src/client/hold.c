/* hold: the slow halves: waiting, and waking who waits. */
#include "client/hold.h"

#include "base/check.h"

void hold_init(struct hold *hold) {
    atomic_init(&hold->wanted, false);
    hold->depth = 0;
    pthread_mutex_init(&hold->lock, NULL);
    pthread_cond_init(&hold->left, NULL);
    pthread_cond_init(&hold->ended, NULL);
}

void hold_free(struct hold *hold) {
    pthread_cond_destroy(&hold->ended);
    pthread_cond_destroy(&hold->left);
    pthread_mutex_destroy(&hold->lock);
}

void hold_enter(struct hold *hold, struct hold_member *member) {
    for (;;) {
        atomic_store(&member->inside, true);
        if (LIKELY(!atomic_load(&hold->wanted))) {
            return;
        }
        hold_leave(hold, member);
        pthread_mutex_lock(&hold->lock);
        while (atomic_load(&hold->wanted)) {
            pthread_cond_wait(&hold->ended, &hold->lock);
        }
        pthread_mutex_unlock(&hold->lock);
    }
}

void hold_leave(struct hold *hold, struct hold_member *member) {
    atomic_store(&member->inside, false);
    if (UNLIKELY(atomic_load(&hold->wanted))) {
        pthread_mutex_lock(&hold->lock);
        pthread_cond_signal(&hold->left);
        pthread_mutex_unlock(&hold->lock);
    }
}

void hold_begin(struct hold *hold) {
    if (hold->depth++ == 0) {
        atomic_store(&hold->wanted, true);
    }
}

void hold_wait(struct hold *hold, struct hold_member *member) {
    if (!atomic_load(&member->inside)) {
        return;
    }
    pthread_mutex_lock(&hold->lock);
    while (atomic_load(&member->inside)) {
        pthread_cond_wait(&hold->left, &hold->lock);
    }
    pthread_mutex_unlock(&hold->lock);
}

void hold_end(struct hold *hold) {
    check(hold->depth > 0);
    if (--hold->depth == 0) {
        pthread_mutex_lock(&hold->lock);
        atomic_store(&hold->wanted, false);
        pthread_cond_broadcast(&hold->ended);
        pthread_mutex_unlock(&hold->lock);
    }
}
