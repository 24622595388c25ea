/* snapshot_file: a snapshot's bytes become a file: written beside it as temp-PID.rdb, synced,
 * renamed, and the folder synced. Whatever goes wrong before, the file is what it was. */
#ifndef LARDER_PERSIST_SNAPSHOT_FILE_H
#define LARDER_PERSIST_SNAPSHOT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "persist/pump.h"

struct snapshot_file {
    int folder;
    int file; /* -1: not made yet */
    char name[NAME_MAX + 1];
    char temporary[32];
    bool syncs_often;
    uint64_t written;
    uint64_t synced;   /* handed to the disk so far */
    const char *where; /* what has failed, for the log */
};

/* Remembers the working directory, where the file will be. 0 or -errno. */
int snapshot_file_begin(struct snapshot_file *file, const char *name, bool syncs_often);
/* When it is over, or no pump was made. */
void snapshot_file_end(struct snapshot_file *file);

/* The functions for a pump; the file is made with the first byte. */
struct pump_sink snapshot_file_sink(struct snapshot_file *file);

#endif
