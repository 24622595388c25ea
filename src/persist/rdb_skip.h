/* rdb_skip: stepping over a value in Redis's serialisation without making anything of it: where the
 * next record of a file begins. What is stepped over need not be sound but in its sizes: what is
 * inside of a string is not looked at.
 *
 * Costs: a look at each string's size. Nothing is allocated; each step goes on by a byte at least,
 * so that what a count says costs no more than what is there. */
#ifndef LARDER_PERSIST_RDB_SKIP_H
#define LARDER_PERSIST_RDB_SKIP_H

#include <stdbool.h>

#include "persist/rdb_bytes.h"

/* False when there is too little, or a size makes no sense. */
bool rdb_skip_string(struct rdb_reader *reader);

/* A value of this type in a file of this version. 0; -EBADMSG; -ENOTSUP when the type is not
 * known. Values of modules can be stepped over, though nothing can be made of them. */
int rdb_skip_value(struct rdb_reader *reader, int type, int version);

/* What a module has written: parts until the one that ends it. */
bool rdb_skip_module_parts(struct rdb_reader *reader);

/* "string", "hash" ... as TYPE answers; "module"; "unknown". */
const char *rdb_type_name(int type);

#endif
