/* acl_log: a list; repetitions are looked for among its newest entries only. */
#include "feature/acl_log.h"

#include <string.h>

#include "base/mem.h"

/* How many entries are compared, and for how long after its last time one counts on. */
#define COMPARED   10
#define JOINING_MS 60000
/* A key or a command's word may be long: of what is longer only that much is kept. */
#define TEXT_MAX 1024

void acl_log_init(struct acl_log *log) {
    *log = (struct acl_log){0};
}

static struct bytes copy_of(struct bytes text) {
    size_t size = text.size < TEXT_MAX ? text.size : TEXT_MAX;
    return bytes_of(mem_copy_text(MEM_FEATURE, text.at, size), size);
}

static void free_text(struct bytes text) {
    mem_free(MEM_FEATURE, (void *)(uintptr_t)text.at, text.size + 1);
}

static void free_event(struct acl_event *event) {
    free_text(event->object);
    free_text(event->user);
    free_text(event->client);
    mem_free(MEM_FEATURE, event, sizeof *event);
}

static void keep_only(struct acl_log *log, size_t max) {
    struct acl_event **end = &log->newest;
    for (size_t i = 0; i < max && *end != NULL; i++) {
        end = &(*end)->older;
    }
    while (*end != NULL) {
        struct acl_event *event = *end;
        *end = event->older;
        free_event(event);
        log->count--;
    }
}

void acl_log_clear(struct acl_log *log) {
    keep_only(log, 0);
}

static bool is_same(const struct acl_event *there, const struct acl_event *event) {
    struct bytes object = event->object;
    object.size = object.size < TEXT_MAX ? object.size : TEXT_MAX;
    return there->reason == event->reason && there->context == event->context &&
           event->updated_ms - there->updated_ms <= JOINING_MS &&
           bytes_equal(there->object, object) && bytes_equal(there->user, event->user);
}

/* Takes the entry that says the same out of the list; NULL when there is none. */
static struct acl_event *take_same(struct acl_log *log, const struct acl_event *event) {
    struct acl_event **at = &log->newest;
    for (int i = 0; i < COMPARED && *at != NULL; i++, at = &(*at)->older) {
        if (is_same(*at, event)) {
            struct acl_event *same = *at;
            *at = same->older;
            return same;
        }
    }
    return NULL;
}

void acl_log_add(struct acl_log *log, const struct acl_event *event, size_t max) {
    struct acl_event *entry = take_same(log, event);
    if (entry != NULL) {
        free_text(entry->client);
        entry->count++;
    } else {
        entry = mem_zalloc(MEM_FEATURE, sizeof *entry);
        entry->id = log->next_id++;
        entry->count = 1;
        entry->created_ms = event->created_ms;
        entry->reason = event->reason;
        entry->context = event->context;
        entry->object = copy_of(event->object);
        entry->user = copy_of(event->user);
        log->count++;
    }
    entry->client = copy_of(event->client);
    entry->updated_ms = event->updated_ms;
    entry->older = log->newest;
    log->newest = entry;
    keep_only(log, max);
}
