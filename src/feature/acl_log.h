/* acl_log: what was refused, the newest first: what ACL LOG shows. The same refusal within a minute
 * is counted instead of being noted again. */
#ifndef LARDER_FEATURE_ACL_LOG_H
#define LARDER_FEATURE_ACL_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

struct acl_event {
    struct acl_event *older;
    uint64_t id;
    int64_t count;
    int64_t created_ms;
    int64_t updated_ms;
    const char *reason;  /* "command", "key", "channel", "auth" */
    const char *context; /* "toplevel", "multi", "lua" */
    struct bytes object; /* of what: these three are owned */
    struct bytes user;
    struct bytes client; /* its line of CLIENT LIST */
};

struct acl_log {
    struct acl_event *newest;
    size_t count;
    uint64_t next_id;
};

void acl_log_init(struct acl_log *log);
void acl_log_clear(struct acl_log *log);

/* The texts of `event` are copied; its id and count are not looked at. Keeps `max` entries. */
void acl_log_add(struct acl_log *log, const struct acl_event *event, size_t max);

#endif
