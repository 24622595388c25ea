/* check_main: the program larder-check: reads a snapshot file as larder-server would, without a
 * server: what is in it, and the first damage. Ends with 0 when the file is sound, 1 when it is
 * not or cannot be read, 2 when it was called wrongly. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "call/control.h"
#include "persist/rdb_file.h"
#include "persist/rdb_key.h"
#include "persist/rdb_skip.h"
#include "store/keyspace.h"
#include "types/value.h"

/* Names of types that are told apart, unknown ones and modules' included. */
#define KINDS      8
#define KEYS_FIRST ((size_t)1 << 16)
/* Databases that have a line of their own. */
#define DATABASES_MAX 16384

struct kind {
    const char *name;
    uint64_t keys;
    uint64_t with_deadline;
    uint64_t elements;
    uint64_t bytes; /* in the file */
    uint64_t largest;
};

/* Hashes of names that were seen, to find those that come twice: half of it is free. */
struct seen {
    uint64_t *hashes;
    size_t capacity;
    size_t count;
};

struct check {
    struct rdb_file file;
    struct keyspace limits;
    struct clock clock;
    struct rdb_damage damage;
    struct kind kinds[KINDS];
    struct seen seen;
    uint64_t databases[DATABASES_MAX];
    uint64_t keys;
    uint64_t expired;
    uint64_t empty;
    uint64_t functions;
    uint64_t with_use; /* keys of which is told how they were used */
};

/* ---- names that come twice ---- */

static void put(struct seen *seen, uint64_t hash) {
    size_t at = hash & (seen->capacity - 1);
    while (seen->hashes[at] != 0) {
        at = (at + 1) & (seen->capacity - 1);
    }
    seen->hashes[at] = hash;
    seen->count++;
}

static void grow(struct seen *seen) {
    struct seen larger = {.capacity = seen->capacity == 0 ? KEYS_FIRST : seen->capacity * 2};
    larger.hashes = mem_zalloc(MEM_OTHER, larger.capacity * sizeof *larger.hashes);
    for (size_t i = 0; i < seen->capacity; i++) {
        if (seen->hashes[i] != 0) {
            put(&larger, seen->hashes[i]);
        }
    }
    mem_free(MEM_OTHER, seen->hashes, seen->capacity * sizeof *seen->hashes);
    *seen = larger;
}

/* Whether it is new. Two names of one hash of 64 bits are not expected to be met. */
static bool note(struct seen *seen, uint64_t hash) {
    hash = hash == 0 ? 1 : hash;
    if (2 * seen->count >= seen->capacity) {
        grow(seen);
    }
    for (size_t at = hash & (seen->capacity - 1); seen->hashes[at] != 0;
         at = (at + 1) & (seen->capacity - 1)) {
        if (seen->hashes[at] == hash) {
            return false;
        }
    }
    put(seen, hash);
    return true;
}

/* ---- reading ---- */

static struct kind *kind_of(struct check *check, int type) {
    const char *name = rdb_type_name(type);
    struct kind *kind = check->kinds;
    while (kind->name != NULL && strcmp(kind->name, name) != 0) {
        kind++;
    }
    kind->name = name;
    return kind;
}

/* As LLEN, SCARD, ZCARD, HLEN and XLEN count; a string is one. */
static size_t elements_of(const struct entry *entry, int64_t now_ms) {
    switch (entry_type(entry)) {
    case ENTRY_LIST:
        return list_length(entry);
    case ENTRY_SET:
        return set_size(entry);
    case ENTRY_SORTED_SET:
        return zset_length(entry);
    case ENTRY_HASH:
        return hash_length(entry, now_ms);
    case ENTRY_STREAM:
        return (size_t)stream_of(entry)->length;
    default:
        return 1;
    }
}

static void count_key(struct check *check, const struct rdb_record *record,
                      const struct entry *entry) {
    struct kind *kind = kind_of(check, record->type);
    uint64_t bytes = record->name.size + record->value.size;
    kind->keys++;
    kind->bytes += bytes;
    kind->largest = bytes > kind->largest ? bytes : kind->largest;
    kind->elements += elements_of(entry, check->clock.now_ms);
    kind->with_deadline += record->deadline_ms != ENTRY_NO_DEADLINE;
    check->expired +=
        record->deadline_ms != ENTRY_NO_DEADLINE && record->deadline_ms <= check->clock.now_ms;
    check->with_use += record->idle_s >= 0 || record->frequency >= 0;
    check->keys++;
    if (record->database < DATABASES_MAX) {
        check->databases[record->database]++;
    }
}

static int check_key(struct check *check, const struct rdb_record *record) {
    const struct rdb_key_source source = {
        .file = &check->file, .limits = &check->limits, .now_ms = check->clock.now_ms};
    struct entry *entry = NULL;
    int status = rdb_key_decode(&source, record, &entry, &check->damage);
    if (status == -ENODATA) {
        check->empty++;
        return 0;
    }
    if (status != 0) {
        return status;
    }
    struct bytes name = entry_key(entry);
    uint64_t hash = hash_bytes(check->limits.seed, name.at, name.size);
    if (!note(&check->seen, hash + hash_mix((uint64_t)record->database + 1))) {
        status = rdb_damaged(&check->damage, record->offset, "the key %.*s is in the file twice",
                             name.size < 64 ? (int)name.size : 64, name.at);
    } else {
        count_key(check, record, entry);
    }
    value_free(entry);
    return status;
}

static int check_text(struct check *check, const struct rdb_record *record) {
    struct rdb_text name = {0};
    struct rdb_text value = {0};
    struct rdb_reader names = rdb_reader_of(record->name);
    struct rdb_reader values = rdb_reader_of(record->value);
    bool is_note = record->kind == RDB_RECORD_AUX;
    int status = is_note ? rdb_read_string(&names, &name) : 0;
    status = status == 0 ? rdb_read_string(&values, &value) : status;
    if (status != 0) {
        status = rdb_damaged(&check->damage, record->offset, "a text cannot be expanded");
    } else if (is_note) {
        printf("  %-18.*s %.*s\n", bytes_printed(name.text), name.text.at,
               value.text.size < 100 ? (int)value.text.size : 100, value.text.at);
    }
    check->functions += !is_note;
    rdb_text_clear(&name);
    rdb_text_clear(&value);
    return status;
}

static int check_records(struct check *check) {
    struct rdb_record record;
    int status;
    while ((status = rdb_file_next(&check->file, &record)) == 1) {
        status =
            record.kind == RDB_RECORD_KEY ? check_key(check, &record) : check_text(check, &record);
        if (status != 0) {
            return status;
        }
    }
    if (status != 0) {
        check->damage = check->file.damage;
    }
    return status;
}

/* ---- telling ---- */

static void print_kinds(const struct check *check) {
    printf("\n  %-8s %12s %14s %14s %16s %14s\n", "type", "keys", "with deadline", "elements",
           "bytes in file", "largest");
    for (const struct kind *kind = check->kinds; kind < check->kinds + KINDS; kind++) {
        if (kind->keys > 0) {
            printf("  %-8s %12llu %14llu %14llu %16llu %14llu\n", kind->name,
                   (unsigned long long)kind->keys, (unsigned long long)kind->with_deadline,
                   (unsigned long long)kind->elements, (unsigned long long)kind->bytes,
                   (unsigned long long)kind->largest);
        }
    }
    printf("\n");
    for (int i = 0; i < DATABASES_MAX; i++) {
        if (check->databases[i] > 0) {
            printf("  database %-8d %12llu keys\n", i, (unsigned long long)check->databases[i]);
        }
    }
}

static void print_rest(const struct check *check) {
    print_kinds(check);
    printf("  %llu keys have expired, %llu collections are empty: they would be left out\n"
           "  of %llu keys it is told how they were used; %llu libraries of functions\n",
           (unsigned long long)check->expired, (unsigned long long)check->empty,
           (unsigned long long)check->with_use, (unsigned long long)check->functions);
}

static int finish(const struct check *check, const char *path, int status) {
    if (status == 0) {
        print_rest(check);
        printf("%s is sound; %s.\n", path,
               check->file.has_checksum ? "its checksum is right" : "it has no checksum");
        return 0;
    }
    if (check->keys > 0) {
        print_rest(check);
    }
    fflush(stdout);
    if (status == -EBADMSG) {
        fprintf(stderr, "%s is damaged at byte %llu: %s.\n", path,
                (unsigned long long)check->damage.offset, check->damage.text);
    } else {
        fprintf(stderr, "%s cannot be read: %s.\n", path, strerror(-status));
    }
    return 1;
}

static int check_file(struct check *check, const char *path) {
    int status = rdb_file_open(&check->file, path, INT_MAX);
    check->damage = check->file.damage;
    if (status == 0) {
        printf("%s: %zu bytes, version %d of %s's format\n", path, check->file.size,
               check->file.version, check->file.is_valkey ? "Valkey" : "Redis");
        status = check_records(check);
    }
    status = finish(check, path, status);
    rdb_file_close(&check->file);
    mem_free(MEM_OTHER, check->seen.hashes, check->seen.capacity * sizeof *check->seen.hashes);
    return status;
}

int main(int argc, char **argv) {
    static struct check check;
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
        printf("larder-check %s\n", LARDER_VERSION);
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
                "Usage: larder-check FILE\n"
                "Reads a snapshot file of Redis, Valkey or Larder (dump.rdb) and tells what is in\n"
                "it. Ends with 0 when it is sound, with 1 when it is damaged, and says where.\n");
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    hash_seed_draw();
    clock_init(&check.clock);
    struct options *options = options_new();
    struct metrics *metrics = metrics_new();
    keyspace_init(&check.limits, &check.clock, options, metrics);
    int status = check_file(&check, argv[1]);
    options_free(options);
    metrics_free(metrics);
    return status;
}
