/* I/O threads: a mixed load of writers, publishers, subscribers, readers that do not read, and a
 * supervisor that kills, pauses, limits and changes the number of threads all the while. Every
 * client checks that its own replies are whole and in order. Most of what can go wrong shows in a
 * build with SANITIZE=thread or address. */
#include "client.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOAD_MS      4000
#define PIPELINE_MAX 200
#define LARGE_SIZE   100000

static struct server *server;

static int start(void **state) {
    (void)state;
    server = server_start((const char *const[]){"--io-threads", "3", "--io-cpulist", "0,1", NULL});
    return 0;
}

static int end(void **state) {
    (void)state;
    server_stop(server);
    return 0;
}

/* ---- what all workers share ---- */

static atomic_bool ending;
static atomic_bool failed;
static char failure[300];

struct worker {
    pthread_t thread;
    int number;
    unsigned seed;
    uint64_t done; /* replies that were checked */
    redisContext *context;
};

static void report(const struct worker *worker, const char *what, const char *got) {
    if (!atomic_exchange(&failed, true)) {
        snprintf(failure, sizeof failure, "worker %d: %s: %.200s", worker->number, what, got);
    }
    atomic_store(&ending, true);
}

static int draw(struct worker *worker, int below) {
    return rand_r(&worker->seed) % below;
}

/* A fresh connection; replies come within half a minute, or something is wrong. */
static bool reconnect(struct worker *worker) {
    if (worker->context != NULL) {
        redisFree(worker->context);
    }
    worker->context = redisConnect("127.0.0.1", server_port(server));
    if (worker->context == NULL || worker->context->err != 0) {
        report(worker, "connect", worker->context == NULL ? "" : worker->context->errstr);
        return false;
    }
    redisSetTimeout(worker->context, (struct timeval){.tv_sec = HARNESS_WAIT_MS / 1000});
    return true;
}

/* The next reply; NULL when the connection was lost, which the supervisor may have wanted. */
static redisReply *next_reply(struct worker *worker) {
    void *reply = NULL;
    if (redisGetReply(worker->context, &reply) != REDIS_OK) {
        if (worker->context->err == REDIS_ERR_IO && errno == EAGAIN) {
            report(worker, "no reply", worker->context->errstr);
        }
        return NULL;
    }
    return reply;
}

/* ---- writers ---- */

struct expected {
    char kind;
    size_t size;
    char key[32];
};

/* Values tell whose they are and how long: "3:large:100000:xxxx". */
static char *make_value(const char *key, size_t size) {
    char *value = malloc(size + 1);
    int head = snprintf(value, size + 1, "%s:%zu:", key, size);
    if ((size_t)head < size) {
        memset(value + head, 'x', size - (size_t)head);
    }
    value[size] = '\0';
    return value;
}

static void send_one(struct worker *worker, struct expected *expected) {
    static const size_t sizes[] = {40, 64, 500, 20000, LARGE_SIZE};
    int dice = draw(worker, 100);
    expected->size = sizes[dice < 90 ? dice % 3 : 3 + dice % 2];
    snprintf(expected->key, sizeof expected->key, "%d:%d", worker->number, draw(worker, 50));
    expected->kind = "SGIE"[draw(worker, 4)];
    switch (expected->kind) {
    case 'S': {
        char *value = make_value(expected->key, expected->size);
        redisAppendCommand(worker->context, "SET %s %b", expected->key, value, expected->size);
        free(value);
        break;
    }
    case 'G':
        redisAppendCommand(worker->context, "GET %s", expected->key);
        break;
    case 'I':
        redisAppendCommand(worker->context, "INCR counter:%d", worker->number);
        break;
    default:
        redisAppendCommand(worker->context, "ECHO %s", expected->key);
    }
}

static bool value_is_right(const char *key, const redisReply *reply) {
    size_t size = strlen(key);
    if (reply->type == REDIS_REPLY_NIL) {
        return true;
    }
    return reply->type == REDIS_REPLY_STRING && reply->len > size + 1 &&
           memcmp(reply->str, key, size) == 0 && reply->str[size] == ':' &&
           strtoul(reply->str + size + 1, NULL, 10) == reply->len;
}

static bool is_right(const struct expected *expected, const redisReply *reply, long long *counter) {
    switch (expected->kind) {
    case 'S':
        return reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0;
    case 'G':
        return value_is_right(expected->key, reply);
    case 'I':
        if (reply->type != REDIS_REPLY_INTEGER || reply->integer <= *counter) {
            return false;
        }
        *counter = reply->integer;
        return true;
    default:
        return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, expected->key) == 0;
    }
}

static void *write_and_read(void *context) {
    struct worker *worker = context;
    struct expected expected[PIPELINE_MAX];
    long long counter = 0;
    bool connected = reconnect(worker);
    while (connected && !atomic_load(&ending)) {
        int count = 1 + draw(worker, draw(worker, 3) == 0 ? PIPELINE_MAX : 5);
        for (int i = 0; i < count; i++) {
            send_one(worker, &expected[i]);
        }
        bool lost = false;
        for (int i = 0; i < count && !lost; i++) {
            redisReply *reply = next_reply(worker);
            lost = reply == NULL;
            if (!lost && !is_right(&expected[i], reply, &counter)) {
                char text[128];
                snprintf(text, sizeof text, "%c %s: type %d, %.60s", expected[i].kind,
                         expected[i].key, reply->type, reply->str == NULL ? "" : reply->str);
                report(worker, "wrong reply", text);
            }
            if (!lost) {
                worker->done++;
                freeReplyObject(reply);
            }
            if (draw(worker, 2000) == 0) {
                lost = true; /* leaves in the middle */
            }
        }
        if (lost || draw(worker, 200) == 0) {
            connected = reconnect(worker);
        }
    }
    return NULL;
}

/* ---- publish and subscribe ---- */

static void *publish(void *context) {
    struct worker *worker = context;
    long long number = 0;
    bool connected = reconnect(worker);
    while (connected && !atomic_load(&ending)) {
        int count = 1 + draw(worker, 50);
        for (int i = 0; i < count; i++) {
            redisAppendCommand(worker->context, "PUBLISH news %lld", ++number);
        }
        bool lost = false;
        for (int i = 0; i < count && !lost; i++) {
            redisReply *reply = next_reply(worker);
            lost = reply == NULL;
            if (!lost) {
                worker->done++;
                freeReplyObject(reply);
            }
        }
        connected = !lost || reconnect(worker);
    }
    return NULL;
}

/* Messages come one after the other, none is missed while the connection lasts. With a publisher
 * that was lost in the middle there may be gaps, but never a step back. */
static void *subscribe(void *context) {
    struct worker *worker = context;
    bool connected = reconnect(worker);
    while (connected && !atomic_load(&ending)) {
        redisAppendCommand(worker->context, "SUBSCRIBE news");
        long long last = 0;
        bool lost = false;
        while (!lost && !atomic_load(&ending)) {
            redisReply *reply = next_reply(worker);
            lost = reply == NULL;
            if (lost) {
                break;
            }
            if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
                report(worker, "no message", reply->str == NULL ? "" : reply->str);
            } else if (strcmp(reply->element[0]->str, "message") == 0) {
                long long number = atoll(reply->element[2]->str);
                if (number <= last) {
                    report(worker, "message out of order", reply->element[2]->str);
                }
                last = number;
                worker->done++;
            }
            freeReplyObject(reply);
            lost = draw(worker, 20000) == 0;
        }
        connected = reconnect(worker);
    }
    return NULL;
}

/* ---- readers that do not read ---- */

static void *ignore_replies(void *context) {
    struct worker *worker = context;
    while (!atomic_load(&ending)) {
        int fd = wire_connect(server);
        for (int i = 0; i < 300; i++) {
            char request[64];
            int size = snprintf(request, sizeof request, "GET %d:%d\r\n", 1 + draw(worker, 3),
                                draw(worker, 50));
            wire_try_send(fd, request, (size_t)size);
        }
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        poll(&readable, 1, 20);
        worker->done++;
        close(fd);
    }
    return NULL;
}

/* ---- the supervisor ---- */

static void ask(struct worker *worker, const char *line) {
    const char *limit = draw(worker, 2) == 0 ? "normal 1mb 0 0" : "normal 0 0 0";
    redisReply *reply = redisCommand(worker->context, line, limit);
    if (reply == NULL) {
        if (worker->context->err == REDIS_ERR_IO && errno == EAGAIN) {
            report(worker, "no reply", line);
        }
        if (!reconnect(worker)) {
            return;
        }
    } else {
        if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "No such client") == NULL) {
            report(worker, line, reply->str);
        }
        freeReplyObject(reply);
        worker->done++;
    }
}

static void *supervise(void *context) {
    struct worker *worker = context;
    static const char *const lines[] = {
        "CLIENT LIST",
        "INFO",
        "INFO threads",
        "CLIENT INFO",
        "CLIENT KILL TYPE pubsub",
        "CLIENT KILL TYPE normal",
        "CLIENT PAUSE 5 ALL",
        "CLIENT PAUSE 5 WRITE",
        "CLIENT UNPAUSE",
        "CONFIG SET timeout 1",
        "CONFIG SET timeout 0",
        "CONFIG RESETSTAT",
        "CONFIG SET client-output-buffer-limit %s",
        "CONFIG SET maxmemory-clients 3mb",
        "CONFIG SET maxmemory-clients 0",
        "PUBSUB NUMSUB news",
        "MEMORY STATS",
    };
    bool connected = reconnect(worker);
    while (connected && !atomic_load(&ending)) {
        char line[64];
        snprintf(line, sizeof line, "CONFIG SET io-threads %d", 1 + draw(worker, 5));
        bool change = draw(worker, 8) == 0;
        ask(worker, change ? line : lines[draw(worker, sizeof lines / sizeof lines[0])]);
        poll(NULL, 0, draw(worker, 20));
    }
    return NULL;
}

/* ---- the tests ---- */

static void mixed_load(void **state) {
    (void)state;
    static void *(*const roles[])(void *) = {supervise,      write_and_read, write_and_read,
                                             write_and_read, publish,        subscribe,
                                             subscribe,      ignore_replies};
    enum { WORKERS = sizeof roles / sizeof roles[0] };
    struct worker workers[WORKERS] = {0};
    unsigned seed = (unsigned)getpid();
    char note[64];
    snprintf(note, sizeof note, "seed %u", seed);
    harness_note(note);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.number = i, .seed = seed + (unsigned)i * 7919};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, roles[i], &workers[i]), 0);
    }
    int64_t until = harness_now_ms() + LOAD_MS;
    while (harness_now_ms() < until && !atomic_load(&ending)) {
        harness_breathe();
    }
    atomic_store(&ending, true);
    pthread_join(workers[0].thread, NULL); /* who might kill the next connection */
    /* Subscribers wait for a message that will not come. */
    int fd = wire_connect(server);
    wire_expect_reply(fd, "CONFIG SET maxmemory-clients 0 timeout 0", "+OK");
    free(wire_ask(fd, "CLIENT", "KILL", "TYPE", "pubsub", NULL));
    for (int i = 0; i < WORKERS; i++) {
        if (i > 0) {
            pthread_join(workers[i].thread, NULL);
        }
        if (workers[i].context != NULL) {
            redisFree(workers[i].context);
        }
    }
    if (atomic_load(&failed)) {
        harness_fail("%s", failure);
    }
    for (int i = 0; i < WORKERS; i++) {
        print_message("worker %d: %llu\n", i, (unsigned long long)workers[i].done);
        assert_true(workers[i].done > 0);
    }
    wire_expect_reply(fd, "PING", "+PONG");
    close(fd);
}

static bool has_threads(void *context) {
    char *info = wire_ask(*(int *)context, "INFO", "threads", NULL);
    int count = 0;
    for (const char *at = info; (at = strstr(at, "io_thread_")) != NULL; at++) {
        count++;
    }
    free(info);
    return count == 3;
}

/* Connections keep what they are and what they have sent when they change threads. */
static void connections_move(void **state) {
    (void)state;
    enum { COUNT = 40 };
    int fds[COUNT];
    int control = wire_connect(server);
    wire_expect_reply(control, "CONFIG SET io-threads 1", "+OK");
    for (int i = 0; i < COUNT; i++) {
        char line[64];
        char *reply;
        fds[i] = wire_connect(server);
        snprintf(line, sizeof line, "SELECT %d", i % 16);
        wire_expect_reply(fds[i], line, "+OK");
        snprintf(line, sizeof line, "name%d", i);
        reply = wire_ask(fds[i], "CLIENT", "SETNAME", line, NULL);
        free(reply);
        wire_send_text(fds[i], "*2\r\n$4\r\nECHO\r\n$6\r\nhal");
        wire_settle(control);
    }
    wire_expect_reply(control, "CONFIG SET io-threads 4", "+OK");
    harness_wait_for(has_threads, &control, "three I/O threads");
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        wire_send_text(fds[i], "ves\r\n");
        wire_expect(fds[i], "$6\r\nhalves\r\n");
        snprintf(name, sizeof name, "\"name%d\"", i);
        wire_expect_reply(fds[i], "CLIENT GETNAME", name);
    }
    wire_expect_reply(control, "CONFIG SET io-threads 1", "+OK");
    for (int i = 0; i < COUNT; i++) {
        char *info = wire_ask(fds[i], "CLIENT", "INFO", NULL);
        char wanted[32];
        snprintf(wanted, sizeof wanted, " db=%d ", i % 16);
        assert_non_null(strstr(info, wanted));
        free(info);
        close(fds[i]);
    }
    wire_expect_reply(control, "CONFIG SET io-threads 129",
                      "-ERR CONFIG SET failed (possibly related to argument 'io-threads') - "
                      "argument must be between 1 and 128 inclusive");
    wire_expect_reply(control, "CONFIG SET io-threads 3", "+OK");
    close(control);
}

/* A subscriber that moves misses nothing, and gets everything in order. */
static void subscribers_move(void **state) {
    (void)state;
    int control = wire_connect(server);
    int fd = wire_connect(server);
    wire_send_text(fd, "SUBSCRIBE moving\r\n");
    wire_expect(fd, "*3\r\n$9\r\nsubscribe\r\n$6\r\nmoving\r\n:1\r\n");
    for (int i = 0; i < 200; i++) {
        char line[64];
        if (i % 20 == 0) {
            snprintf(line, sizeof line, "CONFIG SET io-threads %d", 1 + i / 20 % 4);
            wire_expect_reply(control, line, "+OK");
        }
        snprintf(line, sizeof line, "PUBLISH moving %06d", i);
        wire_expect_reply(control, line, ":1");
    }
    for (int i = 0; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof text, "*3\r\n$7\r\nmessage\r\n$6\r\nmoving\r\n$6\r\n%06d\r\n", i);
        wire_expect(fd, text);
    }
    wire_expect_reply(control, "CONFIG SET io-threads 3", "+OK");
    close(fd);
    close(control);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_move),
        cmocka_unit_test(subscribers_move),
        cmocka_unit_test(mixed_load),
    };
    return cmocka_run_group_tests(tests, start, end);
}
