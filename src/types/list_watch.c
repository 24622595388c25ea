/* list_watch: see the header. */
#include "types/list_watch.h"

#include "base/check.h"
#include "base/mem.h"
#include "types/list_int.h"

size_t list_strips(const struct entry *list) {
    return list_is_chain(list) ? list_chain_of(list)->index.strips : 1;
}

struct entry_watch *list_watched(const struct entry *list) {
    struct list_watch *watch = list_is_chain(list) ? list_chain_of(list)->watch : NULL;
    return watch != NULL ? &watch->watch : NULL;
}

void list_watch_begin(struct list_watch *watch, const struct entry *list) {
    struct list_chain *chain = list_chain_of(list);
    check(chain->watch == NULL && chain->index.strips > 0);
    watch->chain = chain;
    watch->count = chain->index.strips;
    watch->at = 0;
    watch->strips = mem_alloc(MEM_OTHER, watch->count * sizeof(struct strip *));
    struct list_path path;
    size_t count = 0;
    list_index_first(&chain->index, &path);
    do {
        watch->strips[count++] = list_index_slot(&chain->index, &path)->child;
    } while (list_index_next(&chain->index, &path));
    check(count == watch->count);
    chain->watch = watch;
    chain->phase ^= STRIP_PHASE;
}

const struct strip *list_watch_next(const struct list_watch *watch) {
    return watch->at < watch->count ? watch->strips[watch->at] : NULL;
}

void list_watch_seen(struct list_watch *watch) {
    struct strip *strip = watch->strips[watch->at++];
    if (strip_marks(strip) & STRIP_LEFT) {
        *watch->kept -= strip_footprint(strip);
        strip_free(strip);
    } else {
        strip_set_marks(strip, watch->chain->phase);
    }
}

void list_watch_end(struct list_watch *watch) {
    while (watch->at < watch->count) {
        list_watch_seen(watch);
    }
    watch->chain->watch = NULL;
    mem_free(MEM_OTHER, watch->strips, watch->count * sizeof(struct strip *));
}
