/* The consumer protocol inside of the classic one: what consumers put into JoinGroup's metadata and
 * SyncGroup's assignment. Private to group/. Source: ConsumerProtocol of the clients. */
#ifndef OTTLA_GROUP_EMBEDDED_H
#define OTTLA_GROUP_EMBEDDED_H

#include "group/assigned.h"
#include "records/consumer_protocol.h"

struct group_shard;

/* Lists in the arena, strings in the bytes. false: malformed, or no memory. */
bool embedded_subscription(struct arena *a, struct kbytes bytes, struct consumer_protocol_subscription *out);
bool embedded_assignment(struct arena *a, struct kbytes bytes, struct consumer_protocol_assignment *out);
/* An assignment in the version that the subscription has; topics that are gone are left out. In the arena;
 * null: the subscription is malformed, or no memory. */
struct kbytes embedded_encode(const struct group_shard *s, struct arena *a, const struct assigned *assigned,
                              struct kbytes subscription);

#endif
