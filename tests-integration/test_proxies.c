/* Proxies before several servers, with the configurations of utils: shards behind twemproxy, one of
 * which is killed; and HAProxy before a primary and its replica, which change places. */
#include "replica.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

#define SHARDS 3
#define KEYS   300
/* Of the configurations. */
#define FIRST_PORT 6381

/* ---- a proxy ---- */

struct front {
    char folder[64];
    pid_t pid;
    int port;
};

/* The text of a configuration with ports of this test. */
static void write_config(const char *source, const char *path, const char *door, int port,
                         struct server *const *servers, int count) {
    FILE *in = fopen(source, "r");
    FILE *out = fopen(path, "w");
    assert_non_null(in);
    assert_non_null(out);
    char line[512];
    while (fgets(line, sizeof line, in) != NULL) {
        char from[32];
        const char *at = strstr(line, door);
        int to = port;
        snprintf(from, sizeof from, "%s", door);
        for (int i = 0; i < count && at == NULL; i++) {
            snprintf(from, sizeof from, "127.0.0.1:%d", FIRST_PORT + i);
            at = strstr(line, from);
            to = server_port(servers[i]);
        }
        if (at == NULL) {
            fputs(line, out);
        } else {
            fprintf(out, "%.*s127.0.0.1:%d%s", (int)(at - line), line, to, at + strlen(from));
        }
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void run(struct front *front, const char *const *arguments) {
    pid_t parent = getpid();
    front->pid = fork();
    assert_true(front->pid >= 0);
    if (front->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int nowhere = open("/dev/null", O_RDWR);
        if (getppid() == parent && nowhere >= 0) {
            dup2(nowhere, 0);
            dup2(nowhere, 1);
            dup2(nowhere, 2);
            execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        }
        _exit(127);
    }
}

static redisContext *try_connect(const struct front *front) {
    redisContext *context = redisConnect("127.0.0.1", front->port);
    struct timeval wait = {.tv_sec = HARNESS_WAIT_MS / 1000};
    if (context != NULL && context->err == 0) {
        redisSetTimeout(context, wait);
        return context;
    }
    redisFree(context);
    return NULL;
}

static struct front *front_new(void) {
    struct front *front = calloc(1, sizeof *front);
    assert_non_null(front);
    snprintf(front->folder, sizeof front->folder, "/tmp/larder-proxy-XXXXXX");
    assert_non_null(mkdtemp(front->folder));
    front->port = harness_free_port();
    return front;
}

static void front_stop(struct front *front) {
    kill(front->pid, SIGKILL);
    waitpid(front->pid, NULL, 0);
    harness_remove_folder(front->folder);
    free(front);
}

/* Whether a SET through it is answered with OK. */
static bool can_write(const struct front *front, int key) {
    redisContext *context = try_connect(front);
    bool is_done = false;
    if (context != NULL) {
        redisReply *reply = redisCommand(context, "SET key:%d %d", key, key);
        is_done = reply != NULL && reply->type == REDIS_REPLY_STATUS;
        freeReplyObject(reply);
        redisFree(context);
    }
    return is_done;
}

static bool can_write_one(void *context) {
    return can_write(context, 0);
}

static bool can_write_all(void *context) {
    for (int i = 0; i < KEYS; i++) {
        if (!can_write(context, i)) {
            return false;
        }
    }
    return true;
}

/* ---- tests ---- */

static void a_shard_is_killed(void **state) {
    (void)state;
    struct server *servers[SHARDS];
    redisContext *contexts[SHARDS];
    struct front *front = front_new();
    char path[100];
    char stats[12];
    for (int i = 0; i < SHARDS; i++) {
        servers[i] = server_start(NULL);
        contexts[i] = client_connect(servers[i]);
    }
    snprintf(path, sizeof path, "%s/nutcracker.yml", front->folder);
    snprintf(stats, sizeof stats, "%d", harness_free_port());
    write_config("utils/nutcracker.yml", path, "127.0.0.1:22121", front->port, servers, SHARDS);
    run(front, (const char *[]){"nutcracker", "-c", path, "-s", stats, NULL});
    harness_wait_for(can_write_all, front, "the proxy serves");
    long long total = 0;
    for (int i = 0; i < SHARDS; i++) {
        redisReply *reply = redisCommand(contexts[i], "DBSIZE");
        assert_true(reply->integer > KEYS / 10);
        total += reply->integer;
        freeReplyObject(reply);
    }
    assert_int_equal(total, KEYS);
    redisFree(contexts[0]);
    free(server_kill(servers[0], false));
    /* The others keep what they have, and take over what was written there. */
    harness_wait_for(can_write_all, front, "the others take over");
    for (int i = 0; i < KEYS; i++) {
        int holders = 0;
        for (int j = 1; j < SHARDS; j++) {
            redisReply *reply = redisCommand(contexts[j], "EXISTS key:%d", i);
            holders += (int)reply->integer;
            freeReplyObject(reply);
        }
        assert_int_equal(holders, 1);
    }
    for (int i = 1; i < SHARDS; i++) {
        redisFree(contexts[i]);
        server_stop(servers[i]);
    }
    front_stop(front);
}

static void places_change(void **state) {
    (void)state;
    static const char *const options[] = {"--repl-diskless-sync-delay", "0", NULL};
    struct server *servers[] = {server_start(options), server_start(options)};
    redisContext *contexts[] = {client_connect(servers[0]), client_connect(servers[1])};
    struct front *front = front_new();
    char path[100];
    replica_follow(contexts[1], server_port(servers[0]));
    replica_catch_up(contexts[0], contexts[1]);
    snprintf(path, sizeof path, "%s/haproxy.cfg", front->folder);
    write_config("utils/haproxy.cfg", path, "127.0.0.1:6390", front->port, servers, 2);
    run(front, (const char *[]){"haproxy", "-db", "-f", path, NULL});
    harness_wait_for(can_write_one, front, "the proxy serves");
    client_expect(contexts[0], "+OK", "FAILOVER");
    replica_await(contexts[1], "role:master");
    harness_wait_for(can_write_one, front, "the proxy has found the new primary");
    client_expect(contexts[1], "\"0\"", "GET key:0");
    for (int i = 0; i < 2; i++) {
        redisFree(contexts[i]);
        server_stop(servers[i]);
    }
    front_stop(front);
}

int main(void) {
    /* Debian keeps them where only root looks. */
    char path[4096];
    const char *before = getenv("PATH");
    snprintf(path, sizeof path, "%s:/usr/sbin", before == NULL ? "/usr/bin" : before);
    setenv("PATH", path, 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_shard_is_killed),
                                       cmocka_unit_test(places_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
