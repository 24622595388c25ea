/* list: elements of a list, whichever way it is kept: what adds, reads and removes them. What
 * concerns the value as a whole is in list_whole.c. */
#include "types/list.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "types/list_int.h"

/* A chain becomes one strip again when that fills this part of the limits or less. */
#define SHRUNK_PART 2

/* Of an option that says how many elements: no block is larger than this. */
#define COUNTED_SIZE_MAX 8192u

struct strip_limits list_limits(const struct list_options *options) {
    static const uint32_t sizes[] = {4096, 8192, 16384, 32768, STRIP_SIZE_MAX};
    int64_t chosen = options->strip_size;
    if (chosen < 0) {
        int64_t last = sizeof sizes / sizeof sizes[0] - 1;
        return (struct strip_limits){sizes[-chosen - 1 < last ? -chosen - 1 : last],
                                     STRIP_SIZE_MAX};
    }
    uint32_t count = chosen < 1                         ? 1
                     : chosen < (int64_t)STRIP_SIZE_MAX ? (uint32_t)chosen
                                                        : STRIP_SIZE_MAX;
    return (struct strip_limits){COUNTED_SIZE_MAX, count};
}

size_t list_length(const struct entry *list) {
    if (list_is_chain(list)) {
        return list_chain_of(list)->count;
    }
    const struct strip *strip = entry_pointer(list);
    return strip->count;
}

/* What is written, as it will lie. -ENOMEM when it needs a blob and there is no memory. */
static int prepare(const struct list_write *write, struct list_piece *piece) {
    piece->blob = NULL;
    if (LIKELY(write->text.size < LIST_LARGE_MIN)) {
        piece->form = element_form_of_text(write->text);
        return 0;
    }
    piece->form.total = 0;
    piece->blob = write->blob != NULL ? blob_share(write->blob) : blob_try_copy(write->text);
    return piece->blob != NULL ? 0 : -ENOMEM;
}

/* The caller's reference is taken over in any case: a piece has one of its own. */
static void finish(const struct list_write *write) {
    if (write->blob != NULL) {
        blob_drop(write->blob);
    }
}

/* The strip is not enough any more. */
static struct list_chain *become_chain(struct entry *list) {
    struct strip *strip = entry_pointer(list);
    if (strip->count == 0) {
        strip_free(strip);
        strip = NULL;
    }
    struct list_chain *chain = list_chain_new(strip);
    list_become(list, ENTRY_CHAIN, chain);
    return chain;
}

/* After removals: a chain of one small strip becomes that strip, a chain of none an empty one. */
static void shrink(struct entry *list, const struct strip_limits *limits) {
    struct list_chain *chain = list_chain_of(list);
    struct strip *strip = chain->first;
    if (LIKELY(chain->index.strips > 1) || chain->watch != NULL) {
        return;
    }
    if (strip == NULL) {
        strip = strip_new(0);
    } else if (strip_is_large(strip) ||
               STRIP_HEADER_SIZE + strip_used(strip) > limits->size / SHRUNK_PART ||
               strip->count > limits->count / SHRUNK_PART) {
        return;
    }
    list_index_free(&chain->index);
    mem_free(MEM_DATA, chain, sizeof *chain);
    list_become(list, ENTRY_PACK, strip);
}

int list_push(struct entry *list, const struct list_options *options, enum list_end end,
              const struct list_write *write) {
    struct strip_limits limits = list_limits(options);
    struct list_piece piece;
    int result = prepare(write, &piece);
    if (LIKELY(result == 0)) {
        if (!list_is_chain(list)) {
            struct strip *strip = entry_pointer(list);
            if (piece.blob == NULL && strip_fits(strip, &limits, piece.form.total)) {
                strip = end == LIST_HEAD ? strip_push_front(strip, &piece.form, 0)
                                         : strip_push_back(strip, &piece.form, 0);
                entry_set_pointer(list, strip);
                finish(write);
                return 0;
            }
            become_chain(list);
        }
        list_chain_push(list_chain_of(list), &limits, end, &piece);
    }
    finish(write);
    return result;
}

static const struct strip *end_strip(const struct entry *list, enum list_end end) {
    if (!list_is_chain(list)) {
        return entry_pointer(list);
    }
    const struct list_chain *chain = list_chain_of(list);
    return end == LIST_HEAD ? chain->first : chain->last;
}

void list_prefetch_end(const struct entry *list, enum list_end end) {
    __builtin_prefetch(end_strip(list, end));
}

void list_prefetch_room(const struct entry *list, enum list_end end) {
    const struct strip *strip = end_strip(list, end);
    const char *room = (const char *)strip + (end == LIST_HEAD ? strip->start - 1 : strip->end);
    __builtin_prefetch(room, 1);
}

int list_set(struct entry *list, const struct list_options *options, size_t at,
             const struct list_write *write) {
    struct strip_limits limits = list_limits(options);
    struct list_piece piece;
    int result = prepare(write, &piece);
    if (result == 0) {
        if (!list_is_chain(list)) {
            struct strip *strip = entry_pointer(list);
            strip_at place = strip_seek(strip, at);
            size_t before = element_size(strip_element(strip, place));
            size_t size = STRIP_HEADER_SIZE + strip_used(strip) - before + piece.form.total;
            if (piece.blob == NULL && size <= limits.size) {
                entry_set_pointer(list, strip_replace(strip, place, &piece.form));
                finish(write);
                return 0;
            }
            become_chain(list);
        }
        list_chain_set(list_chain_of(list), &limits, at, &piece);
        shrink(list, &limits);
    }
    finish(write);
    return result;
}

int list_insert(struct entry *list, const struct list_options *options, size_t at,
                const struct list_write *write) {
    if (at == list_length(list) || at == 0) {
        return list_push(list, options, at == 0 ? LIST_HEAD : LIST_TAIL, write);
    }
    struct strip_limits limits = list_limits(options);
    struct list_piece piece;
    int result = prepare(write, &piece);
    if (result == 0) {
        if (!list_is_chain(list)) {
            struct strip *strip = entry_pointer(list);
            if (piece.blob == NULL && strip_fits(strip, &limits, piece.form.total)) {
                strip = strip_insert(strip, strip_seek(strip, at), &piece.form);
                entry_set_pointer(list, strip);
                finish(write);
                return 0;
            }
            become_chain(list);
        }
        list_chain_insert(list_chain_of(list), &limits, at, &piece);
    }
    finish(write);
    return result;
}

/* The strip with the element at *at, which becomes its index in the strip. */
static const struct strip *strip_at_position(const struct entry *list, size_t *at) {
    if (!list_is_chain(list)) {
        return entry_pointer(list);
    }
    struct list_place place;
    list_chain_find(list_chain_of(list), *at, &place);
    *at = place.within;
    return place.strip;
}

void list_get(const struct entry *list, size_t at, struct list_value *value) {
    const struct strip *strip = strip_at_position(list, &at);
    value->blob = NULL;
    if (strip_is_large(strip)) {
        value->blob = strip_blob(strip);
        value->text = blob_bytes(value->blob);
        return;
    }
    const uint8_t *element = strip_element(strip, strip_seek(strip, at));
    if (element_tag_is_text(*element)) {
        value->text = element_text(element);
    } else {
        value->text =
            bytes_of(value->scratch, num_format_i64(value->scratch, element_integer(element)));
    }
}

void list_remove(struct entry *list, const struct list_options *options, size_t at, size_t count) {
    if (count == 0) {
        return;
    }
    if (!list_is_chain(list)) {
        entry_set_pointer(list, strip_remove(entry_pointer(list), at, count));
        return;
    }
    struct list_chain *chain = list_chain_of(list);
    struct strip_limits limits = list_limits(options);
    bool at_end = at == 0 || at + count == chain->count;
    for (size_t left = count; left > 0;) {
        struct list_place place;
        list_chain_find(chain, at, &place);
        size_t old_count = place.strip->count;
        size_t here = old_count - place.within < left ? old_count - place.within : left;
        left -= here;
        if (here == old_count) {
            list_chain_drop(chain, &place);
            continue;
        }
        list_chain_own(chain, &place);
        list_chain_put(chain, &place, strip_remove(place.strip, place.within, here), old_count);
    }
    if (!at_end) {
        list_chain_mend(chain, &limits, at);
    }
    shrink(list, &limits);
}

/* Removes equal elements of the strip at the place. A strip that somebody has yet to see is copied
 * only if there are some. */
static size_t remove_in_strip(struct list_chain *chain, struct list_place *place,
                              const struct list_piece *piece, struct bytes text, size_t max,
                              bool from_end) {
    struct strip *strip = place->strip;
    size_t old_count = strip->count;
    size_t removed = 0;
    if (strip_is_large(strip)) {
        if (bytes_equal(blob_bytes(strip_blob(strip)), text)) {
            list_chain_drop(chain, place);
            return 1;
        }
        return 0;
    }
    if (list_chain_is_old(chain, strip)) {
        if (!strip_has(strip, &piece->form)) {
            return 0;
        }
        list_chain_own(chain, place);
    }
    strip = strip_remove_equal(place->strip, &piece->form, max, from_end, &removed);
    list_chain_put(chain, place, strip, old_count);
    return removed;
}

/* The same of the strip at *at; then *at is the position to go on with: behind it, or in front of
 * it. */
static size_t remove_in_chain(struct list_chain *chain, const struct list_piece *piece,
                              struct bytes text, size_t max, enum list_end from, size_t *at) {
    struct list_place place;
    list_chain_find(chain, *at, &place);
    size_t begin = *at - place.within;
    size_t old_count = place.strip->count;
    size_t removed = remove_in_strip(chain, &place, piece, text, max, from == LIST_TAIL);
    size_t kept = old_count - removed;
    *at = from == LIST_HEAD ? begin + kept : begin - 1;
    return removed;
}

size_t list_remove_equal(struct entry *list, const struct list_options *options, struct bytes text,
                         size_t max, enum list_end from) {
    /* A text too long for a strip has a form too, which equals nothing there. */
    struct list_piece piece = {.form = element_form_of_text(text)};
    size_t removed = 0;
    if (!list_is_chain(list)) {
        struct strip *strip = entry_pointer(list);
        strip = strip_remove_equal(strip, &piece.form, max, from == LIST_TAIL, &removed);
        entry_set_pointer(list, strip);
        return removed;
    }
    struct list_chain *chain = list_chain_of(list);
    struct strip_limits limits = list_limits(options);
    size_t at = from == LIST_HEAD ? 0 : chain->count - 1;
    /* In front of the first is SIZE_MAX. */
    while (removed < max && at < chain->count) {
        size_t here = remove_in_chain(chain, &piece, text, max - removed, from, &at);
        removed += here;
        if (here > 0 && at < chain->count) {
            list_chain_mend(chain, &limits, at);
        }
    }
    shrink(list, &limits);
    return removed;
}

void list_run_at(const struct entry *list, size_t at, struct list_run *run) {
    const struct strip *strip = strip_at_position(list, &at);
    if (strip_is_large(strip)) {
        *run = (struct list_run){.count = 1, .blob = strip_blob(strip)};
        return;
    }
    run->first = strip_element(strip, strip->start);
    run->at = strip_element(strip, strip_seek(strip, at));
    run->end = strip_element(strip, strip->end);
    run->before = at;
    run->count = strip->count - at;
    run->blob = NULL;
}

/* Whether the search goes on behind a match. */
static bool tell(const struct list_search *search, size_t *skip, size_t at) {
    if (*skip > 0) {
        (*skip)--;
        return true;
    }
    return search->found(search->context, at);
}

/* Looks through a run from its element at `at` on; false when the search is over. */
static bool find_forwards(const struct list_search *search, const struct element_form *form,
                          const struct list_run *run, size_t at, size_t max, size_t *skip) {
    const uint8_t *element = run->at;
    for (size_t i = 0; i < max; i++) {
        if (element_is(form, element) && !tell(search, skip, at + i)) {
            return false;
        }
        element += element_size(element);
    }
    return true;
}

static bool find_backwards(const struct list_search *search, const struct element_form *form,
                           const struct list_run *run, size_t at, size_t max, size_t *skip) {
    const uint8_t *element = run->at;
    for (size_t i = 0; i < max; i++) {
        if (element_is(form, element) && !tell(search, skip, at - i)) {
            return false;
        }
        if (i + 1 < max) {
            element -= element_size_before(element);
        }
    }
    return true;
}

void list_find(const struct entry *list, const struct list_search *search) {
    struct element_form form = element_form_of_text(search->text);
    bool forwards = search->from == LIST_HEAD;
    size_t length = list_length(list);
    size_t skip = search->skip;
    size_t left = search->max;
    size_t at = search->at;
    /* In front of the first is SIZE_MAX. */
    while (left > 0 && at < length) {
        struct list_run run;
        list_run_at(list, at, &run);
        size_t there = forwards ? run.count : run.before + 1;
        size_t here = there < left ? there : left;
        bool goes_on = true;
        if (run.blob != NULL) {
            goes_on = !bytes_equal(blob_bytes(run.blob), search->text) || tell(search, &skip, at);
        } else {
            goes_on = forwards ? find_forwards(search, &form, &run, at, here, &skip)
                               : find_backwards(search, &form, &run, at, here, &skip);
        }
        if (!goes_on) {
            return;
        }
        at = forwards ? at + here : at - here;
        left -= here;
    }
}
