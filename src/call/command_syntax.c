/* command_syntax: a recursive descent over the notation. A sequence is read into a list of items,
 * words and groups; then tokens are joined with the words that they introduce.
 *
 * The types of arguments are not in the notation: they follow from the words, which references use
 * consistently enough. All nodes and names lie in one allocation whose size follows from the
 * text's: each node costs the text at least one byte. */
#include "call/command_syntax.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

/* Deepest nesting of brackets; references reach 5. */
#define DEPTH_MAX 16
/* Most items of one sequence, and most alternatives of one group; references reach 12. */
#define ITEMS_MAX 48

struct parser {
    const char *text; /* the whole text */
    size_t at;
    size_t size;
    int depth;
    size_t group_from;  /* where the innermost group's content starts */
    bool group_repeats; /* ... which is to be multiple as a whole */
    struct syntax_argument *nodes;
    size_t node_count;
    size_t node_max;
    char *names;
    size_t names_size;
    size_t names_max;
    int keys;
};

struct item {
    struct syntax_argument *node;
    size_t from; /* where it starts in the text */
    bool is_token;
    bool is_group; /* in [ ]: a token in front does not introduce it */
};

struct items {
    struct item list[ITEMS_MAX];
    int count;
};

static const struct {
    const char *word;
    enum syntax_type type;
} word_types[] = {
    {"count", SYNTAX_INTEGER},
    {"cursor", SYNTAX_INTEGER},
    {"client-id", SYNTAX_INTEGER},
    {"db", SYNTAX_INTEGER},
    {"decrement", SYNTAX_INTEGER},
    {"destination-db", SYNTAX_INTEGER},
    {"bit", SYNTAX_INTEGER},
    {"end", SYNTAX_INTEGER},
    {"frequency", SYNTAX_INTEGER},
    {"index", SYNTAX_INTEGER},
    {"index1", SYNTAX_INTEGER},
    {"index2", SYNTAX_INTEGER},
    {"len", SYNTAX_INTEGER},
    {"maxage", SYNTAX_INTEGER},
    {"maxlen", SYNTAX_INTEGER},
    {"milliseconds", SYNTAX_INTEGER},
    {"min-match-len", SYNTAX_INTEGER},
    {"num-matches", SYNTAX_INTEGER},
    {"numfields", SYNTAX_INTEGER},
    {"numids", SYNTAX_INTEGER},
    {"numkeys", SYNTAX_INTEGER},
    {"numreplicas", SYNTAX_INTEGER},
    {"offset", SYNTAX_INTEGER},
    {"port", SYNTAX_INTEGER},
    {"protover", SYNTAX_INTEGER},
    {"rank", SYNTAX_INTEGER},
    {"samples", SYNTAX_INTEGER},
    {"seconds", SYNTAX_INTEGER},
    {"slot", SYNTAX_INTEGER},
    {"start", SYNTAX_INTEGER},
    {"stop", SYNTAX_INTEGER},
    {"ttl", SYNTAX_INTEGER},
    {"float", SYNTAX_DOUBLE},
    {"height", SYNTAX_DOUBLE},
    {"latitude", SYNTAX_DOUBLE},
    {"longitude", SYNTAX_DOUBLE},
    {"radius", SYNTAX_DOUBLE},
    {"score", SYNTAX_DOUBLE},
    {"weight", SYNTAX_INTEGER},
    {"width", SYNTAX_DOUBLE},
    {"integer", SYNTAX_INTEGER},
    {"increment", SYNTAX_INTEGER},
    {"timeout", SYNTAX_INTEGER},
    {"key", SYNTAX_KEY},
    {"key1", SYNTAX_KEY},
    {"key2", SYNTAX_KEY},
    {"newkey", SYNTAX_KEY},
    {"source", SYNTAX_KEY},
    {"destination", SYNTAX_KEY},
    {"destkey", SYNTAX_KEY},
    {"src", SYNTAX_KEY},
    {"dst", SYNTAX_KEY},
    {"pattern", SYNTAX_PATTERN},
    {"unix-time-seconds", SYNTAX_UNIX_TIME},
    {"unix-time-milliseconds", SYNTAX_UNIX_TIME},
};

/* What a choice is called that begins with this token. */
static const struct {
    const char *token;
    const char *name;
} choice_names[] = {
    {"EX", "expiration"}, {"NX", "condition"},    {"XX", "condition"},    {"FNX", "condition"},
    {"GT", "comparison"}, {"ASC", "order"},       {"LEFT", "where"},      {"MIN", "where"},
    {"M", "unit"},        {"BYTE", "unit"},       {"BEFORE", "position"}, {"BYSCORE", "sortby"},
    {"AND", "operation"}, {"MAXLEN", "strategy"}, {"=", "operator"},
};

const char *syntax_type_name(enum syntax_type type) {
    static const char *const names[] = {
        [SYNTAX_STRING] = "string",         [SYNTAX_INTEGER] = "integer",
        [SYNTAX_DOUBLE] = "double",         [SYNTAX_KEY] = "key",
        [SYNTAX_PATTERN] = "pattern",       [SYNTAX_UNIX_TIME] = "unix-time",
        [SYNTAX_PURE_TOKEN] = "pure-token", [SYNTAX_ONEOF] = "oneof",
        [SYNTAX_BLOCK] = "block",
    };
    _Static_assert(sizeof names / sizeof names[0] == SYNTAX_TYPES, "each type has a name");
    return names[type];
}

static struct syntax_argument *new_node(struct parser *parser, enum syntax_type type) {
    check(parser->node_count < parser->node_max);
    struct syntax_argument *node = &parser->nodes[parser->node_count++];
    *node = (struct syntax_argument){.type = type};
    return node;
}

static const char *keep_name(struct parser *parser, const char *at, size_t size, bool fold) {
    check(parser->names_size + size + 1 <= parser->names_max);
    char *name = parser->names + parser->names_size;
    for (size_t i = 0; i < size; i++) {
        name[i] = (char)(fold && at[i] >= 'A' && at[i] <= 'Z' ? at[i] - 'A' + 'a' : at[i]);
    }
    name[size] = '\0';
    parser->names_size += size + 1;
    return name;
}

static void skip_spaces(struct parser *parser) {
    while (parser->at < parser->size && parser->text[parser->at] == ' ') {
        parser->at++;
    }
}

/* The next byte that is not a space, NUL at the end. */
static char peek(struct parser *parser) {
    skip_spaces(parser);
    return parser->at < parser->size ? parser->text[parser->at] : '\0';
}

static bool ends_word(char c) {
    return c == ' ' || c == '|' || c == '[' || c == ']' || c == '<' || c == '>' || c == '\0';
}

static struct item read_word(struct parser *parser) {
    struct item item = {.from = parser->at};
    const char *at = parser->text + parser->at;
    size_t size = 0;
    while (!ends_word(at[size])) {
        size++;
    }
    parser->at += size;
    item.is_token = !(at[0] >= 'a' && at[0] <= 'z');
    item.node = new_node(parser, item.is_token ? SYNTAX_PURE_TOKEN : SYNTAX_STRING);
    item.node->name = keep_name(parser, at, size, true);
    if (item.is_token) {
        item.node->token = keep_name(parser, at, size, false);
        return item;
    }
    for (size_t i = 0; i < sizeof word_types / sizeof word_types[0]; i++) {
        if (strcmp(word_types[i].word, item.node->name) == 0) {
            item.node->type = word_types[i].type;
        }
    }
    if (item.node->type == SYNTAX_KEY) {
        item.node->key_index = parser->keys++;
    }
    return item;
}

/* Makes the items the children of a node. */
static void adopt(struct syntax_argument *parent, const struct item *items, int count) {
    parent->child_count = count;
    parent->children = count > 0 ? items[0].node : NULL;
    for (int i = 0; i < count; i++) {
        items[i].node->next = i + 1 < count ? items[i + 1].node : NULL;
    }
}

/* Joins tokens with the words behind them, in place: TOKEN word becomes that word's argument, TOKEN
 * word word a block. Items from `from` on. */
static void join_tokens(struct items *items, int from) {
    int out = from;
    for (int i = from; i < items->count; i++) {
        struct item item = items->list[i];
        int end = i + 1;
        if (item.is_token) {
            while (end < items->count && !items->list[end].is_token && !items->list[end].is_group) {
                end++;
            }
            if (end == i + 2 && !items->list[i + 1].node->multiple) {
                items->list[i + 1].node->token = item.node->token;
                item.node = items->list[i + 1].node;
            } else if (end > i + 1) {
                item.node->type = SYNTAX_BLOCK;
                adopt(item.node, &items->list[i + 1], end - i - 1);
            }
            item.is_token = end == i + 1;
        }
        items->list[out++] = item;
        i = end - 1;
    }
    items->count = out;
}

/* Makes one node of the items from `from` on: the only one, or a block. */
static struct syntax_argument *one_node(struct parser *parser, struct items *items, int from) {
    join_tokens(items, from);
    if (items->count - from == 1) {
        return items->list[from].node;
    }
    struct syntax_argument *block = new_node(parser, SYNTAX_BLOCK);
    block->name = items->list[from].node->name;
    adopt(block, &items->list[from], items->count - from);
    return block;
}

static bool read_sequence(struct parser *parser, struct items *items);

/* "[x ...]": whether it repeats what stands right before it; then that becomes multiple and the
 * group is consumed. parser->at is at the bracket. */
static bool read_repetition(struct parser *parser, struct items *items) {
    size_t open = parser->at;
    const char *dots = strstr(parser->text + open, " ...]");
    if (dots == NULL) {
        return false;
    }
    size_t size = (size_t)(dots - parser->text) - open - 1;
    if (open < size + 1 ||
        memcmp(parser->text + open + 1, parser->text + open - 1 - size, size) != 0) {
        return false;
    }
    parser->at = (size_t)(dots - parser->text) + strlen(" ...]");
    int first = items->count;
    while (first > 0 && items->list[first - 1].from >= open - 1 - size) {
        first--;
    }
    if (first == items->count || items->list[first].from != open - 1 - size) {
        if (parser->depth > 0 && parser->group_from == open - 1 - size) {
            parser->group_repeats = true; /* all alternatives: [a|b [a|b ...]] */
            return true;
        }
        parser->at = open;
        return false;
    }
    size_t from = items->list[first].from;
    bool by_token = items->list[first].is_token;
    struct syntax_argument *node = one_node(parser, items, first);
    node->multiple = true;
    node->multiple_token = by_token;
    items->list[first] = (struct item){.node = node, .from = from};
    items->count = first + 1;
    return true;
}

static const char *choice_name(const struct syntax_argument *choice) {
    const struct syntax_argument *first = choice->children;
    for (size_t i = 0; first->token != NULL && i < sizeof choice_names / sizeof choice_names[0];
         i++) {
        if (strcmp(choice_names[i].token, first->token) == 0) {
            return choice_names[i].name;
        }
    }
    return first->name;
}

/* The alternatives of a group, up to its closing bracket, as one node. NULL when malformed. */
static struct syntax_argument *read_alternatives(struct parser *parser, char close) {
    struct items alternatives = {.count = 0};
    struct syntax_argument *introduced_by = NULL;
    for (;;) {
        struct items items = {.count = 0};
        if (alternatives.count == ITEMS_MAX || !read_sequence(parser, &items) || items.count == 0) {
            return NULL;
        }
        char next = peek(parser);
        int from = 0;
        if (next == '|' && alternatives.count == 0 && items.count > 1 && items.list[0].is_token &&
            items.list[1].is_token) {
            introduced_by = items.list[0].node;
            from = 1;
        }
        struct syntax_argument *node = one_node(parser, &items, from);
        alternatives.list[alternatives.count++] = (struct item){.node = node};
        parser->at++;
        if (next == close) {
            break;
        }
        if (next != '|') {
            return NULL;
        }
    }
    if (alternatives.count == 1) {
        return alternatives.list[0].node;
    }
    struct syntax_argument *choice = new_node(parser, SYNTAX_ONEOF);
    adopt(choice, alternatives.list, alternatives.count);
    choice->name = choice_name(choice);
    if (introduced_by != NULL) {
        choice->name = introduced_by->name;
        choice->token = introduced_by->token;
    }
    return choice;
}

static bool read_group(struct parser *parser, struct items *items) {
    char open = parser->text[parser->at];
    if (open == '[' && read_repetition(parser, items)) {
        return true;
    }
    struct item item = {.from = parser->at, .is_group = open == '['};
    size_t outer_from = parser->group_from;
    bool outer_repeats = parser->group_repeats;
    parser->at++;
    parser->depth++;
    parser->group_from = parser->at;
    parser->group_repeats = false;
    item.node =
        parser->depth > DEPTH_MAX ? NULL : read_alternatives(parser, open == '[' ? ']' : '>');
    parser->depth--;
    if (item.node == NULL) {
        return false;
    }
    item.node->optional = open == '[';
    item.node->multiple = item.node->multiple || parser->group_repeats;
    parser->group_from = outer_from;
    parser->group_repeats = outer_repeats;
    items->list[items->count++] = item;
    return true;
}

/* Items up to a closing bracket, a bar or the end. */
static bool read_sequence(struct parser *parser, struct items *items) {
    for (;;) {
        char c = peek(parser);
        if (c == '\0' || c == '|' || c == ']' || c == '>') {
            return true;
        }
        if (items->count == ITEMS_MAX || c == '.') {
            return false;
        }
        if (c == '[' || c == '<') {
            if (!read_group(parser, items)) {
                return false;
            }
        } else {
            items->list[items->count++] = read_word(parser);
        }
    }
}

bool syntax_parse(const char *text, struct syntax *out) {
    struct parser parser = {.text = text, .size = strlen(text)};
    /* A word, a bracket or a bar stands behind each node; each word is kept twice at most, with a
     * NUL where the text has a byte between words. */
    parser.node_max = parser.size + 1;
    parser.names_max = 2 * (parser.size + 1);
    size_t nodes_size = parser.node_max * sizeof *parser.nodes;
    *out = (struct syntax){.memory_size = nodes_size + parser.names_max};
    out->memory = mem_alloc(MEM_OTHER, out->memory_size);
    parser.nodes = out->memory;
    parser.names = (char *)out->memory + nodes_size;
    struct items items = {.count = 0};
    if (!read_sequence(&parser, &items) || parser.at != parser.size) {
        syntax_free(out);
        return false;
    }
    join_tokens(&items, 0);
    struct syntax_argument all = {0};
    adopt(&all, items.list, items.count);
    out->first = all.children;
    out->count = all.child_count;
    return true;
}

void syntax_free(struct syntax *syntax) {
    mem_free(MEM_OTHER, syntax->memory, syntax->memory_size);
    *syntax = (struct syntax){0};
}
