/* saving: the file of the data: its name, how it is written, and when.
 *
 * The folder is the process's working directory (option dir), so that the name alone is a path. */
#ifndef LARDER_PERSIST_SAVING_H
#define LARDER_PERSIST_SAVING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

#define SAVING_OPTIONS(X)                                                                          \
    X(CUSTOM, file_name, "dbfilename", "dump.rdb", 0, 0, &saving_file_name_option,                 \
      OPTION_PROTECTED, NULL, "Name of the file of the data, in the folder of the option dir.")    \
    X(BOOL, compress, "rdbcompression", "yes", 0, 0, NULL, 0, NULL,                                \
      "Whether texts in the file are compressed.")                                                 \
    X(BOOL, checksum, "rdbchecksum", "yes", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                    \
      "Whether the file ends with a checksum, and that of a file is looked at.")                   \
    X(BOOL, sync_often, "rdb-save-incremental-fsync", "yes", 0, 0, NULL, 0, NULL,                  \
      "Whether the file goes to the disk bit by bit while it is written, and not all at its end.")
struct saving_options {
    SAVING_OPTIONS(OPTION_FIELD)
};

struct context;
struct saving;

/* Registers the options. */
struct saving *saving_new(struct context *context);
void saving_free(struct saving *saving);

const struct saving_options *saving_options(const struct saving *saving);

/* The name of the file, to be opened as it is. Valid until the option changes. */
const char *saving_file_name(const struct saving *saving);

#endif
