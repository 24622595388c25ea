/* options: the load generator's command line. Options that redis-benchmark has too mean the same
 * here. */
#ifndef LARDER_LOAD_OPTIONS_H
#define LARDER_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/run.h"

#define SERVERS_MAX     8
#define SERVER_LIST_MAX 4096
#define PIPELINES_MAX   8
#define ROUNDS_MAX      100

enum output { OUTPUT_TEXT, OUTPUT_QUIET, OUTPUT_JSON, OUTPUT_CSV };

struct options_given {
    struct run_plan plan;              /* its pipeline is one of those below */
    char server_list[SERVER_LIST_MAX]; /* texts of the servers below */
    struct endpoint servers[SERVERS_MAX];
    int server_count;
    bool compares;
    int pipelines[PIPELINES_MAX];
    int pipeline_count;
    int rounds;
    struct shape shape;
    const char *sizes; /* as given, for reports */
    const char *tests; /* names with commas between */
    const char *mix;   /* as given; NULL: tests or a command */
    bool loads;        /* stores what the tests read first */
    const char *svg;   /* path of the chart; NULL: none */
    const char *note;  /* a line in the chart; NULL: none */
    enum output output;
    char *const *command; /* words of a command of the user's own */
    int command_size;     /* 0: there is none */
};

/* 0 to go on; 1 when all was said already (--help, --version); -1 after a word on standard error.
 * The texts are those of argv, or within the options, which must stay where they are. */
int options_read(struct options_given *options, int argc, char **argv);

/* Frees what options_read made, when it returned 0. */
void options_end(struct options_given *options);

#endif
