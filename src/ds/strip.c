/* strip: moving elements about within a block. See the header for the layout. */
#include "ds/strip.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define LARGE_SIZE (STRIP_HEADER_SIZE + sizeof(struct blob *))

/* When the room at one end is used up, elements move to the other end if at least this part of the
 * strip is free: it bounds what moves for each element that is added. */
#define ROOM_PART 8

/* Memory is given back when less than this part is used. */
#define USED_PART 4

static inline uint8_t *to_write(struct strip *strip, size_t at) {
    return (uint8_t *)strip + at;
}

/* Capacity that fills the allocator's class, for `size` bytes with the header. */
static size_t capacity_for(size_t size) {
    check(size <= STRIP_SIZE_MAX);
    size_t capacity = mem_class(size);
    return capacity < STRIP_SIZE_MAX ? capacity : STRIP_SIZE_MAX;
}

static struct strip *new_of_capacity(size_t capacity) {
    struct strip *strip = mem_alloc(MEM_DATA, capacity);
    strip->capacity = (uint16_t)capacity;
    strip->start = STRIP_HEADER_SIZE;
    strip->end = STRIP_HEADER_SIZE;
    strip->count = 0;
    return strip;
}

struct strip *strip_new(size_t size) {
    return new_of_capacity(capacity_for(STRIP_HEADER_SIZE + size));
}

struct strip *strip_new_large(struct blob *blob) {
    struct strip *strip = mem_alloc(MEM_DATA, LARGE_SIZE);
    *strip = (struct strip){.start = STRIP_HEADER_SIZE, .end = STRIP_HEADER_SIZE, .count = 1};
    memcpy(to_write(strip, STRIP_HEADER_SIZE), &blob, sizeof blob);
    return strip;
}

void strip_free(struct strip *strip) {
    if (strip_is_large(strip)) {
        blob_drop(strip_blob(strip));
        mem_free(MEM_DATA, strip, LARGE_SIZE);
    } else {
        mem_free(MEM_DATA, strip, strip_capacity(strip));
    }
}

/* What a copy takes. */
static size_t copy_size(const struct strip *strip) {
    return strip_is_large(strip) ? LARGE_SIZE : capacity_for(STRIP_HEADER_SIZE + strip_used(strip));
}

static void copy_into(struct strip *copy, const struct strip *strip, size_t size) {
    if (strip_is_large(strip)) {
        /* cppcheck-suppress pointerSize; the header is as large as a pointer, and is meant */
        memcpy(copy, strip, LARGE_SIZE);
        copy->capacity = 0;
        blob_share(strip_blob(copy));
        return;
    }
    size_t used = strip_used(strip);
    copy->capacity = (uint16_t)size;
    copy->start = STRIP_HEADER_SIZE;
    copy->end = (uint16_t)(STRIP_HEADER_SIZE + used);
    copy->count = strip->count;
    memcpy(to_write(copy, STRIP_HEADER_SIZE), strip_element(strip, strip->start), used);
}

struct strip *strip_copy(const struct strip *strip) {
    size_t size = copy_size(strip);
    struct strip *copy = mem_alloc(MEM_DATA, size);
    copy_into(copy, strip, size);
    return copy;
}

struct strip *strip_try_copy(const struct strip *strip) {
    size_t size = copy_size(strip);
    struct strip *copy = mem_try_alloc(MEM_DATA, size);
    if (copy != NULL) {
        copy_into(copy, strip, size);
    }
    return copy;
}

strip_at strip_seek(const struct strip *strip, size_t index) {
    debug_check(index < strip->count);
    if (index <= strip->count / 2u) {
        const uint8_t *at = strip_element(strip, strip->start);
        for (; index > 0; index--) {
            at += element_size(at);
        }
        return (strip_at)(at - (const uint8_t *)strip);
    }
    const uint8_t *at = strip_element(strip, strip->end);
    for (; index < strip->count; index++) {
        at -= element_size_before(at);
    }
    return (strip_at)(at - (const uint8_t *)strip);
}

/* Moves all elements so that they begin at `start`. */
static void slide(struct strip *strip, size_t start) {
    size_t used = strip_used(strip);
    memmove(to_write(strip, start), to_write(strip, strip->start), used);
    strip->start = (uint16_t)start;
    strip->end = (uint16_t)(start + used);
}

/* Moves to an allocation of another capacity, all room in front or all behind. */
static struct strip *move_to(struct strip *strip, size_t capacity, bool room_in_front) {
    size_t used = strip_used(strip);
    struct strip *moved = new_of_capacity(capacity);
    moved->start = (uint16_t)(room_in_front ? strip_capacity(moved) - used : STRIP_HEADER_SIZE);
    moved->end = (uint16_t)(moved->start + used);
    moved->count = strip->count;
    memcpy(to_write(moved, moved->start), to_write(strip, strip->start), used);
    mem_free(MEM_DATA, strip, strip_capacity(strip));
    return moved;
}

/* Room for `total` bytes at an end. */
static __attribute__((noinline)) struct strip *make_room(struct strip *strip, size_t total,
                                                         bool in_front, size_t spare) {
    size_t need = STRIP_HEADER_SIZE + strip_used(strip) + total;
    if (need <= strip_capacity(strip) &&
        strip_capacity(strip) - need >= strip_capacity(strip) / ROOM_PART) {
        slide(strip, in_front ? strip_capacity(strip) - strip_used(strip) : STRIP_HEADER_SIZE);
        return strip;
    }
    size_t want = need + spare < STRIP_SIZE_MAX ? need + spare : STRIP_SIZE_MAX;
    if (want < need) {
        want = need;
    }
    size_t capacity = capacity_for(want);
    if (capacity <= strip_capacity(strip)) {
        /* The last bytes of the allocation. */
        slide(strip, in_front ? strip_capacity(strip) - strip_used(strip) : STRIP_HEADER_SIZE);
        return strip;
    }
    return move_to(strip, capacity, in_front);
}

struct strip *strip_push_front(struct strip *strip, const struct element_form *form, size_t spare) {
    if (UNLIKELY((size_t)strip->start - STRIP_HEADER_SIZE < form->total)) {
        strip = make_room(strip, form->total, true, spare);
    }
    strip->start = (uint16_t)(strip->start - form->total);
    strip->count++;
    element_write(form, to_write(strip, strip->start));
    return strip;
}

struct strip *strip_push_back(struct strip *strip, const struct element_form *form, size_t spare) {
    if (UNLIKELY(strip_capacity(strip) - strip->end < form->total)) {
        strip = make_room(strip, form->total, false, spare);
    }
    element_write(form, to_write(strip, strip->end));
    strip->end = (uint16_t)(strip->end + form->total);
    strip->count++;
    return strip;
}

/* Makes the gap of `old_total` bytes at *at one of `total`; *at is where it is then. */
static struct strip *resize_gap(struct strip *strip, strip_at *at, size_t old_total, size_t total) {
    size_t in_front = *at - strip->start;
    size_t behind = strip->end - *at - old_total;
    if (total > old_total) {
        size_t more = total - old_total;
        bool front_has = (size_t)strip->start - STRIP_HEADER_SIZE >= more;
        bool back_has = strip_capacity(strip) - strip->end >= more;
        if (!front_has && !back_has) {
            strip = make_room(strip, more, false, 0);
            front_has = false;
            back_has = true;
        }
        *at = (strip_at)(strip->start + in_front);
        if (front_has && (!back_has || in_front < behind)) {
            memmove(to_write(strip, strip->start - more), to_write(strip, strip->start), in_front);
            strip->start = (uint16_t)(strip->start - more);
            *at -= (strip_at)more;
        } else {
            memmove(to_write(strip, *at + total), to_write(strip, *at + old_total), behind);
            strip->end = (uint16_t)(strip->end + more);
        }
    } else if (total < old_total) {
        size_t less = old_total - total;
        if (in_front < behind) {
            memmove(to_write(strip, strip->start + less), to_write(strip, strip->start), in_front);
            strip->start = (uint16_t)(strip->start + less);
            *at += (strip_at)less;
        } else {
            memmove(to_write(strip, *at + total), to_write(strip, *at + old_total), behind);
            strip->end = (uint16_t)(strip->end - less);
        }
    }
    return strip;
}

struct strip *strip_insert(struct strip *strip, strip_at at, const struct element_form *form) {
    strip = resize_gap(strip, &at, 0, form->total);
    element_write(form, to_write(strip, at));
    strip->count++;
    return strip;
}

struct strip *strip_replace(struct strip *strip, strip_at at, const struct element_form *form) {
    size_t old_total = element_size(strip_element(strip, at));
    strip = resize_gap(strip, &at, old_total, form->total);
    element_write(form, to_write(strip, at));
    return strip;
}

/* Gives memory back if most of it is room. */
static struct strip *shrink(struct strip *strip) {
    size_t need = STRIP_HEADER_SIZE + strip_used(strip);
    if (LIKELY(need * USED_PART >= strip_capacity(strip))) {
        return strip;
    }
    size_t capacity = capacity_for(need * 2);
    if (capacity >= strip_capacity(strip)) {
        return strip;
    }
    /* Which end the next one comes to is not known: the room is where it was. */
    bool in_front = strip->start - STRIP_HEADER_SIZE > strip_capacity(strip) - strip->end;
    return move_to(strip, capacity, in_front);
}

struct strip *strip_remove(struct strip *strip, size_t index, size_t count) {
    debug_check(index + count <= strip->count);
    if (count == strip->count) {
        strip->end = strip->start;
    } else if (count > 0) {
        strip_at at = index < strip->count ? strip_seek(strip, index) : strip->end;
        strip_at end = index + count < strip->count ? strip_seek(strip, index + count) : strip->end;
        strip = resize_gap(strip, &at, end - at, 0);
    }
    strip->count = (uint16_t)(strip->count - count);
    return shrink(strip);
}

static size_t count_equal(const struct strip *strip, const struct element_form *form) {
    size_t equal = 0;
    const uint8_t *end = strip_element(strip, strip->end);
    for (const uint8_t *at = strip_element(strip, strip->start); at < end; at += element_size(at)) {
        equal += element_is(form, at);
    }
    return equal;
}

bool strip_has(const struct strip *strip, const struct element_form *form) {
    const uint8_t *end = strip_element(strip, strip->end);
    for (const uint8_t *at = strip_element(strip, strip->start); at < end; at += element_size(at)) {
        if (element_is(form, at)) {
            return true;
        }
    }
    return false;
}

struct strip *strip_remove_equal(struct strip *strip, const struct element_form *form, size_t max,
                                 bool from_end, size_t *removed) {
    size_t equal = count_equal(strip, form);
    size_t skip = from_end && equal > max ? equal - max : 0;
    size_t left = equal < max ? equal : max;
    *removed = left;
    if (left == 0) {
        return strip;
    }
    strip->count = (uint16_t)(strip->count - left);
    const uint8_t *end = strip_element(strip, strip->end);
    const uint8_t *at = strip_element(strip, strip->start);
    uint8_t *out = to_write(strip, strip->start);
    while (at < end && left > 0) {
        size_t size = element_size(at);
        bool goes = element_is(form, at) && (skip == 0 || skip-- == 0);
        if (goes) {
            left--;
        } else {
            memmove(out, at, size);
            out += size;
        }
        at += size;
    }
    memmove(out, at, (size_t)(end - at));
    out += end - at;
    strip->end = (uint16_t)(out - (const uint8_t *)strip);
    return shrink(strip);
}

struct strip *strip_split(struct strip *strip, size_t index) {
    debug_check(index > 0 && index < strip->count);
    strip_at at = strip_seek(strip, index);
    size_t moved = strip->end - at;
    struct strip *rest = strip_new(moved);
    memcpy(to_write(rest, rest->start), strip_element(strip, at), moved);
    rest->end = (uint16_t)(rest->start + moved);
    rest->count = (uint16_t)(strip->count - index);
    strip->end = (uint16_t)at;
    strip->count = (uint16_t)index;
    return rest;
}

struct strip *strip_join(struct strip *strip, struct strip *behind) {
    size_t more = strip_used(behind);
    if (strip_capacity(strip) - strip->end < more) {
        strip = make_room(strip, more, false, 0);
    }
    memcpy(to_write(strip, strip->end), strip_element(behind, behind->start), more);
    strip->end = (uint16_t)(strip->end + more);
    strip->count = (uint16_t)(strip->count + behind->count);
    strip_free(behind);
    return strip;
}

struct strip *strip_settle(struct strip *strip, struct sparse_tally *tally) {
    if (!strip_is_large(strip)) {
        return sparse_settle(strip, strip_capacity(strip), tally);
    }
    strip = sparse_settle(strip, LARGE_SIZE, tally);
    struct blob *blob = blob_settle(strip_blob(strip), tally);
    memcpy(to_write(strip, STRIP_HEADER_SIZE), &blob, sizeof blob);
    return strip;
}

size_t strip_footprint(const struct strip *strip) {
    if (strip_is_large(strip)) {
        return mem_class(LARGE_SIZE) + blob_footprint(strip_blob(strip));
    }
    return mem_class(strip_capacity(strip));
}

bool strip_validate(const struct strip *strip) {
    if (strip_is_large(strip)) {
        return strip->count == 1 && strip_used(strip) == 0 && strip_blob(strip)->references > 0;
    }
    if (strip->start < STRIP_HEADER_SIZE || strip->end < strip->start ||
        strip_capacity(strip) < strip->end ||
        capacity_for(strip_capacity(strip)) != strip_capacity(strip)) {
        return false;
    }
    const uint8_t *at = strip_element(strip, strip->start);
    size_t left = strip_used(strip);
    size_t count = 0;
    while (left > 0) {
        size_t total;
        if (!element_is_valid(at, left, &total)) {
            return false;
        }
        at += total;
        left -= total;
        count++;
    }
    return count == strip->count;
}
