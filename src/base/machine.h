/* machine: what the system lets this process use, and what it uses. */
#ifndef LARDER_BASE_MACHINE_H
#define LARDER_BASE_MACHINE_H

#include <stddef.h>

/* Bytes of memory that the process may use: the limit of its control group or of one above it
 * (version 2, else version 1) if that is less than the machine's physical memory, otherwise that.
 * `root` comes in front of the paths of /proc and /sys: "" but in tests. */
size_t machine_memory(const char *root);

/* Bytes of physical memory that the process has now; 0 when the system does not tell. */
size_t machine_resident(void);

#endif
