/* entry: making, reshaping and freeing entries. The layout is described in the header; here it is
 * computed once, from the key's size and the shape, so that all three makers agree. */
#include "ds/entry.h"

/* Writes header, empty deadline room, word or link, and key size; key and inline value follow. */
static struct entry *make(size_t key_size, const struct entry_shape *shape) {
    unsigned flags = 0;
    size_t offset = 0;
    if (shape->has_deadline) {
        flags |= ENTRY_HAS_DEADLINE;
        offset += 8;
    }
    if (entry_encoding_has_word(shape->encoding)) {
        flags |= ENTRY_HAS_WORD;
        offset += 8;
    } else if (entry_encoding_has_link(shape->encoding)) {
        flags |= ENTRY_HAS_LINK;
        offset += 4;
    }
    if (key_size > ENTRY_SHORT_KEY_MAX) {
        flags |= ENTRY_LONG_KEY;
        offset += 4;
    }
    size_t value_size = shape->encoding == ENTRY_INLINE ? shape->value.size : 0;
    check(value_size <= ENTRY_INLINE_MAX);
    if (UNLIKELY(shape->extras.size > 0)) {
        flags |= ENTRY_HAS_EXTRAS;
    }
    size_t size =
        entry_room(sizeof(struct entry) + offset + key_size + value_size + shape->extras.size);
    struct entry *e =
        flags & ENTRY_LONG_KEY ? mem_try_alloc(MEM_DATA, size) : mem_alloc(MEM_DATA, size);
    if (e == NULL) {
        return NULL;
    }
    e->kind = (uint8_t)((unsigned)shape->type | (unsigned)shape->encoding << 4);
    e->flags = (uint8_t)flags;
    e->value_size = (uint16_t)value_size;
    e->access = 0;
    e->key_size = flags & ENTRY_LONG_KEY ? 0 : (uint8_t)key_size;
    if (flags & ENTRY_HAS_DEADLINE) {
        memset(e->body, 0, 8);
    }
    if (flags & ENTRY_HAS_WORD) {
        *entry_word(e) = shape->word;
    } else if (flags & ENTRY_HAS_LINK) {
        entry_set_pointer(e, (void *)(uintptr_t)shape->word);
    }
    if (flags & ENTRY_LONG_KEY) {
        uint32_t key_size32 = (uint32_t)key_size;
        memcpy(e->body + offset - 4, &key_size32, 4);
    }
    return e;
}

struct entry *entry_try_new(struct bytes key, const struct entry_shape *shape) {
    struct entry *e = make(key.size, shape);
    if (e == NULL) {
        return NULL;
    }
    char *at = e->body + entry_key_offset(e);
    if (key.size > 0) {
        memcpy(at, key.at, key.size);
    }
    if (shape->encoding == ENTRY_INLINE && shape->value.at != NULL && shape->value.size > 0) {
        memcpy(at + key.size, shape->value.at, shape->value.size);
    }
    if (UNLIKELY(shape->extras.size > 0)) {
        memcpy(at + key.size + entry_inline_size(e), shape->extras.at, shape->extras.size);
    }
    return e;
}

void entry_free(struct entry *e) {
    mem_free(MEM_DATA, e, entry_size(e));
}

struct entry *entry_try_reshape(const struct entry *e, const struct entry_shape *shape) {
    struct entry_shape whole = *shape;
    if (whole.extras.at == NULL) {
        whole.extras = entry_extras(e);
    }
    struct entry *copy = entry_try_new(entry_key(e), &whole);
    if (copy == NULL) {
        return NULL;
    }
    copy->access = e->access;
    copy->flags |= e->flags & (ENTRY_TOUCHED_RAW | ENTRY_PHASE);
    if ((e->flags & ENTRY_HAS_DEADLINE) && (copy->flags & ENTRY_HAS_DEADLINE)) {
        memcpy(copy->body, e->body, 8);
    }
    return copy;
}

struct entry *entry_try_rename(const struct entry *e, struct bytes key) {
    struct entry_shape shape = {.type = entry_type(e),
                                .encoding = entry_encoding(e),
                                .has_deadline = (e->flags & ENTRY_HAS_DEADLINE) != 0,
                                .extras = entry_extras(e)};
    if (shape.encoding == ENTRY_INLINE) {
        shape.value = entry_inline(e);
    }
    shape.word = entry_shape_word(e);
    struct entry *copy = entry_try_new(key, &shape);
    if (copy != NULL) {
        copy->access = e->access;
        copy->flags |= e->flags & (ENTRY_TOUCHED_RAW | ENTRY_PHASE);
    }
    return copy;
}
