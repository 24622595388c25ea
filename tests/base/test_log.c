/* Tests of base/log: form of a line, levels, length, what cannot be opened. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/larder-test-log-XXXXXX";
static char content[8192];

/* Reads the whole log and empties it. */
static const char *take(void) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    content[fread(content, 1, sizeof content - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(truncate(path, 0), 0);
    return content;
}

/* The message of a line, behind its level's mark. */
static const char *message(const char *line) {
    int pid;
    int day;
    int year;
    int hours;
    int minutes;
    int seconds;
    int milliseconds;
    char month[4];
    char mark;
    int size = 0;
    assert_int_equal(sscanf(line, "%d:M %2d %3s %4d %2d:%2d:%2d.%3d %c %n", &pid, &day, month,
                            &year, &hours, &minutes, &seconds, &milliseconds, &mark, &size),
                     9);
    assert_int_equal(pid, getpid());
    assert_true(year >= 2020 && day >= 1 && day <= 31 && hours < 24 && minutes < 60);
    return line + size - 2;
}

static void test_form(void **state) {
    (void)state;
    assert_int_equal(log_open(path, LOG_DEBUG), 0);
    log_warning("disk %s: %d%%", "full", 99);
    assert_string_equal(message(take()), "# disk full: 99%\n");
    log_notice("n");
    assert_string_equal(message(take()), "* n\n");
    log_verbose("v");
    assert_string_equal(message(take()), "- v\n");
    log_debug("%s", "d");
    assert_string_equal(message(take()), ". d\n");
    log_notice("one");
    log_notice("two");
    const char *second = strchr(take(), '\n') + 1;
    assert_string_equal(message(second), "* two\n");
}

static void test_levels(void **state) {
    (void)state;
    assert_int_equal(log_open(path, LOG_NOTICE), 0);
    assert_int_equal(log_level_now(), LOG_NOTICE);
    log_verbose("hidden");
    assert_string_equal(take(), "");
    log_set_level(LOG_NOTHING);
    log_warning("hidden");
    assert_string_equal(take(), "");
    log_set_level(LOG_VERBOSE);
    log_verbose("shown");
    assert_string_equal(message(take()), "- shown\n");
    log_write(LOG_NOTHING, "hidden");
    assert_string_equal(take(), "");
}

static void test_one_message_is_one_line(void **state) {
    (void)state;
    log_warning("a\r\n1:M fake\x1b[0m\tb\x7f");
    assert_string_equal(message(take()), "# a??1:M fake?[0m\tb?\n");
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_warning("%s", text);
    size_t size = strlen(take());
    assert_true(size > 900 && size <= 1024);
    assert_int_equal(content[size - 1], '\n');
    assert_int_equal(content[size - 2], 'x');
}

static void test_keeps_errno(void **state) {
    (void)state;
    errno = EDOM;
    log_warning("x");
    assert_int_equal(errno, EDOM);
    take();
}

static void test_refuses_bad_paths(void **state) {
    (void)state;
    assert_int_equal(log_open("/no/such/folder/log", LOG_DEBUG), -ENOENT);
    char text[8192];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(log_open(text, LOG_DEBUG), -ENAMETOOLONG);
    log_warning("still here");
    assert_string_equal(message(take()), "# still here\n");
}

/* Lines appear in a new file when the old one was moved away. */
static void test_follows_rotation(void **state) {
    (void)state;
    char moved[sizeof path + 4];
    snprintf(moved, sizeof moved, "%s.old", path);
    assert_int_equal(rename(path, moved), 0);
    log_warning("fresh");
    assert_string_equal(message(take()), "# fresh\n");
    assert_int_equal(unlink(moved), 0);
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_one_message_is_one_line),
        cmocka_unit_test(test_keeps_errno),
        cmocka_unit_test(test_refuses_bad_paths),
        cmocka_unit_test(test_follows_rotation),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
