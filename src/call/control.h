/* control: what commands may ask of the process as a whole, filled in by main. */
#ifndef LARDER_CLIENT_CONTROL_H
#define LARDER_CLIENT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define LARDER_VERSION "0.1.0"
/* The version that clients decide by: what they may use of the protocol and the commands. */
#define LARDER_REDIS_VERSION "7.2.4"

/* Whether the file of the data is being loaded. While it is, nothing may be saved over it. */
enum control_loading {
    CONTROL_LOADING_NOT,
    CONTROL_LOADING_ALONE, /* commands without COMMAND_LOADING are refused */
    CONTROL_LOADING_SHARED /* commands are served with what is there so far */
};

/* What the server's place among others forbids: persist/replication.h. */
struct control_role {
    bool read_only; /* a replica: only its primary writes */
    bool stale;     /* a replica without a link, which must not serve what it has */
    bool lonely;    /* a primary with too few replicas to take writes */
};

/* Libraries of functions, which travel with the data. NULL all three where there is no Lua. */
struct control_libraries {
    /* The source of the next one; *at is NULL at first. False: there are no more. */
    bool (*next)(void *server, const void **at, struct bytes *source);
    /* One that was read. Another of its name gives way; what is wrong with it goes into the log. */
    void (*take)(void *server, struct bytes source);
    void (*drop_all)(void *server);
};

enum control_shutdown {
    CONTROL_SHUTDOWN_NOW = 1,   /* does not wait for clients' replies */
    CONTROL_SHUTDOWN_SAVE = 2,  /* the data is saved */
    CONTROL_SHUTDOWN_FORCE = 4, /* even if that fails */
};

/* How the server is. */
enum control_health {
    CONTROL_WELL,
    CONTROL_WARNED, /* something will have to be done */
    CONTROL_UNWELL, /* something has to be done now */
};

struct server_control {
    void *server;
    struct control_role role;
    struct control_libraries libraries;
    enum control_loading loading;
    char run_id[41];         /* 40 hexadecimal digits */
    int64_t start_ms;        /* wall time at start */
    size_t startup_bytes;    /* of memory in use when the server began to accept */
    const char *executable;  /* absolute path */
    const char *config_file; /* absolute path, "" when there is none */
    bool refuses_writes;     /* the data could not be saved, and who writes shall know */
    /* Ends the process after this pass (enum control_shutdown). False: the data cannot be saved,
     * and the server goes on. */
    bool (*shutdown)(void *server, unsigned flags);
    /* Takes a shutdown under way back; whether there was one. */
    bool (*shutdown_abort)(void *server);
    /* DEBUG RELOAD: reads the file of the data into the keyspace, while nobody is served; keys of
     * the file replace those that are there if `replaces`, otherwise they must not be there.
     * False: not all of it could be loaded, and the log says why. */
    bool (*reload)(void *server, bool replaces);
    /* CONFIG REWRITE: 0, -ENOENT when there is no file, or -errno. */
    int (*rewrite_config)(void *server);
    /* Says in words how the server is: a sentence in `text`. */
    enum control_health (*health)(void *server, char *text, size_t room);
};

#endif
