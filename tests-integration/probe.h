/* probe: what tests look at from outside: fields of INFO and CLIENT LIST, and what the kernel tells
 * of the server's process. Whatever cannot be found out fails the running test. */
#ifndef LARDER_TESTS_INTEGRATION_PROBE_H
#define LARDER_TESTS_INTEGRATION_PROBE_H

#include "harness.h"

/* A number of INFO, of whichever section, asked for on `fd`. */
int64_t probe_info(int fd, const char *field);

/* A field of INFO as text; to be freed. */
char *probe_info_text(int fd, const char *field);

/* The id of the connection itself. */
int64_t probe_id(int fd);

/* A number of the line that CLIENT LIST has for the connection with this id, asked for on `fd`; -1
 * when there is no such connection. */
int64_t probe_client(int fd, int64_t id, const char *field);

/* Resident memory of the server's process, bytes. */
int64_t probe_resident(const struct server *server);

/* Time on a processor that it has used, milliseconds. */
int64_t probe_cpu_ms(const struct server *server);

/* Whether the server was built with a sanitizer: then its resident memory says nothing. */
bool probe_is_sanitized(const struct server *server);

/* Whether the server's output has this text; and waits until it has. */
bool probe_log_has(const struct server *server, const char *text);
void probe_wait_log(const struct server *server, const char *text);

#endif
