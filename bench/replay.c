/* replay: what a cache would have missed. Reads ids from standard input, one a line, and asks a
 * server for each as an application would: GET, and on a miss SET. Prints
 * `requests N misses N errors N`.
 *
 *     replay -s SOCKET | -p PORT [-d VALUE-BYTES] [-w WINDOW]
 *
 * Strictly, the next request's fate may depend on the last one's SET. So with a window of 1 there
 * is one request at a time. With a larger one, the GETs of so many requests are sent together, and
 * the SETs of those that missed go out in front of the next window's. An id that missed earlier in
 * the same window counts as a hit, since its SET would have come in between. What differs from one
 * at a time: a SET evicts up to a window later than it would have.
 *
 * It keeps to itself: no library of the server's, so that it measures either server alike. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VALUE_MAX  65536
#define WINDOW_MAX 256
#define KEY_ROOM   160
/* Room for one request, or for its answer. */
#define ROOM (VALUE_MAX + 512)

static char requests_text[2 * WINDOW_MAX * ROOM];
static size_t requests_size;
static char answers[2 * ROOM];
static size_t answers_size;
static char value[VALUE_MAX];

static int fail(const char *what) {
    perror(what);
    exit(2);
}

static int connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0
               ? fd
               : fail("connect");
}

static int connect_tcp(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* How long the first answer is, once that can be told; 0 before. */
static size_t answer_size(void) {
    const char *end = memchr(answers, '\n', answers_size);
    if (end == NULL) {
        return 0;
    }
    size_t line = (size_t)(end - answers) + 1;
    return answers[0] == '$' && answers[1] != '-' ? line + strtoul(answers + 1, NULL, 10) + 2
                                                  : line;
}

static void send_all(int fd) {
    for (size_t sent = 0; sent < requests_size;) {
        ssize_t size = write(fd, requests_text + sent, requests_size - sent);
        if (size <= 0) {
            fail("write");
        }
        sent += (size_t)size;
    }
    requests_size = 0;
}

enum answer { ANSWER_OTHER, ANSWER_VALUE, ANSWER_NOTHING, ANSWER_ERROR };

/* Takes the next answer. */
static enum answer take_answer(int fd) {
    size_t whole = answer_size();
    while (whole == 0 || answers_size < whole) {
        ssize_t got = read(fd, answers + answers_size, sizeof answers - answers_size);
        if (got <= 0) {
            fail("read");
        }
        answers_size += (size_t)got;
        whole = answer_size();
    }
    enum answer kind = ANSWER_OTHER;
    if (answers[0] == '$') {
        kind = answers[1] == '-' ? ANSWER_NOTHING : ANSWER_VALUE;
    } else if (answers[0] == '-') {
        kind = ANSWER_ERROR;
    }
    answers_size -= whole;
    memmove(answers, answers + whole, answers_size);
    return kind;
}

static void append_get(const char *key) {
    requests_size += (size_t)snprintf(requests_text + requests_size, ROOM,
                                      "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key);
}

static void append_set(const char *key, long value_size) {
    requests_size += (size_t)snprintf(requests_text + requests_size, ROOM,
                                      "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%ld\r\n%.*s\r\n",
                                      strlen(key), key, value_size, (int)value_size, value);
}

static bool is_among(char (*keys)[KEY_ROOM], int count, const char *key) {
    for (int i = 0; i < count; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

struct counts {
    long requests;
    long misses;
    long errors;
};

/* Replays what is on standard input. */
static void replay(int fd, int window, long value_size, struct counts *counts) {
    static char keys[WINDOW_MAX][KEY_ROOM];
    static char missed[WINDOW_MAX][KEY_ROOM];
    int missed_count = 0;
    int asked = 0;
    do {
        int sets = missed_count;
        for (int i = 0; i < sets; i++) {
            append_set(missed[i], value_size);
        }
        missed_count = 0;
        char line[128];
        for (asked = 0; asked < window && fgets(line, sizeof line, stdin) != NULL; asked++) {
            line[strcspn(line, "\r\n")] = '\0';
            snprintf(keys[asked], KEY_ROOM, "trace:%s", line);
            append_get(keys[asked]);
        }
        send_all(fd);
        for (int i = 0; i < sets; i++) {
            counts->errors += take_answer(fd) == ANSWER_ERROR;
        }
        for (int i = 0; i < asked; i++) {
            enum answer answer = take_answer(fd);
            counts->errors += answer == ANSWER_ERROR;
            if (answer == ANSWER_NOTHING && !is_among(missed, missed_count, keys[i])) {
                memcpy(missed[missed_count++], keys[i], KEY_ROOM);
                counts->misses++;
            }
        }
        counts->requests += asked;
    } while (asked > 0 || missed_count > 0);
}

int main(int argc, char **argv) {
    const char *path = NULL;
    int port = 6379;
    int window = 1;
    long value_size = 200;
    int option;
    while ((option = getopt(argc, argv, "s:p:d:w:")) != -1) {
        if (option == 's') {
            path = optarg;
        } else if (option == 'p') {
            port = atoi(optarg);
        } else if (option == 'd') {
            value_size = atol(optarg);
        } else if (option == 'w') {
            window = atoi(optarg);
        } else {
            return 1;
        }
    }
    if (value_size < 0 || value_size > VALUE_MAX || window < 1 || window > WINDOW_MAX) {
        fprintf(stderr, "replay: values have 0 to %d bytes, a window has 1 to %d requests\n",
                VALUE_MAX, WINDOW_MAX);
        return 1;
    }
    int fd = path != NULL ? connect_unix(path) : connect_tcp(port);
    memset(value, 'v', sizeof value);
    struct counts counts = {0};
    replay(fd, window, value_size, &counts);
    close(fd);
    printf("requests %ld misses %ld errors %ld\n", counts.requests, counts.misses, counts.errors);
    return 0;
}
