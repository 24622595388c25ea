/* lib_buffer: a string that is being built, in Lua's memory.
 *
 * The first bytes lie in the structure; more of them in a block that Lua collects, held in a slot
 * of the stack that the buffer has taken. So an error may jump away at any time and nothing is
 * lost. luaL_Buffer would do, were it not that its pieces must lie on the top of the stack, where
 * whoever walks through tables has keys and values.
 *
 *     struct lib_buffer                     stack
 *     +--------------------------------+    | ... | slot | keys, values ...
 *     | at | size | room | first[512]  |             |
 *     +--|-----------------------------+             v
 *        '--> first, or --------------------> userdata: twice as large with each growth */
#ifndef LARDER_SCRIPT_LIB_BUFFER_H
#define LARDER_SCRIPT_LIB_BUFFER_H

#include <string.h>

#include <lua.h>

#ifdef LARDER_TEST_SMALL
#define LIB_BUFFER_FIRST 16
#else
#define LIB_BUFFER_FIRST 512
#endif

struct lib_buffer {
    lua_State *lua;
    char *at;
    size_t size;
    size_t room;
    int slot;
    char first[LIB_BUFFER_FIRST];
};

/* Takes the next slot of the stack. */
void lib_buffer_start(struct lib_buffer *buffer, lua_State *lua);

/* Makes room for so many bytes behind those that are there; raises an error if there is none. */
void lib_buffer_grow(struct lib_buffer *buffer, size_t more);

/* Pushes the string. The buffer stays as it is. */
void lib_buffer_push(struct lib_buffer *buffer);

/* Where so many bytes may be written; they count once lib_buffer_wrote says so. */
static inline char *lib_buffer_room(struct lib_buffer *buffer, size_t more) {
    if (buffer->room - buffer->size < more) {
        lib_buffer_grow(buffer, more);
    }
    return buffer->at + buffer->size;
}

static inline void lib_buffer_wrote(struct lib_buffer *buffer, size_t count) {
    buffer->size += count;
}

static inline void lib_buffer_add(struct lib_buffer *buffer, const char *bytes, size_t count) {
    memcpy(lib_buffer_room(buffer, count), bytes, count);
    buffer->size += count;
}

static inline void lib_buffer_add_byte(struct lib_buffer *buffer, char byte) {
    *lib_buffer_room(buffer, 1) = byte;
    buffer->size++;
}

#endif
