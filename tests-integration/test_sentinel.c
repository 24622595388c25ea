/* Sentinel, of Redis, watches groups of servers, some of them redis-server: it finds replicas and
 * its like, elects, fails over, reconfigures with its transaction of REPLICAOF, CONFIG REWRITE and
 * CLIENT KILL, and brings a primary that comes back into line. */
#include "replica.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define SERVERS   3
#define SENTINELS 3

struct group {
    struct server *servers[SERVERS];
    redisContext *contexts[SERVERS];
    struct server *sentinels[SENTINELS];
    redisContext *watchers[SENTINELS];
};

static struct server *start(bool is_reference) {
    static const char text[] = "repl-diskless-sync-delay 0\n";
    return is_reference ? server_start_reference_configured(text, NULL)
                        : server_start_configured(text, NULL);
}

/* The first is the primary. `references` has a letter for each server, R for redis-server. */
static struct group group_start(const char *references) {
    struct group group;
    char text[300];
    for (int i = 0; i < SERVERS; i++) {
        group.servers[i] = start(references[i] == 'R');
        group.contexts[i] = client_connect(group.servers[i]);
    }
    client_expect(group.contexts[0], "+OK", "SET before 1");
    for (int i = 1; i < SERVERS; i++) {
        replica_follow(group.contexts[i], server_port(group.servers[0]));
        replica_catch_up(group.contexts[0], group.contexts[i]);
    }
    snprintf(text, sizeof text,
             "sentinel monitor group 127.0.0.1 %d 2\n"
             "sentinel down-after-milliseconds group 1000\n"
             "sentinel failover-timeout group 10000\n",
             server_port(group.servers[0]));
    for (int i = 0; i < SENTINELS; i++) {
        group.sentinels[i] = server_start_sentinel(text);
        group.watchers[i] = client_connect(group.sentinels[i]);
        client_expect(group.watchers[i], "+OK",
                      "SENTINEL DEBUG info-period 500 publish-period 500 ping-period 300");
    }
    return group;
}

static void group_stop(struct group *group) {
    for (int i = 0; i < SENTINELS; i++) {
        redisFree(group->watchers[i]);
        server_stop(group->sentinels[i]);
    }
    for (int i = 0; i < SERVERS; i++) {
        redisFree(group->contexts[i]);
        server_stop(group->servers[i]);
    }
}

/* ---- what Sentinel knows ---- */

/* A field of SENTINEL MASTER, as a number. */
static long long known(redisContext *watcher, const char *field) {
    redisReply *reply = redisCommand(watcher, "SENTINEL MASTER group");
    assert_non_null(reply);
    long long number = -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (strcmp(reply->element[i]->str, field) == 0) {
            number = strtoll(reply->element[i + 1]->str, NULL, 10);
        }
    }
    freeReplyObject(reply);
    return number;
}

/* How many replicas it has spoken with. */
static int usable(redisContext *watcher) {
    redisReply *reply = redisCommand(watcher, "SENTINEL REPLICAS group");
    int count = 0;
    assert_non_null(reply);
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *fields = reply->element[i];
        bool is_up = false;
        bool is_sound = false;
        for (size_t j = 0; j + 1 < fields->elements; j += 2) {
            const char *value = fields->element[j + 1]->str;
            is_up |= strcmp(fields->element[j]->str, "master-link-status") == 0 &&
                     strcmp(value, "ok") == 0;
            is_sound |=
                strcmp(fields->element[j]->str, "flags") == 0 && strcmp(value, "slave") == 0;
        }
        count += is_up && is_sound;
    }
    freeReplyObject(reply);
    return count;
}

/* They hear of one another through what they publish on the servers. */
static bool knows_all(void *context) {
    redisContext *watcher = context;
    return known(watcher, "num-other-sentinels") == SENTINELS - 1 &&
           known(watcher, "num-slaves") == SERVERS - 1 && usable(watcher) == SERVERS - 1;
}

static void await_knowledge(struct group *group) {
    for (int i = 0; i < SENTINELS; i++) {
        harness_wait_for(knows_all, group->watchers[i], "Sentinel knows everybody");
    }
}

struct election {
    const struct group *group;
    int port; /* of the primary before */
};

static bool has_elected(void *context) {
    const struct election *election = context;
    for (int i = 0; i < SENTINELS; i++) {
        long long port = known(election->group->watchers[i], "port");
        if (port == election->port || port != known(election->group->watchers[0], "port")) {
            return false;
        }
    }
    return true;
}

/* The index of the new primary. */
static int await_election(struct group *group, int before) {
    struct election election = {group, server_port(group->servers[before])};
    harness_wait_for(has_elected, &election, "another primary is elected");
    long long port = known(group->watchers[0], "port");
    for (int i = 0; i < SERVERS; i++) {
        if (server_port(group->servers[i]) == port) {
            return i;
        }
    }
    harness_fail("a stranger was elected: %lld", port);
}

static void expect_rewritten(const struct server *server, int primary_port) {
    char path[300];
    char line[80];
    char text[8192] = "";
    snprintf(path, sizeof path, "%s/larder.conf", server_folder(server));
    snprintf(line, sizeof line, "replicaof 127.0.0.1 %d\n", primary_port);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_true(size > 0);
    if (strstr(text, line) == NULL) {
        harness_fail("%s is not in the rewritten file:\n%s", line, text);
    }
}

static void reconnect(struct group *group) {
    for (int i = 0; i < SERVERS; i++) {
        redisFree(group->contexts[i]); /* CLIENT KILL has closed some */
        group->contexts[i] = client_connect(group->servers[i]);
    }
}

struct saying {
    const struct server *server;
    const char *line;
};

/* Connects anew each time, since Sentinel closes connections when it reconfigures. */
static bool says(void *context) {
    const struct saying *saying = context;
    redisContext *connection = client_connect(saying->server);
    redisReply *reply = redisCommand(connection, "INFO");
    char whole[100];
    snprintf(whole, sizeof whole, "\n%s\r\n", saying->line);
    bool says_it = reply != NULL && strstr(reply->str, whole) != NULL;
    freeReplyObject(reply);
    redisFree(connection);
    return says_it;
}

static void await_line(const struct server *server, const char *line) {
    struct saying saying = {server, line};
    harness_wait_for(says, &saying, line);
}

/* All but one follow it, and what is written there arrives. */
static void expect_one_primary(struct group *group, int primary) {
    char line[80];
    snprintf(line, sizeof line, "master_port:%d", server_port(group->servers[primary]));
    for (int i = 0; i < SERVERS; i++) {
        await_line(group->servers[i], i == primary ? "role:master" : line);
        await_line(group->servers[i], i == primary ? "role:master" : "master_link_status:up");
    }
    reconnect(group);
    redisContext *there = group->contexts[primary];
    client_expect(there, "+OK", "SET after %d", primary);
    char *value = client_command(there, "GET after");
    client_expect(there, ":2", "WAIT 2 20000");
    for (int i = 0; i < SERVERS; i++) {
        client_expect(group->contexts[i], value, "GET after");
        client_expect(group->contexts[i], "\"1\"", "GET before");
    }
    free(value);
}

/* ---- tests ---- */

/* The primary stands still, another one is elected; it comes back, and becomes a replica. */
static void elects(void **state) {
    (void)state;
    struct group group = group_start("LLL");
    await_knowledge(&group);
    assert_int_equal(kill(server_pid(group.servers[0]), SIGSTOP), 0);
    int primary = await_election(&group, 0);
    assert_int_not_equal(primary, 0);
    assert_int_equal(kill(server_pid(group.servers[0]), SIGCONT), 0);
    expect_one_primary(&group, primary);
    for (int i = 0; i < SERVERS; i++) {
        if (i != primary) {
            expect_rewritten(group.servers[i], server_port(group.servers[primary]));
        }
    }
    group_stop(&group);
}

/* From redis-server to Larder and back, at an operator's word; the priority decides who. */
static void mixed(void **state) {
    (void)state;
    struct group group = group_start("RLR");
    client_expect(group.contexts[2], "+OK", "CONFIG SET replica-priority 200");
    await_knowledge(&group);
    client_expect(group.watchers[0], "+OK", "SENTINEL FAILOVER group");
    assert_int_equal(await_election(&group, 0), 1);
    expect_one_primary(&group, 1);
    group_stop(&group);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(elects), cmocka_unit_test(mixed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
