/* element_name: what names an element of a collection (a field of a hash, a member of a set or a
 * sorted set), with its hash if somebody knows it already: the plan of a batch works it out
 * ahead of the command, which then need not (call_element_name in call/call.h).
 *
 * How the plan finds its way in a collection, without knowing its type: the link of an entry whose
 * encoding is
 *
 *     ENTRY_TABLE, ENTRY_ORDERED   leads to a struct that begins with the struct dict of its
 *                                  elements
 *     ENTRY_PACK                   leads to a struct packmap, but for a list
 *     any other                    may lead to what it likes: only its first line is asked for
 *
 * Functions of a type that find an element take a struct element_name; element_name_of makes one of
 * a text of which nothing more is known. */
#ifndef LARDER_DS_ELEMENT_NAME_H
#define LARDER_DS_ELEMENT_NAME_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

struct element_name {
    struct bytes text;
    uint64_t hash; /* hash_bytes of the name with hash_seed(), or 0: not known */
};

static inline struct element_name element_name_of(struct bytes text) {
    return (struct element_name){.text = text};
}

/* The hash, for a dict or a packmap. */
static inline uint64_t element_name_hash(const struct element_name *name) {
    debug_check(name->hash == 0 ||
                name->hash == hash_bytes(hash_seed(), name->text.at, name->text.size));
    if (LIKELY(name->hash != 0)) {
        return name->hash;
    }
    return hash_bytes(hash_seed(), name->text.at, name->text.size);
}

#endif
