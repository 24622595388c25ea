/* generate: see generate.h. The shares below are chosen so that most commands find what they are
 * for: a test of errors only would pass on a server that can do nothing. */
#include "generate.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Deadlines are multiples of this many seconds away: more than the servers' clocks and the length
 * of a round can add up to. Those of the clock lie half of it beside the others. */
#define DEADLINE_STEP_S 200
#define DEADLINES       4096
#define PARTS_MAX       16
#define REPEAT_MAX      5

static const char *const wrong_words[] = {"",
                                          "abc",
                                          "-1",
                                          "0",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          " 1",
                                          "1 ",
                                          "+1",
                                          "0x10",
                                          "-1.5",
                                          "-9223372036854775809",
                                          "01",
                                          "-0",
                                          "1.5",
                                          "nan",
                                          "18446744073709551616",
                                          "9223372036854775",
                                          "EX",
                                          "NX",
                                          "XX",
                                          "GET",
                                          "COUNT",
                                          "WITHVALUES",
                                          "MATCH",
                                          "LT",
                                          "GT",
                                          "*",
                                          "KEEPTTL",
                                          "REPLACE",
                                          "noSuch",
                                          "%s%n",
                                          "\xff",
                                          "a\r\nb"};

static const char *const integers[] = {"9223372036854775807",
                                       "-9223372036854775808",
                                       "9223372036854775806",
                                       "-9223372036854775807",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "4294967296",
                                       "-4294967296",
                                       "2147483648",
                                       "99999999999999999999",
                                       "1.0",
                                       "1e2",
                                       "+5",
                                       " 5",
                                       "5 ",
                                       "007",
                                       "-0",
                                       "",
                                       "x",
                                       "0"};

static const char *const floats[] = {"3.14",
                                     "-3.14",
                                     "0.1",
                                     "1e10",
                                     "-1e10",
                                     "1e17",
                                     "1e-5",
                                     "1e-10",
                                     "1e300",
                                     "1e308",
                                     "1e400",
                                     "-1e400",
                                     "1e-400",
                                     "nan",
                                     "inf",
                                     "-inf",
                                     "+inf",
                                     "infinity",
                                     "0",
                                     "-0",
                                     "0.0",
                                     "-0.0",
                                     ".5",
                                     "5.",
                                     "1e",
                                     "1_0",
                                     "0x1p3",
                                     "0x10",
                                     " 1",
                                     "1 ",
                                     "+1.5",
                                     "1.0",
                                     "5.0e3",
                                     "2.0e2",
                                     "200",
                                     "",
                                     "x",
                                     "1e4932",
                                     "1e4931",
                                     "3.0000000000000000001",
                                     "9007199254740993",
                                     "123456789012345678901234567890",
                                     "0.00000000000000001",
                                     "1.7976931348623157e308",
                                     "17179869184.25"};

static const char *const fields[] = {"f1",   "f2", "f3",  "f4", "f5",
                                     "name", "7",  "-12", "",   "with space"};

/* Few, so that a list has most of them several times. */
static const char *const elements[] = {"a",
                                       "b",
                                       "an element",
                                       "",
                                       "7",
                                       "-129",
                                       "1000",
                                       "123456789012",
                                       "007",
                                       "of thirty-three bytes, and binary",
                                       ("of more than sixty-three bytes, which is where the length "
                                        "does not fit one byte any more")};

static const char *const patterns[] = {"*",          "s:*",    "h:?",   "?:*",         "*1*",
                                       "[sh]:[0-3]", "[^s]:*", "s:\\1", "f*",          "",
                                       "none",       "*\r\n*", "[a",    "[z-a]*",      "\\",
                                       "t:*",        "f[1-3]", "**f**", "t:0:field:?", "*name"};

static const char *const bit_types[] = {"u8",  "i8",  "u1",  "i5", "u16", "i16", "u32",
                                        "i32", "u63", "i64", "u4", "i3",  "u64", "i65",
                                        "u0",  "i0",  "x8",  "u",  "8",   "U8"};

void generate_init(struct generator *generator, uint64_t seed) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *generator = (struct generator){.state = seed,
                                    .now_ms = (int64_t)now.tv_sec * 1000,
                                    .stray = 6,
                                    .spoiled = 6,
                                    .databases = 4};
}

/* SplitMix64 (Steele, Lea, Flood): any seed is a good seed. */
uint64_t generate_number(struct generator *generator) {
    uint64_t mixed = generator->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

uint64_t generate_below(struct generator *generator, uint64_t limit) {
    return generate_number(generator) % limit;
}

bool generate_chance(struct generator *generator, unsigned percent) {
    return generate_below(generator, 100) < percent;
}

static const char *one_of(struct generator *generator, const char *const *choices, size_t count) {
    return choices[generate_below(generator, count)];
}

static __attribute__((format(printf, 2, 3))) void add_formatted(struct words *words,
                                                                const char *format, ...) {
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    words_add_text(words, text);
}

static void add_bytes(struct generator *generator, struct words *words, size_t size, bool binary) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    static const char edges[] = "\0\r\n\"\\ \xff\x80";
    char *at = malloc(size + 1);
    uint64_t bits = generate_number(generator);
    for (size_t i = 0; i < size; i++) {
        if (i % 8 == 0) {
            bits = generate_number(generator);
        }
        unsigned byte = (unsigned)(bits >> (i % 8 * 8)) & 255;
        at[i] = binary ? byte < 128 ? edges[byte % 8] : (char)byte : alphabet[byte % 26];
    }
    words_add(words, at, size);
    free(at);
}

/* Names that a careless server would cut or change. */
static bool add_odd_key(struct generator *generator, char kind, struct words *words) {
    if (generator->without_odd_keys || !generate_chance(generator, 8)) {
        return false;
    }
    char name[300];
    switch (generate_below(generator, 4)) {
    case 0:
        if (kind == 's') {
            words_add(words, "", 0);
        } else {
            words_add(words, (char[]){kind, 0, '\r', '\n', 'x'}, 5);
        }
        return true;
    case 1:
        words_add(words, (char[]){kind, 0, '\r', '\n'}, 4);
        return true;
    case 2:
        add_formatted(words, "%c: $5 \xff\"", kind);
        return true;
    default:
        memset(name, kind, sizeof name);
        words_add(words, name, sizeof name);
        return true;
    }
}

static void add_key(struct generator *generator, char kind, struct words *words) {
    static const char kinds[] = "sht";
    if (kind == 'k' || generate_chance(generator, generator->stray)) {
        kind = kinds[generate_below(generator, 3)];
        if (generate_chance(generator, 15)) {
            add_formatted(words, "none:%d", (int)generate_below(generator, 3));
            return;
        }
    }
    if (!add_odd_key(generator, kind, words)) {
        unsigned count = kind == 's'                                                ? 8
                         : kind == 'h' || kind == 'l' || kind == 'S' || kind == 'z' ? 5
                                                                                    : 2;
        add_formatted(words, "%c:%d", kind, (int)generate_below(generator, count));
    }
}

/* One of a list of texts. */
static void add_choice(struct generator *generator, char kind, struct words *words) {
    const char *text = kind == 'p'   ? one_of(generator, patterns, LENGTH(patterns))
                       : kind == 'f' ? one_of(generator, floats, LENGTH(floats))
                                     : one_of(generator, elements, LENGTH(elements));
    words_add_text(words, text);
}

static void add_integer(struct generator *generator, struct words *words) {
    if (generate_chance(generator, 25)) {
        words_add_text(words, one_of(generator, integers, LENGTH(integers)));
    } else {
        add_formatted(words, "%d", (int)generate_below(generator, 401) - 200);
    }
}

/* For fields of bits: not the least of all integers (test_compare_strings.c says why). */
static void add_bit_field_value(struct generator *generator, struct words *words) {
    if (generate_chance(generator, 70)) {
        unsigned shift = (unsigned)generate_below(generator, 60);
        int64_t value = (int64_t)(generate_number(generator) >> 4 >> shift);
        add_formatted(words, "%lld", (long long)(generate_chance(generator, 50) ? value : -value));
    } else {
        static const char *const edges[] = {"9223372036854775807",
                                            "9223372036854775806",
                                            "-1",
                                            "0",
                                            "1",
                                            "127",
                                            "-128",
                                            "128",
                                            "-129",
                                            "255",
                                            "256",
                                            "65535",
                                            "65536",
                                            "2147483648",
                                            "-2147483649",
                                            "4611686018427387904",
                                            "-4611686018427387904"};
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
    }
}

static void add_value(struct generator *generator, struct words *words) {
    unsigned choice = (unsigned)generate_below(generator, 100);
    if (choice < 25) {
        add_integer(generator, words);
    } else if (choice < 32) {
        words_add_text(words, one_of(generator, floats, LENGTH(floats)));
    } else if (choice < 37) {
        words_add(words, "", 0);
    } else if (choice < 60) {
        add_bytes(generator, words, generate_below(generator, 20), false);
    } else if (choice < 75) {
        add_bytes(generator, words, generate_below(generator, 30), true);
    } else if (choice < 90) {
        /* The limits of embedded strings and of compact hashes. */
        add_bytes(generator, words, 40 + generate_below(generator, 28), false);
    } else if (choice < 99) {
        add_bytes(generator, words, 100 + generate_below(generator, 400), true);
    } else {
        add_bytes(generator, words, 16000 + generate_below(generator, 40000), true);
    }
}

/* Around what is copied and what is sent from where it lies, and beyond a megabyte. */
static void add_big_value(struct generator *generator, struct words *words) {
    static const size_t sizes[] = {16384, 32768, 65536, 1u << 20};
    size_t size = sizes[generate_below(generator, generate_chance(generator, 20) ? 4 : 3)];
    add_bytes(generator, words, size - 20 + generate_below(generator, 40),
              generate_chance(generator, 50));
}

/* Values of a hash that stays compact are at most 64 bytes. */
static void add_small_value(struct generator *generator, struct words *words) {
    if (generate_chance(generator, 40)) {
        add_integer(generator, words);
    } else if (generate_chance(generator, 20)) {
        words_add_text(words, one_of(generator, floats, LENGTH(floats)));
    } else {
        add_bytes(generator, words, generate_below(generator, 64), generate_chance(generator, 50));
    }
}

static void add_field(struct generator *generator, struct words *words) {
    if (generate_chance(generator, 5)) {
        words_add(words, "f\0\r\n", 4);
    } else {
        words_add_text(words, one_of(generator, fields, LENGTH(fields)));
    }
}

static void add_place(struct generator *generator, struct words *words) {
    if (generate_chance(generator, 12)) {
        words_add_text(words, one_of(generator, integers, LENGTH(integers)));
    } else {
        add_formatted(words, "%d", (int)generate_below(generator, 81) - 40);
    }
}

static void add_deadline(struct generator *generator, char kind, struct words *words) {
    if (generate_chance(generator, 8)) {
        static const char *const edges[] = {
            "0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775", "x"};
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
        return;
    }
    int64_t unique = (int64_t)(generate_below(generator, 64) * DEADLINES +
                               generator->deadlines++ % DEADLINES + 1);
    int64_t seconds = unique * DEADLINE_STEP_S;
    if (kind == 'a' || kind == 'A') {
        seconds += generator->now_ms / 1000 + DEADLINE_STEP_S / 2;
    }
    bool milliseconds = kind == 'A' || kind == 'D';
    add_formatted(words, "%lld", (long long)(milliseconds ? seconds * 1000 + 123 : seconds));
}

static void add_bit_offset(struct generator *generator, struct words *words) {
    static const char *const edges[] = {"4294967296", "-1", "9223372036854775807", "x", "100003"};
    if (generate_chance(generator, 8)) {
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
    } else {
        add_formatted(words, "%d", (int)generate_below(generator, 300));
    }
}

static void add_bit_field_offset(struct generator *generator, struct words *words) {
    if (generate_chance(generator, 40)) {
        add_formatted(words, "#%d", (int)generate_below(generator, 12));
    } else if (generate_chance(generator, 4)) {
        static const char *const edges[] = {"#", "#-1", "#9223372036854775807", "#x"};
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
    } else {
        add_bit_offset(generator, words);
    }
}

static void add_write_place(struct generator *generator, struct words *words) {
    static const char *const edges[] = {"-1", "536870912", "9223372036854775807", "x", "70000"};
    if (generate_chance(generator, 10)) {
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
    } else {
        add_formatted(words, "%d", (int)generate_below(generator, 70));
    }
}

static void add_database(struct generator *generator, struct words *words) {
    static const char *const edges[] = {"16", "-1", "99999999999999999999", "x", "15"};
    if (generate_chance(generator, 8)) {
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
    } else {
        add_formatted(words, "%d", (int)generate_below(generator, generator->databases));
    }
}

/* Few enough that two sets have some in common, and now and then one that is long or binary. */
static void add_member(struct generator *generator, struct words *words) {
    unsigned choice = (unsigned)generate_below(generator, 100);
    if (choice < 50) {
        add_formatted(words, "m%d", (int)generate_below(generator, 40));
    } else if (choice < 70) {
        add_formatted(words, "member:%d", (int)generate_below(generator, 300));
    } else if (choice < 85) {
        add_formatted(words, "%d", (int)generate_below(generator, 40));
    } else if (choice < 95) {
        add_field(generator, words);
    } else {
        add_value(generator, words);
    }
}

/* Of any width; an integer set that becomes too long is one no more. */
static void add_member_integer(struct generator *generator, struct words *words) {
    static const long long bases[] = {0, -100, 32700, -40000, 2147483600, -5000000000};
    long long base = bases[generate_chance(generator, 70) ? 0 : generate_below(generator, 6)];
    add_formatted(words, "%lld", base + (long long)generate_below(generator, 120));
}

/* What templates of sets leave open; false when it is something else. */
static bool add_of_sets(struct generator *generator, char kind, struct words *words) {
    if (kind == 'S') {
        add_key(generator, kind, words);
    } else if (kind == 'M') {
        add_member(generator, words);
    } else if (kind == 'm') {
        add_member_integer(generator, words);
    } else {
        return false;
    }
    return true;
}

/* Ids go on from entry to entry, now and then in the same millisecond, so that most can be added
 * and a random one is met. */
static void add_new_id(struct generator *generator, struct words *words) {
    static const char *const edges[] = {"0-0", "0-*", "1-1", "-",    "+",
                                        "x",   "5-",  "007", " 9-3", "18446744073709551616-1"};
    unsigned choice = (unsigned)generate_below(generator, 100);
    if (choice < 3) {
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
        return;
    }
    generator->ids += choice < 80;
    if (choice < 60) {
        add_formatted(words, "%u-%d", generator->ids, choice % 3 == 0 ? 7 : 0);
    } else {
        add_formatted(words, choice < 90 ? "%u-*" : "%u", generator->ids);
    }
}

static void add_known_id(struct generator *generator, struct words *words) {
    static const char *const edges[] = {"0",
                                        "0-1",
                                        "-",
                                        "+",
                                        "x",
                                        "18446744073709551615",
                                        "18446744073709551615-18446744073709551615"};
    if (generate_chance(generator, 4)) {
        words_add_text(words, one_of(generator, edges, LENGTH(edges)));
        return;
    }
    static const char *const forms[] = {"%u-0", "%u", "%u-7", "%u-1", "%u-0"};
    uint32_t back = (uint32_t)generate_below(generator, generate_chance(generator, 70) ? 12 : 200);
    uint32_t id = back < generator->ids ? generator->ids - back : 1;
    char text[32];
    snprintf(text, sizeof text, one_of(generator, forms, LENGTH(forms)), id);
    words_add_text(words, text);
}

/* Mostly small and whole, so that some are alike, or with digits to print. */
static void add_score(struct generator *generator, char kind, struct words *words) {
    const char *open = kind == 'Q' && generate_chance(generator, 25) ? "(" : "";
    unsigned choice = (unsigned)generate_below(generator, 100);
    if (choice < 50) {
        add_formatted(words, "%s%d", open, (int)generate_below(generator, 41) - 20);
    } else if (choice < 70) {
        add_formatted(words, "%s%.*f", open, (int)generate_below(generator, 6),
                      (double)(int64_t)generate_number(generator) / 1e17);
    } else if (choice < 80) {
        uint64_t bits = generate_number(generator);
        double score;
        memcpy(&score, &bits, sizeof score);
        add_formatted(words, "%s%.17g", open, score == score ? score : 0);
    } else if (choice < 90 && kind == 'Q') {
        static const char *const ends[] = {"-inf", "+inf", "inf", "(-inf", "(+inf", "-inf"};
        words_add_text(words, one_of(generator, ends, LENGTH(ends)));
    } else {
        add_formatted(words, "%s%s", open, one_of(generator, floats, LENGTH(floats)));
    }
}

static void add_name_border(struct generator *generator, struct words *words) {
    static const char *const ends[] = {"-",  "+",  "-",    "+",  "[", "(",
                                       "[f", "(g", "[zzz", "-x", "f1"};
    if (generate_chance(generator, 40)) {
        words_add_text(words, one_of(generator, ends, LENGTH(ends)));
    } else {
        add_formatted(words, "%c%s", generate_chance(generator, 50) ? '[' : '(',
                      one_of(generator, fields, LENGTH(fields)));
    }
}

/* What is of sets, sorted sets, streams and databases; false for other letters. */
static bool add_of_others(struct generator *generator, char kind, struct words *words) {
    switch (kind) {
    case 'j':
        add_formatted(words, "j:%d", (int)generate_below(generator, 3));
        return true;
    case 'n':
        add_new_id(generator, words);
        return true;
    case 'N':
        add_known_id(generator, words);
        return true;
    case 'q':
    case 'Q':
        add_score(generator, kind, words);
        return true;
    case 'L':
        add_name_border(generator, words);
        return true;
    case 'u':
        add_database(generator, words);
        return true;
    default:
        return add_of_sets(generator, kind, words);
    }
}

static void add_random(struct generator *generator, char kind, struct words *words) {
    switch (kind) {
    case 's':
    case 'h':
    case 't':
    case 'l':
    case 'k':
    case 'z':
    case 'Z':
        add_key(generator, kind, words);
        break;
    case 'F':
        add_field(generator, words);
        break;
    case 'T':
        add_formatted(words, "field:%d", (int)generate_below(generator, 600));
        break;
    case 'v':
        add_value(generator, words);
        break;
    case 'V':
        add_small_value(generator, words);
        break;
    case 'B':
        add_big_value(generator, words);
        break;
    case 'w':
        add_bytes(generator, words, 1 + generate_below(generator, 8), false);
        break;
    case 'p':
    case 'f':
    case 'E':
        add_choice(generator, kind, words);
        break;
    case 'i':
        add_integer(generator, words);
        break;
    case 'I':
        add_bit_field_value(generator, words);
        break;
    case 'o':
        add_place(generator, words);
        break;
    case 'c':
        add_formatted(words, "%d", (int)generate_below(generator, 25) - 8);
        break;
    case 'd':
    case 'D':
    case 'a':
    case 'A':
        add_deadline(generator, kind, words);
        break;
    case 'x':
        add_bit_offset(generator, words);
        break;
    case 'e':
        words_add_text(words, generate_chance(generator, 4)    ? "2"
                              : generate_chance(generator, 50) ? "1"
                                                               : "0");
        break;
    case 'O':
        add_write_place(generator, words);
        break;
    case 'y':
        words_add_text(words,
                       bit_types[generate_below(
                           generator, generate_chance(generator, 90) ? 12 : LENGTH(bit_types))]);
        break;
    case 'Y':
        add_bit_field_offset(generator, words);
        break;
    case 'g':
        words_add_text(words, one_of(generator, wrong_words, LENGTH(wrong_words)));
        break;
    default:
        if (!add_of_others(generator, kind, words)) {
            abort(); /* a template with a letter that nobody knows */
        }
    }
}

static const char *make_sequence(struct generator *generator, const char *at, struct words *words);

/* From an opening bracket to its closing one. */
static const char *closing(const char *at) {
    int depth = 0;
    for (; *at != 0; at++) {
        depth += strchr("[({<", *at) != NULL ? 1 : strchr("])}>", *at) != NULL ? -1 : 0;
        if (depth == 0) {
            return at;
        }
    }
    abort(); /* a template with a bracket too few */
}

/* One of the alternatives between the brackets. */
static void make_choice(struct generator *generator, const char *open, struct words *words) {
    const char *parts[PARTS_MAX] = {open + 1};
    size_t count = 1;
    const char *end = closing(open);
    for (const char *at = open + 1; at < end; at++) {
        if (strchr("[({<", *at) != NULL) {
            at = closing(at);
        } else if (*at == '|' && count < PARTS_MAX) {
            parts[count++] = at + 1;
        }
    }
    make_sequence(generator, parts[generate_below(generator, count)], words);
}

static const char *make_item(struct generator *generator, const char *at, struct words *words);

/* All the items between the brackets in random order. */
static void make_shuffled(struct generator *generator, const char *open, struct words *words) {
    const char *parts[PARTS_MAX];
    size_t count = 0;
    for (const char *at = open + 1; *at != '>' && count < PARTS_MAX; at++) {
        if (*at != ' ') {
            parts[count++] = at;
            at = strchr("[({<", *at) != NULL ? closing(at) : at + strcspn(at, " >") - 1;
        }
    }
    for (size_t i = count; i > 0; i--) {
        size_t pick = (size_t)generate_below(generator, i);
        make_item(generator, parts[pick], words);
        parts[pick] = parts[i - 1];
    }
}

static void make_literal(struct generator *generator, const char *at, size_t size,
                         struct words *words) {
    char text[64];
    unsigned style = (unsigned)generate_below(generator, 8);
    size = size < sizeof text ? size : sizeof text;
    for (size_t i = 0; i < size; i++) {
        bool small = style == 0 || (style == 1 && generate_chance(generator, 50));
        text[i] = small ? (char)tolower((unsigned char)at[i]) : at[i];
    }
    words_add(words, text, size);
}

/* Makes what stands at `at`; returns what stands behind it. */
static const char *make_item(struct generator *generator, const char *at, struct words *words) {
    size_t size = strcspn(at, " |[](){}<>");
    switch (*at) {
    case ' ':
        return at + 1;
    case '%':
        add_random(generator, at[1], words);
        return at + 2;
    case '[':
        if (generate_chance(generator, 40)) {
            make_choice(generator, at, words);
        }
        return closing(at) + 1;
    case '(':
        make_choice(generator, at, words);
        return closing(at) + 1;
    case '{':
        for (uint64_t i = 1 + generate_below(generator, REPEAT_MAX); i > 0; i--) {
            make_sequence(generator, at + 1, words);
        }
        return closing(at) + 1;
    case '<':
        make_shuffled(generator, at, words);
        return closing(at) + 1;
    default:
        make_literal(generator, at, size, words);
        return at + size;
    }
}

static const char *make_sequence(struct generator *generator, const char *at, struct words *words) {
    while (*at != 0 && strchr("|])}>", *at) == NULL) {
        at = make_item(generator, at, words);
    }
    return at;
}

/* Puts a word before the one at `place`. */
static void insert(struct words *words, size_t place, const char *at, size_t size) {
    words_add(words, at, size);
    char *added = words->at[words->count - 1];
    for (size_t i = words->count - 1; i > place; i--) {
        words->at[i] = words->at[i - 1];
        words->sizes[i] = words->sizes[i - 1];
    }
    words->at[place] = added;
    words->sizes[place] = size;
}

static void leave_out(struct words *words, size_t place) {
    free(words->at[place]);
    words->count--;
    for (size_t i = place; i < words->count; i++) {
        words->at[i] = words->at[i + 1];
        words->sizes[i] = words->sizes[i + 1];
    }
}

void generate_spoil(struct generator *generator, struct words *words) {
    const char *wrong = one_of(generator, wrong_words, LENGTH(wrong_words));
    if (words_begin_with(words, "XADD") && strcmp(wrong, "*") == 0) {
        wrong = "x"; /* an id by each server's own clock would part them */
    }
    if (words->count < 2 || words->count == WORDS_COUNT_MAX) {
        words_add_text(words, wrong);
        return;
    }
    size_t place = 1 + (size_t)generate_below(generator, words->count - 1);
    switch (generate_below(generator, 5)) {
    case 0:
        leave_out(words, place);
        break;
    case 1:
        insert(words, place, words->at[place], words->sizes[place]);
        break;
    case 2:
        insert(words, place, wrong, strlen(wrong));
        break;
    case 3:
        leave_out(words, place);
        insert(words, place, wrong, strlen(wrong));
        break;
    default:
        words_add_text(words, wrong);
        break;
    }
}

void generate_command(struct generator *generator, const char *form, struct words *words) {
    words_clear(words);
    make_sequence(generator, form, words);
    if (generate_chance(generator, generator->spoiled)) {
        generate_spoil(generator, words);
    }
}
