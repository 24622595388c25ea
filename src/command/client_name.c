/* client_name: one rule for CLIENT SETNAME, CLIENT SETINFO and HELLO. */
#include "command/client_name.h"

#include "client/client.h"

bool client_name_is_valid(struct bytes name) {
    for (size_t i = 0; i < name.size; i++) {
        if (name.at[i] < '!' || name.at[i] > '~') {
            return false;
        }
    }
    return true;
}

bool client_name_set(struct call *call, char **field, struct bytes name) {
    if (!client_name_is_valid(name)) {
        reply_error(call->reply,
                    "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    client_set_text(field, name);
    return true;
}
