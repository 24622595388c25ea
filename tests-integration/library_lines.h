/* library_lines: calls of the libraries of scripts that lie at an edge: every option and limit,
 * every error there is, what once crashed or hung an interpreter. Each is the body of a
 * function. */
#ifndef LARDER_TESTS_INTEGRATION_LIBRARY_LINES_H
#define LARDER_TESTS_INTEGRATION_LIBRARY_LINES_H

#include <stddef.h>

/* The next of them, or NULL behind the last. */
const char *library_line(size_t i);

#endif
