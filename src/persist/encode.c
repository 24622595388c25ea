/* encode: one function for each form. */
#include "persist/encode.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "ds/element.h"
#include "persist/compact.h"
#include "persist/encode_int.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/string.h"
#include "types/zset.h"

void encode_begin(struct rdb_writer *writer, int type, const struct bytes *key) {
    rdb_write_byte(writer, (uint8_t)type);
    if (key != NULL) {
        rdb_write_string(writer, *key);
    }
}

static int encode_string(const struct entry *entry, const struct bytes *key,
                         struct rdb_writer *writer) {
    char scratch[NUM_I64_SIZE];
    encode_begin(writer, RDB_STRING, key);
    struct blob *blob = entry_encoding(entry) == ENTRY_BLOB ? entry_pointer(entry) : NULL;
    rdb_write_value(writer, string_bytes(entry, scratch), blob);
    return RDB_VERSION;
}

/* ---- lists ---- */

enum container { CONTAINER_PLAIN = 1, CONTAINER_PACKED = 2 };

/* Nodes as they are written, or only counted. */
struct nodes {
    struct rdb_writer *writer; /* NULL: only counted */
    struct listpack pack;      /* of the node that is being filled */
    size_t packed;             /* elements in it */
    uint64_t count;
};

static void end_pack(struct nodes *nodes) {
    if (nodes->packed == 0) {
        return;
    }
    nodes->packed = 0;
    nodes->count++;
    if (nodes->writer != NULL) {
        rdb_write_length(nodes->writer, CONTAINER_PACKED);
        listpack_write(&nodes->pack, nodes->writer);
        listpack_clear(&nodes->pack);
    }
}

static void add_plain(struct nodes *nodes, struct bytes text, struct blob *blob) {
    end_pack(nodes);
    nodes->count++;
    if (nodes->writer != NULL) {
        rdb_write_length(nodes->writer, CONTAINER_PLAIN);
        rdb_write_value(nodes->writer, text, blob);
    }
}

static void add_packed(struct nodes *nodes, const uint8_t *element) {
    bool is_text = element_tag_is_text(*element);
    if (is_text && !listpack_takes(element_text(element))) {
        add_plain(nodes, element_text(element), NULL);
        return;
    }
    if (nodes->writer != NULL) {
        if (nodes->packed == 0) {
            listpack_init(&nodes->pack, false);
        }
        if (is_text) {
            listpack_add(&nodes->pack, element_text(element));
        } else {
            listpack_add_integer(&nodes->pack, element_integer(element));
        }
    }
    nodes->packed++;
}

/* A block of the list becomes a node; blocks are far smaller than what a listpack holds. */
static uint64_t write_nodes(const struct entry *list, struct rdb_writer *writer) {
    struct nodes nodes = {.writer = writer};
    size_t length = list_length(list);
    struct list_run run;
    for (size_t at = 0; at < length; at += run.count) {
        list_run_at(list, at, &run);
        if (run.blob != NULL) {
            add_plain(&nodes, blob_bytes(run.blob), run.blob);
            continue;
        }
        const uint8_t *element = run.at;
        for (size_t i = 0; i < run.count; i++) {
            add_packed(&nodes, element);
            element += element_size(element);
        }
        end_pack(&nodes);
    }
    return nodes.count;
}

static void write_plain(struct rdb_writer *writer, struct bytes text, struct blob *blob) {
    rdb_write_length(writer, CONTAINER_PLAIN);
    rdb_write_value(writer, text, blob);
}

/* The number of nodes has been told: what would not be a listpack's element by itself is one among
 * others. */
void encode_list_block(const struct strip *strip, struct rdb_writer *writer) {
    if (strip_is_large(strip)) {
        write_plain(writer, blob_bytes(strip_blob(strip)), strip_blob(strip));
        return;
    }
    const uint8_t *element = strip_element(strip, strip->start);
    if (strip->count == 1 && element_tag_is_text(*element) &&
        !listpack_takes(element_text(element))) {
        write_plain(writer, element_text(element), NULL);
        return;
    }
    struct listpack pack;
    listpack_init(&pack, true);
    for (unsigned i = 0; i < strip->count; i++) {
        if (element_tag_is_text(*element)) {
            listpack_add(&pack, element_text(element));
        } else {
            listpack_add_integer(&pack, element_integer(element));
        }
        element += element_size(element);
    }
    rdb_write_length(writer, CONTAINER_PACKED);
    listpack_write(&pack, writer);
    listpack_clear(&pack);
}

static int encode_list(const struct entry *entry, const struct bytes *key,
                       struct rdb_writer *writer) {
    encode_begin(writer, RDB_LIST_QUICKLIST_2, key);
    rdb_write_length(writer, write_nodes(entry, NULL));
    write_nodes(entry, writer);
    return RDB_VERSION;
}

/* ---- sets ---- */

static unsigned width_of(int64_t value) {
    return value >= INT16_MIN && value <= INT16_MAX   ? 2
           : value >= INT32_MIN && value <= INT32_MAX ? 4
                                                      : 8;
}

static int64_t integer_of(struct bytes text) {
    int64_t value = 0;
    check(num_parse_i64(text, &value));
    return value;
}

static void write_integers(const struct entry *set, unsigned width, struct rdb_writer *out) {
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            rdb_write_number(out, (uint64_t)integer_of(batch.members[i]), width);
        }
    }
}

/* The widest is the first or the last one, as they ascend; yet all are looked at, which is as
 * cheap as finding those two. */
static unsigned width_of_all(const struct entry *set) {
    struct set_walk walk;
    struct set_batch batch;
    unsigned width = 2;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            unsigned one = width_of(integer_of(batch.members[i]));
            width = one > width ? one : width;
        }
    }
    return width;
}

static int encode_set(const struct entry *entry, const struct bytes *key,
                      struct rdb_writer *writer) {
    if (entry_encoding(entry) == ENTRY_INTEGERS) {
        struct rdb_writer run;
        rdb_writer_init(&run, false);
        unsigned width = width_of_all(entry);
        rdb_write_number(&run, width, 4);
        rdb_write_number(&run, set_size(entry), 4);
        write_integers(entry, width, &run);
        encode_begin(writer, RDB_SET_INTSET, key);
        rdb_write_string(writer, rdb_written(&run));
        writer->failed = writer->failed || run.failed;
        rdb_writer_clear(&run);
        return RDB_VERSION;
    }
    encode_begin(writer, RDB_SET, key);
    rdb_write_length(writer, set_size(entry));
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, entry);
    while (set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            rdb_write_string(writer, batch.members[i]);
        }
    }
    return RDB_VERSION;
}

/* ---- sorted sets ---- */

static void pack_member(void *context, const struct zset_member *member) {
    struct listpack *pack = context;
    char text[NUM_FLOAT_SIZE];
    listpack_add(pack, member->name);
    listpack_add(pack, bytes_of(text, num_format_double(text, member->score)));
}

static void write_member(void *context, const struct zset_member *member) {
    uint64_t bits;
    memcpy(&bits, &member->score, sizeof bits);
    rdb_write_string(context, member->name);
    rdb_write_number(context, bits, 8);
}

/* Ends a compact form: false when its elements cannot be in one. */
static bool write_pack(struct listpack *pack, enum rdb_type type, const struct bytes *key,
                       struct rdb_writer *writer) {
    bool fits = !pack->refused;
    if (fits) {
        encode_begin(writer, type, key);
        listpack_write(pack, writer);
    }
    listpack_clear(pack);
    return fits;
}

static int encode_zset(const struct entry *entry, const struct bytes *key,
                       struct rdb_writer *writer) {
    struct zset_span all = {.count = zset_length(entry)};
    if (entry_encoding(entry) == ENTRY_PACK) {
        struct listpack pack;
        listpack_init(&pack, false);
        zset_visit(entry, all, false, pack_member, &pack);
        if (write_pack(&pack, RDB_ZSET_LISTPACK, key, writer)) {
            return RDB_VERSION;
        }
    }
    encode_begin(writer, RDB_ZSET_2, key);
    rdb_write_length(writer, all.count);
    zset_visit(entry, all, true, write_member, writer);
    return RDB_VERSION;
}

/* ---- hashes ---- */

static void pack_field(void *context, const struct hash_field *field) {
    listpack_add(context, field->name);
    listpack_add(context, field->value);
}

static void write_field(void *context, const struct hash_field *field) {
    rdb_write_string(context, field->name);
    rdb_write_value(context, field->value, field->blob);
}

/* Deadlines are written as what they are beyond the first of them. */
struct timed_fields {
    struct rdb_writer *writer;
    int64_t first_ms; /* 0: there is none */
};

static void find_first(void *context, const struct hash_field *field) {
    struct timed_fields *timed = context;
    if (field->deadline_ms > 0 && (timed->first_ms == 0 || field->deadline_ms < timed->first_ms)) {
        timed->first_ms = field->deadline_ms;
    }
}

static void write_timed_field(void *context, const struct hash_field *field) {
    struct timed_fields *timed = context;
    rdb_write_length(timed->writer, field->deadline_ms <= 0
                                        ? 0
                                        : (uint64_t)(field->deadline_ms - timed->first_ms) + 1);
    write_field(timed->writer, field);
}

static int encode_hash(const struct entry *entry, const struct bytes *key, int64_t now_ms,
                       struct rdb_writer *writer) {
    size_t length = hash_length(entry, now_ms);
    if (length == 0) {
        return -ENODATA;
    }
    struct timed_fields timed = {.writer = writer};
    if (hash_has_deadlines(entry)) {
        hash_visit(entry, now_ms, find_first, &timed);
    }
    if (timed.first_ms != 0) {
        encode_begin(writer, RDB_HASH_TIMED, key);
        rdb_write_number(writer, (uint64_t)timed.first_ms, 8);
        rdb_write_length(writer, length);
        hash_visit(entry, now_ms, write_timed_field, &timed);
        return RDB_VERSION_TIMED;
    }
    if (entry_encoding(entry) != ENTRY_TABLE) {
        struct listpack pack;
        listpack_init(&pack, false);
        hash_visit(entry, now_ms, pack_field, &pack);
        if (write_pack(&pack, RDB_HASH_LISTPACK, key, writer)) {
            return RDB_VERSION;
        }
    }
    encode_begin(writer, RDB_HASH, key);
    rdb_write_length(writer, length);
    hash_visit(entry, now_ms, write_field, writer);
    return RDB_VERSION;
}

int encode_value(const struct entry *entry, const struct bytes *key, int64_t now_ms,
                 struct rdb_writer *writer) {
    switch (entry_type(entry)) {
    case ENTRY_STRING:
        return encode_string(entry, key, writer);
    case ENTRY_LIST:
        return encode_list(entry, key, writer);
    case ENTRY_SET:
        return encode_set(entry, key, writer);
    case ENTRY_SORTED_SET:
        return encode_zset(entry, key, writer);
    case ENTRY_HASH:
        return encode_hash(entry, key, now_ms, writer);
    case ENTRY_STREAM:
        return encode_stream(entry, key, writer);
    default:
        return -ENOTSUP;
    }
}
