/* sort_order: puts items into an order: by numbers, or by texts. Nothing here recurses, and nothing
 * allocates more than a second array of the same size.
 *
 * An item is 16 bytes: a key of 64 bits and which element it stands for. Keys are chosen so that
 * comparing them as unsigned integers is most of the comparison; what is equal then is compared as
 * texts.
 *
 * Method: radix sort from the lowest byte, leaving out bytes that are the same in all keys; then
 * runs of equal keys are merged from runs of a few (natural order of cost: keys seldom are equal).
 * Both are stable. */
#ifndef LARDER_COMMAND_SORT_ORDER_H
#define LARDER_COMMAND_SORT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct sort_item {
    uint64_t key;
    uint64_t index;
};

/* A number's key: ordered as the numbers are; the two zeros are the same. Not for NaN. */
static inline uint64_t sort_key_of_number(double number) {
    uint64_t bits;
    number = number == 0 ? 0 : number;
    memcpy(&bits, &number, sizeof bits);
    return bits & (uint64_t)1 << 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* A text's key: its bytes from an offset on, the first one highest; short ones are filled up. */
static inline uint64_t sort_key_of_text(struct bytes text, size_t offset) {
    uint64_t key = 0;
    if (text.size >= offset + 8) {
        memcpy(&key, text.at + offset, 8);
        return __builtin_bswap64(key);
    }
    for (size_t i = 0; i < 8; i++) {
        key = key << 8 | (offset + i < text.size ? (uint8_t)text.at[offset + i] : 0);
    }
    return key;
}

/* The text by which an element is compared when keys are equal; `scratch` has NUM_I64_SIZE. */
typedef struct bytes (*sort_text_fn)(void *context, uint64_t index, char *scratch);

/* Sorts. `other` is as large as `items`; returns which of the two holds the result. Items whose
 * texts are equal too stay in their order. text NULL: those with equal keys do. */
struct sort_item *sort_order(struct sort_item *items, struct sort_item *other, size_t count,
                             sort_text_fn text, void *context);

#endif
