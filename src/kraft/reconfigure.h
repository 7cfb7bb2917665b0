/* Changes of the quorum itself: kraft.version and voters. The owner's thread, as all of kraft/node.h. */
#ifndef OTTLA_KRAFT_RECONFIGURE_H
#define OTTLA_KRAFT_RECONFIGURE_H

#include <stdint.h>

struct kraft;
struct add_raft_voter_request;
struct remove_raft_voter_request;

/* A Kafka error code, and *why: a constant text. A quorum of one cannot be changed, so none is 0. */
int16_t kraft_add_voter(const struct kraft *k, const struct add_raft_voter_request *q, const char **why);
int16_t kraft_remove_voter(const struct kraft *k, const struct remove_raft_voter_request *q,
                           const char **why);
/* From kraft.version 0 to 1: the version and the voters stand in the log from now on. 0, or what kraft_append
 * returns; the image is not changed. */
int kraft_raise_version(struct kraft *k, int16_t version, int64_t now_ms);

#endif
