/* decode: elements come from an `items`, strings one by one or a compact run, and are added to a
 * value that a temporary entry holds. */
#include "persist/decode.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "persist/compact.h"
#include "persist/decode_int.h"
#include "types/string.h"
#include "types/value.h"
#include "types/zset_gather.h"

/* Latest deadline of a field that Redis reads. */
#define DEADLINE_READ_MAX (((int64_t)1 << 48) - 1)

/* Where elements come from. */
struct items {
    struct rdb_reader *reader;
    bool is_run;
    uint64_t left;       /* strings, if it is none */
    struct rdb_text run; /* that `walk` goes through */
    struct compact_walk walk;
};

static int items_begin_strings(struct items *items, struct rdb_reader *reader, unsigned width) {
    uint64_t count;
    *items = (struct items){.reader = reader};
    /* Each is a byte at least. */
    if (!rdb_read_length(reader, &count) || count > rdb_left(reader)) {
        return -EBADMSG;
    }
    items->left = count * width;
    return 0;
}

static int items_begin_run(struct items *items, struct rdb_reader *reader, enum compact_kind kind) {
    *items = (struct items){.reader = reader, .is_run = true};
    int status = rdb_read_string(reader, &items->run);
    if (status == 0 && !compact_begin(&items->walk, kind, items->run.text)) {
        status = -EBADMSG;
    }
    return status;
}

static void items_end(struct items *items) {
    rdb_text_clear(&items->run);
}

static int items_next(struct items *items, struct rdb_text *text) {
    if (items->is_run) {
        return compact_next(&items->walk, text);
    }
    if (items->left == 0) {
        return 0;
    }
    items->left--;
    int status = rdb_read_string(items->reader, text);
    return status == 0 ? 1 : status;
}

static int items_need(struct items *items, struct rdb_text *text) {
    int status = items_next(items, text);
    return status == 1 ? 0 : status == 0 ? -EBADMSG : status;
}

static bool is_stopped(const struct decode_source *source) {
    return source->stops != NULL && atomic_load_explicit(source->stops, memory_order_relaxed);
}

/* ---- the temporary entry ---- */

static struct entry *decode_hold(const struct entry_shape *shape) {
    struct entry *entry = entry_try_new(bytes_of("", 0), shape);
    if (entry == NULL) {
        value_discard(shape);
    }
    return entry;
}

/* The value moves into the shape, or is freed if there was something wrong. */
static int decode_release(struct entry *entry, int status, struct entry_shape *shape) {
    if (status != 0) {
        value_free(entry);
        return status;
    }
    *shape = (struct entry_shape){.type = entry_type(entry),
                                  .encoding = entry_encoding(entry),
                                  .word = entry_shape_word(entry)};
    entry_free(entry);
    return 0;
}

/* ---- strings ---- */

static int decode_string(const struct decode_source *source, struct entry_shape *shape) {
    int status = rdb_read_string(source->reader, source->text);
    if (status != 0) {
        return status;
    }
    return string_shape(source->text->text, shape) ? 0 : -ENOMEM;
}

/* ---- lists ---- */

static int push_all(const struct decode_source *source, struct items *items, struct entry *list) {
    struct rdb_text text = {0};
    int status;
    while ((status = items_next(items, &text)) == 1) {
        struct list_write write = {.text = text.text};
        status = list_push(list, &source->keyspace->list_options, LIST_TAIL, &write);
        status = status == 0 && is_stopped(source) ? -ECANCELED : status;
        if (status != 0) {
            break;
        }
    }
    rdb_text_clear(&text);
    return status;
}

static int push_run(const struct decode_source *source, enum compact_kind kind,
                    struct entry *list) {
    struct items items;
    int status = items_begin_run(&items, source->reader, kind);
    if (status == 0) {
        status = push_all(source, &items, list);
    }
    items_end(&items);
    return status;
}

static int push_plain(const struct decode_source *source, struct entry *list) {
    struct rdb_text text = {0};
    int status = rdb_read_string(source->reader, &text);
    if (status == 0) {
        struct list_write write = {.text = text.text};
        status = list_push(list, &source->keyspace->list_options, LIST_TAIL, &write);
    }
    rdb_text_clear(&text);
    return status;
}

static int push_nodes(const struct decode_source *source, struct entry *list) {
    uint64_t nodes;
    if (!rdb_read_length(source->reader, &nodes) || nodes > rdb_left(source->reader)) {
        return -EBADMSG;
    }
    for (; nodes > 0; nodes--) {
        uint64_t container = 0;
        int status = 0;
        if (source->type == RDB_LIST_QUICKLIST) {
            status = push_run(source, COMPACT_ZIPLIST, list);
        } else if (!rdb_read_length(source->reader, &container) || container < 1 || container > 2) {
            status = -EBADMSG;
        } else {
            status = container == 1 ? push_plain(source, list)
                                    : push_run(source, COMPACT_LISTPACK, list);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int decode_list(const struct decode_source *source, struct entry_shape *shape) {
    struct entry_shape empty = list_new_shape(&source->keyspace->list_options, 0);
    struct entry *list = decode_hold(&empty);
    if (list == NULL) {
        return -ENOMEM;
    }
    int status = 0;
    if (source->type == RDB_LIST) {
        struct items items;
        status = items_begin_strings(&items, source->reader, 1);
        status = status == 0 ? push_all(source, &items, list) : status;
    } else if (source->type == RDB_LIST_ZIPLIST) {
        status = push_run(source, COMPACT_ZIPLIST, list);
    } else {
        status = push_nodes(source, list);
    }
    if (status == 0 && list_length(list) == 0) {
        status = -ENODATA;
    }
    return decode_release(list, status, shape);
}

/* ---- sets ---- */

static int add_members(const struct decode_source *source, struct items *items,
                       struct rdb_text *text, struct entry_shape *shape) {
    const struct set_options *limits = &source->keyspace->set_options;
    int status = items_next(items, text);
    if (status != 1) {
        return status == 0 ? -ENODATA : status;
    }
    struct entry_shape empty = set_new_shape(limits, text->text, 1);
    struct entry *set = decode_hold(&empty);
    if (set == NULL) {
        return -ENOMEM;
    }
    do {
        int added = set_add(set, limits, text->text, set_hash(text->text));
        status = added == 1 ? items_next(items, text) : added == 0 ? -EBADMSG : added;
        status = status == 1 && is_stopped(source) ? -ECANCELED : status;
    } while (status == 1);
    return decode_release(set, status, shape);
}

static int decode_set(const struct decode_source *source, struct entry_shape *shape) {
    struct items items;
    int status = source->type == RDB_SET ? items_begin_strings(&items, source->reader, 1)
                 : source->type == RDB_SET_INTSET
                     ? items_begin_run(&items, source->reader, COMPACT_INTSET)
                     : items_begin_run(&items, source->reader, COMPACT_LISTPACK);
    struct rdb_text text = {0};
    if (status == 0) {
        status = add_members(source, &items, &text, shape);
    }
    rdb_text_clear(&text);
    items_end(&items);
    return status;
}

/* ---- sorted sets ---- */

/* Scores as text, of the first versions: a length, or one of these. */
enum score_mark { SCORE_NAN = 253, SCORE_INFINITE = 254, SCORE_MINUS_INFINITE = 255 };

static int read_score_text(struct rdb_reader *reader, double *score) {
    const uint8_t *at;
    if (!rdb_read_raw(reader, 1, &at) || *at == SCORE_NAN) {
        return -EBADMSG;
    }
    if (*at >= SCORE_INFINITE) {
        *score = *at == SCORE_INFINITE ? INFINITY : -INFINITY;
        return 0;
    }
    size_t size = *at;
    if (!rdb_read_raw(reader, size, &at)) {
        return -EBADMSG;
    }
    return num_parse_double(bytes_of(at, size), score) ? 0 : -EBADMSG;
}

static int read_score(const struct decode_source *source, struct items *items, double *score) {
    if (source->type == RDB_ZSET) {
        return read_score_text(source->reader, score);
    }
    if (source->type == RDB_ZSET_2) {
        uint64_t bits;
        if (!rdb_read_number(source->reader, 8, &bits)) {
            return -EBADMSG;
        }
        memcpy(score, &bits, sizeof bits);
        return isnan(*score) ? -EBADMSG : 0;
    }
    struct rdb_text text = {0};
    int status = items_need(items, &text);
    if (status == 0 && !num_parse_double(text.text, score)) {
        status = -EBADMSG;
    }
    rdb_text_clear(&text);
    return status;
}

static int gather_member(struct zset_gather *gather, struct bytes text, double score) {
    struct element_name name = element_name_of(text);
    if (zset_gather_find(gather, name) != NULL) {
        return -EBADMSG;
    }
    return zset_gather_add(gather, name, score) ? 0 : -ENOMEM;
}

/* A run has its members in order; the one before lies in the other of two texts. */
static int gather_members(const struct decode_source *source, struct items *items,
                          struct rdb_text *texts, struct zset_gather *gather) {
    double before = 0;
    int status;
    for (size_t i = 0; (status = items_next(items, &texts[i % 2])) == 1; i++) {
        struct bytes name = texts[i % 2].text;
        double score = 0;
        status = read_score(source, items, &score);
        if (status == 0 && items->is_run && i > 0 &&
            (score < before ||
             (score == before && bytes_compare(name, texts[(i + 1) % 2].text) <= 0))) {
            status = -EBADMSG;
        }
        before = score;
        if (status == 0) {
            status = is_stopped(source) ? -ECANCELED : gather_member(gather, name, score);
        }
        if (status != 0) {
            return status;
        }
    }
    return status;
}

static int decode_zset(const struct decode_source *source, struct entry_shape *shape) {
    struct items items;
    bool is_strings = source->type == RDB_ZSET || source->type == RDB_ZSET_2;
    int status = is_strings ? items_begin_strings(&items, source->reader, 1)
                            : items_begin_run(&items, source->reader,
                                              source->type == RDB_ZSET_LISTPACK ? COMPACT_LISTPACK
                                                                                : COMPACT_ZIPLIST);
    struct rdb_text texts[2] = {{{0}, NULL, {0}}, {{0}, NULL, {0}}};
    struct zset_gather gather;
    zset_gather_init(&gather);
    if (status == 0) {
        status = gather_members(source, &items, texts, &gather);
    }
    if (status == 0 && zset_gather_count(&gather) == 0) {
        status = -ENODATA;
    }
    if (status == 0) {
        status = zset_gather_sort(&gather);
    }
    if (status == 0) {
        *shape = (struct entry_shape){.type = ENTRY_SORTED_SET};
        zset_gather_take(&gather, &source->keyspace->zset_options, shape);
    }
    zset_gather_free(&gather);
    rdb_text_clear(&texts[0]);
    rdb_text_clear(&texts[1]);
    items_end(&items);
    return status;
}

/* ---- hashes ---- */

struct field {
    struct rdb_text name;
    struct rdb_text value;
    int64_t deadline_ms;
};

/* How a form keeps deadlines. */
struct timed_form {
    bool in_front;    /* of the field, as a length */
    bool behind;      /* the value, in binary */
    bool in_run;      /* behind the value, as an element */
    bool is_relative; /* to the first one */
    int64_t first_ms;
    int64_t before_ms; /* in a run they ascend, those without come last */
};

static int set_deadline(struct field *field, uint64_t ms) {
    if (ms > DEADLINE_READ_MAX) {
        return -EBADMSG;
    }
    field->deadline_ms = ms == 0 ? ENTRY_NO_DEADLINE : (int64_t)ms;
    return 0;
}

static int read_deadline_before(struct rdb_reader *reader, const struct timed_form *form,
                                struct field *field) {
    uint64_t ms;
    if (!rdb_read_length(reader, &ms) || ms > DEADLINE_READ_MAX) {
        return -EBADMSG;
    }
    if (ms > 0 && form->is_relative) {
        ms += (uint64_t)form->first_ms - 1;
        ms = ms == 0 ? 1 : ms;
    }
    return set_deadline(field, ms);
}

static int read_deadline_behind(struct rdb_reader *reader, struct field *field) {
    uint64_t ms;
    if (!rdb_read_number(reader, 8, &ms)) {
        return -EBADMSG;
    }
    return ms == UINT64_MAX ? 0 : set_deadline(field, ms == 0 ? 1 : ms);
}

static int read_deadline_in_run(struct items *items, struct timed_form *form, struct field *field) {
    struct rdb_text text = {0};
    int64_t ms = 0;
    int status = items_need(items, &text);
    if (status == 0 && (!items->walk.is_integer || !num_parse_i64(text.text, &ms) || ms < 0)) {
        status = -EBADMSG;
    }
    rdb_text_clear(&text);
    int64_t order = ms == 0 ? INT64_MAX : ms;
    if (status == 0 && order < form->before_ms) {
        status = -EBADMSG;
    }
    form->before_ms = order;
    return status == 0 ? set_deadline(field, (uint64_t)ms) : status;
}

/* 1, 0 when that was all, or what is wrong. */
static int read_field(const struct decode_source *source, struct items *items,
                      struct timed_form *form, struct field *field) {
    field->deadline_ms = ENTRY_NO_DEADLINE;
    int status = 0;
    if (form->in_front && items->left > 0) {
        status = read_deadline_before(source->reader, form, field);
    }
    if (status == 0) {
        status = items_next(items, &field->name);
        if (status == 0) {
            return 0;
        }
        status = status == 1 ? items_need(items, &field->value) : status;
    }
    if (status == 0 && form->behind) {
        status = read_deadline_behind(source->reader, field);
    }
    if (status == 0 && form->in_run) {
        status = read_deadline_in_run(items, form, field);
    }
    return status == 0 ? 1 : status;
}

static int set_fields(const struct decode_source *source, struct items *items,
                      struct timed_form *form, struct entry *hash) {
    struct field field = {.deadline_ms = 0};
    int status;
    while ((status = read_field(source, items, form, &field)) == 1) {
        struct hash_write write = {.field = element_name_of(field.name.text),
                                   .value = field.value.text,
                                   .deadline_ms = field.deadline_ms};
        /* At the beginning of time nothing is expired, so that what comes twice is seen. */
        int set = hash_set(hash, &source->keyspace->hash_options, &write, 0);
        if (set != 1 || is_stopped(source)) {
            status = set == 1 ? -ECANCELED : set == 0 ? -EBADMSG : set;
            break;
        }
    }
    rdb_text_clear(&field.name);
    rdb_text_clear(&field.value);
    return status;
}

/* How the fields come, and what stands before them. */
static int begin_fields(const struct decode_source *source, struct items *items,
                        struct timed_form *form) {
    *form = (struct timed_form){.before_ms = 0};
    *items = (struct items){.reader = source->reader};
    uint64_t first = 0;
    bool is_led = source->type == RDB_HASH_TIMED || source->type == RDB_HASH_TIMED_LISTPACK;
    if (is_led && (!rdb_read_number(source->reader, 8, &first) || first > DEADLINE_READ_MAX)) {
        return -EBADMSG;
    }
    form->first_ms = (int64_t)first;
    switch (source->type) {
    case RDB_HASH_ZIPMAP:
        return items_begin_run(items, source->reader, COMPACT_ZIPMAP);
    case RDB_HASH_ZIPLIST:
        return items_begin_run(items, source->reader, COMPACT_ZIPLIST);
    case RDB_HASH_LISTPACK:
        return items_begin_run(items, source->reader, COMPACT_LISTPACK);
    case RDB_HASH_TIMED_LISTPACK:
    case RDB_HASH_TIMED_LISTPACK_EARLY:
        form->in_run = true;
        return items_begin_run(items, source->reader, COMPACT_LISTPACK);
    case RDB_HASH_VALKEY:
        form->behind = source->version == RDB_VERSION_VALKEY;
        form->in_front = !form->behind;
        break;
    case RDB_HASH_TIMED:
        form->in_front = true;
        form->is_relative = true;
        break;
    default:
        break;
    }
    return items_begin_strings(items, source->reader, 2);
}

static int decode_hash(const struct decode_source *source, struct entry_shape *shape) {
    struct entry_shape empty = hash_new_shape();
    struct entry *hash = decode_hold(&empty);
    if (hash == NULL) {
        return -ENOMEM;
    }
    struct items items;
    struct timed_form form;
    int status = begin_fields(source, &items, &form);
    if (status == 0) {
        status = set_fields(source, &items, &form, hash);
    }
    items_end(&items);
    if (status == 0 && hash_is_empty(hash)) {
        status = -ENODATA;
    }
    return decode_release(hash, status, shape);
}

int decode_value(const struct decode_source *source, struct entry_shape *shape) {
    switch (source->type) {
    case RDB_STRING:
        return decode_string(source, shape);
    case RDB_LIST:
    case RDB_LIST_ZIPLIST:
    case RDB_LIST_QUICKLIST:
    case RDB_LIST_QUICKLIST_2:
        return decode_list(source, shape);
    case RDB_SET:
    case RDB_SET_INTSET:
    case RDB_SET_LISTPACK:
        return decode_set(source, shape);
    case RDB_ZSET:
    case RDB_ZSET_2:
    case RDB_ZSET_ZIPLIST:
    case RDB_ZSET_LISTPACK:
        return decode_zset(source, shape);
    case RDB_HASH:
    case RDB_HASH_ZIPMAP:
    case RDB_HASH_ZIPLIST:
    case RDB_HASH_LISTPACK:
    case RDB_HASH_VALKEY:
    case RDB_HASH_TIMED_LISTPACK_EARLY:
    case RDB_HASH_TIMED:
    case RDB_HASH_TIMED_LISTPACK:
        return decode_hash(source, shape);
    case RDB_STREAM:
    case RDB_STREAM_2:
    case RDB_STREAM_3:
    case RDB_STREAM_4:
    case RDB_STREAM_5:
        return decode_stream(source, shape);
    default:
        return -EBADMSG;
    }
}
