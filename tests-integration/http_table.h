/* http_table: requests over HTTP with the status, fields and bodies that must come back. */
#ifndef LARDER_TESTS_INTEGRATION_HTTP_TABLE_H
#define LARDER_TESTS_INTEGRATION_HTTP_TABLE_H

#include "http_talk.h"

/* Behind the target of a request. */
#define HTTP_TABLE_HEAD " HTTP/1.1\r\nHost: 127.0.0.1\r\n"

/* A request and what must come back. */
struct row {
    const char *request;
    int status;
    const char *head; /* that must stand in the head; NULL: anything */
    const char *body; /* NULL: anything; behind a '~', that must stand in it */
};

/* In order: a row may depend on those before it. */
const struct row *http_table(size_t *count);

bool http_row_has_body(const struct row *row);
/* Fails the test when this is not the row's answer. */
void http_row_expect(const struct row *row, const struct answer *answer);

#endif
