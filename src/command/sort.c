/* sort: SORT and SORT_RO. In steps:
 *
 *     options   what is asked for
 *     collect   the elements, in the order of the value (sort_elements.h)
 *     weigh     a key of 64 bits for each: of its number, or of the first bytes of its text that
 *               differ, or of what BY names for it (sort_pattern.h)
 *     order     sorted by key, and by text where keys are equal (sort_order.h)
 *     answer    the elements, or what GET names for them, as reply or as a list
 *
 * Descending order is ascending order read from the end. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "command/list_call.h"
#include "command/sort_elements.h"
#include "client/client.h"
#include "client/guard.h"
#include "command/sort_order.h"
#include "command/sort_pattern.h"
#include "command/tables.h"

/* A number as text, with its NUL, that is read without allocating. */
#define NUMBER_SIZE 128

struct sort {
    struct call *call;
    bool descending;
    bool alphabetic;
    bool unsorted; /* BY a pattern that is the same for all */
    struct sort_pattern by;
    bool has_by;
    int64_t offset;
    int64_t limit; /* negative: all */
    int store;     /* argument with the destination, or 0 */
    int gets;      /* how many GET there are */
    int first_get; /* argument of the first GET's pattern */
    struct sort_name name;
    struct sort_elements elements;
    /* In the order of `elements`, or NULL: then they are in order. */
    struct sort_item *items;
    struct sort_item *others;
    struct sort_item *sorted; /* one of these */
    struct bytes *weights;    /* of BY with ALPHA: copies of what was found, .at NULL: nothing */
    size_t from;              /* what is answered */
    size_t to;
};

/* ---- options ---- */

/* BY and GET read keys that the arguments do not name: only for who may read all. */
static bool may_look_elsewhere(struct call *call, const char *option) {
    const struct client *client = call->client;
    if (LIKELY(!(client->flags & CLIENT_RESTRICTED)) ||
        clients_guard(client->clients)->reads_all(client->user, call->command)) {
        return true;
    }
    reply_errorf(call->reply, "ERR %s option of SORT denied due to insufficient ACL permissions.",
                 option);
    return false;
}

static bool parse_by(struct sort *sort, int index) {
    struct bytes text = sort->call->args[index];
    sort->by = sort_pattern_parse(text);
    sort->has_by = sort->by.has_star;
    sort->unsorted |= !sort->by.has_star;
    return !sort->has_by || may_look_elsewhere(sort->call, "BY");
}

static bool parse_get(struct sort *sort, int index) {
    sort->first_get = sort->gets++ == 0 ? index : sort->first_get;
    return may_look_elsewhere(sort->call, "GET");
}

static bool parse_limit(struct sort *sort, int index) {
    return call_integer(sort->call, index, &sort->offset) &&
           call_integer(sort->call, index + 1, &sort->limit);
}

/* False when an error has been replied. */
static bool parse(struct sort *sort, bool may_store) {
    struct call *call = sort->call;
    for (int i = 2; i < call->argc; i++) {
        int left = call->argc - i - 1;
        if (call_arg_is(call, i, "asc")) {
            sort->descending = false;
        } else if (call_arg_is(call, i, "desc")) {
            sort->descending = true;
        } else if (call_arg_is(call, i, "alpha")) {
            sort->alphabetic = true;
        } else if (call_arg_is(call, i, "limit") && left >= 2) {
            if (!parse_limit(sort, i + 1)) {
                return false;
            }
            i += 2;
        } else if (may_store && call_arg_is(call, i, "store") && left >= 1) {
            sort->store = ++i;
        } else if (call_arg_is(call, i, "by") && left >= 1) {
            if (!parse_by(sort, ++i)) {
                return false;
            }
        } else if (call_arg_is(call, i, "get") && left >= 1) {
            if (!parse_get(sort, ++i)) {
                return false;
            }
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

/* Which part of `length` elements is asked for. */
static void limit_part(struct sort *sort, size_t length) {
    size_t offset = sort->offset < 0 ? 0 : (size_t)sort->offset;
    sort->from = offset < length ? offset : length;
    size_t rest = length - sort->from;
    sort->to =
        sort->from + (sort->limit < 0 || (size_t)sort->limit > rest ? rest : (size_t)sort->limit);
}

/* ---- weigh ---- */

/* A number in any form that strtod knows, as the reference reads it: up to a NUL, spaces in front,
 * nothing at all being 0. */
static bool read_number(struct bytes text, double *number) {
    if (num_parse_double(text, number)) {
        return true;
    }
    char few[NUMBER_SIZE];
    char *copy = few;
    if (text.size >= sizeof few) {
        copy = mem_try_alloc(MEM_OTHER, text.size + 1);
        if (copy == NULL) {
            return false;
        }
    }
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    char *end;
    errno = 0;
    *number = strtod(copy, &end);
    bool good = *end == '\0' && errno != ERANGE && !isnan(*number);
    if (copy != few) {
        mem_free(MEM_OTHER, copy, text.size + 1);
    }
    return good;
}

/* What BY names for an element; true with nothing found. */
static bool find_weight(struct sort *sort, size_t index, struct sort_found *found) {
    char scratch[NUM_I64_SIZE];
    struct bytes text = sort_element_text(&sort->elements.at[index], scratch);
    return sort_pattern_find(sort->call, &sort->by, text, &sort->name, found);
}

/* Keys of numbers. False when one is not a number. */
static bool weigh_numbers(struct sort *sort) {
    for (size_t i = 0; i < sort->elements.count; i++) {
        const struct sort_element *element = &sort->elements.at[i];
        double number = 0;
        bool good = true;
        if (sort->has_by) {
            struct sort_found found;
            if (find_weight(sort, i, &found)) {
                good = read_number(found.text, &number);
            }
        } else if (element->size == SORT_INTEGER) {
            number = (double)element->integer;
        } else {
            good = read_number(bytes_of(element->text, element->size), &number);
        }
        if (!good) {
            return false;
        }
        sort->items[i] = (struct sort_item){sort_key_of_number(number), i};
    }
    return true;
}

/* The text that an item is compared by when keys are equal: its own. */
static struct bytes own_text(void *context, uint64_t index, char *scratch) {
    const struct sort *sort = context;
    return sort_element_text(&sort->elements.at[index], scratch);
}

/* With ALPHA and BY: what was found. Nothing is less than an empty text, and its key is the least
 * one; that they are told apart is seen to by the byte that each weight begins with. */
static struct bytes weight_text(void *context, uint64_t index, char *scratch) {
    (void)scratch;
    const struct sort *sort = context;
    return sort->weights[index];
}

/* Copies what BY names, since the keyspace may change when the next is looked up. */
static int find_weights(struct sort *sort) {
    size_t count = sort->elements.count;
    sort->weights = mem_try_alloc(MEM_OTHER, count * sizeof *sort->weights);
    if (sort->weights == NULL) {
        return -ENOMEM;
    }
    memset(sort->weights, 0, count * sizeof *sort->weights);
    for (size_t i = 0; i < count; i++) {
        struct sort_found found;
        if (!find_weight(sort, i, &found)) {
            sort->weights[i] = bytes_of("", 0);
            continue;
        }
        char *copy = mem_try_alloc(MEM_OTHER, found.text.size + 1);
        if (copy == NULL) {
            return -ENOMEM;
        }
        copy[0] = 1;
        memcpy(copy + 1, found.text.at, found.text.size);
        sort->weights[i] = bytes_of(copy, found.text.size + 1);
    }
    return 0;
}

/* How many bytes all texts begin with alike: these say nothing about the order. */
static size_t common_prefix(struct sort *sort, sort_text_fn text) {
    char scratch[2][NUM_I64_SIZE];
    struct bytes first = text(sort, 0, scratch[0]);
    size_t common = first.size;
    for (size_t i = 1; i < sort->elements.count && common > 0; i++) {
        struct bytes other = text(sort, i, scratch[1]);
        common = other.size < common ? other.size : common;
        size_t same = 0;
        while (same < common && other.at[same] == first.at[same]) {
            same++;
        }
        common = same;
    }
    return common;
}

static void weigh_texts(struct sort *sort, sort_text_fn text) {
    size_t common = common_prefix(sort, text);
    for (size_t i = 0; i < sort->elements.count; i++) {
        char scratch[NUM_I64_SIZE];
        sort->items[i] = (struct sort_item){sort_key_of_text(text(sort, i, scratch), common), i};
    }
}

/* Puts the elements into order; false when an error has been replied. */
static bool order(struct sort *sort) {
    size_t count = sort->elements.count;
    struct reply *reply = sort->call->reply;
    if (count == 0) {
        return true;
    }
    sort->items = mem_try_alloc(MEM_OTHER, count * sizeof *sort->items);
    sort->others = mem_try_alloc(MEM_OTHER, count * sizeof *sort->others);
    if (sort->items == NULL || sort->others == NULL ||
        (sort->alphabetic && sort->has_by && find_weights(sort) != 0)) {
        reply_no_memory(reply);
        return false;
    }
    sort_text_fn text = sort->weights != NULL ? weight_text : own_text;
    if (sort->alphabetic) {
        weigh_texts(sort, text);
    } else if (!weigh_numbers(sort)) {
        reply_error(reply, "ERR One or more scores can't be converted into double");
        return false;
    }
    sort->sorted = sort_order(sort->items, sort->others, count, text, sort);
    return true;
}

/* ---- answer ---- */

/* The element at a place of the result. */
static const struct sort_element *element_at(const struct sort *sort, size_t place) {
    if (sort->sorted != NULL) {
        size_t at = sort->descending ? sort->elements.count - 1 - place : place;
        place = sort->sorted[at].index;
    }
    return &sort->elements.at[place];
}

/* What one GET asks for; false when there is nothing. */
static bool find_get(struct sort *sort, int index, struct bytes element, struct sort_found *found) {
    struct sort_pattern pattern = sort_pattern_parse(sort->call->args[index]);
    return sort_pattern_find(sort->call, &pattern, element, &sort->name, found);
}

/* The argument with the next GET's pattern. They may stand anywhere, so each is looked for. */
static int next_get(const struct sort *sort, int index) {
    for (int i = index + 1; i + 1 < sort->call->argc; i++) {
        if (call_arg_is(sort->call, i, "get")) {
            return i + 1;
        }
        /* Words that are arguments of others may be called GET too. */
        if (call_arg_is(sort->call, i, "limit")) {
            i += 2;
        } else if (call_arg_is(sort->call, i, "by") || call_arg_is(sort->call, i, "store")) {
            i++;
        }
    }
    return 0;
}

static void reply_element(struct reply *reply, const struct sort_element *element) {
    if (element->size == SORT_INTEGER) {
        reply_bulk_integer(reply, element->integer);
    } else {
        reply_bulk(reply, bytes_of(element->text, element->size));
    }
}

static void answer(struct sort *sort) {
    struct reply *reply = sort->call->reply;
    size_t width = sort->gets > 0 ? (size_t)sort->gets : 1;
    reply_array(reply, (int64_t)((sort->to - sort->from) * width));
    for (size_t i = sort->from; i < sort->to; i++) {
        const struct sort_element *element = element_at(sort, i);
        if (sort->gets == 0) {
            reply_element(reply, element);
            continue;
        }
        char scratch[NUM_I64_SIZE];
        struct bytes text = sort_element_text(element, scratch);
        for (int get = sort->first_get; get != 0; get = next_get(sort, get)) {
            struct sort_found found;
            if (!find_get(sort, get, text, &found)) {
                reply_null(reply);
            } else if (found.blob != NULL) {
                reply_bulk_blob(reply, found.blob, 0, found.text.size);
            } else {
                reply_bulk(reply, found.text);
            }
        }
    }
}

/* Adds to the list that is stored. */
static int store_text(struct sort *sort, struct entry *list, struct bytes text, struct blob *blob) {
    struct list_write write = {.text = text, .blob = blob != NULL ? blob_share(blob) : NULL};
    return list_push(list, &sort->call->keyspace->list_options, LIST_TAIL, &write);
}

/* What is stored for one element; where GET finds nothing, an empty text. */
static int store_element(struct sort *sort, struct entry *list, size_t place) {
    char scratch[NUM_I64_SIZE];
    struct bytes text = sort_element_text(element_at(sort, place), scratch);
    if (sort->gets == 0) {
        return store_text(sort, list, text, NULL);
    }
    int result = 0;
    for (int get = sort->first_get; get != 0 && result == 0; get = next_get(sort, get)) {
        struct sort_found found;
        if (find_get(sort, get, text, &found)) {
            result = store_text(sort, list, found.text, found.blob);
        } else {
            result = store_text(sort, list, bytes_of("", 0), NULL);
        }
    }
    return result;
}

/* The list becomes the destination's value. False when there is no memory: the list is the
 * caller's then. */
static bool put_list(struct sort *sort, struct entry *list) {
    struct keyspace *keyspace = sort->call->keyspace;
    struct key key = call_key(sort->call, sort->store);
    struct entry *old = keyspace_write(keyspace, &key);
    if (list_length(list) == 0) {
        list_free(list);
        if (old != NULL) {
            keyspace_remove(keyspace, &key, old, keyspace->options.lazy_server_del);
            keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "del");
        }
        return true;
    }
    struct entry_shape shape = {
        .type = ENTRY_LIST, .encoding = entry_encoding(list), .word = entry_shape_word(list)};
    if (keyspace_assign(keyspace, &key, old, &shape, ENTRY_NO_DEADLINE) == NULL) {
        return false;
    }
    keyspace_changed(keyspace, &key, KEYSPACE_LIST, "sortstore");
    return true;
}

static void store(struct sort *sort) {
    struct reply *reply = sort->call->reply;
    struct entry_shape shape = list_new_shape(&sort->call->keyspace->list_options, 0);
    struct entry *list = entry_try_new(bytes_of("", 0), &shape);
    if (list == NULL) {
        list_discard(&shape);
        reply_no_memory(reply);
        return;
    }
    int result = 0;
    for (size_t i = sort->from; i < sort->to && result == 0; i++) {
        result = store_element(sort, list, i);
    }
    size_t length = list_length(list);
    if (result == 0 && put_list(sort, list)) {
        reply_integer(reply, (int64_t)length);
    } else {
        list_free(list);
        reply_no_memory(reply);
    }
    entry_free(list);
}

/* ---- all of it ---- */

/* Collects what is to be sorted, or what is asked for if nothing is to be. */
static bool collect(struct sort *sort, const struct entry *entry) {
    size_t length = entry != NULL ? sort_elements_length(entry) : 0;
    limit_part(sort, length);
    if (entry == NULL) {
        return true;
    }
    /* A set has no order of its own that replicas would agree on. */
    if (sort->unsorted && entry_type(entry) == ENTRY_SET && sort->store != 0) {
        sort->unsorted = false;
        sort->alphabetic = true;
        sort->has_by = false;
    }
    bool in_part = sort->unsorted && entry_type(entry) != ENTRY_SET;
    bool reverse = sort->unsorted && sort->descending;
    size_t from = in_part ? sort->from : 0;
    size_t count = in_part ? sort->to - sort->from : length;
    if (in_part) {
        sort->from = 0;
        sort->to = count;
    }
    if (sort_elements_collect(entry, from, count, reverse, &sort->elements) != 0) {
        reply_no_memory(sort->call->reply);
        return false;
    }
    return true;
}

/* Room for the longest name of a key, once for all patterns. */
static bool reserve_names(struct sort *sort) {
    size_t size = sort->elements.size_max;
    bool done = sort_name_reserve(&sort->name, &sort->by, size);
    for (int get = sort->first_get; get != 0 && done; get = next_get(sort, get)) {
        struct sort_pattern pattern = sort_pattern_parse(sort->call->args[get]);
        done = sort_name_reserve(&sort->name, &pattern, size);
    }
    if (!done) {
        reply_no_memory(sort->call->reply);
    }
    return done;
}

static void free_sort(struct sort *sort) {
    size_t count = sort->elements.count;
    for (size_t i = 0; sort->weights != NULL && i < count; i++) {
        if (sort->weights[i].size > 0) {
            mem_free(MEM_OTHER, (void *)(uintptr_t)sort->weights[i].at, sort->weights[i].size);
        }
    }
    mem_free(MEM_OTHER, sort->weights, count * sizeof *sort->weights);
    mem_free(MEM_OTHER, sort->items, count * sizeof *sort->items);
    mem_free(MEM_OTHER, sort->others, count * sizeof *sort->others);
    sort_name_free(&sort->name);
    sort_elements_free(&sort->elements);
}

static void run(struct call *call, bool may_store) {
    struct sort sort = {.call = call, .limit = -1};
    if (!parse(&sort, may_store)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (entry != NULL && !sort_elements_type(entry_type(entry))) {
        reply_wrong_type(call->reply);
        return;
    }
    if (collect(&sort, entry) && reserve_names(&sort) && (sort.unsorted || order(&sort))) {
        if (sort.store != 0) {
            store(&sort);
        } else {
            answer(&sort);
        }
    }
    free_sort(&sort);
}

static void sort_command(struct call *call) {
    run(call, true);
}

static void sort_ro(struct call *call) {
    run(call, false);
}

static const struct command_row rows[] = {
    {.name = "sort",
     .fn = sort_command,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_SET | CATEGORY_SORTED_SET | CATEGORY_LIST |
                   CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS),
              KEYS_BEHIND("STORE", 2, 0, 1, 0, KEY_OW | KEY_UPDATE | KEY_INCOMPLETE)},
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(N+M*log(M)) for N elements of which M are compared as texts; keys named by "
                   "patterns come on top.",
     .summary = "Sorts the elements of a list, a set or a sorted set, and returns or stores them.",
     .syntax = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] "
               "[ALPHA] [STORE destination]"},
    {.name = "sort_ro",
     .fn = sort_ro,
     .arity = -2,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_READ | CATEGORY_SET | CATEGORY_SORTED_SET | CATEGORY_LIST |
                   CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_GENERIC,
     .since = "7.0.0",
     .complexity = "O(N+M*log(M)) for N elements of which M are compared as texts; keys named by "
                   "patterns come on top.",
     .summary = "Sorts the elements of a list, a set or a sorted set, and returns them.",
     .syntax = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] "
               "[ALPHA]"},
};

const struct command_table *command_sort(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
