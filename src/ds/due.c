/* due: filing, moving and taking of deadlines. See the header for the wheel's picture and
 * invariants. */
#include "ds/due.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

/* A digit of a tick. */
#define DIGIT_BITS 6
#define DIGIT_MASK (DUE_PLACES - 1)
/* Bits of a tick that the levels cover. */
#define WHEEL_BITS (DUE_LEVELS * DIGIT_BITS)
/* How a place is named in an item's word; 0 is "not filed". */
#define PLACE_FIRST  1
#define PLACE_BEYOND (PLACE_FIRST + DUE_LEVELS * DUE_PLACES)
#define PLACE_END    (PLACE_BEYOND + 2)
#define PLACE_BITS   10
#define PLACE_MASK   ((1u << PLACE_BITS) - 1)
#define DEADLINE_MAX (((int64_t)1 << (64 - PLACE_BITS)) - 1)
/* Items taken from a place's dict at a time: what fits the stack. */
#ifdef LARDER_TEST_SMALL
#define DRAIN_BATCH 3
#else
#define DRAIN_BATCH 64
#endif
_Static_assert(PLACE_END <= PLACE_MASK, "a place's name fits its bits");
_Static_assert(1 << DIGIT_BITS == DUE_PLACES, "a digit names a place");

static int64_t tick_of(int64_t ms) {
    return ms >> 6;
}
_Static_assert(DUE_TICK_MS == 1 << 6, "tick_of shifts");

static int64_t start_of(int64_t tick) {
    return tick * DUE_TICK_MS;
}

static int64_t clamp(int64_t deadline_ms) {
    if (deadline_ms < 0) {
        return 0;
    }
    return deadline_ms > DEADLINE_MAX ? DEADLINE_MAX : deadline_ms;
}

static uint64_t item_hash(const void *item) {
    return hash_mix((uint64_t)(uintptr_t)item);
}

static unsigned digit(int64_t tick, int level) {
    return (unsigned)(tick >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

static unsigned place_name(int level, unsigned index) {
    return (unsigned)(PLACE_FIRST + level * DUE_PLACES) + index;
}

/* Which of the two places beyond the wheel belongs to the round that is running. */
static unsigned beyond_now(const struct due *due) {
    return (unsigned)(due->tick >> WHEEL_BITS) & 1;
}

/* The place for a deadline. */
static unsigned choose_place(const struct due *due, int64_t deadline_ms) {
    int64_t tick = tick_of(deadline_ms);
    if (tick <= due->tick) {
        return place_name(0, digit(due->tick, 0));
    }
    unsigned top_bit = 63u - (unsigned)__builtin_clzll((uint64_t)(tick ^ due->tick));
    if (top_bit >= WHEEL_BITS) {
        return PLACE_BEYOND + beyond_now(due);
    }
    int level = (int)(top_bit / DIGIT_BITS);
    return place_name(level, digit(tick, level));
}

/* The tick with which a place begins. */
static int64_t place_start(const struct due *due, unsigned place) {
    if (place >= PLACE_BEYOND) {
        int64_t round = due->tick >> WHEEL_BITS;
        return (place - PLACE_BEYOND == beyond_now(due) ? round + 1 : round) << WHEEL_BITS;
    }
    int level = (int)(place - PLACE_FIRST) / DUE_PLACES;
    int64_t index = (place - PLACE_FIRST) & DIGIT_MASK;
    int shift = level * DIGIT_BITS;
    return ((due->tick >> (shift + DIGIT_BITS)) << (shift + DIGIT_BITS)) | (index << shift);
}

/* Where the place's dict is noted; NULL when there is no such place yet. */
static struct dict **place_at(const struct due *due, unsigned place) {
    debug_check(place >= PLACE_FIRST && place < PLACE_END);
    if (place >= PLACE_BEYOND) {
        return (struct dict **)(uintptr_t)&due->beyond[place - PLACE_BEYOND];
    }
    struct dict **level = due->levels[(place - PLACE_FIRST) / DUE_PLACES];
    return level == NULL ? NULL : &level[(place - PLACE_FIRST) & DIGIT_MASK];
}

static struct dict *place_dict(const struct due *due, unsigned place) {
    struct dict **at = place_at(due, place);
    return at == NULL ? NULL : *at;
}

static bool is_running_place(const struct due *due, unsigned place) {
    return place == place_name(0, digit(due->tick, 0));
}

static struct dict *open_place(struct due *due, unsigned place) {
    if (place < PLACE_BEYOND) {
        unsigned level = (place - PLACE_FIRST) / DUE_PLACES;
        if (due->levels[level] == NULL) {
            due->levels[level] = mem_zalloc(MEM_DEADLINE, DUE_PLACES * sizeof(struct dict *));
        }
        due->occupied[level] |= (uint64_t)1 << ((place - PLACE_FIRST) & DIGIT_MASK);
    }
    struct dict **at = place_at(due, place);
    if (*at == NULL) {
        *at = mem_alloc(MEM_DEADLINE, sizeof **at);
        dict_init(*at, MEM_DEADLINE, true);
    }
    return *at;
}

static void close_place(struct due *due, unsigned place) {
    struct dict **at = place_at(due, place);
    dict_clear(*at);
    mem_free(MEM_DEADLINE, *at, sizeof **at);
    *at = NULL;
    if (place < PLACE_BEYOND) {
        due->occupied[(place - PLACE_FIRST) / DUE_PLACES] &=
            ~((uint64_t)1 << ((place - PLACE_FIRST) & DIGIT_MASK));
    }
}

static void write_word(struct due *due, void *item, int64_t deadline_ms, unsigned place) {
    *due->word(item) = (uint64_t)deadline_ms << PLACE_BITS | place;
    if (is_running_place(due, place) && deadline_ms < due->next_ms) {
        due->next_ms = deadline_ms;
    }
}

static void file(struct due *due, void *item, int64_t deadline_ms) {
    unsigned place = choose_place(due, deadline_ms);
    dict_insert(open_place(due, place), item_hash(item), item);
    write_word(due, item, deadline_ms, place);
    due->size++;
}

static void take_out(struct due *due, void *item) {
    uint64_t *word = due->word(item);
    unsigned place = (unsigned)*word & PLACE_MASK;
    struct dict *dict = place_dict(due, place);
    check(dict != NULL);
    uint64_t hash = item_hash(item);
    uint64_t *slot = dict_find_entry(dict, hash, item);
    check(slot != NULL);
    dict_remove(dict, hash, slot);
    if (dict_size(dict) == 0) {
        close_place(due, place);
    }
    *word = 0;
    due->size--;
}

void due_init(struct due *due, due_word_fn word, int64_t now_ms) {
    *due = (struct due){.word = word, .tick = tick_of(now_ms), .next_ms = INT64_MAX};
}

void due_clear(struct due *due) {
    for (unsigned place = PLACE_FIRST; place < PLACE_END; place++) {
        if (place_dict(due, place) != NULL) {
            close_place(due, place);
        }
    }
    for (int level = 0; level < DUE_LEVELS; level++) {
        mem_free(MEM_DEADLINE, due->levels[level], DUE_PLACES * sizeof(struct dict *));
        due->levels[level] = NULL;
    }
    due->size = 0;
    due->next_ms = INT64_MAX;
}

void due_add(struct due *due, void *item, int64_t deadline_ms) {
    debug_check(*due->word(item) == 0);
    file(due, item, clamp(deadline_ms));
}

void due_remove(struct due *due, void *item) {
    take_out(due, item);
}

void due_move(struct due *due, void *item, int64_t deadline_ms) {
    deadline_ms = clamp(deadline_ms);
    unsigned place = (unsigned)*due->word(item) & PLACE_MASK;
    check(place != 0);
    int64_t tick = tick_of(deadline_ms);
    if ((tick > due->tick ? tick : due->tick) >= place_start(due, place)) {
        write_word(due, item, deadline_ms, place);
    } else {
        take_out(due, item);
        file(due, item, deadline_ms);
    }
}

void due_replace(struct due *due, void *old_item, void *item) {
    struct dict *dict = place_dict(due, (unsigned)*due->word(item) & PLACE_MASK);
    check(dict != NULL);
    uint64_t hash = item_hash(old_item);
    uint64_t *slot = dict_find_entry(dict, hash, old_item);
    check(slot != NULL);
    dict_remove(dict, hash, slot);
    dict_insert(dict, item_hash(item), item);
}

/* A place with items that lies behind the running tick, 0 when there is none. */
static unsigned stranded_place(const struct due *due) {
    for (int level = 0; level < DUE_LEVELS; level++) {
        uint64_t behind = due->occupied[level] & (((uint64_t)1 << digit(due->tick, level)) - 1);
        if (behind != 0) {
            return place_name(level, (unsigned)__builtin_ctzll(behind));
        }
    }
    return 0;
}

/* The earliest place with items, 0 when there is none. A place of an upper level that time has
 * entered comes first: its items may belong anywhere below. */
static unsigned earliest_place(const struct due *due) {
    if (UNLIKELY(due->stranded)) {
        unsigned place = stranded_place(due);
        if (place != 0) {
            return place;
        }
    }
    if (due->beyond[beyond_now(due) ^ 1] != NULL) {
        return PLACE_BEYOND + (beyond_now(due) ^ 1);
    }
    for (int level = DUE_LEVELS - 1; level > 0; level--) {
        unsigned index = digit(due->tick, level);
        if (due->occupied[level] >> index & 1) {
            return place_name(level, index);
        }
    }
    for (int level = 0; level < DUE_LEVELS; level++) {
        unsigned index = digit(due->tick, level);
        uint64_t later = due->occupied[level] >> index;
        if (later != 0) {
            return place_name(level, index + (unsigned)__builtin_ctzll(later));
        }
    }
    return due->beyond[beyond_now(due)] != NULL ? PLACE_BEYOND + beyond_now(due) : 0;
}

struct taking {
    int64_t now_ms;
    struct entry **out;
    size_t count;
    size_t max;
    size_t work;
};

/* Empties a place that time has reached: takes what is due, files the rest again. False when the
 * bounds do not allow to finish. */
static bool drain(struct due *due, unsigned place, struct taking *taking) {
    struct dict *dict = place_dict(due, place);
    while (dict_size(dict) > 0) {
        struct entry *items[DRAIN_BATCH];
        size_t bound = DRAIN_BATCH;
        bound = taking->work < bound ? taking->work : bound;
        bound = taking->max - taking->count < bound ? taking->max - taking->count : bound;
        if (bound == 0) {
            return false;
        }
        size_t count = dict_drain(dict, items, bound);
        taking->work -= count;
        due->size -= count;
        for (size_t i = 0; i < count; i++) {
            uint64_t *word = due->word(items[i]);
            int64_t deadline_ms = due_word_deadline(*word);
            *word = 0;
            if (deadline_ms <= taking->now_ms) {
                taking->out[taking->count++] = items[i];
            } else {
                file(due, items[i], deadline_ms);
            }
        }
    }
    close_place(due, place);
    return true;
}

/* The items of the running tick's place that are due. */
struct sifting {
    struct due *due;
    struct taking *taking;
    int64_t rest_ms; /* the earliest deadline of those that are not */
    bool more;       /* there are more than fit */
};

static void sift(void *context, struct entry *item) {
    struct sifting *sifting = context;
    struct taking *taking = sifting->taking;
    int64_t deadline_ms = due_word_deadline(*sifting->due->word(item));
    if (deadline_ms > taking->now_ms) {
        sifting->rest_ms = deadline_ms < sifting->rest_ms ? deadline_ms : sifting->rest_ms;
    } else if (taking->count < taking->max) {
        taking->out[taking->count++] = item;
    } else {
        sifting->more = true;
    }
}

/* Takes what is due from the place of the running tick, where the rest has to stay. Whether that
 * was all. */
static bool take_running(struct due *due, struct taking *taking) {
    const struct dict *dict = place_dict(due, place_name(0, digit(due->tick, 0)));
    if (dict == NULL || taking->now_ms < due->next_ms) {
        return true;
    }
    struct sifting sifting = {.due = due, .taking = taking, .rest_ms = INT64_MAX};
    size_t from = taking->count;
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(dict, cursor, sift, &sifting);
    } while (cursor != 0 && !sifting.more);
    for (size_t i = from; i < taking->count; i++) {
        take_out(due, taking->out[i]);
    }
    due->next_ms = sifting.more ? INT64_MIN : sifting.rest_ms;
    return !sifting.more;
}

/* The clock was set back: so is the running tick, to the last one before now_tick that has the same
 * place. */
static void go_back(struct due *due, int64_t now_tick) {
    int64_t back = due->tick - now_tick;
    int64_t tick = due->tick - ((back + DUE_PLACES - 1) & ~(int64_t)DIGIT_MASK);
    if (tick < 0 || tick >> WHEEL_BITS != due->tick >> WHEEL_BITS) {
        return; /* before 1970, or into another round of 139 years: that is waited for */
    }
    due->tick = tick;
    due->next_ms = INT64_MIN;
    due->stranded = true;
}

size_t due_take(struct due *due, int64_t now_ms, void **out, size_t max, size_t work, bool *done) {
    struct taking taking = {
        .now_ms = now_ms, .out = (struct entry **)out, .max = max, .work = work};
    int64_t now_tick = tick_of(now_ms);
    if (UNLIKELY(now_tick < due->tick - DUE_BACK_TICKS)) {
        go_back(due, now_tick);
    }
    *done = now_tick < due->tick;
    if (*done) {
        return 0;
    }
    for (;;) {
        due->stranded = due->stranded && stranded_place(due) != 0;
        unsigned place = earliest_place(due);
        int64_t start = place == 0 ? INT64_MAX : place_start(due, place);
        if (start > due->tick) {
            int64_t next = start < now_tick ? start : now_tick;
            if (next > due->tick) {
                due->tick = next;
                due->next_ms = INT64_MIN;
            }
        }
        if (start > now_tick || (start == now_tick && is_running_place(due, place))) {
            break;
        }
        if (!drain(due, place, &taking)) {
            return taking.count;
        }
    }
    *done = take_running(due, &taking);
    return taking.count;
}

int64_t due_earliest(const struct due *due) {
    unsigned place = earliest_place(due);
    if (place == 0) {
        return INT64_MAX;
    }
    int64_t start_ms = start_of(place_start(due, place));
    if (!is_running_place(due, place)) {
        return start_ms;
    }
    /* What was due when it was filed may be earlier than the place. And items here may have
     * moved to far later; those of the next place have not. */
    int64_t end_ms = start_ms + DUE_TICK_MS;
    int64_t earliest_ms = due->next_ms < end_ms ? due->next_ms : end_ms;
    return earliest_ms < 0 ? 0 : earliest_ms;
}

size_t due_sample_earliest(const struct due *due, struct random *random, void **out, size_t max) {
    unsigned place = earliest_place(due);
    return place == 0 ? 0 : dict_sample(place_dict(due, place), random, (struct entry **)out, max);
}

/* The dict of a place that has items, weighted by how many it holds; NULL when there are none. */
static const struct dict *random_place(const struct due *due, struct random *random) {
    if (due->size == 0) {
        return NULL;
    }
    uint64_t chosen = random_below(random, due->size);
    for (unsigned place = PLACE_FIRST; place < PLACE_END; place++) {
        const struct dict *dict = place_dict(due, place);
        size_t count = dict == NULL ? 0 : dict_size(dict);
        if (chosen < count) {
            return dict;
        }
        chosen -= count;
    }
    check(!"the places hold as many items as are counted");
    return NULL;
}

size_t due_sample(const struct due *due, struct random *random, void **out, size_t max) {
    const struct dict *dict = random_place(due, random);
    return dict == NULL ? 0 : dict_sample(dict, random, (struct entry **)out, max);
}

void *due_random(const struct due *due, struct random *random) {
    const struct dict *dict = random_place(due, random);
    return dict == NULL ? NULL : dict_random(dict, random);
}

size_t due_footprint(const struct due *due) {
    size_t size = 0;
    for (int level = 0; level < DUE_LEVELS; level++) {
        if (due->levels[level] != NULL) {
            size += mem_class(DUE_PLACES * sizeof(struct dict *));
        }
    }
    for (unsigned place = PLACE_FIRST; place < PLACE_END; place++) {
        const struct dict *dict = place_dict(due, place);
        if (dict != NULL) {
            size += mem_class(sizeof *dict) + dict_footprint(dict);
        }
    }
    return size;
}

/* Validation. */

struct inspection {
    const struct due *due;
    unsigned place;
    size_t count;
};

static void inspect(void *context, struct entry *item) {
    struct inspection *inspection = context;
    const struct due *due = inspection->due;
    uint64_t word = *due->word(item);
    check((word & PLACE_MASK) == inspection->place);
    int64_t tick = tick_of(due_word_deadline(word));
    check((tick > due->tick ? tick : due->tick) >= place_start(due, inspection->place));
    if (is_running_place(due, inspection->place)) {
        check(due_word_deadline(word) >= due->next_ms);
    }
    inspection->count++;
}

/* Whether the place may have items: it does not end before the running tick. */
static void validate_place(const struct due *due, unsigned place) {
    if (place < PLACE_BEYOND) {
        unsigned level = (place - PLACE_FIRST) / DUE_PLACES;
        unsigned index = (place - PLACE_FIRST) & DIGIT_MASK;
        check(due->occupied[level] >> index & 1);
        check(index >= digit(due->tick, (int)level) || due->stranded);
    }
    check(dict_size(place_dict(due, place)) > 0);
    dict_validate(place_dict(due, place));
}

void due_validate(const struct due *due) {
    size_t size = 0;
    size_t bits = 0;
    size_t places = 0;
    for (unsigned place = PLACE_FIRST; place < PLACE_END; place++) {
        const struct dict *dict = place_dict(due, place);
        if (dict == NULL) {
            continue;
        }
        validate_place(due, place);
        struct inspection inspection = {.due = due, .place = place};
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(dict, cursor, inspect, &inspection);
        } while (cursor != 0);
        check(inspection.count == dict_size(dict));
        size += inspection.count;
        places += place < PLACE_BEYOND;
    }
    for (int level = 0; level < DUE_LEVELS; level++) {
        bits += (size_t)__builtin_popcountll(due->occupied[level]);
    }
    check(bits == places);
    check(size == due->size);
}
