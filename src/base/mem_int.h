/* mem_int: what base/sparse needs of base/mem where the allocator is the C library's. */
#ifndef LARDER_BASE_MEM_INT_H
#define LARDER_BASE_MEM_INT_H

#include <stddef.h>

/* As mem_alloc and mem_free do it, but counted nowhere; NULL when there is no memory. */
void *mem_uncounted_alloc(size_t size);
void mem_uncounted_free(void *at, size_t size);

#endif
