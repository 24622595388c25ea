/* sends: what a pass has to send to many connections, gathered so that the loop can make one system
 * call of it. One for each loop; a connection has one send at most between two commits. */
#ifndef LARDER_CLIENT_SENDS_H
#define LARDER_CLIENT_SENDS_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct loop;
struct sends;

/* Pieces of one send. */
#define SEND_PIECES_MAX 4

/* `sent` of the `offered` bytes went out, 0 when the socket is full; or -errno. May not add a send.
 * `owner` and `what` are as they were added. */
typedef void (*send_done_fn)(void *owner, void *what, ssize_t sent, size_t offered);

struct sends *sends_new(struct loop *loop);
void sends_free(struct sends *sends);

/* SEND_PIECES_MAX pieces to fill for the next send; commits first when there are too many. */
struct iovec *sends_pieces(struct sends *sends);
/* Sends the first `count` of them, which hold `size` bytes in all. The bytes must stay until `done`
 * is called, by sends_commit at the latest. */
void sends_add(struct sends *sends, int fd, int count, size_t size, send_done_fn done, void *owner,
               void *what);
void sends_commit(struct sends *sends);

#endif
