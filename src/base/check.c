/* check: what happens when an assertion fails. Kept apart so that the callers stay small. */
#include "base/check.h"

#include "base/crash.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line) {
    crash_note_check(condition, file, line);
    fprintf(stderr, "larder: check failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
