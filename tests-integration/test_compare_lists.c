/* Lists as the reference has them: generated commands on small lists and on lists of many blocks,
 * with elements of all sizes, and the edges of each command by itself. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const char *const some_lists[] = {
    "RPUSH l:0 {%E} {%E} {%E}",
    "RPUSH l:1 {%v} {%v}",
    "RPUSH l:2 {%i} {%i}",
    "LPUSH l:3 {%E %B}",
    "SET s:0 %v",
    "HSET h:0 f1 %V",
    NULL,
};

static const struct row list_rows[] = {
    {10, COMPARE_EXACT, "(LPUSH|RPUSH) %l {%E}"},
    {6, COMPARE_EXACT, "(LPUSH|RPUSH) %l {%v}"},
    {3, COMPARE_EXACT, "(LPUSH|RPUSH) %l {%i}"},
    {2, COMPARE_EXACT, "(LPUSH|RPUSH) %l %B"},
    {3, COMPARE_EXACT, "(LPUSHX|RPUSHX) %l {%E}"},
    {5, COMPARE_EXACT, "(LPOP|RPOP) %l"},
    {3, COMPARE_EXACT, "(LPOP|RPOP) %l %c"},
    {3, COMPARE_EXACT, "LLEN %l"},
    {6, COMPARE_EXACT, "LINDEX %l %c"},
    {6, COMPARE_EXACT, "LSET %l %c (%E|%v|%i)"},
    {1, COMPARE_EXACT, "LSET %l %c %B"},
    {6, COMPARE_EXACT, "LINSERT %l (BEFORE|AFTER) %E (%E|%v)"},
    {1, COMPARE_EXACT, "LINSERT %l (BEFORE|AFTER) %E %B"},
    {8, COMPARE_EXACT, "LRANGE %l %c %c"},
    {4, COMPARE_EXACT, "LREM %l %c %E"},
    {3, COMPARE_EXACT, "LTRIM %l (%c|0|1) (%c|-1|-2|20)"},
    {6, COMPARE_EXACT, "LPOS %l %E <[RANK %c] [COUNT %c] [MAXLEN %c]>"},
    {4, COMPARE_EXACT, "LMOVE %l %l (LEFT|RIGHT) (LEFT|RIGHT)"},
    {2, COMPARE_EXACT, "RPOPLPUSH %l %l"},
    {3, COMPARE_EXACT, "LMPOP (1 %l|2 %l %l|3 %l %l %l) (LEFT|RIGHT) [COUNT %c]"},
    {2, COMPARE_EXACT, "OBJECT ENCODING %l"},
    {1, COMPARE_EXACT, "TYPE %l"},
    {1, COMPARE_EXACT, "DEL %l"},
    {1, COMPARE_EXACT, "COPY %l %l REPLACE"},
    {1, COMPARE_EXACT, "RENAME %l %l"},
    {1, COMPARE_EXACT, "MOVE %l %u"},
    {1, COMPARE_EXACT, "MEMORY USAGE %l"},
    {1, COMPARE_EXACT, "SET %l %v"},
    {1, COMPARE_EXACT, "EXPIRE %l %d"},
    {1, COMPARE_SET, "KEYS *"},
};

static void lists(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(list_rows, some_lists)});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(list_rows, some_lists), .stray = 50, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

/* Lists that are never short, of blocks as small as they come: positions are found through the
 * index, and edits cut and join blocks all the time. */
static const char *const long_lists[] = {
    "RPUSH l:0 {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E} {%E}",
    "RPUSH l:1 {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v} {%v}",
    "RPUSH l:2 {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i} {%i}",
    NULL,
};

static const struct row long_rows[] = {
    {8, COMPARE_EXACT, "(LPUSH|RPUSH) %l {%E} {%E} {%v}"},
    {1, COMPARE_EXACT, "(LPUSH|RPUSH) %l %B"},
    {2, COMPARE_EXACT, "(LPOP|RPOP) %l"},
    {6, COMPARE_EXACT, "LINDEX %l %o"},
    {8, COMPARE_EXACT, "LSET %l %c (%E|%v|%i)"},
    {8, COMPARE_EXACT, "LINSERT %l (BEFORE|AFTER) %E (%E|%v)"},
    {4, COMPARE_EXACT, "LRANGE %l %c %c"},
    {2, COMPARE_EXACT, "LRANGE %l 0 -1"},
    {2, COMPARE_EXACT, "LREM %l (1|2|-1|-2|-3) %E"},
    {1, COMPARE_EXACT, "LTRIM %l (0|1|2) (-1|-2|-3)"},
    {6, COMPARE_EXACT, "LPOS %l %E <[RANK (1|2|-1|-2|3)] [COUNT (0|1|2|30)] [MAXLEN (0|9|40)]>"},
    {4, COMPARE_EXACT, "LMOVE %l %l (LEFT|RIGHT) (LEFT|RIGHT)"},
    {1, COMPARE_EXACT, "COPY %l %l REPLACE"},
};

static void long_lists_of_small_blocks(void **state) {
    (void)state;
    static const char *const sizes[] = {"1", "2", "5", "-1"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char line[64];
        pair_connect(pair, 2);
        snprintf(line, sizeof line, "CONFIG SET list-max-listpack-size %s", sizes[i]);
        pair_ask(pair, COMPARE_EXACT, line);
        pair_compare(pair, &(struct family){FAMILY(long_rows, long_lists), .time_share = 30});
    }
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "CONFIG SET list-max-ziplist-size -2");
}

/* Edges that templates meet rarely. */
static const char *const edge_lines[] = {
    "FLUSHALL",
    "RPUSH k a b c 1 2 3 a b c",
    "LPOP k 0",
    "LPOP none 0",
    "LPOP none",
    "RPOP none 3",
    "LPOP k -1",
    "LPOP k x",
    "LPOP k 1 2",
    "LPOP k 9223372036854775808",
    "LRANGE k 0 9223372036854775807",
    "LRANGE k -9223372036854775808 9223372036854775807",
    "LRANGE k 9223372036854775807 -9223372036854775808",
    "LRANGE k x 1",
    "LRANGE none x 1",
    "LRANGE none 0 1",
    "LINDEX k -9223372036854775808",
    "LINDEX k 9223372036854775807",
    "LINDEX k x",
    "LINDEX none x",
    "LSET none 0 x",
    "LSET none x x",
    "LSET k x x",
    "LSET k 9 x",
    "LSET k -9 first",
    "LSET k -10 x",
    "LINSERT k beside a b",
    "LINSERT none beside a b",
    "LINSERT none before a b",
    "LINSERT k before none b",
    "LREM k x a",
    "LREM none x a",
    "LREM k -9223372036854775808 a",
    "LREM k 9223372036854775807 b",
    "LPOS k 1",
    "LPOS k c RANK 0",
    "LPOS k c RANK x",
    "LPOS k c RANK -9223372036854775808",
    "LPOS k c RANK -9223372036854775807",
    "LPOS k c RANK 9223372036854775807",
    "LPOS k c COUNT -1",
    "LPOS k c COUNT x",
    "LPOS k c MAXLEN -1",
    "LPOS k c MAXLEN x",
    "LPOS k c MAXLEN 9223372036854775807 COUNT 9223372036854775807",
    "LPOS k c COUNT",
    "LPOS k c NOSUCH 1",
    "LPOS none c",
    "LPOS none c COUNT 1",
    "LPOS none c RANK -1 COUNT 0",
    "LMOVE k k left up",
    "LMOVE none k left right",
    "LMOVE k k left left",
    "LMOVE k k right right",
    "LMOVE k k left right",
    "LMOVE k k right left",
    "LRANGE k 0 -1",
    "RPUSH one x",
    "LMOVE one one left right",
    "LMOVE one one left left",
    "LMOVE one two left right",
    "EXISTS one two",
    "SET s x",
    "LMOVE two s left right",
    "LMOVE none s left right",
    "LMOVE s two left right",
    "LRANGE two 0 -1",
    "LMPOP 0 k LEFT",
    "LMPOP x k LEFT",
    "LMPOP 2 k LEFT",
    "LMPOP 1 k UP",
    "LMPOP 1 k LEFT COUNT 0",
    "LMPOP 1 k LEFT COUNT x",
    "LMPOP 1 k LEFT COUNT",
    "LMPOP 1 k LEFT COUNT 1 COUNT 1",
    "LMPOP 1 k LEFT COUNT 1 x",
    "LMPOP 2 s k LEFT",
    "LMPOP 2 none k LEFT COUNT 100",
    "LMPOP 2 none k LEFT",
    "LMPOP 9223372036854775807 k LEFT",
    "EXISTS k",
    "LTRIM none 0 1",
    "LTRIM none x 1",
    "LTRIM s 0 1",
    "RPUSH t 1 2 3 4 5",
    "LTRIM t 1 -2",
    "LRANGE t 0 -1",
    "LTRIM t 5 9",
    "EXISTS t",
    "LPUSH s x",
    "LLEN s",
    "RPOPLPUSH none s",
    "RPOPLPUSH s none",
};

static void edges(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        for (size_t i = 0; i < sizeof edge_lines / sizeof *edge_lines; i++) {
            pair_ask(pair, COMPARE_EXACT, edge_lines[i]);
        }
        pair_compare_state(pair);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges),
        cmocka_unit_test(lists),
        cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(long_lists_of_small_blocks),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
