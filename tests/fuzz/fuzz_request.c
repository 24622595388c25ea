/* Fuzzer of the request parser: feeds the input whole and in pieces, and checks that both see the
 * same requests and the same error.
 *
 * The first byte of the input chooses the limits; the rest is what a client sends. Every piece is
 * in memory of exactly its size, so that the address sanitizer sees a read beyond it. Ways of
 * feeding:
 *   whole      everything at once, room for arguments growing from 1
 *   bytes      one byte more each time, the input moving to new memory each time (short inputs)
 *   pieces     of changing sizes, moving
 *   split      two pieces, for every place of the split (short inputs)
 *   gathered   like pieces, but every bulk that has not arrived whole is received elsewhere */
#include "proto/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to this size everything is split everywhere: the work grows with the square. */
#define SHORT_INPUT 96
/* Given bulks of one run that are kept until its end. */
#define GIVEN_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run saw: requests with their arguments, and how it ended. */
struct record {
    char *at;
    size_t size;
    size_t capacity;
};

/* One run of the parser. */
struct run {
    const uint8_t *data;
    size_t size; /* of data */
    size_t fed;  /* of data, into `input` or given */
    char *input;
    size_t input_size;
    bool gather;
    struct request_limits limits;
    struct request_state state;
    struct bytes *args;
    size_t room;
    char *given[GIVEN_MAX];
    size_t given_count;
    struct record record;
};

static void require(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "fuzz_request: %s\n", what);
        abort();
    }
}

static void note(struct record *record, const void *at, size_t size) {
    if (record->size + size > record->capacity) {
        record->capacity = 2 * record->capacity + size;
        record->at = realloc(record->at, record->capacity);
    }
    if (size > 0) {
        memcpy(record->at + record->size, at, size);
    }
    record->size += size;
}

static void note_number(struct record *record, char kind, int64_t number) {
    note(record, &kind, 1);
    note(record, &number, sizeof number);
}

static void note_request(struct run *run) {
    require(run->state.have >= 0 && (size_t)run->state.have <= run->room, "more than the room");
    note_number(&run->record, 'R', run->state.have);
    for (int32_t i = 0; i < run->state.have; i++) {
        note_number(&run->record, 'A', (int64_t)run->args[i].size);
        note(&run->record, run->args[i].at, run->args[i].size);
    }
}

static void note_error(struct run *run) {
    char text[64];
    memset(text, 'x', sizeof text);
    request_error_text(&run->state, text);
    require(memchr(text, 0, sizeof text) != NULL, "an error's text without end");
    require(text[0] != 0, "an error without text");
    note(&run->record, "E", 1);
    note(&run->record, text, strlen(text));
}

/* More of the data becomes input, in new memory; what has been consumed is left behind when nothing
 * points there. */
static void feed(struct run *run, size_t more) {
    if (more > run->size - run->fed) {
        more = run->size - run->fed;
    }
    char *moved = malloc(run->input_size + more);
    if (run->input_size > 0) {
        memcpy(moved, run->input, run->input_size);
    }
    memcpy(moved + run->input_size, run->data + run->fed, more);
    request_rebase(run->args, run->state.have, run->input, run->input_size, moved);
    free(run->input);
    run->input = moved;
    run->input_size += more;
    run->fed += more;
}

/* Receives the announced bulk into memory of its own when all of its bytes will come. */
static void gather_bulk(struct run *run) {
    size_t announced = (size_t)run->state.bulk;
    size_t here = run->input_size - run->state.at;
    size_t to_come = run->size - run->fed;
    if (announced == 0 || here >= announced || announced - here > to_come ||
        run->given_count == GIVEN_MAX) {
        return;
    }
    char *bulk = malloc(announced);
    memcpy(bulk, run->input + run->state.at, here);
    memcpy(bulk + here, run->data + run->fed, announced - here);
    run->fed += announced - here;
    run->given[run->given_count++] = bulk;
    /* The input goes on with the bulk's CR LF where the bulk would have begun. */
    run->input_size = run->state.at;
    request_give_bulk(&run->state, run->state.at, bytes_of(bulk, announced), run->args);
}

/* Parses what there is. False when no more can come of this connection. */
static bool parse(struct run *run) {
    for (;;) {
        size_t before = run->state.at;
        int32_t had = run->state.have;
        enum request_status status = request_parse(&run->state, run->input, run->input_size,
                                                   &run->limits, run->args, run->room);
        require(run->state.at <= run->input_size, "beyond the input");
        switch (status) {
        case REQUEST_READY:
            require(run->state.at > before || run->state.have > had || had > 0, "no progress");
            note_request(run);
            request_begin(&run->state, run->state.at);
            break;
        case REQUEST_ROOM:
            /* No argument takes less than a byte of what has arrived. */
            require(run->room <= run->input_size, "asks for ever more room");
            run->room *= 2;
            run->args = realloc(run->args, run->room * sizeof *run->args);
            break;
        case REQUEST_ERROR:
            note_error(run);
            return false;
        case REQUEST_MORE:
            if (run->gather && run->state.bulk >= 0) {
                gather_bulk(run);
            }
            return true;
        }
    }
}

/* Feeds pieces of the sizes that next_size gives, until the end; returns the record. */
static struct record run_through(const uint8_t *data, size_t size, struct request_limits limits,
                                 size_t (*next_size)(size_t fed, size_t seed), size_t seed,
                                 bool gather) {
    struct run *run = calloc(1, sizeof *run);
    run->data = data;
    run->size = size;
    run->gather = gather;
    run->limits = limits;
    run->room = 1;
    run->args = malloc(sizeof *run->args);
    request_begin(&run->state, 0);
    bool open = true;
    while (open && run->fed < size) {
        feed(run, next_size(run->fed, seed));
        open = parse(run);
    }
    if (open) {
        note(&run->record, "M", 1);
    }
    struct record record = run->record;
    for (size_t i = 0; i < run->given_count; i++) {
        free(run->given[i]);
    }
    free(run->args);
    free(run->input);
    free(run);
    return record;
}

static size_t whole(size_t fed, size_t seed) {
    (void)fed;
    return seed;
}

static size_t bytes(size_t fed, size_t seed) {
    (void)fed;
    (void)seed;
    return 1;
}

/* Sizes that depend on the place, of about an eighth of the input and of very few bytes. */
static size_t pieces(size_t fed, size_t seed) {
    size_t mixed = (fed + 1) * 2654435761u;
    return mixed % 3 == 0 ? 1 + mixed / 3 % 4 : 1 + mixed / 3 % (seed / 4 + 1);
}

static size_t split(size_t fed, size_t seed) {
    return fed == 0 ? seed : SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    struct request_limits limits = {
        .bulk_max = (data[0] & 2) != 0 ? 64 : 512 * 1024 * 1024,
        .stranger = (data[0] & 1) != 0,
    };
    data++;
    size--;
    struct record expected = run_through(data, size, limits, whole, size, false);
    size_t ways = size <= SHORT_INPUT ? 3 + size - 1 : 2;
    for (size_t way = 0; way < ways; way++) {
        struct record seen = way == 0   ? run_through(data, size, limits, pieces, size, false)
                             : way == 1 ? run_through(data, size, limits, pieces, size, true)
                             : way == 2
                                 ? run_through(data, size, limits, bytes, 0, false)
                                 : run_through(data, size, limits, split, way - 2, (way & 1) != 0);
        require(seen.size == expected.size &&
                    (seen.size == 0 || memcmp(seen.at, expected.at, seen.size) == 0),
                "pieces give other requests than the whole");
        free(seen.at);
    }
    free(expected.at);
    return 0;
}
