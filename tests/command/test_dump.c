/* Tests of RESTORE that other servers cannot be compared in: what it becomes for those who repeat
 * it, and what is told of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "call/pass_on.h"
#include "persist/crc64.h"
#include "support/session.h"

#define FOOTER_SIZE 10

static struct session *session;
static struct buffer heard;

/* Payloads of a string, of a hash with a deadline of a field, and one that is none; as bytes, and
 * as words of a line in quotes. */
enum { STRING, HASH, DAMAGED, PAYLOADS };
static const struct {
    const char *at;
    size_t size;
    char version;
} values[PAYLOADS] = {
    {"\0\xc0\x05", 3, 10},
    {"\x18\0\0\0\0\0\x10\0\0\x01\x01\x01"
     "f\x01v",
     15, 12},
    {"\x02\0", 2, 10},
};
static char payloads[PAYLOADS][64];
static size_t sizes[PAYLOADS];
static char quoted[PAYLOADS][4 * 64 + 3];

static void make_payloads(void) {
    for (size_t i = 0; i < PAYLOADS; i++) {
        char *payload = payloads[i];
        size_t size = values[i].size;
        memcpy(payload, values[i].at, size);
        payload[size++] = values[i].version;
        payload[size++] = 0;
        uint64_t crc = crc64(0, payload, size);
        memcpy(payload + size, &crc, sizeof crc);
        sizes[i] = size + sizeof crc;
        char *out = quoted[i];
        *out++ = '"';
        for (size_t k = 0; k < sizes[i]; k++) {
            out += sprintf(out, "\\x%02x", (unsigned char)payload[k]);
        }
        *out++ = '"';
        *out = '\0';
    }
}

static void passed(void *unused, struct bytes unit, int commands) {
    (void)unused;
    (void)commands;
    buffer_append(&heard, unit.at, unit.size);
}

static struct pass_on_listener listener = {.passed = passed};

static int set_up(void **state) {
    (void)state;
    static const char *const options[] = {"--maxmemory-policy", "allkeys-lru", NULL};
    make_payloads();
    session = session_start(options);
    buffer_init(&heard, MEM_OTHER);
    pass_on_listen(session->server.context.pass_on, &listener);
    clock_drive(&session->server.clock, 1000000);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    pass_on_unlisten(session->server.context.pass_on, &listener);
    buffer_clear(&heard);
    session_end(session);
    return 0;
}

/* The words of what was heard, with a space behind each; a payload is called STRING or HASH. */
static const char *words_heard(void) {
    static char words[1024];
    size_t size = 0;
    const char *at = heard.at;
    const char *end = at + heard.size;
    while (at < end) {
        char kind = *at;
        long number = strtol(at + 1, NULL, 10);
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        if (kind != '$') {
            continue;
        }
        bool is_string =
            (size_t)number == sizes[STRING] && memcmp(at, payloads[STRING], sizes[STRING]) == 0;
        bool is_hash =
            (size_t)number == sizes[HASH] && memcmp(at, payloads[HASH], sizes[HASH]) == 0;
        int room = (int)(sizeof words - size);
        size += is_string || is_hash
                    ? (size_t)snprintf(words + size, (size_t)room, is_hash ? "HASH " : "STRING ")
                    : (size_t)snprintf(words + size, (size_t)room, "%.*s ", (int)number, at);
        at += number + 2;
    }
    words[size] = '\0';
    heard.size = 0;
    return words;
}

/* A line with the payload in the place of the word %s. */
static const char *restore(const char *form, size_t payload) {
    char line[1024];
    const char *place = strstr(form, "%s");
    snprintf(line, sizeof line, "%.*s%s%s", (int)(place - form), form, quoted[payload], place + 2);
    return session_ask(session, line);
}

struct restored {
    const char *form;
    size_t payload;
    const char *answer;
    const char *heard;
    const char *events;
};

/* Time stands at 1000000. */
static const struct restored steps[] = {
    {"RESTORE k 0 %s", STRING, "+OK\r\n", "SELECT 0 RESTORE k 0 STRING ", "restore "},
    {"RESTORE k 0 %s", STRING, "-BUSYKEY Target key name already exists.\r\n", "", ""},
    {"restore k 0 %s replace", STRING, "+OK\r\n", "restore k 0 STRING replace ", "restore "},
    {"RESTORE k 5000 %s REPLACE", STRING, "+OK\r\n", "RESTORE k 1005000 STRING ABSTTL REPLACE ",
     "restore "},
    {"RESTORE new 5000 %s IDLETIME 7", HASH, "+OK\r\n",
     "RESTORE new 1005000 HASH ABSTTL IDLETIME 7 ", "restore "},
    {"RESTORE new2 5000 %s FREQ 7", STRING, "+OK\r\n", "RESTORE new2 1005000 STRING ABSTTL FREQ 7 ",
     "restore "},
    {"RESTORE k 1005000 %s REPLACE ABSTTL", STRING, "+OK\r\n",
     "RESTORE k 1005000 STRING REPLACE ABSTTL ", "restore "},
    {"RESTORE none 999999 %s ABSTTL", STRING, "+OK\r\n", "", ""},
    {"RESTORE new2 999999 %s ABSTTL REPLACE", STRING, "+OK\r\n", "DEL new2 ", "del "},
    {"RESTORE x 0 %s", DAMAGED, "-ERR Bad data format\r\n", "", ""},
    {"RESTORE k 0 %s REPLACE", DAMAGED, "-ERR Bad data format\r\n", "", ""},
    {"RESTORE k 0 %s REPLACE IDLETIME -1", STRING, "-ERR Invalid IDLETIME value, must be >= 0\r\n",
     "", ""},
};

static void events_told(int fd, char *told, size_t size) {
    *told = '\0';
    session_pass(session);
    const char *at = session_read(session, fd);
    while ((at = strstr(at, "\r\n__keyevent@0__:")) != NULL) {
        at += strlen("\r\n__keyevent@0__:");
        if (*at != '*') { /* the pattern */
            size_t used = strlen(told);
            snprintf(told + used, size - used, "%.*s ", (int)strcspn(at, "\r"), at);
        }
    }
}

static void restore_becomes_what_can_be_repeated(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET notify-keyspace-events Ezg", "+OK\r\n");
    int other = session_connect(session);
    session_ask_on(session, other, "PSUBSCRIBE __keyevent@0__:*");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char told[256];
        uint64_t changes = session->server.keyspace.changes;
        assert_string_equal(restore(steps[i].form, steps[i].payload), steps[i].answer);
        assert_string_equal(words_heard(), steps[i].heard);
        events_told(other, told, sizeof told);
        assert_string_equal(told, steps[i].events);
        assert_int_equal(session->server.keyspace.changes - changes, *steps[i].events != '\0');
    }
    session_expect(session, "GET k", "$1\r\n5\r\n");
    session_expect(session, "PTTL k", ":5000\r\n");
    session_expect(session, "HPEXPIRETIME new FIELDS 1 f", "*1\r\n:17592186044416\r\n");
    close(other);
}

/* What has come with a deadline of its field is told to the index of deadlines. */
static void restored_fields_expire(void **state) {
    (void)state;
    assert_string_equal(restore("RESTORE h 0 %s", HASH), "+OK\r\n");
    session_expect(session, "HGET h f", "$1\r\nv\r\n");
    clock_drive(&session->server.clock, 17592186044416);
    session_expect(session, "HGET h f", "$-1\r\n");
    for (int i = 0; i < 1000 && *words_heard() == '\0'; i++) {
        session_pass(session);
    }
    session_expect(session, "EXISTS h", ":0\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(restore_becomes_what_can_be_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(restored_fields_expire, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
