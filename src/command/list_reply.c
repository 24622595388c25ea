/* list_reply: written straight from a strip's bytes into the reply's arena. Most elements are
 * short texts of which the tag says the length, so they have a way of their own: header and text
 * are copied in steps of fixed width, without a call. */
#include "command/list_reply.h"

#include "ds/element.h"

/* Room asked for besides a text: its header and end, what copying in steps of 8 writes too much, or
 * all of an integer. */
#define ROOM 64

/* The first bytes of a bulk's header as one number; up to two digits. */
static inline char *put_short_header(char *out, unsigned size) {
    if (size < 10) {
        memcpy(out, "$0\r\n", 4);
        out[1] = (char)('0' + size);
        return out + 4;
    }
    memcpy(out, "$00\r\n", 5);
    out[1] = (char)('0' + size / 10);
    out[2] = (char)('0' + size % 10);
    return out + 5;
}

/* Up to 63 bytes; reads nothing beyond them. */
static inline void copy_short(char *out, const char *text, size_t size) {
    if (size >= 32) {
        memcpy(out, text, 32);
        memcpy(out + size - 32, text + size - 32, 32);
    } else if (size >= 16) {
        memcpy(out, text, 16);
        memcpy(out + size - 16, text + size - 16, 16);
    } else if (size >= 8) {
        memcpy(out, text, 8);
        memcpy(out + size - 8, text + size - 8, 8);
    } else if (size >= 4) {
        memcpy(out, text, 4);
        memcpy(out + size - 4, text + size - 4, 4);
    } else {
        for (size_t i = 0; i < size; i++) {
            out[i] = text[i];
        }
    }
}

/* Not a short text. */
static __attribute__((noinline)) void reply_other(struct reply *reply, const uint8_t *element) {
    if (element_tag_is_text(*element)) {
        reply_bulk(reply, element_text(element));
    } else {
        reply_bulk_integer(reply, element_integer(element));
    }
}

static inline void reply_one(struct reply *reply, const uint8_t *element) {
    unsigned size = *element;
    if (LIKELY(size <= ELEMENT_SHORT_MAX)) {
        char *out = put_short_header(reply_room(reply, size + ROOM), size);
        copy_short(out, (const char *)element + 1, size);
        reply->at = resp_end(out + size);
    } else {
        reply_other(reply, element);
    }
}

void list_reply_element(struct reply *reply, const struct entry *list, size_t at) {
    struct list_value value;
    list_get(list, at, &value);
    if (value.blob != NULL) {
        reply_bulk_blob(reply, value.blob, 0, value.text.size);
    } else {
        reply_bulk(reply, value.text);
    }
}

void list_reply_range(struct reply *reply, const struct entry *list, size_t at, size_t count) {
    while (count > 0) {
        struct list_run run;
        list_run_at(list, at, &run);
        size_t here = run.count < count ? run.count : count;
        if (run.blob != NULL) {
            reply_bulk_blob(reply, run.blob, 0, run.blob->size);
        } else {
            const uint8_t *element = run.at;
            for (size_t i = 0; i < here; i++) {
                reply_one(reply, element);
                element += element_size(element);
            }
        }
        at += here;
        count -= here;
    }
}

void list_reply_backwards(struct reply *reply, const struct entry *list, size_t at, size_t count) {
    while (count > 0) {
        struct list_run run;
        list_run_at(list, at, &run);
        size_t there = run.before + 1;
        size_t here = there < count ? there : count;
        if (run.blob != NULL) {
            reply_bulk_blob(reply, run.blob, 0, run.blob->size);
        } else {
            const uint8_t *element = run.at;
            reply_one(reply, element);
            for (size_t i = 1; i < here; i++) {
                element -= element_size_before(element);
                reply_one(reply, element);
            }
        }
        at -= here;
        count -= here;
    }
}
