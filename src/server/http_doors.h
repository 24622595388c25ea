/* http_doors: where the server accepts HTTP, and the front end that it is handed to. */
#ifndef LARDER_SERVER_HTTP_DOORS_H
#define LARDER_SERVER_HTTP_DOORS_H

struct http;
struct server;

/* The front end, its options registered. Behind the clients. */
struct http *http_doors_make(struct server *server);

/* Once there is a loop. */
void http_doors_attach(struct server *server);

/* Listens as the options say, while the server serves. 0, or -1 after logging why not. */
int http_doors_listen(struct server *server);

/* How many sockets accept. */
int http_doors_count(const struct server *server);
/* Nothing is accepted any more; clear frees everything. */
void http_doors_close(struct server *server);
void http_doors_clear(struct server *server);
/* Tells the log what is listened on. */
void http_doors_log(const struct server *server);

#endif
