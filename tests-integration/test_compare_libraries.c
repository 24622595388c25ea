/* The libraries of scripts as the reference has them: bit, struct, cmsgpack, cjson, patterns, and
 * those of Lua's own functions that were written anew. Calls are made up, thousands of each kind,
 * with values of all kinds and with bytes that are none; what comes back, values or an error, is
 * written down by the script itself and must be the same text.
 *
 * Keys of tables are shorter than 32 bytes: the reference computes hashes of longer strings, and so
 * the order of keys, in a way of its own. Left out is what differs because it is mended: an integer
 * that does not fit 32 bits as a range of unpack or of math.random, a table that has indices beyond
 * 2^31 and others. */
#include "compare.h"
#include "library_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SCRIPT_SIZE 16384
#define CALLS       2500

static struct pair *pair;

static int start(void **state) {
    (void)state;
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

/* ---- making up ---- */

/* What makes a text of whatever a function gives. */
static const char prelude[] =
    "local show; show = function(v, deep) local kind = type(v);"
    " if kind == 'string' then return string.format('%q', v) end;"
    " if kind == 'number' then return string.format('%.17g', v) end;"
    " if kind == 'table' then if deep > 40 then return 'deep' end; local parts = {};"
    "  for k, x in pairs(v) do parts[#parts + 1] = show(k, deep + 1) .. '=' .. show(x, deep + 1) "
    "end;"
    "  return '{' .. table.concat(parts, ',') .. '}' end;"
    " if kind == 'userdata' then return tostring(v) end;"
    " return kind ~= 'function' and tostring(v) or kind end;"
    "local all = function(...) local parts = {};"
    " for i = 1, select('#', ...) do parts[i] = show((select(i, ...)), 0) end;"
    " return table.concat(parts, ' ') end;"
    "return all(pcall(function() ";

struct draft {
    struct generator generator;
    char text[SCRIPT_SIZE];
    size_t size;
};

static void put(struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct draft *draft, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(draft->text + draft->size, SCRIPT_SIZE - draft->size, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && draft->size + (size_t)size < SCRIPT_SIZE);
    draft->size += (size_t)size;
}

static unsigned below(struct draft *draft, unsigned limit) {
    return (unsigned)generate_below(&draft->generator, limit);
}

static bool chance(struct draft *draft, unsigned percent) {
    return generate_chance(&draft->generator, percent);
}

#define ONE_OF(draft, list) ((list)[below((draft), sizeof(list) / sizeof *(list))])

static void put_bytes(struct draft *draft, const char *bytes, size_t size) {
    put(draft, "'");
    for (size_t i = 0; i < size; i++) {
        put(draft, "\\%03d", (unsigned char)bytes[i]);
    }
    put(draft, "'");
}

static const char *const numbers[] = {
    "0",
    "1",
    "-1",
    "2",
    "7",
    "31",
    "32",
    "33",
    "127",
    "128",
    "129",
    "255",
    "256",
    "-32",
    "-33",
    "-127",
    "-128",
    "-129",
    "32767",
    "32768",
    "65535",
    "65536",
    "-32768",
    "-32769",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "-2147483648",
    "-2147483649",
    "2^53",
    "-2^53",
    "2^53+2",
    "2^62",
    "2^63",
    "-2^63",
    "2^64",
    "-2^64",
    "1e15",
    "1e17",
    "123456789012345",
    "1e300",
    "-1e300",
    "0.5",
    "1.5",
    "2.5",
    "-0.5",
    "-1.5",
    "0.1",
    "1/3",
    "3.14159",
    "1e-7",
    "1e-310",
    "16777217",
    "0x7f",
    "'12'",
    "'0x10'",
    "-0.0",
    "2^51",
    "2^52+1",
};

static void put_number(struct draft *draft) {
    if (chance(draft, 30)) {
        put(draft, "%d", (int)below(draft, 2000) - 1000);
    } else {
        put(draft, "%s", ONE_OF(draft, numbers));
    }
}

static void put_key(struct draft *draft) {
    static const char *const keys[] = {"''", "'a'", "'key'", "'1'", "'a\\0b'", "('x'):rep(31)"};
    put(draft, "%s", ONE_OF(draft, keys));
}

static void put_string(struct draft *draft) {
    static const char *const strings[] = {
        "''",
        "'a'",
        "'key'",
        "'1'",
        "'\\0'",
        "'a\\0b'",
        "'\\1\\31\\127\\200\\255'",
        "'\"/\\\\\\b\\f\\n\\r\\t'",
        "('x'):rep(31)",
        "('x'):rep(32)",
        "('y'):rep(255)",
        "('z'):rep(256)",
        "'\\195\\164\\226\\130\\172'",
        "'null'",
    };
    put(draft, "%s", ONE_OF(draft, strings));
}

/* What values are not written the same way by both: NaN has a sign, keys have an order. */
static void put_value(struct draft *draft, unsigned depth) {
    static const char *const others[] = {"nil", "true", "false", "cjson.null", "{}"};
    static const char *const odd[] = {"1/0",          "-1/0", "0/0",
                                      "print_is_nil", "type", "coroutine.create(type)"};
    unsigned kind = below(draft, depth == 0 ? 60 : 100);
    if (kind < 25) {
        put_number(draft);
    } else if (kind < 45) {
        put_string(draft);
    } else if (kind < 58) {
        put(draft, "%s", ONE_OF(draft, others));
    } else if (kind < 60) {
        const char *value = ONE_OF(draft, odd);
        put(draft, "%s", strcmp(value, "print_is_nil") == 0 ? "nil" : value);
    } else {
        bool named = chance(draft, 50);
        put(draft, "{");
        for (unsigned i = below(draft, 6); i > 0; i--) {
            if (named && chance(draft, 60)) {
                put(draft, "[");
                if (chance(draft, 70)) {
                    put_key(draft);
                } else if (chance(draft, 90)) {
                    put(draft, "%d", (int)below(draft, 40) - 4);
                } else {
                    put(draft, "%s", chance(draft, 50) ? "true" : "1.5");
                }
                put(draft, "]=");
            }
            put_value(draft, depth - 1);
            put(draft, ",");
        }
        put(draft, "}");
    }
}

static void begin(struct draft *draft, uint64_t seed) {
    generate_init(&draft->generator, seed);
    draft->size = 0;
    put(draft, "%s", prelude);
}

static void compare(struct draft *draft) {
    put(draft, " end))");
    struct words words = {0};
    words_add_text(&words, "EVAL");
    words_add(&words, draft->text, draft->size);
    words_add_text(&words, "0");
    pair_ask_words(pair, COMPARE_EXACT, &words);
    words_clear(&words);
}

static void compare_line(const char *line) {
    static struct draft draft;
    begin(&draft, 1);
    put(&draft, "%s", line);
    compare(&draft);
}

/* Scripts that some function makes up. */
static void compare_many(void (*make)(struct draft *draft), unsigned calls) {
    static struct draft draft;
    for (unsigned i = 0; i < calls; i++) {
        begin(&draft, 1000 + i);
        make(&draft);
        compare(&draft);
    }
}

/* ---- bit ---- */

static void make_bit(struct draft *draft) {
    static const char *const functions[] = {"tobit",  "tohex",  "bnot",    "band", "bor", "bxor",
                                            "lshift", "rshift", "arshift", "rol",  "ror", "bswap"};
    put(draft, "return bit.%s(", ONE_OF(draft, functions));
    for (unsigned i = 0, count = below(draft, 10) == 0 ? below(draft, 5) : 2; i < count; i++) {
        put(draft, i == 0 ? "" : ",");
        if (chance(draft, 3)) {
            put_string(draft);
        } else {
            put_number(draft);
        }
    }
    put(draft, ")");
}

static void bits(void **state) {
    (void)state;
    pair_connect(pair, 2);
    compare_many(make_bit, CALLS);
}

/* ---- struct ---- */

static void put_format(struct draft *draft) {
    static const char *const options[] = {"b",  "B",  "h",  "H",   "i",  "I",  "l",  "L",   "T",
                                          "f",  "d",  "s",  "x",   "c",  "c0", "c3", "i1",  "i3",
                                          "i5", "i8", "i9", "i16", "I2", "I7", "I8", "I12", "i32",
                                          "<",  ">",  "!",  "!1",  "!2", "!4", "!8", "!16", " "};
    static const char *const odd[] = {"!3", "!0", "i33", "i0", "c2147483648", "I99999999999",
                                      "z",  "9",  "-",   "=",  "!2147483648", "c2147483647"};
    put(draft, "'");
    for (unsigned i = 1 + below(draft, 6); i > 0; i--) {
        put(draft, "%s", chance(draft, 3) ? ONE_OF(draft, odd) : ONE_OF(draft, options));
    }
    put(draft, "'");
}

static void make_struct(struct draft *draft) {
    unsigned kind = below(draft, 10);
    if (kind == 0) {
        put(draft, "return struct.size(");
        put_format(draft);
        put(draft, ")");
        return;
    }
    if (kind < 6) {
        put(draft, "return struct.pack(");
        put_format(draft);
        for (unsigned i = below(draft, 7); i > 0; i--) {
            put(draft, ",");
            if (chance(draft, 80)) {
                put_number(draft);
            } else {
                put_string(draft);
            }
        }
        put(draft, ")");
        return;
    }
    char bytes[40];
    size_t size = below(draft, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(chance(draft, 50) ? below(draft, 6) : below(draft, 256));
    }
    put(draft, "return struct.unpack(");
    put_format(draft);
    put(draft, ",");
    put_bytes(draft, bytes, size);
    if (chance(draft, 20)) {
        put(draft, ",%d", (int)below(draft, 12) - 2);
    }
    put(draft, ")");
}

static void structures(void **state) {
    (void)state;
    pair_connect(pair, 2);
    compare_many(make_struct, 2 * CALLS);
}

/* ---- cmsgpack ---- */

static void put_packed(struct draft *draft) {
    static const unsigned char types[] = {
        0x00, 0x7f, 0x80, 0x81, 0x82, 0x90, 0x91, 0x92, 0x93, 0xa0, 0xa1, 0xa3, 0xbf,
        0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc7, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0,
        0xd1, 0xd2, 0xd3, 0xd4, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff};
    char bytes[60];
    size_t size = below(draft, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(chance(draft, 40) ? ONE_OF(draft, types) : below(draft, 4));
    }
    put_bytes(draft, bytes, size);
}

static void make_cmsgpack(struct draft *draft) {
    unsigned kind = below(draft, 10);
    if (kind < 4) {
        put(draft, "return cmsgpack.pack(");
        for (unsigned i = 0, count = chance(draft, 80) ? 1 : below(draft, 4); i < count; i++) {
            put(draft, i == 0 ? "" : ",");
            put_value(draft, 4);
        }
        put(draft, ")");
    } else if (kind < 6) {
        put(draft, "return cmsgpack.unpack(cmsgpack.pack(");
        put_value(draft, 4);
        put(draft, "))");
    } else if (kind < 9) {
        put(draft, "return cmsgpack.unpack(");
        put_packed(draft);
        put(draft, ")");
    } else if (chance(draft, 50)) {
        put(draft, "return cmsgpack.unpack_one(");
        put_packed(draft);
        put(draft, ",%d)", (int)below(draft, 12) - 2);
    } else {
        put(draft, "return cmsgpack.unpack_limit(");
        put_packed(draft);
        put(draft, ",%d,%d)", (int)below(draft, 6) - 1, (int)below(draft, 12) - 2);
    }
}

static void message_pack(void **state) {
    (void)state;
    pair_connect(pair, 2);
    compare_many(make_cmsgpack, 2 * CALLS);
}

/* ---- cjson ---- */

static void put_json(struct draft *draft, char *to, size_t *size, size_t room, unsigned depth) {
    static const char *const plain[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "-0",
                                        "1",
                                        "-12",
                                        "1.5",
                                        "1e5",
                                        "-1.5E-3",
                                        "\"\"",
                                        "\"a\"",
                                        "\"\\u00e9\\ud83d\\ude00\"",
                                        "\"\\n\\/\\\\\\\"\"",
                                        "12345678901234567890",
                                        "[]",
                                        "{}",
                                        "\"\\u0000\"",
                                        "1e999",
                                        "\"\xc3\xa4\""};
    static const char *const odd[] = {
        "nan", "inf",    "-Infinity", "NaN",         "0x1F",      "01",  "+1",          "-",
        ".5",  "1.",     "\"\\q\"",   "\"\\ud800\"", "\"\\u12\"", "tru", "nul",         "'a'",
        "\"",  "\x01",   "//",        "-nan",        "1e",        "0x",  "\"\\udc00\"", "TRUE",
        "\\",  "nan(1)", "infinit",   "-inf",        "--1",       "+-1", "+nan"};
    char piece[80];
    if (depth == 0 || chance(draft, 40)) {
        snprintf(piece, sizeof piece, "%s",
                 chance(draft, 6) ? ONE_OF(draft, odd) : ONE_OF(draft, plain));
        size_t length = strlen(piece);
        if (*size + length < room) {
            memcpy(to + *size, piece, length);
            *size += length;
        }
        return;
    }
    bool object = chance(draft, 50);
    unsigned count = below(draft, 4);
    const char *blank = chance(draft, 20) ? " \t\r\n" : "";
    for (unsigned i = 0; i <= count; i++) {
        snprintf(piece, sizeof piece, "%s%s",
                 i == 0      ? (object ? "{" : "[")
                 : i < count ? ","
                             : "",
                 blank);
        if (object && i < count) {
            size_t length = strlen(piece);
            snprintf(piece + length, sizeof piece - length, "\"k%u\":", below(draft, 5));
        }
        size_t length = strlen(piece);
        if (*size + length + 2 < room) {
            memcpy(to + *size, piece, length);
            *size += length;
            if (i < count) {
                put_json(draft, to, size, room - 2, depth - 1);
            }
        }
    }
    to[(*size)++] = object ? '}' : ']';
}

static void put_json_text(struct draft *draft) {
    char text[900];
    size_t size = 0;
    put_json(draft, text, &size, sizeof text - 64, 4);
    while (chance(draft, 30) && size > 0) { /* something goes wrong */
        static const char marks[] = "{}[],:\"\\ 0a\n\0";
        size_t at = below(draft, (unsigned)size);
        if (chance(draft, 40)) {
            memmove(text + at, text + at + 1, size - at - 1);
            size--;
        } else {
            text[at] = marks[below(draft, sizeof marks)];
        }
    }
    put_bytes(draft, text, size);
}

static void make_cjson(struct draft *draft) {
    static const char *const settings[] = {"j.encode_sparse_array(true)",
                                           "j.encode_sparse_array(false,3,5)",
                                           "j.encode_sparse_array(true,1,0)",
                                           "j.encode_max_depth(2)",
                                           "j.decode_max_depth(3)",
                                           "j.encode_number_precision(3)",
                                           "j.encode_keep_buffer(false)",
                                           "j.encode_invalid_numbers(true)",
                                           "j.encode_invalid_numbers('null')",
                                           "j.decode_invalid_numbers(false)",
                                           "j.encode_max_depth(0)",
                                           "j.encode_sparse_array(0)",
                                           "j.encode_number_precision(15)",
                                           "j.decode_max_depth('x')"};
    put(draft, "local j = cjson.new(); ");
    for (unsigned i = chance(draft, 40) ? 1 + below(draft, 2) : 0; i > 0; i--) {
        put(draft, "%s; ", ONE_OF(draft, settings));
    }
    unsigned kind = below(draft, 10);
    if (kind < 4) {
        put(draft, "return j.encode(");
        put_value(draft, 4);
        put(draft, ")");
    } else if (kind < 9) {
        put(draft, "return j.decode(");
        put_json_text(draft);
        put(draft, ")");
    } else {
        put(draft, "return j.encode(j.decode(");
        put_json_text(draft);
        put(draft, "))");
    }
}

static void json(void **state) {
    (void)state;
    pair_connect(pair, 2);
    compare_many(make_cjson, 3 * CALLS);
}

/* ---- patterns ---- */

static void put_pattern(struct draft *draft) {
    static const char *const items[] = {"a",     "b",      ".",     "%a",   "%d",   "%s",   "%w",
                                        "%u",    "%z",     "%p",    "%x",   "%D",   "%.",   "[ab]",
                                        "[^a]",  "[a-c]",  "[%d_]", "[]a]", "[^]]", "[a-]", "%bab",
                                        "%b()",  "%f[%a]", "(",     ")",    "()",   "(a)",  "(.-)",
                                        "(%w+)", "%1",     "%2",    "^",    "$",    "1",    " "};
    static const char *const odd[] = {"%",  "[",   "[a", "[^", "%b", "%ba",
                                      "%f", "%f[", "[%", "%0", "%9", "\\0"};
    static const char *const quantifiers[] = {"", "", "", "*", "+", "-", "?"};
    put(draft, "'%s", chance(draft, 15) ? "^" : "");
    for (unsigned i = below(draft, 6); i > 0; i--) {
        put(draft, "%s%s", chance(draft, 3) ? ONE_OF(draft, odd) : ONE_OF(draft, items),
            ONE_OF(draft, quantifiers));
    }
    put(draft, "%s'", chance(draft, 15) ? "$" : "");
}

static void put_subject(struct draft *draft) {
    static const char letters[] = "aaabbbcA1 _().-";
    put(draft, "'");
    for (unsigned i = below(draft, 14); i > 0; i--) {
        if (chance(draft, 3)) {
            put(draft, "\\000");
        } else {
            put(draft, "%c", letters[below(draft, sizeof letters - 1)]);
        }
    }
    put(draft, "'");
}

static void make_pattern(struct draft *draft) {
    static const char *const replacements[] = {"'x'",
                                               "''",
                                               "'<%0>'",
                                               "'%1'",
                                               "'%2%1'",
                                               "'%%'",
                                               "'%'",
                                               "'%a'",
                                               "5",
                                               "{a='1',b=false,ab={}}",
                                               "function(a, b) return b end",
                                               "function() return {} end",
                                               "function() return 7 end",
                                               "function() end",
                                               "nil",
                                               "'%9'"};
    unsigned kind = below(draft, 10);
    put(draft, "local s, p = ");
    put_subject(draft);
    put(draft, ", ");
    put_pattern(draft);
    if (kind < 3) {
        put(draft, "; return string.find(s, p");
    } else if (kind < 5) {
        put(draft, "; return string.match(s, p");
    } else if (kind < 8) {
        put(draft, "; return string.gsub(s, p, %s", ONE_OF(draft, replacements));
    } else {
        put(draft, "; local r = {}; for a, b in string.gmatch(s, p) do r[#r + 1] = a;"
                   " r[#r + 1] = b end; return r, #r");
        return;
    }
    if (chance(draft, 25)) {
        put(draft, ", %d", (int)below(draft, 20) - 6);
    }
    put(draft, kind < 3 && chance(draft, 10) ? ", true)" : ")");
}

static void patterns(void **state) {
    (void)state;
    pair_connect(pair, 2);
    compare_many(make_pattern, 4 * CALLS);
}

/* ---- one by one ---- */

static void edges(void **state) {
    (void)state;
    pair_connect(pair, 2);
    for (size_t i = 0; library_line(i) != NULL; i++) {
        compare_line(library_line(i));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges),        cmocka_unit_test(bits), cmocka_unit_test(structures),
        cmocka_unit_test(message_pack), cmocka_unit_test(json), cmocka_unit_test(patterns),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests_name("libraries of scripts beside the reference", tests, start,
                                       NULL);
}
