/* Values below 128 have a slot each; above, each doubling has 64 slots. */
#include "cli/histogram.h"

#include "base/assert.h"

static int slot_of(int64_t v) {
    if (v < 2 * HISTOGRAM_SUB) return v < 0 ? 0 : (int)v;
    int shift = 57 - __builtin_clzll((uint64_t)v); /* leaves 7 bits, the first of them set */
    int slot = HISTOGRAM_SUB * shift + (int)(v >> shift);
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

/* The largest value of a slot. */
static int64_t top_of(int slot) {
    if (slot < 2 * HISTOGRAM_SUB) return slot;
    int shift = slot / HISTOGRAM_SUB - 1;
    return (((int64_t)slot - HISTOGRAM_SUB * shift + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, int64_t v) {
    int slot = slot_of(v);
    ASSERT(slot >= 0 && slot < HISTOGRAM_SLOTS);
    h->slots[slot]++;
    h->count++;
    h->sum += v;
    if (v > h->max) h->max = v;
}

int64_t histogram_at(const struct histogram *h, double part) {
    uint64_t seen = 0, wanted = (uint64_t)(part * (double)h->count + 0.5);
    if (wanted < 1) wanted = 1;
    for (int i = 0; i < HISTOGRAM_SLOTS && h->count; i++)
        if ((seen += h->slots[i]) >= wanted)
            return i < HISTOGRAM_SLOTS - 1 && top_of(i) < h->max ? top_of(i) : h->max;
    return h->max;
}
