/* Replies that do not go out at once: large values, readers that read late or never, limits of what
 * may wait, and connections that end meanwhile. */
#include "harness.h"
#include "probe.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1024 * 1024)

static struct server *server;
static int other; /* a connection that nothing happens to */

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    other = wire_connect(server);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    wire_settle(other);
    close(other);
    server_stop(server);
}

static char *pattern(size_t size, unsigned seed) {
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 131 + (i >> 9) + seed);
    }
    return bytes;
}

static void set_value(int fd, const char *key, const char *value, size_t size) {
    const char *const words[] = {"SET", key, value};
    const size_t sizes[] = {3, strlen(key), size};
    wire_send_words(fd, words, sizes, 3);
    wire_expect(fd, "+OK\r\n");
}

static void expect_bulk(int fd, const char *value, size_t size) {
    char head[32];
    snprintf(head, sizeof head, "$%zu\r\n", size);
    wire_expect(fd, head);
    wire_expect_bytes(fd, value, size);
    wire_expect(fd, "\r\n");
}

static void large_values(void **state) {
    (void)state;
    static const size_t sizes[] = {16383, 16384, 16385, MIB, 100 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *value = pattern(sizes[i], 0);
        set_value(other, "large", value, sizes[i]);
        int fd = wire_connect(server);
        wire_send_text(fd, "PING\r\nGET large\r\nPING\r\n");
        wire_expect(fd, "+PONG\r\n");
        expect_bulk(fd, value, sizes[i]);
        wire_expect(fd, "+PONG\r\n");
        close(fd);
        free(value);
    }
    wire_expect_reply(other, "DEL large", ":1");
}

static bool waits(void *context) {
    return probe_client(other, *(int64_t *)context, "oll") > 0;
}

/* What becomes of the value while its reply is on the way does not show in the reply. */
static void values_change_on_the_way(void **state) {
    (void)state;
    static const char *const changes[] = {
        "SET large x",          "DEL large",         "APPEND large xyz",
        "SETRANGE large 5 abc", "FLUSHALL",          "GETDEL large",
        "RENAME large gone",    "SETBIT large 77 1", "EXPIRE large -1"};
    size_t size = 30 * MIB;
    char *value = pattern(size, 7);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        harness_note(changes[i]);
        set_value(other, "large", value, size);
        int fd = wire_connect(server);
        int64_t id = probe_id(fd);
        wire_send_text(fd, "GET large\r\nECHO behind\r\n");
        harness_wait_for(waits, &id, "a reply that waits");
        int changer = wire_connect(server);
        wire_send_text(changer, changes[i]);
        wire_send_text(changer, "\r\n");
        size_t answered;
        free(wire_read_raw(changer, &answered));
        close(changer);
        expect_bulk(fd, value, size);
        wire_expect(fd, "$6\r\nbehind\r\n");
        close(fd);
    }
    free(value);
    free(wire_ask(other, "FLUSHALL", NULL));
}

/* Sends requests that are answered with `answer` bytes each, without reading. Reading from the
 * client pauses, memory stays bounded, and in the end every reply comes in order. */
static void read_late(size_t answer, int count) {
    int fd = wire_connect(server);
    int64_t id = probe_id(fd);
    int64_t resident = probe_resident(server);
    char *value = pattern(answer, 1);
    set_value(other, "late", value, answer);
    char *requests = malloc((size_t)count * 48);
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size +=
            (size_t)sprintf(requests + size, "GET late\r\n*2\r\n$4\r\nECHO\r\n$6\r\n%06d\r\n", i);
    }
    /* Until the server has stopped reading, and the socket is full or all is sent. */
    size_t sent = 0;
    int64_t largest = 0;
    for (int still = 0; still < 20;) {
        size_t more = wire_try_send(fd, requests + sent, size - sent);
        sent += more;
        int64_t held = probe_client(other, id, "tot-mem");
        largest = held > largest ? held : largest;
        still = more == 0 ? still + 1 : 0;
    }
    /* A megabyte may wait, and the reply that was being made; the rest of a read's requests is
     * kept. */
    assert_true(largest <= 2 * MIB + 2 * (int64_t)answer + 256 * 1024);
    harness_wait_for(waits, &id, "replies that wait");
    if (!probe_is_sanitized(server)) {
        assert_true(probe_resident(server) - resident < 16 * MIB + 4 * (int64_t)answer);
    }
    char head[64];
    snprintf(head, sizeof head, "$%zu\r\n", answer);
    for (int i = 0; i < count; i++) {
        /* The other side takes again as we read. */
        sent += wire_try_send(fd, requests + sent, size - sent);
        expect_bulk(fd, value, answer);
        char echo[32];
        snprintf(echo, sizeof echo, "$6\r\n%06d\r\n", i);
        wire_expect(fd, echo);
    }
    wire_expect_reply(fd, "ECHO end", "\"end\"");
    assert_int_equal(probe_client(other, id, "omem"), 0);
    assert_int_equal(probe_client(other, id, "qbuf"), 0);
    close(fd);
    free(requests);
    free(value);
}

static void late_readers_of_small_replies(void **state) {
    (void)state;
    read_late(100, 200000);
}

static void late_readers_of_copied_replies(void **state) {
    (void)state;
    read_late(10000, 3000);
}

static void late_readers_of_large_replies(void **state) {
    (void)state;
    read_late(300000, 200);
}

/* Makes the server hold more for this connection than fits into sockets. One send: the server may
 * close the connection as soon as it has read the first. */
static void ask_for_much(int fd, int times) {
    char requests[1024] = "";
    for (int i = 0; i < times; i++) {
        strcat(requests, "GET much\r\n");
    }
    wire_send_text(fd, requests);
}

static bool closed(void *context) {
    return probe_client(other, *(int64_t *)context, "fd") < 0;
}

static void hard_limits_close(void **state) {
    (void)state;
    char *value = pattern(8 * MIB, 2);
    set_value(other, "much", value, 8 * MIB);
    free(value);
    int64_t before = probe_info(other, "client_output_buffer_limit_disconnections");
    free(wire_ask(other, "CONFIG", "SET", "client-output-buffer-limit", "normal 20mb 0 0", NULL));
    int fd = wire_connect(server);
    int64_t id = probe_id(fd);
    ask_for_much(fd, 1);
    wire_settle(other);
    assert_int_not_equal(probe_client(other, id, "fd"), -1);
    ask_for_much(fd, 19);
    harness_wait_for(closed, &id, "the hard limit");
    close(fd);
    assert_int_equal(probe_info(other, "client_output_buffer_limit_disconnections"), before + 1);
    probe_wait_log(server, "over their limit");
    wire_settle(other);
}

/* Resident bytes that the server has more than `before`, as far as that can be told. */
static int64_t grown_since(int64_t before) {
    return probe_is_sanitized(server) ? 0 : probe_resident(server) - before;
}

/* A small request whose reply would take gigabytes: it is not made first and looked at then. */
static void endless_replies_end_early(void **state) {
    (void)state;
    static const char *const limits[][3] = {
        {"client-output-buffer-limit", "normal 10mb 0 0",
         "client_output_buffer_limit_disconnections"},
        {"maxmemory-clients", "10mb", "evicted_clients"},
    };
    if (server_is_reference()) {
        skip(); /* it makes the reply first */
    }
    for (size_t i = 0; i < 2; i++) {
        for (size_t size = 100; size <= 16000; size *= 160) {
            harness_note(limits[i][0]);
            char *value = pattern(size, 3);
            const char *const words[] = {"HSET", "endless", "f", value};
            const char *const set_words[] = {"SADD", "endless-set", value};
            const size_t sizes[] = {4, 7, 1, size};
            const size_t set_sizes[] = {4, 11, size};
            wire_send_words(other, words, sizes, 4);
            free(wire_read_reply(other));
            wire_send_words(other, set_words, set_sizes, 3);
            free(wire_read_reply(other));
            free(value);
            free(wire_ask(other, "CONFIG", "SET", limits[i][0], limits[i][1], NULL));
            int64_t ended = probe_info(other, limits[i][2]);
            int64_t resident = probe_resident(server);
            int fd = wire_connect(server);
            wire_send_text(fd, "HRANDFIELD endless -16777216 WITHVALUES\r\nSET never 1\r\n");
            wire_expect_end(fd);
            close(fd);
            fd = wire_connect(server);
            wire_send_text(fd, "SRANDMEMBER endless-set -16777216\r\nSET never 1\r\n");
            wire_expect_end(fd);
            close(fd);
            assert_int_equal(probe_info(other, limits[i][2]), ended + 2);
            assert_true(grown_since(resident) < 40 * MIB);
            wire_expect_reply(other, "EXISTS never", ":0");
            free(wire_ask(other, "CONFIG", "SET", limits[i][0], i == 0 ? "normal 0 0 0" : "5%",
                          NULL));
            wire_expect_reply(other, "DEL endless endless-set", ":2");
        }
    }
}

#define MANY      4000
#define MANY_SIZE 16000

/* A reply of many values that waits for its reader takes next to nothing beside the values. */
static void many_values_exist_once(void **state) {
    (void)state;
    char *value = pattern(MANY_SIZE, 4);
    char key[24];
    static char request[MANY * 40];
    size_t size = (size_t)sprintf(request, "*%d\r\n$4\r\nMGET\r\n", MANY + 1);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "many:%d", i);
        set_value(other, key, value, MANY_SIZE);
        size += (size_t)sprintf(request + size, "$%zu\r\n%s\r\n", strlen(key), key);
    }
    int64_t resident = probe_resident(server);
    int fd = wire_connect(server);
    int64_t id = probe_id(fd);
    wire_send(fd, request, size);
    harness_wait_for(waits, &id, "a reply that waits");
    if (!server_is_reference()) {
        assert_true(grown_since(resident) < MANY * MANY_SIZE / 4);
    }
    wire_expect(fd, "*4000\r\n");
    for (int i = 0; i < MANY; i++) {
        expect_bulk(fd, value, MANY_SIZE);
    }
    wire_settle(fd);
    close(fd);
    free(value);
    wire_expect_reply(other, "FLUSHALL", "+OK");
}

static void soft_limits_close_after_a_time(void **state) {
    (void)state;
    int64_t before = probe_info(other, "client_output_buffer_limit_disconnections");
    free(wire_ask(other, "CONFIG", "SET", "client-output-buffer-limit", "normal 0 2mb 1", NULL));
    int fd = wire_connect(server);
    int64_t id = probe_id(fd);
    int64_t begin = harness_now_ms();
    ask_for_much(fd, 5);
    harness_wait_for(closed, &id, "the soft limit");
    assert_true(harness_now_ms() - begin >= 900);
    close(fd);
    assert_int_equal(probe_info(other, "client_output_buffer_limit_disconnections"), before + 1);
    free(wire_ask(other, "CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0", NULL));
    char *reply = wire_ask(other, "CONFIG", "GET", "client-output-buffer-limit", NULL);
    assert_non_null(strstr(reply, "normal 0 0 0 slave "));
    free(reply);
}

static bool is_alone(void *context) {
    (void)context;
    return probe_info(other, "connected_clients") == 1;
}

/* Killed by somebody else between the requests of a pipeline, and while a reply is on the way. */
static void kills(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = wire_connect(server);
        int64_t id = probe_id(fd);
        ask_for_much(fd, 1 + i % 3);
        wire_send_text(fd, "SET after 1\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$50000\r\nhalf");
        if (i % 2 == 0) {
            harness_wait_for(waits, &id, "a reply that waits");
        }
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)id);
        char *reply = wire_ask(other, "CLIENT", "KILL", "ID", text, NULL);
        assert_string_equal(reply, ":1");
        free(reply);
        harness_wait_for(closed, &id, "the end of a killed connection");
        close(fd);
    }
    harness_wait_for(is_alone, NULL, "the end of all others");
    wire_expect_reply(other, "EXISTS k", ":0");
}

static void disconnects_on_the_way(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = wire_connect(server);
        int64_t id = probe_id(fd);
        ask_for_much(fd, 3);
        harness_wait_for(waits, &id, "a reply that waits");
        if (i % 2 == 0) {
            char some[100];
            wire_read(fd, some, sizeof some);
        }
        close(fd);
        harness_wait_for(closed, &id, "the end of a connection that has gone");
    }
    harness_wait_for(is_alone, NULL, "the end of all others");
}

/* A peer that has said all that it has to say, and then listens. */
static void half_closed(void **state) {
    (void)state;
    int fd = wire_connect(server);
    wire_send_text(fd, "PING\r\nECHO a\r\n");
    shutdown(fd, SHUT_WR);
    wire_expect(fd, "+PONG\r\n$1\r\na\r\n");
    wire_expect_end(fd);
    close(fd);
}

static void many_pieces_in_one_reply(void **state) {
    (void)state;
    char *value = pattern(20000, 3);
    set_value(other, "piece", value, 20000);
    char request[4096] = "MGET";
    for (int i = 0; i < 300; i++) {
        strcat(request, " piece");
    }
    strcat(request, "\r\nPING\r\n");
    int fd = wire_connect(server);
    for (int round = 0; round < 3; round++) {
        wire_send_text(fd, request);
    }
    for (int round = 0; round < 3; round++) {
        wire_expect(fd, "*300\r\n");
        for (int i = 0; i < 300; i++) {
            expect_bulk(fd, value, 20000);
        }
        wire_expect(fd, "+PONG\r\n");
    }
    close(fd);
    free(value);
}

static void replies_off_and_on(void **state) {
    (void)state;
    int fd = wire_connect(server);
    for (int i = 0; i < 100; i++) {
        wire_send_text(fd, "CLIENT REPLY OFF\r\nSET r 1\r\nGET r\r\nnosuch\r\nGET\r\n"
                           "CLIENT REPLY ON\r\nGET r\r\nCLIENT REPLY SKIP\r\nGET r\r\nINCR r\r\n"
                           "CLIENT REPLY SKIP\r\nnosuch\r\nSTRLEN piece\r\n"
                           "CLIENT REPLY OFF\r\nGET piece\r\nCLIENT REPLY SKIP\r\nPING\r\n"
                           "CLIENT REPLY ON\r\nGET piece\r\n");
    }
    char *value = pattern(20000, 3);
    for (int i = 0; i < 100; i++) {
        wire_expect(fd, "+OK\r\n$1\r\n1\r\n:2\r\n:20000\r\n+OK\r\n");
        expect_bulk(fd, value, 20000);
    }
    free(value);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_values),
        cmocka_unit_test(values_change_on_the_way),
        cmocka_unit_test(late_readers_of_small_replies),
        cmocka_unit_test(late_readers_of_copied_replies),
        cmocka_unit_test(late_readers_of_large_replies),
        cmocka_unit_test(hard_limits_close),
        cmocka_unit_test(endless_replies_end_early),
        cmocka_unit_test(soft_limits_close_after_a_time),
        cmocka_unit_test(kills),
        cmocka_unit_test(disconnects_on_the_way),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(many_pieces_in_one_reply),
        cmocka_unit_test(replies_off_and_on),
        cmocka_unit_test(many_values_exist_once),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
