/* replica: what tests of replication share: asking how far servers are, waiting until one has
 * caught up with another, and a proxy between them that cuts, damages or stalls what a primary
 * sends.
 *
 * Whatever goes wrong fails the running test. */
#ifndef LARDER_TESTS_INTEGRATION_REPLICA_H
#define LARDER_TESTS_INTEGRATION_REPLICA_H

#include "client.h"

/* A number of INFO. */
long long replica_figure(redisContext *context, const char *name);
/* Whether INFO has this line. */
bool replica_says(redisContext *context, const char *line);
void replica_await(redisContext *context, const char *line);

bool replica_is_up(redisContext *replica);
/* Waits until the link is up and both have the same offset. */
void replica_catch_up(redisContext *primary, redisContext *replica);

/* REPLICAOF a port of this machine. */
void replica_follow(redisContext *replica, int port);

/* Between a replica and its primary, in a thread of its own; one connection at a time. */
struct proxy;
struct proxy_ways {
    /* Each connection ends after so many bytes of the primary's, drawn between these; 0: never. */
    size_t cut_least;
    size_t cut_most;
    /* This byte of the first connection's, from the primary's first on, comes with a bit changed;
     * 0: none. */
    size_t damaged;
    /* Behind so many bytes the first connection stalls, without ending; 0: never. */
    size_t stalled;
    uint64_t seed;
};
struct proxy *proxy_start(int target, const struct proxy_ways *ways);
void proxy_stop(struct proxy *proxy);
int proxy_port(const struct proxy *proxy);
int proxy_connections(const struct proxy *proxy);

#endif
