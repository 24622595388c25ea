/* snapshot_read: what there is in a keyspace, and what a snapshot says there was, in a form in
 * which the two can be compared. */
#ifndef LARDER_TESTS_SUPPORT_SNAPSHOT_READ_H
#define LARDER_TESTS_SUPPORT_SNAPSHOT_READ_H

#include "base/bytes.h"
#include "store/keyspace.h"
#include "types/digest.h"

struct content_key {
    int database;
    char name[64];
    int64_t deadline_ms;
    char digest[DIGEST_TEXT_SIZE + 1];
};

/* In order. */
struct content {
    struct content_key *keys;
    size_t count;
    size_t capacity;
};

void content_of_keyspace(struct content *content, const struct keyspace *keyspace, int64_t now_ms);

/* Fails the test when anything of it is not as the format has it. */
void content_of_snapshot(struct content *content, struct bytes file, struct keyspace *keyspace,
                         int64_t now_ms);

/* Fails the test when they differ in more than keys whose deadlines have come since. */
void content_compare(const struct content *expected, const struct content *found, int64_t now_ms);

void content_clear(struct content *content);

#endif
