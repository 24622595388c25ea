/* reuse: how well the server estimates what more memory would bring (store/reuse.h), on traces.
 *
 *     reuse [-u USES] FILE ...
 *
 * A FILE has one id a line, as bench/hitratio reads them once they are unpacked; - is standard
 * input. Each is replayed as GETs that are filled with a SET when they miss, in caches of a tenth,
 * three and six tenths of the distinct ids that evict what was used longest ago, and beside them in
 * the estimate. It prints what caches of half, once, one and a half and twice that size really
 * missed, what the estimate says, and the greatest difference of all. -u says how many requests
 * there are in a tenth of a second (5,000), for what is looked at in that time is bounded. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/reuse.h"

#define LINE_MAX_SIZE 4096
/* What each key takes; all alike, as in bench/replay. */
#define KEY_BYTES 264

/* The trace, ids counted from 0 in order of appearance. */
struct trace {
    uint32_t *ids;
    uint64_t *hashes; /* of ids */
    size_t count;
    size_t distinct;
};

/* A table from the hash of a line to its id, open addressing. */
struct names {
    uint64_t *hashes;
    uint32_t *ids;
    size_t size; /* a power of two */
};

static void *room_for(void *at, size_t count, size_t size) {
    void *room = realloc(at, count * size);
    check(room != NULL);
    return room;
}

static void grow_names(struct names *names, struct trace *trace) {
    struct names before = *names;
    names->size = before.size == 0 ? 1024 : before.size * 2;
    names->hashes = calloc(names->size, sizeof *names->hashes);
    names->ids = calloc(names->size, sizeof *names->ids);
    check(names->hashes != NULL && names->ids != NULL);
    for (size_t i = 0; i < before.size; i++) {
        if (before.hashes[i] != 0) {
            size_t at = before.hashes[i] & (names->size - 1);
            while (names->hashes[at] != 0) {
                at = (at + 1) & (names->size - 1);
            }
            names->hashes[at] = before.hashes[i];
            names->ids[at] = before.ids[i];
        }
    }
    trace->hashes = room_for(trace->hashes, names->size, sizeof *trace->hashes);
    free(before.hashes);
    free(before.ids);
}

static uint32_t id_of(struct names *names, struct trace *trace, uint64_t hash) {
    if (trace->distinct * 2 >= names->size) {
        grow_names(names, trace);
    }
    size_t at = hash & (names->size - 1);
    while (names->hashes[at] != 0 && names->hashes[at] != hash) {
        at = (at + 1) & (names->size - 1);
    }
    if (names->hashes[at] == 0) {
        names->hashes[at] = hash;
        names->ids[at] = (uint32_t)trace->distinct;
        trace->hashes[trace->distinct++] = hash;
    }
    return names->ids[at];
}

static bool read_trace(const char *path, struct trace *trace) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char line[LINE_MAX_SIZE];
    struct names names = {0};
    size_t room = 0;
    if (file == NULL) {
        perror(path);
        return false;
    }
    *trace = (struct trace){0};
    while (fgets(line, sizeof line, file) != NULL) {
        if (trace->count == room) {
            room = room == 0 ? 1024 : room * 2;
            trace->ids = room_for(trace->ids, room, sizeof *trace->ids);
        }
        uint64_t hash = hash_bytes(20, line, strcspn(line, "\r\n"));
        trace->ids[trace->count++] = id_of(&names, trace, hash == 0 ? 1 : hash);
    }
    free(names.hashes);
    free(names.ids);
    return file == stdin || fclose(file) == 0;
}

/* ---- the truth ---- */

/* A cache of some keys: a list in the order of use. Places are ids + 1; 0: none. */
struct cache {
    uint32_t *newer;
    uint32_t *older;
    uint32_t newest;
    uint32_t oldest;
    size_t count;
    size_t room;
    uint64_t misses;
};

static void cache_init(struct cache *cache, size_t distinct, size_t room) {
    *cache = (struct cache){.room = room > 0 ? room : 1};
    cache->newer = calloc(distinct + 1, sizeof *cache->newer);
    cache->older = calloc(distinct + 1, sizeof *cache->older);
    check(cache->newer != NULL && cache->older != NULL);
}

static bool cache_has(const struct cache *cache, uint32_t place) {
    return cache->newest == place || cache->newer[place] != 0;
}

static void cache_take_out(struct cache *cache, uint32_t place) {
    uint32_t newer = cache->newer[place];
    uint32_t older = cache->older[place];
    *(newer != 0 ? &cache->older[newer] : &cache->newest) = older;
    *(older != 0 ? &cache->newer[older] : &cache->oldest) = newer;
    cache->newer[place] = 0;
    cache->older[place] = 0;
    cache->count--;
}

static bool cache_use(struct cache *cache, uint32_t id) {
    uint32_t place = id + 1;
    bool hit = cache_has(cache, place);
    if (hit) {
        cache_take_out(cache, place);
    } else {
        cache->misses++;
    }
    cache->older[place] = cache->newest;
    *(cache->newest != 0 ? &cache->newer[cache->newest] : &cache->oldest) = place;
    cache->newest = place;
    cache->count++;
    if (cache->count > cache->room) {
        cache_take_out(cache, cache->oldest);
    }
    return hit;
}

/* ---- both ---- */

static void tell(struct reuse *reuse, uint64_t hash, bool hit) {
    if (hash >= reuse_below(reuse)) {
        return;
    }
    if (hit) {
        reuse_found(reuse, hash, 0, KEY_BYTES, -1);
    } else {
        reuse_missed(reuse, hash, 0, 0);
        reuse_written(reuse, hash, 0, KEY_BYTES, -1);
    }
}

static double compare(const struct trace *trace, size_t keys, uint64_t uses) {
    struct cache caches[REUSE_ZONES];
    struct reuse reuse;
    double worst = 0;
    uint64_t reads = 0;
    reuse_init(&reuse);
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        cache_init(&caches[zone], trace->distinct, keys * (size_t)(zone + 1) / REUSE_ZONES_NOW);
    }
    reuse_tick(&reuse, keys * KEY_BYTES, 0);
    for (size_t i = 0; i < trace->count; i++) {
        uint32_t id = trace->ids[i];
        bool hit = false;
        for (int zone = 0; zone < REUSE_ZONES; zone++) {
            bool found = cache_use(&caches[zone], id);
            hit = zone == REUSE_ZONES_NOW - 1 ? found : hit;
        }
        reads += !reuse.paused;
        tell(&reuse, trace->hashes[id], hit);
        if ((i + 1) % uses == 0) {
            reuse_tick(&reuse, keys * KEY_BYTES, reads);
            reads = 0;
        }
    }
    reuse_tick(&reuse, keys * KEY_BYTES, reads);
    printf("  %zu keys:", keys);
    for (int zones = 1; zones <= REUSE_ZONES; zones++) {
        double truth = (double)caches[zones - 1].misses / (double)trace->count;
        double estimate = reuse_miss_ratio(&reuse, zones);
        worst = fabs(truth - estimate) > worst ? fabs(truth - estimate) : worst;
        printf("  %.1fx %.4f %.4f", zones / (double)REUSE_ZONES_NOW, truth, estimate);
    }
    printf("  (%u watched, 1 of %.0f)\n", reuse.count,
           18446744073709551616.0 / (double)reuse.threshold);
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        free(caches[zone].newer);
        free(caches[zone].older);
    }
    reuse_free(&reuse);
    return worst;
}

int main(int argc, char **argv) {
    static const double shares[] = {0.1, 0.3, 0.6};
    uint64_t uses = 5000;
    double worst = 0;
    int option;
    while ((option = getopt(argc, argv, "u:")) != -1) {
        if (option != 'u' || strtoull(optarg, NULL, 10) == 0) {
            fprintf(stderr, "usage: reuse [-u USES] FILE ...\n");
            return 1;
        }
        uses = strtoull(optarg, NULL, 10);
    }
    for (int i = optind; i < argc; i++) {
        struct trace trace;
        if (!read_trace(argv[i], &trace)) {
            return 1;
        }
        printf("%s: %zu requests, %zu keys; size, missed, estimated\n", argv[i], trace.count,
               trace.distinct);
        for (size_t j = 0; j < sizeof shares / sizeof shares[0]; j++) {
            size_t keys = (size_t)((double)trace.distinct * shares[j]);
            double difference = compare(&trace, keys, uses);
            worst = difference > worst ? difference : worst;
        }
        free(trace.ids);
        free(trace.hashes);
    }
    printf("worst difference %.4f\n", worst);
    return 0;
}
