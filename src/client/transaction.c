/* transaction: the queue, and its execution. The header draws the picture. */
#include "client/transaction.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/refusal.h"
#include "client/watch.h"
#include "ds/dict.h"

#ifdef LARDER_TEST_SMALL
#define FIRST_SIZE   128
#define KEPT_MAX     512
#define AHEAD_BUCKET 3
#define AHEAD_ENTRY  1
#else
/* Room at first: some ten short commands. */
#define FIRST_SIZE   2048
/* An allocation up to this size serves the next transaction. */
#define KEPT_MAX     65536
/* How many commands ahead of the one that is executed a key's bucket and its entry are asked for:
 * as in a batch, client/batch_execute.c, but shorter queues. */
#define AHEAD_BUCKET 16
#define AHEAD_ENTRY  8
#endif

struct transaction {
    size_t size; /* used, this header included */
    size_t capacity;
    size_t blob_bytes; /* what blobs take besides */
    int64_t count;
    unsigned flags;
    bool bad;
};

struct queued {
    struct command *command;
    uint64_t hash;
    size_t size; /* of the whole record */
    int32_t argc;
    int32_t blob_count;
    struct call_blob *blobs; /* behind the arguments; set by EXEC */
    size_t unused;           /* keeps the arguments aligned */
    struct bytes args[];
};

#define ALIGN(size) (((size) + 15) & ~(size_t)15)

static struct queued *at_offset(struct transaction *transaction, size_t offset) {
    return (struct queued *)(void *)((char *)transaction + offset);
}

static struct call_blob *blobs_of(struct queued *queued) {
    return (struct call_blob *)(void *)(queued->args + queued->argc);
}

/* ---- life ---- */

void transaction_begin(struct client *client) {
    struct clients *clients = client->clients;
    struct transaction *transaction = clients->spare_transaction;
    size_t capacity = FIRST_SIZE;
    if (transaction != NULL) {
        clients->spare_transaction = NULL;
        capacity = transaction->capacity;
    } else {
        transaction = mem_alloc(MEM_BUFFER, capacity);
    }
    *transaction = (struct transaction){.size = ALIGN(sizeof *transaction), .capacity = capacity};
    client->transaction = transaction;
    client->flags |= CLIENT_MULTI;
}

static void drop_blobs(struct transaction *transaction) {
    size_t offset = ALIGN(sizeof *transaction);
    for (int64_t i = 0; i < transaction->count; i++) {
        struct queued *queued = at_offset(transaction, offset);
        struct call_blob *blobs = blobs_of(queued);
        for (int32_t j = 0; j < queued->blob_count; j++) {
            if (blobs[j].blob != NULL) {
                blob_release(blobs[j].blob);
            }
        }
        offset += queued->size;
    }
}

void transaction_end(struct client *client) {
    struct transaction *transaction = client->transaction;
    watch_forget(client);
    client->flags &= ~(uint32_t)(CLIENT_MULTI | CLIENT_DIRTY);
    if (transaction == NULL) {
        return;
    }
    client->transaction = NULL;
    if (UNLIKELY(transaction->blob_bytes > 0)) {
        drop_blobs(transaction);
    }
    struct clients *clients = client->clients;
    if (transaction->capacity <= KEPT_MAX && clients->spare_transaction == NULL) {
        clients->spare_transaction = transaction;
    } else {
        mem_free(MEM_BUFFER, transaction, transaction->capacity);
    }
}

void transactions_free(struct clients *clients) {
    struct transaction *transaction = clients->spare_transaction;
    if (transaction != NULL) {
        mem_free(MEM_BUFFER, transaction, transaction->capacity);
        clients->spare_transaction = NULL;
    }
}

void transaction_spoil(struct client *client) {
    if (client->transaction != NULL) {
        client->transaction->bad = true;
    }
}

bool transaction_is_bad(const struct client *client) {
    return client->transaction->bad;
}

unsigned transaction_flags(const struct client *client) {
    return client->transaction == NULL ? 0 : client->transaction->flags;
}

int64_t transaction_count(const struct client *client) {
    return client->transaction == NULL ? -1 : client->transaction->count;
}

size_t transaction_footprint(const struct client *client) {
    const struct transaction *transaction = client->transaction;
    return transaction == NULL ? 0 : mem_class(transaction->capacity) + transaction->blob_bytes;
}

/* ---- queueing ---- */

static void refuse_more(struct client *client) {
    char name[SOCKET_NAME_SIZE];
    client_peer_name(client, name);
    log_warning("Closing %s: what it has queued in a transaction is over its limit.", name);
    client->clients->metrics.client_query_buffer_limit_disconnections++;
    client_close(client);
}

/* Room for a record of that size. NULL when there is none. */
static struct queued *reserve(struct client *client, size_t size) {
    struct transaction *transaction = client->transaction;
    if (UNLIKELY(transaction->size + size > transaction->capacity)) {
        size_t limit = (size_t)client->clients->options.query_size_max;
        size_t wanted = transaction->size + size;
        if (wanted + transaction->blob_bytes > limit) {
            refuse_more(client);
            return NULL;
        }
        size_t capacity = transaction->capacity * 2 > wanted ? transaction->capacity * 2 : wanted;
        capacity = capacity < limit ? capacity : limit;
        struct transaction *grown =
            mem_try_realloc(MEM_BUFFER, transaction, transaction->capacity, capacity);
        if (grown == NULL) {
            return NULL;
        }
        grown->capacity = capacity;
        client->transaction = grown;
        transaction = grown;
    }
    return at_offset(transaction, transaction->size);
}

/* The blobs' references go to the record; arguments that lie in one are not copied. */
static void queue_blobs(struct client *client, const struct call *call, struct queued *queued) {
    struct call_blob *blobs = blobs_of(queued);
    for (int i = 0; i < call->blob_count; i++) {
        blobs[i] = call->blobs[i];
        call->blobs[i].blob = NULL;
        if (blobs[i].blob != NULL) {
            client->transaction->blob_bytes += blob_footprint(blobs[i].blob);
        }
    }
    if (client->transaction->blob_bytes > (size_t)client->clients->options.query_size_max) {
        refuse_more(client);
    }
}

static bool lies_in_blob(const struct call *call, int index) {
    for (int i = 0; i < call->blob_count; i++) {
        if (call->blobs[i].index == index && call->blobs[i].blob != NULL) {
            return true;
        }
    }
    return false;
}

bool transaction_queue(struct client *client, const struct call *call) {
    size_t head = sizeof(struct queued) + (size_t)call->argc * sizeof(struct bytes) +
                  (size_t)call->blob_count * sizeof(struct call_blob);
    size_t size = head;
    for (int i = 0; i < call->argc; i++) {
        if (LIKELY(call->blob_count == 0) || !lies_in_blob(call, i)) {
            size += call->args[i].size;
        }
    }
    size = ALIGN(size);
    struct queued *queued = reserve(client, size);
    if (UNLIKELY(queued == NULL)) {
        return false;
    }
    *queued = (struct queued){.command = call->command,
                              .hash = call->hash,
                              .size = size,
                              .argc = call->argc,
                              .blob_count = call->blob_count};
    char *base = (char *)queued;
    size_t offset = head;
    for (int i = 0; i < call->argc; i++) {
        struct bytes arg = call->args[i];
        if (UNLIKELY(call->blob_count > 0) && lies_in_blob(call, i)) {
            queued->args[i] = arg; /* the blob does not move */
            continue;
        }
        queued->args[i] = bytes_of((const char *)(uintptr_t)offset, arg.size);
        memcpy(base + offset, arg.at, arg.size);
        offset += arg.size;
    }
    if (UNLIKELY(call->blob_count > 0)) {
        queue_blobs(client, call, queued);
    }
    struct transaction *transaction = client->transaction;
    transaction->size += size;
    transaction->count++;
    transaction->flags |= call->command->flags;
    client->last_command = call->command;
    return true;
}

/* ---- executing ---- */

/* Whether an argument is an offset: what lies in a blob is a pointer already. */
static bool is_offset(struct queued *queued, int index) {
    const struct call_blob *blobs = blobs_of(queued);
    for (int32_t i = 0; i < queued->blob_count; i++) {
        if (blobs[i].index == index && blobs[i].blob != NULL) {
            return false;
        }
    }
    return true;
}

/* From now on the record's arguments are pointers. Asks for its key's bucket. */
static void prepare(struct queued *queued, const struct database *database) {
    const char *base = (const char *)queued;
    queued->blobs = blobs_of(queued);
    for (int32_t i = 0; i < queued->argc; i++) {
        if (LIKELY(queued->blob_count == 0) || is_offset(queued, i)) {
            queued->args[i].at = base + (uintptr_t)queued->args[i].at;
        }
    }
    if (queued->command->first_key > 0) {
        dict_prefetch_bucket(&database->keys, queued->hash);
    }
}

/* A place in the queue. */
struct cursor {
    struct queued *queued;
    int64_t index;
};

static void step(struct cursor *cursor) {
    cursor->queued = (struct queued *)(void *)((char *)cursor->queued + cursor->queued->size);
    cursor->index++;
}

static void run(struct call *call, struct queued *queued) {
    call->command = queued->command;
    call->args = queued->args;
    call->argc = queued->argc;
    call->hash = queued->hash;
    call->blobs = queued->blobs;
    call->blob_count = queued->blob_count;
    if (UNLIKELY(call->client->flags & CLIENT_RESTRICTED) && refusal_in_queue(call)) {
        return;
    }
    dispatch_run(call);
}

void transaction_execute(struct call *call) {
    struct client *client = call->client;
    struct transaction *transaction = client->transaction;
    int64_t count = transaction->count;
    struct cursor bucket = {.queued = at_offset(transaction, ALIGN(sizeof *transaction))};
    struct cursor entry = bucket;
    struct cursor now = bucket;
    struct call inner = *call;
    inner.inner = true;
    reply_array(call->reply, count);
    while (now.index < count) {
        for (; bucket.index < count && bucket.index < now.index + AHEAD_BUCKET; step(&bucket)) {
            prepare(bucket.queued, client->database);
        }
        for (; entry.index < bucket.index && entry.index < now.index + AHEAD_ENTRY; step(&entry)) {
            if (entry.queued->command->first_key > 0) {
                dict_prefetch_entry(&client->database->keys, entry.queued->hash);
            }
        }
        run(&inner, now.queued);
        step(&now);
    }
}
