/* geo_search: the places within an area: GEOSEARCH and its older forms GEORADIUS and
 * GEORADIUSBYMEMBER.
 *
 * The area becomes some ranges of hashes (types/geo.h), that is of scores; of what lies in them
 * those are kept that the area holds, with copies of their names, and then sorted if asked for. */
#include "command/geo_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/num.h"
#include "command/tables.h"
#include "command/zset_call.h"

/* Members that are looked at together where the first that fit are enough. */
#define PORTION 64

enum order { ORDER_NONE, ORDER_NEAREST, ORDER_FARTHEST };

/* The sorts of command, by what their first arguments are. */
enum form { FORM_SEARCH, FORM_SEARCH_STORE, FORM_RADIUS, FORM_RADIUS_BY_MEMBER };

struct search {
    struct call *call;
    enum form form;
    bool may_store; /* GEORADIUS and not GEORADIUS_RO */
    int source;     /* argument index of the key */
    int target;     /* ... of the key to store into; 0: none */
    const struct entry *zset;
    struct geo_area area;
    bool has_center;
    bool has_shape;
    bool with_place;
    bool with_distance;
    bool with_hash;
    bool stores_distance;
    enum order order;
    int64_t count; /* 0: all */
    bool any;
};

/* A place that was found. */
struct found {
    double distance; /* meters */
    double score;
    size_t name_at; /* in the names */
    size_t name_size;
    size_t index; /* as it was found: what is equally far stays in that order */
};

struct findings {
    const struct geo_area *area;
    struct found *places;
    size_t count;
    size_t room;
    size_t most; /* then it is enough */
    struct buffer names;
};

/* ---- arguments ---- */

/* A length that is not negative; false: replied. */
static bool read_length(struct call *call, int index, const char *not_a_number,
                        const char *negative, double *length) {
    if (!num_parse_double(call->args[index], length)) {
        reply_error(call->reply, not_a_number);
        return false;
    }
    if (negative != NULL && *length < 0) {
        reply_error(call->reply, negative);
        return false;
    }
    return true;
}

static bool read_radius(struct search *search, int index) {
    search->has_shape = true;
    return read_length(search->call, index, "ERR need numeric radius",
                       "ERR radius cannot be negative", &search->area.radius) &&
           geo_call_unit(search->call, index + 1, &search->area.unit);
}

static bool read_box(struct search *search, int index) {
    search->has_shape = true;
    struct geo_area *area = &search->area;
    area->is_box = true;
    struct call *call = search->call;
    if (!read_length(call, index, "ERR need numeric width", NULL, &area->width) ||
        !read_length(call, index + 1, "ERR need numeric height", NULL, &area->height)) {
        return false;
    }
    if (area->width < 0 || area->height < 0) {
        reply_error(call->reply, "ERR height or width cannot be negative");
        return false;
    }
    return geo_call_unit(call, index + 2, &area->unit);
}

/* Of no sorted set any member may be named. */
static bool read_member(struct search *search, int index) {
    uint64_t hash = 0;
    search->has_center = true;
    if (search->zset != NULL &&
        !geo_call_hash(search->zset, call_element_name(search->call, index), &hash)) {
        reply_error(search->call->reply, "ERR could not decode requested zset member");
        return false;
    }
    search->area.center = geo_decode(hash);
    return true;
}

static bool read_place(struct search *search, int index) {
    search->has_center = true;
    return geo_call_place(search->call, index, &search->area.center);
}

static bool read_count(struct search *search, int index) {
    if (!call_integer(search->call, index, &search->count)) {
        return false;
    }
    if (search->count <= 0) {
        reply_error(search->call->reply, "ERR COUNT must be > 0");
        return false;
    }
    return true;
}

/* Options that are a word. */
static bool read_word(struct search *search, int index) {
    struct call *call = search->call;
    if (call_arg_is(call, index, "withdist")) {
        search->with_distance = true;
    } else if (call_arg_is(call, index, "withhash")) {
        search->with_hash = true;
    } else if (call_arg_is(call, index, "withcoord")) {
        search->with_place = true;
    } else if (call_arg_is(call, index, "any")) {
        search->any = true;
    } else if (call_arg_is(call, index, "asc")) {
        search->order = ORDER_NEAREST;
    } else if (call_arg_is(call, index, "desc")) {
        search->order = ORDER_FARTHEST;
    } else if (search->form == FORM_SEARCH_STORE && call_arg_is(call, index, "storedist")) {
        search->stores_distance = true;
    } else {
        return false;
    }
    return true;
}

/* Options with further arguments, of which there are `left`. Returns how many were read, 0 when it
 * is none of these, -1 when an error has been replied. */
static int read_phrase(struct search *search, int index, int left) {
    struct call *call = search->call;
    bool is_search = search->form == FORM_SEARCH || search->form == FORM_SEARCH_STORE;
    if (call_arg_is(call, index, "count") && left >= 1) {
        return read_count(search, index + 1) ? 1 : -1;
    }
    if (!is_search) {
        bool distance = call_arg_is(call, index, "storedist");
        if (search->may_store && (distance || call_arg_is(call, index, "store")) && left >= 1) {
            search->target = index + 1;
            search->stores_distance = distance;
            return 1;
        }
        return 0;
    }
    if (call_arg_is(call, index, "frommember") && left >= 1 && !search->has_center) {
        return read_member(search, index + 1) ? 1 : -1;
    }
    if (call_arg_is(call, index, "fromlonlat") && left >= 2 && !search->has_center) {
        return read_place(search, index + 1) ? 2 : -1;
    }
    if (call_arg_is(call, index, "byradius") && left >= 2 && !search->has_shape) {
        return read_radius(search, index + 1) ? 2 : -1;
    }
    if (call_arg_is(call, index, "bybox") && left >= 3 && !search->has_shape) {
        return read_box(search, index + 1) ? 3 : -1;
    }
    return 0;
}

static bool read_options(struct search *search, int from) {
    struct call *call = search->call;
    for (int i = from; i < call->argc; i++) {
        if (read_word(search, i)) {
            continue;
        }
        int more = read_phrase(search, i, call->argc - i - 1);
        if (more == 0) {
            reply_syntax_error(call->reply);
        }
        if (more <= 0) {
            return false;
        }
        i += more;
    }
    return true;
}

/* Whether the options go together. */
static bool options_agree(const struct search *search) {
    struct call *call = search->call;
    int shown = (int)(call->args[0].size < 128 ? call->args[0].size : 128);
    if (search->target > 0 && (search->with_distance || search->with_hash || search->with_place)) {
        reply_errorf(
            call->reply, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            search->form == FORM_SEARCH_STORE ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    } else if (!search->has_center) {
        reply_errorf(call->reply,
                     "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s", shown,
                     call->args[0].at);
    } else if (!search->has_shape) {
        reply_errorf(call->reply, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
                     shown, call->args[0].at);
    } else if (search->any && search->count == 0) {
        reply_error(call->reply, "ERR the ANY argument requires COUNT argument");
    } else {
        return true;
    }
    return false;
}

/* ---- finding ---- */

static void keep_if_within(void *context, const struct zset_member *member) {
    struct findings *findings = context;
    double distance;
    struct geo_place place = geo_decode(geo_call_hash_of(member->score));
    if (findings->count >= findings->most || !geo_area_holds(findings->area, place, &distance)) {
        return;
    }
    if (findings->count == findings->room) {
        size_t room = findings->room == 0 ? PORTION : findings->room * 2;
        findings->places =
            mem_realloc(MEM_OTHER, findings->places, findings->room * sizeof *findings->places,
                        room * sizeof *findings->places);
        findings->room = room;
    }
    findings->places[findings->count] = (struct found){.distance = distance,
                                                       .score = member->score,
                                                       .name_at = findings->names.size,
                                                       .name_size = member->name.size,
                                                       .index = findings->count};
    findings->count++;
    buffer_append(&findings->names, member->name.at, member->name.size);
}

static void find(const struct search *search, struct findings *findings) {
    struct geo_range ranges[GEO_RANGES_MAX];
    size_t range_count = geo_area_ranges(&search->area, ranges);
    for (size_t i = 0; i < range_count && findings->count < findings->most; i++) {
        struct zset_scores scores = {
            .least = (double)ranges[i].least, .most = (double)ranges[i].end, .below = true};
        struct zset_span span = zset_span_of_scores(search->zset, &scores);
        size_t portion = search->any ? PORTION : span.count;
        while (span.count > 0 && findings->count < findings->most) {
            size_t count = span.count < portion ? span.count : portion;
            zset_visit(search->zset, (struct zset_span){span.first, count}, false, keep_if_within,
                       findings);
            span.first += count;
            span.count -= count;
        }
    }
}

static int nearest_first(const void *a, const void *b) {
    const struct found *x = a;
    const struct found *y = b;
    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

static int farthest_first(const void *a, const void *b) {
    const struct found *x = a;
    const struct found *y = b;
    if (x->distance != y->distance) {
        return x->distance > y->distance ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

/* ---- the answer ---- */

static struct bytes name_of(const struct findings *findings, size_t i) {
    const struct found *found = &findings->places[i];
    return bytes_of(findings->names.at + found->name_at, found->name_size);
}

static void reply_findings(const struct search *search, const struct findings *findings,
                           size_t count) {
    struct reply *reply = search->call->reply;
    int more = search->with_distance + search->with_hash + search->with_place;
    reply_array(reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct found *found = &findings->places[i];
        if (more > 0) {
            reply_array(reply, more + 1);
        }
        reply_bulk(reply, name_of(findings, i));
        if (search->with_distance) {
            geo_call_reply_distance(reply, found->distance / search->area.unit);
        }
        if (search->with_hash) {
            reply_integer(reply, (int64_t)geo_call_hash_of(found->score));
        }
        if (search->with_place) {
            geo_call_reply_place(reply, geo_call_hash_of(found->score));
        }
    }
}

/* Builds the sorted set aside. */
static void store_findings(const struct search *search, const struct findings *findings,
                           size_t count) {
    struct call *call = search->call;
    const char *event = search->form == FORM_SEARCH_STORE ? "geosearchstore" : "georadiusstore";
    struct entry_shape shape = zset_new_shape();
    union entry_carrier carrier;
    struct entry *aside = entry_carry(&carrier, &shape);
    bool no_memory = false;
    for (size_t i = 0; i < count && !no_memory; i++) {
        const struct found *found = &findings->places[i];
        struct zset_write write = {.name = element_name_of(name_of(findings, i)),
                                   .score = found->score};
        if (search->stores_distance) {
            write.score = found->distance / search->area.unit;
        }
        double score;
        no_memory =
            zset_set(aside, &call->keyspace->zset_options, &write, &score) == ZSET_NO_MEMORY;
    }
    shape.encoding = entry_encoding(aside);
    shape.word = entry_shape_word(aside);
    if (no_memory) {
        zset_discard(&shape);
        reply_no_memory(call->reply);
        return;
    }
    zset_call_store(call, search->target, &shape, count, event);
}

static void answer(const struct search *search) {
    struct findings findings = {.area = &search->area, .most = SIZE_MAX};
    buffer_init(&findings.names, MEM_OTHER);
    enum order order = search->order;
    if (search->any) {
        findings.most = (size_t)search->count;
    } else if (search->count > 0 && order == ORDER_NONE) {
        order = ORDER_NEAREST;
    }
    if (search->zset != NULL) {
        find(search, &findings);
    }
    size_t count = findings.count;
    if (count > 1 && order != ORDER_NONE) {
        qsort(findings.places, count, sizeof *findings.places,
              order == ORDER_NEAREST ? nearest_first : farthest_first);
    }
    if (search->count > 0 && (uint64_t)search->count < count) {
        count = (size_t)search->count;
    }
    if (search->target > 0) {
        store_findings(search, &findings, count);
    } else {
        reply_findings(search, &findings, count);
    }
    if (findings.room > 0) {
        mem_free(MEM_OTHER, findings.places, findings.room * sizeof *findings.places);
    }
    buffer_clear(&findings.names);
}

static void run(struct call *call, struct search *search) {
    struct zset_call on;
    search->call = call;
    if (!zset_call_read(call, search->source, &on)) {
        return;
    }
    search->zset = on.zset;
    int next = search->source + 1;
    if (search->form == FORM_RADIUS) {
        if (!read_place(search, 2) || !read_radius(search, 4)) {
            return;
        }
        next = 6;
    } else if (search->form == FORM_RADIUS_BY_MEMBER) {
        /* Of a key that is not there nothing is looked at but the options. */
        search->has_shape = true;
        if (!read_member(search, 2) || (on.zset != NULL && !read_radius(search, 3))) {
            return;
        }
        next = 5;
    }
    if (read_options(search, next) && options_agree(search)) {
        answer(search);
    }
}

static void geosearch(struct call *call) {
    run(call, &(struct search){.form = FORM_SEARCH, .source = 1});
}

static void geosearchstore(struct call *call) {
    run(call, &(struct search){.form = FORM_SEARCH_STORE, .source = 2, .target = 1});
}

static void georadius(struct call *call) {
    run(call, &(struct search){.form = FORM_RADIUS, .source = 1, .may_store = true});
}

static void georadius_ro(struct call *call) {
    run(call, &(struct search){.form = FORM_RADIUS, .source = 1});
}

static void georadiusbymember(struct call *call) {
    run(call, &(struct search){.form = FORM_RADIUS_BY_MEMBER, .source = 1, .may_store = true});
}

static void georadiusbymember_ro(struct call *call) {
    run(call, &(struct search){.form = FORM_RADIUS_BY_MEMBER, .source = 1});
}

#define READS  (CATEGORY_READ | CATEGORY_GEO | CATEGORY_SLOW)
#define WRITES (CATEGORY_WRITE | CATEGORY_GEO | CATEGORY_SLOW)
#define COST   "O(N+log(M)), N being the places in the box around the area and M all of them"
#define STORE_KEY(keyword, from)                                                                   \
    KEYS_BEHIND(keyword, from, 0, 1, 0, KEY_OW | KEY_UPDATE | KEY_INCOMPLETE)

static const struct command_row rows[] = {
    {.name = "georadius",
     .fn = georadius,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = WRITES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS), STORE_KEY("STORE", 6),
              STORE_KEY("STOREDIST", 6)},
     .group = GROUP_GEO,
     .since = "3.2.0",
     .complexity = COST,
     .summary = "Returns or stores the places within a radius around a point.",
     .syntax = "key longitude latitude radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
               "[COUNT count [ANY]] [ASC|DESC] [STORE key|STOREDIST key]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"},
    {.name = "georadius_ro",
     .fn = georadius_ro,
     .arity = -6,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "3.2.10",
     .complexity = COST,
     .summary = "Returns the places within a radius around a point.",
     .syntax = "key longitude latitude radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
               "[COUNT count [ANY]] [ASC|DESC]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument"},
    {.name = "georadiusbymember",
     .fn = georadiusbymember,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = WRITES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS), STORE_KEY("STORE", 5),
              STORE_KEY("STOREDIST", 5)},
     .group = GROUP_GEO,
     .since = "3.2.0",
     .complexity = COST,
     .summary = "Returns or stores the places within a radius around another one.",
     .syntax = "key member radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count "
               "[ANY]] [ASC|DESC] [STORE key|STOREDIST key]",
     .deprecated_since = "6.2.0",
     .replaced_by =
         "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"},
    {.name = "georadiusbymember_ro",
     .fn = georadiusbymember_ro,
     .arity = -5,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "3.2.10",
     .complexity = COST,
     .summary = "Returns the places within a radius around another one.",
     .syntax = "key member radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count "
               "[ANY]] [ASC|DESC]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"},
    {.name = "geosearch",
     .fn = geosearch,
     .arity = -7,
     .flags = COMMAND_READONLY,
     .categories = READS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "6.2.0",
     .complexity = COST,
     .summary = "Returns the places within a circle or a box.",
     .syntax = "key <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS radius "
               "<M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count [ANY]] "
               "[WITHCOORD] [WITHDIST] [WITHHASH]"},
    {.name = "geosearchstore",
     .fn = geosearchstore,
     .arity = -8,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = WRITES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE),
              KEYS_RANGE(2, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GEO,
     .since = "6.2.0",
     .complexity = COST,
     .summary = "Stores the places within a circle or a box in another key.",
     .syntax = "destination source <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS "
               "radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count "
               "[ANY]] [STOREDIST]"},
};

const struct command_table *command_geo_search(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
