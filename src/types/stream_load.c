/* stream_load: see the header. */
#include "types/stream_load.h"

#include <errno.h>

#include "base/check.h"

void stream_load_begin(struct stream_load *load, struct stream *stream) {
    *load = (struct stream_load){.stream = stream};
}

/* The node has been built on, or is lost. */
static int built(struct stream_load *load, struct stream_node *node) {
    if (node == NULL) {
        return -ENOMEM;
    }
    load->node = node;
    return 0;
}

static int follow(struct stream_load *load, struct stream_id id) {
    if (!stream_id_less(load->last, id) || stream_id_less(id, load->base)) {
        return -EBADMSG;
    }
    load->last = id;
    return 0;
}

int stream_load_node(struct stream_load *load, struct stream_id base) {
    check(load->node == NULL);
    if (!stream_id_less(load->last, base)) {
        return -EBADMSG;
    }
    load->base = base;
    return built(load, stream_node_try_empty());
}

int stream_load_name(struct stream_load *load, struct bytes name) {
    return built(load, stream_node_try_name(load->node, name));
}

static void file_node(struct stream_load *load) {
    load->stream->length += load->node->count;
    struct stream_place *place = id_index_append(&load->stream->nodes, load->base);
    place->node = stream_node_fit(load->node);
    load->node = NULL;
}

/* Goes on in a new node that begins with this id. */
static int divide(struct stream_load *load, struct stream_id id) {
    struct stream_node *next = stream_node_try_next(load->node);
    if (next == NULL) {
        return -ENOMEM;
    }
    file_node(load);
    load->node = next;
    load->base = id;
    return 0;
}

int stream_load_entry(struct stream_load *load, struct stream_id id, uint32_t own_count) {
    int status = follow(load, id);
    if (status == 0 && load->node->count > 0 && load->node->size >= STREAM_NODE_SIZE_MAX) {
        status = divide(load, id);
    }
    if (status != 0) {
        return status;
    }
    load->begin = stream_node_end(load->node);
    return built(load, stream_node_try_begin(load->node, load->base, id, own_count));
}

int stream_load_text(struct stream_load *load, struct bytes text) {
    return built(load, stream_node_try_text(load->node, text));
}

int stream_load_entry_end(struct stream_load *load) {
    return built(load, stream_node_try_end(load->node, load->begin));
}

int stream_load_removed(struct stream_load *load, struct stream_id id) {
    int status = follow(load, id);
    if (status == 0) {
        load->node->added++;
    }
    return status;
}

void stream_load_node_end(struct stream_load *load) {
    check(load->node != NULL && load->node->count > 0);
    file_node(load);
}

void stream_load_end(struct stream_load *load) {
    if (load->node != NULL) {
        stream_node_free(load->node);
        load->node = NULL;
    }
}
