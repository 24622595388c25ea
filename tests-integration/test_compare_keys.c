/* Keys of every type as the reference treats them: deleting, renaming, copying, moving between
 * databases, deadlines, looking into objects. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A deadline close enough to be waited for. */
#define SOON_MS "60"

static struct pair *pair;

static int start(void **state) {
    (void)state;
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

static const char *const some_keys[] = {
    "MSET s:0 %v s:1 %v s:2 %v s:3 %v s:4 12 s:5 %v",
    "HSET h:0 f1 %V f2 %V",
    "HSET h:1 {%F %V}",
    "HSET t:0 %T %v %T %v %T %v %T %v",
    "EXPIRE s:1 %d",
    "SELECT 1",
    "MSET s:0 %v s:6 %v",
    "SELECT 0",
    NULL,
};

static const struct row generic_rows[] = {
    {4, COMPARE_EXACT, "SET %s %v [EX %d]"},
    {3, COMPARE_EXACT, "HSET %h %F %V"},
    {2, COMPARE_EXACT, "HSET %t %T %v"},
    {4, COMPARE_EXACT, "DEL {%k}"},
    {3, COMPARE_EXACT, "UNLINK {%k}"},
    {4, COMPARE_EXACT, "EXISTS {%k}"},
    {3, COMPARE_EXACT, "TOUCH {%k}"},
    {4, COMPARE_EXACT, "TYPE %k"},
    {6, COMPARE_EXACT, "(RENAME|RENAMENX) (%s %s|%h %h|%t %t|%k %k)"},
    {10, COMPARE_EXACT, "COPY (%s %s|%h %h|%t %t|%k %k) <[DB %u] [REPLACE]>"},
    {4, COMPARE_EXACT, "MOVE %k %u"},
    {4, COMPARE_EXACT, "SELECT %u"},
    {2, COMPARE_EXACT, "SWAPDB %u %u"},
    {3, COMPARE_EXACT, "DBSIZE"},
    {3, COMPARE_SET, "KEYS %p"},
    {2, COMPARE_SHAPE, "RANDOMKEY"},
    {5, COMPARE_EXACT, "OBJECT (ENCODING|REFCOUNT|FREQ) %k"},
    {2, COMPARE_SHAPE, "OBJECT IDLETIME %k"},
    {2, COMPARE_SHAPE, "MEMORY USAGE %k [SAMPLES %c]"},
    {3, COMPARE_EXACT, "GET %k"},
    {2, COMPARE_PAIRS, "HGETALL %k"},
    {3, COMPARE_NEAR, "(TTL|PTTL|EXPIRETIME|PEXPIRETIME) %k"},
    {2, COMPARE_EXACT, "EXPIRE %k %d"},
    {1, COMPARE_EXACT, "FLUSHDB [ASYNC|SYNC]"},
};

static void generic(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(generic_rows, some_keys)});
}

static const struct row expiry_rows[] = {
    {4, COMPARE_EXACT, "SET %s %v [EX %d|PX %D|EXAT %a|PXAT %A|KEEPTTL]"},
    {3, COMPARE_EXACT, "HSET %h %F %V"},
    {1, COMPARE_EXACT, "HSET %t %T %v"},
    {10, COMPARE_EXACT,
     "(EXPIRE %k %d|PEXPIRE %k %D|EXPIREAT %k %a|PEXPIREAT %k %A) [NX|XX|GT|LT]"},
    {3, COMPARE_EXACT, "(EXPIRE %k %d|PEXPIREAT %k %A) <[NX] [XX] [GT] [LT]>"},
    {6, COMPARE_NEAR, "(TTL|PTTL|EXPIRETIME|PEXPIRETIME) %k"},
    {4, COMPARE_EXACT, "PERSIST %k"},
    {4, COMPARE_EXACT, "GETEX %s <[EX %d|PX %D|EXAT %a|PXAT %A|PERSIST]>"},
    {2, COMPARE_EXACT, "APPEND %s %v"},
    {2, COMPARE_EXACT, "INCR %s"},
    {2, COMPARE_EXACT, "SETRANGE %s %O %w"},
    {2, COMPARE_EXACT, "GETSET %s %v"},
    {2, COMPARE_EXACT, "MSET {%s %v}"},
    {1, COMPARE_EXACT, "BITOP OR %s %s %s"},
    {3, COMPARE_EXACT, "RENAME %s %s"},
    {3, COMPARE_EXACT, "COPY %k %k [REPLACE]"},
    {2, COMPARE_EXACT, "MOVE %k %u"},
    {2, COMPARE_EXACT, "EXISTS {%k}"},
    {1, COMPARE_EXACT, "DEL %k"},
    {1, COMPARE_EXACT, "DBSIZE"},
};

static void deadlines(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(expiry_rows, some_keys)});
}

/* With times of the clock alone, not a millisecond may differ. */
static const struct row exact_rows[] = {
    {4, COMPARE_EXACT, "SET %s %v [EXAT %a|PXAT %A|KEEPTTL]"},
    {8, COMPARE_EXACT, "(EXPIREAT %s %a|PEXPIREAT %s %A) [NX|XX|GT|LT]"},
    {8, COMPARE_EXACT, "(EXPIRETIME|PEXPIRETIME) %s"},
    {2, COMPARE_EXACT, "GETEX %s [EXAT %a|PXAT %A|PERSIST]"},
    {1, COMPARE_EXACT, "PERSIST %s"},
    {2, COMPARE_EXACT, "COPY %s %s REPLACE"},
    {2, COMPARE_EXACT, "RENAME %s %s"},
    {1, COMPARE_EXACT, "MOVE %s %u"},
    {1, COMPARE_EXACT, "APPEND %s %v"},
};

static const char *const some_strings[] = {"MSET s:0 %v s:1 %v s:2 %v s:3 %v s:4 12 s:5 %v",
                                           "EXPIREAT s:1 %a", NULL};

static void exact_deadlines(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(exact_rows, some_strings), .time_share = 50});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    const struct family families[] = {{FAMILY(generic_rows, some_keys)},
                                      {FAMILY(expiry_rows, some_keys)}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct family family = families[i];
        family.stray = 50;
        family.spoiled = 50;
        family.answered = 1;
        family.time_share = 30;
        pair_compare(pair, &family);
    }
}

/* Each key gets a deadline that comes true, in every way that there is. */
static const char *const soon[] = {
    "SET a v PX " SOON_MS,
    "PSETEX b " SOON_MS " v",
    "SET c v",
    "PEXPIRE c " SOON_MS,
    "HSET d f v",
    "PEXPIRE d " SOON_MS,
    "SET e v",
    "GETEX e PX " SOON_MS,
    "SET f 7 PX " SOON_MS,
    "INCR f",
    "APPEND f 1",
    "SET g v PX " SOON_MS,
    "RENAME g h",
    "COPY h i",
    "SET j v PX 100000",
    "SET k v PX 50",
    "SET k w KEEPTTL",
    "SET l v EX 1",
    "SETEX m 1 v",
    "SET n v PX " SOON_MS,
    "PERSIST n",
    "SET o v PX " SOON_MS,
    "SET o w",
    "SET p v PX " SOON_MS,
    "MOVE p 1",
};

static const char *const gone[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "k", "l", "m"};

/* Asks one side's server, outside of the comparison. */
static bool is_gone(void *context) {
    int *fd = context;
    bool all = true;
    for (size_t i = 0; i < sizeof gone / sizeof *gone && all; i++) {
        char *reply = wire_ask(*fd, "EXISTS", gone[i], NULL);
        all = strcmp(reply, ":0") == 0;
        free(reply);
    }
    return all;
}

static void short_deadlines(void **state) {
    (void)state;
    static const char *const lines[] = {
        "GET %s",  "TTL %s",         "PTTL %s",       "EXISTS %s",
        "TYPE %s", "PEXPIRETIME %s", "STRLEN %s",     "OBJECT ENCODING %s",
        "HLEN %s", "PERSIST %s",     "EXPIRE %s 100", "GETRANGE %s 0 -1"};
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        for (size_t i = 0; i < sizeof soon / sizeof *soon; i++) {
            pair_ask(pair, COMPARE_EXACT, soon[i]);
        }
        for (int side = 0; side < 2; side++) {
            int fd = wire_connect(pair_server(pair, side));
            harness_wait_for(is_gone, &fd, "deadlines of some milliseconds");
            close(fd);
        }
        for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
            for (size_t j = 0; j < sizeof lines / sizeof *lines; j++) {
                char line[64];
                snprintf(line, sizeof line, lines[j], gone[i]);
                pair_ask(pair, COMPARE_EXACT, line);
            }
        }
        pair_ask(pair, COMPARE_SET, "KEYS *");
        pair_ask(pair, COMPARE_EXACT, "SET a w XX");
        pair_ask(pair, COMPARE_EXACT, "SET b w NX GET");
        pair_ask(pair, COMPARE_EXACT, "RENAME c z");
        pair_ask(pair, COMPARE_EXACT, "COPY n d");
        pair_ask(pair, COMPARE_EXACT, "RENAMENX n e");
        pair_ask(pair, COMPARE_EXACT, "SETNX k 1");
        pair_ask(pair, COMPARE_EXACT, "INCR f");
        pair_ask(pair, COMPARE_EXACT, "HSETNX l f v");
    }
}

/* Keys on which nobody looks go as well, and DBSIZE says so in time. */
static bool is_empty(void *context) {
    int *fd = context;
    char *reply = wire_ask(*fd, "DBSIZE", NULL);
    bool empty = strcmp(reply, ":0") == 0;
    free(reply);
    return empty;
}

static void unwatched_deadlines(void **state) {
    (void)state;
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    for (int i = 0; i < 200; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET unwatched:%d v PX %d", i, 10 + i % 50);
        pair_ask(pair, COMPARE_EXACT, line);
    }
    for (int side = 0; side < 2; side++) {
        int fd = wire_connect(pair_server(pair, side));
        harness_wait_for(is_empty, &fd, "keys that expire by themselves");
        close(fd);
    }
    pair_ask(pair, COMPARE_EXACT, "RANDOMKEY");
    pair_ask(pair, COMPARE_EXACT, "SCAN 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generic),         cmocka_unit_test(deadlines),
        cmocka_unit_test(exact_deadlines), cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(short_deadlines), cmocka_unit_test(unwatched_deadlines),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
