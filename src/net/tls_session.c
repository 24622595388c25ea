/* tls_session: one connection's TLS, between a transport's raw bytes and its reader and writer.
 *
 *     socket --recv--> desk.in --bio_take--> OpenSSL --SSL_read--> the reader's pieces
 *                         | what does not fit
 *                         v
 *                       kept, fed first next time
 *
 *     the writer's pieces --SSL_write--> OpenSSL --bio_put--> desk.out --send--> socket
 *                                                                | what it does not take
 *                                                                v
 *                                                              rest, sent first next time
 *
 * Reading. One receive fetches all that has come, as much as the reader has room for; OpenSSL takes
 * it record by record. Of a record that is not whole OpenSSL keeps the beginning: `fed` counts it,
 * and so much less is received next time, so that nothing is left over but where the reader has
 * little room. What is left over is kept, and has_pending says so.
 *
 * Writing. Pieces are gathered into records of RECORD_MAX bytes, and those into one send. A record
 * counts as written when the socket has all of it; until then the writer is told that its bytes
 * were not taken, and offers them again, as any writer does. They are encrypted already (`owed`),
 * so they are skipped then. Thus whoever waits for a socket needs to know nothing of what lies
 * here, except what was not written by anybody: answers of the protocol itself, for which
 * wants_write is there.
 *
 * The kernel's TLS (SSL_OP_ENABLE_KTLS) needs OpenSSL to own the socket: each record would be a
 * system call of its own again, where one send carries all of a pass here, and it is none of the
 * small replies of a cache that it makes cheaper. It is not there on the machines that this was
 * measured on (`tls` in /proc/sys/net/ipv4/tcp_available_ulp; bench/tls tells), so it is not used.
 *
 * Invariants:
 * 1. kept and rest have memory only while there is something in them;
 * 2. desk.out is empty between calls, and desk.in is nobody's;
 * 3. owed > 0 only while rest is not empty;
 * 4. OpenSSL's queue of errors is empty between calls. */
#include "net/tls_int.h"

#ifndef LARDER_NO_TLS

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "ev/direct.h"

/* What one record carries at most, by the protocol. */
#define RECORD_FULL 16384
#ifdef LARDER_TEST_SMALL
#define IN_SIZE    96
#define IN_LEAST   8
#define OUT_SIZE   1024
#define RECORD_MAX 200
#else
/* As much as one read of a connection takes. */
#define IN_SIZE    (64 * 1024)
/* Received at least, however little room the reader has. */
#define IN_LEAST   4096
/* Four full records and more. */
#define OUT_SIZE   (80 * 1024)
#define RECORD_MAX RECORD_FULL
#endif
/* Receives of one read, while they bring nothing that can be read: enough for a whole record. */
#define ROUNDS_MAX (RECORD_FULL / IN_LEAST + 4)
/* Of a record beyond what it carries: header, content type, tag; explicit nonce, padding and hash
 * in older protocols. */
#define RECORD_ROOM 320
/* Bytes that wait for a peer who does not read. What is written is less than OUT_SIZE; the rest is
 * answers to what a peer sends without reading. */
#define REST_MAX (1024 * 1024)
/* Records of one send. */
#define RECORDS_MAX (OUT_SIZE / RECORD_MAX + 2)

struct tls_desk {
    char in[IN_SIZE];
    char gather[RECORD_MAX];
    size_t out_size;
    char out[OUT_SIZE];
};

/* Bytes of a session that wait. */
struct waiting_bytes {
    char *at;
    size_t from; /* those before are gone */
    size_t size; /* in all */
    size_t room;
};

struct tls_session {
    SSL_CTX *ctx; /* until the session begins; NULL then */
    SSL *ssl;     /* from then on */
    struct tls_desk *desk;
    const struct transport_kind *raw;
    struct transport *transport; /* while a call is under way */
    const char *source;          /* likewise: what bio_take has to give */
    size_t source_size;
    size_t fed; /* bytes of a record that OpenSSL has not got whole */
    struct waiting_bytes kept;
    struct waiting_bytes rest;
    size_t owed;
    const char *problem;
    char *server_name; /* NULL: none */
    const char *offer; /* what may be spoken inside; NULL: not said */
    bool is_client;
    bool is_open;       /* the handshake is done */
    bool was_cut;       /* the last receive left something in the socket, as far as is known */
    bool is_ended;      /* the peer has closed */
    bool is_broken;     /* ... or its bytes make no sense */
    bool is_plain_text; /* they never did */
};

/* ---- bytes that wait ---- */

static size_t waiting(const struct waiting_bytes *bytes) {
    return bytes->size - bytes->from;
}

static void waiting_clear(struct waiting_bytes *bytes) {
    mem_free(MEM_BUFFER, bytes->at, bytes->room);
    *bytes = (struct waiting_bytes){0};
}

static void waiting_add(struct waiting_bytes *bytes, const char *at, size_t size) {
    if (size == 0) {
        return;
    }
    if (bytes->room - bytes->size < size) {
        size_t room = mem_class(bytes->size + size);
        bytes->at = mem_realloc(MEM_BUFFER, bytes->at, bytes->room, room);
        bytes->room = room;
    }
    memcpy(bytes->at + bytes->size, at, size);
    bytes->size += size;
}

static void waiting_gone(struct waiting_bytes *bytes, size_t size) {
    bytes->from += size;
    if (bytes->from == bytes->size) {
        waiting_clear(bytes);
    }
}

/* ---- to the socket ---- */

/* Sends what waits. 0, also when not all of it goes; or -errno. */
static int send_rest(struct transport *transport) {
    struct tls_session *session = transport->tls;
    while (waiting(&session->rest) > 0) {
        struct iovec piece = {.iov_base = session->rest.at + session->rest.from,
                              .iov_len = waiting(&session->rest)};
        ssize_t sent = direct_send(transport->fd, &piece, 1);
        if (sent <= 0) {
            return sent == -EAGAIN || sent == 0 ? 0 : (int)sent;
        }
        waiting_gone(&session->rest, (size_t)sent);
    }
    return 0;
}

/* Sends what is on the desk, or puts it behind what waits. Returns how many bytes of the desk's
 * have gone, or -errno. */
static ssize_t send_desk(struct transport *transport) {
    struct tls_session *session = transport->tls;
    struct tls_desk *desk = session->desk;
    size_t size = desk->out_size;
    size_t gone = 0;
    desk->out_size = 0;
    int status = waiting(&session->rest) > 0 ? send_rest(transport) : 0;
    while (status == 0 && gone < size && waiting(&session->rest) == 0) {
        struct iovec piece = {.iov_base = desk->out + gone, .iov_len = size - gone};
        ssize_t sent = direct_send(transport->fd, &piece, 1);
        if (sent == -EAGAIN) {
            break;
        }
        status = sent < 0 ? (int)sent : 0;
        gone += sent < 0 ? 0 : (size_t)sent;
    }
    if (status < 0) {
        return status;
    }
    waiting_add(&session->rest, desk->out + gone, size - gone);
    transport->wants_write = waiting(&session->rest) > 0;
    return waiting(&session->rest) > REST_MAX ? -ENOBUFS : (ssize_t)gone;
}

/* ---- what OpenSSL reads from and writes to ---- */

static int bio_take(BIO *bio, char *at, size_t size, size_t *taken) {
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->source_size == 0) {
        BIO_set_retry_read(bio);
        *taken = 0;
        return 0;
    }
    *taken = size < session->source_size ? size : session->source_size;
    memcpy(at, session->source, *taken);
    session->source += *taken;
    session->source_size -= *taken;
    session->fed += *taken;
    return 1;
}

/* Takes all. What a handshake has to say may be longer than the desk. */
static int bio_put(BIO *bio, const char *at, size_t size, size_t *put) {
    struct tls_session *session = BIO_get_data(bio);
    struct tls_desk *desk = session->desk;
    BIO_clear_retry_flags(bio);
    if (OUT_SIZE - desk->out_size < size && send_desk(session->transport) < 0) {
        return 0;
    }
    if (size <= OUT_SIZE) {
        memcpy(desk->out + desk->out_size, at, size);
        desk->out_size += size;
    } else {
        waiting_add(&session->rest, at, size);
        session->transport->wants_write = true;
    }
    *put = size;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *at) {
    (void)bio;
    (void)number;
    (void)at;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "desk");
    check(method != NULL);
    BIO_meth_set_read_ex(method, bio_take);
    BIO_meth_set_write_ex(method, bio_put);
    BIO_meth_set_ctrl(method, bio_control);
}

/* ---- beginning and end ---- */

struct tls_desk *tls_desk_new(void) {
    struct tls_desk *desk = mem_alloc(MEM_ARENA, sizeof *desk);
    desk->out_size = 0;
    return desk;
}

void tls_desk_free(struct tls_desk *desk) {
    /* What is left on it was for peers that are gone, but may be somebody's secret. */
    OPENSSL_cleanse(desk, sizeof *desk);
    mem_free(MEM_ARENA, desk, sizeof *desk);
}

struct tls_session *tls_session_new(struct tls_context *context, const char *server_name) {
    struct tls_session *session = mem_zalloc(MEM_CLIENT, sizeof *session);
    SSL_CTX_up_ref(context->ctx);
    session->ctx = context->ctx;
    session->is_client = context->is_client;
    session->problem = "";
    if (server_name != NULL) {
        session->server_name = mem_copy_text(MEM_CLIENT, server_name, strlen(server_name));
    }
    return session;
}

void tls_session_free(struct tls_session *session) {
    SSL_free(session->ssl);
    SSL_CTX_free(session->ctx);
    waiting_clear(&session->kept);
    waiting_clear(&session->rest);
    if (session->server_name != NULL) {
        mem_free(MEM_CLIENT, session->server_name, strlen(session->server_name) + 1);
    }
    mem_free(MEM_CLIENT, session, sizeof *session);
}

void tls_session_offer(struct tls_session *session, const char *protocols) {
    session->offer = protocols;
}

const char *tls_offer_of(const SSL *ssl) {
    const struct tls_session *session = SSL_get_app_data(ssl);
    return session->offer;
}

/* OpenSSL's part of the session. False when there is no memory. */
static bool begin(struct tls_session *session) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = BIO_new(method);
    SSL *ssl = bio == NULL ? NULL : SSL_new(session->ctx);
    if (ssl == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, session);
    if (session->is_client) {
        SSL_set_connect_state(ssl);
        if (session->server_name != NULL) {
            SSL_set_tlsext_host_name(ssl, session->server_name);
        }
    } else {
        SSL_set_accept_state(ssl);
    }
    session->ssl = ssl;
    SSL_CTX_free(session->ctx);
    session->ctx = NULL;
    return true;
}

/* ---- what went wrong ---- */

/* Notes why OpenSSL does not go on, and empties its queue of errors. */
static void note_problem(struct tls_session *session) {
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    long verified = SSL_get_verify_result(session->ssl);
    session->is_broken = true;
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
        session->problem = X509_verify_cert_error_string(verified);
    } else {
        session->problem = reason == NULL ? "no reason is known" : reason;
    }
    ERR_clear_error();
}

/* What a call that did not go through means: -EAGAIN when more has to come, 0 when the peer has
 * closed, else -EPROTO. */
static int look_at_failure(struct tls_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        session->is_ended = true;
        return 0;
    default:
        note_problem(session);
        return -EPROTO;
    }
}

/* ---- from the socket ---- */

/* Makes bytes ready for bio_take: those that were kept, or what the socket has, up to `room` or a
 * little more. > 0; 0 the peer has closed; or -errno. */
static ssize_t fetch(struct transport *transport, size_t room) {
    struct tls_session *session = transport->tls;
    struct tls_desk *desk = session->desk;
    session->transport = transport;
    if (waiting(&session->kept) > 0) {
        session->source = session->kept.at + session->kept.from;
        session->source_size = waiting(&session->kept);
        return 1;
    }
    session->source_size = 0;
    session->was_cut = false;
    if (session->is_ended) {
        return 0;
    }
    size_t size = room > session->fed + IN_LEAST ? room - session->fed : IN_LEAST;
    struct iovec piece = {.iov_base = desk->in, .iov_len = size < IN_SIZE ? size : IN_SIZE};
    ssize_t got = session->raw->readv(transport, &piece, 1);
    if (got > 0) {
        session->source = desk->in;
        session->source_size = (size_t)got;
    }
    session->is_ended = got == 0;
    session->was_cut = got == (ssize_t)piece.iov_len;
    return got;
}

/* Keeps what OpenSSL has not taken, and says whether there is something to be read without the
 * socket. */
static void keep_source(struct transport *transport) {
    struct tls_session *session = transport->tls;
    size_t left = session->source_size;
    session->source_size = 0;
    if (waiting(&session->kept) > 0) {
        waiting_gone(&session->kept, waiting(&session->kept) - left);
    } else {
        waiting_add(&session->kept, session->source, left);
    }
    transport->has_pending = waiting(&session->kept) > 0 || SSL_pending(session->ssl) > 0;
}

/* Reads into one piece. Returns how many bytes; *status is why it are not more: 0 the piece is
 * full.
 */
static size_t read_piece(struct tls_session *session, char *at, size_t room, int *status) {
    size_t got = 0;
    *status = 0;
    while (got < room) {
        if (session->source_size == 0 && session->fed == 0) {
            *status = -EAGAIN; /* OpenSSL has nothing: it would only say so */
            return got;
        }
        size_t some = 0;
        int result = SSL_read_ex(session->ssl, at + got, room - got, &some);
        if (result != 1) {
            *status = look_at_failure(session, result);
            *status = *status == 0 ? -ESHUTDOWN : *status;
            return got;
        }
        got += some;
        if (SSL_pending(session->ssl) == 0) {
            session->fed = 0;
        }
    }
    return got;
}

static ssize_t tls_readv(struct transport *transport, const struct iovec *pieces, int count) {
    struct tls_session *session = transport->tls;
    check(session->is_open);
    if (session->is_broken) {
        return -EPROTO;
    }
    size_t room = 0;
    for (int i = 0; i < count; i++) {
        room += pieces[i].iov_len;
    }
    session->transport = transport;
    size_t got = 0;
    int status;
    int rounds = 0;
    bool more;
    do {
        /* While a record has not been read to its end, what is behind it can wait. */
        more = false;
        if (!transport->has_pending || waiting(&session->kept) > 0) {
            ssize_t fetched = fetch(transport, room);
            if (fetched <= 0) {
                return fetched;
            }
            more = session->was_cut;
        }
        status = 0;
        for (int i = 0; i < count && status == 0; i++) {
            got += read_piece(session, pieces[i].iov_base, pieces[i].iov_len, &status);
        }
        keep_source(transport);
    } while (more && got == 0 && status == -EAGAIN && ++rounds < ROUNDS_MAX);
    if (session->desk->out_size > 0) {
        ssize_t sent = send_desk(transport);
        if (sent < 0 && got == 0) {
            return sent;
        }
    }
    if (got > 0) {
        transport->has_pending |= session->is_ended || session->is_broken;
        return (ssize_t)got;
    }
    return status == -ESHUTDOWN ? 0 : status;
}

/* ---- the handshake ---- */

/* The first byte of a record that begins a handshake; or, of SSL 2's form of a greeting, a length
 * with its high bit set. */
static bool looks_like_tls(const struct tls_session *session) {
    unsigned char first = (unsigned char)session->source[0];
    return first == SSL3_RT_HANDSHAKE || first == SSL3_RT_ALERT || (first & 0x80) != 0;
}

static int shake_hands(struct transport *transport) {
    struct tls_session *session = transport->tls;
    int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        session->is_open = true;
        session->fed = 0;
        return 1;
    }
    int status = look_at_failure(session, result);
    if (status == 0 || (status == -EAGAIN && session->is_ended)) {
        session->problem = "the peer has closed";
        return 0;
    }
    return status;
}

int tls_handshake(struct transport *transport) {
    struct tls_session *session = transport->tls;
    bool speaks_first = session->is_client && session->ssl == NULL;
    if (session->is_open || session->is_broken) {
        return session->is_open ? 1 : -EPROTO;
    }
    ssize_t got = 1;
    session->transport = transport;
    if (!speaks_first) {
        got = fetch(transport, RECORD_FULL);
    }
    if (got <= 0) {
        session->problem = got == -EAGAIN ? ""
                           : got == 0     ? "the peer has closed"
                                          : "the connection is broken";
        return (int)got;
    }
    if (session->ssl == NULL) {
        session->is_plain_text = !speaks_first && !looks_like_tls(session);
        if (session->is_plain_text || !begin(session)) {
            session->is_broken = true;
            session->problem = session->is_plain_text ? "plain text instead of TLS" : "no memory";
            return -EPROTO;
        }
    }
    int status = shake_hands(transport);
    keep_source(transport);
    ssize_t sent = session->desk->out_size > 0 ? send_desk(transport) : 0;
    if (sent < 0) {
        session->problem = "the connection is broken";
        return (int)sent;
    }
    return status;
}

/* ---- writing ---- */

/* Where a writer's pieces have got to. */
struct cursor {
    const struct iovec *pieces;
    int count;
    size_t at; /* in the first of them */
};

static void cursor_move(struct cursor *cursor, size_t size) {
    while (cursor->count > 0 && size >= cursor->pieces->iov_len - cursor->at) {
        size -= cursor->pieces->iov_len - cursor->at;
        cursor->pieces++;
        cursor->count--;
        cursor->at = 0;
    }
    cursor->at += size;
}

/* What the next record carries: a part of one piece where that is long enough or the last, else
 * several, copied together. */
static struct iovec next_record(struct tls_desk *desk, struct cursor *cursor) {
    char *first = (char *)cursor->pieces->iov_base + cursor->at;
    size_t size = cursor->pieces->iov_len - cursor->at;
    if (size >= RECORD_MAX || cursor->count == 1) {
        size = size < RECORD_MAX ? size : RECORD_MAX;
        cursor_move(cursor, size);
        return (struct iovec){.iov_base = first, .iov_len = size};
    }
    size_t gathered = 0;
    while (gathered < RECORD_MAX && cursor->count > 0) {
        size = cursor->pieces->iov_len - cursor->at;
        size = size < RECORD_MAX - gathered ? size : RECORD_MAX - gathered;
        if (size > 0) {
            memcpy(desk->gather + gathered, (char *)cursor->pieces->iov_base + cursor->at, size);
        }
        gathered += size;
        cursor_move(cursor, size);
    }
    return (struct iovec){.iov_base = desk->gather, .iov_len = gathered};
}

/* Encrypts as much as the desk has room for and sends it. Returns the bytes of the writer's that
 * are with the socket; the others of those that were encrypted are owed. Or -errno. */
static ssize_t write_some(struct transport *transport, struct cursor *cursor) {
    struct tls_session *session = transport->tls;
    struct tls_desk *desk = session->desk;
    struct {
        size_t carried; /* up to this record */
        size_t sealed;
    } ends[RECORDS_MAX];
    int records = 0;
    size_t carried = 0;
    while (cursor->count > 0 && records < RECORDS_MAX &&
           OUT_SIZE - desk->out_size >= RECORD_MAX + RECORD_ROOM) {
        struct iovec record = next_record(desk, cursor);
        size_t written = 0;
        if (record.iov_len == 0) {
            continue;
        }
        int result = SSL_write_ex(session->ssl, record.iov_base, record.iov_len, &written);
        if (result != 1) {
            int status = look_at_failure(session, result);
            desk->out_size = 0;
            return status == 0 ? -EPIPE : -EPROTO;
        }
        carried += written;
        ends[records].carried = carried;
        ends[records++].sealed = desk->out_size;
    }
    ssize_t gone = desk->out_size > 0 ? send_desk(transport) : 0;
    if (gone < 0) {
        return gone;
    }
    size_t done = 0;
    for (int i = 0; i < records && ends[i].sealed <= (size_t)gone; i++) {
        done = ends[i].carried;
    }
    session->owed = carried - done;
    return (ssize_t)done;
}

static int tls_flush(struct transport *transport) {
    int status = send_rest(transport);
    transport->wants_write = waiting(&transport->tls->rest) > 0;
    return status;
}

static ssize_t tls_writev(struct transport *transport, const struct iovec *pieces, int count) {
    struct tls_session *session = transport->tls;
    check(session->is_open);
    if (session->is_broken) {
        return -EPROTO;
    }
    session->transport = transport;
    int status = tls_flush(transport);
    if (status < 0 || transport->wants_write) {
        return status < 0 ? status : -EAGAIN;
    }
    struct cursor cursor = {.pieces = pieces, .count = count};
    size_t offered = 0;
    for (int i = 0; i < count; i++) {
        offered += pieces[i].iov_len;
    }
    size_t sent = session->owed < offered ? session->owed : offered;
    session->owed -= sent;
    cursor_move(&cursor, sent);
    while (cursor.count > 0 && session->owed == 0 && !transport->wants_write) {
        ssize_t some = write_some(transport, &cursor);
        if (some < 0) {
            return some;
        }
        sent += (size_t)some;
    }
    return sent > 0 || offered == 0 ? (ssize_t)sent : -EAGAIN;
}

/* Says goodbye if there is somebody to hear it; whether that arrives does not matter. */
static void tls_close(struct transport *transport) {
    struct tls_session *session = transport->tls;
    session->transport = transport;
    if (session->is_open && !session->is_broken && waiting(&session->rest) == 0) {
        (void)SSL_shutdown(session->ssl);
        if (session->desk->out_size > 0) {
            (void)send_desk(transport);
        }
        ERR_clear_error();
    }
    const struct transport_kind *raw = session->raw;
    tls_session_free(session);
    transport->tls = NULL;
    raw->close(transport);
}

static const struct transport_kind tls_kind = {
    .name = "tls",
    .readv = tls_readv,
    .writev = tls_writev,
    .close = tls_close,
    .flush = tls_flush,
};

void tls_attach(struct transport *transport, struct tls_desk *desk) {
    transport->tls->raw = transport->kind;
    transport->tls->desk = desk;
    transport->kind = &tls_kind;
}

/* ---- telling ---- */

bool tls_has_begun(const struct transport *transport) {
    return transport->tls->ssl != NULL;
}

bool tls_was_resumed(const struct transport *transport) {
    return SSL_session_reused(transport->tls->ssl) == 1;
}

struct bytes tls_agreed(const struct transport *transport) {
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(transport->tls->ssl, &name, &size);
    return bytes_of((const char *)name, size);
}

const char *tls_protocol(const struct transport *transport) {
    return SSL_get_version(transport->tls->ssl);
}

const char *tls_cipher(const struct transport *transport) {
    return SSL_get_cipher_name(transport->tls->ssl);
}

const char *tls_problem(const struct transport *transport) {
    return transport->tls->problem;
}

bool tls_was_plain_text(const struct transport *transport) {
    return transport->tls->is_plain_text;
}

#endif
