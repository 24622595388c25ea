/* Tests of server/process.c: what a supervisor hears, and the file with the process's number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "server/process.h"

/* A datagram socket bound to `path`, where '@' stands for the NUL of an abstract name. */
static int supervisor(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void hears(int fd, const char *state) {
    char text[64];
    ssize_t size = recv(fd, text, sizeof text, 0);
    assert_int_equal(size, (ssize_t)strlen(state));
    assert_memory_equal(text, state, strlen(state));
}

static void a_supervisor_is_told(void **state) {
    (void)state;
    char folder[] = "/tmp/larder-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof path, "%s/notify", folder);
    int fd = supervisor(path);
    setenv("NOTIFY_SOCKET", path, 1);
    process_notify("READY=1");
    hears(fd, "READY=1");
    process_notify("STOPPING=1");
    hears(fd, "STOPPING=1");
    close(fd);
    unlink(path);
    rmdir(folder);

    char name[64];
    snprintf(name, sizeof name, "@larder-test-%d", (int)getpid());
    fd = supervisor(name);
    setenv("NOTIFY_SOCKET", name, 1);
    process_notify("READY=1");
    hears(fd, "READY=1");
    close(fd);
}

static void without_a_supervisor_nothing_happens(void **state) {
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    process_notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    process_notify("READY=1");
    setenv("NOTIFY_SOCKET", "/tmp/larder-test-nobody-listens", 1);
    process_notify("READY=1");
    char longest[300];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    process_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
}

static void the_number_is_written_and_removed(void **state) {
    (void)state;
    char path[] = "/tmp/larder-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(process_write_pidfile(path), 0);
    FILE *file = fopen(path, "r");
    int number = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &number), 1);
    fclose(file);
    assert_int_equal(number, getpid());
    process_remove_pidfile(path);
    assert_int_equal(access(path, F_OK), -1);

    /* Another process's number stays. */
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("1\n", file);
    fclose(file);
    process_remove_pidfile(path);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    assert_true(process_write_pidfile("/nowhere/at/all") < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_supervisor_is_told),
        cmocka_unit_test(without_a_supervisor_nothing_happens),
        cmocka_unit_test(the_number_is_written_and_removed),
    };
    return cmocka_run_group_tests_name("server/process", tests, NULL, NULL);
}
