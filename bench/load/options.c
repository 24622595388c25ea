/* options: reading and checking them. */
#include "load/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "load/tests.h"

#define CONNECTIONS_MAX 100000
#define PIPELINE_MAX    100000
#define KEYS_MAX        1000000000000
#define VALUE_MAX       (512 * 1024 * 1024)
#define SECONDS_MAX     86400.0

enum { LONG_SECONDS = 256, LONG_SERVER_PID, LONG_ZIPF, LONG_JSON, LONG_HELP };

static const struct option long_options[] = {
    {"seconds", required_argument, NULL, LONG_SECONDS},
    {"server-pid", required_argument, NULL, LONG_SERVER_PID},
    {"zipf", required_argument, NULL, LONG_ZIPF},
    {"json", no_argument, NULL, LONG_JSON},
    {"help", no_argument, NULL, LONG_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(const char *program) {
    printf("Usage: %s [options] [command word ...]\n"
           "\n"
           "  -h host          server, default 127.0.0.1\n"
           "  -p port          default 6379\n"
           "  -s path          Unix socket, instead of host and port\n"
           "  -c number        connections, default 50\n"
           "  -n number        requests of each test, default 100000\n"
           "  --seconds s      by time instead: warms up for a tenth of it, then measures for so "
           "long\n"
           "  -P number        requests sent at once on a connection, default 1\n"
           "  -d bytes         size of a value, default 3\n"
           "  -r number        keys, default 1\n"
           "  --zipf theta     some keys are likelier, 0 < theta < 1 (0.99: as in many caches)\n"
           "  -t name,name     tests, default " TESTS_DEFAULT "\n"
           "  --server-pid n   also shows the CPU time of that process for each request\n"
           "  -q               one line a test\n"
           "  --json           one JSON object a test\n"
           "\n"
           "A command's words may hold __rand_int__ (a key's number, 12 digits) or be __value__.\n"
           "Tests: ",
           program);
    tests_print_names(stdout);
    putchar('\n');
}

static int complain(const char *option, const char *value) {
    fprintf(stderr, "%s does not take %s (--help shows the options)\n", option, value);
    return -1;
}

static int read_number(const char *option, const char *text, int64_t least, int64_t most,
                       int64_t *out) {
    if (!num_parse_i64(bytes_text(text), out) || *out < least || *out > most) {
        return complain(option, text);
    }
    return 0;
}

static int read_fraction(const char *option, const char *text, double most, double *out) {
    if (!num_parse_double(bytes_text(text), out) || *out <= 0 || *out >= most) {
        return complain(option, text);
    }
    return 0;
}

static int read_long(struct options_given *options, int option, const char *value) {
    int64_t number;
    switch (option) {
    case LONG_SECONDS:
        options->plan.requests = 0;
        return read_fraction("--seconds", value, SECONDS_MAX, &options->plan.seconds);
    case LONG_ZIPF:
        return read_fraction("--zipf", value, 1, &options->zipf);
    case LONG_SERVER_PID:
        if (read_number("--server-pid", value, 1, INT32_MAX, &number) != 0) {
            return -1;
        }
        options->plan.server_pid = (int)number;
        return 0;
    case LONG_JSON:
        options->json = true;
        return 0;
    default:
        return -1; /* getopt has said why */
    }
}

static int read_option(struct options_given *options, int option, const char *value) {
    struct run_plan *plan = &options->plan;
    int64_t number = 0;
    int status = 0;
    switch (option) {
    case 'h':
        plan->host = value;
        break;
    case 'p':
        plan->port = value;
        break;
    case 's':
        plan->socket = value;
        break;
    case 'c':
        status = read_number("-c", value, 1, CONNECTIONS_MAX, &number);
        plan->connections = (int)number;
        break;
    case 'n':
        status = read_number("-n", value, 1, INT64_MAX, &number);
        plan->requests = (uint64_t)number;
        break;
    case 'P':
        status = read_number("-P", value, 1, PIPELINE_MAX, &number);
        plan->pipeline = (int)number;
        break;
    case 'd':
        status = read_number("-d", value, 0, VALUE_MAX, &number);
        options->value_size = (size_t)number;
        break;
    case 'r':
        status = read_number("-r", value, 1, KEYS_MAX, &number);
        options->key_count = (uint64_t)number;
        break;
    case 't':
        options->tests = value;
        break;
    case 'q':
        options->quiet = true;
        break;
    default:
        status = read_long(options, option, value);
    }
    return status;
}

int options_read(struct options_given *options, int argc, char **argv) {
    *options = (struct options_given){
        .plan = {.host = "127.0.0.1",
                 .port = "6379",
                 .connections = 50,
                 .pipeline = 1,
                 .requests = 100000},
        .value_size = 3,
        .key_count = 1,
        .tests = TESTS_DEFAULT,
    };
    int option;
    /* The + keeps getopt away from the words of a command. */
    while ((option = getopt_long(argc, argv, "+h:p:s:c:n:P:d:r:t:q", long_options, NULL)) != -1) {
        if (option == LONG_HELP) {
            print_help(argv[0]);
            return 1;
        }
        if (read_option(options, option, optarg) != 0) {
            return -1;
        }
    }
    options->command = argv + optind;
    options->command_size = argc - optind;
    return 0;
}
