/* input: keeping a request's beginning until its end arrives. */
#include "client/input.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "call/unparse.h"

/* Most requests have fewer arguments. */
#define ARGS_FIRST 8

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
    mem_free(MEM_BUFFER, input->args, input->room * sizeof *input->args);
    mem_free(MEM_BUFFER, input->bytes, input->capacity);
    mem_free(MEM_BUFFER, input, sizeof *input);
}

static void set_args_room(struct input *input, size_t room) {
    input->args = mem_realloc(MEM_BUFFER, input->args, input->room * sizeof *input->args,
                              room * sizeof *input->args);
    input->room = room;
}

/* Room for `have` arguments and one more. */
static void reserve_args(struct input *input, size_t have) {
    if (have >= input->room) {
        set_args_room(input, have < ARGS_FIRST ? ARGS_FIRST : have * 2);
    }
}

void input_grow_args(struct input *input) {
    set_args_room(input, input->room < ARGS_FIRST ? ARGS_FIRST : input->room * 2);
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

bool input_keep(struct input *input, const char *window, size_t size,
                const struct request_state *state, const struct bytes *args) {
    if (args != input->args && state->have > 0) {
        reserve_args(input, (size_t)state->have);
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
    reserve_args(input, (size_t)input->state.have);
    request_give_bulk(&input->state, 0, blob_bytes(blob), input->args);
    return true;
}

void input_unparse(const struct input *input, struct buffer *out) {
    const struct request_state *state = &input->state;
    if (input->filling == NULL && input->blob_count == 0) {
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

size_t input_footprint(const struct input *input) {
    size_t total = mem_class(sizeof *input);
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
