/* redact: which arguments of a command are secrets that must not be shown: passwords in AUTH and
 * HELLO, secret options in CONFIG SET, rules of users, credentials of other servers. For whoever
 * writes commands down: the slow log, MONITOR. */
#ifndef LARDER_FEATURE_REDACT_H
#define LARDER_FEATURE_REDACT_H

#include "base/bytes.h"
#include "call/call.h"

/* The argument as it may be shown: itself, or the text "(redacted)". */
struct bytes redact_argument(const struct call *call, int index);

#endif
