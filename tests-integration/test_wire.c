/* The protocol as a careless or hostile client would speak it: requests in pieces, inline commands,
 * and bytes that are no requests. Holds for the reference as well. */
#include "harness.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OVER_INLINE_MAX (70 * 1024)

static struct server *server;

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    return 0;
}

/* The last test of the group: what the server has written counts too. */
static void ends_cleanly(void **state) {
    (void)state;
    server_stop(server);
}

/* Sends and expects exactly these bytes back, and that the connection then serves on. */
static void exchange(const char *request, const char *reply) {
    harness_note(request);
    int fd = wire_connect(server);
    wire_send_text(fd, request);
    wire_expect(fd, reply);
    wire_settle(fd);
    close(fd);
}

/* The same, where the server hangs up after the reply. */
static void refusal(const char *request, const char *reply) {
    harness_note(request);
    int fd = wire_connect(server);
    wire_send_text(fd, request);
    wire_expect(fd, reply);
    wire_expect_end(fd);
    close(fd);
}

static void requests_and_pipelines(void **state) {
    (void)state;
    exchange("*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
    exchange("*1\r\n$4\r\npInG\r\n", "+PONG\r\n");
    exchange("*2\r\n$4\r\nPING\r\n$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n");
    exchange("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "$0\r\n\r\n");
    exchange("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
    exchange("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
             "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
             "+OK\r\n$1\r\nv\r\n:1\r\n$-1\r\n");
}

static void inline_commands(void **state) {
    (void)state;
    exchange("PING\r\n", "+PONG\r\n");
    exchange("PING\n", "+PONG\r\n");
    exchange("\r\n\r\nPING\r\n", "+PONG\r\n");
    exchange("  PING   hello  \r\n", "$5\r\nhello\r\n");
    exchange("ECHO \"a b\\x41\\n\"\r\n", "$5\r\na bA\n\r\n");
    exchange("ECHO 'it\\'s'\r\n", "$4\r\nit's\r\n");
    exchange("ECHO \"\"\r\n", "$0\r\n\r\n");
    exchange("SET inline 1\r\nGET inline\r\nDEL inline\r\n", "+OK\r\n$1\r\n1\r\n:1\r\n");
}

static void unknown_commands_and_arities(void **state) {
    (void)state;
    exchange("nonsense a b\r\n",
             "-ERR unknown command 'nonsense', with args beginning with: 'a' 'b' \r\n");
    exchange("GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    exchange("*3\r\n$3\r\nGET\r\n$1\r\na\r\n$1\r\nb\r\n",
             "-ERR wrong number of arguments for 'get' command\r\n");
}

static void pieces_of_every_size(void **state) {
    (void)state;
    static const char request[] = "*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$4\r\na\0\r\n\r\n"
                                  "*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n"
                                  "ECHO \"x y\"\r\n"
                                  "*2\r\n$3\r\nDEL\r\n$3\r\nk\r\n\r\n";
    static const char reply[] = "+OK\r\n$4\r\na\0\r\n\r\n$3\r\nx y\r\n:1\r\n";
    int other = wire_connect(server);
    int fd = wire_connect(server);
    for (size_t first = 1; first < sizeof request - 1; first++) {
        wire_send_split(fd, other, request, sizeof request - 1, first);
        wire_expect_bytes(fd, reply, sizeof reply - 1);
    }
    wire_send_slowly(fd, other, request, sizeof request - 1);
    wire_expect_bytes(fd, reply, sizeof reply - 1);
    wire_settle(fd);
    close(fd);
    close(other);
}

static void malformed_requests(void **state) {
    (void)state;
    refusal("*abc\r\n", "-ERR Protocol error: invalid multibulk length\r\n");
    refusal("*2147483648\r\n", "-ERR Protocol error: invalid multibulk length\r\n");
    refusal("*99999999999999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n");
    refusal("*1\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'P'\r\n");
    refusal("*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n");
    refusal("*1\r\n$abc\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    refusal("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    refusal("*1\r\n$9999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    refusal("PING \"open\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n");
    refusal("PING \"a\"b\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n");
}

static void replies_before_the_error_arrive(void **state) {
    (void)state;
    refusal("PING\r\nECHO a\r\n*1\r\n$x\r\n",
            "+PONG\r\n$1\r\na\r\n-ERR Protocol error: invalid bulk length\r\n");
}

static void lines_without_end(void **state) {
    (void)state;
    char *line = malloc(OVER_INLINE_MAX + 1);
    memset(line, 'a', OVER_INLINE_MAX);
    line[OVER_INLINE_MAX] = 0;
    refusal(line, "-ERR Protocol error: too big inline request\r\n");
    memset(line, '1', OVER_INLINE_MAX);
    line[0] = '*';
    refusal(line, "-ERR Protocol error: too big mbulk count string\r\n");
    memcpy(line, "*1\r\n$", 5);
    refusal(line, "-ERR Protocol error: too big bulk count string\r\n");
    free(line);
}

static void http_is_hung_up_on(void **state) {
    (void)state;
    refusal("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "");
    refusal("Host: localhost\r\n", "");
}

static void half_closed_connections_get_their_replies(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = wire_connect(server);
        wire_send_text(fd, "*1\r\n$4\r\nPI");
        close(fd);
    }
    int fd = wire_connect(server);
    wire_settle(fd);
    wire_send_text(fd, "*1\r\n$4\r\nQUIT\r\n");
    wire_expect(fd, "+OK\r\n");
    wire_expect_end(fd);
    close(fd);
}

static void before_authentication_little_is_read(void **state) {
    (void)state;
    static const char *const options[] = {"--requirepass", "secret", NULL};
    struct server *open_server = server;
    server = server_start(options);
    exchange("PING\r\nAUTH secret\r\n", "-NOAUTH Authentication required.\r\n+OK\r\n");
    refusal("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
    refusal("*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n");
    server_stop(server);
    server = open_server;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_pipelines),
        cmocka_unit_test(inline_commands),
        cmocka_unit_test(unknown_commands_and_arities),
        cmocka_unit_test(pieces_of_every_size),
        cmocka_unit_test(malformed_requests),
        cmocka_unit_test(replies_before_the_error_arrive),
        cmocka_unit_test(lines_without_end),
        cmocka_unit_test(http_is_hung_up_on),
        cmocka_unit_test(half_closed_connections_get_their_replies),
        cmocka_unit_test(before_authentication_little_is_read),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
