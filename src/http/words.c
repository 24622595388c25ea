/* words: replies of commands as JSON: numbers, strings, null, arrays; {"result":...} or
 * {"error":...} around each, as clients of REST interfaces to Redis expect. Strings that are not
 * UTF-8 have U+FFFD where they are not; whoever wants all bytes asks for base64, in which all
 * strings are encoded but an OK that is the whole reply.
 *
 * What is written is gathered in a block. If all of it fits, the answer has a length; else it goes
 * out block by block, as chunks, so that nothing is held twice and no size is known before. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "http/exchange.h"
#include "proto/base64.h"
#include "proto/json.h"

#define BLOCK_SIZE 4096
/* Arrays in arrays in a reply. */
#define DEPTH_MAX 32

struct writer {
    struct exchange *exchange;
    int status;
    bool begun; /* the head has been sent, and what follows is chunks */
    size_t size;
    char block[BLOCK_SIZE];
};

static bool is_chunked(const struct writer *writer) {
    return !exchange_has(writer->exchange, EXCHANGE_OLD | EXCHANGE_STREAM);
}

static void begin_answer(struct writer *writer, int64_t content_length) {
    struct exchange *exchange = writer->exchange;
    struct head head;
    head_begin(&head, exchange, writer->status);
    head_text(&head, "\r\nContent-Type: application/json");
    if (writer->status == 401) {
        head_text(&head, "\r\nWWW-Authenticate: Basic realm=\"larder\", Bearer");
    } else if (writer->status == 503) {
        head_text(&head, "\r\nRetry-After: 1");
    }
    if (content_length < 0 && is_chunked(writer)) {
        head_text(&head, "\r\nTransfer-Encoding: chunked");
    }
    head_end(&head, exchange, content_length);
    writer->begun = true;
}

static void flush(struct writer *writer) {
    struct reply *reply = writer->exchange->reply;
    char line[16];
    if (!writer->begun) {
        begin_answer(writer, -1);
    }
    if (writer->size == 0) {
        return;
    }
    if (is_chunked(writer)) {
        reply_raw(reply, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", writer->size));
    }
    reply_raw(reply, writer->block, writer->size);
    if (is_chunked(writer)) {
        reply_literal(reply, "\r\n");
    }
    writer->size = 0;
}

/* The answer is complete. */
static void finish(struct writer *writer) {
    if (!writer->begun) {
        begin_answer(writer, (int64_t)writer->size);
        reply_raw(writer->exchange->reply, writer->block, writer->size);
        return;
    }
    flush(writer);
    if (is_chunked(writer)) {
        reply_literal(writer->exchange->reply, "0\r\n\r\n");
    }
}

static void put_bytes(struct writer *writer, const char *at, size_t size) {
    while (size > 0) {
        if (writer->size == BLOCK_SIZE) {
            flush(writer);
        }
        size_t room = BLOCK_SIZE - writer->size;
        size_t part = size < room ? size : room;
        memcpy(writer->block + writer->size, at, part);
        writer->size += part;
        at += part;
        size -= part;
    }
}

static void put_text(struct writer *writer, const char *text) {
    put_bytes(writer, text, strlen(text));
}

static void put_byte(struct writer *writer, char c) {
    if (writer->size == BLOCK_SIZE) {
        flush(writer);
    }
    writer->block[writer->size++] = c;
}

static void put_plain(struct writer *writer, struct bytes text) {
    while (text.size > 0) {
        unsigned char c = (unsigned char)text.at[0];
        size_t size = json_utf8(text);
        if (c == '"' || c == '\\') {
            put_byte(writer, '\\');
            put_byte(writer, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", c);
            put_text(writer, escape);
        } else if (size == 0) {
            put_text(writer, "\\ufffd");
            size = 1;
        } else {
            put_bytes(writer, text.at, size);
        }
        text = bytes_of(text.at + size, text.size - size);
    }
}

static void put_base64(struct writer *writer, struct bytes text) {
    while (text.size > 0) {
        char encoded[64];
        size_t part = text.size < 48 ? text.size : 48;
        size_t size = (size_t)(base64_encode(encoded, bytes_of(text.at, part)) - encoded);
        put_bytes(writer, encoded, size);
        text = bytes_of(text.at + part, text.size - part);
    }
}

static void put_string(struct writer *writer, struct bytes text, bool is_top) {
    bool encoded = exchange_has(writer->exchange, EXCHANGE_BASE64) &&
                   !(is_top && bytes_equal(text, bytes_text("OK")));
    put_byte(writer, '"');
    if (encoded) {
        put_base64(writer, text);
    } else {
        put_plain(writer, text);
    }
    put_byte(writer, '"');
}

/* ---- replies ---- */

/* Where a reply is read: its pieces lie one behind another. */
struct reader {
    const struct reply *reply;
    uint32_t piece;
    size_t at;
    char *whole; /* of a string that goes over several pieces, which is copied */
    size_t whole_size;
};

static struct bytes rest_of_piece(struct reader *reader) {
    while (reader->piece < reader->reply->piece_count &&
           reader->at == reader->reply->pieces[reader->piece].size) {
        reader->piece++;
        reader->at = 0;
    }
    if (reader->piece == reader->reply->piece_count) {
        return bytes_of(NULL, 0);
    }
    const struct reply_piece *piece = &reader->reply->pieces[reader->piece];
    return bytes_of(piece->at + reader->at, piece->size - reader->at);
}

static void drop_whole(struct reader *reader) {
    if (reader->whole != NULL) {
        mem_free(MEM_ARENA, reader->whole, reader->whole_size);
        reader->whole = NULL;
    }
}

/* `size` bytes, which are there. False when there is no memory to bring them together. */
static bool take(struct reader *reader, size_t size, struct bytes *bytes) {
    struct bytes rest = rest_of_piece(reader);
    drop_whole(reader);
    if (rest.size >= size) {
        *bytes = bytes_of(rest.at, size);
        reader->at += size;
        return true;
    }
    reader->whole = mem_try_alloc(MEM_ARENA, size);
    reader->whole_size = size;
    for (size_t done = 0; done < size;) {
        rest = rest_of_piece(reader);
        check(rest.size > 0);
        size_t part = rest.size < size - done ? rest.size : size - done;
        if (reader->whole != NULL) {
            memcpy(reader->whole + done, rest.at, part);
        }
        reader->at += part;
        done += part;
    }
    *bytes = bytes_of(reader->whole, size);
    return reader->whole != NULL;
}

/* The CR LF behind a string, which may lie in the next piece. */
static void skip_end(struct reader *reader) {
    for (int i = 0; i < 2; i++) {
        reader->at += rest_of_piece(reader).size > 0;
    }
}

/* A line without its type and end, into `out` of BLOCK_SIZE: what is longer is cut. */
static struct bytes take_line(struct reader *reader, char *out) {
    size_t size = 0;
    struct bytes rest = rest_of_piece(reader);
    while (rest.size > 0) {
        const char *end = memchr(rest.at, '\n', rest.size);
        size_t part = end == NULL ? rest.size : (size_t)(end - rest.at) + 1;
        size_t kept = part < BLOCK_SIZE - size ? part : BLOCK_SIZE - size;
        memcpy(out + size, rest.at, kept);
        size += kept;
        reader->at += part;
        if (end != NULL) {
            break;
        }
        rest = rest_of_piece(reader);
    }
    while (size > 0 && (out[size - 1] == '\n' || out[size - 1] == '\r')) {
        size--;
    }
    return bytes_of(out, size);
}

static int64_t number_in(struct bytes line) {
    int64_t number = -1;
    (void)num_parse_i64(bytes_of(line.at + 1, line.size - 1), &number);
    return number;
}

/* One element that is no array. */
static void put_scalar(struct writer *writer, struct reader *reader, struct bytes line,
                       bool is_top) {
    struct bytes text;
    int64_t number;
    switch (line.at[0]) {
    case ':':
        put_bytes(writer, line.at + 1, line.size - 1);
        break;
    case '$':
        number = number_in(line);
        if (number < 0) {
            put_text(writer, "null");
        } else if (take(reader, (size_t)number, &text)) {
            put_string(writer, text, is_top);
            skip_end(reader);
        } else {
            put_text(writer, "null");
            skip_end(reader);
        }
        break;
    case '-':
        put_text(writer, "{\"error\":\"");
        put_plain(writer, bytes_of(line.at + 1, line.size - 1));
        put_text(writer, "\"}");
        break;
    default:
        put_string(writer, bytes_of(line.at + 1, line.size - 1), is_top);
        break;
    }
}

/* The next element of the reply, with all that is in it. */
static void put_element(struct writer *writer, struct reader *reader) {
    int64_t left[DEPTH_MAX];
    int depth = 0;
    char space[BLOCK_SIZE];
    for (;;) {
        struct bytes line = take_line(reader, space);
        if (line.size == 0) {
            put_text(writer, "null"); /* it was discarded: its client is closing */
            return;
        }
        int64_t count = line.at[0] == '*' ? number_in(line) : -1;
        if (line.at[0] == '*' && count >= 0 && depth < DEPTH_MAX) {
            put_byte(writer, '[');
            left[depth++] = count;
        } else if (line.at[0] == '*') {
            put_text(writer, "null");
        } else {
            put_scalar(writer, reader, line, depth == 0);
        }
        bool was_value = !(line.at[0] == '*' && count >= 0);
        while (depth > 0) {
            left[depth - 1] -= was_value;
            if (left[depth - 1] > 0) {
                if (was_value) {
                    put_byte(writer, ',');
                }
                break;
            }
            put_byte(writer, ']');
            depth--;
            was_value = true;
        }
        if (depth == 0) {
            return;
        }
    }
}

/* {"result":...} or {"error":"..."} */
static void put_reply(struct writer *writer, struct reader *reader) {
    struct bytes rest = rest_of_piece(reader);
    if (rest.size > 0 && rest.at[0] == '-') {
        put_element(writer, reader);
        return;
    }
    put_text(writer, "{\"result\":");
    put_element(writer, reader);
    put_byte(writer, '}');
}

/* ---- exchanges ---- */

static struct reader scratch_reader(const struct exchange *exchange) {
    return (struct reader){.reply = &exchange->http->scratch->reply};
}

/* Executes the command, if it may be executed here; the reply is in the scratch then, and is
 * its error otherwise. */
static enum protocol_result run(struct exchange *exchange) {
    struct protocol_scratch *scratch = exchange->http->scratch;
    if (exchange->note->words[0] != 0) {
        reply_reset(&scratch->reply);
        reply_error(&scratch->reply,
                    "ERR this command is about its connection, and a request over HTTP has none");
        reply_close_run(&scratch->reply);
        return PROTOCOL_EXECUTED;
    }
    return protocol_dispatch(exchange->call, scratch);
}

static bool is_gone(const struct exchange *exchange) {
    return reply_is_discarded(&exchange->http->scratch->reply);
}

enum protocol_result words_command(struct exchange *exchange) {
    struct bytes error;
    if (run(exchange) == PROTOCOL_HOLD) {
        return PROTOCOL_HOLD;
    }
    if (is_gone(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    struct writer writer;
    struct reader reader = scratch_reader(exchange);
    writer.exchange = exchange;
    writer.status = 200;
    writer.begun = false;
    writer.size = 0;
    if (scratch_error(exchange->http, &error)) {
        writer.status = status_of_error(error);
    }
    put_reply(&writer, &reader);
    put_byte(&writer, '\n');
    finish(&writer);
    drop_whole(&reader);
    return PROTOCOL_EXECUTED;
}

enum protocol_result words_pipe(struct exchange *exchange) {
    if (run(exchange) == PROTOCOL_HOLD) {
        return PROTOCOL_HOLD;
    }
    if (is_gone(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    const bool is_first = exchange_has(exchange, EXCHANGE_FIRST);
    struct writer writer;
    struct reader reader = scratch_reader(exchange);
    writer.exchange = exchange;
    writer.status = 200;
    writer.begun = !is_first;
    writer.size = 0;
    put_byte(&writer, is_first ? '[' : ',');
    put_reply(&writer, &reader);
    drop_whole(&reader);
    if (exchange_has(exchange, EXCHANGE_LAST)) {
        put_text(&writer, "]\n");
        finish(&writer);
    } else {
        flush(&writer);
    }
    return PROTOCOL_EXECUTED;
}

enum protocol_result words_queue(struct exchange *exchange) {
    return run(exchange); /* what is wrong, EXEC will say */
}

enum protocol_result words_exec(struct exchange *exchange) {
    struct bytes error;
    if (run(exchange) == PROTOCOL_HOLD) {
        return PROTOCOL_HOLD;
    }
    if (is_gone(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    char space[BLOCK_SIZE];
    struct writer writer;
    struct reader reader = scratch_reader(exchange);
    writer.exchange = exchange;
    writer.begun = false;
    writer.size = 0;
    if (scratch_error(exchange->http, &error)) {
        writer.status = status_of_error(error);
        put_element(&writer, &reader);
    } else {
        struct bytes line = take_line(&reader, space);
        int64_t count = line.size > 0 && line.at[0] == '*' ? number_in(line) : 0;
        writer.status = 200;
        put_byte(&writer, '[');
        for (int64_t i = 0; i < count; i++) {
            if (i > 0) {
                put_byte(&writer, ',');
            }
            put_reply(&writer, &reader);
        }
        put_byte(&writer, ']');
    }
    put_byte(&writer, '\n');
    finish(&writer);
    drop_whole(&reader);
    return PROTOCOL_EXECUTED;
}

enum protocol_result words_scan(struct exchange *exchange) {
    struct http *http = exchange->http;
    struct bytes error;
    if (protocol_dispatch(exchange->call, http->scratch) == PROTOCOL_HOLD) {
        return PROTOCOL_HOLD;
    }
    if (is_gone(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    if (scratch_error(http, &error)) {
        answer_error(exchange, error);
        return PROTOCOL_EXECUTED;
    }
    char space[BLOCK_SIZE];
    struct bytes cursor;
    struct writer writer;
    struct reader reader = scratch_reader(exchange);
    writer.exchange = exchange;
    writer.status = 200;
    writer.begun = false;
    writer.size = 0;
    (void)take_line(&reader, space); /* two elements */
    struct bytes line = take_line(&reader, space);
    if (take(&reader, (size_t)number_in(line), &cursor)) {
        put_text(&writer, "{\"cursor\":\"");
        put_plain(&writer, cursor);
        skip_end(&reader);
    }
    put_text(&writer, "\",\"keys\":");
    put_element(&writer, &reader);
    put_text(&writer, "}\n");
    finish(&writer);
    drop_whole(&reader);
    return PROTOCOL_EXECUTED;
}
