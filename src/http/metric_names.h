/* metric_names: what a field of INFO is called in /metrics: redis_exporter's name where it has one,
 * so that its dashboards and alerts work. Fields without a row are gauges larder_FIELD. */
#ifndef LARDER_HTTP_METRIC_NAMES_H
#define LARDER_HTTP_METRIC_NAMES_H

#include <stddef.h>

#include "base/bytes.h"

enum metric_type { METRIC_TYPE_GAUGE, METRIC_TYPE_COUNTER };

struct metric_name {
    const char *field;
    const char *name; /* a counter's ends with _total; empty: it is left out */
    enum metric_type type;
    double unit; /* what the field's number is divided by */
};

/* The row of a field; NULL when it has none. */
const struct metric_name *metric_name_of(struct bytes field);

/* All rows in order, from index 0; NULL ends. */
const struct metric_name *metric_name_at(size_t index);

#endif
