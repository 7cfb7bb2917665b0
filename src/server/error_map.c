#include "server/error_map.h"

#include "base/err.h"
#include "base/kerr.h"

int16_t kerr_of_fault(enum append_fault fault) {
    switch (fault) {
    case FAULT_NONE: return KERR_NONE;
    case FAULT_CORRUPT: return KERR_CORRUPT_MESSAGE;
    case FAULT_INVALID_RECORD: return KERR_INVALID_RECORD;
    case FAULT_INVALID_TIMESTAMP: return KERR_INVALID_TIMESTAMP;
    case FAULT_TOO_LARGE: return KERR_MESSAGE_TOO_LARGE;
    case FAULT_LIST_TOO_LARGE: return KERR_RECORD_LIST_TOO_LARGE;
    case FAULT_UNSUPPORTED_FORMAT: return KERR_UNSUPPORTED_FOR_MESSAGE_FORMAT;
    case FAULT_OUT_OF_ORDER_SEQUENCE: return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case FAULT_PRODUCER_EPOCH: return KERR_INVALID_PRODUCER_EPOCH;
    case FAULT_TXN_STATE: return KERR_INVALID_TXN_STATE;
    case FAULT_COORDINATOR_FENCED: return KERR_TRANSACTION_COORDINATOR_FENCED;
    case FAULT_IO: return KERR_KAFKA_STORAGE_ERROR;
    case FAULT_UNSUPPORTED_CODEC: /* the reference knows no better code for a codec or bytes that it cannot
                                     read */
    case FAULT_OFFSETS:
    case FAULT_MEMORY: return KERR_UNKNOWN_SERVER_ERROR;
    }
    return KERR_UNKNOWN_SERVER_ERROR;
}

int16_t kerr_of_storage(int err) {
    switch (err) {
    case OE_OK: return KERR_NONE;
    case OE_RANGE: return KERR_OFFSET_OUT_OF_RANGE;
    case OE_OFFLINE:
    case OE_IO:
    case OE_NOSPC: return KERR_KAFKA_STORAGE_ERROR;
    case OE_CORRUPT: return KERR_CORRUPT_MESSAGE;
    default: return KERR_UNKNOWN_SERVER_ERROR;
    }
}
