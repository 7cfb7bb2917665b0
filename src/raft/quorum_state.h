/* The file quorum-state as text (org.apache.kafka.raft.FileQuorumStateStore): one line of JSON, version 0
 * with kraft.version 0, version 1 with 1. Reading and writing the file is kraft's. */
#ifndef OTTLA_RAFT_QUORUM_STATE_H
#define OTTLA_RAFT_QUORUM_STATE_H

#include "base/strbuf.h"
#include "raft/raft.h"

/* 0, OE_MALFORMED, OE_UNSUPPORTED (a data_version that is not known). text: NUL-ended. */
int quorum_state_parse(const char *text, struct raft_election *e);
/* voters: ids, written in version 0 only. */
void quorum_state_format(const struct raft_election *e, int16_t version, const int32_t *voters, int32_t n,
                         struct strbuf *out);

#endif
