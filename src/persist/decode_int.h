/* decode_int: what the files of the decoder share. */
#ifndef LARDER_PERSIST_DECODE_INT_H
#define LARDER_PERSIST_DECODE_INT_H

#include "persist/decode.h"

/* As decode_value. */
int decode_stream(const struct decode_source *source, struct entry_shape *shape);

#endif
