/* element_scan: what the commands share that walk through one collection with a cursor: HSCAN,
 * SSCAN and their like. A step of such a walk looks at portions until it has seen as many elements
 * as were asked for.
 *
 * The reply begins with where to go on and with how many elements there are, so the portions are
 * gone through twice: first to know these, then to reply. */
#ifndef LARDER_COMMAND_ELEMENT_SCAN_H
#define LARDER_COMMAND_ELEMENT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"

struct element_scan {
    struct call *call;
    uint64_t cursor;             /* where to begin */
    int64_t count;               /* elements asked for */
    const struct bytes *pattern; /* NULL: all match */
    bool no_values;              /* the option that omits them was given */
    bool is_replying;            /* the second time */
    int64_t seen;                /* elements, matching or not */
    int64_t matching;
};

/* Reads argument 2. False when it is no cursor: the error has been replied. */
bool element_scan_cursor(struct call *call, struct element_scan *scan);

/* Reads the arguments behind; `omits` is the option with which only names are replied (NOVALUES),
 * or NULL. False when the error has been replied. */
bool element_scan_options(struct call *call, struct element_scan *scan, const char *omits);

/* What `portion` asks for each element: whether to reply it now. */
bool element_scan_meets(struct element_scan *scan, struct bytes name);

/* Replies. `portion` visits one, and returns the cursor behind it; an element's reply is `parts`
 * elements of the array. */
void element_scan_reply(struct element_scan *scan, int64_t parts,
                        uint64_t (*portion)(void *context, uint64_t cursor), void *context);

/* The reply for a collection that is absent. */
void element_scan_reply_none(struct call *call);

#endif
