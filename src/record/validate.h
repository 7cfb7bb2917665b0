/* Checks what a client or a coordinator wants to append, as the reference does (LogValidator, and the checks
 * of UnifiedLog.analyzeAndValidateRecords before it), and makes it ready: offsets, leader epoch and
 * timestamps are patched in place; when the topic's compression.type asks for another codec the batch is
 * built anew in the arena.
 *
 * A refusal is a `fault` with its text; server/ turns a fault into Kafka's error code. */
#ifndef OTTLA_RECORD_VALIDATE_H
#define OTTLA_RECORD_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "record/batch.h"

enum append_origin { APPEND_CLIENT, APPEND_COORDINATOR, APPEND_RAFT_LEADER, APPEND_REPLICATION };

/* Why an append was refused. The comment is the error code that server/ answers with. */
enum append_fault {
    FAULT_NONE,
    FAULT_CORRUPT,               /* CORRUPT_MESSAGE */
    FAULT_INVALID_RECORD,        /* INVALID_RECORD */
    FAULT_INVALID_TIMESTAMP,     /* INVALID_TIMESTAMP */
    FAULT_TOO_LARGE,             /* MESSAGE_TOO_LARGE */
    FAULT_LIST_TOO_LARGE,        /* RECORD_LIST_TOO_LARGE: larger than a segment */
    FAULT_UNSUPPORTED_FORMAT,    /* UNSUPPORTED_FOR_MESSAGE_FORMAT */
    FAULT_UNSUPPORTED_CODEC,     /* UNSUPPORTED_COMPRESSION_TYPE */
    FAULT_OUT_OF_ORDER_SEQUENCE, /* OUT_OF_ORDER_SEQUENCE_NUMBER */
    FAULT_PRODUCER_EPOCH,        /* INVALID_PRODUCER_EPOCH */
    FAULT_TXN_STATE,             /* INVALID_TXN_STATE */
    FAULT_COORDINATOR_FENCED,    /* TRANSACTION_COORDINATOR_FENCED */
    FAULT_OFFSETS,               /* UNKNOWN_SERVER_ERROR: offsets of a follower's append out of order */
    FAULT_IO,                    /* KAFKA_STORAGE_ERROR */
    FAULT_MEMORY,                /* UNKNOWN_SERVER_ERROR */
};

struct record_error {
    int32_t index; /* of the record in its batch */
    const char *message;
};

/* What the topic asks of its records; filled from struct log_config. */
struct record_rules {
    int target_compression; /* enum compression, or -1: as the producer sent it */
    int level;              /* of the target */
    bool compacted, log_append_time;
    int64_t before_max_ms, after_max_ms; /* message.timestamp.{before,after}.max.ms */
    int32_t max_bytes;                   /* max.message.bytes; 0: no limit (internal topics' own) */
};

struct validation {
    /* in */
    uint8_t *bytes; /* mutable; one batch of magic 2, or messages of magic 0 and 1; borrowed. out: what to
                       append (arena's when it was built anew) */
    size_t len;     /* out: its bytes, of whole batches */
    const struct record_rules *rules;
    const char *partition; /* "topic-0", for texts */
    enum append_origin origin;
    int32_t leader_epoch;
    int64_t offset; /* the first to assign */
    int64_t now_ms;
    struct arena *arena; /* texts, errors, rebuilt batches */
    struct codec *codec;
    /* out */
    enum append_fault fault;
    const char *message;
    struct record_error *errors;
    int error_count;
    int64_t next_offset, max_timestamp;
    int32_t count;
    bool rebuilt;
};

/* 0 when the bytes may be appended; OE_INVALID with fault and message when not (the bytes are then
 * undefined). */
int record_validate(struct validation *v);

#endif
