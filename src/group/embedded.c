#include "group/embedded.h"

#include "base/assert.h"
#include "group/state.h"
#include "metadata/image.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { NEWEST = 3 };

/* A newer version begins with what we know. */
static int16_t read_version(struct reader *r) {
    int16_t version = read_i16(r);
    if (r->err || version < 0) return -1;
    return version < NEWEST ? version : NEWEST;
}

bool embedded_subscription(struct arena *a, struct kbytes bytes, struct consumer_protocol_subscription *out) {
    struct reader r = reader_of(bytes.p, bytes.len < 0 ? 0 : (size_t)bytes.len);
    int16_t version = read_version(&r);
    return version >= 0 && !consumer_protocol_subscription_decode(out, &r, version, a);
}

bool embedded_assignment(struct arena *a, struct kbytes bytes, struct consumer_protocol_assignment *out) {
    struct reader r = reader_of(bytes.p, bytes.len < 0 ? 0 : (size_t)bytes.len);
    int16_t version = read_version(&r);
    return version >= 0 && !consumer_protocol_assignment_decode(out, &r, version, a);
}

struct kbytes embedded_encode(const struct group_shard *s, struct arena *a, const struct assigned *assigned,
                              struct kbytes subscription) {
    struct reader r = reader_of(subscription.p, subscription.len < 0 ? 0 : (size_t)subscription.len);
    struct consumer_protocol_assignment v;
    int16_t version = read_version(&r);
    consumer_protocol_assignment_init(&v);
    v.assigned_partitions = arena_calloc(a, (size_t)assigned_topics(assigned), sizeof *v.assigned_partitions);
    if (version < 0 || !v.assigned_partitions) return KBYTES_NULL;
    for (int32_t i = 0; i < assigned_topics(assigned); i++) {
        const struct assigned_topic *from = &assigned->topics[i];
        const struct topic *t = s->image ? image_topic_by_id(s->image, &from->id) : NULL;
        if (!t) continue;
        v.assigned_partitions[v.assigned_partitions_n++] =
            (struct consumer_protocol_assignment_topic_partition){
                .topic = {t->name, t->name_len}, .partitions = from->partitions, .partitions_n = from->n};
    }
    size_t size = 2 + consumer_protocol_assignment_size(&v, version);
    uint8_t *bytes = arena_alloc(a, size);
    if (!bytes) return KBYTES_NULL;
    struct writer w;
    writer_init_with(&w, bytes, size, size);
    write_i16(&w, version);
    consumer_protocol_assignment_encode(&v, &w, version);
    ASSERT(!w.err && writer_len(&w) == size);
    return (struct kbytes){.p = bytes, .len = (int32_t)size};
}
