/* shebang: the first line of a script that begins with `#!`: the engine's name and what else it
 * says. Of a script the flags, of a library of functions its name. */
#ifndef LARDER_SCRIPT_SHEBANG_H
#define LARDER_SCRIPT_SHEBANG_H

#include <stdbool.h>

#include "base/bytes.h"

enum script_flag {
    SCRIPT_NO_WRITES = 1,
    SCRIPT_ALLOW_OOM = 2,
    SCRIPT_ALLOW_STALE = 4,
    SCRIPT_NO_CLUSTER = 8,
    SCRIPT_ALLOW_CROSS_SLOT = 16,
    SCRIPT_COMPATIBLE = 32, /* without a shebang: judged by what it calls */
};

/* By its name, in small letters; 0 when there is none. */
unsigned shebang_flag(struct bytes name);
/* The flags' names, in the order of their bits; NULL behind the last. */
const char *shebang_flag_name(int bit);

/* The flags of a script, and in *code what is to be compiled: all behind the shebang, from its
 * line's end on, so that lines keep their numbers. False with the error, which has no code and may
 * repeat a word of the line: SHEBANG_ERROR_SIZE bytes. */
#define SHEBANG_ERROR_SIZE 256
bool shebang_of_script(struct bytes source, unsigned *flags, struct bytes *code,
                       char error[SHEBANG_ERROR_SIZE]);

/* The same for a library; *name lies in `source`. */
bool shebang_of_library(struct bytes source, struct bytes *name, struct bytes *code,
                        char error[SHEBANG_ERROR_SIZE]);

#endif
