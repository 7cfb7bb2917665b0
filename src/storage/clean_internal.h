/* Private to storage/: the parts of cleaning a log; the order is that of clean.c. */
#ifndef OTTLA_STORAGE_CLEAN_INTERNAL_H
#define OTTLA_STORAGE_CLEAN_INTERNAL_H

#include "storage/clean_batch.h"
#include "storage/cleaner.h"
#include "storage/log_internal.h"
#include "storage/offset_map.h"

/* ---- clean_range.c: what of a log may and should be cleaned ---- */

struct clean_range {
    int64_t first_dirty, first_uncleanable;
    int64_t clean_bytes, cleanable_bytes;
    int64_t delay_ms; /* beyond max.compaction.lag.ms */
    int64_t again_ms; /* when time alone may change the answer; INT64_MAX: never */
    double ratio;
    bool due;
};
/* [locked], the log is open. 0 or an error. */
int clean_range(struct log *l, int64_t now_ms, struct clean_range *r);

/* ---- a cleaning ---- */

/* A segment as it was when the cleaning began. */
struct clean_source {
    int64_t base, end; /* end: the next one's base */
    uint32_t size;
    int64_t index_bytes, time_bytes, mtime_ms;
};

struct cleaning {
    struct log *log;
    const struct clean_options *options;
    struct clean_stats *stats;
    struct log_config config; /* a copy: the log's may be replaced */
    uint32_t cuts;            /* of the log, when it began */
    int64_t first_dirty, first_uncleanable;
    int64_t decided; /* below it lies every marker that the last stable offset came from */
    struct clean_source *sources;
    int count;
    struct abort_entry *aborts; /* ascending by first offset */
    int abort_count;
    struct offset_map map;
    struct codec *codec;
    int64_t old_horizon_ms; /* for messages that cannot carry one */
    int64_t moved;          /* bytes since the last check */
};

/* Bytes were read or written: keeps the pace; OE_AGAIN when it must end. */
int cleaning_moved(struct cleaning *c, int64_t bytes);
/* The segment's file, with a reference. */
int cleaning_open(struct cleaning *c, int source, struct file **f);

/* clean_map.c: reads what is dirty into the map. */
int clean_map_build(struct cleaning *c);

/* ---- clean_segment.c: one new segment for a few old ones ---- */

/* Writes <base>.*.cleaned of the sources [first, first + count), durable. An error: nothing of it is left, as
 * far as the disk allows. */
int clean_segment_write(struct cleaning *c, struct clean_filter *f, int first, int count, struct segment *s);

/* Closes it and deletes its .cleaned files. */
void clean_segment_drop(struct cleaning *c, struct segment *s);

/* swap.c: the new segment takes the place of the sources. */
int clean_swap(struct cleaning *c, int first, int count, struct segment *s);

#endif
