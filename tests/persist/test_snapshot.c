/* snapshot: whatever happens between its slices, it is the state of its moment. The model is what
 * the keyspace itself says at that moment; between slices commands of all types work on all keys,
 * keys expire and are evicted, databases are flushed and swapped, and memory is compacted. */
#include "persist/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/session.h"
#include "support/snapshot_read.h"

#include "base/random.h"
#include "persist/pump.h"

#define ROUNDS   60
#define BEFORE   900
#define COMMANDS 3

/* ---- a sink that keeps the bytes ---- */

struct kept {
    char *at;
    size_t size;
    size_t fails_at; /* 0: never */
    bool finished;
    bool cancelled;
};

static int keep(void *context, const void *at, size_t size) {
    struct kept *kept = context;
    if (kept->fails_at != 0 && kept->size + size >= kept->fails_at) {
        return -ENOSPC;
    }
    kept->at = realloc(kept->at, kept->size + size);
    memcpy(kept->at + kept->size, at, size);
    kept->size += size;
    return 0;
}

static int finish(void *context) {
    ((struct kept *)context)->finished = true;
    return 0;
}

static void cancel(void *context) {
    ((struct kept *)context)->cancelled = true;
}

static struct pump *pump_into(struct kept *kept, bool compress) {
    *kept = (struct kept){.fails_at = kept->fails_at};
    const struct pump_setup setup = {
        .sink = {.write = keep, .finish = finish, .cancel = cancel, .context = kept},
        .compress = compress,
        .checksum = true};
    struct pump *pump = pump_new(&setup);
    assert_non_null(pump);
    return pump;
}

/* ---- random work ---- */

static const char *const forms[] = {
    /* k: a key, e: an element, n: a number, t: a text, d: a database, s: a score */
    "SET k t",
    "SET k n",
    "SET k t EX 1000000",
    "SET k t GET",
    "GETSET k t",
    "APPEND k t",
    "SETRANGE k 7 t",
    "INCRBY k n",
    "SETBIT k n 1",
    "MSET k t k n",
    "GETEX k EX 1000000",
    "GETEX k PERSIST",
    "PFADD k e e",
    "PFCOUNT k",
    "PFMERGE k k",
    "BITOP OR k k k",
    "HSET k e t e n e t",
    "HSET k e t e t e t e t e t e t e t e t",
    "HDEL k e e e",
    "HINCRBY k e n",
    "HPEXPIREAT k 9000000000000 FIELDS 2 e e",
    "HPERSIST k FIELDS 1 e",
    "HGETDEL k FIELDS 1 e",
    "SADD k e e e e e e e e",
    "SADD k n n n",
    "SREM k e e e",
    "SPOP k",
    "SPOP k 3",
    "SMOVE k k e",
    "SUNIONSTORE k k k",
    "ZADD k s e s e s e s e s e s e s e",
    "ZADD k s e",
    "ZINCRBY k s e",
    "ZREM k e e",
    "ZPOPMIN k 2",
    "ZREMRANGEBYRANK k 0 1",
    "ZUNIONSTORE k 2 k k",
    "RPUSH k e t e e n e e e e e",
    "LPUSH k e t",
    "LPOP k 2",
    "RPOP k",
    "LSET k 3 t",
    "LSET k -1 e",
    "LINSERT k BEFORE e t",
    "LREM k 1 e",
    "LTRIM k 1 -2",
    "LMOVE k k LEFT RIGHT",
    "RPUSH k t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t t",
    "LREM k 0 t",
    "LINSERT k AFTER t e",
    "XADD k * e t",
    "XADD k * e t e n",
    "XGROUP CREATE k e 0 MKSTREAM",
    "XREADGROUP GROUP e e COUNT 2 STREAMS k >",
    "XDEL k 1-1",
    "SELECT d",
    "GET k",
    "HGETALL k",
    "LRANGE k 0 -1",
    "COPY k k DB d REPLACE",
    "SORT k ALPHA STORE k",
    "PEXPIRE k 5000000",
    "PERSIST k",
    /* what removes: REMOVING of them */
    "DEL k",
    "UNLINK k",
    "RENAME k k",
    "RENAMENX k k",
    "COPY k k REPLACE",
    "MOVE k d",
    "PEXPIRE k 900",
    "GETDEL k",
    "LPOP k 40",
    "LTRIM k 20 -1",
    "LTRIM k 0 30",
    "SINTERSTORE k k k",
    "ZRANGESTORE k k 0 5",
    "ZREMRANGEBYRANK k 5 30",
    "SPOP k 30",
    "XTRIM k MAXLEN 4",
};
#define FORMS    (sizeof forms / sizeof forms[0])
#define REMOVING 16
static const char *const rare[] = {"FLUSHDB", "FLUSHDB SYNC", "SWAPDB d d", "SWAPDB d d",
                                   "FLUSHALL"};

struct work {
    struct session *session;
    struct random random;
    int64_t now_ms;
    size_t errors;
};

/* Of which type keys are that a form is for; 0: of any. */
static char kind_of(const char *form) {
    static const char *const sets[] = {"SADD", "SREM", "SPOP", "SMOVE", "SUNION", "SINTER"};
    static const char *const all[] = {"DEL",  "UNLINK",  "RENAME",  "COPY",
                                      "MOVE", "PEXPIRE", "PERSIST", "SORT"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (strncmp(form, sets[i], strlen(sets[i])) == 0) {
            return 's';
        }
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strncmp(form, all[i], strlen(all[i])) == 0) {
            return 0;
        }
    }
    if (strchr("HZX", form[0]) != NULL) {
        return form[0] == 'H' ? 'h' : form[0] == 'Z' ? 'z' : 'x';
    }
    return strncmp(form, "RP", 2) == 0 || form[0] == 'L' ? 'l' : 't';
}

static void make_line(struct work *work, const char *form, char *line, size_t room) {
    size_t size = 0;
    char kind = random_below(&work->random, 30) == 0 ? 0 : kind_of(form);
    for (const char *at = form; *at != '\0' && size + 400 < room; at++) {
        bool is_word = (at == form || at[-1] == ' ') && (at[1] == ' ' || at[1] == '\0');
        int number = (int)random_below(&work->random, 1000);
        if (!is_word || strchr("kentds", *at) == NULL) {
            line[size++] = *at;
        } else if (*at == 'k') {
            size += (size_t)sprintf(line + size, "%c%d", kind != 0 ? kind : "hszxlt"[number % 6],
                                    number / 6 % 3);
        } else if (*at == 'e') {
            size += (size_t)sprintf(line + size, "e%d", number % 150);
        } else if (*at == 'd') {
            size += (size_t)sprintf(line + size, "%d", number % 3);
        } else if (*at == 's') {
            size += (size_t)sprintf(line + size, "%d.5", number % 20);
        } else if (*at == 't') {
            int count = number % 50 == 0 ? 300 : number % 40;
            size += (size_t)sprintf(line + size, "t%d", number);
            memset(line + size, 'a' + number % 7, (size_t)count);
            size += (size_t)count;
        } else {
            size += (size_t)sprintf(line + size, "%d", number);
        }
    }
    line[size] = '\0';
}

static void evict_one(struct work *work) {
    struct keyspace *keyspace = &work->session->server.keyspace;
    struct database *database = &keyspace->databases[random_below(&work->random, 3)];
    struct entry *entry = keyspace_random(keyspace, database);
    if (entry != NULL) {
        keyspace_evict(keyspace, database, entry);
    }
}

static void work_some(struct work *work, int commands) {
    char line[24000];
    for (int i = 0; i < commands; i++) {
        uint64_t chance = random_below(&work->random, 400);
        if (chance == 0) {
            evict_one(work);
        } else if (chance == 1) {
            compact_slice(&work->session->server.compact, 100);
        } else if (chance < 4) {
            work->now_ms += (int64_t)random_below(&work->random, 300);
            clock_drive(&work->session->server.clock, work->now_ms);
        }
        /* What adds comes first in the table of forms, and what takes away last. */
        uint64_t bound = random_below(&work->random, 4) == 0 ? FORMS : FORMS - REMOVING;
        const char *form = chance == 5
                               ? rare[random_below(&work->random, sizeof rare / sizeof rare[0])]
                               : forms[random_below(&work->random, bound)];
        make_line(work, form, line, sizeof line);
        (void)session_ask(work->session, line);
    }
}

static struct session *start(void) {
    static const char *const options[] = {"--hash-max-listpack-entries",
                                          "4",
                                          "--set-max-listpack-entries",
                                          "4",
                                          "--set-max-intset-entries",
                                          "4",
                                          "--zset-max-listpack-entries",
                                          "4",
                                          "--list-max-listpack-size",
                                          "4",
                                          "--stream-node-max-entries",
                                          "3",
                                          NULL};
    return session_start(options);
}

static void begin_work(struct work *work, uint64_t seed) {
    *work = (struct work){.session = start(), .now_ms = 1800000000000};
    random_init(&work->random, seed);
    clock_drive(&work->session->server.clock, work->now_ms);
}

/* ---- tests ---- */

static void one_round(struct work *work, struct kept *kept) {
    struct keyspace *keyspace = &work->session->server.keyspace;
    bool compress = random_below(&work->random, 2) == 0;
    struct pump *pump = pump_into(kept, compress);
    struct content expected;
    content_of_keyspace(&expected, keyspace, work->now_ms);
    int64_t moment_ms = work->now_ms;
    const struct snapshot_setup setup = {.keyspace = keyspace,
                                         .pump = pump,
                                         .compress = compress,
                                         .use = (enum snapshot_use)random_below(&work->random, 2)};
    struct snapshot *snapshot = snapshot_begin(&setup);
    bool more = true;
    while (snapshot_slice(snapshot, 0, &more) == SNAPSHOT_WRITING) {
        if (!more) {
            pump_wait(pump);
        }
        work_some(work, COMMANDS);
        keyspace_validate(keyspace);
    }
    struct snapshot_figures figures;
    snapshot_figures(snapshot, &figures);
    snapshot_free(snapshot);
    pump_wait(pump);
    int status;
    bool fails = kept->fails_at != 0 && pump_state(pump, &status) == PUMP_FAILED;
    assert_int_equal(pump_state(pump, &status), fails ? PUMP_FAILED : PUMP_DONE);
    pump_free(pump);
    if (fails) {
        assert_int_equal(status, -ENOSPC);
        assert_true(kept->cancelled && !kept->finished);
    } else {
        assert_true(kept->finished && !kept->cancelled);
        struct content found;
        content_of_snapshot(&found, bytes_of(kept->at, kept->size), keyspace, moment_ms);
        content_compare(&expected, &found, work->now_ms);
        content_clear(&found);
    }
    content_clear(&expected);
    free(kept->at);
    /* Nothing is watched and all are of one phase: what validators ask. */
    keyspace_validate(keyspace);
}

static void test_it_is_the_state_of_its_moment(void **state) {
    (void)state;
    struct work work;
    begin_work(&work, 7);
    for (int round = 0; round < ROUNDS; round++) {
        work_some(&work, BEFORE);
        struct kept kept = {0};
        one_round(&work, &kept);
    }
    session_end(work.session);
}

static void test_a_failing_sink_leaves_a_sound_keyspace(void **state) {
    (void)state;
    struct work work;
    begin_work(&work, 11);
    for (int round = 0; round < ROUNDS; round++) {
        work_some(&work, BEFORE / 3);
        struct kept kept = {.fails_at = 1 + random_below(&work.random, 20000)};
        one_round(&work, &kept);
        /* The next one is right. */
        kept = (struct kept){0};
        one_round(&work, &kept);
    }
    session_end(work.session);
}

static void test_an_empty_keyspace_has_a_snapshot(void **state) {
    (void)state;
    struct work work;
    begin_work(&work, 1);
    struct kept kept = {0};
    one_round(&work, &kept);
    session_end(work.session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_the_state_of_its_moment),
        cmocka_unit_test(test_a_failing_sink_leaves_a_sound_keyspace),
        cmocka_unit_test(test_an_empty_keyspace_has_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
