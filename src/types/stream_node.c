/* stream_node: see the header. */
#include "types/stream_node.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define FORM_OWN_NAMES 0x40u
/* The most that an entry takes beyond its texts: form, ms, seq, count, length. */
#define ENTRY_EXTRA_MAX (1u + 8u + 8u + 9u + 5u)
/* The most that a text takes beyond its bytes. */
#define TEXT_EXTRA_MAX 5u
/* Bytes of the widths that a form can name. */
static const uint8_t widths[8] = {0, 1, 2, 3, 4, 5, 6, 8};

static inline const uint8_t *at_of(const struct stream_node *node, uint32_t at) {
    return (const uint8_t *)node + at;
}

static inline uint32_t position_of(const struct stream_node *node, const uint8_t *at) {
    return (uint32_t)(at - (const uint8_t *)node);
}

static inline uint64_t load(const uint8_t *at, unsigned width) {
    uint64_t number;
    memcpy(&number, at, 8);
    return width == 8 ? number : number & (((uint64_t)1 << (8 * width)) - 1);
}

/* ---- texts ---- */

const uint8_t *stream_text_read_long(const uint8_t *at, struct bytes *text, char *scratch) {
    unsigned tag = *at++;
    if (tag >= STREAM_TEXT_SMALL) {
        *text = bytes_of(scratch, num_format_i64(scratch, (int64_t)(tag - STREAM_TEXT_SMALL)));
        return at;
    }
    if (tag < STREAM_TEXT_MEDIUM) {
        unsigned unused = 8 * (7 - (tag - STREAM_TEXT_INTEGER));
        uint64_t bits;
        memcpy(&bits, at, 8);
        *text = bytes_of(scratch, num_format_i64(scratch, (int64_t)(bits << unused) >> unused));
        return at + (tag - STREAM_TEXT_INTEGER) + 1;
    }
    unsigned width = tag == STREAM_TEXT_MEDIUM ? 2 : 4;
    size_t size = load(at, width);
    *text = bytes_of(at + width, size);
    return at + width + size;
}

static inline const uint8_t *text_skip(const uint8_t *at) {
    unsigned tag = *at++;
    if (LIKELY(tag < STREAM_TEXT_SHORT_END)) {
        return at + tag;
    }
    if (tag >= STREAM_TEXT_SMALL) {
        return at;
    }
    if (tag < STREAM_TEXT_MEDIUM) {
        return at + (tag - STREAM_TEXT_INTEGER) + 1;
    }
    unsigned width = tag == STREAM_TEXT_MEDIUM ? 2 : 4;
    return at + width + load(at, width);
}

static uint8_t *integer_write(uint8_t *out, int64_t integer) {
    if (integer >= 0 && integer <= STREAM_SMALL_MAX) {
        *out = (uint8_t)(STREAM_TEXT_SMALL + integer);
        return out + 1;
    }
    /* Folds the sign away: what is left must fit one bit less than the bytes have. */
    uint64_t folded = (uint64_t)integer ^ (uint64_t)(integer >> 63);
    unsigned width = folded == 0 ? 1 : (64u - (unsigned)__builtin_clzll(folded)) / 8 + 1;
    *out++ = (uint8_t)(STREAM_TEXT_INTEGER + width - 1);
    memcpy(out, &integer, 8);
    return out + width;
}

/* Whether a text may be an integer, by its first byte and its size. */
static inline bool may_be_integer(struct bytes text) {
    return text.size > 0 && text.size <= NUM_I64_SIZE && text.at[0] <= '9' &&
           (text.at[0] >= '0' || text.at[0] == '-');
}

/* Writes at most TEXT_EXTRA_MAX more bytes than the text has, but touches 8 more. */
static uint8_t *text_write(uint8_t *out, struct bytes text) {
    int64_t integer;
    if (may_be_integer(text) && num_parse_i64(text, &integer)) {
        return integer_write(out, integer);
    }
    if (LIKELY(text.size < STREAM_TEXT_SHORT_END)) {
        *out++ = (uint8_t)text.size;
    } else if (text.size <= UINT16_MAX) {
        uint16_t size = (uint16_t)text.size;
        *out++ = STREAM_TEXT_MEDIUM;
        memcpy(out, &size, 2);
        out += 2;
    } else {
        uint32_t size = (uint32_t)text.size;
        *out++ = STREAM_TEXT_LONG;
        memcpy(out, &size, 4);
        out += 4;
    }
    if (text.size > 0) {
        memcpy(out, text.at, text.size);
    }
    return out + text.size;
}

/* ---- making and growing ---- */

/* What texts take at most. */
static size_t texts_bound(const struct bytes *texts, uint32_t count, uint32_t step) {
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += texts[(size_t)i * step].size + TEXT_EXTRA_MAX;
    }
    return size;
}

struct stream_node *stream_node_try_new(const struct bytes *pairs, uint32_t count) {
    size_t bound = sizeof(struct stream_node) + texts_bound(pairs, count, 2) +
                   texts_bound(pairs + 1, count, 2) + ENTRY_EXTRA_MAX + STREAM_NODE_SLACK;
    size_t capacity = mem_class(bound);
    struct stream_node *node = capacity > UINT32_MAX ? NULL : mem_try_alloc(MEM_DATA, capacity);
    if (node == NULL) {
        return NULL;
    }
    uint8_t *at = node->bytes;
    for (uint32_t i = 0; i < count; i++) {
        at = text_write(at, pairs[2 * (size_t)i]);
    }
    *node = (struct stream_node){
        .size = position_of(node, at),
        .start = position_of(node, at),
        .capacity = (uint32_t)capacity,
        .field_count = count,
    };
    return node;
}

void stream_node_free(struct stream_node *node) {
    mem_free(MEM_DATA, node, node->capacity);
}

/* Room for so many bytes more, reading slack included; and `ahead` beyond that if it moves. */
static struct stream_node *try_reserve(struct stream_node *node, size_t more, size_t ahead) {
    size_t needed = node->size + more + STREAM_NODE_SLACK;
    if (LIKELY(needed <= node->capacity)) {
        return node;
    }
    size_t capacity = mem_class(needed + ahead);
    if (capacity > UINT32_MAX) {
        return NULL;
    }
    node = mem_try_realloc(MEM_DATA, node, node->capacity, capacity);
    if (node != NULL) {
        node->capacity = (uint32_t)capacity;
    }
    return node;
}

struct stream_node *stream_node_fit(struct stream_node *node) {
    size_t capacity = mem_class((size_t)node->size + STREAM_NODE_SLACK);
    if (capacity < node->capacity) {
        node = mem_realloc(MEM_DATA, node, node->capacity, capacity);
        node->capacity = (uint32_t)capacity;
    }
    return node;
}

/* Whether the names of the pairs are the node's. */
static bool are_node_names(const struct stream_node *node, const struct bytes *pairs,
                           uint32_t count) {
    if (count != node->field_count) {
        return false;
    }
    const uint8_t *at = node->bytes;
    for (uint32_t i = 0; i < count; i++) {
        char scratch[NUM_I64_SIZE];
        struct bytes name;
        at = stream_text_read(at, &name, scratch);
        if (!bytes_equal(name, pairs[2 * (size_t)i])) {
            return false;
        }
    }
    return true;
}

/* The code of the fewest bytes that hold a number. */
static inline unsigned width_code(uint64_t number) {
    unsigned bytes = number == 0 ? 0 : (63u - (unsigned)__builtin_clzll(number)) / 8 + 1;
    return bytes > 6 ? 7 : bytes;
}

static uint8_t *length_write(uint8_t *out, size_t length) {
    unsigned groups = 1;
    while (groups < 5 && length >> (7 * groups) != 0) {
        groups++;
    }
    for (unsigned i = groups; i-- > 0;) {
        *out++ = (uint8_t)((length >> (7 * i) & 0x7f) | (i + 1 < groups ? 0x80 : 0));
    }
    return out;
}

static inline unsigned length_size(size_t length) {
    unsigned groups = 1;
    while (groups < 5 && length >> (7 * groups) != 0) {
        groups++;
    }
    return groups;
}

/* Form, id, and the number of pairs if it has names of its own; otherwise `own_count` is 0. */
static inline uint8_t *head_write(uint8_t *out, struct stream_id base, struct stream_id id,
                                  uint32_t own_count) {
    uint64_t ms = id.ms - base.ms;
    uint64_t seq = ms == 0 ? id.seq - base.seq : id.seq;
    unsigned ms_code = width_code(ms);
    unsigned seq_code = width_code(seq);
    *out++ = (uint8_t)(ms_code | seq_code << 3 | (own_count > 0 ? FORM_OWN_NAMES : 0));
    memcpy(out, &ms, 8);
    out += widths[ms_code];
    memcpy(out, &seq, 8);
    out += widths[seq_code];
    return own_count > 0 ? integer_write(out, own_count) : out;
}

struct stream_node *stream_node_try_append(struct stream_node *node, struct stream_id base,
                                           struct stream_id id, const struct bytes *pairs,
                                           uint32_t count) {
    bool own_names = !are_node_names(node, pairs, count);
    size_t bound = ENTRY_EXTRA_MAX + texts_bound(pairs + 1, count, 2) +
                   (own_names ? texts_bound(pairs, count, 2) : 0);
    /* By half of what there is, so that a node of a hundred entries moves a few times only. */
    node = try_reserve(node, bound, node->size < 4096 ? node->size / 2 : 0);
    if (node == NULL) {
        return NULL;
    }
    uint8_t *begin = (uint8_t *)node + node->size;
    uint8_t *out = head_write(begin, base, id, own_names ? count : 0);
    for (uint32_t i = 0; i < count; i++) {
        if (own_names) {
            out = text_write(out, pairs[2 * (size_t)i]);
        }
        out = text_write(out, pairs[2 * (size_t)i + 1]);
    }
    out = length_write(out, (size_t)(out - begin));
    node->size = position_of(node, out);
    node->count++;
    node->added++;
    debug_check(node->size + STREAM_NODE_SLACK <= node->capacity);
    return node;
}

/* ---- building ---- */

struct stream_node *stream_node_try_empty(void) {
    size_t capacity = mem_class(sizeof(struct stream_node) + ENTRY_EXTRA_MAX + STREAM_NODE_SLACK);
    struct stream_node *node = mem_try_alloc(MEM_DATA, capacity);
    if (node != NULL) {
        *node = (struct stream_node){.size = sizeof(struct stream_node),
                                     .start = sizeof(struct stream_node),
                                     .capacity = (uint32_t)capacity};
    }
    return node;
}

struct stream_node *stream_node_try_text(struct stream_node *node, struct bytes text) {
    node = try_reserve(node, text.size + TEXT_EXTRA_MAX, node->size / 2);
    if (node != NULL) {
        node->size = position_of(node, text_write((uint8_t *)node + node->size, text));
    }
    return node;
}

struct stream_node *stream_node_try_name(struct stream_node *node, struct bytes name) {
    node = stream_node_try_text(node, name);
    if (node != NULL) {
        node->field_count++;
        node->start = node->size;
    }
    return node;
}

struct stream_node *stream_node_try_begin(struct stream_node *node, struct stream_id base,
                                          struct stream_id id, uint32_t own_count) {
    node = try_reserve(node, ENTRY_EXTRA_MAX, node->size / 2);
    if (node != NULL) {
        uint8_t *out = head_write((uint8_t *)node + node->size, base, id, own_count);
        node->size = position_of(node, out);
    }
    return node;
}

struct stream_node *stream_node_try_end(struct stream_node *node, uint32_t begin) {
    node = try_reserve(node, ENTRY_EXTRA_MAX, node->size / 2);
    if (node != NULL) {
        uint8_t *out = length_write((uint8_t *)node + node->size, node->size - begin);
        node->size = position_of(node, out);
        node->count++;
        node->added++;
    }
    return node;
}

struct stream_node *stream_node_try_next(const struct stream_node *node) {
    const uint8_t *end = node->bytes;
    for (uint32_t i = 0; i < node->field_count; i++) {
        end = text_skip(end);
    }
    size_t size = position_of(node, end);
    size_t capacity = mem_class(size + ENTRY_EXTRA_MAX + STREAM_NODE_SLACK);
    struct stream_node *next = mem_try_alloc(MEM_DATA, capacity);
    if (next != NULL) {
        memcpy(next, node, size);
        *next = (struct stream_node){.size = (uint32_t)size,
                                     .start = (uint32_t)size,
                                     .capacity = (uint32_t)capacity,
                                     .field_count = node->field_count};
    }
    return next;
}

/* ---- reading ---- */

/* Reads form and id; returns where the rest is. */
static inline const uint8_t *read_id(const uint8_t *at, struct stream_id base,
                                     struct stream_id *id) {
    unsigned form = *at++;
    unsigned width = widths[form & 7];
    uint64_t ms = load(at, width);
    at += width;
    width = widths[form >> 3 & 7];
    id->ms = base.ms + ms;
    id->seq = load(at, width) + (ms == 0 ? base.seq : 0);
    return at + width;
}

struct stream_id stream_node_id(const struct stream_node *node, struct stream_id base,
                                uint32_t at) {
    struct stream_id id;
    read_id(at_of(node, at), base, &id);
    return id;
}

uint32_t stream_node_read(const struct stream_node *node, struct stream_id base, uint32_t at,
                          struct stream_entry *entry) {
    const uint8_t *begin = at_of(node, at);
    const uint8_t *from = read_id(begin, base, &entry->id);
    uint64_t texts;
    if (*begin & FORM_OWN_NAMES) {
        char scratch[NUM_I64_SIZE];
        struct bytes digits;
        int64_t count = 0;
        from = stream_text_read(from, &digits, scratch);
        num_parse_i64(digits, &count);
        entry->names = NULL;
        entry->field_count = (uint32_t)count;
        texts = 2 * (uint64_t)count;
    } else {
        entry->names = node->bytes;
        entry->field_count = node->field_count;
        texts = node->field_count;
    }
    entry->values = from;
    for (; texts > 0; texts--) {
        from = text_skip(from);
    }
    return position_of(node, from + length_size((size_t)(from - begin)));
}

uint32_t stream_node_previous(const struct stream_node *node, uint32_t end) {
    const uint8_t *at = at_of(node, end);
    size_t length = 0;
    unsigned groups = 0;
    uint8_t byte;
    do {
        byte = *--at;
        length |= (size_t)(byte & 0x7f) << (7 * groups++);
    } while ((byte & 0x80) != 0 && groups < 5);
    return end - (uint32_t)length - groups;
}

uint32_t stream_node_seek(const struct stream_node *node, struct stream_id base,
                          struct stream_id id) {
    uint32_t found = node->size;
    while (found > node->start) {
        uint32_t at = stream_node_previous(node, found);
        if (stream_id_less(stream_node_id(node, base, at), id)) {
            break;
        }
        found = at;
    }
    return found;
}

/* ---- removing, copying ---- */

struct stream_node *stream_node_remove(struct stream_node *node, uint32_t at) {
    struct stream_entry entry;
    uint32_t next = stream_node_read(node, STREAM_ID_MIN, at, &entry);
    node->count--;
    if (at == node->start) {
        node->start = next;
        return node;
    }
    memmove((uint8_t *)node + at, at_of(node, next), node->size - next);
    node->size -= next - at;
    /* A node that has lost half of what it held gives it back. */
    return node->size + STREAM_NODE_SLACK < node->capacity / 2 ? stream_node_fit(node) : node;
}

struct stream_node *stream_node_try_copy(const struct stream_node *node) {
    struct stream_node *copy = mem_try_alloc(MEM_DATA, node->capacity);
    if (copy != NULL) {
        memcpy(copy, node, node->size);
    }
    return copy;
}

struct stream_node *stream_node_settle(struct stream_node *node, struct sparse_tally *tally) {
    return sparse_settle(node, node->capacity, tally);
}

struct stream_id stream_node_validate(const struct stream_node *node, struct stream_id base) {
    check(node->size + STREAM_NODE_SLACK <= node->capacity);
    check(node->count > 0 && node->count <= node->added);
    check(node->start < node->size);
    const uint8_t *names = node->bytes;
    for (uint32_t i = 0; i < node->field_count; i++) {
        names = text_skip(names);
    }
    check(position_of(node, names) <= node->start);
    struct stream_id last = STREAM_ID_MIN;
    uint32_t count = 0;
    for (uint32_t at = node->start; at < node->size; count++) {
        struct stream_entry entry;
        uint32_t next = stream_node_read(node, base, at, &entry);
        check(next > at && next <= node->size);
        check(stream_node_previous(node, next) == at);
        check(!stream_id_less(entry.id, base));
        check(count == 0 || stream_id_less(last, entry.id));
        last = entry.id;
        at = next;
    }
    check(count == node->count);
    return last;
}
