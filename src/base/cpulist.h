/* cpulist: lists of processors as people write them: "0-7", "0,2,4", "0-31:2" (every second), or
 * any of these joined by commas. */
#ifndef LARDER_BASE_CPULIST_H
#define LARDER_BASE_CPULIST_H

#include <sched.h>

/* Processors in the list, which *set gets; 0 for an empty text, -1 for one that is no list or names
 * a processor from CPU_SETSIZE on. */
int cpulist_parse(const char *text, cpu_set_t *set);

/* The processor at this place, from 0; -1 when there are fewer. */
int cpulist_at(const cpu_set_t *set, int place);

/* The processors that the calling thread may use. */
void cpulist_usable(cpu_set_t *set);

#endif
