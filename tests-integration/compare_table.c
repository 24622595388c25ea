/* compare_table: what is not listed here must be answered as the reference answers it. Each row is
 * as narrow as it can be: the command and both answers have to fit. */
#include "compare_table.h"

#include <fnmatch.h>
#include <stdlib.h>

/* Patterns are those of the shell; the command is matched as words_text() writes it, in whatever
 * letters. */
struct difference {
    const char *command;
    const char *ours;
    const char *theirs;
    const char *reason;
};

static const struct difference differences[] = {
    {"*pexpiretime*", ":18014398509481983", ":922337203685477*",
     "deadlines end after 570,000 years, in 54 bits"},
    {"*expiretime*", ":18014398509482", ":9223372036854776", "the same in seconds"},
    {"*expiretime*", ":18014398509482", ":9223372036854775", "the same in seconds"},
    {"*ttl*", ":1801[0-9]*", ":9223370*", "the same as time that remains"},
    {"expireat * 9223372036854775 [lg]t", ":0", ":1", "both times are beyond that end, thus equal"},
    {"pexpireat * 9223372036854775807 [lg]t", ":0", ":1", "the same in milliseconds"},
    {"object refcount *", ":2147483647", ":1",
     "small integers are shared wherever they come from, not only when a client sends them"},
    {"object refcount *", ":1", ":2", "nothing else refers to a value that a transaction has set"},
    {"xautoclaim*", "*", "-ERR Insufficient memory*", "no memory is taken for what may be found"},
    {"xread*[ ]+*", "*", "-ERR Invalid stream ID*", "+ is the last entry, since Redis 7.4"},
    {"z*rank * * *", "*", "*wrong number of arguments*",
     "the score may be asked for along with the rank, as from 7.2 on"},
    {"bitcount * *", "*", "-ERR syntax error", "the end may be left out, as in Valkey"},
    {"z*aggregate count*", "*", "*syntax error*", "inputs may be counted, as from 8.8 on"},
    {"memory usage *", ":[0-9]*", ":[0-9]*", "what a key takes is each server's own affair"},
    {"object encoding *", "*listpack*", "*quicklist*",
     "a list of one block is called a listpack, as from 7.2 on"},
    {"lpos * rank -9223372036854775808*", "*value is out of range*", "*",
     "a rank that cannot be negated is refused, as from 7.2 on"},
    {"script debug *", "-ERR There is no debugger*", "*", "scripts cannot be stepped through"},
    {"config set maxmemory-samples *", "*between 1 and 64 inclusive", "*1 and 2147483647 inclusive",
     "whole buckets are sampled: more would only cost time"},
};

static const struct difference of_packed_sets = {
    "object encoding *", "*listpack*", "*hashtable*",
    "a small set of strings is a listpack, as from 7.2 on"};

static bool packed_sets_are_allowed;

void allow_packed_sets(void) {
    packed_sets_are_allowed = true;
}

const char *intended_difference(const struct words *command, const char *ours, const char *theirs) {
    char *line = words_text(command);
    const char *reason = NULL;
    size_t count = sizeof differences / sizeof *differences;
    for (size_t i = 0; i < count + packed_sets_are_allowed && reason == NULL; i++) {
        const struct difference *row = i < count ? &differences[i] : &of_packed_sets;
        if (fnmatch(row->command, line, FNM_CASEFOLD) == 0 && fnmatch(row->ours, ours, 0) == 0 &&
            fnmatch(row->theirs, theirs, 0) == 0) {
            reason = row->reason;
        }
    }
    free(line);
    return reason;
}
