/* chunk: Lua gives the code of a function as the chunk that string.dump makes of it. Of that only
 * the instructions are looked at, the rest is passed over:
 *
 *     header 12 | function: source | lines 8 | counts 4 | code | constants | functions ... | debug
 *
 * in this machine's own order of bytes and sizes, as the header says; another header means that it
 * cannot be told. */
#include "script/chunk.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"

/* Of Lua 5.1: its opcode is the lowest six bits of an instruction. */
#define OPCODE_MASK       0x3f
#define OPCODE_SET_GLOBAL 7
#define HEADER_SIZE       12
/* Functions within each other: as deep as Lua's parser lets them be. */
#define DEPTH_MAX 250

enum constant { CONSTANT_NIL = 0, CONSTANT_BOOLEAN = 1, CONSTANT_NUMBER = 3, CONSTANT_STRING = 4 };

struct chunk {
    const char *at;
    const char *end;
    bool assigns; /* or cannot be told: nothing more is read */
};

static bool skip(struct chunk *chunk, size_t size) {
    if (chunk->assigns || (size_t)(chunk->end - chunk->at) < size) {
        chunk->assigns = true;
        return false;
    }
    chunk->at += size;
    return true;
}

static size_t take_int(struct chunk *chunk) {
    int value = 0;
    if (skip(chunk, sizeof value)) {
        memcpy(&value, chunk->at - sizeof value, sizeof value);
    }
    chunk->assigns |= value < 0;
    return chunk->assigns ? 0 : (size_t)value;
}

static void skip_string(struct chunk *chunk) {
    size_t size = 0;
    if (skip(chunk, sizeof size)) {
        memcpy(&size, chunk->at - sizeof size, sizeof size);
        skip(chunk, size);
    }
}

static void read_code(struct chunk *chunk) {
    size_t count = take_int(chunk);
    const char *code = chunk->at;
    if (!skip(chunk, count * sizeof(uint32_t))) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t instruction;
        memcpy(&instruction, code + i * sizeof instruction, sizeof instruction);
        chunk->assigns |= (instruction & OPCODE_MASK) == OPCODE_SET_GLOBAL;
    }
}

static void skip_constants(struct chunk *chunk) {
    size_t count = take_int(chunk);
    for (size_t i = 0; i < count && !chunk->assigns; i++) {
        if (!skip(chunk, 1)) {
            return;
        }
        switch (chunk->at[-1]) {
        case CONSTANT_NIL:
            break;
        case CONSTANT_BOOLEAN:
            skip(chunk, 1);
            break;
        case CONSTANT_NUMBER:
            skip(chunk, sizeof(lua_Number));
            break;
        case CONSTANT_STRING:
            skip_string(chunk);
            break;
        default:
            chunk->assigns = true;
        }
    }
}

static void skip_debug(struct chunk *chunk) {
    skip(chunk, take_int(chunk) * sizeof(int));
    size_t locals = take_int(chunk);
    for (size_t i = 0; i < locals && !chunk->assigns; i++) {
        skip_string(chunk);
        skip(chunk, 2 * sizeof(int));
    }
    size_t upvalues = take_int(chunk);
    for (size_t i = 0; i < upvalues && !chunk->assigns; i++) {
        skip_string(chunk);
    }
}

static void read_function(struct chunk *chunk, int depth) {
    if (depth > DEPTH_MAX) {
        chunk->assigns = true;
        return;
    }
    skip_string(chunk); /* source */
    skip(chunk, 2 * sizeof(int));
    skip(chunk, 4);
    read_code(chunk);
    skip_constants(chunk);
    size_t inner = take_int(chunk);
    for (size_t i = 0; i < inner && !chunk->assigns; i++) {
        read_function(chunk, depth + 1);
    }
    skip_debug(chunk);
}

static int write_chunk(lua_State *lua, const void *at, size_t size, void *context) {
    (void)lua;
    buffer_append(context, at, size);
    return 0;
}

static bool is_known(const struct buffer *dumped) {
    const int one = 1;
    char little;
    memcpy(&little, &one, 1);
    const char header[HEADER_SIZE] = {'\33',
                                      'L',
                                      'u',
                                      'a',
                                      0x51,
                                      0,
                                      little,
                                      sizeof(int),
                                      sizeof(size_t),
                                      sizeof(uint32_t),
                                      sizeof(lua_Number),
                                      0};
    return dumped->size > HEADER_SIZE && memcmp(dumped->at, header, HEADER_SIZE) == 0;
}

bool chunk_assigns_globals(lua_State *lua) {
    struct buffer dumped;
    buffer_init(&dumped, MEM_SCRIPT);
    bool assigns = true;
    if (lua_dump(lua, write_chunk, &dumped) == 0 && is_known(&dumped)) {
        struct chunk chunk = {.at = dumped.at + HEADER_SIZE, .end = dumped.at + dumped.size};
        read_function(&chunk, 0);
        assigns = chunk.assigns || chunk.at != chunk.end;
    }
    buffer_clear(&dumped);
    return assigns;
}
