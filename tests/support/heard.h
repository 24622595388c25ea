/* heard: what a session's writes become for those who repeat them (call/pass_on.h), as words. */
#ifndef LARDER_TESTS_SUPPORT_HEARD_H
#define LARDER_TESTS_SUPPORT_HEARD_H

#include "support/session.h"

/* One session at a time. */
void heard_begin(struct session *session);
void heard_end(struct session *session);

/* What was heard since the last call: a line for each command, with spaces between the words. Valid
 * until the next call. Not for words with ends of lines in them. */
const char *heard_words(void);

#endif
