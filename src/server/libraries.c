/* libraries: see the header. */
#include "server/libraries.h"

#include "base/log.h"
#include "call/control.h"
#include "server/server.h"

#ifdef LARDER_NO_LUA

void libraries_init(struct server_control *control) {
    control->libraries = (struct control_libraries){0};
}

#else

#include "script/functions.h"

static struct scripts *scripts_of(void *context) {
    const struct server *server = context;
    return server->context.scripts;
}

static bool next_library(void *server, const void **at, struct bytes *source) {
    const struct library *library =
        *at == NULL ? functions_first(scripts_of(server)) : library_next(*at);
    if (library == NULL) {
        return false;
    }
    *at = library;
    *source = library_source(library);
    return true;
}

static void take_library(void *server, struct bytes source) {
    struct scripts *scripts = scripts_of(server);
    char error[FUNCTION_ERROR_SIZE];
    struct library *library = library_load(scripts, source, false, error);
    if (library != NULL && !functions_join(scripts, library, FUNCTIONS_REPLACE, error)) {
        libraries_drop(scripts, library);
        library = NULL;
    }
    if (library == NULL) {
        log_warning("A library of functions of the data was left out: %s", error);
    }
}

static void drop_libraries(void *server) {
    functions_flush(scripts_of(server), true);
}

void libraries_init(struct server_control *control) {
    control->libraries = (struct control_libraries){
        .next = next_library, .take = take_library, .drop_all = drop_libraries};
}

#endif
