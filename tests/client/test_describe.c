/* Tests of client/describe: the line of CLIENT LIST, classes, names, and memory. */
#include "client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client/client_int.h"
#include "client/guard.h"
#include "client/input.h"

/* A client of a registry that has nothing but a clock and a guard. */
struct world {
    struct clock clock;
    struct context context;
    struct clients clients;
    struct database database;
    struct client client;
    struct guard guard;
    int ends[2];
};

static struct bytes name_of_anybody(const struct user *user) {
    (void)user;
    return bytes_text("default");
}

static int setup(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, world->ends), 0);
    world->clock.now_ms = 100000;
    world->context.clock = &world->clock;
    world->clients.context = &world->context;
    world->guard.name = name_of_anybody;
    world->clients.guard = &world->guard;
    world->database.id = 3;
    world->client = (struct client){
        .clients = &world->clients,
        .transport = {.kind = transport_plain(), .fd = world->ends[0]},
        .version = 3,
        .database = &world->database,
        .user = (struct user *)world, /* not looked into */
        .id = 42,
        .created_ms = 40000,
        .last_ms = 98999,
    };
    output_init(&world->client.output);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    output_clear(&world->client.output);
    client_set_text(&world->client.name, bytes_of(NULL, 0));
    client_set_text(&world->client.lib_name, bytes_of(NULL, 0));
    client_set_text(&world->client.lib_version, bytes_of(NULL, 0));
    close(world->ends[0]);
    close(world->ends[1]);
    free(world);
    return 0;
}

/* Whether the line has this field, whole. */
static void expect_field(const struct client *client, const char *field) {
    struct buffer line;
    buffer_init(&line, MEM_OTHER);
    client_describe(client, &line);
    buffer_append_byte(&line, ' ');
    char wanted[128];
    snprintf(wanted, sizeof wanted, "%s ", field);
    const char *at = strstr(buffer_text(&line), wanted);
    if (at == NULL || (at != buffer_text(&line) && at[-1] != ' ')) {
        fail_msg("no %sin %s", wanted, buffer_text(&line));
    }
    assert_null(strchr(buffer_text(&line), '\n'));
    buffer_clear(&line);
}

static void test_a_plain_client(void **state) {
    struct world *world = *state;
    static const char *const fields[] = {
        "id=42",    "name=",    "age=60",    "idle=1",   "flags=N",      "db=3",     "sub=0",
        "multi=-1", "qbuf=0",   "obl=0",     "oll=0",    "omem=0",       "events=r", "cmd=NULL",
        "resp=3",   "redir=-1", "lib-name=", "lib-ver=", "user=default",
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        expect_field(&world->client, fields[i]);
    }
}

static void test_the_order_of_fields(void **state) {
    struct world *world = *state;
    static const char *const order[] = {
        "id",       "addr",      "laddr", "fd",    "name",  "age",      "idle",    "flags",
        "db",       "sub",       "psub",  "ssub",  "multi", "watch",    "qbuf",    "qbuf-free",
        "argv-mem", "multi-mem", "rbs",   "rbp",   "obl",   "oll",      "omem",    "tot-mem",
        "events",   "cmd",       "user",  "redir", "resp",  "lib-name", "lib-ver",
    };
    struct buffer line;
    buffer_init(&line, MEM_OTHER);
    client_describe(&world->client, &line);
    char *rest = (char *)(uintptr_t)buffer_text(&line);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        char *word = strsep(&rest, " ");
        assert_non_null(word);
        assert_string_equal(strsep(&word, "="), order[i]);
    }
    assert_null(rest);
    buffer_clear(&line);
}

static void test_what_is_special_about_it(void **state) {
    struct world *world = *state;
    struct client *client = &world->client;
    client->flags = CLIENT_MONITOR;
    expect_field(client, "flags=O");
    client->flags = CLIENT_UNIX | CLIENT_NO_EVICT | CLIENT_NO_TOUCH | CLIENT_CLOSE_SENT;
    expect_field(client, "flags=cUeT");
    client->flags = ~(uint32_t)CLIENT_INTERNAL;
    client->class_ = CLIENT_CLASS_PUBSUB;
    expect_field(client, "flags=OPxbdcAUeT");
    client->flags = CLIENT_INTERNAL;
    expect_field(client, "fd=-1");
    expect_field(client, "addr=?:0");
    client->flags = 0;
    client->class_ = CLIENT_CLASS_REPLICA;
    expect_field(client, "flags=S");
}

static void test_names_are_copied(void **state) {
    struct world *world = *state;
    struct client *client = &world->client;
    size_t before = client_footprint(client);
    size_t used = mem_used_by(MEM_CLIENT);
    char name[] = "somebody";
    client_set_text(&client->name, bytes_of(name, 8));
    name[0] = 'x';
    expect_field(client, "name=somebody");
    assert_int_equal(client_footprint(client) - before, mem_used_by(MEM_CLIENT) - used);
    client_set_text(&client->name, bytes_text("other"));
    expect_field(client, "name=other");
    client_set_text(&client->name, bytes_of("", 0));
    assert_null(client->name);
    assert_int_equal(mem_used_by(MEM_CLIENT), used);
    client_set_text(&client->lib_name, bytes_text("lib"));
    client_set_text(&client->lib_version, bytes_text("1.2"));
    expect_field(client, "lib-name=lib");
    expect_field(client, "lib-ver=1.2");
}

static void test_unsent_output_and_input_count(void **state) {
    struct world *world = *state;
    struct client *client = &world->client;
    size_t before = client_footprint(client);
    output_append(&client->output, "12345", 5);
    expect_field(client, "oll=1");
    expect_field(client, "events=rw");
    assert_int_equal(client_footprint(client), before + client->output.footprint);
    client->input = input_new();
    assert_non_null(input_reserve(client->input, 100));
    client->input->size = 10;
    expect_field(client, "qbuf=10");
    assert_int_equal(client_footprint(client),
                     before + client->output.footprint + input_footprint(client->input));
    input_free(client->input);
    client->input = NULL;
}

static void test_classes(void **state) {
    (void)state;
    for (int i = 0; i < CLIENT_CLASSES; i++) {
        const char *name = client_class_name((enum client_class)i);
        assert_int_equal(client_class_named(bytes_text(name)), i);
    }
    assert_int_equal(client_class_named(bytes_text("SLAVE")), CLIENT_CLASS_REPLICA);
    assert_int_equal(client_class_named(bytes_text("PubSub")), CLIENT_CLASS_PUBSUB);
    assert_int_equal(client_class_named(bytes_text("master")), -1);
    assert_int_equal(client_class_named(bytes_text("")), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_plain_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_order_of_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_special_about_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsent_output_and_input_count, setup, teardown),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
