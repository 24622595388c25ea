/* schedule: sums of distances. A double counts nanoseconds exactly for a hundred days. */
#include "load/schedule.h"

#include <math.h>

#include "base/hash.h"

void schedule_init(struct schedule *schedule, double rate, bool poisson, int64_t start_ns, int part,
                   int parts, uint64_t seed) {
    double interval = 1e9 / rate;
    *schedule = (struct schedule){.interval_ns = interval * parts,
                                  .since_ns = interval * part,
                                  .start_ns = start_ns,
                                  .poisson = poisson};
    random_init(&schedule->random, hash_mix(~seed + (uint64_t)part));
    if (poisson) {
        schedule->since_ns = 0;
        schedule_advance(schedule);
    }
}

void schedule_advance(struct schedule *schedule) {
    double distance = schedule->interval_ns;
    if (schedule->poisson) {
        double share = ((double)(random_next(&schedule->random) >> 11) + 0.5) * 0x1p-53;
        distance *= -log(share);
    }
    schedule->since_ns += distance;
}
