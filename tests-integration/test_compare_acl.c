/* Users as the reference has them: what each of thousands of lists of rules makes of a user, the
 * errors, and whether he may run each command that both have, with keys and channels of all sorts.
 * The text of ACL LIST is that of a later version and not compared. */
#include "compare.h"
#include "wire.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define USERS     300
#define CALLS     60 /* that each user is asked about */
#define RULES_MAX 10
#define NAMES_MAX 400
#define ARGS_MAX  6
#define LINE_SIZE 1024

static struct pair *pair;
static unsigned long long state_of_chance = 20251;

static unsigned chance(unsigned below) {
    state_of_chance = state_of_chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(state_of_chance >> 33) % below;
}

static int start(void **state) {
    (void)state;
    pair = pair_start(NULL);
    pair_connect(pair, 2);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

static const char *const rules[] = {
    "on",
    "off",
    "nopass",
    "resetpass",
    ">pw",
    "<pw",
    ">other",
    "~a*",
    "%R~b*",
    "%W~b*",
    "%RW~c1",
    "%R~*1",
    "%w~a1",
    "~*",
    "allkeys",
    "resetkeys",
    "&ch*",
    "&ch1",
    "&*",
    "allchannels",
    "resetchannels",
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+@read",
    "-@read",
    "+@write",
    "-@write",
    "+@string",
    "-@string",
    "+@hash",
    "+@list",
    "-@list",
    "+@set",
    "+@sortedset",
    "+@stream",
    "+@geo",
    "+@bitmap",
    "+@hyperloglog",
    "+@pubsub",
    "+@admin",
    "-@admin",
    "+@fast",
    "-@fast",
    "+@slow",
    "+@blocking",
    "-@dangerous",
    "+@dangerous",
    "+@connection",
    "+@transaction",
    "+@scripting",
    "+@keyspace",
    "-@keyspace",
    "+get",
    "-get",
    "+set",
    "-set",
    "+GET",
    "+config",
    "-config",
    "+config|get",
    "-config|get",
    "+client",
    "-client|kill",
    "+select|0",
    "+xinfo",
    "+object|encoding",
    "(+get",
    "~a1)",
    "(+@all ~b*)",
    "(~*",
    "&* +@read)",
    "clearselectors",
    "reset",
    "sanitize-payload",
};
static const char *const mistakes[] = {
    "foo",         "%X~a",
    "%RR~a",       "%~a",
    "+nosuch",     "-@nosuch",
    "+config|",    "+config|nosuch",
    "-get|x",      "+config|get|x",
    "(on)",        "(nopass)",
    "()",          "(+get",
    "!0",          "#0",
    "<nosuch",     "*",
    "+@all -@all", "~",
    "&",           "+",
    "-",           "+@",
    "((+get))",    "(+get)x",
    ">",           "%R",
};
static const char *const words[] = {"a1",      "b1",  "c1",    "d1",  "1",   "2",
                                    "ch1",     "chx", "x",     "get", "GET", "0",
                                    "STREAMS", "BY",  "STORE", "$",   "SET", "u8"};

static void add(char *line, const char *word) {
    size_t size = strlen(line);
    snprintf(line + size, LINE_SIZE - size, " %s", word);
}

/* Both answers to a line, as canonical texts. */
static void ask(const char *line, char *texts[2]) {
    pair_texts(pair, line, texts);
}

static void expect_same(const char *line) {
    char *texts[2];
    ask(line, texts);
    if (strcmp(texts[0], texts[1]) != 0) {
        print_error("%s\n  ours:      %s\n  reference: %s\n", line, texts[0], texts[1]);
        fail();
    }
    free(texts[0]);
    free(texts[1]);
}

/* Names of the reference's commands, subcommands as "config get". */
static int command_names(char names[][64]) {
    char *texts[2];
    int count = 0;
    ask("COMMAND LIST", texts);
    for (char *at = strtok(texts[1], "\" \n[](),$*"); at != NULL;
         at = strtok(NULL, "\" \n[](),$*")) {
        if (strspn(at, "abcdefghijklmnopqrstuvwxyz_-|") != strlen(at) || count == NAMES_MAX ||
            strcmp(at, "wait") == 0 /* of category blocking in later versions only */) {
            continue;
        }
        snprintf(names[count], 64, "%s", at);
        char *bar = strchr(names[count], '|');
        if (bar != NULL) {
            *bar = ' ';
        }
        count++;
    }
    free(texts[0]);
    free(texts[1]);
    return count;
}

/* Whether the reference can tell which arguments of a call are keys. Otherwise it lets the command
 * itself complain, where we may refuse a key already. */
static bool has_sound_keys(const char *call) {
    char line[LINE_SIZE + 32];
    char *texts[2];
    snprintf(line, sizeof line, "COMMAND GETKEYS %s", call);
    ask(line, texts);
    bool sound = strncmp(texts[1], "-", 1) != 0 || strstr(texts[1], "no key arguments") != NULL;
    free(texts[0]);
    free(texts[1]);
    return sound;
}

/* Whether the two agree about a call: both allow it, both refuse it, or both say the same. What is
 * not here is not compared. Returns whether it was. */
static bool compare_call(const char *line) {
    char *texts[2];
    ask(line, texts);
    bool known = true; /* and called with as many arguments as either takes */
    for (int i = 0; i < 2; i++) {
        known &= strstr(texts[i], "not found") == NULL && strstr(texts[i], "wrong number") == NULL;
    }
    bool refused[2];
    for (int i = 0; i < 2; i++) {
        refused[i] = strstr(texts[i], "has no permissions to") != NULL;
    }
    bool same = refused[0] == refused[1] && (refused[0] || strcmp(texts[0], texts[1]) == 0);
    known = known && (same || has_sound_keys(line + strlen("ACL DRYRUN u ")));
    if (known && !same) {
        print_error("%s\n  ours:      %s\n  reference: %s\n", line, texts[0], texts[1]);
        pair_texts(pair, "ACL LIST", texts);
        print_error("%s\n%s\n", texts[0], texts[1]);
        fail();
    }
    free(texts[0]);
    free(texts[1]);
    return known;
}

static void decisions(void **state) {
    (void)state;
    static char names[NAMES_MAX][64];
    int count = command_names(names);
    assert_true(count > 200);
    long compared = 0;
    int next = 0;
    for (int user = 0; user < USERS; user++) {
        char line[LINE_SIZE] = "ACL SETUSER u reset";
        for (unsigned i = chance(RULES_MAX) + 1; i > 0; i--) {
            add(line, rules[chance(sizeof rules / sizeof rules[0])]);
        }
        expect_same(line);
        for (int i = 0; i < CALLS; i++) {
            char call[LINE_SIZE] = "ACL DRYRUN u";
            add(call, names[next]);
            next = (next + 1) % count;
            for (unsigned k = chance(ARGS_MAX); k > 0; k--) {
                add(call, words[chance(sizeof words / sizeof words[0])]);
            }
            compared += compare_call(call);
        }
    }
    print_message("%ld decisions were compared\n", compared);
    assert_true(compared > USERS * CALLS / 8);
}

static void mistakes_are_named_alike(void **state) {
    (void)state;
    for (int i = 0; i < USERS * 4; i++) {
        char line[LINE_SIZE] = "ACL SETUSER m";
        for (unsigned k = chance(3); k > 0; k--) {
            add(line, rules[chance(sizeof rules / sizeof rules[0])]);
        }
        unsigned which = chance(sizeof mistakes / sizeof mistakes[0]);
        /* The reference takes %R for a pattern without text. */
        add(line, strcmp(mistakes[which], "%R") == 0 ? "+nosuch" : mistakes[which]);
        expect_same(line);
    }
    static const char *const lines[] = {
        "ACL",
        "ACL NOSUCH",
        "ACL CAT nosuch",
        "ACL CAT a b",
        "ACL GENPASS 0",
        "ACL GENPASS 4097",
        "ACL GENPASS x",
        "ACL LOG 1 2",
        "ACL LOG x",
        "ACL SETUSER",
        "ACL DELUSER default m",
        "ACL DELUSER nobody",
        "ACL GETUSER no",
        "ACL DRYRUN no get a",
        "ACL DRYRUN m nosuch",
        "ACL DRYRUN m get",
        "ACL LOAD",
        "ACL SAVE",
        "ACL WHOAMI",
        "ACL USERS",
        "AUTH a b c",
        "AUTH x",
        "AUTH nobody x",
        "HELLO 2 AUTH",
        "HELLO 2 AUTH a b",
        "CLIENT KILL USER no",
        "ACL LOG RESET",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        expect_same(lines[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions),
        cmocka_unit_test(mistakes_are_named_alike),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
