/* config_promise: directives that promise safety, of data or against strangers, where there is
 * nothing yet that keeps the promise. Who has them in his configuration relies on them, so that
 * they must not go by in silence: where serving without it would open a door, the start is refused;
 * where data would only be less durable or not where it is expected, there is a warning.
 *
 * A row counts as long as config_foreign holds the directive: a module that makes it true takes the
 * directive, and with it the row. */
#include "server/config_foreign_int.h"

static const struct promise promises[] = {
    {"tls-port", "0", true,
     "is not supported: this program was built without TLS, so that nobody could connect there. "
     "Set "
     "it to 0, and put a proxy that speaks TLS before the server"},
    {"sentinel", NULL, true, "belongs to Sentinel, and this is a server"},
    {"appendonly", "no", false,
     "is not supported: no log of writes is kept, and data is lost when the server ends"},
    {"cluster-enabled", "no", false,
     "is not supported: the server is no node of a cluster; it serves all keys itself"},
    {"unixsocketgroup", "", false,
     "is not supported: the unix socket keeps the group that the process has"},
    {"syslog-enabled", "no", false,
     "is not supported: lines go to logfile or standard output, and not to the system's log"},
    {"client-default-resp", "2", false, "is not supported: clients begin with version 2"},
    {"loadmodule", NULL, false,
     "is not supported: no module is loaded, and its commands are unknown"},
};

const struct promise *promise_find(struct bytes name) {
    for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
        if (bytes_is(name, promises[i].name)) {
            return &promises[i];
        }
    }
    return NULL;
}
