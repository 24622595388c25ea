/* process: the few calls that turn a program into a service. */
#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* A process's number, a newline, and room. */
#define PID_SIZE 32

/* In a process that goes into the background: where the parent waits for a word; otherwise -1. */
static int parent = -1;

void process_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    mode_t inherited = umask(S_IWGRP | S_IWOTH);
    umask(inherited | S_IWGRP | S_IWOTH);
}

/* The parent's part: waits for the child's word, or for its end. */
static _Noreturn void wait_until_ready(pid_t child, int fd) {
    char word;
    ssize_t size;
    do {
        size = read(fd, &word, 1);
    } while (size < 0 && errno == EINTR);
    if (size == 1) {
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

int process_daemonize(void) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) {
        return -errno;
    }
    pid_t child = fork();
    if (child < 0) {
        int status = -errno;
        close(pair[0]);
        close(pair[1]);
        return status;
    }
    if (child > 0) {
        close(pair[1]);
        wait_until_ready(child, pair[0]);
    }
    close(pair[0]);
    parent = pair[1];
    return setsid() < 0 ? -errno : 0;
}

void process_detach(void) {
    if (parent < 0) {
        return;
    }
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int standard = STDIN_FILENO; fd >= 0 && standard <= STDERR_FILENO; standard++) {
        /* Nobody could be told about a failure, and it would do no harm. */
        (void)dup2(fd, standard);
    }
    if (fd > STDERR_FILENO) {
        close(fd);
    }
    ssize_t written = write(parent, "", 1);
    (void)written;
    close(parent);
    parent = -1;
}

void process_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof address.sun_path) {
        return;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* an abstract name */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0) {
        log_verbose("The supervisor could not be told %s: %s", state, strerror(errno));
    }
    close(fd);
}

int process_write_pidfile(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    char text[PID_SIZE];
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    ssize_t written = write(fd, text, (size_t)size);
    int status = written == size ? 0 : written < 0 ? -errno : -EIO;
    if (close(fd) != 0 && status == 0) {
        status = -errno;
    }
    return status;
}

void process_remove_pidfile(const char *path) {
    char text[PID_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size > 0) {
        text[size] = '\0';
        if (strtol(text, NULL, 10) == (long)getpid()) {
            unlink(path);
        }
    }
}
