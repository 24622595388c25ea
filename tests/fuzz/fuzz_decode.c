/* Fuzzer of the decoder of values: whatever is taken must be sound, and comes back the same when
 * it is written and read again.
 *
 * The first byte of the input chooses the limits of compact encodings, the version that the payload
 * is said to be of, and whether what is written again is compressed; the rest is a type and the
 * value, as in DUMP without its footer. The seeds are values of every type as Larder and
 * redis-server write them. */
#include "persist/decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "persist/encode.h"
#include "types/digest.h"
#include "types/value.h"

#define NOW_MS 1700000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct keyspace all_limits[] = {
    {.hash_options = {.pack_entries_max = 512, .pack_value_max = 64},
     .zset_options = {.pack_entries_max = 128, .pack_value_max = 64},
     .set_options = {.integers_max = 512, .pack_entries_max = 128, .pack_value_max = 64},
     .list_options = {.strip_size = -2},
     .stream_options = {.sent_duration_s = 100, .sent_size_max = 100}},
    {.hash_options = {.pack_entries_max = 3, .pack_value_max = 6},
     .zset_options = {.pack_entries_max = 3, .pack_value_max = 6},
     .set_options = {.integers_max = 3, .pack_entries_max = 3, .pack_value_max = 6},
     .list_options = {.strip_size = 2},
     .stream_options = {.sent_duration_s = 7, .sent_size_max = 2}},
    {.list_options = {.strip_size = 1},
     .stream_options = {.sent_duration_s = 100, .sent_size_max = 100}},
};
static const int versions[] = {10, 12, 14, 80};

static void require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "fuzz_decode: %s\n", what);
        abort();
    }
}

/* NULL when it is refused. */
static struct entry *decode(const uint8_t *data, size_t size, int version,
                            const struct keyspace *limits) {
    struct rdb_reader reader = {.at = data + 1, .end = data + size};
    struct rdb_text text = {0};
    struct entry_shape shape = {0};
    struct decode_source source = {.reader = &reader,
                                   .type = data[0],
                                   .version = version,
                                   .text = &text,
                                   .keyspace = limits,
                                   .now_ms = NOW_MS};
    struct entry *value = NULL;
    int status = decode_value(&source, &shape);
    require(status == 0 || status == -EBADMSG || status == -ENODATA || status == -ENOMEM,
            "a status of its own");
    if (status == 0) {
        value = entry_try_new(bytes_of("key", 3), &shape);
        require(value != NULL, "no memory");
        value_validate(value);
    }
    rdb_text_clear(&text);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const struct keyspace *limits = &all_limits[data[0] % 3];
    int version = versions[data[0] / 3 % 4];
    struct entry *value = decode(data + 1, size - 1, version, limits);
    if (value == NULL) {
        return 0;
    }
    struct rdb_writer writer;
    rdb_writer_init(&writer, data[0] / 12 % 2 == 0);
    version = encode_value(value, NULL, 0, &writer);
    require(version >= RDB_VERSION && !writer.failed, "what was read cannot be written");
    struct bytes written = rdb_written(&writer);
    struct entry *again = decode((const uint8_t *)written.at, written.size, version, limits);
    require(again != NULL, "what was written is refused");
    struct digest digests[2] = {{{0}}, {{0}}};
    digest_value(&digests[0], value, 0);
    digest_value(&digests[1], again, 0);
    require(memcmp(&digests[0], &digests[1], sizeof digests[0]) == 0, "it is another value");
    require(value->kind == again->kind, "it has another encoding");
    value_free(value);
    value_free(again);
    rdb_writer_clear(&writer);
    return 0;
}
