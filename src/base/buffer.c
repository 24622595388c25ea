/* buffer: growth by doubling, up to the size class that the allocator hands out anyway. */
#include "base/buffer.h"

#include <stdio.h>

#include "base/check.h"

/* What a first append takes at least: a short line fits. */
#define FIRST_CAPACITY 64

void buffer_init(struct buffer *buffer, enum mem_purpose purpose) {
    *buffer = (struct buffer){.purpose = purpose};
}

void buffer_clear(struct buffer *buffer) {
    mem_free(buffer->purpose, buffer->at, buffer->capacity);
    buffer_init(buffer, buffer->purpose);
}

char *buffer_reserve(struct buffer *buffer, size_t more) {
    if (more > buffer->capacity - buffer->size || buffer->capacity == 0) {
        size_t need;
        check(!__builtin_add_overflow(buffer->size, more, &need));
        if (need < buffer->capacity * 2) {
            need = buffer->capacity * 2;
        }
        if (need < FIRST_CAPACITY) {
            need = FIRST_CAPACITY;
        }
        need = mem_class(need);
        buffer->at = mem_realloc(buffer->purpose, buffer->at, buffer->capacity, need);
        buffer->capacity = need;
    }
    return buffer->at + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *at, size_t size) {
    if (size > 0) {
        memcpy(buffer_reserve(buffer, size), at, size);
        buffer->size += size;
    }
}

void buffer_append_text(struct buffer *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_byte(struct buffer *buffer, char byte) {
    *buffer_reserve(buffer, 1) = byte;
    buffer->size++;
}

void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    char *at = buffer_reserve(buffer, FIRST_CAPACITY);
    size_t room = buffer->capacity - buffer->size;
    int size = vsnprintf(at, room, format, arguments);
    check(size >= 0);
    if ((size_t)size >= room) {
        at = buffer_reserve(buffer, (size_t)size + 1);
        vsnprintf(at, (size_t)size + 1, format, again);
    }
    va_end(again);
    buffer->size += (size_t)size;
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(buffer, format, arguments);
    va_end(arguments);
}

/* The letter that stands for this byte behind a backslash, 0 when there is none. */
static char escape_letter(unsigned char byte) {
    switch (byte) {
    case '\\':
    case '"':
        return (char)byte;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    default:
        return 0;
    }
}

void buffer_append_quoted(struct buffer *buffer, struct bytes text) {
    static const char digits[] = "0123456789abcdef";
    buffer_append_byte(buffer, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        char letter = escape_letter(byte);
        char *at = buffer_reserve(buffer, 4);
        if (letter != 0) {
            at[0] = '\\';
            at[1] = letter;
            buffer->size += 2;
        } else if (byte >= ' ' && byte <= '~') {
            at[0] = (char)byte;
            buffer->size += 1;
        } else {
            at[0] = '\\';
            at[1] = 'x';
            at[2] = digits[byte >> 4];
            at[3] = digits[byte & 15];
            buffer->size += 4;
        }
    }
    buffer_append_byte(buffer, '"');
}

const char *buffer_text(struct buffer *buffer) {
    *buffer_reserve(buffer, 1) = '\0';
    return buffer->at;
}
