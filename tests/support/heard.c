/* heard: see the header. */
#include "support/heard.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "call/pass_on.h"

static struct buffer heard;

static void passed(void *unused, struct bytes unit, int commands) {
    (void)unused;
    (void)commands;
    buffer_append(&heard, unit.at, unit.size);
}

static struct pass_on_listener listener = {.passed = passed};

void heard_begin(struct session *session) {
    buffer_init(&heard, MEM_OTHER);
    pass_on_listen(session->server.context.pass_on, &listener);
}

void heard_end(struct session *session) {
    pass_on_unlisten(session->server.context.pass_on, &listener);
    buffer_clear(&heard);
}

const char *heard_words(void) {
    static char words[64 * 1024];
    size_t size = 0;
    const char *text = buffer_text(&heard);
    for (const char *line = strtok((char *)(uintptr_t)text, "\r\n"); line != NULL;
         line = strtok(NULL, "\r\n")) {
        if (*line == '*' && size > 0) {
            words[size - 1] = '\n';
        } else if (*line != '$' && *line != '*') {
            size += (size_t)snprintf(words + size, sizeof words - size, "%s ", line);
        }
    }
    words[size > 0 ? size - 1 : 0] = '\0';
    heard.size = 0;
    return words;
}
