/* element: how a text or an integer lies in memory among others, as a pack keeps
 * them.
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
 * Each element has the shortest form that can hold it, and a text that is a canonical integer is
 * always an integer. So equal elements are equal bytes, and a search compares bytes.
 *
 * Everything is inline, for whoever walks elements does it by the thousand. */
#ifndef LARDER_DS_ELEMENT_H
#define LARDER_DS_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

enum element_tag {
    ELEMENT_TAG_TEXT_MEDIUM = 0x40,
    ELEMENT_TAG_TEXT_LONG = 0x41,
    ELEMENT_TAG_TEXT_HUGE = 0x42,
    ELEMENT_TAG_INTEGER = 0x48, /* plus the number of bytes */
    ELEMENT_TAG_PAIR = 0x60,
    ELEMENT_TAG_SINGLE = 0x80,
};

/* Where the forms of text begin and end. */
#define ELEMENT_SHORT_MAX  63u
#define ELEMENT_MEDIUM_MIN 64u
#define ELEMENT_MEDIUM_MAX 319u
#define ELEMENT_LONG_MAX   65535u

/* What the two-byte integers hold: ten bits, moved so that some negative ones fit. */
#define ELEMENT_PAIR_MIN (-128)
#define ELEMENT_PAIR_MAX (ELEMENT_PAIR_MIN + 1023)

/* How an element is going to be written. */
struct element_form {
    size_t total;  /* bytes in all */
    uint8_t tag;   /* first byte */
    uint8_t last;  /* last byte */
    uint8_t width; /* bytes of the length, or of the integer */
    bool is_integer;
    uint64_t number; /* the length's or the integer's bits */
    const char *text;
    size_t text_size;
};

static inline unsigned element_integer_width(int64_t integer) {
    /* Folds the sign away: what is left must fit one bit less than the bytes have. */
    uint64_t folded = (uint64_t)integer ^ (uint64_t)(integer >> 63);
    unsigned width = 1;
    while (width < 8 && folded >> (8 * width - 1) != 0) {
        width++;
    }
    return width;
}

static inline struct element_form element_form_of_integer(int64_t integer) {
    struct element_form form = {.is_integer = true, .number = (uint64_t)integer};
    if (integer >= 0 && integer <= 127) {
        form.tag = (uint8_t)(ELEMENT_TAG_SINGLE | integer);
        form.last = form.tag;
        form.total = 1;
    } else if (integer >= ELEMENT_PAIR_MIN && integer <= ELEMENT_PAIR_MAX) {
        unsigned moved = (unsigned)(integer - ELEMENT_PAIR_MIN);
        form.tag = (uint8_t)(ELEMENT_TAG_PAIR | moved >> 5);
        form.last = (uint8_t)(ELEMENT_TAG_PAIR | (moved & 31));
        form.total = 2;
    } else {
        form.width = (uint8_t)element_integer_width(integer);
        form.tag = (uint8_t)(ELEMENT_TAG_INTEGER + form.width);
        form.last = form.tag;
        form.total = form.width + 2u;
    }
    return form;
}

static inline struct element_form element_form_of_text(struct bytes text) {
    int64_t integer;
    if (text.size <= NUM_I64_SIZE && num_parse_i64(text, &integer)) {
        return element_form_of_integer(integer);
    }
    struct element_form form = {.text = text.at, .text_size = text.size, .number = text.size};
    if (text.size <= ELEMENT_SHORT_MAX) {
        form.tag = (uint8_t)text.size;
    } else if (text.size <= ELEMENT_MEDIUM_MAX) {
        form.tag = ELEMENT_TAG_TEXT_MEDIUM;
        form.width = 1;
        form.number = text.size - ELEMENT_MEDIUM_MIN;
    } else if (text.size <= ELEMENT_LONG_MAX) {
        form.tag = ELEMENT_TAG_TEXT_LONG;
        form.width = 2;
    } else {
        form.tag = ELEMENT_TAG_TEXT_HUGE;
        form.width = 4;
    }
    form.last = form.tag;
    form.total = text.size + 2u * form.width + 2u;
    return form;
}

/* Little-endian, whatever the machine. */
static inline void element_put_number(uint8_t *at, uint64_t number, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

static inline uint64_t element_take_number(const uint8_t *at, unsigned width) {
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++) {
        number |= (uint64_t)at[i] << (8 * i);
    }
    return number;
}

static inline void element_write(const struct element_form *form, uint8_t *at) {
    at[0] = form->tag;
    at[form->total - 1] = form->last;
    element_put_number(at + 1, form->number, form->width);
    if (!form->is_integer) {
        uint8_t *text = at + 1 + form->width;
        if (form->text_size > 0) {
            memcpy(text, form->text, form->text_size);
        }
        element_put_number(text + form->text_size, form->number, form->width);
    }
}

/* Bytes of an element in all, from its tag and, if that does not tell, the length at `length`. */
static inline size_t element_size_by_tag(uint8_t tag, const uint8_t *length) {
    if (tag <= ELEMENT_SHORT_MAX) {
        return tag + 2u;
    }
    if (tag >= ELEMENT_TAG_PAIR) {
        return tag >= ELEMENT_TAG_SINGLE ? 1 : 2;
    }
    if (tag > ELEMENT_TAG_INTEGER) {
        return tag - ELEMENT_TAG_INTEGER + 2u;
    }
    switch (tag) {
    case ELEMENT_TAG_TEXT_MEDIUM:
        return *length + ELEMENT_MEDIUM_MIN + 4;
    case ELEMENT_TAG_TEXT_LONG:
        return element_take_number(length, 2) + 6;
    default:
        return element_take_number(length, 4) + 10;
    }
}

/* Bytes of the length that a text's tag is followed by. */
static inline unsigned element_length_width(uint8_t tag) {
    return tag < ELEMENT_TAG_TEXT_MEDIUM ? 0 : 1u << (tag - ELEMENT_TAG_TEXT_MEDIUM);
}

static inline bool element_tag_is_text(uint8_t tag) {
    return tag <= ELEMENT_TAG_TEXT_HUGE;
}

static inline size_t element_size(const uint8_t *element) {
    return element_size_by_tag(*element, element + 1);
}

/* The size of the element that ends before `end`. */
static inline size_t element_size_before(const uint8_t *end) {
    uint8_t tag = end[-1];
    unsigned width = tag >= ELEMENT_TAG_TEXT_MEDIUM && tag <= ELEMENT_TAG_TEXT_HUGE
                         ? element_length_width(tag)
                         : 0;
    return element_size_by_tag(tag, end - 1 - width);
}

static inline struct bytes element_text(const uint8_t *element) {
    unsigned width = element_length_width(*element);
    return bytes_of(element + 1 + width, element_size(element) - 2 - 2 * width);
}

static inline int64_t element_integer(const uint8_t *element) {
    uint8_t tag = *element;
    if (tag >= ELEMENT_TAG_SINGLE) {
        return tag & 127;
    }
    if (tag >= ELEMENT_TAG_PAIR) {
        return ((int64_t)(tag & 31) << 5 | (element[1] & 31)) + ELEMENT_PAIR_MIN;
    }
    unsigned width = tag - ELEMENT_TAG_INTEGER;
    unsigned unused = (64 - 8 * width) & 63;
    return (int64_t)(element_take_number(element + 1, width) << unused) >> unused;
}

/* Whether the element is what would be written in this form. */
static inline bool element_is(const struct element_form *form, const uint8_t *element) {
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

/* Whether a whole element of the shortest form lies at `element`, with `left` bytes to the end. */
static inline bool element_is_valid(const uint8_t *element, size_t left, size_t *total) {
    uint8_t tag = *element;
    bool is_known = element_tag_is_text(tag) ||
                    (tag > ELEMENT_TAG_INTEGER && tag <= ELEMENT_TAG_INTEGER + 8) ||
                    tag >= ELEMENT_TAG_PAIR;
    if (!is_known || (element_tag_is_text(tag) && left < 2u + 2 * element_length_width(tag))) {
        return false;
    }
    *total = element_size(element);
    if (*total > left) {
        return false;
    }
    struct element_form form = element_tag_is_text(tag)
                                   ? element_form_of_text(element_text(element))
                                   : element_form_of_integer(element_integer(element));
    return form.tag == tag && form.total == *total && element[*total - 1] == form.last &&
           element_size_before(element + *total) == *total;
}

#endif
