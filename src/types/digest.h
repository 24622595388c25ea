/* digest: a short text that is equal for equal content, for comparing a server with its copy. How a
 * value is encoded and in which order it was made does not matter, only what clients can read:
 * texts, scores, deadlines, entries with their ids, groups with what is pending. When a consumer
 * was seen, and how long ago a producer sent something, is left out, for copies may differ in that.
 *
 * 160 bits in three words, each with a seed of its own. What has an order is chained, what has none
 * is added up. The seeds are fixed: the digest is the same in every process of the same version. It
 * is no protection against somebody who looks for two contents with the same digest. */
#ifndef LARDER_TYPES_DIGEST_H
#define LARDER_TYPES_DIGEST_H

#include <stdint.h>

#include "base/bytes.h"
#include "ds/entry.h"

#define DIGEST_WORDS 3
/* Of 40 hexadecimal digits. */
#define DIGEST_TEXT_SIZE 40

struct digest {
    uint64_t words[DIGEST_WORDS];
};

/* What begins with zeroes is a digest of nothing. */
void digest_text(struct digest *digest, struct bytes text);
void digest_number(struct digest *digest, uint64_t number);
/* Adds a part that has no order among the others. */
void digest_sum(struct digest *digest, const struct digest *part);

/* The value as it is at this time; the key is not part of it. */
void digest_value(struct digest *digest, const struct entry *entry, int64_t now_ms);

void digest_format(const struct digest *digest, char out[DIGEST_TEXT_SIZE]);

#endif
