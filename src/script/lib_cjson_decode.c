/* lib_cjson_decode: JSON to Lua's values: a reader of tokens, and a parser that recurses with the
 * depth of the text, up to the setting and never beyond what Lua gives a function in C of its
 * stack: 8000 values, some 100 bytes each.
 *
 * Lua's strings end with a zero byte, so a text can be read up to there without looking at its
 * length; a zero byte within it ends it as well. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <lauxlib.h>

#include "script/lib_buffer.h"
#include "script/lib_cjson.h"
#include "script/lib_int.h"

enum token {
    TOKEN_OBJECT_BEGIN,
    TOKEN_OBJECT_END,
    TOKEN_ARRAY_BEGIN,
    TOKEN_ARRAY_END,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_BOOLEAN,
    TOKEN_NULL,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_END,
    TOKEN_INVALID,
};

/* As errors name them. */
static const char *const token_names[] = {
    "T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
    "T_BOOLEAN",   "T_NULL",    "T_COLON",     "T_COMMA",   "T_END",
};

struct decoder {
    lua_State *lua;
    const struct cjson_settings *settings;
    const char *text;
    const char *at;    /* what comes next */
    const char *token; /* where the last token began, or what is wrong with it is */
    const char *fault; /* what is wrong with it */
    int depth;
    unsigned steps;
    bool boolean;
    double number;
    struct lib_buffer buffer; /* a string that has escapes */
};

/* ---- tokens ---- */

static enum token invalid(struct decoder *decoder, const char *at, const char *fault) {
    decoder->token = at;
    decoder->fault = fault;
    return TOKEN_INVALID;
}

/* Four digits of a \u, or -1. */
static int read_hex(const char *at) {
    int code = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        if (!isxdigit((unsigned char)c)) {
            return -1;
        }
        int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        code = code << 4 | digit;
    }
    return code;
}

static void add_utf8(struct lib_buffer *buffer, uint32_t code) {
    char *to = lib_buffer_room(buffer, 4);
    size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (count == 1) {
        to[0] = (char)code;
    } else {
        for (size_t i = count - 1; i > 0; i--) {
            to[i] = (char)(0x80 | (code & 0x3f));
            code >>= 6;
        }
        to[0] = (char)((0xf00u >> count & 0xff) | code);
    }
    lib_buffer_wrote(buffer, count);
}

/* \u and its digits, or two of them for a character beyond 16 bits: behind them, or NULL. */
static const char *add_code(struct lib_buffer *buffer, const char *at) {
    int code = read_hex(at + 2);
    if (code < 0 || (code & 0xfc00) == 0xdc00) {
        return NULL;
    }
    if ((code & 0xfc00) != 0xd800) {
        add_utf8(buffer, (uint32_t)code);
        return at + 6;
    }
    if (at[6] != '\\' || at[7] != 'u') {
        return NULL;
    }
    int low = read_hex(at + 8);
    if (low < 0 || (low & 0xfc00) != 0xdc00) {
        return NULL;
    }
    add_utf8(buffer, 0x10000 + ((uint32_t)(code & 0x3ff) << 10 | (uint32_t)(low & 0x3ff)));
    return at + 12;
}

/* An escape: behind it, or NULL when there is no such. */
static const char *add_escape(struct lib_buffer *buffer, const char *at) {
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *name = at[1] == '\0' ? NULL : strchr(names, at[1]);
    if (name == NULL) {
        return NULL;
    }
    lib_buffer_add_byte(buffer, meanings[name - names]);
    return at + 2;
}

/* Pushes the string behind the quotation mark at `at`. */
static enum token read_string(struct decoder *decoder) {
    struct lib_buffer *buffer = &decoder->buffer;
    const char *at = decoder->at + 1;
    bool is_plain = true;
    buffer->size = 0;
    for (;;) {
        size_t run = strcspn(at, "\"\\");
        if (is_plain && at[run] == '"') {
            lua_pushlstring(decoder->lua, at, run);
            decoder->at = at + run + 1;
            return TOKEN_STRING;
        }
        lib_buffer_add(buffer, at, run);
        at += run;
        if (*at == '\0') {
            return invalid(decoder, at, "unexpected end of string");
        }
        if (*at == '"') {
            break;
        }
        is_plain = false;
        lib_step(decoder->lua, &decoder->steps);
        bool is_code = at[1] == 'u';
        const char *behind = is_code ? add_code(buffer, at) : add_escape(buffer, at);
        if (behind == NULL) {
            return invalid(decoder, at,
                           is_code ? "invalid unicode escape code" : "invalid escape code");
        }
        at = behind;
    }
    lib_buffer_push(buffer);
    decoder->at = at + 1;
    return TOKEN_STRING;
}

/* Whether a number is none of JSON's though strtod would read it: +1, 01, 0x1, inf, nan. */
static bool is_foreign_number(const char *at) {
    if (*at == '+') {
        return true;
    }
    at += *at == '-';
    if (*at == '0') {
        return isdigit((unsigned char)at[1]) || (at[1] | 32) == 'x';
    }
    if (*at >= '1' && *at <= '9') {
        return false;
    }
    return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

static enum token read_number(struct decoder *decoder) {
    char *end;
    decoder->number = strtod(decoder->at, &end);
    if (end == decoder->at) {
        return invalid(decoder, decoder->at, "invalid number");
    }
    decoder->at = end;
    return TOKEN_NUMBER;
}

static enum token read_word(struct decoder *decoder) {
    if (strncmp(decoder->at, "true", 4) == 0) {
        decoder->boolean = true;
        decoder->at += 4;
        return TOKEN_BOOLEAN;
    }
    if (strncmp(decoder->at, "false", 5) == 0) {
        decoder->boolean = false;
        decoder->at += 5;
        return TOKEN_BOOLEAN;
    }
    if (strncmp(decoder->at, "null", 4) == 0) {
        decoder->at += 4;
        return TOKEN_NULL;
    }
    if (decoder->settings->decode_invalid && is_foreign_number(decoder->at)) {
        return read_number(decoder);
    }
    return invalid(decoder, decoder->at, "invalid token");
}

/* A string is pushed; other values are left in the decoder. */
static enum token read_token(struct decoder *decoder) {
    decoder->at += strspn(decoder->at, " \t\r\n");
    decoder->token = decoder->at;
    enum token token;
    switch (*decoder->at) {
    case '{':
        token = TOKEN_OBJECT_BEGIN;
        break;
    case '}':
        token = TOKEN_OBJECT_END;
        break;
    case '[':
        token = TOKEN_ARRAY_BEGIN;
        break;
    case ']':
        token = TOKEN_ARRAY_END;
        break;
    case ',':
        token = TOKEN_COMMA;
        break;
    case ':':
        token = TOKEN_COLON;
        break;
    case '\0':
        return TOKEN_END;
    case '"':
        return read_string(decoder);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        if (!decoder->settings->decode_invalid && is_foreign_number(decoder->at)) {
            return invalid(decoder, decoder->at, "invalid number");
        }
        return read_number(decoder);
    default:
        return read_word(decoder);
    }
    decoder->at++;
    return token;
}

/* ---- the parser ---- */

static void refuse(const struct decoder *decoder, const char *expected, enum token token) {
    luaL_error(decoder->lua, "Expected %s but found %s at character %d", expected,
               token == TOKEN_INVALID ? decoder->fault : token_names[token],
               (int)(decoder->token - decoder->text) + 1);
}

/* One level deeper, with room for so many values. */
static void descend(struct decoder *decoder, int values) {
    decoder->depth++;
    if (decoder->depth > decoder->settings->decode_depth_max ||
        !lua_checkstack(decoder->lua, values)) {
        luaL_error(decoder->lua, "Found too many nested data structures (%d) at character %d",
                   decoder->depth, (int)(decoder->at - decoder->text));
    }
}

/* Pushes the value that the token is or begins. */
static void decode_value(struct decoder *decoder, enum token token);

static void decode_object(struct decoder *decoder) {
    descend(decoder, 4);
    lua_newtable(decoder->lua);
    enum token token = read_token(decoder);
    if (token == TOKEN_OBJECT_END) {
        decoder->depth--;
        return;
    }
    for (;;) {
        if (token != TOKEN_STRING) {
            refuse(decoder, "object key string", token);
        }
        token = read_token(decoder);
        if (token != TOKEN_COLON) {
            refuse(decoder, "colon", token);
        }
        decode_value(decoder, read_token(decoder));
        lua_rawset(decoder->lua, -3);
        token = read_token(decoder);
        if (token == TOKEN_OBJECT_END) {
            decoder->depth--;
            return;
        }
        if (token != TOKEN_COMMA) {
            refuse(decoder, "comma or object end", token);
        }
        token = read_token(decoder);
    }
}

static void decode_array(struct decoder *decoder) {
    descend(decoder, 3);
    lua_newtable(decoder->lua);
    enum token token = read_token(decoder);
    if (token == TOKEN_ARRAY_END) {
        decoder->depth--;
        return;
    }
    for (int i = 1;; i++) {
        decode_value(decoder, token);
        lua_rawseti(decoder->lua, -2, i);
        token = read_token(decoder);
        if (token == TOKEN_ARRAY_END) {
            decoder->depth--;
            return;
        }
        if (token != TOKEN_COMMA) {
            refuse(decoder, "comma or array end", token);
        }
        token = read_token(decoder);
    }
}

static void decode_value(struct decoder *decoder, enum token token) {
    lib_step(decoder->lua, &decoder->steps);
    switch (token) {
    case TOKEN_STRING:
        break;
    case TOKEN_NUMBER:
        lua_pushnumber(decoder->lua, decoder->number);
        break;
    case TOKEN_BOOLEAN:
        lua_pushboolean(decoder->lua, decoder->boolean);
        break;
    case TOKEN_NULL:
        lua_pushlightuserdata(decoder->lua, NULL);
        break;
    case TOKEN_OBJECT_BEGIN:
        decode_object(decoder);
        break;
    case TOKEN_ARRAY_BEGIN:
        decode_array(decoder);
        break;
    default:
        refuse(decoder, "value", token);
    }
}

int cjson_decode(lua_State *lua) {
    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    size_t size;
    const char *text = luaL_checklstring(lua, 1, &size);
    if (size >= 2 && (text[0] == '\0' || text[1] == '\0')) {
        return luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
    }
    struct decoder decoder = {
        .lua = lua, .settings = lua_touserdata(lua, lua_upvalueindex(1)), .text = text, .at = text};
    lib_buffer_start(&decoder.buffer, lua);
    decode_value(&decoder, read_token(&decoder));
    enum token token = read_token(&decoder);
    if (token != TOKEN_END) {
        refuse(&decoder, "the end", token);
    }
    return 1;
}
