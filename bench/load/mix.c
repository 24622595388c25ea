/* mix: choosing among the templates. */
#include "load/mix.h"

void mix_init(struct mix *mix, const struct sizes *sizes) {
    *mix = (struct mix){.sizes = *sizes};
}

int mix_add(struct mix *mix, const struct template *template, uint64_t weight) {
    if (mix->count == MIX_MAX) {
        return -1;
    }
    uint64_t before = mix->count == 0 ? 0 : mix->weights[mix->count - 1];
    mix->templates[mix->count] = *template;
    mix->weights[mix->count++] = before + weight;
    return 0;
}

void mix_set_weight(struct mix *mix, uint64_t weight) {
    int last = mix->count - 1;
    mix->weights[last] = (last == 0 ? 0 : mix->weights[last - 1]) + weight;
}

void mix_free(struct mix *mix) {
    for (int i = 0; i < mix->count; i++) {
        template_free(&mix->templates[i]);
    }
    mix->count = 0;
}

bool mix_is_uniform(const struct mix *mix) {
    return mix->count == 1 && !mix->templates[0].varies;
}

uint64_t mix_replies(const struct mix *mix) {
    return (uint64_t)mix->templates[0].commands;
}

void mix_append_half(const struct mix *mix, bool waits, struct buffer *out, struct keys *keys) {
    template_append(&mix->templates[waits ? 0 : 1], out, keys, &mix->sizes);
}

void mix_append(const struct mix *mix, struct buffer *out, struct keys *keys) {
    int i = 0;
    if (mix->count > 1) {
        uint64_t at = random_below(&keys->random, mix->weights[mix->count - 1]);
        while (at >= mix->weights[i]) {
            i++;
        }
    }
    template_append(&mix->templates[i], out, keys, &mix->sizes);
}

uint64_t mix_renew(const struct mix *mix, struct buffer *out, uint64_t ready, uint64_t count,
                   struct keys *keys) {
    const struct template *template = &mix->templates[0];
    size_t size = template->bytes.size;
    for (; ready < count; ready++) {
        out->size = (size_t)ready * size;
        buffer_append(out, template->bytes.at, size);
    }
    for (uint64_t i = 0; i < count; i++) {
        template_number(template, out->at + (size_t)i * size, keys);
    }
    out->size = (size_t)count * size;
    return ready;
}
