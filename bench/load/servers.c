/* servers: cutting a list into endpoints. */
#include "load/servers.h"

#include <string.h>

#include "base/num.h"

#define HOST_DEFAULT "127.0.0.1"
#define PORT_MAX     65535

static bool is_port(const char *text) {
    int64_t port;
    return num_parse_i64(bytes_text(text), &port) && port >= 1 && port <= PORT_MAX;
}

/* One of the list; `text` is its own. */
static int read_one(char *text, struct endpoint *server) {
    char *equals = strchr(text, '=');
    *server = (struct endpoint){.name = text, .host = HOST_DEFAULT, .port = "0"};
    char *at = text;
    if (equals != NULL) {
        *equals = '\0';
        at = equals + 1;
    }
    if (server->name[0] == '\0' || at[0] == '\0') {
        return -1;
    }
    if (strchr(at, '/') != NULL) {
        server->path = at;
        return 0;
    }
    char *colon = strrchr(at, ':');
    if (colon == NULL) {
        server->port = at;
        return is_port(at) ? 0 : -1;
    }
    /* Without a name of its own, the server is called by its address as a whole. */
    server->port = colon + 1;
    size_t size = (size_t)(colon - at);
    bool bracketed = size >= 2 && at[0] == '[' && at[size - 1] == ']';
    at += bracketed;
    size -= bracketed ? 2 : 0;
    if (size == 0 || size >= sizeof server->host || !is_port(server->port)) {
        return -1;
    }
    memcpy(server->host, at, size);
    server->host[size] = '\0';
    return 0;
}

int servers_read(char *text, struct endpoint *servers, int most) {
    int count = 0;
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (count == most || read_one(one, &servers[count]) != 0) {
            return -1;
        }
        count++;
    }
    return count > 0 ? count : -1;
}
