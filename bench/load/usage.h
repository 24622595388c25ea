/* usage: what the load generator says of itself. */
#ifndef LARDER_LOAD_USAGE_H
#define LARDER_LOAD_USAGE_H

#include <stdio.h>

void usage_print(FILE *out);

#endif
