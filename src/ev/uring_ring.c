/* uring_ring: over liburing. Empty without it. */
#include "ev/uring_ring.h"

#ifdef LARDER_IO_URING
#include <errno.h>
#include <liburing.h>

#include "base/check.h"
#include "base/mem.h"

#define NS_PER_S 1000000000

struct uring_ring {
    struct io_uring ring;
    uring_completed_fn completed;
    void *context;
    bool is_enabled;
    struct uring_buffers buffers;
};

/* Completions. */

static inline bool has_flag(const struct uring_ring *ring, unsigned flags) {
    return (IO_URING_READ_ONCE(*ring->ring.sq.kflags) & flags) != 0;
}

/* Takes in all that the kernel has completed. */
static void harvest(struct uring_ring *ring) {
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned count = 0;
        io_uring_for_each_cqe(&ring->ring, head, cqe) {
            struct uring_completion completion = {
                .tag = cqe->user_data,
                .result = cqe->res,
                .buffer = (cqe->flags & IORING_CQE_F_BUFFER)
                              ? (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT)
                              : URING_NO_BUFFER,
                .goes_on = (cqe->flags & IORING_CQE_F_MORE) != 0};
            if (completion.tag != 0) {
                ring->completed(ring->context, &completion);
            }
            count++;
        }
        io_uring_cq_advance(&ring->ring, count);
        if (LIKELY(!has_flag(ring, IORING_SQ_CQ_OVERFLOW))) {
            return;
        }
        (void)io_uring_get_events(&ring->ring);
    }
}

/* What a call may return without being wrong: signals, time, a shortage that passes. */
static void check_result(int result) {
    check(result >= 0 || result == -EINTR || result == -ETIME || result == -EAGAIN ||
          result == -EBUSY || result == -ENOMEM);
}

void uring_ring_submit(struct uring_ring *ring) {
    do {
        uring_buffers_publish(&ring->buffers);
        check_result(io_uring_submit(&ring->ring));
        harvest(ring);
    } while (UNLIKELY(io_uring_sq_ready(&ring->ring) > 0));
}

bool uring_ring_wait(struct uring_ring *ring, int64_t wait_ns) {
    int result = 0;
    uring_buffers_publish(&ring->buffers);
    if (wait_ns == 0) {
        if (has_flag(ring, IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW) ||
            io_uring_sq_ready(&ring->ring) > 0) {
            result = io_uring_submit_and_get_events(&ring->ring);
        }
    } else {
        struct io_uring_cqe *cqe;
        struct __kernel_timespec time = {.tv_sec = wait_ns / NS_PER_S,
                                         .tv_nsec = wait_ns % NS_PER_S};
        result = io_uring_submit_and_wait_timeout(&ring->ring, &cqe, 1, wait_ns < 0 ? NULL : &time,
                                                  NULL);
    }
    check_result(result);
    harvest(ring);
    return result == -EINTR;
}

/* Operations. */

static struct io_uring_sqe *new_submission(struct uring_ring *ring) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);
    if (UNLIKELY(sqe == NULL)) {
        uring_ring_submit(ring);
        sqe = io_uring_get_sqe(&ring->ring);
    }
    return sqe;
}

void uring_ring_poll(struct uring_ring *ring, int fd, unsigned events, uint64_t tag) {
    struct io_uring_sqe *sqe = new_submission(ring);
    io_uring_prep_poll_add(sqe, fd, events);
    sqe->user_data = tag;
}

void uring_ring_receive(struct uring_ring *ring, int fd, uint64_t tag) {
    struct io_uring_sqe *sqe = new_submission(ring);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = tag;
}

void uring_ring_accept(struct uring_ring *ring, int fd, uint64_t tag) {
    struct io_uring_sqe *sqe = new_submission(ring);
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    sqe->user_data = tag;
}

void uring_ring_send(struct uring_ring *ring, int fd, const struct iovec *piece, uint64_t tag) {
    struct io_uring_sqe *sqe = new_submission(ring);
    io_uring_prep_send(sqe, fd, piece->iov_base, piece->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->user_data = tag;
}

void uring_ring_send_message(struct uring_ring *ring, int fd, const struct msghdr *message,
                             uint64_t tag) {
    struct io_uring_sqe *sqe = new_submission(ring);
    io_uring_prep_sendmsg(sqe, fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->user_data = tag;
}

void uring_ring_cancel(struct uring_ring *ring, uint64_t tag) {
    struct io_uring_sqe *sqe = new_submission(ring);
    io_uring_prep_cancel64(sqe, tag, 0);
    sqe->user_data = 0;
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* Birth and death. */

struct uring_ring *uring_ring_new(uring_completed_fn completed, void *context, int *error) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
                 IORING_SETUP_CQSIZE,
        .cq_entries = URING_COMPLETIONS,
    };
    struct uring_ring *ring = mem_zalloc(MEM_OTHER, sizeof *ring);
    ring->completed = completed;
    ring->context = context;
    *error = io_uring_queue_init_params(URING_SUBMISSIONS, &ring->ring, &params);
    if (*error == 0) {
        *error = uring_buffers_init(&ring->buffers, &ring->ring);
        if (*error == 0) {
            return ring;
        }
        io_uring_queue_exit(&ring->ring);
    }
    mem_free(MEM_OTHER, ring, sizeof *ring);
    return NULL;
}

/* Closing the ring would end what is under way some time later, and hold listening addresses until
 * then. Works only in the thread that has run the loop; another one leaves it to the kernel. */
static void cancel_everything(struct uring_ring *ring) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);
    if (sqe != NULL) {
        io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY);
        sqe->user_data = 0;
        (void)io_uring_submit_and_get_events(&ring->ring);
    }
}

void uring_ring_free(struct uring_ring *ring) {
    if (ring->is_enabled) {
        cancel_everything(ring);
    }
    io_uring_queue_exit(&ring->ring);
    uring_buffers_clear(&ring->buffers);
    mem_free(MEM_OTHER, ring, sizeof *ring);
}

struct uring_buffers *uring_ring_buffers(struct uring_ring *ring) {
    return &ring->buffers;
}

void uring_ring_enable(struct uring_ring *ring) {
    if (UNLIKELY(!ring->is_enabled)) {
        check(io_uring_enable_rings(&ring->ring) == 0);
        ring->is_enabled = true;
        (void)io_uring_register_ring_fd(&ring->ring); /* saves a look-up; not needed */
    }
}
#endif
