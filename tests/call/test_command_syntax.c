/* Tests of call/command_syntax: the trees of every form of the notation, and texts that are not
 * in it. */
#include "call/command_syntax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/mem.h"

static void print(struct buffer *out, const struct syntax_argument *first) {
    for (const struct syntax_argument *a = first; a != NULL; a = a->next) {
        buffer_printf(out, "%s%s:%s", a == first ? "" : " ", a->name, syntax_type_name(a->type));
        if (a->type == SYNTAX_KEY) {
            buffer_printf(out, "#%d", a->key_index);
        }
        if (a->token != NULL) {
            buffer_printf(out, "=%s", a->token);
        }
        buffer_printf(out, "%s%s%s", a->optional ? "?" : "", a->multiple ? "*" : "",
                      a->multiple_token ? "*" : "");
        int count = 0;
        for (const struct syntax_argument *child = a->children; child != NULL;
             child = child->next) {
            count++;
        }
        assert_int_equal(count, a->child_count);
        if (count > 0) {
            buffer_append_text(out, "(");
            print(out, a->children);
            buffer_append_text(out, ")");
        }
    }
}

/* Each argument as name:type#key=token, ? optional, * multiple, ** with its token, (children). */
static void expect(const char *text, const char *expected) {
    struct syntax syntax;
    if (!syntax_parse(text, &syntax)) {
        fail_msg("not in the notation: %s", text);
    }
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    print(&out, syntax.first);
    assert_string_equal(buffer_text(&out), expected);
    buffer_clear(&out);
    syntax_free(&syntax);
    assert_null(syntax.first);
}

static void test_words_and_tokens(void **state) {
    (void)state;
    expect("", "");
    expect("key", "key:key#0");
    expect("key value", "key:key#0 value:string");
    expect("source destination", "source:key#0 destination:key#1");
    expect("count  pattern unix-time-seconds score",
           "count:integer pattern:pattern unix-time-seconds:unix-time score:double");
    expect("[GET]", "get:pure-token=GET?");
    expect("[BY pattern]", "pattern:pattern=BY?");
    expect("[LIMIT offset count]", "limit:block=LIMIT?(offset:integer count:integer)");
}

static void test_choices(void **state) {
    (void)state;
    expect("[NX|XX]", "condition:oneof?(nx:pure-token=NX xx:pure-token=XX)");
    expect("<ON|OFF>", "on:oneof(on:pure-token=ON off:pure-token=OFF)");
    expect("[EX seconds|PERSIST]",
           "expiration:oneof?(seconds:integer=EX persist:pure-token=PERSIST)");
    expect("[AGGREGATE SUM|MIN]",
           "aggregate:oneof=AGGREGATE?(sum:pure-token=SUM min:pure-token=MIN)");
    expect("<host port|NO ONE>", "host:oneof(host:block(host:string port:integer) "
                                 "no:block(no:pure-token=NO one:pure-token=ONE))");
    expect(
        "[AUTH password|AUTH2 username password]",
        "password:oneof?(password:string=AUTH auth2:block=AUTH2(username:string password:string))");
    expect("<*|id>", "*:oneof(*:pure-token=* id:string)");
    expect("COUNT <a|b>", "a:oneof=COUNT(a:string b:string)");
    expect("<BYRADIUS radius <M|KM>|BYBOX width>",
           "byradius:oneof(byradius:block=BYRADIUS(radius:double unit:oneof(m:pure-token=M "
           "km:pure-token=KM)) width:double=BYBOX)");
}

static void test_repetition(void **state) {
    (void)state;
    expect("key [key ...]", "key:key#0*");
    expect("key value [key value ...]", "key:block*(key:key#0 value:string)");
    expect("[command-name [command-name ...]]", "command-name:string?*");
    expect("[GET pattern [GET pattern ...]]", "pattern:pattern=GET?**");
    expect("key FIELDS numfields field [field ...]",
           "key:key#0 fields:block=FIELDS(numfields:integer field:string*)");
    expect("CONF option [option ...] value [value ...]",
           "conf:block=CONF(option:string* value:string*)");
    expect("[A|B b [A|B b ...]]", "a:oneof?*(a:pure-token=A b:string=B)");
    expect("FIELD field [field ...]", "field:block=FIELD(field:string*)");
    expect("<[ID client-id]|[NOW]> [<[ID client-id]|[NOW]> ...]",
           "client-id:oneof*(client-id:integer=ID? now:pure-token=NOW?)");
}

static void test_what_is_not_in_the_notation(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "[",          "]",   "<",     ">",       "[a",        "<a",         "a]",
        "a|b",        "[]",  "<>",    "[a|]",    "[|a]",      "[a>",        "<a]",
        "[a|b",       "...", "a ...", "[a ...]", "a [b ...]", "[a] [b ...", "<a|b> [a|b ...]",
        "xa [a ...]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct syntax syntax;
        if (syntax_parse(wrong[i], &syntax)) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
}

/* Nesting and length have limits, and what is beyond them is refused, not overrun. */
static void test_limits(void **state) {
    (void)state;
    char text[2001];
    struct syntax syntax;
    for (size_t depth = 1; depth <= 1000; depth += 333) {
        memset(text, '[', depth);
        text[depth] = 'a';
        memset(text + depth + 1, ']', depth);
        text[depth * 2 + 1 > 2000 ? 2000 : depth * 2 + 1] = '\0';
        bool taken = syntax_parse(text, &syntax);
        assert_int_equal(taken, depth == 1);
        if (taken) {
            syntax_free(&syntax);
        }
    }
    for (size_t i = 0; i < 2000; i += 2) {
        memcpy(text + i, "a ", 2);
    }
    text[2000] = '\0';
    assert_false(syntax_parse(text, &syntax));
}

static void test_nothing_is_left_behind(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_OTHER);
    expect("key [a|b]", "key:key#0 a:oneof?(a:string b:string)");
    struct syntax syntax;
    assert_false(syntax_parse("key [a|b", &syntax));
    assert_int_equal(mem_used_by(MEM_OTHER), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_tokens), cmocka_unit_test(test_choices),
        cmocka_unit_test(test_repetition),       cmocka_unit_test(test_what_is_not_in_the_notation),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
