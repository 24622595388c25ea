/* Tests of base/machine: limits of control groups, of both versions, from files made here. */
#include "base/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void write_file(const char *path, const char *text) {
    char command[512];
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    char *slash = strrchr(whole, '/');
    *slash = '\0';
    snprintf(command, sizeof command, "mkdir -p '%s'", whole);
    assert_int_equal(system(command), 0);
    *slash = '/';
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/test_machine.XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void test_version_2(void **state) {
    (void)state;
    size_t physical = machine_memory(root);
    assert_true(physical > 0);
    write_file("/proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(machine_memory(root), physical);
    write_file("/sys/fs/cgroup/a/b/memory.max", "max\n");
    write_file("/sys/fs/cgroup/a/memory.max", "9000000\n");
    assert_int_equal(machine_memory(root), 9000000);
    write_file("/sys/fs/cgroup/a/b/memory.max", "8000000\n");
    assert_int_equal(machine_memory(root), 8000000);
    write_file("/sys/fs/cgroup/memory.max", "7000000\n");
    assert_int_equal(machine_memory(root), 7000000);
    write_file("/proc/self/cgroup", "0::/\n");
    assert_int_equal(machine_memory(root), 7000000);
}

static void test_version_1(void **state) {
    (void)state;
    size_t physical = machine_memory(root);
    write_file("/proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/docker/1\n1:name=systemd:/y\n");
    write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(machine_memory(root), physical);
    write_file("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "5000000\n");
    assert_int_equal(machine_memory(root), 5000000);
}

static void test_nonsense(void **state) {
    (void)state;
    size_t physical = machine_memory(root);
    write_file("/proc/self/cgroup", "nonsense\n\n0:\n:::\n");
    write_file("/sys/fs/cgroup/memory.max", "-\n");
    assert_int_equal(machine_memory(root), physical);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_version_2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
