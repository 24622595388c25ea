/* harness: starts and stops servers for tests, each on a free port of the loopback interface, with
 * a folder of its own that is removed at the end.
 *
 * The server under test is the program that the environment's LARDER_SERVER names (default:
 * build/larder-server); with LARDER_SERVER=redis-server the same tests run against the reference.
 * LARDER_SERVER_OPTIONS are words that come in front of each test's own options, so that all tests
 * can be run with "--io-threads 4", say.
 * What the server writes is kept; a sanitizer's finding in it, or an exit status other than 0 at
 * the end, fails the test. No process outlives its test program, however that ends.
 *
 * Whatever goes wrong in here fails the running test. Every wait ends after HARNESS_WAIT_MS. */
#ifndef LARDER_TESTS_INTEGRATION_HARNESS_H
#define LARDER_TESTS_INTEGRATION_HARNESS_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

/* The longest that a test waits for anything. Long, because a sanitized server on a busy machine is
 * slow, and because it is only spent when something is broken. */
#define HARNESS_WAIT_MS 30000

struct server;

/* Starts the server under test with these arguments after the usual ones (`--port N --bind
 * 127.0.0.1
 * --save "" --dir FOLDER`), and waits until it accepts. `options` ends with NULL, or is NULL. */
struct server *server_start(const char *const *options);

/* The same with a configuration file of this text, FOLDER/larder.conf, in front of the options. */
struct server *server_start_configured(const char *text, const char *const *options);

/* Called in each child before it becomes a server, from now on; NULL: nothing, as at first. */
void harness_before_server(void (*prepare)(void));

/* The same for redis-server from PATH, without append-only file. */
struct server *server_start_reference(const char *const *options);

/* The same with a configuration file. */
struct server *server_start_reference_configured(const char *text, const char *const *options);

/* Sentinel, which is redis-server's other self, with that configuration. */
struct server *server_start_sentinel(const char *text);

/* Asks the server to end (SIGTERM), waits, fails the test unless it ended with status 0 and wrote
 * nothing that a sanitizer or a failed check writes; frees everything. NULL does nothing. */
void server_stop(struct server *server);

/* Waits for a server that was told to end otherwise (SHUTDOWN); then like server_stop. */
void server_wait(struct server *server);

/* Waits for the end of a server that was told to end; returns its exit status, or 256 and the
 * signal that ended it. *output, unless NULL, gets what it wrote, to be freed. Frees everything
 * else. */
int server_end(struct server *server, char **output);

/* Kills it without warning, as a crash of the machine would; frees everything but the folder when
 * `keep_folder`: its path is returned then, to be freed by the caller. */
char *server_kill(struct server *server, bool keep_folder);

/* A port of the loopback interface that nobody listens on; the moment after somebody may. */
int harness_free_port(void);

int server_port(const struct server *server);
pid_t server_pid(const struct server *server);
const char *server_folder(const struct server *server);

/* What the server has written so far, NUL-terminated; to be freed by the caller. */
char *server_output(const struct server *server);

/* Whether the server under test is redis-server: for what the reference does not know. */
bool server_is_reference(void);

/* Starts the server under test but expects it to end by itself within the wait: for configurations
 * that are wrong. Returns its exit status; *output gets what it wrote, to be freed. */
int server_run(const char *const *options, char **output);
int server_run_configured(const char *text, const char *const *options, char **output);

/* Runs the program under test with these arguments and no others; otherwise like server_run. */
int server_run_bare(const char *const *arguments, char **output);

/* Waits until condition(context) is true; fails the test with `what` when it never is. */
void harness_wait_for(bool (*condition)(void *context), void *context, const char *what);

/* Fails the running test; outside of a test, ends the program. */
_Noreturn void harness_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What the test is about to do: shown when it fails. Copied. */
void harness_note(const char *text);

int64_t harness_now_ms(void);

/* A pause between two looks at a condition. Not a way of waiting for something to happen. */
void harness_breathe(void);

/* Removes a folder and what is in it. */
void harness_remove_folder(const char *path);

#endif
