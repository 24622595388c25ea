/* scripts: see the header. */
#include "script/scripts.h"

#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sha1.h"
#include "call/context.h"
#include "client/client.h"
#include "script/scripts_int.h"
#include "store/keyspace.h"
#include "store/lazyfree.h"

#ifdef LARDER_TEST_SMALL
#define EVICTABLE_MAX 5
#define INDEX_FIRST   2
#else
/* Scripts that came by EVAL: as many as Redis keeps. */
#define EVICTABLE_MAX 500
/* Chains at first; they double with the scripts. */
#define INDEX_FIRST   64
#endif

/* The part of the interpreter's memory that their texts may have. */
#define EVICTABLE_SHARE 16

struct script {
    struct script *next_by_body;
    struct script *next_by_digest;
    struct script *newer; /* not when it is kept */
    struct script *older;
    uint64_t body_hash;
    uint64_t digest_hash;
    int function; /* reference */
    unsigned flags;
    bool kept;
    char digest[SHA1_HEX_SIZE + 1];
    size_t size; /* of the body */
    char body[];
};

const char *script_digest(const struct script *script) {
    return script->digest;
}

struct bytes script_body(const struct script *script) {
    return bytes_of(script->body, script->size);
}

/* ---- tables ---- */

static struct script **link_of(struct script *script, bool by_body) {
    return by_body ? &script->next_by_body : &script->next_by_digest;
}

static uint64_t hash_of(const struct script *script, bool by_body) {
    return by_body ? script->body_hash : script->digest_hash;
}

static void index_add(struct script_index *index, struct script *script, bool by_body) {
    struct script **head = &index->heads[hash_of(script, by_body) & (index->size - 1)];
    *link_of(script, by_body) = *head;
    *head = script;
}

static void index_remove(struct script_index *index, struct script *script, bool by_body) {
    struct script **link = &index->heads[hash_of(script, by_body) & (index->size - 1)];
    while (*link != script) {
        link = link_of(*link, by_body);
    }
    *link = *link_of(script, by_body);
}

static void index_grow(struct script_index *index, bool by_body) {
    struct script_index grown = {.size = index->size == 0 ? INDEX_FIRST : index->size * 2};
    grown.heads = mem_zalloc(MEM_SCRIPT, grown.size * sizeof *grown.heads);
    for (size_t i = 0; i < index->size; i++) {
        struct script *script = index->heads[i];
        while (script != NULL) {
            struct script *next = *link_of(script, by_body);
            index_add(&grown, script, by_body);
            script = next;
        }
    }
    mem_free(MEM_SCRIPT, index->heads, index->size * sizeof *index->heads);
    *index = grown;
}

static void index_free(struct script_index *index) {
    mem_free(MEM_SCRIPT, index->heads, index->size * sizeof *index->heads);
    *index = (struct script_index){0};
}

static size_t footprint(const struct script *script) {
    return mem_class(sizeof *script + script->size);
}

/* ---- the list of those that may leave ---- */

static void queue_enter(struct scripts *scripts, struct script *script) {
    script->newer = NULL;
    script->older = scripts->newest;
    *(scripts->newest == NULL ? &scripts->oldest : &scripts->newest->newer) = script;
    scripts->newest = script;
    scripts->evictable++;
    scripts->evictable_bytes += footprint(script);
}

static void queue_leave(struct scripts *scripts, struct script *script) {
    *(script->newer == NULL ? &scripts->newest : &script->newer->older) = script->older;
    *(script->older == NULL ? &scripts->oldest : &script->older->newer) = script->newer;
    scripts->evictable--;
    scripts->evictable_bytes -= footprint(script);
}

/* Whoever sends many long scripts shall not fill the memory with their texts, which nobody else
 * needs, nor the interpreter with what they were compiled to. */
static bool are_too_many(const struct scripts *scripts) {
    size_t bytes_max = (size_t)scripts->options.memory_max / EVICTABLE_SHARE;
    return scripts->evictable > EVICTABLE_MAX ||
           (scripts->evictable > 1 && scripts->evictable_bytes > bytes_max);
}

/* It is used: the last one to leave. */
static void freshen(struct scripts *scripts, struct script *script) {
    if (!script->kept && scripts->newest != script) {
        queue_leave(scripts, script);
        queue_enter(scripts, script);
    }
}

/* ---- knowing ---- */

static void forget(struct scripts *scripts, struct script *script) {
    index_remove(&scripts->by_body, script, true);
    index_remove(&scripts->by_digest, script, false);
    if (!script->kept) {
        queue_leave(scripts, script);
    }
    engine_release(&scripts->eval, script->function);
    scripts->bytes -= footprint(script);
    scripts->count--;
    mem_free(MEM_SCRIPT, script, sizeof *script + script->size);
}

static void add(struct scripts *scripts, struct script *script) {
    if (scripts->count >= scripts->by_body.size) {
        index_grow(&scripts->by_body, true);
        index_grow(&scripts->by_digest, false);
    }
    index_add(&scripts->by_body, script, true);
    index_add(&scripts->by_digest, script, false);
    scripts->bytes += footprint(script);
    scripts->count++;
    if (!script->kept) {
        queue_enter(scripts, script);
        while (are_too_many(scripts)) {
            forget(scripts, scripts->oldest);
            scripts->metrics.evicted_scripts++;
        }
    }
}

static struct script *find_body(const struct scripts *scripts, struct bytes body, uint64_t hash) {
    if (scripts->by_body.size == 0) {
        return NULL;
    }
    struct script *script = scripts->by_body.heads[hash & (scripts->by_body.size - 1)];
    while (script != NULL && !(script->body_hash == hash && script->size == body.size &&
                               memcmp(script->body, body.at, body.size) == 0)) {
        script = script->next_by_body;
    }
    return script;
}

static struct script *find_exact(const struct scripts *scripts, const char *digest) {
    if (scripts->by_digest.size == 0) {
        return NULL;
    }
    uint64_t hash = hash_bytes(hash_seed(), digest, SHA1_HEX_SIZE);
    struct script *script = scripts->by_digest.heads[hash & (scripts->by_digest.size - 1)];
    while (script != NULL && memcmp(script->digest, digest, SHA1_HEX_SIZE) != 0) {
        script = script->next_by_digest;
    }
    return script;
}

struct script *scripts_find_digest(struct scripts *scripts, struct bytes digest) {
    if (digest.size != SHA1_HEX_SIZE) {
        return NULL;
    }
    struct script *script = find_exact(scripts, digest.at);
    if (script == NULL) {
        char small[SHA1_HEX_SIZE];
        for (size_t i = 0; i < SHA1_HEX_SIZE; i++) {
            char c = digest.at[i];
            small[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
        script = find_exact(scripts, small);
    }
    return script;
}

/* The interpreter is there, or the error has been replied. */
static bool have_engine(struct scripts *scripts, struct call *call) {
    if (LIKELY(scripts->eval.lua != NULL)) {
        return true;
    }
    if (engine_init(&scripts->eval, scripts, false, (size_t)scripts->options.memory_max,
                    run_on_hook) != 0) {
        reply_error(call->reply, "ERR no memory for an interpreter of scripts");
        return false;
    }
    return true;
}

static struct script *compile(struct scripts *scripts, struct call *call, struct bytes body,
                              uint64_t hash) {
    unsigned flags;
    struct bytes code;
    char wrong[SHEBANG_ERROR_SIZE];
    if (!shebang_of_script(body, &flags, &code, wrong)) {
        reply_errorf(call->reply, "ERR %s", wrong);
        return NULL;
    }
    const char *error = "";
    int function = engine_compile(&scripts->eval, code, &error);
    if (function == LUA_NOREF) {
        reply_errorf(call->reply, "ERR Error compiling script (new function): %s", error);
        engine_rest(&scripts->eval);
        return NULL;
    }
    struct script *script = mem_try_alloc(MEM_SCRIPT, sizeof *script + body.size);
    if (script == NULL) {
        engine_release(&scripts->eval, function);
        reply_no_memory(call->reply);
        return NULL;
    }
    *script =
        (struct script){.body_hash = hash, .function = function, .flags = flags, .size = body.size};
    memcpy(script->body, body.at, body.size);
    sha1_hex(body, script->digest);
    script->digest_hash = hash_bytes(hash_seed(), script->digest, SHA1_HEX_SIZE);
    return script;
}

struct script *scripts_know(struct scripts *scripts, struct call *call, struct bytes body,
                            bool kept) {
    uint64_t hash = hash_bytes(hash_seed(), body.at, body.size);
    struct script *script = find_body(scripts, body, hash);
    if (LIKELY(script != NULL)) {
        if (kept && !script->kept) {
            queue_leave(scripts, script);
            script->kept = true;
        }
        return script;
    }
    if (!have_engine(scripts, call)) {
        return NULL;
    }
    script = compile(scripts, call, body, hash);
    if (script != NULL) {
        script->kept = kept;
        add(scripts, script);
    }
    return script;
}

void script_run(struct scripts *scripts, struct script *script, struct call *call, int first_key,
                int key_count, bool read_only) {
    struct script_run run = {.scripts = scripts,
                             .engine = &scripts->eval,
                             .outer = call,
                             .name = script->digest,
                             .flags = script->flags,
                             .function = script->function,
                             .keys = call->args + first_key,
                             .key_count = key_count,
                             .args = call->args + first_key + key_count,
                             .arg_count = call->argc - first_key - key_count,
                             .read_only = read_only};
    freshen(scripts, script);
    run_script(&run);
}

/* What is left of scripts that are forgotten, all at once. */
struct remains {
    struct engine engine;
    struct script_index by_body;
    struct script_index by_digest;
};

static void free_remains(void *context) {
    struct remains *remains = context;
    engine_free(&remains->engine);
    for (size_t i = 0; i < remains->by_body.size; i++) {
        struct script *script = remains->by_body.heads[i];
        while (script != NULL) {
            struct script *next = script->next_by_body;
            mem_free(MEM_SCRIPT, script, sizeof *script + script->size);
            script = next;
        }
    }
    index_free(&remains->by_body);
    index_free(&remains->by_digest);
    mem_free(MEM_SCRIPT, remains, sizeof *remains);
}

void scripts_flush(struct scripts *scripts, bool lazy) {
    struct remains *remains = mem_zalloc(MEM_SCRIPT, sizeof *remains);
    size_t count = scripts->count;
    engine_move(&remains->engine, &scripts->eval);
    remains->by_body = scripts->by_body;
    remains->by_digest = scripts->by_digest;
    scripts->by_body = scripts->by_digest = (struct script_index){0};
    scripts->newest = scripts->oldest = NULL;
    scripts->count = scripts->evictable = scripts->bytes = scripts->evictable_bytes = 0;
    lazyfree_work(lazy ? scripts->context->keyspace->lazyfree : NULL, free_remains, remains, count);
}

/* ---- life and figures ---- */

bool scripts_is_busy(const struct scripts *scripts) {
    return scripts->running != NULL && !scripts->running->engine->for_functions;
}

/* What a script gets from a command may be as large as what it may use. */
static bool may_grow(void *context, size_t more) {
    const struct clients *clients = context;
    const struct scripts *scripts = clients_context(clients)->scripts;
    return more != REPLY_NO_MEMORY &&
           scripts->reply.size + more <= (size_t)scripts->options.memory_max;
}

bool scripts_apply_limit(void *module, const char **error) {
    (void)error;
    struct scripts *scripts = module;
    scripts->eval.limit = (size_t)scripts->options.memory_max;
    scripts->functions.limit = (size_t)scripts->options.memory_max;
    return true;
}

void scripts_figures(const struct scripts *scripts, struct script_figures *figures) {
    *figures = (struct script_figures){.scripts = scripts->count,
                                       .eval_lua = scripts->eval.used,
                                       .eval_scripts = scripts->bytes,
                                       .libraries = scripts->library_count,
                                       .functions = scripts->function_count,
                                       .functions_lua = scripts->functions.used,
                                       .functions_sources = scripts->library_bytes};
}

struct scripts *scripts_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct script_options, __VA_ARGS__)
        SCRIPT_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct script_metrics, __VA_ARGS__)
        SCRIPT_METRICS(ROW)
#undef ROW
    };
    struct scripts *scripts = mem_zalloc(MEM_SCRIPT, sizeof *scripts);
    scripts->context = context;
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &scripts->options, scripts);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &scripts->metrics, scripts, NULL);
    reply_init(&scripts->reply);
    scripts->reply.may_grow = may_grow;
    scripts->reply.on_error = clients_count_error;
    scripts->reply.context = context->clients;
    return scripts;
}

void scripts_free(struct scripts *scripts) {
    scripts_flush(scripts, false);
    functions_flush(scripts, false);
    reply_free(&scripts->reply);
    size_t room = (size_t)scripts->arg_room;
    mem_free(MEM_SCRIPT, scripts->args, room * sizeof *scripts->args);
    mem_free(MEM_SCRIPT, scripts->numbers, room * sizeof *scripts->numbers);
    mem_free(MEM_SCRIPT, scripts->flat, scripts->flat_size);
    mem_free(MEM_SCRIPT, scripts, sizeof *scripts);
}
