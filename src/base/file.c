/* file: see the header. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_SIZE 65536

int file_read_descriptor(int fd, size_t max, struct buffer *out) {
    for (;;) {
        char *at = buffer_reserve(out, READ_SIZE);
        ssize_t size = read(fd, at, READ_SIZE);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return size == 0 ? 0 : -errno;
        }
        out->size += (size_t)size;
        if (out->size > max) {
            return -EFBIG;
        }
    }
}

int file_read(const char *path, size_t max, struct buffer *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int status = file_read_descriptor(fd, max, out);
    close(fd);
    return status;
}

static int write_all(int fd, struct bytes text) {
    while (text.size > 0) {
        ssize_t size = write(fd, text.at, text.size);
        if (size < 0 && errno != EINTR) {
            return -errno;
        }
        size = size < 0 ? 0 : size;
        text = bytes_of(text.at + size, text.size - (size_t)size);
    }
    return 0;
}

/* Gives the new file the old one's owner, where that is allowed, and permissions. */
static int adopt_owner(int fd, const char *path) {
    struct stat status;
    if (stat(path, &status) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (fchown(fd, status.st_uid, status.st_gid) < 0 && errno != EPERM) {
        return -errno;
    }
    return fchmod(fd, status.st_mode & 07777) == 0 ? 0 : -errno;
}

int file_sync_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    char *folder = mem_copy_text(MEM_OTHER, slash == NULL ? "." : path, size);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    mem_free(MEM_OTHER, folder, size + 1);
    return status;
}

static int write_temporary(const char *temporary, const char *path, struct bytes text) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int status = adopt_owner(fd, path);
    if (status == 0) {
        status = write_all(fd, text);
    }
    if (status == 0 && fsync(fd) < 0) {
        status = -errno;
    }
    close(fd);
    return status;
}

int file_replace(const char *path, const char *suffix, struct bytes text) {
    struct buffer temporary;
    buffer_init(&temporary, MEM_OTHER);
    buffer_printf(&temporary, "%s%s", path, suffix);
    const char *name = buffer_text(&temporary);
    int status = write_temporary(name, path, text);
    if (status == 0 && rename(name, path) < 0) {
        status = -errno;
    }
    if (status < 0) {
        unlink(name);
    } else {
        status = file_sync_folder_of(path);
    }
    buffer_clear(&temporary);
    return status;
}
