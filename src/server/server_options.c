/* server_options: the options of the process: how they are read, printed and put into force. */
#include "server/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "client/client.h"

static const struct option_choice log_levels[] = {
    {"debug", LOG_DEBUG},     {"verbose", LOG_VERBOSE}, {"notice", LOG_NOTICE},
    {"warning", LOG_WARNING}, {"nothing", LOG_NOTHING}, {NULL, 0},
};

static const struct option_choice gates[] = {
    {"no", SERVER_GATE_NO},
    {"yes", SERVER_GATE_YES},
    {"local", SERVER_GATE_LOCAL},
    {NULL, 0},
};

/* A value is the index of its row. */
static const struct option_choice io_backends[] = {
    {"auto", 0}, {"epoll", 1}, {"io_uring", 2}, {NULL, 0}};

const char *server_backend_name(const struct server *server) {
    return io_backends[server->options.io_backend].name;
}

/* bind */

static bool set_bind(void *module, const struct bytes *words, int count, const char **error) {
    struct server *server = module;
    return listeners_set_wanted(&server->listeners, words, count, error) &&
           listeners_set_wanted(&server->tls_listeners, words, count, error);
}

static void get_bind(void *module, struct buffer *out) {
    const struct server *server = module;
    listeners_print_wanted(&server->listeners, out);
}

static const struct option_custom bind_option = {.set = set_bind, .get = get_bind};

bool server_apply_bind(void *module, const char **error) {
    struct server *server = module;
    if (server_listen(server) != 0) {
        *error = "Failed to bind to specified addresses.";
        return false;
    }
    return true;
}

bool server_apply_port(void *module, const char **error) {
    struct server *server = module;
    if (server_listen(server) != 0) {
        *error = "Unable to listen on this port. Check server logs.";
        return false;
    }
    return true;
}

/* dir: the process's working directory is the value. */

static bool set_dir(void *module, const struct bytes *words, int count, const char **error) {
    (void)module;
    char path[PATH_MAX];
    if (count != 1 || words[0].size >= sizeof path) {
        *error = count != 1 ? "wrong number of arguments" : strerror(ENAMETOOLONG);
        return false;
    }
    memcpy(path, words[0].at, words[0].size);
    path[words[0].size] = '\0';
    if (chdir(path) != 0) {
        *error = strerror(errno);
        return false;
    }
    return true;
}

static void get_dir(void *module, struct buffer *out) {
    (void)module;
    char path[PATH_MAX];
    buffer_append_text(out, getcwd(path, sizeof path) == NULL ? "" : path);
}

static const struct option_custom dir_option = {.set = set_dir, .get = get_dir};

/* shutdown-on-sigint, shutdown-on-sigterm */

static const struct {
    const char *name;
    unsigned flag;
} shutdown_words[] = {
    {"default", 0},
    {"save", SERVER_SHUTDOWN_SAVE},
    {"nosave", SERVER_SHUTDOWN_NOSAVE},
    {"now", SERVER_SHUTDOWN_NOW},
    {"force", SERVER_SHUTDOWN_FORCE},
};
#define SHUTDOWN_WORDS (sizeof shutdown_words / sizeof shutdown_words[0])

static bool set_shutdown(unsigned *flags, const struct bytes *words, int count,
                         const char **error) {
    unsigned chosen = 0;
    for (int i = 0; i < count; i++) {
        size_t word = 0;
        while (word < SHUTDOWN_WORDS && !bytes_is(words[i], shutdown_words[word].name)) {
            word++;
        }
        if (word == SHUTDOWN_WORDS) {
            *error = "argument(s) must be one of the following: default, save, nosave, now, force";
            return false;
        }
        chosen |= shutdown_words[word].flag;
    }
    if ((chosen & SERVER_SHUTDOWN_SAVE) && (chosen & SERVER_SHUTDOWN_NOSAVE)) {
        *error = "shutdown options SAVE and NOSAVE can't be used simultaneously";
        return false;
    }
    *flags = chosen;
    return true;
}

static void get_shutdown(unsigned flags, struct buffer *out) {
    if (flags == 0) {
        buffer_append_text(out, "default");
        return;
    }
    bool first = true;
    for (size_t word = 0; word < SHUTDOWN_WORDS; word++) {
        if (shutdown_words[word].flag & flags) {
            buffer_printf(out, "%s%s", first ? "" : " ", shutdown_words[word].name);
            first = false;
        }
    }
}

static bool set_on_sigint(void *module, const struct bytes *words, int count, const char **error) {
    return set_shutdown(&((struct server *)module)->on_sigint, words, count, error);
}

static void get_on_sigint(void *module, struct buffer *out) {
    get_shutdown(((const struct server *)module)->on_sigint, out);
}

static bool set_on_sigterm(void *module, const struct bytes *words, int count, const char **error) {
    return set_shutdown(&((struct server *)module)->on_sigterm, words, count, error);
}

static void get_on_sigterm(void *module, struct buffer *out) {
    get_shutdown(((const struct server *)module)->on_sigterm, out);
}

static const struct option_custom on_sigint_option = {.set = set_on_sigint, .get = get_on_sigint};
static const struct option_custom on_sigterm_option = {.set = set_on_sigterm,
                                                       .get = get_on_sigterm};

bool server_apply_loglevel(void *module, const char **error) {
    (void)error;
    log_set_level((enum log_level)((struct server *)module)->options.loglevel);
    return true;
}

bool server_apply_crash_log(void *module, const char **error) {
    (void)error;
    crash_enable(((struct server *)module)->options.crash_log);
    return true;
}

bool server_apply_hz(void *module, const char **error) {
    (void)error;
    struct server *server = module;
    int64_t *hz = &server->options.hz;
    *hz = *hz < SERVER_HZ_MIN ? SERVER_HZ_MIN : *hz > SERVER_HZ_MAX ? SERVER_HZ_MAX : *hz;
    if (server->cron.server != NULL) {
        cron_retime(&server->cron);
    }
    return true;
}

void server_register_options(struct server *server) {
    static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct server_options, __VA_ARGS__)
        SERVER_OPTIONS(ROW)
#undef ROW
    };
    options_register(server->context.options, rows, sizeof rows / sizeof rows[0], &server->options,
                     server);
}
