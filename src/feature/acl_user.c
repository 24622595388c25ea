/* acl_user: the rules that are about a user and not about one of his selectors, and his line. */
#include "feature/acl_user.h"

#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"

struct user *acl_user_new(struct bytes name, const struct acl_names *names) {
    struct user *user = mem_zalloc(MEM_FEATURE, sizeof *user);
    user->name = bytes_of(mem_copy_text(MEM_FEATURE, name.at, name.size), name.size);
    user->selectors = acl_selector_new(names);
    return user;
}

/* All but the first. */
static void clear_selectors(struct user *user) {
    while (user->selectors->next != NULL) {
        struct acl_selector *selector = user->selectors->next;
        user->selectors->next = selector->next;
        acl_selector_free(selector);
    }
}

void acl_user_free(struct user *user) {
    clear_selectors(user);
    acl_selector_free(user->selectors);
    acl_list_clear(&user->passwords);
    mem_free(MEM_FEATURE, (void *)(uintptr_t)user->name.at, user->name.size + 1);
    mem_free(MEM_FEATURE, user, sizeof *user);
}

struct user *acl_user_copy(const struct user *user) {
    struct user *copy = mem_zalloc(MEM_FEATURE, sizeof *copy);
    *copy = *user;
    copy->name =
        bytes_of(mem_copy_text(MEM_FEATURE, user->name.at, user->name.size), user->name.size);
    copy->passwords = (struct acl_list){0};
    acl_list_copy(&copy->passwords, &user->passwords);
    struct acl_selector **end = &copy->selectors;
    for (const struct acl_selector *s = user->selectors; s != NULL; s = s->next) {
        *end = acl_selector_copy(s);
        end = &(*end)->next;
    }
    return copy;
}

void acl_user_swap(struct user *user, struct user *other) {
    struct user held = *user;
    struct bytes name = user->name;
    struct bytes other_name = other->name;
    *user = *other;
    *other = held;
    user->name = name;
    other->name = other_name;
}

bool acl_is_user_name(struct bytes name) {
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.at[i];
        if (byte == 0 || byte == ' ' || (byte >= '\t' && byte <= '\r')) {
            return false;
        }
    }
    return true;
}

/* ---- passwords ---- */

static bool is_hash(struct bytes text) {
    if (text.size != SHA256_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static void add_password(struct user *user, struct bytes hash) {
    if (acl_list_find(&user->passwords, hash) == NULL) {
        acl_list_add(&user->passwords, hash, 0);
    }
    user->needs_no_password = false;
}

static enum acl_problem remove_password(struct user *user, struct bytes hash) {
    const struct acl_item *item = acl_list_find(&user->passwords, hash);
    if (item == NULL) {
        return ACL_NO_SUCH_PASSWORD;
    }
    acl_list_remove(&user->passwords, (size_t)(item - user->passwords.items));
    return ACL_FINE;
}

/* >text, <text, #hash, !hash. */
static enum acl_problem apply_password(struct user *user, struct bytes rule) {
    char digits[SHA256_DIGITS];
    struct bytes hash = bytes_of(rule.at + 1, rule.size - 1);
    if (rule.at[0] == '>' || rule.at[0] == '<') {
        sha256_digits(hash, digits);
        hash = bytes_of(digits, sizeof digits);
    } else if (!is_hash(hash)) {
        return ACL_BAD_HASH;
    }
    if (rule.at[0] == '<' || rule.at[0] == '!') {
        return remove_password(user, hash);
    }
    add_password(user, hash);
    return ACL_FINE;
}

/* No early end: how long it takes tells nothing of how much was right. */
static bool same_digits(const char *a, const char *b) {
    unsigned differs = 0;
    for (size_t i = 0; i < SHA256_DIGITS; i++) {
        differs |= (unsigned char)(a[i] ^ b[i]);
    }
    return differs == 0;
}

bool acl_user_has_password(const struct user *user, struct bytes password) {
    char digits[SHA256_DIGITS];
    unsigned found = 0;
    sha256_digits(password, digits);
    for (size_t i = 0; i < user->passwords.count; i++) {
        found |= same_digits(user->passwords.items[i].text.at, digits);
    }
    return found;
}

void acl_pretend_password(struct bytes password) {
    char digits[SHA256_DIGITS];
    sha256_digits(password, digits);
    volatile bool same = same_digits(digits, digits);
    (void)same;
}

/* ---- rules ---- */

static void reset_user(struct user *user, const struct acl_names *names) {
    clear_selectors(user);
    acl_selector_free(user->selectors);
    user->selectors = acl_selector_new(names);
    acl_list_clear(&user->passwords);
    user->is_on = false;
    user->needs_no_password = false;
    user->skips_sanitizing = false;
}

static enum acl_problem add_selector(struct user *user, const struct acl_names *names,
                                     struct bytes rule) {
    struct acl_selector *selector = acl_selector_new(names);
    struct bytes rest = bytes_of(rule.at + 1, rule.size - 2);
    enum acl_problem problem = ACL_FINE;
    while (rest.size > 0 && problem == ACL_FINE) {
        const char *blank = memchr(rest.at, ' ', rest.size);
        size_t size = blank == NULL ? rest.size : (size_t)(blank - rest.at);
        if (size > 0) {
            problem = acl_selector_apply(selector, names, bytes_of(rest.at, size));
        }
        size += blank != NULL;
        rest = bytes_of(rest.at + size, rest.size - size);
    }
    if (problem != ACL_FINE) {
        acl_selector_free(selector);
        return problem;
    }
    struct acl_selector **end = &user->selectors;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = selector;
    return ACL_FINE;
}

/* Words that are whole rules. Whether it is one. */
static bool apply_word(struct user *user, const struct acl_names *names, struct bytes rule) {
    if (bytes_is(rule, "on") || bytes_is(rule, "off")) {
        user->is_on = bytes_is(rule, "on");
    } else if (bytes_is(rule, "nopass") || bytes_is(rule, "resetpass")) {
        acl_list_clear(&user->passwords);
        user->needs_no_password = bytes_is(rule, "nopass");
    } else if (bytes_is(rule, "sanitize-payload") || bytes_is(rule, "skip-sanitize-payload")) {
        user->skips_sanitizing = bytes_is(rule, "skip-sanitize-payload");
    } else if (bytes_is(rule, "clearselectors")) {
        clear_selectors(user);
    } else if (bytes_is(rule, "reset")) {
        reset_user(user, names);
    } else {
        return rule.size == 0;
    }
    return true;
}

enum acl_problem acl_user_apply(struct user *user, const struct acl_names *names,
                                struct bytes rule) {
    if (apply_word(user, names, rule)) {
        return ACL_FINE;
    }
    switch (rule.at[0]) {
    case '>':
    case '<':
    case '#':
    case '!':
        return apply_password(user, rule);
    case '(':
        return rule.at[rule.size - 1] == ')' ? add_selector(user, names, rule) : ACL_SYNTAX;
    default:
        return acl_selector_apply(user->selectors, names, rule);
    }
}

int acl_merge_words(const struct bytes *words, int count, struct acl_list *out, int *at) {
    struct buffer merged;
    buffer_init(&merged, MEM_FEATURE);
    int opened = -1;
    for (int i = 0; i < count; i++) {
        struct bytes word = words[i];
        bool closes = word.size > 0 && word.at[word.size - 1] == ')';
        if (word.size > 0 && word.at[0] == '(' && !closes) {
            opened = i;
            merged.size = 0;
            buffer_append(&merged, word.at, word.size);
        } else if (opened < 0) {
            acl_list_add(out, word, 0);
        } else {
            buffer_append_byte(&merged, ' ');
            buffer_append(&merged, word.at, word.size);
            if (closes) {
                acl_list_add(out, buffer_bytes(&merged), 0);
                opened = -1;
            }
        }
    }
    buffer_clear(&merged);
    *at = opened;
    return opened < 0 ? 0 : -1;
}

bool acl_user_is_unlimited(const struct user *user) {
    for (const struct acl_selector *s = user->selectors; s != NULL; s = s->next) {
        if (s->is_unlimited) {
            return true;
        }
    }
    return false;
}

void acl_user_print(const struct user *user, struct buffer *out) {
    buffer_append_text(out, "user ");
    buffer_append(out, user->name.at, user->name.size);
    buffer_append_text(out, user->is_on ? " on" : " off");
    buffer_append_text(out, user->needs_no_password ? " nopass" : "");
    buffer_append_text(out,
                       user->skips_sanitizing ? " skip-sanitize-payload" : " sanitize-payload");
    for (size_t i = 0; i < user->passwords.count; i++) {
        buffer_append_text(out, " #");
        buffer_append(out, user->passwords.items[i].text.at, SHA256_DIGITS);
    }
    buffer_append_byte(out, ' ');
    acl_selector_print(user->selectors, out);
    for (const struct acl_selector *s = user->selectors->next; s != NULL; s = s->next) {
        buffer_append_text(out, " (");
        acl_selector_print(s, out);
        buffer_append_byte(out, ')');
    }
}
