/* http_talk: see the header. */
#include "http_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "secure.h"
#include "wire.h"

struct talk talk_open(int port) {
    return (struct talk){.fd = wire_connect_port(port)};
}

#ifndef LARDER_NO_TLS

struct talk talk_open_secure(int port, const char *folder) {
    return (struct talk){.fd = -1, .secure = secure_connect(port, folder)};
}

void talk_send(struct talk *talk, const void *at, size_t size) {
    if (talk->secure != NULL) {
        secure_send(talk->secure, at, size);
    } else {
        wire_send(talk->fd, at, size);
    }
}

void talk_read(struct talk *talk, void *at, size_t size) {
    if (talk->secure != NULL) {
        secure_read(talk->secure, at, size);
    } else {
        wire_read(talk->fd, at, size);
    }
}

void talk_expect_end(struct talk *talk) {
    if (talk->secure != NULL) {
        secure_expect_end(talk->secure);
    } else {
        wire_expect_end(talk->fd);
    }
}

void talk_close(struct talk *talk) {
    if (talk->secure != NULL) {
        secure_close(talk->secure);
    } else {
        close(talk->fd);
    }
}

#else

void talk_send(struct talk *talk, const void *at, size_t size) {
    wire_send(talk->fd, at, size);
}

void talk_read(struct talk *talk, void *at, size_t size) {
    wire_read(talk->fd, at, size);
}

void talk_expect_end(struct talk *talk) {
    wire_expect_end(talk->fd);
}

void talk_close(struct talk *talk) {
    close(talk->fd);
}

#endif

static char read_byte(struct talk *talk) {
    char c;
    talk_read(talk, &c, 1);
    return c;
}

static void read_line(struct talk *talk, char *out, size_t room) {
    size_t size = 0;
    while (size < room - 1) {
        out[size++] = read_byte(talk);
        if (size >= 2 && out[size - 2] == '\r' && out[size - 1] == '\n') {
            out[size - 2] = '\0';
            return;
        }
    }
    harness_fail("a line of an answer is too long");
}

const char *answer_field(const struct answer *answer, const char *name) {
    static char value[512];
    const size_t size = strlen(name);
    for (const char *line = strstr(answer->head, "\n"); line != NULL;
         line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, size) == 0 && line[1 + size] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + 3 + size, "\r\n"),
                     line + 3 + size);
            return value;
        }
    }
    return NULL;
}

static void read_chunks(struct talk *talk, struct answer *answer) {
    for (;;) {
        char line[64];
        read_line(talk, line, sizeof line);
        size_t size = strtoul(line, NULL, 16);
        assert_true(answer->body_size + size < ANSWER_SIZE);
        talk_read(talk, answer->body + answer->body_size, size);
        answer->body_size += size;
        read_line(talk, line, sizeof line);
        assert_string_equal(line, "");
        if (size == 0) {
            return;
        }
    }
}

void talk_answer(struct talk *talk, bool has_body, struct answer *answer) {
    size_t size = 0;
    memset(answer, 0, sizeof *answer);
    for (;;) {
        char line[1024];
        read_line(talk, line, sizeof line);
        if (line[0] == '\0') {
            break;
        }
        size += (size_t)snprintf(answer->head + size, sizeof answer->head - size, "%s\r\n", line);
    }
    assert_int_equal(sscanf(answer->head, "HTTP/1.1 %d ", &answer->status), 1);
    const char *length = answer_field(answer, "Content-Length");
    if (!has_body) {
        return;
    }
    if (length != NULL) {
        answer->body_size = strtoul(length, NULL, 10);
        talk_read(talk, answer->body, answer->body_size);
    } else if (answer_field(answer, "Transfer-Encoding") != NULL) {
        read_chunks(talk, answer);
    }
}
