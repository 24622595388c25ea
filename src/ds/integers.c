/* integers: see the header. What depends on the width is written once, as inline functions that
 * are given it as a constant. */
#include "ds/integers.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static uint32_t width_of(int64_t value) {
    if (value >= INT16_MIN && value <= INT16_MAX) {
        return 2;
    }
    return value >= INT32_MIN && value <= INT32_MAX ? 4 : 8;
}

static inline int64_t read_value(const char *values, uint32_t width, size_t index) {
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (width) {
    case 2:
        memcpy(&two, values + index * 2, 2);
        return two;
    case 4:
        memcpy(&four, values + index * 4, 4);
        return four;
    default:
        memcpy(&eight, values + index * 8, 8);
        return eight;
    }
}

static inline void write_value(char *values, uint32_t width, size_t index, int64_t value) {
    int16_t two = (int16_t)value;
    int32_t four = (int32_t)value;
    switch (width) {
    case 2:
        memcpy(values + index * 2, &two, 2);
        break;
    case 4:
        memcpy(values + index * 4, &four, 4);
        break;
    default:
        memcpy(values + index * 8, &value, 8);
    }
}

static inline size_t size_of(size_t count, uint32_t width) {
    return sizeof(struct integers) + count * width;
}

struct integers *integers_new(void) {
    struct integers *integers = mem_alloc(MEM_DATA, sizeof *integers);
    *integers = (struct integers){.count = 0, .width = 2};
    return integers;
}

size_t integers_size(const struct integers *integers) {
    return size_of(integers->count, integers->width);
}

size_t integers_footprint(const struct integers *integers) {
    return mem_class(integers_size(integers));
}

size_t integers_size_with(const struct integers *integers, int64_t value) {
    uint32_t width = width_of(value);
    return size_of((size_t)integers->count + 1, width > integers->width ? width : integers->width);
}

void integers_free(struct integers *integers) {
    mem_free(MEM_DATA, integers, integers_size(integers));
}

struct integers *integers_try_copy(const struct integers *integers) {
    size_t size = integers_size(integers);
    struct integers *copy = mem_try_alloc(MEM_DATA, size);
    return copy == NULL ? NULL : memcpy(copy, integers, size);
}

struct integers *integers_settle(struct integers *integers, struct sparse_tally *tally) {
    return sparse_settle(integers, integers_size(integers), tally);
}

int64_t integers_at(const struct integers *integers, size_t index) {
    debug_check(index < integers->count);
    return read_value(integers->values, integers->width, index);
}

/* How many values are less than this one: halves the rest without a branch to mispredict. */
static inline size_t count_below(const char *values, size_t count, uint32_t width, int64_t value) {
    size_t base = 0;
    while (count > 1) {
        size_t half = count / 2;
        base += read_value(values, width, base + half - 1) < value ? half : 0;
        count -= half;
    }
    return base + (count == 1 && read_value(values, width, base) < value);
}

bool integers_find(const struct integers *integers, int64_t value, size_t *index) {
    size_t count = integers->count;
    if (width_of(value) > integers->width) {
        *index = value < 0 ? 0 : count;
        return false;
    }
    switch (integers->width) {
    case 2:
        *index = count_below(integers->values, count, 2, value);
        break;
    case 4:
        *index = count_below(integers->values, count, 4, value);
        break;
    default:
        *index = count_below(integers->values, count, 8, value);
    }
    return *index < count && read_value(integers->values, integers->width, *index) == value;
}

/* Another size for the allocation; the class decides whether it moves. */
static struct integers *try_resize(struct integers *integers, size_t old_size, size_t size) {
    if (mem_class(old_size) == mem_class(size)) {
        return integers;
    }
    return mem_try_realloc(MEM_DATA, integers, old_size, size);
}

struct integers *integers_try_insert(struct integers *integers, size_t index, int64_t value) {
    size_t count = integers->count;
    uint32_t width = integers->width;
    uint32_t needed = width_of(value) > width ? width_of(value) : width;
    debug_check(index <= count && count < UINT32_MAX);
    integers = try_resize(integers, size_of(count, width), size_of(count + 1, needed));
    if (integers == NULL) {
        return NULL;
    }
    char *values = integers->values;
    if (needed > width) {
        /* From the end, so that no value is overwritten before it was read. */
        for (size_t i = count; i > 0; i--) {
            size_t to = i - 1 < index ? i - 1 : i;
            write_value(values, needed, to, read_value(values, width, i - 1));
        }
    } else if (index < count) {
        memmove(values + (index + 1) * width, values + index * width, (count - index) * width);
    }
    write_value(values, needed, index, value);
    integers->count++;
    integers->width = needed;
    return integers;
}

/* Gives back what fewer values leave over. */
static struct integers *shrink(struct integers *integers, size_t old_size) {
    size_t size = integers_size(integers);
    if (mem_class(old_size) == mem_class(size)) {
        return integers;
    }
    return mem_realloc(MEM_DATA, integers, old_size, size);
}

struct integers *integers_remove(struct integers *integers, size_t index, size_t count) {
    size_t old_size = integers_size(integers);
    uint32_t width = integers->width;
    debug_check(index + count <= integers->count);
    size_t behind = integers->count - index - count;
    memmove(integers->values + index * width, integers->values + (index + count) * width,
            behind * width);
    integers->count -= (uint32_t)count;
    return shrink(integers, old_size);
}

struct integers *integers_filter(struct integers *integers,
                                 bool (*stays)(void *context, int64_t value), void *context) {
    size_t old_size = integers_size(integers);
    uint32_t width = integers->width;
    size_t kept = 0;
    for (size_t i = 0; i < integers->count; i++) {
        int64_t value = read_value(integers->values, width, i);
        if (stays(context, value)) {
            write_value(integers->values, width, kept++, value);
        }
    }
    integers->count = (uint32_t)kept;
    return shrink(integers, old_size);
}

void integers_validate(const struct integers *integers) {
    uint32_t width = integers->width;
    check(width == 2 || width == 4 || width == 8);
    for (size_t i = 1; i < integers->count; i++) {
        check(integers_at(integers, i - 1) < integers_at(integers, i));
    }
}
