/* rdb_key: the name is expanded, the value decoded, and nothing may be left over. */
#include "persist/rdb_key.h"

#include <errno.h>

#include "ds/extras.h"
#include "persist/decode.h"
#include "persist/rdb_skip.h"
#include "types/value.h"

/* So much of a key's name is shown. */
#define SHOWN_MAX 64

static int shown(struct bytes name) {
    return name.size < SHOWN_MAX ? (int)name.size : SHOWN_MAX;
}

static int make_entry(const struct decode_source *source, struct bytes name,
                      const struct rdb_record *record, struct entry **entry) {
    struct entry_shape shape;
    struct extras extras;
    int status = decode_value(source, &shape);
    if (status != 0) {
        return status;
    }
    if (rdb_left(source->reader) != 0) {
        value_discard(&shape);
        return -EBADMSG;
    }
    shape.has_deadline = record->deadline_ms != ENTRY_NO_DEADLINE;
    if (record->grace_ms > 0) {
        extras_begin(&extras, bytes_of(NULL, 0));
        extras_set_grace(&extras, record->grace_ms);
        shape.extras = extras_run(&extras);
    }
    *entry = entry_try_new(name, &shape);
    if (*entry == NULL) {
        value_discard(&shape);
        return -ENOMEM;
    }
    return 0;
}

static int tell(const struct rdb_key_source *source, const struct rdb_record *record,
                const struct rdb_reader *reader, struct bytes name, int status,
                struct rdb_damage *damage) {
    if (status == -ECANCELED) {
        return rdb_damaged(damage, record->offset, "reading was broken off");
    }
    if (status == -ENOMEM) {
        return rdb_damaged(damage, record->offset,
                           "there is no memory for the value of the key %.*s", shown(name),
                           name.at);
    }
    if (record->type == RDB_MODULE) {
        return rdb_damaged(damage, record->offset,
                           "the value of the key %.*s is a module's, and there are no modules",
                           shown(name), name.at);
    }
    return rdb_damaged(damage, rdb_file_offset(source->file, reader->at),
                       "the value of the key %.*s, of type %d (%s) from byte %llu on, makes no "
                       "sense",
                       shown(name), name.at, record->type, rdb_type_name(record->type),
                       (unsigned long long)record->offset);
}

int rdb_key_decode(const struct rdb_key_source *source, const struct rdb_record *record,
                   struct entry **entry, struct rdb_damage *damage) {
    struct rdb_text name = {0};
    struct rdb_text text = {0};
    struct rdb_reader names = rdb_reader_of(record->name);
    struct rdb_reader reader = rdb_reader_of(record->value);
    const struct decode_source values = {.reader = &reader,
                                         .type = record->type,
                                         .version = source->file->version,
                                         .text = &text,
                                         .keyspace = source->limits,
                                         .now_ms = source->now_ms,
                                         .stops = source->stops};
    int status = rdb_read_string(&names, &name);
    if (status != 0) {
        status = rdb_damaged(damage, record->offset, "the name of a key cannot be expanded");
    } else {
        status = make_entry(&values, name.text, record, entry);
        if (status != 0 && status != -ENODATA) {
            status = tell(source, record, &reader, name.text, status, damage);
        }
    }
    rdb_text_clear(&text);
    rdb_text_clear(&name);
    return status;
}
