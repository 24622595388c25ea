/* load_survey: see the header. */
#include "persist/load_survey.h"

/* What a key takes besides its name and its value: its header and its place in the table. */
#define KEY_OVERHEAD 22
/* Records between two questions whether it shall go on. */
#define BETWEEN_LOOKS 4096

#define MARK_PACKED 0xc3

unsigned load_survey_step(const struct rdb_record *record) {
    if (record->frequency >= 0) {
        return 255u - (unsigned)record->frequency;
    }
    if (record->idle_s <= 0) {
        return 0;
    }
    uint64_t idle = (uint64_t)record->idle_s;
    unsigned log = 63u - (unsigned)__builtin_clzll(idle);
    unsigned eighth = (unsigned)((idle << 3 >> log) & 7);
    unsigned step = 1 + log * 8 + eighth;
    return step < LOAD_SURVEY_STEPS ? step : LOAD_SURVEY_STEPS - 1;
}

/* A string that is compressed says how long it is. */
static uint64_t size_of(const struct rdb_record *record) {
    struct rdb_reader reader = rdb_reader_of(record->value);
    const uint8_t *first;
    uint64_t packed;
    uint64_t size;
    if (record->type == RDB_STRING && rdb_read_raw(&reader, 1, &first) && *first == MARK_PACKED &&
        rdb_read_length(&reader, &packed) && rdb_read_length(&reader, &size) &&
        size <= RDB_EXPANDED_MAX) {
        return KEY_OVERHEAD + record->name.size + size;
    }
    return KEY_OVERHEAD + record->name.size + record->value.size;
}

void load_survey_make(struct load_survey *survey, const struct rdb_file *file, uint64_t room,
                      bool (*goes_on)(void *context), void *context) {
    uint64_t bytes[LOAD_SURVEY_STEPS] = {0};
    struct rdb_file looked = *file;
    struct rdb_record record;
    looked.checks_sum = false;
    for (uint64_t count = 1; rdb_file_next(&looked, &record) == 1; count++) {
        if (record.kind == RDB_RECORD_KEY) {
            bytes[load_survey_step(&record)] += size_of(&record);
        }
        if (count % BETWEEN_LOOKS == 0 && !goes_on(context)) {
            break;
        }
    }
    uint64_t most = room + room / 100 * LOAD_SURVEY_MORE_PERCENT;
    uint64_t sum = bytes[0];
    survey->last = 0;
    while (survey->last < LOAD_SURVEY_STEPS - 1 && sum + bytes[survey->last + 1] <= most) {
        survey->last++;
        sum += bytes[survey->last];
    }
}
