/* busy: what happens while a script runs for long. The hook of its interpreter comes by every so
 * many instructions: garbage is collected when there is much, others are served when the time is
 * up, and the script ends when it is killed. */
#include "script/run.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/busy.h"
#include "client/client.h"
#include "script/api.h"
#include "script/functions_int.h"
#include "script/scripts_int.h"

#define US_PER_MS 1000
/* Between two turns of the others. */
#define SERVE_US 1000

static const char *busy_text(const struct script_run *run) {
    return run->engine->for_functions
               ? "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN "
                 "NOSAVE."
               : "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
                 "NOSAVE.";
}

/* Raised again at each further line, so that a script which catches it gets nowhere. */
static void end_it(lua_State *lua, const struct script_run *run) {
    lua_sethook(lua, run_on_hook, LUA_MASKLINE, 0);
    lua_sethook(run->engine->lua, run_on_hook, LUA_MASKLINE, 0);
    api_raise(lua, "Script killed by user with SCRIPT KILL...");
}

static void serve_others(struct script_run *run, int64_t now_us) {
    struct clients *clients = run->scripts->context->clients;
    if (!run->busy) {
        run->busy = true;
        log_warning("A script has been running for %lld ms and counts as busy: %s",
                    (long long)((now_us - run->began_us) / US_PER_MS), run->name);
    }
    run->served_us = now_us;
    clients_serve_busy(clients, busy_text(run));
    run->killed |= clients_is_abandoned(clients);
}

void run_on_hook(lua_State *lua, lua_Debug *place) {
    (void)place;
    struct engine *engine = engine_of(lua);
    struct script_run *run = engine->run;
    if (run == NULL) {
        if (engine->loading != NULL) {
            functions_on_hook(lua, engine->loading);
        }
        return;
    }
    if (UNLIKELY(run->killed)) {
        end_it(lua, run);
    }
    engine_relieve(lua);
    const int64_t busy_us = run->scripts->options.busy_ms < INT64_MAX / US_PER_MS
                                ? run->scripts->options.busy_ms * US_PER_MS
                                : INT64_MAX;
    int64_t now_us = clock_mono_us();
    if (run->began_us == 0) {
        run->began_us = now_us;
    }
    if (busy_us == 0 || now_us - run->began_us < busy_us || now_us - run->served_us < SERVE_US) {
        return;
    }
    serve_others(run, now_us);
    if (run->killed) {
        end_it(lua, run);
    }
}

void scripts_kill(struct scripts *scripts, struct call *call, bool functions) {
    struct script_run *run = scripts->running;
    if (run == NULL) {
        reply_error(call->reply, "NOTBUSY No scripts in execution right now.");
    } else if (run->engine->for_functions != functions) {
        reply_error(call->reply, busy_text(run));
    } else if (run->wrote) {
        reply_error(call->reply,
                    "UNKILLABLE Sorry the script already executed write commands against the "
                    "dataset. You can either wait the script termination or kill the server in a "
                    "hard way using the SHUTDOWN NOSAVE command.");
    } else {
        run->killed = true;
        reply_ok(call->reply);
    }
}
