/* TLS from outside: clients of OpenSSL, redis-cli and the openssl command, against a server with
 * each way of moving bytes. */
#include "secure.h"

#include <stdio.h>
#include <string.h>

#ifndef LARDER_NO_TLS

#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"
#include "wire.h"

static char *folder;

/* How the server moves bytes; the tests run once with each. */
static const char *const ways[][5] = {
    {NULL},
    {"--io-threads", "3", "--io-cpulist", "0,1", NULL},
    {"--io-backend", "io_uring", NULL},
};
static const char *const *way = ways[0];

struct guarded {
    struct server *server;
    int port;  /* for TLS */
    int plain; /* a connection to the other port */
};

/* Makes the server listen for TLS. A port that is free when it is looked for may be taken the
 * moment after. */
static void open_port(struct guarded *guarded) {
    for (int tries = 0; tries < 20; tries++) {
        char line[64];
        char *answer;
        guarded->port = harness_free_port();
        snprintf(line, sizeof line, "CONFIG SET tls-port %d\r\n", guarded->port);
        wire_send_text(guarded->plain, line);
        answer = wire_read_reply(guarded->plain);
        bool good = strcmp(answer, "+OK") == 0;
        free(answer);
        if (good) {
            return;
        }
    }
    harness_fail("no port for TLS");
}

/* A server with the folder's certificate, that wants none of its clients unless the options say so.
 */
static struct guarded start(const char *const *options) {
    struct guarded guarded = {0};
    const char *words[48] = {"--tls-cert-file",    secure_path(folder, "server", "crt"),
                             "--tls-key-file",     secure_path(folder, "server", "key"),
                             "--tls-ca-cert-file", secure_path(folder, "ca", "crt"),
                             "--tls-auth-clients", "no"};
    size_t count = 8;
    for (const char *const *word = way; *word != NULL; word++) {
        words[count++] = *word;
    }
    for (const char *const *word = options; word != NULL && *word != NULL; word++) {
        words[count++] = *word;
    }
    guarded.server = server_start(words);
    guarded.plain = wire_connect(guarded.server);
    open_port(&guarded);
    return guarded;
}

static void stop(struct guarded *guarded) {
    close(guarded->plain);
    server_stop(guarded->server);
}

static int64_t info(const struct guarded *guarded, const char *field) {
    return probe_info(guarded->plain, field);
}

struct count_wanted {
    const struct guarded *guarded;
    const char *field;
    int64_t value;
};

static bool has_count(void *context) {
    const struct count_wanted *wanted = context;
    return info(wanted->guarded, wanted->field) == wanted->value;
}

static void wait_info(const struct guarded *guarded, const char *field, int64_t value) {
    struct count_wanted wanted = {guarded, field, value};
    harness_wait_for(has_count, &wanted, field);
}

/* ---- service ---- */

static void everyday(void **state) {
    (void)state;
    struct guarded guarded = start(NULL);
    struct secure_client *client = secure_connect(guarded.port, folder);
    secure_ask(client, "PING\r\n", "+PONG\r\n");
    secure_ask(client, "SET k v\r\n", "+OK\r\n");
    secure_ask(client, "GET k\r\nGET none\r\nINCR n\r\n", "$1\r\nv\r\n$-1\r\n:1\r\n");
    secure_ask(client, "*2\r\n$3\r\nGET\r\n$1\r\n", "");
    secure_ask(client, "k\r\n", "$1\r\nv\r\n");
    wire_send_text(guarded.plain, "GET k\r\n");
    wire_expect(guarded.plain, "$1\r\nv\r\n");
    assert_int_equal(info(&guarded, "tls_handshakes"), 1);
    assert_int_equal(info(&guarded, "tls_port"), guarded.port);
    assert_true(info(&guarded, "tls_certificate_expires_in_seconds") > 299 * 86400);
    char *subject = probe_info_text(guarded.plain, "tls_certificate_subject");
    assert_string_equal(subject, "/CN=server");
    free(subject);
    assert_string_equal(secure_server_name(client), "server");
    secure_ask(client, "QUIT\r\n", "+OK\r\n");
    secure_expect_end(client);
    secure_close(client);
    stop(&guarded);
}

static char *value_of(size_t size) {
    char *value = malloc(size);
    for (size_t i = 0; i < size; i++) {
        value[i] = (char)(i * 31 + i / 251);
    }
    return value;
}

/* Values that arrive in many records and leave in many, among small ones. */
static void large_values(void **state) {
    (void)state;
    struct guarded guarded = start(NULL);
    static const size_t sizes[] = {16000, 16384, 32768, 65536, 700000, 5000000};
    struct secure_client *client = secure_connect(guarded.port, folder);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        char *value = value_of(size);
        char *back = malloc(size);
        char head[64];
        secure_ask(client, "SET small 1\r\n", "+OK\r\n");
        snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%zu\r\n", size);
        secure_send_text(client, head);
        secure_send(client, value, size);
        secure_send_text(client, "\r\nGET small\r\n");
        secure_expect(client, "+OK\r\n$1\r\n1\r\n");
        for (int round = 0; round < 2; round++) {
            secure_send_text(client, "GET small\r\nGET large\r\nGET small\r\n");
            snprintf(head, sizeof head, "$1\r\n1\r\n$%zu\r\n", size);
            secure_expect(client, head);
            secure_read(client, back, size);
            assert_memory_equal(back, value, size);
            secure_expect(client, "\r\n$1\r\n1\r\n");
        }
        free(value);
        free(back);
    }
    secure_leave(client);
    stop(&guarded);
}

/* Pipelines that come in pieces of any size, and replies that wait until the client reads them. */
static void pipelines(void **state) {
    (void)state;
    enum { REQUESTS = 20000, CLIENTS = 4 };
    struct guarded guarded = start(NULL);
    struct secure_client *clients[CLIENTS];
    size_t size = 0;
    char *out = malloc((size_t)REQUESTS * 32);
    for (int i = 0; i < REQUESTS; i++) {
        size += (size_t)sprintf(out + size, "ECHO %d\r\n", i * 7919);
    }
    for (int c = 0; c < CLIENTS; c++) {
        clients[c] = secure_connect(guarded.port, folder);
    }
    for (size_t at = 0, step = 1; at < size; step = step * 3 % 9001 + 1) {
        size_t part = step < size - at ? step : size - at;
        for (int c = 0; c < CLIENTS; c++) {
            secure_send(clients[c], out + at, part);
        }
        at += part;
    }
    for (int c = 0; c < CLIENTS; c++) {
        for (int i = 0; i < REQUESTS; i++) {
            char text[16];
            char expected[48];
            int digits = snprintf(text, sizeof text, "%d", i * 7919);
            snprintf(expected, sizeof expected, "$%d\r\n%s\r\n", digits, text);
            secure_expect(clients[c], expected);
        }
        secure_leave(clients[c]);
    }
    free(out);
    stop(&guarded);
}

/* A reader that reads late, with replies beyond what sockets hold. */
static void late_reader(void **state) {
    (void)state;
    enum { SIZE = 300000, COUNT = 40 };
    struct guarded guarded = start(NULL);
    struct secure_client *client = secure_connect(guarded.port, folder);
    struct secure_client *other = secure_connect(guarded.port, folder);
    char *value = value_of(SIZE);
    char *back = malloc(SIZE);
    char head[64];
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$%d\r\n", SIZE);
    secure_send_text(client, head);
    secure_send(client, value, SIZE);
    secure_ask(client, "\r\n", "+OK\r\n");
    for (int i = 0; i < COUNT; i++) {
        secure_send_text(client, "GET v\r\n");
    }
    for (int i = 0; i < 100; i++) {
        secure_ask(other, "PING\r\n", "+PONG\r\n");
    }
    snprintf(head, sizeof head, "$%d\r\n", SIZE);
    for (int i = 0; i < COUNT; i++) {
        secure_expect(client, head);
        secure_read(client, back, SIZE);
        assert_memory_equal(back, value, SIZE);
        secure_expect(client, "\r\n");
    }
    free(value);
    free(back);
    secure_close(client);
    secure_close(other);
    stop(&guarded);
}

static void messages(void **state) {
    (void)state;
    struct guarded guarded = start(NULL);
    struct secure_client *hears = secure_connect(guarded.port, folder);
    struct secure_client *says = secure_connect(guarded.port, folder);
    secure_ask(hears, "SUBSCRIBE c\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    for (int i = 0; i < 500; i++) {
        secure_send_text(says, "PUBLISH c hello\r\n");
    }
    for (int i = 0; i < 500; i++) {
        secure_expect(says, ":1\r\n");
        secure_expect(hears, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n");
    }
    secure_ask(hears, "UNSUBSCRIBE c\r\n", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n");
    secure_send_text(hears, "BLPOP list 0\r\n");
    wait_info(&guarded, "blocked_clients", 1);
    secure_ask(says, "RPUSH list x\r\n", ":1\r\n");
    secure_expect(hears, "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n");
    secure_leave(hears);
    secure_close(says);
    stop(&guarded);
}

/* Connections go from thread to thread while they are used. */
static void moves(void **state) {
    (void)state;
    enum { CLIENTS = 12, ROUNDS = 12 };
    struct guarded guarded = start(NULL);
    struct secure_client *clients[CLIENTS];
    for (int c = 0; c < CLIENTS; c++) {
        clients[c] = secure_connect(guarded.port, folder);
    }
    for (int round = 0; round < ROUNDS; round++) {
        char set[64];
        snprintf(set, sizeof set, "CONFIG SET io-threads %d\r\n", round % 3 + 1);
        for (int c = 0; c < CLIENTS; c++) {
            secure_send_text(clients[c], "PING\r\nECHO a\r\n");
        }
        wire_send_text(guarded.plain, set);
        wire_expect(guarded.plain, "+OK\r\n");
        for (int c = 0; c < CLIENTS; c++) {
            secure_expect(clients[c], "+PONG\r\n$1\r\na\r\n");
        }
    }
    for (int c = 0; c < CLIENTS; c++) {
        secure_close(clients[c]);
    }
    stop(&guarded);
}

/* ---- who comes in ---- */

static bool is_served(int port, const char *ca, const char *name, int version, char *problem) {
    struct secure_wishes wishes = {.version = version};
    wishes.ca = ca == NULL ? NULL : secure_path(folder, ca, "crt");
    if (name != NULL) {
        wishes.cert = secure_path(folder, name, "crt");
        wishes.key = secure_path(folder, name, "key");
    }
    struct secure_client *client = secure_try(port, &wishes, problem);
    if (client == NULL) {
        return false;
    }
    bool served = secure_try_ping(client);
    secure_close(client);
    return served;
}

static void certificates_of_clients(void **state) {
    (void)state;
    static const struct {
        const char *mode;
        const char *name;
        bool served;
    } cases[] = {
        {"yes", NULL, false},
        {"yes", "client", true},
        {"yes", "foreign", false},
        {"yes", "expired", false},
        {"optional", NULL, true},
        {"optional", "client", true},
        {"optional", "foreign", false},
        {"optional", "expired", false},
        {"no", NULL, true},
        {"no", "foreign", true},
    };
    struct guarded guarded = start(NULL);
    int64_t failures = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char set[64];
        char problem[256];
        snprintf(set, sizeof set, "CONFIG SET tls-auth-clients %s\r\n", cases[i].mode);
        wire_send_text(guarded.plain, set);
        wire_expect(guarded.plain, "+OK\r\n");
        static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
        for (int v = 0; v < 2; v++) {
            harness_note(cases[i].name == NULL ? cases[i].mode : cases[i].name);
            assert_int_equal(is_served(guarded.port, "ca", cases[i].name, versions[v], problem),
                             cases[i].served);
            failures += !cases[i].served;
        }
    }
    wait_info(&guarded, "tls_handshakes_failed", failures);
    char problem[256];
    assert_false(is_served(guarded.port, "stranger", NULL, 0, problem));
    assert_string_equal(problem, "certificate verify failed");
    stop(&guarded);
}

static void every_protocol(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *word;
        int version;
    } all[] = {{"TLSv1", "-tls1", TLS1_VERSION},
               {"TLSv1.1", "-tls1_1", TLS1_1_VERSION},
               {"TLSv1.2", "-tls1_2", TLS1_2_VERSION},
               {"TLSv1.3", "-tls1_3", TLS1_3_VERSION}};
    struct guarded guarded = start((const char *[]){"--tls-ciphers", "DEFAULT:@SECLEVEL=0", NULL});
    for (int set = 0; set < 4; set++) {
        char line[96];
        snprintf(line, sizeof line, "CONFIG SET tls-protocols %s\r\n", all[set].name);
        wire_send_text(guarded.plain, line);
        wire_expect(guarded.plain, "+OK\r\n");
        for (int i = 0; i < 4; i++) {
            char *output = secure_shell("printf 'PING\\nQUIT\\n' | timeout 20 openssl s_client %s "
                                        "-cipher DEFAULT:@SECLEVEL=0 -quiet "
                                        "-connect 127.0.0.1:%d 2>&1",
                                        all[i].word, guarded.port);
            assert_int_equal(strstr(output, "+PONG") != NULL, i == set);
            free(output);
        }
    }
    wire_send_text(guarded.plain, "CONFIG SET tls-protocols SSLv3\r\n");
    wire_expect(guarded.plain,
                "-ERR CONFIG SET failed (possibly related to argument "
                "'tls-protocols') - Unable to update TLS configuration. Check server "
                "logs.\r\n");
    wire_send_text(guarded.plain, "CONFIG SET tls-protocols TLSv1.2\r\n");
    wire_expect(guarded.plain, "+OK\r\n");
    struct secure_client *client = secure_connect(guarded.port, folder);
    secure_ask(client, "PING\r\n", "+PONG\r\n");
    assert_true(secure_is_refused_renegotiation(client));
    secure_close(client);
    stop(&guarded);
}

static void by_redis_cli(void **state) {
    (void)state;
    struct guarded guarded = start((const char *[]){"--tls-auth-clients", "yes", NULL});
    char *output =
        secure_shell("redis-cli -p %d --tls --cacert %s --cert %s --key %s ECHO hello 2>&1",
                     guarded.port, secure_path(folder, "ca", "crt"),
                     secure_path(folder, "client", "crt"), secure_path(folder, "client", "key"));
    assert_string_equal(output, "hello\n");
    free(output);
    output = secure_shell("redis-cli -p %d --tls --cacert %s ECHO hello 2>&1", guarded.port,
                          secure_path(folder, "ca", "crt"));
    assert_null(strstr(output, "hello\n"));
    free(output);
    output = secure_shell("redis-cli -p %d --tls --insecure --cert %s --key %s ECHO hello 2>&1",
                          guarded.port, secure_path(folder, "client", "crt"),
                          secure_path(folder, "client", "key"));
    assert_string_equal(output, "hello\n");
    free(output);
    stop(&guarded);
}

static void sessions(void **state) {
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct guarded guarded = start(NULL);
    int64_t resumed = 0;
    for (int caching = 1; caching >= 0; caching--) {
        wire_send_text(guarded.plain, caching ? "CONFIG SET tls-session-caching yes\r\n"
                                              : "CONFIG SET tls-session-caching no\r\n");
        wire_expect(guarded.plain, "+OK\r\n");
        for (int v = 0; v < 2; v++) {
            for (int i = 0; i < 3; i++) {
                char problem[256];
                struct secure_wishes wishes = {.version = versions[v], .resumes = i > 0};
                struct secure_client *client = secure_try(guarded.port, &wishes, problem);
                assert_non_null(client);
                secure_ask(client, "PING\r\n", "+PONG\r\n");
                assert_int_equal(secure_was_resumed(client), caching && i > 0);
                resumed += caching && i > 0;
                secure_leave(client);
            }
        }
    }
    assert_int_equal(info(&guarded, "tls_handshakes_resumed"), resumed);
    stop(&guarded);
}

static void plain_text(void **state) {
    (void)state;
    struct guarded guarded = start(NULL);
    char *output = secure_shell("redis-cli -p %d PING 2>&1", guarded.port);
    assert_null(strstr(output, "PONG"));
    free(output);
    wait_info(&guarded, "tls_plain_text", 1);
    probe_wait_log(guarded.server, "plain text instead of TLS");
    assert_true(info(&guarded, "tls_handshakes_failed") >= 1);
    stop(&guarded);
}

/* ---- strangers who stall ---- */

struct crowd {
    int *fds;
    int count;
};

static struct crowd crowd_of(int port, int count, const char *hello, size_t size) {
    struct crowd crowd = {.fds = malloc((size_t)count * sizeof(int)), .count = count};
    for (int i = 0; i < count; i++) {
        crowd.fds[i] = wire_connect_port(port);
        wire_send(crowd.fds[i], hello, size);
    }
    return crowd;
}

static void crowd_leaves(struct crowd *crowd) {
    for (int i = 0; i < crowd->count; i++) {
        close(crowd->fds[i]);
    }
    free(crowd->fds);
}

static void those_who_stall_have_to_go(void **state) {
    (void)state;
    enum { EACH = 340 };
    struct guarded guarded = start((const char *[]){"--tls-handshake-timeout", "2", NULL});
    char hello[2048];
    size_t size = secure_hello(hello, sizeof hello);
    struct secure_client *client = secure_connect(guarded.port, folder);
    /* Those who say nothing, half a word, and all of theirs, and then wait. */
    struct crowd silent = crowd_of(guarded.port, EACH, "", 0);
    struct crowd half = crowd_of(guarded.port, EACH, hello, 100);
    struct crowd whole = crowd_of(guarded.port, EACH, hello, size);
    struct secure_client *later = secure_connect(guarded.port, folder);
    for (int i = 0; i < 100; i++) {
        secure_ask(client, "PING\r\n", "+PONG\r\n");
        secure_ask(later, "PING\r\n", "+PONG\r\n");
    }
    wait_info(&guarded, "tls_handshakes_expired", (int64_t)3 * EACH);
    wait_info(&guarded, "connected_clients", 3);
    secure_ask(client, "PING\r\n", "+PONG\r\n");
    secure_ask(later, "PING\r\n", "+PONG\r\n");
    crowd_leaves(&silent);
    crowd_leaves(&half);
    crowd_leaves(&whole);
    secure_close(client);
    secure_close(later);
    stop(&guarded);
}

enum { CROWD = 60, MOST = 5, THREADS_MAX = 4 };

static bool are_few(void *context) {
    return info(context, "connected_clients") <= 2 + MOST * THREADS_MAX;
}

static void no_more_than_so_many_at_once(void **state) {
    (void)state;
    struct guarded guarded = start(
        (const char *[]){"--tls-handshakes-max", "5", "--tls-handshake-timeout", "600", NULL});
    char hello[2048];
    size_t size = secure_hello(hello, sizeof hello);
    struct crowd crowd = crowd_of(guarded.port, CROWD, hello, size);
    struct secure_client *client = secure_connect(guarded.port, folder);
    secure_ask(client, "PING\r\n", "+PONG\r\n");
    harness_wait_for(are_few, &guarded, "the crowd to be few");
    assert_true(info(&guarded, "tls_handshakes_failed") >= CROWD - MOST * THREADS_MAX);
    secure_ask(client, "PING\r\n", "+PONG\r\n");
    crowd_leaves(&crowd);
    secure_close(client);
    stop(&guarded);
}

/* ---- certificates are exchanged ---- */

static void set_certificate(const struct guarded *guarded, const char *cert, const char *key,
                            const char *answer) {
    char line[512];
    snprintf(line, sizeof line, "CONFIG SET tls-cert-file %s tls-key-file %s\r\n",
             secure_path(folder, cert, "crt"), secure_path(folder, key, "key"));
    wire_send_text(guarded->plain, line);
    wire_expect(guarded->plain, answer);
}

static void expect_certificate(const struct guarded *guarded, const char *name) {
    struct secure_client *client = secure_connect(guarded->port, folder);
    assert_string_equal(secure_server_name(client), name);
    secure_ask(client, "PING\r\n", "+PONG\r\n");
    secure_close(client);
}

/* Copies over a file that the server has read. */
static void replace(const char *from, const char *to) {
    free(secure_shell("cp %s %s && cp %s %s", secure_path(folder, from, "crt"),
                      secure_path(folder, to, "crt"), secure_path(folder, from, "key"),
                      secure_path(folder, to, "key")));
}

static bool shows(void *context) {
    const struct guarded *guarded = context;
    struct secure_client *client = secure_connect(guarded->port, folder);
    bool is_second = strcmp(secure_server_name(client), "second") == 0;
    secure_close(client);
    return is_second;
}

static void exchanged_under_load(void **state) {
    (void)state;
    enum { CLIENTS = 8, ROUNDS = 10 };
    static const char refused[] =
        "-ERR CONFIG SET failed (possibly related to argument 'tls-cert-file') - Unable to update "
        "TLS configuration. Check server logs.\r\n";
    struct guarded guarded = start(NULL);
    struct secure_client *clients[CLIENTS];
    for (int c = 0; c < CLIENTS; c++) {
        clients[c] = secure_connect(guarded.port, folder);
    }
    for (int round = 0; round < ROUNDS; round++) {
        const char *name = round % 2 == 0 ? "second" : "server";
        for (int c = 0; c < CLIENTS; c++) {
            secure_send_text(clients[c], "PING\r\nECHO load\r\n");
        }
        set_certificate(&guarded, name, name, "+OK\r\n");
        set_certificate(&guarded, "server", "second", refused);
        set_certificate(&guarded, "none", "none", refused);
        expect_certificate(&guarded, name);
        for (int c = 0; c < CLIENTS; c++) {
            secure_expect(clients[c], "+PONG\r\n$4\r\nload\r\n");
        }
    }
    probe_wait_log(guarded.server, "key values mismatch");
    /* The same names, other files: the value set is no new one. */
    replace("server", "now");
    set_certificate(&guarded, "now", "now", "+OK\r\n");
    expect_certificate(&guarded, "server");
    replace("second", "now");
    set_certificate(&guarded, "now", "now", "+OK\r\n");
    expect_certificate(&guarded, "second");
    replace("server", "now");
    set_certificate(&guarded, "now", "now", "+OK\r\n");
    /* By a signal. */
    replace("second", "now");
    kill(server_pid(guarded.server), SIGHUP);
    harness_wait_for(shows, &guarded, "the second certificate");
    probe_wait_log(guarded.server, "the certificates were read anew");
    free(secure_shell("echo nonsense > %s", secure_path(folder, "now", "crt")));
    kill(server_pid(guarded.server), SIGHUP);
    probe_wait_log(guarded.server, "the certificates stay as they are");
    expect_certificate(&guarded, "second");
    for (int c = 0; c < CLIENTS; c++) {
        secure_ask(clients[c], "PING\r\n", "+PONG\r\n");
        secure_close(clients[c]);
    }
    stop(&guarded);
}

static void a_certificate_that_expires_is_told(void **state) {
    (void)state;
    struct guarded guarded = start(NULL);
    assert_false(probe_log_has(guarded.server, "expire"));
    set_certificate(&guarded, "expired", "expired", "+OK\r\n");
    probe_wait_log(guarded.server, "has expired");
    assert_true(info(&guarded, "tls_certificate_expires_in_seconds") < 0);
    char problem[256];
    assert_false(is_served(guarded.port, "ca", NULL, 0, problem));
    free(secure_shell("cd %s && openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -days 20 "
                      "-out soon.crt 2>&1 && cp server.key soon.key",
                      folder));
    set_certificate(&guarded, "soon", "soon", "+OK\r\n");
    probe_wait_log(guarded.server, " days. After replacing");
    stop(&guarded);
}

/* ---- the port ---- */

static void ports(void **state) {
    (void)state;
    char *output;
    char port[8];
    snprintf(port, sizeof port, "%d", harness_free_port());
    assert_int_equal(server_run((const char *[]){"--tls-port", port, NULL}, &output), 1);
    assert_non_null(strstr(output, "TLS: No tls-cert-file is given."));
    free(output);
    assert_int_equal(
        server_run((const char *[]){"--tls-port", port, "--tls-cert-file",
                                    secure_path(folder, "server", "crt"), "--tls-key-file",
                                    secure_path(folder, "server", "key"), NULL},
                   &output),
        1);
    assert_non_null(strstr(output, "Neither tls-ca-cert-file nor tls-ca-cert-dir"));
    free(output);
    struct guarded guarded = start(NULL);
    expect_certificate(&guarded, "server");
    /* Off and on again; and TLS alone. */
    char line[64];
    wire_send_text(guarded.plain, "CONFIG SET tls-port 0\r\n");
    wire_expect(guarded.plain, "+OK\r\n");
    snprintf(line, sizeof line, "CONFIG SET tls-port %d\r\n", guarded.port);
    wire_send_text(guarded.plain, line);
    wire_expect(guarded.plain, "+OK\r\n");
    expect_certificate(&guarded, "server");
    snprintf(line, sizeof line, "CONFIG SET port 0 tls-port %d\r\n", guarded.port);
    wire_send_text(guarded.plain, line);
    wire_expect(guarded.plain, "+OK\r\n");
    expect_certificate(&guarded, "server");
    wire_send_text(guarded.plain, "CONFIG GET tls-key-file-pass\r\n");
    wire_expect(guarded.plain, "*2\r\n$17\r\ntls-key-file-pass\r\n$0\r\n\r\n");
    stop(&guarded);
}

static int make(void **state) {
    (void)state;
    folder = secure_make();
    return 0;
}

static int clean(void **state) {
    (void)state;
    secure_remove(folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyday),
        cmocka_unit_test(large_values),
        cmocka_unit_test(pipelines),
        cmocka_unit_test(late_reader),
        cmocka_unit_test(messages),
        cmocka_unit_test(moves),
        cmocka_unit_test(certificates_of_clients),
        cmocka_unit_test(sessions),
        cmocka_unit_test(plain_text),
        cmocka_unit_test(those_who_stall_have_to_go),
        cmocka_unit_test(no_more_than_so_many_at_once),
        cmocka_unit_test(exchanged_under_load),
    };
    const struct CMUnitTest once[] = {
        cmocka_unit_test(every_protocol),
        cmocka_unit_test(by_redis_cli),
        cmocka_unit_test(a_certificate_that_expires_is_told),
        cmocka_unit_test(ports),
    };
    int failures = cmocka_run_group_tests(once, make, clean);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        way = ways[i];
        failures += cmocka_run_group_tests(tests, make, clean);
    }
    return failures;
}

#else

static void there_is_none(void **state) {
    (void)state;
    char *output;
    assert_false(secure_is_built());
    assert_int_equal(server_run((const char *[]){"--tls-port", "6380", NULL}, &output), 1);
    assert_non_null(strstr(output, "built without TLS"));
    free(output);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
