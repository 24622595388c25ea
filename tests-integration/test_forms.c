/* Forms that commands have gained since the version that redis-server is compared in. */
#include "harness.h"
#include "wire.h"

#include <unistd.h>

static struct server *server;
static int fd;

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    fd = wire_connect(server);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    close(fd);
    server_stop(server);
}

static void run(const char *const (*exchanges)[2], size_t count) {
    if (server_is_reference()) {
        skip();
    }
    for (size_t i = 0; i < count; i++) {
        harness_note(exchanges[i][0]);
        wire_expect_reply(fd, exchanges[i][0], exchanges[i][1]);
    }
}

#define RUN(exchanges) run((exchanges), sizeof(exchanges) / sizeof(exchanges)[0])

static void bitcount_from_a_start(void **state) {
    (void)state;
    static const char *const exchanges[][2] = {
        {"SET k foobar", "+OK"},
        {"BITCOUNT k 0", ":26"},
        {"BITCOUNT k 1", ":22"},
        {"BITCOUNT k -2", ":7"},
        {"BITCOUNT k 100", ":0"},
        {"BITCOUNT k -100", ":26"},
        {"BITCOUNT k x", "-ERR value is not an integer or out of range"},
        {"BITCOUNT none 1", ":0"},
    };
    RUN(exchanges);
}

static void hsetex_if_the_key_exists(void **state) {
    (void)state;
    static const char *const exchanges[][2] = {
        {"HSETEX h XX FIELDS 1 f 1", ":0"},
        {"EXISTS h", ":0"},
        {"HSETEX h NX EX 100 FIELDS 1 f 1", ":1"},
        {"HTTL h FIELDS 1 f", "[:100]"},
        {"HSETEX h NX FIELDS 1 f 2", ":0"},
        {"HSETEX h NX FIELDS 1 g 2", ":0"},
        {"HSETEX h XX FNX FIELDS 1 f 3", ":0"},
        {"HSETEX h XX FNX FIELDS 1 g 3", ":1"},
        {"HSETEX h FXX XX KEEPTTL FIELDS 2 f 4 g 5", ":1"},
        {"HMGET h f g", "[\"4\", \"5\"]"},
        {"HSETEX h NX XX FIELDS 1 f 1", "-ERR Only one of NX or XX arguments can be specified"},
        {"HSETEX h XX XX FIELDS 1 f 1", "-ERR Only one of NX or XX arguments can be specified"},
        {"SET s v", "+OK"},
        {"HSETEX s NX FIELDS 1 f 1",
         "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    };
    RUN(exchanges);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitcount_from_a_start),
        cmocka_unit_test(hsetex_if_the_key_exists),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
