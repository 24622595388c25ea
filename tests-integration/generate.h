/* generate: commands made up at random from templates, the same ones for the same seed.
 *
 * A template is a command line in which some parts are left open:
 *
 *   SET %s %v <[NX|XX] [GET] [EX %d|KEEPTTL]>
 *
 *   WORD      itself, now and then in small letters      %x        a random word, see below
 *   [a|b c]   one of these or nothing                    (a|b c)   one of these
 *   {a b}     once or some times                         <a b c>   all of these in random order
 *
 *   %s %h %t  a key for a string, a small hash, a hash that is a table; now and then of another
 *             kind or of none, so that wrong types and missing keys come up as well
 *   %k        a key of any kind
 *   %l %E     a key for a list; one of few elements
 *   %S        a key for a set                            %M %m     a member, one that is an integer
 *   %F %T     a field of a hash, of a table              %v %V %B  a value; one of at most 64
 *                                                        bytes; a big one
 *   %w        a short word                               %p        a pattern for keys and fields
 *   %i        an integer, also too large                 %o        a place in a string
 *   %c        a count                                    %f        a float
 *   %d %D     seconds, milliseconds until a deadline     %a %A     the same as times of the clock
 *   %x %e     the offset of a bit, a bit                 %O        where SETRANGE writes
 *   %y %Y     a type of BITFIELD, an offset of it        %u        a database
 *   %I        an integer for BITFIELD                    %g        something wrong
 *   %j        a key for a stream                         %n        an id beyond all before it
 *   %N        the id of an entry that may be there
 *   %z %Z     a key for a sorted set, for a large one    %q %Q     a score, a border of scores
 *   %L        a border of names
 *
 * A deadline is far away and differs from all others of its round by more than the two servers'
 * clocks can, so that what is later for one is later for the other. No offset is so large that a
 * string of hundreds of megabytes would come of it. */
#ifndef LARDER_TESTS_INTEGRATION_GENERATE_H
#define LARDER_TESTS_INTEGRATION_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_COUNT_MAX 400

/* A command: words of any bytes. Starts zeroed; cleared or freed by words_*. */
struct words {
    size_t count;
    char *at[WORDS_COUNT_MAX];
    size_t sizes[WORDS_COUNT_MAX];
};

struct generator {
    uint64_t state;
    int64_t now_ms;        /* wall clock when the round began */
    uint32_t deadlines;    /* handed out so far: makes each one unique */
    uint32_t ids;          /* likewise, of streams' entries */
    unsigned stray;        /* percent of keys that are of another kind than asked for */
    unsigned spoiled;      /* percent of commands that get something wrong */
    unsigned databases;    /* %u chooses among so many */
    bool without_odd_keys; /* only plain names: for commands that are sent as a line */
};

/* A generator for everyday commands: few stray keys, few spoiled commands. */
void generate_init(struct generator *generator, uint64_t seed);

uint64_t generate_number(struct generator *generator);

/* 0 .. limit - 1; `limit` is above 0. */
uint64_t generate_below(struct generator *generator, uint64_t limit);
bool generate_chance(struct generator *generator, unsigned percent);

/* Makes a command of the template, and spoils it as often as the generator says. */
void generate_command(struct generator *generator, const char *form, struct words *words);

/* Leaves out, doubles, inserts or replaces one word, but never the first. */
void generate_spoil(struct generator *generator, struct words *words);

void words_clear(struct words *words);
void words_add(struct words *words, const void *at, size_t size);
void words_add_text(struct words *words, const char *text);

/* The line's words, split at spaces. */
void words_add_line(struct words *words, const char *line);

bool words_begin_with(const struct words *words, const char *line);

/* The command as one reads it, long words shortened; to be freed. */
char *words_text(const struct words *words);

#endif
