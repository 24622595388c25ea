/* describe: what can be told of a client, and checked or set about who is behind it: the line of
 * CLIENT LIST, names, classes, memory. None of this is on the way of a request. */
#include "client/client.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "client/client_int.h"
#include "client/input.h"
#include "client/transaction.h"
#include "client/waiting.h"
#include "client/watch.h"
#include "net/socket.h"

const char *client_class_name(enum client_class class_) {
    static const char *const names[] = {
        [CLIENT_CLASS_NORMAL] = "normal",
        [CLIENT_CLASS_REPLICA] = "replica",
        [CLIENT_CLASS_PUBSUB] = "pubsub",
    };
    _Static_assert(sizeof names / sizeof names[0] == CLIENT_CLASSES, "each class has a name");
    return names[class_];
}

int client_class_named(struct bytes name) {
    for (int i = 0; i < CLIENT_CLASSES; i++) {
        if (bytes_is(name, client_class_name((enum client_class)i))) {
            return i;
        }
    }
    return bytes_is(name, "slave") ? CLIENT_CLASS_REPLICA : -1;
}

/* Asked for by I/O threads too, so only what never changes is looked at: who has no connection has
 * no descriptor. */
void client_peer_name(const struct client *client, char *name) {
    if (client->watch.fd < 0) {
        strcpy(name, "?:0");
    } else {
        socket_peer_name(client->watch.fd, name);
    }
}

void client_own_name(const struct client *client, char *name) {
    if (client->watch.fd < 0) {
        strcpy(name, "?:0");
    } else {
        socket_own_name(client->watch.fd, name);
    }
}

void client_set_text(char **field, struct bytes text) {
    if (*field != NULL) {
        mem_free(MEM_CLIENT, *field, strlen(*field) + 1);
        *field = NULL;
    }
    if (text.size > 0) {
        *field = mem_copy_text(MEM_CLIENT, text.at, text.size);
    }
}

static size_t text_footprint(const char *text) {
    return text == NULL ? 0 : mem_class(strlen(text) + 1);
}

size_t client_footprint(const struct client *client) {
    size_t size = mem_class(sizeof *client) + client->output.footprint +
                  atomic_load_explicit(&client->kept, memory_order_relaxed);
    if (client->input != NULL) {
        size += input_footprint(client->input);
    }
    size += transaction_footprint(client) + watch_footprint(client) + waiting_footprint(client);
    return size + text_footprint(client->name) + text_footprint(client->lib_name) +
           text_footprint(client->lib_version);
}

/* One letter for each thing that is special about the client, N when nothing is; `out` has room for
 * all. */
void client_write_flags(const struct client *client, char *out) {
    static const struct {
        uint32_t flag;
        char letter;
    } letters[] = {
        {CLIENT_DIRTY, 'd'}, {CLIENT_CLOSE_SENT, 'c'}, {CLIENT_CLOSING, 'A'},
        {CLIENT_UNIX, 'U'},  {CLIENT_NO_EVICT, 'e'},   {CLIENT_NO_TOUCH, 'T'},
    };
    const struct client_tracking *tracking = client->tracking;
    char *at = out;
    if (client->flags & CLIENT_MONITOR) {
        *at++ = 'O';
    }
    if (client->class_ == CLIENT_CLASS_REPLICA) {
        *at++ = 'S';
    } else if (client->class_ == CLIENT_CLASS_PUBSUB) {
        *at++ = 'P';
    }
    if (client->flags & CLIENT_MULTI) {
        *at++ = 'x';
    }
    if (client->flags & (CLIENT_PAUSED | CLIENT_WAITING)) {
        *at++ = 'b';
    }
    if (tracking != NULL) {
        *at++ = 't';
        if (tracking->broken) {
            *at++ = 'R';
        }
        if (tracking->broadcast) {
            *at++ = 'B';
        }
    }
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if (client->flags & letters[i].flag) {
            *at++ = letters[i].letter;
        }
    }
    if (at == out) {
        *at++ = 'N';
    }
    *at = '\0';
}

static const char *text_or_empty(const char *text) {
    return text == NULL ? "" : text;
}

/* Reply buffers belong to the loop, not to the client: rbs, rbp and obl, the figures of a buffer
 * that each connection would own, are 0. What the socket did not take is oll (blocks) and omem. */
void client_describe(const struct client *client, struct buffer *out) {
    char peer[SOCKET_NAME_SIZE];
    char own[SOCKET_NAME_SIZE];
    char flags[CLIENT_FLAGS_SIZE];
    client_peer_name(client, peer);
    client_own_name(client, own);
    client_write_flags(client, flags);
    int64_t now_ms = client->clients->context->clock->now_ms;
    const struct input *input = client->input;
    size_t query = input == NULL ? 0 : input->size;
    size_t query_free = input == NULL ? 0 : input->capacity - input->size;
    size_t blobs = input == NULL ? 0 : input_footprint(input) - mem_class(sizeof *input);
    bool waits = !output_is_empty(&client->output);
    struct bytes user = client_user_name(client);
    buffer_printf(out, "id=%" PRIu64 " addr=%s laddr=%s fd=%d name=%s", client->id, peer, own,
                  client->flags & CLIENT_INTERNAL ? -1 : client->watch.fd,
                  text_or_empty(client->name));
    buffer_printf(out, " age=%" PRId64 " idle=%" PRId64 " flags=%s db=%d",
                  (now_ms - client->created_ms) / 1000, (now_ms - client->last_ms) / 1000, flags,
                  client->database == NULL ? 0 : client->database->id);
    if (client->subscriptions == NULL) {
        buffer_append_text(out, " sub=0 psub=0 ssub=0");
    } else {
        buffer_printf(out, " sub=%" PRIu32 " psub=%" PRIu32 " ssub=%" PRIu32,
                      client->subscriptions->channels, client->subscriptions->patterns,
                      client->subscriptions->shard_channels);
    }
    buffer_printf(out, " multi=%" PRId64 " watch=%zu qbuf=%zu qbuf-free=%zu argv-mem=%zu",
                  transaction_count(client), client->watch_count, query, query_free,
                  blobs > query + query_free ? blobs - query - query_free : 0);
    buffer_printf(out, " multi-mem=%zu rbs=0 rbp=0 obl=0 oll=%zu omem=%zu tot-mem=%zu events=%s",
                  transaction_footprint(client), output_block_count(&client->output),
                  client->output.footprint, client_footprint(client), waits ? "rw" : "r");
    buffer_printf(
        out, " cmd=%s user=%.*s redir=%" PRId64 " resp=%d lib-name=%s lib-ver=%s",
        client->last_command == NULL ? "NULL" : client->last_command->name, bytes_printed(user),
        user.at, client->tracking == NULL ? -1 : (int64_t)client->tracking->redirect,
        client->version, text_or_empty(client->lib_name), text_or_empty(client->lib_version));
}
