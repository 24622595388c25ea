/* pages: where the allocator's memory comes from, and who touches it first.
 *
 * Keys are looked up all over memory, and huge pages spare a request 10 to 14 % at a million keys.
 * But the kernel zeroes a huge page when it is first touched: 170 microseconds for 2 MiB, and 4 ms
 * and more in a virtual machine whose host has to find the memory as well. So the thread that
 * serves requests never gets a huge page that nobody has touched: a thread of this module prepares
 * some ahead, and the allocator is given prepared ones, one at a time, or else 2 MiB in small
 * pages.
 *
 *     reservation   | in use | in use | ready | ready |            not used yet            |
 *                   start                             ^ at                              end ^
 *
 * What is in small pages after all (the thread was late, or the allocator has given pages back to
 * the kernel and uses them again) is noted in a bit map, and made huge by the thread later, slowly,
 * once nearly all of it is in use.
 *
 * The thread, and the allocator's own that gives memory back, run only when nobody else wants the
 * processor. On a core that is never idle they come too late, and memory is in small pages; at
 * normal priority they kept requests waiting for 3 ms where server and threads share one core.
 * The thread also stays off the processor of who asks for memory, if there is another: a host that
 * has to find 2 MiB stops the whole processor for 2 to 6 ms, and priority does not help against
 * that. In growing by 8 million keys the 99.9th percentile of the waits fell from 1.1 to 0.3 ms.
 *
 * Where there is one processor for all, nothing is made huge while the user is busy: small pages
 * are prepared, a few at a time, and they are repaired in quiet moments. In growing to 20 million
 * keys on one processor of a virtual machine the 99.99th percentile fell from 2.4 to 1.4 ms
 * (medians of several runs; a server that does nothing had 1.4).
 *
 * Limits. Allocations of more than 2 MiB are in small pages at first. While the thread makes 2 MiB
 * huge that are in use, who wants to write there waits for it, some 400 microseconds, asleep. A
 * server that has one processor and is never half idle gets no huge pages. Only the arena of the
 * thread that calls pages_start is served, and threads that share it. */
#ifndef LARDER_BASE_PAGES_H
#define LARDER_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* What is kept ready at most: at 80 MB a second, which is growing by 1.7 million keys, 50 ms. While
 * the server does not grow, they are given back to the kernel. */
#define PAGES_READY_MAX 2
/* Of a server with less memory than that nothing is prepared: it needs no huge pages. */
#define PAGES_SKIPPED ((size_t)4 << 20)

/* From now on the allocator's memory for the calling thread comes from here, and what it gives back
 * to the system is given back by a background thread of its own. Once a process, after it has gone
 * into the background. False when the system or the allocator does not allow it: then all stays as
 * it was. */
bool pages_start(void);

/* From now on the calling thread allocates where the one that called pages_start does: for one that
 * makes what the other will own. Does nothing before pages_start. */
void pages_share(void);

/* Ends the thread; memory is then touched by whoever uses it. Does nothing when none runs. */
void pages_stop(void);

/* Gives all unused memory back to the system, in the calling thread, which leaves the processor to
 * others now and then. Not for the thread that serves requests: mem_purge makes no pauses. */
void pages_give_back(void);

/* Bytes that the thread has prepared, and bytes that it has made huge pages of while in use. */
size_t pages_prepared(void);
size_t pages_repaired(void);

#endif
