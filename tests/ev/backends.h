/* backends: runs a test program's group over each backend that there is here. */
#ifndef LARDER_EV_BACKENDS_H
#define LARDER_EV_BACKENDS_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ev/loop.h"

/* The one to make loops with. */
static const char *backend = "epoll";

static inline int run_over_backends(int (*group)(void)) {
    int failed = group();
    const char *error;
    struct loop *loop = loop_new("io_uring", 16, &error);
    if (loop != NULL && strcmp(loop_backend(loop), "io_uring") == 0) {
        backend = "io_uring";
        failed += group();
    } else {
        printf("io_uring is left out: %s\n", error);
    }
    loop_free(loop);
    return failed;
}

#endif
