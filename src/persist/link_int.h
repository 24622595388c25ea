/* link_int: what the files of the link share: its life and the greeting (link.c), its
 * transport (link_connect.c), the snapshot
 * (link_snapshot.c), the stream (link_stream.c). */
#ifndef LARDER_PERSIST_LINK_INT_H
#define LARDER_PERSIST_LINK_INT_H

#include <netdb.h>

#include "base/buffer.h"
#include "ev/loop.h"
#include "net/transport.h"
#include "persist/link.h"
#include "persist/load.h"
#include "persist/rdb_file.h"
#include "persist/replication_int.h"
#include "proto/request.h"

/* Of a pass, for executing and for loading. */
#define LINK_SLICE_US 500
/* Bytes read at a time. */
#ifdef LARDER_TEST_SMALL
#define LINK_READ_SIZE 64
#else
#define LINK_READ_SIZE (256 * 1024)
#endif
#define LINK_MARK_SIZE 40

/* What has been asked and not answered. */
enum link_step { STEP_PING, STEP_AUTH, STEP_TELL, STEP_SYNC };
#define LINK_STEPS_MAX 8

struct link_snapshot {
    int file; /* -1: none */
    char path[64];
    bool is_marked; /* it ends with the mark; else it has `total` bytes */
    char mark[LINK_MARK_SIZE];
    char tail[LINK_MARK_SIZE]; /* the last bytes that came, before they are in the file */
    size_t tail_size;
    int64_t received;
    int64_t total;
    char id[REPLICATION_ID_SIZE + 1]; /* whose state it is */
    uint64_t offset;
    struct rdb_file check;
    bool is_open; /* check */
    struct load *load;
};

struct link {
    struct loop_watch watch; /* first: the loop's functions get this address */
    struct replication *replication;
    enum link_state state;
    struct transport transport;
    struct tls_desk *desk;      /* NULL until TLS is needed */
    bool is_shaking_hands;      /* connected, and TLS is not there yet */
    struct addrinfo *addresses; /* NULL once connected */
    struct addrinfo *address;   /* being tried */
    struct buffer out;
    size_t sent; /* of out */
    char *in;    /* bytes that came: a line, or the stream from its last whole unit on */
    size_t in_size;
    size_t in_capacity;
    enum link_step steps[LINK_STEPS_MAX]; /* in the order of their answers */
    int step_count;
    int64_t next_us;  /* when to try again */
    int64_t moved_us; /* when something came last */
    int64_t told_us;  /* when we acknowledged last */
    int64_t down_us;  /* since when it does not follow any more; 0: never did */
    struct link_snapshot snapshot;
    /* The stream. */
    struct client *client; /* that executes it; NULL unless following */
    struct reply reply;
    struct request_state request;
    struct bytes *args;
    size_t args_room;
    size_t request_at;     /* where in `in` the request begins that is being read */
    size_t unit_at;        /* and the first byte that has not been handed on */
    int64_t complained_us; /* when the log heard of a command that fails */
};

void link_set_state(struct link *link, enum link_state state);
/* The loop's call. */
void link_on_ready(struct loop_watch *watch, unsigned ready);
/* There is a transport: says hello. */
void link_greet(struct link *link);

/* link_connect.c: begins; goes on when the socket is ready; whether there is no transport yet. */
void link_connect(struct link *link);
void link_go_on_connecting(struct link *link, unsigned ready);
bool link_is_connecting(const struct link *link);
void link_close_socket(struct link *link);
void link_forget_addresses(struct link *link);

/* Ends the connection and begins anew later. The reason is for the log. */
void link_break(struct link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What we hold is no state of a history any more. */
void link_forget_history(struct link *link);

/* Sends what is in `out`, as far as it goes now. */
void link_send(struct link *link);
void link_acknowledge(struct link *link);

/* link_snapshot.c. The header line has come; bytes of it; its end. */
bool link_snapshot_begin(struct link *link, struct bytes line);
/* Takes what is its own from the front, and says how much that was. */
size_t link_snapshot_take(struct link *link, const char *at, size_t size);
/* A slice of checking or loading. Whether there is more to do at once. */
bool link_snapshot_pass(struct link *link);
void link_snapshot_drop(struct link *link);

/* link_stream.c */
void link_stream_begin(struct link *link);
void link_stream_end(struct link *link);
/* Room for `size` bytes behind what came. False when there is no memory. */
bool link_room(struct link *link, size_t size);
/* Executes what there is, for a slice. Whether there is more to do at once. */
bool link_stream_pass(struct link *link);

#endif
