/* entry: the one format of everything that has a name. A key of the keyspace, a field of a hash, a
 * member of a set or a sorted set is an entry, one allocation. Because every dict holds entries,
 * the dict needs no callbacks, and a field gets its own deadline for nothing.
 *
 *     0        1        2                 4                          7        8
 *     +--------+--------+-----------------+--------------------------+--------+
 *     | type 4 | flags  | inline value's  | access 24 bits           | key    |
 *     | enc. 4 |        | size, or link's | (clock or frequency)     | size 8 |
 *     |        |        | high 16 bits    |                          |        |
 *     +--------+--------+-----------------+--------------------------+--------+
 *     | deadline 54 bits of milliseconds, 10 bits place in the index | if ENTRY_HAS_DEADLINE
 *     +--------------------------------------------------------------+
 *     | word: integer or double                                      | if ENTRY_HAS_WORD
 *     +-------------------+------------------------------------------+
 *     | link's low 32     | if ENTRY_HAS_LINK: the pointer to what the value is made of
 *     +-------------------+
 *     | key size 32       | if ENTRY_LONG_KEY (key of 256 bytes and more)
 *     +-------------------+---
 *     | key ... | inline value ... | extras ... if ENTRY_HAS_EXTRAS (ds/extras.h)
 *
 * An entry of a 16-byte key and a 64-byte value takes 8 + 16 + 64 = 88 bytes, in the class of 96.
 * One that refers to its value has no use for the value's size, and an address has 48 bits: so a
 * link takes 4 bytes, and with a key of up to 20 bytes the entry of a collection is in the class of
 * 32. (With links of 8 bytes, keys from 17 bytes on were in that of 48.)
 *
 * Invariants:
 * 1. The allocation's class is always mem_class(entry_size(e)): what changes the size either stays
 *    within the class or moves to a new allocation. Hence frees know their size.
 * 2. ENTRY_HAS_WORD is set exactly when the encoding keeps its value in the word, ENTRY_HAS_LINK
 *    exactly when it refers to it.
 * 3. value_size is 0 if the encoding is neither ENTRY_INLINE nor one with a link.
 * 4. The key never changes while the entry is in a dict.
 * 5. An inline value with extras behind it changes its size only by moving to a new allocation.
 *
 * This file knows the layout, not the meaning: what a type does with its link is in types/. Which
 * dict or index refers to an entry is the owner's business; when an entry moves, the owner tells
 * them. */
#ifndef LARDER_DS_ENTRY_H
#define LARDER_DS_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

enum entry_type {
    ENTRY_STRING,
    ENTRY_LIST,
    ENTRY_SET,
    ENTRY_SORTED_SET,
    ENTRY_HASH,
    ENTRY_STREAM,
    ENTRY_TYPES,
    ENTRY_ELEMENT = 15 /* a field or member inside a value, not a key of the keyspace */
};

/* How the value is kept. OBJECT ENCODING's names are given by types/value.h. */
enum entry_encoding {
    ENTRY_NOTHING,    /* no value: a member of a set */
    ENTRY_INLINE,     /* value_size bytes behind the key */
    ENTRY_INTEGER,    /* int64_t in the word */
    ENTRY_SCORE,      /* double in the word */
    ENTRY_BLOB,       /* the link leads to a struct blob, one reference held */
    ENTRY_PACK,       /* to a struct strip (list) or struct packmap: a small collection */
    ENTRY_TABLE,      /* to a struct that begins with the elements' dict */
    ENTRY_ORDERED,    /* likewise, with an ordered index */
    ENTRY_CHAIN,      /* likewise, a chain of packs */
    ENTRY_INTEGERS,   /* likewise, a sorted array of integers */
    ENTRY_TIMED_PACK, /* likewise, a pack whose elements have deadlines */
    ENTRY_NODES       /* likewise, a stream's index of nodes */
};

/* Where the key begins is the sum of what these flags bring, and their values are chosen so that
 * entry_key_offset needs few steps and no branch: two are the bytes themselves, two a quarter of
 * the flag. */
enum entry_flag {
    ENTRY_TOUCHED_RAW = 1,  /* a string changed in place: its encoding is called raw */
    ENTRY_PHASE = 2,        /* see struct entry_watch */
    ENTRY_LONG_KEY = 4,     /* 4 bytes */
    ENTRY_HAS_DEADLINE = 8, /* 8 bytes */
    ENTRY_HAS_LINK = 16,    /* 4 bytes; not together with a word */
    ENTRY_HAS_WORD = 32,    /* 8 bytes */
    ENTRY_HAS_EXTRAS = 64,  /* something lies behind the value: ds/extras.h */
};

/* Longest inline value. With a 16-byte key the entry fills the allocator's class of 1,024; beyond
 * it a blob costs the same and can be shared with replies. */
#define ENTRY_INLINE_MAX 1000u
/* Longest key whose size fits the header. */
#define ENTRY_SHORT_KEY_MAX 255u
/* Latest deadline that can be held: 54 bits of milliseconds, the year 572,000. Later ones are held
 * as this. */
#define ENTRY_DEADLINE_MAX (((int64_t)1 << 54) - 1)
/* "Has none", where a deadline is asked for. */
#define ENTRY_NO_DEADLINE (-1)

struct entry {
    uint8_t kind; /* type in the low half, encoding in the high half */
    uint8_t flags;
    uint16_t value_size; /* or the link's high bits */
    uint32_t access : 24;
    uint32_t key_size : 8;
    char body[];
};
_Static_assert(sizeof(struct entry) == 8, "the header of an entry is 8 bytes");

static inline enum entry_type entry_type(const struct entry *e) {
    return (enum entry_type)(e->kind & 15);
}

static inline enum entry_encoding entry_encoding(const struct entry *e) {
    return (enum entry_encoding)(e->kind >> 4);
}

static inline bool entry_encoding_has_word(enum entry_encoding encoding) {
    return encoding == ENTRY_INTEGER || encoding == ENTRY_SCORE;
}

static inline bool entry_encoding_has_link(enum entry_encoding encoding) {
    return encoding >= ENTRY_BLOB;
}

/* Where the key starts in the body. */
static inline size_t entry_key_offset(const struct entry *e) {
    unsigned f = e->flags;
    return (f & (ENTRY_LONG_KEY | ENTRY_HAS_DEADLINE)) +
           ((f & (ENTRY_HAS_LINK | ENTRY_HAS_WORD)) >> 2);
}

static inline size_t entry_key_size(const struct entry *e) {
    if (UNLIKELY(e->flags & ENTRY_LONG_KEY)) {
        uint32_t size;
        memcpy(&size, e->body + entry_key_offset(e) - 4, 4);
        return size;
    }
    return e->key_size;
}

static inline struct bytes entry_key(const struct entry *e) {
    return bytes_of(e->body + entry_key_offset(e), entry_key_size(e));
}

static inline bool entry_key_is(const struct entry *e, const char *key, size_t size) {
    return entry_key_size(e) == size && bytes_same(e->body + entry_key_offset(e), key, size);
}

/* The word as the caller's type. Only when the encoding has one. */
static inline uint64_t *entry_word(struct entry *e) {
    debug_check(e->flags & ENTRY_HAS_WORD);
    return (uint64_t *)(void *)(e->body + (e->flags & ENTRY_HAS_DEADLINE));
}

static inline int64_t entry_integer(const struct entry *e) {
    debug_check(e->flags & ENTRY_HAS_WORD);
    int64_t value;
    memcpy(&value, e->body + (e->flags & ENTRY_HAS_DEADLINE), 8);
    return value;
}

static inline double entry_score(const struct entry *e) {
    debug_check(e->flags & ENTRY_HAS_WORD);
    double value;
    memcpy(&value, e->body + (e->flags & ENTRY_HAS_DEADLINE), 8);
    return value;
}

/* Where the link leads. Only when the encoding has one. */
static inline void *entry_pointer(const struct entry *e) {
    debug_check(e->flags & ENTRY_HAS_LINK);
    uint32_t low;
    memcpy(&low, e->body + (e->flags & ENTRY_HAS_DEADLINE), 4);
    return (void *)((uintptr_t)e->value_size << 32 | low);
}

static inline void entry_set_pointer(struct entry *e, void *value) {
    debug_check(e->flags & ENTRY_HAS_LINK && (uintptr_t)value >> 48 == 0);
    uint32_t low = (uint32_t)(uintptr_t)value;
    memcpy(e->body + (e->flags & ENTRY_HAS_DEADLINE), &low, 4);
    e->value_size = (uint16_t)((uintptr_t)value >> 32);
}

/* What a shape has as its word to make the like of this entry: its word, or where its link leads;
 * 0 if it has neither. */
static inline uint64_t entry_shape_word(const struct entry *e) {
    if (e->flags & ENTRY_HAS_LINK) {
        return (uintptr_t)entry_pointer(e);
    }
    return e->flags & ENTRY_HAS_WORD ? (uint64_t)entry_integer(e) : 0;
}

/* The inline value's bytes; writable while they are the caller's to write. */
static inline char *entry_inline_at(struct entry *e) {
    return e->body + entry_key_offset(e) + entry_key_size(e);
}

static inline struct bytes entry_inline(const struct entry *e) {
    return bytes_of(e->body + entry_key_offset(e) + entry_key_size(e), e->value_size);
}

/* What is asked of the allocator for so many bytes: an entry without key and value has 8, but a
 * dict needs addresses aligned to 16, which the allocator's smallest class does not give. */
static inline size_t entry_room(size_t size) {
    return size < 16 ? 16 : size;
}

/* Bytes of the value that lie in the entry behind the key: a link's are elsewhere. */
static inline size_t entry_inline_size(const struct entry *e) {
    return e->flags & ENTRY_HAS_LINK ? 0 : e->value_size;
}

/* Extras as they lie there, which begin with their size; none: size 0 and .at not NULL. */
static inline struct bytes entry_extras(const struct entry *e) {
    const char *at = e->body + entry_key_offset(e) + entry_key_size(e) + entry_inline_size(e);
    uint16_t size = 0;
    if (UNLIKELY(e->flags & ENTRY_HAS_EXTRAS)) {
        memcpy(&size, at, sizeof size);
    }
    return bytes_of(at, size);
}

/* What was asked of the allocator, in bytes; with its class this is what a free must pass. */
static inline size_t entry_size(const struct entry *e) {
    size_t size = sizeof *e + entry_key_offset(e) + entry_key_size(e) + entry_inline_size(e);
    if (UNLIKELY(e->flags & ENTRY_HAS_EXTRAS)) {
        size += entry_extras(e).size;
    }
    return entry_room(size);
}

/* How much longer than its deadline an entry is kept, milliseconds: one of its extras. 0: not. */
int64_t entry_grace_ms(const struct entry *e);

/* The end, when the entry leaves: what the deadline index files it under. Milliseconds since 1970,
 * or ENTRY_NO_DEADLINE. */
static inline int64_t entry_end(const struct entry *e) {
    if (!(e->flags & ENTRY_HAS_DEADLINE)) {
        return ENTRY_NO_DEADLINE;
    }
    uint64_t word;
    memcpy(&word, e->body, 8);
    return (int64_t)(word >> 10);
}

/* The deadline, until when the entry is there for all: its end, unless grace comes between.
 * Milliseconds since 1970, or ENTRY_NO_DEADLINE. */
static inline int64_t entry_deadline(const struct entry *e) {
    int64_t end_ms = entry_end(e);
    if (UNLIKELY(e->flags & ENTRY_HAS_EXTRAS) && end_ms != ENTRY_NO_DEADLINE) {
        return end_ms - entry_grace_ms(e);
    }
    return end_ms;
}

/* Whether the deadline has come: an entry is gone from the moment its deadline is reached. */
static inline bool entry_is_due(const struct entry *e, int64_t now_ms) {
    return (e->flags & ENTRY_HAS_DEADLINE) && entry_deadline(e) <= now_ms;
}

/* The word that the deadline index owns. Only when ENTRY_HAS_DEADLINE. */
static inline uint64_t *entry_deadline_word(struct entry *e) {
    debug_check(e->flags & ENTRY_HAS_DEADLINE);
    return (uint64_t *)(void *)e->body;
}

/* What a new entry shall be. Zero means: none. */
struct entry_shape {
    enum entry_type type;
    enum entry_encoding encoding;
    bool has_deadline;  /* room for one; the word is 0 until the index sets it */
    struct bytes value; /* ENTRY_INLINE: copied in; .at NULL leaves it unwritten */
    uint64_t word;      /* what goes into the word, or where the link leads */
    /* What it carries besides, as in ds/extras.h; copied. Size 0: nothing; but with .at NULL a
     * reshaped entry carries what it did. */
    struct bytes extras;
};

/* Room on the stack for an entry without a key that carries a collection, for who builds or ends
 * one that is not a key's. */
union entry_carrier {
    struct entry entry;
    char room[sizeof(struct entry) + 8];
};

/* Makes it carry what the shape, whose encoding has a link, is made of. */
static inline struct entry *entry_carry(union entry_carrier *carrier,
                                        const struct entry_shape *shape) {
    debug_check(entry_encoding_has_link(shape->encoding));
    carrier->entry = (struct entry){.flags = ENTRY_HAS_LINK};
    carrier->entry.kind = (uint8_t)((unsigned)shape->type | (unsigned)shape->encoding << 4);
    entry_set_pointer(&carrier->entry, (void *)(uintptr_t)shape->word);
    return &carrier->entry;
}

/* Allocates an entry; the key is copied. access is 0. NULL when there is no memory (keys are a
 * client's choice). */
struct entry *entry_try_new(struct bytes key, const struct entry_shape *shape);

/* Frees the entry's own allocation, and nothing that its link leads to. */
void entry_free(struct entry *e);

/* A copy of the entry in another shape (same key, access kept, flags TOUCHED_RAW and PHASE kept).
 * The old one is untouched; the caller replaces and frees it. NULL when there is no memory. */
struct entry *entry_try_reshape(const struct entry *e, const struct entry_shape *shape);

/* Same shape, and extras, under another key (RENAME, COPY): the deadline word is cleared to 0 but
 * its room is kept. NULL when there is no memory. */
struct entry *entry_try_rename(const struct entry *e, struct bytes key);

/* Whether an inline value of `size` bytes can be written into this entry's allocation: encoding is
 * ENTRY_INLINE and the class stays. */
static inline bool entry_inline_fits(const struct entry *e, size_t size) {
    size_t rest = sizeof *e + entry_key_offset(e) + entry_key_size(e);
    if (LIKELY(size == e->value_size)) {
        return entry_encoding(e) == ENTRY_INLINE;
    }
    return entry_encoding(e) == ENTRY_INLINE && size <= ENTRY_INLINE_MAX &&
           !(e->flags & ENTRY_HAS_EXTRAS) &&
           mem_class(entry_room(rest + e->value_size)) == mem_class(entry_room(rest + size));
}

/* Changes the inline value's size in place. entry_inline_fits must hold. */
static inline void entry_set_inline_size(struct entry *e, size_t size) {
    debug_check(entry_inline_fits(e, size));
    e->value_size = (uint16_t)size;
}

/* Who wants what there is at one moment, while it goes on changing: told before an entry of that
 * moment changes or leaves, so that it can be written down as it was.
 *
 * What holds entries has a present phase, 0 or ENTRY_PHASE, which new entries are born with. When
 * the watch begins the present phase becomes the other one: at once all that is there is of the
 * phase before, and to be seen once. An entry that has been seen gets the present phase. When the
 * watch ends no entry is of the phase before. */
struct entry_watch {
    /* The entry, which is of the phase before, is about to change or to leave: it is of the present
     * phase afterwards. */
    void (*changing)(struct entry_watch *watch, struct entry *entry);
    /* Of what is within a value only: its owner has left the keyspace and would be freed. It is the
     * watch's now. */
    void (*left)(struct entry_watch *watch, struct entry *owner);
};

static inline bool entry_is_of(const struct entry *e, unsigned phase) {
    return ((e->flags ^ phase) & ENTRY_PHASE) == 0;
}

static inline void entry_set_phase(struct entry *e, unsigned phase) {
    e->flags = (uint8_t)((e->flags & ~(unsigned)ENTRY_PHASE) | phase);
}

/* What the entry itself takes from the allocator, in bytes, without what its link leads to. */
static inline size_t entry_footprint(const struct entry *e) {
    return mem_class(entry_size(e));
}

#endif
