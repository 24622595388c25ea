/* Libraries of functions as the reference has them: loading, with what may be wrong; calling; how
 * they are listed, dumped, restored and forgotten. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const char library[] =
    "#!lua name=lib\n"
    "redis.register_function('f1', function(keys,args) return {keys[1], args[1], #keys, #args} "
    "end)\n"
    "local n = 0\n"
    "redis.register_function{function_name='F2', callback=function(keys,args) n=n+1 return n end, "
    "flags={'no-writes','allow-stale'}, description='counts'}\n"
    "redis.register_function{function_name='err', callback=function() error('bo') end}\n"
    "redis.register_function{function_name='wr', callback=function(k) return "
    "redis.call('set',k[1],1) end}\n"
    "redis.register_function{function_name='ro', callback=function(k) return "
    "redis.call('set',k[1],1) end, flags={'no-writes'}}\n"
    "redis.register_function{function_name='glob', callback=function(k) return {type(KEYS)} end}\n"
    "redis.register_function{function_name='glob2', callback=function(k) return {type(redis.call), "
    "type(redis.register_function), type(redis.breakpoint), type(pairs), type(string.rep)} end}\n"
    "redis.register_function{function_name='setg', callback=function(k) x=1 end}\n"
    "redis.register_function{function_name='nested', callback=function(k) return redis.call('get') "
    "end}\n";

static const char *const sources[] = {
    "",
    "x",
    "#!lua",
    "#!lua\n",
    "#!lua name=a",
    "#!lua name=a\n",
    "#!lua name=a name=b\nx",
    "#!lua foo=1\nx",
    "#!foo name=a\nx",
    "#!LUA name=q1\nredis.register_function('zz',function() end)",
    "#!lua NAME=q2\nredis.register_function('zy',function() end)",
    "#!lua name=a-b\nx",
    "#!lua name=\nx",
    "#!lua name=a\nreturn 1",
    "#!lua name=a\nx=",
    "#!lua name=a\nerror('x')",
    "#!lua name=a\nredis.call('get','x')",
    "#!lua name=a\npairs({})",
    "#!lua name=a\nredis.register_function()",
    "#!lua name=a\nredis.register_function(1)",
    "#!lua name=a\nredis.register_function('a')",
    "#!lua name=a\nredis.register_function('a','b')",
    "#!lua name=a\nredis.register_function({},function() end)",
    "#!lua name=a\nredis.register_function('a b',function() end)",
    "#!lua name=a\nredis.register_function(5,function() end)",
    "#!lua name=a\nredis.register_function{}",
    "#!lua name=a\nredis.register_function{function_name='x'}",
    "#!lua name=a\nredis.register_function{function_name=5}",
    "#!lua name=a\nredis.register_function{callback=function() end}",
    "#!lua name=a\nredis.register_function{function_name='x',callback=5}",
    "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,flags=5}",
    "#!lua name=a\nredis.register_function{function_name='x',callback=function() "
    "end,flags={'bad'}}",
    "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,flags={5}}",
    "#!lua name=a\nredis.register_function{function_name='x',callback=function() "
    "end,description=5}",
    "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,foo=5}",
    "#!lua name=a\nredis.register_function{[1]='x',callback=function() end}",
    "#!lua name=a\nredis.register_function('f1',function() end)",
    "#!lua name=a\nx=1",
    "#!lua name=a\nredis.x=1",
    "#!lua name=a\nreturn redis.nosuch",
    "#!lua name=a\nwhile true do end",
    "#!lua name=a flags=no-writes\nx",
    "#!lua name=a\nredis.log(redis.LOG_DEBUG,'x') redis.register_function('okk',function() return "
    "redis.REDIS_VERSION ~= nil end)",
    "#!lua \"name=a\nx",
    "#!lua name='w1'\nredis.register_function('w1f',function() return 1 end)",
    "#!lua name=a\nlocal r=redis redis.register_function('late',function() return "
    "type(r.register_function) end)",
    "#!lua name=b2\nlocal r=redis.register_function redis.register_function('late2',function() "
    "r('x',function() end) end)",
    "#!lua name=b3\nredis.register_function{FUNCTION_NAME='up',CALLBACK=function() return 1 "
    "end,FLAGS={'NO-WRITES'}}",
    "#!lua name=b4\nredis.register_function('self',function() return redis.call('fcall','self',0) "
    "end)",
};

static void ask_with(const char *line, const char *text, size_t size) {
    struct words words = {0};
    words_add_line(&words, line);
    words_add(&words, text, size);
    pair_ask_words(pair, COMPARE_EXACT, &words);
    words_clear(&words);
}

static void load(const char *line, const char *source) {
    ask_with(line, source, strlen(source));
}

static void ask(const char *line) {
    pair_ask(pair, COMPARE_EXACT, line);
}

static void ask_each(const char *const *lines) {
    for (; *lines != NULL; lines++) {
        ask(*lines);
    }
}

static void begin(int protocol) {
    pair_connect(pair, protocol);
    ask("FUNCTION FLUSH");
    load("FUNCTION LOAD", library);
}

static void calls(void **state) {
    (void)state;
    static const char *const names[] = {"f1", "F1",   "f2",    "F2",   "err",    "wr",
                                        "ro", "glob", "glob2", "setg", "nested", "none"};
    static const char *const forms[] = {"FCALL %s 1 k a", "FCALL_RO %s 1 k a", "FCALL %s 0",
                                        "FCALL %s x",     "FCALL %s 5 a",      "FCALL %s -1",
                                        "FCALL %s"};
    char line[64];
    for (int protocol = 2; protocol <= 3; protocol++) {
        begin(protocol);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
                snprintf(line, sizeof line, forms[k], names[i]);
                ask(line);
            }
        }
    }
}

static void loading(void **state) {
    (void)state;
    static const char *const after[] = {
        "FCALL zz 0",          "FCALL okk 0",         "FCALL late 0",   "FCALL late2 0",
        "FCALL up 0",          "FCALL self 0",        "FCALL w1f 0",    "FUNCTION DELETE lib",
        "FUNCTION DELETE lib", "FCALL f1 0",          "FUNCTION STATS", "FUNCTION DELETE",
        "FUNCTION LOAD",       "FUNCTION nosuch",     "FUNCTION",       "FUNCTION KILL",
        "FUNCTION FLUSH x",    "FUNCTION FLUSH sync", "FUNCTION STATS", NULL};
    begin(2);
    load("FUNCTION LOAD", library);
    load("FUNCTION LOAD REPLACE", library);
    load("FUNCTION LOAD REPLACE x", library);
    load("FUNCTION LOAD bad", library);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        load("FUNCTION LOAD", sources[i]);
        load("FUNCTION LOAD REPLACE", sources[i]);
    }
    ask_each(after);
}

/* One function, so that their order does not matter. */
static void lists(void **state) {
    (void)state;
    static const char *const lines[] = {"FUNCTION LIST",
                                        "FUNCTION LIST WITHCODE",
                                        "FUNCTION LIST LIBRARYNAME O*",
                                        "FUNCTION LIST LIBRARYNAME x* WITHCODE",
                                        "FUNCTION LIST LIBRARYNAME",
                                        "FUNCTION LIST x",
                                        "FUNCTION LIST WITHCODE WITHCODE",
                                        "FUNCTION STATS",
                                        NULL};
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        ask("FUNCTION FLUSH");
        ask("FUNCTION LIST");
        load("FUNCTION LOAD", "#!lua name=one\nredis.register_function{function_name='o', "
                              "callback=function() return 1 end, flags={'no-writes'}, "
                              "description='about'}");
        ask_each(lines);
    }
}

/* What either server dumps both restore. */
static void dumps(void **state) {
    (void)state;
    struct words words = {0};
    char *answers[2];
    size_t sizes[2];
    words_add_line(&words, "FUNCTION DUMP");
    begin(2);
    pair_answers(pair, &words, answers, sizes);
    for (int side = 0; side < 2; side++) {
        char *payload = strchr(answers[side], '\n') + 1;
        size_t size = sizes[side] - (size_t)(payload - answers[side]) - 2;
        struct words restore = {0};
        static const char *const policies[] = {NULL, "append", "REPLACE", "flush", "x"};
        for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
            words_clear(&restore);
            words_add_line(&restore, "FUNCTION RESTORE");
            words_add(&restore, payload, size);
            if (policies[i] != NULL) {
                words_add_text(&restore, policies[i]);
            }
            pair_ask_words(pair, COMPARE_EXACT, &restore);
            ask("FCALL F1 1 a");
            ask("FCALL o1 0");
            ask("FUNCTION STATS");
        }
        words_clear(&restore);
        payload[size / 2] ^= 1;
        ask_with("FUNCTION RESTORE", payload, size);
        payload[size / 2] ^= 1;
        ask_with("FUNCTION RESTORE", payload, size - 1);
        ask("FUNCTION FLUSH");
        load("FUNCTION LOAD",
             "#!lua name=other\nredis.register_function('F1', function() return 1 end)");
        ask_with("FUNCTION RESTORE", payload, size);
        words_add_line(&restore, "FUNCTION RESTORE");
        words_add(&restore, payload, size);
        words_add_text(&restore, "replace");
        pair_ask_words(pair, COMPARE_EXACT, &restore);
        words_clear(&restore);
        ask("FUNCTION STATS");
        ask("FUNCTION FLUSH");
        ask_with("FUNCTION RESTORE", payload, size);
        free(answers[side]);
    }
    words_clear(&words);
    ask("FUNCTION RESTORE x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls), cmocka_unit_test(loading),      cmocka_unit_test(lists),
        cmocka_unit_test(dumps), cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests_name("functions beside the reference", tests, start, NULL);
}
