/* guard: reads the option as text; whoever asks is an administrator and in no hurry. */
#include "command/guard.h"

#include "base/buffer.h"
#include "base/option.h"
#include "client/client.h"

static bool is_local(const struct client *client) {
    return (client->flags & (CLIENT_UNIX | CLIENT_INTERNAL)) ||
           socket_peer_is_local(client->watch.fd);
}

bool guard_allows(const struct call *call, const char *option) {
    const struct options *options = call->context->options;
    int index = options_find(options, bytes_text(option));
    if (index < 0) {
        return false;
    }
    struct buffer value;
    buffer_init(&value, MEM_OTHER);
    options_print(options, index, &value);
    struct bytes text = buffer_bytes(&value);
    bool allowed = bytes_is(text, "yes") || (bytes_is(text, "local") && is_local(call->client));
    buffer_clear(&value);
    return allowed;
}
