/* log: lines for people, on standard output or appended to a file, with the levels and the form
 * that people know: `PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL message`. One writer per process,
 * shared by all threads. */
#ifndef LARDER_BASE_LOG_H
#define LARDER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING, LOG_NOTHING };

/* Where to and from which level on. An empty path is standard output. The file is opened for each
 * line, so that it can be rotated away. 0, or -errno when it cannot be opened. */
int log_open(const char *path, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_level_now(void);

/* Whether warnings also go to standard error, when lines go to a file: as long as somebody waits
 * there for a server that starts in the background. Before there are threads. */
void log_echo(bool echo);

/* A descriptor for lines that are written without this module, in a process that is dying: where
 * lines go, otherwise standard error. Takes no lock. */
int log_raw_descriptor(void);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
#define log_verbose(...) log_write(LOG_VERBOSE, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)

#endif
