/* script: see script.h. What a server with one thread has sent is there once it has answered two
 * PINGs of another connection: the first is read behind the step, the second behind what the step's
 * pass sent. The server under test may have more threads: it is given time to send as much. */
#include "script.h"

#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GOT_SIZE (1 << 20)

struct line {
    int fd; /* -1: closed */
    long id;
    char *got;
    size_t size;
};

struct side {
    struct server *server;
    int other;
    struct line lines[SCRIPT_CONNECTIONS];
};

struct script {
    struct side sides[2];
    char note[512];
};

static long fresh_id(const struct server *server) {
    int fd = wire_connect(server);
    char *reply = wire_ask(fd, "CLIENT", "ID", NULL);
    long id = strtol(reply + 1, NULL, 10);
    free(reply);
    close(fd);
    return id;
}

/* From here on both give their connections the same ids. */
static void align_ids(struct script *script) {
    long ids[2] = {0, 0};
    do {
        int behind = ids[0] < ids[1] ? 0 : 1;
        ids[behind] = fresh_id(script->sides[behind].server);
    } while (ids[0] != ids[1]);
}

struct script *script_start(const char *const *options) {
    struct script *script = calloc(1, sizeof *script);
    for (int i = 0; i < 2; i++) {
        struct side *side = &script->sides[i];
        side->server = i == 0 ? server_start(options) : server_start_reference(options);
        side->other = wire_connect(side->server);
        for (int j = 0; j < SCRIPT_CONNECTIONS; j++) {
            side->lines[j].fd = -1;
            side->lines[j].got = malloc(GOT_SIZE);
        }
    }
    align_ids(script);
    return script;
}

static void settle(const struct side *side) {
    wire_settle(side->other);
    wire_settle(side->other);
}

static void close_line(struct line *line) {
    if (line->fd >= 0) {
        close(line->fd);
        line->fd = -1;
    }
}

void script_stop(struct script *script) {
    for (int i = 0; i < 2; i++) {
        struct side *side = &script->sides[i];
        for (int j = 0; j < SCRIPT_CONNECTIONS; j++) {
            close_line(&side->lines[j]);
            free(side->lines[j].got);
        }
        close(side->other);
        server_stop(side->server);
    }
    free(script);
}

void script_begin(struct script *script, const char *modern) {
    for (int i = 0; i < 2; i++) {
        struct side *side = &script->sides[i];
        for (int j = 0; j < SCRIPT_CONNECTIONS; j++) {
            struct line *line = &side->lines[j];
            close_line(line);
            line->size = 0;
            line->fd = wire_connect(side->server);
            if (strchr(modern, 'a' + j) != NULL) {
                free(wire_ask(line->fd, "HELLO", "3", NULL));
            }
            char *id = wire_ask(line->fd, "CLIENT", "ID", NULL);
            line->id = strtol(id + 1, NULL, 10);
            free(id);
        }
        settle(side);
        free(wire_ask(side->other, "FLUSHALL", NULL));
    }
}

/* What has come to a line, added to what it had. */
static void collect(struct line *line) {
    while (line->fd >= 0 && line->size < GOT_SIZE) {
        ssize_t got = recv(line->fd, line->got + line->size, GOT_SIZE - line->size, MSG_DONTWAIT);
        if (got <= 0) {
            break;
        }
        line->size += (size_t)got;
    }
}

static void print_bytes(const char *who, const char *at, size_t size) {
    print_error("  %s ", who);
    for (size_t i = 0; i < size && i < 4000; i++) {
        unsigned char byte = (unsigned char)at[i];
        if (byte >= ' ' && byte < 127) {
            print_error("%c", byte);
        } else if (byte == '\n') {
            print_error(" ");
        } else if (byte != '\r') {
            print_error("\\x%02x", byte);
        }
    }
    print_error("\n");
}

static void compare(struct script *script) {
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS / 3;
    for (int j = 0; j < SCRIPT_CONNECTIONS; j++) {
        struct line *ours = &script->sides[0].lines[j];
        struct line *theirs = &script->sides[1].lines[j];
        collect(theirs);
        for (collect(ours); ours->size < theirs->size && harness_now_ms() < end; collect(ours)) {
            harness_breathe();
        }
        if (ours->size != theirs->size || memcmp(ours->got, theirs->got, ours->size) != 0) {
            print_error("connection %c after %s\n", 'a' + j, script->note);
            print_bytes("ours     ", ours->got, ours->size);
            print_bytes("reference", theirs->got, theirs->size);
            harness_fail("the servers differ");
        }
        ours->size = theirs->size = 0;
    }
}

static void put_word(FILE *file, const struct side *side, const char *word, size_t size) {
    char id[32];
    if (size == 2 && word[0] == '@') {
        size = (size_t)snprintf(id, sizeof id, "%ld", side->lines[word[1] - 'a'].id);
        word = id;
    }
    fprintf(file, "$%zu\r\n", size);
    fwrite(word, 1, size, file);
    fputs("\r\n", file);
}

/* One command of a step, up to `|` or the end; returns what is behind it. */
static const char *put_command(FILE *file, const struct side *side, const char *text) {
    const char *words[64];
    size_t sizes[64];
    size_t count = 0;
    while (*text != '\0' && *text != '|') {
        size_t size = strcspn(text, " ");
        if (size > 0) {
            words[count] = text;
            sizes[count++] = size;
        }
        text += size + strspn(text + size, " ");
    }
    fprintf(file, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        put_word(file, side, words[i], sizes[i]);
    }
    return *text == '|' ? text + 1 + strspn(text + 1, " ") : text;
}

void script_step(struct script *script, const char *line) {
    snprintf(script->note, sizeof script->note, "%s", line);
    harness_note(script->note);
    for (int i = 0; i < 2; i++) {
        struct side *side = &script->sides[i];
        char *bytes = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&bytes, &size);
        for (const char *text = line + 3; *text != '\0';) {
            text = put_command(file, side, text);
        }
        fclose(file);
        wire_send(side->lines[line[0] - 'a'].fd, bytes, size);
        free(bytes);
        settle(side);
    }
    compare(script);
}

void script_run(struct script *script, const char *modern, const char *const *lines) {
    script_begin(script, modern);
    for (size_t i = 0; lines[i] != NULL; i++) {
        script_step(script, lines[i]);
    }
}

void script_await(struct script *script, char who) {
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
    for (int i = 0; i < 2; i++) {
        struct line *line = &script->sides[i].lines[who - 'a'];
        for (collect(line); line->size == 0; collect(line)) {
            if (harness_now_ms() > end) {
                harness_fail("nothing comes");
            }
            harness_breathe();
        }
        settle(&script->sides[i]);
    }
    compare(script);
}

void script_close(struct script *script, char who) {
    for (int i = 0; i < 2; i++) {
        close_line(&script->sides[i].lines[who - 'a']);
        settle(&script->sides[i]);
    }
}
