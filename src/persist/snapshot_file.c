/* snapshot_file: see the header. */
#include "persist/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes that are handed to the disk together, while the next ones are written: so that the end does
 * not have all of it to do, and others' writes are not held up by it. */
#define SYNC_SIZE ((uint64_t)4 << 20)

int snapshot_file_begin(struct snapshot_file *file, const char *name, bool syncs_often) {
    *file = (struct snapshot_file){.file = -1, .syncs_often = syncs_often};
    snprintf(file->name, sizeof file->name, "%s", name);
    snprintf(file->temporary, sizeof file->temporary, "temp-%d.rdb", (int)getpid());
    file->folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file->folder >= 0 ? 0 : -errno;
}

void snapshot_file_end(struct snapshot_file *file) {
    if (file->folder >= 0) {
        close(file->folder);
        file->folder = -1;
    }
}

static int failed(struct snapshot_file *file, const char *where) {
    file->where = where;
    return -errno;
}

/* The pages that went to the disk last time are waited for, so that no more than two portions are
 * ever under way; they need not stay in memory. What a file system does not know is not needed. */
static void sync_some(struct snapshot_file *file) {
    uint64_t size = file->written - file->synced;
    if (!file->syncs_often || size < SYNC_SIZE) {
        return;
    }
    if (file->synced > 0) {
        uint64_t before = file->synced < SYNC_SIZE ? 0 : file->synced - SYNC_SIZE;
        (void)sync_file_range(file->file, (off_t)before, (off_t)(file->synced - before),
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
        (void)posix_fadvise(file->file, (off_t)before, (off_t)(file->synced - before),
                            POSIX_FADV_DONTNEED);
    }
    (void)sync_file_range(file->file, (off_t)file->synced, (off_t)size, SYNC_FILE_RANGE_WRITE);
    file->synced = file->written;
}

static int write_bytes(void *context, const void *at, size_t size) {
    struct snapshot_file *file = context;
    if (file->file < 0) {
        file->file =
            openat(file->folder, file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file->file < 0) {
            return failed(file, "making");
        }
    }
    const char *next = at;
    for (size_t left = size; left > 0;) {
        ssize_t done = write(file->file, next, left);
        if (done < 0 && errno != EINTR) {
            return failed(file, "writing");
        }
        if (done > 0) {
            next += done;
            left -= (size_t)done;
        }
    }
    file->written += size;
    sync_some(file);
    return 0;
}

/* Some file systems have no folders that could be synced: there it is not needed. */
static int sync_folder(struct snapshot_file *file) {
    return fsync(file->folder) == 0 || errno == EINVAL ? 0 : failed(file, "syncing the folder of");
}

static int finish(void *context) {
    struct snapshot_file *file = context;
    if (fsync(file->file) != 0) {
        return failed(file, "syncing");
    }
    int status = close(file->file);
    file->file = -1;
    if (status != 0) {
        return failed(file, "closing");
    }
    if (renameat(file->folder, file->temporary, file->folder, file->name) != 0) {
        return failed(file, "renaming");
    }
    return sync_folder(file);
}

static void cancel(void *context) {
    struct snapshot_file *file = context;
    if (file->file >= 0) {
        close(file->file);
        file->file = -1;
    }
    (void)unlinkat(file->folder, file->temporary, 0);
}

struct pump_sink snapshot_file_sink(struct snapshot_file *file) {
    return (struct pump_sink){
        .write = write_bytes, .finish = finish, .cancel = cancel, .context = file};
}
