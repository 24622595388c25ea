/* Files of redis-server with every type and encoding are loaded, and hold the same there and here;
 * what clients are told while that goes on; damaged files; a warm start with clients that
 * write; the end in the middle. */
#include "client.h"
#include "compare.h"
#include "probe.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS 2000
/* The delay that stops loading after its first slice, and how many keys that has at most. */
#define STOPPED     "10000000"
#define FIRST_SLICE 64
#define PATH_SIZE   600

static void run(redisContext *context, const char *format, int number) {
    char *text = client_command(context, format, number, number);
    if (text[0] == '-') {
        harness_fail("`%s` with %d: %s", format, number, text);
    }
    free(text);
}

/* Some of everything: few and many elements, short and long ones, numbers and not. */
static void fill(redisContext *context) {
    static const int counts[] = {1, 2, 7, 100, 600};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (int j = 0; j < counts[i]; j++) {
            char command[200];
            static const char *const forms[] = {
                "RPUSH list:%d %%d",
                "RPUSH list:long:%d element-%%d-%%0100d",
                "SADD set:%d %%d",
                "SADD set:text:%d m%%d",
                "SADD set:large:%d 1234567890%%d",
                "HSET hash:%d f%%d v%%d",
                "HSET hash:long:%d f%%d %%0100d",
                "ZADD zset:%d %%d m%%d",
                "ZADD zset:real:%d %%d.5 %%080d",
                "XADD stream:%d 1-%%d a 1 b %%d",
                "XADD stream:other:%d %%d-1 f%%d 1",
                "PFADD hll:%d m%%d",
            };
            for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
                snprintf(command, sizeof command, forms[k], counts[i]);
                run(context, command, j + 1);
            }
        }
        run(context, "SET number:%d %d", counts[i]);
        run(context, "SET text:%d text-%0300d", counts[i]);
        run(context, "SETRANGE large:%d %d000 x", counts[i]);
        run(context, "SET timed:%d v PXAT 4000000000%03d", counts[i]);
        run(context, "XGROUP CREATE stream:%d group 0", counts[i]);
        run(context, "XREADGROUP GROUP group one COUNT 3 STREAMS stream:%d >", counts[i]);
    }
    client_expect(context, "+OK", "SET %b %b", "bi\0nary\r\n", (size_t)9, "\0\xff\x80", (size_t)3);
    client_expect(context, "\"mine\"", "FUNCTION LOAD %s",
                  "#!lua name=mine\nredis.register_function('one', function() return 1 end)");
    client_expect(context, "+OK", "SELECT 9");
    client_expect(context, "+OK", "SET elsewhere 1");
    client_expect(context, "+OK", "SELECT 0");
}

/* The path of the file of a server, which has been asked to save. */
static void save(redisContext *context, const struct server *server, char path[PATH_SIZE]) {
    client_expect(context, "+OK", "SAVE");
    snprintf(path, PATH_SIZE, "%s/dump.rdb", server_folder(server));
}

/* One blank for each run of them. */
static void close_up(char *text) {
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != ' ' || to == text || to[-1] != ' ') {
            *to++ = *at;
        }
    }
    *to = '\0';
}

/* larder-check's verdict, and some of what it says, with single blanks. */
static int check_file(const char *path, const char *says) {
    const char *program = getenv("LARDER_CHECK");
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof command, "%s %s 2>&1",
             program != NULL ? program : "build/larder-check", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    static char output[8192];
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = '\0';
    close_up(output);
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    if (strstr(output, says) == NULL) {
        harness_fail("larder-check does not say `%s`:\n%s", says, output);
    }
    return WEXITSTATUS(status);
}

static void files_of_the_reference_are_loaded(void **state) {
    (void)state;
    static const char *const settings[][24] = {
        {NULL},
        {"--rdbcompression", "no", "--rdbchecksum", "no", NULL},
        {"--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
         "--set-max-intset-entries", "0", "--list-max-listpack-size", "1",
         "--stream-node-max-entries", "2", NULL},
        {"--hash-max-listpack-entries", "10000", "--hash-max-listpack-value", "1000",
         "--zset-max-listpack-entries", "10000", "--zset-max-listpack-value", "1000",
         "--set-max-intset-entries", "10000", "--list-max-listpack-size", "10000",
         "--stream-node-max-bytes", "0", "--maxmemory-policy", "allkeys-lfu", NULL},
        {"--list-max-listpack-size", "-5", "--maxmemory-policy", "allkeys-lru", "--maxmemory",
         "100mb", NULL},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct server *writer = server_start_reference(settings[i]);
        redisContext *context = client_connect(writer);
        fill(context);
        char path[PATH_SIZE];
        save(context, writer, path);
        redisFree(context);
        char *folder = server_kill(writer, true);
        /* Sets as Redis 7.0 has them. */
        const char *options[30] = {"--set-max-listpack-entries", "0", "--dir", folder};
        size_t count = 4;
        for (size_t j = 0; settings[i][j] != NULL; j++) {
            options[count++] = settings[i][j];
        }
        struct server *server = server_start(options);
        probe_wait_log(server, "Ready to accept connections");
        struct pair *pair = pair_of(server, server_start_reference(options + 2));
        pair_connect(pair, 2);
        pair_compare_state(pair);
        pair_ask(pair, COMPARE_EXACT, "FUNCTION LIST WITHCODE");
        pair_ask(pair, COMPARE_SHAPE, "XINFO STREAM stream:100 FULL");
        assert_int_equal(check_file(path, "is sound"), 0);
        pair_stop(pair);
        harness_remove_folder(folder);
        free(folder);
    }
}

/* ---- while it is loaded ---- */

/* A server that is in the middle of loading KEYS keys, and stays there. `folder` has the file. */
static struct server *start_stopped(const char *folder, const char *mode) {
    const char *options[] = {
        "--dir", folder, "--load-mode", mode, "--load-threads", "2", "--key-load-delay",
        STOPPED, NULL};
    return server_start(options);
}

static struct server *start_with_file(redisContext **context) {
    struct server *reference = server_start_reference(NULL);
    *context = client_connect(reference);
    for (int i = 0; i < KEYS; i++) {
        run(*context, "SET key:%d value:%d", i);
    }
    char path[PATH_SIZE];
    save(*context, reference, path);
    return reference;
}

#define LOADING "-LOADING Redis is loading the dataset in memory"

static void commands_are_refused_meanwhile(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    struct server *server = start_stopped(server_folder(reference), "block");
    redisContext *context = client_connect(server);
    client_expect(context, LOADING, "GET key:1");
    client_expect(context, LOADING, "PING");
    client_expect(context, LOADING, "SET key:1 mine");
    client_expect(context, LOADING, "DBSIZE");
    client_expect(context, "-ERR wrong number of arguments for 'get' command", "GET");
    client_expect(context, "+OK", "SELECT 3");
    client_expect(context, "+OK", "SELECT 0");
    client_expect(context, "+OK", "MULTI");
    client_expect(context, LOADING, "GET key:1");
    client_expect(context, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    int fd = wire_connect(server);
    assert_int_equal(probe_info(fd, "loading"), 1);
    assert_int_equal(probe_info(fd, "async_loading"), 0);
    assert_true(probe_info(fd, "loading_total_bytes") > KEYS * 10);
    assert_true(probe_info(fd, "loading_start_time") > 1600000000);
    assert_true(probe_info(fd, "loading_loaded_bytes") >= 0);
    assert_true(probe_info(fd, "loading_eta_seconds") >= 0);
    client_expect(context, "+OK", "CONFIG SET key-load-delay 0");
    probe_wait_log(server, "Ready to accept connections");
    client_expect(context, ":2000", "DBSIZE");
    client_expect(context, "\"value:1\"", "GET key:1");
    assert_int_equal(probe_info(fd, "loading"), 0);
    assert_int_equal(probe_info(fd, "rdb_last_load_keys_loaded"), KEYS);
    close(fd);
    redisFree(context);
    redisFree(other);
    server_stop(server);
    server_stop(reference);
}

static void it_ends_in_the_middle(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    static const char *const modes[] = {"block", "serve"};
    for (int i = 0; i < 6; i++) {
        struct server *server = start_stopped(server_folder(reference), modes[i % 2]);
        if (i < 4) {
            kill(server_pid(server), i < 2 ? SIGTERM : SIGINT);
        } else {
            redisContext *context = client_connect(server);
            redisReply *reply = redisCommand(context, "SHUTDOWN NOSAVE");
            assert_null(reply);
            redisFree(context);
        }
        char *output;
        assert_int_equal(server_end(server, &output), 0);
        free(output);
    }
    redisFree(other);
    server_stop(reference);
}

/* ---- damage ---- */

/* Turns a byte in a file, or cuts it there. */
static void damage(const char *path, long offset, bool cuts) {
    if (cuts) {
        assert_int_equal(truncate(path, offset), 0);
        return;
    }
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_true(fputc(byte ^ 0x10, file) != EOF);
    assert_int_equal(fclose(file), 0);
}

static void a_damaged_file_ends_the_start(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/dump.rdb", server_folder(reference));
    const char *options[] = {"--dir", server_folder(reference), NULL};
    for (int i = 0; i < 4; i++) {
        free(client_command(other, "SAVE"));
        damage(path, i == 0 ? 3 : i == 1 ? 20000 : i == 2 ? 15000 : 5, i == 2);
        char *output;
        assert_int_equal(server_run(options, &output), 1);
        if (strstr(output, "dump.rdb is damaged at byte ") == NULL) {
            harness_fail("it does not say so: %s", output);
        }
        free(output);
        assert_int_equal(check_file(path, "is damaged at byte "), 1);
    }
    assert_int_equal(unlink(path), 0);
    struct server *server = server_start(options);
    redisContext *context = client_connect(server);
    client_expect(context, ":0", "DBSIZE");
    redisFree(context);
    server_stop(server);
    assert_int_equal(check_file(path, "cannot be read"), 1);
    redisFree(other);
    server_stop(reference);
}

/* Type, keys, keys with a deadline, elements. */
static void keys_and_elements_are_counted(void **state) {
    (void)state;
    struct server *reference = server_start_reference(NULL);
    redisContext *context = client_connect(reference);
    client_expect(context, ":4", "RPUSH l a b c d");
    client_expect(context, ":2", "SADD s a b");
    client_expect(context, ":1", "SADD t a");
    client_expect(context, ":1", "EXPIRE t 10000");
    client_expect(context, ":3", "ZADD z 1 a 2 b 3 c");
    client_expect(context, ":2", "HSET h a 1 b 2");
    client_expect(context, "+OK", "SET k v");
    for (int i = 0; i < 5; i++) {
        free(client_command(context, "XADD x * f v"));
    }
    char path[PATH_SIZE];
    save(context, reference, path);
    static const char *const rows[] = {"\n list 1 0 4 ", "\n set 2 1 3 ",    "\n zset 1 0 3 ",
                                       "\n hash 1 0 2 ", "\n string 1 0 1 ", "\n stream 1 0 5 "};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(check_file(path, rows[i]), 0);
    }
    redisFree(context);
    server_stop(reference);
}

/* DEBUG RELOAD, which loads while nobody is served. */
static void it_is_loaded_again(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    const char *options[] = {"--dir", server_folder(reference), "--enable-debug-command", "yes",
                             NULL};
    struct server *server = server_start(options);
    probe_wait_log(server, "Ready to accept connections");
    redisContext *context = client_connect(server);
    client_expect(context, "+OK", "SET mine 1");
    client_expect(context, "+OK", "SET key:1 mine");
    client_expect(context, "-ERR Error trying to load the RDB dump, check server logs.",
                  "DEBUG RELOAD NOSAVE NOFLUSH");
    client_expect(context, "\"mine\"", "GET key:1");
    client_expect(context, "+OK", "DEBUG RELOAD NOSAVE NOFLUSH MERGE");
    client_expect(context, "\"value:1\"", "GET key:1");
    client_expect(context, "\"1\"", "GET mine");
    client_expect(context, "+OK", "DEBUG RELOAD NOSAVE");
    client_expect(context, ":2000", "DBSIZE");
    client_expect(context, "nil", "GET mine");
    redisFree(context);
    redisFree(other);
    server_stop(server);
    server_stop(reference);
}

/* ---- a warm start ---- */

static bool is_loaded(void *context) {
    return probe_info(*(int *)context, "async_loading") == 0;
}

/* A key that has not been loaded yet: of the last ones there are such, for no more than the first
 * slice are there. */
static int unloaded(redisContext *context, int from) {
    for (;; from--) {
        assert_true(from >= 0);
        char *text = client_command(context, "EXISTS key:%d", from);
        bool absent = strcmp(text, ":0") == 0;
        free(text);
        if (absent) {
            return from;
        }
    }
}

static void what_clients_write_wins(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    for (int i = 0; i < 10; i++) {
        run(other, "RPUSH queue:%d a b", i);
        run(other, "HSET hash:%d f v g w", i);
    }
    char path[PATH_SIZE];
    save(other, reference, path);
    struct server *server = start_stopped(server_folder(reference), "serve");
    redisContext *context = client_connect(server);
    int fd = wire_connect(server);
    assert_int_equal(probe_info(fd, "loading"), 0);
    assert_int_equal(probe_info(fd, "async_loading"), 1);
    char *size = client_command(context, "DBSIZE");
    assert_true(atoi(size + 1) <= FIRST_SLICE);
    free(size);
    int keys[12];
    int from = KEYS - 1;
    for (int i = 0; i < 12; i++) {
        keys[i] = unloaded(context, from);
        from = keys[i] - 1;
    }
    client_expect(context, "nil", "GET key:%d", keys[0]);
    client_expect(context, ":0", "DEL key:%d", keys[0]);
    client_expect(context, "+OK", "SET key:%d mine", keys[1]);
    client_expect(context, "+OK", "SET key:%d mine PX 1", keys[2]);
    client_expect(context, "+OK", "SET key:%d mine", keys[3]);
    client_expect(context, "+OK", "RENAME key:%d key:%d", keys[3], keys[4]);
    client_expect(context, "nil", "GETDEL key:%d", keys[5]);
    client_expect(context, ":1", "INCR key:%d", keys[6]);
    client_expect(context, "nil", "SET key:%d mine XX", keys[7]);
    client_expect(context, "+OK", "MULTI");
    client_expect(context, "+QUEUED", "UNLINK key:%d", keys[8]);
    client_expect(context, "[:0]", "EXEC");
    client_expect(context, "+OK", "MSET key:%d mine key:%d mine", keys[9], keys[10]);
    client_expect(context, ":2", "DEL key:%d key:%d", keys[9], keys[10]);
    client_expect(context, "+OK", "CONFIG SET key-load-delay 0");
    harness_wait_for(is_loaded, &fd, "all is loaded");
    client_expect(context, "nil", "GET key:%d", keys[0]);
    client_expect(context, "\"mine\"", "GET key:%d", keys[1]);
    client_expect(context, "nil", "GET key:%d", keys[2]);
    client_expect(context, "nil", "GET key:%d", keys[3]);
    client_expect(context, "\"mine\"", "GET key:%d", keys[4]);
    char value[40];
    snprintf(value, sizeof value, "\"value:%d\"", keys[5]);
    client_expect(context, value, "GET key:%d", keys[5]);
    client_expect(context, "\"1\"", "GET key:%d", keys[6]);
    client_expect(context, "nil", "GET key:%d", keys[7]);
    client_expect(context, "nil", "GET key:%d", keys[8]);
    client_expect(context, "nil", "GET key:%d", keys[9]);
    snprintf(value, sizeof value, "\"value:%d\"", keys[11]);
    client_expect(context, value, "GET key:%d", keys[11]);
    snprintf(value, sizeof value, ":%d", KEYS + 20 - 7);
    client_expect(context, value, "DBSIZE");
    assert_true(probe_info(fd, "load_keys_outdone") >= 9);
    close(fd);
    redisFree(context);
    redisFree(other);
    server_stop(server);
    server_stop(reference);
}

static void whole_databases_and_waiting(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    client_expect(other, "+OK", "SELECT 1");
    for (int i = 0; i < 200; i++) {
        run(other, "RPUSH queue:%d a b", i);
    }
    client_expect(other, "+OK", "SELECT 2");
    client_expect(other, "+OK", "SET other 1");
    char path[PATH_SIZE];
    save(other, reference, path);
    struct server *server = start_stopped(server_folder(reference), "serve");
    redisContext *context = client_connect(server);
    redisContext *waits = client_connect(server);
    int fd = wire_connect(server);
    client_expect(context, "+OK", "SWAPDB 0 2");
    client_expect(context, "+OK", "SELECT 2");
    client_expect(context, "+OK", "FLUSHDB");
    client_expect(waits, "+OK", "SELECT 1");
    redisAppendCommand(waits, "BLPOP queue:150 0");
    int done = 0;
    while (!done) {
        assert_int_equal(redisBufferWrite(waits, &done), REDIS_OK);
    }
    client_expect(context, "+OK", "CONFIG SET key-load-delay 0");
    redisReply *reply;
    assert_int_equal(redisGetReply(waits, (void **)&reply), REDIS_OK);
    char *text = client_text(reply);
    assert_string_equal(text, "[\"queue:150\", \"a\"]");
    free(text);
    freeReplyObject(reply);
    harness_wait_for(is_loaded, &fd, "all is loaded");
    client_expect(context, ":0", "DBSIZE");
    client_expect(context, "+OK", "SELECT 0");
    client_expect(context, ":1", "DBSIZE");
    client_expect(waits, ":200", "DBSIZE");
    client_expect(waits, ":1", "LLEN queue:150");
    close(fd);
    redisFree(context);
    redisFree(waits);
    redisFree(other);
    server_stop(server);
    server_stop(reference);
}

static void damage_while_serving_is_told(void **state) {
    (void)state;
    redisContext *other;
    struct server *reference = start_with_file(&other);
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/dump.rdb", server_folder(reference));
    damage(path, 15000, true);
    const char *options[] = {"--dir", server_folder(reference), "--load-mode", "serve", NULL};
    struct server *server = server_start(options);
    int fd = wire_connect(server);
    harness_wait_for(is_loaded, &fd, "all is loaded");
    char *status = probe_info_text(fd, "load_status");
    assert_string_equal(status, "damaged");
    free(status);
    probe_wait_log(server, "dump.rdb is damaged at byte ");
    redisContext *context = client_connect(server);
    char *size = client_command(context, "DBSIZE");
    assert_true(atoi(size + 1) > 100 && atoi(size + 1) < KEYS);
    free(size);
    strcat(path, ".damaged");
    assert_int_equal(access(path, R_OK), 0);
    close(fd);
    redisFree(context);
    redisFree(other);
    server_stop(server);
    server_stop(reference);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_the_reference_are_loaded),
        cmocka_unit_test(commands_are_refused_meanwhile),
        cmocka_unit_test(it_ends_in_the_middle),
        cmocka_unit_test(a_damaged_file_ends_the_start),
        cmocka_unit_test(keys_and_elements_are_counted),
        cmocka_unit_test(it_is_loaded_again),
        cmocka_unit_test(what_clients_write_wins),
        cmocka_unit_test(whole_databases_and_waiting),
        cmocka_unit_test(damage_while_serving_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
