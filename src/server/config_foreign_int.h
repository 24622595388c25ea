/* config_foreign_int: the tables behind config_foreign. */
#ifndef LARDER_SERVER_CONFIG_FOREIGN_INT_H
#define LARDER_SERVER_CONFIG_FOREIGN_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/option.h"

/* Directives with a grammar of their own, whose text config_foreign keeps. */
enum foreign_custom { FOREIGN_ADJUSTMENTS, FOREIGN_CUSTOMS };

/* A directive: what makes a row of the registry (config_foreign_table.c). */
struct foreign_spec {
    const char *name;
    enum option_kind kind;
    const char *initial;
    int64_t least;
    int64_t most;
    const struct option_choice *extra; /* CHOICE */
    enum foreign_custom custom;        /* CUSTOM */
    unsigned flags;
};

const struct foreign_spec *foreign_specs(size_t *count);

/* A name that Redis or Valkey also takes for an option, of this table or of any module. */
struct foreign_old_name {
    const char *old;
    const char *name;
};

const struct foreign_old_name *foreign_old_names(size_t *count);

/* A line that is no option. */
struct foreign_line {
    const char *name;
    bool is_prefix; /* lines whose name begins like this */
};

const struct foreign_line *foreign_lines(size_t *count);

/* A directive by which somebody relies on something that is not here (config_promise.c). */
struct promise {
    const char *name;
    const char *harmless; /* the value that promises nothing; NULL: none does */
    bool is_refused;      /* the start stops; otherwise it is warned about */
    const char *reason;   /* a sentence's rest, behind the name: "is ...: what that means" */
};

/* NULL when the name promises nothing. */
const struct promise *promise_find(struct bytes name);

#endif
