/* process: what a server does with the process that it is given: into the background, its number
 * into a file, signals that must not end it. */
#ifndef LARDER_SERVER_PROCESS_H
#define LARDER_SERVER_PROCESS_H

#include <stdbool.h>

/* Ignores SIGPIPE, and SIGHUP until the loop receives it, and takes care that nobody else can write
 * to files that the server makes. */
void process_prepare(void);

/* Goes on in a child that belongs to no terminal. The parent waits: it ends with 0 when the child
 * calls process_detach, and with the child's status when that ends before, so that whoever started
 * it knows whether it serves, and has read why not. Before any thread is started. 0 or -errno. */
int process_daemonize(void);

/* The server is ready: lets go of standard input, output and error, and of the parent. Does nothing
 * unless the process was daemonized. */
void process_detach(void);

/* Tells a supervisor that listens on the socket that NOTIFY_SOCKET names (systemd's Type=notify) of
 * a state: "READY=1", "STOPPING=1". Without such a supervisor it does nothing. */
void process_notify(const char *state);

/* Writes the process's number into a file, or -errno. */
int process_write_pidfile(const char *path);

/* Removes the file that process_write_pidfile wrote, unless another process has written its own
 * number there. */
void process_remove_pidfile(const char *path);

#endif
