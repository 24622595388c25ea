/* Tests of feature/redact: each rule at its edges. */
#include "feature/redact.h"

#include "support/session.h"

#include <string.h>

#include "call/command.h"

#define WORDS_MAX 32

/* Shows the arguments of a line with one space between, as the command of this name. */
static const char *shown(struct context *context, const char *name, const char *line) {
    static char text[1024];
    struct bytes args[WORDS_MAX];
    struct command_row row = {.name = name};
    struct command command = {.row = &row, .name = "renamed"};
    struct call call = {.args = args, .command = &command, .context = context};
    for (const char *at = line; *at != '\0';) {
        size_t size = strcspn(at, " ");
        assert_true(call.argc < WORDS_MAX);
        args[call.argc++] = bytes_of(at, size);
        at += size + (at[size] == ' ');
    }
    size_t size = 0;
    for (int i = 0; i < call.argc; i++) {
        struct bytes word = redact_argument(&call, i);
        if (i > 0) {
            text[size++] = ' ';
        }
        memcpy(text + size, word.at, word.size);
        size += word.size;
    }
    text[size] = '\0';
    return text;
}

static void test_rules(void **state) {
    struct context *context = *state;
    static const struct {
        const char *name;
        const char *line;
        const char *shown;
    } cases[] = {
        {"auth", "auth", "auth"},
        {"auth", "XAUTH p", "XAUTH (redacted)"},
        {"auth", "auth u p", "auth (redacted) (redacted)"},
        {"get", "get auth p", "get auth p"},
        {"hello", "hello 3", "hello 3"},
        {"hello", "hello 3 auth u p", "hello 3 auth (redacted) (redacted)"},
        {"hello", "hello 3 setname n AUTH u p", "hello 3 setname n AUTH (redacted) (redacted)"},
        {"hello", "hello 3 auth u p setname n", "hello 3 auth (redacted) (redacted) setname n"},
        {"hello", "hello 3 auth u", "hello 3 auth (redacted)"},
        {"config|set", "config set hz 10", "config set hz 10"},
        {"config|set", "config set REQUIREPASS p hz 10", "config set REQUIREPASS (redacted) hz 10"},
        {"config|set", "config set hz requirepass x y", "config set hz requirepass x y"},
        {"config|set", "config set requirepass", "config set requirepass"},
        {"config|get", "config get requirepass x", "config get requirepass x"},
        {"acl|setuser", "acl setuser u >p +@all", "acl setuser (redacted) (redacted) (redacted)"},
        {"migrate", "migrate h 1 k 0 1 AUTH p", "migrate h 1 k 0 1 AUTH (redacted)"},
        {"migrate", "migrate h 1 k 0 1 auth p copy", "migrate h 1 k 0 1 auth (redacted) copy"},
        {"migrate", "migrate h 1 k 0 1 AUTH2 u p x",
         "migrate h 1 k 0 1 AUTH2 (redacted) (redacted) x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(shown(context, cases[i].name, cases[i].line), cases[i].shown);
    }
}

static struct session *session;

static int start(void **state) {
    session = session_start(NULL);
    *state = &session->server.context;
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rules, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
