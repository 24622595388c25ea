/* http: the HTTP front end: connections at the doors of `http-port` and `https-port` speak HTTP/1.1
 * and use the keys without a client library.
 *
 *     route.c      a request's method and path -> commands of the batch (I/O thread)
 *     commands.c   likewise, for commands that come as JSON
 *     exchange.c   what they answered -> status, head, body (executing thread)
 *     values.c     likewise, for GET, PUT, DELETE of a key
 *     words.c      replies as JSON
 *     metrics.c    what monitoring reads
 *     stats.c      what the page shows, as JSON
 *     page.c       the page for people
 *     h2.c         HTTP/2: frames -> requests; h2_answer.c: answers -> frames
 *
 * client/protocol.h says how they join the batch. What a request is, is in exchange.h. */
#ifndef LARDER_HTTP_HTTP_H
#define LARDER_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"
#include "base/option.h"

#define HTTP_OPTIONS_TABLE(X)                                                                      \
    X(INT, port, "http-port", "0", 0, 65535, NULL, 0, http_apply_port,                             \
      "TCP port to serve HTTP on; 0: none.")                                                       \
    X(INT, secure_port, "https-port", "0", 0, 65535, NULL, 0, http_apply_port,                     \
      "TCP port to serve HTTP over TLS on; 0: none.")                                              \
    X(CUSTOM, bind, "http-bind", "* -::*", 0, 0, &http_bind_option, 0, http_apply_port,            \
      "Addresses to serve HTTP on; one behind a dash may be missing.")                             \
    X(INT, requests_max, "http-max-requests", "25000", 1, 10000000, NULL, 0, NULL,                 \
      "HTTP requests under way at once; beyond it they are answered with 503.")                    \
    X(MEMORY, head_max, "http-max-head-size", "16kb", 256, 32768, NULL, 0, NULL,                   \
      "Largest head of an HTTP request.")                                                          \
    X(INT, field_max, "http-max-headers", "100", 1, 10000, NULL, 0, NULL,                          \
      "Most fields in the head of an HTTP request.")                                               \
    X(MEMORY, body_max, "http-max-body-size", "64mb", 1024, 1073741824, NULL, 0, NULL,             \
      "Largest body of an HTTP request.")                                                          \
    X(INT, pipeline_max, "http-max-commands", "10000", 1, 1000000, NULL, 0, NULL,                  \
      "Most commands in the body of an HTTP request.")                                             \
    X(INT, request_seconds, "http-request-timeout", "30", 1, 86400, NULL, 0, NULL,                 \
      "Seconds in which an HTTP request must have come whole.")                                    \
    X(INT, response_seconds, "http-response-timeout", "60", 1, 86400, NULL, 0, NULL,               \
      "Seconds for which a peer may take nothing of what there is for it.")                        \
    X(INT, streams_max, "http2-max-streams", "1000", 1, 100000, NULL, 0, NULL,                     \
      "Requests of one connection of HTTP/2 under way at once.")                                   \
    X(INT, idle_seconds, "http-keepalive-timeout", "75", 1, 86400, NULL, 0, NULL,                  \
      "Seconds for which an HTTP connection may wait without a request.")                          \
    X(TEXT, hosts, "http-hosts", "", 0, 0, NULL, OPTION_REPEATS, NULL,                             \
      "Names by which writes over HTTP may address the server, besides addresses, localhost and "  \
      "names without a dot; *: any.")                                                              \
    X(TEXT, origins, "http-cors-origins", "", 0, 0, NULL, OPTION_REPEATS, NULL,                    \
      "Origins of web pages that may use HTTP from a browser; *: any; empty: none.")
struct http_options {
    HTTP_OPTIONS_TABLE(OPTION_FIELD)
};

#define HTTP_METRICS(X)                                                                            \
    X(STATS, http_requests, COUNTER, "HTTP requests answered.")                                    \
    X(STATS, http_refused, COUNTER, "Of these, those that were malformed or not allowed.")         \
    X(STATS, http_overloaded, COUNTER, "Of these, those beyond http-max-requests.")
struct http_metrics {
    HTTP_METRICS(METRIC_FIELD)
};

struct context;
struct client_protocol;
struct http;

/* Registers options and metrics. `listen` follows the options of the doors: 0, or -1 after logging;
 * `set_bind` and `print_bind` keep the addresses. */
struct http_doors {
    void *owner;
    int (*listen)(void *owner);
    bool (*set_bind)(void *owner, const struct bytes *words, int count, const char **error);
    void (*print_bind)(void *owner, struct buffer *out);
};
struct http *http_new(struct context *context, const struct http_doors *doors);
void http_free(struct http *http);

/* Once the options are read and commands have their names. */
void http_start(struct http *http);

const struct http_options *http_options(const struct http *http);
const struct client_protocol *http_protocol(const struct http *http);

/* Connections are asked to end with their next answer. */
void http_drain(struct http *http, bool on);

/* For the option table. */
bool http_apply_port(void *module, const char **error);

#endif
