/* pace: how much of the time goes to a snapshot that is being written.
 *
 *     requests   |########|   |########|      |#|        |     |
 *     snapshot            |-|          |-|       |-|     |--|  |----|  ...
 *                                                    idle passes: twice as long each
 *
 * Terms. A server is busy for the part of the last PACE_WINDOW_NS that it has spent on requests. It
 * lends the snapshot a part of the time that passes: all of it while it has nothing to do, less the
 * busier it is, and from a third on PACE_PART, for whoever compresses and writes needs the
 * processor, too, and clients on the same machine want it: so a save takes longer when much is
 * going on, and requests hardly notice it. What is lent and too short for a slice is kept for a
 * later pass. Slices after requests are short, and grow from pass to pass while none come.
 *
 * What has to be kept in memory until its turn comes, because clients change a large collection
 * that is not written yet, makes the snapshot hurry: it gets more of the time, up to half of it.
 *
 * All times are in nanoseconds. */
#ifndef LARDER_PERSIST_PACE_H
#define LARDER_PERSIST_PACE_H

#include <stddef.h>
#include <stdint.h>

/* A slice that is shorter is not worth what it makes the processor's caches forget. */
#define PACE_MIN_NS 40000
/* What a pass may become longer by. */
#define PACE_MAX_NS 400000
/* The same of a pass that has served requests. */
#define PACE_BUSY_MAX_NS 100000
/* A busy server lends one part in so many. With what clients pay for keys that they change before
 * those are written, requests keep 85 % of the time. */
#define PACE_PART 12
/* From so many kept bytes on it gets half of the time. */
#define PACE_KEPT_MAX ((size_t)48 << 20)
/* How far back the server looks to know whether it is busy. */
#define PACE_WINDOW_NS 20000000
/* A pass that has taken less had nothing to do: a request takes 10,000 with the calls of the
 * system. */
#define PACE_IDLE_NS 6000

/* Zeroed to begin with. */
struct pace {
    int64_t asked_ns;  /* when a slice was asked for last */
    int64_t busy_ns;   /* spent on requests ... */
    int64_t passed_ns; /* ... of so much */
    int64_t lent_ns;   /* not spent yet; negative when slices took longer than they should */
    int64_t next_ns;   /* the next slice at most */
};

/* How long a slice may be now, in a pass that has taken `pass_ns` before it, while `kept` bytes
 * wait for their turn; 0: none in this pass. */
int64_t pace_slice(struct pace *pace, int64_t now_ns, int64_t pass_ns, size_t kept);

/* The slice has taken so long. */
void pace_spent(struct pace *pace, int64_t took_ns);

#endif
