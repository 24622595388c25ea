/* failover: see the header. */
#include "persist/failover.h"

#include <string.h>

#include "base/log.h"
#include "persist/link.h"
#include "persist/primary.h"
#include "persist/replication_int.h"

#define US_PER_MS     INT64_C(1000)
#define US_PER_SECOND INT64_C(1000000)

bool failover_is_on(const struct replication *replication) {
    return replication->failover.state != FAILOVER_NONE;
}

const char *failover_name(const struct replication *replication) {
    static const char *const names[] = {[FAILOVER_NONE] = "no-failover",
                                        [FAILOVER_WAITING] = "waiting-for-sync",
                                        [FAILOVER_CHANGING] = "failover-in-progress"};
    return names[replication->failover.state];
}

static void end(struct replication *replication) {
    replication->failover = (struct failover){.state = FAILOVER_NONE};
    clients_hold_writes(replication->context->clients, false);
    replication_tell(replication);
}

/* ---- the target ---- */

static bool is_target(const struct failover *failover, const struct replica *replica) {
    char ip[REPLICA_IP_SIZE];
    if (failover->host[0] == '\0') {
        return true;
    }
    replica_address(replica, ip);
    return replica->port == failover->port && strcmp(ip, failover->host) == 0;
}

static const struct replica *find(const struct replication *replication,
                                  const struct failover *failover) {
    const struct replica *replica = primary_first(replication);
    while (replica != NULL && !(replica_counts(replica) && is_target(failover, replica))) {
        replica = replica->next;
    }
    return replica;
}

/* One that has all that was written. */
static const struct replica *find_ready(const struct replication *replication) {
    const struct replica *replica = primary_first(replication);
    while (replica != NULL && !(replica_counts(replica) && replica->state == REPLICA_ONLINE &&
                                is_target(&replication->failover, replica) &&
                                replica->acked == replication->backlog.end)) {
        replica = replica->next;
    }
    return replica;
}

/* ---- beginning ---- */

static const char *refusal(const struct replication *replication,
                           const struct failover_wishes *wishes, const struct failover *failover) {
    if (failover_is_on(replication)) {
        return "ERR FAILOVER already in progress.";
    }
    if (replication->is_replica) {
        return "ERR FAILOVER is not valid when server is a replica.";
    }
    if (find(replication, &(struct failover){.port = 0}) == NULL) {
        return "ERR FAILOVER requires connected replicas.";
    }
    if (wishes->is_forced && (wishes->timeout_ms == 0 || wishes->host.size == 0)) {
        return "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
    }
    if (wishes->host.size > 0) {
        const struct replica *target = find(replication, failover);
        if (wishes->host.size >= FAILOVER_HOST_SIZE || target == NULL) {
            return "ERR FAILOVER target HOST and PORT is not a replica.";
        }
        if (target->state != REPLICA_ONLINE) {
            return "ERR FAILOVER target replica is not online.";
        }
    }
    return NULL;
}

const char *failover_begin(struct replication *replication, const struct failover_wishes *wishes) {
    int64_t now_us = replication_now_us(replication);
    struct failover failover = {
        .state = FAILOVER_WAITING, .port = wishes->port, .is_forced = wishes->is_forced};
    if (wishes->host.size > 0 && wishes->host.size < FAILOVER_HOST_SIZE) {
        memcpy(failover.host, wishes->host.at, wishes->host.size);
    }
    if (wishes->timeout_ms > 0) {
        failover.deadline_us = wishes->timeout_ms > (INT64_MAX - now_us) / US_PER_MS
                                   ? INT64_MAX
                                   : now_us + wishes->timeout_ms * US_PER_MS;
    }
    const char *error = refusal(replication, wishes, &failover);
    if (error == NULL) {
        log_notice("FAILOVER: writes are held back until a replica has all of them.");
        replication->failover = failover;
        clients_hold_writes(replication->context->clients, true);
        replication_tell(replication);
        replication->watcher.has_work = true;
    }
    return error;
}

/* ---- changing places ---- */

static void change(struct replication *replication) {
    struct failover *failover = &replication->failover;
    log_notice("FAILOVER: %s:%lld is to take over.", failover->host, (long long)failover->port);
    failover->state = FAILOVER_CHANGING;
    failover->deadline_us =
        replication_now_us(replication) + replication->options.timeout_seconds * US_PER_SECOND;
    (void)replication_follow(replication, bytes_text(failover->host), failover->port);
}

static void give_up(struct replication *replication, const char *why) {
    log_warning("FAILOVER has ended, and this server stays the primary: %s.", why);
    bool was_changing = replication->failover.state == FAILOVER_CHANGING;
    end(replication);
    if (was_changing) {
        replication_promote(replication);
    }
}

const char *failover_abort(struct replication *replication) {
    if (!failover_is_on(replication)) {
        return "ERR No failover in progress.";
    }
    give_up(replication, "somebody wished so");
    return NULL;
}

static void look_while_waiting(struct replication *replication) {
    struct failover *failover = &replication->failover;
    const struct replica *target = find_ready(replication);
    if (target != NULL) {
        replica_address(target, failover->host);
        failover->port = target->port;
        change(replication);
    } else if (failover->deadline_us != 0 &&
               replication_now_us(replication) >= failover->deadline_us) {
        if (failover->is_forced) {
            log_warning("FAILOVER: the time is up, and is forced: the target lacks writes.");
            change(replication);
        } else {
            give_up(replication, "the time is up, and no replica has all that was written");
        }
    }
}

void failover_look(struct replication *replication) {
    if (replication->failover.state == FAILOVER_WAITING) {
        look_while_waiting(replication);
    } else if (replication->failover.is_refused) {
        give_up(replication, "the target refuses");
    } else if (failover_is_on(replication) &&
               replication_now_us(replication) >= replication->failover.deadline_us) {
        give_up(replication, "the target does not answer");
    }
}

void failover_answered(struct replication *replication) {
    if (failover_is_on(replication)) {
        log_notice("FAILOVER: done, this server is a replica now.");
        end(replication);
    }
}

void failover_refused(struct replication *replication) {
    replication->failover.is_refused = failover_is_on(replication);
    replication->watcher.has_work = true;
}

const char *failover_take_over(struct replication *replication, struct bytes id) {
    if (!replication->is_replica) {
        return "ERR PSYNC FAILOVER can't be sent to a master.";
    }
    if (!bytes_is(id, replication->id)) {
        return "ERR PSYNC FAILOVER replid must match my replid.";
    }
    log_notice("Our primary asks this server to take its place.");
    replication_promote(replication);
    return NULL;
}
