/* encode_int: what the files of the encoder share. */
#ifndef LARDER_PERSIST_ENCODE_INT_H
#define LARDER_PERSIST_ENCODE_INT_H

#include "persist/encode.h"

/* The type, and the key unless it is NULL. */
void encode_begin(struct rdb_writer *writer, int type, const struct bytes *key);

/* As encode_value. */
int encode_stream(const struct entry *entry, const struct bytes *key, struct rdb_writer *writer);

#endif
