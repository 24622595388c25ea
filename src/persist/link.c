/* link: see the header. Here: its life, the greeting, and the answer to PSYNC. */
#include "persist/link_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/control.h"
#include "call/unparse.h"
#include "net/tls.h"

#define US_PER_SECOND INT64_C(1000000)
/* A line of the greeting is no longer. */
#define LINE_MAX_SIZE 8192
/* Bytes of the stream that may wait for being executed; then no more is read. */
#define WAITING_MAX ((size_t)4 << 20)

enum link_state link_state(const struct link *link) {
    return link->state;
}

static int64_t now_us(const struct link *link) {
    return replication_now_us(link->replication);
}

void link_set_state(struct link *link, enum link_state state) {
    link->state = state;
    replication_tell(link->replication);
}

/* ---- life ---- */

struct link *link_new(struct replication *replication) {
    struct link *link = mem_zalloc(MEM_OTHER, sizeof *link);
    link->replication = replication;
    link->watch.fd = -1;
    link->transport = (struct transport){.kind = transport_plain(), .fd = -1};
    link->snapshot.file = -1;
    buffer_init(&link->out, MEM_BUFFER);
    reply_init(&link->reply);
    return link;
}

static void disconnect(struct link *link) {
    link_close_socket(link);
    link_forget_addresses(link);
    link_snapshot_drop(link);
    link_stream_end(link);
    buffer_clear(&link->out);
    link->sent = 0;
    mem_free(MEM_BUFFER, link->in, link->in_capacity);
    link->in = NULL;
    link->in_size = 0;
    link->in_capacity = 0;
    link->step_count = 0;
}

void link_free(struct link *link) {
    disconnect(link);
    reply_free(&link->reply);
    if (link->desk != NULL) {
        tls_desk_free(link->desk);
    }
    mem_free(MEM_OTHER, link, sizeof *link);
}

void link_break(struct link *link, const char *format, ...) {
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    log_warning("The link to the primary %s:%lld: %s.", link->replication->host,
                (long long)link->replication->primary_port, reason);
    if (link->state == LINK_FOLLOWING) {
        link->down_us = now_us(link);
    }
    disconnect(link);
    link->next_us = now_us(link) + US_PER_SECOND;
    link_set_state(link, LINK_WAITING);
}

void link_forget_history(struct link *link) {
    link->replication->can_resume = false;
}

/* ---- sending ---- */

static bool wants_to_read(const struct link *link) {
    return link->state != LINK_CHECKING && link->state != LINK_LOADING &&
           (link->state != LINK_FOLLOWING || link->in_size - link->request.at < WAITING_MAX);
}

static void choose_interest(struct link *link) {
    bool reads = wants_to_read(link);
    bool writes = link->addresses != NULL || link->transport.wants_write ||
                  (!link->is_shaking_hands && link->sent < link->out.size);
    unsigned interest = (reads ? LOOP_READ : 0u) | (writes ? (unsigned)LOOP_WRITE : 0u);
    if (link->watch.fd >= 0 && link->watch.interest != interest) {
        loop_watch_change(link->replication->context->loop, &link->watch, interest);
    }
}

/* What goes wrong is seen when the loop reports it. */
void link_send(struct link *link) {
    while (!link_is_connecting(link) && link->watch.fd >= 0 && link->sent < link->out.size) {
        ssize_t sent = transport_write(&link->transport, link->out.at + link->sent,
                                       link->out.size - link->sent);
        if (sent <= 0) {
            break;
        }
        link->sent += (size_t)sent;
    }
    if (link->sent == link->out.size) {
        link->sent = 0;
        link->out.size = 0;
    }
    choose_interest(link);
}

static void say(struct link *link, const char *const *words, int count) {
    struct bytes args[8];
    for (int i = 0; i < count; i++) {
        args[i] = bytes_text(words[i]);
    }
    unparse_call(&link->out, args, count);
}

static void ask(struct link *link, enum link_step step, const char *const *words, int count) {
    check(link->step_count < LINK_STEPS_MAX);
    link->steps[link->step_count++] = step;
    say(link, words, count);
}

void link_acknowledge(struct link *link) {
    char offset[24];
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)link->replication->backlog.end);
    const char *const words[] = {"REPLCONF", "ACK", offset};
    say(link, words, 3);
    link->told_us = now_us(link);
    link_send(link);
}

/* ---- greeting ---- */

void link_greet(struct link *link) {
    const char *const words[] = {"PING"};
    link_set_state(link, LINK_GREETING);
    ask(link, STEP_PING, words, 1);
    link_send(link);
}

static void introduce(struct link *link) {
    const struct replication *replication = link->replication;
    const struct replication_options *options = &replication->options;
    if (options->password[0] != '\0') {
        bool named = options->user[0] != '\0';
        const char *const words[] = {"AUTH", named ? options->user : options->password,
                                     options->password};
        ask(link, STEP_AUTH, words, named ? 3 : 2);
    }
    char port[24];
    snprintf(port, sizeof port, "%lld",
             (long long)(options->announce_port != 0 ? options->announce_port
                                                     : replication_own_port(replication)));
    const char *const port_words[] = {"REPLCONF", "listening-port", port};
    ask(link, STEP_TELL, port_words, 3);
    if (options->announce_ip[0] != '\0') {
        const char *const ip_words[] = {"REPLCONF", "ip-address", options->announce_ip};
        ask(link, STEP_TELL, ip_words, 3);
    }
    const char *const can[] = {"REPLCONF", "capa", "eof", "capa", "psync2"};
    ask(link, STEP_TELL, can, 5);
}

static void ask_for_stream(struct link *link) {
    const struct replication *replication = link->replication;
    char next[24];
    snprintf(next, sizeof next, "%llu", (unsigned long long)replication->backlog.end + 1);
    bool resumes = replication->can_resume;
    bool takes_over = replication->failover.state == FAILOVER_CHANGING;
    const char *const words[] = {"PSYNC", resumes ? replication->id : "?", resumes ? next : "-1",
                                 "FAILOVER"};
    ask(link, STEP_SYNC, words, takes_over ? 4 : 3);
    link_set_state(link, LINK_ASKING);
    link_send(link);
}

/* "+CONTINUE", perhaps with another id for the same history. */
static bool go_on(struct link *link, struct bytes rest) {
    struct replication *replication = link->replication;
    if (!replication->can_resume) {
        link_break(link, "it goes on where nothing has been");
        return false;
    }
    if (rest.size == REPLICATION_ID_SIZE && !bytes_is(rest, replication->id)) {
        replication_fork_history(replication);
        memcpy(replication->id, rest.at, REPLICATION_ID_SIZE);
        primary_drop_all(replication);
    }
    log_notice("Partial synchronisation with %s:%lld at offset %llu.", replication->host,
               (long long)replication->primary_port, (unsigned long long)replication->backlog.end);
    link_stream_begin(link);
    link_set_state(link, LINK_FOLLOWING);
    link_acknowledge(link);
    return true;
}

/* "+FULLRESYNC id offset". */
static bool begin_anew(struct link *link, struct bytes rest) {
    struct link_snapshot *snapshot = &link->snapshot;
    int64_t offset;
    if (rest.size < REPLICATION_ID_SIZE + 2 || rest.at[REPLICATION_ID_SIZE] != ' ' ||
        !num_parse_i64(
            bytes_of(rest.at + REPLICATION_ID_SIZE + 1, rest.size - REPLICATION_ID_SIZE - 1),
            &offset) ||
        offset < 0) {
        link_break(link, "its answer to PSYNC makes no sense");
        return false;
    }
    memcpy(snapshot->id, rest.at, REPLICATION_ID_SIZE);
    snapshot->id[REPLICATION_ID_SIZE] = '\0';
    snapshot->offset = (uint64_t)offset;
    link_set_state(link, LINK_RECEIVING);
    return true;
}

static bool begins_with(struct bytes line, const char *text, struct bytes *rest) {
    size_t size = strlen(text);
    if (line.size < size || memcmp(line.at, text, size) != 0) {
        return false;
    }
    *rest = bytes_of(line.at + size, line.size - size);
    if (rest->size > 0 && rest->at[0] == ' ') {
        *rest = bytes_of(rest->at + 1, rest->size - 1);
    }
    return true;
}

static bool take_sync_answer(struct link *link, struct bytes line) {
    struct bytes rest;
    if (begins_with(line, "+CONTINUE", &rest)) {
        failover_answered(link->replication);
        return go_on(link, rest);
    }
    if (begins_with(line, "+FULLRESYNC", &rest)) {
        failover_answered(link->replication);
        return begin_anew(link, rest);
    }
    failover_refused(link->replication);
    link_break(link, "it refuses: %.*s", bytes_printed(line), line.at);
    return false;
}

static bool may_go_on_without(struct bytes error) {
    struct bytes rest;
    return begins_with(error, "-NOAUTH", &rest) || begins_with(error, "-NOPERM", &rest) ||
           begins_with(error, "-ERR operation not permitted", &rest);
}

/* A line that answers the oldest question. False when the link has ended. */
static bool take_answer(struct link *link, struct bytes line) {
    if (link->step_count == 0) {
        link_break(link, "it says what nobody asked: %.*s", bytes_printed(line), line.at);
        return false;
    }
    enum link_step step = link->steps[0];
    link->step_count--;
    memmove(link->steps, link->steps + 1, (size_t)link->step_count * sizeof link->steps[0]);
    bool is_error = line.at[0] == '-';
    switch (step) {
    case STEP_PING:
        if (is_error && !may_go_on_without(line)) {
            link_break(link, "it refuses PING: %.*s", bytes_printed(line), line.at);
            return false;
        }
        introduce(link);
        link_send(link);
        return true;
    case STEP_AUTH:
        if (is_error) {
            link_break(link, "it refuses masterauth: %.*s", bytes_printed(line), line.at);
            return false;
        }
        return true;
    case STEP_TELL:
        if (link->step_count == 0) {
            ask_for_stream(link);
        }
        return true;
    case STEP_SYNC:
        return take_sync_answer(link, line);
    }
    return false;
}

/* ---- receiving ---- */

/* Whether lines are what comes now. */
static bool reads_lines(const struct link *link) {
    return link->state == LINK_GREETING || link->state == LINK_ASKING ||
           (link->state == LINK_RECEIVING && link->snapshot.file < 0);
}

/* An empty line says that the other end is alive. */
static bool take_line(struct link *link, struct bytes line) {
    if (line.size > 0 && line.at[line.size - 1] == '\r') {
        line.size--;
    }
    if (line.size == 0) {
        return true;
    }
    return link->state == LINK_RECEIVING ? link_snapshot_begin(link, line)
                                         : take_answer(link, line);
}

/* What came is for the state that the link is in, which it may change. False when it has ended. */
static bool take_lines(struct link *link) {
    size_t at = 0;
    while (reads_lines(link)) {
        const char *end = memchr(link->in + at, '\n', link->in_size - at);
        if (end == NULL) {
            break;
        }
        struct bytes line = bytes_of(link->in + at, (size_t)(end - link->in) - at);
        at += line.size + 1;
        if (!take_line(link, line)) {
            return false;
        }
    }
    if (link->state == LINK_RECEIVING && link->snapshot.file >= 0) {
        at += link_snapshot_take(link, link->in + at, link->in_size - at);
        if (link->watch.fd < 0) {
            return false;
        }
    }
    link->in_size -= at;
    memmove(link->in, link->in + at, link->in_size);
    if (reads_lines(link) && link->in_size > LINE_MAX_SIZE) {
        link_break(link, "a line without an end");
        return false;
    }
    return true;
}

static void receive(struct link *link) {
    if (!link_room(link, LINK_READ_SIZE)) {
        link_break(link, "there is no memory for what it sends");
        return;
    }
    ssize_t size = transport_read(&link->transport, link->in + link->in_size, LINK_READ_SIZE);
    if (size == -EAGAIN) {
        return;
    }
    if (size <= 0) {
        link_break(link, "%s", size == 0 ? "it was closed" : strerror((int)-size));
        return;
    }
    link->in_size += (size_t)size;
    link->moved_us = now_us(link);
    link->replication->metrics.total_net_repl_input_bytes += (uint64_t)size;
    if (link->state == LINK_FOLLOWING || take_lines(link)) {
        link->replication->watcher.has_work = true; /* the pass's end goes on */
    }
}

/* ---- the loop calls ---- */

void link_on_ready(struct loop_watch *watch, unsigned ready) {
    struct link *link = (struct link *)(void *)watch;
    if (link_is_connecting(link)) {
        link_go_on_connecting(link, ready);
        choose_interest(link);
        return;
    }
    if (link->transport.wants_write && transport_flush(&link->transport) < 0) {
        link_break(link, "the connection is broken");
        return;
    }
    if (ready & LOOP_WRITE) {
        link_send(link);
    }
    if (ready & LOOP_READ) {
        receive(link);
    }
}

/* ---- time ---- */

/* Alive while it is busy with itself. */
static void tell_alive(struct link *link) {
    if (now_us(link) - link->told_us < US_PER_SECOND) {
        return;
    }
    if (link->state == LINK_FOLLOWING) {
        link_acknowledge(link);
    } else if (link->state == LINK_CHECKING || link->state == LINK_LOADING) {
        buffer_append_byte(&link->out, '\n');
        link->told_us = now_us(link);
        link->moved_us = now_us(link); /* it is not read meanwhile */
        link_send(link);
    }
}

void link_cron(struct link *link) {
    const struct replication *replication = link->replication;
    if (link->state == LINK_WAITING) {
        if (now_us(link) >= link->next_us &&
            replication->context->control->loading == CONTROL_LOADING_NOT) {
            link_connect(link);
        }
        return;
    }
    if (now_us(link) - link->moved_us > replication->options.timeout_seconds * US_PER_SECOND) {
        link_break(link, "nothing has come for %lld seconds",
                   (long long)replication->options.timeout_seconds);
        return;
    }
    tell_alive(link);
}

bool link_pass(struct link *link) {
    bool more = false;
    if (link->transport.has_pending && wants_to_read(link)) {
        receive(link);
    }
    if (link->state == LINK_CHECKING || link->state == LINK_LOADING) {
        more = link_snapshot_pass(link);
        if (link->state == LINK_FOLLOWING) {
            link_set_state(link, LINK_FOLLOWING);
            link_acknowledge(link);
        }
    }
    if (link->state == LINK_FOLLOWING) {
        more = link_stream_pass(link);
    }
    choose_interest(link);
    return more || (link->transport.has_pending && wants_to_read(link));
}

void link_figures(const struct link *link, struct link_figures *figures) {
    const struct replication *replication = link->replication;
    bool is_up = link->state == LINK_FOLLOWING;
    *figures = (struct link_figures){
        .silent_s =
            link->state == LINK_WAITING ? -1 : (now_us(link) - link->moved_us) / US_PER_SECOND,
        .down_s = link->down_us == 0 ? -1 : (now_us(link) - link->down_us) / US_PER_SECOND,
        .read_offset =
            replication->backlog.end + (is_up ? (uint64_t)(link->in_size - link->unit_at) : 0),
        .snapshot_bytes = link->snapshot.received,
        .snapshot_total = link->snapshot.total,
    };
}
