/* Tests of MIGRATE with a target that the test plays itself, so that everything happens between any
 * two of its answers: keys that change while they are on their way, targets that refuse, stall, end
 * and talk nonsense, clients that leave. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "persist/migrate.h"
#include "support/heard.h"
#include "support/session.h"

#define WAIT_US   10000000
#define HEAD_SIZE (64 * 1024)

static struct session *session;
static int listener;
static int port;
static int other; /* a second client */

/* What the target has received since the last look. */
static char received[HEAD_SIZE];
static size_t received_size;

static int set_up(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-debug-command", "yes", NULL};
    session = session_start(options);
    heard_begin(session);
    other = session_connect(session);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    received_size = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    close(listener);
    close(other);
    heard_end(session);
    session_end(session);
    return 0;
}

static void look_at_time(int64_t until_us) {
    session_pass(session);
    if (clock_mono_us() > until_us) {
        fail_msg("nothing happens; received %.*s", (int)received_size, received);
    }
}

static int accept_target(void) {
    int64_t until_us = clock_mono_us() + WAIT_US;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) {
        look_at_time(until_us);
    }
    return fd;
}

/* Waits until the target has received this text, and forgets all up to its end. */
static void receive(int fd, const char *text) {
    int64_t until_us = clock_mono_us() + WAIT_US;
    size_t size = strlen(text);
    for (;;) {
        char *found = memmem(received, received_size, text, size);
        if (found != NULL) {
            size_t done = (size_t)(found - received) + size;
            memmove(received, received + done, received_size - done);
            received_size -= done;
            return;
        }
        ssize_t got =
            recv(fd, received + received_size, sizeof received - received_size, MSG_DONTWAIT);
        assert_true(got > 0 || (got < 0 && errno == EAGAIN));
        received_size += got > 0 ? (size_t)got : 0;
        look_at_time(until_us);
    }
}

static void say(int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Sends MIGRATE with these words behind the address, and does not wait for the answer. */
static void begin(int client, const char *words) {
    char line[512];
    int size = snprintf(line, sizeof line, "MIGRATE 127.0.0.1 %d %s\r\n", port, words);
    assert_int_equal(write(client, line, (size_t)size), size);
    session_pass(session);
}

static void expect_answer(int client, const char *answer) {
    int64_t until_us = clock_mono_us() + WAIT_US;
    const char *got;
    while (*(got = session_read(session, client)) == '\0') {
        look_at_time(until_us);
    }
    assert_string_equal(got, answer);
}

/* From the beginning to where the value is with the target. */
static int begin_one(const char *words) {
    begin(session->fd, words);
    int fd = accept_target();
    receive(fd, "SELECT\r\n$1\r\n0\r\n");
    say(fd, "+OK\r\n");
    receive(fd, "RESTORE\r\n");
    heard_words();
    return fd;
}

static size_t kept(void) {
    return migrations_cached_sockets(session->server.context.migrations);
}

static void a_key_moves(void **state) {
    (void)state;
    session_expect(session, "SET k v PX 100000", "+OK\r\n");
    int fd = begin_one("k 0 5000");
    /* Others are served meanwhile, this one is not, and cannot be freed from waiting. */
    begin(session->fd, "none 0 1\r\nPING");
    session_ask_on(session, other, "CLIENT ID");
    session_expect(session, "", "");
    assert_string_equal(session_ask_on(session, other, "GET k"), "$1\r\nv\r\n");
    assert_string_equal(session_ask_on(session, other, "CLIENT UNBLOCK 1"), ":0\r\n");
    assert_string_equal(heard_words(), "");
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n+NOKEY\r\n+PONG\r\n");
    assert_string_equal(heard_words(), "DEL k");
    session_expect(session, "EXISTS k", ":0\r\n");
    assert_int_equal(kept(), 1);
    /* The connection is used again, without a word about the database. */
    session_expect(session, "MSET a 1 b 2 c 3", "+OK\r\n");
    heard_words();
    received_size = 0;
    begin(session->fd, "\"\" 0 5000 REPLACE KEYS a b none c a");
    receive(fd, "RESTORE\r\n$1\r\nc\r\n");
    receive(fd, "REPLACE\r\n");
    assert_int_equal(kept(), 0);
    say(fd, "+OK\r\n-ERR not this one\r\n+OK\r\n");
    expect_answer(session->fd, "-ERR Target instance replied with error: ERR not this one\r\n");
    assert_string_equal(heard_words(), "DEL a c");
    session_expect(session, "KEYS *", "*1\r\n$1\r\nb\r\n");
    received_size = 0;
    begin(session->fd, "b 0 5000 COPY");
    receive(fd, "RESTORE\r\n");
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n");
    assert_string_equal(heard_words(), "");
    session_expect(session, "EXISTS b", ":1\r\n");
    close(fd);
}

/* What is done to the key while it is on its way, and what is left of it. */
static const struct {
    const char *command;
    bool moves;
    const char *left; /* the answer to GET k */
} changes[] = {
    {"SET k w", false, "$1\r\nw\r\n"},
    {"APPEND k x", false, "$2\r\nvx\r\n"},
    {"EXPIRE k 100", false, "$1\r\nv\r\n"},
    {"DEL k", false, "$-1\r\n"},
    {"FLUSHALL", false, "$-1\r\n"},
    {"RENAME k l", false, "$-1\r\n"},
    {"RENAME j k", false, "$4\r\nj's \r\n"},
    {"SWAPDB 0 1", false, "$-1\r\n"},
    {"GET k", true, "$-1\r\n"},
    {"SET k v", true, "$-1\r\n"},
    {"PING", true, "$-1\r\n"},
};

static void what_has_changed_stays(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        session_expect(session, "FLUSHALL", "+OK\r\n");
        session_expect(session, "MSET k v j \"j's \"", "+OK\r\n");
        int fd = begin_one("k 0 5000");
        session_ask_on(session, other, changes[i].command);
        heard_words();
        say(fd, "+OK\r\n");
        if (changes[i].moves) {
            expect_answer(session->fd, "+OK\r\n");
            assert_string_equal(heard_words(), "DEL k");
        } else {
            expect_answer(session->fd, "-ERR A key was changed while it was moved: it stays here, "
                                       "and the target instance has what it was\r\n");
            assert_string_equal(heard_words(), "");
        }
        session_expect(session, "GET k", changes[i].left);
        close(fd);
        for (int k = 0; k < 100 && kept() > 0; k++) {
            session_pass(session);
        }
        assert_int_equal(kept(), 0);
    }
}

static void what_has_expired_was_moved(void **state) {
    (void)state;
    clock_drive(&session->server.clock, 1000000);
    session_expect(session, "SET k v PX 100", "+OK\r\n");
    int fd = begin_one("k 0 5000");
    receive(fd, "\r\nk\r\n$3\r\n100\r\n");
    clock_drive(&session->server.clock, 1000100);
    session_pass(session);
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n");
    close(fd);
}

static void targets_that_do_not_do_their_part(void **state) {
    (void)state;
    static const struct {
        const char *words; /* that the target says, or NULL: it ends */
        const char *answer;
    } cases[] = {
        {NULL, "-IOERR error or timeout reading to target instance\r\n"},
        {"", "-IOERR error or timeout reading to target instance\r\n"},
        {"+OK", "-IOERR error or timeout reading to target instance\r\n"},
        {"HTTP/1.1 400 Bad Request\r\n", "-IOERR error or timeout reading to target instance\r\n"},
        {"$2\r\nOK\r\n", "-IOERR error or timeout reading to target instance\r\n"},
        {"+OK\n", "-IOERR error or timeout reading to target instance\r\n"},
        {"\r\n", "-IOERR error or timeout reading to target instance\r\n"},
        {"-NOAUTH no\r\n", "-ERR Target instance replied with error: NOAUTH no\r\n"},
    };
    session_expect(session, "SET k v", "+OK\r\n");
    heard_words();
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        const char *words = cases[i / 2].words;
        int fd;
        received_size = 0;
        /* Before the database was chosen, and behind the value. */
        if (i % 2 == 0) {
            begin(session->fd, "k 0 30");
            fd = accept_target();
            receive(fd, "SELECT\r\n");
        } else {
            fd = begin_one("k 0 30");
        }
        if (words != NULL) {
            say(fd, words);
        } else {
            close(fd);
        }
        expect_answer(session->fd, cases[i / 2].answer);
        session_expect(session, "GET k", "$1\r\nv\r\n");
        assert_string_equal(heard_words(), "");
        if (words != NULL) {
            close(fd);
        }
        for (int k = 0; k < 100 && kept() > 0; k++) {
            session_pass(session);
        }
    }
    /* An answer to what was not asked. */
    int fd = begin_one("k 0 5000 COPY");
    say(fd, "+OK\r\n+OK\r\n");
    expect_answer(session->fd, "-IOERR error or timeout reading to target instance\r\n");
    close(fd);
}

static void a_line_without_end_is_no_answer(void **state) {
    (void)state;
    session_expect(session, "SET k v", "+OK\r\n");
    int fd = begin_one("k 0 5000");
    for (int i = 0; i < 5000; i++) {
        say(fd, "+");
    }
    expect_answer(session->fd, "-IOERR error or timeout reading to target instance\r\n");
    close(fd);
}

static void a_kept_connection_that_has_ended_is_replaced(void **state) {
    (void)state;
    session_expect(session, "MSET k v l w", "+OK\r\n");
    int fd = begin_one("k 0 5000");
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n");
    assert_int_equal(kept(), 1);
    /* Its end is seen when it is of use again, or before. */
    close(fd);
    begin(session->fd, "l 0 5000");
    fd = accept_target();
    received_size = 0;
    receive(fd, "SELECT\r\n");
    say(fd, "+OK\r\n");
    receive(fd, "RESTORE\r\n$1\r\nl\r\n");
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n");
    session_expect(session, "DBSIZE", ":0\r\n");
    close(fd);
}

static void a_client_may_leave(void **state) {
    (void)state;
    session_expect(session, "MSET k v l w", "+OK\r\n");
    int leaving = session_connect(session);
    begin(leaving, "k 0 5000");
    int fd = accept_target();
    receive(fd, "SELECT\r\n");
    close(leaving);
    session_pass(session);
    say(fd, "+OK\r\n");
    receive(fd, "RESTORE\r\n");
    say(fd, "+OK\r\n");
    int64_t until_us = clock_mono_us() + WAIT_US;
    while (strcmp(session_ask(session, "EXISTS k"), ":0\r\n") != 0) {
        look_at_time(until_us);
    }
    close(fd);
    /* And the server may end in the middle. */
    begin(session->fd, "l 0 5000");
}

static void the_database_is_always_chosen(void **state) {
    (void)state;
    session_expect(session, "SET k v", "+OK\r\n");
    begin(session->fd, "k -1 5000");
    int fd = accept_target();
    receive(fd, "SELECT\r\n$2\r\n-1\r\n");
    say(fd, "-ERR DB index is out of range\r\n");
    expect_answer(session->fd, "-ERR Target instance replied with error: ERR DB index is out of "
                               "range\r\n");
    session_expect(session, "EXISTS k", ":1\r\n");
    close(fd);
}

static void login_comes_first(void **state) {
    (void)state;
    session_expect(session, "MSET k v l w", "+OK\r\n");
    begin(session->fd, "k 7 5000 AUTH2 me secret");
    int fd = accept_target();
    receive(fd,
            "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n");
    say(fd, "+OK\r\n");
    session_pass(session);
    say(fd, "+OK\r\n");
    receive(fd, "RESTORE\r\n$1\r\nk\r\n");
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n");
    received_size = 0;
    begin(session->fd, "l 7 5000 AUTH secret");
    receive(fd, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n");
    say(fd, "+OK\r\n");
    receive(fd, "*4\r\n$7\r\nRESTORE\r\n$1\r\nl\r\n");
    say(fd, "+OK\r\n");
    expect_answer(session->fd, "+OK\r\n");
    close(fd);
}

/* Many keys, more than the connection's buffer holds at a time, and a value that is larger. */
static void many_keys_move(void **state) {
    (void)state;
    enum { KEYS = 3000 };
    session_expect(session, "DEBUG POPULATE 3000 key 300", "+OK\r\n");
    char *line = malloc(64 + KEYS * 12);
    int size = sprintf(line, "MIGRATE 127.0.0.1 %d \"\" 0 5000 KEYS", port);
    for (int i = 0; i < KEYS; i++) {
        size += sprintf(line + size, " key:%d", i);
    }
    size += sprintf(line + size, "\r\n");
    heard_words();
    assert_int_equal(write(session->fd, line, (size_t)size), size);
    free(line);
    int fd = accept_target();
    receive(fd, "SELECT\r\n");
    say(fd, "+OK\r\n");
    for (int i = 0; i < KEYS; i++) {
        char name[32];
        snprintf(name, sizeof name, "\r\nkey:%d\r\n", i);
        receive(fd, name);
        say(fd, "+OK\r\n");
    }
    expect_answer(session->fd, "+OK\r\n");
    session_expect(session, "DBSIZE", ":0\r\n");
    close(fd);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_key_moves),
        TEST(what_has_changed_stays),
        TEST(what_has_expired_was_moved),
        TEST(targets_that_do_not_do_their_part),
        TEST(a_line_without_end_is_no_answer),
        TEST(a_kept_connection_that_has_ended_is_replaced),
        TEST(a_client_may_leave),
        TEST(the_database_is_always_chosen),
        TEST(login_comes_first),
        TEST(many_keys_move),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
