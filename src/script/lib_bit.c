/* lib_bit: operations on the 32 bits of a number, by the semantics of the library BitOp
 * (bitop.luajit.org): arguments are reduced to 32 bits, results are signed, of a shift's count the
 * lower five bits matter. */
#include <string.h>

#include <lauxlib.h>

#include "script/lib_int.h"

/* Digits that tohex writes at most. */
#define HEX_DIGITS_MAX 8

/* Adding 1.5 * 2^52 puts a number's integer part, rounded to even, into the lower bits of the sum,
 * modulo 2^32. Beyond 2^51 what comes out is what others give who do the same, and has no
 * meaning. */
static uint32_t bits_argument(lua_State *lua, int index) {
    double sum = luaL_checknumber(lua, index) + 6755399441055744.0;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (uint32_t)bits;
}

static int push_bits(lua_State *lua, uint32_t bits) {
    lua_pushnumber(lua, (lua_Number)(int32_t)bits);
    return 1;
}

static int bit_tobit(lua_State *lua) {
    return push_bits(lua, bits_argument(lua, 1));
}

static int bit_bnot(lua_State *lua) {
    return push_bits(lua, ~bits_argument(lua, 1));
}

static int bit_band(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    for (int i = lua_gettop(lua); i > 1; i--) {
        bits &= bits_argument(lua, i);
    }
    return push_bits(lua, bits);
}

static int bit_bor(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    for (int i = lua_gettop(lua); i > 1; i--) {
        bits |= bits_argument(lua, i);
    }
    return push_bits(lua, bits);
}

static int bit_bxor(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    for (int i = lua_gettop(lua); i > 1; i--) {
        bits ^= bits_argument(lua, i);
    }
    return push_bits(lua, bits);
}

static unsigned shift_argument(lua_State *lua) {
    return bits_argument(lua, 2) & 31;
}

static int bit_lshift(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    return push_bits(lua, bits << shift_argument(lua));
}

static int bit_rshift(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    return push_bits(lua, bits >> shift_argument(lua));
}

static int bit_arshift(lua_State *lua) {
    int32_t bits = (int32_t)bits_argument(lua, 1);
    return push_bits(lua, (uint32_t)(bits >> shift_argument(lua)));
}

static int bit_rol(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    unsigned count = shift_argument(lua);
    return push_bits(lua, bits << count | bits >> (-count & 31));
}

static int bit_ror(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    unsigned count = shift_argument(lua);
    return push_bits(lua, bits >> count | bits << (-count & 31));
}

static int bit_bswap(lua_State *lua) {
    return push_bits(lua, __builtin_bswap32(bits_argument(lua, 1)));
}

/* The second argument: how many digits; negative for capitals. The least integer has no positive
 * counterpart, so the comparison is made before the sign is changed. */
static int bit_tohex(lua_State *lua) {
    uint32_t bits = bits_argument(lua, 1);
    int32_t wanted = lua_isnone(lua, 2) ? HEX_DIGITS_MAX : (int32_t)bits_argument(lua, 2);
    const char *digits = wanted < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
    int count = wanted > HEX_DIGITS_MAX || wanted < -HEX_DIGITS_MAX ? HEX_DIGITS_MAX
                : wanted < 0                                        ? -wanted
                                                                    : wanted;
    char text[HEX_DIGITS_MAX];
    for (int i = count - 1; i >= 0; i--) {
        text[i] = digits[bits & 15];
        bits >>= 4;
    }
    lua_pushlstring(lua, text, (size_t)count);
    return 1;
}

static const luaL_Reg functions[] = {
    {"arshift", bit_arshift},
    {"band", bit_band},
    {"bnot", bit_bnot},
    {"bor", bit_bor},
    {"bswap", bit_bswap},
    {"bxor", bit_bxor},
    {"lshift", bit_lshift},
    {"rol", bit_rol},
    {"ror", bit_ror},
    {"tobit", bit_tobit},
    {"tohex", bit_tohex},
    {"rshift", bit_rshift},
    {NULL, NULL},
};

void lib_bit_open(lua_State *lua) {
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    lua_setglobal(lua, "bit");
}
