/* ending: a timer that looks whether the next state has come. */
#include "server/ending.h"

#include "base/log.h"
#include "client/client.h"
#include "server/server.h"

/* How often it is looked whether all that had arrived has been read. */
#define QUIET_MS 10
/* What is sent without end is not waited for. */
#define DRAIN_US_MAX 500000
/* How often it is looked whether all replies are out. */
#define LOOK_MS 10

static int64_t on_time(struct loop_timer *timer) {
    struct ending *ending = (struct ending *)timer;
    struct server *server = ending->server;
    struct clients *clients = server->context.clients;
    int64_t now_us = server->clock.mono_us;
    if (ending->state == ENDING_DRAINING) {
        if (!clients_are_quiet(clients) && now_us < ending->deadline_us) {
            return QUIET_MS;
        }
        ending->state = ENDING_FLUSHING;
        ending->deadline_us = now_us + server->options.shutdown_seconds * 1000000;
        clients_stop_reading(clients);
        return 0;
    }
    if (clients_are_flushed(clients)) {
        loop_stop(server->loop);
        return -1;
    }
    if (now_us >= ending->deadline_us) {
        log_warning("Not all clients have taken their replies within %lld seconds; ending anyway.",
                    (long long)server->options.shutdown_seconds);
        loop_stop(server->loop);
        return -1;
    }
    return LOOK_MS;
}

void ending_init(struct ending *ending, struct server *server) {
    *ending = (struct ending){.server = server};
    ending->timer.on_time = on_time;
    ending->timer.position = -1;
}

void ending_begin(struct ending *ending, bool now) {
    struct server *server = ending->server;
    if (now || ending->state != ENDING_SERVING) {
        loop_stop(server->loop);
        return;
    }
    ending->state = ENDING_DRAINING;
    ending->deadline_us = server->clock.mono_us + DRAIN_US_MAX;
    (void)clients_are_quiet(server->context.clients);
    listeners_close(&server->listeners);
    listeners_close(&server->http_listeners);
    http_drain(server->http, true);
    loop_timer_add(server->loop, &ending->timer, QUIET_MS);
}

bool ending_abort(struct ending *ending) {
    struct server *server = ending->server;
    if (ending->state != ENDING_DRAINING) {
        return false;
    }
    ending->state = ENDING_SERVING;
    loop_timer_remove(server->loop, &ending->timer);
    log_notice("The shutdown has been taken back.");
    http_drain(server->http, false);
    server_listen(server);
    return true;
}
