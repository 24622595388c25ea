/* campaign: tests, then pipelines, then rounds, then servers, the innermost last. The order of the
 * servers turns round from round to round. */
#include "load/campaign.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "load/chart.h"
#include "load/outcome.h"
#include "load/report.h"
#include "load/tests.h"

#define TESTS_MAX          256
#define STATUS_INTERRUPTED 130
#define LOAD_PIPELINE      100
#define LOAD_CONNECTIONS   10
/* How long a server may go on with what storing has left it to do, and how often it is asked. */
#define REST_MS_MAX 5000
#define REST_MS     20
/* What a test that takes elements away sends when it is told no number. */
#define POPS 500000

struct campaign {
    const struct options_given *options;
    char versions[SERVERS_MAX][CONTROL_NAME_MAX];
    struct outcome *outcomes; /* of all tests, each with one for each server */
    size_t outcomes_size;
    int tests;                      /* in outcomes */
    struct bytes loaded[TESTS_MAX]; /* names of the fills that were done */
    int loaded_count;
    const struct test_step *stored[TESTS_MAX]; /* data that is there for all tests that read it */
    int stored_count;
};

/* Progress is for people, and only where nothing else is on the line. */
static bool shows_progress(const struct options_given *options) {
    return isatty(STDERR_FILENO) && options->output != OUTPUT_CSV && options->output != OUTPUT_JSON;
}

static int status_now(void) {
    return run_interrupted() ? STATUS_INTERRUPTED : 0;
}

static void prepare_fill(struct run_plan *plan) {
    plan->keys.order = KEYS_SEQUENCE;
    plan->requests = plan->keys.count;
    plan->rate = 0;
    plan->warmup = 0;
    if ((uint64_t)plan->threads > plan->keys.count) {
        plan->threads = (int)plan->keys.count;
    }
}

/* ---- storing what is read ---- */

/* Sends `count` requests, with numbers below that. */
static int store(const struct campaign *campaign, const struct endpoint *server,
                 const struct mix *mix, uint64_t count, enum keys_order order) {
    const struct options_given *options = campaign->options;
    struct run_plan plan = options->plan;
    plan.keys.count = count;
    plan.pipeline = LOAD_PIPELINE;
    plan.connections = LOAD_CONNECTIONS;
    plan.threads = plan.threads < plan.connections ? plan.threads : plan.connections;
    plan.progress = shows_progress(options) ? "storing keys" : NULL;
    prepare_fill(&plan);
    plan.keys.order = order;
    struct run_result result;
    if (run_load(&plan, server, mix, &result) != 0) {
        return 1;
    }
    if (result.tally.errors > 0) {
        fprintf(stderr, "%s: storing keys: the server answers: %s\n", server->name,
                result.tally.first_error);
    }
    int status = result.tally.errors > 0 ? 1 : status_now();
    run_result_free(&result);
    return status;
}

/* What was there before may still be freed, or memory be tidied up, in the background: a server
 * that defers that shall not have it counted as the cost of requests to come. */
static int wait_for_rest(const struct campaign *campaign, const struct endpoint *server) {
    struct transport *transport = connect_to(server, &campaign->options->plan.login);
    if (transport == NULL) {
        return 1;
    }
    const struct timespec pause = {.tv_nsec = REST_MS * 1000000L};
    for (int ms = 0; ms < REST_MS_MAX && !control_is_at_rest(transport); ms += REST_MS) {
        if (run_interrupted()) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    connect_close(transport);
    return status_now();
}

/* The data of a test; `requests`: how many it will send. */
static int store_data(const struct campaign *campaign, const struct endpoint *server,
                      const struct test *test, uint64_t requests) {
    int status = 0;
    for (const struct test_step *step = test->data; step->words != NULL && status == 0; step++) {
        struct mix mix;
        mix_init(&mix, &campaign->options->shape.sizes);
        test_words(step->words, &campaign->options->shape, &mix);
        status = store(campaign, server, &mix, step->count > 0 ? step->count : requests,
                       step->drawn ? KEYS_UNIFORM : KEYS_SEQUENCE);
        mix_free(&mix);
    }
    return status == 0 ? wait_for_rest(campaign, server) : status;
}

/* On all servers, unless it is there already. */
static int store_once(struct campaign *campaign, const struct test *test) {
    if (test->data == NULL || test->anew) {
        return 0;
    }
    for (int i = 0; i < campaign->stored_count; i++) {
        if (campaign->stored[i] == test->data) {
            return 0;
        }
    }
    if (campaign->stored_count < TESTS_MAX) {
        campaign->stored[campaign->stored_count++] = test->data;
    }
    int status = 0;
    for (int i = 0; i < campaign->options->server_count && status == 0; i++) {
        status = store_data(campaign, &campaign->options->servers[i], test, 0);
    }
    return status;
}

/* ---- one load ---- */

/* What a test wants to be otherwise than was asked for. */
static void fit_plan(struct run_plan *plan, const struct test *test) {
    if (test->fills) {
        prepare_fill(plan);
    }
    if (test->numbers > 0) {
        plan->keys.count = test->numbers;
    }
    if (test->pops) {
        plan->requests = plan->requests > 0 ? plan->requests : POPS;
        plan->warmup = 0;
    }
    if (test->serves != NULL) {
        /* A pair belongs to one thread. */
        int pairs = plan->connections / 2 > 0 ? plan->connections / 2 : 1;
        plan->threads = plan->threads < pairs ? plan->threads : pairs;
        plan->connections = pairs / plan->threads * plan->threads * 2;
    }
}

static int measure(const struct campaign *campaign, struct outcome *outcome, const struct mix *mix,
                   const struct test *test) {
    const struct options_given *options = campaign->options;
    struct run_plan plan = options->plan;
    plan.pipeline = outcome->pipeline;
    plan.progress = shows_progress(options) ? outcome->test : NULL;
    if (test != NULL) {
        fit_plan(&plan, test);
    }
    if (test != NULL && test->anew &&
        store_data(campaign, outcome->server, test, plan.requests) != 0) {
        return run_interrupted() ? STATUS_INTERRUPTED : 1;
    }
    struct run_result result;
    if (run_load(&plan, outcome->server, mix, &result) != 0) {
        return run_interrupted() ? STATUS_INTERRUPTED : 1;
    }
    if (result.interrupted && result.requests == 0) {
        fputs("Interrupted before anything was measured\n", stderr);
        run_result_free(&result);
        return STATUS_INTERRUPTED;
    }
    outcome_add(outcome, &result);
    run_result_free(&result);
    return outcome->tally.errors > 0 ? 1 : status_now();
}

/* ---- one test ---- */

static int measure_rounds(struct campaign *campaign, struct outcome *outcomes,
                          const struct mix *mix, const struct test *test) {
    int servers = campaign->options->server_count;
    int status = 0;
    for (int round = 0; round < campaign->options->rounds && status == 0; round++) {
        for (int turn = 0; turn < servers && status == 0; turn++) {
            int server = round % 2 == 0 ? turn : servers - 1 - turn;
            status = measure(campaign, &outcomes[server], mix, test);
        }
    }
    return status;
}

/* Reports the servers that were measured at all, which are the first ones unless a round was cut
 * short. */
static void report_measured(const struct campaign *campaign, const struct outcome *outcomes) {
    int count = 0;
    while (count < campaign->options->server_count && outcomes[count].rounds > 0) {
        count++;
    }
    if (count > 0) {
        report_test(campaign->options, outcomes, count);
    }
}

static int run_test(struct campaign *campaign, const char *name, const struct mix *mix,
                    const struct test *test) {
    const struct options_given *options = campaign->options;
    int status = 0;
    for (int i = 0; i < options->pipeline_count && status == 0; i++) {
        if (campaign->tests == TESTS_MAX) {
            fprintf(stderr, "More than %d tests\n", TESTS_MAX);
            return 1;
        }
        size_t first = (size_t)campaign->tests++ * (size_t)options->server_count;
        struct outcome *outcomes = &campaign->outcomes[first];
        for (int server = 0; server < options->server_count; server++) {
            outcome_init(&outcomes[server], name, options->pipelines[i], &options->servers[server],
                         campaign->versions[server]);
        }
        status = measure_rounds(campaign, outcomes, mix, test);
        report_measured(campaign, outcomes);
    }
    return status;
}

/* Once for all tests that read the same. */
static int load_for(struct campaign *campaign, const struct test *test) {
    const struct options_given *options = campaign->options;
    if (!options->loads || test->load == NULL) {
        return 0;
    }
    struct bytes name = bytes_text(test->load);
    for (int i = 0; i < campaign->loaded_count; i++) {
        if (bytes_equal(campaign->loaded[i], name)) {
            return 0;
        }
    }
    if (campaign->loaded_count < TESTS_MAX) {
        campaign->loaded[campaign->loaded_count++] = name;
    }
    struct mix mix;
    mix_init(&mix, &options->shape.sizes);
    test_mix(tests_find(name), &options->shape, &mix);
    int status = 0;
    for (int i = 0; i < options->server_count && status == 0; i++) {
        status =
            store(campaign, &options->servers[i], &mix, options->plan.keys.count, KEYS_SEQUENCE);
    }
    mix_free(&mix);
    return status;
}

/* ---- the three sorts of requests ---- */

static int run_command(struct campaign *campaign) {
    const struct options_given *options = campaign->options;
    const char *words[TEMPLATE_PLACES_MAX];
    if (options->command_size > TEMPLATE_PLACES_MAX) {
        fprintf(stderr, "A command may have %d words\n", TEMPLATE_PLACES_MAX);
        return 1;
    }
    for (int i = 0; i < options->command_size; i++) {
        words[i] = options->command[i];
    }
    struct template template;
    if (template_init(&template, words, options->command_size, &options->shape) != 0) {
        fprintf(stderr, "A command may have %d numbers\n", TEMPLATE_PLACES_MAX);
        return 1;
    }
    struct mix mix;
    mix_init(&mix, &options->shape.sizes);
    mix_add(&mix, &template, 1);
    int status = load_for(campaign, tests_find(bytes_text("get")));
    if (status == 0) {
        status = run_test(campaign, words[0], &mix, NULL);
    }
    mix_free(&mix);
    return status;
}

static int run_mix(struct campaign *campaign) {
    const struct options_given *options = campaign->options;
    struct mix mix;
    mix_init(&mix, &options->shape.sizes);
    int status = tests_read_mix(options->mix, &options->shape, &mix);
    if (status != 0) {
        fprintf(stderr, "--mix does not take %s (--help shows the options)\n", options->mix);
        mix_free(&mix);
        return 1;
    }
    status = load_for(campaign, tests_find(bytes_text("get")));
    if (status == 0) {
        status = run_test(campaign, options->mix, &mix, NULL);
    }
    mix_free(&mix);
    return status;
}

/* Whether all names of the list are known and can be run, before anything is. */
static int check_names(const char *list, double rate) {
    while (*list != '\0') {
        struct bytes name = bytes_of(list, strcspn(list, ","));
        if (tests_find(name) == NULL) {
            fprintf(stderr, "There is no test %.*s; there are:", (int)name.size, name.at);
            tests_print_names(stderr);
            fputc('\n', stderr);
            return 1;
        }
        if (tests_find(name)->serves != NULL && rate > 0) {
            fprintf(stderr, "%.*s is a test of pairs: --rate does not go with it\n", (int)name.size,
                    name.at);
            return 1;
        }
        list += name.size;
        list += *list == ',';
    }
    return 0;
}

/* Runs the tests of a list one after another, and stops at the first that fails. */
static int run_tests(struct campaign *campaign) {
    const struct options_given *options = campaign->options;
    const char *at = options->tests;
    int status = 0;
    while (status == 0 && *at != '\0') {
        struct bytes name = bytes_of(at, strcspn(at, ","));
        const struct test *test = tests_find(name);
        at += name.size;
        at += *at == ',';
        status = load_for(campaign, test);
        status = status == 0 ? store_once(campaign, test) : status;
        if (status == 0) {
            struct mix mix;
            mix_init(&mix, &options->shape.sizes);
            test_mix(test, &options->shape, &mix);
            status = run_test(campaign, test->name, &mix, test);
            mix_free(&mix);
        }
    }
    return status;
}

/* ---- the whole ---- */

/* Also tells early that a server is not there. */
static int ask_versions(struct campaign *campaign) {
    const struct options_given *options = campaign->options;
    for (int i = 0; i < options->server_count; i++) {
        struct transport *transport = connect_to(&options->servers[i], &options->plan.login);
        if (transport == NULL) {
            return 1;
        }
        control_version(transport, campaign->versions[i]);
        connect_close(transport);
    }
    return 0;
}

/* How many of the tests have an outcome of each server: what can be drawn. */
static int whole_tests(const struct campaign *campaign) {
    int servers = campaign->options->server_count;
    for (int i = 0; i < campaign->tests * servers; i++) {
        if (campaign->outcomes[i].rounds == 0) {
            return i / servers;
        }
    }
    return campaign->tests;
}

int campaign_run(const struct options_given *options) {
    struct campaign campaign = {.options = options};
    campaign.outcomes_size = TESTS_MAX * (size_t)options->server_count * sizeof *campaign.outcomes;
    campaign.outcomes = mem_zalloc(MEM_OTHER, campaign.outcomes_size);
    run_catch_interrupts();
    bool by_name = options->command_size == 0 && options->mix == NULL;
    int status = by_name ? check_names(options->tests, options->plan.rate) : 0;
    if (status == 0) {
        status = ask_versions(&campaign);
    }
    if (status == 0) {
        report_begin(options);
        status = options->command_size > 0 ? run_command(&campaign)
                 : options->mix != NULL    ? run_mix(&campaign)
                                           : run_tests(&campaign);
    }
    int drawn = whole_tests(&campaign);
    if (options->svg != NULL && drawn > 0 &&
        chart_write(options->svg, options, campaign.outcomes, drawn) != 0) {
        status = status == 0 ? 1 : status;
    }
    for (int i = 0; i < campaign.tests * options->server_count; i++) {
        outcome_free(&campaign.outcomes[i]);
    }
    mem_free(MEM_OTHER, campaign.outcomes, campaign.outcomes_size);
    return status;
}
