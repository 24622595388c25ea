/* secure: a test's side of TLS: certificates made with the openssl command, and a client. Where the
 * tests were built without OpenSSL there is nothing but secure_is_built.
 *
 * Whatever goes wrong fails the running test, except where a function says otherwise. */
#ifndef LARDER_TESTS_INTEGRATION_SECURE_H
#define LARDER_TESTS_INTEGRATION_SECURE_H

#include "harness.h"

#define SECURE_PATH_MAX 160

struct secure_client;

bool secure_is_built(void);

/* A folder with certificates: ca.crt and another authority, stranger.crt; signed by the first:
 * server, second, client (good), expired; by the other: foreign. To be given to secure_remove. */
char *secure_make(void);
void secure_remove(char *folder);

/* "folder/name.ending"; good until the eighth call after this. */
const char *secure_path(const char *folder, const char *name, const char *ending);

struct secure_wishes {
    const char *ca;   /* whom to trust; NULL: everybody */
    const char *cert; /* with `key`; NULL: shows none */
    const char *key;
    int version;  /* of OpenSSL's names; 0: any */
    bool resumes; /* takes up the session of the last client that was closed with secure_leave */
};

/* Connects and shakes hands. NULL when that fails, with the reason in `problem` (256 bytes). In TLS
 * 1.3 a refusal of the client's certificate comes after that: secure_try_ping finds it out. */
struct secure_client *secure_try(int port, const struct secure_wishes *wishes, char *problem);
/* The same for clients that trust the folder's authority, and must be served. */
struct secure_client *secure_connect(int port, const char *folder);

void secure_send(struct secure_client *client, const void *at, size_t size);
void secure_send_text(struct secure_client *client, const char *text);
void secure_read(struct secure_client *client, void *at, size_t size);
/* Reads as many bytes as the text has and compares. */
void secure_expect(struct secure_client *client, const char *text);
/* Sends a line and compares. */
void secure_ask(struct secure_client *client, const char *line, const char *answer);
/* Whether it is served. */
bool secure_try_ping(struct secure_client *client);
/* Whether the session is one that was taken up. */
bool secure_was_resumed(struct secure_client *client);
/* Whether new keys by the old way of TLS 1.2, a handshake within the connection, are refused. */
bool secure_is_refused_renegotiation(struct secure_client *client);
/* The common name of the server's certificate; valid as long as the client. */
const char *secure_server_name(struct secure_client *client);
int secure_fd(const struct secure_client *client);
/* Waits until the server has closed. */
void secure_expect_end(struct secure_client *client);
/* Closes; leave says goodbye first, and keeps the session. */
void secure_close(struct secure_client *client);
void secure_leave(struct secure_client *client);

/* The beginning of a handshake, 200 bytes and more: what a client says first. */
size_t secure_hello(char *at, size_t room);

/* Runs a shell command, and returns what it writes; to be freed. */
char *secure_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
