/* lazyfree: a thread that frees what would take the main thread too long: big values, whole
 * databases, and memory that nobody uses. Work is handed over through a mutex-protected list, for
 * it is rare and large. */
#ifndef LARDER_STORE_LAZYFREE_H
#define LARDER_STORE_LAZYFREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ds/dict.h"
#include "ds/due.h"
#include "ds/entry.h"

struct lazyfree;

/* Starts the thread; without one (thread creation fails) everything is freed at once. */
struct lazyfree *lazyfree_new(void);

/* Waits for all work to be done and ends the thread. */
void lazyfree_free(struct lazyfree *lazyfree);

/* Frees the entry with its value; it is in no index any more. `lazyfree` may be NULL: at once. */
void lazyfree_entry(struct lazyfree *lazyfree, struct entry *entry);

/* Takes over a database's tables by value and frees all entries in them; they take about `bytes` in
 * all. */
void lazyfree_database(struct lazyfree *lazyfree, struct dict keys, struct due deadlines,
                       struct due field_deadlines, size_t bytes);

/* Has the thread call `work`, which frees so many objects that nobody else knows any more. */
void lazyfree_work(struct lazyfree *lazyfree, void (*work)(void *context), void *context,
                   size_t objects);

/* Has the thread give unused memory back to the system, without pauses for anybody. False while it
 * still does so, or without a thread. */
bool lazyfree_give_back(struct lazyfree *lazyfree);

/* Objects handed over and not freed yet; freed so far. From any thread. */
size_t lazyfree_pending(const struct lazyfree *lazyfree);
size_t lazyfree_freed(const struct lazyfree *lazyfree);
/* An estimate of the bytes that will be free once everything handed over is. */
size_t lazyfree_pending_bytes(const struct lazyfree *lazyfree);
void lazyfree_reset_freed(struct lazyfree *lazyfree);

#endif
