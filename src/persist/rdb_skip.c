/* rdb_skip: each form is a sequence of lengths, strings and plain bytes, some of it repeated. */
#include "persist/rdb_skip.h"

#include <errno.h>

#define MARK_INT8   0xc0
#define MARK_INT32  0xc2
#define MARK_PACKED 0xc3

#define STREAM_ID_SIZE 16u

/* What follows a module's part says its first length. */
enum module_part {
    MODULE_END,
    MODULE_SIGNED,
    MODULE_UNSIGNED,
    MODULE_FLOAT,
    MODULE_DOUBLE,
    MODULE_STRING
};

static bool skip_raw(struct rdb_reader *reader, uint64_t size) {
    if (size > rdb_left(reader)) {
        return false;
    }
    reader->at += size;
    return true;
}

bool rdb_skip_string(struct rdb_reader *reader) {
    uint64_t size;
    if (reader->at == reader->end) {
        return false;
    }
    uint8_t first = *reader->at;
    if (first < MARK_INT8) {
        return rdb_read_length(reader, &size) && skip_raw(reader, size);
    }
    reader->at++;
    if (first <= MARK_INT32) {
        return skip_raw(reader, (uint64_t)1 << (first - MARK_INT8));
    }
    uint64_t expanded;
    return first == MARK_PACKED && rdb_read_length(reader, &size) &&
           rdb_read_length(reader, &expanded) && skip_raw(reader, size);
}

/* ---- collections ---- */

/* One element's parts. */
struct element_form {
    unsigned lengths; /* in front */
    unsigned strings;
    unsigned raw;   /* bytes behind */
    bool has_score; /* as text, behind */
};

static bool skip_lengths(struct rdb_reader *reader, unsigned count) {
    uint64_t ignored;
    for (; count > 0; count--) {
        if (!rdb_read_length(reader, &ignored)) {
            return false;
        }
    }
    return true;
}

static bool skip_score_text(struct rdb_reader *reader) {
    const uint8_t *size;
    return rdb_read_raw(reader, 1, &size) && (*size >= 253 || skip_raw(reader, *size));
}

static bool skip_element(struct rdb_reader *reader, const struct element_form *form) {
    if (!skip_lengths(reader, form->lengths)) {
        return false;
    }
    for (unsigned i = 0; i < form->strings; i++) {
        if (!rdb_skip_string(reader)) {
            return false;
        }
    }
    return skip_raw(reader, form->raw) && (!form->has_score || skip_score_text(reader));
}

static bool skip_elements(struct rdb_reader *reader, const struct element_form *form) {
    uint64_t count;
    if (!rdb_read_length(reader, &count) || count > rdb_left(reader)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!skip_element(reader, form)) {
            return false;
        }
    }
    return true;
}

/* ---- streams ---- */

static bool skip_ids(struct rdb_reader *reader) {
    const struct element_form id = {.raw = STREAM_ID_SIZE};
    return skip_elements(reader, &id);
}

static bool skip_group(struct rdb_reader *reader, int form) {
    uint64_t count;
    if (!rdb_skip_string(reader) || !skip_lengths(reader, form >= 2 ? 3 : 2) ||
        !rdb_read_length(reader, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        /* The entry, when it was delivered, and how often. */
        if (!skip_raw(reader, STREAM_ID_SIZE + 8) || !skip_lengths(reader, 1)) {
            return false;
        }
    }
    if (!rdb_read_length(reader, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!rdb_skip_string(reader) || !skip_raw(reader, form >= 3 ? 16 : 8) ||
            !skip_ids(reader)) {
            return false;
        }
    }
    return form < 5 || skip_ids(reader);
}

static bool skip_producers(struct rdb_reader *reader) {
    uint64_t count;
    if (!skip_lengths(reader, 2) || !rdb_read_length(reader, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        uint64_t calls;
        if (!rdb_skip_string(reader) || !rdb_read_length(reader, &calls)) {
            return false;
        }
        for (; calls > 0; calls--) {
            if (!rdb_skip_string(reader) || !skip_lengths(reader, 2)) {
                return false;
            }
        }
    }
    return skip_lengths(reader, 2);
}

static bool skip_stream(struct rdb_reader *reader, int form) {
    const struct element_form node = {.strings = 2};
    uint64_t groups;
    if (!skip_elements(reader, &node) || !skip_lengths(reader, form >= 2 ? 8 : 3) ||
        !rdb_read_length(reader, &groups)) {
        return false;
    }
    for (; groups > 0; groups--) {
        if (!skip_group(reader, form)) {
            return false;
        }
    }
    return form < 4 || skip_producers(reader);
}

/* ---- modules ---- */

bool rdb_skip_module_parts(struct rdb_reader *reader) {
    uint64_t part;
    while (rdb_read_length(reader, &part)) {
        bool fine = false;
        switch (part) {
        case MODULE_END:
            return true;
        case MODULE_SIGNED:
        case MODULE_UNSIGNED:
            fine = skip_lengths(reader, 1);
            break;
        case MODULE_FLOAT:
            fine = skip_raw(reader, 4);
            break;
        case MODULE_DOUBLE:
            fine = skip_raw(reader, 8);
            break;
        case MODULE_STRING:
            fine = rdb_skip_string(reader);
            break;
        default:
            break;
        }
        if (!fine) {
            return false;
        }
    }
    return false;
}

/* ---- all ---- */

static const struct element_form *form_of(int type, int version) {
    static const struct element_form single = {.strings = 1};
    static const struct element_form field = {.strings = 2};
    static const struct element_form score_text = {.strings = 1, .has_score = true};
    static const struct element_form score = {.strings = 1, .raw = 8};
    static const struct element_form node = {.lengths = 1, .strings = 1};
    static const struct element_form timed = {.lengths = 1, .strings = 2};
    static const struct element_form timed_behind = {.strings = 2, .raw = 8};
    switch (type) {
    case RDB_LIST:
    case RDB_SET:
    case RDB_LIST_QUICKLIST:
        return &single;
    case RDB_HASH:
        return &field;
    case RDB_ZSET:
        return &score_text;
    case RDB_ZSET_2:
        return &score;
    case RDB_LIST_QUICKLIST_2:
        return &node;
    case RDB_HASH_TIMED:
        return &timed;
    case RDB_HASH_VALKEY:
        return version >= RDB_VERSION_VALKEY ? &timed_behind : &timed;
    default:
        return NULL;
    }
}

int rdb_skip_value(struct rdb_reader *reader, int type, int version) {
    bool fine;
    switch (type) {
    case RDB_STRING:
    case RDB_HASH_ZIPMAP:
    case RDB_LIST_ZIPLIST:
    case RDB_SET_INTSET:
    case RDB_ZSET_ZIPLIST:
    case RDB_HASH_ZIPLIST:
    case RDB_HASH_LISTPACK:
    case RDB_ZSET_LISTPACK:
    case RDB_SET_LISTPACK:
    case RDB_HASH_TIMED_LISTPACK_EARLY:
        fine = rdb_skip_string(reader);
        break;
    case RDB_HASH_TIMED_LISTPACK:
        fine = skip_raw(reader, 8) && rdb_skip_string(reader);
        break;
    case RDB_STREAM:
        fine = skip_stream(reader, 1);
        break;
    case RDB_STREAM_2:
        fine = skip_stream(reader, 2);
        break;
    case RDB_STREAM_3:
        fine = skip_stream(reader, 3);
        break;
    case RDB_STREAM_4:
        fine = skip_stream(reader, 4);
        break;
    case RDB_STREAM_5:
        fine = skip_stream(reader, 5);
        break;
    case RDB_MODULE:
        fine = skip_lengths(reader, 1) && rdb_skip_module_parts(reader);
        break;
    default: {
        const struct element_form *form = form_of(type, version);
        if (form == NULL) {
            return -ENOTSUP;
        }
        fine = (type != RDB_HASH_TIMED || skip_raw(reader, 8)) && skip_elements(reader, form);
    }
    }
    return fine ? 0 : -EBADMSG;
}

const char *rdb_type_name(int type) {
    static const char *const names[] = {
        [RDB_STRING] = "string",
        [RDB_LIST] = "list",
        [RDB_SET] = "set",
        [RDB_ZSET] = "zset",
        [RDB_HASH] = "hash",
        [RDB_ZSET_2] = "zset",
        [RDB_MODULE] = "module",
        [RDB_HASH_ZIPMAP] = "hash",
        [RDB_LIST_ZIPLIST] = "list",
        [RDB_SET_INTSET] = "set",
        [RDB_ZSET_ZIPLIST] = "zset",
        [RDB_HASH_ZIPLIST] = "hash",
        [RDB_LIST_QUICKLIST] = "list",
        [RDB_STREAM] = "stream",
        [RDB_HASH_LISTPACK] = "hash",
        [RDB_ZSET_LISTPACK] = "zset",
        [RDB_LIST_QUICKLIST_2] = "list",
        [RDB_STREAM_2] = "stream",
        [RDB_SET_LISTPACK] = "set",
        [RDB_STREAM_3] = "stream",
        [RDB_HASH_VALKEY] = "hash",
        [RDB_HASH_TIMED_LISTPACK_EARLY] = "hash",
        [RDB_HASH_TIMED] = "hash",
        [RDB_HASH_TIMED_LISTPACK] = "hash",
        [RDB_STREAM_4] = "stream",
        [RDB_STREAM_5] = "stream",
    };
    if (type < 0 || (size_t)type >= sizeof names / sizeof names[0] || names[type] == NULL) {
        return "unknown";
    }
    return names[type];
}
