/* report: outcomes for people, on one line each, as JSON or as rows of CSV. */
#ifndef LARDER_LOAD_REPORT_H
#define LARDER_LOAD_REPORT_H

#include "load/options.h"
#include "load/outcome.h"

/* What stands before the first outcome. */
void report_begin(const struct options_given *options);

/* One test: an outcome for each server, in the order of the options; ratios are to the first. What
 * went wrong goes to standard error. */
void report_test(const struct options_given *options, const struct outcome *outcomes, int count);

/* Writes an outcome as one JSON object on a line of its own; for a comparison, `first` is that of
 * the first server, otherwise NULL. */
void report_json(const struct options_given *options, const struct outcome *outcome,
                 const struct outcome *first);

#endif
