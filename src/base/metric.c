/* metric: the registry of what can be observed. A list of groups, one for each registration, walked
 * once for each section: INFO is asked rarely and has some hundred rows, so nothing is sorted. */
#include "base/metric.h"

#include "base/check.h"
#include "base/mem.h"

struct group {
    const struct metric *rows;
    size_t count;
    void *fields;
    void *module;
    void (*reset)(void *module);
};

struct metrics {
    struct group *groups;
    size_t count;    /* groups in use */
    size_t capacity; /* groups allocated */
};

struct metrics *metrics_new(void) {
    return mem_zalloc(MEM_OTHER, sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics) {
    if (metrics == NULL) {
        return;
    }
    mem_free(MEM_OTHER, metrics->groups, metrics->capacity * sizeof(struct group));
    mem_free(MEM_OTHER, metrics, sizeof *metrics);
}

static bool is_field(const struct metric *row) {
    return row->kind == METRIC_KIND_COUNTER || row->kind == METRIC_KIND_GAUGE;
}

static bool row_is_valid(const struct metric *row, const void *fields) {
    if (row->name == NULL || row->section >= METRIC_SECTIONS) {
        return false;
    }
    switch (row->kind) {
    case METRIC_KIND_COUNTER:
    case METRIC_KIND_GAUGE:
        return fields != NULL;
    case METRIC_KIND_NUMBER:
        return row->number != NULL;
    case METRIC_KIND_TEXT:
    case METRIC_KIND_LINES:
        return row->text != NULL;
    }
    return false;
}

void metrics_register(struct metrics *metrics, const struct metric *rows, size_t count,
                      void *fields, void *module, void (*reset)(void *module)) {
    for (size_t i = 0; i < count; i++) {
        check(row_is_valid(&rows[i], fields));
    }
    if (metrics->count == metrics->capacity) {
        size_t capacity = metrics->capacity == 0 ? 16 : metrics->capacity * 2;
        metrics->groups =
            mem_realloc(MEM_OTHER, metrics->groups, metrics->capacity * sizeof(struct group),
                        capacity * sizeof(struct group));
        metrics->capacity = capacity;
    }
    metrics->groups[metrics->count++] = (struct group){
        .rows = rows, .count = count, .fields = fields, .module = module, .reset = reset};
}

const char *metrics_section_name(enum metric_section section) {
    static const char *const names[] = {
        "Server",       "Clients", "Memory",   "Persistence",  "Stats",
        "Replication",  "CPU",     "Modules",  "Commandstats", "Errorstats",
        "Latencystats", "Cluster", "Keyspace", "Threads",      "Leases",
    };
    _Static_assert(sizeof names / sizeof names[0] == METRIC_SECTIONS, "every section has a name");
    return section < METRIC_SECTIONS ? names[section] : "Unknown";
}

static uint64_t *field_of(const struct group *group, const struct metric *row) {
    return (uint64_t *)(void *)((char *)group->fields + row->offset);
}

static void print_row(const struct group *group, const struct metric *row, struct buffer *out) {
    if (row->kind == METRIC_KIND_LINES) {
        row->text(group->module, out);
        return;
    }
    buffer_printf(out, "%s:", row->name);
    if (is_field(row)) {
        buffer_printf(out, "%llu", (unsigned long long)*field_of(group, row));
    } else if (row->kind == METRIC_KIND_NUMBER) {
        buffer_printf(out, "%lld", (long long)row->number(group->module));
    } else {
        row->text(group->module, out);
    }
    buffer_append_text(out, "\r\n");
}

void metrics_print_section(const struct metrics *metrics, enum metric_section section,
                           struct buffer *out) {
    buffer_printf(out, "# %s\r\n", metrics_section_name(section));
    for (size_t i = 0; i < metrics->count; i++) {
        const struct group *group = &metrics->groups[i];
        for (size_t j = 0; j < group->count; j++) {
            if (group->rows[j].section == section) {
                print_row(group, &group->rows[j], out);
            }
        }
    }
}

void metrics_reset(struct metrics *metrics) {
    for (size_t i = 0; i < metrics->count; i++) {
        const struct group *group = &metrics->groups[i];
        for (size_t j = 0; j < group->count; j++) {
            if (group->rows[j].kind == METRIC_KIND_COUNTER) {
                *field_of(group, &group->rows[j]) = 0;
            }
        }
        if (group->reset != NULL) {
            group->reset(group->module);
        }
    }
}

const struct metric *metrics_at(const struct metrics *metrics, size_t index, int64_t *value) {
    for (size_t i = 0; i < metrics->count; i++) {
        const struct group *group = &metrics->groups[i];
        if (index >= group->count) {
            index -= group->count;
            continue;
        }
        const struct metric *row = &group->rows[index];
        *value = 0;
        if (is_field(row)) {
            *value = (int64_t)*field_of(group, row);
        } else if (row->kind == METRIC_KIND_NUMBER) {
            *value = row->number(group->module);
        }
        return row;
    }
    return NULL;
}
