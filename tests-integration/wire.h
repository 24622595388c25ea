/* wire: a test's side of a connection, byte by byte, for what a client library would not send, and
 * replies of protocol 2 and 3 as text that can be compared.
 *
 * Canonical text of a reply:  +OK  -ERR text  :1  "bulk\r\n\x00"  nil ($-1)  nil* (*-1)
 * [a, b]  and of protocol 3:  null  #t  ,3.14  (123  ="txt:..."  {k: v}  ~[a]  >[a]  !"ERR ..."
 *
 * Whatever goes wrong (end of stream, no bytes within HARNESS_WAIT_MS) fails the running test. */
#ifndef LARDER_TESTS_INTEGRATION_WIRE_H
#define LARDER_TESTS_INTEGRATION_WIRE_H

#include "harness.h"

/* Connects to the server; bytes go out at once (TCP_NODELAY). Close with close(). */
int wire_connect(const struct server *server);
/* The same to another port of this machine. */
int wire_connect_port(int port);

void wire_send(int fd, const void *at, size_t size);
void wire_send_text(int fd, const char *text);

/* Sends what the other end takes at once; returns how much. For readers that do not read. */
size_t wire_try_send(int fd, const void *at, size_t size);

/* Sends in two pieces, the second after the server has handled the first: `other` is a second
 * connection to the same server, on which a PING makes sure of that. */
void wire_send_split(int fd, int other, const void *at, size_t size, size_t first);

/* Sends one byte after the other in the same way. */
void wire_send_slowly(int fd, int other, const void *at, size_t size);

/* Sends PING and waits for its reply: what was sent before on other connections has been read by a
 * server that handles its sockets in turn. */
void wire_settle(int other);

/* Reads exactly `size` bytes. */
void wire_read(int fd, void *at, size_t size);

/* Sends and reads by turns until all is sent and `back_size` bytes have come: for exchanges that
 * neither side could hold in its sockets. */
void wire_exchange(int fd, const void *at, size_t size, void *back, size_t back_size);

/* Reads what comes until nothing has come for `quiet_ms` or the stream ends; returns the size, at
 * most `size`. Only for showing that nothing more comes: everything else knows what it waits
 * for. */
size_t wire_read_until_quiet(int fd, void *at, size_t size, int quiet_ms);

/* Reads as many bytes as `text` has and compares. */
void wire_expect(int fd, const char *text);
void wire_expect_bytes(int fd, const void *at, size_t size);

/* Waits for the end of the stream; fails when bytes come before it. A reset counts as the end. */
void wire_expect_end(int fd);

/* Reads one whole reply as it stands on the wire, nested or not: size in *size, NUL behind. To be
 * freed. */
char *wire_read_raw(int fd, size_t *size);

/* Reads one whole reply as canonical text. To be freed. */
char *wire_read_reply(int fd);

/* The same from memory: a raw reply as canonical text. */
char *wire_canonical(const char *raw, size_t size);

/* Sends a command of NUL-terminated words, the last followed by NULL, and reads its reply as
 * canonical text. To be freed. */
char *wire_ask(int fd, const char *word, ...) __attribute__((sentinel));

/* Sends words as a command, NUL bytes allowed; reads nothing. */
void wire_send_words(int fd, const char *const *words, const size_t *sizes, size_t count);

/* Sends the line's words (split at spaces, no quotes) as a command and compares the canonical
 * reply. */
void wire_expect_reply(int fd, const char *line, const char *expected);

#endif
