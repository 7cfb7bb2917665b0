/* Private to storage/: what is left of one batch when its log is cleaned (Cleaner.cleanInto, MemoryRecords
 * .filterTo). */
#ifndef OTTLA_STORAGE_CLEAN_BATCH_H
#define OTTLA_STORAGE_CLEAN_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "record/compress.h"
#include "storage/clean_txns.h"
#include "storage/cleaner.h"
#include "storage/offset_map.h"

/* Where an active producer's last data is; −1: it has none, only a marker of this epoch. */
struct last_record {
    int64_t producer_id, offset;
    int16_t epoch;
};

struct clean_filter {
    const struct offset_map *map;
    struct clean_txns *txns;
    const struct last_record *last; /* ascending by producer id */
    size_t last_count;
    int64_t round_end; /* the batch that ends here is never lost */
    int64_t now_ms, delete_retention_ms;
    bool keep_old_tombstones; /* of magic 0 and 1, which have no horizon */
    struct codec *codec;
    struct clean_stats *stats;
    /* the aborted transactions whose markers stay */
    struct txn_end *aborts;
    int abort_count, abort_cap;
};

/* Adds what is left of the batch (whole, checked) to out. 0, OE_CORRUPT, OE_LIMIT, OE_NOMEM, OE_UNSUPPORTED.
 */
int clean_batch(struct clean_filter *f, const uint8_t *batch, size_t n, struct strbuf *out);

#endif
