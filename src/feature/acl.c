/* acl: the users, and what changes when one of them does. */
#include "feature/acl.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "client/client.h"
#include "feature/acl_int.h"
#include "feature/pubsub.h"

#define USERS_FIRST 8

static const char default_name[] = "default";

static const struct option_choice acl_channel_choices[] = {
    {"resetchannels", 0},
    {"allchannels", 1},
    {NULL, 0},
};

static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct acl_options, __VA_ARGS__)
    ACL_OPTIONS(ROW)
#undef ROW
};

static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct acl_metrics, __VA_ARGS__)
    ACL_METRICS(ROW)
#undef ROW
};

const struct acl_names *acl_names_now(struct acl *acl) {
    acl->names.new_channels = acl->options.new_channels != 0;
    return &acl->names;
}

/* ---- the list of users ---- */

/* Where a name is, or would be. */
static size_t place_of(const struct acl_users *users, struct bytes name) {
    size_t low = 0;
    size_t high = users->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(users->list[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct user *acl_users_find(const struct acl_users *users, struct bytes name) {
    size_t at = place_of(users, name);
    return at < users->count && bytes_equal(users->list[at]->name, name) ? users->list[at] : NULL;
}

void acl_users_add(struct acl_users *users, struct user *user) {
    if (users->count == users->capacity) {
        size_t capacity = users->capacity == 0 ? USERS_FIRST : users->capacity * 2;
        users->list = mem_realloc(MEM_FEATURE, users->list, users->capacity * sizeof(struct user *),
                                  capacity * sizeof(struct user *));
        users->capacity = capacity;
    }
    size_t at = place_of(users, user->name);
    memmove(users->list + at + 1, users->list + at, (users->count - at) * sizeof(struct user *));
    users->list[at] = user;
    users->count++;
}

void acl_users_remove(struct acl_users *users, const struct user *user) {
    size_t at = place_of(users, user->name);
    check(at < users->count && users->list[at] == user);
    users->count--;
    memmove(users->list + at, users->list + at + 1, (users->count - at) * sizeof(struct user *));
}

void acl_users_clear(struct acl_users *users) {
    for (size_t i = 0; i < users->count; i++) {
        acl_user_free(users->list[i]);
    }
    mem_free(MEM_FEATURE, users->list, users->capacity * sizeof(struct user *));
    *users = (struct acl_users){0};
}

size_t acl_count(const struct acl *acl) {
    return acl->users.count;
}

const struct user *acl_at(const struct acl *acl, size_t index) {
    return acl->users.list[index];
}

const struct user *acl_find(const struct acl *acl, struct bytes name) {
    return acl_users_find(&acl->users, name);
}

/* ---- their connections ---- */

/* Whether a subscriber may still hear what he subscribes to. */
struct hearing {
    const struct user *user;
    bool is_pattern;
    bool fits; /* what was asked last */
};

static void may_hear(void *context, struct bytes name) {
    struct hearing *hearing = context;
    bool one = false;
    for (const struct acl_selector *s = hearing->user->selectors; s != NULL && !one; s = s->next) {
        one = acl_selector_has_channel(s, name, hearing->is_pattern);
    }
    hearing->fits = hearing->fits && one;
}

static bool may_go_on(const struct client *client) {
    struct hearing hearing = {.user = client->user, .fits = true};
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        hearing.is_pattern = kind == PUBSUB_PATTERN;
        pubsub_visit_client(client, (enum pubsub_kind)kind, may_hear, &hearing);
    }
    return hearing.fits;
}

/* Closes it, behind the reply if it is the one that is being served. */
static void dismiss(struct acl *acl, struct client *client) {
    client->user = acl->guard.newcomer;
    client->flags &= ~(uint32_t)CLIENT_AUTHENTICATED;
    if (client->flags & CLIENT_BUSY) {
        client_close_after_reply(client);
    } else {
        client_close(client);
    }
}

static void follow(struct acl *acl, const struct user *user) {
    for (struct client *client = clients_first(acl->context->clients); client != NULL;
         client = client->next) {
        if (client->user != user || client->flags & CLIENT_CLOSING) {
            continue;
        }
        client_update_rights(client);
        if (client->class_ == CLIENT_CLASS_PUBSUB && !may_go_on(client)) {
            dismiss(acl, client);
        }
    }
}

static void dismiss_all_of(struct acl *acl, const struct user *user) {
    for (struct client *client = clients_first(acl->context->clients); client != NULL;
         client = client->next) {
        if (client->user == user) {
            dismiss(acl, client);
        }
    }
}

/* ---- changing them ---- */

static void set_password(struct user *user, const char *password) {
    acl_list_clear(&user->passwords);
    user->needs_no_password = password[0] == '\0';
    if (password[0] != '\0') {
        char digits[SHA256_DIGITS];
        sha256_digits(bytes_text(password), digits);
        acl_list_add(&user->passwords, bytes_of(digits, sizeof digits), 0);
    }
}

bool acl_apply_password(void *module, const char **error) {
    struct acl *acl = module;
    (void)error;
    set_password(acl->guard.newcomer, acl->options.password);
    return true;
}

struct user *acl_default_user(struct acl *acl) {
    static const char *const rules[] = {"on", "~*", "&*", "+@all"};
    struct user *user = acl_user_new(bytes_text(default_name), acl_names_now(acl));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum acl_problem problem = acl_user_apply(user, &acl->names, bytes_text(rules[i]));
        check(problem == ACL_FINE);
    }
    set_password(user, acl->options.password);
    return user;
}

static void print_problem(struct buffer *error, struct bytes rule, enum acl_problem problem) {
    buffer_printf(error, "ERR Error in ACL SETUSER modifier '%.*s': %s", bytes_printed(rule),
                  rule.at, acl_problem_text(problem));
}

/* Applies words of which selectors may be in parts. */
static bool apply_words(struct acl *acl, struct user *user, const struct bytes *words, int count,
                        struct buffer *error) {
    struct acl_list rules = {0};
    int at;
    if (acl_merge_words(words, count, &rules, &at) != 0) {
        buffer_printf(error, "ERR Unmatched parenthesis in acl selector starting at '%.*s'.",
                      bytes_printed(words[at]), words[at].at);
        acl_list_clear(&rules);
        return false;
    }
    enum acl_problem problem = ACL_FINE;
    for (size_t i = 0; i < rules.count && problem == ACL_FINE; i++) {
        problem = acl_user_apply(user, acl_names_now(acl), rules.items[i].text);
        if (problem != ACL_FINE) {
            print_problem(error, rules.items[i].text, problem);
        }
    }
    acl_list_clear(&rules);
    return problem == ACL_FINE;
}

bool acl_set_user(struct acl *acl, struct bytes name, const struct bytes *rules, int count,
                  struct buffer *error) {
    if (!acl_is_user_name(name)) {
        buffer_append_text(error, "ERR Usernames can't contain spaces or null characters");
        return false;
    }
    struct user *there = acl_users_find(&acl->users, name);
    struct user *user =
        there != NULL ? acl_user_copy(there) : acl_user_new(name, acl_names_now(acl));
    if (!apply_words(acl, user, rules, count, error)) {
        acl_user_free(user);
        return false;
    }
    if (there == NULL) {
        acl_users_add(&acl->users, user);
        return true;
    }
    acl_user_swap(there, user);
    acl_user_free(user);
    follow(acl, there);
    return true;
}

bool acl_delete_user(struct acl *acl, struct bytes name) {
    struct user *user = acl_users_find(&acl->users, name);
    if (user == NULL || user == acl->guard.newcomer) {
        return false;
    }
    dismiss_all_of(acl, user);
    acl_users_remove(&acl->users, user);
    acl_user_free(user);
    return true;
}

void acl_replace_users(struct acl *acl, struct acl_users *users) {
    for (size_t i = acl->users.count; i-- > 0;) {
        struct user *old = acl->users.list[i];
        struct user *user = acl_users_find(users, old->name);
        if (user == NULL) {
            dismiss_all_of(acl, old);
            acl_users_remove(&acl->users, old);
            acl_user_free(old);
        } else {
            acl_users_remove(users, user);
            acl_user_swap(old, user);
            acl_user_free(user);
            follow(acl, old);
        }
    }
    for (size_t i = 0; i < users->count; i++) {
        acl_users_add(&acl->users, users->list[i]);
    }
    users->count = 0;
    acl_users_clear(users);
}

/* ---- the guard ---- */

static bool is_open(const struct user *user) {
    return user->is_on && user->needs_no_password;
}

static bool is_restricted(const struct user *user) {
    return !acl_user_is_unlimited(user);
}

static struct bytes name_of(const struct user *user) {
    return user->name;
}

static struct user *identify(void *context, struct bytes name, struct bytes password) {
    const struct acl *acl = context;
    struct user *user = acl_users_find(&acl->users, name);
    if (user == NULL) {
        acl_pretend_password(password);
        return NULL;
    }
    bool is_right = acl_user_has_password(user, password) || user->needs_no_password;
    return is_right && user->is_on ? user : NULL;
}

static enum guard_verdict judge(void *context, const struct user *user,
                                const struct command *command, const struct bytes *args, int argc,
                                int *at) {
    return acl_judge(context, user, command, args, argc, at);
}

static void add_event(struct acl *acl, const struct call *call, struct acl_event *event) {
    struct buffer line;
    buffer_init(&line, MEM_FEATURE);
    client_describe(call->client, &line);
    event->client = buffer_bytes(&line);
    event->created_ms = event->updated_ms = acl->context->clock->now_ms;
    acl_log_add(&acl->log, event, (size_t)acl->options.log_max);
    buffer_clear(&line);
}

static void note(void *context, const struct call *call, enum guard_verdict verdict, int at,
                 enum guard_way way) {
    static const char *const ways[] = {"toplevel", "multi", "lua"};
    static const char *const reasons[] = {"", "command", "key", "channel"};
    struct acl *acl = context;
    acl->metrics.acl_access_denied_cmd += verdict == GUARD_COMMAND;
    acl->metrics.acl_access_denied_key += verdict == GUARD_KEY;
    acl->metrics.acl_access_denied_channel += verdict == GUARD_CHANNEL;
    struct acl_event event = {
        .reason = reasons[verdict],
        .context = ways[way],
        .object = verdict == GUARD_COMMAND ? bytes_text(call->command->row->name) : call->args[at],
        .user = call->client->user->name};
    add_event(acl, call, &event);
}

static void note_login(void *context, const struct call *call, struct bytes name) {
    struct acl *acl = context;
    acl->metrics.acl_access_denied_auth++;
    struct acl_event event = {.reason = "auth",
                              .context = call->client->flags & CLIENT_MULTI ? "multi" : "toplevel",
                              .object = call->args[0],
                              .user = name};
    add_event(acl, call, &event);
}

static bool reads_all(const struct user *user, const struct command *command) {
    for (const struct acl_selector *s = user->selectors; s != NULL; s = s->next) {
        const struct acl_item *all = acl_list_find(&s->keys, bytes_text("*"));
        if ((s->all_keys || (all != NULL && all->tag & ACL_READ)) &&
            acl_selector_has_command(s, command, NULL, 0)) {
            return true;
        }
    }
    return false;
}

bool acl_has_file(const struct acl *acl) {
    return acl->options.file[0] != '\0';
}

struct acl_log *acl_log_of(struct acl *acl) {
    return &acl->log;
}

/* ---- life ---- */

struct acl *acl_new(struct context *context) {
    struct acl *acl = mem_zalloc(MEM_FEATURE, sizeof *acl);
    acl->context = context;
    acl->names.commands = context->commands;
    acl->lines_end = &acl->lines;
    acl_log_init(&acl->log);
    buffer_init(&acl->problem, MEM_FEATURE);
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &acl->options, acl);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &acl->metrics, acl, NULL);
    acl->guard = (struct guard){.context = acl,
                                .newcomer = acl_default_user(acl),
                                .is_open = is_open,
                                .is_restricted = is_restricted,
                                .name = name_of,
                                .identify = identify,
                                .judge = judge,
                                .note = note,
                                .note_login = note_login,
                                .reads_all = reads_all};
    acl_users_add(&acl->users, acl->guard.newcomer);
    clients_set_guard(context->clients, &acl->guard);
    return acl;
}

static void clear_lines(struct acl *acl) {
    while (acl->lines != NULL) {
        struct acl_line *line = acl->lines;
        acl->lines = line->next;
        acl_list_clear(&line->words);
        mem_free(MEM_FEATURE, line, sizeof *line);
    }
    acl->lines_end = &acl->lines;
}

void acl_free(struct acl *acl) {
    clear_lines(acl);
    acl_users_clear(&acl->users);
    acl_log_clear(&acl->log);
    buffer_clear(&acl->problem);
    mem_free(MEM_FEATURE, acl->keys, acl->key_capacity * sizeof *acl->keys);
    mem_free(MEM_FEATURE, acl, sizeof *acl);
}

void acl_set_foreign(struct acl *acl, bool (*is_foreign)(struct bytes name)) {
    acl->names.is_foreign = is_foreign;
}

/* ---- lines of the configuration ---- */

/* A user by the words of a line, or NULL with *error set. */
static struct user *user_of_line(struct acl *acl, const struct bytes *words, int count,
                                 const char **error) {
    struct acl_list rules = {0};
    int at;
    struct user *user = NULL;
    if (!acl_is_user_name(words[0])) {
        *error = "Usernames can't contain spaces or null characters";
    } else if (acl_merge_words(words + 1, count - 1, &rules, &at) != 0) {
        *error = "Unmatched parenthesis in selector definition.";
    } else {
        user = acl_user_new(words[0], acl_names_now(acl));
    }
    for (size_t i = 0; user != NULL && i < rules.count; i++) {
        enum acl_problem problem = acl_user_apply(user, &acl->names, rules.items[i].text);
        if (problem != ACL_FINE) {
            struct bytes rule = rules.items[i].text;
            acl->problem.size = 0;
            /* A password is not shown. */
            if (problem == ACL_UNKNOWN) {
                buffer_printf(&acl->problem, "Error in user declaration '%.*s': %s",
                              bytes_printed(rule), rule.at, acl_problem_text(problem));
            } else {
                buffer_printf(&acl->problem, "Error in user declaration: %s",
                              acl_problem_text(problem));
            }
            *error = buffer_text(&acl->problem);
            acl_user_free(user);
            user = NULL;
        }
    }
    acl_list_clear(&rules);
    return user;
}

static bool has_line(const struct acl *acl, struct bytes name) {
    for (const struct acl_line *line = acl->lines; line != NULL; line = line->next) {
        if (bytes_equal(line->words.items[0].text, name)) {
            return true;
        }
    }
    return false;
}

bool acl_take_line(void *context, const struct bytes *words, int count, const char **error) {
    struct acl *acl = context;
    if (count < 1) {
        *error = "wrong number of arguments";
        return false;
    }
    if (has_line(acl, words[0])) {
        *error = "Duplicate user found. A user can only be defined once in config files";
        return false;
    }
    struct user *user = user_of_line(acl, words, count, error);
    if (user == NULL) {
        return false;
    }
    acl_user_free(user);
    struct acl_line *line = mem_zalloc(MEM_FEATURE, sizeof *line);
    for (int i = 0; i < count; i++) {
        acl_list_add(&line->words, words[i], 0);
    }
    *acl->lines_end = line;
    acl->lines_end = &line->next;
    return true;
}

/* Whether "default" is what he would be without a word about him. */
static bool is_as_made(struct acl *acl, const struct user *user) {
    if (user != acl->guard.newcomer) {
        return false;
    }
    struct user *made = acl_default_user(acl);
    struct buffer a;
    struct buffer b;
    buffer_init(&a, MEM_FEATURE);
    buffer_init(&b, MEM_FEATURE);
    acl_user_print(made, &a);
    acl_user_print(user, &b);
    bool same = bytes_equal(buffer_bytes(&a), buffer_bytes(&b));
    buffer_clear(&a);
    buffer_clear(&b);
    acl_user_free(made);
    return same;
}

void acl_print_lines(void *context, struct buffer *out) {
    struct acl *acl = context;
    if (acl_has_file(acl)) {
        return;
    }
    for (size_t i = 0; i < acl->users.count; i++) {
        if (!is_as_made(acl, acl->users.list[i])) {
            acl_user_print(acl->users.list[i], out);
            buffer_append_byte(out, '\n');
        }
    }
}

/* The users of the lines. 0, or -1 after logging. */
static int take_lines(struct acl *acl) {
    struct acl_users users = {0};
    for (const struct acl_line *line = acl->lines; line != NULL; line = line->next) {
        struct bytes *words = mem_alloc(MEM_FEATURE, line->words.count * sizeof *words);
        for (size_t i = 0; i < line->words.count; i++) {
            words[i] = line->words.items[i].text;
        }
        const char *error = NULL;
        struct user *user = user_of_line(acl, words, (int)line->words.count, &error);
        mem_free(MEM_FEATURE, words, line->words.count * sizeof *words);
        if (user == NULL) {
            log_warning("Users: %s", error);
            acl_users_clear(&users);
            return -1;
        }
        acl_users_add(&users, user);
    }
    if (acl_users_find(&users, bytes_text(default_name)) == NULL) {
        acl_users_add(&users, acl_default_user(acl));
    }
    acl_replace_users(acl, &users);
    return 0;
}

int acl_start(struct acl *acl) {
    bool has_file = acl_has_file(acl);
    if (has_file && acl->lines != NULL) {
        log_warning("There are `user` lines in the configuration, and a file of users (aclfile) as "
                    "well: it would not be clear who counts. Keep one of them.");
        return -1;
    }
    int status = 0;
    if (has_file) {
        struct buffer error;
        buffer_init(&error, MEM_FEATURE);
        if (!acl_load(acl, &error)) {
            log_warning("The users cannot be read: %s", buffer_text(&error));
            status = -1;
        }
        buffer_clear(&error);
    } else {
        status = take_lines(acl);
    }
    clear_lines(acl);
    return status;
}
