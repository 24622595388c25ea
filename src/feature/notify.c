/* notify: the option's letters, and the two channels of an event. */
#include "feature/notify.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "feature/pubsub.h"
#include "store/keyspace.h"

/* Not classes of events: which channels, and one that only Redis's modules have. */
enum notify_letter {
    NOTIFY_MODULES = 1 << 24, /* d */
    NOTIFY_BY_KEY = 1 << 25,  /* K */
    NOTIFY_BY_EVENT = 1 << 26 /* E */
};

/* In the order in which they are printed; the first LETTERS_OF_A are those that `A` stands for.
 * With `A`, `n` is not printed. */
static const struct {
    char letter;
    unsigned flag;
} letters[] = {
    {'g', KEYSPACE_GENERIC}, {'$', KEYSPACE_STRING},  {'l', KEYSPACE_LIST},
    {'s', KEYSPACE_SET},     {'h', KEYSPACE_HASH},    {'z', KEYSPACE_SORTED},
    {'x', KEYSPACE_EXPIRED}, {'e', KEYSPACE_EVICTED}, {'t', KEYSPACE_STREAM},
    {'d', NOTIFY_MODULES},   {'n', KEYSPACE_NEW},     {'K', NOTIFY_BY_KEY},
    {'E', NOTIFY_BY_EVENT},  {'m', KEYSPACE_MISS},
};
#define LETTERS      (sizeof letters / sizeof letters[0])
#define LETTERS_OF_A 10

/* "__keyspace@16383__:" and its NUL. */
#define PREFIX_SIZE 24
/* A channel's buffer beyond this is given back: a key may have megabytes. */
#define CHANNEL_KEPT_MAX 65536

struct notify {
    struct context *context;
    struct notify_options options;
    unsigned flags;
    struct buffer channel;
};

static void publish(struct notify *notify, const char *kind, int database, struct bytes name,
                    struct bytes message) {
    char prefix[PREFIX_SIZE];
    snprintf(prefix, sizeof prefix, "__%s@%d__:", kind, database);
    notify->channel.size = 0;
    buffer_append_text(&notify->channel, prefix);
    buffer_append(&notify->channel, name.at, name.size);
    /* Who cannot be told for lack of memory is not told. */
    (void)pubsub_publish(notify->context->pubsub, buffer_bytes(&notify->channel), message);
    if (notify->channel.capacity > CHANNEL_KEPT_MAX) {
        buffer_clear(&notify->channel);
    }
}

static void on_event(void *context, int database, enum keyspace_class event_class,
                     const char *event, struct bytes key) {
    (void)event_class;
    struct notify *notify = ((const struct context *)context)->notify;
    if (notify->flags & NOTIFY_BY_KEY) {
        publish(notify, "keyspace", database, key, bytes_text(event));
    }
    if (notify->flags & NOTIFY_BY_EVENT) {
        publish(notify, "keyevent", database, bytes_text(event), key);
    }
}

static unsigned flags_of_a(void) {
    unsigned flags = 0;
    for (size_t i = 0; i < LETTERS_OF_A; i++) {
        flags |= letters[i].flag;
    }
    return flags;
}

/* 0 when the letter is none. */
static unsigned flags_of(char letter) {
    if (letter == 'A') {
        return flags_of_a();
    }
    for (size_t i = 0; i < LETTERS; i++) {
        if (letters[i].letter == letter) {
            return letters[i].flag;
        }
    }
    return 0;
}

static bool set_events(void *module, const struct bytes *words, int count, const char **error) {
    struct notify *notify = module;
    unsigned flags = 0;
    bool good = count == 1;
    for (size_t i = 0; good && i < words[0].size; i++) {
        unsigned flag = flags_of(words[0].at[i]);
        good = flag != 0;
        flags |= flag;
    }
    if (!good) {
        *error = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        return false;
    }
    const unsigned channels = NOTIFY_BY_KEY | NOTIFY_BY_EVENT;
    notify->flags = flags;
    notify->context->keyspace->hooks.classes =
        flags & channels ? flags & ~(channels | NOTIFY_MODULES) : 0;
    return true;
}

static void get_events(void *module, struct buffer *out) {
    const struct notify *notify = module;
    size_t from = 0;
    if ((notify->flags & flags_of_a()) == flags_of_a()) {
        buffer_append_byte(out, 'A');
        from = LETTERS_OF_A + 1;
    }
    for (size_t i = from; i < LETTERS; i++) {
        if (notify->flags & letters[i].flag) {
            buffer_append_byte(out, letters[i].letter);
        }
    }
}

static const struct option_custom notify_events_option = {.set = set_events, .get = get_events};

struct notify *notify_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct notify_options, __VA_ARGS__)
        NOTIFY_OPTIONS(ROW)
#undef ROW
    };
    struct notify *notify = mem_zalloc(MEM_FEATURE, sizeof *notify);
    notify->context = context;
    buffer_init(&notify->channel, MEM_FEATURE);
    context->keyspace->hooks.context = context;
    context->keyspace->hooks.event = on_event;
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &notify->options, notify);
    return notify;
}

void notify_free(struct notify *notify) {
    buffer_clear(&notify->channel);
    mem_free(MEM_FEATURE, notify, sizeof *notify);
}
