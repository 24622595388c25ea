/* The options of CLIENT LIST and CLIENT KILL: each alone, turned round, together, in any order,
 * with many ids, and wrong. */
#include "harness.h"
#include "probe.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY_IDS 20000

static struct server *server;
static int asker;
static int one; /* named, in database 3, subscribes to nothing */
static int two; /* a subscriber */
static int64_t ids[3];

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    asker = wire_connect(server);
    one = wire_connect(server);
    two = wire_connect(server);
    ids[0] = probe_id(asker);
    ids[1] = probe_id(one);
    ids[2] = probe_id(two);
    wire_expect_reply(one, "CLIENT SETNAME uno", "+OK");
    wire_expect_reply(one, "CLIENT SETINFO LIB-NAME lib", "+OK");
    wire_expect_reply(one, "CLIENT SETINFO LIB-VER 1.2", "+OK");
    wire_expect_reply(one, "CLIENT CAPA redirect", "+OK");
    wire_expect_reply(one, "CLIENT NO-TOUCH on", "+OK");
    wire_expect_reply(one, "SELECT 3", "+OK");
    free(wire_ask(two, "SUBSCRIBE", "c", NULL));
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    close(asker);
    close(one);
    close(two);
    server_stop(server);
}

/* Which of the three a list has: "0", "12" ...; anything else is part of it as it came. */
static void expect_list(const char *options, const char *expected) {
    char line[512];
    snprintf(line, sizeof line, "CLIENT LIST%s%s\r\n", *options ? " " : "", options);
    harness_note(line);
    wire_send_text(asker, line);
    char *reply = wire_read_reply(asker);
    if (reply[0] == '-') {
        assert_string_equal(reply, expected);
        free(reply);
        return;
    }
    char got[64] = "";
    for (const char *at = reply; (at = strstr(at, "id=")) != NULL; at += 3) {
        long id = strtol(at + 3, NULL, 10);
        bool begins = at == reply + 1 || at[-1] == 'n';
        for (int i = 0; i < 3 && begins; i++) {
            if (id == ids[i]) {
                snprintf(got + strlen(got), sizeof got - strlen(got), "%d", i);
            }
        }
    }
    assert_string_equal(got, expected);
    free(reply);
}

/* %0 to %2 in options are the ids, %a the address of the second, %l that of the server. */
static void expand(char *out, size_t size, const char *options, int64_t address_of) {
    char key[8];
    char address[80] = "";
    snprintf(key, sizeof key, "%lld", (long long)address_of);
    char *line = wire_ask(asker, "CLIENT", "LIST", "ID", key, NULL);
    sscanf(strstr(line, " addr="), " addr=%79s", address);
    free(line);
    *out = '\0';
    for (const char *at = options; *at != '\0'; at++) {
        size_t used = strlen(out);
        if (*at != '%') {
            snprintf(out + used, size - used, "%c", *at);
        } else if (*++at == 'a') {
            snprintf(out + used, size - used, "%s", address);
        } else if (*at == 'l') {
            snprintf(out + used, size - used, "127.0.0.1:%d", server_port(server));
        } else {
            snprintf(out + used, size - used, "%lld", (long long)ids[*at - '0']);
        }
    }
}

static void lists(void **state) {
    (void)state;
    static const char *const samples[][2] = {
        {"", "012"},
        {"ID %2 %0", "20"},
        {"ID %2 ID %0", "20"},
        {"ID %1 %1 999999", "11"},
        {"ID %1 0 -5", "1"},
        {"NOT-ID %1", "02"},
        {"NOT-ID %1 %0 999999 NOT-ID %0", "2"},
        {"ID %0 %1 %2 NOT-ID %1", "02"},
        {"NOT-ID %1 ID %0 %1", "0"},
        {"TYPE pubsub", "2"},
        {"TYPE normal", "01"},
        {"TYPE master", ""},
        {"NOT-TYPE pubsub", "01"},
        {"NOT-TYPE primary", "012"},
        {"NAME uno", "1"},
        {"NOT-NAME uno", "02"},
        {"NAME \"\"", "02"},
        {"LIB-NAME lib", "1"},
        {"not-lib-name lib", "02"},
        {"LIB-VER 1.2", "1"},
        {"NOT-LIB-VER 1.2", "02"},
        {"DB 3", "1"},
        {"NOT-DB 3", "02"},
        {"FLAGS P", "2"},
        {"FLAGS T", "1"},
        {"FLAGS PT", ""},
        {"FLAGS N", "0"},
        {"NOT-FLAGS P", "01"},
        {"CAPA r", "1"},
        {"NOT-CAPA r", "02"},
        {"IP 127.0.0.1", "012"},
        {"IP 127.0.0.2", ""},
        {"NOT-IP 127.0.0.1", ""},
        {"ADDR %a", "1"},
        {"NOT-ADDR %a", "02"},
        {"LADDR %l", "012"},
        {"NOT-LADDR %l", ""},
        {"USER default", "012"},
        {"NOT-USER default", ""},
        {"MAXAGE 100000", ""},
        {"IDLE 100000", ""},
        {"SKIPME yes", "12"},
        {"SKIPME no", "012"},
        {"SKIPME yes TYPE normal NOT-DB 0 ID %2 %1 %0", "1"},
        {"ID %1 NAME uno TYPE normal LIB-NAME lib DB 3 FLAGS T CAPA r", "1"},
        {"ID %1 NAME due", ""},
        {"NAME due NAME uno", "1"},
        /* Wrong ones. */
        {"ID", "-ERR syntax error"},
        {"ID x", "-ERR Invalid client ID"},
        {"ID 1 x", "-ERR Invalid client ID"},
        {"ID 1 NAME", "-ERR syntax error"},
        {"NOT-ID x", "-ERR Invalid client ID"},
        {"TYPE x", "-ERR Unknown client type 'x'"},
        {"NOT-TYPE x", "-ERR Unknown client type 'x'"},
        {"USER nobody", "-ERR No such user 'nobody'"},
        {"FLAGS PZ", "-ERR Unknown flags found in the provided filter: PZ"},
        {"CAPA x", "-ERR Unknown capa found in the provided filter: x"},
        {"DB 99", "-ERR DB index is out of range"},
        {"DB x", "-ERR value is not an integer or out of range"},
        {"IDLE 0", "-ERR idle should be greater than 0"},
        {"MAXAGE x", "-ERR maxage is not an integer or out of range"},
        {"SKIPME perhaps", "-ERR syntax error"},
        {"NOT-SKIPME yes", "-ERR syntax error"},
        {"NOT-IDLE 1", "-ERR syntax error"},
        {"NOT-MAXAGE 1", "-ERR syntax error"},
        {"NOT- x", "-ERR syntax error"},
        {"COLOUR red", "-ERR syntax error"},
        {"NAME", "-ERR syntax error"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char options[400];
        expand(options, sizeof options, samples[i][0], ids[1]);
        expect_list(options, samples[i][1]);
    }
}

static void kills(void **state) {
    (void)state;
    int victims[3];
    char line[512];
    for (int i = 0; i < 3; i++) {
        victims[i] = wire_connect(server);
        wire_expect_reply(victims[i], "CLIENT SETNAME victim", "+OK");
    }
    int64_t first = probe_id(victims[0]);
    wire_expect_reply(asker, "CLIENT KILL ID 1 x", "-ERR syntax error");
    wire_expect_reply(asker, "CLIENT KILL ID 1 0", "-ERR client-id should be greater than 0");
    snprintf(line, sizeof line, "CLIENT KILL NAME victim NOT-ID %lld", (long long)first);
    wire_expect_reply(asker, line, ":2");
    wire_expect_end(victims[1]);
    wire_expect_end(victims[2]);
    wire_expect_reply(victims[0], "PING", "+PONG");
    snprintf(line, sizeof line, "CLIENT KILL ID 999999 %lld %lld TYPE normal IP 127.0.0.1",
             (long long)first, (long long)first);
    wire_expect_reply(asker, line, ":1");
    wire_expect_end(victims[0]);
    for (int i = 0; i < 3; i++) {
        close(victims[i]);
    }
    /* Itself once, however often its id is given. */
    int self = wire_connect(server);
    snprintf(line, sizeof line, "CLIENT KILL SKIPME no ID %lld %lld", (long long)probe_id(self),
             (long long)probe_id(self));
    wire_expect_reply(self, line, ":1");
    wire_expect_end(self);
    close(self);
}

/* Many ids at once: each is looked up, none is searched for; and marks do not stay. */
static void many_ids(void **state) {
    (void)state;
    size_t size = 0;
    char *request = malloc(MANY_IDS * 32 + 100);
    assert_non_null(request);
    size += (size_t)sprintf(request, "*%d\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n$6\r\nNOT-ID\r\n",
                            MANY_IDS + 3);
    for (int i = 1; i <= MANY_IDS; i++) {
        char id[16];
        int digits = snprintf(id, sizeof id, "%d", i);
        size += (size_t)sprintf(request + size, "$%d\r\n%s\r\n", digits, id);
    }
    wire_send(asker, request, size);
    wire_expect(asker, "$0\r\n\r\n");
    expect_list("", "012");
    free(request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(kills),
        cmocka_unit_test(many_ids),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
