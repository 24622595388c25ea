/* compare: see compare.h. Both connections are served by one poll loop that reads while it writes,
 * since a server may stop reading from who does not read. */
#include "compare.h"

#include "compare_table.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Rounds go on for so long, but there are at least so many. */
#define ROUNDS_MS    3500
#define ROUNDS_MIN   3
#define COMMANDS     400
#define PIPELINE_MAX 60
#define CUTS_MAX     3
#define ANSWERED_MIN 40
#define RELATED_MAX  25
#define DATABASES    16
#define READ_SIZE    65536
/* Percent of the rounds that have transactions, of their commands that begin one, and how many
 * commands these have at most. */
#define WRAPPED_ROUNDS   30
#define WRAPPED_COMMANDS 10
#define WRAPPED_MAX      8

struct side {
    struct server *server;
    int fd;    /* -1 when not connected */
    int other; /* to make sure that a piece has been read before the next comes */
    char *bytes;
    size_t size;
    size_t capacity;
    size_t done;     /* bytes of replies that were taken */
    size_t sent;     /* of what is being sent */
    size_t whole;    /* bytes from `done` on that are whole replies */
    size_t received; /* whole replies in there */
};

struct sent {
    struct words words;
    enum compare_how how;
    bool queued; /* for EXEC, in whose reply its own is an element */
};

struct pair {
    struct side sides[2];
    struct sent *sent; /* of this round, for reports */
    size_t sent_count;
    size_t sent_room;
    size_t answered; /* replies of the test so far that were no errors */
    size_t replies;
    uint64_t seed; /* of the round */
    unsigned differences;
};

static uint64_t environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != 0 ? strtoull(text, NULL, 10) : otherwise;
}

struct pair *pair_start(const char *const *options) {
    struct server *ours = server_start(options);
    return pair_of(ours, server_start_reference(options));
}

struct pair *pair_of(struct server *ours, struct server *reference) {
    struct pair *pair = calloc(1, sizeof *pair);
    pair->sides[0].server = ours;
    pair->sides[1].server = reference;
    for (int i = 0; i < 2; i++) {
        pair->sides[i].fd = -1;
    }
    return pair;
}

static void disconnect(struct pair *pair) {
    for (int i = 0; i < 2; i++) {
        struct side *side = &pair->sides[i];
        if (side->fd >= 0) {
            close(side->fd);
            close(side->other);
            side->fd = -1;
        }
        side->size = side->done = side->whole = side->received = 0;
    }
}

static void forget_sent(struct pair *pair) {
    for (size_t i = 0; i < pair->sent_count; i++) {
        words_clear(&pair->sent[i].words);
    }
    pair->sent_count = 0;
}

void pair_stop(struct pair *pair) {
    disconnect(pair);
    forget_sent(pair);
    for (int i = 0; i < 2; i++) {
        server_stop(pair->sides[i].server);
        free(pair->sides[i].bytes);
    }
    free(pair->sent);
    free(pair);
}

struct server *pair_server(struct pair *pair, int side) {
    return pair->sides[side].server;
}

/* Reads what is there; counts the replies that have become whole. */
static void receive(struct side *side, int index) {
    if (side->capacity - side->size < READ_SIZE) {
        side->capacity = side->capacity * 2 + READ_SIZE;
        side->bytes = realloc(side->bytes, side->capacity);
    }
    ssize_t got = recv(side->fd, side->bytes + side->size, side->capacity - side->size - 1, 0);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
        harness_fail("%s closed the connection", index == 0 ? "the server" : "the reference");
    }
    side->size += got > 0 ? (size_t)got : 0;
    side->bytes[side->size] = 0;
    for (;;) {
        size_t from = side->done + side->whole;
        size_t more = reply_size(side->bytes + from, side->size - from);
        if (more == 0) {
            return;
        }
        side->whole += more;
        side->received++;
    }
}

static void send_some(struct side *side, const char *at, size_t until) {
    ssize_t sent = send(side->fd, at + side->sent, until - side->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        harness_fail("send: %s", strerror(errno));
    }
    side->sent += sent > 0 ? (size_t)sent : 0;
}

/* Sends both sides the bytes up to `until` and reads until each has sent `replies` replies. */
static void serve(struct pair *pair, const char *at, size_t until, size_t replies) {
    int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
    for (;;) {
        struct pollfd watch[2];
        bool open = false;
        for (int i = 0; i < 2; i++) {
            struct side *side = &pair->sides[i];
            bool sends = side->sent < until;
            bool reads = side->received < replies;
            watch[i] = (struct pollfd){.fd = sends || reads ? side->fd : -1,
                                       .events = (short)(POLLIN | (sends ? POLLOUT : 0))};
            open |= sends || reads;
        }
        if (!open) {
            return;
        }
        if (poll(watch, 2, HARNESS_WAIT_MS) <= 0 || harness_now_ms() > end) {
            harness_fail("%s does not answer",
                         pair->sides[0].received < replies ? "the server" : "the reference");
        }
        for (int i = 0; i < 2; i++) {
            if (watch[i].revents & POLLOUT) {
                send_some(&pair->sides[i], at, until);
            }
            if (watch[i].revents & (POLLIN | POLLHUP | POLLERR)) {
                receive(&pair->sides[i], i);
            }
        }
    }
}

static void encode(FILE *file, const struct words *words) {
    fprintf(file, "*%zu\r\n", words->count);
    for (size_t i = 0; i < words->count; i++) {
        fprintf(file, "$%zu\r\n", words->sizes[i]);
        fwrite(words->at[i], 1, words->sizes[i], file);
        fputs("\r\n", file);
    }
}

/* Sends the commands in as many pieces as there are cuts, and waits for all the replies. */
static void exchange(struct pair *pair, const struct sent *sent, size_t count,
                     struct generator *generator) {
    char *bytes = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&bytes, &size);
    for (size_t i = 0; i < count; i++) {
        encode(file, &sent[i].words);
    }
    fclose(file);
    for (int i = 0; i < 2; i++) {
        struct side *side = &pair->sides[i];
        side->size = side->done = side->whole = side->received = side->sent = 0;
    }
    size_t cuts = generator != NULL ? generate_below(generator, CUTS_MAX + 1) : 0;
    size_t from = 0;
    for (; cuts > 0 && from + 1 < size; cuts--) {
        from += 1 + generate_below(generator, size - from - 1);
        serve(pair, bytes, from, 0);
        wire_settle(pair->sides[0].other);
        wire_settle(pair->sides[1].other);
    }
    serve(pair, bytes, size, count);
    free(bytes);
}

/* Takes the next reply of the side; it stays where it is until the next exchange. */
static const char *next_reply(struct side *side, size_t *size) {
    const char *at = side->bytes + side->done;
    *size = reply_size(at, side->size - side->done);
    side->done += *size;
    side->whole -= *size;
    return at;
}

static bool shares_a_key(const struct words *one, const struct words *other) {
    for (size_t i = 1; i < one->count; i++) {
        for (size_t j = 1; j < other->count; j++) {
            if (one->sizes[i] == other->sizes[j] && one->sizes[i] > 2 && one->at[i][1] == ':' &&
                memcmp(one->at[i], other->at[j], one->sizes[i]) == 0) {
                return true;
            }
        }
    }
    return one->count > 0 &&
           (words_begin_with(one, "SELECT") || words_begin_with(one, "SWAPDB") ||
            words_begin_with(one, "FLUSHALL") || words_begin_with(one, "FLUSHDB"));
}

/* The first command that waits for this EXEC. */
static size_t first_queued(const struct pair *pair, size_t exec) {
    size_t first = exec;
    while (first > 0 && !words_begin_with(&pair->sent[first - 1].words, "MULTI")) {
        first--;
    }
    return first;
}

static void report(struct pair *pair, size_t index, const char *ours, const char *theirs) {
    const struct words *words = &pair->sent[index].words;
    char *text = words_text(words);
    print_error("difference, LARDER_COMPARE_SEED=%llu LARDER_COMPARE_ROUNDS=1, command %zu:\n",
                (unsigned long long)pair->seed, index);
    print_error("  sent      %s\n  ours      %.900s\n  reference %.900s\n", text, ours, theirs);
    free(text);
    bool executes = words_begin_with(words, "EXEC");
    for (size_t i = first_queued(pair, index); i < index && executes; i++) {
        text = words_text(&pair->sent[i].words);
        print_error("  queued    %.600s\n", text);
        free(text);
    }
    size_t shown = 0;
    for (size_t i = index; i > 0 && shown < RELATED_MAX; i--) {
        if (shares_a_key(&pair->sent[i - 1].words, words)) {
            text = words_text(&pair->sent[i - 1].words);
            print_error("  %s  %.600s\n", shown == 0 ? "before" : "      ", text);
            free(text);
            shown++;
        }
    }
}

/* Whether these are replies that a command may have, one by us and one by the reference. */
static bool are_alike(const struct sent *sent, const char *const replies[2],
                      const size_t sizes[2]) {
    if (replies_match(sent->how, replies[0], sizes[0], replies[1], sizes[1])) {
        return true;
    }
    char *ours = wire_canonical(replies[0], sizes[0]);
    char *theirs = wire_canonical(replies[1], sizes[1]);
    bool intended = intended_difference(&sent->words, ours, theirs) != NULL;
    free(ours);
    free(theirs);
    return intended;
}

/* Whether two arrays that EXEC answers agree element by element, each as its command wants. */
static bool executed_alike(const struct pair *pair, size_t exec, const char *const replies[2],
                           const size_t sizes[2]) {
    size_t places[2];
    for (int i = 0; i < 2; i++) {
        places[i] = strcspn(replies[i], "\n") + 1;
    }
    if (*replies[0] != '*' || places[0] != places[1] ||
        memcmp(replies[0], replies[1], places[0]) != 0) {
        return false;
    }
    for (size_t i = first_queued(pair, exec); i < exec; i++) {
        const char *elements[2];
        size_t element_sizes[2];
        if (!pair->sent[i].queued) {
            continue;
        }
        for (int j = 0; j < 2; j++) {
            elements[j] = replies[j] + places[j];
            element_sizes[j] = reply_size(elements[j], sizes[j] - places[j]);
            places[j] += element_sizes[j];
        }
        if (!are_alike(&pair->sent[i], elements, element_sizes)) {
            return false;
        }
    }
    return places[0] == sizes[0] && places[1] == sizes[1];
}

/* Whether the sides' next replies agree; says so when they do not. */
static bool agree(struct pair *pair, size_t index) {
    struct sent *sent = &pair->sent[index];
    size_t sizes[2];
    const char *replies[2];
    for (int i = 0; i < 2; i++) {
        replies[i] = next_reply(&pair->sides[i], &sizes[i]);
    }
    pair->replies++;
    pair->answered += *replies[1] != '-' ? 1 : 0;
    sent->queued = strncmp(replies[1], "+QUEUED\r", 8) == 0;
    if (sent->queued ? strncmp(replies[0], "+QUEUED\r", 8) == 0 : are_alike(sent, replies, sizes)) {
        return true;
    }
    if (words_begin_with(&sent->words, "EXEC") && executed_alike(pair, index, replies, sizes)) {
        return true;
    }
    char *ours = wire_canonical(replies[0], sizes[0]);
    char *theirs = wire_canonical(replies[1], sizes[1]);
    report(pair, index, ours, theirs);
    free(ours);
    free(theirs);
    return false;
}

static struct words *new_sent(struct pair *pair, enum compare_how how) {
    if (pair->sent_count == pair->sent_room) {
        pair->sent_room = pair->sent_room * 2 + 64;
        pair->sent = realloc(pair->sent, pair->sent_room * sizeof *pair->sent);
    }
    struct sent *sent = &pair->sent[pair->sent_count++];
    sent->how = how;
    sent->queued = false;
    sent->words.count = 0;
    return &sent->words;
}

/* Sends what was added from `from` on as one pipeline; whether all replies agree. */
static bool flush(struct pair *pair, size_t from, struct generator *generator) {
    exchange(pair, pair->sent + from, pair->sent_count - from, generator);
    for (size_t i = from; i < pair->sent_count; i++) {
        if (!agree(pair, i)) {
            return false;
        }
    }
    return true;
}

void pair_connect(struct pair *pair, int protocol) {
    disconnect(pair);
    for (int i = 0; i < 2; i++) {
        struct side *side = &pair->sides[i];
        side->fd = wire_connect(side->server);
        side->other = wire_connect(side->server);
        if (protocol == 3) {
            free(wire_ask(side->fd, "HELLO", "3", NULL));
        }
    }
}

void pair_ask_words(struct pair *pair, enum compare_how how, const struct words *words) {
    forget_sent(pair);
    struct words *copy = new_sent(pair, how);
    for (size_t i = 0; i < words->count; i++) {
        words_add(copy, words->at[i], words->sizes[i]);
    }
    if (!flush(pair, 0, NULL)) {
        harness_fail("the servers differ");
    }
}

void pair_ask(struct pair *pair, enum compare_how how, const char *line) {
    struct words words = {0};
    words_add_line(&words, line);
    pair_ask_words(pair, how, &words);
    words_clear(&words);
}

void pair_answers(struct pair *pair, const struct words *words, char *answers[2], size_t sizes[2]) {
    struct sent sent = {.words = *words};
    exchange(pair, &sent, 1, NULL);
    for (int i = 0; i < 2; i++) {
        const char *at = next_reply(&pair->sides[i], &sizes[i]);
        answers[i] = malloc(sizes[i] + 1);
        memcpy(answers[i], at, sizes[i]);
        answers[i][sizes[i]] = 0;
    }
}

void pair_texts(struct pair *pair, const char *line, char *texts[2]) {
    struct words words = {0};
    size_t sizes[2];
    words_add_line(&words, line);
    pair_answers(pair, &words, texts, sizes);
    words_clear(&words);
    for (int i = 0; i < 2; i++) {
        char *raw = texts[i];
        texts[i] = wire_canonical(raw, sizes[i]);
        free(raw);
    }
}

/* The commands that show all there is to a key, for each of the reference's keys. */
static void add_looks(struct pair *pair, const char *keys, size_t size) {
    static const struct {
        enum compare_how how;
        const char *before; /* the key, */
        const char *behind; /* and behind it */
    } looks[] = {
        {COMPARE_EXACT, "TYPE", ""},
        {COMPARE_EXACT, "GET", ""},
        {COMPARE_PAIRS, "HGETALL", ""},
        {COMPARE_NEAR, "PEXPIRETIME", ""},
        {COMPARE_EXACT, "OBJECT ENCODING", ""},
        {COMPARE_EXACT, "XRANGE", "- +"},
        {COMPARE_EXACT, "LRANGE", "0 -1"},
        {COMPARE_SET, "SMEMBERS", ""},
        {COMPARE_EXACT, "XINFO GROUPS", ""},
        {COMPARE_EXACT, "ZRANGE", "0 -1 WITHSCORES"},
    };
    size_t place = strcspn(keys, "\r") + 2;
    while (place < size) {
        size_t whole = reply_size(keys + place, size - place);
        size_t head = strcspn(keys + place, "\r") + 2;
        for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
            struct words *words = new_sent(pair, looks[i].how);
            words_add_line(words, looks[i].before);
            words_add(words, keys + place + head, whole - head - 2);
            words_add_line(words, looks[i].behind);
        }
        place += whole;
    }
}

static bool same_state(struct pair *pair) {
    bool same = true;
    for (int database = 0; database < DATABASES && same; database++) {
        char line[32];
        size_t from = pair->sent_count;
        snprintf(line, sizeof line, "SELECT %d", database);
        words_add_line(new_sent(pair, COMPARE_EXACT), line);
        words_add_line(new_sent(pair, COMPARE_EXACT), "DBSIZE");
        words_add_line(new_sent(pair, COMPARE_SET), "KEYS *");
        same = flush(pair, from, NULL);
        if (!same) {
            return false;
        }
        struct words keys = {0};
        char *answers[2];
        size_t sizes[2];
        words_add_line(&keys, "KEYS *");
        pair_answers(pair, &keys, answers, sizes);
        words_clear(&keys);
        from = pair->sent_count;
        add_looks(pair, answers[1], sizes[1]);
        same = flush(pair, from, NULL);
        free(answers[0]);
        free(answers[1]);
    }
    return same;
}

void pair_compare_state(struct pair *pair) {
    forget_sent(pair);
    if (!same_state(pair)) {
        harness_fail("the servers' keys differ");
    }
}

static const struct row *choose_row(const struct family *family, struct generator *generator) {
    uint64_t sum = 0;
    for (size_t i = 0; i < family->row_count; i++) {
        sum += family->rows[i].weight;
    }
    uint64_t pick = generate_below(generator, sum);
    size_t i = 0;
    for (; pick >= family->rows[i].weight; i++) {
        pick -= family->rows[i].weight;
    }
    return &family->rows[i];
}

static bool set_up(struct pair *pair, const struct family *family, struct generator *generator) {
    forget_sent(pair);
    words_add_line(new_sent(pair, COMPARE_EXACT), "FLUSHALL");
    unsigned spoiled = generator->spoiled;
    unsigned stray = generator->stray;
    generator->spoiled = generator->stray = 0;
    for (size_t i = 0; family->setup != NULL && family->setup[i] != NULL; i++) {
        generate_command(generator, family->setup[i], new_sent(pair, COMPARE_EXACT));
    }
    generator->spoiled = spoiled;
    generator->stray = stray;
    return flush(pair, 0, NULL);
}

/* Adds a command, in rounds with transactions also what begins one and ends it. `left` is how many
 * commands the running one is still to have. */
static void add_command(struct pair *pair, const struct family *family, bool wraps, size_t *left,
                        struct generator *generator) {
    if (wraps && *left == 0 && generate_chance(generator, WRAPPED_COMMANDS)) {
        *left = 1 + (size_t)generate_below(generator, WRAPPED_MAX);
        if (generate_chance(generator, 20)) {
            generate_command(generator, "WATCH {%k}", new_sent(pair, COMPARE_EXACT));
        }
        words_add_line(new_sent(pair, COMPARE_EXACT), "MULTI");
    }
    const struct row *row = choose_row(family, generator);
    generate_command(generator, row->form, new_sent(pair, row->how));
    if (*left > 0 && --*left == 0) {
        words_add_line(new_sent(pair, COMPARE_EXACT),
                       generate_chance(generator, 90) ? "EXEC" : "DISCARD");
    }
}

/* One round; whether the servers agreed to its end. */
static bool run_round(struct pair *pair, const struct family *family) {
    struct generator generator;
    generate_init(&generator, pair->seed);
    generator.stray = family->stray != 0 ? family->stray : generator.stray;
    generator.spoiled = family->spoiled != 0 ? family->spoiled : generator.spoiled;
    pair_connect(pair, generate_chance(&generator, 50) ? 3 : 2);
    if (!set_up(pair, family, &generator)) {
        return false;
    }
    bool wraps = !family->alone && generate_chance(&generator, WRAPPED_ROUNDS);
    size_t left = 0;
    size_t end = pair->sent_count + (family->commands != 0 ? family->commands : COMMANDS);
    while (pair->sent_count < end || left > 0) {
        size_t from = pair->sent_count;
        size_t length = 1 + (size_t)generate_below(&generator, PIPELINE_MAX);
        for (size_t i = 0; i < length; i++) {
            add_command(pair, family, wraps, &left, &generator);
        }
        if (!flush(pair, from, &generator)) {
            return false;
        }
    }
    return same_state(pair);
}

void pair_compare(struct pair *pair, const struct family *family) {
    uint64_t first = environment("LARDER_COMPARE_SEED", 1);
    if (first == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        first = ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) % 1000000000;
    }
    uint64_t rounds = environment("LARDER_COMPARE_ROUNDS", 0);
    uint64_t failures_max = environment("LARDER_COMPARE_FAILURES", 1);
    unsigned share = family->time_share != 0 ? family->time_share : 100;
    int64_t end = harness_now_ms() + ROUNDS_MS * share / 100;
    pair->differences = 0;
    pair->answered = pair->replies = 0;
    uint64_t round = 0;
    for (; rounds != 0 ? round < rounds : round < ROUNDS_MIN || harness_now_ms() < end; round++) {
        char note[128];
        pair->seed = first + round;
        snprintf(note, sizeof note, "LARDER_COMPARE_SEED=%llu LARDER_COMPARE_ROUNDS=1",
                 (unsigned long long)pair->seed);
        harness_note(note);
        if (!run_round(pair, family) && ++pair->differences >= failures_max) {
            break;
        }
    }
    if (pair->differences > 0) {
        harness_fail("the servers differed %u times", pair->differences);
    }
    size_t answered_min = family->answered != 0 ? family->answered : ANSWERED_MIN;
    print_message("%zu replies compared in %llu rounds, %zu%% of them no errors\n", pair->replies,
                  (unsigned long long)round, pair->answered * 100 / pair->replies);
    if (pair->answered * 100 < pair->replies * answered_min) {
        harness_fail("too many errors to be a test: the templates miss the keys");
    }
}
