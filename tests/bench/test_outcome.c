/* Tests of bench/load/outcome and servers: medians over rounds, what is not known, and reading
 * where servers are. */
#include "load/outcome.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "load/servers.h"

static void test_median(void **state) {
    (void)state;
    double odd[] = {5, 1, 3};
    double even[] = {4, 1, 3, 2};
    double one[] = {7};
    double unknown[] = {1, NAN, 3};
    assert_true(median(odd, 3) == 3);
    assert_true(median(even, 4) == 2.5);
    assert_true(median(one, 1) == 7);
    assert_true(isnan(median(unknown, 3)));
    assert_true(isnan(median(one, 0)));
}

static void add_round(struct outcome *outcome, uint64_t requests, int64_t server_ns, int64_t ns) {
    struct run_result result = {.requests = requests,
                                .elapsed_ns = 1000000000,
                                .server_ns = server_ns,
                                .own_ns = 2000,
                                .latency = durations_new(),
                                .lateness = durations_new()};
    durations_record(result.latency, ns, requests);
    outcome_add(outcome, &result);
    run_result_free(&result);
}

static void test_rounds(void **state) {
    (void)state;
    size_t before = mem_used();
    struct endpoint server = {.name = "one"};
    struct outcome outcome;
    outcome_init(&outcome, "get", 1, &server, "");
    add_round(&outcome, 1000, 5000, 1000);
    add_round(&outcome, 100, 500, 2000);
    add_round(&outcome, 10, 20, 1500);
    assert_true(outcome_figure(&outcome, FIGURE_RATE) == 100);
    assert_true(outcome_figure(&outcome, FIGURE_SERVER_NS) == 5);
    assert_true(outcome_figure(&outcome, FIGURE_OWN_NS) == 20);
    assert_true(outcome_figure(&outcome, FIGURE_P50) == 1.5);
    assert_true(outcome_figure(&outcome, FIGURE_MAX) == 1.5);
    assert_int_equal(outcome.requests, 1110);
    assert_int_equal(durations_count(outcome.latency), 1110);
    assert_int_equal(durations_max(outcome.latency), 2000);
    add_round(&outcome, 0, -1, 0);
    assert_true(isnan(outcome_figure(&outcome, FIGURE_SERVER_NS)));
    outcome_free(&outcome);
    assert_int_equal(mem_used(), before);
}

static void test_servers(void **state) {
    (void)state;
    char text[] = "old=127.0.0.1:7001,new=/run/larder.sock,[::1]:7002,7003,name.of.host:6379";
    struct endpoint servers[SERVERS_MAX];
    assert_int_equal(servers_read(text, servers, SERVERS_MAX), 5);
    assert_string_equal(servers[0].name, "old");
    assert_string_equal(servers[0].host, "127.0.0.1");
    assert_string_equal(servers[0].port, "7001");
    assert_null(servers[0].path);
    assert_string_equal(servers[1].name, "new");
    assert_string_equal(servers[1].path, "/run/larder.sock");
    assert_string_equal(servers[2].name, "[::1]:7002");
    assert_string_equal(servers[2].host, "::1");
    assert_string_equal(servers[2].port, "7002");
    assert_string_equal(servers[3].host, "127.0.0.1");
    assert_string_equal(servers[3].port, "7003");
    assert_string_equal(servers[4].host, "name.of.host");
}

static void test_servers_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        ",",
                                        "a=",
                                        "=1",
                                        "host",
                                        "host:",
                                        ":7001",
                                        "h:0",
                                        "h:65536",
                                        "a=h:x",
                                        "1,2,3,4,5,6,7,8,9"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[64];
        struct endpoint servers[SERVERS_MAX];
        strcpy(text, texts[i]);
        if (servers_read(text, servers, SERVERS_MAX) != -1) {
            fail_msg("%s was taken", texts[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_servers_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
