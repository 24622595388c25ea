/* words: splits a line into words with shell-like quotes, for inline commands and configuration.
 * Double quotes know \n \r \t \a \b \xHH and \ before any other byte; single quotes know \'. A
 * closing quote must be followed by space or the end. */
#ifndef LARDER_BASE_WORDS_H
#define LARDER_BASE_WORDS_H

#include <stddef.h>

#include "base/bytes.h"

/* Splits `line` into at most `max` words. The words are unescaped into `scratch`, which must have
 * room for line.size bytes and must outlive them; `line` and `scratch` may be the same memory.
 * Returns the number of words, -1 for unbalanced quotes, -2 for more than `max` words. */
int words_split(struct bytes line, char *scratch, struct bytes *words, int max);

#endif
