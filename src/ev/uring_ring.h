/* uring_ring: the calls to the kernel that the io_uring backend makes: operations are prepared
 * here, handed over together, and what they have brought is handed back. For uring.c.
 *
 * The ring is set up so that the kernel does its part of an operation in the thread that has the
 * ring, and only inside these functions' calls to it (IORING_SETUP_DEFER_TASKRUN, Linux 6.1). The
 * ring belongs to the thread that calls uring_ring_enable, which is called first. */
#ifndef LARDER_EV_URING_RING_H
#define LARDER_EV_URING_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ev/uring_buffers.h"

#ifdef LARDER_TEST_SMALL
#define URING_SUBMISSIONS 8
#define URING_COMPLETIONS 16
#else
/* Entries of the rings: 16 KiB and 32 KiB. What is more goes over in portions. */
#define URING_SUBMISSIONS 256
#define URING_COMPLETIONS 2048
#endif

struct uring_ring;

/* What an operation has brought. */
struct uring_completion {
    uint64_t tag;
    int result;      /* as the system call's, or -errno */
    uint16_t buffer; /* that was filled, or URING_NO_BUFFER */
    bool goes_on;    /* the operation will bring more */
};

typedef void (*uring_completed_fn)(void *context, const struct uring_completion *completion);

/* NULL with *error set to -errno. The ring gives its buffers to the kernel and frees them in the
 * end. */
struct uring_ring *uring_ring_new(uring_completed_fn completed, void *context, int *error);
/* Ends all operations. Completes none. */
void uring_ring_free(struct uring_ring *ring);
struct uring_buffers *uring_ring_buffers(struct uring_ring *ring);
void uring_ring_enable(struct uring_ring *ring);

/* Operations. They go over with the next call below, or earlier if there are many; so any of these
 * may call `completed`. The tag 0 is for those whose completion nobody wants to know. */

void uring_ring_poll(struct uring_ring *ring, int fd, unsigned events, uint64_t tag);
/* Goes on receiving, into the buffers. */
void uring_ring_receive(struct uring_ring *ring, int fd, uint64_t tag);
/* Goes on accepting. */
void uring_ring_accept(struct uring_ring *ring, int fd, uint64_t tag);
/* Does not wait and is over when uring_ring_submit returns. */
void uring_ring_send(struct uring_ring *ring, int fd, const struct iovec *piece, uint64_t tag);
void uring_ring_send_message(struct uring_ring *ring, int fd, const struct msghdr *message,
                             uint64_t tag);
void uring_ring_cancel(struct uring_ring *ring, uint64_t tag);

/* Hands over what was prepared. */
void uring_ring_submit(struct uring_ring *ring);
/* Likewise, takes in what has been completed, and waits for `wait_ns` if that is nothing; 0: only
 * looks, -1: has no end. Whether a signal has ended it. */
bool uring_ring_wait(struct uring_ring *ring, int64_t wait_ns);

#endif
