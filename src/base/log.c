/* log: one line, one write. A line is built on the stack and goes out with a single system call on
 * a descriptor opened for appending, so that lines of several threads or processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A message beyond this is cut: a line is for people. */
#define LINE_SIZE 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char log_path[PATH_MAX]; /* empty: standard output. Under `lock` */
static bool echoes;             /* warnings, to standard error. Under `lock` */
static _Atomic int log_level = LOG_NOTICE;

/* Opens where lines go. A descriptor, or -errno. The caller gives it back to close_log. */
static int open_log(const char *path) {
    if (path[0] == '\0') {
        return STDOUT_FILENO;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : fd;
}

static void close_log(int fd) {
    if (fd != STDOUT_FILENO) {
        close(fd);
    }
}

int log_open(const char *path, enum log_level level) {
    size_t size = strlen(path);
    if (size >= sizeof log_path) {
        return -ENAMETOOLONG;
    }
    int fd = open_log(path);
    if (fd < 0) {
        return fd;
    }
    close_log(fd);
    pthread_mutex_lock(&lock);
    memcpy(log_path, path, size + 1);
    pthread_mutex_unlock(&lock);
    log_set_level(level);
    return 0;
}

void log_echo(bool echo) {
    pthread_mutex_lock(&lock);
    echoes = echo;
    pthread_mutex_unlock(&lock);
}

void log_set_level(enum log_level level) {
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum log_level log_level_now(void) {
    return (enum log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* The path changes only when the log is opened, at the start. */
int log_raw_descriptor(void) {
    int fd = open_log(log_path);
    return fd < 0 ? STDERR_FILENO : fd;
}

/* Writes `PID:M DD Mon YYYY HH:MM:SS.mmm LEVEL ` and returns its length. */
static size_t put_prefix(char *line, size_t size, enum log_level level) {
    static const char marks[] = ".-*#";
    struct timeval now;
    gettimeofday(&now, NULL);
    struct tm local;
    localtime_r(&now.tv_sec, &local);
    char date[32];
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &local);
    int used = snprintf(line, size, "%d:M %s.%03d %c ", (int)getpid(), date,
                        (int)(now.tv_usec / 1000), marks[level]);
    return (size_t)used;
}

void log_write(enum log_level level, const char *format, ...) {
    if (level < log_level_now() || level >= LOG_NOTHING) {
        return;
    }
    int saved_errno = errno;
    char line[LINE_SIZE];
    size_t prefix = put_prefix(line, sizeof line, level);
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(line + prefix, sizeof line - prefix, format, arguments);
    va_end(arguments);
    size_t size = prefix + (wanted < 0 ? 0 : (size_t)wanted);
    if (size > sizeof line - 1) {
        size = sizeof line - 1;
    }
    /* What a client sent must not look like a line of its own. */
    for (size_t i = prefix; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 127) {
            line[i] = line[i] == '\t' ? '\t' : '?';
        }
    }
    line[size++] = '\n';

    pthread_mutex_lock(&lock);
    int fd = open_log(log_path);
    if (fd >= 0) {
        /* Nobody could be told about a failure. */
        ssize_t written = write(fd, line, size);
        (void)written;
        close_log(fd);
    }
    if (echoes && level >= LOG_WARNING && log_path[0] != '\0') {
        ssize_t written = write(STDERR_FILENO, line, size);
        (void)written;
    }
    pthread_mutex_unlock(&lock);
    errno = saved_errno;
}
