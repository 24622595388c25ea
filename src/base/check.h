/* check: assertions. A programmer's error asserts; a user's error is answered with a reply.
 *
 * check() stays on in release builds and is for conditions that cost next to nothing;
 * debug_check() is compiled only into test builds (LARDER_DEBUG) and may be dear. */
#ifndef LARDER_BASE_CHECK_H
#define LARDER_BASE_CHECK_H

#include <assert.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Writes the failed condition with its place to standard error and aborts. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

#define check(condition)                                                                           \
    (LIKELY(condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#ifdef LARDER_DEBUG
#define debug_check(condition) check(condition)
#else
#define debug_check(condition) ((void)sizeof(condition))
#endif

#endif
