/* machine: reads /proc/self/cgroup to learn which control groups the process is in, and the limits
 * of these and of all above them from /sys/fs/cgroup. In a container the group's own path may not
 * be visible; its limit then is the one at the top of what is. */
#include "base/machine.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PATH_SIZE 4352
#define LINE_SIZE 4096

/* The number in a file; SIZE_MAX when there is none ("max", or no such file). */
static size_t read_number(const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return SIZE_MAX;
    }
    unsigned long long number = 0;
    int found = fscanf(file, "%llu", &number);
    fclose(file);
    return found == 1 && number > 0 && number < SIZE_MAX ? (size_t)number : SIZE_MAX;
}

/* The least limit of a group and those above it. `group` is cut to pieces. */
static size_t least_limit(const char *root, const char *mount, char *group, const char *file) {
    size_t least = SIZE_MAX;
    for (;;) {
        char path[PATH_SIZE + LINE_SIZE];
        snprintf(path, sizeof path, "%s%s%s/%s", root, mount, strcmp(group, "/") == 0 ? "" : group,
                 file);
        size_t limit = read_number(path);
        least = limit < least ? limit : least;
        char *slash = strrchr(group, '/');
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: "0::/path" or "4:memory:/path". */
static size_t limit_of_line(const char *root, char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL) {
        return SIZE_MAX;
    }
    *controllers++ = '\0';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(line, "0") == 0 && controllers[0] == '\0') {
        return least_limit(root, "/sys/fs/cgroup", group, "memory.max");
    }
    if (strstr(controllers, "memory") != NULL) {
        return least_limit(root, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    }
    return SIZE_MAX;
}

size_t machine_memory(const char *root) {
    size_t least = SIZE_MAX;
    struct sysinfo system;
    if (sysinfo(&system) == 0) {
        least = (size_t)system.totalram * system.mem_unit;
    }
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return least;
    }
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, file) != NULL) {
        size_t limit = limit_of_line(root, line);
        least = limit < least ? limit : least;
    }
    fclose(file);
    return least;
}

size_t machine_resident(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    size_t pages = 0;
    if (fscanf(file, "%*s %zu", &pages) != 1) {
        pages = 0;
    }
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}
