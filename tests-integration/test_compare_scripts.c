/* Scripts as the reference runs them: the same replies, byte for byte, to scripts that are made up:
 * values of all kinds within each other, calls of commands, errors at any place, both protocols;
 * and to a list of those that once were, or might be, answered otherwise.
 *
 * Left out is what is meant to differ (numbers as arguments have as few digits as they can, as from
 * Redis 7.2 on) and what an order of keys decides. */
#include "compare.h"
#include "compare_table.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define SCRIPT_SIZE 16384
#define SCRIPTS     1500

static struct pair *pair;

static int start(void **state) {
    (void)state;
    allow_packed_sets();
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

/* ---- making up ---- */

struct draft {
    struct generator generator;
    char text[SCRIPT_SIZE];
    size_t size;
};

static void put(struct draft *draft, const char *text) {
    size_t size = strlen(text);
    if (draft->size + size < SCRIPT_SIZE) {
        memcpy(draft->text + draft->size, text, size);
        draft->size += size;
        draft->text[draft->size] = '\0';
    }
}

#define PUT_ONE_OF(draft, list)                                                                    \
    put((draft), (list)[generate_below(&(draft)->generator, sizeof(list) / sizeof *(list))])

static const char *const numbers[] = {
    "0",     "1",        "-1",    "3.99", "-3.99", "2^53",   "2^53+1", "-2^53",
    "2^62",  "2^63",     "-2^63", "2^64", "1e308", "-1e308", "1/0",    "-1/0",
    "0/0",   "1e15",     "1e17",  "-0.0", "0.5",   "7",      "100",    "tonumber('12')",
    "#KEYS", "#ARGV[1]", "10/2",
};
/* How a number that is none is written depends on its sign. */
static const char *const doubles[] = {"0",   "-1",   "3.99", "2^53", "1e308",
                                      "1/0", "-1/0", "1e15", "0.1"};
static const char *const strings[] = {
    "''",
    "'text'",
    "'a\\r\\nb'",
    "'\\0\\1\\255'",
    "ARGV[1]",
    "ARGV[2]",
    "KEYS[1]",
    "KEYS[2]",
    "tostring(12)",
    "tostring(1e15)",
    "tostring(0.1)",
    "type(redis)",
    "redis.sha1hex('x')",
    "('x'):rep(20)",
    "tostring(2^53)",
    "1 .. 'x'",
    "_VERSION",
};
static const char *const others[] = {
    "nil", "true", "false", "KEYS", "ARGV", "{}", "function() end", "coroutine.create(type)",
};
static const char *const calls[] = {
    "'get', KEYS[1]",
    "'get', KEYS[2]",
    "'get', 'none'",
    "'set', KEYS[1], ARGV[1]",
    "'set', KEYS[1], 17",
    "'set', KEYS[1], 2^53",
    "'incr', KEYS[1]",
    "'incrby', KEYS[1], ARGV[2]",
    "'append', KEYS[2], 'x'",
    "'lrange', 'list', 0, -1",
    "'lrange', 'none', 0, -1",
    "'rpush', 'list', ARGV[1], 5",
    "'lpop', 'list'",
    "'lpop', 'none', 2",
    "'hgetall', 'hash'",
    "'hset', 'hash', 'f', 'v'",
    "'hget', 'hash', 'none'",
    "'hmget', 'hash', 'f', 'none', 'f'",
    "'smembers', 'set'",
    "'sadd', 'set', 'm'",
    "'sismember', 'set', 'm'",
    "'zadd', 'zset', 1.5, 'm'",
    "'zscore', 'zset', 'm'",
    "'zrange', 'zset', 0, -1, 'withscores'",
    "'zscore', 'zset', 'none'",
    "'zincrby', 'zset', 2, 'm'",
    "'mget', KEYS[1], 'none', KEYS[2]",
    "'exists', KEYS[1]",
    "'type', KEYS[1]",
    "'ttl', KEYS[1]",
    "'expire', KEYS[1], 1000",
    "'del', KEYS[1], KEYS[2]",
    "'ping'",
    "'echo', ARGV[1]",
    "'select', 1",
    "'select', 99",
    "'nosuch', 'x'",
    "'get'",
    "'get', 'list'",
    "'incr', 'list'",
    "'hgetall', KEYS[1]",
    "'multi'",
    "'subscribe', 'x'",
    "'config', 'get', 'x'",
    "'config'",
    "'object', 'nosuch'",
    "'set', KEYS[1]",
    "'set', KEYS[1], 'x', 'wrong'",
    "'setex', KEYS[1], 0, 'x'",
    "nil",
    "{}",
    "true",
    "'get', nil",
    "'get', {}",
    "'GET', KEYS[1]",
    "'xadd', 'stream', '1-1', 'a', 'b'",
    "'xrange', 'stream', '-', '+'",
    "'xlen', 'stream'",
    "'geoadd', 'geo', 1, 1, 'p'",
    "'geopos', 'geo', 'p', 'none'",
    "'dbsize'",
    "'lpos', 'list', 'x'",
    "'scan', 0, 'count', 1000, 'match', 'no*'",
};

static void value(struct draft *draft, int depth);

static void call(struct draft *draft, bool protected) {
    put(draft, protected ? "redis.pcall(" : "redis.call(");
    PUT_ONE_OF(draft, calls);
    put(draft, ")");
}

static void array(struct draft *draft, int depth) {
    put(draft, "{");
    uint64_t count = generate_below(&draft->generator, 5);
    for (uint64_t i = 0; i < count; i++) {
        value(draft, depth - 1);
        put(draft, generate_chance(&draft->generator, 90) ? ", " : "; ");
    }
    put(draft, "}");
}

/* A table that stands for something; now and then with what does not fit. */
static void special(struct draft *draft, int depth) {
    static const char *const starts[] = {
        "{err = ",
        "{ok = ",
        "{double = ",
        "{big_number = ",
        "{map = {x = ",
        "{map = {[1] = ",
        "{set = {x = ",
        "{verbatim_string = {format = 'txt', string = ",
        "{verbatim_string = {string = 'x', format = ",
        "{a = 1, [1] = ",
        "{err = 'X y', ok = ",
    };
    uint64_t which = generate_below(&draft->generator, sizeof starts / sizeof *starts);
    put(draft, starts[which]);
    if (which == 2 || (which != 4 && which != 5 && generate_chance(&draft->generator, 70))) {
        if (which == 2) {
            PUT_ONE_OF(draft, doubles);
        } else {
            PUT_ONE_OF(draft, strings);
        }
    } else {
        value(draft, depth - 1);
    }
    put(draft, which >= 4 && which <= 8 ? "}}" : "}");
}

static void value(struct draft *draft, int depth) {
    uint64_t kind = generate_below(&draft->generator, depth > 0 ? 12 : 6);
    switch (kind) {
    case 0:
    case 1:
        PUT_ONE_OF(draft, numbers);
        break;
    case 2:
    case 3:
        PUT_ONE_OF(draft, strings);
        break;
    case 4:
        PUT_ONE_OF(draft, others);
        break;
    case 5:
    case 6:
        call(draft, generate_chance(&draft->generator, 70));
        break;
    case 7:
    case 8:
    case 9:
        array(draft, depth);
        break;
    default:
        special(draft, depth);
    }
}

static void statement(struct draft *draft) {
    static const char *const simple[] = {
        "redis.setresp(3)",
        "redis.setresp(2)",
        "redis.setresp(4)",
        "KEYS[1] = 'other'",
        "local x = KEYS[9]",
        "for i = 1, 3 do redis.call('incr', 'counter') end",
        "if #ARGV > 5 then return 1 end",
        "ARGV.name = 1",
        "local function f() return 1 end f()",
        "redis.log(redis.LOG_DEBUG, 'x')",
        "redis.replicate_commands()",
        "x = 1",
        "local y = nosuch",
        "local n = nil + 1",
        "redis.set_repl(redis.REPL_ALL)",
    };
    switch (generate_below(&draft->generator, 8)) {
    case 0:
    case 1:
        PUT_ONE_OF(draft, simple);
        break;
    case 2:
    case 3:
    case 4:
        put(draft, "local v = ");
        value(draft, 2);
        break;
    case 5:
        put(draft, "local ok, v = pcall(function() return ");
        value(draft, 1);
        put(draft, " end) if not ok then return {type(v), v} end");
        break;
    case 6:
        put(draft, "if false then error('never') end");
        break;
    default:
        put(draft, "do ");
        call(draft, false);
        put(draft, " end");
    }
    put(draft, generate_chance(&draft->generator, 50) ? "\n" : " ");
}

static void ending(struct draft *draft) {
    uint64_t kind = generate_below(&draft->generator, 20);
    if (kind == 0) {
        put(draft, "error(");
        PUT_ONE_OF(draft, strings);
        put(draft, generate_chance(&draft->generator, 50) ? ", 0)" : ")");
    } else if (kind == 1) {
        put(draft, "error({err = ");
        PUT_ONE_OF(draft, strings);
        put(draft, "})");
    } else if (kind == 2) {
        put(draft, "return redis.error_reply(");
        PUT_ONE_OF(draft, strings);
        put(draft, ")");
    } else if (kind == 3) {
        put(draft, "return redis.status_reply(");
        PUT_ONE_OF(draft, strings);
        put(draft, ")");
    } else if (kind == 4) {
        put(draft, "return = 1");
    } else {
        put(draft, "return ");
        value(draft, 4);
    }
}

static void make_script(struct draft *draft) {
    static const char *const shebangs[] = {
        "#!lua\n",
        "#!lua flags=no-writes\n",
        "#!lua flags=allow-oom,no-cluster\n",
        "#!lua flags=x\n",
        "#!lua name=x\n",
        "#!python\n",
        "#!lua flags=\n",
        "#!lua flags=allow-stale,\n",
        "#!lua",
    };
    draft->size = 0;
    draft->text[0] = '\0';
    if (generate_chance(&draft->generator, 10)) {
        PUT_ONE_OF(draft, shebangs);
    }
    uint64_t count = generate_below(&draft->generator, 4);
    for (uint64_t i = 0; i < count; i++) {
        statement(draft);
    }
    ending(draft);
}

static void ask_script(const char *name, const char *script) {
    struct words words = {0};
    words_add_text(&words, name);
    words_add_text(&words, script);
    words_add_line(&words, "2 k1 k2 17 5");
    pair_ask_words(pair, COMPARE_EXACT, &words);
    words_clear(&words);
}

static void made_up(int protocol, const char *name, uint64_t seed) {
    static struct draft draft;
    pair_connect(pair, protocol);
    generate_init(&draft.generator, seed);
    for (int i = 0; i < SCRIPTS; i++) {
        if (i % 50 == 0) {
            pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
            pair_ask(pair, COMPARE_EXACT, "RPUSH list a b c");
            pair_ask(pair, COMPARE_EXACT, "HSET hash f v");
            pair_ask(pair, COMPARE_EXACT, "ZADD zset 1 m");
            pair_ask(pair, COMPARE_EXACT, "SADD set m");
        }
        make_script(&draft);
        ask_script(name, draft.text);
    }
    pair_compare_state(pair);
}

static void protocol_2(void **state) {
    (void)state;
    made_up(2, "EVAL", 1);
}

static void protocol_3(void **state) {
    (void)state;
    made_up(3, "EVAL", 2);
}

static void read_only(void **state) {
    (void)state;
    made_up(2, "EVAL_RO", 3);
}

/* ---- a list ---- */

static const char *const listed[] = {
    "",
    "-- nothing",
    "error()",
    "error('x', 2)",
    "error(true)",
    "error(5)",
    "error({err = 5})",
    "error({err = 'a\\r\\nb'})",
    "return {err = ''}",
    "return {err = '-X'}",
    "return redis.error_reply('-A b')",
    "return redis.error_reply('A b\\r\\n')",
    "return redis.error_reply()",
    "return redis.error_reply({})",
    "return redis.status_reply(1)",
    "return redis.sha1hex()",
    "return redis.sha1hex({})",
    "return redis.log(1)",
    "return redis.log('x', 'y')",
    "return redis.log(9, 'y')",
    "return redis.setresp()",
    "return redis.set_repl()",
    "return redis.set_repl(9)",
    "return redis.breakpoint()",
    "return redis.acl_check_cmd('set', 'x', '1')",
    "return redis.acl_check_cmd('nosuch')",
    "return redis.acl_check_cmd()",
    "return redis.call()",
    "return redis.call('eval', 'return 1', 0)",
    "return redis.call('script', 'exists', 'a')",
    "return redis.call('client', 'id')",
    "return redis.call('exec')",
    "return redis.call('hello')",
    "return redis.call('debug', 'sleep', 0)",
    "local ok, e = xpcall(function() return redis.call('incr', 'list') end, function(x) return "
    "x.err end) return e",
    "local ok, e = pcall(error, {err = 'A b'}) return e",
    "local ok, e = pcall(error, {a = 1}) return type(e)",
    "local c = coroutine.create(function() redis.call('incr', 'list') end) local ok, e = "
    "coroutine.resume(c) return e",
    "local c = coroutine.wrap(function() coroutine.yield(redis.call('echo', 'x')) end) return c()",
    "coroutine.yield(1)",
    "local function f() return f() + 1 end return f()",
    "local t = {} local r = t for i = 1, 5000 do t[1] = {} t = t[1] end return r",
    "return setmetatable({}, {__index = function() return 5 end})",
    "setmetatable(_G, {})",
    "rawset(_G, 'x', 1)",
    "string.x = 1",
    "redis.call = 1",
    "getmetatable('').x = 1",
    "_G.x = 1",
    "return loadstring(string.dump(function() return 1 end))",
    "return loadstring('return 1')()",
    "loadstring('x=1')()",
    "return {rawget(_G, 'redis') == redis, rawequal(1, 1)}",
    "return unpack({1, 2, 3})",
    "return select('#', 1, 2, 3)",
    "return {map = {a = {map = {b = 1}}}}",
    "return {redis.pcall('nosuch'), redis.pcall('get'), 1}",
    "redis.setresp(3) return #redis.call('mget', 'none', 'k1')",
    "redis.setresp(3) return redis.call('zscore', 'zset', 'm').double * 10",
    "redis.setresp(3) return redis.call('hgetall', 'hash').map.f",
    "redis.setresp(3) return redis.call('get', 'none') == nil",
    "return redis.call('get', 'none') == false",
    "if true then\n\n  return nosuch\nend",
    "local x = 'a' .. {}",
    "return ('x'):nosuch()",
    "return {redis.LOG_DEBUG, redis.LOG_WARNING, redis.REPL_ALL, redis.REPL_SLAVE}",
};

static void list(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        pair_ask(pair, COMPARE_EXACT, "RPUSH list a b c");
        pair_ask(pair, COMPARE_EXACT, "HSET hash f v");
        pair_ask(pair, COMPARE_EXACT, "ZADD zset 1.5 m");
        for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
            ask_script("EVAL", listed[i]);
        }
    }
}

static void arguments(void **state) {
    (void)state;
    static const char *const lines[] = {
        "EVAL x",
        "EVAL x y",
        "EVAL x -1",
        "EVAL x 1",
        "EVAL x 1.0",
        "EVAL x 0",
        "EVAL",
        "EVALSHA x 0",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db y",
        "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
        "SCRIPT LOAD",
        "SCRIPT LOAD =",
        "SCRIPT LOAD x=1",
        "SCRIPT EXISTS",
        "SCRIPT EXISTS a b",
        "EVALSHA a0b4c8fd6b3d6e5e2ad9e1b4d2b2bba5ffa8a8aa 0",
        "SCRIPT FLUSH x",
        "SCRIPT FLUSH sync",
        "SCRIPT FLUSH async x",
        "SCRIPT FLUSH ASYNC",
        "SCRIPT nosuch",
        "SCRIPT",
        "COMMAND GETKEYS EVAL x 2 a b c",
        "COMMAND GETKEYS EVAL x 0",

    };
    pair_connect(pair, 2);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pair_ask(pair, COMPARE_EXACT, lines[i]);
    }
}

/* Within a transaction a script is a command like others. */
static void transactions(void **state) {
    (void)state;
    static struct draft draft;
    pair_connect(pair, 3);
    generate_init(&draft.generator, 4);
    for (int i = 0; i < SCRIPTS / 10; i++) {
        pair_ask(pair, COMPARE_EXACT, "MULTI");
        for (int k = 0; k < 4; k++) {
            make_script(&draft);
            ask_script("EVAL", draft.text);
        }
        pair_ask(pair, COMPARE_EXACT, "EXEC");
    }
    pair_compare_state(pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list),         cmocka_unit_test(arguments), cmocka_unit_test(protocol_2),
        cmocka_unit_test(protocol_3),   cmocka_unit_test(read_only), cmocka_unit_test(transactions),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests_name("scripts beside the reference", tests, start, NULL);
}
