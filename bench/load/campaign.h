/* campaign: all that one call of the program measures: each test with each pipeline on each server,
 * in rounds that take turns, so that what disturbs the machine disturbs all of them alike. */
#ifndef LARDER_LOAD_CAMPAIGN_H
#define LARDER_LOAD_CAMPAIGN_H

#include "load/options.h"

/* The program's exit status: 0; 1 when anything failed or a server answered with errors; 130 after
 * an interruption. What was measured until then is reported. */
int campaign_run(const struct options_given *options);

#endif
