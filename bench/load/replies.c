/* replies: the counter. A reply is whole when as many elements have ended as were announced: one to
 * begin with, or as many as the request has commands; an array counts as ended at once and
 * announces its own. */
#include "load/replies.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/num.h"

/* No array or bulk of ours comes near: beyond it, the stream is not what it should be. */
#define LENGTH_MAX ((int64_t)1 << 40)
#define FORM_BYTES sizeof(uint64_t)

void replies_init(struct replies *replies, uint64_t each) {
    *replies = (struct replies){.pending = each, .each = each};
}

static void note_error(struct replies_tally *tally, const char *line, size_t size) {
    tally->errors++;
    if (tally->first_error[0] == '\0' && size > 1) {
        size = size < REPLIES_LINE_MAX ? size : REPLIES_LINE_MAX;
        memcpy(tally->first_error, line + 1, size - 1);
        tally->first_error[size - 1] = '\0';
    }
}

/* One line without its end. False when it cannot be. */
static bool take_line(struct replies *replies, const char *line, size_t size,
                      struct replies_tally *tally) {
    if (size == 0) {
        return false;
    }
    int64_t length = 0;
    char type = line[0];
    if (memchr("$=!*~>%", type, 7) != NULL) {
        if (!num_parse_i64(bytes_of(line + 1, size - 1), &length) || length > LENGTH_MAX) {
            return false;
        }
    }
    switch (type) {
    case '!':
        tally->errors++;
        /* fall through */
    case '$':
    case '=':
        if (length >= 0) {
            replies->skip = (uint64_t)length + 2;
            return true;
        }
        tally->nulls++;
        break;
    case '*':
    case '~':
    case '>':
    case '%':
        if (length < 0) {
            tally->nulls++;
        } else {
            replies->pending += (uint64_t)length * (type == '%' ? 2 : 1);
        }
        break;
    case '-':
        note_error(tally, line, size);
        break;
    case '_':
        tally->nulls++;
        break;
    default:
        if (memchr("+:,#(", type, 5) == NULL) {
            return false;
        }
    }
    replies->pending--;
    return true;
}

/* Keeps what fits of a line that is cut. */
static void keep_line(struct replies *replies, const char *at, size_t size) {
    size_t room = REPLIES_LINE_MAX - replies->line_size;
    size = size < room ? size : room;
    memcpy(replies->line + replies->line_size, at, size);
    replies->line_size += size;
}

/* Remembers an element whose first line, of `size` bytes with its end, has just been taken. Those
 * whose line is longer than a form, or seldom comes again, are not worth it. */
static void learn(struct replies_tally *tally, const char *line, size_t size, uint64_t skip) {
    if (size > FORM_BYTES || (line[0] == ':' && size > 4) || memchr("$+:_", line[0], 4) == NULL) {
        return;
    }
    struct replies_form form = {.size = size + (size_t)skip};
    memcpy(&form.first, line, size);
    memset(&form.mask, 0xff, size);
    form.nulls = line[0] == '_' || (line[0] == '$' && line[1] == '-');
    tally->forms[tally->learned++ % REPLIES_FORMS] = form;
}

/* Takes the elements at the beginning that have a known form; returns where they end. */
static const char *take_known(struct replies *replies, const char *at, const char *end,
                              struct replies_tally *tally, int64_t *count) {
    const struct replies_form one = tally->forms[0];
    const struct replies_form two = tally->forms[1];
    uint64_t nulls = 0;
    while ((size_t)(end - at) >= FORM_BYTES) {
        uint64_t first;
        memcpy(&first, at, FORM_BYTES);
        const struct replies_form *form = (first & one.mask) == one.first ? &one : &two;
        /* A form of no size is none; an element that is cut goes the long way. */
        if ((first & form->mask) != form->first || form->size == 0 ||
            form->size > (size_t)(end - at)) {
            break;
        }
        nulls += form->nulls;
        at += form->size;
        if (LIKELY(--replies->pending == 0)) {
            replies->pending = replies->each;
            ++*count;
        }
    }
    tally->nulls += nulls;
    return at;
}

/* Takes a line, or keeps what there is of it; NULL when it is no line of a reply. */
static const char *take_first_line(struct replies *replies, const char *at, const char *end,
                                   struct replies_tally *tally) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (stop == NULL) {
        keep_line(replies, at, (size_t)(end - at));
        return end;
    }
    const char *line = at;
    size_t size = (size_t)(stop - at);
    bool was_cut = replies->line_size > 0;
    if (was_cut) {
        keep_line(replies, at, size);
        line = replies->line;
        size = replies->line_size;
        replies->line_size = 0;
    }
    size_t text_size = size - (size > 0 && line[size - 1] == '\r');
    if (!take_line(replies, line, text_size, tally)) {
        return NULL;
    }
    if (!was_cut) {
        learn(tally, at, size + 1, replies->skip);
    }
    return stop + 1;
}

int64_t replies_count(struct replies *replies, const char *at, size_t size,
                      struct replies_tally *tally) {
    const char *end = at + size;
    int64_t count = 0;
    while (at < end) {
        if (replies->skip > 0) {
            size_t left = (size_t)(end - at);
            size_t step = replies->skip < left ? (size_t)replies->skip : left;
            at += step;
            replies->skip -= step;
            replies->pending -= replies->skip == 0;
        } else {
            if (replies->line_size == 0) {
                at = take_known(replies, at, end, tally, &count);
                if (at == end) {
                    break;
                }
            }
            at = take_first_line(replies, at, end, tally);
            if (at == NULL) {
                return -1;
            }
            if (replies->line_size > 0) {
                break;
            }
        }
        if (replies->pending == 0) {
            count++;
            replies->pending = replies->each;
        }
    }
    return count;
}

void replies_tally_add(struct replies_tally *tally, const struct replies_tally *from) {
    tally->errors += from->errors;
    tally->nulls += from->nulls;
    if (tally->first_error[0] == '\0') {
        memcpy(tally->first_error, from->first_error, sizeof tally->first_error);
    }
}
