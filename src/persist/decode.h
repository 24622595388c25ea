/* decode: a value out of Redis's serialisation, as any version from 1 to 14 writes it, and Valkey's
 * 80: types 0 to 27 but modules.
 *
 * Nothing of what comes is believed. The value is built aside, from texts whose every size was
 * checked, and given to the caller when all of it was right; otherwise it is freed whole. What is
 * refused: counts beyond what there is, runs that do not end where they say, a field or member that
 * comes twice, scores that are no numbers, a compact sorted set or set of integers out of order,
 * deadlines beyond what Redis takes, streams whose ids do not ascend or whose counts are not true,
 * what is pending for two consumers or for none.
 *
 * Costs: what adding the elements one by one costs; memory is taken as elements come, never by
 * what a count says. */
#ifndef LARDER_PERSIST_DECODE_H
#define LARDER_PERSIST_DECODE_H

#include "ds/entry.h"
#include "persist/rdb_bytes.h"
#include "store/keyspace.h"

/* What is to be decoded, and for whom. */
struct decode_source {
    struct rdb_reader *reader;       /* behind the type and the key */
    int type;                        /* as it was read */
    int version;                     /* of the format */
    struct rdb_text *text;           /* keeps what the shape refers to: the caller clears it then */
    const struct keyspace *keyspace; /* whose limits of compact encodings count */
    const _Atomic bool *stops;       /* set by another thread: give up; NULL: nobody does */
    int64_t now_ms;                  /* nothing was sent by a producer later; 0: not known */
};

/* Makes the shape of a value, for a new entry; value_discard if none is made. 0; -EBADMSG: it is
 * damaged, or of a type that is not known; -ENODATA: it is a sound collection without elements,
 * which cannot be a key; -ENOMEM; -ECANCELED: it gave up. */
int decode_value(const struct decode_source *source, struct entry_shape *shape);

#endif
