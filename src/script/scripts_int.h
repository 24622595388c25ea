/* scripts_int: what the files of this room share about all scripts. Nobody else includes it. */
#ifndef LARDER_SCRIPT_SCRIPTS_INT_H
#define LARDER_SCRIPT_SCRIPTS_INT_H

#include "base/buffer.h"
#include "call/call.h"
#include "client/refusal.h"
#include "script/engine.h"
#include "script/functions.h"
#include "script/run.h"
#include "script/scripts.h"

/* A table of scripts by a hash, in chains. */
struct script_index {
    struct script **heads;
    size_t size; /* a power of two */
};

struct scripts {
    struct context *context;
    struct script_options options;
    struct script_metrics metrics;
    struct engine eval;
    struct engine functions;
    struct script_run *running; /* NULL: none; one at a time */
    /* Arguments of the running redis.call, the texts of those that are numbers, its reply. */
    struct bytes *args;
    char (*numbers)[SCRIPT_NUMBER_SIZE];
    int arg_room;
    char denied[REFUSAL_TEXT_SIZE + 32]; /* why the user may not call what the script calls */
    struct reply reply;
    char *flat; /* of a reply in several pieces, the whole */
    size_t flat_size;
    /* The scripts that are known. */
    struct script_index by_body;
    struct script_index by_digest;
    struct script *newest; /* of those that came by EVAL */
    struct script *oldest;
    size_t count;
    size_t evictable;
    size_t evictable_bytes;
    size_t bytes; /* that they take, Lua's part not counted */
    /* Libraries of functions: functions.c. */
    struct library *libraries;
    struct function **by_name; /* chains */
    size_t by_name_size;       /* a power of two */
    size_t function_count;
    size_t library_count;
    size_t library_bytes;
};

#endif
