/* chart: draws outcomes as SVG: requests per second as bars, a group for each test; and for each
 * test the latency by percentile as a curve for each server. Colours and strokes are such that they
 * can be read on light and on dark ground; the ground itself is left to whoever shows the
 * picture. */
#ifndef LARDER_LOAD_CHART_H
#define LARDER_LOAD_CHART_H

#include "load/options.h"
#include "load/outcome.h"

/* Writes the picture of `tests` tests, each with an outcome for each server, one test after the
 * other. 0, or -1 after a word on standard error. */
int chart_write(const char *path, const struct options_given *options,
                const struct outcome *outcomes, int tests);

#endif
