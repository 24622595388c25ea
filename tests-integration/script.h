/* script: several connections to the server under test and as many to the reference, taken through
 * the same steps. After each step every connection must have got the same bytes from both: replies,
 * messages, and nothing. */
#ifndef LARDER_TESTS_INTEGRATION_SCRIPT_H
#define LARDER_TESTS_INTEGRATION_SCRIPT_H

#include "harness.h"

#define SCRIPT_CONNECTIONS 4

struct script;

/* Starts both servers with these options (or NULL). */
struct script *script_start(const char *const *options);
void script_stop(struct script *script);

/* Fresh connections, of which those whose letter is in `modern` ("ac") speak protocol 3; empty
 * databases. */
void script_begin(struct script *script, const char *modern);

/* "a: GET x | PING": connection a (to d) sends these commands in one piece. In a word, @b stands
 * for the id of connection b. Compares what everybody got. */
void script_step(struct script *script, const char *line);

/* Steps, up to a NULL. */
void script_run(struct script *script, const char *modern, const char *const *lines);

/* Goes on until connection `who` has got something from both, then compares. */
void script_await(struct script *script, char who);

/* Closes a connection. */
void script_close(struct script *script, char who);

#endif
