/* elements: see the header. */
#include "types/elements.h"

#include "base/hash.h"

/* Random picks are given up after so many in a row that were of no use (left out, or drawn
 * before). */
#define USELESS_PICKS_MAX 100

static bool is_taken(const struct dict *taken, const struct entry *e) {
    return taken != NULL && dict_find_entry(taken, hash_mix((uintptr_t)e), e) != NULL;
}

static bool is_skipped(const struct elements_draw *draw, const struct entry *e) {
    return draw->skips != NULL && draw->skips(draw->context, e);
}

/* Draws by walking the dict once: each entry that comes is taken with the chance that makes every
 * choice equally likely (Knuth's algorithm S). `taken`: by address, what is not to be drawn again,
 * or NULL. `left` entries may still come. */
static void draw_by_walking(const struct elements_draw *draw, const struct dict *taken,
                            size_t wanted, size_t left) {
    struct dict_walk walk = {0};
    struct entry *portion[ELEMENTS_PORTION];
    size_t count;
    while (wanted > 0 && (count = dict_walk(draw->dict, &walk, portion, ELEMENTS_PORTION)) > 0) {
        for (size_t i = 0; i < count && wanted > 0; i++) {
            struct entry *e = portion[i];
            if (is_skipped(draw, e) || is_taken(taken, e)) {
                continue;
            }
            if (random_below(draw->random, left) < wanted) {
                draw->visit(draw->context, e);
                wanted--;
            }
            left--;
        }
    }
}

/* A random entry that is not left out and not in `taken`; NULL when none was met. */
static struct entry *pick(const struct elements_draw *draw, const struct dict *taken) {
    for (unsigned i = 0; i < USELESS_PICKS_MAX; i++) {
        struct entry *e = dict_random(draw->dict, draw->random);
        if (!is_skipped(draw, e) && !is_taken(taken, e)) {
            return e;
        }
    }
    return NULL;
}

void elements_random(const struct elements_draw *draw, size_t count) {
    if (draw->count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = pick(draw, NULL);
        if (e != NULL) {
            draw->visit(draw->context, e);
        } else {
            draw_by_walking(draw, NULL, 1, draw->count);
        }
    }
}

/* Picks while that is likely to work; what is then still wanted is drawn by walking. */
size_t elements_random_distinct(const struct elements_draw *draw, size_t count) {
    struct dict taken;
    dict_init(&taken, MEM_OTHER, true);
    if (count > draw->count) {
        count = draw->count;
    }
    size_t picked = 0;
    /* Above a third of the table a walk costs less than drawing and remembering. */
    while (count <= draw->count / 3 && picked < count) {
        struct entry *e = pick(draw, &taken);
        if (e == NULL) {
            break;
        }
        dict_insert(&taken, hash_mix((uintptr_t)e), e);
        draw->visit(draw->context, e);
        picked++;
    }
    draw_by_walking(draw, picked > 0 ? &taken : NULL, count - picked, draw->count - picked);
    dict_clear(&taken);
    return count;
}

bool elements_free_some(struct dict *dict, void (*free_one)(struct entry *element), size_t max) {
    while (dict_size(dict) > 0) {
        struct entry *elements[ELEMENTS_PORTION];
        size_t portion = max < ELEMENTS_PORTION ? max : ELEMENTS_PORTION;
        if (portion == 0) {
            return false;
        }
        size_t count = dict_drain(dict, elements, portion);
        for (size_t i = 0; i < count; i++) {
            __builtin_prefetch(elements[i]);
        }
        for (size_t i = 0; i < count; i++) {
            free_one(elements[i]);
        }
        max -= count;
    }
    return true;
}

size_t elements_footprint(const struct dict *dict, size_t samples,
                          size_t (*size_of)(const struct entry *element)) {
    struct entry *elements[ELEMENTS_PORTION];
    size_t sum = 0;
    size_t seen = 0;
    size_t count;
    if (samples == 0 || samples >= dict_size(dict)) {
        struct dict_walk walk = {0};
        while ((count = dict_walk(dict, &walk, elements, ELEMENTS_PORTION)) > 0) {
            for (size_t i = 0; i < count; i++) {
                sum += size_of(elements[i]);
            }
        }
        return sum;
    }
    struct random random;
    random_init(&random, (uintptr_t)dict);
    while (seen < samples) {
        size_t wanted = samples - seen < ELEMENTS_PORTION ? samples - seen : ELEMENTS_PORTION;
        count = dict_sample(dict, &random, elements, wanted);
        for (size_t i = 0; i < count; i++) {
            sum += size_of(elements[i]);
        }
        seen += count;
        if (count == 0) {
            break;
        }
    }
    return seen == 0 ? 0 : (size_t)((double)sum / (double)seen * (double)dict_size(dict));
}
