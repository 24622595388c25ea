/* command_docs: walks the tree that a row's syntax parses into. Documentation is asked for seldom,
 * by people's tools: parsing anew each time costs less than keeping the trees. */
#include "command/command_docs.h"

#include <string.h>

#include "base/check.h"
#include "call/command_syntax.h"

/* The index of the specification that finds the how-manieth key; -1 when the row has none. */
static int key_spec_of(const struct command *command, int key_index) {
    int count = 0;
    while (count < COMMAND_KEY_SPECS && command->row->keys[count].flags != 0) {
        count++;
    }
    return key_index < count ? key_index : count - 1;
}

static void reply_flags(struct reply *reply, const struct syntax_argument *argument) {
    reply_bulk_text(reply, "flags");
    reply_set(reply, argument->optional + argument->multiple + argument->multiple_token);
    if (argument->optional) {
        reply_status(reply, "optional");
    }
    if (argument->multiple) {
        reply_status(reply, "multiple");
    }
    if (argument->multiple_token) {
        reply_status(reply, "multiple_token");
    }
}

/* What the notation's words leave open depends on the command: those that wait take fractions of
 * seconds, those on floats add floats, and the values of bits are numbers. */
static enum syntax_type type_of(const struct command *command,
                                const struct syntax_argument *argument) {
    const char *name = argument->name;
    if (strcmp(name, "timeout") == 0 && (command->flags & COMMAND_BLOCKING)) {
        return SYNTAX_DOUBLE;
    }
    if (strcmp(name, "increment") == 0 && strstr(command->row->name, "float") != NULL) {
        return SYNTAX_DOUBLE;
    }
    if (strcmp(name, "value") == 0 && (command->row->categories & CATEGORY_BITMAP)) {
        return SYNTAX_INTEGER;
    }
    return argument->type;
}

static void reply_arguments(struct reply *reply, const struct command *command,
                            const struct syntax_argument *first, int count);

static void reply_argument(struct reply *reply, const struct command *command,
                           const struct syntax_argument *argument) {
    int key_spec = argument->type == SYNTAX_KEY ? key_spec_of(command, argument->key_index) : -1;
    bool has_flags = argument->optional || argument->multiple || argument->multiple_token;
    reply_map(reply, 2 + (key_spec >= 0) + (argument->token != NULL) + has_flags +
                         (argument->child_count > 0));
    reply_bulk_text(reply, "name");
    reply_bulk_text(reply, argument->name);
    reply_bulk_text(reply, "type");
    reply_bulk_text(reply, syntax_type_name(type_of(command, argument)));
    if (key_spec >= 0) {
        reply_bulk_text(reply, "key_spec_index");
        reply_integer(reply, key_spec);
    }
    if (argument->token != NULL) {
        reply_bulk_text(reply, "token");
        reply_bulk_text(reply, argument->token);
    }
    if (has_flags) {
        reply_flags(reply, argument);
    }
    if (argument->child_count > 0) {
        reply_arguments(reply, command, argument->children, argument->child_count);
    }
}

/* The depth is that of the syntax, which its parser limits. */
static void reply_arguments(struct reply *reply, const struct command *command,
                            const struct syntax_argument *first, int count) {
    reply_bulk_text(reply, "arguments");
    reply_array(reply, count);
    for (const struct syntax_argument *argument = first; argument != NULL;
         argument = argument->next) {
        reply_argument(reply, command, argument);
    }
}

static void reply_text(struct reply *reply, const char *name, const char *text, int64_t *pairs) {
    if (text != NULL && text[0] != '\0') {
        reply_bulk_text(reply, name);
        reply_bulk_text(reply, text);
        ++*pairs;
    }
}

void command_docs_reply(struct reply *reply, const struct command *command) {
    const struct command_row *row = command->row;
    int64_t pairs = 0;
    reply_bulk_text(reply, command->name);
    struct reply_mark mark = reply_defer(reply);
    reply_text(reply, "summary", row->summary, &pairs);
    reply_text(reply, "since", row->since, &pairs);
    reply_text(reply, "group", group_name(row->group), &pairs);
    reply_text(reply, "complexity", row->complexity, &pairs);
    if (row->deprecated_since != NULL) {
        reply_bulk_text(reply, "doc_flags");
        reply_set(reply, 1);
        reply_status(reply, "deprecated");
        pairs++;
        reply_text(reply, "deprecated_since", row->deprecated_since, &pairs);
        reply_text(reply, "replaced_by", row->replaced_by, &pairs);
    }
    if (row->syntax != NULL) {
        struct syntax syntax;
        check(syntax_parse(row->syntax, &syntax));
        if (syntax.count > 0) {
            reply_arguments(reply, command, syntax.first, syntax.count);
            pairs++;
        }
        syntax_free(&syntax);
    }
    if (command->child_count > 0) {
        reply_bulk_text(reply, "subcommands");
        reply_map(reply, command->child_count);
        for (int i = 0; i < command->child_count; i++) {
            command_docs_reply(reply, command->children[i]);
        }
        pairs++;
    }
    reply_defer_end(reply, mark, '%', pairs);
}
