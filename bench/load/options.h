/* options: the load generator's command line. Options that redis-benchmark has too mean the same
 * here. */
#ifndef LARDER_LOAD_OPTIONS_H
#define LARDER_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/run.h"

struct options_given {
    struct run_plan plan;
    size_t value_size;
    uint64_t key_count;
    double zipf;       /* 0: all keys alike */
    const char *tests; /* names with commas between */
    bool quiet;
    bool json;
    char *const *command; /* words of a command of the user's own */
    int command_size;     /* 0: there is none */
};

/* 0 to go on; 1 when all was said already (--help); -1 after a word on standard error. */
int options_read(struct options_given *options, int argc, char **argv);

#endif
