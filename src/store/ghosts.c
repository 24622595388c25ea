/* ghosts: the header draws them. The worths are kept with 4 bits of fraction, so they go round in
 * 4,096 half-lives; what has not come back by then has long given way to others. */
#include "store/ghosts.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/worth.h"

/* Lines of a segment: 64 KiB, zeroed in some microseconds. */
#ifdef LARDER_TEST_SMALL
#define SEGMENT_LINES 2u
#else
#define SEGMENT_LINES 1024u
#endif
/* Bits of a worth that are not kept. */
#define DROPPED_BITS 4

void ghosts_init(struct ghosts *ghosts) {
    memset(ghosts, 0, sizeof *ghosts);
}

/* The last segment may be shorter. */
static size_t segment_size(uint32_t line_count, uint32_t index) {
    uint32_t rest = line_count - index * SEGMENT_LINES;
    return (rest < SEGMENT_LINES ? rest : SEGMENT_LINES) * sizeof(struct ghost_line);
}

void ghosts_tidy(struct ghosts *ghosts) {
    while (ghosts->retired_left > 0) {
        uint32_t index = --ghosts->retired_left;
        struct ghost_line *segment = ghosts->retired[index];
        if (segment != NULL) {
            mem_free(MEM_OTHER, segment, segment_size(ghosts->retired_lines, index));
            return;
        }
    }
    if (ghosts->retired != NULL) {
        mem_free(MEM_OTHER, ghosts->retired, ghosts->retired_count * sizeof *ghosts->retired);
        ghosts->retired = NULL;
    }
}

static void retire(struct ghosts *ghosts) {
    while (ghosts->retired != NULL) {
        ghosts_tidy(ghosts);
    }
    ghosts->retired = ghosts->segments;
    ghosts->retired_left = ghosts->segment_count;
    ghosts->retired_count = ghosts->segment_count;
    ghosts->retired_lines = ghosts->line_count;
    ghosts->segments = NULL;
    ghosts->segment_count = 0;
    ghosts->line_count = 0;
}

void ghosts_clear(struct ghosts *ghosts) {
    retire(ghosts);
    while (ghosts->retired != NULL) {
        ghosts_tidy(ghosts);
    }
}

void ghosts_resize(struct ghosts *ghosts, size_t count) {
    size_t lines = count / GHOSTS_PER_LINE;
    lines = lines > UINT32_MAX / 2 ? UINT32_MAX / 2 : lines;
    if (lines == ghosts->line_count) {
        return;
    }
    if (ghosts->segments != NULL) {
        retire(ghosts);
    }
    ghosts->line_count = (uint32_t)lines;
    ghosts->segment_count = (ghosts->line_count + SEGMENT_LINES - 1) / SEGMENT_LINES;
    if (lines > 0) {
        ghosts->segments = mem_zalloc(MEM_OTHER, ghosts->segment_count * sizeof *ghosts->segments);
    }
}

static uint32_t line_index(const struct ghosts *ghosts, uint64_t hash) {
    return (uint32_t)((hash >> 32) * ghosts->line_count >> 32);
}

static uint16_t tag_of(uint64_t hash) {
    return (uint16_t)(hash | 1);
}

/* A kept worth's distance above now, in its own coarser unit. */
static int distance(uint16_t kept, uint32_t now) {
    return (int16_t)(uint16_t)(kept - (now >> DROPPED_BITS));
}

static struct ghost_line *line_at(const struct ghosts *ghosts, uint32_t index) {
    struct ghost_line *segment = ghosts->segments[index / SEGMENT_LINES];
    return segment == NULL ? NULL : segment + index % SEGMENT_LINES;
}

void ghosts_prefetch(const struct ghosts *ghosts, uint64_t hash) {
    if (ghosts->line_count > 0) {
        __builtin_prefetch(line_at(ghosts, line_index(ghosts, hash)));
    }
}

void ghosts_put(struct ghosts *ghosts, uint64_t hash, uint32_t worth, uint32_t now) {
    if (ghosts->line_count == 0 || worth_above(worth, now) == WORTH_NONE) {
        return;
    }
    uint32_t index = line_index(ghosts, hash);
    struct ghost_line **segment = &ghosts->segments[index / SEGMENT_LINES];
    if (UNLIKELY(*segment == NULL)) {
        *segment = mem_zalloc(MEM_OTHER, segment_size(ghosts->line_count, index / SEGMENT_LINES));
    }
    struct ghost_line *line = *segment + index % SEGMENT_LINES;
    unsigned place = 0;
    for (unsigned i = 0; i < GHOSTS_PER_LINE; i++) {
        if (line->tags[i] == 0) {
            place = i;
            break;
        }
        if (distance(line->worths[i], now) < distance(line->worths[place], now)) {
            place = i;
        }
    }
    line->tags[place] = tag_of(hash);
    line->worths[place] = (uint16_t)(worth >> DROPPED_BITS);
}

bool ghosts_take(struct ghosts *ghosts, uint64_t hash, uint32_t now, uint32_t *worth) {
    struct ghost_line *line =
        ghosts->line_count == 0 ? NULL : line_at(ghosts, line_index(ghosts, hash));
    if (line == NULL) {
        return false;
    }
    uint16_t tag = tag_of(hash);
    for (unsigned i = 0; i < GHOSTS_PER_LINE; i++) {
        if (line->tags[i] == tag) {
            uint32_t coarse_now = now >> DROPPED_BITS;
            uint32_t coarse = coarse_now + (uint32_t)distance(line->worths[i], now);
            *worth = coarse << DROPPED_BITS & WORTH_MASK;
            line->tags[i] = 0;
            return true;
        }
    }
    return false;
}

size_t ghosts_footprint(const struct ghosts *ghosts) {
    size_t total = 0;
    for (uint32_t i = 0; i < ghosts->segment_count; i++) {
        if (ghosts->segments[i] != NULL) {
            total += mem_class(segment_size(ghosts->line_count, i));
        }
    }
    return total;
}
