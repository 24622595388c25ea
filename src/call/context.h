/* context: where a command finds the parts of the server. Main makes each part, owns it, and puts
 * its address here; the parts do not know each other. Only pointers, and only forward declarations:
 * a command includes the header of what it uses. */
#ifndef LARDER_CALL_CONTEXT_H
#define LARDER_CALL_CONTEXT_H

struct acl;
struct clock;
struct clients;
struct commands;
struct evict;
struct keyspace;
struct leases;
struct loop;
struct metrics;
struct options;
struct history;
struct topkeys;
struct slowlog;
struct latency;
struct monitor;
struct pass_on;
struct migrations;
struct replication;
struct saving;
struct scripts;
struct pubsub;
struct notify;
struct tracking;
struct unknown;
struct server_control;

struct context {
    struct clock *clock;
    struct loop *loop; /* of the thread that executes commands */
    struct options *options;
    struct metrics *metrics;
    struct keyspace *keyspace;
    struct evict *evict;
    struct commands *commands;
    struct unknown *unknown; /* commands that were asked for and are not here */
    struct pass_on *pass_on; /* what writes become for others */
    struct clients *clients;
    struct acl *acl;
    struct scripts *scripts; /* NULL: built without Lua */
    struct history *history; /* the recent past, for people: feature/history.h */
    struct topkeys *topkeys;
    struct slowlog *slowlog;
    struct latency *latency;
    struct monitor *monitor;
    struct pubsub *pubsub;
    struct notify *notify;
    struct leases *leases;
    struct tracking *tracking;
    struct saving *saving;         /* the file of the data */
    struct migrations *migrations; /* keys on their way to other servers */
    struct replication *replication;
    struct server_control *control; /* shutdown, configuration file, run id: call/control.h */
};

#endif
