/* uring: the backend over io_uring. Readiness for ordinary watches, bytes for streams, connections
 * for listeners.
 *
 *     watch --backend--> index      slots[]                          completion's user_data
 *                                 +------------------------------+   +--------+------+-------+
 *                                 | watch, interest              |   | serial | kind | index |
 *                                 | receive_tag: receive, accept |   +--------+------+-------+
 *                                 | poll_tag: a poll             |       36       4     24 bits
 *                                 | queue: received, not taken   |
 *                                 +------------------------------+  64 bytes
 *
 * Terms. A tag is the user_data of an operation that the kernel has; it occurs once. A slot that
 * differs from what its owner wants is dirty; before each wait the dirty slots are settled, which
 * means that operations are started and cancelled. So interest that is switched off and on in a
 * pass costs nothing. A slot is listed while it may have something to report.
 *
 *   - Ordinary watches have a poll that reports once and is started anew after its report: so it is
 *     level-triggered, which a poll that goes on reporting is not. It costs no system call, as it
 *     is submitted with the wait. Streams have one for LOOP_WRITE only.
 *   - Streams have one receive that goes on, into buffers that the kernel chooses
 *     (uring_buffers.h). It ends when its peer closes, when it fails, when there are no buffers
 *     (and goes on when there are), and is cancelled while LOOP_READ is off or the owner leaves too
 *     much untaken.
 *     A stream that brings much at once is a bulk, and has a poll for LOOP_READ instead: its owner
 *     receives into his own memory then, in few calls, which is cheaper than to copy (100 KB at
 *     once: by two fifths).
 *   - Listeners have one accept that goes on.
 *   - Sends of a pass are submitted together. They never wait, so they are complete, and done with
 *     their memory, when the submission returns. One that is alone is a plain system call.
 *
 * The kernel does its part of an operation only when this thread enters it (uring_ring.h). So
 * between two calls nothing arrives, and receiving directly from a socket finds what comes behind
 * what has been received already: that is done where a queue is empty, and for the rest of
 * something large.
 *
 * The ring belongs to the thread that waits or sends first, so that a loop may be made by one
 * thread and run by another.
 *
 * Invariants:
 *   1. a completion counts only if its tag is the slot's; others are of removed watches or of
 *      polls that were replaced: their buffers go back, their connections are closed;
 *   2. a stream has one receive at most, and starts none before the one before has ended, so its
 *      bytes are in order;
 *   3. between calls the completion queue is empty;
 *   4. a slot that has something to report is listed, and one that differs from what is wanted is
 *      dirty or starved; these three flags belong to the place in the table and not to its watch.
 *
 * Costs: one system call a wait and one for all sends of a pass; a completion is 16 bytes; each
 * stream's bytes are copied once from its buffer. */
#include "ev/backend.h"

#ifndef LARDER_IO_URING
const struct backend_kind *backend_uring(void) {
    return NULL;
}
#else
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ev/direct.h"
#include "ev/uring_buffers.h"
#include "ev/uring_list.h"
#include "ev/uring_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#ifdef LARDER_TEST_SMALL
#define QUEUED_MAX   3
#define ACCEPTED_MAX 4
#define BULK_READS   2
#else
/* Buffers of one stream, or accepted connections of one listener, beyond which no more are taken
 * from the kernel until these have been. */
#define QUEUED_MAX   16
#define ACCEPTED_MAX 1024
/* Reads of less than a buffer after which a stream is no bulk any more. More than the end of one
 * long request and the beginning of the next. */
#define BULK_READS   16
#endif

#define NS_PER_US 1000

enum kind { KIND_POLL = 1, KIND_RECEIVE, KIND_ACCEPT, KIND_SEND };

#define KIND_SHIFT   24
#define SERIAL_SHIFT 28
#define INDEX_MASK   ((1u << KIND_SHIFT) - 1)
#define KIND_MASK    15u

/* Connections that were accepted; from `from` on they have not been taken. */
struct accepted {
    struct uring_list fds;
    uint32_t from;
};

struct slot {
    struct loop_watch *watch; /* NULL: free */
    uint64_t receive_tag;     /* 0: none */
    uint64_t poll_tag;        /* 0: none */
    union {
        struct uring_queue queue;
        struct accepted accepted;
        uint32_t next_free;
    };
    int fd;
    int end;         /* 1: the peer has closed; -errno: broken */
    uint8_t wanted;  /* set of loop_interest */
    uint8_t polled;  /* likewise: what a poll has found and nobody was told */
    uint8_t polling; /* likewise: what poll_tag waits for */
    uint8_t use;
    uint8_t bulk;    /* reads of little until it is no bulk any more; 0: it is none */
    bool is_ending;  /* the receive is being cancelled */
    bool is_starved; /* its receive waits for buffers */
    bool is_dirty : 1;
    bool is_listed : 1;
};
static_assert(sizeof(struct slot) == 64, "a slot is a cache line");

struct uring {
    struct uring_ring *ring;
    struct uring_buffers *buffers;
    uint64_t serial;
    struct slot *slots;
    uint32_t slot_count;
    uint32_t slot_room;
    uint32_t first_free; /* UINT32_MAX: none */
    struct uring_list dirty;
    struct uring_list listed;
    struct uring_list starved;
    struct uring_list dead; /* tags to cancel */
    struct loop_send *sends[URING_SUBMISSIONS];
    struct msghdr messages[URING_SUBMISSIONS];
    uint32_t send_count;
    uint32_t sends_under_way;
    bool has_run_out; /* of buffers, since the last wait */
};

/* Slots. */

static uint32_t index_of(const struct uring *uring, const struct slot *slot) {
    return (uint32_t)(slot - uring->slots);
}

static inline struct slot *slot_of(struct uring *uring, const struct loop_watch *watch) {
    return &uring->slots[(uintptr_t)watch->backend - 1];
}

static void make_dirty(struct uring *uring, struct slot *slot) {
    if (!slot->is_dirty) {
        slot->is_dirty = true;
        uring_list_add(&uring->dirty, index_of(uring, slot));
    }
}

static inline void make_listed(struct uring *uring, struct slot *slot) {
    if (!slot->is_listed) {
        slot->is_listed = true;
        uring_list_add(&uring->listed, index_of(uring, slot));
    }
}

/* Completions. */

static uint32_t accepted_count(const struct slot *slot) {
    return slot->accepted.fds.count - slot->accepted.from;
}

static void accepted_clear(struct accepted *accepted) {
    while (accepted->from < accepted->fds.count) {
        close((int)accepted->fds.at[accepted->from++]);
    }
    uring_list_clear(&accepted->fds);
}

/* The operation of a removed watch has brought something. */
static void drop_result(struct uring *uring, const struct uring_completion *completion,
                        bool is_listener) {
    if (completion->buffer != URING_NO_BUFFER) {
        uring_buffer_drop(uring->buffers, completion->buffer);
    } else if (is_listener && completion->result >= 0) {
        close(completion->result);
    }
}

static void receive_ended(struct uring *uring, struct slot *slot, int result) {
    slot->receive_tag = 0;
    slot->is_ending = false;
    if (result == -ENOBUFS) {
        uring->has_run_out = true;
        if (!slot->is_starved) {
            slot->is_starved = true;
            uring_list_add(&uring->starved, index_of(uring, slot));
        }
        return;
    }
    if (result == 0 && slot->use == LOOP_STREAM) {
        slot->end = 1;
    } else if (result < 0 && result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
        slot->end = result;
    }
    make_dirty(uring, slot);
}

static void received(struct uring *uring, struct slot *slot,
                     const struct uring_completion *completion) {
    if (LIKELY(completion->buffer != URING_NO_BUFFER && completion->result > 0)) {
        uring_queue_add(&slot->queue, uring->buffers, completion->buffer,
                        (size_t)completion->result);
        if (UNLIKELY(slot->queue.count >= QUEUED_MAX)) {
            make_dirty(uring, slot);
        }
    } else if (slot->use == LOOP_LISTENER && completion->result >= 0) {
        uring_list_add(&slot->accepted.fds, (uint64_t)completion->result);
        if (accepted_count(slot) >= ACCEPTED_MAX) {
            make_dirty(uring, slot);
        }
    } else {
        drop_result(uring, completion, false);
    }
    make_listed(uring, slot);
    if (UNLIKELY(!completion->goes_on)) {
        receive_ended(uring, slot, completion->result);
    }
}

static void polled(struct uring *uring, struct slot *slot, int result) {
    slot->poll_tag = 0;
    if (result == -ECANCELED) {
        make_dirty(uring, slot);
        return;
    }
    bool is_every = result < 0 || (result & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    slot->polled = is_every ? slot->polling
                            : (uint8_t)(((result & (POLLIN | POLLRDHUP)) ? LOOP_READ : 0) |
                                        ((result & POLLOUT) ? LOOP_WRITE : 0));
    slot->polled &= slot->polling;
    if (slot->polled == 0) {
        make_dirty(uring, slot);
    }
    make_listed(uring, slot);
}

static void completed(void *context, const struct uring_completion *completion) {
    struct uring *uring = context;
    uint64_t tag = completion->tag;
    enum kind kind = (enum kind)(tag >> KIND_SHIFT & KIND_MASK);
    uint32_t index = (uint32_t)(tag & INDEX_MASK);
    struct slot *slot = kind == KIND_SEND ? NULL : &uring->slots[index];
    switch (kind) {
    case KIND_SEND:
        uring->sends[index]->result = completion->result;
        uring->sends_under_way--;
        break;
    case KIND_RECEIVE:
    case KIND_ACCEPT:
        if (LIKELY(slot->receive_tag == tag)) {
            received(uring, slot, completion);
        } else {
            drop_result(uring, completion, kind == KIND_ACCEPT);
        }
        break;
    case KIND_POLL:
        if (slot->poll_tag == tag) {
            polled(uring, slot, completion->result);
        }
        break;
    }
}

static uint64_t new_tag(struct uring *uring, const struct slot *slot, enum kind kind) {
    return ++uring->serial << SERIAL_SHIFT | (uint64_t)kind << KIND_SHIFT | index_of(uring, slot);
}

/* Settling. */

static void start_receive(struct uring *uring, struct slot *slot) {
    bool is_listener = slot->use == LOOP_LISTENER;
    slot->receive_tag = new_tag(uring, slot, is_listener ? KIND_ACCEPT : KIND_RECEIVE);
    if (is_listener) {
        uring_ring_accept(uring->ring, slot->fd, slot->receive_tag);
    } else {
        uring_ring_receive(uring->ring, slot->fd, slot->receive_tag);
    }
}

static void start_poll(struct uring *uring, struct slot *slot, unsigned interest) {
    unsigned events = ((interest & LOOP_READ) ? POLLIN | POLLRDHUP : 0u) |
                      ((interest & LOOP_WRITE) ? (unsigned)POLLOUT : 0u);
    slot->poll_tag = new_tag(uring, slot, KIND_POLL);
    slot->polling = (uint8_t)interest;
    uring_ring_poll(uring->ring, slot->fd, events, slot->poll_tag);
}

static void settle_receive(struct uring *uring, struct slot *slot) {
    bool reads = (slot->wanted & LOOP_READ) != 0 && slot->bulk == 0;
    bool is_full = slot->use == LOOP_STREAM ? slot->queue.count >= QUEUED_MAX
                                            : accepted_count(slot) >= ACCEPTED_MAX;
    if (slot->receive_tag != 0) {
        if (!slot->is_ending && (!reads || is_full)) {
            slot->is_ending = true;
            uring_ring_cancel(uring->ring, slot->receive_tag);
        }
        return;
    }
    if (reads && !is_full && slot->end == 0 && !slot->is_starved) {
        start_receive(uring, slot);
    } else if (!(slot->wanted & LOOP_READ) && slot->use == LOOP_STREAM) {
        uring_queue_set_aside(&slot->queue, uring->buffers);
    }
}

static void settle(struct uring *uring, struct slot *slot) {
    if (slot->watch == NULL) {
        return;
    }
    unsigned to_poll = slot->wanted;
    if (slot->use != LOOP_POLLED) {
        settle_receive(uring, slot);
        bool is_polled = slot->bulk > 0 && slot->receive_tag == 0 && slot->end == 0;
        to_poll &= is_polled ? LOOP_READ | LOOP_WRITE : LOOP_WRITE;
    }
    if (slot->poll_tag != 0 && slot->polling != to_poll) {
        uring_ring_cancel(uring->ring, slot->poll_tag);
        slot->poll_tag = 0;
    }
    if (slot->poll_tag == 0 && to_poll != 0 && slot->polled == 0) {
        start_poll(uring, slot, to_poll);
    }
}

/* Those who wait for buffers go on if there are any. Whether somebody does. */
static bool feed_starved(struct uring *uring) {
    if (uring->has_run_out) {
        uring->has_run_out = false;
        (void)uring_buffers_grow(uring->buffers);
    }
    if (uring->buffers->held == uring->buffers->count) {
        return false;
    }
    for (uint32_t i = 0; i < uring->starved.count; i++) {
        struct slot *slot = &uring->slots[uring->starved.at[i]];
        slot->is_starved = false;
        make_dirty(uring, slot);
    }
    uring->starved.count = 0;
    return true;
}

/* Submissions and completions in between may make more slots dirty: they are at the end of the list
 * and have their turn. */
static void settle_all(struct uring *uring) {
    for (uint32_t i = 0; i < uring->dead.count; i++) {
        uring_ring_cancel(uring->ring, uring->dead.at[i]);
    }
    uring->dead.count = 0;
    do {
        for (uint32_t i = 0; i < uring->dirty.count; i++) {
            struct slot *slot = &uring->slots[uring->dirty.at[i]];
            slot->is_dirty = false;
            settle(uring, slot);
        }
        uring->dirty.count = 0;
    } while (UNLIKELY(uring->starved.count > 0) && feed_starved(uring));
}

/* Waiting. */

static unsigned readiness(const struct slot *slot) {
    if (slot->watch == NULL) {
        return 0;
    }
    unsigned ready = slot->polled;
    if (slot->use == LOOP_STREAM) {
        ready |= !uring_queue_is_empty(&slot->queue) || slot->end != 0 ? LOOP_READ : 0u;
    } else if (slot->use == LOOP_LISTENER) {
        ready |= accepted_count(slot) > 0 || slot->end != 0 ? LOOP_READ : 0u;
    }
    return ready & slot->wanted;
}

/* Fills in the events. Those that were reported stay listed, behind those that had no room: a
 * stream may have more, and it is found out next time. */
static int collect(struct uring *uring, struct backend_event *events) {
    struct uring_list *listed = &uring->listed;
    int filled = 0;
    uint32_t seen = 0;
    uint32_t stay = 0;
    for (; seen < listed->count && filled < BACKEND_EVENTS_MAX; seen++) {
        uint64_t index = listed->at[seen];
        struct slot *slot = &uring->slots[index];
        unsigned ready = readiness(slot);
        if (ready == 0) {
            slot->is_listed = false;
            continue;
        }
        events[filled++] = (struct backend_event){.watch = slot->watch, .ready = ready};
        __builtin_prefetch(slot->watch);
        listed->at[stay++] = index;
        if (slot->polled != 0) {
            slot->polled = 0;
            make_dirty(uring, slot);
        }
    }
    uint32_t unseen = listed->count - seen;
    if (UNLIKELY(unseen > 0)) {
        uint64_t reported[BACKEND_EVENTS_MAX];
        memcpy(reported, listed->at, stay * sizeof *reported);
        memmove(listed->at, listed->at + seen, unseen * sizeof *listed->at);
        memcpy(listed->at + unseen, reported, stay * sizeof *reported);
    }
    listed->count = unseen + stay;
    return filled;
}

static bool has_listed_ready(const struct uring *uring) {
    for (uint32_t i = 0; i < uring->listed.count; i++) {
        if (readiness(&uring->slots[uring->listed.at[i]]) != 0) {
            return true;
        }
    }
    return false;
}

static int wait_for_events(void *backend, struct backend_event *events, int64_t wait_us) {
    struct uring *uring = backend;
    uring_ring_enable(uring->ring);
    int64_t now_ns = wait_us > 0 ? clock_mono_ns() : 0;
    int64_t until_ns = now_ns + wait_us * NS_PER_US;
    for (;;) {
        settle_all(uring);
        int64_t wait_ns = wait_us > 0 ? until_ns - now_ns : wait_us;
        bool is_interrupted = uring_ring_wait(uring->ring, has_listed_ready(uring) ? 0 : wait_ns);
        int count = collect(uring, events);
        if (count > 0 || wait_us == 0 || is_interrupted) {
            return count;
        }
        /* Woken by something that is nobody's business. */
        if (wait_us > 0) {
            now_ns = clock_mono_ns();
            if (now_ns >= until_ns) {
                return 0;
            }
        }
    }
}

/* Watches. */

static void slots_grow(struct uring *uring) {
    uint32_t room = uring->slot_room == 0 ? 64 : uring->slot_room * 2;
    uring->slots = mem_realloc(MEM_OTHER, uring->slots, uring->slot_room * sizeof *uring->slots,
                               room * sizeof *uring->slots);
    uring->slot_room = room;
}

static struct slot *slot_new(struct uring *uring) {
    if (uring->first_free != UINT32_MAX) {
        struct slot *slot = &uring->slots[uring->first_free];
        uring->first_free = slot->next_free;
        return slot;
    }
    if (uring->slot_count == uring->slot_room) {
        slots_grow(uring);
    }
    check(uring->slot_count <= INDEX_MASK);
    struct slot *slot = &uring->slots[uring->slot_count++];
    *slot = (struct slot){0};
    return slot;
}

static int add(void *backend, struct loop_watch *watch, unsigned interest) {
    struct uring *uring = backend;
    if (fcntl(watch->fd, F_GETFD) < 0) {
        return -errno;
    }
    struct slot *slot = slot_new(uring);
    slot->watch = watch;
    slot->fd = watch->fd;
    slot->use = (uint8_t)watch->use;
    slot->wanted = (uint8_t)interest;
    slot->end = 0;
    slot->polled = 0;
    slot->bulk = 0;
    slot->is_ending = false;
    if (slot->use == LOOP_LISTENER) {
        slot->accepted = (struct accepted){0};
    } else {
        slot->queue = uring_queue_empty();
    }
    watch->backend = (void *)((uintptr_t)index_of(uring, slot) + 1);
    make_dirty(uring, slot);
    return 0;
}

static int change(void *backend, struct loop_watch *watch, unsigned interest) {
    struct uring *uring = backend;
    struct slot *slot = slot_of(uring, watch);
    slot->wanted = (uint8_t)interest;
    slot->polled = 0;
    make_dirty(uring, slot);
    make_listed(uring, slot);
    return 0;
}

/* Ends a stream's receive or a listener's accept, and returns when it has ended. */
static void stop_receive(struct uring *uring, struct slot *slot) {
    if (slot->receive_tag != 0 && !slot->is_ending) {
        slot->is_ending = true;
        uring_ring_cancel(uring->ring, slot->receive_tag);
    }
    while (slot->receive_tag != 0) {
        (void)uring_ring_wait(uring->ring, -1);
    }
}

static void remove_watch(void *backend, struct loop_watch *watch, struct loop_kept *kept) {
    struct uring *uring = backend;
    struct slot *slot = slot_of(uring, watch);
    if (slot->use == LOOP_LISTENER) {
        stop_receive(uring, slot); /* or it would listen on after it was closed, until the wait */
    } else if (kept != NULL && slot->use == LOOP_STREAM) {
        stop_receive(uring, slot);
        uring_queue_detach(&slot->queue, uring->buffers, kept);
        kept->end = slot->end;
    }
    if (slot->receive_tag != 0) {
        uring_list_add(&uring->dead, slot->receive_tag);
    }
    if (slot->poll_tag != 0) {
        uring_list_add(&uring->dead, slot->poll_tag);
    }
    if (slot->use == LOOP_LISTENER) {
        accepted_clear(&slot->accepted);
    } else {
        uring_queue_clear(&slot->queue, uring->buffers);
    }
    slot->watch = NULL;
    slot->receive_tag = 0;
    slot->poll_tag = 0;
    slot->next_free = uring->first_free;
    uring->first_free = index_of(uring, slot);
    watch->backend = NULL;
}

static void give(void *backend, struct loop_watch *watch, const struct loop_kept *kept) {
    struct uring *uring = backend;
    struct slot *slot = slot_of(uring, watch);
    uring_queue_attach(&slot->queue, kept);
    slot->end = kept->end;
    make_listed(uring, slot);
}

/* Streams and listeners. */

/* Keeps account of whether much comes at once. */
static void note_size(struct uring *uring, struct slot *slot, size_t size) {
    bool was_bulk = slot->bulk > 0;
    if (size >= URING_BUFFER_SIZE) {
        slot->bulk = BULK_READS;
    } else if (was_bulk) {
        slot->bulk--;
    }
    if (was_bulk != (slot->bulk > 0)) {
        make_dirty(uring, slot);
    }
}

static ssize_t receive_directly(struct uring *uring, struct slot *slot, const struct iovec *pieces,
                                int count) {
    if (slot->end != 0) {
        return slot->end > 0 ? 0 : slot->end;
    }
    ssize_t size = direct_receive(slot->fd, pieces, count);
    if (size > 0) {
        note_size(uring, slot, (size_t)size);
    }
    return size;
}

/* After `taken` bytes of a piece have been filled from the queue, and the last buffer was full:
 * what is behind them. */
static size_t receive_rest(struct slot *slot, const struct iovec *piece, size_t taken) {
    if (slot->end != 0 || piece->iov_len - taken < URING_BUFFER_SIZE) {
        return 0;
    }
    struct iovec rest = {.iov_base = (char *)piece->iov_base + taken,
                         .iov_len = piece->iov_len - taken};
    ssize_t more = direct_receive(slot->fd, &rest, 1);
    if (more < 0 && more != -EAGAIN) {
        slot->end = (int)more; /* the socket tells of it once only */
    }
    return more > 0 ? (size_t)more : 0;
}

static ssize_t receive(void *backend, struct loop_watch *watch, const struct iovec *pieces,
                       int count) {
    struct uring *uring = backend;
    struct slot *slot = slot_of(uring, watch);
    struct uring_queue *queue = &slot->queue;
    if (UNLIKELY(uring_queue_is_empty(queue))) {
        return receive_directly(uring, slot, pieces, count);
    }
    bool was_throttled = queue->count >= QUEUED_MAX || slot->is_ending || slot->receive_tag == 0;
    bool was_full = false;
    size_t taken = 0;
    size_t of_piece = 0;
    int i = 0;
    for (; i < count && !uring_queue_is_empty(queue); i++) {
        of_piece = uring_queue_take(queue, uring->buffers, pieces[i].iov_base, pieces[i].iov_len,
                                    &was_full);
        taken += of_piece;
    }
    if (UNLIKELY(was_throttled)) {
        make_dirty(uring, slot);
    }
    if (UNLIKELY(was_full)) {
        if (uring_queue_is_empty(queue)) {
            taken += receive_rest(slot, &pieces[i - 1], of_piece);
        }
        note_size(uring, slot, URING_BUFFER_SIZE);
    }
    return (ssize_t)taken;
}

static int accept_next(void *backend, struct loop_watch *watch) {
    struct uring *uring = backend;
    struct slot *slot = slot_of(uring, watch);
    struct accepted *accepted = &slot->accepted;
    if (accepted_count(slot) > 0) {
        int fd = (int)accepted->fds.at[accepted->from++];
        if (accepted_count(slot) == 0) {
            accepted->from = 0;
            accepted->fds.count = 0;
        }
        if (slot->receive_tag == 0 || slot->is_ending) {
            make_dirty(uring, slot);
        }
        return fd;
    }
    if (slot->end != 0) {
        /* The limit of descriptors counted as it was when the accept began. What is true now? */
        slot->end = 0;
        make_dirty(uring, slot);
        return direct_accept(slot->fd);
    }
    return -EAGAIN;
}

/* Sends. */

static void flush_sends(struct uring *uring) {
    for (uint32_t i = 0; i < uring->send_count; i++) {
        struct loop_send *send = uring->sends[i];
        uint64_t tag = (uint64_t)KIND_SEND << KIND_SHIFT | i;
        uring->sends_under_way++;
        if (LIKELY(send->count == 1)) {
            uring_ring_send(uring->ring, send->fd, send->pieces, tag);
        } else {
            uring->messages[i] = direct_message(send->pieces, send->count);
            uring_ring_send_message(uring->ring, send->fd, &uring->messages[i], tag);
        }
    }
    uring_ring_submit(uring->ring);
    while (UNLIKELY(uring->sends_under_way > 0)) {
        (void)uring_ring_wait(uring->ring, -1);
    }
    uring->send_count = 0;
}

static void commit(void *backend) {
    struct uring *uring = backend;
    if (uring->send_count == 1) {
        struct loop_send *send = uring->sends[0];
        send->result = direct_send(send->fd, send->pieces, send->count);
        uring->send_count = 0;
    } else if (uring->send_count > 0) {
        uring_ring_enable(uring->ring);
        flush_sends(uring);
    }
}

static void send_later(void *backend, struct loop_send *send) {
    struct uring *uring = backend;
    if (uring->send_count == URING_SUBMISSIONS) {
        commit(uring);
    }
    uring->sends[uring->send_count++] = send;
}

/* Birth and death. */

static const char *why_not(int error) {
    switch (error) {
    case -EPERM:
    case -EACCES:
        return "io_uring is not allowed here (kernel.io_uring_disabled, or the container's rules)";
    case -ENOSYS:
        return "the kernel has no io_uring";
    case -EINVAL:
        return "the kernel's io_uring is too old: Linux 6.1 is needed";
    case -ENOMEM:
        return "io_uring gets no memory (see ulimit -l)";
    case -EMFILE:
    case -ENFILE:
        return "no descriptors left for io_uring";
    default:
        return "io_uring cannot be set up";
    }
}

static void *create(int fd_max, const char **error) {
    (void)fd_max; /* the table grows as watches are added */
    struct uring *uring = mem_zalloc(MEM_OTHER, sizeof *uring);
    int result;
    uring->ring = uring_ring_new(completed, uring, &result);
    if (uring->ring == NULL) {
        *error = why_not(result);
        mem_free(MEM_OTHER, uring, sizeof *uring);
        return NULL;
    }
    uring->buffers = uring_ring_buffers(uring->ring);
    uring->first_free = UINT32_MAX;
    slots_grow(uring);
    uring_list_grow(&uring->dirty);
    uring_list_grow(&uring->listed);
    uring_list_grow(&uring->starved);
    uring_list_grow(&uring->dead);
    return uring;
}

static void destroy(void *backend) {
    struct uring *uring = backend;
    for (uint32_t i = 0; i < uring->slot_count; i++) {
        struct slot *slot = &uring->slots[i];
        if (slot->watch != NULL && slot->use == LOOP_LISTENER) {
            accepted_clear(&slot->accepted);
        } else if (slot->watch != NULL) {
            uring_queue_clear(&slot->queue, uring->buffers);
        }
    }
    uring_ring_free(uring->ring);
    uring_list_clear(&uring->dirty);
    uring_list_clear(&uring->listed);
    uring_list_clear(&uring->starved);
    uring_list_clear(&uring->dead);
    mem_free(MEM_OTHER, uring->slots, uring->slot_room * sizeof *uring->slots);
    mem_free(MEM_OTHER, uring, sizeof *uring);
}

const struct backend_kind *backend_uring(void) {
    static const struct backend_kind kind = {
        .name = "io_uring",
        .create = create,
        .destroy = destroy,
        .add = add,
        .change = change,
        .remove = remove_watch,
        .wait = wait_for_events,
        .give = give,
        .receive = receive,
        .accept = accept_next,
        .send = send_later,
        .commit = commit,
    };
    return &kind;
}
#endif
