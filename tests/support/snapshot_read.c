/* snapshot_read: a reader of its own, which takes nothing for granted. */
#include "support/snapshot_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "persist/crc64.h"
#include "persist/decode.h"
#include "types/value.h"

static int compare(const void *a, const void *b) {
    const struct content_key *x = a;
    const struct content_key *y = b;
    return x->database != y->database ? x->database - y->database : strcmp(x->name, y->name);
}

static void add(struct content *content, int database, const struct entry *entry,
                int64_t deadline_ms, int64_t now_ms) {
    if (content->count == content->capacity) {
        content->capacity = content->capacity == 0 ? 64 : 2 * content->capacity;
        content->keys = realloc(content->keys, content->capacity * sizeof *content->keys);
    }
    struct content_key *key = &content->keys[content->count++];
    *key = (struct content_key){.database = database, .deadline_ms = deadline_ms};
    struct bytes name = entry_key(entry);
    assert_true(name.size < sizeof key->name);
    memcpy(key->name, name.at, name.size);
    struct digest digest = {{0}};
    digest_value(&digest, entry, now_ms);
    digest_format(&digest, key->digest);
}

static void sort(struct content *content) {
    if (content->count > 0) {
        qsort(content->keys, content->count, sizeof *content->keys, compare);
    }
}

void content_of_keyspace(struct content *content, const struct keyspace *keyspace, int64_t now_ms) {
    *content = (struct content){0};
    for (int i = 0; i < keyspace->database_count; i++) {
        struct dict_walk walk = {0};
        struct entry *entry;
        while (dict_walk(&keyspace->databases[i].keys, &walk, &entry, 1) > 0) {
            bool is_empty = entry_type(entry) == ENTRY_HASH && hash_length(entry, now_ms) == 0;
            if (!entry_is_due(entry, now_ms) && !is_empty) {
                add(content, i, entry, entry_deadline(entry), now_ms);
            }
        }
    }
    sort(content);
}

/* What stands before a key's type. */
struct attributes {
    int database;
    int64_t deadline_ms;
};

static void read_key(struct content *content, struct rdb_reader *reader, int type, int version,
                     struct keyspace *keyspace, struct attributes *attributes, int64_t now_ms) {
    struct rdb_text name = {0};
    struct rdb_text text = {0};
    struct entry_shape shape = {0};
    assert_int_equal(rdb_read_string(reader, &name), 0);
    const struct decode_source source = {.reader = reader,
                                         .type = type,
                                         .version = version,
                                         .text = &text,
                                         .keyspace = keyspace,
                                         .now_ms = now_ms};
    assert_int_equal(decode_value(&source, &shape), 0);
    struct entry *entry = entry_try_new(name.text, &shape);
    value_validate(entry);
    add(content, attributes->database, entry, attributes->deadline_ms, now_ms);
    value_free(entry);
    rdb_text_clear(&text);
    rdb_text_clear(&name);
    attributes->deadline_ms = ENTRY_NO_DEADLINE;
}

/* Whether it was an opcode. */
static bool read_mark(struct rdb_reader *reader, int mark, struct attributes *attributes) {
    struct rdb_text text = {0};
    uint64_t number;
    switch (mark) {
    case 0xf8:
        assert_true(rdb_read_length(reader, &number));
        return true;
    case 0xf9:
        assert_true(rdb_read_number(reader, 1, &number));
        return true;
    case 0xfa:
        assert_int_equal(rdb_read_string(reader, &text), 0);
        assert_int_equal(rdb_read_string(reader, &text), 0);
        rdb_text_clear(&text);
        return true;
    case 0xfb:
        assert_true(rdb_read_length(reader, &number));
        assert_true(rdb_read_length(reader, &number));
        return true;
    case 0xfc:
        assert_true(rdb_read_number(reader, 8, &number));
        attributes->deadline_ms = (int64_t)number;
        return true;
    case 0xfe:
        assert_true(rdb_read_length(reader, &number));
        attributes->database = (int)number;
        return true;
    default:
        return false;
    }
}

void content_of_snapshot(struct content *content, struct bytes file, struct keyspace *keyspace,
                         int64_t now_ms) {
    *content = (struct content){0};
    assert_true(file.size > 9 + 9);
    assert_memory_equal(file.at, "REDIS00", 7);
    int version = 10 * (file.at[7] - '0') + file.at[8] - '0';
    struct rdb_reader reader = rdb_reader_of(bytes_of(file.at + 9, file.size - 9));
    struct attributes attributes = {.deadline_ms = ENTRY_NO_DEADLINE};
    uint64_t type;
    for (;;) {
        assert_true(rdb_read_number(&reader, 1, &type));
        if (type == 0xff) {
            break;
        }
        if (!read_mark(&reader, (int)type, &attributes)) {
            read_key(content, &reader, (int)type, version, keyspace, &attributes, now_ms);
        }
    }
    uint64_t sum;
    assert_true(rdb_read_number(&reader, 8, &sum));
    assert_int_equal(rdb_left(&reader), 0);
    assert_true(sum == 0 || sum == crc64(0, file.at, file.size - 8));
    sort(content);
}

void content_compare(const struct content *expected, const struct content *found, int64_t now_ms) {
    size_t e = 0;
    size_t f = 0;
    for (;;) {
        while (e < expected->count && expected->keys[e].deadline_ms != ENTRY_NO_DEADLINE &&
               expected->keys[e].deadline_ms <= now_ms) {
            e++;
        }
        while (f < found->count && found->keys[f].deadline_ms != ENTRY_NO_DEADLINE &&
               found->keys[f].deadline_ms <= now_ms) {
            f++;
        }
        if (e == expected->count || f == found->count) {
            break;
        }
        const struct content_key *x = &expected->keys[e++];
        const struct content_key *y = &found->keys[f++];
        if (compare(x, y) != 0 || x->deadline_ms != y->deadline_ms ||
            strcmp(x->digest, y->digest) != 0) {
            fail_msg("expected %d %s %lld %s, found %d %s %lld %s", x->database, x->name,
                     (long long)x->deadline_ms, x->digest, y->database, y->name,
                     (long long)y->deadline_ms, y->digest);
        }
    }
    assert_int_equal(e, expected->count);
    assert_int_equal(f, found->count);
}

void content_clear(struct content *content) {
    free(content->keys);
    *content = (struct content){0};
}
