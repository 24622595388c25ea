/* compact: walking through runs of Redis's small collections. */
#include "persist/compact.h"

#include <errno.h>
#include <string.h>

#define END_MARK 0xff
/* Counts of 16 bits from this on mean: count yourself. */
#define COUNT_UNKNOWN 0xffffu
/* A first byte that says that four bytes of size follow: of ziplists and zipmaps. */
#define LONG_SIZE_MARK 0xfe

static int64_t signed_of(uint64_t bits, unsigned width) {
    unsigned unused = 64 - 8 * width;
    return (int64_t)(bits << unused) >> unused;
}

static bool take_text(struct rdb_reader *reader, uint64_t size, struct rdb_text *text) {
    const uint8_t *at;
    if (size > rdb_left(reader) || !rdb_read_raw(reader, (size_t)size, &at)) {
        return false;
    }
    rdb_text_clear(text);
    text->text = bytes_of(at, (size_t)size);
    return true;
}

static void give_integer(struct compact_walk *walk, int64_t value, struct rdb_text *text) {
    walk->is_integer = true;
    walk->integer = value;
    rdb_text_integer(text, value);
}

static bool take_integer(struct compact_walk *walk, unsigned width, struct rdb_text *text) {
    uint64_t bits;
    if (!rdb_read_number(&walk->reader, width, &bits)) {
        return false;
    }
    give_integer(walk, signed_of(bits, width), text);
    return true;
}

/* ---- beginning ---- */

static bool begin_listpack(struct compact_walk *walk, size_t size) {
    uint64_t total;
    if (!rdb_read_number(&walk->reader, 4, &total) ||
        !rdb_read_number(&walk->reader, 2, &walk->count) || total != size) {
        return false;
    }
    walk->count = walk->count == COUNT_UNKNOWN ? UINT64_MAX : walk->count;
    return true;
}

static bool begin_ziplist(struct compact_walk *walk, size_t size) {
    uint64_t total;
    uint64_t last;
    if (!rdb_read_number(&walk->reader, 4, &total) || !rdb_read_number(&walk->reader, 4, &last) ||
        !rdb_read_number(&walk->reader, 2, &walk->count) || total != size || last >= size) {
        return false;
    }
    walk->last = walk->start + last;
    walk->count = walk->count == COUNT_UNKNOWN ? UINT64_MAX : walk->count;
    return true;
}

static bool begin_zipmap(struct compact_walk *walk) {
    uint64_t pairs;
    if (!rdb_read_number(&walk->reader, 1, &pairs)) {
        return false;
    }
    walk->count = pairs >= LONG_SIZE_MARK ? UINT64_MAX : 2 * pairs;
    return true;
}

static bool begin_intset(struct compact_walk *walk) {
    uint64_t width;
    if (!rdb_read_number(&walk->reader, 4, &width) ||
        !rdb_read_number(&walk->reader, 4, &walk->count) ||
        (width != 2 && width != 4 && width != 8)) {
        return false;
    }
    walk->width = (unsigned)width;
    return walk->count * width == rdb_left(&walk->reader);
}

bool compact_begin(struct compact_walk *walk, enum compact_kind kind, struct bytes run) {
    *walk = (struct compact_walk){
        .kind = kind, .reader = rdb_reader_of(run), .start = (const uint8_t *)run.at};
    switch (kind) {
    case COMPACT_LISTPACK:
        return begin_listpack(walk, run.size);
    case COMPACT_ZIPLIST:
        return begin_ziplist(walk, run.size);
    case COMPACT_ZIPMAP:
        return begin_zipmap(walk);
    case COMPACT_INTSET:
        return begin_intset(walk);
    }
    return false;
}

/* ---- listpacks ---- */

/* Whether the `width` bytes at `at` are this size, seven bits a byte, the highest first. */
static bool is_back_size(const uint8_t *at, unsigned width, size_t size) {
    for (unsigned i = width; i > 0; i--, size >>= 7) {
        if (at[i - 1] != ((size & 0x7f) | (i > 1 ? 0x80 : 0))) {
            return false;
        }
    }
    return size == 0;
}

/* Skips the size of the element backwards. At the sizes where its width grows, it does so one
 * earlier in versions before 2026: both are taken. */
static bool skip_back_size(struct rdb_reader *reader, size_t size) {
    unsigned width = 1;
    while (width < 5 && size >> (7 * width) != 0) {
        width++;
    }
    for (unsigned more = 0; more < 2; more++) {
        if (rdb_left(reader) >= width + more && is_back_size(reader->at, width + more, size)) {
            reader->at += width + more;
            return true;
        }
    }
    return false;
}

/* The element whose first byte is `tag`. */
static bool listpack_element(struct compact_walk *walk, uint8_t tag, struct rdb_text *text) {
    struct rdb_reader *reader = &walk->reader;
    uint64_t low = 0;
    if (tag < 0x80) {
        give_integer(walk, tag, text);
        return true;
    }
    if (tag < 0xc0) {
        return take_text(reader, tag & 0x3f, text);
    }
    if (tag < 0xf0 && !rdb_read_number(reader, 1, &low)) {
        return false;
    }
    if (tag < 0xe0) {
        int64_t value = (int64_t)((uint64_t)(tag & 0x1f) << 8 | low);
        give_integer(walk, value < 1 << 12 ? value : value - (1 << 13), text);
        return true;
    }
    if (tag < 0xf0) {
        return take_text(reader, (uint64_t)(tag & 0x0f) << 8 | low, text);
    }
    if (tag == 0xf0) {
        return rdb_read_number(reader, 4, &low) && take_text(reader, low, text);
    }
    if (tag > 0xf4) {
        return false;
    }
    return take_integer(walk, tag == 0xf4 ? 8 : tag - 0xf0u + 1, text);
}

static bool next_listpack(struct compact_walk *walk, uint8_t tag, struct rdb_text *text) {
    const uint8_t *start = walk->reader.at - 1;
    return listpack_element(walk, tag, text) &&
           skip_back_size(&walk->reader, (size_t)(walk->reader.at - start));
}

/* ---- ziplists ---- */

/* What follows the size of the element before. */
static bool ziplist_element(struct compact_walk *walk, struct rdb_text *text) {
    struct rdb_reader *reader = &walk->reader;
    const uint8_t *at;
    if (!rdb_read_raw(reader, 1, &at)) {
        return false;
    }
    uint8_t tag = *at;
    if (tag < 0x40) {
        return take_text(reader, tag, text);
    }
    if (tag < 0x80) {
        uint64_t low;
        return rdb_read_number(reader, 1, &low) &&
               take_text(reader, (uint64_t)(tag & 0x3f) << 8 | low, text);
    }
    if (tag == 0x80) {
        if (!rdb_read_raw(reader, 4, &at)) {
            return false;
        }
        uint32_t size =
            (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        return take_text(reader, size, text);
    }
    switch (tag) {
    case 0xc0:
        return take_integer(walk, 2, text);
    case 0xd0:
        return take_integer(walk, 4, text);
    case 0xe0:
        return take_integer(walk, 8, text);
    case 0xf0:
        return take_integer(walk, 3, text);
    case 0xfe:
        return take_integer(walk, 1, text);
    default:
        break;
    }
    if (tag > 0xf0 && tag < 0xfe) {
        give_integer(walk, tag - 0xf1, text);
        return true;
    }
    return false;
}

static bool next_ziplist(struct compact_walk *walk, uint8_t before, struct rdb_text *text) {
    const uint8_t *start = walk->reader.at - 1;
    uint64_t size = before;
    if (before == LONG_SIZE_MARK && !rdb_read_number(&walk->reader, 4, &size)) {
        return false;
    }
    if (size != walk->before || !ziplist_element(walk, text)) {
        return false;
    }
    walk->before = (size_t)(walk->reader.at - start);
    return true;
}

/* ---- zipmaps ---- */

static bool next_zipmap(struct compact_walk *walk, uint8_t first, struct rdb_text *text) {
    struct rdb_reader *reader = &walk->reader;
    bool is_value = walk->seen % 2 == 1;
    uint64_t size = first;
    uint64_t unused = 0;
    if (first == LONG_SIZE_MARK && (!rdb_read_number(reader, 4, &size) || size < LONG_SIZE_MARK)) {
        return false;
    }
    if (is_value && !rdb_read_number(reader, 1, &unused)) {
        return false;
    }
    const uint8_t *skipped;
    return take_text(reader, size, text) && rdb_read_raw(reader, (size_t)unused, &skipped);
}

/* ---- all ---- */

static int next_integer(struct compact_walk *walk, struct rdb_text *text) {
    if (walk->seen == walk->count) {
        return 0;
    }
    uint64_t bits = 0;
    rdb_read_number(&walk->reader, walk->width, &bits);
    int64_t value = signed_of(bits, walk->width);
    if (walk->seen > 0 && value <= walk->integer) {
        return -EBADMSG;
    }
    walk->seen++;
    give_integer(walk, value, text);
    return 1;
}

/* Whether the run may end here, its mark having been read. */
static bool ends_well(const struct compact_walk *walk) {
    if (rdb_left(&walk->reader) != 0 || (walk->count != UINT64_MAX && walk->seen != walk->count)) {
        return false;
    }
    if (walk->kind == COMPACT_ZIPLIST) {
        const uint8_t *mark = walk->reader.at - 1;
        return walk->last == mark - walk->before;
    }
    return walk->kind != COMPACT_ZIPMAP || walk->seen % 2 == 0;
}

int compact_next(struct compact_walk *walk, struct rdb_text *text) {
    walk->is_integer = false;
    if (walk->kind == COMPACT_INTSET) {
        return next_integer(walk, text);
    }
    const uint8_t *first;
    if (!rdb_read_raw(&walk->reader, 1, &first)) {
        return -EBADMSG;
    }
    if (*first == END_MARK) {
        return ends_well(walk) ? 0 : -EBADMSG;
    }
    bool fine = walk->kind == COMPACT_LISTPACK  ? next_listpack(walk, *first, text)
                : walk->kind == COMPACT_ZIPLIST ? next_ziplist(walk, *first, text)
                                                : next_zipmap(walk, *first, text);
    walk->seen++;
    return fine ? 1 : -EBADMSG;
}
