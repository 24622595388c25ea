/* with_server: runs a command beside a server, for suites in other languages.
 *
 *     with_server [server options ...] -- command [arguments ...]
 *
 * Starts the server under test, sets LARDER_PORT and LARDER_FOLDER, runs the command and stops the
 * server. The exit status is the command's, or 1 when the server did not end cleanly. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int split = 1;
    while (split < count && strcmp(arguments[split], "--") != 0) {
        split++;
    }
    if (split + 1 >= count) {
        fprintf(stderr, "usage: with_server [server options] -- command [arguments]\n");
        return 2;
    }
    arguments[split] = NULL;
    struct server *server = server_start((const char *const *)(arguments + 1));
    char port[16];
    snprintf(port, sizeof port, "%d", server_port(server));
    setenv("LARDER_PORT", port, 1);
    setenv("LARDER_FOLDER", server_folder(server), 1);
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[split + 1], arguments + split + 1);
        perror(arguments[split + 1]);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    server_stop(server);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
