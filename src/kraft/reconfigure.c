/* Changes of the quorum itself (KIP-853): kraft.version, voters. In this release the quorum has one voter and
 * no observer ever catches up, so a voter cannot be added, and the last one not removed: both are checked and
 * refused as the reference does. Reference: KafkaRaftClient.handleAddVoterRequest and its kin,
 * AddVoterHandler, RemoveVoterHandler, LeaderState.maybeAppendUpgradedKRaftVersion. */
#include "kraft/reconfigure.h"

#include "api/add_raft_voter.h"
#include "api/remove_raft_voter.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "kraft/node_internal.h"
#include "records/control.h"
#include "wire/writer.h"

#include <stdio.h>

enum { CONTROL_MEMORY = 64 << 10 };

static bool no_uuid(const struct uuid *u) { return uuid_equal(u, &(struct uuid){{0}}); }

static bool other_cluster(const struct kraft *k, struct kstr id) {
    return id.len >= 0 && !kstr_is(id, k->o.cluster_id);
}

int16_t kraft_add_voter(const struct kraft *k, const struct add_raft_voter_request *q, const char **why) {
    *why = NULL;
    if (other_cluster(k, q->cluster_id)) {
        *why = "The cluster id of the request is not that of this cluster";
        return KERR_INCONSISTENT_CLUSTER_ID;
    }
    if (q->voter_id < 0 || no_uuid(&q->voter_directory_id)) {
        *why = "Add voter request didn't include a valid voter";
        return KERR_INVALID_REQUEST;
    }
    bool reachable = false;
    for (int32_t i = 0; i < q->listeners_n; i++)
        reachable |= k->o.listener && kstr_is(q->listeners[i].name, k->o.listener);
    if (!reachable) {
        *why = "Add voter request didn't include the endpoint of the controllers' listener";
        return KERR_INVALID_REQUEST;
    }
    if (k->kraft_version < 1) {
        *why = "Cluster doesn't support adding voter because the kraft.version feature is 0";
        return KERR_UNSUPPORTED_VERSION;
    }
    if (voters_find(&k->voters, q->voter_id)) {
        *why = "The voter id is already part of the set of voters";
        return KERR_DUPLICATE_VOTER;
    }
    *why = "Aborted add voter operation: the new voter does not follow this leader's log";
    return KERR_REQUEST_TIMED_OUT;
}

int16_t kraft_remove_voter(const struct kraft *k, const struct remove_raft_voter_request *q,
                           const char **why) {
    *why = NULL;
    if (other_cluster(k, q->cluster_id)) {
        *why = "The cluster id of the request is not that of this cluster";
        return KERR_INCONSISTENT_CLUSTER_ID;
    }
    if (q->voter_id < 0 || no_uuid(&q->voter_directory_id)) {
        *why = "Remove voter request didn't include a valid voter";
        return KERR_INVALID_REQUEST;
    }
    if (k->kraft_version < 1) {
        *why = "Cluster doesn't support removing voter because the kraft.version feature is 0";
        return KERR_UNSUPPORTED_VERSION;
    }
    const struct voter *v = voters_find(&k->voters, q->voter_id);
    if (!v || !uuid_equal(&v->directory, &q->voter_directory_id)) {
        *why = "Cannot remove a voter that is not in the set of voters";
        return KERR_VOTER_NOT_FOUND;
    }
    ASSERT(k->voters.n == 1);
    *why = "The last voter cannot be removed";
    return KERR_INVALID_REQUEST;
}

int kraft_raise_version(struct kraft *k, int16_t version, int64_t now_ms) {
    ASSERT(version == 1 && k->kraft_version <= 1);
    if (k->kraft_version == version) return 0;
    if (k->failed) return OE_OFFLINE;
    struct voters voters = k->voters;
    struct voter *self = &voters.v[0];
    ASSERT(voters.n == 1);
    self->directory = k->o.directory_id;
    if (k->o.listener) snprintf(self->listener, sizeof self->listener, "%s", k->o.listener);
    struct writer w;
    struct strbuf b;
    writer_init(&w, CONTROL_MEMORY);
    strbuf_init(&b, CONTROL_MEMORY);
    struct kraft_version_record record = {.kraft_version = version};
    int err = kraft_version_record_encode(&record, &w, 0);
    size_t first = writer_len(&w);
    if (!err) err = voters_encode(&voters, &w);
    struct control_value v[] = {{CONTROL_KRAFT_VERSION, w.buf, first},
                                {CONTROL_KRAFT_VOTERS, w.buf + first, writer_len(&w) - first}};
    if (!err) err = batches_control(v, 2, k->raft.log_end, k->raft.election.epoch, now_ms, &b);
    if (!err) err = kraft_write_batches(k, &b, 2, now_ms);
    if (!err) {
        k->kraft_version = version;
        k->voters = voters;
        k->voters_in_log = true;
        kraft_image_reaches(k, now_ms);
    }
    writer_free(&w);
    strbuf_free(&b);
    return err;
}
