/* rdb_file: one function reads the next opcode and what belongs to it; attributes of a key are
 * gathered in the record until its type comes. */
#include "persist/rdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "ds/entry.h"
#include "ds/extras.h"
#include "persist/crc64.h"
#include "persist/rdb_skip.h"

/* Since Linux 5.14; older kernels refuse it, and pages come when they are touched. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Pages are asked for so far ahead: some milliseconds of a disk. */
#define WINDOW ((uint64_t)4 << 20)
/* The checksum is brought up to date in portions of about this size, while they are in the
 * cache. */
#define SUM_PORTION ((uint64_t)32 << 10)

#define HEADER_SIZE 9u
#define SUM_SIZE    8u
/* Checksums came with this version, sizes of databases with that. */
#define VERSION_SUM      5
#define VERSION_KEY_META 13

/* A job that Valkey moves slots by has a name of this size. */
#define JOB_NAME_SIZE 40u

enum opcode {
    OPCODE_TEMPLATE = 242,
    OPCODE_KEY_META = 243, /* in Valkey's files: slots that are being moved */
    OPCODE_SLOT_INFO = 244,
    OPCODE_FUNCTION_2 = 245,
    OPCODE_FUNCTION_EARLY = 246,
    OPCODE_MODULE_AUX = 247,
    OPCODE_IDLE = 248,
    OPCODE_FREQ = 249,
    OPCODE_AUX = 250,
    OPCODE_RESIZE = 251,
    OPCODE_EXPIRE_MS = 252,
    OPCODE_EXPIRE = 253,
    OPCODE_SELECT = 254,
    OPCODE_EOF = 255,
    OPCODE_FIRST = OPCODE_TEMPLATE,
};

int rdb_damaged(struct rdb_damage *damage, uint64_t offset, const char *format, ...) {
    damage->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(damage->text, sizeof damage->text, format, arguments);
    va_end(arguments);
    /* It may show a key's name, and goes to a log or a terminal. */
    for (char *at = damage->text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
    return -EBADMSG;
}

/* ---- opening ---- */

/* `count` digits; -1 when they are not. */
static int digits_at(const uint8_t *at, unsigned count) {
    int number = 0;
    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

static int read_header(struct rdb_file *file) {
    const uint8_t *at = file->start;
    if (file->size < HEADER_SIZE) {
        return rdb_damaged(&file->damage, file->size, "the file ends in its header");
    }
    if (memcmp(at, "REDIS", 5) == 0) {
        file->version = digits_at(at + 5, 4);
    } else if (memcmp(at, "VALKEY", 6) == 0) {
        file->version = digits_at(at + 6, 3);
        file->is_valkey = true;
    } else {
        return rdb_damaged(&file->damage, 0,
                           "it begins neither with REDIS nor with VALKEY, as snapshots do");
    }
    if (file->is_valkey ? file->version != RDB_VERSION_VALKEY
                        : file->version < 1 || file->version > RDB_FILE_VERSION_MAX) {
        return rdb_damaged(&file->damage, file->is_valkey ? 6 : 5,
                           "version %.4s of the format is not one that is known",
                           (const char *)at + (file->is_valkey ? 6 - 1 : 5));
    }
    file->reader.at += HEADER_SIZE;
    return 0;
}

int rdb_file_begin(struct rdb_file *file, struct bytes content, int database_count) {
    *file = (struct rdb_file){.start = (const uint8_t *)content.at,
                              .size = content.size,
                              .reader = rdb_reader_of(content),
                              .checks_sum = true,
                              .database_count = database_count};
    return read_header(file);
}

static int map(const char *path, struct bytes *content) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0) {
        return -errno;
    }
    int status = fstat(fd, &about) != 0 ? -errno : 0;
    if (status == 0 && !S_ISREG(about.st_mode)) {
        status = S_ISDIR(about.st_mode) ? -EISDIR : -EINVAL;
    }
    if (status == 0 && about.st_size > 0) {
        void *at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED) {
            status = -errno;
        } else {
            *content = bytes_of(at, (size_t)about.st_size);
        }
    }
    close(fd);
    return status;
}

/* Asks for the pages of the next windows; those far behind are let go of. */
static int ask_for_pages(struct rdb_file *file) {
    uint64_t at = rdb_file_offset(file, file->reader.at);
    if (!file->is_mapped || at + WINDOW < file->asked_for || file->asked_for == file->size) {
        return 0;
    }
    uint64_t from = file->asked_for > at ? file->asked_for : at;
    from -= from % WINDOW;
    uint64_t to = from + 2 * WINDOW < file->size ? from + 2 * WINDOW : file->size;
    file->asked_for = to;
    /* The mapping is private and never written: the cast takes nothing away from anybody. */
    uint8_t *start = (uint8_t *)(uintptr_t)file->start;
    if (from >= 16 * WINDOW) {
        (void)madvise(start + from - 16 * WINDOW, 2 * WINDOW, MADV_DONTNEED);
    }
    if (madvise(start + from, to - from, MADV_POPULATE_READ) != 0 && errno != EINVAL &&
        errno != ENOSYS) {
        return rdb_damaged(&file->damage, from, "the file cannot be read here: %s",
                           errno == EFAULT ? strerror(EIO) : strerror(errno));
    }
    return 0;
}

int rdb_file_open(struct rdb_file *file, const char *path, int database_count) {
    struct bytes content = bytes_of("", 0);
    *file = (struct rdb_file){.database_count = database_count};
    int status = map(path, &content);
    if (status != 0) {
        return status;
    }
    *file = (struct rdb_file){.start = (const uint8_t *)content.at,
                              .size = content.size,
                              .reader = rdb_reader_of(content),
                              .is_mapped = content.size > 0,
                              .checks_sum = true,
                              .database_count = database_count};
    status = ask_for_pages(file);
    return status == 0 ? read_header(file) : status;
}

void rdb_file_close(struct rdb_file *file) {
    if (file->is_mapped) {
        munmap((void *)(uintptr_t)file->start, file->size);
        file->is_mapped = false;
    }
}

/* ---- the checksum ---- */

static void add_to_sum(struct rdb_file *file, uint64_t end) {
    if (file->checks_sum) {
        file->sum = crc64(file->sum, file->start + file->summed, (size_t)(end - file->summed));
    }
    file->summed = end;
}

/* Behind EOF. */
static int end(struct rdb_file *file) {
    uint64_t sum;
    uint64_t offset = rdb_file_offset(file, file->reader.at);
    if (file->version < VERSION_SUM) {
        return 0;
    }
    if (!rdb_read_number(&file->reader, SUM_SIZE, &sum)) {
        return rdb_damaged(&file->damage, offset, "the file ends in its checksum");
    }
    file->has_checksum = sum != 0;
    add_to_sum(file, offset);
    if (sum != 0 && file->checks_sum && sum != file->sum) {
        return rdb_damaged(&file->damage, offset,
                           "the checksum is %016llx, but that of what was read is %016llx",
                           (unsigned long long)sum, (unsigned long long)file->sum);
    }
    return 0;
}

/* ---- records ---- */

static int fail(struct rdb_file *file, uint64_t offset, const char *what) {
    return rdb_damaged(&file->damage, offset, "%s: the file ends there, or a size is wrong", what);
}

static bool take_string(struct rdb_reader *reader, struct bytes *text) {
    const uint8_t *from = reader->at;
    if (!rdb_skip_string(reader)) {
        return false;
    }
    *text = bytes_of(from, (size_t)(reader->at - from));
    return true;
}

static int take_key(struct rdb_file *file, struct rdb_record *record, int type, uint64_t offset) {
    record->kind = RDB_RECORD_KEY;
    record->type = type;
    record->database = file->database;
    record->offset = offset;
    if (file->database >= file->database_count) {
        return rdb_damaged(&file->damage, offset, "a key in database %d, but there are only %d",
                           file->database, file->database_count);
    }
    if (!take_string(&file->reader, &record->name)) {
        return fail(file, offset, "a key's name");
    }
    const uint8_t *from = file->reader.at;
    int status = rdb_skip_value(&file->reader, type, file->version);
    if (status == -ENOTSUP) {
        return rdb_damaged(&file->damage, offset,
                           "%d is neither a known type of values nor known "
                           "otherwise",
                           type);
    }
    if (status != 0) {
        char what[64];
        snprintf(what, sizeof what, "a value of type %d (%s)", type, rdb_type_name(type));
        return fail(file, offset, what);
    }
    record->value = bytes_of(from, (size_t)(file->reader.at - from));
    return 1;
}

static bool skip_lengths(struct rdb_reader *reader, unsigned count) {
    uint64_t ignored;
    while (count > 0 && rdb_read_length(reader, &ignored)) {
        count--;
    }
    return count == 0;
}

/* Of Valkey: slots that are on their way. What it says is of a cluster, and there is none. */
static bool skip_slots(struct rdb_reader *reader) {
    struct rdb_text job = {0};
    uint64_t ranges;
    bool fine = rdb_read_string(reader, &job) == 0 && job.text.size == JOB_NAME_SIZE;
    rdb_text_clear(&job);
    if (!fine || !rdb_read_length(reader, &ranges)) {
        return false;
    }
    for (; ranges > 0; ranges--) {
        if (!skip_lengths(reader, 2)) {
            return false;
        }
    }
    return true;
}

static bool read_deadline(struct rdb_reader *reader, bool seconds, struct rdb_record *record) {
    uint64_t bits;
    if (!rdb_read_number(reader, seconds ? 4 : 8, &bits)) {
        return false;
    }
    int64_t ms = seconds ? (int64_t)(int32_t)bits * 1000 : (int64_t)bits;
    if (ms == -1) {
        record->deadline_ms = ENTRY_NO_DEADLINE;
    } else {
        record->deadline_ms = ms < 0 ? 0 : ms;
    }
    return true;
}

static bool read_use(struct rdb_reader *reader, bool is_idle, struct rdb_record *record) {
    uint64_t number;
    if (is_idle ? !rdb_read_length(reader, &number) : !rdb_read_number(reader, 1, &number)) {
        return false;
    }
    if (is_idle) {
        record->idle_s = number > INT32_MAX ? INT32_MAX : (int64_t)number;
    } else {
        record->frequency = (int)number;
    }
    return true;
}

static bool select_database(struct rdb_file *file) {
    uint64_t number;
    if (!rdb_read_length(&file->reader, &number)) {
        return false;
    }
    file->database = number > INT32_MAX ? INT32_MAX : (int)number;
    return true;
}

/* What stands between keys and is no record: 0, or -EBADMSG. */
static int take_other(struct rdb_file *file, struct rdb_record *record, int opcode,
                      uint64_t offset) {
    struct rdb_reader *reader = &file->reader;
    switch (opcode) {
    case OPCODE_SELECT:
        return select_database(file) ? 0 : fail(file, offset, "the number of a database");
    case OPCODE_RESIZE:
        return skip_lengths(reader, 2) ? 0 : fail(file, offset, "the size of a database");
    case OPCODE_SLOT_INFO:
        return skip_lengths(reader, 3) ? 0 : fail(file, offset, "the size of a slot");
    case OPCODE_EXPIRE:
    case OPCODE_EXPIRE_MS:
        return read_deadline(reader, opcode == OPCODE_EXPIRE, record)
                   ? 0
                   : fail(file, offset, "a key's deadline");
    case OPCODE_IDLE:
    case OPCODE_FREQ:
        return read_use(reader, opcode == OPCODE_IDLE, record)
                   ? 0
                   : fail(file, offset, "how a key was used");
    case OPCODE_MODULE_AUX:
        return skip_lengths(reader, 3) && rdb_skip_module_parts(reader)
                   ? 0
                   : fail(file, offset, "what a module has written");
    case OPCODE_KEY_META:
        if (file->is_valkey) {
            return skip_slots(reader) ? 0 : fail(file, offset, "slots that are being moved");
        }
        return rdb_damaged(&file->damage, offset, "modules' notes about keys are not understood");
    case OPCODE_FUNCTION_EARLY:
        return rdb_damaged(&file->damage, offset,
                           "functions as unreleased versions wrote them are not understood");
    default:
        return rdb_damaged(&file->damage, offset, "%d is not known", opcode);
    }
}

/* AUX and FUNCTION2. */
static int take_text(struct rdb_file *file, struct rdb_record *record, int opcode,
                     uint64_t offset) {
    bool is_aux = opcode == OPCODE_AUX;
    record->kind = is_aux ? RDB_RECORD_AUX : RDB_RECORD_FUNCTION;
    record->offset = offset;
    if ((is_aux && !take_string(&file->reader, &record->name)) ||
        !take_string(&file->reader, &record->value)) {
        return fail(file, offset, is_aux ? "what the writer says of itself" : "functions");
    }
    return 1;
}

/* What an AUX says of the next key: whether it was one that does. */
static bool take_extras(struct rdb_record *record) {
    struct rdb_text name = {0};
    struct rdb_text value = {0};
    struct rdb_reader names = rdb_reader_of(record->name);
    struct rdb_reader values = rdb_reader_of(record->value);
    static const char head[] = "grace=";
    bool is_own =
        rdb_read_string(&names, &name) == 0 && bytes_equal(name.text, bytes_text(RDB_EXTRAS_NAME));
    if (is_own && rdb_read_string(&values, &value) == 0 && value.text.size > sizeof head - 1 &&
        memcmp(value.text.at, head, sizeof head - 1) == 0) {
        const char *at = value.text.at + sizeof head - 1;
        size_t size = value.text.size - (sizeof head - 1);
        const char *space = memchr(at, ' ', size);
        int64_t grace_ms;
        if (num_parse_i64(bytes_of(at, space == NULL ? size : (size_t)(space - at)), &grace_ms) &&
            grace_ms > 0 && grace_ms <= EXTRA_GRACE_MS_MAX) {
            record->grace_ms = grace_ms;
        }
    }
    rdb_text_clear(&value);
    rdb_text_clear(&name);
    return is_own;
}

static int next(struct rdb_file *file, struct rdb_record *record) {
    for (;;) {
        uint64_t offset = rdb_file_offset(file, file->reader.at);
        const uint8_t *opcode;
        if (!rdb_read_raw(&file->reader, 1, &opcode)) {
            return rdb_damaged(&file->damage, offset, "the file ends without saying so");
        }
        int status;
        if (*opcode < OPCODE_FIRST) {
            status = take_key(file, record, *opcode, offset);
        } else if (*opcode == OPCODE_AUX || *opcode == OPCODE_FUNCTION_2) {
            status = take_text(file, record, *opcode, offset);
            if (status == 1 && *opcode == OPCODE_AUX && take_extras(record)) {
                record->kind = RDB_RECORD_KEY;
                status = 0;
            }
        } else if (*opcode == OPCODE_EOF) {
            return end(file);
        } else {
            status = take_other(file, record, *opcode, offset);
        }
        if (status != 0) {
            return status;
        }
    }
}

int rdb_file_next(struct rdb_file *file, struct rdb_record *record) {
    *record = (struct rdb_record){
        .frequency = -1, .idle_s = -1, .deadline_ms = ENTRY_NO_DEADLINE, .name = bytes_of("", 0)};
    int status = ask_for_pages(file);
    if (status == 0) {
        status = next(file, record);
    }
    uint64_t at = rdb_file_offset(file, file->reader.at);
    if (status == 1 && at - file->summed >= SUM_PORTION) {
        add_to_sum(file, at);
    }
    return status;
}
