/* What the servers tell about themselves: COMMAND in all its forms, INFO's sections and fields,
 * CONFIG's parameters. Ours knows more, being newer; what the reference knows must be there too,
 * and say the same. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAMES_MAX 500

static struct pair *pair;

/* Texts of an array or a map of bulk strings. */
struct names {
    char *at[NAMES_MAX];
    size_t count;
};

static int start(void **state) {
    (void)state;
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

/* Every `step`th quoted string at the reply's top level, from the first on. */
static struct names names_of(const char *reply, size_t step) {
    struct names names = {0};
    int depth = 0;
    size_t index = 0;
    for (const char *at = reply; *at != 0; at++) {
        depth += *at == '[' || *at == '{' ? 1 : *at == ']' || *at == '}' ? -1 : 0;
        if (*at == '"') {
            const char *end = at + 1;
            while (*end != '"') {
                end += *end == '\\' ? 2 : 1;
            }
            if (depth == 1 && index++ % step == 0 && names.count < NAMES_MAX) {
                names.at[names.count++] = strndup(at + 1, (size_t)(end - at) - 1);
            }
            at = end;
        } else if (depth == 1 && (*at == ',' || *at == ':') && at[1] == ' ' && at[2] == '[') {
            /* A part that is not a string counts as well. */
            index++;
        }
    }
    return names;
}

static void free_names(struct names *names) {
    while (names->count > 0) {
        free(names->at[--names->count]);
    }
}

static bool has_name(const struct names *names, const char *name) {
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->at[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_one_of(const char *name, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What both servers answer to this, as names. */
static void ask_names(const char *line, size_t step, struct names names[2]) {
    char *texts[2];
    pair_texts(pair, line, texts);
    for (int i = 0; i < 2; i++) {
        names[i] = names_of(texts[i], step);
        free(texts[i]);
    }
}

/* The commands that both list; the caller frees. */
static struct names common_commands(void) {
    struct names lists[2];
    struct names common = {0};
    ask_names("COMMAND LIST", 1, lists);
    for (size_t i = 0; i < lists[0].count; i++) {
        if (has_name(&lists[1], lists[0].at[i])) {
            common.at[common.count++] = strdup(lists[0].at[i]);
        }
    }
    free_names(&lists[0]);
    free_names(&lists[1]);
    assert_in_range(common.count, 100, NAMES_MAX - 1);
    return common;
}

/* Takes the notes out of key specifications, which are documentation, and what follows the last
 * specification: the subcommands, each of which is looked at by itself. */
static void strip_description(char *text) {
    char *note;
    while ((note = strstr(text, "\"notes\", \"")) != NULL ||
           (note = strstr(text, "\"notes\": \"")) != NULL) {
        char *end = strstr(note, "\", \"flags\"");
        assert_non_null(end);
        memmove(note, end + 3, strlen(end + 3) + 1);
    }
    /* Tips are a set; the reference has some the other way round. */
    static const char *const tips[] = {
        "\"request_policy:all_shards\", \"nondeterministic_output_order\"",
        "\"nondeterministic_output_order\", \"request_policy:all_shards\"",
        "\"request_policy:all_shards\", \"nondeterministic_output\"",
        "\"nondeterministic_output\", \"request_policy:all_shards\"",
        "\"request_policy:all_nodes\", \"nondeterministic_output\"",
        "\"nondeterministic_output\", \"request_policy:all_nodes\"",
        "\"request_policy:all_nodes\", \"response_policy:agg_sum\", \"nondeterministic_output\"",
        "\"nondeterministic_output\", \"request_policy:all_nodes\", \"response_policy:agg_sum\"",
    };
    for (size_t i = 0; i < sizeof tips / sizeof *tips; i += 2) {
        char *place = strstr(text, tips[i]);
        if (place != NULL) {
            memcpy(place, tips[i + 1], strlen(tips[i + 1]));
        }
    }
    char *subcommands = strstr(text, "], [[\"");
    if (subcommands != NULL && strncmp(subcommands + 6, "flags\"", 6) != 0) {
        *subcommands = 0;
    }
}

/* As in versions later than the reference: at least one argument where it asks for two, refused
 * when memory is full, allowed in scripts, a destination that is only written, keys behind words
 * that may stand elsewhere too. */
static const char *const described_as_later[] = {"command|getkeys",
                                                 "command|getkeysandflags",
                                                 "subscribe",
                                                 "psubscribe",
                                                 "ssubscribe",
                                                 "sinterstore",
                                                 "georadiusbymember",
                                                 "georadius",
                                                 "sort",
                                                 "sort_ro",
                                                 "xread",
                                                 "xreadgroup",
                                                 "wait",
                                                 "zrank",
                                                 "zrevrank",
                                                 "blpop",
                                                 "brpop",
                                                 "blmove",
                                                 "brpoplpush",
                                                 "bzpopmin",
                                                 "bzpopmax",
                                                 NULL};

static void command_info(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        struct names common = common_commands();
        for (size_t i = 0; i < common.count; i++) {
            char line[128];
            char *texts[2];
            if (is_one_of(common.at[i], described_as_later)) {
                continue;
            }
            snprintf(line, sizeof line, "COMMAND INFO %s", common.at[i]);
            harness_note(line);
            pair_texts(pair, line, texts);
            strip_description(texts[0]);
            strip_description(texts[1]);
            assert_string_equal(texts[0], texts[1]);
            free(texts[0]);
            free(texts[1]);
        }
        free_names(&common);
    }
    pair_ask(pair, COMPARE_EXACT, "COMMAND INFO nosuch client|nosuch");
}

/* Each list of the reference, as far as we know its commands, is ours. */
static void command_lists(void **state) {
    (void)state;
    static const char *const lines[] = {
        "COMMAND LIST",
        "COMMAND LIST FILTERBY PATTERN *",
        "COMMAND LIST FILTERBY PATTERN *get*",
        "COMMAND LIST FILTERBY PATTERN client|*",
        "COMMAND LIST FILTERBY PATTERN nosuch",
        "COMMAND LIST FILTERBY ACLCAT string",
        "COMMAND LIST FILTERBY ACLCAT hash",
        "COMMAND LIST FILTERBY ACLCAT bitmap",
        "COMMAND LIST FILTERBY ACLCAT keyspace",
        "COMMAND LIST FILTERBY ACLCAT write",
        "COMMAND LIST FILTERBY ACLCAT read",
        "COMMAND LIST FILTERBY ACLCAT fast",
        "COMMAND LIST FILTERBY ACLCAT slow",
        "COMMAND LIST FILTERBY ACLCAT admin",
        "COMMAND LIST FILTERBY ACLCAT dangerous",
        "COMMAND LIST FILTERBY ACLCAT connection",
        "COMMAND LIST FILTERBY ACLCAT nosuch",
        "COMMAND LIST FILTERBY MODULE nosuch",
    };
    pair_connect(pair, 2);
    struct names common = common_commands();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct names lists[2];
        harness_note(lines[i]);
        ask_names(lines[i], 1, lists);
        for (size_t j = 0; j < common.count; j++) {
            if (has_name(&lists[0], common.at[j]) != has_name(&lists[1], common.at[j])) {
                harness_fail("%s is in one list only", common.at[j]);
            }
        }
        free_names(&lists[0]);
        free_names(&lists[1]);
    }
    free_names(&common);
}

/* As many as the list has at the top, on either server. */
static void command_count(void **state) {
    (void)state;
    pair_connect(pair, 2);
    char *counts[2];
    struct names lists[2];
    pair_texts(pair, "COMMAND COUNT", counts);
    ask_names("COMMAND LIST", 1, lists);
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        for (size_t j = 0; j < lists[i].count; j++) {
            count += strchr(lists[i].at[j], '|') == NULL;
        }
        assert_int_equal(strtol(counts[i] + 1, NULL, 10), count);
        free(counts[i]);
        free_names(&lists[i]);
    }
}

/* The string that follows a key of a command's documentation; "" without. */
static void doc_value(const char *text, const char *key, char value[64]) {
    char pattern[80];
    value[0] = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(pattern, sizeof pattern, i == 0 ? "\"%s\", \"" : "\"%s\": \"", key);
        const char *place = strstr(text, pattern);
        if (place != NULL) {
            place += strlen(pattern);
            snprintf(value, 64, "%.*s", (int)strcspn(place, "\""), place);
            return;
        }
    }
}

static void cut_at(char *text, const char *part) {
    char *place = strstr(text, part);
    if (place != NULL) {
        *place = 0;
    }
}

/* Texts are our own; group, version and deprecation are facts. */
static void command_docs(void **state) {
    (void)state;
    static const char *const facts[] = {"since", "group", "deprecated_since"};
    /* Documented so since versions later than the reference. */
    static const char *const later[] = {"quit", "client|pause", NULL};
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        struct names common = common_commands();
        for (size_t i = 0; i < common.count; i++) {
            char line[128];
            char *texts[2];
            snprintf(line, sizeof line, "COMMAND DOCS %s", common.at[i]);
            harness_note(line);
            pair_texts(pair, line, texts);
            assert_int_equal(texts[0][0], texts[1][0]);
            assert_non_null(strstr(texts[0], "\"summary\""));
            for (int side = 0; side < 2; side++) {
                cut_at(texts[side], "\"arguments\"");
                cut_at(texts[side], "\"subcommands\"");
            }
            for (size_t j = 0; j < 3 && !is_one_of(common.at[i], later); j++) {
                char values[2][64];
                doc_value(texts[0], facts[j], values[0]);
                doc_value(texts[1], facts[j], values[1]);
                assert_string_equal(values[0], values[1]);
            }
            free(texts[0]);
            free(texts[1]);
        }
        free_names(&common);
        pair_ask(pair, COMPARE_EXACT, "COMMAND DOCS nosuch");
    }
}

static void command_getkeys(void **state) {
    (void)state;
    static const char *const calls[] = {
        "get a",
        "set a b",
        "set a b EX 10 GET",
        "mset a 1 b 2 c 3",
        "msetnx a 1 b 2",
        "mget a b c",
        "del a b c",
        "unlink a",
        "exists a b",
        "touch a b",
        "copy a b DB 1",
        "rename a b",
        "renamenx a b",
        "move a 1",
        "bitop AND d a b c",
        "bitop NOT d a",
        "bitfield a GET u8 0",
        "bitfield_ro a GET u8 0",
        "bitcount a",
        "lcs a b",
        "getset a b",
        "hset h f v",
        "hget h f",
        "hgetall h",
        "hscan h 0",
        "object encoding a",
        "object freq a",
        "memory usage a",
        "expire a 10",
        "ttl a",
        "setrange a 0 b",
        "getex a PERSIST",
        "ping x",
        "ping",
        "echo x",
        "config get a",
        "client list",
        "get",
        "get a b",
        "mset a",
        "mset a 1 b",
        "nosuch a",
        "object nosuch a",
        "object help",
        "select 1",
        "scan 0",
        "keys *",
        "flushall",
        "dbsize",
        "command getkeys get a",
        "SET A b",
        "debug object a",
        "swapdb 0 1",
    };
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
            char line[128];
            if (strchr(calls[i], ' ') == NULL) {
                /* The reference wants a second word. */
                continue;
            }
            snprintf(line, sizeof line, "COMMAND GETKEYS %s", calls[i]);
            pair_ask(pair, COMPARE_EXACT, line);
            snprintf(line, sizeof line, "COMMAND GETKEYSANDFLAGS %s", calls[i]);
            pair_ask(pair, COMPARE_EXACT, line);
        }
    }
}

/* Whether our INFO has the line `name:` in the section. */
static bool has_field(const char *info, const char *section, const char *name) {
    char pattern[160];
    snprintf(pattern, sizeof pattern, "# %s\\r\\n", section);
    const char *place = strstr(info, pattern);
    if (place == NULL) {
        return false;
    }
    const char *end = strstr(place, "\\r\\n\\r\\n");
    snprintf(pattern, sizeof pattern, "\\r\\n%s:", name);
    const char *found = strstr(place, pattern);
    return found != NULL && (end == NULL || found < end);
}

static void info_fields(void **state) {
    (void)state;
    static const char *const sections[] = {"",
                                           "server",
                                           "clients",
                                           "memory",
                                           "stats",
                                           "persistence",
                                           "cpu",
                                           "replication",
                                           "cluster",
                                           "keyspace",
                                           "modules",
                                           "errorstats",
                                           "default",
                                           "all",
                                           "everything",
                                           "commandstats",
                                           "latencystats",
                                           "nosuch",
                                           "server memory",
                                           "SERVER nosuch"};
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    pair_ask(pair, COMPARE_EXACT, "SET key 1 EX 1000");
    pair_ask(pair, COMPARE_EXACT, "GET key extra");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        char line[64];
        char *texts[2];
        snprintf(line, sizeof line, *sections[i] == 0 ? "INFO" : "INFO %s", sections[i]);
        harness_note(line);
        pair_texts(pair, line, texts);
        char section[64] = "";
        for (char *at = texts[1] + 1, *next; at != NULL && *at != 0; at = next) {
            next = strstr(at, "\\r\\n");
            size_t size = next != NULL ? (size_t)(next - at) : strcspn(at, "\"");
            next = next != NULL ? next + 4 : NULL;
            char name[128];
            snprintf(name, sizeof name, "%.*s", (int)(size < 127 ? size : 127), at);
            if (name[0] == '#') {
                snprintf(section, sizeof section, "%.60s", name + 2);
            } else if (strchr(name, ':') != NULL) {
                *strchr(name, ':') = 0;
                if (!has_field(texts[0], section, name)) {
                    harness_fail("our section %s has no field %s", section, name);
                }
            }
        }
        if (strchr(texts[1], '#') == NULL) {
            assert_string_equal(texts[0], texts[1]);
        }
        free(texts[0]);
        free(texts[1]);
    }
}

/* Defaults that are ours on purpose, and what the harness gives each server. */
static const char *const with_other_value[] = {"io-threads",
                                               "activedefrag",
                                               "active-defrag-ignore-bytes",
                                               "active-defrag-threshold-lower",
                                               "active-defrag-threshold-upper",
                                               "active-defrag-cycle-min",
                                               "active-defrag-cycle-max",
                                               "port",
                                               "dir",
                                               "lazyfree-lazy-eviction",
                                               "lazyfree-lazy-expire",
                                               "lazyfree-lazy-server-del",
                                               "lazyfree-lazy-user-del",
                                               "lazyfree-lazy-user-flush",
                                               "maxmemory-clients",
                                               "tcp-backlog",
                                               "logfile",
                                               "pidfile",
                                               NULL};

static void config_parameters(void **state) {
    (void)state;
    struct names names[2];
    pair_connect(pair, 2);
    ask_names("CONFIG GET *", 2, names);
    assert_true(names[1].count > 150);
    for (size_t i = 0; i < names[1].count; i++) {
        const char *name = names[1].at[i];
        harness_note(name);
        assert_true(has_name(&names[0], name));
        char line[128];
        snprintf(line, sizeof line, "CONFIG GET %s", name);
        if (!is_one_of(name, with_other_value)) {
            pair_ask(pair, COMPARE_EXACT, line);
        }
    }
    pair_ask(pair, COMPARE_EXACT, "CONFIG GET nosuch");
    pair_ask(pair, COMPARE_PAIRS, "CONFIG GET maxmemory hash-max-* nosuch maxmemory");
    pair_ask(pair, COMPARE_PAIRS, "CONFIG GET list-max-[a-l]*");
    free_names(&names[0]);
    free_names(&names[1]);
}

/* Each parameter is set to the value that it has: refused or accepted alike. */
static void config_set_again(void **state) {
    (void)state;
    struct names names[2];
    int fds[2];
    pair_connect(pair, 2);
    ask_names("CONFIG GET *", 2, names);
    for (int i = 0; i < 2; i++) {
        fds[i] = wire_connect(pair_server(pair, i));
    }
    for (size_t i = 0; i < names[1].count; i++) {
        const char *name = names[1].at[i];
        char *replies[2];
        harness_note(name);
        if (strcmp(name, "io-threads") == 0) {
            continue; /* ours can be changed */
        }
        for (int side = 0; side < 2; side++) {
            size_t size;
            wire_send_words(fds[side], (const char *[]){"CONFIG", "GET", name},
                            (size_t[]){6, 3, strlen(name)}, 3);
            char *raw = wire_read_raw(fds[side], &size);
            /* The value is the last of the two bulk strings. */
            const char *value = memmem(raw + 4, size - 4, "\r\n$", 3);
            assert_non_null(value);
            long length = strtol(value + 3, NULL, 10);
            value = strchr(value + 2, '\n') + 1;
            wire_send_words(fds[side], (const char *[]){"CONFIG", "SET", name, value},
                            (size_t[]){6, 3, strlen(name), (size_t)length}, 4);
            replies[side] = wire_read_reply(fds[side]);
            free(raw);
        }
        assert_string_equal(replies[0], replies[1]);
        free(replies[0]);
        free(replies[1]);
    }
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        free_names(&names[i]);
    }
}

static void config_mistakes(void **state) {
    (void)state;
    static const char *const lines[] = {
        "CONFIG SET nosuch 1",
        "CONFIG SET maxmemory-samples x",
        "CONFIG SET maxmemory-samples 0",
        "CONFIG SET hz x",
        "CONFIG SET timeout -1",
        "CONFIG SET appendonly maybe",
        "CONFIG SET save x",
        "CONFIG SET save 900",
        "CONFIG SET notify-keyspace-events zz",
        "CONFIG SET client-output-buffer-limit normal",
        "CONFIG SET client-output-buffer-limit nosuch 1 2 3",
        "CONFIG SET client-output-buffer-limit normal x 2 3",
        "CONFIG SET oom-score-adj-values 1 2",
        "CONFIG SET oom-score-adj-values x",
        "CONFIG SET hz 10 hz 20",
        "CONFIG SET hz 10 nosuch 20",
        "CONFIG SET hz 10 timeout x",
        "CONFIG SET databases 4",
        "CONFIG SET hash-max-listpack-entries x",
        "CONFIG SET hash-max-listpack-entries -1",
        "CONFIG SET slowlog-log-slower-than x",
        "CONFIG SET slowlog-max-len -1",
        "CONFIG SET lfu-log-factor x",
        "CONFIG SET proto-max-bulk-len 1",
        "CONFIG SET hz 10 timeout",
        "CONFIG RESETSTAT extra",
        "CONFIG REWRITE",
        "CONFIG REWRITE extra",
        "CONFIG NOSUCH",
    };
    pair_connect(pair, 2);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pair_ask(pair, COMPARE_EXACT, lines[i]);
    }
    static const char *const changes[] = {
        "hash-max-listpack-entries 5",
        "hash-max-ziplist-value 1kb",
        "maxmemory 100mb",
        "maxmemory 1gb",
        "maxmemory 0",
        "maxmemory-policy ALLKEYS-lru",
        "maxmemory-policy noeviction",
        "notify-keyspace-events KEA",
        "notify-keyspace-events Kg$x",
        "timeout 100",
        "timeout 0",
        "hz 50",
        "slowlog-log-slower-than -1",
        "lfu-log-factor 3",
        "proto-max-bulk-len 2mb",
        "maxmemory-samples 7",
        "lazyfree-lazy-user-del no",
        "hz 1000000",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char line[128];
        snprintf(line, sizeof line, "CONFIG SET %s", changes[i]);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "CONFIG GET %.*s", (int)strcspn(changes[i], " "), changes[i]);
        pair_ask(pair, COMPARE_EXACT, line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_info),      cmocka_unit_test(command_lists),
        cmocka_unit_test(command_count),     cmocka_unit_test(command_docs),
        cmocka_unit_test(command_getkeys),   cmocka_unit_test(info_fields),
        cmocka_unit_test(config_parameters), cmocka_unit_test(config_set_again),
        cmocka_unit_test(config_mistakes),   cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
