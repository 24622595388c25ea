/* harness: server processes for tests. Kept apart from the sockets (wire.c) and from the client
 * library (client.c), so that each can be read alone. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX   16
#define ARGUMENTS_MAX 128
/* A port may be taken between our look and the server's; then another one is tried. */
#define STARTS_MAX  8
#define OUTPUT_NAME "output.log"
#define CONFIG_NAME "larder.conf"

struct server {
    pid_t pid; /* 0 when it has been reaped */
    int port;
    int status; /* of waitpid, once it has been reaped */
    char folder[256];
};

/* What must be killed and removed when the program ends in whatever way. */
static struct server *servers[SERVERS_MAX];
static bool exit_is_watched;
static void (*prepare_child)(void);
static char note[512];

int64_t harness_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void harness_breathe(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

void harness_before_server(void (*prepare)(void)) {
    prepare_child = prepare;
}

void harness_note(const char *text) {
    snprintf(note, sizeof note, "%s", text);
}

_Noreturn void harness_fail(const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (note[0] != 0) {
        print_error("at: %s\n", note);
    }
    print_error("%s\n", text);
    fail();
    abort(); /* fail() does not return, which its declaration does not say */
}

void harness_wait_for(bool (*condition)(void *context), void *context, const char *what) {
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
    while (!condition(context)) {
        if (harness_now_ms() > end) {
            harness_fail("waited in vain for: %s", what);
        }
        harness_breathe();
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void harness_remove_folder(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void forget(struct server *server) {
    for (int i = 0; i < SERVERS_MAX; i++) {
        if (servers[i] == server) {
            servers[i] = NULL;
        }
    }
    free(server);
}

static void kill_all(void) {
    for (int i = 0; i < SERVERS_MAX; i++) {
        if (servers[i] != NULL) {
            if (servers[i]->pid != 0) {
                kill(servers[i]->pid, SIGKILL);
                waitpid(servers[i]->pid, NULL, 0);
            }
            harness_remove_folder(servers[i]->folder);
        }
    }
}

static void end_on_signal(int number) {
    kill_all();
    signal(number, SIG_DFL);
    raise(number);
}

static struct server *new_server(void) {
    if (!exit_is_watched) {
        exit_is_watched = true;
        atexit(kill_all);
        signal(SIGTERM, end_on_signal);
        signal(SIGINT, end_on_signal);
        signal(SIGPIPE, SIG_IGN);
    }
    for (int i = 0; i < SERVERS_MAX; i++) {
        if (servers[i] == NULL) {
            servers[i] = calloc(1, sizeof *servers[i]);
            const char *parent = getenv("TMPDIR");
            snprintf(servers[i]->folder, sizeof servers[i]->folder, "%s/larder-test-XXXXXX",
                     parent != NULL && strlen(parent) < 200 ? parent : "/tmp");
            if (mkdtemp(servers[i]->folder) == NULL) {
                harness_fail("no folder at %s: %s", servers[i]->folder, strerror(errno));
            }
            return servers[i];
        }
    }
    harness_fail("more than %d servers", SERVERS_MAX);
}

int harness_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        harness_fail("no free port: %s", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}

static bool accepts(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

/* The child's side of a start: becomes the server. Writes only to its own output file. */
static _Noreturn void become_server(const struct server *server, pid_t parent, const char *program,
                                    char *const *arguments) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    char path[300];
    snprintf(path, sizeof path, "%s/" OUTPUT_NAME, server->folder);
    int output = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int input = open("/dev/null", O_RDONLY);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (prepare_child != NULL) {
        prepare_child();
    }
    execvp(program, arguments);
    dprintf(2, "cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
}

static void spawn(struct server *server, const char *program, const char *const *arguments) {
    pid_t parent = getpid();
    fflush(NULL);
    server->pid = fork();
    if (server->pid < 0) {
        harness_fail("fork: %s", strerror(errno));
    }
    if (server->pid == 0) {
        become_server(server, parent, program, (char *const *)(uintptr_t)arguments);
    }
}

static void write_config(const struct server *server, const char *text, char *path, size_t size) {
    snprintf(path, size, "%s/" CONFIG_NAME, server->folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) == EOF || fclose(file) != 0) {
        harness_fail("%s cannot be written", path);
    }
}

/* `config` is the text of a configuration file, or NULL. */
static void launch(struct server *server, const char *program, const char *config,
                   const char *const *common, const char *const *options) {
    char port[16];
    char path[300];
    const char *usual[] = {"--port", port, "--bind", "127.0.0.1",
                           "--save", "",   "--dir",  server->folder};
    const char *arguments[ARGUMENTS_MAX] = {program};
    int count = 1;
    if (config != NULL) {
        write_config(server, config, path, sizeof path);
        arguments[count++] = path;
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        arguments[count++] = usual[i];
    }
    for (int i = 0; common != NULL && common[i] != NULL && count < ARGUMENTS_MAX - 1; i++) {
        arguments[count++] = common[i];
    }
    for (int i = 0; options != NULL && options[i] != NULL && count < ARGUMENTS_MAX - 1; i++) {
        arguments[count++] = options[i];
    }
    server->port = harness_free_port();
    snprintf(port, sizeof port, "%d", server->port);
    spawn(server, program, arguments);
}

static bool has_ended(struct server *server) {
    if (server->pid != 0 && waitpid(server->pid, &server->status, WNOHANG) == server->pid) {
        server->pid = 0;
    }
    return server->pid == 0;
}

/* Whether it accepts; false when it has ended instead. */
static bool came_up(struct server *server) {
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
    while (!has_ended(server)) {
        if (accepts(server->port)) {
            return !has_ended(server);
        }
        if (harness_now_ms() > end) {
            char *output = server_output(server);
            harness_fail("the server accepts nobody; it wrote:\n%s", output);
        }
        harness_breathe();
    }
    return false;
}

static struct server *start(const char *program, const char *config, const char *const *common,
                            const char *const *options) {
    struct server *server = new_server();
    for (int i = 0; i < STARTS_MAX; i++) {
        launch(server, program, config, common, options);
        if (came_up(server)) {
            return server;
        }
        char *output = server_output(server);
        bool port_was_taken = strstr(output, "Address already in use") != NULL;
        if (!port_was_taken || i == STARTS_MAX - 1) {
            harness_fail("%s did not start (wait status %d); it wrote:\n%s", program,
                         server->status, output);
        }
        free(output);
        char path[300];
        snprintf(path, sizeof path, "%s/" OUTPUT_NAME, server->folder);
        unlink(path);
    }
    abort();
}

static const char *program_under_test(void) {
    const char *program = getenv("LARDER_SERVER");
    return program != NULL && *program != 0 ? program : "build/larder-server";
}

bool server_is_reference(void) {
    return strstr(program_under_test(), "redis-server") != NULL;
}

/* The words of LARDER_SERVER_OPTIONS. */
static const char *const *options_under_test(void) {
    static char text[500];
    static const char *words[ARGUMENTS_MAX];
    const char *given = getenv("LARDER_SERVER_OPTIONS");
    snprintf(text, sizeof text, "%s", given == NULL ? "" : given);
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(text, " ", &rest); word != NULL && count < ARGUMENTS_MAX - 1;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    words[count] = NULL;
    return words;
}

struct server *server_start(const char *const *options) {
    return start(program_under_test(), NULL, options_under_test(), options);
}

struct server *server_start_configured(const char *text, const char *const *options) {
    return start(program_under_test(), text, options_under_test(), options);
}

struct server *server_start_reference_configured(const char *text, const char *const *options) {
    static const char *const common[] = {"--appendonly", "no", NULL};
    return start("redis-server", text, common, options);
}

struct server *server_start_reference(const char *const *options) {
    return server_start_reference_configured(NULL, options);
}

struct server *server_start_sentinel(const char *text) {
    static const char *const common[] = {"--sentinel", NULL};
    return start("redis-server", text, common, NULL);
}

char *server_output(const struct server *server) {
    char path[300];
    snprintf(path, sizeof path, "%s/" OUTPUT_NAME, server->folder);
    size_t size = 0;
    char *text = calloc(1, 1);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        char piece[4096];
        size_t more;
        while ((more = fread(piece, 1, sizeof piece, file)) > 0) {
            text = realloc(text, size + more + 1);
            memcpy(text + size, piece, more);
            size += more;
            text[size] = 0;
        }
        fclose(file);
    }
    return text;
}

/* The place of a sanitizer's or an assertion's words in the output; NULL when there are none. */
static const char *finding(const char *output) {
    static const char *const words[] = {
        "ERROR: AddressSanitizer", "ERROR: LeakSanitizer",  "runtime error:",
        "ThreadSanitizer",         "larder: check failed:", "REDIS BUG REPORT",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *place = strstr(output, words[i]);
        if (place != NULL) {
            return place;
        }
    }
    return NULL;
}

/* Waits for the end of a process that has been told to end; kills it when it does not. */
static bool reap(struct server *server) {
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
    while (!has_ended(server)) {
        if (harness_now_ms() > end) {
            kill(server->pid, SIGKILL);
            waitpid(server->pid, &server->status, 0);
            server->pid = 0;
            return false;
        }
        harness_breathe();
    }
    return true;
}

void server_wait(struct server *server) {
    bool in_time = reap(server);
    int status = server->status;
    char *output = server_output(server);
    harness_remove_folder(server->folder);
    forget(server);
    const char *found = finding(output);
    if (found != NULL) {
        harness_fail("the server reports:\n%.3500s", found);
    }
    if (!in_time) {
        harness_fail("the server did not end when it was told to; it wrote:\n%.3500s", output);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        harness_fail("the server ended with wait status %d; it wrote:\n%.3500s", status, output);
    }
    free(output);
}

void server_stop(struct server *server) {
    if (server != NULL) {
        if (!has_ended(server)) {
            kill(server->pid, SIGTERM);
        }
        server_wait(server);
    }
}

char *server_kill(struct server *server, bool keep_folder) {
    char *folder = NULL;
    if (!has_ended(server)) {
        kill(server->pid, SIGKILL);
        reap(server);
    }
    if (keep_folder) {
        folder = strdup(server->folder);
    } else {
        harness_remove_folder(server->folder);
    }
    forget(server);
    return folder;
}

int server_end(struct server *server, char **output) {
    bool in_time = reap(server);
    int status = server->status;
    char *text = server_output(server);
    harness_remove_folder(server->folder);
    forget(server);
    if (!in_time) {
        harness_fail("the server did not end (wait status %d); it wrote:\n%.3500s", status, text);
    }
    if (output != NULL) {
        *output = text;
    } else {
        free(text);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int server_run(const char *const *options, char **output) {
    return server_run_configured(NULL, options, output);
}

int server_run_configured(const char *text, const char *const *options, char **output) {
    struct server *server = new_server();
    launch(server, program_under_test(), text, NULL, options);
    return server_end(server, output);
}

int server_run_bare(const char *const *arguments, char **output) {
    struct server *server = new_server();
    const char *all[ARGUMENTS_MAX] = {program_under_test()};
    for (int i = 0; arguments[i] != NULL && i < ARGUMENTS_MAX - 2; i++) {
        all[i + 1] = arguments[i];
    }
    spawn(server, all[0], all);
    return server_end(server, output);
}

int server_port(const struct server *server) {
    return server->port;
}

pid_t server_pid(const struct server *server) {
    return server->pid;
}

const char *server_folder(const struct server *server) {
    return server->folder;
}
