/* client: hiredis with replies as text. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

redisContext *client_connect(const struct server *server) {
    redisContext *context = redisConnect("127.0.0.1", server_port(server));
    if (context == NULL || context->err != 0) {
        harness_fail("hiredis: %s", context == NULL ? "no memory" : context->errstr);
    }
    struct timeval wait = {.tv_sec = HARNESS_WAIT_MS / 1000};
    redisSetTimeout(context, wait);
    return context;
}

static void print_quoted(FILE *out, const redisReply *reply) {
    fputc('"', out);
    for (size_t i = 0; i < (size_t)reply->len; i++) {
        unsigned char byte = (unsigned char)reply->str[i];
        if (byte == '\r' || byte == '\n') {
            fputs(byte == '\r' ? "\\r" : "\\n", out);
        } else if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte < 32 || byte > 126) {
            fprintf(out, "\\x%02x", byte);
        } else {
            fputc(byte, out);
        }
    }
    fputc('"', out);
}

static void print_reply(FILE *out, const redisReply *reply) {
    switch (reply->type) {
    case REDIS_REPLY_STATUS:
        fprintf(out, "+%s", reply->str);
        break;
    case REDIS_REPLY_ERROR:
        fprintf(out, "-%s", reply->str);
        break;
    case REDIS_REPLY_INTEGER:
        fprintf(out, ":%lld", reply->integer);
        break;
    case REDIS_REPLY_NIL:
        fputs("nil", out);
        break;
    case REDIS_REPLY_STRING:
        print_quoted(out, reply);
        break;
    default:
        fputc('[', out);
        for (size_t i = 0; i < reply->elements; i++) {
            fputs(i == 0 ? "" : ", ", out);
            print_reply(out, reply->element[i]);
        }
        fputc(']', out);
    }
}

char *client_text(const redisReply *reply) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print_reply(out, reply);
    fclose(out);
    return text;
}

static char *ask(redisContext *context, const char *format, va_list arguments) {
    harness_note(format);
    redisReply *reply = redisvCommand(context, format, arguments);
    if (reply == NULL) {
        harness_fail("hiredis: %s", context->errstr);
    }
    char *text = client_text(reply);
    freeReplyObject(reply);
    return text;
}

char *client_command(redisContext *context, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = ask(context, format, arguments);
    va_end(arguments);
    return text;
}

void client_expect(redisContext *context, const char *expected, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = ask(context, format, arguments);
    va_end(arguments);
    if (strcmp(text, expected) != 0) {
        harness_fail("expected %.1500s\n     got %.1500s", expected, text);
    }
    free(text);
}
