/* lib_cjson: JSON for scripts, with the functions, settings, texts of errors and peculiarities of
 * lua-cjson 2.1.0 (its manual: kyne.au/~mark/software/lua-cjson-manual.html), which scripts know:
 * an empty table is an object, "/" is escaped, numbers have 14 digits, a table whose keys are
 * numbers is an array, with nulls in its holes unless there are too many.
 *
 * It was written anew because that library keeps what it builds outside of Lua's memory: beyond any
 * limit, lost when an error jumps away, its lengths counted in 32 bits. */
#ifndef LARDER_SCRIPT_LIB_CJSON_H
#define LARDER_SCRIPT_LIB_CJSON_H

#include <stdbool.h>

#include <lua.h>

/* What becomes of numbers that JSON has no words for. */
enum cjson_invalid { CJSON_REFUSE, CJSON_WRITE, CJSON_NULL };

struct cjson_settings {
    bool sparse_convert; /* a table with too many holes becomes an object */
    int sparse_ratio;    /* too many: fewer elements than one in so many; 0: never */
    int sparse_safe;     /* up to this index no number is too many */
    int encode_depth_max;
    int decode_depth_max;
    int precision;
    bool keep_buffer; /* has no effect */
    enum cjson_invalid encode_invalid;
    bool decode_invalid;
};

/* Functions of Lua whose first upvalue is the settings. */
int cjson_encode(lua_State *lua);
int cjson_decode(lua_State *lua);

#endif
