/* pack: how elements lie in memory.
 *
 *     +---------+----------+---------+---------+---
 *     | size 4  | count 4  | element | element | ...
 *     +---------+----------+---------+---------+---
 *     0         4          8                       size
 *
 * An element reads the same from both ends: the byte that says what it is (the tag) stands first
 * and last, and so does a length that is not in the tag. That is how a pack is walked backwards
 * without storing a distance. Where one byte says everything, first and last byte are the same
 * one.
 *
 *     tag        layout                                        bytes in all
 *     00llllll   tag, text of l bytes, tag                     l + 2
 *     0x40       tag, l - 64 (1), text, l - 64 (1), tag        l + 4     64 <= l < 320
 *     0x41       tag, l (2), text, l (2), tag                  l + 6     320 <= l < 65536
 *     0x42       tag, l (4), text, l (4), tag                  l + 10
 *     0x48 + n   tag, integer of n bytes, tag                  n + 2     1 <= n <= 8
 *     011vvvvv   tag, tag with the low five bits               2         integers -128 to 895
 *     1vvvvvvv   tag                                           1         integers 0 to 127
 *
 * Numbers are little-endian.
 *
 * Invariants (pack_validate checks them):
 * 1. The elements fill the pack up to `size`, and there are `count` of them.
 * 2. Each element has the shortest form that can hold it. A text that is a canonical integer is
 *    always an integer. So equal elements are equal bytes, and a search compares bytes.
 * 3. The allocation is of `size` bytes, which the allocator rounds up to its class.
 *
 * Costs: an edit moves what is behind it; reaching an index walks from the nearer end. */
#include "ds/pack.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"

struct pack {
    uint32_t size;
    uint32_t count;
    uint8_t bytes[];
};

#define HEADER_SIZE 8
_Static_assert(sizeof(struct pack) == HEADER_SIZE, "the header of a pack is 8 bytes");
_Static_assert(PACK_SIZE_MAX < UINT32_MAX, "positions and sizes are 32 bits");

enum tag {
    TAG_TEXT_MEDIUM = 0x40,
    TAG_TEXT_LONG = 0x41,
    TAG_TEXT_HUGE = 0x42,
    TAG_INTEGER = 0x48, /* plus the number of bytes */
    TAG_PAIR = 0x60,
    TAG_SINGLE = 0x80,
};

/* Where the forms of text begin and end. */
#define SHORT_MAX     63u
#define MEDIUM_MIN    64u
#define MEDIUM_MAX    319u
#define LONG_TEXT_MAX 65535u

/* What the two-byte integers hold: ten bits, moved so that some negative ones fit. */
#define PAIR_MIN (-128)
#define PAIR_MAX (PAIR_MIN + 1023)

/* How an element is going to be written. */
struct form {
    size_t total;  /* bytes in all */
    uint8_t tag;   /* first byte */
    uint8_t last;  /* last byte */
    uint8_t width; /* bytes of the length, or of the integer */
    bool is_integer;
    uint64_t number; /* the length's or the integer's bits */
    const char *text;
    size_t text_size;
};

static unsigned integer_width(int64_t integer) {
    /* Folds the sign away: what is left must fit one bit less than the bytes have. */
    uint64_t folded = (uint64_t)integer ^ (uint64_t)(integer >> 63);
    unsigned width = 1;
    while (width < 8 && folded >> (8 * width - 1) != 0) {
        width++;
    }
    return width;
}

static struct form form_of_integer(int64_t integer) {
    struct form form = {.is_integer = true, .number = (uint64_t)integer};
    if (integer >= 0 && integer <= 127) {
        form.tag = (uint8_t)(TAG_SINGLE | integer);
        form.last = form.tag;
        form.total = 1;
    } else if (integer >= PAIR_MIN && integer <= PAIR_MAX) {
        unsigned moved = (unsigned)(integer - PAIR_MIN);
        form.tag = (uint8_t)(TAG_PAIR | moved >> 5);
        form.last = (uint8_t)(TAG_PAIR | (moved & 31));
        form.total = 2;
    } else {
        form.width = (uint8_t)integer_width(integer);
        form.tag = (uint8_t)(TAG_INTEGER + form.width);
        form.last = form.tag;
        form.total = form.width + 2u;
    }
    return form;
}

static struct form form_of_text(struct bytes text) {
    int64_t integer;
    if (text.size <= NUM_I64_SIZE && num_parse_i64(text, &integer)) {
        return form_of_integer(integer);
    }
    struct form form = {.text = text.at, .text_size = text.size, .number = text.size};
    if (text.size <= SHORT_MAX) {
        form.tag = (uint8_t)text.size;
    } else if (text.size <= MEDIUM_MAX) {
        form.tag = TAG_TEXT_MEDIUM;
        form.width = 1;
        form.number = text.size - MEDIUM_MIN;
    } else if (text.size <= LONG_TEXT_MAX) {
        form.tag = TAG_TEXT_LONG;
        form.width = 2;
    } else {
        form.tag = TAG_TEXT_HUGE;
        form.width = 4;
    }
    form.last = form.tag;
    form.total = text.size + 2u * form.width + 2u;
    return form;
}

/* Little-endian, whatever the machine. */
static void put_number(uint8_t *at, uint64_t number, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t take_number(const uint8_t *at, unsigned width) {
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++) {
        number |= (uint64_t)at[i] << (8 * i);
    }
    return number;
}

static void form_write(const struct form *form, uint8_t *at) {
    at[0] = form->tag;
    at[form->total - 1] = form->last;
    put_number(at + 1, form->number, form->width);
    if (!form->is_integer) {
        uint8_t *text = at + 1 + form->width;
        if (form->text_size > 0) {
            memcpy(text, form->text, form->text_size);
        }
        put_number(text + form->text_size, form->number, form->width);
    }
}

/* Bytes of an element in all, from its tag and, if that does not tell, the length at `length`. */
static inline size_t size_by_tag(uint8_t tag, const uint8_t *length) {
    if (tag <= SHORT_MAX) {
        return tag + 2u;
    }
    if (tag >= TAG_PAIR) {
        return tag >= TAG_SINGLE ? 1 : 2;
    }
    if (tag > TAG_INTEGER) {
        return tag - TAG_INTEGER + 2u;
    }
    switch (tag) {
    case TAG_TEXT_MEDIUM:
        return *length + MEDIUM_MIN + 4;
    case TAG_TEXT_LONG:
        return take_number(length, 2) + 6;
    default:
        return take_number(length, 4) + 10;
    }
}

/* Bytes of the length that a text's tag is followed by. */
static inline unsigned length_width(uint8_t tag) {
    return tag < TAG_TEXT_MEDIUM ? 0 : 1u << (tag - TAG_TEXT_MEDIUM);
}

static inline bool tag_is_text(uint8_t tag) {
    return tag <= TAG_TEXT_HUGE;
}

static inline const uint8_t *element_at(const struct pack *pack, pack_at at) {
    debug_check(at >= HEADER_SIZE && at < pack->size);
    return pack->bytes + (at - HEADER_SIZE);
}

static inline uint8_t *element_to_write(struct pack *pack, pack_at at) {
    return pack->bytes + (at - HEADER_SIZE);
}

static inline size_t element_size(const uint8_t *element) {
    return size_by_tag(*element, element + 1);
}

/* The size of the element that ends before `end`. */
static inline size_t element_size_before(const uint8_t *end) {
    uint8_t tag = end[-1];
    unsigned width = tag >= TAG_TEXT_MEDIUM && tag <= TAG_TEXT_HUGE ? length_width(tag) : 0;
    return size_by_tag(tag, end - 1 - width);
}

static struct bytes element_text(const uint8_t *element) {
    unsigned width = length_width(*element);
    return bytes_of(element + 1 + width, element_size(element) - 2 - 2 * width);
}

static int64_t element_integer(const uint8_t *element) {
    uint8_t tag = *element;
    if (tag >= TAG_SINGLE) {
        return tag & 127;
    }
    if (tag >= TAG_PAIR) {
        return ((int64_t)(tag & 31) << 5 | (element[1] & 31)) + PAIR_MIN;
    }
    unsigned width = tag - TAG_INTEGER;
    unsigned unused = 64 - 8 * width;
    return (int64_t)(take_number(element + 1, width) << unused) >> unused;
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
    item->is_integer = !tag_is_text(*element);
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
    if (tag_is_text(*element)) {
        return element_text(element);
    }
    return bytes_of(scratch, num_format_i64(scratch, element_integer(element)));
}

/* Whether the element is what would be written in this form. */
static inline bool form_is(const struct form *form, const uint8_t *element) {
    if (*element != form->tag) {
        return false;
    }
    if (form->is_integer) {
        return element[form->total - 1] == form->last &&
               (form->width == 0 || (int64_t)form->number == element_integer(element));
    }
    return element_size(element) == form->total &&
           bytes_same((const char *)element + 1 + form->width, form->text, form->text_size);
}

bool pack_is(const struct pack *pack, pack_at at, struct bytes text) {
    struct form form = form_of_text(text);
    return form_is(&form, element_at(pack, at));
}

pack_at pack_find(const struct pack *pack, pack_at at, struct bytes text, unsigned step) {
    debug_check(step >= 1);
    if (at == 0) {
        return 0;
    }
    struct form form = form_of_text(text);
    while (at < pack->size) {
        const uint8_t *element = element_at(pack, at);
        if (form_is(&form, element)) {
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

static struct pack *insert_form(struct pack *pack, pack_at at, const struct form *form) {
    pack = make_room(pack, at, 0, form->total);
    form_write(form, element_to_write(pack, at));
    pack->count++;
    return pack;
}

static struct pack *replace_form(struct pack *pack, pack_at at, const struct form *form) {
    size_t old_total = element_size(element_at(pack, at));
    if (old_total != form->total) {
        pack = make_room(pack, at, old_total, form->total);
    }
    form_write(form, element_to_write(pack, at));
    return pack;
}

struct pack *pack_append(struct pack *pack, struct bytes text) {
    struct form form = form_of_text(text);
    return insert_form(pack, pack->size, &form);
}

struct pack *pack_append_integer(struct pack *pack, int64_t integer) {
    struct form form = form_of_integer(integer);
    return insert_form(pack, pack->size, &form);
}

struct pack *pack_prepend(struct pack *pack, struct bytes text) {
    struct form form = form_of_text(text);
    return insert_form(pack, HEADER_SIZE, &form);
}

/* A position counts in bytes from the pack's start, so it outlives the move of the pack. */
struct pack *pack_insert(struct pack *pack, pack_at *at, struct bytes text) {
    struct form form = form_of_text(text);
    return insert_form(pack, *at, &form);
}

struct pack *pack_replace(struct pack *pack, pack_at *at, struct bytes text) {
    struct form form = form_of_text(text);
    return replace_form(pack, *at, &form);
}

struct pack *pack_replace_integer(struct pack *pack, pack_at *at, int64_t integer) {
    struct form form = form_of_integer(integer);
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

/* Whether a whole element of the shortest form lies at `element`, with `left` bytes to the end. */
static bool element_is_valid(const uint8_t *element, size_t left, size_t *total) {
    uint8_t tag = *element;
    bool is_known =
        tag_is_text(tag) || (tag > TAG_INTEGER && tag <= TAG_INTEGER + 8) || tag >= TAG_PAIR;
    if (!is_known || (tag_is_text(tag) && left < 2u + 2 * length_width(tag))) {
        return false;
    }
    *total = element_size(element);
    if (*total > left) {
        return false;
    }
    struct form form = tag_is_text(tag) ? form_of_text(element_text(element))
                                        : form_of_integer(element_integer(element));
    return form.tag == tag && form.total == *total && element[*total - 1] == form.last &&
           element_size_before(element + *total) == *total;
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
