/* input: keeping a request's beginning until its end arrives. */
#include "client/input.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "call/unparse.h"

/* Most requests have fewer arguments. */
#define ARGS_FIRST 8
/* Bytes left free in front of a page's: so no argument begins where another allocation ends, and is
 * taken for a part of that when it moves. */
#define PAGE_GAP 16

struct input_page {
    struct input_page *previous;
    char *at;
    size_t capacity;
};

struct input *input_new(void) {
    struct input *input = mem_zalloc(MEM_BUFFER, sizeof *input);
    request_begin(&input->state, 0);
    return input;
}

void input_free(struct input *input) {
    if (input->filling != NULL) {
        blob_release(input->filling);
    }
    for (int i = 0; i < input->blob_count; i++) {
        if (input->blobs[i].blob != NULL) {
            blob_release(input->blobs[i].blob);
        }
    }
    mem_free(MEM_BUFFER, input->blobs, (size_t)input->blob_room * sizeof *input->blobs);
    while (input->pages != NULL) {
        struct input_page *page = input->pages;
        input->pages = page->previous;
        mem_free(MEM_BUFFER, page->at, page->capacity);
        mem_free(MEM_BUFFER, page, sizeof *page);
    }
    mem_free(MEM_BUFFER, input->args, input->room * sizeof *input->args);
    mem_free(MEM_BUFFER, input->bytes, input->capacity);
    mem_free(MEM_BUFFER, input, sizeof *input);
}

/* Room for `have` arguments and one more, with some to spare. */
static bool reserve_args(struct input *input, size_t have) {
    if (have < input->room) {
        return true;
    }
    size_t room = have < ARGS_FIRST ? ARGS_FIRST : have * 2;
    if (input->state.expect > 0 && room > (size_t)input->state.expect + 1) {
        room = (size_t)input->state.expect + 1;
    }
    room = room > have ? room : have + 1;
    struct bytes *args =
        mem_try_realloc(MEM_BUFFER, input->args, input->room * sizeof *args, room * sizeof *args);
    if (args == NULL) {
        return false;
    }
    input->args = args;
    input->room = room;
    return true;
}

bool input_grow_args(struct input *input) {
    return reserve_args(input, input->room);
}

void input_adopt(struct input *input, struct buffer *bytes) {
    check(input->bytes == NULL && bytes->purpose == MEM_BUFFER);
    input->bytes = bytes->at;
    input->size = bytes->size;
    input->capacity = bytes->capacity;
    buffer_init(bytes, bytes->purpose);
}

char *input_reserve(struct input *input, size_t more) {
    size_t wanted = input->size + more;
    if (wanted > input->capacity) {
        size_t capacity = mem_class(wanted > input->capacity * 2 ? wanted : input->capacity * 2);
        char *bytes = mem_try_alloc(MEM_BUFFER, capacity);
        if (bytes == NULL) {
            return NULL;
        }
        if (input->size > 0) {
            memcpy(bytes, input->bytes, input->size);
            request_rebase(input->args, input->state.have, input->bytes, input->size, bytes);
        }
        mem_free(MEM_BUFFER, input->bytes, input->capacity);
        input->bytes = bytes;
        input->capacity = capacity;
    }
    return input->bytes + input->size;
}

/* The page is full and most of it has been parsed: what has not goes to a new one. */
static char *turn_page(struct input *input, size_t more) {
    size_t rest = input->size - input->state.at;
    size_t wanted = PAGE_GAP + rest + more;
    size_t capacity = mem_class(wanted > INPUT_PAGE ? wanted : INPUT_PAGE);
    struct input_page *page = mem_try_alloc(MEM_BUFFER, sizeof *page);
    char *bytes = page == NULL ? NULL : mem_try_alloc(MEM_BUFFER, capacity);
    if (bytes == NULL) {
        mem_free(MEM_BUFFER, page, sizeof *page);
        return NULL;
    }
    *page = (struct input_page){
        .previous = input->pages, .at = input->bytes, .capacity = input->capacity};
    input->pages = page;
    input->paged += input->capacity;
    memcpy(bytes + PAGE_GAP, input->bytes + input->state.at, rest);
    input->bytes = bytes;
    input->capacity = capacity;
    input->state.at = PAGE_GAP;
    input->size = PAGE_GAP + rest;
    return bytes + input->size;
}

char *input_reserve_page(struct input *input, size_t more) {
    bool is_full = input->size + more > input->capacity && input->size + more > INPUT_PAGE;
    if (is_full && input->state.have > 0 && input->state.at > input->size / 2) {
        return turn_page(input, more);
    }
    return input_reserve(input, more);
}

bool input_keep(struct input *input, const char *window, size_t size,
                const struct request_state *state, const struct bytes *args) {
    if (args != input->args && state->have > 0) {
        if (!reserve_args(input, (size_t)state->have)) {
            return false;
        }
        memcpy(input->args, args, (size_t)state->have * sizeof *args);
    }
    input->state = *state;
    if (window == input->bytes) {
        input->size = size;
        return true;
    }
    /* Behind arguments that were kept before and a blob that came after them. */
    size_t before = input->size;
    char *at = input_reserve(input, size);
    if (at == NULL) {
        return false;
    }
    memcpy(at, window, size);
    request_rebase(input->args, state->have, window, size, at);
    input->state.at += before;
    input->size += size;
    return true;
}

bool input_begin_blob(struct input *input) {
    size_t whole = (size_t)input->state.bulk;
    size_t here = input->size - input->state.at;
    if (here >= whole) {
        return true; /* only its CR or LF is missing: no use any more */
    }
    size_t trusted = here > INPUT_TRUST ? here : INPUT_TRUST;
    if (!reserve_args(input, (size_t)input->state.have)) {
        return false;
    }
    struct blob *blob = blob_try_new(whole < trusted ? whole : trusted);
    if (blob == NULL) {
        return false;
    }
    blob_charge(blob, MEM_BUFFER);
    memcpy(blob->bytes, input->bytes + input->state.at, here);
    blob->size = here;
    input->filling = blob;
    input->size = input->state.at;
    return true;
}

char *input_blob_room(struct input *input, size_t *room) {
    struct blob *blob = input->filling;
    size_t whole = (size_t)input->state.bulk;
    if (blob->size == blob_capacity(blob) && blob->size < whole) {
        size_t capacity = blob_capacity(blob) * 2 < whole ? blob_capacity(blob) * 2 : whole;
        blob = blob_try_grow(blob, capacity);
        if (blob == NULL) {
            return NULL;
        }
        input->filling = blob;
    }
    size_t end = blob_capacity(blob) < whole ? blob_capacity(blob) : whole;
    *room = end - blob->size;
    return blob->bytes + blob->size;
}

bool input_blob_filled(struct input *input, size_t size) {
    struct blob *blob = input->filling;
    blob->size += size;
    if (blob->size < (size_t)input->state.bulk) {
        return false;
    }
    if (input->blob_count == input->blob_room) {
        int room = input->blob_room == 0 ? 1 : input->blob_room * 2;
        input->blobs =
            mem_realloc(MEM_BUFFER, input->blobs, (size_t)input->blob_room * sizeof *input->blobs,
                        (size_t)room * sizeof *input->blobs);
        input->blob_room = room;
    }
    input->blobs[input->blob_count++] =
        (struct call_blob){.blob = blob, .index = input->state.have};
    input->filling = NULL;
    debug_check((size_t)input->state.have < input->room); /* since the blob was begun */
    request_give_bulk(&input->state, 0, blob_bytes(blob), input->args);
    return true;
}

void input_unparse(const struct input *input, struct buffer *out) {
    const struct request_state *state = &input->state;
    if (input->filling == NULL && input->blob_count == 0 && input->pages == NULL) {
        /* Nothing lives outside `bytes`, and an array's bytes are as they came. */
        buffer_append(out, input->bytes, input->size);
        return;
    }
    unparse_header(out, '*', state->expect);
    for (int32_t i = 0; i < state->have; i++) {
        unparse_header(out, '$', (int64_t)input->args[i].size);
        buffer_append(out, input->args[i].at, input->args[i].size);
        if (i + 1 < state->have || !state->end_due) {
            buffer_append(out, "\r\n", 2);
        }
    }
    if (input->filling != NULL) {
        unparse_header(out, '$', state->bulk);
        buffer_append(out, input->filling->bytes, input->filling->size);
    } else {
        if (state->bulk >= 0) {
            unparse_header(out, '$', state->bulk);
        }
        buffer_append(out, input->bytes + state->at, input->size - state->at);
    }
}

size_t input_held(const struct input *input) {
    size_t total = input->paged + input->size;
    for (int i = 0; i < input->blob_count; i++) {
        if (input->blobs[i].blob != NULL) {
            total += blob_footprint(input->blobs[i].blob);
        }
    }
    return total;
}

size_t input_footprint(const struct input *input) {
    size_t total = mem_class(sizeof *input) + input->paged;
    if (input->capacity > 0) {
        total += mem_class(input->capacity);
    }
    if (input->room > 0) {
        total += mem_class(input->room * sizeof *input->args);
    }
    if (input->filling != NULL) {
        total += blob_footprint(input->filling);
    }
    for (int i = 0; i < input->blob_count; i++) {
        if (input->blobs[i].blob != NULL) {
            total += blob_footprint(input->blobs[i].blob);
        }
    }
    return total;
}
