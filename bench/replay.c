/* replay: what a cache would have missed. Reads ids from standard input, one a line, and asks a
 * server for each as an application would: GET, and on a miss SET. One request at a time, for the
 * next one's fate may depend on the last one's. Prints `requests N misses N errors N`.
 *
 *     replay -s SOCKET | -p PORT [-d VALUE-BYTES]
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

#define VALUE_MAX 65536
#define ROOM      (VALUE_MAX + 512)

static char request[ROOM];
static char answer[ROOM];
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

/* How long the whole answer will be, once that can be told from its first `size` bytes; 0
 * before. */
static size_t answer_size(size_t size) {
    const char *end = memchr(answer, '\n', size);
    if (end == NULL) {
        return 0;
    }
    size_t line = (size_t)(end - answer) + 1;
    return answer[0] == '$' && answer[1] != '-' ? line + strtoul(answer + 1, NULL, 10) + 2 : line;
}

/* Sends the request and reads its answer into `answer`. */
static void ask(int fd, size_t request_size) {
    if (write(fd, request, request_size) != (ssize_t)request_size) {
        fail("write");
    }
    size_t size = 0;
    size_t whole = 0;
    while (whole == 0 || size < whole) {
        ssize_t got = read(fd, answer + size, sizeof answer - size);
        if (got <= 0) {
            fail("read");
        }
        size += (size_t)got;
        whole = answer_size(size);
    }
}

int main(int argc, char **argv) {
    const char *path = NULL;
    int port = 6379;
    long value_size = 200;
    int option;
    while ((option = getopt(argc, argv, "s:p:d:")) != -1) {
        if (option == 's') {
            path = optarg;
        } else if (option == 'p') {
            port = atoi(optarg);
        } else if (option == 'd') {
            value_size = atol(optarg);
        } else {
            return 1;
        }
    }
    if (value_size < 0 || value_size > VALUE_MAX) {
        fprintf(stderr, "replay: values have 0 to %d bytes\n", VALUE_MAX);
        return 1;
    }
    int fd = path != NULL ? connect_unix(path) : connect_tcp(port);
    memset(value, 'v', sizeof value);
    long requests = 0;
    long misses = 0;
    long errors = 0;
    char line[128];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        char key[160];
        int key_size = snprintf(key, sizeof key, "trace:%s", line);
        int size =
            snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", key_size, key);
        ask(fd, (size_t)size);
        requests++;
        errors += answer[0] == '-';
        if (answer[0] == '$' && answer[1] != '-') {
            continue;
        }
        misses++;
        size = snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%ld\r\n%.*s\r\n",
                        key_size, key, value_size, (int)value_size, value);
        ask(fd, (size_t)size);
        errors += answer[0] == '-';
    }
    close(fd);
    printf("requests %ld misses %ld errors %ld\n", requests, misses, errors);
    return 0;
}
