/* template: building requests and numbering their copies. Copies lie ready in each connection's
 * buffer, so that a request costs the generator twelve digits and no copying. */
#include "load/template.h"

#include <string.h>

#define PLACE "__rand_int__"
#define VALUE "__value__"
_Static_assert(sizeof PLACE - 1 == TEMPLATE_DIGITS, "a number takes the place of the word");

static int find_places(struct template *template, size_t from) {
    for (size_t i = from; i + TEMPLATE_DIGITS <= template->bytes.size; i++) {
        if (memcmp(template->bytes.at + i, PLACE, TEMPLATE_DIGITS) != 0) {
            continue;
        }
        if (template->place_count == TEMPLATE_PLACES_MAX) {
            return -1;
        }
        template->places[template->place_count++] = i;
        i += TEMPLATE_DIGITS - 1;
    }
    return 0;
}

int template_init(struct template *template, const char *const *words, int count,
                  size_t value_size) {
    *template = (struct template){0};
    struct buffer *bytes = &template->bytes;
    buffer_init(bytes, MEM_OTHER);
    buffer_printf(bytes, "*%d\r\n", count);
    for (int i = 0; i < count; i++) {
        bool is_value = strcmp(words[i], VALUE) == 0;
        size_t size = is_value ? value_size : strlen(words[i]);
        buffer_printf(bytes, "$%zu\r\n", size);
        size_t start = bytes->size;
        if (is_value) {
            memset(buffer_reserve(bytes, size + 1), 'x', size);
            bytes->size += size;
        } else {
            buffer_append(bytes, words[i], size);
            if (find_places(template, start) != 0) {
                template_free(template);
                return -1;
            }
        }
        buffer_append(bytes, "\r\n", 2);
    }
    return 0;
}

void template_init_raw(struct template *template, const char *bytes) {
    *template = (struct template){0};
    buffer_init(&template->bytes, MEM_OTHER);
    buffer_append_text(&template->bytes, bytes);
}

void template_free(struct template *template) {
    buffer_clear(&template->bytes);
}

static void write_digits(char *at, uint64_t number) {
    for (int i = TEMPLATE_DIGITS - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

void template_number(const struct template *template, char *copy, struct keys *keys) {
    for (int i = 0; i < template->place_count; i++) {
        write_digits(copy + template->places[i], keys_next(keys));
    }
}
