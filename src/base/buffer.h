/* buffer: a growing run of bytes that its owner frees. For building INFO, configuration files, log
 * lines: not for the reply path, which has its own arenas. */
#ifndef LARDER_BASE_BUFFER_H
#define LARDER_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/mem.h"

struct buffer {
    char *at;        /* NULL when capacity is 0 */
    size_t size;     /* in use */
    size_t capacity; /* allocated */
    enum mem_purpose purpose;
};

void buffer_init(struct buffer *buffer, enum mem_purpose purpose);

/* Frees the memory; the buffer is empty and usable afterwards. */
void buffer_clear(struct buffer *buffer);

/* Room for `more` bytes behind what is there; returns where they start. Does not change `size`. */
char *buffer_reserve(struct buffer *buffer, size_t more);

void buffer_append(struct buffer *buffer, const void *at, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments);

/* Appends the slice in double quotes with \n \r \t \a \b \\ \" and \xHH for what does not print:
 * the form of MONITOR, SLOWLOG and CONFIG REWRITE, read back by words_split. */
void buffer_append_quoted(struct buffer *buffer, struct bytes text);

/* The content with a NUL behind it that `size` does not count. Valid until the next change. */
const char *buffer_text(struct buffer *buffer);

/* The content; never a NULL pointer, so that it may be copied without a look. */
static inline struct bytes buffer_bytes(const struct buffer *buffer) {
    return bytes_of(buffer->at == NULL ? "" : buffer->at, buffer->size);
}

#endif
