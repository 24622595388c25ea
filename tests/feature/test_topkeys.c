/* Tests of feature/topkeys: what is used much and what is large is found. */
#include "feature/topkeys.h"

#include "support/session.h"

#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/sample.h"

static struct session *session;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    clock_drive(&session->server.clock, 1700000000000);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static struct topkeys *topkeys(void) {
    return session->server.context.topkeys;
}

static void ticks(int count) {
    for (int i = 0; i < count; i++) {
        topkeys_cron(topkeys());
    }
}

static void ask(const char *format, int number) {
    char line[128];
    snprintf(line, sizeof line, format, number);
    session_ask(session, line);
}

static const struct topkey *find(const struct topkey *keys, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(topkey_name(&keys[i]), bytes_text(name))) {
            return &keys[i];
        }
    }
    return NULL;
}

/* Two keys get most requests, and many others one each. */
static void test_used(void **state) {
    (void)state;
    struct topkey keys[TOPKEYS_COUNTERS];
    for (int i = 0; i < 400; i++) {
        ask("GET hot", 0);
        ask(i % 2 == 0 ? "GET warm" : "PING", 0);
        ask("SET other:%d 1", i);
        if (i % 20 == 0) {
            ticks(1);
        }
    }
    size_t count = topkeys_used(topkeys(), keys, TOPKEYS_COUNTERS);
    assert_in_range(count, 2, TOPKEYS_COUNTERS);
    assert_memory_equal(keys[0].name, "hot", 3);
    assert_int_equal(keys[0].name_size, 3);
    assert_memory_equal(keys[1].name, "warm", 4);
    assert_true(keys[0].value > 1.5 * keys[1].value);
    for (size_t i = 1; i < count; i++) {
        assert_true(keys[i - 1].value >= keys[i].value);
        assert_true(keys[i].value > 0);
    }
    assert_int_equal(topkeys_used(topkeys(), keys, 1), 1);
    /* Not asked for any more, they fade. */
    double before = keys[0].value;
    ticks(3000);
    count = topkeys_used(topkeys(), keys, TOPKEYS_COUNTERS);
    const struct topkey *hot = find(keys, count, "hot");
    assert_true(hot == NULL || hot->value < before / 100);
}

/* The same name in another database is another key; a long name is known by its beginning. */
static void test_names(void **state) {
    (void)state;
    struct topkey keys[TOPKEYS_COUNTERS];
    char line[300] = "GET ";
    memset(line + 4, 'n', 200);
    for (int i = 0; i < 60; i++) {
        session_expect(session, "SELECT 3", "+OK\r\n");
        session_expect(session, "GET hot", "$-1\r\n");
        session_expect(session, "SELECT 0", "+OK\r\n");
        session_expect(session, line, "$-1\r\n");
    }
    size_t count = topkeys_used(topkeys(), keys, TOPKEYS_COUNTERS);
    bool found = false;
    bool found_long = false;
    for (size_t i = 0; i < count; i++) {
        found |= keys[i].database == 3 && memcmp(keys[i].name, "hot", 3) == 0;
        found_long |= keys[i].name_size == 200 && topkey_name(&keys[i]).size == TOPKEYS_NAME;
    }
    assert_true(found);
    assert_true(found_long);
}

/* However many requests there are, no more than wanted are looked at; none is missed of few. */
static void test_rate(void **state) {
    (void)state;
    struct sample *sample = clients_sample(session->server.context.clients);
    struct client_metrics *metrics = clients_metrics(session->server.context.clients);
    ticks(2);
    assert_int_equal(sample->every, 1);
    metrics->total_commands_processed += 100000;
    ticks(1);
    assert_int_equal(sample->every, 2000);
    metrics->total_commands_processed = 0;
    ticks(2);
    assert_int_equal(sample->every, 1);
}

static void test_largest(void **state) {
    (void)state;
    struct topkey keys[2 * TOPKEYS_SIZES];
    session_expect(session, "FLUSHALL", "+OK\r\n");
    assert_int_equal(topkeys_largest(topkeys(), keys, 1), 0);
    for (int i = 0; i < 300; i++) {
        ask("SET small:%d 1", i);
        ask("RPUSH list abcdefghijklmnopqrstuvwxyz%d", i);
    }
    session_expect(session, "SETRANGE big 100000 x", ":100001\r\n");
    session_expect(session, "SELECT 5", "+OK\r\n");
    session_expect(session, "SETRANGE elsewhere 50000 x", ":50001\r\n");
    session_expect(session, "SELECT 0", "+OK\r\n");
    ticks(50);
    size_t count = topkeys_largest(topkeys(), keys, 2 * TOPKEYS_SIZES);
    assert_true(count >= 3);
    assert_true(bytes_equal(topkey_name(&keys[0]), bytes_text("big")));
    assert_string_equal(keys[0].type, "string");
    assert_true(keys[0].value > 100000 && keys[0].value < 140000);
    assert_true(bytes_equal(topkey_name(&keys[1]), bytes_text("elsewhere")));
    assert_int_equal(keys[1].database, 5);
    assert_true(bytes_equal(topkey_name(&keys[2]), bytes_text("list")));
    assert_string_equal(keys[2].type, "list");
    /* What is gone is not shown, and what has become small is not large. */
    session_expect(session, "DEL big", ":1\r\n");
    session_expect(session, "LTRIM list 0 0", "+OK\r\n");
    count = topkeys_largest(topkeys(), keys, 2 * TOPKEYS_SIZES);
    assert_true(bytes_equal(topkey_name(&keys[0]), bytes_text("elsewhere")));
    assert_null(find(keys, count, "big"));
    const struct topkey *list = find(keys, count, "list");
    assert_true(list == NULL || list->value < 1000);
    ticks(50);
    count = topkeys_largest(topkeys(), keys, 2 * TOPKEYS_SIZES);
    assert_in_range(count, TOPKEYS_SIZES, 2 * TOPKEYS_SIZES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests(tests, start, end);
}
