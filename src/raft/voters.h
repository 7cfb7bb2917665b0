/* The voters of the quorum: from controller.quorum.voters (static, kraft.version 0), or from VotersRecords in
 * the log and its snapshots (KIP-853, kraft.version 1). Source: org.apache.kafka.raft.VoterSet,
 * DynamicVoters. */
#ifndef OTTLA_RAFT_VOTERS_H
#define OTTLA_RAFT_VOTERS_H

#include "base/uuid.h"

#include <stddef.h>
#include <stdint.h>

struct writer;

enum { VOTER_NAME_MAX = 256, VOTERS_MAX = 64 };

struct voter {
    int32_t id;
    struct uuid directory;                               /* zero with static voters */
    char listener[VOTER_NAME_MAX], host[VOTER_NAME_MAX]; /* of its first endpoint */
    uint16_t port;
};

struct voters {
    int32_t n;
    struct voter v[VOTERS_MAX];
};

/* "1@host:9093,2@…", and for --initial-controllers "1@host:9093:directoryId,…". 0 or OE_MALFORMED. */
int voters_parse(const char *text, struct voters *to);
int voters_parse_initial(const char *text, const char *listener, struct voters *to);
const struct voter *voters_find(const struct voters *s, int32_t id);
/* A VotersRecord. decode: 0, OE_MALFORMED, OE_UNSUPPORTED. encode: 0 or the writer's error. */
int voters_decode(const void *value, size_t len, struct voters *to);
int voters_encode(const struct voters *s, struct writer *to);

#endif
