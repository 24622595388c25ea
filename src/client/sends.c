/* sends: see the header. */
#include "client/sends.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "ev/loop.h"

#ifdef LARDER_TEST_SMALL
#define TOGETHER_MAX 2
#else
/* Sends that go with one system call: more of them make the call no cheaper for each. */
#define TOGETHER_MAX 128
#endif

struct owner {
    send_done_fn done;
    void *owner;
    void *what;
    size_t offered;
};

struct sends {
    struct loop *loop;
    int count;
    struct owner owners[TOGETHER_MAX];
    struct iovec pieces[TOGETHER_MAX][SEND_PIECES_MAX];
    struct loop_send sends[TOGETHER_MAX];
};

struct sends *sends_new(struct loop *loop) {
    struct sends *sends = mem_zalloc(MEM_ARENA, sizeof *sends);
    sends->loop = loop;
    return sends;
}

void sends_free(struct sends *sends) {
    mem_free(MEM_ARENA, sends, sizeof *sends);
}

struct iovec *sends_pieces(struct sends *sends) {
    if (sends->count == TOGETHER_MAX) {
        sends_commit(sends);
    }
    return sends->pieces[sends->count];
}

void sends_add(struct sends *sends, int fd, int count, size_t size, send_done_fn done, void *owner,
               void *what) {
    debug_check(sends->count < TOGETHER_MAX && count <= SEND_PIECES_MAX);
    int at = sends->count++;
    sends->owners[at] = (struct owner){.done = done, .owner = owner, .what = what, .offered = size};
    sends->sends[at] = (struct loop_send){.fd = fd, .pieces = sends->pieces[at], .count = count};
    loop_send(sends->loop, &sends->sends[at]);
}

void sends_commit(struct sends *sends) {
    if (sends->count == 0) {
        return;
    }
    loop_send_commit(sends->loop);
    for (int i = 0; i < sends->count; i++) {
        const struct owner *owner = &sends->owners[i];
        ssize_t sent = sends->sends[i].result;
        owner->done(owner->owner, owner->what, sent == -EAGAIN ? 0 : sent, owner->offered);
    }
    sends->count = 0;
}
