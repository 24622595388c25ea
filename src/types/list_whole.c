/* list_whole: what concerns a list's value as a whole: making, copying, freeing and measuring. */
#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "types/list_int.h"

/* Strips that are looked at for how long freeing takes; from there on their number says enough. */
#define WEIGHT_STRIPS 64

/* Bytes of a blob that take as long to free as an element: see types/value.c. */
#define BYTES_PER_WEIGHT (16 * 1024)

/* Strips that one portion of moving looks at. */
#define SETTLE_STRIPS 16

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct list_options, __VA_ARGS__)
    LIST_OPTIONS(ROW)
#undef ROW
};

void list_register_options(struct options *registry, struct list_options *fields) {
    options_register(registry, rows, sizeof rows / sizeof rows[0], fields, fields);
    options_alias(registry, "list-max-ziplist-size", "list-max-listpack-size");
}

struct entry_shape list_new_shape(const struct list_options *options, size_t size) {
    struct strip_limits limits = list_limits(options);
    size_t most = limits.size - STRIP_HEADER_SIZE;
    struct strip *strip = strip_new(size < most ? size : most);
    return (struct entry_shape){
        .type = ENTRY_LIST, .encoding = ENTRY_PACK, .word = (uintptr_t)strip};
}

void list_discard(const struct entry_shape *shape) {
    void *value = (void *)(uintptr_t)shape->word;
    if (shape->encoding == ENTRY_CHAIN) {
        list_chain_free(value);
    } else {
        strip_free(value);
    }
}

const char *list_encoding_name(const struct entry *list) {
    return list_is_chain(list) ? "quicklist" : "listpack";
}

static int copy_chain(const struct list_chain *chain, struct entry_shape *copy) {
    struct list_chain *made = list_chain_new(NULL);
    struct list_path path;
    list_index_first(&chain->index, &path);
    do {
        struct strip *strip = strip_try_copy(list_index_slot(&chain->index, &path)->child);
        if (strip == NULL) {
            list_chain_free(made);
            return -ENOMEM;
        }
        list_chain_append(made, strip);
    } while (list_index_next(&chain->index, &path));
    copy->encoding = ENTRY_CHAIN;
    copy->word = (uintptr_t)made;
    return 0;
}

int list_copy(const struct entry *list, struct entry_shape *copy) {
    *copy = (struct entry_shape){.type = ENTRY_LIST, .encoding = ENTRY_PACK};
    if (list_is_chain(list)) {
        return copy_chain(list_chain_of(list), copy);
    }
    struct strip *strip = strip_try_copy(entry_pointer(list));
    copy->word = (uintptr_t)strip;
    return strip != NULL ? 0 : -ENOMEM;
}

/* What a reply under way holds too is not freed with the list. */
static size_t strip_weight(const struct strip *strip) {
    if (!strip_is_large(strip) || blob_is_shared(strip_blob(strip))) {
        return 1;
    }
    return 1 + blob_footprint(strip_blob(strip)) / BYTES_PER_WEIGHT;
}

size_t list_weight(const struct entry *list) {
    if (!list_is_chain(list)) {
        return 1;
    }
    const struct list_chain *chain = list_chain_of(list);
    if (chain->index.strips >= WEIGHT_STRIPS || chain->index.strips == 0) {
        return chain->index.strips;
    }
    size_t weight = 0;
    struct list_path path;
    list_index_first(&chain->index, &path);
    do {
        weight += strip_weight(list_index_slot(&chain->index, &path)->child);
    } while (list_index_next(&chain->index, &path));
    return weight;
}

void list_free(struct entry *list) {
    if (list_is_chain(list)) {
        check(list_chain_of(list)->watch == NULL);
        list_chain_free(list_chain_of(list));
    } else {
        strip_free(entry_pointer(list));
    }
}

/* The cursor is a position divided by so much that it fits 32 bits; a strip may be looked at
 * twice. */
static void settle_chain(struct list_chain *chain, uint32_t *cursor, struct sparse_tally *tally) {
    size_t unit = chain->count / UINT32_MAX + 1;
    size_t at = *cursor * unit;
    if (at >= chain->count) {
        *cursor = 0;
        return;
    }
    struct list_place place;
    list_chain_find(chain, at, &place);
    at -= place.within;
    list_index_settle(&chain->index, &place.path, tally);
    bool more = true;
    for (int i = 0; i < SETTLE_STRIPS && more; i++) {
        place.strip = list_index_slot(&chain->index, &place.path)->child;
        size_t count = place.strip->count;
        at += count;
        list_chain_put(chain, &place, strip_settle(place.strip, tally), count);
        more = list_index_next(&chain->index, &place.path);
    }
    size_t next = at / unit;
    *cursor = !more ? 0 : next > *cursor ? (uint32_t)next : *cursor + 1;
}

void list_settle(struct entry *list, uint32_t *cursor, struct sparse_tally *tally) {
    if (!list_is_chain(list)) {
        entry_set_pointer(list, strip_settle(entry_pointer(list), tally));
        *cursor = 0;
        return;
    }
    if (list_chain_of(list)->watch != NULL) {
        /* Nothing moves that is noted where it is. */
        *cursor = 0;
        return;
    }
    if (*cursor == 0) {
        entry_set_pointer(list,
                          sparse_settle(list_chain_of(list), sizeof(struct list_chain), tally));
    }
    settle_chain(list_chain_of(list), cursor, tally);
}

size_t list_footprint(const struct entry *list, size_t samples) {
    if (!list_is_chain(list)) {
        return strip_footprint(entry_pointer(list));
    }
    const struct list_chain *chain = list_chain_of(list);
    size_t bytes = mem_class(sizeof *chain) + list_index_footprint(&chain->index);
    if (chain->index.strips == 0) {
        return bytes;
    }
    size_t looked_at = 0;
    size_t found = 0;
    struct list_path path;
    list_index_first(&chain->index, &path);
    do {
        found += strip_footprint(list_index_slot(&chain->index, &path)->child);
        looked_at++;
    } while (looked_at != samples && list_index_next(&chain->index, &path));
    if (looked_at == chain->index.strips) {
        return bytes + found;
    }
    return bytes + (size_t)((double)found / (double)looked_at * (double)chain->index.strips);
}

static void validate_chain(const struct list_chain *chain) {
    list_index_validate(&chain->index, chain->first, chain->last);
    check(chain->index.strips > 0);
    size_t count = 0;
    struct list_path path;
    list_index_first(&chain->index, &path);
    do {
        const struct strip *strip = list_index_slot(&chain->index, &path)->child;
        check(strip_validate(strip));
        check(strip->count > 0);
        check(chain->watch != NULL || !list_chain_is_old(chain, strip));
        check((strip_marks(strip) & STRIP_LEFT) == 0);
        check(!strip_is_large(strip) || strip_blob(strip)->size >= LIST_LARGE_MIN);
        count += strip->count;
    } while (list_index_next(&chain->index, &path));
    check(count == chain->count);
}

void list_validate(const struct entry *list) {
    check(entry_type(list) == ENTRY_LIST);
    if (list_is_chain(list)) {
        validate_chain(list_chain_of(list));
    } else {
        const struct strip *strip = entry_pointer(list);
        check(!strip_is_large(strip));
        check(strip_validate(strip));
    }
}
