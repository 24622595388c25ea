/* compare_reply: replies are compared as bytes; only where order, time or chance come in are they
 * taken apart. */
#include "compare_reply.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>

struct slice {
    const char *at;
    size_t size;
};

/* The first line without CR LF; NULL in `at` when it is not there yet. */
static struct slice first_line(const char *at, size_t size) {
    const char *end = memmem(at, size, "\r\n", 2);
    return (struct slice){end == NULL ? NULL : at, end == NULL ? 0 : (size_t)(end - at)};
}

static bool is_aggregate(char kind) {
    return strchr("*~>%|", kind) != NULL;
}

/* How many replies an aggregate holds. */
static size_t parts_of(const char *line) {
    long long count = strtoll(line + 1, NULL, 10);
    size_t parts = count > 0 ? (size_t)count : 0;
    return *line == '%' ? 2 * parts : *line == '|' ? 2 * parts + 1 : parts;
}

size_t reply_size(const char *at, size_t size) {
    struct slice line = first_line(at, size);
    if (line.at == NULL) {
        return 0;
    }
    size_t whole = line.size + 2;
    if (strchr("$=!", *at) != NULL) {
        long long count = strtoll(at + 1, NULL, 10);
        whole += count >= 0 ? (size_t)count + 2 : 0;
        return whole <= size ? whole : 0;
    }
    if (is_aggregate(*at)) {
        for (size_t parts = parts_of(at); parts > 0; parts--) {
            size_t part = reply_size(at + whole, size - whole);
            if (part == 0) {
                return 0;
            }
            whole += part;
        }
        return whole;
    }
    if (strchr("+-:_#,(", *at) == NULL) {
        harness_fail("not a reply: %.200s", at);
    }
    return whole;
}

static bool same_bytes(struct slice ours, struct slice theirs) {
    return ours.size == theirs.size && memcmp(ours.at, theirs.at, ours.size) == 0;
}

static int by_bytes(const void *one, const void *other) {
    const struct slice *a = one;
    const struct slice *b = other;
    int order = memcmp(a->at, b->at, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : a->size < b->size ? -1 : a->size > b->size;
}

/* Takes an aggregate apart, `group` elements at a time; *count is what comes of it. To be freed. */
static struct slice *take_apart(const char *at, size_t size, size_t group, size_t *count) {
    size_t parts = parts_of(at);
    struct slice *slices = calloc(parts + 1, sizeof *slices);
    *count = (parts + group - 1) / group;
    size_t place = first_line(at, size).size + 2;
    for (size_t i = 0; i < parts; i++) {
        struct slice *slice = &slices[i / group];
        slice->at = slice->size == 0 ? at + place : slice->at;
        size_t part = reply_size(at + place, size - place);
        slice->size += part;
        place += part;
    }
    return slices;
}

static bool match_unordered(size_t group, const char *ours, size_t our_size, const char *theirs,
                            size_t their_size) {
    struct slice our_line = first_line(ours, our_size);
    if (!is_aggregate(*ours) || !same_bytes(our_line, first_line(theirs, their_size))) {
        return false;
    }
    size_t count;
    struct slice *one = take_apart(ours, our_size, group, &count);
    struct slice *other = take_apart(theirs, their_size, group, &count);
    qsort(one, count, sizeof *one, by_bytes);
    qsort(other, count, sizeof *other, by_bytes);
    bool match = true;
    for (size_t i = 0; i < count && match; i++) {
        match = same_bytes(one[i], other[i]);
    }
    free(one);
    free(other);
    return match;
}

static bool match_near(const char *ours, const char *theirs) {
    long long one = strtoll(ours + 1, NULL, 10);
    long long other = strtoll(theirs + 1, NULL, 10);
    return *ours == ':' && *theirs == ':' && one > 0 && other > 0 &&
           llabs(one - other) < COMPARE_NEAR_MAX;
}

static bool match_shape(const char *ours, size_t our_size, const char *theirs, size_t their_size) {
    if (*ours != *theirs) {
        return false;
    }
    if (is_aggregate(*ours)) {
        size_t our_count;
        size_t their_count;
        struct slice *one = take_apart(ours, our_size, 1, &our_count);
        struct slice *other = take_apart(theirs, their_size, 1, &their_count);
        bool match = our_count == their_count;
        for (size_t i = 0; i < our_count && match; i++) {
            match = match_shape(one[i].at, one[i].size, other[i].at, other[i].size);
        }
        free(one);
        free(other);
        return match;
    }
    if (*ours == '$') {
        return (ours[1] == '-') == (theirs[1] == '-');
    }
    return strchr(":,(=", *ours) != NULL ||
           same_bytes(first_line(ours, our_size), first_line(theirs, their_size));
}

bool replies_match(enum compare_how how, const char *ours, size_t our_size, const char *theirs,
                   size_t their_size) {
    if (same_bytes((struct slice){ours, our_size}, (struct slice){theirs, their_size})) {
        return true;
    }
    switch (how) {
    case COMPARE_SET:
        return match_unordered(1, ours, our_size, theirs, their_size);
    case COMPARE_PAIRS:
        /* Protocol 3 may answer with an array of pairs. */
        return match_unordered(2, ours, our_size, theirs, their_size);
    case COMPARE_NEAR:
        return match_near(ours, theirs);
    case COMPARE_SHAPE:
        return match_shape(ours, our_size, theirs, their_size);
    case COMPARE_KIND:
        return *ours == *theirs && *ours != '-';
    case COMPARE_EXACT:
        break;
    }
    return false;
}
