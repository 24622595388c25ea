/* pass_time: how long a pass took by the thread's CPU clock, without asking that clock every time.
 *
 * What is wanted is the longest pass: the pause that a client may meet because of us, not because
 * another process had the core. That is CPU time, and asking for it is a system call (517 ns where
 * this was measured; a pass of one small request takes 10 us in all). The monotonic clock is read
 * without entering the kernel (23 ns). Two observations save nearly all the calls:
 *
 *   1. A pass used no more CPU than wall time. So the CPU clock matters at the end of a pass only
 *      if the pass took longer by the wall than the longest one known.
 *   2. Then only the CPU used since the start of the pass is missing. It is at most the CPU used
 *      since any earlier reading. So a reading that is recent will do as the start:
 *
 *          reading R          start     end, reading E
 *             |---- passes ----|--- pass ---|          pass <= min(wall, E - R)
 *
 * A reading is renewed at the start of a pass when the passes since then were busy for
 * PASS_TIME_BUSY_NS, or after PASS_TIME_PASSES (which bounds what the waits between them used).
 *
 * Invariants:
 * 1. max_ns is never less than the CPU time of a pass that ended, from the end of pass_time_start
 *    to the end of the pass;
 * 2. it exceeds that by PASS_TIME_BUSY_NS, one pass that was shorter than the maximum and the CPU
 *    time of PASS_TIME_PASSES waits at most, and only for a pass that was interrupted so long that
 *    its wall time exceeds the maximum.
 *
 * Costs: 46 ns for two readings of the monotonic clock, 8 ns for 1/64 of a reading of the other
 * (up to 20 where passes take 15 us); one reading more for each pass that is longer than all
 * before. */
#ifndef LARDER_EV_PASS_TIME_H
#define LARDER_EV_PASS_TIME_H

#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"

/* At 517 ns a reading: an eight-hundredth of the time of a busy loop. */
#define PASS_TIME_BUSY_NS 400000
#define PASS_TIME_PASSES  64

struct pass_time {
    int64_t start_ns;   /* of this pass, monotonic */
    int64_t end_ns;     /* of the latest pass that ended, monotonic */
    int64_t max_ns;     /* the longest pass, CPU time */
    int64_t reading_ns; /* the CPU clock when it was last read */
    int64_t busy_ns;    /* in passes since that reading, wall time */
    int passes;         /* since that reading */
};

static inline void pass_time_read(struct pass_time *time) {
    time->reading_ns = clock_thread_cpu_ns();
    time->busy_ns = 0;
    time->passes = 0;
}

/* A time that knows of no pass. */
static inline void pass_time_init(struct pass_time *time) {
    /* The first pass starts with a reading, by whichever thread runs it. */
    *time = (struct pass_time){.passes = PASS_TIME_PASSES};
}

static inline void pass_time_start(struct pass_time *time) {
    if (UNLIKELY(time->passes >= PASS_TIME_PASSES || time->busy_ns >= PASS_TIME_BUSY_NS)) {
        pass_time_read(time);
    }
    time->passes++;
    time->start_ns = clock_mono_ns();
}

/* Returns how long the pass took by the wall, in nanoseconds. */
static inline int64_t pass_time_end(struct pass_time *time) {
    time->end_ns = clock_mono_ns();
    int64_t wall_ns = time->end_ns - time->start_ns;
    time->busy_ns += wall_ns;
    if (UNLIKELY(wall_ns > time->max_ns)) {
        int64_t reading_ns = time->reading_ns;
        pass_time_read(time);
        int64_t bound_ns = time->reading_ns - reading_ns;
        int64_t pass_ns = bound_ns < wall_ns ? bound_ns : wall_ns;
        time->max_ns = pass_ns > time->max_ns ? pass_ns : time->max_ns;
    }
    return wall_ns;
}

#endif
