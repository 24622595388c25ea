/* session: server_init and server_start as main calls them, then one pass at a time. */
#include "support/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define OPTIONS_MAX 64
/* Passes after which an answer that has not begun will not come. */
#define PASSES_MAX 1000

static size_t memory_before;

struct session *session_start(const char *const *options) {
    memory_before = mem_used();
    struct session *session = calloc(1, sizeof *session);
    assert_non_null(session);
    const char *parent = getenv("TMPDIR");
    snprintf(session->folder, sizeof session->folder, "%s/session-XXXXXX",
             parent == NULL || strlen(parent) > 40 ? "/tmp" : parent);
    assert_non_null(mkdtemp(session->folder));
    char path[80];
    snprintf(path, sizeof path, "%s/s", session->folder);
    const char *arguments[OPTIONS_MAX] = {"test", "--port",       "0",    "--unixsocket",
                                          path,   "--io-backend", "epoll"};
    int count = 7;
    for (; options != NULL && *options != NULL; options++) {
        assert_true(count < OPTIONS_MAX - 1);
        arguments[count++] = *options;
    }
    log_set_level(LOG_NOTHING);
    server_init(&session->server, "test");
    struct buffer problem;
    buffer_init(&problem, MEM_OTHER);
    char *words[OPTIONS_MAX];
    for (int i = 0; i < count; i++) {
        words[i] = strdup(arguments[i]);
    }
    int status = config_load(session->server.config, count, words, &problem);
    if (status != 0) {
        print_error("%s", buffer_text(&problem));
    }
    assert_int_equal(status, 0);
    buffer_clear(&problem);
    for (int i = 0; i < count; i++) {
        free(words[i]);
    }
    assert_int_equal(server_start(&session->server), 0);
    session->fd = session_connect(session);
    return session;
}

void session_end(struct session *session) {
    close(session->fd);
    server_free(&session->server);
    rmdir(session->folder);
    free(session);
    assert_int_equal(mem_used(), memory_before);
}

int session_connect(struct session *session) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", session->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    session_pass(session);
    return fd;
}

void session_pass(struct session *session) {
    /* One accepts, one reads and answers, one does what was left for later. */
    for (int i = 0; i < 3; i++) {
        loop_run_once(session->server.loop, 0);
    }
}

const char *session_read(struct session *session, int fd) {
    size_t size = 0;
    for (;;) {
        ssize_t got = read(fd, session->answer + size, sizeof session->answer - 1 - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    session->answer[size] = '\0';
    return session->answer;
}

const char *session_ask_on(struct session *session, int fd, const char *line) {
    size_t size = strlen(line);
    assert_int_equal(write(fd, line, size), (ssize_t)size);
    assert_int_equal(write(fd, "\r\n", 2), 2);
    for (int i = 0; i < PASSES_MAX; i++) {
        session_pass(session);
        if (session_read(session, fd)[0] != '\0') {
            break;
        }
    }
    return session->answer;
}

const char *session_ask(struct session *session, const char *line) {
    return session_ask_on(session, session->fd, line);
}

void session_expect(struct session *session, const char *line, const char *answer) {
    assert_string_equal(session_ask(session, line), answer);
}
