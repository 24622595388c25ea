/* digest: see the header. */
#include "types/digest.h"

#include <string.h>

#include "base/hash.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/stream.h"
#include "types/stream_group.h"
#include "types/stream_producer.h"
#include "types/string.h"
#include "types/zset.h"

static const uint64_t seeds[DIGEST_WORDS] = {0x2545f4914f6cdd1dull, 0x9fb21c651e98df25ull,
                                             0xd6e8feb86659fd93ull};

void digest_number(struct digest *digest, uint64_t number) {
    for (size_t i = 0; i < DIGEST_WORDS; i++) {
        digest->words[i] = hash_mix(hash_mix(digest->words[i] + seeds[i]) ^ number);
    }
}

void digest_text(struct digest *digest, struct bytes text) {
    for (size_t i = 0; i < DIGEST_WORDS; i++) {
        uint64_t mixed = hash_mix(digest->words[i] + seeds[i]);
        digest->words[i] = hash_mix(mixed ^ hash_bytes(seeds[i], text.at, text.size));
    }
}

void digest_sum(struct digest *digest, const struct digest *part) {
    for (size_t i = 0; i < DIGEST_WORDS; i++) {
        digest->words[i] += part->words[i];
    }
}

void digest_format(const struct digest *digest, char out[DIGEST_TEXT_SIZE]) {
    for (size_t i = 0; i < DIGEST_TEXT_SIZE; i++) {
        out[i] = "0123456789abcdef"[digest->words[i / 16] >> (i % 16 * 4) & 15];
    }
}

static void digest_list(struct digest *digest, const struct entry *list) {
    size_t length = list_length(list);
    for (size_t i = 0; i < length; i++) {
        struct list_value value;
        list_get(list, i, &value);
        digest_text(digest, value.text);
    }
}

static void digest_set(struct digest *digest, const struct entry *set) {
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            struct digest part = {{0}};
            digest_text(&part, batch.members[i]);
            digest_sum(digest, &part);
        }
    }
}

static void add_member(void *context, const struct zset_member *member) {
    struct digest part = {{0}};
    uint64_t bits;
    memcpy(&bits, &member->score, sizeof bits);
    digest_text(&part, member->name);
    digest_number(&part, bits);
    digest_sum(context, &part);
}

static void add_field(void *context, const struct hash_field *field) {
    struct digest part = {{0}};
    digest_text(&part, field->name);
    digest_text(&part, field->value);
    digest_number(&part, (uint64_t)field->deadline_ms);
    digest_sum(context, &part);
}

/* ---- streams ---- */

static void add_id(struct digest *digest, struct stream_id id) {
    digest_number(digest, id.ms);
    digest_number(digest, id.seq);
}

static void add_entry(struct digest *digest, const struct stream_entry *entry) {
    const uint8_t *names = entry->names;
    const uint8_t *values = entry->values;
    add_id(digest, entry->id);
    for (uint32_t i = 0; i < entry->field_count; i++) {
        char scratch[NUM_I64_SIZE];
        struct bytes text;
        if (names != NULL) {
            names = stream_text_read(names, &text, scratch);
        } else {
            values = stream_text_read(values, &text, scratch);
        }
        digest_text(digest, text);
        values = stream_text_read(values, &text, scratch);
        digest_text(digest, text);
    }
}

static void add_group(struct digest *digest, const struct stream_group *group) {
    digest_text(digest, stream_name(&group->named));
    add_id(digest, group->last_id);
    digest_number(digest, (uint64_t)group->entries_read);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        digest_text(digest, stream_name(group->consumers.at[i]));
    }
    struct id_place place = id_index_first(&group->pending);
    for (; !id_index_at_end(&group->pending, place);
         place = id_index_next(&group->pending, place)) {
        const struct stream_pending *pending = id_index_item(&group->pending, place);
        const struct stream_consumer *owner = stream_pending_owner(group, pending);
        add_id(digest, pending->id);
        digest_number(digest, (uint64_t)pending->delivered_ms);
        digest_number(digest, (uint64_t)pending->deliveries);
        digest_text(digest, owner == NULL ? bytes_text("") : stream_name(&owner->named));
    }
}

static void add_producers(struct digest *digest, const struct stream_producers *producers) {
    digest_number(digest, producers->duration_s);
    digest_number(digest, producers->size_max);
    for (uint32_t i = 0; i < producers->names.count; i++) {
        digest_text(digest, stream_producer_name(producers, i));
        for (uint32_t at = 0; at < stream_producer_count(producers, i); at++) {
            struct stream_sent sent = stream_producer_sent(producers, i, at);
            digest_number(digest, sent.sent.low);
            digest_number(digest, sent.sent.high);
            add_id(digest, sent.id);
        }
    }
}

static void digest_stream(struct digest *digest, const struct stream *stream) {
    struct stream_range range;
    struct stream_entry entry;
    stream_range_begin(&range, stream, STREAM_ID_MIN, STREAM_ID_MAX, false);
    while (stream_range_next(&range, &entry)) {
        add_entry(digest, &entry);
    }
    add_id(digest, stream->last_id);
    add_id(digest, stream->max_deleted_id);
    digest_number(digest, stream->entries_added);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        add_group(digest, (const struct stream_group *)stream->groups.at[i]);
    }
    if (stream->producers != NULL) {
        add_producers(digest, stream->producers);
    }
}

void digest_value(struct digest *digest, const struct entry *entry, int64_t now_ms) {
    char scratch[NUM_I64_SIZE];
    digest_number(digest, (uint64_t)entry_type(entry));
    switch (entry_type(entry)) {
    case ENTRY_STRING:
        digest_text(digest, string_bytes(entry, scratch));
        break;
    case ENTRY_LIST:
        digest_list(digest, entry);
        break;
    case ENTRY_SET:
        digest_set(digest, entry);
        break;
    case ENTRY_SORTED_SET:
        zset_visit(entry, (struct zset_span){.count = zset_length(entry)}, false, add_member,
                   digest);
        break;
    case ENTRY_HASH:
        hash_visit(entry, now_ms, add_field, digest);
        break;
    default:
        digest_stream(digest, stream_of(entry));
    }
}
