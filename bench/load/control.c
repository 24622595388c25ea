/* control: blocking questions. */
#include "load/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/connect.h"
#include "load/replies.h"

/* A server that says nothing for so long is given up. */
#define ANSWER_MS_MAX 10000
#define READ_SIZE     16384

static int say(struct buffer *reply, const char *text) {
    buffer_clear(reply);
    buffer_append_text(reply, text);
    return -1;
}

static int send_words(struct transport *transport, const char *const *words) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    buffer_printf(&out, "*%d\r\n", count);
    for (int i = 0; i < count; i++) {
        buffer_printf(&out, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    }
    /* Short enough for any socket that has nothing else to send. */
    ssize_t sent = transport_write(transport, out.at, out.size);
    int status = sent == (ssize_t)out.size ? 0 : -1;
    buffer_clear(&out);
    return status;
}

/* Error texts are one line. */
static int check_error(struct buffer *reply) {
    if (reply->at[0] != '-') {
        return 0;
    }
    char text[REPLIES_LINE_MAX];
    snprintf(text, sizeof text, "the server answers: %.*s",
             (int)strcspn(buffer_text(reply) + 1, "\r\n"), buffer_text(reply) + 1);
    return say(reply, text);
}

int control_ask(struct transport *transport, const char *const *words, struct buffer *reply) {
    if (send_words(transport, words) != 0) {
        return say(reply, "the question cannot be sent");
    }
    struct replies replies;
    struct replies_tally tally = {0};
    replies_init(&replies, 1);
    for (;;) {
        char *at = buffer_reserve(reply, READ_SIZE);
        ssize_t got = transport_read(transport, at, READ_SIZE);
        if (got == -EAGAIN) {
            if (!connect_wait(transport, false, ANSWER_MS_MAX)) {
                return say(reply, "no answer in time");
            }
            continue;
        }
        if (got <= 0) {
            return say(reply, got == 0         ? "the connection was closed"
                              : got == -EPROTO ? tls_problem(transport)
                                               : strerror((int)-got));
        }
        reply->size += (size_t)got;
        int64_t count = replies_count(&replies, at, (size_t)got, &tally);
        if (count < 0) {
            return say(reply, "what came is no reply");
        }
        if (count > 0) {
            return check_error(reply);
        }
    }
}

/* What stands behind `name:` in the reply to INFO, or NULL. */
static const char *field(struct buffer *info, const char *name) {
    const char *at = buffer_text(info);
    size_t size = strlen(name);
    while ((at = strstr(at, name)) != NULL) {
        if (at != info->at && at[-1] == '\n' && at[size] == ':') {
            return at + size + 1;
        }
        at += size;
    }
    return NULL;
}

int64_t control_cpu_ns(struct transport *transport, int64_t *user_ns) {
    struct buffer info;
    buffer_init(&info, MEM_OTHER);
    const char *words[] = {"INFO", "cpu", NULL};
    int64_t ns = *user_ns = -1;
    if (control_ask(transport, words, &info) == 0) {
        const char *user = field(&info, "used_cpu_user");
        const char *system = field(&info, "used_cpu_sys");
        if (user != NULL && system != NULL) {
            *user_ns = (int64_t)(strtod(user, NULL) * 1e9);
            ns = *user_ns + (int64_t)(strtod(system, NULL) * 1e9);
        }
    }
    buffer_clear(&info);
    return ns;
}

bool control_is_at_rest(struct transport *transport) {
    static const char *const under_way[] = {"lazyfree_pending_objects", "active_defrag_running"};
    struct buffer info;
    buffer_init(&info, MEM_OTHER);
    const char *words[] = {"INFO", "memory", NULL};
    bool rests = true;
    if (control_ask(transport, words, &info) == 0) {
        for (size_t i = 0; i < sizeof under_way / sizeof under_way[0]; i++) {
            const char *figure = field(&info, under_way[i]);
            rests = rests && (figure == NULL || strtol(figure, NULL, 10) == 0);
        }
    }
    buffer_clear(&info);
    return rests;
}

void control_version(struct transport *transport, char *out) {
    static const char *const names[] = {"larder", "valkey", "dragonfly", "redis"};
    struct buffer info;
    buffer_init(&info, MEM_OTHER);
    const char *words[] = {"INFO", "server", NULL};
    out[0] = '\0';
    bool known = control_ask(transport, words, &info) == 0;
    for (size_t i = 0; known && out[0] == '\0' && i < sizeof names / sizeof names[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s_version", names[i]);
        const char *version = field(&info, name);
        if (version != NULL) {
            snprintf(out, CONTROL_NAME_MAX, "%s %.*s", names[i], (int)strcspn(version, "\r\n"),
                     version);
        }
    }
    buffer_clear(&info);
}
