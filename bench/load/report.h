/* report: a run's result for people, on one line, or as JSON. */
#ifndef LARDER_LOAD_REPORT_H
#define LARDER_LOAD_REPORT_H

#include "load/options.h"
#include "load/run.h"

void report_result(const char *name, const struct options_given *options,
                   const struct run_result *result);

#endif
