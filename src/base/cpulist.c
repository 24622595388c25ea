/* cpulist: a list is read from left to right; each number is bounded before it is used. */
#include "base/cpulist.h"

#include <stdbool.h>

/* The number at *text, which then points behind it. */
static bool read_number(const char **text, int *number) {
    const char *at = *text;
    int value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
        if (value >= CPU_SETSIZE) {
            return false;
        }
    }
    if (at == *text) {
        return false;
    }
    *text = at;
    *number = value;
    return true;
}

/* One range, "first[-last[:step]]". */
static bool read_range(const char **text, cpu_set_t *set) {
    int first;
    if (!read_number(text, &first)) {
        return false;
    }
    int last = first;
    int step = 1;
    if (**text == '-') {
        ++*text;
        if (!read_number(text, &last) || last < first) {
            return false;
        }
        if (**text == ':') {
            ++*text;
            if (!read_number(text, &step) || step == 0) {
                return false;
            }
        }
    }
    for (int cpu = first; cpu <= last; cpu += step) {
        CPU_SET(cpu, set);
    }
    return true;
}

int cpulist_parse(const char *text, cpu_set_t *set) {
    CPU_ZERO(set);
    if (*text == '\0') {
        return 0;
    }
    for (;;) {
        if (!read_range(&text, set)) {
            return -1;
        }
        if (*text == '\0') {
            return CPU_COUNT(set);
        }
        if (*text++ != ',') {
            return -1;
        }
    }
}

int cpulist_at(const cpu_set_t *set, int place) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, set) && place-- == 0) {
            return cpu;
        }
    }
    return -1;
}

void cpulist_usable(cpu_set_t *set) {
    if (sched_getaffinity(0, sizeof *set, set) != 0) {
        CPU_ZERO(set);
        CPU_SET(0, set);
    }
}
