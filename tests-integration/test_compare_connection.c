/* Connections and the server as a whole: PING, ECHO, HELLO, AUTH, RESET, CLIENT, the lists of slow
 * and late commands, and requests as a person would type them. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pair *pair;

static int start(void **state) {
    (void)state;
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

static const char *const setup[] = {"CONFIG SET slowlog-log-slower-than 10000000", "SLOWLOG RESET",
                                    NULL};

static const struct row rows[] = {
    {6, COMPARE_EXACT, "PING [%v]"},
    {6, COMPARE_EXACT, "ECHO %v"},
    {4, COMPARE_EXACT, "SELECT %u"},
    {3, COMPARE_EXACT, "DBSIZE"},
    {2, COMPARE_EXACT, "SET %s %v"},
    {2, COMPARE_EXACT, "GET %s"},
    {1, COMPARE_EXACT, "FLUSHALL [ASYNC|SYNC]"},
    {1, COMPARE_EXACT, "SWAPDB %u %u"},
    {1, COMPARE_SHAPE, "TIME"},
    {1, COMPARE_SHAPE, "LASTSAVE"},
    {1, COMPARE_EXACT, "ROLE"},
    {2, COMPARE_SHAPE, "HELLO (4|1|x|-1|99999999999999999999|)"},
    {2, COMPARE_SHAPE, "HELLO (2|3) (SETNAME|AUTH|AUTH x|NOSUCH|SETNAME %v NOSUCH)"},
    {1, COMPARE_SHAPE, "HELLO (2|3|) [SETNAME (abc|a\"b)]"},
    {2, COMPARE_EXACT, "AUTH %w [%w]"},
    {2, COMPARE_EXACT, "AUTH default %w"},
    {1, COMPARE_EXACT, "RESET"},
    {3, COMPARE_EXACT, "CLIENT SETNAME %v"},
    {3, COMPARE_EXACT, "CLIENT SETNAME (abc|a-b|%w|)"},
    {3, COMPARE_EXACT, "CLIENT GETNAME"},
    {1, COMPARE_SHAPE, "CLIENT ID"},
    {1, COMPARE_SHAPE, "CLIENT INFO"},
    {1, COMPARE_SHAPE, "CLIENT LIST [TYPE (normal|master|replica|pubsub|x)|ID {%c}|ID x|%g]"},
    {1, COMPARE_SHAPE, "CLIENT LIST (TYPE (master|replica|pubsub|x)|ID x|NOSUCH)"},
    {3, COMPARE_EXACT,
     "CLIENT KILL <[ID (-1|0|x|99999999)] [ADDR 1.2.3.4:5] [LADDR 1.2.3.4:5] [TYPE (master|x)] "
     "[SKIPME (yes|x)] USER nobody>"},
    {1, COMPARE_EXACT, "CLIENT KILL (1.2.3.4:5|x)"},
    {1, COMPARE_EXACT, "CLIENT NO-EVICT (on|off|x)"},
    {1, COMPARE_EXACT, "CLIENT (GETREDIR|TRACKINGINFO)"},
    {1, COMPARE_EXACT, "CLIENT CACHING (yes|no|x)"},
    {1, COMPARE_EXACT, "CLIENT UNPAUSE"},
    {1, COMPARE_EXACT, "CLIENT REPLY x"},
    {1, COMPARE_EXACT, "SLOWLOG (LEN|RESET|GET [%c])"},
    {1, COMPARE_EXACT, "LATENCY (LATEST|HISTORY %w|RESET [%w]|GRAPH %w)"},
    {1, COMPARE_KIND, "LATENCY HISTOGRAM (nosuch|%w)"},
    {1, COMPARE_EXACT, "CONFIG RESETSTAT"},
    {1, COMPARE_EXACT, "MEMORY USAGE none:7 [SAMPLES (x|-1|0)]"},
};

/* Whether DEBUG is allowed is asked when it is executed, not when it is queued. */
static const struct row lone_rows[] = {
    {1, COMPARE_EXACT, "DEBUG %w"},
    {1, COMPARE_EXACT, "PING"},
};

static void connections(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(rows, setup), .spoiled = 4});
    pair_compare(pair, &(struct family){FAMILY(lone_rows, setup), .alone = true, .time_share = 5});
}

static void spoiled(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(rows, setup), .spoiled = 60, .answered = 1,
                                        .time_share = 50});
}

/* Not among the rows above: what is wrong by chance must not be a pause. */
static void pauses(void **state) {
    (void)state;
    static const char *const lines[] = {
        "CLIENT PAUSE",
        "CLIENT PAUSE x",
        "CLIENT PAUSE -1",
        "CLIENT PAUSE x WRITE",
        "client pause -1 all",
        "CLIENT PAUSE 1 x",
        "CLIENT pause 1 ALL x",
        "CLIENT PAUSE -1 ALL x y",
        "CLIENT PAUSE 9223372036854775808",
        "CLIENT PAUSE 0",
        "CLIENT PAUSE 1 WRITE",
        "SET key value",
        "CLIENT PAUSE 1 ALL",
        "GET key",
        "CLIENT UNPAUSE",
        "CLIENT UNPAUSE x",
    };
    pair_connect(pair, 2);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pair_ask(pair, COMPARE_EXACT, lines[i]);
    }
}

/* The parts of HELLO's reply that are no version and no number. */
static void hello(void **state) {
    (void)state;
    static const char *const parts[] = {"\"server\"",     "\"redis\"", "\"version\"", "\"proto\"",
                                        "\"id\"",         "\"mode\"",  "\"role\"",    "\"modules\"",
                                        "\"standalone\"", "\"master\""};
    for (int protocol = 2; protocol <= 3; protocol++) {
        char *texts[2];
        char line[32];
        pair_connect(pair, 2);
        snprintf(line, sizeof line, "HELLO %d", protocol);
        pair_texts(pair, line, texts);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            for (int side = 0; side < 2; side++) {
                harness_note(parts[i]);
                assert_non_null(strstr(texts[side], parts[i]));
            }
        }
        free(texts[0]);
        free(texts[1]);
    }
}

/* What errors repeat of arguments of any size. */
static void long_words(void **state) {
    (void)state;
    static const char *const before[] = {"HELLO 3",
                                         "EXPIRE key 1",
                                         "CLIENT LIST TYPE",
                                         "CLIENT",
                                         "CLIENT KILL TYPE",
                                         "CLIENT KILL USER",
                                         "CONFIG SET a",
                                         "LATENCY GRAPH",
                                         "SLOWLOG",
                                         "PUBSUB",
                                         "NOSUCH"};
    static const size_t sizes[] = {127, 128, 129, 1000, 1023, 1024, 1025, 5000};
    char line[6000];
    pair_connect(pair, 2);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            int size = snprintf(line, sizeof line, "%s ", before[i]);
            memset(line + size, 'x', sizes[j]);
            line[(size_t)size + sizes[j]] = '\0';
            pair_ask(pair, COMPARE_EXACT, line);
        }
    }
}

/* Sends the bytes as they are to both and compares all that comes until both close. */
static void compare_bytes(const char *bytes, size_t size) {
    char answers[2][4096];
    size_t sizes[2];
    for (int side = 0; side < 2; side++) {
        int fd = wire_connect(pair_server(pair, side));
        wire_send(fd, bytes, size);
        /* What is no error is followed by this one. */
        wire_send_text(fd, "\r\nQUIT\r\n");
        sizes[side] = 0;
        for (;;) {
            ssize_t got =
                read(fd, answers[side] + sizes[side], sizeof answers[side] - sizes[side] - 1);
            if (got <= 0) {
                break;
            }
            sizes[side] += (size_t)got;
        }
        answers[side][sizes[side]] = 0;
        close(fd);
    }
    assert_string_equal(answers[0], answers[1]);
    assert_int_equal(sizes[0], sizes[1]);
}

static void typed_lines(void **state) {
    (void)state;
    static const char *const lines[] = {
        "PING",
        "ping\r\nPING\n",
        "  PING  ",
        "SET a 'b c'\r\nGET a",
        "SET a \"b\\x41\\n\\\"c\"\r\nGET a",
        "SET a 'it\\'s'\r\nGET a",
        "SET a \"\"\r\nGET a\r\nSTRLEN a",
        "SET a \"unbalanced",
        "SET a 'unbalanced",
        "SET a \"b\"c",
        "SET a 'b'c",
        "\r\n\r\nPING",
        "\tECHO\ta",
        "ECHO \xff\xfe",
        "ECHO a\\x41",
        "nosuch 'a b' c",
        "GET",
        "*0\r\nPING",
        "*-1\r\nPING",
        "*-5\r\nPING",
        "*1\r\n$4\r\nPING",
        "*x\r\n",
        "*1x\r\n",
        "*1048577\r\n",
        "*99999999999999999999\r\n",
        "*1\r\nPING",
        "*1\r\n:4\r\n",
        "*1\r\n$x\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$536870913\r\n",
        "*1\r\n$99999999999999999999\r\n",
        "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n*1\r\n$4\r\nPING",
        "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$4\r\nPING",
        "QUIT\r\nPING",
        "QUIT now",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        harness_note(lines[i]);
        compare_bytes(lines[i], strlen(lines[i]));
    }
}

/* A first word too long to be shown whole. */
static void long_lines(void **state) {
    (void)state;
    static const size_t sizes[] = {127, 128, 129, 1000, 60000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *line = malloc(sizes[i]);
        memset(line, 'x', sizes[i]);
        compare_bytes(line, sizes[i]);
        free(line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections), cmocka_unit_test(spoiled),
        cmocka_unit_test(hello),       cmocka_unit_test(long_words),
        cmocka_unit_test(pauses),      cmocka_unit_test(typed_lines),
        cmocka_unit_test(long_lines),  cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
