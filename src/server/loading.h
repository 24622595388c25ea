/* loading: the file of the data becomes keys when the server starts.
 *
 *     load-mode block   clients may connect; commands that need the data are answered
 *                       -LOADING until all of it is there. A damaged file ends the start
 *     load-mode serve   commands are served at once, and keys come meanwhile, the rest of a pass at
 *                       a time: persist/load.h says what clients can rely on. Damage ends only the
 *                       loading: what has come stays, and the damaged file is kept beside, with
 *                       LOADING_KEPT behind its name, since the next snapshot would replace it
 *
 * While it goes on, call/control.h says so, and nothing may be saved: the keys that are there are
 * not all that there are. */
#ifndef LARDER_SERVER_LOADING_H
#define LARDER_SERVER_LOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/option.h"
#include "call/call.h"
#include "ev/loop.h"
#include "persist/load.h"
#include "persist/load_ahead.h"

#define LOADING_KEPT      ".damaged"
#define LOADING_DELAY_MAX 10000000

enum loading_mode { LOADING_BLOCK, LOADING_SERVE };

#define LOADING_OPTIONS(X)                                                                         \
    X(CHOICE, mode, "load-mode", "block", 0, 0, loading_modes, OPTION_IMMUTABLE, NULL,             \
      "Whether clients wait until the file of the data is loaded (block), or are served at once "  \
      "while keys come (serve).")                                                                  \
    X(INT, threads, "load-threads", "0", 0, LOAD_THREADS_MAX, NULL, OPTION_IMMUTABLE, NULL,        \
      "Threads that decode the file of the data at start; 0: as many as there are processors.")    \
    X(INT, delay_us, "key-load-delay", "0", 0, LOADING_DELAY_MAX, NULL, OPTION_HIDDEN, NULL,       \
      "Microseconds that loading a key shall take longer, for tests.")
struct loading_options {
    LOADING_OPTIONS(OPTION_FIELD)
};

struct server;

struct loading {
    struct loop_timer timer; /* first: its function gets this address. Of key-load-delay */
    struct server *server;
    struct loading_options options;
    struct load *load; /* NULL: nothing is being loaded */
    struct call_observer observer;
    void (*over)(struct server *server); /* once the server is ready; set by main */
    struct load_figures last;            /* of the last loading that ended */
    int64_t start_ms;
    int64_t start_us;
    int64_t due_us;  /* when the next slice may come: of key-load-delay */
    int64_t told_us; /* when the log heard of it last */
    bool failed;     /* the server must not start */
    bool is_damaged; /* what could be loaded was, and the file is damaged */
};

/* Registers options. */
void loading_init(struct loading *loading, struct server *server);

/* Begins to load the file, if there is one. 0, or -1 after logging why the server cannot start. */
int loading_start(struct loading *loading);

/* A slice; called when the loop has nothing else to do. Whether there is more at once. */
bool loading_idle(struct loading *loading);

/* Ends it wherever it is. */
void loading_stop(struct loading *loading);

/* As control->reload has it. */
bool loading_reload(struct loading *loading, bool replaces);

/* The lines of INFO persistence that tell of it. */
void loading_print(const struct loading *loading, struct buffer *out);

#endif
