/* stream_form: what streams look like in Redis's serialisation, for who writes and who reads it.
 *
 *     stream   nodes, length, last id; from 19 on: first id, max deleted id, entries ever added
 *              groups; from 26 on: producers
 *     node     base 16, listpack: live, removed, names, name ..., 0, entry ...
 *     entry    flags, ms, seq beyond the base, values, elements          with the node's names
 *              flags, ms, seq, pairs, name, value ..., elements          with its own
 *     group    name, last id; from 19 on: entries read; pending, consumers;
 *              from 27 on: what is pending for nobody
 *     pending  id 16, delivered 8, deliveries
 *     consumer name, seen 8; from 21 on: active 8; pending ids
 *     producer name, ids it has sent: text, id
 *
 * Of an id that a producer has sent, 128 bits of hash are known, not the text; the text that is
 * written is made of them and of the time that it was added, and known by how it begins. Servers
 * that compare texts will not find it there, which is as if it had been forgotten. */
#ifndef LARDER_PERSIST_STREAM_FORM_H
#define LARDER_PERSIST_STREAM_FORM_H

#include <stdint.h>

/* Flags of an entry in a node. */
enum stream_entry_flags { STREAM_ENTRY_REMOVED = 1, STREAM_ENTRY_SAME_NAMES = 2 };

#define STREAM_ID_SIZE 16u
/* For entries read: not known. */
#define STREAM_FORM_UNKNOWN UINT64_MAX

/* What the text of an id that was hashed begins with, and its size: hash and time follow. */
#define STREAM_SENT_MARK      "\0larder\0"
#define STREAM_SENT_MARK_SIZE 8u
#define STREAM_SENT_TEXT_SIZE (STREAM_SENT_MARK_SIZE + 24u)

#endif
