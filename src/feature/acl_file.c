/* acl_file: the file of users: a line each, "user name rule rule ...", words between single spaces,
 * without quotes and without comments. It is taken as a whole or not at all, and the error names
 * all that is wrong in it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "feature/acl_int.h"

#define FILE_SIZE_MAX    ((size_t)256 << 20)
#define TEMPORARY_SUFFIX ".acl"

/* Where the reader is, and what was wrong so far. */
struct reader {
    struct acl *acl;
    struct acl_users *users;
    int line;
    struct buffer *error;
};

static void complain(struct reader *reader, const char *text) {
    buffer_printf(reader->error, "%s:%d: %s. ", reader->acl->options.file, reader->line, text);
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bytes trim(struct bytes line) {
    while (line.size > 0 && is_space(line.at[0])) {
        line = bytes_of(line.at + 1, line.size - 1);
    }
    while (line.size > 0 && is_space(line.at[line.size - 1])) {
        line.size--;
    }
    return line;
}

static bool next_piece(struct bytes *text, char end, struct bytes *piece) {
    if (text->size == 0) {
        return false;
    }
    const char *at = memchr(text->at, end, text->size);
    size_t size = at == NULL ? text->size : (size_t)(at - text->at);
    *piece = bytes_of(text->at, size);
    size += at != NULL;
    *text = bytes_of(text->at + size, text->size - size);
    return true;
}

/* Applies the rules. Every unknown command is named, and of other mistakes the first, without its
 * words, among which may be a password. */
static bool apply(struct reader *reader, struct user *user, const struct acl_list *rules) {
    bool is_sound = true;
    for (size_t i = 0; i < rules->count; i++) {
        struct bytes rule = rules->items[i].text;
        enum acl_problem problem = acl_user_apply(user, acl_names_now(reader->acl), rule);
        if (problem == ACL_UNKNOWN) {
            buffer_printf(reader->error, "%s:%d: Error in applying operation '%.*s': %s. ",
                          reader->acl->options.file, reader->line, bytes_printed(rule), rule.at,
                          acl_problem_text(problem));
            is_sound = false;
        } else if (problem != ACL_FINE) {
            complain(reader, acl_problem_text(problem));
            return false;
        }
    }
    return is_sound;
}

static void read_user(struct reader *reader, struct bytes name, const struct acl_list *words) {
    if (acl_users_find(reader->users, name) != NULL) {
        buffer_printf(reader->error, "WARNING: Duplicate user '%.*s' found on line %d. ",
                      bytes_printed(name), name.at, reader->line);
        return;
    }
    if (!acl_is_user_name(name)) {
        complain(reader, "username contains invalid characters");
        return;
    }
    struct bytes *list = mem_alloc(MEM_FEATURE, (words->count + 1) * sizeof *list);
    for (size_t i = 0; i < words->count; i++) {
        list[i] = words->items[i].text;
    }
    struct acl_list rules = {0};
    int at;
    int status = acl_merge_words(list, (int)words->count, &rules, &at);
    mem_free(MEM_FEATURE, list, (words->count + 1) * sizeof *list);
    struct user *user = acl_user_new(name, acl_names_now(reader->acl));
    if (status != 0) {
        complain(reader, "Unmatched parenthesis in selector definition");
    } else if (apply(reader, user, &rules)) {
        acl_users_add(reader->users, user);
        user = NULL;
    }
    if (user != NULL) {
        acl_user_free(user);
    }
    acl_list_clear(&rules);
}

static void read_line(struct reader *reader, struct bytes line) {
    struct bytes word;
    struct bytes name;
    line = trim(line);
    if (line.size == 0) {
        return;
    }
    if (!next_piece(&line, ' ', &word) || !bytes_equal(word, bytes_text("user")) ||
        !next_piece(&line, ' ', &name)) {
        buffer_printf(reader->error,
                      "%s:%d should start with user keyword followed by the username. ",
                      reader->acl->options.file, reader->line);
        return;
    }
    struct acl_list words = {0};
    while (next_piece(&line, ' ', &word)) {
        acl_list_add(&words, word, 0);
    }
    read_user(reader, name, &words);
    acl_list_clear(&words);
}

bool acl_read_file(struct acl *acl, struct acl_users *users, struct buffer *error) {
    struct buffer text;
    buffer_init(&text, MEM_FEATURE);
    int status = file_read(acl->options.file, FILE_SIZE_MAX, &text);
    if (status != 0) {
        buffer_printf(error, "Error loading ACLs, opening file '%s': %s", acl->options.file,
                      strerror(-status));
        buffer_clear(&text);
        return false;
    }
    size_t before = error->size;
    struct reader reader = {.acl = acl, .users = users, .error = error};
    struct bytes rest = buffer_bytes(&text);
    struct bytes line;
    while (next_piece(&rest, '\n', &line)) {
        reader.line++;
        read_line(&reader, line);
    }
    buffer_clear(&text);
    if (error->size > before) {
        buffer_append_text(error, "WARNING: ACL errors detected, no change to the previously "
                                  "active ACL rules was performed");
        return false;
    }
    return true;
}

bool acl_load(struct acl *acl, struct buffer *error) {
    struct acl_users users = {0};
    if (!acl_read_file(acl, &users, error)) {
        acl_users_clear(&users);
        return false;
    }
    /* A file without a line about him leaves him with requirepass, if that is set: an open server
     * is not what somebody wanted who gave it a password. */
    if (acl_users_find(&users, acl->guard.newcomer->name) == NULL) {
        acl_users_add(&users, acl_default_user(acl));
    }
    acl_replace_users(acl, &users);
    return true;
}

bool acl_save(struct acl *acl, struct buffer *error) {
    struct buffer text;
    buffer_init(&text, MEM_FEATURE);
    for (size_t i = 0; i < acl->users.count; i++) {
        acl_user_print(acl->users.list[i], &text);
        buffer_append_byte(&text, '\n');
    }
    int status = file_replace(acl->options.file, TEMPORARY_SUFFIX, buffer_bytes(&text));
    buffer_clear(&text);
    if (status != 0) {
        log_warning("The users cannot be written to %s: %s", acl->options.file, strerror(-status));
        buffer_append_text(error, "There was an error trying to save the ACLs. Please check the "
                                  "server logs for more information");
    }
    return status == 0;
}
