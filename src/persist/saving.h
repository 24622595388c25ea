/* saving: the file of the data: its name, when a snapshot (persist/snapshot.h) is written into it,
 * and what others are told of how that went.
 *
 * The folder is the process's working directory (option dir), so that the name alone is a path.
 *
 *     BGSAVE, a point of `save` --> begin --> slices, a pass each --> the pump ends --> settled
 *     SAVE, the end of the process --> the same in one go
 *
 * A failure leaves the old file as it is. INFO and the log say so, and who writes is refused while
 * `save` asks for snapshots and the last one has failed, unless stop-writes-on-bgsave-error is
 * no. */
#ifndef LARDER_PERSIST_SAVING_H
#define LARDER_PERSIST_SAVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/option.h"

#define SAVING_OPTIONS(X)                                                                          \
    X(CUSTOM, points, "save", "", 0, 0, &saving_points_option, OPTION_REPEATS, saving_apply,       \
      "After how many seconds with how many changes the data is saved; empty: not by itself.")     \
    X(CUSTOM, file_name, "dbfilename", "dump.rdb", 0, 0, &saving_file_name_option,                 \
      OPTION_PROTECTED, NULL, "Name of the file of the data, in the folder of the option dir.")    \
    X(BOOL, compress, "rdbcompression", "yes", 0, 0, NULL, 0, NULL,                                \
      "Whether texts in the file are compressed.")                                                 \
    X(BOOL, checksum, "rdbchecksum", "yes", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                    \
      "Whether the file ends with a checksum, and that of a file is looked at.")                   \
    X(BOOL, sync_often, "rdb-save-incremental-fsync", "yes", 0, 0, NULL, 0, NULL,                  \
      "Whether the file goes to the disk bit by bit while it is written, and not all at its end.") \
    X(BOOL, stop_writes, "stop-writes-on-bgsave-error", "yes", 0, 0, NULL, 0, saving_apply,        \
      "Whether writes are refused while `save` asks for snapshots and the last one has failed.")
struct saving_options {
    SAVING_OPTIONS(OPTION_FIELD)
};

struct context;
struct saving;

/* Registers the options. */
struct saving *saving_new(struct context *context);
/* Gives up what is being written. The keyspace must still be there. */
void saving_stop(struct saving *saving);
void saving_free(struct saving *saving);

const struct saving_options *saving_options(const struct saving *saving);

/* The name of the file, to be opened as it is. Valid until the option changes. */
const char *saving_file_name(const struct saving *saving);

/* Whether `save` asks for snapshots. */
bool saving_is_wanted(const struct saving *saving);

/* Whether one is being written. */
bool saving_is_busy(const struct saving *saving);

/* Begins to save what there is now. Whether one could begin; not while one is being written. */
bool saving_begin(struct saving *saving);

/* Saves what there is now, before it returns; what is being written is given up. Whether it has
 * succeeded. */
bool saving_save(struct saving *saving);

/* Whether the last attempt to save failed. */
bool saving_has_failed(const struct saving *saving);

/* Seconds since 1970 of the last save that succeeded, or of the start. */
int64_t saving_last_s(const struct saving *saving);

/* Bytes of what is being written that wait for their turn. */
size_t saving_kept(const struct saving *saving);

/* Once a pass: goes on for about `budget_us`. Whether there is more to do at once. */
bool saving_pass(struct saving *saving, int64_t budget_us);

/* Some times a second: begins when a point of `save` is due; says how far it has come. */
void saving_cron(struct saving *saving);

/* Appends what INFO persistence tells of it. */
void saving_print(const struct saving *saving, struct buffer *out);

/* For the option table. */
bool saving_apply(void *module, const char **error);

#endif
