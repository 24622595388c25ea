/* options: reading and checking them. */
#include "load/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "call/control.h"
#include "load/tls_login.h"
#include "load/servers.h"
#include "load/tests.h"
#include "load/usage.h"

#define CONNECTIONS_MAX 100000
#define THREADS_MAX     256
#define PIPELINE_MAX    100000
#define KEYS_MAX        1000000000000
#define KEY_SIZE_MAX    65536
#define DATABASE_MAX    1000000
#define SECONDS_MAX     86400.0
#define RATE_MAX        1e9
#define EXPONENT_MAX    20.0
/* Always the same when none is given, so that two runs send the same requests. */
#define SEED            20240229
#define REQUESTS        100000
#define ROUNDS_COMPARED 5
#define SECONDS_ROUND   1
#define SECONDS_RATE    10
#define WARMUP_SHARE    0.1

enum {
    LONG_USER = 256,
    LONG_DBNUM,
    LONG_COMPARE,
    LONG_ROUNDS,
    LONG_THREADS,
    LONG_SECONDS,
    LONG_WARMUP,
    LONG_RATE,
    LONG_ARRIVALS,
    LONG_MIX,
    LONG_KEYS,
    LONG_PREFIX,
    LONG_KEY_SIZE,
    LONG_LOAD,
    LONG_SEED,
    LONG_JSON,
    LONG_CSV,
    LONG_SVG,
    LONG_NOTE,
    LONG_SERVER_PID,
    LONG_TLS,
    LONG_SNI,
    LONG_CACERT,
    LONG_CACERTDIR,
    LONG_INSECURE,
    LONG_CERT,
    LONG_KEY,
    LONG_CIPHERS,
    LONG_CIPHERSUITES,
    LONG_HELP,
    LONG_VERSION
};

static const struct option long_options[] = {
    {"user", required_argument, NULL, LONG_USER},
    {"dbnum", required_argument, NULL, LONG_DBNUM},
    {"compare", required_argument, NULL, LONG_COMPARE},
    {"rounds", required_argument, NULL, LONG_ROUNDS},
    {"threads", required_argument, NULL, LONG_THREADS},
    {"seconds", required_argument, NULL, LONG_SECONDS},
    {"duration", required_argument, NULL, LONG_SECONDS},
    {"warmup", required_argument, NULL, LONG_WARMUP},
    {"rate", required_argument, NULL, LONG_RATE},
    {"arrivals", required_argument, NULL, LONG_ARRIVALS},
    {"mix", required_argument, NULL, LONG_MIX},
    {"keys", required_argument, NULL, LONG_KEYS},
    {"key-prefix", required_argument, NULL, LONG_PREFIX},
    {"key-size", required_argument, NULL, LONG_KEY_SIZE},
    {"load", no_argument, NULL, LONG_LOAD},
    {"seed", required_argument, NULL, LONG_SEED},
    {"json", no_argument, NULL, LONG_JSON},
    {"csv", no_argument, NULL, LONG_CSV},
    {"svg", required_argument, NULL, LONG_SVG},
    {"note", required_argument, NULL, LONG_NOTE},
    {"server-pid", required_argument, NULL, LONG_SERVER_PID},
    {"tls", no_argument, NULL, LONG_TLS},
    {"sni", required_argument, NULL, LONG_SNI},
    {"cacert", required_argument, NULL, LONG_CACERT},
    {"cacertdir", required_argument, NULL, LONG_CACERTDIR},
    {"insecure", no_argument, NULL, LONG_INSECURE},
    {"cert", required_argument, NULL, LONG_CERT},
    {"key", required_argument, NULL, LONG_KEY},
    {"tls-ciphers", required_argument, NULL, LONG_CIPHERS},
    {"tls-ciphersuites", required_argument, NULL, LONG_CIPHERSUITES},
    {"help", no_argument, NULL, LONG_HELP},
    {"version", no_argument, NULL, LONG_VERSION},
    {NULL, 0, NULL, 0},
};

/* What is made of the options when all of them are known. */
struct wishes {
    int64_t key_size; /* -1: none */
    bool requests;    /* -n was given */
    bool seconds;
    bool warmup;
    bool rounds;
    struct tls_wishes secure;
};

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

static int read_int(const char *option, const char *text, int least, int most, int *out) {
    int64_t number;
    int status = read_number(option, text, least, most, &number);
    *out = status == 0 ? (int)number : 0;
    return status;
}

/* Above zero, or from zero on, up to `most`. */
static int read_real(const char *option, const char *text, bool zero, double most, double *out) {
    if (!num_parse_double(bytes_text(text), out) || *out < 0 || (*out == 0 && !zero) ||
        *out > most) {
        return complain(option, text);
    }
    return 0;
}

static int read_pipelines(struct options_given *options, const char *text) {
    options->pipeline_count = 0;
    for (const char *at = text; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        struct bytes one = bytes_of(at, strcspn(at, ","));
        int64_t number;
        if (options->pipeline_count == PIPELINES_MAX || !num_parse_i64(one, &number) ||
            number < 1 || number > PIPELINE_MAX) {
            return complain("-P", text);
        }
        options->pipelines[options->pipeline_count++] = (int)number;
    }
    return 0;
}

static int read_keys(struct keys_plan *keys, const char *text) {
    static const char zipf[] = "zipf:";
    if (strcmp(text, "uniform") == 0) {
        keys->order = KEYS_UNIFORM;
    } else if (strcmp(text, "sequential") == 0) {
        keys->order = KEYS_SEQUENCE;
    } else if (strncmp(text, zipf, strlen(zipf)) == 0) {
        keys->order = KEYS_ZIPF;
        return read_real("--keys", text + strlen(zipf), false, EXPONENT_MAX, &keys->exponent);
    } else {
        return complain("--keys", text);
    }
    return 0;
}

static int read_arrivals(struct run_plan *plan, const char *text) {
    plan->poisson = strcmp(text, "poisson") == 0;
    return plan->poisson || strcmp(text, "fixed") == 0 ? 0 : complain("--arrivals", text);
}

static int read_compare(struct options_given *options, const char *text) {
    options->compares = true;
    if (strlen(text) >= sizeof options->server_list) {
        return complain("--compare", text);
    }
    memcpy(options->server_list, text, strlen(text) + 1);
    options->server_count = servers_read(options->server_list, options->servers, SERVERS_MAX);
    return options->server_count > 0 ? 0 : complain("--compare", text);
}

static int read_secure(struct tls_wishes *wishes, int option, const char *value) {
    switch (option) {
    case LONG_TLS:
        wishes->tls = true;
        return 0;
    case LONG_SNI:
        wishes->server_name = value;
        return 0;
    case LONG_CACERT:
        wishes->ca_file = value;
        return 0;
    case LONG_CACERTDIR:
        wishes->ca_dir = value;
        return 0;
    case LONG_INSECURE:
        wishes->insecure = true;
        return 0;
    case LONG_CERT:
        wishes->cert_file = value;
        return 0;
    case LONG_KEY:
        wishes->key_file = value;
        return 0;
    case LONG_CIPHERS:
        wishes->ciphers = value;
        return 0;
    case LONG_CIPHERSUITES:
        wishes->ciphersuites = value;
        return 0;
    default:
        return -1; /* getopt has said why */
    }
}

/* Options about the server and about the load. */
static int read_load(struct options_given *options, struct wishes *wishes, int option,
                     const char *value) {
    struct run_plan *plan = &options->plan;
    switch (option) {
    case LONG_USER:
        plan->login.user = value;
        return 0;
    case LONG_DBNUM:
        return read_int("--dbnum", value, 0, DATABASE_MAX, &plan->login.database);
    case LONG_COMPARE:
        return read_compare(options, value);
    case LONG_ROUNDS:
        wishes->rounds = true;
        return read_int("--rounds", value, 1, ROUNDS_MAX, &options->rounds);
    case LONG_THREADS:
        return read_int("--threads", value, 1, THREADS_MAX, &plan->threads);
    case LONG_SECONDS:
        wishes->seconds = true;
        return read_real("--seconds", value, false, SECONDS_MAX, &plan->seconds);
    case LONG_WARMUP:
        wishes->warmup = true;
        return read_real("--warmup", value, true, SECONDS_MAX, &plan->warmup);
    case LONG_RATE:
        return read_real("--rate", value, false, RATE_MAX, &plan->rate);
    case LONG_ARRIVALS:
        return read_arrivals(plan, value);
    default:
        return read_secure(&wishes->secure, option, value);
    }
}

/* Options about requests and about the report. */
static int read_requests(struct options_given *options, struct wishes *wishes, int option,
                         const char *value) {
    int64_t number = 0;
    int status = 0;
    switch (option) {
    case LONG_MIX:
        options->mix = value;
        break;
    case LONG_KEYS:
        return read_keys(&options->plan.keys, value);
    case LONG_PREFIX:
        options->shape.key_prefix = value;
        break;
    case LONG_KEY_SIZE:
        return read_number("--key-size", value, 1, KEY_SIZE_MAX, &wishes->key_size);
    case LONG_LOAD:
        options->loads = true;
        break;
    case LONG_SEED:
        status = read_number("--seed", value, 0, INT64_MAX, &number);
        options->plan.keys.seed = (uint64_t)number;
        break;
    case LONG_JSON:
        options->output = OUTPUT_JSON;
        break;
    case LONG_CSV:
        options->output = OUTPUT_CSV;
        break;
    case LONG_SVG:
        options->svg = value;
        break;
    case LONG_NOTE:
        options->note = value;
        break;
    case LONG_SERVER_PID:
        return read_int("--server-pid", value, 1, INT32_MAX, &options->plan.server_pid);
    default:
        return read_load(options, wishes, option, value);
    }
    return status;
}

static int read_host(struct endpoint *server, const char *text) {
    if (text[0] == '\0' || strlen(text) >= sizeof server->host) {
        return complain("-h", text);
    }
    memcpy(server->host, text, strlen(text) + 1);
    return 0;
}

static int read_option(struct options_given *options, struct wishes *wishes, int option,
                       const char *value) {
    struct run_plan *plan = &options->plan;
    int64_t number = 0;
    int status = 0;
    switch (option) {
    case 'h':
        return read_host(&options->servers[0], value);
    case 'p':
        options->servers[0].port = value;
        return read_number("-p", value, 1, 65535, &number);
    case 's':
        options->servers[0].path = value;
        break;
    case 'a':
        plan->login.password = value;
        break;
    case '3':
        plan->login.resp3 = true;
        break;
    case 'c':
        return read_int("-c", value, 1, CONNECTIONS_MAX, &plan->connections);
    case 'n':
        wishes->requests = true;
        status = read_number("-n", value, 1, INT64_MAX, &number);
        plan->requests = (uint64_t)number;
        break;
    case 'P':
        return read_pipelines(options, value);
    case 'd':
        options->sizes = value;
        return sizes_parse(&options->shape.sizes, value) ? 0 : complain("-d", value);
    case 'r':
        status = read_number("-r", value, 1, KEYS_MAX, &number);
        plan->keys.count = (uint64_t)number;
        break;
    case 't':
        options->tests = value;
        break;
    case 'q':
        options->output = OUTPUT_QUIET;
        break;
    default:
        return read_requests(options, wishes, option, value);
    }
    return status;
}

/* How many digits a key's number has, and what stands before them. */
static int settle_keys(struct options_given *options, const struct wishes *wishes) {
    struct shape *shape = &options->shape;
    shape->key_digits = TEMPLATE_DIGITS;
    if (wishes->key_size < 0) {
        return 0;
    }
    int64_t rest = wishes->key_size - (int64_t)strlen(shape->key_prefix);
    int needed = (int)num_digits_i64((int64_t)options->plan.keys.count - 1);
    if (rest < needed) {
        fprintf(stderr, "%lld keys with the prefix %s do not fit into %lld bytes\n",
                (long long)options->plan.keys.count, shape->key_prefix,
                (long long)wishes->key_size);
        return -1;
    }
    shape->key_digits = rest < TEMPLATE_DIGITS ? (int)rest : TEMPLATE_DIGITS;
    shape->key_zeros = (int)rest - shape->key_digits;
    return 0;
}

static int settle(struct options_given *options, const struct wishes *wishes) {
    struct run_plan *plan = &options->plan;
    if (wishes->requests && wishes->seconds) {
        fputs("-n and --seconds exclude each other\n", stderr);
        return -1;
    }
    if (options->mix != NULL && options->command_size > 0) {
        fputs("--mix and a command exclude each other\n", stderr);
        return -1;
    }
    if (plan->login.user != NULL && plan->login.password == NULL) {
        fputs("--user wants a password (-a)\n", stderr);
        return -1;
    }
    if (!wishes->requests && !wishes->seconds) {
        plan->seconds = plan->rate > 0 ? SECONDS_RATE : options->compares ? SECONDS_ROUND : 0;
    }
    plan->requests = wishes->requests ? plan->requests : plan->seconds > 0 ? 0 : REQUESTS;
    if (!wishes->warmup) {
        plan->warmup = plan->seconds * WARMUP_SHARE;
    }
    if (!wishes->rounds) {
        options->rounds = options->compares ? ROUNDS_COMPARED : 1;
    }
    if (plan->threads > plan->connections) {
        plan->threads = plan->connections;
    }
    int status = settle_keys(options, wishes);
    return status == 0 ? tls_login_settle(&wishes->secure, &plan->login) : status;
}

/* The name of a server that was given none. */
static void name_server(struct endpoint *server) {
    static char name[300];
    if (server->path != NULL) {
        server->name = server->path;
        return;
    }
    snprintf(name, sizeof name, "%s:%s", server->host, server->port);
    server->name = name;
}

int options_read(struct options_given *options, int argc, char **argv) {
    *options = (struct options_given){
        .plan = {.connections = 50,
                 .threads = 1,
                 .poisson = true,
                 .keys = {.order = KEYS_UNIFORM, .count = 1, .seed = SEED}},
        .servers = {{.host = "127.0.0.1", .port = "6379"}},
        .server_count = 1,
        .pipelines = {1},
        .pipeline_count = 1,
        .shape = {.key_prefix = "key:", .sizes = {.least = 3, .most = 3}},
        .sizes = "3",
        .tests = TESTS_DEFAULT,
    };
    struct wishes wishes = {.key_size = -1};
    int option;
    /* The + keeps getopt away from the words of a command. */
    while ((option = getopt_long(argc, argv, "+h:p:s:a:3c:n:P:d:r:t:q", long_options, NULL)) !=
           -1) {
        if (option == LONG_HELP) {
            usage_print(stdout);
            return 1;
        }
        if (option == LONG_VERSION) {
            puts("larder-benchmark " LARDER_VERSION);
            return 1;
        }
        if (option == '?') {
            usage_print(stderr);
            return -1;
        }
        if (read_option(options, &wishes, option, optarg) != 0) {
            return -1;
        }
    }
    options->command = argv + optind;
    options->command_size = argc - optind;
    if (!options->compares) {
        name_server(&options->servers[0]);
    }
    options->plan.progress = NULL;
    return settle(options, &wishes);
}

void options_end(struct options_given *options) {
    tls_login_free(&options->plan.login);
}
