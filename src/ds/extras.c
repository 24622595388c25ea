/* extras: reading and changing runs of items. The header draws the picture. */
#include "ds/extras.h"

#include <string.h>

#include "base/check.h"

#define RUN_HEAD  2
#define ITEM_HEAD 2

/* Of a grace's 32 bits: set, the others are seconds; otherwise they are milliseconds. */
#define GRACE_IN_SECONDS (1u << 31)

/* The kind in the upper 4 bits, the size in the lower 12. */
static unsigned head_at(const char *at) {
    uint16_t head;
    memcpy(&head, at, sizeof head);
    return head;
}

/* Where the item of that kind begins, or would. */
static size_t find(struct bytes run, enum extra_kind kind, bool *found) {
    size_t at = RUN_HEAD;
    *found = false;
    while (at < run.size) {
        unsigned head = head_at(run.at + at);
        if (head >> 12 >= (unsigned)kind) {
            *found = head >> 12 == (unsigned)kind;
            break;
        }
        at += ITEM_HEAD + (head & EXTRA_SIZE_MAX);
    }
    return at;
}

struct bytes extras_item(struct bytes run, enum extra_kind kind) {
    bool found;
    size_t at = find(run, kind, &found);
    if (!found) {
        return bytes_of(NULL, 0);
    }
    return bytes_of(run.at + at + ITEM_HEAD, head_at(run.at + at) & EXTRA_SIZE_MAX);
}

void extras_begin(struct extras *extras, struct bytes run) {
    check(run.size <= sizeof extras->run);
    extras->size = run.size;
    if (run.size > 0) {
        memcpy(extras->run, run.at, run.size);
    }
}

static bool size_ok(enum extra_kind kind, size_t size) {
    switch (kind) {
    case EXTRA_GRACE:
        return size == 4;
    case EXTRA_TAGS:
        return size >= 8 && size <= EXTRA_SIZE_MAX && size % 4 == 0;
    default:
        return false;
    }
}

void extras_set(struct extras *extras, enum extra_kind kind, const void *at, size_t size) {
    check(size == 0 || size_ok(kind, size));
    size_t end = extras->size > 0 ? extras->size : RUN_HEAD;
    bool found;
    size_t place = find(extras_run(extras), kind, &found);
    size_t old = found ? ITEM_HEAD + (head_at(extras->run + place) & EXTRA_SIZE_MAX) : 0;
    size_t more = size > 0 ? ITEM_HEAD + size : 0;
    memmove(extras->run + place + more, extras->run + place + old, end - place - old);
    if (size > 0) {
        uint16_t head = (uint16_t)((unsigned)kind << 12 | size);
        memcpy(extras->run + place, &head, sizeof head);
        memcpy(extras->run + place + ITEM_HEAD, at, size);
    }
    end += more;
    end -= old;
    extras->size = end > RUN_HEAD ? end : 0;
    uint16_t run_size = (uint16_t)extras->size;
    memcpy(extras->run, &run_size, sizeof run_size);
}

/* ---- grace ---- */

static uint32_t pack_grace(int64_t grace_ms) {
    check(grace_ms >= 0 && grace_ms <= EXTRA_GRACE_MS_MAX);
    return grace_ms <= INT32_MAX ? (uint32_t)grace_ms
                                 : GRACE_IN_SECONDS | (uint32_t)((grace_ms + 999) / 1000);
}

static int64_t unpack_grace(uint32_t grace) {
    return grace & GRACE_IN_SECONDS ? (int64_t)(grace & ~GRACE_IN_SECONDS) * 1000 : (int64_t)grace;
}

int64_t extras_rounded_grace(int64_t grace_ms) {
    return unpack_grace(pack_grace(grace_ms));
}

void extras_set_grace(struct extras *extras, int64_t grace_ms) {
    uint32_t grace = pack_grace(grace_ms);
    extras_set(extras, EXTRA_GRACE, &grace, grace_ms > 0 ? sizeof grace : 0);
}

int64_t entry_grace_ms(const struct entry *e) {
    struct bytes item = entry_extra(e, EXTRA_GRACE);
    uint32_t grace;
    if (item.at == NULL) {
        return 0;
    }
    memcpy(&grace, item.at, sizeof grace);
    return unpack_grace(grace);
}

/* ---- validation ---- */

void extras_validate(struct bytes run) {
    if (run.size == 0) {
        return;
    }
    check(run.size > RUN_HEAD && head_at(run.at) == run.size);
    unsigned last = 0;
    size_t at = RUN_HEAD;
    while (at < run.size) {
        check(run.size - at >= ITEM_HEAD);
        unsigned head = head_at(run.at + at);
        size_t size = head & EXTRA_SIZE_MAX;
        check(head >> 12 > last && size_ok((enum extra_kind)(head >> 12), size));
        last = head >> 12;
        at += ITEM_HEAD + size;
    }
    check(at == run.size);
}
