/* info: what INFO tells of the process as a whole: the figures that no part of the server owns:
 * version, uptime, memory, processor time, rates, and the commands' own figures by name.
 *
 * Redis's field names throughout, for monitoring reads them; what Larder does not have
 * (replication, persistence, scripts) is shown as a Redis that does not use it would show it. */
#ifndef LARDER_SERVER_INFO_H
#define LARDER_SERVER_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/metric.h"

/* Rates are averages over so many samples, taken ten times a second. */
#define INFO_SAMPLES 16

enum info_rate {
    INFO_RATE_COMMANDS, /* a second */
    INFO_RATE_INPUT,    /* bytes a second */
    INFO_RATE_OUTPUT,   /* bytes a second */
    INFO_RATE_PASSES,   /* of the event loop, a second */
    INFO_RATE_BUSY,     /* microseconds a second spent in passes */
    INFO_RATES
};

struct server;

struct info {
    struct server *server;
    struct {
        uint64_t last;                  /* the counter when it was sampled last */
        uint64_t samples[INFO_SAMPLES]; /* a second */
    } rates[INFO_RATES];
    size_t next_sample;
    int64_t sampled_us;      /* when, on the monotonic clock */
    int64_t allocator_at_us; /* when `allocator` and `resident` were asked for */
    struct mem_allocator_stats allocator;
    size_t resident; /* bytes of the process in physical memory */
};

/* Registers the metrics of the section Memory, which come before the keyspace's; and the others,
 * which come behind the clients'. */
void info_init_memory(struct info *info, struct server *server);
void info_init(struct info *info, struct server *server);

/* Everything is made: what is in use now is the server's own. */
void info_start(struct info *info);

/* Ten times a second. */
void info_sample(struct info *info);

/* The average over the samples, a second. */
uint64_t info_rate(const struct info *info, enum info_rate rate);

/* What is in info_commands.c. */
void info_register_commands(struct info *info, struct metrics *metrics);

#endif
