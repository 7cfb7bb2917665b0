/* Private to storage/: one index file of a segment, offset index or time index (OffsetIndex, TimeIndex,
 * AbstractIndex).
 *
 * Entries are big-endian, ascending, of one size:
 *   offset index, 8 bytes: relative offset 4 (of a batch's last record) | position 4 (of that batch)
 *   time index,  12 bytes: timestamp 8 | relative offset 4
 *
 * The first `on_disk` entries are in the file, the others in `tail`, which is appended to the file by
 * index_flush. The file always ends with a whole entry that was appended; Kafka accepts such a file as it
 * accepts its own trimmed one. */
#ifndef OTTLA_STORAGE_INDEX_H
#define OTTLA_STORAGE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "io/file.h"

enum { OFFSET_ENTRY = 8, TIME_ENTRY = 12, INDEX_TAIL_MAX = 512 };

struct index {
    struct file *file; /* NULL until the file is needed */
    uint8_t *tail;
    uint32_t on_disk, count; /* entries */
    uint16_t cap;            /* of tail */
    uint8_t entry;           /* bytes of one */
};

/* What an entry is looked up by. */
enum index_key { BY_OFFSET, BY_POSITION, BY_TIMESTAMP };
struct index_entry {
    int64_t timestamp;
    uint32_t offset, position; /* relative */
};

/* Takes over the file (may be NULL for none yet) and its entries. 0, OE_CORRUPT when its size or order at the
 * end is impossible, OE_IO. */
int index_init(struct index *x, uint8_t entry, struct file *file);
/* Entry n < count. 0 or OE_IO. */
int index_get(struct index *x, uint32_t n, struct index_entry *e);
/* The last entry with key ≤ target: 1 and the entry, 0 when there is none, or OE_IO. n may be NULL. */
int index_floor(struct index *x, enum index_key key, int64_t target, struct index_entry *e, uint32_t *n);
/* Adds to the tail; the tail has room (index_tail_full). */
void index_add(struct index *x, const struct index_entry *e);
static inline bool index_tail_full(const struct index *x) { return x->count - x->on_disk >= INDEX_TAIL_MAX; }
/* Writes the tail to the file, which is made at `path` if there is none. */
int index_flush(struct index *x, struct fs *fs, const char *path);
/* Keeps the first n entries. The file is cut as well. */
int index_truncate(struct index *x, uint32_t n);
void index_close(struct index *x); /* what is not flushed is lost */

#endif
