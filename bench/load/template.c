/* template: building requests and numbering their copies. Where sizes are fixed, copies lie ready
 * in each connection's buffer, so that a request costs its digits and no copying. */
#include "load/template.h"

#include <string.h>

#include "base/num.h"

#define KEY   "__key__"
#define VALUE "__value__"
/* What values are made of. */
#define FILL 'x'

/* Words that stand for a number of TEMPLATE_DIGITS digits. */
static const struct {
    const char *word;
    enum template_sort sort;
} numbers[] = {
    {"__rand_int__", TEMPLATE_NEXT},
    {"__same__", TEMPLATE_SAME},
    {"__group__", TEMPLATE_GROUP},
    {"__member__", TEMPLATE_MEMBER},
};
static const size_t number_count = sizeof numbers / sizeof numbers[0];

static int add_place(struct template *template, size_t at, enum template_sort sort, int digits) {
    if (template->place_count == TEMPLATE_PLACES_MAX) {
        return -1;
    }
    template->places[template->place_count++] = (struct template_place){at, sort, digits};
    return 0;
}

static void append_fill(struct buffer *bytes, char fill, size_t size) {
    memset(buffer_reserve(bytes, size + 1), fill, size);
    bytes->size += size;
}

/* Which of the numbers' words stands here; number_count: none. */
static size_t number_at(const char *text) {
    size_t i = 0;
    while (i < number_count && strncmp(text, numbers[i].word, strlen(numbers[i].word)) != 0) {
        i++;
    }
    return i;
}

static int append_word(struct template *template, const char *word) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    int status = 0;
    int first = template->place_count;
    while (*word != '\0' && status == 0) {
        size_t i = number_at(word);
        if (i == number_count) {
            buffer_append(&text, word++, 1);
        } else {
            status = add_place(template, text.size, numbers[i].sort, TEMPLATE_DIGITS);
            append_fill(&text, '0', TEMPLATE_DIGITS);
            word += strlen(numbers[i].word);
        }
    }
    struct buffer *bytes = &template->bytes;
    buffer_printf(bytes, "$%zu\r\n", text.size);
    for (int i = first; i < template->place_count; i++) {
        template->places[i].at += bytes->size;
    }
    buffer_append(bytes, text.at, text.size);
    buffer_clear(&text);
    return status;
}

static int append_key(struct template *template, const struct shape *shape) {
    struct buffer *bytes = &template->bytes;
    size_t zeros = (size_t)shape->key_zeros;
    size_t digits = (size_t)shape->key_digits;
    buffer_printf(bytes, "$%zu\r\n%s", strlen(shape->key_prefix) + zeros + digits,
                  shape->key_prefix);
    append_fill(bytes, '0', zeros + digits);
    return add_place(template, bytes->size - digits, TEMPLATE_NEXT, shape->key_digits);
}

static int append_value(struct template *template, const struct shape *shape) {
    struct buffer *bytes = &template->bytes;
    if (shape->sizes.kind != SIZES_FIXED) {
        template->varies = true;
        return add_place(template, bytes->size, TEMPLATE_NEXT, 0);
    }
    buffer_printf(bytes, "$%zu\r\n", shape->sizes.least);
    append_fill(bytes, FILL, shape->sizes.least);
    return 0;
}

int template_init(struct template *template, const char *const *words, int count,
                  const struct shape *shape) {
    *template = (struct template){0};
    buffer_init(&template->bytes, MEM_OTHER);
    return template_add(template, words, count, shape);
}

int template_add(struct template *template, const char *const *words, int count,
                 const struct shape *shape) {
    template->commands++;
    buffer_printf(&template->bytes, "*%d\r\n", count);
    for (int i = 0; i < count; i++) {
        int status = strcmp(words[i], KEY) == 0     ? append_key(template, shape)
                     : strcmp(words[i], VALUE) == 0 ? append_value(template, shape)
                                                    : append_word(template, words[i]);
        if (status != 0) {
            template_free(template);
            return -1;
        }
        buffer_append(&template->bytes, "\r\n", 2);
    }
    return 0;
}

void template_init_raw(struct template *template, const char *bytes) {
    *template = (struct template){.commands = 1};
    buffer_init(&template->bytes, MEM_OTHER);
    buffer_append_text(&template->bytes, bytes);
}

void template_free(struct template *template) {
    buffer_clear(&template->bytes);
}

/* Writes so many digits of a number before `end`. Pairs, since a division costs more than a look
 * into 200 bytes. */
static void write_digits(char *end, int digits, uint64_t number) {
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    while (digits >= 2) {
        end -= 2;
        digits -= 2;
        memcpy(end, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (digits > 0) {
        end[-1] = (char)('0' + number % 10);
    }
}

/* Eight digits at once, the first in the lowest byte: halves of four, of two, of one, by
 * multiplying with rounded-up reciprocals that are exact for so few digits. */
static uint64_t eight_digits(uint64_t number) {
    uint64_t fours = number / 10000 | number % 10000 << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007f;
    uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f;
    return (tens | (twos - tens * 10) << 8) + 0x3030303030303030;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte is stored first");

static uint64_t number_for(enum template_sort sort, struct keys *keys) {
    if (sort == TEMPLATE_NEXT) {
        return keys->last = keys_next(keys);
    }
    if (sort == TEMPLATE_GROUP) {
        return (keys->last = keys_next(keys)) / TEMPLATE_GROUP_SIZE;
    }
    return sort == TEMPLATE_SAME ? keys->last : keys->last % TEMPLATE_GROUP_SIZE;
}

/* What stands before the digits that a key can have is zero, and stays. */
static void number_place(char *copy, const struct template_place *place, struct keys *keys) {
    int digits = keys->digits < place->digits ? keys->digits : place->digits;
    char *end = copy + place->at + place->digits;
    uint64_t number = number_for(place->sort, keys);
    if (place->digits >= 8) {
        uint64_t low = eight_digits(number % 100000000);
        memcpy(end - 8, &low, 8);
        if (digits <= 8) {
            return;
        }
        end -= 8;
        digits -= 8;
        number /= 100000000;
    }
    write_digits(end, digits, number);
}

void template_number(const struct template *template, char *copy, struct keys *keys) {
    for (int i = 0; i < template->place_count; i++) {
        number_place(copy, &template->places[i], keys);
    }
}

static void append_drawn_value(struct buffer *out, const struct sizes *sizes, struct keys *keys) {
    size_t size = sizes_next(sizes, &keys->random);
    char head[NUM_I64_SIZE + 3] = "$";
    size_t head_size = 1 + num_format_u64(head + 1, size);
    buffer_append(out, head, head_size);
    buffer_append(out, "\r\n", 2);
    append_fill(out, FILL, size);
}

void template_append(const struct template *template, struct buffer *out, struct keys *keys,
                     const struct sizes *sizes) {
    const struct buffer *bytes = &template->bytes;
    if (!template->varies) {
        memcpy(buffer_reserve(out, bytes->size), bytes->at, bytes->size);
        template_number(template, out->at + out->size, keys);
        out->size += bytes->size;
        return;
    }
    size_t from = 0;
    size_t start = out->size;
    for (int i = 0; i < template->place_count; i++) {
        const struct template_place *place = &template->places[i];
        size_t end = place->at + (size_t)place->digits;
        buffer_append(out, bytes->at + from, end - from);
        from = end;
        if (place->digits == 0) {
            size_t before = out->size;
            append_drawn_value(out, sizes, keys);
            start += out->size - before;
        } else {
            number_place(out->at + start, place, keys);
        }
    }
    buffer_append(out, bytes->at + from, bytes->size - from);
}
