/* clock: the system's clocks, read through the vDSO: some tens of nanoseconds, no system call. */
#include "base/clock.h"

#include <time.h>

#define US_IN_MS 1000
#define NS_IN_US 1000
#define NS_IN_S  1000000000

static int64_t read_ns(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * NS_IN_S + now.tv_nsec;
}

int64_t clock_wall_us(void) {
    return read_ns(CLOCK_REALTIME) / NS_IN_US;
}

int64_t clock_mono_us(void) {
    return read_ns(CLOCK_MONOTONIC) / NS_IN_US;
}

int64_t clock_mono_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_thread_cpu_ns(void) {
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_init(struct clock *clock) {
    clock->driven = false;
    clock_update(clock);
}

void clock_update(struct clock *clock) {
    if (!clock->driven) {
        clock->now_ms = clock_wall_us() / US_IN_MS;
        clock->mono_us = clock_mono_us();
    }
}

/* The monotonic time moves along with the wall time, but never back. */
void clock_drive(struct clock *clock, int64_t now_ms) {
    if (clock->driven && now_ms > clock->now_ms) {
        clock->mono_us += (now_ms - clock->now_ms) * US_IN_MS;
    }
    clock->driven = true;
    clock->now_ms = now_ms;
}
