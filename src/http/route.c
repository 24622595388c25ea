/* route: from a request's method and path to the command that it is. Runs where the connection is
 * read: it looks at the bytes, the options and the names of commands, at nothing else.
 *
 * Who may write from a web page: a browser says where a page came from (Origin), and sends whatever
 * a page asks for to any address that the page's own name resolves to. So a write is refused when
 * its Origin is another than its Host and not among http-cors-origins, and when its Host is a name
 * that somebody else could own: not an address, not localhost, with a dot, not in http-hosts. */
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "http/exchange.h"
#include "http/h2.h"

/* What is not whole of a request of somebody who has not authenticated is asked about from this
 * size on; as for RESP. */
#define STRANGER_BODY_MAX 16384
/* Longest Origin that is said back. */
#define ORIGIN_MAX 256
/* Keys that one page of a listing may ask for: some tens of microseconds. */
#define SCAN_COUNT_MAX 1000

/* A request on its way to a command. */
struct route {
    struct http *http;
    struct protocol_parse *parse;
    struct http_head *head;
    struct bytes body;
    struct protocol_note note;
    struct bytes extra[4];
};

static void extra(struct route *route, enum exchange_flag flag, struct bytes value) {
    if (value.at != NULL) {
        route->note.kind |= (unsigned)flag;
        route->extra[route->note.extra++] = value;
    }
}

/* ---- adding ---- */

static void add(struct route *route, enum exchange_kind kind, struct command *command,
                const struct bytes *args, int argc) {
    struct bytes *slices = protocol_args(route->parse, (size_t)argc + route->note.extra);
    if (argc > 0) {
        memcpy(slices, args, (size_t)argc * sizeof *slices);
    }
    memcpy(slices + argc, route->extra, route->note.extra * sizeof *slices);
    route->note.kind |= (unsigned)kind;
    protocol_add(route->parse, command, argc, &route->note);
}

/* An answer that needs no command: a status, what methods there are, and words about it. */
static void answer(struct route *route, int status, unsigned allow, const char *text) {
    struct bytes args[] = {bytes_text(text)};
    route->note.words[0] = (uint64_t)status;
    route->note.words[1] = allow;
    add(route, EXCHANGE_ANSWER, NULL, args, 1);
}

/* A command that has been taken away is forbidden. */
static void call(struct route *route, enum exchange_kind kind, struct command *command,
                 const struct bytes *args, int argc) {
    if (command == NULL) {
        answer(route, 403, 0, "the command of this route has been taken away");
        return;
    }
    add(route, kind, command, args, argc);
}

/* ---- who may write ---- */

static bool in_words(const char *words, struct bytes name) {
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        struct bytes word = bytes_of(words, size);
        if (bytes_equal(word, bytes_text("*")) ||
            (word.size == name.size && strncasecmp(word.at, name.at, size) == 0)) {
            return true;
        }
        words += size;
        words += strspn(words, " ");
    }
    return false;
}

static bool is_address(struct bytes host) {
    if (host.size > 0 && host.at[0] == '[') {
        return true;
    }
    for (size_t i = 0; i < host.size; i++) {
        if ((host.at[i] < '0' || host.at[i] > '9') && host.at[i] != '.') {
            return false;
        }
    }
    return true;
}

/* Whether nobody but us can own that name. */
static bool knows_host(const struct http *http, struct bytes host) {
    if (host.at == NULL) {
        return true;
    }
    const char *colon = host.size > 0 && host.at[0] != '[' ? memchr(host.at, ':', host.size) : NULL;
    if (colon != NULL) {
        host.size = (size_t)(colon - host.at);
    }
    const char *end = host.at + host.size;
    bool is_local = host.size >= 10 && strncasecmp(end - 10, ".localhost", 10) == 0;
    return is_address(host) || memchr(host.at, '.', host.size) == NULL || is_local ||
           in_words(http->options.hosts, host);
}

static bool same_origin(struct bytes origin, struct bytes host) {
    const char *mark = memmem(origin.at, origin.size, "://", 3);
    if (mark == NULL) {
        return false;
    }
    const char *name = mark + 3;
    return host.at != NULL && (size_t)(origin.at + origin.size - name) == host.size &&
           strncasecmp(name, host.at, host.size) == 0;
}

/* Why the write is refused; NULL when it is not. */
static const char *refuses_write(struct route *route) {
    struct bytes host = route->head->fields[HTTP_HOST];
    struct bytes origin = route->head->fields[HTTP_ORIGIN];
    if (!knows_host(route->http, host)) {
        return "the server does not know this Host: see http-hosts";
    }
    if (origin.at != NULL && !same_origin(origin, host) &&
        !in_words(route->http->options.origins, origin)) {
        return "this Origin may not write: see http-cors-origins";
    }
    return NULL;
}

/* ---- numbers ---- */

/* A number of seconds that a key may live. */
static bool is_ttl(struct bytes text) {
    int64_t seconds;
    return num_parse_i64(text, &seconds) && seconds > 0;
}

/* Lifetime of what is put: from ?ttl= or Cache-Control; .at NULL when none is said. False when it
 * cannot be. */
static bool read_ttl(struct route *route, struct bytes *ttl, const char **why) {
    struct bytes query = route->head->query;
    struct bytes list = route->head->fields[HTTP_CACHE_CONTROL];
    struct bytes name;
    struct bytes value;
    *ttl = bytes_of(NULL, 0);
    while (list.at != NULL && http_list_next(&list, &name)) {
        if (bytes_is(name, "no-store")) {
            *why = "Cache-Control: no-store is not for a store";
            return false;
        }
        if (name.size > 8 && strncasecmp(name.at, "max-age=", 8) == 0) {
            *ttl = bytes_of(name.at + 8, name.size - 8);
        }
    }
    while (http_query_next(&query, &name, &value)) {
        if (bytes_is(name, "ttl")) {
            *ttl = value.at == NULL ? bytes_text("-") : value;
        }
    }
    *why = "the lifetime is not a number of seconds above 0";
    return ttl->at == NULL || is_ttl(*ttl);
}

/* The digits of `"0123456789abcdef"`. */
static bool read_tag(struct bytes text, uint64_t *tag) {
    *tag = 0;
    if (text.size != TAG_DIGITS + 2 || text.at[0] != '"' || text.at[TAG_DIGITS + 1] != '"') {
        return false;
    }
    for (int i = 1; i <= TAG_DIGITS; i++) {
        char c = text.at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) {
            return false;
        }
        *tag = *tag << 4 | (uint64_t)digit;
    }
    return true;
}

/* "bytes=0-9", "bytes=5-", "bytes=-5": one range. Another is not understood, and passed over. */
static void read_range(struct route *route) {
    struct bytes text = route->head->fields[HTTP_RANGE];
    struct bytes if_range = route->head->fields[HTTP_IF_RANGE];
    if (text.at == NULL || text.size < 8 || strncasecmp(text.at, "bytes=", 6) != 0) {
        return;
    }
    const char *from = text.at + 6;
    const char *end = text.at + text.size;
    const char *dash = memchr(from, '-', (size_t)(end - from));
    int64_t first = -1;
    int64_t last = INT64_MAX;
    if (dash == NULL || (dash == from && dash + 1 == end) ||
        (dash > from && !num_parse_i64(bytes_of(from, (size_t)(dash - from)), &first)) ||
        (dash + 1 < end && !num_parse_i64(bytes_of(dash + 1, (size_t)(end - dash - 1)), &last)) ||
        last < 0 || (dash > from && last < first)) {
        return;
    }
    if (if_range.at != NULL) {
        if (!read_tag(if_range, &route->note.words[2])) {
            return; /* a date: what it was then is not known */
        }
        route->note.kind |= EXCHANGE_IF_RANGE;
    }
    route->note.words[0] = (uint64_t)first;
    route->note.words[1] = (uint64_t)last;
    route->note.kind |= EXCHANGE_RANGE;
}

/* ---- keys ---- */

/* Percent signs are resolved where the key stands. */
static bool read_key(struct route *route, struct bytes text, struct bytes *key) {
    char *at = route->parse->window + (text.at - route->parse->window);
    ptrdiff_t size = (ptrdiff_t)text.size;
    if (memchr(text.at, '%', text.size) != NULL) {
        size = http_unescape(at, text.size, false);
    }
    if (size < 0) {
        answer(route, 400, 0, "a % in the path is not followed by two hexadecimal digits");
        return false;
    }
    *key = bytes_of(at, (size_t)size);
    return true;
}

static void get(struct route *route, struct bytes key) {
    struct bytes args[] = {bytes_of("GET", 3), key};
    const struct http_head *head = route->head;
    if (LIKELY(head->fields[HTTP_RANGE].at == NULL && head->fields[HTTP_IF_MATCH].at == NULL &&
               head->fields[HTTP_IF_NONE_MATCH].at == NULL && head->method == HTTP_GET)) {
        route->note.kind |= EXCHANGE_PLAIN;
    } else {
        read_range(route);
    }
    call(route, EXCHANGE_GET, route->http->commands.get, args, 2);
}

/* Conditions become those of the command as far as one tag can say it; a list is compared when it
 * is executed (values.c). */
static int add_condition(const struct http_head *head, struct bytes *args, int argc) {
    struct bytes match = head->fields[HTTP_IF_MATCH];
    struct bytes none = head->fields[HTTP_IF_NONE_MATCH];
    uint64_t tag;
    if (match.at != NULL) {
        if (bytes_equal(match, bytes_text("*"))) {
            args[argc++] = bytes_of("XX", 2);
        } else if (read_tag(match, &tag)) {
            args[argc++] = bytes_of("IFDEQ", 5);
            args[argc++] = bytes_of(match.at + 1, TAG_DIGITS);
        }
    } else if (none.at != NULL) {
        if (bytes_equal(none, bytes_text("*"))) {
            args[argc++] = bytes_of("NX", 2);
        } else if (read_tag(none, &tag)) {
            args[argc++] = bytes_of("IFDNE", 5);
            args[argc++] = bytes_of(none.at + 1, TAG_DIGITS);
        }
    }
    return argc;
}

static void put(struct route *route, struct bytes key) {
    struct bytes args[8] = {bytes_of("SET", 3), key, route->body};
    struct bytes ttl;
    const char *why;
    int argc = 3;
    if (route->head->content_length < 0 && !route->head->chunked) {
        answer(route, 411, 0, "the value must come with its length or in chunks");
        return;
    }
    if (!read_ttl(route, &ttl, &why)) {
        answer(route, 400, 0, why);
        return;
    }
    if (ttl.at != NULL) {
        args[argc++] = bytes_of("EX", 2);
        args[argc++] = ttl;
    }
    argc = add_condition(route->head, args, argc);
    call(route, EXCHANGE_PUT, route->http->commands.set, args, argc);
}

static void delete_key(struct route *route, struct bytes key) {
    struct bytes args[4] = {bytes_of("DEL", 3), key};
    struct bytes match = route->head->fields[HTTP_IF_MATCH];
    uint64_t tag;
    if (match.at != NULL && read_tag(match, &tag)) {
        args[0] = bytes_of("DELEX", 5);
        args[2] = bytes_of("IFDEQ", 5);
        args[3] = bytes_of(match.at + 1, TAG_DIGITS);
        call(route, EXCHANGE_DELETE, route->http->commands.delex, args, 4);
        return;
    }
    call(route, EXCHANGE_DELETE, route->http->commands.del, args, 2);
}

#define ALLOW_KEY (ALLOW_GET | ALLOW_HEAD | ALLOW_PUT | ALLOW_DELETE | ALLOW_PURGE)

/* Whether the method is none of these; it has been answered then. */
static bool is_other(struct route *route, unsigned allow) {
    static const unsigned of_method[] = {
        [HTTP_GET] = ALLOW_GET,       [HTTP_HEAD] = ALLOW_HEAD,
        [HTTP_POST] = ALLOW_POST,     [HTTP_PUT] = ALLOW_PUT,
        [HTTP_DELETE] = ALLOW_DELETE, [HTTP_OPTIONS] = 0,
        [HTTP_PURGE] = ALLOW_PURGE,   [HTTP_OTHER] = 0,
    };
    if (route->head->method == HTTP_OPTIONS) {
        route->note.words[1] = allow;
        add(route, EXCHANGE_OPTIONS, NULL, NULL, 0);
        return true;
    }
    if ((of_method[route->head->method] & allow) != 0) {
        const char *why = route->head->method == HTTP_GET || route->head->method == HTTP_HEAD
                              ? NULL
                              : refuses_write(route);
        if (why != NULL) {
            answer(route, 403, 0, why);
        }
        return why != NULL;
    }
    answer(route, 405, allow, "the resource does not have this method");
    return true;
}

static void route_key(struct route *route, struct bytes rest) {
    struct bytes key;
    if (UNLIKELY(route->head->method != HTTP_GET) && is_other(route, ALLOW_KEY)) {
        return;
    }
    if (!read_key(route, rest, &key)) {
        return;
    }
    switch (route->head->method) {
    case HTTP_PUT:
        put(route, key);
        break;
    case HTTP_DELETE:
    case HTTP_PURGE:
        delete_key(route, key);
        break;
    default:
        get(route, key);
        break;
    }
}

static void route_get(struct route *route, struct bytes rest) {
    struct bytes key;
    if (!is_other(route, ALLOW_GET | ALLOW_HEAD) && read_key(route, rest, &key)) {
        get(route, key);
    }
}

static void route_store(struct route *route, struct bytes rest) {
    struct bytes key;
    if (!is_other(route, ALLOW_POST | ALLOW_PUT) && read_key(route, rest, &key)) {
        put(route, key);
    }
}

/* To HTTP/1.0, a body of unknown size ends with its connection. */
static void end_with_stream(struct route *route) {
    if (route->note.kind & EXCHANGE_OLD) {
        route->note.kind &= ~(unsigned)EXCHANGE_KEEP;
    }
}

/* ---- listings ---- */

/* A pattern for the keys that begin with `prefix`. */
static struct bytes pattern_of(struct route *route, struct bytes prefix) {
    char *out = protocol_memory(route->parse, 2 * prefix.size + 1);
    size_t size = 0;
    if (out == NULL) {
        return bytes_of(NULL, 0);
    }
    for (size_t i = 0; i < prefix.size; i++) {
        if (memchr("*?[]\\^", prefix.at[i], 6) != NULL) {
            out[size++] = '\\';
        }
        out[size++] = prefix.at[i];
    }
    out[size++] = '*';
    return bytes_of(out, size);
}

static void route_keys(struct route *route) {
    struct bytes args[6] = {bytes_of("SCAN", 4), bytes_of("0", 1), bytes_of("COUNT", 5),
                            bytes_of("100", 3)};
    struct bytes query = route->head->query;
    struct bytes name;
    struct bytes value;
    int argc = 4;
    if (is_other(route, ALLOW_GET)) {
        return;
    }
    end_with_stream(route);
    while (http_query_next(&query, &name, &value)) {
        if (value.at == NULL) {
            continue;
        }
        char *at = route->parse->window + (value.at - route->parse->window);
        ptrdiff_t size = http_unescape(at, value.size, true);
        if (size < 0) {
            answer(route, 400, 0, "a % in the query is not followed by two hexadecimal digits");
            return;
        }
        value = bytes_of(at, (size_t)size);
        int64_t count;
        if (bytes_is(name, "cursor")) {
            args[1] = value;
        } else if (bytes_is(name, "count")) {
            if (!num_parse_i64(value, &count) || count < 1) {
                answer(route, 400, 0, "count is not a number above 0");
                return;
            }
            args[3] = count > SCAN_COUNT_MAX ? bytes_of("1000", 4) : value;
        } else if (bytes_is(name, "prefix") && value.size > 0) {
            args[4] = bytes_of("MATCH", 5);
            args[5] = pattern_of(route, value);
            argc = args[5].at == NULL ? 4 : 6;
        } else if (bytes_is(name, "encoding") && bytes_is(value, "base64")) {
            route->note.kind |= EXCHANGE_BASE64;
        }
    }
    call(route, EXCHANGE_SCAN, route->http->commands.scan, args, argc);
}

/* ---- commands as JSON ---- */

/* What command-line tools say of a body when they are told nothing passes too. */
static bool may_be_json(struct bytes type) {
    static const char *const types[] = {"application/json", "text/plain",
                                        "application/x-www-form-urlencoded",
                                        "application/octet-stream"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t size = strlen(types[i]);
        if (type.size >= size && strncasecmp(type.at, types[i], size) == 0) {
            return true;
        }
    }
    return false;
}

static void route_commands(struct route *route, enum exchange_kind kind) {
    struct bytes type = route->head->fields[HTTP_CONTENT_TYPE];
    struct bytes encoding = route->head->fields[HTTP_ENCODING];
    const char *text = NULL;
    int status = 400;
    if (is_other(route, ALLOW_POST)) {
        return;
    }
    end_with_stream(route);
    if (type.at != NULL && !may_be_json(type)) {
        answer(route, 415, 0, "commands are application/json");
        return;
    }
    if (encoding.at != NULL && bytes_is(encoding, "base64")) {
        route->note.kind |= EXCHANGE_BASE64;
    }
    uint32_t kept = route->note.kind;
    route->note.kind |= (unsigned)kind;
    if (!commands_add(route->http, route->parse, &route->note, route->extra, route->body, &text,
                      &status)) {
        route->note.kind = kept;
        answer(route, status, 0, text);
    }
}

/* ---- the table ---- */

static void simple(struct route *route, enum exchange_kind kind, struct command *command,
                   const char *name) {
    struct bytes args[] = {bytes_text(name)};
    if (!is_other(route, ALLOW_GET | ALLOW_HEAD)) {
        if (name[0] == '\0') {
            add(route, kind, NULL, NULL, 0);
        } else {
            call(route, kind, command, args, 1);
        }
    }
}

static void route_root(struct route *route) {
    if (route->head->method == HTTP_POST) {
        route_commands(route, EXCHANGE_COMMAND);
    } else if (!is_other(route, ALLOW_GET | ALLOW_HEAD | ALLOW_POST)) {
        add(route, EXCHANGE_GREETING, NULL, NULL, 0);
    }
}

/* A number of points that are known already, plus 1; what is no number is 0. */
static uint64_t points_known(struct bytes value) {
    int64_t known;
    return value.at != NULL && num_parse_i64(value, &known) && known >= 0 ? (uint64_t)known + 1 : 0;
}

/* Who does not refuse it, with a weight of 0, likes it as well as the other form. */
static bool wants_open_metrics(struct bytes accept) {
    static const char type[] = "application/openmetrics-text";
    struct bytes member;
    while (accept.at != NULL && http_list_next(&accept, &member)) {
        if (member.size >= sizeof type - 1 && strncasecmp(member.at, type, sizeof type - 1) == 0) {
            return memcmp(member.at + member.size - 4, ";q=0", 4) != 0;
        }
    }
    return false;
}

static void route_stats(struct route *route) {
    struct bytes query = route->head->query;
    struct bytes name;
    struct bytes value;
    while (http_query_next(&query, &name, &value)) {
        if (bytes_is(name, "seconds")) {
            route->note.words[0] = points_known(value);
        } else if (bytes_is(name, "minutes")) {
            route->note.words[1] = points_known(value);
        }
    }
    simple(route, EXCHANGE_STATS, route->http->commands.info, "INFO");
}

static void route_page(struct route *route, enum page_file file) {
    route->note.words[0] = file;
    simple(route, EXCHANGE_PAGE, route->http->commands.info, "INFO");
}

static bool is_path(const struct route *route, const char *path) {
    return bytes_equal(route->head->path, bytes_text(path));
}

/* Whether the path begins so, and then what is behind. */
static inline bool is_below(const struct route *route, const char *prefix, size_t size,
                            struct bytes *rest) {
    struct bytes path = route->head->path;
    if (path.size <= size || memcmp(path.at, prefix, size) != 0) {
        return false;
    }
    *rest = bytes_of(path.at + size, path.size - size);
    return true;
}

static void route_other(struct route *route) {
    struct http_commands *commands = &route->http->commands;
    struct bytes rest;
    if (is_below(route, "/get/", 5, &rest)) {
        route_get(route, rest);
    } else if (is_below(route, "/store/", 7, &rest)) {
        route_store(route, rest);
    } else if (is_path(route, "/")) {
        route_root(route);
    } else if (is_path(route, "/v1/keys")) {
        route_keys(route);
    } else if (is_path(route, "/v1/command")) {
        route_commands(route, EXCHANGE_COMMAND);
    } else if (is_path(route, "/v1/command/pipeline") || is_path(route, "/pipeline")) {
        route_commands(route, EXCHANGE_PIPE);
    } else if (is_path(route, "/v1/command/multi-exec") || is_path(route, "/multi-exec")) {
        route_commands(route, EXCHANGE_EXEC);
    } else if (is_path(route, "/livez") || is_path(route, "/readyz") ||
               is_path(route, "/healthz")) {
        route->note.words[0] = !is_path(route, "/livez");
        simple(route, EXCHANGE_HEALTH, NULL, "");
    } else if (is_path(route, "/metrics")) {
        route->note.words[0] = wants_open_metrics(route->head->fields[HTTP_ACCEPT]);
        simple(route, EXCHANGE_METRICS, commands->info, "INFO");
    } else if (is_path(route, "/v1/stats")) {
        route_stats(route);
    } else if (is_path(route, "/ui")) {
        route_page(route, PAGE_HTML);
    } else if (is_path(route, "/ui/page.css")) {
        route_page(route, PAGE_STYLE);
    } else if (is_path(route, "/ui/page.js")) {
        route_page(route, PAGE_SCRIPT);
    } else if (is_path(route, "*") && route->head->method == HTTP_OPTIONS) {
        (void)is_other(route, ALLOW_KEY | ALLOW_POST);
    } else {
        answer(route, 404, 0, "there is no such resource");
    }
}

/* What the answer to a request needs, whatever it is. */
static void begin(struct route *route, struct http *http, struct protocol_parse *parse,
                  struct http_head *head, int32_t stream) {
    struct bytes origin = head->fields[HTTP_ORIGIN];
    route->http = http;
    route->parse = parse;
    route->head = head;
    route->note = (struct protocol_note){.kind = 0};
    bool keeps = head->keep_alive && !atomic_load_explicit(&http->draining, memory_order_relaxed);
    route->note.kind = (keeps ? EXCHANGE_KEEP : 0u) | (head->minor == 0 ? EXCHANGE_OLD : 0u) |
                       (head->method == HTTP_HEAD ? (unsigned)EXCHANGE_HEAD : 0u);
    if (stream != 0) {
        route->note.kind |= (unsigned)EXCHANGE_STREAM | (unsigned)EXCHANGE_KEEP;
        route->note.words[4] = (uint64_t)stream;
    }
    extra(route, EXCHANGE_AUTH, head->fields[HTTP_AUTHORIZATION]);
    extra(route, EXCHANGE_MATCH, head->fields[HTTP_IF_MATCH]);
    extra(route, EXCHANGE_NONE_MATCH, head->fields[HTTP_IF_NONE_MATCH]);
    if (UNLIKELY(origin.at != NULL) && origin.size <= ORIGIN_MAX &&
        in_words(http->options.origins, origin)) {
        extra(route, EXCHANGE_ORIGIN, origin);
    }
}

/* The head is here and the body is not: whether the peer shall send it. */
static void ask(struct http *http, struct protocol_parse *parse, struct http_head *head,
                int32_t stream) {
    struct route route;
    begin(&route, http, parse, head, stream);
    route.note.kind |= head->expects && head->minor == 1 ? (unsigned)EXCHANGE_TELLS : 0u;
    add(&route, EXCHANGE_GO_ON, NULL, NULL, 0);
}

static void ask_on(struct http *http, struct protocol_parse *parse, struct http_head *head) {
    bool large = head->chunked || head->content_length > STRANGER_BODY_MAX;
    if (!parse->told && (head->expects || (parse->stranger && large))) {
        ask(http, parse, head, 0);
        parse->told = true;
    }
}

static void refuse(struct http *http, struct protocol_parse *parse, int status, int32_t stream) {
    struct http_head none = {.minor = 1};
    struct route route;
    begin(&route, http, parse, &none, stream);
    answer(&route, status, 0, "");
}

/* The request is whole. */
static void route_whole(struct route *route) {
    const struct http *http = route->http;
    struct bytes rest;
    if (UNLIKELY(atomic_load_explicit(&http->under_way, memory_order_relaxed) >=
                 http->options.requests_max)) {
        answer(route, 503, 0, "as many requests as http-max-requests allows are under way");
    } else if (LIKELY(is_below(route, "/v1/keys/", 9, &rest))) {
        route_key(route, rest);
    } else {
        route_other(route);
    }
}

/* The bytes become HTTP/2 from the first one on. */
static enum protocol_status begin_h2(struct http *http, struct protocol_parse *parse) {
    struct h2 *h2 = h2_new(http, parse->client, parse->now_ms);
    if (h2 == NULL) {
        return PROTOCOL_END;
    }
    http_session_of(parse->client)->h2 = h2;
    return h2_read(h2, parse);
}

enum protocol_status http_route(const struct client_protocol *protocol,
                                struct protocol_parse *parse) {
    struct http *http = protocol->context;
    const struct http_limits limits = {.head_max = (size_t)http->options.head_max,
                                       .field_max = (uint32_t)http->options.field_max,
                                       .body_max = (uint64_t)http->options.body_max};
    struct http_head head;
    struct route route;
    struct h2 *h2 = http_h2(parse->client);
    if (UNLIKELY(h2 != NULL)) {
        return h2_read(h2, parse);
    }
    const bool at_head = parse->state->phase == HTTP_PHASE_HEAD;
    if (UNLIKELY(at_head && parse->client->bytes_in == parse->size)) {
        enum h2_beginning beginning = h2_begins(parse);
        if (beginning != H2_NOT) {
            return beginning == H2_BEGINS ? begin_h2(http, parse) : PROTOCOL_MORE;
        }
    }
    enum http_status status = http_parse(parse->state, parse->window, parse->size, &limits, &head);
    if (UNLIKELY(status == HTTP_ERROR)) {
        refuse(http, parse, parse->state->status, 0);
        return PROTOCOL_END;
    }
    if (UNLIKELY(status == HTTP_MORE)) {
        if (at_head && parse->state->phase != HTTP_PHASE_HEAD) {
            ask_on(http, parse, &head);
        }
        return PROTOCOL_MORE;
    }
    begin(&route, http, parse, &head, 0);
    route.body = bytes_of(parse->window + parse->state->head, parse->state->body_size);
    route_whole(&route);
    return route.note.kind & EXCHANGE_KEEP ? PROTOCOL_DONE : PROTOCOL_END;
}

void route_stream(struct http *http, struct protocol_parse *parse, struct http_head *head,
                  struct bytes body, int32_t stream) {
    struct route route;
    begin(&route, http, parse, head, stream);
    head->content_length = (int64_t)body.size; /* its end is always known */
    route.body = body;
    route_whole(&route);
}

void route_refuse_stream(struct http *http, struct protocol_parse *parse, int status,
                         int32_t stream) {
    refuse(http, parse, status, stream);
}

void route_ask_stream(struct http *http, struct protocol_parse *parse, struct http_head *head,
                      int32_t stream) {
    ask(http, parse, head, stream);
}

void route_send(struct http *http, struct protocol_parse *parse) {
    struct protocol_note note = {.kind = (unsigned)EXCHANGE_SEND | (unsigned)EXCHANGE_KEEP};
    (void)http;
    (void)protocol_args(parse, 0);
    protocol_add(parse, NULL, 0, &note);
}
