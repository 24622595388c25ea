/* crash_int: names for addresses, found without allocating. */
#ifndef LARDER_BASE_CRASH_INT_H
#define LARDER_BASE_CRASH_INT_H

#include <stdbool.h>
#include <stdint.h>

/* False where a sanitizer reports instead. */
bool crash_is_available(void);

struct crash_symbol {
    const char *name;       /* of the function; NULL when it has none */
    uint64_t offset;        /* behind the function's beginning */
    const char *module;     /* program or library */
    uint64_t module_offset; /* behind the module's beginning: what addr2line takes */
};

/* Whether anything is known of the address. The texts stay. For a return address of a call the
 * function is the caller. */
bool crash_find_symbol(uintptr_t address, struct crash_symbol *symbol);

#endif
