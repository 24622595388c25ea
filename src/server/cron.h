/* cron: what is done from time to time while the server runs: connections looked after, expired
 * keys removed, figures sampled.
 *
 * Background work goes in slices of CRON_SLICE_US, one of each kind a pass, which are shorter when
 * the pass has taken long already. While more is due, the loop does not sleep but takes a slice
 * after each look at the sockets. */
#ifndef LARDER_SERVER_CRON_H
#define LARDER_SERVER_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "ev/loop.h"
#include "persist/pace.h"

/* Expiry looks ten times a second at least, whatever hz says: keys leave within a second. */
#define CRON_MS_MAX 100

/* A pass shall not be longer with its slices; each kind gets its least all the same, for it has to
 * get on whatever the requests take. */
#define CRON_PASS_US      850
#define CRON_SLICE_US     250
#define CRON_SLICE_US_MIN 50
/* Expiry that is half a second behind its time takes longer slices. */
#define CRON_SLICE_LATE_US 500
#define CRON_LATE_MS       500

struct server;

struct cron {
    struct loop_timer timer; /* first: the timer's function gets this address */
    struct server *server;
    struct loop_timer compact_timer; /* wakes the loop for the next slice of store/compact */
    bool compacting;                 /* it is set */
    int64_t tenth_due_us;            /* when what is done ten times a second comes next */
    bool behind;                     /* more keys have expired than one slice could remove */
    struct pace save_pace;           /* of the snapshot that is being written */
    struct loop_timer save_timer;    /* wakes the loop when it may have a slice again */
    bool save_waits;                 /* it is set */
    uint64_t slices;                 /* of expiry, since start */
    uint64_t expire_us;              /* spent in them */
    uint64_t expire_cut_short;       /* slices that their time ended */
    int64_t expire_lag_max_ms;       /* the latest that a slice has found something to remove */
};

/* Begins to run in the server's loop. */
void cron_start(struct cron *cron, struct server *server);

/* Sets the figures back: CONFIG RESETSTAT. */
void cron_reset(struct cron *cron);

/* hz has changed. */
void cron_retime(struct cron *cron);

/* A slice of what is behind; called when the loop has nothing else to do. Whether more is due. */
bool cron_idle(struct cron *cron);

#endif
