/* Tests of base/crash: children that die of every signal, in every thread, with a broken heap, a
 * full stack, or a report that crashes itself; what they leave in the log, and how they end. */
#include "base/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crash_int.h"
#include "base/log.h"

static char path[64];

/* Runs in a child, which logs into the file. Its wait status; *report gets the log, to be freed. */
static int run(void (*act)(void), char **report) {
    snprintf(path, sizeof path, "/tmp/larder-crash-%d", (int)getpid());
    unlink(path);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (freopen("/dev/null", "w", stderr) == NULL || log_open(path, LOG_NOTHING) != 0) {
            _exit(100);
        }
        crash_start("1.2.3");
        act();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    *report = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        assert_true(fread(*report, 1, 65535, file) < 65535);
        fclose(file);
    }
    unlink(path);
    return status;
}

static void expect(const char *report, const char *words) {
    if (strstr(report, words) == NULL) {
        fail_msg("`%s` is missing in:\n%s", words, report);
    }
}

static void expect_death(int status, int number) {
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

/* Ways to die. */

static volatile char *nowhere;

static __attribute__((noinline)) void touch_nothing(void) {
    *nowhere = 1;
}

static void touch(void) {
    nowhere = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch_nothing();
    *nowhere = 2; /* so that the call above is none that jumps */
}

static void fail_a_check(void) {
    check(path[0] == 'x');
}

static volatile int depth_max = 1 << 30;

static __attribute__((noinline)) int recurse(int depth) {
    volatile char room[1024];
    room[0] = (char)depth;
    return depth < depth_max ? recurse(depth + 1) + room[0] : 0;
}

static void overflow(void) {
    (void)recurse(0);
}

static void *thread_overflow(void *context) {
    crash_thread_start();
    overflow();
    return context;
}

static void *thread_touch(void *context) {
    crash_thread_start();
    pthread_setname_np(pthread_self(), "other");
    touch();
    return context;
}

static void begin(void *(*act)(void *)) {
    /* As the server begins its threads: with every signal blocked. */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, act, NULL);
    pthread_join(thread, NULL);
}

static void touch_in_thread(void) {
    begin(thread_touch);
}

static void overflow_in_thread(void) {
    begin(thread_overflow);
}

static void touch_in_silence(void) {
    crash_enable(false);
    touch();
}

/* What others report. */

static void report_well(void *context) {
    crash_print(context);
    crash_print(" ");
    crash_print_number(INT64_MIN);
    crash_print(" ");
    crash_print_hex(0);
    crash_print(" ");
    crash_print_hex(UINT64_MAX);
    crash_print(" ");
    crash_print_quoted(bytes_of("a\n\"\0", 4), 10);
    crash_print_quoted(bytes_text("abcdef"), 3);
    crash_print("\n");
}

static void report_badly(void *context) {
    (void)context;
    touch();
}

static void touch_with_reports(void) {
    static char first[] = "first";
    static char third[] = "third";
    crash_on_report(report_well, first);
    crash_on_report(report_badly, NULL);
    crash_on_report(report_well, third);
    touch();
}

/* The tests. */

static void test_a_report(void **state) {
    (void)state;
    char *report;
    expect_death(run(touch, &report), SIGSEGV);
    expect(report, "Larder 1.2.3, process ");
    expect(report, "signal: 11 (SIGSEGV), code 2, address 0x");
    expect(report, "registers:\n");
    expect(report, " touch_nothing+0x"); /* a static function's name */
    expect(report, " touch+0x");
    expect(report, " main+0x");
    expect(report, "=== LARDER CRASH REPORT: end ===\n");
    assert_null(strstr(report, "failed check"));
    free(report);
}

static void test_a_failed_check(void **state) {
    (void)state;
    char *report;
    expect_death(run(fail_a_check, &report), SIGABRT);
    expect(report, "(SIGABRT)");
    expect(report, "failed check: path[0] == 'x' (");
    expect(report, "test_crash.c:");
    expect(report, " fail_a_check+0x");
    free(report);
}

static int number_to_raise;

static void raise_it(void) {
    raise(number_to_raise);
}

static void raise_signal(int number, const char *name) {
    char *report;
    number_to_raise = number;
    expect_death(run(raise_it, &report), number);
    expect(report, name);
    expect(report, "sent by process ");
    free(report);
}

static void test_every_signal(void **state) {
    (void)state;
    raise_signal(SIGSEGV, "(SIGSEGV)");
    raise_signal(SIGBUS, "(SIGBUS)");
    raise_signal(SIGFPE, "(SIGFPE)");
    raise_signal(SIGILL, "(SIGILL)");
    raise_signal(SIGABRT, "(SIGABRT)");
}

static void test_any_thread(void **state) {
    (void)state;
    char *report;
    expect_death(run(touch_in_thread, &report), SIGSEGV);
    expect(report, "(other)");
    expect(report, " thread_touch+0x");
    free(report);
}

/* Where no room is left on the first stack there is a second one. */
static void test_a_full_stack(void **state) {
    (void)state;
    char *report;
    expect_death(run(overflow, &report), SIGSEGV);
    expect(report, " recurse+0x");
    free(report);
    expect_death(run(overflow_in_thread, &report), SIGSEGV);
    expect(report, " recurse+0x");
    free(report);
}

static void test_a_report_that_crashes_goes_on(void **state) {
    (void)state;
    char *report;
    expect_death(run(touch_with_reports, &report), SIGSEGV);
    expect(report,
           "first -9223372036854775808 0x0 0xffffffffffffffff \"a\\x0a\\x22\\x00\"\"abc\"...\n");
    expect(report, "(this part of the report crashed)\n");
    expect(report, "third -9");
    expect(report, "REPORT: end ===\n");
    free(report);
}

static void test_reports_can_be_turned_off(void **state) {
    (void)state;
    char *report;
    expect_death(run(touch_in_silence, &report), SIGSEGV);
    assert_string_equal(report, "");
    free(report);
}

/* In place of all the others: a sanitizer reports. */
static void test_somebody_else_reports(void **state) {
    (void)state;
    assert_false(crash_is_available());
    skip();
}

int main(void) {
    if (!crash_is_available()) {
        const struct CMUnitTest none[] = {cmocka_unit_test(test_somebody_else_reports)};
        return cmocka_run_group_tests(none, NULL, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report),
        cmocka_unit_test(test_a_failed_check),
        cmocka_unit_test(test_every_signal),
        cmocka_unit_test(test_any_thread),
        cmocka_unit_test(test_a_full_stack),
        cmocka_unit_test(test_a_report_that_crashes_goes_on),
        cmocka_unit_test(test_reports_can_be_turned_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
