/* pubsub: topics, subscriptions, delivery. The header draws the picture. */
#include "feature/pubsub.h"

#include <string.h>

#include "base/check.h"
#include "base/glob.h"
#include "base/mem.h"
#include "base/metric.h"
#include "client/client.h"
#include "ds/dict.h"
#include "proto/resp.h"

/* First size of an array of subscribers or patterns; it doubles, and halves when a quarter is in
 * use. */
#define ARRAY_MIN 4
/* Subscribers ahead of the one that is served, whose struct is asked for: a delivery takes some
 * nanoseconds, a cache miss a hundred. */
#define PREFETCH_AHEAD 12
/* Versions of the protocol, which encode differently. */
#define VERSIONS 2

struct topic;

struct subscription {
    struct topic *topic;
    struct client *client;
    struct subscription *older; /* of the client, of the same kind */
    struct subscription *newer;
    uint32_t place; /* in the topic's array */
};

struct subscriber {
    struct client *client;
    struct subscription *subscription;
};

struct topic {
    struct entry *entry; /* in the dict of names; its key is the name */
    struct subscriber *subscribers;
    uint32_t count;
    uint32_t capacity;
    uint32_t pattern; /* a pattern's place in the array of patterns */
    enum pubsub_kind kind;
};

/* A pattern begins with `first` where the mask has ones: what stands before its first special
 * character, 8 bytes at most. Most patterns of many are told apart by it without a cache miss. */
struct pattern {
    uint64_t first;
    uint64_t mask;
    struct topic *topic;
};

struct list {
    struct subscription *oldest;
    struct subscription *newest;
};

struct subscriptions {
    struct client_subscriptions counts; /* what the client knows of it */
    struct list lists[PUBSUB_KINDS];
};

struct pubsub {
    struct client_watcher watcher;
    struct dict names[PUBSUB_KINDS];
    struct dict pairs;
    struct pattern *patterns;
    size_t pattern_count;
    size_t pattern_capacity;
    size_t clients;                    /* that have a subscription */
    struct shared_log logs[VERSIONS];  /* of messages to channels */
    struct shared_log plogs[VERSIONS]; /* of messages to patterns */
};

/* ---- names ---- */

static struct topic *find_topic(const struct pubsub *pubsub, enum pubsub_kind kind,
                                struct bytes name) {
    const struct dict *names = &pubsub->names[kind];
    uint64_t *slot = dict_find(names, dict_hash(names, name), name.at, name.size);
    return slot == NULL ? NULL : entry_pointer(dict_slot_entry(*slot));
}

static struct entry *pointer_entry(struct bytes key, void *pointer) {
    struct entry_shape shape = {
        .type = ENTRY_ELEMENT, .encoding = ENTRY_TABLE, .word = (uint64_t)(uintptr_t)pointer};
    return entry_try_new(key, &shape);
}

static struct pattern pattern_of(struct topic *topic) {
    struct bytes name = entry_key(topic->entry);
    char first[8] = {0};
    char mask[8] = {0};
    for (size_t i = 0; i < sizeof first && i < name.size && strchr("*?[\\", name.at[i]) == NULL;
         i++) {
        if (name.at[i] == '\0') {
            break;
        }
        first[i] = name.at[i];
        mask[i] = (char)0xff;
    }
    struct pattern pattern = {.topic = topic};
    memcpy(&pattern.first, first, 8);
    memcpy(&pattern.mask, mask, 8);
    return pattern;
}

static void add_pattern(struct pubsub *pubsub, struct topic *topic) {
    if (pubsub->pattern_count == pubsub->pattern_capacity) {
        size_t capacity = pubsub->pattern_capacity == 0 ? ARRAY_MIN : pubsub->pattern_capacity * 2;
        pubsub->patterns = mem_realloc(MEM_FEATURE, pubsub->patterns,
                                       pubsub->pattern_capacity * sizeof *pubsub->patterns,
                                       capacity * sizeof *pubsub->patterns);
        pubsub->pattern_capacity = capacity;
    }
    topic->pattern = (uint32_t)pubsub->pattern_count;
    pubsub->patterns[pubsub->pattern_count++] = pattern_of(topic);
}

static void remove_pattern(struct pubsub *pubsub, const struct topic *topic) {
    struct pattern last = pubsub->patterns[--pubsub->pattern_count];
    last.topic->pattern = topic->pattern;
    pubsub->patterns[topic->pattern] = last;
    if (pubsub->pattern_count == 0) {
        mem_free(MEM_FEATURE, pubsub->patterns,
                 pubsub->pattern_capacity * sizeof *pubsub->patterns);
        pubsub->patterns = NULL;
        pubsub->pattern_capacity = 0;
    }
}

static struct topic *add_topic(struct pubsub *pubsub, enum pubsub_kind kind, struct bytes name) {
    struct topic *topic = mem_zalloc(MEM_FEATURE, sizeof *topic);
    topic->kind = kind;
    topic->entry = pointer_entry(name, topic);
    if (topic->entry == NULL) {
        mem_free(MEM_FEATURE, topic, sizeof *topic);
        return NULL;
    }
    dict_insert(&pubsub->names[kind], dict_hash(&pubsub->names[kind], name), topic->entry);
    if (kind == PUBSUB_PATTERN) {
        add_pattern(pubsub, topic);
    }
    return topic;
}

static void remove_topic(struct pubsub *pubsub, struct topic *topic) {
    struct dict *names = &pubsub->names[topic->kind];
    uint64_t hash = dict_hash(names, entry_key(topic->entry));
    dict_remove(names, hash, dict_find_entry(names, hash, topic->entry));
    if (topic->kind == PUBSUB_PATTERN) {
        remove_pattern(pubsub, topic);
    }
    entry_free(topic->entry);
    mem_free(MEM_FEATURE, topic->subscribers, topic->capacity * sizeof *topic->subscribers);
    mem_free(MEM_FEATURE, topic, sizeof *topic);
}

/* ---- subscriptions ---- */

/* The key of a subscription in the dict of pairs. */
struct pair {
    const struct topic *topic;
    const struct client *client;
};

static uint64_t *find_pair(const struct pubsub *pubsub, const struct pair *pair, uint64_t *hash) {
    *hash = dict_hash(&pubsub->pairs, bytes_of(pair, sizeof *pair));
    return dict_find(&pubsub->pairs, *hash, (const char *)pair, sizeof *pair);
}

static uint32_t *count_of(struct subscriptions *subscriptions, enum pubsub_kind kind) {
    struct client_subscriptions *counts = &subscriptions->counts;
    return kind == PUBSUB_CHANNEL   ? &counts->channels
           : kind == PUBSUB_PATTERN ? &counts->patterns
                                    : &counts->shard_channels;
}

static struct subscriptions *subscriptions_of(const struct client *client) {
    return (struct subscriptions *)client->subscriptions;
}

static bool has_any(const struct subscriptions *subscriptions) {
    const struct client_subscriptions *counts = &subscriptions->counts;
    return counts->channels + counts->patterns + counts->shard_channels > 0;
}

static void resize_subscribers(struct topic *topic, uint32_t capacity) {
    topic->subscribers =
        mem_realloc(MEM_FEATURE, topic->subscribers, topic->capacity * sizeof *topic->subscribers,
                    capacity * sizeof *topic->subscribers);
    topic->capacity = capacity;
}

/* Into the topic's array and the client's list. */
static void link_subscription(struct pubsub *pubsub, struct subscription *subscription) {
    struct topic *topic = subscription->topic;
    struct client *client = subscription->client;
    if (topic->count == topic->capacity) {
        resize_subscribers(topic, topic->capacity == 0 ? ARRAY_MIN : topic->capacity * 2);
    }
    subscription->place = topic->count;
    topic->subscribers[topic->count++] = (struct subscriber){client, subscription};
    if (client->subscriptions == NULL) {
        struct subscriptions *fresh = mem_zalloc(MEM_FEATURE, sizeof *fresh);
        client->subscriptions = &fresh->counts;
        client->flags |= CLIENT_PUSHED;
        client->class_ = CLIENT_CLASS_PUBSUB;
        pubsub->clients++;
    }
    struct subscriptions *subscriptions = subscriptions_of(client);
    struct list *list = &subscriptions->lists[topic->kind];
    subscription->older = list->newest;
    *(list->newest == NULL ? &list->oldest : &list->newest->newer) = subscription;
    list->newest = subscription;
    ++*count_of(subscriptions, topic->kind);
}

static void unlink_subscription(struct pubsub *pubsub, struct subscription *subscription) {
    struct topic *topic = subscription->topic;
    struct client *client = subscription->client;
    struct subscriber last = topic->subscribers[--topic->count];
    last.subscription->place = subscription->place;
    topic->subscribers[subscription->place] = last;
    if (topic->capacity > ARRAY_MIN && topic->count <= topic->capacity / 4) {
        resize_subscribers(topic, topic->capacity / 2);
    }
    struct subscriptions *subscriptions = subscriptions_of(client);
    struct list *list = &subscriptions->lists[topic->kind];
    *(subscription->older == NULL ? &list->oldest : &subscription->older->newer) =
        subscription->newer;
    *(subscription->newer == NULL ? &list->newest : &subscription->newer->older) =
        subscription->older;
    --*count_of(subscriptions, topic->kind);
    if (!has_any(subscriptions)) {
        mem_free(MEM_FEATURE, subscriptions, sizeof *subscriptions);
        client->subscriptions = NULL;
        client->class_ = CLIENT_CLASS_NORMAL;
        pubsub->clients--;
    }
}

/* `slot` is where the pair was found, with that hash. */
static void end_subscription(struct pubsub *pubsub, uint64_t *slot, uint64_t hash) {
    struct entry *entry = dict_slot_entry(*slot);
    struct subscription *subscription = entry_pointer(entry);
    struct topic *topic = subscription->topic;
    dict_remove(&pubsub->pairs, hash, slot);
    entry_free(entry);
    unlink_subscription(pubsub, subscription);
    mem_free(MEM_FEATURE, subscription, sizeof *subscription);
    if (topic->count == 0) {
        remove_topic(pubsub, topic);
    }
}

bool pubsub_subscribe(struct pubsub *pubsub, struct client *client, enum pubsub_kind kind,
                      struct bytes name) {
    struct topic *topic = find_topic(pubsub, kind, name);
    if (topic == NULL) {
        topic = add_topic(pubsub, kind, name);
        if (topic == NULL) {
            return false;
        }
    }
    struct pair pair = {topic, client};
    uint64_t hash;
    if (find_pair(pubsub, &pair, &hash) != NULL) {
        return true;
    }
    struct subscription *subscription = mem_zalloc(MEM_FEATURE, sizeof *subscription);
    *subscription = (struct subscription){.topic = topic, .client = client};
    struct entry *entry = pointer_entry(bytes_of(&pair, sizeof pair), subscription);
    if (entry == NULL) {
        mem_free(MEM_FEATURE, subscription, sizeof *subscription);
        if (topic->count == 0) {
            remove_topic(pubsub, topic);
        }
        return false;
    }
    dict_insert(&pubsub->pairs, hash, entry);
    link_subscription(pubsub, subscription);
    return true;
}

void pubsub_unsubscribe(struct pubsub *pubsub, struct client *client, enum pubsub_kind kind,
                        struct bytes name) {
    struct pair pair = {find_topic(pubsub, kind, name), client};
    uint64_t hash;
    uint64_t *slot = pair.topic == NULL ? NULL : find_pair(pubsub, &pair, &hash);
    if (slot != NULL) {
        end_subscription(pubsub, slot, hash);
    }
}

static void client_leaves(void *context, struct client *client) {
    struct pubsub *pubsub = context;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        while (client->subscriptions != NULL &&
               subscriptions_of(client)->lists[kind].newest != NULL) {
            struct pair pair = {subscriptions_of(client)->lists[kind].newest->topic, client};
            uint64_t hash;
            uint64_t *slot = find_pair(pubsub, &pair, &hash);
            end_subscription(pubsub, slot, hash);
        }
    }
}

size_t pubsub_count(const struct client *client, enum pubsub_kind kind) {
    return client->subscriptions == NULL ? 0 : *count_of(subscriptions_of(client), kind);
}

void pubsub_visit_client(const struct client *client, enum pubsub_kind kind, pubsub_visit_fn visit,
                         void *context) {
    if (client->subscriptions == NULL) {
        return;
    }
    const struct subscription *subscription = subscriptions_of(client)->lists[kind].oldest;
    for (; subscription != NULL; subscription = subscription->newer) {
        visit(context, entry_key(subscription->topic->entry));
    }
}

struct bytes pubsub_oldest(const struct client *client, enum pubsub_kind kind) {
    return entry_key(subscriptions_of(client)->lists[kind].oldest->topic->entry);
}

/* ---- publishing ---- */

/* What is sent, and to whom it goes in which encoding. */
struct parcel {
    struct shared_log *logs; /* one a version */
    const char *word;        /* "message" ... */
    const struct bytes *pattern;
    struct bytes channel;
    struct bytes message;
    struct shared_run runs[VERSIONS];
};

static bool encode(struct parcel *parcel, int version) {
    struct bytes word = bytes_text(parcel->word);
    size_t size = 5 * RESP_HEADER_SIZE + 8 + word.size + parcel->channel.size +
                  parcel->message.size + (parcel->pattern == NULL ? 0 : parcel->pattern->size);
    struct shared_log *log = &parcel->logs[version];
    char *out = shared_log_room(log, size);
    if (out == NULL) {
        return false;
    }
    out = resp_header(out, version == 0 ? '*' : '>', parcel->pattern == NULL ? 3 : 4);
    out = resp_bulk(out, word);
    if (parcel->pattern != NULL) {
        out = resp_bulk(out, *parcel->pattern);
    }
    out = resp_bulk(out, parcel->channel);
    out = resp_bulk(out, parcel->message);
    parcel->runs[version] = shared_log_take(log, out);
    return true;
}

static inline void prefetch_client(const struct client *client) {
    __builtin_prefetch(&client->flags, 1);
    __builtin_prefetch(&client->output, 1);
}

/* How many got it; -1 when it could not be encoded. */
static int64_t deliver(const struct topic *topic, struct parcel *parcel) {
    int64_t count = 0;
    for (uint32_t i = 0; i < topic->count; i++) {
        if (i + PREFETCH_AHEAD < topic->count) {
            prefetch_client(topic->subscribers[i + PREFETCH_AHEAD].client);
        }
        struct client *client = topic->subscribers[i].client;
        int version = client->version - 2;
        if (UNLIKELY(parcel->runs[version].block == NULL) && !encode(parcel, version)) {
            count = -1;
            break;
        }
        count += client_send_run(client, &parcel->runs[version]);
    }
    for (int version = 0; version < VERSIONS; version++) {
        if (parcel->runs[version].block != NULL) {
            shared_release(parcel->runs[version].block);
        }
    }
    return count;
}

static int64_t publish_to(struct pubsub *pubsub, enum pubsub_kind kind, const char *word,
                          struct bytes channel, struct bytes message) {
    const struct topic *topic = find_topic(pubsub, kind, channel);
    if (topic == NULL) {
        return 0;
    }
    struct parcel parcel = {
        .logs = pubsub->logs, .word = word, .channel = channel, .message = message};
    return deliver(topic, &parcel);
}

static int64_t publish_to_patterns(struct pubsub *pubsub, struct bytes channel,
                                   struct bytes message) {
    uint64_t first = 0;
    int64_t count = 0;
    memcpy(&first, channel.at, channel.size < 8 ? channel.size : 8);
    for (size_t i = 0; i < pubsub->pattern_count; i++) {
        const struct pattern *pattern = &pubsub->patterns[i];
        if (LIKELY(((first ^ pattern->first) & pattern->mask) != 0)) {
            continue;
        }
        struct bytes name = entry_key(pattern->topic->entry);
        if (!glob_match(name, channel, false)) {
            continue;
        }
        struct parcel parcel = {.logs = pubsub->plogs,
                                .word = "pmessage",
                                .pattern = &name,
                                .channel = channel,
                                .message = message};
        int64_t some = deliver(pattern->topic, &parcel);
        if (some < 0) {
            return -1;
        }
        count += some;
    }
    return count;
}

int64_t pubsub_publish(struct pubsub *pubsub, struct bytes channel, struct bytes message) {
    int64_t count = publish_to(pubsub, PUBSUB_CHANNEL, "message", channel, message);
    if (pubsub->pattern_count == 0 || count < 0) {
        return count;
    }
    int64_t more = publish_to_patterns(pubsub, channel, message);
    return more < 0 ? -1 : count + more;
}

int64_t pubsub_publish_shard(struct pubsub *pubsub, struct bytes channel, struct bytes message) {
    return publish_to(pubsub, PUBSUB_SHARD, "smessage", channel, message);
}

/* ---- looking ---- */

size_t pubsub_topics(const struct pubsub *pubsub, enum pubsub_kind kind) {
    return dict_size(&pubsub->names[kind]);
}

size_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct bytes name) {
    const struct topic *topic = find_topic(pubsub, kind, name);
    return topic == NULL ? 0 : topic->count;
}

struct name_visit {
    pubsub_visit_fn visit;
    void *context;
};

static void visit_name(void *context, struct entry *entry) {
    const struct name_visit *names = context;
    names->visit(names->context, entry_key(entry));
}

void pubsub_visit(const struct pubsub *pubsub, enum pubsub_kind kind, pubsub_visit_fn visit,
                  void *context) {
    struct name_visit names = {visit, context};
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&pubsub->names[kind], cursor, visit_name, &names);
    } while (cursor != 0);
}

static int64_t metric_channels(void *module) {
    return (int64_t)pubsub_topics(module, PUBSUB_CHANNEL);
}

static int64_t metric_patterns(void *module) {
    return (int64_t)pubsub_topics(module, PUBSUB_PATTERN);
}

static int64_t metric_shard_channels(void *module) {
    return (int64_t)pubsub_topics(module, PUBSUB_SHARD);
}

static int64_t metric_clients(void *module) {
    return (int64_t)((const struct pubsub *)module)->clients;
}

static const struct metric metric_rows[] = {
    {.name = "pubsub_clients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_clients,
     .description = "Connections that subscribe to something."},
    {.name = "pubsub_channels",
     .section = METRIC_STATS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_channels,
     .description = "Channels with subscribers."},
    {.name = "pubsub_patterns",
     .section = METRIC_STATS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_patterns,
     .description = "Patterns with subscribers."},
    {.name = "pubsubshard_channels",
     .section = METRIC_STATS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_shard_channels,
     .description = "Shard channels with subscribers."},
};

struct pubsub *pubsub_new(struct context *context) {
    struct pubsub *pubsub = mem_zalloc(MEM_FEATURE, sizeof *pubsub);
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        dict_init(&pubsub->names[kind], MEM_FEATURE, false);
    }
    dict_init(&pubsub->pairs, MEM_FEATURE, false);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     NULL, pubsub, NULL);
    pubsub->watcher = (struct client_watcher){.context = pubsub, .leaves = client_leaves};
    clients_watch(context->clients, &pubsub->watcher);
    return pubsub;
}

void pubsub_free(struct pubsub *pubsub) {
    check(dict_size(&pubsub->pairs) == 0);
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        dict_clear(&pubsub->names[kind]);
    }
    dict_clear(&pubsub->pairs);
    for (int version = 0; version < VERSIONS; version++) {
        shared_log_clear(&pubsub->logs[version]);
        shared_log_clear(&pubsub->plogs[version]);
    }
    mem_free(MEM_FEATURE, pubsub, sizeof *pubsub);
}

/* ---- validation ---- */

struct census {
    const struct pubsub *pubsub;
    size_t subscriptions;
};

static void validate_topic(void *context, struct entry *entry) {
    struct census *census = context;
    const struct topic *topic = entry_pointer(entry);
    check(topic->entry == entry && topic->count > 0 && topic->count <= topic->capacity);
    check(topic->kind != PUBSUB_PATTERN || census->pubsub->patterns[topic->pattern].topic == topic);
    for (uint32_t i = 0; i < topic->count; i++) {
        const struct subscription *subscription = topic->subscribers[i].subscription;
        const struct client *client = topic->subscribers[i].client;
        struct pair pair = {topic, client};
        uint64_t hash;
        check(subscription->place == i && subscription->topic == topic);
        check(subscription->client == client && client->class_ == CLIENT_CLASS_PUBSUB);
        check(find_pair(census->pubsub, &pair, &hash) != NULL);
        size_t listed = 0;
        for (const struct subscription *s = subscriptions_of(client)->lists[topic->kind].oldest;
             s != NULL; s = s->newer) {
            check(s->newer == NULL || s->newer->older == s);
            listed++;
        }
        check(listed == pubsub_count(client, topic->kind));
    }
    census->subscriptions += topic->count;
}

void pubsub_validate(const struct pubsub *pubsub) {
    struct census census = {.pubsub = pubsub};
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        dict_validate(&pubsub->names[kind]);
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(&pubsub->names[kind], cursor, validate_topic, &census);
        } while (cursor != 0);
    }
    dict_validate(&pubsub->pairs);
    check(census.subscriptions == dict_size(&pubsub->pairs));
    check(pubsub->pattern_count == pubsub_topics(pubsub, PUBSUB_PATTERN));
}
