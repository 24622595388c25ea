/* Who is connected: HELLO, AUTH, SELECT, RESET, QUIT, and CLIENT with its filters, silences and
 * pauses; and what COMMAND tells. Holds for the reference as well, except for what is newer than
 * it. */
#include "harness.h"
#include "wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

static struct server *server;

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    server_stop(server);
}

static void ask_to(int fd, const char *line, const char *expected) {
    wire_expect_reply(fd, line, expected);
}

static void ask_words(int fd, const char *expected, const char *a, const char *b, const char *c) {
    char *reply = wire_ask(fd, a, b, c, NULL);
    assert_string_equal(reply, expected);
    free(reply);
}

/* "127.0.0.1:port" of our end. */
static void own_address(int fd, char text[64]) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(text, 64, "127.0.0.1:%d", ntohs(address.sin_port));
}

static long id_of(int fd) {
    char *reply = wire_ask(fd, "CLIENT", "ID", NULL);
    assert_int_equal(reply[0], ':');
    long id = strtol(reply + 1, NULL, 10);
    free(reply);
    return id;
}

static bool has(int fd, const char *part, const char *a, const char *b) {
    char *reply = wire_ask(fd, a, b, NULL);
    bool found = strstr(reply, part) != NULL;
    free(reply);
    return found;
}

static void greetings(void **state) {
    (void)state;
    int fd = wire_connect(server);
    ask_to(fd, "PING", "+PONG");
    ask_to(fd, "PING hello", "\"hello\"");
    ask_to(fd, "PING a b", "-ERR wrong number of arguments for 'ping' command");
    ask_to(fd, "ECHO x", "\"x\"");
    ask_to(fd, "HELLO x", "-ERR Protocol version is not an integer or out of range");
    ask_to(fd, "HELLO 4", "-NOPROTO unsupported protocol version");
    ask_to(fd, "HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'");
    ask_to(fd, "HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'");
    ask_to(fd, "GET none", "nil");
    assert_true(has(fd, "\"proto\", :2", "HELLO", "2"));
    assert_true(has(fd, "\"proto\": :3", "HELLO", "3"));
    ask_to(fd, "GET none", "null");
    ask_to(fd, "RESET", "+RESET");
    ask_to(fd, "GET none", "nil");
    ask_to(fd, "QUIT", "+OK");
    wire_expect_end(fd);
    close(fd);
}

static void reset_begins_anew(void **state) {
    (void)state;
    int fd = wire_connect(server);
    ask_to(fd, "CLIENT SETNAME somebody", "+OK");
    ask_to(fd, "SELECT 3", "+OK");
    ask_to(fd, "SET reset_key 1", "+OK");
    ask_to(fd, "RESET", "+RESET");
    ask_to(fd, "CLIENT GETNAME", "nil");
    ask_to(fd, "GET reset_key", "nil");
    ask_to(fd, "SELECT 3", "+OK");
    ask_to(fd, "DEL reset_key", ":1");
    close(fd);
}

static void names(void **state) {
    (void)state;
    int fd = wire_connect(server);
    static const char refused[] =
        "-ERR Client names cannot contain spaces, newlines or special characters.";
    ask_to(fd, "CLIENT GETNAME", "nil");
    ask_words(fd, refused, "CLIENT", "SETNAME", "a b");
    ask_words(fd, refused, "CLIENT", "SETNAME", "a\nid=1");
    ask_words(fd, refused, "CLIENT", "SETNAME", "\xc3\xa9");
    ask_to(fd, "CLIENT SETNAME me!~", "+OK");
    ask_to(fd, "CLIENT GETNAME", "\"me!~\"");
    assert_true(has(fd, " name=me!~ ", "CLIENT", "INFO"));
    ask_words(fd, "+OK", "CLIENT", "SETNAME", "");
    ask_to(fd, "CLIENT GETNAME", "nil");
    if (!server_is_reference()) {
        ask_to(fd, "CLIENT SETINFO lib-name some-lib", "+OK");
        ask_to(fd, "CLIENT SETINFO LIB-VER 1.2.3", "+OK");
        ask_to(fd, "CLIENT SETINFO colour red", "-ERR Unrecognized option 'colour'");
        assert_true(has(fd, " lib-name=some-lib lib-ver=1.2.3", "CLIENT", "INFO"));
    }
    close(fd);
}

static void lists(void **state) {
    (void)state;
    int one = wire_connect(server);
    int two = wire_connect(server);
    char line[128];
    char part[160];
    ask_to(two, "CLIENT SETNAME two", "+OK");
    assert_true(has(one, "name=two", "CLIENT", "LIST"));
    snprintf(line, sizeof line, "%ld", id_of(two));
    char *reply = wire_ask(one, "CLIENT", "LIST", "ID", "999999", line, NULL);
    snprintf(part, sizeof part, "\"id=%s ", line);
    assert_ptr_equal(strstr(reply, part), reply);
    assert_null(strstr(reply + strlen(part), "id=1 "));
    free(reply);
    ask_to(one, "CLIENT LIST TYPE pubsub", "\"\"");
    ask_to(one, "CLIENT LIST TYPE master", "\"\"");
    ask_to(one, "CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'");
    ask_to(one, "CLIENT LIST ID x", "-ERR Invalid client ID");
    ask_to(one, "CLIENT LIST ID", "-ERR syntax error");
    ask_to(one, "CLIENT LIST FOO x", "-ERR syntax error");
    close(one);
    close(two);
}

static void kills(void **state) {
    (void)state;
    int killer = wire_connect(server);
    char address[64];
    char line[128];
    ask_to(killer, "CLIENT KILL 1.2.3.4:5", "-ERR No such client");
    ask_to(killer, "CLIENT KILL ID 0", "-ERR client-id should be greater than 0");
    ask_to(killer, "CLIENT KILL ID 1 TYPE", "-ERR syntax error");
    ask_to(killer, "CLIENT KILL SKIPME maybe", "-ERR syntax error");
    ask_to(killer, "CLIENT KILL USER nobody", "-ERR No such user 'nobody'");
    ask_to(killer, "CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'");
    ask_to(killer, "CLIENT KILL ID 999999", ":0");

    int victim = wire_connect(server);
    own_address(victim, address);
    ask_to(victim, "PING", "+PONG");
    snprintf(line, sizeof line, "CLIENT KILL %s", address);
    ask_to(killer, line, "+OK");
    wire_expect_end(victim);
    close(victim);

    victim = wire_connect(server);
    own_address(victim, address);
    snprintf(line, sizeof line, "CLIENT KILL ID %ld ADDR %s TYPE normal USER default",
             id_of(victim), address);
    ask_to(killer, line, ":1");
    wire_expect_end(victim);
    close(victim);

    /* Its own end is for after the reply, and only when it does not skip itself. */
    own_address(killer, address);
    snprintf(line, sizeof line, "CLIENT KILL ADDR %s", address);
    ask_to(killer, line, ":0");
    snprintf(line, sizeof line, "CLIENT KILL ADDR %s SKIPME no", address);
    ask_to(killer, line, ":1");
    wire_expect_end(killer);
    close(killer);
}

static void silences(void **state) {
    (void)state;
    int fd = wire_connect(server);
    wire_send_text(fd, "CLIENT REPLY OFF\r\nSET silent 1\r\nFOO\r\nCLIENT REPLY SKIP\r\nPING\r\n"
                       "CLIENT REPLY bad\r\nCLIENT REPLY ON\r\n");
    wire_expect(fd, "+OK\r\n");
    wire_send_text(fd, "CLIENT REPLY SKIP\r\nECHO no\r\nECHO yes\r\n");
    wire_expect(fd, "$3\r\nyes\r\n");
    wire_send_text(fd, "CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nECHO no\r\nECHO yes\r\n");
    wire_expect(fd, "$3\r\nyes\r\n");
    wire_send_text(fd, "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n");
    wire_expect(fd, "+OK\r\n");
    /* The protocol changes also while nothing is heard of it. */
    wire_send_text(fd, "CLIENT REPLY OFF\r\nHELLO 3\r\nCLIENT REPLY ON\r\nGET none\r\n");
    wire_expect(fd, "+OK\r\n_\r\n");
    ask_to(fd, "DEL silent", ":1");
    close(fd);
}

static bool is_silent(int fd) {
    struct pollfd watch = {.fd = fd, .events = POLLIN};
    return poll(&watch, 1, 0) == 0;
}

static void pauses(void **state) {
    (void)state;
    int fd = wire_connect(server);
    int other = wire_connect(server);
    ask_to(fd, "CLIENT PAUSE x", "-ERR timeout is not an integer or out of range");
    ask_to(fd, "CLIENT PAUSE -1", "-ERR timeout is negative");
    ask_to(fd, "CLIENT PAUSE 1 foo", "-ERR CLIENT PAUSE mode must be WRITE or ALL");
    ask_to(fd, "CLIENT PAUSE 600000 WRITE", "+OK");
    wire_send_text(other, "SET paused 1\r\nGET paused\r\n");
    ask_to(fd, "GET paused", "nil");
    assert_true(is_silent(other));
    ask_to(fd, "CLIENT UNPAUSE", "+OK");
    wire_expect(other, "+OK\r\n$1\r\n1\r\n");
    /* A pause of everything ends by itself. */
    ask_to(fd, "CLIENT PAUSE 50", "+OK");
    int64_t from = harness_now_ms();
    ask_to(other, "DEL paused", ":1");
    assert_true(harness_now_ms() - from < HARNESS_WAIT_MS / 2);
    close(fd);
    close(other);
}

static void answers_without_tracking(void **state) {
    (void)state;
    int fd = wire_connect(server);
    ask_to(fd, "CLIENT GETREDIR", ":-1");
    ask_to(fd, "CLIENT TRACKINGINFO",
           "[\"flags\", [\"off\"], \"redirect\", :-1, \"prefixes\", []]");
    ask_to(fd, "CLIENT CACHING yes",
           "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN "
           "or OPTOUT mode enabled");
    ask_to(fd, "CLIENT NO-EVICT on", "+OK");
    assert_true(has(fd, " flags=e ", "CLIENT", "INFO"));
    ask_to(fd, "CLIENT NO-EVICT off", "+OK");
    assert_true(has(fd, " flags=N ", "CLIENT", "INFO"));
    ask_to(fd, "CLIENT NO-EVICT maybe", "-ERR syntax error");
    ask_to(fd, "CLIENT nosuch", "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.");
    ask_to(fd, "CLIENT", "-ERR wrong number of arguments for 'client' command");
    if (!server_is_reference()) {
        ask_to(fd, "CLIENT NO-TOUCH on", "+OK");
        assert_true(has(fd, " flags=T ", "CLIENT", "INFO"));
        ask_to(fd, "CLIENT CAPA redirect something", "+OK");
    }
    close(fd);
}

static void passwords(void **state) {
    (void)state;
    const char *const options[] = {"--requirepass", "secret", NULL};
    struct server *locked = server_start(options);
    int fd = wire_connect(locked);
    static const char wrong[] = "-WRONGPASS invalid username-password pair or user is disabled.";
    ask_to(fd, "GET a", "-NOAUTH Authentication required.");
    ask_to(fd, "AUTH secre", wrong);
    ask_to(fd, "AUTH secretsecret", wrong);
    ask_to(fd, "AUTH nobody secret", wrong);
    ask_to(fd, "AUTH a b c", "-ERR syntax error");
    ask_to(fd, "HELLO 3 AUTH default bad", wrong);
    assert_true(has(fd, "-NOAUTH HELLO must be called", "HELLO", "3"));
    ask_to(fd, "PING", "-NOAUTH Authentication required.");
    ask_to(fd, "AUTH secret", "+OK");
    ask_to(fd, "AUTH bad", wrong);
    ask_to(fd, "PING", "+PONG");
    ask_to(fd, "RESET", "+RESET");
    ask_to(fd, "PING", "-NOAUTH Authentication required.");
    char *reply = wire_ask(fd, "HELLO", "3", "AUTH", "default", "secret", "SETNAME", "x", NULL);
    assert_int_equal(reply[0], '{');
    free(reply);
    ask_to(fd, "CLIENT GETNAME", "\"x\"");
    close(fd);
    /* Somebody unknown may not announce much. */
    fd = wire_connect(locked);
    wire_send_text(fd, "*11\r\n");
    wire_expect(fd, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    wire_expect_end(fd);
    close(fd);
    server_stop(locked);

    fd = wire_connect(server);
    ask_to(fd, "AUTH x",
           "-ERR AUTH <password> called without any password configured for the default user. Are "
           "you sure your configuration is correct?");
    ask_to(fd, "AUTH default x", "+OK");
    close(fd);
}

static void commands_describe_themselves(void **state) {
    (void)state;
    int fd = wire_connect(server);
    ask_to(fd, "COMMAND INFO get nosuch",
           "[[\"get\", :2, [+readonly, +fast], :1, :1, :1, [+@read, +@string, +@fast], [], "
           "[[\"flags\", [+RO, +access], \"begin_search\", [\"type\", \"index\", \"spec\", "
           "[\"index\", :1]], \"find_keys\", [\"type\", \"range\", \"spec\", [\"lastkey\", :0, "
           "\"keystep\", :1, \"limit\", :0]]]], []], nil]");
    ask_to(fd, "COMMAND nosuch", "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.");
    ask_to(fd, "COMMAND LIST FILTERBY PATTERN config|g*", "[\"config|get\"]");
    ask_to(fd, "COMMAND LIST FILTERBY MODULE any", "[]");
    ask_to(fd, "COMMAND LIST FILTERBY ACLCAT nosuch", "[]");
    ask_to(fd, "COMMAND LIST any", "-ERR syntax error");
    ask_to(fd, "COMMAND GETKEYS mset a 1 b 2", "[\"a\", \"b\"]");
    ask_to(fd, "COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command");
    ask_to(fd, "COMMAND GETKEYS ping x", "-ERR The command has no key arguments");
    ask_to(fd, "COMMAND GETKEYS nosuch x", "-ERR Invalid command specified");
    ask_to(fd, "COMMAND GETKEYSANDFLAGS set a b GET", "[[\"a\", [+RW, +access, +update]]]");
    ask_to(fd, "COMMAND DOCS nosuch", "[]");
    char *reply = wire_ask(fd, "COMMAND", "DOCS", "get", NULL);
    assert_non_null(strstr(reply, "\"arguments\", [[\"name\", \"key\", \"type\", \"key\", "
                                  "\"key_spec_index\", :0]]"));
    free(reply);
    free(wire_ask(fd, "HELLO", "3", NULL));
    reply = wire_ask(fd, "COMMAND", "INFO", "get", NULL);
    assert_non_null(strstr(reply, "~[+readonly, +fast]"));
    assert_non_null(strstr(reply, "{\"index\": :1}"));
    free(reply);
    /* All of them, whole, and as many as are counted. */
    char *count = wire_ask(fd, "COMMAND", "COUNT", NULL);
    size_t size = 0;
    wire_send_text(fd, "COMMAND DOCS\r\n");
    char *raw = wire_read_raw(fd, &size);
    assert_int_equal(raw[0], '%');
    assert_int_equal(strtol(raw + 1, NULL, 10), strtol(count + 1, NULL, 10));
    free(raw);
    wire_send_text(fd, "COMMAND\r\n");
    raw = wire_read_raw(fd, &size);
    assert_int_equal(raw[0], '*');
    assert_int_equal(strtol(raw + 1, NULL, 10), strtol(count + 1, NULL, 10));
    free(raw);
    free(count);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greetings),    cmocka_unit_test(reset_begins_anew),
        cmocka_unit_test(names),        cmocka_unit_test(lists),
        cmocka_unit_test(kills),        cmocka_unit_test(silences),
        cmocka_unit_test(pauses),       cmocka_unit_test(answers_without_tracking),
        cmocka_unit_test(passwords),    cmocka_unit_test(commands_describe_themselves),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
