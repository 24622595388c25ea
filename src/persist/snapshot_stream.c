/* snapshot_stream: runs that are filled and go to the pump, or wait for their turn. */
#include "base/check.h"
#include "persist/snapshot_int.h"

struct rdb_writer *snapshot_stream_writer(struct snapshot *snapshot,
                                          struct snapshot_stream *stream) {
    if (stream->open == NULL) {
        bool is_proper = stream == &snapshot->out || stream == &snapshot->aside;
        stream->open = is_proper ? pump_take_run(snapshot->setup.pump)
                                 : pump_run_new(snapshot->setup.compress);
    }
    return &stream->open->writer;
}

/* The stream proper goes to the pump; others keep what they have. */
static void hand_over(struct snapshot *snapshot, struct snapshot_stream *stream) {
    struct pump_run *run = stream->open;
    stream->open = NULL;
    if (stream == &snapshot->out) {
        pump_push(snapshot->setup.pump, run);
        return;
    }
    snapshot->figures.kept += pump_run_bytes(run);
    if (stream->last != NULL) {
        stream->last->next = run;
    } else {
        stream->first = run;
    }
    stream->last = run;
}

/* The first of those that were kept. */
static struct pump_run *take_first(struct snapshot *snapshot, struct snapshot_stream *stream) {
    struct pump_run *run = stream->first;
    stream->first = run->next;
    if (stream->first == NULL) {
        stream->last = NULL;
    }
    snapshot->figures.kept -= pump_run_bytes(run);
    return run;
}

void snapshot_stream_written(struct snapshot *snapshot, struct snapshot_stream *stream) {
    if (stream->open != NULL && pump_run_bytes(stream->open) >= SNAPSHOT_RUN_SIZE) {
        hand_over(snapshot, stream);
    }
}

void snapshot_stream_join(struct snapshot *snapshot, struct snapshot_stream *stream) {
    if (snapshot->out.open != NULL) {
        hand_over(snapshot, &snapshot->out);
    }
    while (stream->first != NULL) {
        pump_push(snapshot->setup.pump, take_first(snapshot, stream));
    }
    if (stream->open != NULL) {
        pump_push(snapshot->setup.pump, stream->open);
        stream->open = NULL;
    }
    if (stream != &snapshot->out && stream->selected >= 0) {
        snapshot->out.selected = stream->selected;
        stream->selected = -1;
    }
}

void snapshot_stream_clear(struct snapshot *snapshot, struct snapshot_stream *stream) {
    while (stream->first != NULL) {
        pump_run_free(take_first(snapshot, stream));
    }
    if (stream->open != NULL) {
        pump_run_free(stream->open);
        stream->open = NULL;
    }
}
