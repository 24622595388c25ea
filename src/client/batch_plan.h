/* batch_plan: the steps by which a request asks for what it will read, one after the other, each
 * some requests behind the one before (client/batch_execute.c has the pipeline). A step reads what
 * the one before has asked for and waits for nothing. All that is found here is a hint: what is
 * executed between two steps may change or remove it, so each begins again with the key's bucket,
 * which is in the cache by then.
 *
 * Inline, for the loop around them is the hottest there is. */
#ifndef LARDER_CLIENT_BATCH_PLAN_H
#define LARDER_CLIENT_BATCH_PLAN_H

#include "base/hash.h"
#include "base/num.h"
#include "call/command.h"
#include "client/batch_int.h"
#include "client/client.h"
#include "ds/dict.h"
#include "ds/packmap.h"
#include "types/list.h"
#include "types/zset.h"

/* Hashes the first key and asks for its bucket. */
static inline void plan_bucket(struct batch *batch, size_t index, uint64_t seed) {
    struct request *request = &batch->requests[index];
    const struct command *command = request->command;
    if (LIKELY(command != NULL) && command->first_key > 0 && command->first_key < request->argc) {
        struct bytes key = request_args(batch, request)[command->first_key];
        request->hash = hash_bytes(seed, key.at, key.size);
        dict_prefetch_bucket(&request->client->database->keys, request->hash);
    }
}

/* The bucket is there by now: asks for the entry. */
static inline void plan_entry(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    if (LIKELY(request->command != NULL) && request->command->first_key > 0) {
        request->overflows = dict_prefetch_entry(&request->client->database->keys, request->hash);
    }
}

/* The few whose entry is in an overflow bucket. */
static inline void plan_overflow(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    if (UNLIKELY(request->overflows)) {
        dict_prefetch_overflow(&request->client->database->keys, request->hash);
    }
}

/* The entry of the first key of a request that names an element of a collection, or NULL. It is
 * looked up at each step, which reads what is in the cache by then: what is executed between the
 * steps may remove the entry or its value. */
static inline struct entry *planned_collection(const struct request *request) {
    if (request->element_hash == 0) {
        return NULL;
    }
    struct entry *entry = dict_peek(&request->client->database->keys, request->hash);
    return entry != NULL && entry_encoding(entry) >= ENTRY_PACK ? entry : NULL;
}

/* The dict of the collection's elements, or NULL if it is compact. */
static inline const struct dict *planned_dict(const struct entry *entry) {
    enum entry_encoding encoding = entry_encoding(entry);
    return encoding == ENTRY_TABLE || encoding == ENTRY_ORDERED ? entry_pointer(entry) : NULL;
}

static inline bool is_packmap(const struct entry *entry) {
    return entry_encoding(entry) == ENTRY_PACK && entry_type(entry) != ENTRY_LIST;
}

/* Which end of a list a request is about. Asking for both costs as much again as it saves. */
static inline enum list_end planned_end(const struct request *request) {
    return request->command->row->name[0] == 'r' ? LIST_TAIL : LIST_HEAD; /* RPUSH, LPUSH */
}

/* Whether a request is about a member's place among the others: all but ZSCORE and ZMSCORE are. */
static inline bool needs_place(const struct request *request) {
    const struct command_row *row = request->command->row;
    return row->group == GROUP_SORTED_SET && row->name[1] != 's' && row->name[1] != 'm';
}

/* The score that ZADD gives its first member, if there are no options before it. */
static inline bool names_score(struct batch *batch, const struct request *request, double *score) {
    return request->command->row->name[1] == 'a' &&
           num_parse_double(request_args(batch, request)[request->command->element - 1], score);
}

/* The key's entry is there by now: hashes the element and asks for what the entry's link leads
 * to. */
static inline void plan_value(struct batch *batch, size_t index, uint64_t seed) {
    struct request *request = &batch->requests[index];
    const struct command *command = request->command;
    if (command == NULL || command->element == 0 || command->element >= request->argc) {
        return;
    }
    if (command->row->group == GROUP_LIST) {
        /* What is asked for is an end of the list, which no hash leads to. */
        request->element_hash = 1;
    } else {
        struct bytes name = request_args(batch, request)[command->element];
        request->element_hash = hash_bytes(seed, name.at, name.size);
    }
    const struct entry *entry = planned_collection(request);
    if (entry != NULL) {
        const char *value = entry_pointer(entry);
        __builtin_prefetch(value);
        if (planned_dict(entry) != NULL) {
            __builtin_prefetch(value + sizeof(struct dict) - 1);
        }
    }
}

/* Asks for the bucket of the element, or the index of a compact collection. */
static inline void plan_index(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    const struct entry *entry = planned_collection(request);
    if (entry == NULL) {
        return;
    }
    const struct dict *dict = planned_dict(entry);
    if (dict != NULL) {
        dict_prefetch_bucket(dict, request->element_hash);
        if (needs_place(request)) {
            zset_prefetch(entry);
        }
    } else if (is_packmap(entry)) {
        packmap_prefetch_index(entry_pointer(entry));
        if (needs_place(request)) {
            packmap_prefetch_records(entry_pointer(entry));
        }
    } else if (entry_type(entry) == ENTRY_LIST) {
        list_prefetch_end(entry, planned_end(request));
    }
}

/* Asks for the element. */
static inline void plan_element(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    const struct entry *entry = planned_collection(request);
    if (entry == NULL) {
        return;
    }
    const struct dict *dict = planned_dict(entry);
    if (dict != NULL) {
        dict_prefetch_entry(dict, request->element_hash);
        double score;
        if (needs_place(request) && names_score(batch, request, &score)) {
            zset_prefetch_score(entry, score, 1);
        }
    } else if (is_packmap(entry)) {
        struct bytes name = request_args(batch, request)[request->command->element];
        packmap_prefetch_record(entry_pointer(entry), name, request->element_hash);
    } else if (entry_type(entry) == ENTRY_LIST) {
        list_prefetch_room(entry, planned_end(request));
    }
}

/* The member of a sorted set is there by now: asks for where it is, and goes on to where it will
 * be. */
static inline void plan_place(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    if (LIKELY(request->element_hash == 0) || LIKELY(!needs_place(request))) {
        return;
    }
    const struct entry *entry = planned_collection(request);
    if (entry == NULL || entry_type(entry) != ENTRY_SORTED_SET || planned_dict(entry) == NULL) {
        return;
    }
    const struct entry *member = dict_peek(planned_dict(entry), request->element_hash);
    if (member != NULL) {
        zset_prefetch_score(entry, entry_score(member), 1);
    }
    double score;
    if (zset_is_tall(entry) && names_score(batch, request, &score)) {
        zset_prefetch_score(entry, score, 2);
    }
}

#endif
