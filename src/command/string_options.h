/* string_options: the options that SET, STORE, GETEX, MSETEX and INCREX share: conditions and
 * deadlines.
 *
 * Options may come in any order. Of the conditions one may be given, and of the deadlines one; the
 * same one given twice is accepted, and the last counts. */
#ifndef LARDER_COMMAND_STRING_OPTIONS_H
#define LARDER_COMMAND_STRING_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"

enum string_option {
    STRING_NX = 1 << 0,
    STRING_XX = 1 << 1,
    STRING_IFEQ = 1 << 2,
    STRING_IFNE = 1 << 3,
    STRING_IFDEQ = 1 << 4,
    STRING_IFDNE = 1 << 5,
    STRING_GET = 1 << 6,
    STRING_KEEP_TTL = 1 << 7,
    STRING_PERSIST = 1 << 8,
    STRING_EX = 1 << 9,
    STRING_PX = 1 << 10,
    STRING_EXAT = 1 << 11,
    STRING_PXAT = 1 << 12,
    STRING_ENX = 1 << 13,
    STRING_SATURATE = 1 << 14,
    STRING_LBOUND = 1 << 15,
    STRING_UBOUND = 1 << 16,
    STRING_BYINT = 1 << 17,
    STRING_BYFLOAT = 1 << 18,
    STRING_LEASE = 1 << 19, /* a condition of STORE */
    STRING_STALE = 1 << 20,
    STRING_PSTALE = 1 << 21,
};
#define STRING_COMPARISONS (STRING_IFEQ | STRING_IFNE | STRING_IFDEQ | STRING_IFDNE)
#define STRING_CONDITIONS  (STRING_NX | STRING_XX | STRING_COMPARISONS)
#define STRING_ABSOLUTE    (STRING_EXAT | STRING_PXAT)
#define STRING_EXPIRES     (STRING_EX | STRING_PX | STRING_ABSOLUTE)
#define STRING_DEADLINES   (STRING_KEEP_TTL | STRING_PERSIST | STRING_EXPIRES)

/* Where the arguments of options are; 0 when the option was not given. */
struct string_options {
    unsigned given;
    int expire_at;     /* the time of EX, PX, EXAT or PXAT */
    int comparison_at; /* the value or digest of IFEQ ... */
    int increment_at;  /* of BYINT, BYFLOAT */
    int lower_at;
    int upper_at;
    int lease_at; /* the token of LEASE */
    int grace_at; /* the time of STALE or PSTALE */
};

/* Reads the arguments from index `from` on; `allowed` is the set of options the command has. False
 * when they are wrong: a syntax error has been replied. */
bool string_options_read(struct call *call, int from, unsigned allowed,
                         struct string_options *options);

/* The deadline that argument `index` asks for, counted in `unit`, one of STRING_EXPIRES. False
 * when it is no number or out of range: the error has been replied. */
bool string_deadline(struct call *call, int index, unsigned unit, int64_t *deadline_ms);

/* The same for options; ENTRY_NO_DEADLINE when they ask for none, KEYSPACE_KEEP_DEADLINE for
 * KEEPTTL. */
bool string_options_deadline(struct call *call, const struct string_options *options,
                             int64_t *deadline_ms);

#endif
