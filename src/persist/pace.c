/* pace: see the header. */
#include "persist/pace.h"

#include <stdbool.h>

/* So many times what the server is busy for is not lent. */
#define BUSY_WEIGHT 3

static int64_t within(int64_t value, int64_t min, int64_t max) {
    return value < min ? min : value > max ? max : value;
}

/* What is known of longer ago counts less and less. */
static void look_back(struct pace *pace, int64_t elapsed_ns, int64_t busy_ns) {
    pace->passed_ns += elapsed_ns;
    pace->busy_ns += busy_ns;
    if (pace->passed_ns > PACE_WINDOW_NS) {
        pace->passed_ns /= 2;
        pace->busy_ns /= 2;
    }
}

/* Parts of 1: shares of the time. */
#define ONE 1024

/* How much it has to hurry. */
static int64_t hurry_of(size_t kept) {
    size_t most = kept < PACE_KEPT_MAX ? kept : PACE_KEPT_MAX;
    return (int64_t)(most * ONE / PACE_KEPT_MAX);
}

/* What a server lends however busy it is. */
static int64_t least_share(int64_t hurry) {
    int64_t least = ONE / PACE_PART;
    return least + (ONE / 2 - least) * hurry / ONE;
}

/* What is lent of the time that passes. */
static int64_t share_of(const struct pace *pace, int64_t least) {
    int64_t rest_ns = pace->passed_ns - BUSY_WEIGHT * pace->busy_ns;
    int64_t share = pace->passed_ns == 0 ? 0 : rest_ns * ONE / pace->passed_ns;
    return share < least ? least : share;
}

int64_t pace_slice(struct pace *pace, int64_t now_ns, int64_t pass_ns, size_t kept) {
    bool is_idle = pass_ns < PACE_IDLE_NS;
    int64_t hurry = hurry_of(kept);
    int64_t least = least_share(hurry);
    int64_t elapsed_ns = now_ns - pace->asked_ns;
    if (elapsed_ns < pass_ns || elapsed_ns > PACE_WINDOW_NS) {
        /* The first slice, or the first after the writer has waited: this pass is all there is to
         * judge by. */
        elapsed_ns = pass_ns;
    }
    pace->asked_ns = now_ns;
    look_back(pace, elapsed_ns, is_idle ? 0 : pass_ns);
    int64_t lent_ns = pace->lent_ns + elapsed_ns * share_of(pace, least) / ONE;
    pace->lent_ns = within(lent_ns, -PACE_MAX_NS, PACE_MAX_NS);
    int64_t busy_max_ns = PACE_BUSY_MAX_NS + (PACE_MAX_NS - PACE_BUSY_MAX_NS) * hurry / ONE;
    pace->next_ns = is_idle ? within(2 * pace->next_ns, PACE_MIN_NS, PACE_MAX_NS)
                            : within(pass_ns * least / ONE, PACE_MIN_NS, busy_max_ns);
    int64_t slice_ns = pace->lent_ns < pace->next_ns ? pace->lent_ns : pace->next_ns;
    return slice_ns < PACE_MIN_NS ? 0 : slice_ns;
}

void pace_spent(struct pace *pace, int64_t took_ns) {
    pace->lent_ns -= took_ns;
}
