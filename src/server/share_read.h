/* The record batches of a slice of a log, as far as a share partition needs to know them: where each begins
 * and ends, and which can be left out of the answer. Source: ShareFetchUtils.maybeSliceFetchRecords. */
#ifndef OTTLA_SERVER_SHARE_READ_H
#define OTTLA_SERVER_SHARE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "share/partition.h"

struct arena;
struct log_slice;

struct share_batches {
    struct share_source *v; /* the arena's, as `at` */
    uint32_t *at;           /* where each begins in the slice; at[n]: where the last one ends */
    size_t n;
    bool whole; /* no complete batch follows those listed */
};

/* Reads the headers of the slice until one batch ends at `reach` or behind. 0 or an oerr. */
int share_batches_read(const struct log_slice *s, int64_t reach, struct arena *a, struct share_batches *b);
/* The bytes of the slice that hold [first, last]. */
void share_batches_cut(const struct share_batches *b, const struct log_slice *s, int64_t first, int64_t last,
                       uint32_t *from, uint32_t *len);

#endif
