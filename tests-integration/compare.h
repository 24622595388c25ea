/* compare: the server under test and the reference side by side. The same bytes go to both, and
 * every reply must be the same: byte for byte, unless order, time or chance decide (enum
 * compare_how), or the difference is meant to be (compare_table.c).
 *
 * Commands come in rounds. A round has a seed of its own, a fresh connection of protocol 2 or 3 and
 * empty databases, and sends pipelines of random lengths, cut at random bytes; at its end all keys
 * of both servers are compared. What fails is shown with the round's seed and with the commands
 * before it that touched the same keys; the rest of that round is skipped, since the servers have
 * parted. In some rounds runs of the commands are wrapped in MULTI and EXEC.
 *
 * Environment:
 *   LARDER_COMPARE_SEED=N      the first round's seed (default 1, so that a run can be repeated; 0:
 *                              from the clock, to search for differences)
 *   LARDER_COMPARE_ROUNDS=N    exactly so many rounds (default: as many as fit into the time)
 *   LARDER_COMPARE_FAILURES=N  so many differences are shown before the test ends (default 1) */
#ifndef LARDER_TESTS_INTEGRATION_COMPARE_H
#define LARDER_TESTS_INTEGRATION_COMPARE_H

#include "compare_reply.h"
#include "generate.h"
#include "harness.h"

struct pair;

/* One way of making a command: how often, compared to the others, and how replies compare. */
struct row {
    unsigned weight;
    enum compare_how how;
    const char *form; /* generate.h */
};

struct family {
    const struct row *rows;
    size_t row_count;
    const char *const *setup; /* templates sent first in each round; ends with NULL, or is NULL */
    unsigned stray;           /* generate.h; 0: as usual */
    unsigned spoiled;
    unsigned commands;   /* in each round; 0: as usual */
    unsigned answered;   /* percent of the replies that must not be errors; 0: as usual */
    unsigned time_share; /* percent of the usual time; 0: all of it */
    bool alone;          /* never within MULTI and EXEC, as some commands are in other rounds */
};

/* The beginning of a family's initialiser. */
#define FAMILY(some_rows, some_setup)                                                              \
    .rows = (some_rows), .row_count = sizeof(some_rows) / sizeof *(some_rows), .setup = (some_setup)

/* Starts both servers, with these options (or NULL) and room for 16 databases. */
struct pair *pair_start(const char *const *options);

/* Makes a pair of two servers that run. */
struct pair *pair_of(struct server *ours, struct server *reference);

/* Ends both, checking that ours ends well. */
void pair_stop(struct pair *pair);

/* Fresh connections to both that speak this protocol. */
void pair_connect(struct pair *pair, int protocol);

/* Rounds of commands of the family's rows. Fails the running test on a difference. */
void pair_compare(struct pair *pair, const struct family *family);

/* One command (words split at spaces) at once. */
void pair_ask(struct pair *pair, enum compare_how how, const char *line);
void pair_ask_words(struct pair *pair, enum compare_how how, const struct words *words);

/* Sends a command to both and returns both raw replies, to be freed. */
void pair_answers(struct pair *pair, const struct words *words, char *answers[2], size_t sizes[2]);

/* The same for a line, as canonical texts. */
void pair_texts(struct pair *pair, const char *line, char *texts[2]);

/* Compares all databases' keys, types, values, encodings and deadlines. */
void pair_compare_state(struct pair *pair);

struct server *pair_server(struct pair *pair, int side);

#endif
