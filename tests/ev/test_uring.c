/* Tests of ev/uring where it is refused: the loop is then epoll, and says why. Each refusal is made
 * in a child. What it does where it is allowed is in test_loop.c and test_streams.c. */
#include "ev/backend.h"
#include "ev/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child's exit status means. */
enum { FELL_BACK, NOT_MADE, OTHER_BACKEND, NO_REASON, OTHER_REASON, DOES_NOT_WORK, NO_FILTER };

static int calls;

static void on_ready(struct loop_watch *watch, unsigned ready) {
    (void)watch;
    (void)ready;
    calls++;
}

/* Asks for io_uring and expects epoll, with a reason that contains `reason`. */
static int fall_back(const char *reason) {
    const char *error = NULL;
    struct loop *loop = loop_new("io_uring", 64, &error);
    if (loop == NULL) {
        return NOT_MADE;
    }
    if (strcmp(loop_backend(loop), "epoll") != 0 || loop_receives_ahead(loop)) {
        return OTHER_BACKEND;
    }
    if (error == NULL) {
        return NO_REASON;
    }
    if (backend_uring() != NULL && strstr(error, reason) == NULL) {
        fprintf(stderr, "%s\n", error);
        return OTHER_REASON;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || write(ends[1], "x", 1) != 1) {
        return DOES_NOT_WORK;
    }
    struct loop_watch watch = {.fd = ends[0], .use = LOOP_STREAM, .on_ready = on_ready};
    if (loop_watch_add(loop, &watch, LOOP_READ) < 0) {
        return DOES_NOT_WORK;
    }
    loop_run_once(loop, 1000);
    char byte = 0;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    bool works = calls == 1 && loop_receive(loop, &watch, &piece, 1) == 1 && byte == 'x';
    loop_watch_remove(loop, &watch);
    loop_free(loop);
    return works ? FELL_BACK : DOES_NOT_WORK;
}

/* From now on io_uring_setup fails in this process with `error`. */
static bool refuse_setup(int error) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int in_child(int (*test)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(test());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_fall_back(int (*test)(void)) {
    int status = in_child(test);
    if (status == NO_FILTER) {
        skip();
    }
    assert_int_equal(status, FELL_BACK);
}

static int not_allowed(void) {
    return refuse_setup(EPERM) ? fall_back("not allowed") : NO_FILTER;
}

static int not_there(void) {
    return refuse_setup(ENOSYS) ? fall_back("has no io_uring") : NO_FILTER;
}

static int too_old(void) {
    return refuse_setup(EINVAL) ? fall_back("too old") : NO_FILTER;
}

static int no_memory(void) {
    return refuse_setup(ENOMEM) ? fall_back("memory") : NO_FILTER;
}

/* One descriptor is left, which io_uring would need as well as epoll and its eventfd. */
static int no_descriptors(void) {
    int next = dup(0);
    struct rlimit limit = {.rlim_cur = (rlim_t)next, .rlim_max = (rlim_t)next};
    close(next);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return NO_FILTER;
    }
    const char *error = NULL;
    struct loop *loop = loop_new("io_uring", 64, &error);
    return loop == NULL && error != NULL ? FELL_BACK : OTHER_BACKEND;
}

static void test_refused_by_the_container(void **state) {
    (void)state;
    expect_fall_back(not_allowed);
}

static void test_a_kernel_without(void **state) {
    (void)state;
    expect_fall_back(not_there);
}

static void test_a_kernel_too_old(void **state) {
    (void)state;
    expect_fall_back(too_old);
}

static void test_no_memory(void **state) {
    (void)state;
    expect_fall_back(no_memory);
}

static void test_no_descriptors_is_no_loop(void **state) {
    (void)state;
    expect_fall_back(no_descriptors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_by_the_container),  cmocka_unit_test(test_a_kernel_without),
        cmocka_unit_test(test_a_kernel_too_old),          cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_descriptors_is_no_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
