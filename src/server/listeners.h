/* listeners: the sockets on which the server accepts, as the options bind, port and unixsocket want
 * them, and how they change while it runs.
 *
 * An address behind a dash may be missing on this machine; it is skipped then. */
#ifndef LARDER_SERVER_LISTENERS_H
#define LARDER_SERVER_LISTENERS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "ev/loop.h"
#include "net/listener.h"

/* As many addresses as Redis takes. */
#define LISTENERS_MAX 16

/* What to listen on: the value of bind. */
struct listeners_addresses {
    char *texts[LISTENERS_MAX]; /* owned (MEM_OTHER), NUL-terminated, with the dash */
    int count;
};

struct listeners {
    struct loop *loop;
    listener_accept_fn on_accept;
    void *context;
    struct listeners_addresses wanted;
    struct {
        char *text; /* of the address, owned */
        int port;
        struct listener *listener;
    } tcp[LISTENERS_MAX];
    int tcp_count;
    bool await_data; /* clients speak first here: listener_await_data */
    struct listener *unix_listener;
};

/* Parses the words of a bind option; false with *error set when there are too many of them. */
bool listeners_set_wanted(struct listeners *listeners, const struct bytes *words, int count,
                          const char **error);
/* Appends what is wanted, as CONFIG GET bind answers. */
void listeners_print_wanted(const struct listeners *listeners, struct buffer *out);

/* Before the first use; needs `wanted` to be zero or set. */
void listeners_attach(struct listeners *listeners, struct loop *loop, listener_accept_fn on_accept,
                      void *context);

/* Listens on all wanted addresses at this port, and on no other: what is not wanted any more is
 * closed first, what stays is left alone. Port 0 closes all. -1 after logging why an address cannot
 * be had; those that could be opened stay open then. */
int listeners_open_tcp(struct listeners *listeners, int port, int backlog);

/* Likewise for a path; 0 or -1. */
int listeners_open_unix(struct listeners *listeners, const char *path, unsigned permissions,
                        int backlog);

/* How many sockets accept. */
int listeners_count(const struct listeners *listeners);

/* Stops accepting. What is wanted stays. */
void listeners_close(struct listeners *listeners);

/* Frees everything. */
void listeners_clear(struct listeners *listeners);

/* Appends INFO's lines about them, which are numbered from *number on; `tcp_name` is what the TCP
 * ones are called. */
void listeners_print(const struct listeners *listeners, const char *tcp_name, int *number,
                     struct buffer *out);

#endif
