/* Tests of access control: the grammar of rules, decisions against a simple model, and what becomes
 * of connections when their users change. */
#include "feature/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/glob.h"
#include "base/random.h"
#include "feature/acl_user.h"
#include "support/session.h"

#define RULES_MAX 12
#define ROUNDS    3000

static struct acl *acl_of(const struct session *session) {
    return session->server.context.acl;
}

static int setup(void **state) {
    *state = session_start(NULL);
    return 0;
}

static int teardown(void **state) {
    session_end(*state);
    return 0;
}

/* The line of a user made with these rules, which are separated by blanks. */
static const char *line_of(struct session *session, const char *rules) {
    static struct buffer line;
    char command[600];
    snprintf(command, sizeof command, "ACL SETUSER tried reset %s", rules);
    session_expect(session, command, "+OK\r\n");
    if (line.capacity == 0) {
        buffer_init(&line, MEM_OTHER);
    }
    line.size = 0;
    acl_user_print(acl_find(acl_of(session), bytes_text("tried")), &line);
    static char text[600];
    snprintf(text, sizeof text, "%s", buffer_text(&line));
    buffer_clear(&line);
    return text;
}

static void test_lines(void **state) {
    struct session *session = *state;
    static const char *const cases[][2] = {
        {"", "off sanitize-payload resetchannels -@all"},
        {"on nopass allkeys allchannels allcommands", "on nopass sanitize-payload ~* &* +@all"},
        {"ON ~a %R~b %W~c %RW~d %r~c", "on sanitize-payload ~a %R~b ~c ~d resetchannels -@all"},
        {"~a resetkeys %R~*", "off sanitize-payload %R~* resetchannels -@all"},
        {"&a &b &a", "off sanitize-payload resetchannels &a &b -@all"},
        {"+get -get", "off sanitize-payload resetchannels -@all -get"},
        {"+GET +@String", "off sanitize-payload resetchannels -@all +get +@string"},
        {"+client|id -client", "off sanitize-payload resetchannels -@all -client"},
        {"+client -client|kill +get", "off sanitize-payload resetchannels -@all +client "
                                      "-client|kill +get"},
        {"+select|0 +select|1", "off sanitize-payload resetchannels -@all +select|0 +select|1"},
        {"+select|0 +select", "off sanitize-payload resetchannels -@all +select"},
        {"-get +@all -set", "off sanitize-payload resetchannels +@all -set"},
        {"(+get ~a) (+set)", "off sanitize-payload resetchannels -@all (~a resetchannels -@all "
                             "+get) (resetchannels -@all +set)"},
        {"(+get) clearselectors", "off sanitize-payload resetchannels -@all"},
        {"skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all"},
        {"+cluster|info", "off sanitize-payload resetchannels -@all +cluster|info"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[600];
        snprintf(expected, sizeof expected, "user tried %s", cases[i][1]);
        assert_string_equal(line_of(session, cases[i][0]), expected);
    }
}

static void test_mistakes(void **state) {
    struct session *session = *state;
    static const char *const cases[][2] = {
        {"foo", "Syntax error"},
        {"%X~a", "Syntax error"},
        {"%RR~a", "Syntax error"},
        {"%~a", "Syntax error"},
        {"%R", "Syntax error"},
        {"\"~a b\"", NULL},
        {"+config|", "Syntax error"},
        {"(on)", "Syntax error"},
        {"*", "Syntax error"},
        {"+nosuch", "Unknown command or category name in ACL"},
        {"-@nosuch", "Unknown command or category name in ACL"},
        {"+config|nosuch", "Unknown command or category name in ACL"},
        {"-get|x", "Unknown command or category name in ACL"},
        {"+config|get|x", "Allowing first-arg of a subcommand is not supported"},
        {"<nosuch", "The password you are trying to remove from the user does not exist"},
        {"#123", "The password hash must be exactly 64 characters and contain only lowercase "
                 "hexadecimal characters"},
    };
    session_expect(session, "ACL SETUSER kept on ~x +get", "+OK\r\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char command[200];
        char expected[300];
        snprintf(command, sizeof command, "ACL SETUSER kept +set %s", cases[i][0]);
        snprintf(expected, sizeof expected, "-ERR Error in ACL SETUSER modifier '%s': %s\r\n",
                 cases[i][0], cases[i][1]);
        if (cases[i][1] == NULL) {
            assert_non_null(strstr(session_ask(session, command), "Syntax error"));
        } else {
            session_expect(session, command, expected);
        }
    }
    session_expect(session, "ACL SETUSER kept allkeys ~a",
                   "-ERR Error in ACL SETUSER modifier '~a': Adding a pattern after the * pattern "
                   "(or the 'allkeys' flag) is not valid and does not have any effect. Try "
                   "'resetkeys' to start with an empty list of patterns\r\n");
    session_expect(session, "ACL SETUSER kept (+get",
                   "-ERR Unmatched parenthesis in acl selector starting at '(+get'.\r\n");
    session_expect(session, "ACL DRYRUN kept set x 1",
                   "$53\r\nUser kept has no permissions to run the 'set' command\r\n");
    session_expect(session, "ACL DRYRUN kept get x", "+OK\r\n");
}

/* ---- decisions ---- */

struct model_rule {
    const char *text;
    const char *command; /* NULL: of a category */
    unsigned categories;
    bool on;
};

static const struct model_rule model_rules[] = {
    {"+@all", NULL, ~0u, true},
    {"-@all", NULL, ~0u, false},
    {"+@read", NULL, CATEGORY_READ, true},
    {"-@read", NULL, CATEGORY_READ, false},
    {"+@write", NULL, CATEGORY_WRITE, true},
    {"-@string", NULL, CATEGORY_STRING, false},
    {"-@dangerous", NULL, CATEGORY_DANGEROUS, false},
    {"+get", "get", 0, true},
    {"-get", "get", 0, false},
    {"+config", "config", 0, true},
    {"-config", "config", 0, false},
    {"+config|get", "config|get", 0, true},
    {"-config|get", "config|get", 0, false},
    {"+del", "del", 0, true},
    {"-lpush", "lpush", 0, false},
};
static const struct {
    const char *rule;
    const char *pattern;
    unsigned rights;
} model_keys[] = {
    {"~a*", "a*", ACL_READ | ACL_WRITE}, {"%R~b*", "b*", ACL_READ}, {"%W~b*", "b*", ACL_WRITE},
    {"%R~*z", "*z", ACL_READ},           {"%W~c", "c", ACL_WRITE},
};
static const struct {
    const char *words[4];
    unsigned rights; /* of the key */
} model_calls[] = {
    {{"get", "K"}, ACL_READ},
    {{"set", "K", "1"}, ACL_WRITE},
    {{"incr", "K"}, ACL_READ | ACL_WRITE},
    {{"exists", "K"}, 0},
    {{"del", "K"}, ACL_WRITE},
    {{"lpush", "K", "x"}, ACL_WRITE},
    {{"config", "get", "port"}, 0},
    {{"ping"}, 0},
};

static bool model_has_command(const int *rules, int count, const struct command *command) {
    bool on = false;
    for (int i = 0; i < count; i++) {
        const struct model_rule *rule = &model_rules[rules[i]];
        bool is_meant = rule->command == NULL
                            ? rule->categories == ~0u || command->row->categories & rule->categories
                            : strcmp(rule->command, command->row->name) == 0 ||
                                  (command->parent != NULL &&
                                   strcmp(rule->command, command->parent->row->name) == 0);
        on = is_meant ? rule->on : on;
    }
    return on;
}

static bool model_has_key(const int *keys, int count, const char *key, unsigned rights) {
    for (int i = 0; i < count; i++) {
        unsigned all = 0; /* rights of the same pattern add up */
        for (int j = 0; j < count; j++) {
            all |= strcmp(model_keys[keys[i]].pattern, model_keys[keys[j]].pattern) == 0
                       ? model_keys[keys[j]].rights
                       : 0;
        }
        if ((all & rights) == rights &&
            glob_match(bytes_text(model_keys[keys[i]].pattern), bytes_text(key), false)) {
            return true;
        }
    }
    return false;
}

static void compare_decisions(struct session *session, const int *rules, int rule_count,
                              const int *keys, int key_count) {
    static const char *const names[] = {"a1", "b1", "bz", "c", "cz", "d"};
    struct acl *acl = acl_of(session);
    const struct user *user = acl_find(acl, bytes_text("model"));
    for (size_t c = 0; c < sizeof model_calls / sizeof model_calls[0]; c++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            struct bytes args[4];
            int argc = 0;
            bool has_key = false;
            for (; argc < 4 && model_calls[c].words[argc] != NULL; argc++) {
                const char *word = model_calls[c].words[argc];
                has_key |= strcmp(word, "K") == 0;
                args[argc] = bytes_text(strcmp(word, "K") == 0 ? names[k] : word);
            }
            const struct command *command =
                commands_resolve(session->server.context.commands, args, argc);
            bool expected =
                model_has_command(rules, rule_count, command) &&
                (!has_key || model_has_key(keys, key_count, names[k], model_calls[c].rights));
            int at;
            enum guard_verdict verdict = acl_judge(acl, user, command, args, argc, &at);
            assert_int_equal(verdict == GUARD_ALLOWED, expected);
        }
    }
}

/* The lines of users are rules that make the same user. */
static void expect_fixed_point(struct session *session) {
    struct buffer line;
    struct buffer again;
    struct buffer error;
    buffer_init(&line, MEM_OTHER);
    buffer_init(&again, MEM_OTHER);
    buffer_init(&error, MEM_OTHER);
    acl_user_print(acl_find(acl_of(session), bytes_text("model")), &line);
    struct bytes words[64];
    int count = 0;
    char *copy = strdup(buffer_text(&line));
    for (char *at = strtok(copy, " "); at != NULL; at = strtok(NULL, " ")) {
        assert_true(count < 64);
        words[count++] = bytes_text(at);
    }
    words[1] = bytes_text("reset");
    assert_true(acl_set_user(acl_of(session), bytes_text("model"), words + 1, count - 1, &error));
    acl_user_print(acl_find(acl_of(session), bytes_text("model")), &again);
    assert_string_equal(buffer_text(&line), buffer_text(&again));
    free(copy);
    buffer_clear(&line);
    buffer_clear(&again);
    buffer_clear(&error);
}

static void test_decisions_against_a_model(void **state) {
    struct session *session = *state;
    struct random random;
    random_init(&random, 77);
    struct buffer error;
    buffer_init(&error, MEM_OTHER);
    for (int round = 0; round < ROUNDS; round++) {
        struct bytes words[1 + 2 * RULES_MAX] = {bytes_text("reset")};
        int rules[RULES_MAX];
        int keys[RULES_MAX];
        int count = 1;
        int rule_count = (int)random_below(&random, RULES_MAX);
        int key_count = (int)random_below(&random, 5);
        for (int i = 0; i < rule_count; i++) {
            rules[i] = (int)random_below(&random, sizeof model_rules / sizeof model_rules[0]);
            words[count++] = bytes_text(model_rules[rules[i]].text);
        }
        for (int i = 0; i < key_count; i++) {
            keys[i] = (int)random_below(&random, sizeof model_keys / sizeof model_keys[0]);
            words[count++] = bytes_text(model_keys[keys[i]].rule);
        }
        assert_true(acl_set_user(acl_of(session), bytes_text("model"), words, count, &error));
        compare_decisions(session, rules, rule_count, keys, key_count);
        expect_fixed_point(session);
        compare_decisions(session, rules, rule_count, keys, key_count);
    }
    buffer_clear(&error);
}

/* ---- passwords and connections ---- */

static void test_passwords(void **state) {
    struct session *session = *state;
    static const char wrong[] =
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    session_expect(session, "ACL SETUSER ada on >one >two +@all", "+OK\r\n");
    session_expect(session, "AUTH ada three", wrong);
    session_expect(session, "AUTH ada on", wrong);
    session_expect(session, "AUTH nobody one", wrong);
    session_expect(session, "ACL WHOAMI", "$7\r\ndefault\r\n");
    session_expect(session, "AUTH ada two", "+OK\r\n");
    session_expect(session, "ACL WHOAMI", "$3\r\nada\r\n");
    session_expect(session, "ACL SETUSER ada <two off", "+OK\r\n");
    session_expect(session, "AUTH ada one", wrong);
    session_expect(session, "ACL SETUSER ada on nopass", "+OK\r\n");
    session_expect(session, "AUTH ada whatever", "+OK\r\n");
    session_expect(session, "CONFIG SET requirepass open", "+OK\r\n");
    session_expect(session, "AUTH open", "+OK\r\n");
    session_expect(session, "ACL WHOAMI", "$7\r\ndefault\r\n");
    session_expect(session, "RESET", "+RESET\r\n");
    session_expect(session, "GET x", "-NOAUTH Authentication required.\r\n");
    assert_non_null(strstr(session_ask(session, "HELLO 2 AUTH default open"), "server"));
}

/* Changes take effect at the next command of whoever is that user. */
static void test_changes_are_felt_at_once(void **state) {
    struct session *session = *state;
    int other = session_connect(session);
    session_expect(session, "ACL SETUSER eve on nopass ~* &* +@all", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "AUTH eve x"), "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "SET k 1"), "+OK\r\n");
    session_expect(session, "ACL SETUSER eve -set", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "SET k 2"),
                        "-NOPERM User eve has no permissions to run the 'set' command\r\n");
    session_expect(session, "ACL SETUSER eve resetkeys ~a +set", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "SET k 2"),
                        "-NOPERM No permissions to access a key\r\n");
    session_expect(session, "ACL SETUSER eve allkeys", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "SET k 2"), "+OK\r\n");
    /* What is queued is judged when it runs. */
    assert_string_equal(session_ask_on(session, other, "MULTI"), "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "SET k 3"), "+QUEUED\r\n");
    assert_string_equal(session_ask_on(session, other, "GET k"), "+QUEUED\r\n");
    session_expect(session, "ACL SETUSER eve -set", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "EXEC"),
                        "*2\r\n-NOPERM ACLs rules changed between the moment the transaction was "
                        "accumulated and the EXEC call. This command is no longer allowed for the "
                        "following reason: no permission to execute the command or "
                        "subcommand\r\n$1\r\n2\r\n");
    /* Who waits is judged when woken. */
    assert_int_equal(write(other, "BLPOP q 0\r\n", 11), 11);
    session_pass(session);
    session_expect(session, "ACL SETUSER eve -blpop", "+OK\r\n");
    session_expect(session, "RPUSH q v", ":1\r\n");
    session_pass(session);
    assert_string_equal(session_read(session, other),
                        "-NOPERM User eve has no permissions to run the 'blpop' command\r\n");
    session_expect(session, "ACL DELUSER eve nobody", ":1\r\n");
    session_pass(session);
    char byte;
    assert_int_equal(read(other, &byte, 1), 0);
    close(other);
}

static void test_subscribers_lose_what_they_may_not_hear(void **state) {
    struct session *session = *state;
    int other = session_connect(session);
    session_expect(session, "ACL SETUSER sub on nopass &news* &x +@pubsub", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "AUTH sub x"), "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "SUBSCRIBE other"),
                        "-NOPERM No permissions to access a channel\r\n");
    assert_string_equal(session_ask_on(session, other, "PSUBSCRIBE news1*"),
                        "-NOPERM No permissions to access a channel\r\n");
    assert_non_null(strstr(session_ask_on(session, other, "PSUBSCRIBE news*"), "news*"));
    assert_non_null(strstr(session_ask_on(session, other, "SUBSCRIBE x"), "x"));
    session_expect(session, "ACL SETUSER sub &more", "+OK\r\n");
    session_expect(session, "PUBLISH x 1", ":1\r\n");
    session_expect(session, "ACL SETUSER sub resetchannels &news*", "+OK\r\n");
    session_pass(session);
    session_expect(session, "PUBLISH x 1", ":0\r\n");
    close(other);
}

static void test_the_log(void **state) {
    struct session *session = *state;
    session_expect(session, "ACL LOG", "*0\r\n");
    for (int i = 0; i < 3; i++) {
        session_ask(session, "AUTH nobody x");
    }
    const char *answer = session_ask(session, "ACL LOG");
    assert_non_null(strstr(answer, "$5\r\ncount\r\n:3\r\n$6\r\nreason\r\n$4\r\nauth\r\n"));
    assert_non_null(strstr(answer, "$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n$6\r\nnobody"));
    session_expect(session, "ACL LOG RESET", "+OK\r\n");
    session_expect(session, "ACL LOG 5", "*0\r\n");
}

/* The line of the client who was refused names what he wanted, also in a transaction. */
static void test_the_log_names_the_command(void **state) {
    struct session *session = *state;
    session_expect(session, "ACL SETUSER eve on nopass ~a +@all -flushall", "+OK\r\n");
    int other = session_connect(session);
    session_ask_on(session, other, "AUTH eve x");
    assert_memory_equal(session_ask_on(session, other, "FLUSHALL"), "-NOPERM", 7);
    assert_non_null(strstr(session_ask(session, "ACL LOG 1"), " cmd=flushall user=eve "));
    session_ask_on(session, other, "MULTI");
    assert_string_equal(session_ask_on(session, other, "SET a 1"), "+QUEUED\r\n");
    assert_non_null(strstr(session_ask(session, "CLIENT LIST"), " cmd=set user=eve "));
    assert_memory_equal(session_ask_on(session, other, "APPEND b x"), "-NOPERM", 7);
    assert_non_null(strstr(session_ask(session, "ACL LOG 1"), " cmd=append user=eve "));
    close(other);
}

static void test_who_may_see_passwords(void **state) {
    struct session *session = *state;
    session_expect(session, "CONFIG SET masterauth theirs requirepass ours", "+OK\r\n");
    static const char *const seen = "*4\r\n$11\r\nrequirepass\r\n$4\r\nours\r\n$10\r\n"
                                    "masterauth\r\n$6\r\ntheirs\r\n";
    static const char *const rules[][2] = {
        {"+config|get", "*0\r\n"},
        {"+@all -config|set", "*0\r\n"},
        {"+config", seen},
        {"(+@all)", seen},
    };
    const char *question = "CONFIG GET requirepas[s] masterauth";
    session_expect(session, question, seen);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char command[80];
        snprintf(command, sizeof command, "ACL SETUSER eve reset on nopass %s", rules[i][0]);
        session_expect(session, command, "+OK\r\n");
        int other = session_connect(session);
        session_ask_on(session, other, "AUTH eve x");
        assert_string_equal(session_ask_on(session, other, question), rules[i][1]);
        assert_string_equal(session_ask_on(session, other, "CONFIG GET timeout"),
                            "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
        close(other);
    }
}

/* Rules, refusals and the log know commands by the names that they were born with. */
static void test_renamed_commands(void **state) {
    (void)state;
    static const char *const options[] = {"--rename-command", "get", "fetched", "--rename-command",
                                          "flushall",         "",    NULL};
    struct session *session = session_start(options);
    session_expect(session, "ACL SETUSER eve on nopass ~a +@all -get -flushall", "+OK\r\n");
    assert_non_null(strstr(session_ask(session, "ACL SETUSER eve +fetched"), "Unknown command"));
    session_expect(session, "ACL DRYRUN eve fetched a",
                   "$52\r\nUser eve has no permissions to run the 'get' command\r\n");
    assert_non_null(strstr(session_ask(session, "ACL CAT string"), "$3\r\nget\r\n"));
    int other = session_connect(session);
    session_ask_on(session, other, "AUTH eve x");
    assert_string_equal(session_ask_on(session, other, "FETCHED a"),
                        "-NOPERM User eve has no permissions to run the 'get' command\r\n");
    assert_memory_equal(session_ask_on(session, other, "GET a"), "-ERR unknown command", 20);
    assert_non_null(strstr(session_ask(session, "ACL LOG 1"), "$6\r\nobject\r\n$3\r\nget\r\n"));
    session_expect(session, "ACL SETUSER eve +get", "+OK\r\n");
    assert_string_equal(session_ask_on(session, other, "FETCHED a"), "$-1\r\n");
    assert_memory_equal(session_ask_on(session, other, "FLUSHALL"), "-ERR unknown command", 20);
    close(other);
    session_end(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decisions_against_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passwords, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_are_felt_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subscribers_lose_what_they_may_not_hear, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_log_names_the_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_may_see_passwords, setup, teardown),
        cmocka_unit_test(test_renamed_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
