/* pack: how elements lie in memory.
 *
 *     +---------+----------+---------+---------+---
 *     | size 4  | count 4  | element | element | ...
 *     +---------+----------+---------+---------+---
 *     0         4          8                       size
 *
 * How an element lies in memory is said in ds/element.h: it reads the same from both ends.
 *
 * Invariants (pack_validate checks them):
 * 1. The elements fill the pack up to `size`, and there are `count` of them.
 * 2. Each element has the shortest form that can hold it.
 * 3. The allocation is of `size` bytes, which the allocator rounds up to its class.
 *
 * Costs: an edit moves what is behind it; reaching an index walks from the nearer end. */
#include "ds/pack.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "ds/element.h"

struct pack {
    uint32_t size;
    uint32_t count;
    uint8_t bytes[];
};

#define HEADER_SIZE 8
_Static_assert(sizeof(struct pack) == HEADER_SIZE, "the header of a pack is 8 bytes");
_Static_assert(PACK_SIZE_MAX < UINT32_MAX, "positions and sizes are 32 bits");

static inline const uint8_t *element_at(const struct pack *pack, pack_at at) {
    debug_check(at >= HEADER_SIZE && at < pack->size);
    return pack->bytes + (at - HEADER_SIZE);
}

static inline uint8_t *element_to_write(struct pack *pack, pack_at at) {
    return pack->bytes + (at - HEADER_SIZE);
}

struct pack *pack_new(void) {
    struct pack *pack = mem_alloc(MEM_DATA, HEADER_SIZE);
    pack->size = HEADER_SIZE;
    pack->count = 0;
    return pack;
}

void pack_free(struct pack *pack) {
    if (pack != NULL) {
        mem_free(MEM_DATA, pack, pack->size);
    }
}

struct pack *pack_copy(const struct pack *pack) {
    struct pack *copy = mem_alloc(MEM_DATA, pack->size);
    memcpy(copy, pack, pack->size);
    return copy;
}

size_t pack_count(const struct pack *pack) {
    return pack->count;
}

size_t pack_size(const struct pack *pack) {
    return pack->size;
}

size_t pack_footprint(const struct pack *pack) {
    return mem_class(pack->size);
}

struct pack *pack_settle(struct pack *pack, struct sparse_tally *tally) {
    return sparse_settle(pack, pack->size, tally);
}

bool pack_fits(const struct pack *pack, size_t more) {
    return more <= PACK_SIZE_MAX - pack->size;
}

pack_at pack_first(const struct pack *pack) {
    return pack->count > 0 ? HEADER_SIZE : 0;
}

pack_at pack_last(const struct pack *pack) {
    if (pack->count == 0) {
        return 0;
    }
    const uint8_t *end = pack->bytes + (pack->size - HEADER_SIZE);
    return (pack_at)(pack->size - element_size_before(end));
}

pack_at pack_next(const struct pack *pack, pack_at at) {
    at += (pack_at)element_size(element_at(pack, at));
    return at < pack->size ? at : 0;
}

pack_at pack_previous(const struct pack *pack, pack_at at) {
    if (at == HEADER_SIZE) {
        return 0;
    }
    return at - (pack_at)element_size_before(element_at(pack, at));
}

pack_at pack_seek(const struct pack *pack, int64_t index) {
    int64_t count = pack->count;
    if (index >= count || index < -count) {
        return 0;
    }
    if (index < 0) {
        index += count;
    }
    if (index <= count / 2) {
        pack_at at = HEADER_SIZE;
        for (; index > 0; index--) {
            at += (pack_at)element_size(element_at(pack, at));
        }
        return at;
    }
    pack_at end = pack->size;
    for (; index < count; index++) {
        end -= (pack_at)element_size_before(pack->bytes + (end - HEADER_SIZE));
    }
    return end;
}

void pack_get(const struct pack *pack, pack_at at, struct pack_item *item) {
    const uint8_t *element = element_at(pack, at);
    item->is_integer = !element_tag_is_text(*element);
    if (item->is_integer) {
        item->integer = element_integer(element);
        item->text = bytes_of(NULL, 0);
    } else {
        item->integer = 0;
        item->text = element_text(element);
    }
}

struct bytes pack_text(const struct pack *pack, pack_at at, char *scratch) {
    const uint8_t *element = element_at(pack, at);
    if (element_tag_is_text(*element)) {
        return element_text(element);
    }
    return bytes_of(scratch, num_format_i64(scratch, element_integer(element)));
}

bool pack_is(const struct pack *pack, pack_at at, struct bytes text) {
    struct element_form form = element_form_of_text(text);
    return element_is(&form, element_at(pack, at));
}

pack_at pack_find(const struct pack *pack, pack_at at, struct bytes text, unsigned step) {
    debug_check(step >= 1);
    if (at == 0) {
        return 0;
    }
    struct element_form form = element_form_of_text(text);
    while (at < pack->size) {
        const uint8_t *element = element_at(pack, at);
        if (element_is(&form, element)) {
            return at;
        }
        for (unsigned i = 0; i < step && at < pack->size; i++) {
            at += (pack_at)element_size(element_at(pack, at));
        }
    }
    return 0;
}

/* Replaces `old_total` bytes at `at` by room for `total`, and what is behind moves. */
static struct pack *make_room(struct pack *pack, pack_at at, size_t old_total, size_t total) {
    size_t behind = pack->size - at - old_total;
    size_t size = pack->size - old_total + total;
    check(size <= PACK_SIZE_MAX);
    if (total > old_total) {
        pack = mem_realloc(MEM_DATA, pack, pack->size, size);
    }
    uint8_t *to = element_to_write(pack, at);
    if (behind > 0 && total != old_total) {
        memmove(to + total, to + old_total, behind);
    }
    if (total < old_total) {
        pack = mem_realloc(MEM_DATA, pack, pack->size, size);
    }
    pack->size = (uint32_t)size;
    return pack;
}

static struct pack *insert_form(struct pack *pack, pack_at at, const struct element_form *form) {
    pack = make_room(pack, at, 0, form->total);
    element_write(form, element_to_write(pack, at));
    pack->count++;
    return pack;
}

static struct pack *replace_form(struct pack *pack, pack_at at, const struct element_form *form) {
    size_t old_total = element_size(element_at(pack, at));
    if (old_total != form->total) {
        pack = make_room(pack, at, old_total, form->total);
    }
    element_write(form, element_to_write(pack, at));
    return pack;
}

struct pack *pack_append(struct pack *pack, struct bytes text) {
    struct element_form form = element_form_of_text(text);
    return insert_form(pack, pack->size, &form);
}

struct pack *pack_append_integer(struct pack *pack, int64_t integer) {
    struct element_form form = element_form_of_integer(integer);
    return insert_form(pack, pack->size, &form);
}

struct pack *pack_prepend(struct pack *pack, struct bytes text) {
    struct element_form form = element_form_of_text(text);
    return insert_form(pack, HEADER_SIZE, &form);
}

/* A position counts in bytes from the pack's start, so it outlives the move of the pack. */
struct pack *pack_insert(struct pack *pack, pack_at *at, struct bytes text) {
    struct element_form form = element_form_of_text(text);
    return insert_form(pack, *at, &form);
}

struct pack *pack_replace(struct pack *pack, pack_at *at, struct bytes text) {
    struct element_form form = element_form_of_text(text);
    return replace_form(pack, *at, &form);
}

struct pack *pack_replace_integer(struct pack *pack, pack_at *at, int64_t integer) {
    struct element_form form = element_form_of_integer(integer);
    return replace_form(pack, *at, &form);
}

struct pack *pack_remove(struct pack *pack, pack_at *at, size_t count) {
    pack_at end = *at;
    uint32_t removed = 0;
    while (removed < count && end < pack->size) {
        end += (pack_at)element_size(element_at(pack, end));
        removed++;
    }
    pack->count -= removed;
    pack = make_room(pack, *at, end - *at, 0);
    if (*at >= pack->size) {
        *at = 0;
    }
    return pack;
}

bool pack_validate(const struct pack *pack) {
    if (pack->size < HEADER_SIZE || pack->size > PACK_SIZE_MAX) {
        return false;
    }
    const uint8_t *at = pack->bytes;
    size_t left = pack->size - HEADER_SIZE;
    uint32_t count = 0;
    while (left > 0) {
        size_t total;
        if (!element_is_valid(at, left, &total)) {
            return false;
        }
        at += total;
        left -= total;
        count++;
    }
    return count == pack->count;
}
