/* wire: blocking sockets with a deadline, and a reader of replies that is independent of the
 * server's own code: it would be no test to read with what has written. */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Replies nest no deeper in any command. */
#define DEPTH_MAX 32
#define WORDS_MAX 64

/* Text under construction. */
struct text {
    char *at;
    size_t size;
    size_t capacity;
};

static void add(struct text *text, const char *at, size_t size) {
    if (text->size + size + 1 > text->capacity) {
        text->capacity = 2 * (text->size + size + 1);
        text->at = realloc(text->at, text->capacity);
    }
    memcpy(text->at + text->size, at, size);
    text->size += size;
    text->at[text->size] = 0;
}

static void add_text(struct text *text, const char *more) {
    add(text, more, strlen(more));
}

int wire_connect(const struct server *server) {
    return wire_connect_port(server_port(server));
}

int wire_connect_port(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* The doors of one server open one after the other. */
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
    while (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno != ECONNREFUSED || harness_now_ms() > end) {
            harness_fail("connect: %s", strerror(errno));
        }
        harness_breathe();
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void wait_ready(int fd, short events) {
    struct pollfd ready = {.fd = fd, .events = events};
    int result = poll(&ready, 1, HARNESS_WAIT_MS);
    if (result == 0) {
        harness_fail("the server %s nothing for %d ms", (events & POLLIN) != 0 ? "sends" : "reads",
                     HARNESS_WAIT_MS);
    }
}

void wire_send(int fd, const void *at, size_t size) {
    const char *next = at;
    while (size > 0) {
        wait_ready(fd, POLLOUT);
        ssize_t sent = send(fd, next, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            harness_fail("send: %s", strerror(errno));
        }
        if (sent > 0) {
            next += sent;
            size -= (size_t)sent;
        }
    }
}

void wire_send_text(int fd, const char *text) {
    wire_send(fd, text, strlen(text));
}

size_t wire_try_send(int fd, const void *at, size_t size) {
    ssize_t sent = send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

void wire_settle(int other) {
    wire_send_text(other, "PING\r\n");
    wire_expect(other, "+PONG\r\n");
}

void wire_send_split(int fd, int other, const void *at, size_t size, size_t first) {
    const char *bytes = at;
    wire_send(fd, bytes, first);
    wire_settle(other);
    wire_send(fd, bytes + first, size - first);
}

void wire_send_slowly(int fd, int other, const void *at, size_t size) {
    const char *bytes = at;
    for (size_t i = 0; i < size; i++) {
        wire_send(fd, bytes + i, 1);
        wire_settle(other);
    }
}

void wire_read(int fd, void *at, size_t size) {
    char *next = at;
    while (size > 0) {
        wait_ready(fd, POLLIN);
        ssize_t got = recv(fd, next, size, 0);
        if (got == 0) {
            harness_fail("the stream ended, %zu bytes short", size);
        }
        if (got < 0 && errno != EINTR) {
            harness_fail("recv: %s", strerror(errno));
        }
        if (got > 0) {
            next += got;
            size -= (size_t)got;
        }
    }
}

void wire_exchange(int fd, const void *at, size_t size, void *back, size_t back_size) {
    const char *next = at;
    char *to = back;
    while (size > 0 || back_size > 0) {
        wait_ready(fd, (short)((size > 0 ? POLLOUT : 0) | (back_size > 0 ? POLLIN : 0)));
        size_t sent = size > 0 ? wire_try_send(fd, next, size) : 0;
        next += sent;
        size -= sent;
        ssize_t got = back_size > 0 ? recv(fd, to, back_size, MSG_DONTWAIT) : 0;
        if (got == 0 && back_size > 0) {
            harness_fail("the stream ended, %zu bytes short", back_size);
        }
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            harness_fail("recv: %s", strerror(errno));
        }
        to += got > 0 ? got : 0;
        back_size -= got > 0 ? (size_t)got : 0;
    }
}

size_t wire_read_until_quiet(int fd, void *at, size_t size, int quiet_ms) {
    char *bytes = at;
    size_t have = 0;
    while (have < size) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, quiet_ms) <= 0) {
            break;
        }
        ssize_t got = recv(fd, bytes + have, size - have, 0);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
    }
    return have;
}

static void add_quoted(struct text *text, const char *at, size_t size) {
    add_text(text, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)at[i];
        char piece[8];
        if (byte == '\r') {
            add_text(text, "\\r");
        } else if (byte == '\n') {
            add_text(text, "\\n");
        } else if (byte == '"' || byte == '\\') {
            snprintf(piece, sizeof piece, "\\%c", byte);
            add_text(text, piece);
        } else if (byte < 32 || byte > 126) {
            snprintf(piece, sizeof piece, "\\x%02x", byte);
            add_text(text, piece);
        } else {
            add(text, at + i, 1);
        }
    }
    add_text(text, "\"");
}

void wire_expect_bytes(int fd, const void *at, size_t size) {
    char *got = malloc(size + 1);
    wire_read(fd, got, size);
    if (memcmp(got, at, size) != 0) {
        struct text want = {0};
        struct text have = {0};
        add_quoted(&want, at, size);
        add_quoted(&have, got, size);
        harness_fail("expected %.1500s\n     got %.1500s", want.at, have.at);
    }
    free(got);
}

void wire_expect(int fd, const char *text) {
    wire_expect_bytes(fd, text, strlen(text));
}

void wire_expect_end(int fd) {
    char byte;
    wait_ready(fd, POLLIN);
    ssize_t got = recv(fd, &byte, 1, 0);
    if (got > 0) {
        harness_fail("the byte 0x%02x came before the end of the stream", (unsigned char)byte);
    }
    if (got < 0 && errno != ECONNRESET) {
        harness_fail("recv: %s", strerror(errno));
    }
}

/* One line with its CR LF appended to `raw`; returns where it starts in there. */
static size_t read_line(int fd, struct text *raw) {
    size_t start = raw->size;
    do {
        char byte;
        wire_read(fd, &byte, 1);
        add(raw, &byte, 1);
    } while (raw->size < start + 2 || raw->at[raw->size - 1] != '\n' ||
             raw->at[raw->size - 2] != '\r');
    return start;
}

static void read_whole(int fd, struct text *raw, int depth) {
    if (depth > DEPTH_MAX) {
        harness_fail("a reply nested deeper than %d", DEPTH_MAX);
    }
    size_t start = read_line(fd, raw);
    char kind = raw->at[start];
    long long count = strtoll(raw->at + start + 1, NULL, 10);
    if (strchr("+-:_#,(", kind) != NULL) {
        return;
    }
    if (strchr("$=!", kind) != NULL) {
        if (count >= 0) {
            char *body = malloc((size_t)count + 2);
            wire_read(fd, body, (size_t)count + 2);
            add(raw, body, (size_t)count + 2);
            free(body);
        }
        return;
    }
    if (strchr("*~>%|", kind) == NULL) {
        harness_fail("not a reply: %.200s", raw->at + start);
    }
    long long parts = kind == '%' || kind == '|' ? 2 * count : count;
    /* Attributes stand before the reply that they belong to. */
    parts += kind == '|' ? 1 : 0;
    for (long long i = 0; i < parts; i++) {
        read_whole(fd, raw, depth + 1);
    }
}

char *wire_read_raw(int fd, size_t *size) {
    struct text raw = {0};
    read_whole(fd, &raw, 0);
    *size = raw.size;
    return raw.at;
}

/* Adds the canonical text of the reply at *at and moves *at behind it. */
static void add_canonical(struct text *out, const char **at, const char *end) {
    const char *line = *at;
    const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
    if (stop == NULL) {
        harness_fail("a reply without CR LF");
    }
    char kind = *line;
    long long count = strtoll(line + 1, NULL, 10);
    *at = stop + 2;
    if (kind == '_') {
        add_text(out, "null");
    } else if (count < 0 && (kind == '$' || kind == '*')) {
        add_text(out, kind == '$' ? "nil" : "nil*");
    } else if (kind == '$' || kind == '=' || kind == '!') {
        add(out, line, kind == '$' ? 0 : 1);
        add_quoted(out, *at, (size_t)count);
        *at += count + 2;
    } else if (strchr("*~>%|", kind) != NULL) {
        bool pairs = kind == '%' || kind == '|';
        add(out, line, kind == '*' || kind == '%' ? 0 : 1);
        add_text(out, pairs ? "{" : "[");
        for (long long i = 0; i < count; i++) {
            add_text(out, i == 0 ? "" : ", ");
            add_canonical(out, at, end);
            if (pairs) {
                add_text(out, ": ");
                add_canonical(out, at, end);
            }
        }
        add_text(out, pairs ? "}" : "]");
        if (kind == '|') {
            add_canonical(out, at, end);
        }
    } else {
        add(out, line, (size_t)(stop - line));
    }
}

char *wire_canonical(const char *raw, size_t size) {
    struct text out = {0};
    add_canonical(&out, &raw, raw + size);
    return out.at;
}

char *wire_read_reply(int fd) {
    size_t size;
    char *raw = wire_read_raw(fd, &size);
    char *text = wire_canonical(raw, size);
    free(raw);
    return text;
}

void wire_send_words(int fd, const char *const *words, const size_t *sizes, size_t count) {
    struct text out = {0};
    char head[32];
    snprintf(head, sizeof head, "*%zu\r\n", count);
    add_text(&out, head);
    for (size_t i = 0; i < count; i++) {
        snprintf(head, sizeof head, "$%zu\r\n", sizes[i]);
        add_text(&out, head);
        add(&out, words[i], sizes[i]);
        add_text(&out, "\r\n");
    }
    wire_send(fd, out.at, out.size);
    free(out.at);
}

char *wire_ask(int fd, const char *word, ...) {
    const char *words[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    size_t count = 0;
    va_list more;
    va_start(more, word);
    for (; word != NULL && count < WORDS_MAX; word = va_arg(more, const char *)) {
        words[count] = word;
        sizes[count++] = strlen(word);
    }
    va_end(more);
    wire_send_words(fd, words, sizes, count);
    return wire_read_reply(fd);
}

void wire_expect_reply(int fd, const char *line, const char *expected) {
    const char *words[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    size_t count = 0;
    for (const char *at = line; *at != 0 && count < WORDS_MAX;) {
        sizes[count] = strcspn(at, " ");
        words[count] = at;
        at += sizes[count];
        at += *at == ' ' ? 1 : 0;
        count++;
    }
    harness_note(line);
    wire_send_words(fd, words, sizes, count);
    char *reply = wire_read_reply(fd);
    if (strcmp(reply, expected) != 0) {
        harness_fail("expected %.1500s\n     got %.1500s", expected, reply);
    }
    free(reply);
}
