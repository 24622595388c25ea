/* run: one execution of a script or a function: what it may do, what it has done, and how it ends.
 *
 * A call that a script makes is a struct call like any other, for the same client, with a reply of
 * the script's own. The checks in front are those that Redis makes for scripts (run_refusal). */
#ifndef LARDER_SCRIPT_RUN_H
#define LARDER_SCRIPT_RUN_H

#include "call/call.h"
#include "script/engine.h"
#include "script/shebang.h"

struct script_run {
    struct scripts *scripts;
    struct engine *engine;
    struct call *outer;        /* EVAL or FCALL */
    const struct bytes *words; /* of that; it is not to be looked at while others are served */
    int word_count;
    struct call call; /* what the script makes */
    const char *name; /* the script's digest, or the function's name */
    unsigned flags;   /* set of script_flag */
    int function;     /* reference */
    const struct bytes *keys;
    int key_count;
    const struct bytes *args;
    int arg_count;
    bool read_only;    /* it may not write */
    bool over;         /* memory was over its limit when it began */
    bool wrote;        /* it has called a command that writes */
    bool busy;         /* it has run for so long that others are served */
    bool killed;       /* it must end */
    uint8_t version;   /* of the protocol in which it gets replies: 2 or 3 */
    int64_t began_us;  /* as the hook knows it; 0: it has not come by */
    int64_t served_us; /* when others were served last */
    int64_t wall_us;   /* the time that it sees; 0: it has not asked */
    int64_t began_ms;  /* wall time of the pass */
};

/* Runs the function and replies what it returns, or its error. `run` has what comes before
 * `over`. */
void run_script(struct script_run *run);

/* Why the command must not be called by this script, or NULL. The text has its code. */
const char *run_refusal(const struct script_run *run, const struct command *command, int argc);

/* The hook of engines: others are served while a script is busy, and it ends when it is killed. */
void run_on_hook(lua_State *lua, lua_Debug *place);

#endif
