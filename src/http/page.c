/* page: /ui, the page for people, and its two files. They stand beside this one and are put into
 * the program as they are (page_files.h); they ask for nothing but /v1/stats.
 *
 * What a browser lets the page do is as little as it needs: its own style and script, its own
 * server, no frame around it. */
#include "http/exchange.h"
#include "http/page_files.h"

enum protocol_result page_answer(struct exchange *exchange) {
    static const char fields[] =
        "\r\nCache-Control: no-cache"
        "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        "\r\nX-Content-Type-Options: nosniff"
        "\r\nReferrer-Policy: no-referrer"
        "\r\nCross-Origin-Opener-Policy: same-origin";
    if (monitoring_is_refused(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    static const char *const types[] = {
        [PAGE_HTML] = "text/html; charset=utf-8",
        [PAGE_STYLE] = "text/css; charset=utf-8",
        [PAGE_SCRIPT] = "text/javascript; charset=utf-8",
    };
    const uint64_t file = exchange->note->words[0];
    answer_with(exchange, types[file], fields, page_file((size_t)file));
    return PROTOCOL_EXECUTED;
}
