/* listeners: a table of what is listened on, compared with what is wanted. Closing comes before
 * opening, for `*` and `127.0.0.1` cannot be listened on at the same port at once. */
#include "server/listeners.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static void text_free(char *text) {
    if (text != NULL) {
        mem_free(MEM_OTHER, text, strlen(text) + 1);
    }
}

static void addresses_clear(struct listeners_addresses *addresses) {
    for (int i = 0; i < addresses->count; i++) {
        text_free(addresses->texts[i]);
    }
    addresses->count = 0;
}

bool listeners_set_wanted(struct listeners *listeners, const struct bytes *words, int count,
                          const char **error) {
    if (count > LISTENERS_MAX) {
        *error = "Too many bind addresses specified.";
        return false;
    }
    struct listeners_addresses wanted = {.count = 0};
    for (int i = 0; i < count; i++) {
        /* One empty word is an empty list: no address at all. */
        if (words[i].size > 0) {
            wanted.texts[wanted.count++] = mem_copy_text(MEM_OTHER, words[i].at, words[i].size);
        }
    }
    addresses_clear(&listeners->wanted);
    listeners->wanted = wanted;
    return true;
}

void listeners_print_wanted(const struct listeners *listeners, struct buffer *out) {
    for (int i = 0; i < listeners->wanted.count; i++) {
        buffer_printf(out, "%s%s", i == 0 ? "" : " ", listeners->wanted.texts[i]);
    }
}

void listeners_attach(struct listeners *listeners, struct loop *loop, listener_accept_fn on_accept,
                      void *context) {
    listeners->loop = loop;
    listeners->on_accept = on_accept;
    listeners->context = context;
}

static void close_tcp(struct listeners *listeners, int index) {
    listener_free(listeners->tcp[index].listener);
    text_free(listeners->tcp[index].text);
    listeners->tcp_count--;
    listeners->tcp[index] = listeners->tcp[listeners->tcp_count];
}

static bool is_wanted(const struct listeners *listeners, const char *text) {
    for (int i = 0; i < listeners->wanted.count; i++) {
        if (strcmp(listeners->wanted.texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_open(const struct listeners *listeners, const char *text, int port) {
    for (int i = 0; i < listeners->tcp_count; i++) {
        if (listeners->tcp[i].port == port && strcmp(listeners->tcp[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Errors that say that the machine does not have the address or its family. */
static bool is_missing(int code) {
    return code == -EADDRNOTAVAIL || code == -EAFNOSUPPORT || code == -EPROTONOSUPPORT ||
           code == -ENOPROTOOPT || code == -ESOCKTNOSUPPORT || code == -EPFNOSUPPORT;
}

/* Opens one wanted address. 0, also when it is missing and may be; -1 after logging. */
static int open_tcp(struct listeners *listeners, const char *text, int port, int backlog) {
    bool optional = text[0] == '-';
    const char *address = optional ? text + 1 : text;
    int code = 0;
    const char *error = NULL;
    struct listener *listener =
        listener_new_tcp(listeners->loop, address, port, backlog, listeners->on_accept,
                         listeners->context, &code, &error);
    if (listener == NULL) {
        if (optional && is_missing(code)) {
            return 0;
        }
        log_warning("Cannot listen on TCP %s port %d: %s", address, port, error);
        return -1;
    }
    if (listeners->await_data) {
        listener_await_data(listener);
    }
    listeners->tcp[listeners->tcp_count].text = mem_copy_text(MEM_OTHER, text, strlen(text));
    listeners->tcp[listeners->tcp_count].port = port;
    listeners->tcp[listeners->tcp_count].listener = listener;
    listeners->tcp_count++;
    return 0;
}

int listeners_open_tcp(struct listeners *listeners, int port, int backlog) {
    for (int i = listeners->tcp_count - 1; i >= 0; i--) {
        if (port == 0 || listeners->tcp[i].port != port ||
            !is_wanted(listeners, listeners->tcp[i].text)) {
            close_tcp(listeners, i);
        }
    }
    for (int i = 0; port != 0 && i < listeners->wanted.count; i++) {
        const char *text = listeners->wanted.texts[i];
        if (!is_open(listeners, text, port) && open_tcp(listeners, text, port, backlog) != 0) {
            return -1;
        }
    }
    return 0;
}

int listeners_open_unix(struct listeners *listeners, const char *path, unsigned permissions,
                        int backlog) {
    int code = 0;
    const char *error = NULL;
    listeners->unix_listener =
        listener_new_unix(listeners->loop, path, permissions, backlog, listeners->on_accept,
                          listeners->context, &code, &error);
    if (listeners->unix_listener == NULL) {
        log_warning("Cannot listen on the unix socket %s: %s", path, error);
        return -1;
    }
    return 0;
}

int listeners_count(const struct listeners *listeners) {
    return listeners->tcp_count + (listeners->unix_listener != NULL);
}

void listeners_close(struct listeners *listeners) {
    while (listeners->tcp_count > 0) {
        close_tcp(listeners, listeners->tcp_count - 1);
    }
    if (listeners->unix_listener != NULL) {
        listener_free(listeners->unix_listener);
        listeners->unix_listener = NULL;
    }
}

void listeners_clear(struct listeners *listeners) {
    listeners_close(listeners);
    addresses_clear(&listeners->wanted);
}

void listeners_print(const struct listeners *listeners, const char *tcp_name, int *number,
                     struct buffer *out) {
    if (listeners->tcp_count > 0) {
        buffer_printf(out, "listener%d:name=%s", (*number)++, tcp_name);
        for (int i = 0; i < listeners->tcp_count; i++) {
            buffer_printf(out, ",bind=%s", listeners->tcp[i].text);
        }
        buffer_printf(out, ",port=%d\r\n", listeners->tcp[0].port);
    }
    if (listeners->unix_listener != NULL) {
        /* "unix /path": the name has its kind in front. */
        const char *name = listener_name(listeners->unix_listener);
        const char *path = strchr(name, ' ');
        buffer_printf(out, "listener%d:name=unix,bind=%s\r\n", (*number)++,
                      path == NULL ? name : path + 1);
    }
}
