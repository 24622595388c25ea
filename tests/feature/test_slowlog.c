/* Tests of feature/slowlog: what is logged, what is cut off, what is kept secret. */
#include "feature/slowlog.h"

#include "client/client_int.h"
#include "support/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/histogram.h"
#include "base/mem.h"
#include "client/input.h"

static struct session *session;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static struct slowlog *log_of(void) {
    return session->server.context.slowlog;
}

/* The newest entry's arguments, one space between. */
static const char *newest(void) {
    static char text[65536];
    const struct slowlog_entry *entry = slowlog_newest(log_of());
    assert_non_null(entry);
    size_t size = 0;
    for (int i = 0; i < entry->argument_count; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", i == 0 ? "" : " ",
                                 (int)entry->arguments[i].size, entry->arguments[i].at);
    }
    return text;
}

/* The answer does not matter, the entry does. */
static const char *logged(const char *line) {
    session_ask(session, line);
    return newest();
}

static void log_everything(void) {
    session_expect(session, "CONFIG SET slowlog-log-slower-than 0", "+OK\r\n");
    slowlog_reset(log_of());
}

static void test_off(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET slowlog-log-slower-than -1", "+OK\r\n");
    session_expect(session, "SET a b", "+OK\r\n");
    assert_int_equal(slowlog_length(log_of()), 0);
    assert_null(slowlog_newest(log_of()));
    assert_int_equal(slowlog_slower_than_us(log_of()), -1);
    session_expect(session, "SLOWLOG GET", "*0\r\n");
    session_expect(session, "SLOWLOG LEN", ":0\r\n");
    /* So long that nothing is. */
    session_expect(session, "CONFIG SET slowlog-log-slower-than 9223372036854775807", "+OK\r\n");
    session_expect(session, "SET a b", "+OK\r\n");
    assert_int_equal(slowlog_length(log_of()), 0);
}

static void test_entries(void **state) {
    (void)state;
    clock_drive(&session->server.clock, 1700000000999);
    session_expect(session, "CLIENT SETNAME me", "+OK\r\n");
    log_everything();
    int64_t id = -1;
    assert_string_equal(logged("sEt a b"), "sEt a b");
    const struct slowlog_entry *entry = slowlog_newest(log_of());
    id = entry->id;
    assert_int_equal(entry->time_s, 1700000000);
    assert_true(entry->duration_us >= 0);
    assert_int_equal(entry->name.size, 2);
    assert_memory_equal(entry->name.at, "me", 2);
    assert_true(entry->peer.size > 2);
    assert_string_equal(logged("GET a"), "GET a");
    assert_int_equal(slowlog_newest(log_of())->id, id + 1);
    assert_ptr_equal(slowlog_newest(log_of())->older, entry);
    assert_int_equal(slowlog_length(log_of()), 2);
    /* What is refused is not executed, so it is not slow. */
    session_ask(session, "GET");
    session_ask(session, "NOSUCH a");
    assert_int_equal(slowlog_length(log_of()), 2);
    /* Ids go on behind a reset. */
    session_ask(session, "SLOWLOG RESET");
    assert_int_equal(slowlog_length(log_of()), 1);
    assert_int_equal(slowlog_newest(log_of())->id, id + 2);
}

static void test_arguments_cut(void **state) {
    (void)state;
    log_everything();
    char line[1024];
    for (int keys = 30; keys <= 40; keys++) {
        char expected[1024];
        size_t size = (size_t)snprintf(line, sizeof line, "MGET");
        for (int i = 0; i < keys; i++) {
            size += (size_t)snprintf(line + size, sizeof line - size, " k%d", i);
        }
        int argc = keys + 1;
        if (argc <= SLOWLOG_ARGUMENTS_MAX) {
            assert_string_equal(logged(line), line);
            continue;
        }
        size = (size_t)snprintf(expected, sizeof expected, "MGET");
        for (int i = 0; i < SLOWLOG_ARGUMENTS_MAX - 2; i++) {
            size += (size_t)snprintf(expected + size, sizeof expected - size, " k%d", i);
        }
        snprintf(expected + size, sizeof expected - size, " ... (%d more arguments)",
                 argc - (SLOWLOG_ARGUMENTS_MAX - 1));
        assert_string_equal(logged(line), expected);
        assert_int_equal(slowlog_newest(log_of())->argument_count, SLOWLOG_ARGUMENTS_MAX);
    }
}

static void test_bytes_cut(void **state) {
    (void)state;
    log_everything();
    char value[512];
    char line[1024];
    char expected[1024];
    for (int size = 127; size <= 300; size++) {
        memset(value, 'v', (size_t)size);
        value[size] = '\0';
        snprintf(line, sizeof line, "SET k %s", value);
        if (size <= SLOWLOG_ARGUMENT_SIZE_MAX) {
            assert_string_equal(logged(line), line);
        } else {
            snprintf(expected, sizeof expected, "SET k %.*s... (%d more bytes)",
                     SLOWLOG_ARGUMENT_SIZE_MAX, value, size - SLOWLOG_ARGUMENT_SIZE_MAX);
            assert_string_equal(logged(line), expected);
        }
    }
    /* An empty argument, NUL and line ends. */
    session_ask(session, "SET k \"\"");
    assert_int_equal(slowlog_newest(log_of())->arguments[2].size, 0);
    session_ask(session, "SET k \"a\\x00\\r\\nb\"");
    assert_int_equal(slowlog_newest(log_of())->arguments[2].size, 5);
    assert_memory_equal(slowlog_newest(log_of())->arguments[2].at, "a\0\r\nb", 5);
}

/* Arguments that were read into blobs are shown although their command has let them go: the first
 * value of `a` was replaced by the second. */
static void test_large_arguments(void **state) {
    (void)state;
    log_everything();
    char value[4 * INPUT_BLOB_MIN];
    memset(value, 'v', sizeof value);
    struct buffer request;
    buffer_init(&request, MEM_OTHER);
    buffer_append_text(&request, "*5\r\n$4\r\nMSET\r\n");
    for (int i = 0; i < 2; i++) {
        buffer_printf(&request, "$1\r\na\r\n$%zu\r\n", sizeof value);
        buffer_append(&request, value, sizeof value);
        buffer_append_text(&request, "\r\n");
    }
    assert_int_equal(write(session->fd, request.at, request.size), request.size);
    buffer_clear(&request);
    const char *answer = "";
    for (int i = 0; i < 100 && *answer == '\0'; i++) {
        session_pass(session);
        answer = session_read(session, session->fd);
    }
    assert_string_equal(answer, "+OK\r\n");
    answer = session_ask(session, "SLOWLOG GET 1");
    char shown[SLOWLOG_ARGUMENT_SIZE_MAX + 64];
    snprintf(shown, sizeof shown, "%.*s... (%zu more bytes)", SLOWLOG_ARGUMENT_SIZE_MAX, value,
             sizeof value - SLOWLOG_ARGUMENT_SIZE_MAX);
    const char *first = strstr(answer, shown);
    assert_non_null(first);
    assert_non_null(strstr(first + 1, shown));
}

static void test_secrets(void **state) {
    (void)state;
    log_everything();
    assert_string_equal(logged("AUTH secret"), "AUTH (redacted)");
    assert_string_equal(logged("AUTH me secret"), "AUTH (redacted) (redacted)");
    assert_string_equal(logged("HELLO 2 AUTH me secret"), "HELLO 2 AUTH (redacted) (redacted)");
    assert_string_equal(logged("CONFIG SET hz 11 requirepass secret"),
                        "CONFIG SET hz 11 requirepass (redacted)");
    assert_string_equal(logged("CONFIG SET requirepass \"\""), "CONFIG SET requirepass (redacted)");
    assert_string_equal(logged("SET auth secret"), "SET auth secret");
}

/* What the features take but for the server's histograms, which grow with what happens. */
static size_t memory(void) {
    return mem_used_by(MEM_FEATURE) -
           histogram_footprint(session->server.context.clients->inlined.latency) -
           histogram_footprint(session->server.passes);
}

static void test_length(void **state) {
    (void)state;
    /* Histograms of durations grow by themselves. */
    session_expect(session, "CONFIG SET latency-tracking no", "+OK\r\n");
    log_everything();
    size_t before = memory();
    for (int i = 0; i < 300; i++) {
        session_ask(session, "GET a");
    }
    assert_int_equal(slowlog_length(log_of()), 128);
    assert_true(memory() > before);
    session_expect(session, "CONFIG SET slowlog-max-len 3", "+OK\r\n");
    assert_int_equal(slowlog_length(log_of()), 3);
    int64_t id = slowlog_newest(log_of())->id;
    assert_int_equal(slowlog_newest(log_of())->older->older->id, id - 2);
    assert_null(slowlog_newest(log_of())->older->older->older);
    session_expect(session, "CONFIG SET slowlog-max-len 0", "+OK\r\n");
    session_ask(session, "GET a");
    assert_int_equal(slowlog_length(log_of()), 0);
    assert_int_equal(memory(), before);
    session_expect(session, "CONFIG SET slowlog-max-len -1",
                   "-ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - "
                   "argument must be between 0 and 9223372036854775807 inclusive\r\n");
}

static void test_counts_of_get(void **state) {
    (void)state;
    log_everything();
    for (int i = 0; i < 15; i++) {
        session_ask(session, "GET a");
    }
    session_expect(session, "CONFIG SET slowlog-log-slower-than -1", "+OK\r\n");
    size_t length = slowlog_length(log_of());
    char text[16];
    snprintf(text, sizeof text, "*%zu\r\n", length);
    assert_memory_equal(session_ask(session, "SLOWLOG GET"), "*10\r\n", 5);
    assert_memory_equal(session_ask(session, "SLOWLOG GET -1"), text, strlen(text));
    assert_memory_equal(session_ask(session, "SLOWLOG GET 1000"), text, strlen(text));
    session_expect(session, "SLOWLOG GET 0", "*0\r\n");
    session_expect(session, "SLOWLOG GET -2",
                   "-ERR count should be greater than or equal to -1\r\n");
    session_expect(session, "SLOWLOG GET x",
                   "-ERR count should be greater than or equal to -1\r\n");
    session_expect(session, "SLOWLOG GET 1 2",
                   "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG "
                   "HELP.\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_off, start, end),
        cmocka_unit_test_setup_teardown(test_entries, start, end),
        cmocka_unit_test_setup_teardown(test_arguments_cut, start, end),
        cmocka_unit_test_setup_teardown(test_bytes_cut, start, end),
        cmocka_unit_test_setup_teardown(test_large_arguments, start, end),
        cmocka_unit_test_setup_teardown(test_secrets, start, end),
        cmocka_unit_test_setup_teardown(test_length, start, end),
        cmocka_unit_test_setup_teardown(test_counts_of_get, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
