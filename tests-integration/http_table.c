/* http_table: requests over HTTP and what must come back, whatever carries them. Each
 * run begins on an empty server. */
#include "http_table.h"

#include <stdio.h>
#include <string.h>

#define H HTTP_TABLE_HEAD
#define E "\r\n"
#define J(path, size, text)                                                                        \
    "POST " path H "Content-Type: application/json\r\nContent-Length: " size "\r\n\r\n" text

static const struct row rows[] = {
    {"GET /" H E, 200, "text/plain", "~Hello, World!"},
    {"GET /livez" H E, 200, NULL, "ok\n"},
    {"GET /readyz" H E, 200, NULL, "ok\n"},
    {"HEAD /healthz" H E, 200, "Content-Length: 3", ""},
    {"GET /nothing" H E, 404, "application/problem+json", "~\"status\":404"},
    {"GET /v1/keys/a" H E, 404, "larder; fwd=miss", "~no such key"},
    {"PUT /v1/keys/a" H "Content-Length: 5\r\n\r\nhello", 201, "ETag: \"9555e8555c62dcfd\"", ""},
    {"PUT /v1/keys/a" H "Content-Length: 5\r\n\r\nhello", 200, NULL, ""},
    {"GET /v1/keys/a" H E, 200, "Cache-Status: larder; hit", "hello"},
    {"GET /v1/keys/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "Connection: keep-alive",
     "hello"},
    {"HEAD /v1/keys/a" H E, 200, "Content-Length: 5", ""},
    {"GET /get/a?x=y" H E, 200, NULL, "hello"},
    {"GET /v1/keys/%61" H E, 200, NULL, "hello"},
    {"GET /v1/keys/%6" H E, 400, NULL, "~hexadecimal"},
    {"GET http://127.0.0.1/v1/keys/a" H E, 200, NULL, "hello"},
    {"POST /store/b?ttl=100" H "Content-Length: 1\r\n\r\nx", 201, NULL, ""},
    {"POST /store/b?ttl=100" H "Transfer-Encoding: chunked\r\n\r\n1\r\ny\r\n1\r\nz\r\n0\r\n\r\n",
     200, NULL, ""},
    {"GET /get/b" H E, 200, "Cache-Control: max-age=", "yz"},
    {"POST /store/b?ttl=x" H "Content-Length: 1\r\n\r\nx", 400, NULL, "~lifetime"},
    {"POST /store/b?ttl=0" H "Content-Length: 1\r\n\r\nx", 400, NULL, NULL},
    {"PUT /v1/keys/c" H "Cache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n", 201, NULL,
     ""},
    {"GET /v1/keys/c" H E, 200, "Cache-Control: max-age=", ""},
    {"PUT /v1/keys/c" H "Cache-Control: no-store\r\nContent-Length: 0\r\n\r\n", 400, NULL, NULL},
    {"PUT /v1/keys/c" H E, 411, NULL, NULL},
    {"GET /v1/keys/a" H "If-None-Match: \"9555e8555c62dcfd\"\r\n\r\n", 304,
     "ETag: \"9555e8555c62dcfd\"", NULL},
    {"GET /v1/keys/a" H "If-None-Match: \"x\", W/\"9555e8555c62dcfd\"\r\n\r\n", 304, NULL, NULL},
    {"GET /v1/keys/a" H "If-None-Match: *\r\n\r\n", 304, NULL, NULL},
    {"GET /v1/keys/a" H "If-None-Match: \"x\"\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "If-Match: \"x\"\r\n\r\n", 412, NULL, NULL},
    {"GET /v1/keys/a" H "If-Match: \"9555e8555c62dcfd\"\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "Range: bytes=1-2\r\n\r\n", 206, "Content-Range: bytes 1-2/5", "el"},
    {"GET /v1/keys/a" H "Range: bytes=3-\r\n\r\n", 206, "Content-Range: bytes 3-4/5", "lo"},
    {"GET /v1/keys/a" H "Range: bytes=-2\r\n\r\n", 206, "Content-Range: bytes 3-4/5", "lo"},
    {"GET /v1/keys/a" H "Range: bytes=-9\r\n\r\n", 206, "Content-Range: bytes 0-4/5", "hello"},
    {"GET /v1/keys/a" H "Range: bytes=5-\r\n\r\n", 416, "Content-Range: bytes */5", NULL},
    {"GET /v1/keys/a" H "Range: bytes=-0\r\n\r\n", 416, NULL, NULL},
    {"GET /v1/keys/a" H "Range: bytes=0-1,3-4\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "Range: bytes=2-1\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "Range: bytes=0-0\r\nIf-Range: \"9555e8555c62dcfd\"\r\n\r\n", 206, NULL,
     "h"},
    {"GET /v1/keys/a" H "Range: bytes=0-0\r\nIf-Range: \"0555e8555c62dcfd\"\r\n\r\n", 200, NULL,
     "hello"},
    {"PUT /v1/keys/a" H "If-None-Match: *\r\nContent-Length: 1\r\n\r\nx", 412, NULL, NULL},
    {"PUT /v1/keys/n" H "If-None-Match: *\r\nContent-Length: 1\r\n\r\nx", 201, NULL, NULL},
    {"PUT /v1/keys/m" H "If-Match: *\r\nContent-Length: 1\r\n\r\nx", 412, NULL, NULL},
    {"PUT /v1/keys/a" H "If-Match: \"0555e8555c62dcfd\"\r\nContent-Length: 1\r\n\r\nx", 412, NULL,
     NULL},
    {"PUT /v1/keys/a" H "If-Match: \"9555e8555c62dcfd\"\r\nContent-Length: 5\r\n\r\nhallo", 200,
     NULL, NULL},
    {"PUT /v1/keys/a" H "If-Match: \"x\", \"9555e8555c62dcfd\"\r\nContent-Length: 1\r\n\r\nx", 412,
     NULL, NULL},
    {"GET /v1/keys/a" H E, 200, NULL, "hallo"},
    {"DELETE /v1/keys/a" H "If-Match: \"9555e8555c62dcfd\"\r\n\r\n", 412, NULL, NULL},
    {"DELETE /v1/keys/a" H E, 204, NULL, NULL},
    {"DELETE /v1/keys/a" H E, 404, NULL, NULL},
    {"PURGE /v1/keys/n" H E, 204, NULL, NULL},
    {"POST /v1/keys/a" H "Content-Length: 0\r\n\r\n", 405, "Allow: OPTIONS, GET, HEAD, PUT, DELETE",
     NULL},
    {"BREW /v1/keys/a" H E, 405, NULL, NULL},
    {"OPTIONS /v1/keys/a" H E, 204, "Allow: OPTIONS, GET", NULL},
    {"OPTIONS *" H E, 204, NULL, NULL},
    {J("/", "13", "[\"SET\",\"k\",5]"), 200, "application/json", "{\"result\":\"OK\"}\n"},
    {J("/v1/command", "12", "[\"INCR\",\"k\"]"), 200, NULL, "{\"result\":6}\n"},
    {J("/v1/command", "12", "[\"LPOP\",\"k\"]"), 409, NULL, "~{\"error\":\"WRONGTYPE"},
    {J("/v1/command", "7", "[\"GET\"]"), 400, NULL, "~{\"error\":\"ERR wrong number"},
    {J("/v1/command", "10", "[\"MONITOR\""), 400, NULL, NULL},
    {J("/v1/command", "11", "[\"MONITOR\"]"), 400, NULL, "~about its connection"},
    {J("/v1/command", "2", "[]"), 400, NULL, "~no words"},
    {J("/v1/command", "2", "{}"), 400, NULL, NULL},
    {J("/v1/command", "19", "[\"BLPOP\",\"none\",0]\n"), 200, NULL, "{\"result\":null}\n"},
    {J("/v1/command/pipeline", "55",
       "[[\"SET\",\"s\",\"\\u00e9\\n\"],[\"GET\",\"s\"],[\"NO\"],[\"DEL\",\"s\"]]"),
     200, NULL,
     "~[{\"result\":\"OK\"},{\"result\":\"\xc3\xa9\\u000a\"},{\"error\":\"ERR unknown command"},
    {J("/pipeline", "2", "[]"), 400, NULL, NULL},
    {J("/pipeline", "5", "[[1],"), 400, NULL, NULL},
    {J("/multi-exec", "43", "[[\"SET\",\"s\",1],[\"INCR\",\"s\"],[\"MGET\",\"s\",0]]"), 200, NULL,
     "[{\"result\":\"OK\"},{\"result\":2},{\"result\":[\"2\",null]}]\n"},
    {J("/multi-exec", "20", "[[\"SET\",\"s\"],[\"NO\"]]"), 400, NULL, "~{\"error\":\"EXECABORT"},
    {"POST /v1/command" H "Content-Type: image/png\r\nContent-Length: 2\r\n\r\n[]", 415, NULL,
     NULL},
    {"POST /v1/command" H "Upstash-Encoding: base64\r\nContent-Length: 11\r\n\r\n[\"GET\",\"s\"]",
     200, NULL, "{\"result\":\"Mg==\"}\n"},
    {"GET /v1/keys?count=1000&prefix=s" H E, 200, NULL, "{\"cursor\":\"0\",\"keys\":[\"s\"]}\n"},
    {"GET /v1/keys?count=x" H E, 400, NULL, NULL},
    {"GET /v1/keys?cursor=x" H E, 400, NULL, "~invalid cursor"},
    {"GET /v1/stats" H E, 200, "application/json", "~\"redis_version\":\"7"},
    {"GET /v1/stats?seconds=0&minutes=x" H E, 200, "no-store", "~\"seconds\":{\"step_s\":1"},
    {"HEAD /v1/stats" H E, 200, "application/json", ""},
    {"POST /v1/stats" H "Content-Length: 0\r\n\r\n", 405, "Allow: OPTIONS, GET, HEAD", NULL},
    {"GET /ui" H E, 200, "Content-Security-Policy: default-src 'none'", "~<title>Larder</title>"},
    {"GET /ui/page.css" H E, 200, "text/css", "~prefers-color-scheme"},
    {"GET /ui/page.js" H E, 200, "text/javascript", "~v1/stats"},
    {"GET /ui/page.html" H E, 404, NULL, NULL},
    {"GET /metrics" H E, 200, "version=0.0.4", "~redis_up 1\n"},
    {"GET /metrics" H "Accept: text/html, application/openmetrics-text; version=1.0.0\r\n\r\n", 200,
     "application/openmetrics-text; version=1.0.0", "~\n# EOF\n"},
    {"GET /metrics" H "Accept: application/openmetrics-text;q=0\r\nAccept: */*\r\n\r\n", 200,
     "version=0.0.4", "~redis_up 1\n"},
    {"PUT /v1/keys/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1\r\n\r\nx", 403, NULL,
     NULL},
    {"PUT /v1/keys/a HTTP/1.1\r\nHost: cache\r\nContent-Length: 1\r\n\r\nx", 201, NULL, NULL},
    {"PUT /v1/keys/a" H "Origin: http://evil.example\r\nContent-Length: 1\r\n\r\nx", 403, NULL,
     NULL},
    {"PUT /v1/keys/a" H "Origin: null\r\nContent-Length: 1\r\n\r\nx", 403, NULL, NULL},
    {"PUT /v1/keys/a" H "Origin: http://127.0.0.1\r\nContent-Length: 1\r\n\r\nx", 200, NULL, NULL},
    {"GET /v1/keys/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, NULL, "x"},
    {"DELETE /v1/keys/a" H E, 204, NULL, NULL},
};

const struct row *http_table(size_t *count) {
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

bool http_row_has_body(const struct row *row) {
    return strncmp(row->request, "HEAD", 4) != 0;
}

void http_row_expect(const struct row *row, const struct answer *answer) {
    harness_note(row->request);
    if (answer->status != row->status) {
        harness_fail("%d instead of %d: %s%s", answer->status, row->status, answer->head,
                     answer->body);
    }
    if (row->head != NULL && strcasestr(answer->head, row->head) == NULL) {
        harness_fail("'%s' is not in the head: %s", row->head, answer->head);
    }
    if (row->body != NULL && row->body[0] == '~') {
        if (strstr(answer->body, row->body + 1) == NULL) {
            harness_fail("'%s' is not in the body: %s", row->body + 1, answer->body);
        }
    } else if (row->body != NULL) {
        assert_string_equal(answer->body, row->body);
    }
}
