/* batch_flush: the replies of a batch go to the sockets, in the thread that serves them: one send
 * for each connection. Where the loop sends for us, those of many connections go with one system
 * call; replies in several pieces and what does not come first are sent at once all the same. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/io_thread.h"
#include "client/sends.h"

/* Bytes of a chunk that the output refers to instead of copying them: so large a part of it that
 * the rest may be kept with them. */
#define HANDED_MIN (REPLY_CHUNK_SIZE / 4)
#ifdef LARDER_TEST_SMALL
#define SEND_PIECES 3
#define GATHER_SIZE 64
#else
/* Pieces handed to one writev. */
#define SEND_PIECES 64
/* Bytes of replies to a pipeline of heavy requests that wait for its last turn. */
#define GATHER_SIZE 16384
#endif

/* Sends pieces as far as the socket takes them; bytes sent, or -errno. */
static ssize_t send_pieces(struct client *client, const struct reply_piece *pieces,
                           uint32_t count) {
    size_t sent = 0;
    for (uint32_t from = 0; from < count;) {
        struct iovec vector[SEND_PIECES];
        size_t asked = 0;
        int some = 0;
        for (; from < count && some < SEND_PIECES; from++) {
            vector[some++] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[from].at,
                                            .iov_len = pieces[from].size};
            asked += pieces[from].size;
        }
        ssize_t size = transport_writev(&client->transport, vector, some);
        if (size < 0 && size != -EAGAIN) {
            return size;
        }
        sent += size < 0 ? 0 : (size_t)size;
        if (size < (ssize_t)asked) {
            break;
        }
    }
    return (ssize_t)sent;
}

static ssize_t send_replies(struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    ssize_t size;
    if (LIKELY(turn->piece_from == turn->piece_to)) {
        size = transport_write(&client->transport, turn->at, turn->size);
        size = size == -EAGAIN ? 0 : size;
    } else {
        size = send_pieces(client, batch->reply.pieces + turn->piece_from,
                           turn->piece_to - turn->piece_from);
    }
    return size;
}

/* Queues the piece but for its first `sent` bytes. A chunk that is held is a buffer from now on:
 * the reply's reset leaves it to its holders. */
static void queue_piece(struct output *output, const struct reply_piece *piece, size_t sent) {
    const char *at = piece->at + sent;
    size_t size = piece->size - sent;
    if (!piece->is_value) {
        if (size < HANDED_MIN) {
            output_append(output, at, size);
            return;
        }
        if (blob_purpose(piece->blob) == MEM_ARENA) {
            blob_charge(piece->blob, MEM_BUFFER);
        }
    }
    output_append_blob(output, piece->blob, at, size);
}

/* Queues all but the first `sent` bytes. */
static void queue_rest(struct batch *batch, const struct turn *turn, size_t sent) {
    struct output *output = &turn->client->output;
    if (turn->piece_from == turn->piece_to) {
        output_append(output, turn->at + sent, turn->size - sent);
        return;
    }
    for (uint32_t i = turn->piece_from; i < turn->piece_to; i++) {
        const struct reply_piece *piece = &batch->reply.pieces[i];
        if (sent >= piece->size) {
            sent -= piece->size;
            continue;
        }
        queue_piece(output, piece, sent);
        sent = 0;
    }
}

/* Queues them but for what has been sent, and looks whether the peer is too slow. */
static void queue_replies(struct batch *batch, const struct turn *turn, size_t sent) {
    struct client *client = turn->client;
    queue_rest(batch, turn, sent);
    if (batch->thread->inlined && client->flags & CLIENT_TO_FLUSH) {
        return; /* messages came first, and have not been offered to the socket yet */
    }
    connection_check_output(client);
    if (client->output.size > connection_backlog_max(client)) {
        client->state |= CONNECTION_READING_PAUSED;
    }
    connection_update_interest(client);
}

/* While the rest of a pipeline waits for further turns, its replies wait for the last of them: one
 * send does for all, and a peer that has gone after sending is noticed when everything is done.
 * False when what is to be sent before has not been taken: then they wait behind that. */
static bool gather_replies(struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    if (!output_is_empty(&client->output) && !(client->state & CONNECTION_GATHERED)) {
        return false;
    }
    if (turn->size > 0) {
        queue_rest(batch, turn, 0);
    }
    bool more = client->state & CONNECTION_CUT && !turn->close && (!turn->held || turn->cut);
    if (more && client->output.size < GATHER_SIZE) {
        client->state |= CONNECTION_GATHERED;
    } else {
        connection_offer_output(client);
    }
    return true;
}

/* So many bytes have been sent, or -errno. */
static inline void replies_sent(struct batch *batch, const struct turn *turn, ssize_t size) {
    struct client *client = turn->client;
    if (UNLIKELY(size < 0)) {
        connection_close(client);
        return;
    }
    struct client_metrics *counts = batch->thread->counts;
    client->bytes_out += (uint64_t)size;
    counts->total_net_output_bytes += (uint64_t)size;
    counts->total_writes_processed++;
    if (UNLIKELY(size != (ssize_t)turn->size)) {
        queue_replies(batch, turn, (size_t)size);
    }
}

/* What the executing thread tells of the client. False when its connection is closing. */
static inline bool begin_turn(const struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    if (batch->thread->inlined) {
        client->flags &= ~(uint32_t)CLIENT_BUSY;
    }
    if (LIKELY(turn->executed)) {
        client->limit_class = turn->class_;
        uint32_t told = (turn->stranger ? CONNECTION_STRANGER : 0u) |
                        (turn->patient ? (unsigned)CONNECTION_PATIENT : 0u);
        client->state =
            (client->state & ~(uint32_t)(CONNECTION_STRANGER | CONNECTION_PATIENT)) | told;
    }
    if (UNLIKELY(client->state & CONNECTION_CLOSING)) {
        return false;
    }
    if (UNLIKELY(turn->cut)) {
        connection_set_cut(client, true);
    }
    return true;
}

static inline void end_turn(struct turn *turn) {
    struct client *client = turn->client;
    turn->size = 0;
    if (UNLIKELY(turn->close)) {
        client->state |= CONNECTION_CLOSE_SENT;
        if (output_is_empty(&client->output)) {
            connection_end(client);
        } else {
            connection_update_interest(client);
        }
    }
}

static void turn_sent(void *owner, void *what, ssize_t sent, size_t offered) {
    struct turn *turn = what;
    (void)offered;
    replies_sent(owner, turn, sent);
    end_turn(turn);
}

/* Sent with others; the turn ends when that is done. */
static void send_together(struct batch *batch, struct turn *turn) {
    struct sends *sends = io_thread_sends(batch->thread);
    sends_pieces(sends)[0] =
        (struct iovec){.iov_base = (void *)(uintptr_t)turn->at, .iov_len = turn->size};
    sends_add(sends, turn->client->watch.fd, 1, turn->size, turn_sent, batch, turn);
}

void batch_flush_turns(struct batch *batch, size_t end) {
    bool together = loop_receives_ahead(batch->thread->loop);
    for (size_t i = batch->flushed; i < end; i++) {
        struct turn *turn = &batch->turns[i];
        if (UNLIKELY(!begin_turn(batch, turn))) {
            continue;
        }
        if (UNLIKELY(turn->client->state & (CONNECTION_CUT | CONNECTION_GATHERED)) &&
            gather_replies(batch, turn)) {
            end_turn(turn);
            continue;
        }
        if (LIKELY(turn->size > 0)) {
            if (UNLIKELY(!output_is_empty(&turn->client->output))) {
                queue_replies(batch, turn, 0);
            } else if (together && turn->piece_from == turn->piece_to &&
                       transport_is_bare(&turn->client->transport)) {
                send_together(batch, turn);
                continue;
            } else {
                replies_sent(batch, turn, send_replies(batch, turn));
            }
        }
        end_turn(turn);
    }
    io_thread_commit(batch->thread);
    batch->flushed = end;
}
