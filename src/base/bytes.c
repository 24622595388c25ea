/* bytes: the comparisons that are not worth inlining. */
#include "base/bytes.h"

static unsigned char lower(unsigned char byte) {
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

bool bytes_is(struct bytes a, const char *text) {
    size_t i = 0;
    while (i < a.size && text[i] != '\0') {
        if (lower((unsigned char)a.at[i]) != lower((unsigned char)text[i])) {
            return false;
        }
        i++;
    }
    return i == a.size && text[i] == '\0';
}

int bytes_compare(struct bytes a, struct bytes b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.at, b.at, common);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}
