/* pace: what part of the time a snapshot gets of servers that are idle, busy, and in between. */
#include "persist/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS 1000000

/* A server whose time passes as it is told to. */
struct world {
    struct pace pace;
    int64_t now_ns;
    int64_t saved_ns; /* in slices */
    int64_t longest_ns;
    size_t kept;
};

/* A pass that serves for so long and then gives the snapshot its slice, which takes `over_ns` more
 * than it may; then so long until the next one. */
static int64_t pass(struct world *world, int64_t served_ns, int64_t over_ns, int64_t wait_ns) {
    world->now_ns += served_ns;
    int64_t slice_ns = pace_slice(&world->pace, world->now_ns, served_ns, world->kept);
    assert_true(slice_ns == 0 || slice_ns >= PACE_MIN_NS);
    assert_true(slice_ns <= PACE_MAX_NS);
    if (slice_ns > 0) {
        pace_spent(&world->pace, slice_ns + over_ns);
        world->saved_ns += slice_ns + over_ns;
        world->now_ns += slice_ns + over_ns;
        world->longest_ns = slice_ns > world->longest_ns ? slice_ns : world->longest_ns;
    }
    world->now_ns += wait_ns;
    return slice_ns;
}

static void begin(struct world *world) {
    *world = (struct world){.now_ns = 77777 * (int64_t)MS};
}

/* The part of the time that went to the snapshot, in thousandths, since `began_ns`. */
static int64_t part(const struct world *world, int64_t began_ns) {
    return world->saved_ns * 1000 / (world->now_ns - began_ns);
}

static void an_idle_server_writes_all_the_time(void **state) {
    (void)state;
    struct world world;
    begin(&world);
    int64_t began_ns = world.now_ns;
    int64_t before_ns = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t slice_ns = pass(&world, 1000, 0, 500);
        assert_true(slice_ns == 0 || slice_ns >= before_ns);
        before_ns = slice_ns;
    }
    assert_int_equal(before_ns, PACE_MAX_NS);
    assert_in_range(part(&world, began_ns), 950, 1000);
}

static void a_busy_server_lends_its_part(void **state) {
    (void)state;
    static const int64_t passes_ns[] = {20000, 100000, 500000, 900000};
    for (size_t i = 0; i < sizeof passes_ns / sizeof passes_ns[0]; i++) {
        struct world world;
        begin(&world);
        int64_t began_ns = world.now_ns;
        while (world.now_ns < began_ns + 500 * (int64_t)MS) {
            pass(&world, passes_ns[i], 0, 1000);
        }
        assert_in_range(part(&world, began_ns), 900 / PACE_PART, 1050 / PACE_PART);
        assert_true(world.longest_ns <= PACE_BUSY_MAX_NS);
    }
}

/* Clients that are slower than the server: passes without requests between those with some. */
static void waiting_for_clients_is_no_idleness(void **state) {
    (void)state;
    struct world world;
    begin(&world);
    int64_t began_ns = world.now_ns;
    while (world.now_ns < began_ns + 500 * (int64_t)MS) {
        pass(&world, 300000, 0, 1000);
        for (int i = 0; i < 20; i++) {
            pass(&world, 1000, 0, 10000);
        }
    }
    assert_in_range(part(&world, began_ns), 900 / PACE_PART, 1050 / PACE_PART);
}

static void what_is_kept_makes_it_hurry(void **state) {
    (void)state;
    int64_t before = 0;
    for (size_t kept = 0; kept <= PACE_KEPT_MAX; kept += PACE_KEPT_MAX / 4) {
        struct world world;
        begin(&world);
        world.kept = kept;
        int64_t began_ns = world.now_ns;
        while (world.now_ns < began_ns + 500 * (int64_t)MS) {
            pass(&world, 200000, 0, 1000);
        }
        int64_t now = part(&world, began_ns);
        assert_true(now > before);
        before = now;
    }
    assert_in_range(before, 300, 510);
}

static void a_server_with_little_to_do_writes_most_of_the_time(void **state) {
    (void)state;
    struct world world;
    begin(&world);
    int64_t began_ns = world.now_ns;
    while (world.now_ns < began_ns + 500 * (int64_t)MS) {
        int64_t slice_ns = pass(&world, 15000, 0, 1000);
        assert_true(slice_ns <= PACE_BUSY_MAX_NS);
        int64_t next_ns = world.now_ns + MS;
        while (world.now_ns < next_ns) {
            pass(&world, 1000, 0, 1000);
        }
    }
    assert_in_range(part(&world, began_ns), 500, 1000);
}

static void what_slices_took_too_long_is_paid_back(void **state) {
    (void)state;
    struct world world;
    begin(&world);
    int64_t began_ns = world.now_ns;
    while (world.now_ns < began_ns + 500 * (int64_t)MS) {
        pass(&world, 200000, 60000, 1000);
    }
    assert_in_range(part(&world, began_ns), 900 / PACE_PART, 1050 / PACE_PART);
}

/* A writer that has waited, or begins, is not owed what has passed meanwhile. */
static void a_gap_lends_nothing(void **state) {
    (void)state;
    struct world world;
    begin(&world);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(pass(&world, 100000, 0, 1000 * (int64_t)MS), 0);
        world.pace.lent_ns = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_server_writes_all_the_time),
        cmocka_unit_test(a_busy_server_lends_its_part),
        cmocka_unit_test(waiting_for_clients_is_no_idleness),
        cmocka_unit_test(what_is_kept_makes_it_hurry),
        cmocka_unit_test(a_server_with_little_to_do_writes_most_of_the_time),
        cmocka_unit_test(what_slices_took_too_long_is_paid_back),
        cmocka_unit_test(a_gap_lends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
