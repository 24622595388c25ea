/* Tests of the codec: values of every type and encoding go there and back; payloads of older
 * versions and of other servers, byte by byte; and damaged ones by the thousand, none of which may
 * be taken for a value that is not sound. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "persist/crc64.h"
#include "persist/decode.h"
#include "persist/encode.h"
#include "persist/lzf.h"
#include "types/string.h"
#include "types/stream_group.h"
#include "types/stream_producer.h"
#include "types/value.h"

#define NOW_MS         1000000
#define DAMAGES        3000
#define TEXT_MAX       700
#define FAILURES_TRIED 60

/* Small limits, so that few elements reach every encoding. */
static struct keyspace limits = {
    .hash_options = {.pack_entries_max = 8, .pack_value_max = 40},
    .zset_options = {.pack_entries_max = 8, .pack_value_max = 40},
    .set_options = {.integers_max = 8, .pack_entries_max = 8, .pack_value_max = 40},
    .list_options = {.strip_size = 5},
    .stream_options = {.node_size_max = 600,
                       .node_entries_max = 5,
                       .sent_duration_s = STREAM_DURATION_DEFAULT,
                       .sent_size_max = STREAM_SENT_SIZE_DEFAULT},
};

static uint32_t chance = 1;

static size_t below(size_t limit) {
    chance = chance * 1664525 + 1013904223;
    return (size_t)((uint64_t)chance * limit >> 32);
}

/* Texts of many kinds, `number` makes each one different. */
static struct bytes make_text(char *room, size_t number) {
    int size = snprintf(room, TEXT_MAX, "%zu", number);
    switch (number % 5) {
    case 0:
        break;
    case 1:
        size = snprintf(room, TEXT_MAX, "-%zu%zu", number * 77777777, number);
        break;
    case 2:
        memset(room + size, 'r', number * 7 % 200);
        size += (int)(number * 7 % 200);
        break;
    case 3:
        memset(room + size, '\0', 20);
        size += 20;
        break;
    default:
        for (size_t i = 0; i < number % 400; i++) {
            room[size++] = (char)below(256);
        }
    }
    return bytes_of(room, (size_t)size);
}

static void fill(struct entry *value, size_t count, bool integers, bool timed) {
    char name[TEXT_MAX];
    char text[TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "%zu", i * i * 1000);
        struct bytes member = integers ? bytes_of(name, size) : make_text(name, i);
        struct bytes other = make_text(text, i + 3);
        struct list_write push = {.text = other};
        struct hash_write write = {.field = element_name_of(member),
                                   .value = other,
                                   .deadline_ms = timed && i % 3 == 0 ? NOW_MS + 5000 + (int64_t)i
                                                                      : ENTRY_NO_DEADLINE};
        struct zset_write score = {.name = element_name_of(member),
                                   .score = (double)(i % 7) * (i % 2 ? 1 : -0.3)};
        double now;
        switch (entry_type(value)) {
        case ENTRY_LIST:
            assert_int_equal(list_push(value, &limits.list_options, LIST_TAIL, &push), 0);
            break;
        case ENTRY_SET:
            set_add(value, &limits.set_options, member, set_hash(member));
            break;
        case ENTRY_SORTED_SET:
            zset_set(value, &limits.zset_options, &score, &now);
            break;
        default:
            assert_true(hash_set(value, &limits.hash_options, &write, NOW_MS) >= 0);
        }
    }
}

/* Ids whose second part goes down where the first goes up, too. */
static struct stream_id id_at(size_t index) {
    return (struct stream_id){100 + index / 3, 1000 - 5 * (index / 3) + index % 3};
}

static void add_entries(struct stream *stream, size_t count) {
    char room[4][TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        struct bytes pairs[4];
        for (size_t k = 0; k < 4; k++) {
            /* The names of every fourth entry are others. */
            bool is_name = k % 2 == 0;
            pairs[k] = make_text(room[k], is_name ? 3 * k + (i % 4 == 3 ? i : 0) : i + k);
        }
        assert_int_equal(stream_add(stream, &limits.stream_options, id_at(i), pairs, 1 + i / 9 % 2),
                         0);
    }
    for (size_t i = 1; i + 1 < count; i += 4) {
        assert_true(stream_delete(stream, id_at(i)));
    }
}

static void add_group(struct stream *stream, const char *name, size_t count, bool unowned) {
    bool no_memory;
    char room[TEXT_MAX];
    struct stream_group *group =
        stream_group_try_add(stream, bytes_text(name), id_at(count / 2),
                             count % 2 ? STREAM_READ_UNKNOWN : (int64_t)count / 2, &no_memory);
    assert_non_null(group);
    for (size_t i = 0; i < 3; i++) {
        struct stream_consumer *consumer =
            stream_consumer_try_add(group, make_text(room, 7 * i), NOW_MS - 5);
        for (size_t at = i; at < count; at += 2 + i) {
            struct stream_pending *pending =
                stream_pending_give(group, id_at(at), consumer, NOW_MS - (int64_t)at);
            pending->deliveries = (int64_t)(at * at * 100);
            consumer->active_ms = NOW_MS - 10;
        }
    }
    for (size_t at = 0; unowned && at < count; at += 3) {
        stream_pending_give(group, id_at(at), NULL, 0);
    }
}

static void add_producers(struct stream *stream, size_t count) {
    char room[TEXT_MAX];
    stream->producers = stream_producers_new(50, 7);
    for (size_t i = 0; i < count; i++) {
        struct bytes iid = make_text(room, i);
        struct stream_sent_id sent = stream_sent_id_of(iid);
        assert_true(stream_sent_try_add(stream->producers, bytes_text(i % 2 ? "p" : "other"), sent,
                                        NOW_MS - 1000 + (int64_t)i, id_at(i)));
    }
}

enum { STREAM = 7, STREAM_OF_GROUPS, STREAM_OF_PRODUCERS, STREAM_OF_UNOWNED };

static struct entry_shape make_stream(size_t kind, size_t count) {
    struct entry_shape shape = stream_new_shape();
    struct stream *stream = (struct stream *)(uintptr_t)shape.word;
    add_entries(stream, count);
    if (kind == STREAM_OF_GROUPS || kind == STREAM_OF_UNOWNED) {
        add_group(stream, "first", count, false);
        add_group(stream, "", count, kind == STREAM_OF_UNOWNED);
    } else if (kind == STREAM_OF_PRODUCERS) {
        add_producers(stream, count);
    }
    return shape;
}

/* A value of one of many kinds and sizes. */
#define KINDS 11
static struct entry *make_value(size_t kind, size_t count) {
    char text[TEXT_MAX];
    struct entry_shape shape;
    switch (kind) {
    case 0:
        assert_true(string_shape(make_text(text, count), &shape));
        break;
    case 1:
        shape = list_new_shape(&limits.list_options, 0);
        break;
    case 2:
    case 3:
        shape = set_new_shape(&limits.set_options, bytes_text("0"), 1);
        break;
    case 4:
        shape = zset_new_shape();
        break;
    case 5:
    case 6:
        shape = hash_new_shape();
        break;
    default:
        shape = make_stream(kind, count);
    }
    struct entry *value = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(value);
    if (kind > 0 && kind < STREAM) {
        fill(value, count, kind == 3, kind == 6);
    }
    return value;
}

static int decode(struct bytes payload, int version, struct entry **value) {
    /* In memory of its own size, so that a sanitizer sees a read beyond it. */
    char *copy = malloc(payload.size > 0 ? payload.size : 1);
    memcpy(copy, payload.at, payload.size);
    struct rdb_reader reader = rdb_reader_of(bytes_of(copy + 1, payload.size - 1));
    struct rdb_text text = {0};
    struct entry_shape shape = {0};
    struct decode_source source = {.reader = &reader,
                                   .type = (uint8_t)copy[0],
                                   .version = version,
                                   .text = &text,
                                   .keyspace = &limits,
                                   .now_ms = NOW_MS};
    int status = decode_value(&source, &shape);
    if (status == 0) {
        *value = entry_try_new(bytes_text("key"), &shape);
        if (*value == NULL) {
            value_discard(&shape);
            status = -ENOMEM;
        } else if (rdb_left(&reader) != 0) {
            value_free(*value);
            status = -EBADMSG;
        }
    }
    rdb_text_clear(&text);
    free(copy);
    return status;
}

/* ---- there and back ---- */

static void same_field(void *context, const struct hash_field *field) {
    struct hash_value value;
    struct element_name name = element_name_of(field->name);
    assert_true(hash_get(context, name, NOW_MS, &value));
    assert_true(bytes_equal(value.text, field->value));
    assert_int_equal(hash_deadline(context, name, NOW_MS), field->deadline_ms);
}

static void same_score(void *context, const struct zset_member *member) {
    double score;
    assert_true(zset_score(context, element_name_of(member->name), &score));
    assert_true(score == member->score);
}

static void same_member(void *context, struct bytes member) {
    assert_true(set_has(context, member, set_hash(member)));
}

/* Written again they are the same bytes; what the form has no room for are consumers' times. */
static void same_stream(const struct entry *a, const struct entry *b) {
    struct rdb_writer writers[2];
    for (size_t i = 0; i < 2; i++) {
        rdb_writer_init(&writers[i], false);
        assert_true(encode_value(i == 0 ? a : b, NULL, NOW_MS, &writers[i]) >= RDB_VERSION);
    }
    assert_int_equal(writers[0].size, writers[1].size);
    assert_memory_equal(writers[0].at, writers[1].at, writers[0].size);
    rdb_writer_clear(&writers[0]);
    rdb_writer_clear(&writers[1]);
    const struct stream *first = stream_of(a);
    const struct stream *second = stream_of(b);
    assert_int_equal(first->nodes.size, second->nodes.size);
    assert_int_equal(first->groups.count, second->groups.count);
    for (uint32_t i = 0; i < first->groups.count; i++) {
        const struct stream_group *group = (const struct stream_group *)first->groups.at[i];
        const struct stream_group *other = (const struct stream_group *)second->groups.at[i];
        assert_int_equal(group->unowned, other->unowned);
        assert_int_equal(group->consumers.count, other->consumers.count);
    }
}

static void assert_same(const struct entry *a, struct entry *b) {
    assert_int_equal(a->kind, b->kind);
    char scratch[2][NUM_I64_SIZE];
    struct list_value values[2];
    switch (entry_type(a)) {
    case ENTRY_STRING:
        assert_true(bytes_equal(string_bytes(a, scratch[0]), string_bytes(b, scratch[1])));
        break;
    case ENTRY_LIST:
        assert_int_equal(list_length(a), list_length(b));
        for (size_t i = 0; i < list_length(a); i++) {
            list_get(a, i, &values[0]);
            list_get(b, i, &values[1]);
            assert_true(bytes_equal(values[0].text, values[1].text));
        }
        break;
    case ENTRY_SET:
        assert_int_equal(set_size(a), set_size(b));
        for (uint64_t at = 0; (at = set_scan(a, at, same_member, b)) != 0;) {}
        break;
    case ENTRY_SORTED_SET:
        assert_int_equal(zset_length(a), zset_length(b));
        zset_visit(a, (struct zset_span){.count = zset_length(a)}, false, same_score, b);
        break;
    case ENTRY_STREAM:
        same_stream(a, b);
        break;
    default:
        assert_int_equal(hash_length(a, NOW_MS), hash_length(b, NOW_MS));
        hash_visit(a, NOW_MS, same_field, b);
    }
}

static int version_of(size_t kind) {
    switch (kind) {
    case 6:
        return RDB_VERSION_TIMED;
    case STREAM_OF_PRODUCERS:
        return RDB_VERSION_PRODUCERS;
    case STREAM_OF_UNOWNED:
        return RDB_VERSION_UNOWNED;
    default:
        return RDB_VERSION;
    }
}

static void values_go_there_and_back(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 5, 8, 9, 30, 150};
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
            struct entry *value = make_value(kind, counts[i / 2]);
            struct rdb_writer writer;
            rdb_writer_init(&writer, i % 2 == 0);
            int version = encode_value(value, NULL, NOW_MS, &writer);
            assert_int_equal(version, version_of(kind));
            assert_false(writer.failed);
            struct entry *back;
            assert_int_equal(decode(rdb_written(&writer), version, &back), 0);
            value_validate(back);
            assert_same(value, back);
            value_free(back);
            value_free(value);
            rdb_writer_clear(&writer);
        }
    }
}

static void a_hash_whose_fields_expired_is_nothing(void **state) {
    (void)state;
    struct entry *hash = make_value(6, 1);
    struct rdb_writer writer;
    rdb_writer_init(&writer, true);
    assert_int_equal(encode_value(hash, NULL, NOW_MS + 100000, &writer), -ENODATA);
    assert_int_equal(writer.size, 0);
    value_free(hash);
}

/* ---- other versions, byte by byte ---- */

struct sample {
    const char *bytes;
    size_t size;
    int version;
    int status;
    size_t weight; /* elements */
};
#define SAMPLE(bytes_, version_, status_, count_)                                                  \
    { (bytes_), sizeof(bytes_) - 1, (version_), (status_), (count_) }

/* Of streams. */
#define ID_1000_5 "\0\0\0\0\0\0\x03\xe8\0\0\0\0\0\0\0\x05"
#define ID_1001_0 "\0\0\0\0\0\0\x03\xe9\0\0\0\0\0\0\0\0"
#define NODE_HEAD "\x01\x10" ID_1000_5 "\x29\x29\0\0\0\x0f\0"
#define NODE_ENTRIES                                                                               \
    "\x02\x01\0\x01\x01\x01\x81"                                                                   \
    "f\x02\0\x01\x02\x01\0\x01\0\x01\x81"                                                          \
    "a\x02\x04\x01\x02\x01\x01\x01\xdf\xfb\x02\x81"                                                \
    "b\x02\x04\x01\xff"
#define NUMBERS "\x02\x43\xe9\0\x43\xe8\x05\0\0\x02"
#define TIME    "\x01\0\0\0\0\0\0\0"
#define PENDING ID_1000_5 TIME "\x03"

static const struct sample samples[] = {
    /* Lists: strings; a ziplist of a, 1, -1, 300; one in a quicklist; as Redis 7 writes it. */
    SAMPLE("\x01\x02\x01"
           "a\xc0\x05",
           6, 0, 2),
    SAMPLE("\x0a\x17\x17\0\0\0\x12\0\0\0\x04\0\0\x01"
           "a\x03\xf2\x02\xfe\xff\x03\xc0\x2c\x01\xff",
           6, 0, 4),
    SAMPLE("\x0e\x01\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01"
           "a\xff",
           9, 0, 1),
    SAMPLE("\x12\x01\x02\x12\x12\0\0\0\x04\0\x81"
           "a\x02\x01\x01\xdf\xff\x02\xc1\x2c\x02\xff",
           10, 0, 4),
    SAMPLE("\x12\x01\x03\x01"
           "a",
           10, -EBADMSG, 0),
    SAMPLE("\x01\0", 6, -ENODATA, 0),
    SAMPLE("\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff", 6, -EBADMSG, 0),
    /* Sets: integers; out of order; twice the same. */
    SAMPLE("\x0b\x10\x04\0\0\0\x02\0\0\0\x01\0\0\0\x70\x11\x01\0", 10, 0, 2),
    SAMPLE("\x0b\x10\x04\0\0\0\x02\0\0\0\x70\x11\x01\0\x01\0\0\0", 10, -EBADMSG, 0),
    SAMPLE("\x02\x02\x01"
           "a\x01"
           "a",
           10, -EBADMSG, 0),
    SAMPLE("\x14\x0d\x0d\0\0\0\x02\0\x81"
           "a\x02\x01\x01\xff",
           11, -EBADMSG, 0),
    SAMPLE("\x14\x0c\x0c\0\0\0\x02\0\x81"
           "a\x02\x01\x01\xff",
           11, 0, 2),
    /* Sorted sets: scores as text; in binary; as a listpack, and that out of order. */
    SAMPLE("\x03\x02\x01"
           "a\x03"
           "1.5\x01"
           "b\xfe",
           6, 0, 2),
    SAMPLE("\x03\x01\x01"
           "a\xfd",
           6, -EBADMSG, 0),
    SAMPLE("\x05\x01\x01"
           "a\0\0\0\0\0\0\xf0\x3f",
           10, 0, 1),
    SAMPLE("\x05\x01\x01"
           "a\0\0\0\0\0\0\xf8\x7f",
           10, -EBADMSG, 0),
    SAMPLE("\x11\x11\x11\0\0\0\x04\0\x81"
           "a\x02\x01\x01\x81"
           "b\x02\x02\x01\xff",
           10, 0, 2),
    SAMPLE("\x11\x11\x11\0\0\0\x04\0\x81"
           "a\x02\x03\x01\x81"
           "b\x02\x02\x01\xff",
           10, -EBADMSG, 0),
    /* Hashes: a zipmap; with deadlines of Redis's and of Valkey's. */
    SAMPLE("\x09\x0c\x02\x01"
           "a\x01\0"
           "1\x01"
           "b\x01\0"
           "2\xff",
           6, 0, 2),
    SAMPLE("\x09\x0d\x02\x01"
           "a\x01\0"
           "1\x01"
           "b\x01\0"
           "2\xff",
           6, -EBADMSG, 0),
    SAMPLE("\x09\x0b\x02\x01"
           "a\x01\0"
           "1\x01"
           "b\x00\0\xff",
           6, 0, 2),
    SAMPLE("\x18\x01\x02\0\0\0\0\0\0\x01\x05\x01"
           "a\x01"
           "b",
           12, 0, 1),
    SAMPLE("\x16\x01\x01"
           "a\x01"
           "b\x01\x02\0\0\0\0\0\0",
           80, 0, 1),
    SAMPLE("\x16\x01\x01"
           "a\x01"
           "b\xff\xff\xff\xff\xff\xff\xff\xff",
           80, 0, 1),
    SAMPLE("\x16\x01\x01"
           "a\x01"
           "b\xfe\xff\xff\xff\xff\xff\xff\xff",
           80, -EBADMSG, 0),
    /* Strings: 30 times x, compressed; expanding to less, and to more than can be. */
    SAMPLE("\0\xc3\x09\x1e\x01xx\xe0\x11\0\x01xx", 10, 0, 1),
    SAMPLE("\0\xc3\x09\x1d\x01xx\xe0\x11\0\x01xx", 10, -EBADMSG, 0),
    SAMPLE("\0\xc3\x09\x80\xff\0\0\0\x01xx\xe0\x11\0\x01xx", 10, -EBADMSG, 0),
    /* Streams: of 1000-5 and 1001-0, as Redis 7.0 writes them, and 5.0; of another length, with one
     * entry removed, with ids that do not ascend, with a count of elements that is wrong, without
     * any entry. */
    SAMPLE("\x13" NODE_HEAD NODE_ENTRIES "\x02\x43\xe9\0\x43\xe8\x05\0\0\x02\0", 10, 0, 2),
    SAMPLE("\x0f" NODE_HEAD NODE_ENTRIES "\x02\x43\xe9\0\0", 9, 0, 2),
    SAMPLE("\x0f" NODE_HEAD NODE_ENTRIES "\x03\x43\xe9\0\0", 9, -EBADMSG, 0),
    SAMPLE("\x0f" NODE_HEAD NODE_ENTRIES "\x02\x43\xe8\x05\0", 9, -EBADMSG, 0),
    SAMPLE("\x0f" NODE_HEAD "\x01\x01\x01\x01\x01\x01\x81"
           "f\x02\0\x01\x02\x01\0\x01\0\x01\x81"
           "a\x02\x04\x01\x03\x01\x01\x01\xdf\xfb\x02\x81"
           "b\x02\x04\x01\xff\x01\x43\xe9\0\0",
           9, 0, 1),
    SAMPLE("\x0f" NODE_HEAD "\x02\x01\0\x01\x01\x01\x81"
           "f\x02\0\x01\x02\x01\0\x01\0\x01\x81"
           "a\x02\x04\x01\x02\x01\0\x01\xdf\xfb\x02\x81"
           "b\x02\x04\x01\xff\x02\x43\xe9\0\0",
           9, -EBADMSG, 0),
    SAMPLE("\x0f" NODE_HEAD "\x02\x01\0\x01\x01\x01\x81"
           "f\x02\0\x01\x02\x01\0\x01\0\x01\x81"
           "a\x02\x05\x01\x02\x01\x01\x01\xdf\xfb\x02\x81"
           "b\x02\x04\x01\xff\x02\x43\xe9\0\0",
           9, -EBADMSG, 0),
    SAMPLE("\x13\0\0\0\0\0\0\0\0\0\0", 10, 0, 0),
    /* With groups, whose consumers come in any order: with times of Redis 7.2; one name twice; an
     * id that two have; one that nobody has, and where that may be. */
    SAMPLE("\x15" NODE_HEAD NODE_ENTRIES NUMBERS "\x01\x01g\x43\xe9\0\x02\x01" PENDING
           "\x02\x02zz" TIME TIME "\x01" ID_1000_5 "\x01y" TIME
           "\xff\xff\xff\xff\xff\xff\xff\xff\0",
           11, 0, 2),
    SAMPLE("\x13" NODE_HEAD NODE_ENTRIES NUMBERS "\x01\x01g\x43\xe9\0\x02\x01" PENDING
           "\x02\x01z" TIME "\x01" ID_1000_5 "\x01z" TIME "\0",
           10, -EBADMSG, 0),
    SAMPLE("\x13" NODE_HEAD NODE_ENTRIES NUMBERS "\x01\x01g\x43\xe9\0\x02\x01" PENDING
           "\x02\x01z" TIME "\x01" ID_1000_5 "\x01y" TIME "\x01" ID_1000_5,
           10, -EBADMSG, 0),
    SAMPLE("\x13" NODE_HEAD NODE_ENTRIES NUMBERS "\x01\x01g\x43\xe9\0\x02\x01" PENDING
           "\x01\x01z" TIME "\0",
           10, -EBADMSG, 0),
    SAMPLE("\x1b" NODE_HEAD NODE_ENTRIES NUMBERS "\x01\x01g\x43\xe9\0\x02\x01" PENDING
           "\x01\x01z" TIME TIME "\0\x01" ID_1000_5 "\x40\x64\x40\x64\0\0\0",
           14, 0, 2),
    SAMPLE("\x1b" NODE_HEAD NODE_ENTRIES NUMBERS "\x01\x01g\x43\xe9\0\x02\x01" PENDING
           "\x01\x01z" TIME TIME "\0\x01" ID_1001_0 "\x40\x64\x40\x64\0\0\0",
           14, -EBADMSG, 0),
    /* With a producer that has sent two, of one at most. */
    SAMPLE("\x1a" NODE_HEAD NODE_ENTRIES NUMBERS
           "\0\x0a\x02\x01\x01p\x02\x01x\x43\xe8\x05\x01y\x43\xe9\0\x02\x01",
           13, 0, 2),
    SAMPLE("\x1a" NODE_HEAD NODE_ENTRIES NUMBERS
           "\0\x0a\x01\x01\x01p\x02\x01x\x43\xe8\x05\x01y\x43\xe9\0\x02\x01",
           13, -EBADMSG, 0),
    /* Modules, and what is not known. */
    SAMPLE("\x07\x01\0", 10, -EBADMSG, 0),
    SAMPLE("\x63\x01\0", 10, -EBADMSG, 0),
};

static size_t count_of(const struct entry *value) {
    switch (entry_type(value)) {
    case ENTRY_LIST:
        return list_length(value);
    case ENTRY_SET:
        return set_size(value);
    case ENTRY_SORTED_SET:
        return zset_length(value);
    case ENTRY_HASH:
        return hash_length(value, 0);
    case ENTRY_STREAM:
        return stream_of(value)->length;
    default:
        return 1;
    }
}

static void older_forms_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *sample = &samples[i];
        struct entry *value;
        int status = decode(bytes_of(sample->bytes, sample->size), sample->version, &value);
        if (status != sample->status) {
            fail_msg("sample %zu: %d", i, status);
        }
        if (status == 0) {
            value_validate(value);
            assert_int_equal(count_of(value), sample->weight);
            value_free(value);
        }
    }
}

/* ---- damage ---- */

static void try_damaged(struct bytes payload) {
    struct entry *value;
    if (payload.size > 0 &&
        decode(payload, below(2) ? RDB_VERSION : RDB_VERSION_VALKEY, &value) == 0) {
        value_validate(value);
        assert_true(count_of(value) > 0 || entry_type(value) == ENTRY_STREAM);
        value_free(value);
    }
}

static void damage(struct bytes payload, struct bytes other) {
    char *copy = malloc(payload.size + other.size);
    memcpy(copy, payload.at, payload.size);
    size_t size = payload.size;
    switch (below(4)) {
    case 0:
        size = below(size + 1);
        break;
    case 1: {
        /* The head of one, the tail of another. */
        size_t head = below(size);
        size_t tail = below(other.size);
        memcpy(copy + head, other.at + tail, other.size - tail);
        size = head + other.size - tail;
        break;
    }
    default:
        for (size_t flips = 1 + below(3); flips > 0; flips--) {
            size_t at = below(4) == 0 ? below(size < 12 ? size : 12) : below(size);
            copy[at] = below(2) ? (char)(copy[at] ^ 1 << below(8)) : (char)below(256);
        }
    }
    try_damaged(bytes_of(copy, size));
    free(copy);
}

static void damaged_payloads_are_harmless(void **state) {
    (void)state;
    struct rdb_writer writers[2 * KINDS];
    for (size_t i = 0; i < 2 * KINDS; i++) {
        struct entry *value = make_value(i % KINDS, i < KINDS ? 6 : 14);
        rdb_writer_init(&writers[i], i % 3 == 0);
        encode_value(value, NULL, NOW_MS, &writers[i]);
        value_free(value);
    }
    for (size_t i = 0; i < 2 * KINDS; i++) {
        for (int k = 0; k < DAMAGES; k++) {
            damage(rdb_written(&writers[i]), rdb_written(&writers[below(2 * KINDS)]));
        }
    }
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *other = &samples[below(sizeof samples / sizeof samples[0])];
        for (int k = 0; k < DAMAGES / 4; k++) {
            damage(bytes_of(samples[i].bytes, samples[i].size),
                   bytes_of(other->bytes, other->size));
        }
    }
    for (size_t i = 0; i < 2 * KINDS; i++) {
        rdb_writer_clear(&writers[i]);
    }
}

static void decoding_survives_want_of_memory(void **state) {
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct entry *value = make_value(kind, 20);
        struct rdb_writer writer;
        rdb_writer_init(&writer, true);
        int version = encode_value(value, NULL, NOW_MS, &writer);
        for (uint64_t after = 1; after < FAILURES_TRIED; after++) {
            struct entry *back;
            mem_fail_after(after);
            int status = decode(rdb_written(&writer), version, &back);
            mem_fail_after(0);
            assert_true(status == 0 || status == -ENOMEM);
            if (status == 0) {
                assert_same(value, back);
                value_free(back);
            }
        }
        value_free(value);
        rdb_writer_clear(&writer);
    }
}

/* Sizes at which versions walk differently over a listpack go into streams, as there is no other
 * form, and come back. */
static void large_entries_of_streams_go_there_and_back(void **state) {
    (void)state;
    static const size_t sizes[] = {63,    64,     4095,    4096,    16377,  16378,
                                   16379, 300000, 2097145, 2097146, 2097147};
    static char text[2097147];
    memset(text, 'x', sizeof text);
    struct entry_shape shape = stream_new_shape();
    struct entry *value = entry_try_new(bytes_text("key"), &shape);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bytes pairs[2] = {bytes_of(text, sizes[i] % 3), bytes_of(text, sizes[i])};
        /* All in one node, as another server may have them. */
        struct stream_options all = {.node_size_max = 0};
        assert_int_equal(stream_add(stream_of(value), &all, id_at(i), pairs, 1), 0);
    }
    struct rdb_writer writer;
    rdb_writer_init(&writer, false);
    assert_int_equal(encode_value(value, NULL, NOW_MS, &writer), RDB_VERSION);
    struct entry *back;
    assert_int_equal(decode(rdb_written(&writer), RDB_VERSION, &back), 0);
    value_validate(back);
    same_stream(value, back);
    value_free(back);
    value_free(value);
    rdb_writer_clear(&writer);
}

/* Counters stop at the greatest that the form has, or what was written could not be read. */
static void counters_of_streams_stay_readable(void **state) {
    (void)state;
    bool no_memory;
    struct bytes pair[2] = {bytes_text("f"), bytes_text("v")};
    struct entry_shape shape = stream_new_shape();
    struct entry *value = entry_try_new(bytes_text("key"), &shape);
    struct stream *stream = stream_of(value);
    stream->entries_added = INT64_MAX - 1;
    struct stream_group *group =
        stream_group_try_add(stream, bytes_text("g"), STREAM_ID_MIN, INT64_MAX - 1, &no_memory);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stream_add(stream, &limits.stream_options, id_at(i), pair, 1), 0);
        stream_group_advance(stream, group, id_at(i));
    }
    assert_true(stream->entries_added == INT64_MAX && group->entries_read == INT64_MAX);
    struct rdb_writer writer;
    rdb_writer_init(&writer, false);
    struct entry *back;
    assert_int_equal(encode_value(value, NULL, NOW_MS, &writer), RDB_VERSION);
    assert_int_equal(decode(rdb_written(&writer), RDB_VERSION, &back), 0);
    same_stream(value, back);
    value_free(back);
    value_free(value);
    rdb_writer_clear(&writer);
}

static void checksum_is_the_known_one(void **state) {
    (void)state;
    assert_true(crc64(0, "123456789", 9) == 0xe9c6d914c4b8d9ca);
    char text[100];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)below(256);
    }
    for (size_t cut = 0; cut <= sizeof text; cut++) {
        assert_true(crc64(crc64(0, text, cut), text + cut, sizeof text - cut) ==
                    crc64(0, text, sizeof text));
    }
}

static void compressing_expands_to_the_same(void **state) {
    (void)state;
    static char text[20000];
    static char packed[20000];
    static char back[20000];
    for (size_t size = 1; size < sizeof text; size += 1 + size / 3) {
        for (size_t letters = 1; letters < 300; letters *= 4) {
            for (size_t i = 0; i < size; i++) {
                text[i] = (char)below(letters);
            }
            size_t used = lzf_compress(bytes_of(text, size), packed, size);
            if (used > 0) {
                assert_true(used <= size);
                assert_true(lzf_expand(bytes_of(packed, used), back, size));
                assert_memory_equal(text, back, size);
                assert_false(lzf_expand(bytes_of(packed, used), back, size - 1));
            } else {
                assert_true(letters > 1 || size < 8);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_is_the_known_one),
        cmocka_unit_test(compressing_expands_to_the_same),
        cmocka_unit_test(values_go_there_and_back),
        cmocka_unit_test(a_hash_whose_fields_expired_is_nothing),
        cmocka_unit_test(large_entries_of_streams_go_there_and_back),
        cmocka_unit_test(counters_of_streams_stay_readable),
        cmocka_unit_test(older_forms_are_read),
        cmocka_unit_test(damaged_payloads_are_harmless),
        cmocka_unit_test(decoding_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
