/* sample: shows some of the requests to whoever wants to know what is asked for. Which ones is
 * drawn: after each, how many are passed over, so that a request costs nothing and a batch one
 * comparison. */
#ifndef LARDER_CLIENT_SAMPLE_H
#define LARDER_CLIENT_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/random.h"

struct batch;
struct database;

/* A request is about to be executed; `key` is its first one. */
typedef void (*sample_fn)(void *context, struct database *database, struct bytes key);

struct sample {
    sample_fn show; /* NULL: nobody wants any */
    void *context;
    uint64_t until; /* requests to pass over */
    uint64_t every; /* on average one in so many, at least 1 */
    struct random random;
};

void sample_init(struct sample *sample);

/* The batch's requests that it is up to, and how many behind them are passed over. */
void sample_batch(struct sample *sample, const struct batch *batch);

#endif
