/* probe: INFO and CLIENT LIST as `name:value` and `name=value`, /proc as the kernel writes it. */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

/* What stands behind `name` up to one of `ends`; to be freed; NULL when it is not there. */
static char *value_of(const char *text, const char *name, const char *ends) {
    const char *place = strstr(text, name);
    if (place == NULL) {
        return NULL;
    }
    place += strlen(name);
    return strndup(place, strcspn(place, ends));
}

char *probe_info_text(int fd, const char *field) {
    wire_send_text(fd, "INFO everything\r\n");
    size_t size;
    char *raw = wire_read_raw(fd, &size);
    char name[128];
    snprintf(name, sizeof name, "\n%s:", field);
    char *value = value_of(raw, name, "\r");
    free(raw);
    if (value == NULL) {
        harness_fail("INFO has no %s", field);
    }
    return value;
}

int64_t probe_info(int fd, const char *field) {
    char *text = probe_info_text(fd, field);
    int64_t number = strtoll(text, NULL, 10);
    free(text);
    return number;
}

int64_t probe_id(int fd) {
    char *reply = wire_ask(fd, "CLIENT", "ID", NULL);
    int64_t id = strtoll(reply + 1, NULL, 10);
    free(reply);
    return id;
}

int64_t probe_client(int fd, int64_t id, const char *field) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, id);
    char *line = wire_ask(fd, "CLIENT", "LIST", "ID", text, NULL);
    char name[64];
    snprintf(name, sizeof name, " %s=", field);
    char *value = value_of(line, name, " \\");
    int64_t number = value == NULL ? -1 : strtoll(value, NULL, 10);
    free(value);
    free(line);
    return number;
}

static char *read_proc(const struct server *server, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)server_pid(server), name);
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        harness_fail("%s cannot be read", path);
    }
    size_t size = fread(text, 1, 65535, file);
    text[size] = 0;
    fclose(file);
    return text;
}

int64_t probe_resident(const struct server *server) {
    char *text = read_proc(server, "status");
    char *value = value_of(text, "VmRSS:", "k");
    int64_t bytes = value == NULL ? -1 : strtoll(value, NULL, 10) * 1024;
    free(value);
    free(text);
    return bytes;
}

int64_t probe_cpu_ms(const struct server *server) {
    char *text = read_proc(server, "stat");
    /* Fields 14 and 15, counted behind the name, which stands in parentheses. */
    const char *at = strrchr(text, ')');
    for (int i = 2; i < 14 && at != NULL; i++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        harness_fail("/proc/pid/stat is not as expected: %s", text);
    }
    char *end;
    long long user = strtoll(at, &end, 10);
    long long system = strtoll(end, NULL, 10);
    free(text);
    return (user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

bool probe_is_sanitized(const struct server *server) {
    char *text = read_proc(server, "maps");
    bool sanitized = strstr(text, "libasan") != NULL || strstr(text, "libubsan") != NULL ||
                     strstr(text, "libtsan") != NULL;
    free(text);
    return sanitized;
}

bool probe_log_has(const struct server *server, const char *text) {
    char *output = server_output(server);
    bool found = strstr(output, text) != NULL;
    free(output);
    return found;
}

struct wanted {
    const struct server *server;
    const char *text;
};

static bool log_has(void *context) {
    const struct wanted *wanted = context;
    return probe_log_has(wanted->server, wanted->text);
}

void probe_wait_log(const struct server *server, const char *text) {
    struct wanted wanted = {server, text};
    harness_wait_for(log_has, &wanted, text);
}
