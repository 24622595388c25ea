/* input: what a connection has sent of a request that has not arrived whole. The only memory that
 * reading costs a connection, and only while it is needed.
 *
 *     bytes   *3 $3 SET $1 k $100000 |            copied out of the arena, parsed up to state.at
 *     args    SET, k                              slices of `bytes`
 *     filling blob of 100000 bytes                the socket is read straight into it
 *
 * A request of many arguments is kept in pages: when `bytes` is full, what has been parsed of it
 * stays where it is, and what has not goes to the front of a new page. So nothing is copied twice,
 * and a request takes its own size and an array of slices, which is never longer than what was
 * announced.
 *
 * A bulk of INPUT_BLOB_MIN bytes or more that has not arrived whole gets a blob, which SET will
 * keep as the value. Blobs are allocated at their full size only once a share of their bytes has
 * arrived (INPUT_TRUST), so that an announcement alone takes no memory. */
#ifndef LARDER_CLIENT_INPUT_H
#define LARDER_CLIENT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "call/call.h"
#include "ds/blob.h"
#include "proto/http.h"
#include "proto/request.h"

#ifdef LARDER_TEST_SMALL
#define INPUT_BLOB_MIN 64
#define INPUT_TRUST    256
#define INPUT_PAGE     256
#else
/* From this size on a value is worth reading into place. */
#define INPUT_BLOB_MIN (32 * 1024)
/* Room that an announcement gets at once; beyond it the blob grows as the bytes arrive. So ten
 * thousand connections that announce the most and send nothing take a gigabyte at worst. */
#define INPUT_TRUST    (128 * 1024)
/* Bytes of a page. */
#define INPUT_PAGE     (1024 * 1024)
#endif

struct input {
    char *bytes;
    size_t size;
    size_t capacity;
    struct request_state state; /* offsets into bytes */
    struct bytes *args;         /* state.have of them */
    size_t room;                /* of args */
    struct input_page *pages;   /* that are full, the last one first */
    size_t paged;               /* bytes they take */
    struct blob *filling;    /* argument state.have is being read into it; state.bulk is its size */
    struct call_blob *blobs; /* arguments that were read into blobs already */
    int blob_count;
    int blob_room;
    /* Of another protocol, which has nothing of the above but the bytes: client/protocol.c. */
    size_t ours;            /* of the bytes, requests that were put back */
    struct http_state http; /* where parsing stands in what is behind them */
    bool told;
    int64_t since_ms; /* when the request under way began */
};

struct input *input_new(void);
/* Frees everything, blobs included. */
void input_free(struct input *input);

/* Room for `more` bytes behind what is held; arguments follow when the bytes move. NULL when there
 * is no memory. */
char *input_reserve(struct input *input, size_t more);

/* The same where parsing goes on at input->state.at: a new page is begun when this one is full. */
char *input_reserve_page(struct input *input, size_t more);

/* Twice the room for arguments, as far as they are announced. While a request's beginning lives
 * here, its arguments are parsed straight into `args`: each is looked at once, however many reads
 * the request takes. False when there is no memory. */
bool input_grow_args(struct input *input);

/* What `bytes` holds becomes the input's own, unparsed; `bytes` is empty then. The input must be
 * new. */
void input_adopt(struct input *input, struct buffer *bytes);

/* Keeps what the parser left: bytes[0 .. size) of a window whose parse stands at *state, with the
 * arguments found so far, which may be input->args itself. The window is either input->bytes
 * itself, or comes behind what is held (arguments in front of a blob). False when there is no
 * memory. */
bool input_keep(struct input *input, const char *window, size_t size,
                const struct request_state *state, const struct bytes *args);

/* If the parser waits for a large bulk: begins a blob with what has arrived of it. False when there
 * is no memory for it. */
bool input_begin_blob(struct input *input);

/* Room for more bytes of the blob: makes it grow if it must. NULL when there is no memory. */
char *input_blob_room(struct input *input, size_t *room);

/* `size` bytes have been put there. True once the blob is whole; it then is the next argument and
 * parsing goes on at offset 0 of a new window. */
bool input_blob_filled(struct input *input, size_t size);

/* Appends everything that the input holds as plain protocol bytes, as if nothing had been
 * parsed. */
void input_unparse(const struct input *input, struct buffer *out);

/* Bytes of requests that it holds, whole blobs included. */
size_t input_held(const struct input *input);

/* Bytes from the allocator, blobs included. */
size_t input_footprint(const struct input *input);

#endif
