/* outcome: collecting rounds. */
#include "load/outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static const double percents[FIGURES] = {
    [FIGURE_P50] = 50,    [FIGURE_P90] = 90,      [FIGURE_P95] = 95,  [FIGURE_P99] = 99,
    [FIGURE_P999] = 99.9, [FIGURE_P9999] = 99.99, [FIGURE_MAX] = 100,
};

void outcome_init(struct outcome *outcome, const char *test, int pipeline,
                  const struct endpoint *server, const char *version) {
    *outcome = (struct outcome){.test = test,
                                .pipeline = pipeline,
                                .server = server,
                                .version = version,
                                .latency = durations_new(),
                                .lateness = durations_new()};
}

void outcome_free(struct outcome *outcome) {
    durations_free(outcome->latency);
    durations_free(outcome->lateness);
    outcome->latency = outcome->lateness = NULL;
}

static double for_each_request(int64_t ns, uint64_t requests) {
    return ns < 0 || requests == 0 ? NAN : (double)ns / (double)requests;
}

void outcome_add(struct outcome *outcome, const struct run_result *result) {
    check(outcome->rounds < ROUNDS_MAX);
    int at = outcome->rounds++;
    double seconds = (double)result->elapsed_ns / 1e9;
    outcome->values[FIGURE_RATE][at] = seconds > 0 ? (double)result->requests / seconds : 0;
    outcome->values[FIGURE_SERVER_NS][at] = for_each_request(result->server_ns, result->requests);
    outcome->values[FIGURE_USER_NS][at] = for_each_request(result->user_ns, result->requests);
    outcome->values[FIGURE_OWN_NS][at] = for_each_request(result->own_ns, result->requests);
    outcome->values[FIGURE_MEAN][at] = durations_mean(result->latency) / 1000;
    outcome->values[FIGURE_MIN][at] = (double)durations_min(result->latency) / 1000;
    for (int figure = FIGURE_P50; figure < FIGURES; figure++) {
        outcome->values[figure][at] =
            (double)durations_percentile(result->latency, percents[figure]) / 1000;
    }
    outcome->requests += result->requests;
    outcome->unsent += result->unsent;
    outcome->seconds += seconds;
    outcome->interrupted |= result->interrupted;
    durations_merge(outcome->latency, result->latency);
    durations_merge(outcome->lateness, result->lateness);
    replies_tally_add(&outcome->tally, &result->tally);
}

static int compare_doubles(const void *a, const void *b) {
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

double median(double *values, int count) {
    for (int i = 0; i < count; i++) {
        if (isnan(values[i])) {
            return NAN;
        }
    }
    if (count == 0) {
        return NAN;
    }
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double outcome_figure(const struct outcome *outcome, enum figure figure) {
    double values[ROUNDS_MAX];
    memcpy(values, outcome->values[figure], sizeof values);
    return median(values, outcome->rounds);
}
