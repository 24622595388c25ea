/* Snapshots: files that the reference loads and its checker finds sound, that are of one moment,
 * and of which there always is a whole one, whatever happens: kill -9, a full disk, a folder that
 * cannot be written. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

#define ACCOUNTS 40
#define KILLS    24

static const char misconf[] =
    "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist "
    "to disk. Commands that may modify the data set are disabled, because this instance is "
    "configured to report errors during writes if RDB snapshotting fails "
    "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the "
    "RDB error.";

static struct server *start(const char *const *more) {
    const char *options[32] = {"--enable-debug-command", "yes", "--enable-protected-configs",
                               "yes"};
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        options[4 + i] = more[i];
    }
    return server_start(options);
}

/* The number behind a name in INFO persistence, or 1 for "err". */
static long info(int fd, const char *name) {
    char *text = wire_ask(fd, "INFO", "persistence", NULL);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s:", name);
    const char *at = strstr(text, wanted);
    assert_non_null(at);
    at += strlen(wanted);
    long number = strncmp(at, "err", 3) == 0 ? 1 : strtol(at, NULL, 10);
    free(text);
    return number;
}

static bool is_idle(void *context) {
    return info(*(int *)context, "rdb_bgsave_in_progress") == 0;
}

static void wait_for_end(int fd) {
    harness_wait_for(is_idle, &fd, "the snapshot ends");
}

static void path_of(char *path, size_t room, const char *folder) {
    assert_true((size_t)snprintf(path, room, "%s/dump.rdb", folder) < room);
}

/* Whether redis-check-rdb finds the file sound. */
static void expect_sound(const char *folder) {
    char command[1024];
    snprintf(command, sizeof command, "redis-check-rdb '%s/dump.rdb' >/dev/null 2>&1", folder);
    assert_int_equal(system(command), 0);
}

static struct server *load_into_reference(const struct server *server) {
    const char *const options[] = {"--dir", server_folder(server), "--enable-debug-command", "yes",
                                   NULL};
    return server_start_reference(options);
}

static bool has_loaded(void *context) {
    char *text = wire_ask(*(int *)context, "PING", NULL);
    bool has = strcmp(text, "+PONG") == 0;
    free(text);
    return has;
}

static int connect_loaded(const struct server *reference) {
    int fd = wire_connect(reference);
    harness_wait_for(has_loaded, &fd, "the reference has loaded the file");
    return fd;
}

/* Asks both and compares. */
static void expect_same(int ours, int theirs, const char *line) {
    wire_send_text(ours, line);
    wire_send_text(ours, "\r\n");
    wire_send_text(theirs, line);
    wire_send_text(theirs, "\r\n");
    char *a = wire_read_reply(ours);
    char *b = wire_read_reply(theirs);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void add_many(int fd, const char *command, const char *key, int count, int width) {
    for (int i = 0; i < count; i++) {
        char line[256];
        if (width == 1) {
            snprintf(line, sizeof line, "%s %s element:%d\r\n", command, key, i);
        } else {
            snprintf(line, sizeof line, "%s %s %d element:%d\r\n", command, key, i, i);
        }
        wire_send_text(fd, line);
    }
    for (int i = 0; i < count; i++) {
        free(wire_read_reply(fd));
    }
}

static void fill(int fd) {
    static const int counts[] = {1, 5, 100, 600, 3000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char key[32];
        snprintf(key, sizeof key, "h%zu", i);
        add_many(fd, "HSET", key, counts[i], 2);
        snprintf(key, sizeof key, "z%zu", i);
        add_many(fd, "ZADD", key, counts[i], 2);
        snprintf(key, sizeof key, "s%zu", i);
        add_many(fd, "SADD", key, counts[i], 1);
        snprintf(key, sizeof key, "l%zu", i);
        add_many(fd, "RPUSH", key, counts[i], 1);
        snprintf(key, sizeof key, "x%zu", i);
        for (int n = 1; n <= counts[i] && n < 700; n++) {
            char id[32];
            snprintf(id, sizeof id, "%d-1", n);
            free(wire_ask(fd, "XADD", key, id, "field", id, NULL));
        }
    }
    free(wire_ask(fd, "SADD", "integers", "1", "70000", "-5", NULL));
    free(wire_ask(fd, "SET", "text", "a text", NULL));
    free(wire_ask(fd, "SET", "number", "-123456", NULL));
    free(wire_ask(fd, "SET", "expiring", "later", "PXAT", "4000000000000", NULL));
    free(wire_ask(fd, "SETRANGE", "long", "300000", "end", NULL));
    free(wire_ask(fd, "PFADD", "hll", "a", "b", "c", NULL));
    free(wire_ask(fd, "XGROUP", "CREATE", "x2", "group", "5-1", NULL));
    free(wire_ask(fd, "XREADGROUP", "GROUP", "group", "me", "COUNT", "3", "STREAMS", "x2", ">",
                  NULL));
    wire_expect_reply(fd, "SELECT 7", "+OK");
    wire_expect_reply(fd, "SET elsewhere 1", "+OK");
    wire_expect_reply(fd, "SELECT 0", "+OK");
}

static void compare_all(int ours, int theirs) {
    static const char *const lines[] = {
        "DBSIZE",  "GET text",      "GET number",      "PEXPIRETIME expiring", "GET long",
        "GET hll", "SORT integers", "XINFO GROUPS x2", "XPENDING x2 group",    "PEXPIRETIME text"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        expect_same(ours, theirs, lines[i]);
    }
    static const char *const each[] = {
        "HLEN h%d",       "SORT h%d",        "ZRANGE z%d 0 -1 WITHSCORES",
        "SORT s%d ALPHA", "LRANGE l%d 0 -1", "XRANGE x%d - +"};
    for (int i = 0; i < 5; i++) {
        for (size_t form = 0; form < sizeof each / sizeof each[0]; form++) {
            char line[64];
            snprintf(line, sizeof line, each[form], i);
            expect_same(ours, theirs, line);
        }
        for (int n = 0; n < 3000; n += 7) {
            char line[64];
            snprintf(line, sizeof line, "HGET h%d %d", i, n);
            expect_same(ours, theirs, line);
        }
    }
    expect_same(ours, theirs, "SELECT 7");
    expect_same(ours, theirs, "GET elsewhere");
    expect_same(ours, theirs, "SELECT 0");
}

static void the_reference_loads_it(void **state) {
    (void)state;
    static const char *const variants[][5] = {
        {NULL},
        {"--rdbcompression", "no", "--rdbchecksum", "no", NULL},
        {"--maxmemory-policy", "allkeys-lru", NULL},
        {"--maxmemory-policy", "allkeys-lfu", NULL}};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct server *server = start(variants[i]);
        int fd = wire_connect(server);
        fill(fd);
        wire_expect_reply(fd, i % 2 == 0 ? "SAVE" : "BGSAVE",
                          i % 2 == 0 ? "+OK" : "+Background saving started");
        wait_for_end(fd);
        assert_int_equal(info(fd, "rdb_last_bgsave_status"), 0);
        assert_int_equal(info(fd, "rdb_saves"), 1);
        expect_sound(server_folder(server));
        struct server *reference = load_into_reference(server);
        int theirs = connect_loaded(reference);
        compare_all(fd, theirs);
        close(theirs);
        server_stop(reference);
        close(fd);
        server_stop(server);
    }
}

/* Adds a text of so many bytes to the list. */
static void push_long(int fd, const char *key, size_t size) {
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a' + (int)(size % 26), size);
    text[size] = '\0';
    free(wire_ask(fd, "RPUSH", key, text, NULL));
    free(text);
}

/* Blocks of every size, with elements whose sizes have no form of their own in them. */
static void lists_of_large_blocks(void **state) {
    (void)state;
    static const size_t sizes[] = {16376, 16377, 16378, 16379, 16383, 16384, 1, 16378, 20};
    static const char *const limits[] = {"-1", "-2", "-4", "-5", "7"};
    struct server *server = start(NULL);
    int fd = wire_connect(server);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        free(wire_ask(fd, "CONFIG", "SET", "list-max-listpack-size", limits[i], NULL));
        for (int n = 0; n < 54; n++) {
            char key[16];
            snprintf(key, sizeof key, "l%zu", i);
            push_long(fd, key, sizes[(size_t)n * 5 % (sizeof sizes / sizeof sizes[0])]);
        }
    }
    wire_expect_reply(fd, "SAVE", "+OK");
    expect_sound(server_folder(server));
    struct server *reference = load_into_reference(server);
    int theirs = connect_loaded(reference);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "LRANGE l%zu 0 -1", i);
        expect_same(fd, theirs, line);
    }
    free(wire_ask(fd, "DEBUG", "RELOAD", NULL));
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "LRANGE l%zu 0 -1", i);
        expect_same(fd, theirs, line);
    }
    close(theirs);
    server_stop(reference);
    close(fd);
    server_stop(server);
}

/* Libraries are in the file, and are there again when it is loaded, here and there. */
static void functions_travel(void **state) {
    (void)state;
    struct server *server = start(NULL);
    int fd = wire_connect(server);
    char *text =
        wire_ask(fd, "FUNCTION", "LOAD",
                 "#!lua name=one\nredis.register_function('f', function(keys, args) return "
                 "args[1] .. '!' end)",
                 NULL);
    if (text[0] == '-') {
        free(text);
        close(fd);
        server_stop(server);
        skip();
    }
    free(text);
    free(wire_ask(fd, "FUNCTION", "LOAD",
                  "#!lua name=two\nredis.register_function('g', function(keys) return "
                  "redis.call('GET', keys[1]) end)",
                  NULL));
    wire_expect_reply(fd, "SET key value", "+OK");
    wire_expect_reply(fd, "DEBUG RELOAD", "+OK");
    wire_expect_reply(fd, "FCALL f 0 hello", "\"hello!\"");
    wire_expect_reply(fd, "FUNCTION DELETE two", "+OK");
    /* What is not saved gives way to what is. */
    wire_expect_reply(fd, "DEBUG RELOAD NOSAVE", "+OK");
    wire_expect_reply(fd, "FCALL g 1 key", "\"value\"");
    expect_sound(server_folder(server));
    struct server *reference = load_into_reference(server);
    int theirs = connect_loaded(reference);
    wire_expect_reply(theirs, "FCALL f 0 hello", "\"hello!\"");
    wire_expect_reply(theirs, "FCALL g 1 key", "\"value\"");
    close(theirs);
    server_stop(reference);
    close(fd);
    server_stop(server);
}

static void replies(void **state) {
    (void)state;
    struct server *server = start(NULL);
    int fd = wire_connect(server);
    wire_expect_reply(fd, "DEBUG POPULATE 300000", "+OK");
    wire_send_text(fd, "BGSAVE\r\nBGSAVE\r\nBGSAVE SCHEDULE\r\nSAVE\r\nBGSAVE x\r\n");
    wire_expect(fd, "+Background saving started\r\n-ERR Background save already in progress\r\n"
                    "-ERR Background save already in progress\r\n"
                    "-ERR Background save already in progress\r\n-ERR syntax error\r\n");
    wait_for_end(fd);
    wire_expect_reply(fd, "MULTI", "+OK");
    wire_expect_reply(fd, "SAVE", "-ERR Command not allowed inside a transaction");
    wire_expect_reply(fd, "DISCARD", "+OK");
    wire_expect_reply(fd, "SAVE x", "-ERR wrong number of arguments for 'save' command");
    char *last = wire_ask(fd, "LASTSAVE", NULL);
    assert_int_equal(strtol(last + 1, NULL, 10), info(fd, "rdb_last_save_time"));
    free(last);
    assert_int_equal(info(fd, "rdb_changes_since_last_save"), 0);
    wire_expect_reply(fd, "SET a b", "+OK");
    assert_int_equal(info(fd, "rdb_changes_since_last_save"), 1);
    close(fd);
    server_stop(server);
}

/* ---- one moment ---- */

static void send_transfer(int fd, unsigned *seed) {
    char text[256];
    int amount = rand_r(seed) % 100;
    snprintf(text, sizeof text,
             "MULTI\r\nDECRBY account:%d %d\r\nINCRBY account:%d %d\r\nHINCRBY accounts %d -%d\r\n"
             "HINCRBY accounts %d %d\r\nEXEC\r\n",
             rand_r(seed) % ACCOUNTS, amount, rand_r(seed) % ACCOUNTS, amount, rand_r(seed) % 2000,
             amount, rand_r(seed) % 2000, amount);
    wire_send_text(fd, text);
}

static long sum_of(int fd) {
    char *text = wire_ask(fd, "EVAL",
                          "local sum = 0 for i = 0, tonumber(ARGV[1]) - 1 do sum = sum + "
                          "redis.call('GET', 'account:' .. i) end for _, v in "
                          "ipairs(redis.call('HVALS', 'accounts')) do sum = sum + v end return sum",
                          "0", "40", NULL);
    long sum = strtol(text + 1, NULL, 10);
    free(text);
    return sum;
}

static void it_is_one_moment(void **state) {
    (void)state;
    struct server *server = start(NULL);
    int fd = wire_connect(server);
    int other = wire_connect(server);
    wire_expect_reply(fd, "DEBUG POPULATE 100000", "+OK");
    for (int i = 0; i < ACCOUNTS; i++) {
        char key[32];
        snprintf(key, sizeof key, "account:%d", i);
        free(wire_ask(fd, "SET", key, "1000", NULL));
    }
    for (int i = 0; i < 2000; i++) {
        char field[32];
        snprintf(field, sizeof field, "%d", i);
        free(wire_ask(fd, "HSET", "accounts", field, "10", NULL));
    }
    unsigned seed = 1;
    for (int round = 0; round < 6; round++) {
        wire_send_text(other, "BGSAVE\r\n");
        do {
            for (int i = 0; i < 200; i++) {
                send_transfer(fd, &seed);
            }
            for (int i = 0; i < 200 * 6; i++) {
                free(wire_read_reply(fd));
            }
        } while (info(fd, "rdb_bgsave_in_progress") != 0);
        wire_expect(other, "+Background saving started\r\n");
        struct server *reference = load_into_reference(server);
        int theirs = connect_loaded(reference);
        assert_int_equal(sum_of(theirs), ACCOUNTS * 1000 + 2000 * 10);
        close(theirs);
        server_stop(reference);
    }
    close(fd);
    close(other);
    server_stop(server);
}

/* ---- there is always a whole file ---- */

static void a_kill_leaves_a_whole_file(void **state) {
    (void)state;
    unsigned seed = 5;
    for (int i = 0; i < KILLS; i++) {
        struct server *server = start(NULL);
        int fd = wire_connect(server);
        wire_expect_reply(fd, "DEBUG POPULATE 20000", "+OK");
        wire_expect_reply(fd, "SAVE", "+OK");
        wire_expect_reply(fd, "DEBUG POPULATE 60000 more", "+OK");
        wire_expect_reply(fd, "BGSAVE", "+Background saving started");
        long processed = rand_r(&seed) % 80000;
        while (info(fd, "rdb_bgsave_in_progress") != 0 &&
               info(fd, "current_save_keys_processed") < processed) {
            harness_breathe();
        }
        close(fd);
        char *folder = server_kill(server, true);
        expect_sound(folder);
        harness_remove_folder(folder);
        free(folder);
    }
}

static void expect_file(const char *folder, off_t size) {
    char path[512];
    struct stat status;
    path_of(path, sizeof path, folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, size);
    expect_sound(folder);
}

/* A small file system, for who may mount one. */
static bool mount_small(const struct server *server, char *folder, size_t room) {
    snprintf(folder, room, "%s/small", server_folder(server));
    return mkdir(folder, 0700) == 0 && mount("none", folder, "tmpfs", 0, "size=256k") == 0;
}

static void a_failure_is_told_and_changes_nothing(void **state) {
    (void)state;
    static const char *const options[] = {"--save", "100000 100000", NULL};
    struct server *server = start(options);
    int fd = wire_connect(server);
    char small[256];
    if (!mount_small(server, small, sizeof small)) {
        print_message("skipped: no file system can be mounted here\n");
        close(fd);
        server_stop(server);
        return;
    }
    free(wire_ask(fd, "CONFIG", "SET", "dir", small, NULL));
    wire_expect_reply(fd, "SET a b", "+OK");
    wire_expect_reply(fd, "SAVE", "+OK");
    char path[512];
    struct stat status;
    path_of(path, sizeof path, small);
    assert_int_equal(stat(path, &status), 0);
    wire_expect_reply(fd, "DEBUG POPULATE 50000", "+OK");
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            assert_int_equal(mount("none", small, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=100m"), 0);
        }
        wire_expect_reply(fd, "SAVE", "-ERR");
        assert_int_equal(info(fd, "rdb_last_bgsave_status"), 1);
        wire_expect_reply(fd, "BGSAVE", "+Background saving started");
        wait_for_end(fd);
        assert_int_equal(info(fd, "rdb_last_bgsave_status"), 1);
        expect_file(small, status.st_size);
        wire_expect_reply(fd, "SET a c", misconf);
        wire_expect_reply(fd, "PING", misconf);
        wire_expect_reply(fd, "GET a", "\"b\"");
        wire_expect_reply(fd, "SHUTDOWN", "-ERR Errors trying to SHUTDOWN. Check logs.");
        wire_expect_reply(fd, "CONFIG SET stop-writes-on-bgsave-error no", "+OK");
        wire_expect_reply(fd, "SET a b", "+OK");
        wire_expect_reply(fd, "CONFIG SET stop-writes-on-bgsave-error yes", "+OK");
        wire_expect_reply(fd, "SET a c", misconf);
    }
    assert_int_equal(mount("none", small, "tmpfs", MS_REMOUNT, "size=100m"), 0);
    wire_expect_reply(fd, "SAVE", "+OK");
    wire_expect_reply(fd, "SET a c", "+OK");
    expect_sound(small);
    free(wire_ask(fd, "CONFIG", "SET", "dir", server_folder(server), NULL));
    assert_int_equal(umount2(small, MNT_DETACH), 0);
    close(fd);
    server_stop(server);
}

/* ---- by itself, and at the end ---- */

static bool has_saved(void *context) {
    return info(*(int *)context, "rdb_saves") > 0;
}

static void points_and_the_end(void **state) {
    (void)state;
    static const char *const options[] = {"--save", "1 2", NULL};
    struct server *server = start(options);
    int fd = wire_connect(server);
    wire_expect_reply(fd, "SET a 1", "+OK");
    wire_expect_reply(fd, "SET a 2", "+OK");
    harness_wait_for(has_saved, &fd, "a point of save is due");
    expect_sound(server_folder(server));
    char path[512];
    path_of(path, sizeof path, server_folder(server));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(kill(server_pid(server), SIGTERM), 0);
    wire_expect_end(fd);
    close(fd);
    char *output;
    assert_int_equal(server_end(server, &output), 0);
    assert_non_null(strstr(output, "The data is saved"));
    free(output);
}

static void shutdown_saves_when_asked(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool saves;
    } cases[] = {{"SHUTDOWN SAVE", true},
                 {"SHUTDOWN SAVE NOW", true},
                 {"SHUTDOWN NOSAVE", false},
                 {"SHUTDOWN", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server *server = start(NULL);
        int fd = wire_connect(server);
        wire_expect_reply(fd, "SET a 1", "+OK");
        wire_send_text(fd, cases[i].line);
        wire_send_text(fd, "\r\n");
        wire_expect_end(fd);
        close(fd);
        char *output;
        assert_int_equal(server_end(server, &output), 0);
        assert_int_equal(strstr(output, "The data is saved") != NULL, cases[i].saves);
        free(output);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_loads_it),
        cmocka_unit_test(lists_of_large_blocks),
        cmocka_unit_test(functions_travel),
        cmocka_unit_test(replies),
        cmocka_unit_test(it_is_one_moment),
        cmocka_unit_test(a_kill_leaves_a_whole_file),
        cmocka_unit_test(a_failure_is_told_and_changes_nothing),
        cmocka_unit_test(points_and_the_end),
        cmocka_unit_test(shutdown_saves_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
