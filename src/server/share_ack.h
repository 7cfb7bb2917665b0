/* Acknowledgements of a ShareFetch or ShareAcknowledge request: checked, brought to their share partitions,
 * and written; the request goes on when all are. Source: KafkaApis.handleAcknowledgements,
 * validateAcknowledgementBatches, SharePartitionManager.acknowledge. */
#ifndef OTTLA_SERVER_SHARE_ACK_H
#define OTTLA_SERVER_SHARE_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "server/request.h"
#include "server/share_settings.h"

struct shared_partition;

/* The acknowledgements for one partition, and what became of them. */
struct share_ack {
    struct uuid topic;
    int32_t index;
    const struct share_acknowledgement *batches;
    int32_t batches_n;
    struct share_acks *all;
    _Atomic int16_t error; /* of the end */
    const char *why;       /* with an error that the share partition or its state gave */
};

struct share_acks {
    struct request *request;
    void (*finish)(struct request *r);
    struct kstr group, member;
    struct share_settings settings;
    bool renew_known, renew; /* the request's version has RENEW; the request says that it renews */
    struct share_ack *acks;
    int32_t n;
    bool asked; /* some came as far as a share partition */
    _Atomic int32_t left;
};

/* Network loop. All fields but finish, left and the acks' ends are set. finish runs later, on the request's
 * loop. */
void share_acks_begin(struct share_acks *a, void (*finish)(struct request *r));
/* In finish: is there an answer for it? */
bool share_ack_shown(const struct share_ack *a);
struct kstr share_ack_message(const struct share_ack *a);

#endif
