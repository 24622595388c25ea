/* micro: what single pieces of the server cost, in nanoseconds of CPU time for one operation: the
 * least of several rounds, for noise only ever adds.
 *
 *     micro [--rounds N] [--json] [NAME ...]
 *     micro --list
 *     micro NAME --once N      runs N operations once, within the function micro_measured: for
 *     callgrind, which
 *                              bench/instructions starts with it */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "pieces/piece.h"

#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX     1000
#define ONCE_MAX       100000000
/* The same hashes, hence the same chains and instructions, in every run. */
#define SEED 1

typedef const struct piece_table *(*table_fn)(void);
static const table_fn tables[] = {pieces_request, pieces_dict, pieces_packmap, pieces_small};
#define TABLE_COUNT (sizeof tables / sizeof tables[0])

struct wishes {
    int64_t rounds;
    int64_t once; /* 0: measure */
    bool json;
    bool list;
    char **names;
    int name_count; /* 0: all */
};

static bool is_wanted(const struct wishes *wishes, const struct piece *piece) {
    for (int i = 0; i < wishes->name_count; i++) {
        if (strcmp(wishes->names[i], piece->name) == 0) {
            return true;
        }
    }
    return wishes->name_count == 0;
}

/* Not inlined, so that callgrind finds it by its name. */
static __attribute__((noinline)) void micro_measured(const struct piece *piece, void *state,
                                                     size_t count) {
    piece->run(state, count);
}

static double measure(const struct piece *piece, int64_t rounds) {
    double least = 0;
    void *state = NULL;
    for (int64_t i = 0; i < rounds; i++) {
        if (state == NULL) {
            state = piece->prepare(piece->count);
        }
        int64_t start = clock_thread_cpu_ns();
        micro_measured(piece, state, piece->count);
        double each = (double)(clock_thread_cpu_ns() - start) / (double)piece->count;
        least = i == 0 || each < least ? each : least;
        if (piece->spent) {
            piece->finish(state, piece->count);
            state = NULL;
        }
    }
    if (!piece->spent) {
        piece->finish(state, piece->count);
    }
    return least;
}

static void treat(const struct wishes *wishes, const struct piece *piece) {
    if (wishes->list) {
        puts(piece->name);
    } else if (wishes->once > 0) {
        void *state = piece->prepare((size_t)wishes->once);
        micro_measured(piece, state, (size_t)wishes->once);
        piece->finish(state, (size_t)wishes->once);
    } else {
        double ns = measure(piece, wishes->rounds);
        if (wishes->json) {
            printf("{\"name\":\"%s\",\"about\":\"%s\",\"ns\":%.2f}\n", piece->name, piece->about,
                   ns);
        } else {
            printf("%-18s %8.2f ns  %s\n", piece->name, ns, piece->about);
        }
        fflush(stdout);
    }
}

/* Names are gathered at the front of argv. */
static int read_wishes(struct wishes *wishes, int argc, char **argv) {
    *wishes = (struct wishes){.rounds = ROUNDS_DEFAULT, .names = argv};
    for (int i = 1; i < argc; i++) {
        int64_t *number = strcmp(argv[i], "--rounds") == 0 ? &wishes->rounds
                          : strcmp(argv[i], "--once") == 0 ? &wishes->once
                                                           : NULL;
        if (strcmp(argv[i], "--json") == 0) {
            wishes->json = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            wishes->list = true;
        } else if (number != NULL) {
            int64_t most = number == &wishes->once ? ONCE_MAX : ROUNDS_MAX;
            if (++i == argc || !num_parse_i64(bytes_text(argv[i]), number) || *number < 1 ||
                *number > most) {
                return -1;
            }
        } else if (argv[i][0] == '-') {
            return -1;
        } else {
            wishes->names[wishes->name_count++] = argv[i];
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    struct wishes wishes;
    if (read_wishes(&wishes, argc, argv) != 0) {
        fputs("Usage: micro [--rounds N] [--once N] [--json] [--list] [NAME ...]\n", stderr);
        return 1;
    }
    hash_seed_set(SEED);
    int found = 0;
    for (size_t t = 0; t < TABLE_COUNT; t++) {
        const struct piece_table *table = tables[t]();
        for (size_t i = 0; i < table->count; i++) {
            if (is_wanted(&wishes, &table->rows[i])) {
                treat(&wishes, &table->rows[i]);
                found++;
            }
        }
    }
    if (found < wishes.name_count || found == 0) {
        fputs("There is no such piece; --list shows them\n", stderr);
        return 1;
    }
    return 0;
}
