/* migrate: see the header. */
#include "persist/migrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/pass_on.h"
#include "persist/crc64.h"
#include "persist/encode.h"
#include "persist/target.h"
#include "store/keyspace.h"
#include "types/digest.h"
#include "types/hash.h"

/* Sent, but not taken by the system: more is encoded when there is less. */
#define UNSENT_MAX ((size_t)256 << 10)
/* Of a pass, for encoding. */
#define SLICE_US     500
#define ERROR_SIZE   1100
#define TIMER_MS_MAX (INT64_C(100) * 366 * 86400 * 1000)

enum item_state {
    ITEM_WAITS,
    ITEM_REPEATED, /* an item before it has the same name */
    ITEM_ABSENT,
    ITEM_SENT,
    ITEM_TAKEN,
    ITEM_DONE
};

struct item {
    struct bytes name;
    struct digest digest; /* of what was sent */
    int64_t deadline_ms;
    enum item_state state;
};

enum stage { STAGE_LOGIN, STAGE_SELECT, STAGE_RESTORE };

struct migration {
    struct migrations *owner;
    struct migration *next; /* of those on their own */
    struct target *target;  /* NULL once over */
    struct loop_timer timer;
    struct migrate_request request; /* its texts are behind the items */
    size_t size;
    enum stage stage;
    int sent;     /* items before this have had their turn */
    int answered; /* and these were answered, or were not there */
    int settled;  /* and these are removed, if they are to be */
    bool over;
    bool changed;
    char error[ERROR_SIZE];
    migrate_ended_fn ended;
    uint64_t client_id;
    struct item items[];
};

struct migrations {
    struct context *context;
    struct targets *targets;
    struct migration *first;
};

static int64_t now_ms(const struct migration *migration) {
    return migration->owner->context->clock->now_ms;
}

/* ---- the end ---- */

/* The first error is the one that is told. */
static void note_error(struct migration *migration, const char *code, struct bytes text) {
    if (migration->error[0] == '\0') {
        int size = text.size < ERROR_SIZE - 80 ? (int)text.size : ERROR_SIZE - 80;
        snprintf(migration->error, sizeof migration->error, "%s%.*s", code, size, text.at);
    }
}

static void note_refusal(struct migration *migration, struct bytes line) {
    line.at++; /* the minus */
    line.size--;
    note_error(migration, "ERR Target instance replied with error: ", line);
}

static void let_go(struct migration *migration, bool good) {
    struct target *target = migration->target;
    migration->target = NULL;
    if (target != NULL) {
        target_give_back(target, good);
    }
}

static void end(struct migration *migration, bool good) {
    let_go(migration, good);
    migration->over = true;
    if (migration->changed) {
        note_error(migration, "ERR ",
                   bytes_text("A key was changed while it was moved: it stays here, and the target "
                              "instance has what it was"));
    }
    if (migration->ended != NULL) {
        migration->ended(migration->owner->context, migration->client_id, migration);
        migrate_free(migration);
    }
}

/* ---- removing what has arrived ---- */

/* Whether the key is to be removed: what is here is what was sent. */
static bool is_unchanged(struct migration *migration, const struct item *item,
                         const struct entry *entry) {
    if (entry == NULL) {
        bool is_due =
            item->deadline_ms != ENTRY_NO_DEADLINE && item->deadline_ms <= now_ms(migration);
        migration->changed |= !is_due;
        return false;
    }
    struct digest digest = {{0}};
    digest_value(&digest, entry, now_ms(migration));
    bool same = entry_deadline(entry) == item->deadline_ms &&
                memcmp(&digest, &item->digest, sizeof digest) == 0;
    migration->changed |= !same;
    return same;
}

static bool remove_item(struct migration *migration, struct item *item) {
    struct keyspace *keyspace = migration->owner->context->keyspace;
    struct database *database = &keyspace->databases[migration->request.from];
    struct key key = keyspace_key(keyspace, database, item->name);
    struct entry *entry = keyspace_peek(keyspace, &key);
    if (!is_unchanged(migration, item, entry)) {
        return false;
    }
    keyspace_remove(keyspace, &key, entry, keyspace->options.lazy_server_del);
    keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "del");
    return true;
}

/* Removes what was answered since the last time, and passes that on as one DEL. */
static void settle(struct migration *migration) {
    struct bytes words[64] = {bytes_text("DEL")};
    const int words_max = (int)(sizeof words / sizeof words[0]);
    struct pass_on *pass_on = migration->owner->context->pass_on;
    int count = 1;
    for (; migration->settled < migration->answered; migration->settled++) {
        struct item *item = &migration->items[migration->settled];
        if (item->state == ITEM_TAKEN && !migration->request.copy && remove_item(migration, item)) {
            words[count++] = item->name;
        }
        item->state = item->state == ITEM_REPEATED ? ITEM_REPEATED : ITEM_DONE;
        if (count > 1 && (count == words_max || migration->settled + 1 == migration->answered)) {
            if (pass_on_is_heard(pass_on)) {
                pass_on_words(pass_on, migration->request.from, words, count);
            }
            count = 1;
        }
    }
}

/* ---- sending ---- */

static void write_bulk(struct rdb_writer *out, struct bytes text) {
    char head[NUM_I64_SIZE + 3] = {'$'};
    size_t size = 1 + num_format_i64(head + 1, (int64_t)text.size);
    rdb_write_raw(out, head, size);
    rdb_write_raw(out, "\r\n", 2);
    rdb_write_raw(out, text.at, text.size);
    rdb_write_raw(out, "\r\n", 2);
}

static void write_words(struct rdb_writer *out, const struct bytes *words, int count) {
    char head[NUM_I64_SIZE + 3] = {'*'};
    size_t size = 1 + num_format_i64(head + 1, count);
    rdb_write_raw(out, head, size);
    rdb_write_raw(out, "\r\n", 2);
    for (int i = 0; i < count; i++) {
        write_bulk(out, words[i]);
    }
}

/* The key as RESTORE. What it is now is remembered. */
static void write_item(struct migration *migration, struct item *item, const struct entry *entry) {
    struct rdb_writer *out = target_out(migration->target);
    struct rdb_writer payload;
    int64_t now = now_ms(migration);
    rdb_writer_init(&payload, true);
    int version = encode_value(entry, NULL, now, &payload);
    if (version < 0) {
        if (version == -ENOTSUP) {
            note_error(migration, "ERR ", bytes_text("a value of this size cannot be dumped"));
        }
        item->state = ITEM_ABSENT;
        rdb_writer_clear(&payload);
        return;
    }
    rdb_write_number(&payload, (uint64_t)version, 2);
    struct bytes written = rdb_written(&payload);
    rdb_write_number(&payload, crc64(0, written.at, written.size), 8);
    item->deadline_ms = entry_deadline(entry);
    item->digest = (struct digest){{0}};
    digest_value(&item->digest, entry, now);
    item->state = ITEM_SENT;
    char ttl[NUM_I64_SIZE];
    int64_t left = item->deadline_ms == ENTRY_NO_DEADLINE ? 0 : item->deadline_ms - now;
    const struct bytes words[] = {bytes_text("RESTORE"), item->name,
                                  bytes_of(ttl, num_format_i64(ttl, left)), rdb_written(&payload),
                                  bytes_text("REPLACE")};
    write_words(out, words, migration->request.replace ? 5 : 4);
    out->failed = out->failed || payload.failed;
    rdb_writer_clear(&payload);
}

/* Sends keys while there is room and time. False when there is no memory. */
static bool send_keys(struct migration *migration) {
    struct keyspace *keyspace = migration->owner->context->keyspace;
    struct database *database = &keyspace->databases[migration->request.from];
    int64_t until_us = clock_mono_us() + SLICE_US;
    while (migration->sent < migration->request.key_count &&
           target_unsent(migration->target) < UNSENT_MAX && clock_mono_us() < until_us) {
        struct item *item = &migration->items[migration->sent++];
        if (item->state == ITEM_REPEATED) {
            continue;
        }
        struct key key = keyspace_key(keyspace, database, item->name);
        const struct entry *entry = keyspace_peek(keyspace, &key);
        if (entry == NULL) {
            item->state = ITEM_ABSENT;
        } else {
            write_item(migration, item, entry);
        }
    }
    target_want_room(migration->target, migration->sent < migration->request.key_count);
    target_send(migration->target);
    return !target_out(migration->target)->failed;
}

/* What is not there is not answered. */
static void skip_absent(struct migration *migration) {
    while (migration->answered < migration->sent &&
           migration->items[migration->answered].state <= ITEM_ABSENT) {
        migration->answered++;
    }
}

static void fail(struct migration *migration, enum target_failure failure) {
    static const char *const texts[] = {
        [TARGET_UNKNOWN] = "error or timeout connecting to the client",
        [TARGET_WRITING] = "error or timeout writing to target instance",
        [TARGET_READING] = "error or timeout reading to target instance",
    };
    settle(migration);
    note_error(migration, "IOERR ", bytes_text(texts[failure]));
    end(migration, false);
}

static void go_on(struct migration *migration) {
    if (!send_keys(migration)) {
        settle(migration);
        note_error(migration, "OOM ", bytes_text("command not allowed: there is no memory for it"));
        end(migration, false);
        return;
    }
    skip_absent(migration);
    settle(migration);
    if (migration->answered == migration->request.key_count) {
        end(migration, true);
    }
}

/* ---- what the target says ---- */

static void on_line(void *context, struct bytes line) {
    struct migration *migration = context;
    bool refused = line.size > 0 && line.at[0] == '-';
    if (!refused && (line.size == 0 || line.at[0] != '+')) {
        fail(migration, TARGET_READING);
        return;
    }
    if (refused) {
        note_refusal(migration, line);
    }
    if (migration->stage == STAGE_LOGIN && !refused &&
        !target_is_in(migration->target, migration->request.database)) {
        migration->stage = STAGE_SELECT;
        return;
    }
    if (migration->stage != STAGE_RESTORE) {
        if (refused) {
            end(migration, false);
            return;
        }
        target_set_database(migration->target, migration->request.database);
        migration->stage = STAGE_RESTORE;
        go_on(migration);
        return;
    }
    skip_absent(migration);
    if (migration->answered == migration->sent) {
        fail(migration, TARGET_READING); /* to what was not asked */
        return;
    }
    migration->items[migration->answered++].state = refused ? ITEM_DONE : ITEM_TAKEN;
}

static void on_lines_read(void *context) {
    struct migration *migration = context;
    if (migration->stage == STAGE_RESTORE) {
        skip_absent(migration);
        settle(migration);
        if (migration->answered == migration->request.key_count) {
            end(migration, true);
        }
    }
}

static void on_room(void *context) {
    go_on(context);
}

/* ---- the beginning ---- */

static void converse(struct migration *migration);

static void on_failed(void *context, enum target_failure failure) {
    struct migration *migration = context;
    if (target_is_stale(migration->target)) {
        /* It had been kept, and has ended before it was of use: another one, from the beginning. */
        let_go(migration, false);
        for (int i = 0; i < migration->sent; i++) {
            struct item *item = &migration->items[i];
            item->state = item->state == ITEM_REPEATED ? ITEM_REPEATED : ITEM_WAITS;
        }
        migration->sent = migration->answered = migration->settled = 0;
        converse(migration);
        return;
    }
    fail(migration, failure);
}

static void log_in(struct migration *migration) {
    const struct migrate_request *request = &migration->request;
    struct bytes words[3] = {bytes_text("AUTH")};
    int count = 1;
    if (request->user.size > 0) {
        words[count++] = request->user;
    }
    words[count++] = request->password;
    write_words(target_out(migration->target), words, count);
}

static void choose_database(struct migration *migration) {
    char number[NUM_I64_SIZE];
    const struct bytes words[2] = {
        bytes_text("SELECT"),
        bytes_of(number, num_format_i64(number, migration->request.database))};
    write_words(target_out(migration->target), words, 2);
}

/* Takes a connection and says what comes first. The keys follow when that was answered, so that
 * none ends up in another database. */
static void converse(struct migration *migration) {
    static const struct target_user user = {
        .line = on_line, .lines_read = on_lines_read, .room = on_room, .failed = on_failed};
    struct migrations *owner = migration->owner;
    struct target_user ours = user;
    enum target_failure failure = TARGET_WRITING;
    ours.context = migration;
    migration->target = targets_take(owner->targets, owner->context->loop, migration->request.host,
                                     migration->request.port, &ours, &failure);
    if (migration->target == NULL) {
        fail(migration, failure);
        return;
    }
    bool selects = !target_is_in(migration->target, migration->request.database);
    migration->stage = migration->request.has_password ? STAGE_LOGIN
                       : selects                       ? STAGE_SELECT
                                                       : STAGE_RESTORE;
    if (migration->request.has_password) {
        log_in(migration);
    }
    if (selects) {
        choose_database(migration);
    }
    if (migration->stage == STAGE_RESTORE) {
        go_on(migration);
    } else {
        target_send(migration->target);
    }
}

/* Finds names that come twice, by a table of indexes that is half empty. False when there is no
 * memory for it. */
static bool find_repeated(struct migration *migration) {
    const struct keyspace *keyspace = migration->owner->context->keyspace;
    size_t places = 4;
    while (places < 2 * (size_t)migration->request.key_count) {
        places *= 2;
    }
    int *table = mem_try_alloc(MEM_OTHER, places * sizeof *table);
    if (table == NULL) {
        return false;
    }
    memset(table, -1, places * sizeof *table);
    for (int i = 0; i < migration->request.key_count; i++) {
        struct item *item = &migration->items[i];
        size_t at = keyspace_hash(keyspace, item->name) & (places - 1);
        while (table[at] >= 0 && !bytes_equal(migration->items[table[at]].name, item->name)) {
            at = (at + 1) & (places - 1);
        }
        if (table[at] >= 0) {
            item->state = ITEM_REPEATED;
        } else {
            table[at] = i;
        }
    }
    mem_free(MEM_OTHER, table, places * sizeof *table);
    return true;
}

static struct bytes keep(char **out, struct bytes text) {
    struct bytes kept = bytes_of(*out, text.size);
    if (text.size > 0) {
        memcpy(*out, text.at, text.size);
    }
    *out += text.size;
    return kept;
}

static int64_t on_time(struct loop_timer *timer) {
    struct migration *migration =
        (struct migration *)(void *)((char *)timer - offsetof(struct migration, timer));
    int64_t idle_ms = (clock_mono_us() - target_moved_us(migration->target)) / 1000;
    if (idle_ms < migration->request.timeout_ms) {
        int64_t left_ms = migration->request.timeout_ms - idle_ms;
        return left_ms < TIMER_MS_MAX ? left_ms : TIMER_MS_MAX;
    }
    fail(migration, target_stalled(migration->target));
    return -1;
}

struct migration *migrate_begin(struct migrations *migrations,
                                const struct migrate_request *request) {
    size_t size = sizeof(struct migration) + (size_t)request->key_count * sizeof(struct item) +
                  request->host.size + request->user.size + request->password.size;
    for (int i = 0; i < request->key_count; i++) {
        size += request->keys[i].size;
    }
    struct migration *migration = mem_try_alloc(MEM_OTHER, size);
    if (migration == NULL) {
        return NULL;
    }
    *migration = (struct migration){.owner = migrations,
                                    .request = *request,
                                    .size = size,
                                    .timer = {.on_time = on_time, .position = -1}};
    char *out = (char *)(migration->items + request->key_count);
    for (int i = 0; i < request->key_count; i++) {
        migration->items[i] = (struct item){.name = keep(&out, request->keys[i])};
    }
    migration->request.keys = NULL;
    migration->request.host = keep(&out, request->host);
    migration->request.user = keep(&out, request->user);
    migration->request.password = keep(&out, request->password);
    if (!find_repeated(migration)) {
        migrate_free(migration);
        return NULL;
    }
    converse(migration);
    return migration;
}

bool migration_is_over(const struct migration *migration) {
    return migration->over;
}

const char *migration_error(const struct migration *migration) {
    return migration->error[0] == '\0' ? NULL : migration->error;
}

void migrate_wait(struct migration *migration) {
    while (!migration->over) {
        int64_t idle_ms = (clock_mono_us() - target_moved_us(migration->target)) / 1000;
        if (idle_ms >= migration->request.timeout_ms) {
            fail(migration, target_stalled(migration->target));
            return;
        }
        target_wait(migration->target, migration->request.timeout_ms - idle_ms);
    }
}

void migrate_leave(struct migration *migration, migrate_ended_fn ended, uint64_t client_id) {
    struct migrations *owner = migration->owner;
    check(!migration->over);
    migration->ended = ended;
    migration->client_id = client_id;
    migration->next = owner->first;
    owner->first = migration;
    int64_t after_ms = migration->request.timeout_ms;
    loop_timer_add(owner->context->loop, &migration->timer,
                   after_ms < TIMER_MS_MAX ? after_ms : TIMER_MS_MAX);
}

void migrate_free(struct migration *migration) {
    let_go(migration, false);
    if (migration->ended != NULL) {
        struct migration **at = &migration->owner->first;
        while (*at != migration) {
            at = &(*at)->next;
        }
        *at = migration->next;
        loop_timer_remove(migration->owner->context->loop, &migration->timer);
    }
    mem_free(MEM_OTHER, migration, migration->size);
}

struct migrations *migrations_new(struct context *context) {
    struct migrations *migrations = mem_zalloc(MEM_OTHER, sizeof *migrations);
    migrations->context = context;
    migrations->targets = targets_new();
    return migrations;
}

void migrations_free(struct migrations *migrations) {
    while (migrations->first != NULL) {
        migrate_free(migrations->first);
    }
    targets_free(migrations->targets);
    mem_free(MEM_OTHER, migrations, sizeof *migrations);
}

size_t migrations_cached_sockets(const struct migrations *migrations) {
    return targets_cached(migrations->targets);
}
