/* Tests of server/config: what a file, standard input and the command line may say, every shape of
 * error, and CONFIG REWRITE, over a module of options that has one of each kind. */
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "call/context.h"
#include "persist/saving.h"

/* The module. */

static const struct option_choice levels[] = {{"quiet", 0}, {"loud", 1}, {NULL, 0}};

struct fixture;
static bool pair_set(void *module, const struct bytes *words, int count, const char **error);
static void pair_get(void *module, struct buffer *out);
static const struct option_custom pair = {.set = pair_set, .get = pair_get};

#define TEST_OPTIONS(X)                                                                            \
    X(INT, clients, "maxclients", "10000", 1, 1000000, NULL, 0, NULL, "A number.")                 \
    X(BOOL, daemon, "daemonize", "no", 0, 0, NULL, OPTION_IMMUTABLE, NULL, "Yes or no.")           \
    X(MEMORY, memory, "maxmemory", "0", 0, INT64_MAX, NULL, OPTION_PERCENT, NULL, "Bytes.")        \
    X(OCTAL, permissions, "unixsocketperm", "0", 0, 0777, NULL, 0, NULL, "Permissions.")           \
    X(TEXT, file, "logfile", "", 0, 0, NULL, 0, NULL, "A text.")                                   \
    X(TEXT, password, "requirepass", "", 0, 0, NULL, OPTION_SECRET, NULL, "A secret.")             \
    X(CHOICE, level, "loglevel", "quiet", 0, 0, levels, 0, NULL, "One of some.")                   \
    X(CUSTOM, pairs, "pairs", "", 0, 0, &pair, OPTION_REPEATS, NULL, "Pairs of words.")
struct test_options {
    TEST_OPTIONS(OPTION_FIELD)
};
static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct test_options, __VA_ARGS__)
    TEST_OPTIONS(ROW)
#undef ROW
};

struct fixture {
    struct test_options values;
    struct buffer pairs;
    struct options *options;
    struct config *config;
    struct buffer problem;
    struct context context;
    struct saving *saving;
    char renames[128];
    char folder[64];
};

static bool pair_set(void *module, const struct bytes *words, int count, const char **error) {
    struct fixture *fixture = module;
    bool is_empty = count == 1 && words[0].size == 0;
    if (!is_empty && count % 2 != 0) {
        *error = "not in pairs";
        return false;
    }
    buffer_clear(&fixture->pairs);
    for (int i = 0; i < count && !is_empty; i++) {
        buffer_append(&fixture->pairs, " ", i > 0);
        buffer_append(&fixture->pairs, words[i].at, words[i].size);
    }
    return true;
}

static void pair_get(void *module, struct buffer *out) {
    struct fixture *fixture = module;
    buffer_append(out, fixture->pairs.at, fixture->pairs.size);
}

static bool on_rename(void *context, const struct bytes *words, int count, const char **error) {
    struct fixture *fixture = context;
    if (count != 2) {
        *error = "Bad directive or wrong number of arguments";
        return false;
    }
    if (bytes_is(words[0], "nosuch")) {
        *error = "No such command in rename-command";
        return false;
    }
    size_t used = strlen(fixture->renames);
    snprintf(fixture->renames + used, sizeof fixture->renames - used, "%.*s>%.*s;",
             (int)words[0].size, words[0].at, (int)words[1].size, words[1].at);
    return true;
}

static struct clock clock;

/* Starts from nothing, as a new process would. */
static void begin(struct fixture *fixture) {
    buffer_init(&fixture->pairs, MEM_OTHER);
    buffer_init(&fixture->problem, MEM_OTHER);
    fixture->renames[0] = '\0';
    fixture->options = options_new();
    options_register(fixture->options, rows, sizeof rows / sizeof rows[0], &fixture->values,
                     fixture);
    options_alias(fixture->options, "old-level", "loglevel");
    fixture->context = (struct context){.options = fixture->options, .clock = &clock};
    fixture->saving = saving_new(&fixture->context);
    fixture->config = config_new(fixture->options);
    config_on_line(fixture->config, "rename-command", on_rename, fixture);
}

static void end(struct fixture *fixture) {
    options_free(fixture->options);
    saving_free(fixture->saving);
    config_free(fixture->config);
    buffer_clear(&fixture->pairs);
    buffer_clear(&fixture->problem);
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/larder-config-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    begin(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    char command[128];
    end(fixture);
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static void begin_again(struct fixture *fixture) {
    end(fixture);
    begin(fixture);
}

/* Files. */

static const char *path_of(const struct fixture *fixture, const char *name) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", fixture->folder, name);
    return path;
}

static const char *write_file(const struct fixture *fixture, const char *name, const char *text) {
    const char *path = path_of(fixture, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *file_text(const struct fixture *fixture, const char *name) {
    static char text[16384];
    FILE *file = fopen(path_of(fixture, name), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Loading. */

static int load(struct fixture *fixture, int count, const char *const *arguments) {
    char *argv[32] = {NULL};
    argv[0] = strdup("larder-server");
    for (int i = 0; i < count; i++) {
        argv[i + 1] = strdup(arguments[i]);
    }
    int status = config_load(fixture->config, count + 1, argv, &fixture->problem);
    for (int i = 0; i <= count; i++) {
        free(argv[i]);
    }
    assert_true((status == 0) == (fixture->problem.size == 0));
    return status;
}

#define LOAD(fixture, ...)                                                                         \
    load((fixture), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)),           \
         (const char *[]){__VA_ARGS__})

static int load_text(struct fixture *fixture, const char *text) {
    return LOAD(fixture, write_file(fixture, "t.conf", text));
}

static const char *value_of(struct fixture *fixture, const char *name) {
    static struct buffer text;
    static char copies[4][256];
    static int next;
    buffer_clear(&text);
    int index = options_find(fixture->options, bytes_text(name));
    assert_true(index >= 0);
    options_print(fixture->options, index, &text);
    char *copy = copies[next++ % 4];
    snprintf(copy, sizeof copies[0], "%s", buffer_text(&text));
    buffer_clear(&text);
    return copy;
}

static void change(struct fixture *fixture, const char *name, const char *value) {
    const struct bytes words[2] = {bytes_text(name), bytes_text(value)};
    int which;
    const char *error = NULL;
    assert_int_equal(options_change(fixture->options, words, 1, true, &which, &error), 0);
}

static void test_nothing_given(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load(fixture, 0, NULL), 0);
    assert_string_equal(config_path(fixture->config), "");
    assert_int_equal(fixture->values.clients, 10000);
    struct buffer warning;
    buffer_init(&warning, MEM_OTHER);
    config_warnings(fixture->config, &warning);
    assert_int_equal(warning.size, 0);
    assert_int_equal(config_rewrite(fixture->config), -ENOENT);
}

static void test_a_file_with_everything(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "# a comment 'with quotes\n"
                                        "\n"
                                        "   \t\n"
                                        "  # another\r\n"
                                        "maxclients 5\r\n"
                                        "\tMAXCLIENTS   77  \n"
                                        "daemonize yes\n"
                                        "maxmemory 2gb\n"
                                        "unixsocketperm 755\n"
                                        "logfile \"a b\\x41\\n\"\n"
                                        "requirepass 'it\\'s'\n"
                                        "old-level LOUD\n"
                                        "rename-command FLUSHALL \"\"\n"
                                        "rename-command get fetch\n"
                                        "pairs a b"),
                     0);
    assert_int_equal(fixture->values.clients, 77);
    assert_true(fixture->values.daemon);
    assert_int_equal(fixture->values.memory, (int64_t)2 << 30);
    assert_int_equal(fixture->values.permissions, 0755);
    assert_string_equal(fixture->values.file, "a bA\n");
    assert_string_equal(fixture->values.password, "it's");
    assert_int_equal(fixture->values.level, 1);
    assert_string_equal(fixture->renames, "FLUSHALL>;get>fetch;");
    assert_string_equal(value_of(fixture, "pairs"), "a b");
    assert_string_equal(config_path(fixture->config), path_of(fixture, "t.conf"));
}

static void test_units(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"100", 100},     {"1k", 1000},       {"1KB", 1024}, {"2m", 2000000},
                 {"2Mb", 2 << 20}, {"1g", 1000000000}, {"75%", -75}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        begin_again(fixture);
        snprintf(line, sizeof line, "maxmemory %s\n", cases[i].text);
        assert_int_equal(load_text(fixture, line), 0);
        assert_int_equal(fixture->values.memory, cases[i].bytes);
    }
}

static void test_lines_that_repeat_add_up(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "pairs a b\nmaxclients 9\npairs c d e f\n"), 0);
    assert_string_equal(value_of(fixture, "pairs"), "a b c d e f");

    begin_again(fixture);
    assert_int_equal(load_text(fixture, "pairs a b\npairs \"\"\npairs c d\n"), 0);
    assert_string_equal(value_of(fixture, "pairs"), "c d");

    begin_again(fixture);
    assert_int_equal(load_text(fixture, "pairs \"a b c d\"\n"), 0); /* one word that holds four */
    assert_string_equal(value_of(fixture, "pairs"), "a b c d");

    begin_again(fixture);
    assert_int_equal(load_text(fixture, "save 900 1\nsave \"300 10 60 5\"\n"), 0);
    assert_string_equal(value_of(fixture, "save"), "900 1 300 10 60 5");
}

static void test_one_word_that_does_not_come_apart(void **state) {
    struct fixture *fixture = *state;
    /* Three parts are no pairs, so the word goes with the other as it is. */
    assert_int_equal(load_text(fixture, "pairs \"a b c\" d\n"), 0);
    assert_string_equal(value_of(fixture, "pairs"), "a b c d");
    begin_again(fixture);
    assert_int_equal(load_text(fixture, "pairs \"a b c\"\n"), -1);
    assert_non_null(strstr(buffer_text(&fixture->problem), "not in pairs"));
}

static void test_the_command_line_wins(void **state) {
    struct fixture *fixture = *state;
    const char *path = write_file(fixture, "t.conf", "maxclients 5\npairs a b\nsave 60 1\n");
    assert_int_equal(LOAD(fixture, path, "--maxclients", "6", "--logfile", "x y", "--pairs", "c",
                          "d", "--daemonize", "yes", "--save", "--rename-command", "GET", ""),
                     0);
    assert_int_equal(fixture->values.clients, 6);
    assert_string_equal(fixture->values.file, "x y");
    assert_string_equal(value_of(fixture, "pairs"), "a b c d");
    assert_string_equal(value_of(fixture, "save"), "");
    assert_string_equal(fixture->renames, "GET>;");
    assert_true(fixture->values.daemon);
}

static void test_the_command_line_alone(void **state) {
    struct fixture *fixture = *state;
    const char *included = write_file(fixture, "i.conf", "maxclients 8\n");
    assert_int_equal(LOAD(fixture, "--logfile", "-", "--include", included), 0);
    assert_string_equal(fixture->values.file, "-");
    assert_int_equal(fixture->values.clients, 8);
    assert_string_equal(config_path(fixture->config), "");
}

/* Puts a text where standard input was. Returns what restores it. */
static int replace_input(struct fixture *fixture, const char *text) {
    int saved = dup(STDIN_FILENO);
    assert_non_null(freopen(write_file(fixture, "stdin", text), "r", stdin));
    return saved;
}

static void restore_input(int saved) {
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
}

static void test_standard_input(void **state) {
    struct fixture *fixture = *state;
    int saved = replace_input(fixture, "maxclients 12\nlogfile in\n");
    assert_int_equal(LOAD(fixture, "-", "--logfile", "out"), 0);
    restore_input(saved);
    assert_int_equal(fixture->values.clients, 12);
    assert_string_equal(fixture->values.file, "out");

    begin_again(fixture);
    const char *path = write_file(fixture, "t.conf", "maxclients 1\nloglevel loud\n");
    saved = replace_input(fixture, "maxclients 2\n");
    assert_int_equal(LOAD(fixture, path, "--logfile", "x", "-"), 0);
    restore_input(saved);
    assert_int_equal(fixture->values.clients, 2);
    assert_int_equal(fixture->values.level, 1);

    begin_again(fixture);
    saved = replace_input(fixture, "\nnonsense\n");
    assert_int_equal(LOAD(fixture, "-"), -1);
    restore_input(saved);
    assert_non_null(strstr(buffer_text(&fixture->problem), "at line 2 of standard input\n"));
}

/* Includes. */

static void test_includes(void **state) {
    struct fixture *fixture = *state;
    char text[512];
    write_file(fixture, "10.part", "maxclients 10\nlogfile ten\n");
    write_file(fixture, "20.part", "maxclients 20\n");
    snprintf(text, sizeof text,
             "include %s/*.part\ninclude %s/none-*.part\nloglevel loud\ninclude \"%s/10.part\"\n",
             fixture->folder, fixture->folder, fixture->folder);
    assert_int_equal(load_text(fixture, text), 0);
    assert_int_equal(fixture->values.clients, 10); /* 10, 20, 10: in order, the last wins */
    assert_string_equal(fixture->values.file, "ten");
    assert_int_equal(fixture->values.level, 1);
}

static void test_relative_includes_start_from_the_working_directory(void **state) {
    struct fixture *fixture = *state;
    char before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(mkdir(path_of(fixture, "sub"), 0700), 0);
    write_file(fixture, "sub/t.conf", "include other.conf\n");
    write_file(fixture, "other.conf", "maxclients 3\n");
    assert_int_equal(chdir(fixture->folder), 0);
    int status = LOAD(fixture, "sub/t.conf");
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, 0);
    assert_int_equal(fixture->values.clients, 3);
    assert_string_equal(config_path(fixture->config), path_of(fixture, "sub/t.conf"));
}

static void test_a_circle_of_includes_ends(void **state) {
    struct fixture *fixture = *state;
    char text[256];
    snprintf(text, sizeof text, "include %s\n", path_of(fixture, "t.conf"));
    assert_int_equal(load_text(fixture, text), -1);
    assert_non_null(strstr(buffer_text(&fixture->problem), "too deeply, or in a circle\n"));
}

static void test_an_error_in_an_included_file_names_it(void **state) {
    struct fixture *fixture = *state;
    char text[256];
    char wanted[256];
    const char *inner = write_file(fixture, "inner.conf", "# fine\n\nmaxclients many\n");
    snprintf(text, sizeof text, "loglevel loud\ninclude %s\n", inner);
    snprintf(wanted, sizeof wanted, "at line 3 of %s\n>>> 'maxclients many'\n", inner);
    assert_int_equal(load_text(fixture, text), -1);
    assert_non_null(strstr(buffer_text(&fixture->problem), wanted));
}

/* Errors. */

struct wrong {
    const char *text;
    const char *wanted; /* behind the first two lines */
};

static void test_every_shape_of_error(void **state) {
    struct fixture *fixture = *state;
    static const struct wrong wrongs[] = {
        {"maxclient 5", ">>> 'maxclient 5'\nBad directive or wrong number of arguments\n"
                        "Did you mean 'maxclients'?\n"},
        {"zzzzzz", ">>> 'zzzzzz'\nBad directive or wrong number of arguments\n"},
        {"maxclients many", ">>> 'maxclients many'\nargument couldn't be parsed into an integer\n"
                            "Expected: maxclients <1 to 1000000>\n"},
        {"maxclients 0", ">>> 'maxclients 0'\nargument must be between 1 and 1000000 inclusive\n"
                         "Expected: maxclients <1 to 1000000>\n"},
        {"maxclients 99999999999999999999",
         ">>> 'maxclients 99999999999999999999'\nargument couldn't be parsed into an integer\n"
         "Expected: maxclients <1 to 1000000>\n"},
        {"maxclients", ">>> 'maxclients'\nwrong number of arguments\n"
                       "Expected: maxclients <1 to 1000000>\n"},
        {"maxclients 1 2", ">>> 'maxclients 1 2'\nwrong number of arguments\n"
                           "Expected: maxclients <1 to 1000000>\n"},
        {"maxclients 1 # some", ">>> 'maxclients 1 # some'\nwrong number of arguments\n"
                                "Expected: maxclients <1 to 1000000>\n"
                                "A comment needs a line of its own.\n"},
        {"daemonize maybe", ">>> 'daemonize maybe'\nargument must be 'yes' or 'no'\n"
                            "Expected: daemonize yes|no\n"},
        {"maxmemory 1xb", ">>> 'maxmemory 1xb'\nargument must be a memory or percent value\n"
                          "Expected: maxmemory <bytes, or with a unit: 64kb, 100mb, 1gb> or "
                          "<percentage: 75%>\n"},
        {"unixsocketperm 999",
         ">>> 'unixsocketperm 999'\nargument couldn't be parsed as an octal number\n"
         "Expected: unixsocketperm <permissions in octal, such as 700>\n"},
        {"loglevel middling",
         ">>> 'loglevel middling'\nargument(s) must be one of the following: quiet, loud\n"
         "Expected: loglevel quiet|loud\n"},
        {"logfile a b", ">>> 'logfile a b'\nwrong number of arguments\n"
                        "Expected: logfile <text, in quotes if it is empty or holds spaces>\n"},
        {"pairs a", ">>> 'pairs a'\nnot in pairs\n"
                    "Expected: pairs values like the default: \"\"\n"},
        {"requirepass one two", ">>> 'requirepass (not shown)'\nwrong number of arguments\n"
                                "Expected: requirepass <text, in quotes if it is empty or holds "
                                "spaces>\n"},
        {"logfile \"a", ">>> 'logfile \"a'\nUnbalanced quotes in configuration line\n"},
        {"logfile \"a\"b", ">>> 'logfile \"a\"b'\nUnbalanced quotes in configuration line\n"},
        {"rename-command nosuch x",
         ">>> 'rename-command nosuch x'\nNo such command in rename-command\n"},
        {"rename-command x",
         ">>> 'rename-command x'\nBad directive or wrong number of arguments\n"},
        {"include", ">>> 'include'\nBad directive or wrong number of arguments\n"},
        {"include a b", ">>> 'include a b'\nBad directive or wrong number of arguments\n"},
        {"include /nonexistent-larder.conf",
         ">>> 'include /nonexistent-larder.conf'\ncan't open config file "
         "'/nonexistent-larder.conf': No such file or directory\n"},
        {"include /tmp", ">>> 'include /tmp'\ncan't open config file '/tmp': Is a directory\n"},
        {"loadmodule", ">>> 'loadmodule'\nBad directive or wrong number of arguments\n"},
        {"save 60", ">>> 'save 60'\nInvalid save parameters\nExpected: save values like the "
                    "default: \"\"\n"},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        char text[256];
        char wanted[1024];
        begin_again(fixture);
        snprintf(text, sizeof text, "# first\n\n%s\nmaxclients 9\n", wrongs[i].text);
        snprintf(wanted, sizeof wanted,
                 "\n*** FATAL CONFIG FILE ERROR (Larder 0.1.0) ***\n"
                 "Reading the configuration file, at line 3 of %s\n%s",
                 path_of(fixture, "t.conf"), wrongs[i].wanted);
        assert_int_equal(load_text(fixture, text), -1);
        assert_string_equal(buffer_text(&fixture->problem), wanted);
        assert_int_equal(fixture->values.clients, 10000); /* nothing behind it was read */
    }
}

static void test_errors_of_the_command_line(void **state) {
    struct fixture *fixture = *state;
    const char *head = "\n*** FATAL CONFIG FILE ERROR (Larder 0.1.0) ***\n"
                       "Reading the command line\n";
    char wanted[512];
    assert_int_equal(LOAD(fixture, "--maxclients", "many"), -1);
    snprintf(wanted, sizeof wanted,
             "%s>>> '--maxclients many'\nargument couldn't be parsed into an integer\n"
             "Expected: maxclients <1 to 1000000>\n",
             head);
    assert_string_equal(buffer_text(&fixture->problem), wanted);

    begin_again(fixture);
    assert_int_equal(LOAD(fixture, "--maxclients"), -1);
    begin_again(fixture);
    assert_int_equal(LOAD(fixture, "-p", "6379"), -1);
    snprintf(wanted, sizeof wanted, "%s>>> '-p'\nExpected: [file] [-] [--name value ...] [-]\n",
             head);
    assert_string_equal(buffer_text(&fixture->problem), wanted);

    begin_again(fixture);
    assert_int_equal(LOAD(fixture, "/nonexistent-larder.conf"), -1);
    assert_string_equal(buffer_text(&fixture->problem),
                        "\nFatal error, can't open config file '/nonexistent-larder.conf': "
                        "No such file or directory\n");
}

static void test_strange_bytes(void **state) {
    struct fixture *fixture = *state;
    const char *path = path_of(fixture, "nul.conf");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite("maxclients 5\nlogfile a\0b\n", 1, 25, file);
    fclose(file);
    assert_int_equal(LOAD(fixture, path), -1);
    assert_non_null(strstr(buffer_text(&fixture->problem), "at line 2 of "));
    assert_non_null(strstr(buffer_text(&fixture->problem), "NUL byte"));

    begin_again(fixture);
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    buffer_append_text(&text, "pairs");
    for (int i = 0; i < 300; i++) {
        buffer_append_text(&text, " w");
    }
    assert_int_equal(load_text(fixture, buffer_text(&text)), -1);
    assert_non_null(strstr(buffer_text(&fixture->problem), "too many words"));
    buffer_clear(&text);
}

static void test_memory_comes_back(void **state) {
    struct fixture *fixture = *state;
    end(fixture);
    size_t used = mem_used();
    begin(fixture);
    load_text(fixture, "maxclients 5\nsave 60 1\nlogfile x\nsave 1\n");
    begin_again(fixture);
    assert_int_equal(load_text(fixture, "maxclients 5\nsave 60 1\npairs a b\n"), 0);
    change(fixture, "maxclients", "6");
    assert_int_equal(config_rewrite(fixture->config), 0);
    end(fixture);
    assert_int_equal(mem_used(), used);
    begin(fixture);
}

/* Directives of Redis. */

static void test_foreign_directives_are_named_once(void **state) {
    struct fixture *fixture = *state;
    struct buffer warning;
    buffer_init(&warning, MEM_OTHER);
    assert_int_equal(load_text(fixture,
                               "appendfsync always\nmaxclients 4\nlist-max-ziplist-value 3\n"
                               "cluster-port 7\nappendonly no\nsave \"\"\n"
                               "List-max-ziplist-value 2\nsearch-timeout 5\n"),
                     0);
    config_warnings(fixture->config, &warning);
    assert_string_equal(buffer_text(&warning),
                        "These directives are known from Redis and have no effect here: "
                        "appendfsync, cluster-port, list-max-ziplist-value, search-timeout\n");
    assert_string_equal(value_of(fixture, "appendonly"), "no");
    buffer_clear(&warning);
}

/* What promises that data survives, or is elsewhere too, has a line of its own, unless it was taken
 * back. */
static void test_promises_are_warned_about_one_by_one(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {"appendonly", "unixsocketgroup", "loadmodule"};
    struct buffer warning;
    buffer_init(&warning, MEM_OTHER);
    const char *text = "appendonly yes\nunixsocketgroup g\nloadmodule x\nappendfilename a\n"
                       "cluster-enabled yes\nsyslog-enabled no\n";
    assert_int_equal(load_text(fixture, text), 0);
    config_note_command(fixture->config, bytes_text("BGREWRITEAOF"));
    config_warnings(fixture->config, &warning);
    const char *line = buffer_text(&warning);
    int lines = 0;
    for (const char *at = line; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 4 + 2);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char start[64];
        snprintf(start, sizeof start, "%s is not supported: ", names[i]);
        assert_non_null(strstr(line, start));
    }
    assert_non_null(strstr(line, "no effect here: appendfilename\n"));
    assert_non_null(strstr(line, "not here anyway: bgrewriteaof\n"));
    assert_null(strstr(line, "syslog-enabled"));
    buffer_clear(&warning);
}

/* What promises to keep strangers out stops the start, with a word about what to do. */
static void test_promises_of_safety_stop_the_start(void **state) {
    struct fixture *fixture = *state;
    static const char *const lines[] = {"tls-port 6380", "sentinel monitor m 127.0.0.1 1 1"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        begin_again(fixture);
        char text[128];
        snprintf(text, sizeof text, "maxclients 5\n%s\n", lines[i]);
        assert_int_equal(load_text(fixture, text), -1);
        const char *problem = buffer_text(&fixture->problem);
        assert_non_null(strstr(problem, "at line 2 of "));
        assert_non_null(strstr(problem, lines[i]));
        assert_true(strstr(problem, "is not supported: ") != NULL ||
                    strstr(problem, "belongs to Sentinel") != NULL);
    }
    begin_again(fixture);
    assert_int_equal(load_text(fixture, "tls-port 0\n"), 0);
}

/* CONFIG REWRITE. */

static void test_rewrite_of_nothing_new_changes_nothing(void **state) {
    struct fixture *fixture = *state;
    const char *text = "# mine\n\nmaxmemory   1gb\nMAXCLIENTS 5\nmaxclients 6\npairs a b\n"
                       "rename-command get \"\"\nsave 60 1\npairs c d";
    assert_int_equal(load_text(fixture, text), 0);
    assert_int_equal(config_rewrite(fixture->config), 0);
    char wanted[512];
    snprintf(wanted, sizeof wanted, "%s\n", text); /* but for the end of the last line */
    assert_string_equal(file_text(fixture, "t.conf"), wanted);
    assert_int_equal(access(path_of(fixture, "t.conf.rewrite"), F_OK), -1);
}

static void test_rewrite_changes_what_has_changed(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "# mine\n"
                                        "maxmemory 1gb\n"
                                        "maxclients 5\n"
                                        "pairs a b\n"
                                        "# between\n"
                                        "maxclients 6\n"
                                        "pairs c d\n"
                                        "old-level loud\n"),
                     0);
    change(fixture, "maxclients", "10000"); /* the default, but not what the file says */
    change(fixture, "pairs", "x y");
    change(fixture, "logfile", "a \"b\"\n");
    change(fixture, "oom-score-adj-values", "1 2 3");
    assert_int_equal(config_rewrite(fixture->config), 0);
    const char *wanted = "# mine\n"
                         "maxmemory 1gb\n"
                         "maxclients 10000\n"
                         "pairs x y\n"
                         "# between\n"
                         "old-level loud\n"
                         "\n"
                         "# Added by CONFIG REWRITE\n"
                         "logfile \"a \\\"b\\\"\\n\"\n"
                         "oom-score-adj-values 1 2 3\n";
    assert_string_equal(file_text(fixture, "t.conf"), wanted);

    /* Again: nothing. */
    assert_int_equal(config_rewrite(fixture->config), 0);
    assert_string_equal(file_text(fixture, "t.conf"), wanted);

    /* The round trip. */
    begin_again(fixture);
    assert_int_equal(LOAD(fixture, path_of(fixture, "t.conf")), 0);
    assert_int_equal(fixture->values.clients, 10000);
    assert_int_equal(fixture->values.memory, 1 << 30);
    assert_int_equal(fixture->values.level, 1);
    assert_string_equal(fixture->values.file, "a \"b\"\n");
    assert_string_equal(value_of(fixture, "pairs"), "x y");
    assert_string_equal(value_of(fixture, "oom-score-adj-values"), "1 2 3");

    /* A later addition stands under the heading that is there. */
    change(fixture, "unixsocketperm", "700");
    assert_int_equal(config_rewrite(fixture->config), 0);
    char more[1024];
    snprintf(more, sizeof more, "%sunixsocketperm 700\n", wanted);
    assert_string_equal(file_text(fixture, "t.conf"), more);
}

static void test_rewrite_keeps_what_the_command_line_said(void **state) {
    struct fixture *fixture = *state;
    const char *path = write_file(fixture, "t.conf", "maxclients 5\n");
    assert_int_equal(LOAD(fixture, path, "--maxclients", "6", "--loglevel", "loud"), 0);
    assert_int_equal(config_rewrite(fixture->config), 0);
    assert_string_equal(file_text(fixture, "t.conf"), "maxclients 6\n\n"
                                                      "# Added by CONFIG REWRITE\n"
                                                      "loglevel loud\n");
}

static void test_rewrite_of_a_file_that_was_edited(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "maxclients 5\nmaxmemory 1gb\n"), 0);
    change(fixture, "loglevel", "loud");
    write_file(fixture, "t.conf", "# new\nmaxclients 9\nlogfile elsewhere\n");
    assert_int_equal(config_rewrite(fixture->config), 0);
    /* What is in force wins over what was written meanwhile; the comment stays. */
    assert_string_equal(file_text(fixture, "t.conf"), "# new\nmaxclients 5\nlogfile \"\"\n\n"
                                                      "# Added by CONFIG REWRITE\n"
                                                      "maxmemory 1gb\n"
                                                      "loglevel loud\n");
}

static void test_rewrite_of_a_file_that_is_gone(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "maxclients 5\n"), 0);
    assert_int_equal(unlink(path_of(fixture, "t.conf")), 0);
    assert_int_equal(config_rewrite(fixture->config), 0);
    assert_string_equal(file_text(fixture, "t.conf"), "# Added by CONFIG REWRITE\nmaxclients 5\n");
}

static void test_rewrite_and_included_files(void **state) {
    struct fixture *fixture = *state;
    char text[256];
    char wanted[512];
    const char *inner = write_file(fixture, "inner.conf", "maxclients 7\nloglevel loud\n");
    snprintf(text, sizeof text, "maxclients 5\ninclude %s\nlogfile a\n", inner);
    assert_int_equal(load_text(fixture, text), 0);
    change(fixture, "maxclients", "8");
    assert_int_equal(config_rewrite(fixture->config), 0);
    snprintf(wanted, sizeof wanted,
             "include %s\nlogfile a\n\n# Added by CONFIG REWRITE\nmaxclients 8\n", inner);
    assert_string_equal(file_text(fixture, "t.conf"), wanted);
    assert_string_equal(file_text(fixture, "inner.conf"), "maxclients 7\nloglevel loud\n");
    begin_again(fixture);
    assert_int_equal(LOAD(fixture, path_of(fixture, "t.conf")), 0);
    assert_int_equal(fixture->values.clients, 8);
    assert_int_equal(fixture->values.level, 1);
}

static void test_rewrite_keeps_permissions_and_links(void **state) {
    struct fixture *fixture = *state;
    const char *path = write_file(fixture, "real.conf", "maxclients 5\n");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink(path, path_of(fixture, "link.conf")), 0);
    assert_int_equal(LOAD(fixture, path_of(fixture, "link.conf")), 0);
    change(fixture, "maxclients", "6");
    assert_int_equal(config_rewrite(fixture->config), 0);
    struct stat status;
    assert_int_equal(lstat(path_of(fixture, "link.conf"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_string_equal(file_text(fixture, "real.conf"), "maxclients 6\n");
}

static void test_rewrite_that_fails_leaves_the_file(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(load_text(fixture, "maxclients 5\n"), 0);
    change(fixture, "maxclients", "6");
    /* What stands where the new file is to be written cannot be opened for writing. */
    assert_int_equal(mkdir(path_of(fixture, "t.conf.rewrite"), 0700), 0);
    assert_int_equal(config_rewrite(fixture->config), -EISDIR);
    assert_string_equal(file_text(fixture, "t.conf"), "maxclients 5\n");
    assert_int_equal(rmdir(path_of(fixture, "t.conf.rewrite")), 0);
    assert_int_equal(config_rewrite(fixture->config), 0);
    assert_string_equal(file_text(fixture, "t.conf"), "maxclients 6\n");
}

#define CONFIG_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(test_nothing_given),
        CONFIG_TEST(test_a_file_with_everything),
        CONFIG_TEST(test_units),
        CONFIG_TEST(test_lines_that_repeat_add_up),
        CONFIG_TEST(test_one_word_that_does_not_come_apart),
        CONFIG_TEST(test_the_command_line_wins),
        CONFIG_TEST(test_the_command_line_alone),
        CONFIG_TEST(test_standard_input),
        CONFIG_TEST(test_includes),
        CONFIG_TEST(test_relative_includes_start_from_the_working_directory),
        CONFIG_TEST(test_a_circle_of_includes_ends),
        CONFIG_TEST(test_an_error_in_an_included_file_names_it),
        CONFIG_TEST(test_every_shape_of_error),
        CONFIG_TEST(test_errors_of_the_command_line),
        CONFIG_TEST(test_strange_bytes),
        CONFIG_TEST(test_memory_comes_back),
        CONFIG_TEST(test_foreign_directives_are_named_once),
        CONFIG_TEST(test_promises_are_warned_about_one_by_one),
        CONFIG_TEST(test_promises_of_safety_stop_the_start),
        CONFIG_TEST(test_rewrite_of_nothing_new_changes_nothing),
        CONFIG_TEST(test_rewrite_changes_what_has_changed),
        CONFIG_TEST(test_rewrite_keeps_what_the_command_line_said),
        CONFIG_TEST(test_rewrite_of_a_file_that_was_edited),
        CONFIG_TEST(test_rewrite_of_a_file_that_is_gone),
        CONFIG_TEST(test_rewrite_and_included_files),
        CONFIG_TEST(test_rewrite_keeps_permissions_and_links),
        CONFIG_TEST(test_rewrite_that_fails_leaves_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
