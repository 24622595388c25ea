/* unknown: a table that is walked. What is refused costs an error reply anyway. */
#include "call/unknown.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

/* Names that INFO shows: one line that people read. */
#define SHOWN_MAX 24

struct kept {
    char name[UNKNOWN_NAME_SIZE];
    uint64_t calls;
};

struct unknown {
    uint64_t total;
    int count;
    bool was_full; /* nothing is logged any more */
    struct kept names[UNKNOWN_NAMES_MAX];
};

static size_t append(char *name, size_t used, struct bytes text) {
    for (size_t i = 0; i < text.size && used < UNKNOWN_NAME_SIZE - 1; i++) {
        char c = text.at[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                     c == '-' || c == '|';
        name[used++] = c;
        if (!plain) {
            name[used - 1] = '?';
        }
    }
    return used;
}

static struct kept *find(struct unknown *unknown, const char *name) {
    for (int i = 0; i < unknown->count; i++) {
        if (strcmp(unknown->names[i].name, name) == 0) {
            return &unknown->names[i];
        }
    }
    return NULL;
}

static struct kept *least(struct unknown *unknown) {
    struct kept *found = &unknown->names[0];
    for (int i = 1; i < unknown->count; i++) {
        if (unknown->names[i].calls < found->calls) {
            found = &unknown->names[i];
        }
    }
    return found;
}

static void tell(struct unknown *unknown, const char *name) {
    log_warning("A client asked for the command '%s', which is not here. INFO stats counts such "
                "requests (unknown_commands).",
                name);
    if (unknown->count == UNKNOWN_NAMES_MAX) {
        log_warning("%d commands that are not here were named; others will not be.",
                    UNKNOWN_NAMES_MAX);
        unknown->was_full = true;
    }
}

void unknown_note(struct unknown *unknown, struct bytes name, struct bytes subcommand) {
    char text[UNKNOWN_NAME_SIZE] = {0};
    size_t used = append(text, 0, name);
    if (subcommand.size > 0) {
        used = append(text, used, bytes_text("|"));
        append(text, used, subcommand);
    }
    unknown->total++;
    struct kept *kept = find(unknown, text);
    if (kept == NULL && unknown->count < UNKNOWN_NAMES_MAX) {
        kept = &unknown->names[unknown->count++];
        *kept = (struct kept){.calls = 0};
        memcpy(kept->name, text, sizeof text);
        tell(unknown, text);
    } else if (kept == NULL) {
        kept = least(unknown);
        memcpy(kept->name, text, sizeof text);
    }
    kept->calls++;
}

uint64_t unknown_calls(const struct unknown *unknown, const char *name) {
    for (int i = 0; i < unknown->count; i++) {
        if (strcmp(unknown->names[i].name, name) == 0) {
            return unknown->names[i].calls;
        }
    }
    return 0;
}

void unknown_validate(const struct unknown *unknown) {
    check(unknown->count >= 0 && unknown->count <= UNKNOWN_NAMES_MAX);
    check(unknown->was_full == (unknown->count == UNKNOWN_NAMES_MAX));
    uint64_t calls = 0;
    for (int i = 0; i < unknown->count; i++) {
        check(memchr(unknown->names[i].name, '\0', UNKNOWN_NAME_SIZE) != NULL);
        calls += unknown->names[i].calls;
        for (int j = 0; j < i; j++) {
            check(strcmp(unknown->names[i].name, unknown->names[j].name) != 0);
        }
    }
    check(calls == unknown->total);
}

/* Figures. */

static int64_t total(void *module) {
    return (int64_t)((const struct unknown *)module)->total;
}

/* The most asked for first: name=calls,name=calls. Those that are shown are looked for one after
 * the other. */
static void list(void *module, struct buffer *out) {
    const struct unknown *unknown = module;
    bool shown[UNKNOWN_NAMES_MAX] = {false};
    for (int n = 0; n < SHOWN_MAX; n++) {
        int best = -1;
        for (int i = 0; i < unknown->count; i++) {
            if (!shown[i] && unknown->names[i].calls > 0 &&
                (best < 0 || unknown->names[i].calls > unknown->names[best].calls)) {
                best = i;
            }
        }
        if (best < 0) {
            return;
        }
        shown[best] = true;
        buffer_printf(out, "%s%s=%llu", n == 0 ? "" : ",", unknown->names[best].name,
                      (unsigned long long)unknown->names[best].calls);
    }
}

/* The names stay, so that they are not logged again. */
static void reset(void *module) {
    struct unknown *unknown = module;
    unknown->total = 0;
    for (int i = 0; i < unknown->count; i++) {
        unknown->names[i].calls = 0;
    }
}

struct unknown *unknown_new(struct metrics *metrics) {
    static const struct metric rows[] = {
        {.name = "unknown_commands_calls",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_NUMBER,
         .number = total,
         .description = "Requests for commands that are not here."},
        {.name = "unknown_commands",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_TEXT,
         .text = list,
         .description = "The commands that are not here, by how often they were asked for."},
    };
    struct unknown *unknown = mem_zalloc(MEM_OTHER, sizeof *unknown);
    metrics_register(metrics, rows, sizeof rows / sizeof rows[0], NULL, unknown, reset);
    return unknown;
}

void unknown_free(struct unknown *unknown) {
    if (unknown != NULL) {
        mem_free(MEM_OTHER, unknown, sizeof *unknown);
    }
}
