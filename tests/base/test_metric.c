/* Tests of base/metric: printing, order, resetting, walking. */
#include "base/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SAMPLE_METRICS(X)                                                                          \
    X(STATS, expired_keys, COUNTER, "Counts.")                                                     \
    X(CLIENTS, connected_clients, GAUGE, "Goes up and down.")                                      \
    X(STATS, hits, COUNTER, "Counts too.")

struct sample {
    SAMPLE_METRICS(METRIC_FIELD)
    int resets;
};

static int64_t negative(void *module) {
    return -((struct sample *)module)->resets - 1;
}

static void version(void *module, struct buffer *out) {
    (void)module;
    buffer_append_text(out, "1.2.3");
}

static void databases(void *module, struct buffer *out) {
    (void)module;
    buffer_append_text(out, "db0:keys=1\r\ndb1:keys=2\r\n");
}

static void count_reset(void *module) {
    ((struct sample *)module)->resets++;
}

static const struct metric field_rows[] = {
#define ROW(...) METRIC_ROW(struct sample, __VA_ARGS__)
    SAMPLE_METRICS(ROW)
#undef ROW
};

static const struct metric function_rows[] = {
    {.name = "balance", .section = METRIC_STATS, .kind = METRIC_KIND_NUMBER, .number = negative},
    {.name = "version", .section = METRIC_SERVER, .kind = METRIC_KIND_TEXT, .text = version},
    {.name = "databases", .section = METRIC_KEYSPACE, .kind = METRIC_KIND_LINES, .text = databases},
};

static struct metrics *sample_registry(struct sample *sample) {
    struct metrics *metrics = metrics_new();
    metrics_register(metrics, field_rows, 3, sample, sample, NULL);
    metrics_register(metrics, function_rows, 3, NULL, sample, count_reset);
    return metrics;
}

static void expect_section(const struct metrics *metrics, enum metric_section section,
                           const char *text) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    metrics_print_section(metrics, section, &out);
    assert_string_equal(buffer_text(&out), text);
    buffer_clear(&out);
}

static void test_prints(void **state) {
    (void)state;
    size_t before = mem_used();
    struct sample sample = {.expired_keys = UINT64_MAX, .connected_clients = 3, .hits = 0};
    struct metrics *metrics = sample_registry(&sample);
    expect_section(metrics, METRIC_STATS,
                   "# Stats\r\nexpired_keys:18446744073709551615\r\nhits:0\r\nbalance:-1\r\n");
    expect_section(metrics, METRIC_CLIENTS, "# Clients\r\nconnected_clients:3\r\n");
    expect_section(metrics, METRIC_SERVER, "# Server\r\nversion:1.2.3\r\n");
    expect_section(metrics, METRIC_KEYSPACE, "# Keyspace\r\ndb0:keys=1\r\ndb1:keys=2\r\n");
    expect_section(metrics, METRIC_CPU, "# CPU\r\n");
    metrics_free(metrics);
    metrics_free(NULL);
    assert_int_equal(mem_used(), before);
}

static void test_resets(void **state) {
    (void)state;
    struct sample sample = {.expired_keys = 5, .connected_clients = 3, .hits = 7};
    struct metrics *metrics = sample_registry(&sample);
    metrics_reset(metrics);
    assert_int_equal(sample.expired_keys, 0);
    assert_int_equal(sample.hits, 0);
    assert_int_equal(sample.connected_clients, 3);
    assert_int_equal(sample.resets, 1);
    metrics_free(metrics);
}

static void test_walks(void **state) {
    (void)state;
    struct sample sample = {.expired_keys = 5, .connected_clients = 3, .hits = 7};
    struct metrics *metrics = sample_registry(&sample);
    static const char *const names[] = {"expired_keys", "connected_clients", "hits",
                                        "balance",      "version",           "databases"};
    static const int64_t values[] = {5, 3, 7, -1, 0, 0};
    for (size_t i = 0; i < 6; i++) {
        int64_t value = 99;
        const struct metric *row = metrics_at(metrics, i, &value);
        assert_non_null(row);
        assert_string_equal(row->name, names[i]);
        assert_int_equal(value, values[i]);
    }
    int64_t value;
    assert_null(metrics_at(metrics, 6, &value));
    assert_null(metrics_at(metrics, SIZE_MAX, &value));
    metrics_free(metrics);
}

static void test_many_groups(void **state) {
    (void)state;
    size_t before = mem_used();
    struct sample samples[50] = {{0}};
    struct metrics *metrics = metrics_new();
    for (int i = 0; i < 50; i++) {
        samples[i].connected_clients = (uint64_t)i;
        metrics_register(metrics, field_rows, 3, &samples[i], NULL, NULL);
    }
    int64_t value;
    assert_non_null(metrics_at(metrics, 49 * 3 + 1, &value));
    assert_int_equal(value, 49);
    assert_null(metrics_at(metrics, 150, &value));
    metrics_free(metrics);
    assert_int_equal(mem_used(), before);
}

static void test_section_names(void **state) {
    (void)state;
    assert_string_equal(metrics_section_name(METRIC_SERVER), "Server");
    assert_string_equal(metrics_section_name(METRIC_CPU), "CPU");
    assert_string_equal(metrics_section_name(METRIC_LATENCYSTATS), "Latencystats");
    assert_string_equal(metrics_section_name(METRIC_THREADS), "Threads");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prints),        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_walks),         cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_section_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
