/* compare_walk: see the header. */
#include "compare_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

/* Enough for the largest collection of these tests, at a few elements a step. */
#define STEPS_MAX 100000

static int by_text(const void *one, const void *other) {
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* What a walk with a cursor finds. */
struct found {
    char **at; /* canonical texts, of elements or of pairs */
    size_t count;
};

/* Adds the elements of an array of bulk strings; `group` of them are one. */
static void add_found(struct found *found, const char *array, size_t size, size_t group) {
    size_t place = strcspn(array, "\r") + 2;
    while (place < size) {
        size_t whole = 0;
        for (size_t i = 0; i < group; i++) {
            whole += reply_size(array + place + whole, size - place - whole);
        }
        char *text = malloc(whole + 1);
        /* Keys with NUL bytes need not be told apart by strcmp here: none are used. */
        memcpy(text, array + place, whole);
        text[whole] = 0;
        found->at = realloc(found->at, (found->count + 1) * sizeof *found->at);
        found->at[found->count++] = text;
        place += whole;
    }
}

/* Walks to the end: `head` is the command up to the cursor, `tail` what follows. Elements that
 * come more than once count once. */
static struct found walk(struct pair *pair, int side, const char *head, const char *tail,
                         size_t group) {
    struct found found = {0};
    int fd = wire_connect(pair_server(pair, side));
    char cursor[32] = "0";
    int steps = 0;
    do {
        char line[256];
        size_t size;
        snprintf(line, sizeof line, "%s %s%s\r\n", head, cursor, tail);
        wire_send_text(fd, line);
        char *raw = wire_read_raw(fd, &size);
        if (strncmp(raw, "*2\r\n$", 5) != 0 || ++steps > STEPS_MAX) {
            harness_fail("%s answers %.200s", line, raw);
        }
        const char *place = strchr(raw + 5, '\n') + 1;
        snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(place, "\r"), place);
        place += strcspn(place, "\r") + 2;
        add_found(&found, place, size - (size_t)(place - raw), group);
        free(raw);
    } while (strcmp(cursor, "0") != 0);
    close(fd);
    if (found.count > 0) {
        qsort(found.at, found.count, sizeof *found.at, by_text);
    }
    size_t kept = 0;
    for (size_t i = 0; i < found.count; i++) {
        if (kept > 0 && strcmp(found.at[kept - 1], found.at[i]) == 0) {
            free(found.at[i]);
        } else {
            found.at[kept++] = found.at[i];
        }
    }
    found.count = kept;
    return found;
}

void pair_compare_walks(struct pair *pair, const char *head, const char *tail, size_t group) {
    char note[256];
    snprintf(note, sizeof note, "%s 0%s", head, tail);
    harness_note(note);
    struct found ours = walk(pair, 0, head, tail, group);
    struct found theirs = walk(pair, 1, head, tail, group);
    assert_int_equal(ours.count, theirs.count);
    for (size_t i = 0; i < ours.count; i++) {
        assert_string_equal(ours.at[i], theirs.at[i]);
        free(ours.at[i]);
        free(theirs.at[i]);
    }
    free(ours.at);
    free(theirs.at);
}
