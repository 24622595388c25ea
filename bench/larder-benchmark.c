/* larder-benchmark: puts a server under load and says what it bears, and, given its process, what
 * each request costs it. One thread, cheap enough to fill a server's core from another one even
 * with pipelines of a hundred requests. The parts are in load/. */
#include <stdio.h>
#include <string.h>

#include "load/options.h"
#include "load/report.h"
#include "load/run.h"
#include "load/tests.h"

static int run_one(const struct options_given *options, const char *name,
                   const struct template *template, bool fills) {
    struct run_plan plan = options->plan;
    struct keys keys;
    struct run_result result;
    keys_init(&keys, options->key_count, options->zipf, fills);
    if (fills) {
        plan.requests = options->key_count;
    }
    if (run_load(&plan, template, &keys, &result) != 0) {
        return 1;
    }
    report_result(name, options, &result);
    int status = result.tally.errors > 0;
    run_result_free(&result);
    return status;
}

static int run_command(const struct options_given *options) {
    const char *words[TEMPLATE_PLACES_MAX];
    if (options->command_size > TEMPLATE_PLACES_MAX) {
        fprintf(stderr, "A command may have %d words\n", TEMPLATE_PLACES_MAX);
        return 1;
    }
    for (int i = 0; i < options->command_size; i++) {
        words[i] = options->command[i];
    }
    struct template template;
    if (template_init(&template, words, options->command_size, options->value_size) != 0) {
        fprintf(stderr, "A command may have %d numbers\n", TEMPLATE_PLACES_MAX);
        return 1;
    }
    int status = run_one(options, words[0], &template, false);
    template_free(&template);
    return status;
}

/* Runs the tests of a list one after another, and stops at the first that fails. */
static int run_tests(const struct options_given *options) {
    const char *at = options->tests;
    int status = 0;
    while (status == 0 && *at != '\0') {
        struct bytes name = bytes_of(at, strcspn(at, ","));
        const struct test *test = tests_find(name);
        if (test == NULL) {
            fprintf(stderr, "There is no test %.*s; there are: ", (int)name.size, name.at);
            tests_print_names(stderr);
            fputc('\n', stderr);
            return 1;
        }
        struct template template;
        test_template(test, options->value_size, &template);
        status = run_one(options, test->name, &template, test->fills);
        template_free(&template);
        at += name.size;
        at += *at == ',';
    }
    return status;
}

int main(int argc, char **argv) {
    struct options_given options;
    int status = options_read(&options, argc, argv);
    if (status != 0) {
        return status < 0;
    }
    return options.command_size > 0 ? run_command(&options) : run_tests(&options);
}
