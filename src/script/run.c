/* run: see the header. */
#include "script/run.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "call/control.h"
#include "call/pass_on.h"
#include "client/client.h"
#include "feature/monitor.h"
#include "script/convert.h"
#include "script/scripts_int.h"
#include "store/evict.h"

/* Tables of up to so many keys or arguments serve again. */
#define TABLE_KEPT_MAX 4

/* ---- KEYS and ARGV ---- */

static void fill_table(lua_State *lua, const struct bytes *items, int count) {
    for (int i = 0; i < count; i++) {
        lua_pushlstring(lua, items[i].at, items[i].size);
        lua_rawseti(lua, -2, i + 1);
    }
}

/* Whether the table on the top is as a fresh one would be: has so many elements and nothing else.
 * A script may do with it what it likes, so it is looked through. */
static bool is_plain(lua_State *lua, int count) {
    if (lua_getmetatable(lua, -1)) {
        lua_pop(lua, 1);
        return false;
    }
    int found = 0;
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        lua_pop(lua, 1);
        if (++found > count) {
            lua_pop(lua, 1);
            return false;
        }
    }
    return found == count;
}

/* Fills the table that served before, if it can serve again. */
static bool fill_again(lua_State *lua, struct engine *engine, int which, const struct bytes *items,
                       int count) {
    if (engine->tables[which] == LUA_NOREF || count > TABLE_KEPT_MAX) {
        return false;
    }
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->tables[which]);
    fill_table(lua, items, count);
    for (int i = count; i < engine->table_counts[which]; i++) {
        lua_pushnil(lua);
        lua_rawseti(lua, -2, i + 1);
    }
    bool plain = is_plain(lua, count);
    lua_pop(lua, 1);
    engine->table_counts[which] = count;
    return plain;
}

static void set_table(lua_State *lua, struct engine *engine, int which, const struct bytes *items,
                      int count) {
    if (LIKELY(fill_again(lua, engine, which, items, count))) {
        return;
    }
    luaL_unref(lua, LUA_REGISTRYINDEX, engine->tables[which]);
    engine->tables[which] = LUA_NOREF;
    lua_createtable(lua, count < TABLE_KEPT_MAX ? TABLE_KEPT_MAX : count, 0);
    fill_table(lua, items, count);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->globals);
    lua_pushvalue(lua, -2);
    lua_setfield(lua, -2, which == 0 ? "KEYS" : "ARGV");
    lua_pop(lua, 1);
    if (count <= TABLE_KEPT_MAX) {
        engine->tables[which] = luaL_ref(lua, LUA_REGISTRYINDEX);
        engine->table_counts[which] = count;
    } else {
        lua_pop(lua, 1);
    }
}

/* ---- running ---- */

/* What is protected: the arguments are given, the function is called. */
static int execute(lua_State *lua) {
    struct script_run *run = lua_touserdata(lua, 1);
    struct engine *engine = run->engine;
    lua_settop(lua, 0);
    if (engine->for_functions) {
        lua_rawgeti(lua, LUA_REGISTRYINDEX, run->function);
        lua_createtable(lua, run->key_count, 0);
        fill_table(lua, run->keys, run->key_count);
        lua_createtable(lua, run->arg_count, 0);
        fill_table(lua, run->args, run->arg_count);
        lua_call(lua, 2, 1);
        return 1;
    }
    set_table(lua, engine, 0, run->keys, run->key_count);
    set_table(lua, engine, 1, run->args, run->arg_count);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, run->function);
    lua_call(lua, 0, 1);
    return 1;
}

static void reply_failure(struct script_run *run) {
    struct reply *reply = run->outer->reply;
    struct engine_error error;
    engine_read_error(run->engine, &error);
    void (*on_error)(void *, struct bytes) = reply->on_error;
    if (error.counted) {
        reply->on_error = NULL;
    }
    if (error.source != NULL) {
        reply_errorf(reply, "%s script: %s, on %s:%d.", error.text, run->name, error.source,
                     error.line);
    } else {
        reply_error(reply, error.text);
    }
    reply->on_error = on_error;
}

/* The call that the script's own ones are made from. */
static void make_call(struct script_run *run) {
    run->call = *run->outer;
    run->call.inner = true;
    run->call.reply = &run->scripts->reply;
    run->call.element = NULL;
    run->call.blobs = NULL;
    run->call.blob_count = 0;
    run->call.script_us = &run->wall_us;
}

static void begin(struct script_run *run) {
    struct scripts *scripts = run->scripts;
    struct evict *evict = scripts->context->evict;
    run->over = evict_is_over(evict) && !evict_make_room(evict);
    run->version = 2;
    run->words = run->outer->args;
    run->word_count = run->outer->argc;
    make_call(run);
    if (UNLIKELY(monitor_count(scripts->context->monitor) > 0)) {
        monitor_show(scripts->context->monitor, run->outer);
    }
    scripts->running = run;
    run->engine->run = run;
}

static void end(struct script_run *run) {
    struct scripts *scripts = run->scripts;
    run->engine->run = NULL;
    scripts->running = NULL;
    scripts->context->pass_on->muted = false;
    if (UNLIKELY(run->killed)) {
        engine_reset_hook(run->engine);
    }
    if (UNLIKELY(scripts->reply.piece_count > 0)) {
        reply_reset(&scripts->reply);
    }
}

/* Whether it may not run at all; then the error has been replied. */
static bool is_refused(struct script_run *run) {
    struct reply *reply = run->outer->reply;
    if (run->flags & SCRIPT_COMPATIBLE) {
        return false;
    }
    if (run->read_only && !(run->flags & SCRIPT_NO_WRITES)) {
        reply_error(reply, "ERR Can not execute a script with write flag using *_ro command.");
        return true;
    }
    if (run->over && !(run->flags & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES))) {
        if (run->outer->inner) {
            reply_error(reply, "OOM allow-oom flag is not set on the script, can not run it when "
                               "used memory > 'maxmemory'");
        } else {
            reply_no_memory(reply);
        }
        return true;
    }
    run->read_only |= (run->flags & SCRIPT_NO_WRITES) != 0;
    return false;
}

void run_script(struct script_run *run) {
    struct client *client = run->outer->client;
    struct database *database = client->database;
    const struct command *last_command = client->last_command;
    begin(run);
    if (!is_refused(run)) {
        bool done = engine_protect(run->engine, execute, run);
        if (LIKELY(done)) {
            engine_open(run->engine, true);
            convert_value(run->engine, run->outer->reply, run->version);
            engine_open(run->engine, false);
        } else {
            reply_failure(run);
        }
        engine_rest(run->engine);
    }
    end(run);
    client->database = database;
    client->last_command = last_command;
}

/* ---- what a script may call ---- */

const char *run_refusal(const struct script_run *run, const struct command *command, int argc) {
    if (UNLIKELY(command == NULL || (command->fn == NULL && argc > 1))) {
        return "ERR Unknown Redis command called from script";
    }
    if (UNLIKELY(command->fn == NULL ||
                 (command->arity > 0 ? argc != command->arity : argc < -command->arity))) {
        return "ERR Wrong number of args calling Redis command from script";
    }
    unsigned flags = command->flags;
    if (UNLIKELY(flags & COMMAND_NOSCRIPT)) {
        return "ERR This Redis command is not allowed from script";
    }
    if (UNLIKELY(run->call.client->flags & CLIENT_RESTRICTED)) {
        char why[REFUSAL_TEXT_SIZE];
        if (refusal_by_guard(&run->call, GUARD_SCRIPT, why) != GUARD_ALLOWED) {
            char *denied = run->scripts->denied;
            snprintf(denied, sizeof run->scripts->denied, "ERR ACL failure in script: %s", why);
            return denied;
        }
    }
    if (UNLIKELY(run->read_only) && flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) {
        return "ERR Write commands are not allowed from read-only scripts.";
    }
    const struct server_control *control = run->scripts->context->control;
    if (UNLIKELY(control->role.read_only) && flags & COMMAND_WRITE &&
        !(run->outer->client->flags & CLIENT_PRIMARY)) {
        return "READONLY You can't write against a read only replica.";
    }
    if (UNLIKELY(control->role.lonely) && flags & COMMAND_WRITE) {
        return "NOREPLICAS Not enough good replicas to write.";
    }
    if (UNLIKELY(run->over) && flags & COMMAND_DENYOOM && !run->wrote &&
        !(run->flags & SCRIPT_ALLOW_OOM)) {
        return "OOM command not allowed when used memory > 'maxmemory'.";
    }
    return NULL;
}
