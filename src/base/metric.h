/* metric: how a module declares what can be observed.
 *
 * Like options: a module lists its counters in an X-macro, owns the struct, and registers a table
 * once. INFO (and later /metrics) walks the registry: sections in the order below, in a section the
 * order of registration. Names are those of Redis's INFO wherever Redis has the figure.
 *
 *     #define KEYSPACE_METRICS(X) \
 *         X(STATS, expired_keys, COUNTER, "Keys removed because their deadline passed.") \
 *     struct keyspace_metrics { KEYSPACE_METRICS(METRIC_FIELD) };
 *
 * A figure that is computed is a row with a function instead of a field; a block of lines that has
 * a form of its own (`db0:keys=1,...`) is a METRIC_LINES row. */
#ifndef LARDER_BASE_METRIC_H
#define LARDER_BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum metric_section {
    METRIC_SERVER,
    METRIC_CLIENTS,
    METRIC_MEMORY,
    METRIC_PERSISTENCE,
    METRIC_STATS,
    METRIC_REPLICATION,
    METRIC_CPU,
    METRIC_MODULES,
    METRIC_COMMANDSTATS,
    METRIC_ERRORSTATS,
    METRIC_LATENCYSTATS,
    METRIC_CLUSTER,
    METRIC_KEYSPACE,
    METRIC_THREADS,
    METRIC_LEASES,
    METRIC_SECTIONS
};

enum metric_kind {
    METRIC_KIND_COUNTER, /* uint64_t field that only grows; CONFIG RESETSTAT sets it to 0 */
    METRIC_KIND_GAUGE,   /* uint64_t field that goes up and down */
    METRIC_KIND_NUMBER,  /* int64_t from a function */
    METRIC_KIND_TEXT,    /* a function appends the value */
    METRIC_KIND_LINES,   /* a function appends whole `name:value\r\n` lines */
};

struct metric {
    const char *name; /* for LINES: what the block is, for people */
    enum metric_section section;
    enum metric_kind kind;
    size_t offset;                                  /* COUNTER, GAUGE */
    int64_t (*number)(void *module);                /* NUMBER */
    void (*text)(void *module, struct buffer *out); /* TEXT, LINES */
    const char *description;
};

#define METRIC_FIELD(section, field, ...) uint64_t field;
#define METRIC_ROW(type, section_, field, kind_, description_)                                     \
    {.name = #field,                                                                               \
     .section = METRIC_##section_,                                                                 \
     .kind = METRIC_KIND_##kind_,                                                                  \
     .offset = offsetof(type, field),                                                              \
     .description = (description_)},

struct metrics; /* the registry; main owns it */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Adds a module's rows; `fields` is the struct with the counters (may be NULL when no row has a
 * field), `module` what the functions get. `reset`, if any, is called by metrics_reset too. */
void metrics_register(struct metrics *metrics, const struct metric *rows, size_t count,
                      void *fields, void *module, void (*reset)(void *module));

/* "Server", "Clients" ... as INFO heads them; the lower-case form selects them. */
const char *metrics_section_name(enum metric_section section);

/* Appends `# Name\r\n` and the section's lines. */
void metrics_print_section(const struct metrics *metrics, enum metric_section section,
                           struct buffer *out);

/* CONFIG RESETSTAT: counters to zero, and each module's own reset. */
void metrics_reset(struct metrics *metrics);

/* Walks all rows in order, for exporters: index from 0; NULL ends. *value gets the number of
 * COUNTER, GAUGE and NUMBER rows. */
const struct metric *metrics_at(const struct metrics *metrics, size_t index, int64_t *value);

#endif
