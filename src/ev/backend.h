/* backend: what stands between the loop and the kernel. For loop.c and the backends only; a watch's
 * owner sees loop.h.
 *
 * A backend knows watches and nothing else: timers, posted calls, signals, hooks and statistics are
 * the loop's, and so are the rules of delivery (a removed watch, an interest that was switched
 * off). A new backend is one file that fills in a `struct backend_kind`, and one row in the table
 * of loop.c.
 *
 * The loop calls add, change and remove with watch->interest still showing the old interest, and
 * sets it afterwards if the call succeeded. An interest of 0 must report nothing at all, not even
 * that the peer has hung up: its owner does not read, and would be called for ever. */
#ifndef LARDER_EV_BACKEND_H
#define LARDER_EV_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "ev/loop.h"

/* Events fetched by one wait. Enough to make one batch of what a thousand busy connections sent;
 * more of them would only make the first wait longer for its reply. The rest is reported by the
 * next wait, for readiness is level-triggered. */
#define BACKEND_EVENTS_MAX 1024

/* One watch that is ready. The loop sets watch to NULL when it is removed before its turn. */
struct backend_event {
    struct loop_watch *watch;
    unsigned ready; /* set of loop_interest, never 0 */
};

/* What a loop had received for a stream, or had found out about it, and nobody has taken. */
struct loop_kept {
    char *bytes; /* from mem_alloc(MEM_BUFFER, size); NULL when size is 0 */
    size_t size;
    int end; /* 1: the peer has closed behind these bytes; -errno: broken; 0: neither */
};

struct backend_kind {
    const char *name;
    /* NULL with *error set to a static text when the kernel does not allow it. `fd_max` as in
     * loop_new. */
    void *(*create)(int fd_max, const char **error);
    void (*destroy)(void *backend);
    /* 0 or -errno. `interest` may be 0 in both. */
    int (*add)(void *backend, struct loop_watch *watch, unsigned interest);
    int (*change)(void *backend, struct loop_watch *watch, unsigned interest);
    /* `kept` may be NULL, and is all zero otherwise. */
    void (*remove)(void *backend, struct loop_watch *watch, struct loop_kept *kept);
    /* Of a stream that was just added: takes over what `kept` holds. NULL when the backend has no
     * place for it. */
    void (*give)(void *backend, struct loop_watch *watch, const struct loop_kept *kept);
    /* These four as the loop's functions of the same names. */
    ssize_t (*receive)(void *backend, struct loop_watch *watch, const struct iovec *pieces,
                       int count);
    int (*accept)(void *backend, struct loop_watch *watch);
    void (*send)(void *backend, struct loop_send *send);
    void (*commit)(void *backend);
    /* Waits until something is ready, for `wait_us` at most: 0 looks only, -1 has no end. May wait
     * longer by the backend's resolution, never shorter unless interrupted. Fills in at most
     * BACKEND_EVENTS_MAX events and returns how many, 0 when time is up or a signal came. */
    int (*wait)(void *backend, struct backend_event *events, int64_t wait_us);
};

const struct backend_kind *backend_epoll(void);
/* NULL when it was not built in. */
const struct backend_kind *backend_uring(void);

#endif
