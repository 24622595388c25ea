/* sample: draws which requests are shown: gaps are uniform between 1 and twice the average, so that
 * no rhythm of the requests can hide some of them. */
#include "client/sample.h"

#include "base/check.h"
#include "client/batch_int.h"
#include "client/client.h"

void sample_init(struct sample *sample) {
    *sample = (struct sample){.until = UINT64_MAX, .every = 1};
    random_init(&sample->random, 1);
}

static void show(const struct sample *sample, const struct batch *batch, size_t index) {
    const struct request *request = &batch->requests[index];
    const struct command *command = request->command;
    if (request->kind != REQUEST_TAKEN && request->kind != REQUEST_FAULT && command != NULL &&
        command->first_key > 0 && command->first_key < request->argc) {
        sample->show(sample->context, request->client->database,
                     request_args(batch, request)[command->first_key]);
    }
}

void sample_batch(struct sample *sample, const struct batch *batch) {
    const uint64_t count = batch->request_count;
    if (UNLIKELY(sample->show == NULL)) {
        sample->until = UINT64_MAX;
        return;
    }
    while (sample->until < count) {
        show(sample, batch, (size_t)sample->until);
        sample->until += 1 + random_below(&sample->random, 2 * sample->every - 1);
    }
    sample->until -= count;
}
