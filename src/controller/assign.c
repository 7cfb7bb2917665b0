/* Directories of replicas (ReplicationControlManager.handleAssignReplicasToDirs, KIP-858). */
#include "api/assign_replicas_to_dirs.h"
#include "base/assert.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <string.h>

struct assignment {
    struct controller *c;
    const struct broker *broker;
    const struct uuid *dir;
    struct record_list *records;
};

static void change_directory(const struct assignment *a, const struct topic *t, int32_t index,
                             int32_t place) {
    const struct partition *p = t->partitions[index];
    struct partition_change_record rec;
    if (uuid_equal(&p->directories[place], a->dir)) return;
    struct uuid *dirs = arena_alloc(&a->records->arena, (size_t)p->replicas_n * sizeof *dirs);
    if (!dirs) {
        a->records->failed = true;
        return;
    }
    memcpy(dirs, p->directories, (size_t)p->replicas_n * sizeof *dirs);
    dirs[place] = *a->dir;
    partition_change_record_init(&rec);
    rec.topic_id = t->id;
    rec.partition_id = index;
    rec.directories = dirs;
    rec.directories_n = p->replicas_n;
    record_add_partition_change(a->records, mv_partition_version(a->c->image->metadata_version), &rec);
}

static int16_t assign(const struct assignment *a, const struct topic *t, int32_t index) {
    if (!t) return KERR_UNKNOWN_TOPIC_ID;
    const struct partition *p = index >= 0 && index < t->partitions_n ? t->partitions[index] : NULL;
    if (!p) return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    int32_t place = 0;
    while (place < p->replicas_n && p->replicas[place] != a->broker->id) place++;
    if (place == p->replicas_n) return KERR_NOT_LEADER_OR_FOLLOWER;
    change_directory(a, t, index, place);
    return 0;
}

/* After all assignments, as the reference does: who cannot lead any more. */
static void elect_offline(const struct assignment *a,
                          const struct assign_replicas_to_dirs_request_directory_data *d) {
    for (int32_t i = 0; i < d->topics_n; i++) {
        const struct topic *t = image_topic_by_id(a->c->image, &d->topics[i].topic_id);
        for (int32_t k = 0; t && k < d->topics[i].partitions_n; k++) {
            int32_t index = d->topics[i].partitions[k].partition_index;
            if (index >= 0 && index < t->partitions_n && t->partitions[index])
                election_add(a->c, t, index, a->broker->id, a->records);
        }
    }
}

static bool answer_topic(const struct assignment *a, struct arena *arena,
                         const struct assign_replicas_to_dirs_request_topic_data *in,
                         struct assign_replicas_to_dirs_response_topic_data *out) {
    const struct topic *t = image_topic_by_id(a->c->image, &in->topic_id);
    out->topic_id = in->topic_id;
    out->partitions = arena_calloc(arena, (size_t)in->partitions_n, sizeof *out->partitions);
    if (!out->partitions && in->partitions_n) return false;
    out->partitions_n = in->partitions_n;
    for (int32_t i = 0; i < in->partitions_n; i++) {
        out->partitions[i].partition_index = in->partitions[i].partition_index;
        out->partitions[i].error_code = assign(a, t, in->partitions[i].partition_index);
    }
    return true;
}

static bool answer_directory(const struct assignment *a, struct arena *arena,
                             const struct assign_replicas_to_dirs_request_directory_data *in,
                             struct assign_replicas_to_dirs_response_directory_data *out) {
    bool ok = true;
    out->id = in->id;
    out->topics = arena_calloc(arena, (size_t)in->topics_n, sizeof *out->topics);
    if (!out->topics && in->topics_n) return false;
    out->topics_n = in->topics_n;
    for (int32_t i = 0; i < in->topics_n && ok; i++)
        ok = answer_topic(a, arena, &in->topics[i], &out->topics[i]);
    return ok;
}

void controller_assign_replicas_to_dirs(struct controller *c, const struct controller_context *x,
                                        const struct assign_replicas_to_dirs_request *request,
                                        struct assign_replicas_to_dirs_response *response,
                                        struct record_list *records) {
    assign_replicas_to_dirs_response_init(response);
    if (c->image->metadata_version < MV_3_7_IV2)
        response->error_code = KERR_UNSUPPORTED_VERSION;
    else if (broker_check_epoch(c->image, request->broker_id, request->broker_epoch))
        response->error_code = KERR_STALE_BROKER_EPOCH;
    if (response->error_code) return;
    struct assignment a = {c, image_broker(c->image, request->broker_id), NULL, records};
    records->atomic = false;
    response->directories =
        arena_calloc(x->arena, (size_t)request->directories_n, sizeof *response->directories);
    bool ok = response->directories || !request->directories_n;
    for (int32_t i = 0; i < request->directories_n && ok; i++) {
        a.dir = &request->directories[i].id;
        ok = answer_directory(&a, x->arena, &request->directories[i], &response->directories[i]);
        response->directories_n = i + 1;
    }
    for (int32_t i = 0; i < request->directories_n && ok; i++)
        if (!broker_has_dir(a.broker, &request->directories[i].id))
            elect_offline(&a, &request->directories[i]);
    if (ok) return;
    assign_replicas_to_dirs_response_init(response);
    response->error_code = KERR_UNKNOWN_SERVER_ERROR;
    record_list_truncate(records, 0);
}
