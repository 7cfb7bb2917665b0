/* The limits of client quotas as the metadata gives them, and which of them counts for a client. Built once,
 * then immutable.
 *
 * A limit belongs to a user, a client id, or both; each named or the default of all. The most specific one
 * counts, the user's before the client id's:
 *   1 user and client id   2 user, any client id   3 user
 *   4 any user, client id  5 any user, any client id  6 any user   7 client id   8 any client id
 * Who shares a limit follows from it: with 3 and 6 all clients of a user together, with 7 and 8 all users of
 * a client id, else each pair has its own. Reference: ClientQuotaManager. */
#ifndef OTTLA_QUOTA_LIMITS_H
#define OTTLA_QUOTA_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

enum quota_type { QUOTA_PRODUCE, QUOTA_FETCH, QUOTA_REQUEST, QUOTA_MUTATION, QUOTA_TYPES };
#define QUOTA_UNLIMITED 9223372036854775807.0

/* The type of a quota's key ("producer_byte_rate", …); -1: it is no client quota. */
int quota_type_of(const char *key);
const char *quota_type_key(enum quota_type type);

struct limits; /* one owner */

struct limits *limits_new(uint64_t seed);
void limits_free(struct limits *l);

/* One side of an entity. */
enum limit_side { SIDE_ABSENT, SIDE_NAMED, SIDE_DEFAULT };
struct limit_entity {
    enum limit_side user, client;
    struct kstr user_name, client_name; /* of SIDE_NAMED */
};
/* At least one side is there. */
void limits_set(struct limits *l, enum quota_type type, const struct limit_entity *e, double value);

/* Is anything set for the type? */
bool limits_any(const struct limits *l, enum quota_type type);

/* What counts for a client: the limit per second, or QUOTA_UNLIMITED; and whether it is that user's, that
 * client id's, alone. */
struct limit_found {
    bool by_user, by_client;
    double limit;
};
/* A client without a client id has no limit by client id. */
struct limit_found limits_find(const struct limits *l, enum quota_type type, struct kstr user,
                               struct kstr client_id);

#endif
