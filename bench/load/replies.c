/* replies: the counter. A reply is whole when as many elements have ended as were announced: one to
 * begin with; an array counts as ended at once and announces its own. */
#include "load/replies.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

/* No array or bulk of ours comes near: beyond it, the stream is not what it should be. */
#define LENGTH_MAX ((int64_t)1 << 40)

void replies_init(struct replies *replies) {
    *replies = (struct replies){.pending = 1};
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
    if (strchr("$=!*~>%", type) != NULL) {
        if (!num_parse_i64(bytes_of(line + 1, size - 1), &length) || length > LENGTH_MAX) {
            return false;
        }
    }
    switch (type) {
    case '$':
    case '=':
    case '!':
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
        if (strchr("+:,#(", type) == NULL) {
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
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            if (stop == NULL) {
                keep_line(replies, at, (size_t)(end - at));
                break;
            }
            const char *line = at;
            size_t line_size = (size_t)(stop - at);
            if (replies->line_size > 0) {
                keep_line(replies, at, line_size);
                line = replies->line;
                line_size = replies->line_size;
                replies->line_size = 0;
            }
            line_size -= line_size > 0 && line[line_size - 1] == '\r';
            if (!take_line(replies, line, line_size, tally)) {
                return -1;
            }
            at = stop + 1;
        }
        if (replies->pending == 0) {
            count++;
            replies->pending = 1;
        }
    }
    return count;
}
