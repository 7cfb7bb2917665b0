/* A partition that a request asks for, at some place of it, for those who must see that it asks twice. Pure.
 */
#ifndef OTTLA_SERVER_ASKED_PARTITION_H
#define OTTLA_SERVER_ASKED_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "wire/types.h"

struct asked_partition {
    struct kstr topic;
    struct uuid id;
    int32_t partition;
    int32_t at;      /* its place in the request */
    const void *ask; /* the caller's */
};

bool asked_same_topic(const struct asked_partition *a, const struct asked_partition *b);
bool asked_same(const struct asked_partition *a, const struct asked_partition *b);
/* Does a come before b, by topic, then partition? */
bool asked_before(const struct asked_partition *a, const struct asked_partition *b);
/* By topic, then partition, then place: those for the same partition are neighbours, the first one first. */
void asked_sort(struct asked_partition *asked, size_t n);

#endif
