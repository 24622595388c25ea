/* lib_math: math.random and math.randomseed with a generator that gives the same numbers
 * everywhere: that of lrand48 in POSIX, a linear congruence of 48 bits. */
#include <math.h>

#include <lauxlib.h>

#include "script/lib_int.h"

#define FACTOR     UINT64_C(0x5deece66d)
#define SUMMAND    UINT64_C(0xb)
#define STATE_MASK ((UINT64_C(1) << 48) - 1)
/* What a seed's lower 16 bits always are. */
#define SEED_LOW UINT64_C(0x330e)
#define LARGEST  0x7fffffff

/* Where the numbers begin in a fresh state. */
#define SEED_AT_START 0x1234abcd

static void set_seed(uint64_t *state, uint32_t seed) {
    *state = (uint64_t)seed << 16 | SEED_LOW;
}

/* The state is the upvalue of both functions. */
static uint64_t *state_of(lua_State *lua) {
    return lua_touserdata(lua, lua_upvalueindex(1));
}

/* At least 0, below 1. */
static double draw(uint64_t *state) {
    *state = (*state * FACTOR + SUMMAND) & STATE_MASK;
    return (double)((*state >> 17) % LARGEST) / LARGEST;
}

static int math_random(lua_State *lua) {
    double drawn = draw(state_of(lua));
    int count = lua_gettop(lua);
    if (count == 0) {
        lua_pushnumber(lua, drawn);
        return 1;
    }
    if (count > 2) {
        return luaL_error(lua, "wrong number of arguments");
    }
    double least = count == 1 ? 1 : (double)luaL_checkint(lua, 1);
    double most = (double)luaL_checkint(lua, count);
    luaL_argcheck(lua, least <= most, count, "interval is empty");
    lua_pushnumber(lua, floor(drawn * (most - least + 1)) + least);
    return 1;
}

static int math_randomseed(lua_State *lua) {
    set_seed(state_of(lua), (uint32_t)luaL_checkint(lua, 1));
    return 0;
}

void lib_math_open(lua_State *lua) {
    lua_getglobal(lua, "math");
    uint64_t *state = lua_newuserdata(lua, sizeof *state);
    set_seed(state, SEED_AT_START);
    lua_pushvalue(lua, -1);
    lua_pushcclosure(lua, math_random, 1);
    lua_setfield(lua, -3, "random");
    lua_pushcclosure(lua, math_randomseed, 1);
    lua_setfield(lua, -2, "randomseed");
    lua_pop(lua, 1);
}
