/* Which topics match a group's regular expressions: looked up on another thread, for there may be many of
 * both. Private to group/. Source: TopicRegexResolver. */
#ifndef OTTLA_GROUP_TOPIC_REGEX_H
#define OTTLA_GROUP_TOPIC_REGEX_H

#include "group/consumer.h"

/* A look-up. Owns its copies; the image is a reference. */
struct regex_job {
    struct shard_job job;
    struct kstr group;
    struct image *image;
    int64_t wall_ms;
    int32_t n;
    struct resolved found[]; /* regex is set; topics when it has run */
};

/* For these expressions of a group; the texts are copied. */
struct regex_job *regex_job_create(struct group_shard *s, struct kstr group, const struct kstr *regexes,
                                   int32_t n);
void regex_job_free(struct regex_job *j);

#endif
