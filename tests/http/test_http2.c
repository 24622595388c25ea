/* Tests of HTTP/2 through a whole server whose buffers are small: answers go over many chunks, stop
 * in the middle and go on in further turns; requests are cut everywhere. nghttp2 is the client. */
#include "http/http.h"

#ifndef LARDER_NO_HTTP2

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#endif

#include "client/client.h"
#include "support/session.h"

#ifndef LARDER_NO_HTTP2

#define STREAMS_MAX 64
#define BODY_MAX    65536
#define PASSES_MAX  400000

struct exchange_seen {
    int32_t id;
    int status;
    bool is_over;
    const char *upload; /* what is left of it */
    size_t upload_left;
    size_t size;
    char body[BODY_MAX];
};

struct peer {
    struct session *session;
    int fd;
    nghttp2_session *h2;
    size_t piece; /* bytes that go and come at once */
    size_t count;
    struct exchange_seen *streams;
};

static struct exchange_seen *find(struct peer *peer, int32_t id) {
    for (size_t i = 0; i < peer->count; i++) {
        if (peer->streams[i].id == id) {
            return &peer->streams[i];
        }
    }
    fail_msg("no stream %d", id);
    return NULL;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *context) {
    (void)h2;
    (void)flags;
    (void)value_size;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0) {
        find(context, frame->hd.stream_id)->status = atoi((const char *)value);
    }
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *at, size_t size,
                   void *context) {
    struct exchange_seen *stream = find(context, id);
    (void)h2;
    (void)flags;
    assert_true(stream->size + size < BODY_MAX);
    memcpy(stream->body + stream->size, at, size);
    stream->size += size;
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *context) {
    (void)h2;
    assert_int_equal(code, 0);
    find(context, id)->is_over = true;
    return 0;
}

static ssize_t read_upload(nghttp2_session *h2, int32_t id, uint8_t *at, size_t room,
                           uint32_t *flags, nghttp2_data_source *source, void *context) {
    struct exchange_seen *stream = find(context, id);
    (void)h2;
    (void)source;
    size_t size = stream->upload_left < room ? stream->upload_left : room;
    memcpy(at, stream->upload, size);
    stream->upload += size;
    stream->upload_left -= size;
    if (stream->upload_left == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)size;
}

static void peer_open(struct peer *peer, size_t piece) {
    int pair[2];
    nghttp2_session_callbacks *callbacks;
    peer->session = session_start(NULL);
    peer->piece = piece;
    peer->count = 0;
    peer->streams = calloc(STREAMS_MAX, sizeof *peer->streams);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    clients_accept_foreign(peer->session->server.context.clients, pair[0], CLIENT_DOOR_TCP,
                           http_protocol(peer->session->server.http));
    peer->fd = pair[1];
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    assert_int_equal(nghttp2_session_client_new(&peer->h2, callbacks, peer), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(peer->h2, 0, NULL, 0);
}

static void peer_close(struct peer *peer) {
    nghttp2_session_del(peer->h2);
    close(peer->fd);
    session_pass(peer->session);
    session_end(peer->session);
    free(peer->streams);
}

static nghttp2_nv field(const char *name, const char *value) {
    union {
        const char *given;
        uint8_t *taken;
    } names = {.given = name}, values = {.given = value};
    return (nghttp2_nv){names.taken, values.taken, strlen(name), strlen(value), 0};
}

static struct exchange_seen *ask(struct peer *peer, const char *method, const char *path,
                                 const char *body, size_t size) {
    assert_true(peer->count < STREAMS_MAX);
    struct exchange_seen *stream = &peer->streams[peer->count++];
    nghttp2_nv fields[] = {field(":method", method), field(":scheme", "http"),
                           field(":authority", "a"), field(":path", path)};
    nghttp2_data_provider provider = {.read_callback = read_upload};
    stream->upload = body;
    stream->upload_left = size;
    stream->id =
        nghttp2_submit_request(peer->h2, NULL, fields, 4, body == NULL ? NULL : &provider, NULL);
    return stream;
}

static bool all_over(const struct peer *peer) {
    for (size_t i = 0; i < peer->count; i++) {
        if (!peer->streams[i].is_over) {
            return false;
        }
    }
    return true;
}

/* Until all streams are over. */
static void run(struct peer *peer) {
    const uint8_t *out = NULL;
    size_t left = 0;
    for (int pass = 0; pass < PASSES_MAX && !all_over(peer); pass++) {
        uint8_t in[4096];
        if (left == 0) {
            ssize_t size = nghttp2_session_mem_send(peer->h2, &out);
            assert_true(size >= 0);
            left = (size_t)size;
        }
        if (left > 0) {
            ssize_t sent =
                send(peer->fd, out, left < peer->piece ? left : peer->piece, MSG_NOSIGNAL);
            out += sent > 0 ? sent : 0;
            left -= sent > 0 ? (size_t)sent : 0;
        }
        session_pass(peer->session);
        ssize_t size = read(peer->fd, in, peer->piece < sizeof in ? peer->piece : sizeof in);
        if (size > 0) {
            assert_int_equal(nghttp2_session_mem_recv(peer->h2, in, (size_t)size), size);
        }
    }
    assert_true(all_over(peer));
}

static const size_t pieces[] = {100000, 1, 7, 50, 333};
#define PIECES (sizeof pieces / sizeof pieces[0])

static void test_values(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 10, 500, 3000, 20000};
    static char value[20000];
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (char)('a' + i % 23);
    }
    for (size_t i = 0; i < PIECES; i++) {
        struct peer peer;
        peer_open(&peer, pieces[i]);
        for (size_t k = 0; k < 5; k++) {
            if (pieces[i] < 50 && sizes[k] > 3000) {
                continue;
            }
            struct exchange_seen *put = ask(&peer, "PUT", "/v1/keys/v", value, sizes[k]);
            run(&peer);
            assert_true(put->status == 200 || put->status == 201);
            struct exchange_seen *gets[3];
            for (int n = 0; n < 3; n++) {
                gets[n] = ask(&peer, "GET", "/v1/keys/v", NULL, 0);
            }
            run(&peer);
            for (int n = 0; n < 3; n++) {
                assert_int_equal(gets[n]->status, 200);
                assert_int_equal(gets[n]->size, sizes[k]);
                assert_memory_equal(gets[n]->body, value, sizes[k]);
            }
        }
        peer_close(&peer);
    }
}

static void test_mixed(void **state) {
    (void)state;
    static const char pipeline[] = "[[\"INCR\",\"n\"],[\"INCR\",\"n\"],[\"GET\",\"none\"]]";
    static const char transaction[] = "[[\"INCR\",\"n\"],[\"INCR\",\"n\"]]";
    for (size_t i = 0; i < PIECES; i++) {
        struct peer peer;
        peer_open(&peer, pieces[i]);
        struct exchange_seen *root = ask(&peer, "GET", "/", NULL, 0);
        struct exchange_seen *pipe = ask(&peer, "POST", "/pipeline", pipeline, sizeof pipeline - 1);
        run(&peer);
        struct exchange_seen *exec =
            ask(&peer, "POST", "/multi-exec", transaction, sizeof transaction - 1);
        struct exchange_seen *head = ask(&peer, "HEAD", "/v1/keys/n", NULL, 0);
        struct exchange_seen *miss = ask(&peer, "GET", "/v1/keys/none", NULL, 0);
        run(&peer);
        assert_int_equal(root->status, 200);
        assert_int_equal(pipe->status, 200);
        assert_string_equal(pipe->body, "[{\"result\":1},{\"result\":2},{\"result\":null}]\n");
        assert_string_equal(exec->body, "[{\"result\":3},{\"result\":4}]\n");
        assert_int_equal(head->status, 200);
        assert_int_equal(head->size, 0);
        assert_int_equal(miss->status, 404);
        peer_close(&peer);
    }
}

/* A pause holds requests back, and a peer that goes meanwhile leaves nothing behind. */
static void test_pause(void **state) {
    (void)state;
    for (int stays = 0; stays < 2; stays++) {
        struct peer peer;
        peer_open(&peer, 1000);
        run(&peer);
        session_expect(peer.session, "CLIENT PAUSE 100000 WRITE", "+OK\r\n");
        struct exchange_seen *put = ask(&peer, "PUT", "/v1/keys/p", "1", 1);
        struct exchange_seen *get = ask(&peer, "GET", "/v1/keys/p", NULL, 0);
        for (int i = 0; i < 100; i++) {
            const uint8_t *out;
            ssize_t size = nghttp2_session_mem_send(peer.h2, &out);
            assert_true(size == 0 || send(peer.fd, out, (size_t)size, MSG_NOSIGNAL) == size);
            session_pass(peer.session);
        }
        if (stays) {
            session_expect(peer.session, "CLIENT UNPAUSE", "+OK\r\n");
            run(&peer);
            assert_int_equal(put->status, 201);
            assert_true(get->status == 200 || get->status == 404);
        }
        peer_close(&peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
    return 0;
}

#endif
