/* crash: what is said when the process dies of a mistake: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
 * and checks that fail (they abort). A report goes to the log, and then the process dies of the
 * signal as it would have, with the same exit status and a core where cores are wanted.
 *
 *     signal -> handler, on the thread's own second stack
 *                 1. what: version, time, thread, signal, address, failed check
 *                 2. registers
 *                 3. backtrace: module+offset and function, from the program's symbol table
 *                 4. what others have to say: each function of crash_on_report
 *               -> default action, the signal again
 *
 * Nothing is allocated and no lock of ours is taken: the heap may be what is broken. A part of the
 * report that crashes itself is given up, and the next one follows. If a part hangs, the process
 * dies after CRASH_SECONDS_MAX.
 *
 * Invariants:
 * 1. one report a process: threads that crash meanwhile wait for the end;
 * 2. the handler uses only what it prepared at crash_start, its stack, and system calls.
 *
 * Under the address and thread sanitizers, which report by themselves, nothing is installed. */
#ifndef LARDER_BASE_CRASH_H
#define LARDER_BASE_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define CRASH_SECONDS_MAX 20

/* Functions of crash_on_report. */
#define CRASH_REPORTERS_MAX 4

/* Prepares and installs the handlers for the calling thread and, but for their stacks, for those
 * that come. `version` must stay. Once, at the start. */
void crash_start(const char *version);

/* Turns the reports on and off: the option crash-log-enabled. */
void crash_enable(bool enabled);

/* At the beginning of each other thread: lets the signals through, which threads are born without,
 * and gives it a second stack, so that an overflow of the first one is reported too; at its end. */
void crash_thread_start(void);
void crash_thread_end(void);

/* Has `report` called for the last part of each report. It may read what may be changing, print
 * with the functions below, and must not allocate or lock. */
void crash_on_report(void (*report)(void *context), void *context);

/* What a failed check says; kept for the report. The texts must stay. */
void crash_note_check(const char *condition, const char *file, int line);

/* For functions of crash_on_report. */
void crash_print(const char *text);
void crash_print_number(int64_t number);
void crash_print_hex(uint64_t number);
/* In double quotes, bytes that are no ASCII letters escaped, `max` bytes at most. */
void crash_print_quoted(struct bytes text, size_t max);

#endif
