/* ending: a timer that looks whether the next state has come. */
#include "server/ending.h"

#include "base/clock.h"
#include "base/log.h"
#include "call/control.h"
#include "client/client.h"
#include "persist/saving.h"
#include "server/http_doors.h"
#include "server/server.h"

/* How often it is looked whether all that had arrived has been read. */
#define QUIET_MS 10
/* What is sent without end is not waited for. */
#define DRAIN_US_MAX 500000
/* How often it is looked whether all replies are out. */
#define LOOK_MS 10

bool ending_save(struct ending *ending, unsigned flags) {
    struct server *server = ending->server;
    if (ending->saved == server->keyspace.changes) {
        return true;
    }
    log_notice("Saving the data before the end.");
    /* Nobody hands anything over meanwhile that would not be saved. */
    clients_hold(server->context.clients);
    uint64_t changes = server->keyspace.changes;
    bool is_saved = saving_save(server->context.saving);
    clients_release(server->context.clients);
    if (is_saved) {
        ending->saved = changes;
    } else {
        log_warning("The data cannot be saved: %s",
                    flags & CONTROL_SHUTDOWN_FORCE ? "ending anyway." : "the server does not end.");
    }
    return is_saved || flags & CONTROL_SHUTDOWN_FORCE;
}

/* What draining has left is all that there is. False: the server goes on. */
static bool save_drained(struct ending *ending) {
    if (!(ending->flags & CONTROL_SHUTDOWN_SAVE) || ending_save(ending, ending->flags)) {
        return true;
    }
    ending->state = ENDING_SERVING;
    server_listen(ending->server);
    return false;
}

static void end(struct ending *ending) {
    if (ending->flags & CONTROL_SHUTDOWN_SAVE) {
        (void)ending_save(ending, CONTROL_SHUTDOWN_FORCE);
    }
    loop_stop(ending->server->loop);
}

static int64_t on_time(struct loop_timer *timer) {
    struct ending *ending = (struct ending *)timer;
    struct server *server = ending->server;
    struct clients *clients = server->context.clients;
    int64_t now_us = server->clock.mono_us;
    if (ending->state == ENDING_DRAINING) {
        if (!clients_are_quiet(clients) && now_us < ending->deadline_us) {
            return QUIET_MS;
        }
        if (!save_drained(ending)) {
            return -1;
        }
        ending->state = ENDING_FLUSHING;
        ending->deadline_us = clock_mono_us() + server->options.shutdown_seconds * 1000000;
        clients_stop_reading(clients);
        return 0;
    }
    if (clients_are_flushed(clients)) {
        end(ending);
        return -1;
    }
    if (now_us >= ending->deadline_us) {
        log_warning("Not all clients have taken their replies within %lld seconds; ending anyway.",
                    (long long)server->options.shutdown_seconds);
        end(ending);
        return -1;
    }
    return LOOK_MS;
}

void ending_init(struct ending *ending, struct server *server) {
    *ending = (struct ending){.server = server, .saved = UINT64_MAX};
    ending->timer.on_time = on_time;
    ending->timer.position = -1;
}

void ending_begin(struct ending *ending, unsigned flags) {
    struct server *server = ending->server;
    bool again = ending->state != ENDING_SERVING;
    if (again || flags & CONTROL_SHUTDOWN_NOW) {
        if (again || !(flags & CONTROL_SHUTDOWN_SAVE) || ending_save(ending, flags)) {
            loop_stop(server->loop);
        }
        return;
    }
    ending->flags = flags;
    ending->state = ENDING_DRAINING;
    ending->deadline_us = server->clock.mono_us + DRAIN_US_MAX;
    (void)clients_are_quiet(server->context.clients);
    listeners_close(&server->listeners);
    http_doors_close(server);
    http_drain(server->http, true);
    listeners_close(&server->tls_listeners);
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
