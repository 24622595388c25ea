/* user: whose a client is. What that means, the guard knows. */
#include "client/guard.h"

#include "client/client.h"
#include "client/client_int.h"

void clients_set_guard(struct clients *clients, const struct guard *guard) {
    clients->guard = guard;
}

const struct guard *clients_guard(const struct clients *clients) {
    return clients->guard;
}

bool clients_need_password(const struct clients *clients) {
    return clients->guard != NULL && !clients->guard->is_open(clients->guard->newcomer);
}

void client_update_rights(struct client *client) {
    const struct guard *guard = client->clients->guard;
    if (client->user != NULL && guard->is_restricted(client->user)) {
        client->flags |= CLIENT_RESTRICTED;
    } else {
        client->flags &= ~(uint32_t)CLIENT_RESTRICTED;
    }
}

void client_begin_as_newcomer(struct client *client) {
    const struct clients *clients = client->clients;
    client->user = clients->guard == NULL ? NULL : clients->guard->newcomer;
    if (clients_need_password(clients)) {
        client->flags &= ~(uint32_t)CLIENT_AUTHENTICATED;
    } else {
        client->flags |= CLIENT_AUTHENTICATED;
    }
    client_update_rights(client);
}

bool client_log_in(struct client *client, struct bytes name, struct bytes password) {
    const struct guard *guard = client->clients->guard;
    if (guard == NULL) {
        return true;
    }
    struct user *user = guard->identify(guard->context, name, password);
    if (user == NULL) {
        return false;
    }
    client->user = user;
    client->flags |= CLIENT_AUTHENTICATED;
    client_update_rights(client);
    return true;
}

struct bytes client_user_name(const struct client *client) {
    const struct guard *guard = client->clients->guard;
    return client->user == NULL ? bytes_text("(superuser)") : guard->name(client->user);
}
