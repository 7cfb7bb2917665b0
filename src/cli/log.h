/* Private to the log verb: reading the files of a log directory, one after another, believing nothing. */
#ifndef OTTLA_CLI_LOG_H
#define OTTLA_CLI_LOG_H

#include "cli/command.h"
#include "io/file.h"
#include "record/batch.h"
#include "record/record.h"

enum log_kind {
    LOG_SEGMENT,        /* .log */
    LOG_KRAFT_SNAPSHOT, /* .checkpoint: batches, as in a segment */
    LOG_OFFSET_INDEX,
    LOG_TIME_INDEX,
    LOG_TXN_INDEX,
    LOG_PRODUCERS,       /* .snapshot */
    LOG_CHECKPOINT_TEXT, /* <x>-offset-checkpoint, leader-epoch-checkpoint */
    LOG_TEXT,            /* meta.properties, partition.metadata, quorum-state */
    LOG_UNKNOWN,
};

enum {
    INDEX_ENTRY = 8,       /* relative offset 4, position 4 */
    TIME_INDEX_ENTRY = 12, /* timestamp 8, relative offset 4 */
    TXN_INDEX_ENTRY = 34,  /* version 2, producer id 8, first offset 8, last offset 8, last stable offset 8 */
    SNAPSHOT_HEADER = 10,  /* version 2, CRC-32C 4 (of what follows), entries 4 */
    SNAPSHOT_ENTRY = 46,
    LOG_SMALL_MAX = 1 << 28, /* the most bytes of a file that is read as a whole */
    LOG_PLAIN_MAX = 1 << 30, /* and of a batch's records, decompressed */
};

const char *log_base_name(const char *path);
enum log_kind log_kind_of(const char *path);
/* The offset in the name of a segment's file, or -1. */
int64_t log_name_offset(const char *path);

/* Batches of a file, one after another, whole. */
struct log_batches {
    struct file *file;
    int64_t size;     /* of the file when it was opened */
    int64_t at;       /* where the batch that was read begins; after an end or an error: where it is */
    int64_t next;     /* where the next one begins */
    uint8_t *buffer;  /* bytes of the file from buffer_at */
    size_t cap, have; /* of buffer */
    int64_t buffer_at;
};

/* 0 or an exit status after one line. */
int log_batches_open(struct log_batches *b, const char *path);
/* 1 and the batch (valid until the next call), which may have a wrong CRC; 0 at the end; OE_SHORT: the file
 * ends inside of a batch; OE_CORRUPT: no batch can begin here; OE_IO; OE_NOMEM. */
int log_batches_next(struct log_batches *b, const uint8_t **batch, size_t *n);
/* Whether everything from `at` to the end of the file is zero: space that was reserved. */
bool log_batches_zeros(struct log_batches *b);
void log_batches_close(struct log_batches *b);

/* The whole file; the caller frees. 0 or an exit status after one line. */
int log_read_small(const char *path, uint8_t **bytes, size_t *n);
/* Entries of `size` bytes in front of the zeros that an index's reserved space ends with. */
size_t log_index_entries(const uint8_t *bytes, size_t n, size_t size);

/* What records hold, by the topic whose directory it is. */
enum log_decode { DECODE_NONE, DECODE_METADATA, DECODE_OFFSETS, DECODE_TRANSACTIONS, DECODE_SHARE };
/* By the name of the directory of the path. */
enum log_decode log_decode_of(const char *path);
/* Appends the record as JSON members, `"key":{…},"value":{…}` or `"payload":{…}`; false when it is not such a
 * record (nothing added). */
bool log_decode_record(enum log_decode how, const struct record *r, struct strbuf *out);
/* As above, of a control batch: its type's name and the value as JSON. */
bool log_decode_control(const struct record *r, struct strbuf *out, const char **type);

int log_dump(struct cli *c);
int log_verify(struct cli *c);
extern const struct cli_command cli_log_command;

#endif
