/* tracking_prefix: finding a key's prefixes, and the messages of a pass.
 *
 * Finding. All that lies between a prefix of the key and the key itself, in order, begins with that
 * prefix. So the last text that is not behind the key has all its prefixes as beginnings: it is one
 * itself, or the search goes on for what it shares with the key. Each step is a binary search, and
 * shortens the key. */
#include "feature/tracking_prefix.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "feature/tracking.h"
#include "proto/resp.h"

/* First size of arrays, which double. */
#define ARRAY_MIN 4
/* Memory for the keys of a pass that a prefix keeps. */
#define KEYS_KEPT_MAX 4096

/* In front of each key's bytes. */
struct noted_key {
    uint64_t writer;
    size_t size;
};

static size_t prefix_size(const struct tracking_prefix *prefix) {
    return sizeof *prefix + prefix->text.size + 1;
}

/* The first prefix behind the text. */
static size_t place_behind(const struct tracking_prefixes *prefixes, struct bytes text) {
    size_t low = 0;
    size_t high = prefixes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(prefixes->at[middle]->text, text) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct tracking_prefix *find_or_add(struct tracking_prefixes *prefixes, struct bytes text) {
    size_t place = place_behind(prefixes, text);
    if (place > 0 && bytes_equal(prefixes->at[place - 1]->text, text)) {
        return prefixes->at[place - 1];
    }
    if (prefixes->count == prefixes->capacity) {
        size_t capacity = prefixes->capacity == 0 ? ARRAY_MIN : prefixes->capacity * 2;
        prefixes->at =
            mem_realloc(MEM_FEATURE, prefixes->at, prefixes->capacity * sizeof *prefixes->at,
                        capacity * sizeof *prefixes->at);
        prefixes->capacity = capacity;
    }
    struct tracking_prefix *prefix = mem_zalloc(MEM_FEATURE, sizeof *prefix + text.size + 1);
    memcpy(prefix + 1, text.at, text.size);
    prefix->text = bytes_of(prefix + 1, text.size);
    buffer_init(&prefix->keys, MEM_FEATURE);
    memmove(prefixes->at + place + 1, prefixes->at + place,
            (prefixes->count - place) * sizeof *prefixes->at);
    prefixes->at[place] = prefix;
    prefixes->count++;
    return prefix;
}

static void remove_prefix(struct tracking_prefixes *prefixes, struct tracking_prefix *prefix) {
    size_t place = place_behind(prefixes, prefix->text) - 1;
    check(prefixes->at[place] == prefix);
    prefixes->count--;
    memmove(prefixes->at + place, prefixes->at + place + 1,
            (prefixes->count - place) * sizeof *prefixes->at);
    prefixes->noted -= prefix->key_count > 0;
    buffer_clear(&prefix->keys);
    mem_free(MEM_FEATURE, prefix->trackers, prefix->capacity * sizeof *prefix->trackers);
    mem_free(MEM_FEATURE, prefix, prefix_size(prefix));
}

void tracking_prefixes_free(struct tracking_prefixes *prefixes) {
    while (prefixes->count > 0) {
        remove_prefix(prefixes, prefixes->at[prefixes->count - 1]);
    }
    mem_free(MEM_FEATURE, prefixes->at, prefixes->capacity * sizeof *prefixes->at);
    *prefixes = (struct tracking_prefixes){0};
}

/* The tracker's own list, sorted as CLIENT TRACKINGINFO shows it. */
static void list_prefix(struct tracker *tracker, struct tracking_prefix *prefix) {
    size_t size = tracker->prefix_count * sizeof *tracker->prefixes;
    tracker->prefixes =
        mem_realloc(MEM_FEATURE, tracker->prefixes, size, size + sizeof *tracker->prefixes);
    uint32_t place = tracker->prefix_count++;
    for (; place > 0 && bytes_compare(tracker->prefixes[place - 1]->text, prefix->text) > 0;
         place--) {
        tracker->prefixes[place] = tracker->prefixes[place - 1];
    }
    tracker->prefixes[place] = prefix;
}

void tracking_prefixes_add(struct tracking_prefixes *prefixes, struct tracker *tracker,
                           struct bytes text) {
    struct tracking_prefix *prefix = find_or_add(prefixes, text);
    for (uint32_t i = 0; i < tracker->prefix_count; i++) {
        if (tracker->prefixes[i] == prefix) {
            return;
        }
    }
    if (prefix->count == prefix->capacity) {
        uint32_t capacity = prefix->capacity == 0 ? ARRAY_MIN : prefix->capacity * 2;
        prefix->trackers =
            mem_realloc(MEM_FEATURE, prefix->trackers, prefix->capacity * sizeof *prefix->trackers,
                        capacity * sizeof *prefix->trackers);
        prefix->capacity = capacity;
    }
    prefix->trackers[prefix->count++] = tracker;
    list_prefix(tracker, prefix);
}

void tracking_prefixes_leave(struct tracking_prefixes *prefixes, struct tracker *tracker) {
    for (uint32_t i = 0; i < tracker->prefix_count; i++) {
        struct tracking_prefix *prefix = tracker->prefixes[i];
        uint32_t place = 0;
        while (prefix->trackers[place] != tracker) {
            place++;
        }
        prefix->trackers[place] = prefix->trackers[--prefix->count];
        if (prefix->count == 0) {
            remove_prefix(prefixes, prefix);
        }
    }
    mem_free(MEM_FEATURE, tracker->prefixes, tracker->prefix_count * sizeof *tracker->prefixes);
    tracker->prefixes = NULL;
    tracker->prefix_count = 0;
}

static size_t shared_size(struct bytes a, struct bytes b) {
    size_t size = 0;
    while (size < a.size && size < b.size && a.at[size] == b.at[size]) {
        size++;
    }
    return size;
}

static void note(struct tracking_prefixes *prefixes, struct tracking_prefix *prefix,
                 struct bytes key, uint64_t writer) {
    struct noted_key noted = {.writer = writer, .size = key.size};
    prefixes->noted += prefix->key_count == 0;
    prefix->key_count++;
    buffer_append(&prefix->keys, &noted, sizeof noted);
    buffer_append(&prefix->keys, key.at, key.size);
}

void tracking_prefixes_note(struct tracking_prefixes *prefixes, struct bytes key, uint64_t writer) {
    struct bytes rest = key;
    for (;;) {
        size_t place = place_behind(prefixes, rest);
        if (place == 0) {
            return;
        }
        struct tracking_prefix *prefix = prefixes->at[place - 1];
        rest.size = shared_size(prefix->text, rest);
        if (rest.size == prefix->text.size) {
            note(prefixes, prefix, key, writer);
            if (rest.size == 0) {
                return;
            }
            rest.size--;
        }
    }
}

/* ---- the end of a pass ---- */

/* A key of the pass; of equal ones the last counts. */
struct changed_key {
    struct bytes key;
    uint64_t writer;
    size_t order;
};

static int compare_changed(const void *a, const void *b) {
    const struct changed_key *x = a;
    const struct changed_key *y = b;
    int order = bytes_compare(x->key, y->key);
    return order != 0 ? order : x->order < y->order ? -1 : 1;
}

/* Sorted and each once; returns how many. */
static size_t gather(const struct tracking_prefix *prefix, struct changed_key *changed) {
    const char *at = prefix->keys.at;
    for (size_t i = 0; i < prefix->key_count; i++) {
        struct noted_key noted;
        memcpy(&noted, at, sizeof noted);
        at += sizeof noted;
        changed[i] = (struct changed_key){bytes_of(at, noted.size), noted.writer, i};
        at += noted.size;
    }
    qsort(changed, prefix->key_count, sizeof *changed, compare_changed);
    size_t count = 0;
    for (size_t i = 0; i < prefix->key_count; i++) {
        if (count > 0 && bytes_equal(changed[count - 1].key, changed[i].key)) {
            count--;
        }
        changed[count++] = changed[i];
    }
    return count;
}

/* The array of those that `reader` is to be told of: all, or (not 0) what others wrote. Empty when
 * there are none. */
static void print_keys(const struct changed_key *changed, size_t count, uint64_t reader,
                       struct buffer *out) {
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        shown += reader == 0 || changed[i].writer != reader;
    }
    out->size = 0;
    if (shown == 0) {
        return;
    }
    char *at = buffer_reserve(out, RESP_HEADER_SIZE);
    out->size += (size_t)(resp_header(at, '*', (int64_t)shown) - at);
    for (size_t i = 0; i < count; i++) {
        if (reader == 0 || changed[i].writer != reader) {
            at = buffer_reserve(out, RESP_HEADER_SIZE + changed[i].key.size + 2);
            out->size += (size_t)(resp_bulk(at, changed[i].key) - at);
        }
    }
}

static void send_prefix(struct tracking_prefix *prefix, struct tracking *tracking) {
    struct changed_key *changed = mem_alloc(MEM_FEATURE, prefix->key_count * sizeof *changed);
    size_t count = gather(prefix, changed);
    struct buffer all;
    struct buffer some;
    buffer_init(&all, MEM_FEATURE);
    buffer_init(&some, MEM_FEATURE);
    print_keys(changed, count, 0, &all);
    for (uint32_t i = 0; i < prefix->count; i++) {
        struct tracker *tracker = prefix->trackers[i];
        const struct buffer *keys = &all;
        if (tracker->modes & TRACKING_NO_LOOP) {
            print_keys(changed, count, tracker->client->id, &some);
            keys = &some;
        }
        if (keys->size > 0) {
            tracking_send(tracking, tracker, buffer_bytes(keys));
        }
    }
    buffer_clear(&all);
    buffer_clear(&some);
    mem_free(MEM_FEATURE, changed, prefix->key_count * sizeof *changed);
    prefix->key_count = 0;
    prefix->keys.size = 0;
    if (prefix->keys.capacity > KEYS_KEPT_MAX) {
        buffer_clear(&prefix->keys);
    }
}

void tracking_prefixes_send(struct tracking_prefixes *prefixes, struct tracking *tracking) {
    for (size_t i = 0; i < prefixes->count && prefixes->noted > 0; i++) {
        if (prefixes->at[i]->key_count > 0) {
            prefixes->noted--;
            send_prefix(prefixes->at[i], tracking);
        }
    }
}
