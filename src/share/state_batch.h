/* What became of a range of offsets, as it is written to __share_group_state, and how a list of such ranges
 * takes up new ones. Source: PersisterStateBatch, PersisterStateBatchCombiner, RecordState. */
#ifndef OTTLA_SHARE_STATE_BATCH_H
#define OTTLA_SHARE_STATE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_state { /* values: of the wire and the log */
                    RECORD_AVAILABLE = 0,
                    RECORD_ACQUIRED = 1,
                    RECORD_ACKNOWLEDGED = 2,
                    RECORD_ARCHIVING = 3, /* KIP-1191; nothing makes it yet */
                    RECORD_ARCHIVED = 4,
};

static inline bool record_state_final(enum record_state s) {
    return s == RECORD_ACKNOWLEDGED || s == RECORD_ARCHIVED;
}

struct state_batch {
    int64_t first, last; /* both included */
    int16_t delivery_count;
    int8_t state; /* enum record_state */
};

static inline bool state_batch_valid(const struct state_batch *b) {
    return b->first <= b->last && b->last < INT64_MAX;
}

/* A list that grows; owner frees v. */
struct state_batches {
    struct state_batch *v;
    size_t n, cap;
};

void state_batches_add(struct state_batches *b, struct state_batch x);
/* n more at once. */
void state_batches_add_all(struct state_batches *b, const struct state_batch *x, size_t n);
void state_batches_free(struct state_batches *b);

/* Puts into `out` (emptied first, not one of the inputs) what is known after `more` (in any order) is added
 * to `known`: pruned below start_offset (−1: nothing is), sorted, not overlapping. Where two speak of the
 * same offset, the one with the higher delivery count, then state, holds. */
void state_batches_combine(const struct state_batch *known, size_t known_n, const struct state_batch *more,
                           size_t more_n, int64_t start_offset, struct state_batches *out);

#endif
