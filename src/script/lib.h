/* lib: the libraries that a script finds: Lua's own, with guards, and cjson, cmsgpack, struct, bit.
 *
 * Lua 5.1 was not made for strangers' programs. Each function here that has the name of one of
 * Lua's stands in its place because the other can be made to crash the process, to run for hours
 * where no hook sees it, or to load what a compiler did not make:
 *
 *     unpack                          its range overflowed
 *     load, loadstring                took compiled chunks; load let its chunk's name be collected
 *     string.find match gmatch gsub   recursed by the pattern's length, and could not be stopped
 *     string.rep, table.insert        counted to two thousand million for nothing
 *     collectgarbage                  could stop the collector
 *     math.random, math.randomseed    gave other numbers on other machines
 *
 * Memory. All of it is Lua's: what these libraries build lies in blocks of Lua's allocator (see
 * lib_buffer.h), so it is counted, its limit holds, and it is collected when an error jumps away.
 *
 * Time. Steps that may be many call the state's hook every LIB_STEPS_PER_HOOK steps, as if they
 * were instructions of Lua (lib_step). So a script is interrupted in a pattern as in a loop.
 *
 * What whoever opens them owes:
 *   - a count hook in the state, if scripts shall be interrupted; it may raise an error;
 *   - an allocator with a limit: nothing else bounds a result below LIB_RESULT_MAX;
 *   - protection of the tables: after this the libraries, _G and the metatable of strings are
 *     tables that a script could write to; rawset, setmetatable, table.insert and next know nothing
 *     of what is protected;
 *   - pcall, which Redis has changed, and whatever belongs to `redis`;
 *   - limits on sources: above some 16 MiB counters of Lua's lexer come near their end.
 * The generator of math.random starts with each state at the same place, and its numbers are those
 * of lrand48; it goes on from script to script, and so do the settings of cjson. */
#ifndef LARDER_SCRIPT_LIB_H
#define LARDER_SCRIPT_LIB_H

#include <lua.h>

/* No string that is built here becomes longer: what a client may send at most. */
#define LIB_RESULT_MAX ((size_t)512 * 1024 * 1024)
/* Values that a function may push: Lua gives a function in C room for 8000. */
#define LIB_STACK_MAX 7999

/* Opens everything in the state's globals. Raises an error when there is no memory. */
void script_lib_open(lua_State *lua);

/* Goes on as the function in C that a wrapper was made over, its first upvalue, which has none
 * itself: errors then have the place and the name that they would have without the wrapper. */
int lib_call_wrapped(lua_State *lua);

#endif
