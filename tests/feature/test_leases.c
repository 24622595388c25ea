/* Tests of feature/leases with FETCH, STORE and UNLEASE, in a server whose clock the test drives:
 * each way that a lease ends, and random runs against a model. The model says of every command what
 * it replies, and so that no key has two tokens that stand, and that nothing is stored which was
 * computed before a write or a removal that had been answered. */
#include "feature/leases.h"

#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "client/waiting.h"
#include "client/client_int.h"

#define START_MS ((int64_t)1700000000000)
#define CLIENTS  6
#define KEYS     3
#define STEPS    6000
#define NIL      "$-1\r\n"
#define NOTHING  "*3\r\n" NIL NIL NIL

static struct session *session;
static int fds[CLIENTS];
static int64_t now_ms;

static int start(void **state) {
    (void)state;
    session = session_start((const char *const[]){"--lease-max-wait", "3600000", NULL});
    now_ms = START_MS;
    clock_drive(&session->server.clock, now_ms);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = session_connect(session);
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    session_end(session);
    return 0;
}

static void validate(void) {
    leases_validate(session->server.context.leases);
    waiting_validate(session->server.context.clients->waiting);
    keyspace_validate(&session->server.keyspace);
}

/* As many passes as anything here takes: a client goes, its leases lapse, who waits is served. */
static void settle(void) {
    for (int i = 0; i < 4; i++) {
        session_pass(session);
    }
    validate();
}

static void pass_time(int64_t ms) {
    now_ms += ms;
    clock_drive(&session->server.clock, now_ms);
    settle();
}

static const char *ask(int who, const char *line) {
    const char *answer = session_ask_on(session, fds[who], line);
    validate();
    return answer;
}

static void expect(int who, const char *line, const char *answer) {
    assert_string_equal(ask(who, line), answer);
}

/* Sends what will wait. */
static void park(int who, const char *line) {
    assert_int_equal(write(fds[who], line, strlen(line)), (ssize_t)strlen(line));
    assert_int_equal(write(fds[who], "\r\n", 2), 2);
    settle();
    assert_string_equal(session_read(session, fds[who]), "");
}

static void got(int who, const char *text) {
    settle();
    assert_string_equal(session_read(session, fds[who]), text);
}

/* The token of a reply that has neither value nor time, into 12 bytes. */
static void take_token(const char *answer, char *token) {
    static const char head[] = "*3\r\n" NIL NIL "$11\r\n";
    assert_int_equal(strncmp(answer, head, sizeof head - 1), 0);
    memcpy(token, answer + sizeof head - 1, LEASE_TOKEN_SIZE);
    token[LEASE_TOKEN_SIZE] = '\0';
    assert_string_equal(answer + sizeof head - 1 + LEASE_TOKEN_SIZE, "\r\n");
}

static void win(int who, const char *line, char *token) {
    take_token(ask(who, line), token);
}

static void promoted(int who, char *token) {
    settle();
    take_token(session_read(session, fds[who]), token);
}

static const char *line_of(const char *format, const char *token) {
    static char line[256];
    snprintf(line, sizeof line, format, token);
    return line;
}

static void test_tokens_as_text(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t token = random_next(&random);
        uint64_t back;
        char text[LEASE_TOKEN_SIZE];
        lease_token_write(token, text);
        assert_true(lease_token_read(bytes_of(text, sizeof text), &back));
        assert_int_equal(back, token);
        text[random_below(&random, sizeof text)] = "=+/\0 "[random_below(&random, 5)];
        assert_false(lease_token_read(bytes_of(text, sizeof text), &back));
    }
    assert_false(lease_token_read(bytes_text("short"), &(uint64_t){0}));
}

static void test_one_computes_and_all_are_served(void **state) {
    (void)state;
    char token[12];
    win(0, "FETCH k LEASE 10000 WAIT 2000", token);
    for (int i = 1; i < CLIENTS; i++) {
        park(i, i % 2 == 0 ? "FETCH k LEASE 10000 WAIT 2000" : "FETCH k WAIT 2000");
    }
    expect(0, line_of("STORE k v EX 60 STALE 300 LEASE %s", token), "+OK\r\n");
    for (int i = 1; i < CLIENTS; i++) {
        got(i, "*3\r\n$1\r\nv\r\n:60000\r\n" NIL);
    }
    assert_int_equal(leases_count(session->server.context.leases), 0);
    expect(0, line_of("STORE k w LEASE %s", token), NIL);
    expect(0, line_of("STORE k w GET LEASE %s", token), "$1\r\nv\r\n");
    expect(0, "FETCH k LEASE 10000 EARLY 60000", "*3\r\n$1\r\nv\r\n:60000\r\n" NIL);
    pass_time(1);
    assert_non_null(strstr(ask(0, "FETCH k LEASE 10000 EARLY 60000"), ":59999\r\n$11\r\n"));
    expect(1, "FETCH k LEASE 10000 EARLY 60000", "*3\r\n$1\r\nv\r\n:59999\r\n" NIL);
    expect(1, "DEL k", ":1\r\n");
}

static void test_what_voids_a_token(void **state) {
    (void)state;
    static const char *const lines[] = {
        "SET k w",        "DEL k",       "UNLINK k",        "GETDEL k",   "APPEND k x",
        "INCR k",         "HSET k f v",  "RPUSH k v",       "FLUSHDB",    "FLUSHALL",
        "SWAPDB 0 1",     "COPY o k",    "RENAME o k",      "RENAME k p", "MOVE k 1",
        "STORE k w",      "PEXPIRE k 0", "SETRANGE k 0 v",  "DELEX k",    "MSET o w k w",
        "SETEX k 5 w",    "GETSET k w",  "INCRBYFLOAT k 1", "PFADD k v",  "BITOP NOT k o",
        "SORT o STORE k",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        /* Of a key that is not there, and of one that is. */
        for (int there = 0; there < 2; there++) {
            char token[12];
            ask(0, "FLUSHALL");
            ask(0, strcmp(lines[i], "SORT o STORE k") == 0 ? "RPUSH o 1" : "SET o 1");
            win(0, "FETCH k LEASE 10000", token);
            if (there && strncmp(lines[i], "HSET", 4) != 0 && strncmp(lines[i], "RPUSH", 5) != 0 &&
                strncmp(lines[i], "PFADD", 5) != 0) {
                ask(0, "SET k 1 PX 100");
                const char *answer = ask(0, "FETCH k LEASE 10000 EARLY 101");
                const char *at = strstr(answer, "$11\r\n");
                assert_non_null(at);
                memcpy(token, at + 5, LEASE_TOKEN_SIZE);
            }
            /* What finds nothing to change or to take has changed nothing, removals excepted. */
            const char *answer = ask(1, lines[i]);
            bool changed = answer[0] != '-' && (there || (strncmp(lines[i], "RENAME k", 8) != 0 &&
                                                          strncmp(lines[i], "MOVE", 4) != 0 &&
                                                          strncmp(lines[i], "PEXPIRE", 7) != 0 &&
                                                          strncmp(lines[i], "COPY", 4) != 0));
            if (strncmp(lines[i], "COPY", 4) == 0 && there) {
                changed = false; /* without REPLACE */
            }
            if (strncmp(lines[i], "COPY", 4) == 0 && !there) {
                changed = true;
            }
            expect(0, line_of("UNLEASE k %s", token), changed ? ":0\r\n" : ":1\r\n");
        }
    }
    ask(0, "FLUSHALL");
}

static void test_what_does_not(void **state) {
    (void)state;
    static const char *const lines[] = {
        "EXPIRE k 100", "PERSIST k",        "GETEX k EX 50", "GET k",    "SET other v",
        "SET k v NX",   "TOUCH k",          "OBJECT FREQ k", "TTL k",    "FETCH_RO k",
        "SETNX k v",    "PEXPIRE k 100 NX", "STORE k v NX",  "HGET k f", "COPY k other REPLACE"};
    char token[12];
    ask(0, "SET k v PX 1000");
    const char *at = strstr(ask(0, "FETCH k LEASE 10000 EARLY 2000"), "$11\r\n");
    assert_non_null(at);
    memcpy(token, at + 5, LEASE_TOKEN_SIZE);
    token[LEASE_TOKEN_SIZE] = '\0';
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ask(1, lines[i]);
        expect(1, "FETCH k LEASE 1 EARLY 100000000", ask(1, "FETCH_RO k"));
    }
    expect(1, line_of("STORE k new LEASE %s", token), "+OK\r\n");
    ask(0, "FLUSHALL");
}

static void test_who_goes_makes_place(void **state) {
    (void)state;
    char token[12];
    char next[12];
    win(0, "FETCH k LEASE 10000", token);
    park(1, "FETCH k LEASE 10000 WAIT 9000");
    park(2, "FETCH k LEASE 10000 WAIT 9000");
    close(fds[0]);
    fds[0] = session_connect(session);
    promoted(1, next);
    expect(0, line_of("STORE k v LEASE %s", token), NIL);
    /* Nobody waits but one, who goes too: the token stands until another asks. */
    assert_int_equal(close(fds[2]), 0);
    fds[2] = session_connect(session);
    close(fds[1]);
    fds[1] = session_connect(session);
    settle();
    expect(0, line_of("STORE k v LEASE %s", next), "+OK\r\n");
    ask(0, "DEL k");
    win(0, "FETCH k LEASE 10000", token);
    expect(0, "RESET", "+RESET\r\n");
    settle();
    win(1, "FETCH k LEASE 10000", next);
    expect(0, line_of("STORE k v LEASE %s", token), NIL);
    ask(0, "DEL k");
}

static void test_time(void **state) {
    (void)state;
    char token[12];
    char next[12];
    win(0, "FETCH k LEASE 1000", token);
    park(1, "FETCH k LEASE 1000 WAIT 9000");
    pass_time(999);
    got(1, "");
    pass_time(1);
    promoted(1, next);
    expect(0, line_of("STORE k v LEASE %s", token), NIL);
    /* It lapses, and stands as long again. */
    pass_time(1999);
    expect(0, line_of("UNLEASE k %s", next), ":1\r\n");
    win(0, "FETCH k LEASE 1000", token);
    pass_time(1000);
    pass_time(1000);
    expect(0, line_of("UNLEASE k %s", token), ":0\r\n");
    assert_int_equal(leases_count(session->server.context.leases), 0);
}

static void test_backing_off(void **state) {
    (void)state;
    char token[12];
    win(0, "FETCH k LEASE 1000", token);
    for (int i = 1; i < CLIENTS; i++) {
        park(i, i == 2 ? "FETCH k WAIT 9000" : "FETCH k LEASE 1000 WAIT 9000");
    }
    expect(0, line_of("UNLEASE k %s BACKOFF 500", token), ":1\r\n");
    for (int i = 1; i < CLIENTS; i++) {
        got(i, NOTHING);
    }
    expect(0, line_of("UNLEASE k %s", token), ":0\r\n");
    expect(0, line_of("STORE k v LEASE %s", token), NIL);
    expect(1, "FETCH k LEASE 1000 WAIT 9000", NOTHING);
    expect(1, "FETCH k WAIT 9000", NOTHING);
    pass_time(499);
    expect(1, "FETCH k LEASE 1000", NOTHING);
    pass_time(1);
    win(1, "FETCH k LEASE 1000", token);
    expect(1, line_of("UNLEASE k %s BACKOFF 500", token), ":1\r\n");
    expect(1, "SET k v", "+OK\r\n");
    expect(1, "DEL k", ":1\r\n");
    win(1, "FETCH k LEASE 1000", token);
    park(2, "FETCH k LEASE 1000 WAIT 9000");
    expect(1, line_of("UNLEASE k %s", token), ":1\r\n");
    promoted(2, token);
    expect(1, line_of("UNLEASE k %s", token), ":1\r\n");
}

static void test_stale_values(void **state) {
    (void)state;
    char token[12];
    expect(0, "STORE k old EX 1 STALE 5", "+OK\r\n");
    pass_time(1500);
    const char *answer = ask(0, "FETCH k LEASE 1000 WAIT 9000");
    static const char head[] = "*3\r\n$3\r\nold\r\n:-500\r\n$11\r\n";
    assert_int_equal(strncmp(answer, head, sizeof head - 1), 0);
    memcpy(token, answer + sizeof head - 1, LEASE_TOKEN_SIZE);
    token[LEASE_TOKEN_SIZE] = '\0';
    expect(1, "FETCH k LEASE 1000 WAIT 9000", "*3\r\n$3\r\nold\r\n:-500\r\n" NIL);
    expect(1, "FETCH_RO k", "*3\r\n$3\r\nold\r\n:-500\r\n" NIL);
    expect(1, "GET k", NIL);
    expect(1, "TTL k", ":-2\r\n");
    expect(1, "EXISTS k", ":0\r\n");
    expect(1, "SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    expect(1, "RENAME k l", "-ERR no such key\r\n");
    expect(0, line_of("STORE k new PX 100 PSTALE 100 LEASE %s", token), "+OK\r\n");
    expect(1, "FETCH k", "*3\r\n$3\r\nnew\r\n:100\r\n" NIL);
    expect(1, "PEXPIRE k 50", ":1\r\n");
    expect(1, "RENAME k l", "+OK\r\n");
    expect(1, "COPY l k", ":1\r\n");
    expect(1, "APPEND k er", ":5\r\n");
    pass_time(60);
    expect(1, "FETCH l", "*3\r\n$3\r\nnew\r\n:-10\r\n" NIL);
    expect(1, "FETCH k", "*3\r\n$5\r\nnewer\r\n:-10\r\n" NIL);
    expect(1, "DEL l", ":0\r\n");
    expect(1, "FETCH l", NOTHING);
    pass_time(90);
    expect(1, "FETCH k", NOTHING);
    expect(1, "STORE k v STALE 1",
           "-ERR STALE needs a deadline: EX, PX, EXAT, PXAT, or KEEPTTL of a key that has one\r\n");
    expect(1, "STORE k v EX 1", "+OK\r\n");
    expect(1, "STORE k v KEEPTTL STALE 1", "+OK\r\n");
    pass_time(1500);
    expect(1, "FETCH k", "*3\r\n$1\r\nv\r\n:-500\r\n" NIL);
    expect(1, "RPUSH k a", ":1\r\n");
    expect(1, "FETCH k LEASE 5 WAIT 5",
           "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    expect(1, "DEL k", ":1\r\n");
}

static void test_values_of_other_types_and_removal(void **state) {
    (void)state;
    char token[12];
    char next[12];
    win(0, "FETCH k LEASE 1000", token);
    park(1, "FETCH k LEASE 1000 WAIT 9000");
    park(2, "FETCH k WAIT 9000");
    park(3, "FETCH k LEASE 1000 WAIT 9000");
    /* The oldest one is granted the lease of what is removed; who only waits goes on waiting. */
    expect(0, "DEL k", ":0\r\n");
    promoted(1, next);
    got(2, "");
    got(3, "");
    expect(0, line_of("STORE k v LEASE %s", token), NIL);
    expect(0, "FLUSHALL", "+OK\r\n");
    promoted(3, next);
    got(2, "");
    expect(0, "HSET k f v", ":1\r\n");
    got(2, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    expect(0, "DEL k", ":1\r\n");
    /* One that is swapped in. */
    win(0, "FETCH k LEASE 1000", token);
    park(1, "FETCH k LEASE 1000 WAIT 9000");
    park(2, "FETCH k WAIT 9000");
    ask(0, "SELECT 1");
    ask(0, "SET k one");
    ask(0, "SELECT 0");
    expect(0, "SWAPDB 0 1", "+OK\r\n");
    got(1, "*3\r\n$3\r\none\r\n" NIL NIL);
    got(2, "*3\r\n$3\r\none\r\n" NIL NIL);
    ask(0, "FLUSHALL");
}

static void test_transactions_and_unblocking(void **state) {
    (void)state;
    char token[12];
    expect(0, "MULTI", "+OK\r\n");
    expect(0, "FETCH k LEASE 1000 WAIT 9000", "+QUEUED\r\n");
    expect(0, "FETCH k LEASE 1000 WAIT 9000", "+QUEUED\r\n");
    const char *answer = ask(0, "EXEC");
    assert_int_equal(strncmp(answer, "*2\r\n*3\r\n" NIL NIL "$11\r\n", 23), 0);
    memcpy(token, answer + 23, LEASE_TOKEN_SIZE);
    token[LEASE_TOKEN_SIZE] = '\0';
    assert_string_equal(answer + 23 + LEASE_TOKEN_SIZE, "\r\n" NOTHING);
    park(1, "FETCH k LEASE 1000 WAIT 9000");
    /* What is written and removed within a transaction was never there. */
    expect(0, "MULTI", "+OK\r\n");
    expect(0, "SET k v", "+QUEUED\r\n");
    expect(0, "DEL k", "+QUEUED\r\n");
    expect(0, "EXEC", "*2\r\n+OK\r\n:1\r\n");
    promoted(1, token);
    park(0, "FETCH k LEASE 1000 WAIT 9000");
    const char *id_text = ask(2, "CLIENT ID");
    assert_int_equal(id_text[0], ':');
    char line[64];
    snprintf(line, sizeof line, "CLIENT UNBLOCK %ld",
             strtol(id_text + 1, NULL, 10) - 2); /* the first one's */
    expect(1, line, ":1\r\n");
    got(0, NOTHING);
    expect(1, line_of("UNLEASE k %s", token), ":1\r\n");
}

static void test_room(void **state) {
    (void)state;
    char token[12];
    expect(0, "CONFIG SET lease-max 1", "+OK\r\n");
    win(0, "FETCH k LEASE 1000", token);
    expect(0, "FETCH l LEASE 1000 WAIT 1000", "*3\r\n" NIL NIL "$1\r\n*\r\n");
    expect(0, "STORE l v LEASE *", "+OK\r\n");
    expect(0, "CONFIG SET lease-max 100000", "+OK\r\n");
    expect(0, line_of("STORE k v LEASE %s", token), "+OK\r\n");
    /* Many at once, of one connection, which goes; and of a database that is emptied. */
    for (int round = 0; round < 2; round++) {
        ask(0, "FLUSHALL");
        for (int i = 0; i < 100; i++) {
            char line[64];
            snprintf(line, sizeof line, "FETCH many:%d LEASE 1000", i);
            win(0, line, token);
        }
        park(1, "FETCH many:50 LEASE 1000 WAIT 9000");
        if (round == 0) {
            close(fds[0]);
            fds[0] = session_connect(session);
        } else {
            expect(2, "FLUSHDB", "+OK\r\n");
        }
        for (int i = 0; i < 60; i++) {
            settle();
        }
        promoted(1, token);
        assert_int_equal(leases_count(session->server.context.leases), round == 0 ? 100 : 1);
        expect(0, line_of("UNLEASE many:50 %s", token), ":1\r\n");
    }
}

/* ---- against a model ---- */

enum model_state { NONE, HELD, LAPSED, BARRED };

struct model_key {
    bool present;
    int value;
    bool timed;
    int64_t fresh_until_ms;
    int64_t end_ms;
    int version; /* of what is computed from elsewhere: a write or a removal makes it another */
    enum model_state state;
    char token[12];
    int token_version;
    int holder; /* -1: nobody */
    int64_t until_ms;
    int64_t ms;
    int queue[CLIENTS]; /* clients that wait, all of them for the lease too */
    int64_t queue_ms[CLIENTS];
    int queued;
};

static struct model_key model[KEYS];
static bool parked[CLIENTS];
static char seen[STEPS * 4][12]; /* every token that was ever granted */
static int seen_count;
static int seen_key[STEPS * 4];

static void granted(int index, int who, int64_t ms, const char *token) {
    struct model_key *m = &model[index];
    for (int i = 0; i < seen_count; i++) {
        assert_string_not_equal(seen[i], token);
    }
    assert_true(seen_count < STEPS * 4);
    strcpy(seen[seen_count], token);
    seen_key[seen_count++] = index;
    strcpy(m->token, token);
    m->state = HELD;
    m->holder = who;
    m->ms = ms;
    m->until_ms = now_ms + ms;
    m->token_version = m->version;
}

static void leave_queue(struct model_key *m, int at) {
    parked[m->queue[at]] = false;
    m->queued--;
    memmove(m->queue + at, m->queue + at + 1, (size_t)(m->queued - at) * sizeof m->queue[0]);
    memmove(m->queue_ms + at, m->queue_ms + at + 1,
            (size_t)(m->queued - at) * sizeof m->queue_ms[0]);
}

static bool has_value(const struct model_key *m) {
    return m->present && (!m->timed || now_ms < m->end_ms);
}

/* Value and time of a reply, as text. */
static int print_value(const struct model_key *m, char *out, size_t size) {
    if (!has_value(m)) {
        return snprintf(out, size, "*3\r\n" NIL NIL);
    }
    char digits[16];
    int length = snprintf(digits, sizeof digits, "%d", m->value);
    if (!m->timed) {
        return snprintf(out, size, "*3\r\n$%d\r\n%s\r\n" NIL, length, digits);
    }
    return snprintf(out, size, "*3\r\n$%d\r\n%s\r\n:%ld\r\n", length, digits,
                    (long)(m->fresh_until_ms - now_ms));
}

/* The lease is free: whoever waited longest has it. */
static void model_promote(int index) {
    struct model_key *m = &model[index];
    if (m->queued > 0 && !has_value(m)) {
        char token[12];
        int who = m->queue[0];
        int64_t ms = m->queue_ms[0];
        promoted(who, token);
        leave_queue(m, 0);
        granted(index, who, ms, token);
    }
}

static void model_void(int index) {
    model[index].version++;
    model[index].state = NONE;
    model[index].holder = -1;
}

static void model_served(int index) {
    struct model_key *m = &model[index];
    while (m->queued > 0) {
        char text[128];
        int length = print_value(m, text, sizeof text);
        snprintf(text + length, sizeof text - (size_t)length, NIL);
        got(m->queue[0], text);
        leave_queue(m, 0);
    }
}

static void model_time(void) {
    for (int k = 0; k < KEYS; k++) {
        struct model_key *m = &model[k];
        if (m->state == NONE || m->until_ms > now_ms) {
            continue;
        }
        if (m->state == HELD) {
            m->state = LAPSED;
            m->holder = -1;
            m->until_ms = now_ms + m->ms;
            model_promote(k);
        } else {
            m->state = NONE;
        }
    }
}

static void model_fetch(struct random *random, int who, int index) {
    struct model_key *m = &model[index];
    int64_t ms = 1 + (int64_t)random_below(random, 400);
    bool waits = random_below(random, 2) == 0;
    /* Of those who wait the first might be granted the lease of what was stored just now. */
    int64_t early_ms = waits ? 0 : (int64_t)random_below(random, 300);
    char line[128];
    snprintf(line, sizeof line, "FETCH k%d LEASE %ld EARLY %ld%s", index, (long)ms, (long)early_ms,
             waits ? " WAIT 3600000" : "");
    bool wants = !has_value(m) || (m->timed && m->fresh_until_ms - now_ms < early_ms) ||
                 (m->timed && m->fresh_until_ms <= now_ms);
    bool wins = wants && (m->state == NONE || m->state == LAPSED);
    if (!has_value(m) && !wins && m->state == HELD && waits) {
        park(who, line);
        parked[who] = true;
        m->queue[m->queued] = who;
        m->queue_ms[m->queued++] = ms;
        return;
    }
    char text[128];
    int length = print_value(m, text, sizeof text);
    const char *answer = ask(who, line);
    assert_int_equal(strncmp(answer, text, (size_t)length), 0);
    if (!wins) {
        assert_string_equal(answer + length, NIL);
        return;
    }
    char token[12];
    assert_int_equal(strncmp(answer + length, "$11\r\n", 5), 0);
    memcpy(token, answer + length + 5, LEASE_TOKEN_SIZE);
    token[LEASE_TOKEN_SIZE] = '\0';
    granted(index, who, ms, token);
}

static const char *any_token(struct random *random, int index) {
    if (model[index].state != NONE && random_below(random, 2) == 0) {
        return model[index].token;
    }
    int recent = seen_count < 20 ? seen_count : 20;
    return recent == 0 ? "AAAAAAAAAAA"
                       : seen[seen_count - 1 - (int)random_below(random, (uint64_t)recent)];
}

static void model_store(struct random *random, int who, int index) {
    struct model_key *m = &model[index];
    bool with_lease = random_below(random, 3) > 0;
    const char *token = any_token(random, index);
    bool stands = m->state != NONE && m->state != BARRED && strcmp(m->token, token) == 0;
    int value = (int)random_below(random, 1000);
    bool timed = random_below(random, 2) == 0;
    long fresh_ms = 1 + (long)random_below(random, 300);
    long grace_ms = (long)random_below(random, 300);
    char line[192];
    int length = snprintf(line, sizeof line, "STORE k%d %d", index, value);
    if (timed) {
        length += snprintf(line + length, sizeof line - (size_t)length, " PX %ld PSTALE %ld",
                           fresh_ms, grace_ms);
    }
    if (with_lease) {
        snprintf(line + length, sizeof line - (size_t)length, " LEASE %s", token);
    }
    expect(who, line, with_lease && !stands ? NIL : "+OK\r\n");
    if (with_lease && !stands) {
        return;
    }
    if (with_lease) {
        assert_int_equal(m->token_version, m->version);
    }
    m->present = true;
    m->value = value;
    m->timed = timed;
    m->fresh_until_ms = now_ms + fresh_ms;
    m->end_ms = m->fresh_until_ms + grace_ms;
    model_void(index);
    model_served(index);
}

static void model_remove(int who, int index) {
    struct model_key *m = &model[index];
    char line[32];
    snprintf(line, sizeof line, "DEL k%d", index);
    bool fresh = has_value(m) && (!m->timed || now_ms < m->fresh_until_ms);
    expect(who, line, fresh ? ":1\r\n" : ":0\r\n");
    m->present = false;
    model_void(index);
    model_promote(index);
}

static void model_unlease(struct random *random, int who, int index) {
    struct model_key *m = &model[index];
    const char *token = any_token(random, index);
    bool stands = m->state != NONE && m->state != BARRED && strcmp(m->token, token) == 0;
    long bar_ms = random_below(random, 2) == 0 ? 0 : 1 + (long)random_below(random, 200);
    char line[128];
    snprintf(line, sizeof line, "UNLEASE k%d %s BACKOFF %ld", index, token, bar_ms);
    expect(who, line, stands ? ":1\r\n" : ":0\r\n");
    if (!stands) {
        return;
    }
    m->holder = -1;
    if (bar_ms == 0) {
        m->state = NONE;
        model_promote(index);
    } else {
        m->state = BARRED;
        m->until_ms = now_ms + bar_ms;
        while (m->queued > 0) {
            got(m->queue[0], NOTHING);
            leave_queue(m, 0);
        }
    }
}

static void model_close(int who) {
    for (int k = 0; k < KEYS; k++) {
        for (int i = 0; i < model[k].queued; i++) {
            if (model[k].queue[i] == who) {
                leave_queue(&model[k], i);
                break;
            }
        }
    }
    close(fds[who]);
    settle();
    fds[who] = session_connect(session);
    for (int k = 0; k < KEYS; k++) {
        struct model_key *m = &model[k];
        if (m->state == HELD && m->holder == who) {
            m->state = LAPSED;
            m->holder = -1;
            m->until_ms = now_ms + m->ms;
            model_promote(k);
        }
    }
}

static void step(struct random *random) {
    int who = (int)random_below(random, CLIENTS);
    int index = (int)random_below(random, KEYS);
    unsigned what = (unsigned)random_below(random, 16);
    if (what == 0) {
        model_close(who);
    } else if (what <= 3) {
        pass_time((int64_t)random_below(random, 150));
        model_time();
    } else if (parked[who]) {
        got(who, "");
    } else if (what <= 9) {
        model_fetch(random, who, index);
    } else if (what <= 12) {
        model_store(random, who, index);
    } else if (what == 13) {
        model_remove(who, index);
    } else {
        model_unlease(random, who, index);
    }
}

static void test_against_a_model(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 5);
    memset(model, 0, sizeof model);
    memset(parked, 0, sizeof parked);
    seen_count = 0;
    for (int k = 0; k < KEYS; k++) {
        model[k].holder = -1;
    }
    for (int i = 0; i < STEPS; i++) {
        step(&random);
    }
    assert_true(seen_count > STEPS / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_as_text),
        cmocka_unit_test_setup_teardown(test_one_computes_and_all_are_served, start, end),
        cmocka_unit_test_setup_teardown(test_what_voids_a_token, start, end),
        cmocka_unit_test_setup_teardown(test_what_does_not, start, end),
        cmocka_unit_test_setup_teardown(test_who_goes_makes_place, start, end),
        cmocka_unit_test_setup_teardown(test_time, start, end),
        cmocka_unit_test_setup_teardown(test_backing_off, start, end),
        cmocka_unit_test_setup_teardown(test_stale_values, start, end),
        cmocka_unit_test_setup_teardown(test_values_of_other_types_and_removal, start, end),
        cmocka_unit_test_setup_teardown(test_transactions_and_unblocking, start, end),
        cmocka_unit_test_setup_teardown(test_room, start, end),
        cmocka_unit_test_setup_teardown(test_against_a_model, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
