/* stream_producer: what XADD needs to add once what a producer sends twice. */
#ifndef LARDER_COMMAND_STREAM_PRODUCER_H
#define LARDER_COMMAND_STREAM_PRODUCER_H

#include "command/stream_call.h"
#include "types/stream_producer.h"

/* The stream's producers, made with the options' settings if there are none yet. */
struct stream_producers *stream_call_producers(struct stream_call *on);

/* An idempotent id that follows from an entry's names and values; `count` pairs. */
#define STREAM_CONTENT_ID_SIZE 32
struct bytes stream_content_id(const struct bytes *pairs, size_t count, char *out);

#endif
