/* mix: what a run sends: one sort of request; or several, each of them as often as its weight says;
 * or pairs, of which one connection sends the first half, which waits for something, and another
 * the second, which brings it. */
#ifndef LARDER_LOAD_MIX_H
#define LARDER_LOAD_MIX_H

#include <stdbool.h>
#include <stdint.h>

#include "load/template.h"

#define MIX_MAX 16

struct mix {
    struct template templates[MIX_MAX];
    uint64_t weights[MIX_MAX]; /* sums of the weights up to each */
    int count;
    bool pairs; /* the first two templates are halves of one request; weights mean nothing */
    struct sizes sizes;
};

void mix_init(struct mix *mix, const struct sizes *sizes);

/* Takes the template over. `weight` at least 1. -1 when there are MIX_MAX already; the template
 * remains the caller's then. */
int mix_add(struct mix *mix, const struct template *template, uint64_t weight);

/* Gives the request that was added last another weight. */
void mix_set_weight(struct mix *mix, uint64_t weight);

void mix_free(struct mix *mix);

/* Whether each request is the same but for its numbers, so that copies may lie ready. */
bool mix_is_uniform(const struct mix *mix);

/* How many replies a request has; all of a mix have as many. */
uint64_t mix_replies(const struct mix *mix);

/* Appends half a request of pairs: the one that waits, or the other. */
void mix_append_half(const struct mix *mix, bool waits, struct buffer *out, struct keys *keys);

/* Appends the next request. */
void mix_append(const struct mix *mix, struct buffer *out, struct keys *keys);

/* Makes `count` requests of a uniform mix in a buffer that holds nothing else; `ready` tells how
 * many copies the buffer has already, and what mix_renew returns it has then. */
uint64_t mix_renew(const struct mix *mix, struct buffer *out, uint64_t ready, uint64_t count,
                   struct keys *keys);

#endif
