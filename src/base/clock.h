/* clock: one cached time a pass of the event loop, which a test can drive.
 *
 * Deadlines are in milliseconds of wall time, since clients give them so; durations are measured on
 * the monotonic clock in microseconds. A command must not read the system's clock itself: all that
 * it does happens at one instant. */
#ifndef LARDER_BASE_CLOCK_H
#define LARDER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
    int64_t now_ms;  /* wall time, milliseconds since 1970 */
    int64_t mono_us; /* monotonic time, microseconds since some start */
    bool driven;     /* clock_update leaves it alone */
};

/* Starts from the system's clocks. */
void clock_init(struct clock *clock);

/* Reads the system's clocks, unless the clock is driven. */
void clock_update(struct clock *clock);

/* From now on the clock shows what it is told. `now_ms` may go back: that is a clock jump. From the
 * second call on, mono_us advances by as much as now_ms does, and stays when that goes back. */
void clock_drive(struct clock *clock, int64_t now_ms);

/* The system's clocks, read now. For measuring only. */
int64_t clock_wall_us(void);
int64_t clock_mono_us(void);
int64_t clock_mono_ns(void);
/* CPU time that the calling thread has used, nanoseconds. */
int64_t clock_thread_cpu_ns(void);

#endif
