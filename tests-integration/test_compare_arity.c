/* Every command that both servers list, called in every wrong way that needs no knowledge of it:
 * with too few and too many words, with a key of another type, under names that do not exist. What
 * a new command forgets, this finds without being told of the command. */
#include "compare.h"
#include "wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAMES_MAX  400
#define WORDS_MORE 6

struct command {
    char name[64]; /* as one writes it: CLIENT LIST */
    int arity;
    int first_key;
    bool subcommand;
    bool container;
    bool waits; /* blocks, or turns the connection into something else */
};

static struct pair *pair;
static struct command commands[NAMES_MAX];
static size_t command_count;

/* Commands after which a connection is no longer what it was, or no server is there any more. */
static bool is_dangerous(const struct command *command, size_t words) {
    static const char *const names[] = {"MONITOR", "QUIT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(command->name, names[i]) == 0) {
            return true;
        }
    }
    return strcasecmp(command->name, "SHUTDOWN") == 0 && words < 3;
}

/* Forms that the reference does not know yet: BITCOUNT with a start alone. */
static bool is_newer(const struct command *command, const struct words *words) {
    return strcasecmp(command->name, "BITCOUNT") == 0 && words->count == 3;
}

/* Takes name, arity and first key from our COMMAND INFO; false when the server has no such
 * command. */
static bool read_description(int fd, const char *name, struct command *command) {
    char *reply = wire_ask(fd, "COMMAND", "INFO", name, NULL);
    char shown[64];
    int last_key;
    bool known = sscanf(reply, "[[\"%63[^\"]\", :%d, [", shown, &command->arity) == 2;
    if (known) {
        const char *place = strstr(reply, "], :");
        command->waits = strstr(reply, "+blocking") != NULL || strstr(reply, "+pubsub") != NULL;
        known = place != NULL && sscanf(place, "], :%d, :%d", &command->first_key, &last_key) == 2;
    }
    free(reply);
    return known;
}

static void add_command(int ours, int theirs, const char *name) {
    struct command *command = &commands[command_count];
    struct command other;
    if (!read_description(ours, name, command) || !read_description(theirs, name, &other)) {
        return;
    }
    snprintf(command->name, sizeof command->name, "%s", name);
    char *bar = strchr(command->name, '|');
    command->subcommand = bar != NULL;
    for (char *at = command->name; *at != 0; at++) {
        *at = *at == '|' ? ' ' : (char)toupper((unsigned char)*at);
    }
    command_count++;
}

/* The commands that both list. */
static int start(void **state) {
    (void)state;
    /* What is slow here is a matter of the machine. */
    static const char *const options[] = {"--slowlog-log-slower-than", "-1", NULL};
    pair = pair_start(options);
    int ours = wire_connect(pair_server(pair, 0));
    int theirs = wire_connect(pair_server(pair, 1));
    char *list = wire_ask(ours, "COMMAND", "LIST", NULL);
    for (char *name = strtok(list, "[], \""); name != NULL && command_count < NAMES_MAX;
         name = strtok(NULL, "[], \"")) {
        add_command(ours, theirs, name);
    }
    free(list);
    for (size_t i = 0; i < command_count; i++) {
        for (size_t j = 0; j < command_count; j++) {
            size_t size = strlen(commands[i].name);
            commands[i].container |= strncmp(commands[i].name, commands[j].name, size) == 0 &&
                                     commands[j].name[size] == ' ';
        }
    }
    close(ours);
    close(theirs);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

static void finds_commands(void **state) {
    (void)state;
    /* What both have had from the beginning; fewer means that COMMAND LIST was misread. */
    assert_in_range(command_count, 100, NAMES_MAX - 1);
}

static void fill(void) {
    static const char *const lines[] = {"FLUSHALL", "SET string 12", "HSET hash field 12",
                                        "SET other abc"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pair_ask(pair, COMPARE_EXACT, lines[i]);
    }
}

/* The command with so many words in all, its own included. */
static void make(const struct command *command, size_t count, const char *filler,
                 struct words *words) {
    words_clear(words);
    words_add_line(words, command->name);
    while (words->count < count) {
        words_add_text(words, filler);
    }
}

static void wrong_arity(void **state) {
    (void)state;
    struct words words = {0};
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        fill();
        for (size_t i = 0; i < command_count; i++) {
            const struct command *command = &commands[i];
            size_t own = command->subcommand ? 2 : 1;
            size_t least = (size_t)abs(command->arity);
            for (size_t count = own; count <= least + WORDS_MORE; count++) {
                bool wrong = count < least || (command->arity > 0 && count > least);
                if (wrong && !is_dangerous(command, count)) {
                    make(command, count, "x", &words);
                    pair_ask_words(pair, COMPARE_EXACT, &words);
                }
            }
        }
    }
    words_clear(&words);
}

/* Commands for which words that mean nothing are an error of their own. What is left out here is
 * answered with what time, chance or the server's own state decide, or is no error at all. */
static bool answers_alone(const struct command *command) {
    static const char *const names[] = {"CLIENT ID",
                                        "CLIENT INFO",
                                        "CLIENT LIST",
                                        "CLIENT KILL",
                                        "CLIENT REPLY",
                                        "CLIENT PAUSE",
                                        "COMMAND",
                                        "COMMAND COUNT",
                                        "COMMAND DOCS",
                                        "COMMAND INFO",
                                        "COMMAND LIST",
                                        "CONFIG GET",
                                        "CONFIG REWRITE",
                                        "DEBUG",
                                        "HELLO",
                                        "INFO",
                                        "LASTSAVE",
                                        "LATENCY DOCTOR",
                                        "LATENCY GRAPH",
                                        "LATENCY HISTOGRAM",
                                        "MEMORY DOCTOR",
                                        "MEMORY MALLOC-STATS",
                                        "MEMORY STATS",
                                        "MEMORY USAGE",
                                        "MONITOR",
                                        "OBJECT IDLETIME",
                                        "QUIT",
                                        "RANDOMKEY",
                                        "RESET",
                                        "ROLE",
                                        "SCAN",
                                        "SHUTDOWN",
                                        "SLOWLOG GET",
                                        "SLOWLOG LEN",
                                        "TIME",
                                        "HRANDFIELD",
                                        "CLIENT TRACKINGINFO",
                                        "COMMAND GETKEYS",
                                        "COMMAND GETKEYSANDFLAGS",
                                        "PSYNC",
                                        "SYNC",
                                        "REPLCONF",
                                        "REPLICAOF",
                                        "SLAVEOF",
                                        "FAILOVER",
                                        "SAVE",
                                        "BGSAVE",
                                        "BGREWRITEAOF",
                                        "MULTI",
                                        "EXEC",
                                        "ACL CAT",
                                        "ACL GENPASS",
                                        "ACL GETUSER",
                                        "ACL LIST",
                                        "ACL LOG",
                                        "ACL WHOAMI"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(command->name, names[i]) == 0) {
            return false;
        }
    }
    size_t size = strlen(command->name);
    bool helps = size > 5 && strcmp(command->name + size - 5, " HELP") == 0;
    return !command->waits && !helps;
}

static enum compare_how unordered(const struct command *command) {
    return strcmp(command->name, "KEYS") == 0 ? COMPARE_SET : COMPARE_PAIRS;
}

/* Fills the command's places with each of these words, as many as it takes and one and two more:
 * most are wrong types, no numbers, or no options. */
static void fillers(void **state) {
    (void)state;
    static const char *const words_to_try[] = {"string", "hash", "other", "none", "1", "0",
                                               "-1",     "",     "*",     "GET",  "x"};
    struct words words = {0};
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (!answers_alone(command)) {
            continue;
        }
        pair_connect(pair, 2 + (int)(i & 1));
        for (size_t j = 0; j < sizeof words_to_try / sizeof *words_to_try; j++) {
            if (strcmp(command->name, "XADD") == 0 && strcmp(words_to_try[j], "*") == 0) {
                continue; /* an id that is a time of the clock */
            }
            fill();
            size_t least = (size_t)abs(command->arity);
            size_t most = command->arity > 0 ? least : least + 3;
            for (size_t count = least; count <= most; count++) {
                /* FLUSHALL and its like are fine, but leave nothing to be wrong about. */
                make(command, count, words_to_try[j], &words);
                if (!is_newer(command, &words)) {
                    pair_ask_words(pair, unordered(command), &words);
                }
            }
        }
    }
    words_clear(&words);
    pair_connect(pair, 2);
    pair_compare_state(pair);
}

/* A key of the wrong type with words that would be right otherwise. */
static void wrong_types(void **state) {
    (void)state;
    static const char *const rest[] = {"",        "0",         "0 0",    "1 2",  "field",
                                       "field 1", "1 field 2", "string", "hash", "GET u8 0",
                                       "100",     "0 value",   "9 value"};
    struct words words = {0};
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (command->first_key != 1 || !answers_alone(command)) {
            continue;
        }
        pair_connect(pair, 2 + (int)(i & 1));
        for (size_t j = 0; j < sizeof rest / sizeof *rest; j++) {
            static const char *const keys[] = {"hash", "string"};
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
                fill();
                words_clear(&words);
                words_add_line(&words, command->name);
                words_add_text(&words, keys[k]);
                words_add_line(&words, rest[j]);
                if (!is_newer(command, &words)) {
                    pair_ask_words(pair, unordered(command), &words);
                }
            }
        }
    }
    words_clear(&words);
}

static void unknown_subcommands(void **state) {
    (void)state;
    static const char *const names[] = {
        "nosuch",
        "",
        "HELP",
        "GET\r\nX",
        "list|x",
        "%s",
        "a-very-long-subcommand-name-that-goes-on-and-on-and-on-and"
        "-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on"
        "-and-on-and-on-and-on-and-on-and-on-and-on-and-on"};
    struct words words = {0};
    size_t containers = 0;
    pair_connect(pair, 2);
    for (size_t i = 0; i < command_count; i++) {
        if (!commands[i].container) {
            continue;
        }
        containers++;
        for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
            for (int more = 0; more < 3; more++) {
                words_clear(&words);
                words_add_text(&words, commands[i].name);
                words_add_text(&words, names[j]);
                for (int k = 0; k < more; k++) {
                    words_add_text(&words, "word");
                }
                if (strcmp(names[j], "HELP") != 0 || more > 0) {
                    pair_ask_words(pair, COMPARE_EXACT, &words);
                }
            }
        }
    }
    words_clear(&words);
    assert_true(containers >= 5);
}

/* Names that no server has, in all the ways in which they and their arguments are shown. */
static void unknown_commands(void **state) {
    (void)state;
    struct generator generator;
    struct words words = {0};
    generate_init(&generator, 20);
    char long_word[400];
    memset(long_word, 'y', sizeof long_word);
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        for (int i = 0; i < 300; i++) {
            static const char *const names[] = {
                "nosuch",     "",     "GET ", "ge", "gett",     "set\r\n", "client|list",
                "config|get", "a\"b", "%s%n", "*",  "\xff\xfe", "GET\x01"};
            words_clear(&words);
            if (generate_chance(&generator, 10)) {
                words_add(&words, long_word, 1 + generate_below(&generator, sizeof long_word - 1));
            } else if (generate_chance(&generator, 10)) {
                words_add(&words, "g\0et", 4);
            } else {
                words_add_text(&words, names[generate_below(&generator, 13)]);
            }
            for (uint64_t more = generate_below(&generator, 12); more > 0; more--) {
                if (generate_chance(&generator, 10)) {
                    words_add(&words, long_word, generate_below(&generator, sizeof long_word));
                } else if (generate_chance(&generator, 20)) {
                    words_add(&words, "a\0b\r\nc'", 7);
                } else {
                    words_add_text(&words, "argument");
                }
            }
            pair_ask_words(pair, COMPARE_EXACT, &words);
        }
    }
    words_clear(&words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_commands),
        cmocka_unit_test(wrong_arity),
        cmocka_unit_test(fillers),
        cmocka_unit_test(wrong_types),
        cmocka_unit_test(unknown_subcommands),
        cmocka_unit_test(unknown_commands),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
