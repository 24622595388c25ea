/* file: files that are read or replaced as a whole. */
#ifndef LARDER_BASE_FILE_H
#define LARDER_BASE_FILE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/bytes.h"

/* Appends what is left of an open file, or the whole one at a path. 0 or -errno; -EFBIG beyond
 * `max` bytes in the buffer. */
int file_read_descriptor(int fd, size_t max, struct buffer *out);
int file_read(const char *path, size_t max, struct buffer *out);

/* Makes the text the file's content. It is written beside the file, under its name with the suffix,
 * synchronised, and renamed over it: whoever reads the path finds the old or the new content, after
 * a power failure too. A file that is there keeps its permissions, and its owner where that is
 * allowed; a new one is for its owner alone. 0 or -errno. */
int file_replace(const char *path, const char *suffix, struct bytes text);

/* Makes a name in a folder, a file's that was created or renamed, as durable as the file. 0 or
 * -errno. */
int file_sync_folder_of(const char *path);

#endif
