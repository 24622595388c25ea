/* reuse: a list in the order of use, with marks in it; a table of chains by hash.
 *
 * How many reads of watched keys there should have been is known from the number of all reads; the
 * difference, which comes from popular keys that happen to be watched or not, is taken for hits at
 * the smallest size (the paper's SHARDS-adj). A read that finds a key that is not in the list says
 * nothing about distances: the key was there before it was watched. */
#include "store/reuse.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define MS_PER_SECOND 1000
/* Two to the power of 64, as a double. */
#define RANGE 18446744073709551616.0
/* Ticks with a quarter of the uses that might be, after which the threshold is raised. */
#define CALM_TICKS 600
/* What is saved shall last for so many ticks. */
#define SAVED_TICKS 20
/* What is counted is halved in an hour. */
#define FADE 0.98851
/* Zones are reckoned anew when what they may hold is off by more than a 32nd. */
#define ROOM_SHIFT 5
/* Reads from which on something can be said. */
#define READS_MIN 100
/* Moves from zone to zone that one use may cause; others follow with the next. */
#define MOVES_MAX 64

static uint64_t identity(uint64_t hash, int database) {
    return hash ^ ((uint64_t)(uint32_t)database << 17);
}

static uint32_t *chain_of(const struct reuse *reuse, uint64_t id) {
    return &reuse->chains[id & (reuse->capacity - 1)];
}

static struct reuse_item *at(const struct reuse *reuse, uint32_t place) {
    return &reuse->items[place];
}

static uint32_t find(const struct reuse *reuse, uint64_t id) {
    uint32_t place = *chain_of(reuse, id);
    while (place != 0 && at(reuse, place)->id != id) {
        place = at(reuse, place)->next;
    }
    return place;
}

/* ---- the list ---- */

static void unlink_item(struct reuse *reuse, uint32_t place) {
    struct reuse_item *item = at(reuse, place);
    uint32_t newer = item->newer;
    if (newer != 0) {
        at(reuse, newer)->older = item->older;
    } else {
        reuse->newest = item->older;
    }
    if (item->older != 0) {
        at(reuse, item->older)->newer = newer;
    }
    if (reuse->oldest[item->zone] == place) {
        bool has_more = newer != 0 && at(reuse, newer)->zone == item->zone;
        reuse->oldest[item->zone] = has_more ? newer : 0;
    }
    reuse->bytes[item->zone] -= item->bytes;
}

static void push(struct reuse *reuse, uint32_t place) {
    struct reuse_item *item = at(reuse, place);
    item->zone = 0;
    item->newer = 0;
    item->older = reuse->newest;
    if (reuse->newest != 0) {
        at(reuse, reuse->newest)->newer = place;
    }
    reuse->newest = place;
    reuse->bytes[0] += item->bytes;
    if (reuse->oldest[0] == 0) {
        reuse->oldest[0] = place;
    }
}

static void forget(struct reuse *reuse, uint32_t place) {
    struct reuse_item *item = at(reuse, place);
    unlink_item(reuse, place);
    uint32_t *link = chain_of(reuse, item->id);
    while (*link != place) {
        link = &at(reuse, *link)->next;
    }
    *link = item->next;
    item->next = reuse->free;
    reuse->free = place;
    reuse->count--;
}

/* The last item of a zone goes on to the next one. */
static void move_on(struct reuse *reuse, int zone) {
    uint32_t place = reuse->oldest[zone];
    if (zone == REUSE_ZONES - 1) {
        forget(reuse, place);
        return;
    }
    struct reuse_item *item = at(reuse, place);
    bool has_more = item->newer != 0 && at(reuse, item->newer)->zone == zone;
    reuse->oldest[zone] = has_more ? item->newer : 0;
    reuse->bytes[zone] -= item->bytes;
    item->zone = (uint8_t)(zone + 1);
    reuse->bytes[zone + 1] += item->bytes;
    if (reuse->oldest[zone + 1] == 0) {
        reuse->oldest[zone + 1] = place;
    }
}

/* What does not fit into a zone and those before it moves on. Those behind one that nothing has
 * left are as they were. */
static void settle(struct reuse *reuse) {
    uint64_t before = 0;
    int moves = 0;
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        uint64_t room = reuse->zone_bytes * (uint64_t)(zone + 1);
        int moved = moves;
        while (before + reuse->bytes[zone] > room && reuse->bytes[zone] > 0 && moves < MOVES_MAX) {
            move_on(reuse, zone);
            moves++;
        }
        if (moves == moved) {
            return;
        }
        before += reuse->bytes[zone];
    }
}

/* ---- how much is watched ---- */

/* The zones anew, from the newest on. What the threshold, or their end, excludes is forgotten. */
static void rezone(struct reuse *reuse) {
    uint64_t sum = 0;
    memset(reuse->bytes, 0, sizeof reuse->bytes);
    memset(reuse->oldest, 0, sizeof reuse->oldest);
    uint32_t place = reuse->newest;
    while (place != 0) {
        struct reuse_item *item = at(reuse, place);
        uint32_t older = item->older;
        uint64_t zone = reuse->zone_bytes == 0 ? 0 : (sum + item->bytes - 1) / reuse->zone_bytes;
        bool stays = zone < REUSE_ZONES && item->id >> 32 < reuse->threshold >> 32;
        item->zone = (uint8_t)(zone < REUSE_ZONES ? zone : REUSE_ZONES - 1);
        sum += stays ? item->bytes : 0;
        reuse->bytes[item->zone] += item->bytes;
        reuse->oldest[item->zone] = place;
        if (!stays) {
            forget(reuse, place);
        }
        place = older;
    }
}

static double rate(const struct reuse *reuse) {
    return (double)reuse->threshold / RANGE;
}

static void follow_room(struct reuse *reuse) {
    double bytes = (double)reuse->room * rate(reuse) / REUSE_ZONES_NOW;
    reuse->zone_bytes = bytes < 1 ? 1 : (uint64_t)bytes;
    rezone(reuse);
}

/* What was counted at another rate gets the weight of this one. */
static void set_threshold(struct reuse *reuse, uint64_t threshold) {
    double weight = (double)threshold / (double)reuse->threshold;
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        reuse->hits[zone] *= weight;
    }
    reuse->reads *= weight;
    reuse->expected *= weight;
    reuse->threshold = threshold;
    reuse->full_rate = threshold == UINT64_MAX;
    reuse->calm = 0;
    follow_room(reuse);
}

static void halve(struct reuse *reuse) {
    set_threshold(reuse, reuse->threshold / 2);
}

/* ---- uses ---- */

/* One more use is told of; when all are spent, it is the last one for now. */
static void spend(struct reuse *reuse) {
    reuse->used++;
    if (--reuse->saved <= 0) {
        reuse->paused = true;
    }
}

static size_t items_bytes(uint32_t capacity) {
    return ((size_t)capacity + 1) * sizeof(struct reuse_item); /* place 0 is none */
}

static size_t chains_bytes(uint32_t capacity) {
    return (size_t)capacity * sizeof(uint32_t);
}

/* Room for so many items, in more chains. */
static void grow(struct reuse *reuse, uint32_t capacity) {
    const uint32_t before = reuse->capacity;
    mem_free(MEM_FEATURE, reuse->chains, chains_bytes(before));
    reuse->items = mem_realloc(MEM_FEATURE, reuse->items, before == 0 ? 0 : items_bytes(before),
                               items_bytes(capacity));
    reuse->chains = mem_zalloc(MEM_FEATURE, chains_bytes(capacity));
    reuse->capacity = capacity;
    for (uint32_t place = reuse->newest; place != 0; place = at(reuse, place)->older) {
        uint32_t *chain = chain_of(reuse, at(reuse, place)->id);
        at(reuse, place)->next = *chain;
        *chain = place;
    }
    for (uint32_t place = capacity; place > before; place--) {
        at(reuse, place)->next = reuse->free;
        reuse->free = place;
    }
}

/* Whether there is room for one more that has this hash. */
static bool has_room(struct reuse *reuse, uint64_t id) {
    if (reuse->free == 0 && reuse->capacity < REUSE_ITEMS) {
        grow(reuse, reuse->capacity * 2);
    } else if (reuse->free == 0) {
        halve(reuse);
    }
    return reuse->free != 0 && (reuse->full_rate || id >> 32 < reuse->threshold >> 32);
}

static uint32_t deadline_seconds(int64_t deadline_ms) {
    int64_t seconds = deadline_ms / MS_PER_SECOND + 1;
    return deadline_ms < 0 || seconds >= UINT32_MAX ? 0 : (uint32_t)seconds;
}

static void add(struct reuse *reuse, uint64_t id, int database, size_t bytes, uint32_t deadline_s) {
    if (!has_room(reuse, id)) {
        return;
    }
    uint32_t place = reuse->free;
    struct reuse_item *item = at(reuse, place);
    uint32_t *chain = chain_of(reuse, id);
    reuse->free = item->next;
    reuse->count++;
    item->id = id;
    item->bytes = bytes;
    item->deadline_s = deadline_s;
    item->database = database;
    item->next = *chain;
    *chain = place;
    push(reuse, place);
    settle(reuse);
}

/* To the front, with what is known of it now. */
static void renew(struct reuse *reuse, uint32_t place, size_t bytes, uint32_t deadline_s) {
    struct reuse_item *item = at(reuse, place);
    unlink_item(reuse, place);
    item->bytes = bytes;
    item->deadline_s = deadline_s;
    push(reuse, place);
    settle(reuse);
}

size_t reuse_bytes(const struct reuse *reuse, uint64_t hash, int database) {
    uint32_t place = find(reuse, identity(hash, database));
    return place == 0 ? 0 : at(reuse, place)->bytes;
}

void reuse_found(struct reuse *reuse, uint64_t hash, int database, size_t bytes,
                 int64_t deadline_ms) {
    uint64_t id = identity(hash, database);
    uint32_t place = find(reuse, id);
    if (place == 0) {
        reuse->expected -= 1;
        add(reuse, id, database, bytes, deadline_seconds(deadline_ms));
    } else {
        reuse->reads++;
        reuse->hits[at(reuse, place)->zone]++;
        renew(reuse, place, bytes, deadline_seconds(deadline_ms));
    }
    spend(reuse);
}

void reuse_missed(struct reuse *reuse, uint64_t hash, int database, int64_t now_ms) {
    uint32_t place = find(reuse, identity(hash, database));
    reuse->reads++;
    if (place != 0) {
        const struct reuse_item *item = at(reuse, place);
        if (item->deadline_s != 0 && (int64_t)item->deadline_s * MS_PER_SECOND <= now_ms) {
            forget(reuse, place);
        } else {
            reuse->hits[item->zone]++;
            renew(reuse, place, item->bytes, item->deadline_s);
        }
    }
    spend(reuse);
}

void reuse_written(struct reuse *reuse, uint64_t hash, int database, size_t bytes,
                   int64_t deadline_ms) {
    uint64_t id = identity(hash, database);
    uint32_t place = find(reuse, id);
    if (place == 0) {
        add(reuse, id, database, bytes, deadline_seconds(deadline_ms));
    } else {
        renew(reuse, place, bytes, deadline_seconds(deadline_ms));
    }
    spend(reuse);
}

void reuse_removed(struct reuse *reuse, uint64_t hash, int database) {
    uint32_t place = find(reuse, identity(hash, database));
    if (place != 0) {
        forget(reuse, place);
    }
}

void reuse_emptied(struct reuse *reuse, int database) {
    uint32_t place = reuse->newest;
    while (place != 0) {
        uint32_t older = at(reuse, place)->older;
        if (database < 0 || at(reuse, place)->database == database) {
            forget(reuse, place);
        }
        place = older;
    }
}

/* ---- from time to time ---- */

/* A higher threshold lets keys in of which nothing is known yet: only when it has been cheap for
 * long, and few are watched. */
static void look_for_calm(struct reuse *reuse) {
    bool is_calm =
        !reuse->full_rate && reuse->used < REUSE_USES_EACH / 4 && reuse->count < REUSE_ITEMS / 4;
    reuse->calm = is_calm ? reuse->calm + 1 : 0;
    if (reuse->calm >= CALM_TICKS) {
        uint64_t most = UINT64_MAX / 2;
        set_threshold(reuse, reuse->threshold < most ? reuse->threshold * 2 + 1 : UINT64_MAX);
    }
}

/* Whether what is saved would be gone soon. */
static bool spends_too_much(const struct reuse *reuse) {
    return reuse->used > REUSE_USES_EACH + reuse->saved / SAVED_TICKS;
}

void reuse_tick(struct reuse *reuse, uint64_t room, uint64_t reads) {
    uint64_t differs = room > reuse->room ? room - reuse->room : reuse->room - room;
    reuse->expected += (double)reads * rate(reuse);
    if (differs > reuse->room >> ROOM_SHIFT) {
        reuse->room = room;
        follow_room(reuse);
    }
    if (spends_too_much(reuse) && reuse->count >= 2 * REUSE_ITEMS_FEW) {
        halve(reuse);
    }
    look_for_calm(reuse);
    reuse->saved += REUSE_USES_EACH;
    reuse->saved = reuse->saved < REUSE_USES_MAX ? reuse->saved : REUSE_USES_MAX;
    reuse->paused = reuse->paused && reuse->saved < REUSE_USES_BURST;
    reuse->used = 0;
}

void reuse_fade(struct reuse *reuse) {
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        reuse->hits[zone] *= FADE;
    }
    reuse->reads *= FADE;
    reuse->expected *= FADE;
}

double reuse_miss_ratio(const struct reuse *reuse, int zones) {
    check(zones >= 1 && zones <= REUSE_ZONES);
    double misses = reuse->reads;
    for (int zone = 0; zone < zones; zone++) {
        misses -= reuse->hits[zone];
    }
    if (reuse->reads < READS_MIN || reuse->expected < READS_MIN) {
        return -1;
    }
    double ratio = misses / reuse->expected;
    return ratio < 0 ? 0 : ratio > 1 ? 1 : ratio;
}

/* ---- life ---- */

void reuse_init(struct reuse *reuse) {
    *reuse = (struct reuse){
        .threshold = UINT64_MAX, .full_rate = true, .saved = REUSE_USES_MAX, .zone_bytes = 1};
    grow(reuse, REUSE_ITEMS_LEAST);
}

void reuse_free(struct reuse *reuse) {
    if (reuse->items != NULL) {
        mem_free(MEM_FEATURE, reuse->items, items_bytes(reuse->capacity));
        mem_free(MEM_FEATURE, reuse->chains, chains_bytes(reuse->capacity));
        *reuse = (struct reuse){.threshold = 0};
    }
}

void reuse_validate(const struct reuse *reuse) {
    uint64_t bytes[REUSE_ZONES] = {0};
    uint32_t oldest[REUSE_ZONES] = {0};
    uint32_t count = 0;
    uint32_t free_count = 0;
    uint32_t before = 0;
    for (uint32_t place = reuse->newest; place != 0; place = at(reuse, place)->older) {
        const struct reuse_item *item = at(reuse, place);
        check(item->newer == before);
        check(before == 0 || at(reuse, before)->zone <= item->zone);
        check(item->zone < REUSE_ZONES && find(reuse, item->id) == place);
        check(item->id >> 32 < reuse->threshold >> 32 || reuse->full_rate);
        bytes[item->zone] += item->bytes;
        oldest[item->zone] = place;
        before = place;
        check(++count <= reuse->capacity);
    }
    for (uint32_t place = reuse->free; place != 0; place = at(reuse, place)->next) {
        check(++free_count <= reuse->capacity);
    }
    check(count == reuse->count && count + free_count == reuse->capacity);
    check(memcmp(bytes, reuse->bytes, sizeof bytes) == 0);
    check(memcmp(oldest, reuse->oldest, sizeof oldest) == 0);
}
