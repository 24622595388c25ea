/* geo: places as members of sorted sets: adding them, where they are, how far apart. Searching by
 * area is in geo_search.c. */
#include "command/geo_call.h"

#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "call/pass_on.h"
#include "command/tables.h"
#include "command/zset_call.h"

/* Of a distance with four decimals: the earth's circumference has eight digits before them. */
#define DISTANCE_SIZE 64

bool geo_call_place(struct call *call, int index, struct geo_place *place) {
    if (!call_double(call, index, &place->longitude) ||
        !call_double(call, index + 1, &place->latitude)) {
        return false;
    }
    if (!geo_is_valid(*place)) {
        reply_errorf(call->reply, "ERR invalid longitude,latitude pair %f,%f", place->longitude,
                     place->latitude);
        return false;
    }
    return true;
}

bool geo_call_unit(struct call *call, int index, double *meters) {
    static const struct {
        const char *name;
        double meters;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (call_arg_is(call, index, units[i].name)) {
            *meters = units[i].meters;
            return true;
        }
    }
    reply_error(call->reply, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

void geo_call_reply_distance(struct reply *reply, double distance) {
    char text[DISTANCE_SIZE];
    int size = snprintf(text, sizeof text, "%.4f", distance);
    reply_bulk(reply, bytes_of(text, (size_t)size));
}

void geo_call_reply_place(struct reply *reply, uint64_t hash) {
    struct geo_place place = geo_decode(hash);
    reply_array(reply, 2);
    reply_exact_double(reply, place.longitude);
    reply_exact_double(reply, place.latitude);
}

bool geo_call_hash(const struct entry *zset, struct element_name name, uint64_t *hash) {
    double score;
    if (zset == NULL || !zset_score(zset, name, &score)) {
        return false;
    }
    *hash = geo_call_hash_of(score);
    return true;
}

/* ---- GEOADD ---- */

struct adding {
    unsigned flags; /* enum zset_write_flag */
    bool counts_changes;
    int from; /* first triple */
};

/* False when an error has been replied. */
static bool read_options(struct call *call, struct adding *adding) {
    *adding = (struct adding){.from = 2};
    for (; adding->from < call->argc; adding->from++) {
        if (call_arg_is(call, adding->from, "nx")) {
            adding->flags |= ZSET_IF_ABSENT;
        } else if (call_arg_is(call, adding->from, "xx")) {
            adding->flags |= ZSET_IF_PRESENT;
        } else if (call_arg_is(call, adding->from, "ch")) {
            adding->counts_changes = true;
        } else {
            break;
        }
    }
    int left = call->argc - adding->from;
    const unsigned both = ZSET_IF_ABSENT | ZSET_IF_PRESENT;
    if (left % 3 != 0 || (adding->flags & both) == both) {
        reply_syntax_error(call->reply);
        return false;
    }
    return true;
}

/* For others it is a ZADD of the hashes: they need not know of the earth. */
static void pass_on_add(struct call *call, const struct adding *adding) {
    if (!call_is_heard(call)) {
        return;
    }
    int options = adding->from - 2;
    int triples = (call->argc - adding->from) / 3;
    size_t words_size = (size_t)(2 + options + 2 * triples) * sizeof(struct bytes);
    size_t digits_size = (size_t)triples * NUM_I64_SIZE;
    struct bytes *words = mem_alloc(MEM_OTHER, words_size);
    char *digits = mem_alloc(MEM_OTHER, digits_size);
    int count = 0;
    words[count++] = bytes_text("zadd");
    for (int i = 1; i < adding->from; i++) {
        words[count++] = call->args[i];
    }
    for (int i = 0; i < triples; i++) {
        struct geo_place place;
        const struct bytes *triple = call->args + adding->from + 3 * i;
        num_parse_double(triple[0], &place.longitude);
        num_parse_double(triple[1], &place.latitude);
        char *at = digits + (size_t)i * NUM_I64_SIZE;
        words[count++] = bytes_of(at, num_format_i64(at, (int64_t)geo_encode(place)));
        words[count++] = triple[2];
    }
    call_pass_on(call, words, count);
    mem_free(MEM_OTHER, digits, digits_size);
    mem_free(MEM_OTHER, words, words_size);
}

static void geoadd(struct call *call) {
    struct adding adding;
    struct geo_place place;
    struct zset_call on;
    if (!read_options(call, &adding)) {
        return;
    }
    for (int i = adding.from; i < call->argc; i += 3) {
        if (!geo_call_place(call, i, &place)) {
            return;
        }
    }
    if (!zset_call_write(call, 1, &on)) {
        return;
    }
    int64_t added = 0;
    int64_t changed = 0;
    bool adds = adding.from < call->argc && (on.zset != NULL || !(adding.flags & ZSET_IF_PRESENT));
    if (adds && !zset_call_create(&on)) {
        return;
    }
    bool no_memory = false;
    for (int i = adding.from; adds && i < call->argc && !no_memory; i += 3) {
        num_parse_double(call->args[i], &place.longitude);
        num_parse_double(call->args[i + 1], &place.latitude);
        struct zset_write write = {.name = call_element_name(call, i + 2),
                                   .score = (double)geo_encode(place),
                                   .flags = adding.flags};
        double score;
        enum zset_outcome outcome = zset_call_set(&on, &write, &score);
        added += outcome == ZSET_ADDED;
        changed += outcome == ZSET_CHANGED;
        no_memory = outcome == ZSET_NO_MEMORY;
    }
    if (added + changed > 0) {
        pass_on_add(call, &adding);
        zset_call_changed(&on, "zadd");
    }
    zset_call_settle(&on);
    if (no_memory) {
        reply_no_memory(call->reply);
    } else {
        reply_integer(call->reply, adding.counts_changes ? added + changed : added);
    }
}

/* ---- what is known of members ---- */

static void geodist(struct call *call) {
    double unit = 1;
    struct zset_call on;
    if (call->argc == 5) {
        if (!geo_call_unit(call, 4, &unit)) {
            return;
        }
    } else if (call->argc > 5) {
        reply_syntax_error(call->reply);
        return;
    }
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    uint64_t from;
    uint64_t to;
    if (!geo_call_hash(on.zset, call_element_name(call, 2), &from) ||
        !geo_call_hash(on.zset, call_element_name(call, 3), &to)) {
        reply_null(call->reply);
        return;
    }
    geo_call_reply_distance(call->reply, geo_distance(geo_decode(from), geo_decode(to)) / unit);
}

static void geohash(struct call *call) {
    struct zset_call on;
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        uint64_t hash;
        char text[GEO_TEXT_SIZE];
        if (geo_call_hash(on.zset, call_element_name(call, i), &hash)) {
            geo_text(hash, text);
            reply_bulk(call->reply, bytes_of(text, sizeof text));
        } else {
            reply_null(call->reply);
        }
    }
}

static void geopos(struct call *call) {
    struct zset_call on;
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        uint64_t hash;
        if (geo_call_hash(on.zset, call_element_name(call, i), &hash)) {
            geo_call_reply_place(call->reply, hash);
        } else {
            reply_null_array(call->reply);
        }
    }
}

static const struct command_row rows[] = {
    {.name = "geoadd",
     .fn = geoadd,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_GEO | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .group = GROUP_GEO,
     .since = "3.2.0",
     .complexity = "O(log(N)) for each place, N being the number of those that are there",
     .summary = "Adds places to a sorted set, which is made if there is none.",
     .syntax = "key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]"},
    {.name = "geodist",
     .fn = geodist,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_GEO | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Returns the distance between two places.",
     .syntax = "key member1 member2 [M|KM|FT|MI]"},
    {.name = "geohash",
     .fn = geohash,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_GEO | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "3.2.0",
     .complexity = "O(1) for each place",
     .summary = "Returns places as geohashes.",
     .syntax = "key [member [member ...]]"},
    {.name = "geopos",
     .fn = geopos,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_GEO | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "3.2.0",
     .complexity = "O(1) for each place",
     .summary = "Returns the longitudes and latitudes of places.",
     .syntax = "key [member [member ...]]"},
};

const struct command_table *command_geo(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
