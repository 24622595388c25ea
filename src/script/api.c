/* api: see the header. A call of a command takes its arguments as they lie on Lua's stack, has the
 * command reply into the script's own reply, and turns that into a value when the command is over:
 * so an error of Lua never jumps out of a command. */
#include "script/api.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha1.h"
#include "call/control.h"
#include "call/pass_on.h"
#include "client/client.h"
#include "client/dispatch.h"
#include "script/convert.h"
#include "script/scripts_int.h"

enum { REPL_AOF = 1, REPL_REPLICA = 2 };

/* Room for arguments at first, and what is kept of it. */
#define ARGS_FIRST 16
/* A reply in one piece is made of pieces up to this size for nothing more than a copy. */
#define FLAT_KEPT_MAX (256 * 1024)

/* ---- errors ---- */

static void push_error(lua_State *lua, const char *text) {
    lua_createtable(lua, 0, 3);
    engine_push_name(lua, engine_of(lua), NAME_ERR);
    lua_pushstring(lua, text);
    lua_rawset(lua, -3);
}

int api_raise(lua_State *lua, const char *text) {
    lua_createtable(lua, 0, 3);
    engine_push_name(lua, engine_of(lua), NAME_ERR);
    lua_pushfstring(lua, "ERR %s", text);
    lua_rawset(lua, -3);
    return lua_error(lua);
}

/* ---- arguments ---- */

/* Integers as such, others with as few digits as give the same number again. */
static size_t write_number(char *out, lua_Number number) {
    if (engine_fits_integer(number) && number == (lua_Number)(int64_t)number) {
        return num_format_i64(out, (int64_t)number);
    }
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(out, SCRIPT_NUMBER_SIZE, "%.*g", digits, number);
        if (strtod(out, NULL) == number) {
            break;
        }
    }
    return (size_t)size;
}

static bool make_room(struct scripts *scripts, int count) {
    int room = scripts->arg_room * 2 > count ? scripts->arg_room * 2 : count;
    room = room < ARGS_FIRST ? ARGS_FIRST : room;
    size_t before = (size_t)scripts->arg_room;
    size_t after = (size_t)room;
    scripts->args = mem_realloc(MEM_SCRIPT, scripts->args, before * sizeof *scripts->args,
                                after * sizeof *scripts->args);
    scripts->numbers = mem_realloc(MEM_SCRIPT, scripts->numbers, before * sizeof *scripts->numbers,
                                   after * sizeof *scripts->numbers);
    scripts->arg_room = room;
    return true;
}

/* NULL, or what is wrong. Strings stay where they are: on Lua's stack. */
static const char *take_args(lua_State *lua, struct scripts *scripts) {
    int count = lua_gettop(lua);
    if (UNLIKELY(count == 0)) {
        return "ERR Please specify at least one argument for this redis lib call";
    }
    if (UNLIKELY(count > scripts->arg_room)) {
        make_room(scripts, count);
    }
    for (int i = 0; i < count; i++) {
        struct bytes *arg = &scripts->args[i];
        int type = lua_type(lua, i + 1);
        if (LIKELY(type == LUA_TSTRING)) {
            arg->at = lua_tolstring(lua, i + 1, &arg->size);
        } else if (type == LUA_TNUMBER) {
            arg->at = scripts->numbers[i];
            arg->size = write_number(scripts->numbers[i], lua_tonumber(lua, i + 1));
        } else {
            return "ERR Lua redis lib command arguments must be strings or integers";
        }
    }
    return NULL;
}

/* ---- calling ---- */

/* The reply in one piece; NULL at when there is no memory for that. */
static struct bytes flatten(struct scripts *scripts) {
    struct reply *reply = &scripts->reply;
    if (LIKELY(reply->piece_count == 0)) {
        return bytes_of(reply->start, (size_t)(reply->at - reply->start));
    }
    reply_close_run(reply);
    size_t size = reply->size;
    if (scripts->flat_size < size) {
        mem_free(MEM_SCRIPT, scripts->flat, scripts->flat_size);
        scripts->flat_size = 0;
        scripts->flat = mem_try_alloc(MEM_SCRIPT, size);
        if (scripts->flat == NULL) {
            return bytes_of(NULL, 0);
        }
        scripts->flat_size = size;
    }
    size_t done = 0;
    for (uint32_t i = 0; i < reply->piece_count; i++) {
        memcpy(scripts->flat + done, reply->pieces[i].at, reply->pieces[i].size);
        done += reply->pieces[i].size;
    }
    return bytes_of(scripts->flat, size);
}

static void drop_flat(struct scripts *scripts) {
    if (scripts->flat_size > FLAT_KEPT_MAX) {
        mem_free(MEM_SCRIPT, scripts->flat, scripts->flat_size);
        scripts->flat = NULL;
        scripts->flat_size = 0;
    }
}

static struct command *find_command(const struct scripts *scripts, int count) {
    const struct commands *commands = scripts->context->commands;
    struct command *command = commands_find(commands, scripts->args[0]);
    if (UNLIKELY(command != NULL && command->child_count > 0)) {
        command = commands_resolve(commands, scripts->args, count);
    }
    return command;
}

/* NULL, or why the call is not made. */
static const char *prepare_call(lua_State *lua, struct script_run *run) {
    struct scripts *scripts = run->scripts;
    const char *error = take_args(lua, scripts);
    if (UNLIKELY(error != NULL)) {
        return error;
    }
    struct call *call = &run->call;
    call->args = scripts->args;
    call->argc = lua_gettop(lua);
    call->command = find_command(scripts, call->argc);
    error = run_refusal(run, call->command, call->argc);
    if (UNLIKELY(error != NULL)) {
        if (call->command != NULL) {
            call->command->rejected++;
        }
        return error;
    }
    run->wrote |= (call->command->flags & COMMAND_WRITE) != 0;
    int first = call->command->first_key;
    if (first > 0 && first < call->argc) {
        struct bytes key = call->args[first];
        call->hash = keyspace_hash(call->keyspace, key);
    }
    return NULL;
}

/* Calls the command that the arguments say and pushes its reply's value; false when that is an
 * error, which is pushed then. */
static bool call_command(lua_State *lua) {
    struct engine *engine = engine_of(lua);
    struct script_run *run = engine->run;
    if (UNLIKELY(run == NULL)) {
        push_error(lua, "ERR commands can be called by scripts and functions that run");
        return false;
    }
    struct scripts *scripts = run->scripts;
    const char *refused = prepare_call(lua, run);
    if (UNLIKELY(refused != NULL)) {
        push_error(lua, refused);
        return false;
    }
    struct reply *reply = &scripts->reply;
    reply_reset(reply);
    reply->version = run->version;
    dispatch_run(&run->call);
    if (UNLIKELY(reply_is_discarded(reply))) {
        push_error(lua, "ERR the reply is larger than lua-memory-limit allows");
        return false;
    }
    struct bytes whole = flatten(scripts);
    if (UNLIKELY(whole.size == 0)) {
        push_error(lua, "ERR no memory for the reply");
        return false;
    }
    convert_reply(lua, engine, whole, run->version);
    drop_flat(scripts);
    return whole.at[0] != '-';
}

static int redis_call(lua_State *lua) {
    return LIKELY(call_command(lua)) ? 1 : lua_error(lua);
}

static int redis_pcall(lua_State *lua) {
    call_command(lua);
    return 1;
}

/* ---- replies ---- */

static int redis_status_reply(lua_State *lua) {
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
        push_error(lua, "ERR wrong number or type of arguments");
        return 1;
    }
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, "ok");
    return 1;
}

static size_t trimmed(const char *text, size_t size) {
    while (size > 0 && (text[size - 1] == '\r' || text[size - 1] == '\n')) {
        size--;
    }
    return size;
}

/* The first of several words is the code; a single one is the message. */
static int redis_error_reply(lua_State *lua) {
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
        push_error(lua, "ERR wrong number or type of arguments");
        return 1;
    }
    const char *text = lua_tostring(lua, 1);
    text += *text == '-';
    size_t size = trimmed(text, strlen(text));
    lua_createtable(lua, 0, 1);
    if (memchr(text, ' ', size) == NULL) {
        lua_pushliteral(lua, "ERR ");
        lua_pushlstring(lua, text, size);
        lua_concat(lua, 2);
    } else {
        lua_pushlstring(lua, text, size);
    }
    lua_setfield(lua, -2, "err");
    return 1;
}

static int redis_setresp(lua_State *lua) {
    if (lua_gettop(lua) != 1) {
        return api_raise(lua, "redis.setresp() requires one argument.");
    }
    lua_Number version = lua_tonumber(lua, 1);
    if (version != 2 && version != 3) {
        return api_raise(lua, "RESP version must be 2 or 3.");
    }
    struct script_run *run = engine_of(lua)->run;
    if (run != NULL) {
        run->version = (uint8_t)version;
    }
    return 0;
}

/* ---- the rest ---- */

static int redis_sha1hex(lua_State *lua) {
    if (lua_gettop(lua) != 1) {
        return api_raise(lua, "wrong number of arguments");
    }
    struct bytes text = bytes_of("", 0);
    const char *at = lua_tolstring(lua, 1, &text.size);
    text.at = at == NULL ? "" : at;
    text.size = at == NULL ? 0 : text.size;
    char hex[SHA1_HEX_SIZE + 1];
    sha1_hex(text, hex);
    lua_pushlstring(lua, hex, SHA1_HEX_SIZE);
    return 1;
}

static int redis_log(lua_State *lua) {
    int count = lua_gettop(lua);
    if (count < 2) {
        return api_raise(lua, "redis.log() requires two arguments or more.");
    }
    if (!lua_isnumber(lua, 1)) {
        return api_raise(lua, "First argument must be a number (log level).");
    }
    lua_Number level = lua_tonumber(lua, 1);
    if (!(level >= LOG_DEBUG && level <= LOG_WARNING)) {
        return api_raise(lua, "Invalid debug level.");
    }
    if ((enum log_level)level < log_level_now()) {
        return 0;
    }
    luaL_Buffer line;
    luaL_buffinit(lua, &line);
    for (int i = 2; i <= count; i++) {
        size_t size;
        const char *text = lua_tolstring(lua, i, &size);
        if (text != NULL) {
            if (i > 2) {
                luaL_addchar(&line, ' ');
            }
            luaL_addlstring(&line, text, size);
        }
    }
    luaL_pushresult(&line);
    log_write((enum log_level)level, "%s", lua_tostring(lua, -1));
    return 0;
}

static int redis_set_repl(lua_State *lua) {
    if (lua_gettop(lua) != 1) {
        return api_raise(lua, "redis.set_repl() requires two arguments.");
    }
    int flags = (int)lua_tonumber(lua, 1);
    if ((flags & ~(REPL_AOF | REPL_REPLICA)) != 0) {
        return api_raise(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or "
                              "REPL_NONE.");
    }
    const struct engine *engine = engine_of(lua);
    if (engine->run != NULL) {
        engine->scripts->context->pass_on->muted = (flags & REPL_REPLICA) == 0;
    }
    return 0;
}

/* Whether the caller may call that; nothing is noted. */
static int redis_acl_check_cmd(lua_State *lua) {
    struct scripts *scripts = engine_of(lua)->scripts;
    const char *error = take_args(lua, scripts);
    if (error != NULL) {
        push_error(lua, error);
        return lua_error(lua);
    }
    const struct command *command = find_command(scripts, lua_gettop(lua));
    if (command == NULL || command->fn == NULL) {
        return api_raise(lua, "Invalid command passed to redis.acl_check_cmd()");
    }
    const struct script_run *run = scripts->running;
    const struct client *client = run == NULL ? NULL : run->outer->client;
    enum guard_verdict verdict = GUARD_ALLOWED;
    if (client != NULL && client->flags & CLIENT_RESTRICTED) {
        const struct guard *guard = clients_guard(client->clients);
        int at;
        verdict = guard->judge(guard->context, client->user, command, scripts->args,
                               lua_gettop(lua), &at);
    }
    lua_pushboolean(lua, verdict == GUARD_ALLOWED);
    return 1;
}

static int answer_true(lua_State *lua) {
    lua_pushboolean(lua, 1);
    return 1;
}

static int answer_false(lua_State *lua) {
    lua_pushboolean(lua, 0);
    return 1;
}

static int answer_nothing(lua_State *lua) {
    (void)lua;
    return 0;
}

static void set_number(lua_State *lua, const char *name, int number) {
    lua_pushinteger(lua, number);
    lua_setfield(lua, -2, name);
}

/* "7.2.4" as 0x00070204. */
static int version_number(void) {
    int major = 0;
    int minor = 0;
    int patch = 0;
    check(sscanf(LARDER_REDIS_VERSION, "%d.%d.%d", &major, &minor, &patch) == 3);
    return major << 16 | minor << 8 | patch;
}

void api_set_basics(lua_State *lua) {
    lua_pushcfunction(lua, redis_log);
    lua_setfield(lua, -2, "log");
    set_number(lua, "LOG_DEBUG", LOG_DEBUG);
    set_number(lua, "LOG_VERBOSE", LOG_VERBOSE);
    set_number(lua, "LOG_NOTICE", LOG_NOTICE);
    set_number(lua, "LOG_WARNING", LOG_WARNING);
    set_number(lua, "REDIS_VERSION_NUM", version_number());
    lua_pushliteral(lua, LARDER_REDIS_VERSION);
    lua_setfield(lua, -2, "REDIS_VERSION");
}

static const luaL_Reg common[] = {
    {"call", redis_call},
    {"pcall", redis_pcall},
    {"error_reply", redis_error_reply},
    {"status_reply", redis_status_reply},
    {"sha1hex", redis_sha1hex},
    {"setresp", redis_setresp},
    {"set_repl", redis_set_repl},
    {"acl_check_cmd", redis_acl_check_cmd},
    {NULL, NULL},
};

static const luaL_Reg of_scripts[] = {
    {"replicate_commands", answer_true},
    {"breakpoint", answer_false},
    {"debug", answer_nothing},
    {NULL, NULL},
};

static void set_functions(lua_State *lua, const luaL_Reg *functions) {
    for (; functions->name != NULL; functions++) {
        lua_pushcfunction(lua, functions->func);
        lua_setfield(lua, -2, functions->name);
    }
}

void api_open(lua_State *lua, struct engine *engine) {
    lua_newtable(lua);
    set_functions(lua, common);
    api_set_basics(lua);
    set_number(lua, "REPL_NONE", 0);
    set_number(lua, "REPL_AOF", REPL_AOF);
    set_number(lua, "REPL_SLAVE", REPL_REPLICA);
    set_number(lua, "REPL_REPLICA", REPL_REPLICA);
    set_number(lua, "REPL_ALL", REPL_AOF | REPL_REPLICA);
    if (!engine->for_functions) {
        set_functions(lua, of_scripts);
    }
}
