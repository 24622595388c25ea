/* config_hint: says what would be right, when a line of the configuration is wrong. */
#ifndef LARDER_SERVER_CONFIG_HINT_H
#define LARDER_SERVER_CONFIG_HINT_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/option.h"

/* Appends a line, with newline, that says which values the option takes. */
void config_hint_values(const struct option *row, struct buffer *out);

/* Appends a line, with newline, that asks whether the name most like this one was meant; nothing
 * when none is like it. */
void config_hint_name(const struct options *options, struct bytes name, struct buffer *out);

#endif
