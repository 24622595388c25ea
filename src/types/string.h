/* string: the value of a string key. Encodings: an integer in the word when the text is a canonical
 * 64-bit integer of at most 20 characters; inline up to ENTRY_INLINE_MAX bytes; a blob beyond.
 *
 * Which entry represents a key is the keyspace's business: functions that may need another shape
 * say which one (string_shape), and the keyspace makes and files the new entry. */
#ifndef LARDER_TYPES_STRING_H
#define LARDER_TYPES_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "ds/blob.h"
#include "ds/entry.h"

/* Longest inline value that OBJECT ENCODING calls embstr. */
#define STRING_EMBSTR_MAX 44

/* The shape for a text: tries the integer first, then inline, then a blob with a copy (the shape's
 * word then owns one reference). False when there is no memory for the blob. */
bool string_shape(struct bytes text, struct entry_shape *shape);

/* The same, but never as an integer: for results that Redis keeps as text (INCRBYFLOAT). */
bool string_text_shape(struct bytes text, struct entry_shape *shape);

/* The shape for an integer. */
static inline struct entry_shape string_integer_shape(int64_t value) {
    return (struct entry_shape){
        .type = ENTRY_STRING, .encoding = ENTRY_INTEGER, .word = (uint64_t)value};
}

/* The shape for a blob whose reference is handed over. */
static inline struct entry_shape string_blob_shape(struct blob *blob) {
    return (struct entry_shape){
        .type = ENTRY_STRING, .encoding = ENTRY_BLOB, .word = (uint64_t)(uintptr_t)blob};
}

/* The value's bytes. An integer is printed into `scratch` (NUM_I64_SIZE bytes). */
struct bytes string_bytes(const struct entry *entry, char *scratch);

/* Length in bytes, without printing. */
size_t string_size(const struct entry *entry);

/* Whether the value is a canonical integer, and which. */
bool string_to_integer(const struct entry *entry, int64_t *value);

/* Writes `text` over an entry of type string without moving it, if it fits: integer over integer,
 * inline or a blob that is not shared within the class. The encoding becomes what string_shape
 * would choose, and the value is no longer called raw. False when another shape is needed (the
 * entry is untouched then). `text` must not overlap the value. */
bool string_overwrite(struct entry *entry, struct bytes text);

/* The value's bytes for writing, `size` of them (not fewer than there are), if that is possible in
 * place: inline within the class, or a blob that is not shared and has room. New bytes behind the
 * old size are zeroed, and the value is called raw from now on. NULL when another shape is
 * needed. */
char *string_extend(struct entry *entry, size_t size);

/* A blob for growing a value: holds the old content, `size` bytes in all (the rest zeroed), with
 * room for as much again up to 1 MiB if it is more than before. NULL when there is no memory. */
struct blob *string_try_grown(const struct entry *entry, size_t size);

/* Like string_extend, for an entry whose value is a blob, which is unshared or moved as need be;
 * the entry stays. NULL when there is no memory. */
char *string_try_extend_blob(struct entry *entry, size_t size);

#endif
