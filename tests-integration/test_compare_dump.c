/* What DUMP writes here the reference restores, and the other way round: values of every type and
 * encoding, the limits of which are set to force each. Options and errors of RESTORE. Damaged
 * payloads, which only the server under test is sent: whatever it takes is sound, so that the
 * reference takes it in turn. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare_table.h"
#include "wire.h"

#define ROUNDS           60
#define COMMANDS         60
#define RESTORES         4000
#define DAMAGES          12000
#define PAYLOADS         48
#define FOOTER_SIZE      10
#define CHECKSUM_SIZE    8
#define LATEST_OF_7_0    10
#define CRC64_POLYNOMIAL 0x95ac9329ac4bc9b5u /* of the Jones polynomial, reflected */

static struct pair *pair;
static int wires[2];

static int start(void **state) {
    (void)state;
    allow_packed_sets();
    static const char *const options[] = {"--sanitize-dump-payload", "yes",
                                          "--enable-debug-command", "yes", NULL};
    pair = pair_start(options);
    pair_connect(pair, 2);
    for (int side = 0; side < 2; side++) {
        wires[side] = wire_connect(pair_server(pair, side));
    }
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    close(wires[0]);
    close(wires[1]);
    pair_stop(pair);
}

/* ---- single commands ---- */

struct payload {
    size_t size;
    char *at;
};

static char *ask_raw(int side, const struct words *words, size_t *size) {
    wire_send_words(wires[side], (const char *const *)words->at, words->sizes, words->count);
    return wire_read_raw(wires[side], size);
}

static void expect_ok(int side, const struct words *words) {
    size_t size;
    char *raw = ask_raw(side, words, &size);
    if (strcmp(raw, "+OK\r\n") != 0) {
        char *text = words_text(words);
        harness_fail("side %d answers %.200s to %s", side, raw, text);
    }
    free(raw);
}

static struct payload dump(int side, const char *key, size_t key_size) {
    struct words words = {0};
    words_add_text(&words, "DUMP");
    words_add(&words, key, key_size);
    size_t size;
    char *raw = ask_raw(side, &words, &size);
    words_clear(&words);
    if (*raw != '$' || raw[1] == '-') {
        harness_fail("DUMP of %.*s answers %.200s", (int)key_size, key, raw);
    }
    size_t head = strcspn(raw, "\n") + 1;
    struct payload payload = {.size = size - head - 2, .at = malloc(size)};
    memcpy(payload.at, raw + head, payload.size);
    free(raw);
    return payload;
}

static void add_restore(struct words *words, const char *key, size_t key_size, const char *ttl,
                        const struct payload *payload) {
    words_add_text(words, "RESTORE");
    words_add(words, key, key_size);
    words_add_text(words, ttl);
    words_add(words, payload->at, payload->size);
    words_add_text(words, "REPLACE");
}

static void compare_state(void) {
    pair_compare_state(pair);
    pair_ask(pair, COMPARE_EXACT, "SELECT 0");
}

/* ---- values there and back ---- */

static const char *const setup[] = {
    "SET s:0 some-text-that-is-no-number",
    "RPUSH l:0 {%v}",
    "SADD n:0 %M {%M}",
    "SADD n:1 {%m}",
    "ZADD z:0 {%q %F}",
    "HSET h:0 {%F %V}",
    "XADD j:0 1-1 f1 %V f2 %V",
    "XADD j:0 %n f1 %V f2 %V",
    "XADD j:1 %n f1 %i",
    "XGROUP CREATE j:0 g1 0",
    "XGROUP CREATE j:0 g2 $",
    "XGROUP CREATE j:2 g1 0 MKSTREAM",
};

static const char *const writes[] = {
    "SET %s (%v|%i|%B|%w)",
    "SETRANGE %s %O %v",
    "APPEND %s %v",
    "PFADD %s {%w}",
    "SETBIT %s %x 1",
    "(RPUSH|LPUSH) %l {%v}",
    "(RPUSH|LPUSH) %E (%B|%i|%w)",
    "(LPOP|RPOP) %l",
    "LREM %l %c %v",
    "SADD %S {%M}",
    "SADD %S {%m}",
    "SREM %S {%M}",
    "ZADD %z {%q %F}",
    "ZADD %z %q %V",
    "ZADD %Z {%q %M}",
    "ZINCRBY %z %f %F",
    "ZREM %z %F",
    "HSET %h {%F %V}",
    "HSET %t {%T %v}",
    "HINCRBY %h %F %i",
    "HDEL %h {%F}",
    "XADD %j %n f1 %V f2 %V",
    "XADD %j %n f1 (%i|%B) f2 %w",
    "XADD %j %n {%F %v}",
    "XDEL %j {%N}",
    "XTRIM %j (MAXLEN %c|MINID %N)",
    "XREADGROUP GROUP (g1|g2) (c1|c2|%v) [COUNT %c] STREAMS %j >",
    "XACK %j (g1|g2) {%N}",
    "XCLAIM %j (g1|g2) (c1|c2|c5) 0 {%N} RETRYCOUNT %c",
    "XGROUP CREATE %j (g3|%v) (0|$|%N) [ENTRIESREAD %c]",
    "XSETID %j %n [ENTRIESADDED %c]",
    "EXPIRE %k %d",
    "DEL %k",
};

/* Words that begin with `name` and what follows up to the next comma: of time, or of how an index
 * is made. */
static void cut(char *text, const char *name) {
    char *at = text;
    while ((at = strstr(at, name)) != NULL) {
        size_t size = strlen(name);
        size += strcspn(at + size, ",]");
        size += at[size] == ',' ? 2 : 0;
        memmove(at, at + size, strlen(at + size) + 1);
    }
}

/* XINFO STREAM FULL, whose times came along with the value. */
static void compare_stream(const char *key, size_t key_size) {
    struct words words = {0};
    words_add_line(&words, "XINFO STREAM");
    words_add(&words, key, key_size);
    words_add_line(&words, "FULL COUNT 0");
    char *texts[2];
    for (int side = 0; side < 2; side++) {
        size_t size;
        char *raw = ask_raw(side, &words, &size);
        texts[side] = wire_canonical(raw, size);
        free(raw);
        cut(texts[side], "\"active-time\", ");
        cut(texts[side], "\"radix-tree-nodes\", ");
    }
    if (strncmp(texts[1], "-WRONGTYPE", 10) != 0) {
        assert_string_equal(texts[0], texts[1]);
    }
    free(texts[0]);
    free(texts[1]);
    words_clear(&words);
}

/* All keys of one side are made anew on a side. Returns how many. */
static size_t carry(int from, int to) {
    struct words words = {0};
    size_t size;
    size_t carried = 0;
    words_add_line(&words, "KEYS *");
    char *keys = ask_raw(from, &words, &size);
    words_clear(&words);
    for (size_t place = strcspn(keys, "\n") + 1; place < size; carried++) {
        size_t whole = reply_size(keys + place, size - place);
        size_t head = strcspn(keys + place, "\n") + 1;
        const char *key = keys + place + head;
        size_t key_size = whole - head - 2;
        size_t reply;
        words_add_text(&words, "PEXPIRETIME");
        words_add(&words, key, key_size);
        char *ttl = ask_raw(from, &words, &reply);
        ttl[strcspn(ttl, "\r")] = 0;
        words_clear(&words);
        struct payload payload = dump(from, key, key_size);
        add_restore(&words, key, key_size, ttl[1] == '-' ? "0" : ttl + 1, &payload);
        words_add_text(&words, "ABSTTL");
        expect_ok(to, &words);
        words_clear(&words);
        free(payload.at);
        free(ttl);
        if (from != to) {
            compare_stream(key, key_size);
        }
        place += whole;
    }
    free(keys);
    return carried;
}

static void fill(struct generator *generator, const char *const *forms, size_t form_count,
                 size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct words words = {0};
        size_t form = count == form_count ? i : (size_t)generate_below(generator, form_count);
        generate_command(generator, forms[form], &words);
        pair_ask_words(pair, COMPARE_KIND, &words);
        words_clear(&words);
    }
}

/* Limits for each third of the rounds: all compact, some, none. */
static const char *const limits[][7] = {
    {"list-max-listpack-size -2", "set-max-intset-entries 512", "zset-max-listpack-entries 128",
     "hash-max-listpack-entries 512", "stream-node-max-entries 100", "rdbcompression yes",
     "hash-max-listpack-value 64"},
    {"list-max-listpack-size 3", "set-max-intset-entries 3", "zset-max-listpack-entries 4",
     "hash-max-listpack-entries 4", "stream-node-max-entries 3", "rdbcompression no",
     "hash-max-listpack-value 10"},
    {"list-max-listpack-size 1", "set-max-intset-entries 0", "zset-max-listpack-entries 0",
     "hash-max-listpack-entries 0", "stream-node-max-entries 1", "rdbcompression yes",
     "hash-max-listpack-value 64"},
};
#define LIMITS (sizeof limits / sizeof limits[0])

static void set_limits(size_t which) {
    for (size_t i = 0; i < sizeof limits[0] / sizeof limits[0][0]; i++) {
        char line[100];
        snprintf(line, sizeof line, "CONFIG SET %s", limits[which][i]);
        pair_ask(pair, COMPARE_EXACT, line);
    }
}

static void values_travel(void **state) {
    (void)state;
    size_t carried = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct generator generator;
        generate_init(&generator, round + 1);
        generator.spoiled = 0;
        set_limits(round % LIMITS);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        fill(&generator, setup, sizeof setup / sizeof *setup, sizeof setup / sizeof *setup);
        fill(&generator, writes, sizeof writes / sizeof *writes, COMMANDS);
        /* What was written under some limits is read under others. */
        if (generate_chance(&generator, 30)) {
            set_limits((size_t)generate_below(&generator, LIMITS));
        }
        /* A value that has shrunk keeps its encoding, until it is restored. */
        carried += carry(0, 0) + carry(0, 1);
        compare_state();
        /* What was restored can be changed. */
        fill(&generator, writes, sizeof writes / sizeof *writes, COMMANDS / 2);
        carried += carry(1, 1) + carry(1, 0);
        compare_state();
    }
    set_limits(0);
    assert_true(carried > ROUNDS * 30);
}

/* ---- options and errors ---- */

/* Not with a time that remains beyond the end of all time: there the reference makes no key. */
static const char *const restores[] = {
    "RESTORE %k (0|1000000|-1|x|9223372036854775808|-9223372036854775808) PAYLOAD",
    "RESTORE %k (0|1000000) PAYLOAD REPLACE",
    "RESTORE %k (%A|1000) PAYLOAD <[REPLACE] ABSTTL>",
    "RESTORE %k (0|%A) PAYLOAD <[REPLACE] [ABSTTL] [IDLETIME (%c|0|x|-1|100)]>",
    "RESTORE %k (0|1000000) PAYLOAD <[REPLACE] [ABSTTL] [FREQ (%c|0|255|256|-1|x)]>",
    "RESTORE %k 0 PAYLOAD <[REPLACE] [IDLETIME %c] [FREQ %c] [ABSTTL] [FOO]>",
    "RESTORE %k 0 BROKEN [REPLACE]",
    "RESTORE (%k 0|%k) PAYLOAD",
    "DEL %k",
};

/* Puts a payload where the template has a word for it; BROKEN: with a footer that is not right. */
static void put_payload(struct generator *generator, struct words *words,
                        const struct payload *payload) {
    for (size_t i = 0; i < words->count; i++) {
        bool broken = words->sizes[i] == 6 && strncasecmp(words->at[i], "BROKEN", 6) == 0;
        if (!broken && (words->sizes[i] != 7 || strncasecmp(words->at[i], "PAYLOAD", 7) != 0)) {
            continue;
        }
        char *copy = malloc(payload->size);
        size_t size = payload->size;
        memcpy(copy, payload->at, size);
        if (broken && generate_chance(generator, 30)) {
            size = (size_t)generate_below(generator, size);
        } else if (broken) {
            size_t at = size - 1 - (size_t)generate_below(generator, FOOTER_SIZE);
            copy[at] = (char)(copy[at] ^ (1 << generate_below(generator, 8)));
        }
        free(words->at[i]);
        words->at[i] = copy;
        words->sizes[i] = size;
    }
}

/* What the options say of a key's use is what is known of it then, under either policy. */
static void compare_use(const struct payload *payload) {
    static const char *const policies[] = {"CONFIG SET maxmemory-policy allkeys-lru",
                                           "CONFIG SET maxmemory-policy allkeys-lfu"};
    for (int i = 0; i < 2; i++) {
        struct words words = {0};
        pair_ask(pair, COMPARE_EXACT, policies[i]);
        add_restore(&words, "used", 4, "0", payload);
        words_add_line(&words, i == 0 ? "IDLETIME 1000" : "FREQ 77");
        pair_ask_words(pair, COMPARE_EXACT, &words);
        words_clear(&words);
        pair_ask(pair, COMPARE_NEAR, i == 0 ? "OBJECT IDLETIME used" : "OBJECT FREQ used");
    }
}

static void options_and_errors(void **state) {
    (void)state;
    struct generator generator;
    generate_init(&generator, 1);
    generator.spoiled = 0;
    static const char *const policies[] = {"CONFIG SET maxmemory-policy noeviction",
                                           "CONFIG SET maxmemory-policy allkeys-lru",
                                           "CONFIG SET maxmemory-policy allkeys-lfu"};
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    fill(&generator, setup, sizeof setup / sizeof *setup, sizeof setup / sizeof *setup);
    struct payload payloads[4] = {dump(0, "s:0", 3), dump(1, "l:0", 3), dump(0, "j:0", 3),
                                  dump(1, "h:0", 3)};
    for (size_t i = 0; i < RESTORES; i++) {
        if (i % (RESTORES / 8) == 0) {
            /* What is known of a key's use does not outlive a change of the policy. */
            pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
            pair_ask(pair, COMPARE_EXACT, policies[generate_below(&generator, 3)]);
        }
        struct words words = {0};
        size_t form = (size_t)generate_below(&generator, sizeof restores / sizeof *restores);
        generate_command(&generator, restores[form], &words);
        put_payload(&generator, &words, &payloads[generate_below(&generator, 4)]);
        pair_ask_words(pair, COMPARE_EXACT, &words);
        words_clear(&words);
        if (i % 7 == 0) {
            generate_command(&generator, "PTTL %k", &words);
            pair_ask_words(pair, COMPARE_NEAR, &words);
            words_clear(&words);
            generate_command(&generator, "OBJECT (FREQ|IDLETIME) %k", &words);
            pair_ask_words(pair, COMPARE_KIND, &words);
            words_clear(&words);
        }
    }
    compare_state();
    compare_use(&payloads[0]);
    pair_ask(pair, COMPARE_EXACT, policies[0]);
    for (size_t i = 0; i < 4; i++) {
        free(payloads[i].at);
    }
}

/* ---- damage ---- */

static uint64_t checksum(const char *at, size_t size) {
    uint64_t crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint8_t)at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ CRC64_POLYNOMIAL : crc >> 1;
        }
    }
    return crc;
}

static struct payload damage(struct generator *generator, const struct payload *payload,
                             const struct payload *other) {
    struct payload damaged = {.size = payload->size, .at = malloc(payload->size + other->size)};
    memcpy(damaged.at, payload->at, payload->size);
    size_t body = payload->size - FOOTER_SIZE;
    if (generate_chance(generator, 20)) {
        /* The head of one, the tail of the other. */
        size_t head = (size_t)generate_below(generator, body + 1);
        size_t tail = (size_t)generate_below(generator, other->size - FOOTER_SIZE + 1);
        memcpy(damaged.at + head, other->at + tail, other->size - tail);
        damaged.size = head + other->size - tail;
    } else if (body > 0) {
        for (uint64_t flips = 1 + generate_below(generator, 3); flips > 0; flips--) {
            size_t at = (size_t)generate_below(
                generator, generate_chance(generator, 30) && body > 40 ? 40 : body);
            damaged.at[at] = generate_chance(generator, 50)
                                 ? (char)(damaged.at[at] ^ (1 << generate_below(generator, 8)))
                                 : (char)generate_below(generator, 256);
        }
    }
    uint64_t crc = checksum(damaged.at, damaged.size - CHECKSUM_SIZE);
    memcpy(damaged.at + damaged.size - CHECKSUM_SIZE, &crc, sizeof crc);
    return damaged;
}

/* A value that was made of a damaged payload is as good as any: the reference takes it, as far as
 * it knows the form. */
static void must_be_sound(void) {
    struct payload payload = dump(0, "x", 1);
    if ((uint8_t)payload.at[payload.size - FOOTER_SIZE] <= LATEST_OF_7_0) {
        struct words words = {0};
        add_restore(&words, "x", 1, "0", &payload);
        expect_ok(1, &words);
        words_clear(&words);
    }
    free(payload.at);
}

static void damage_is_noticed_or_harmless(void **state) {
    (void)state;
    struct generator generator;
    generate_init(&generator, 5);
    generator.spoiled = 0;
    struct payload payloads[PAYLOADS];
    for (size_t i = 0; i < PAYLOADS; i++) {
        if (i % 8 == 0) {
            set_limits(i / 8 % LIMITS);
            pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
            fill(&generator, setup, sizeof setup / sizeof *setup, sizeof setup / sizeof *setup);
        }
        static const char *const keys[] = {"s:0", "l:0", "n:0", "n:1", "z:0", "h:0", "j:0", "j:2"};
        payloads[i] = dump((int)(i / 24), keys[i % 8], 3);
    }
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    size_t taken = 0;
    for (size_t i = 0; i < DAMAGES; i++) {
        struct payload damaged = damage(&generator, &payloads[i % PAYLOADS],
                                        &payloads[generate_below(&generator, PAYLOADS)]);
        struct words words = {0};
        add_restore(&words, "x", 1, "0", &damaged);
        size_t size;
        char *raw = ask_raw(0, &words, &size);
        if (strcmp(raw, "+OK\r\n") == 0) {
            must_be_sound();
            taken++;
        } else {
            assert_string_equal(raw, "-ERR Bad data format\r\n");
        }
        free(raw);
        words_clear(&words);
        free(damaged.at);
    }
    /* Letters of a text may be any, so that some are taken. */
    assert_true(taken > DAMAGES / 100 && taken < DAMAGES);
    wire_expect_reply(wires[0], "DEBUG VALIDATE", "+OK");
    for (size_t i = 0; i < PAYLOADS; i++) {
        free(payloads[i].at);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_travel),
        cmocka_unit_test(options_and_errors),
        cmocka_unit_test(damage_is_noticed_or_harmless),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
