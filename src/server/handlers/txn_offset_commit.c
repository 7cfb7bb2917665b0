/* TxnOffsetCommit: a group's offsets that become visible with the transaction's commit. First the partition
 * of
 * __consumer_offsets is verified with, or added by, the transaction coordinator; then the group coordinator
 * writes. KafkaApis.handleTxnOffsetCommitRequest, CoordinatorRuntime.scheduleTransactionalWriteOperation. */
#include "server/handlers/handlers.h"

#include "api/txn_offset_commit.h"
#include "base/err.h"
#include "metadata/image.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/coord_call.h"
#include "server/error_map.h"
#include "server/net.h"
#include "server/node.h"
#include "server/verification.h"
#include "storage/log.h"

enum {
    FIRST_VERSION_THAT_ADDS = 5,
    FIRST_VERSION_WITH_ABORTABLE = 4,
    FIRST_VERSION_WITH_LOADING = 2, /* older producers end when a coordinator loads */
    NO_BASE_SEQUENCE = -1,
};

struct commit {
    struct group_txn_offset_commit to_group; /* what exists */
    struct txn_offset_commit_response out;   /* in the order of the request; refused ones have their error */
    const struct txn_offset_commit_request *in;
    struct verification_call call;
    uint64_t guard;
};

static bool exists(const struct topic *t, int32_t partition) {
    return t && partition >= 0 && partition < t->partitions_n && t->partitions[partition];
}

/* One topic: what exists goes to the group, the rest gets its error. */
static bool take_topic(struct request *r, struct commit *c,
                       const struct txn_offset_commit_request_txn_offset_commit_request_topic *in) {
    const struct topic *t =
        image_topic_by_name(request_image(r), in->name.s ? in->name.s : "", (size_t)in->name.len);
    struct offset_commit_request *q = &c->to_group.commit;
    struct offset_commit_request_offset_commit_request_topic *to = &q->topics[q->topics_n];
    struct txn_offset_commit_response_txn_offset_commit_response_topic *o = &c->out.topics[c->out.topics_n++];
    size_t n = (size_t)in->partitions_n;
    o->name = in->name;
    o->partitions = request_array(r, n + 1, sizeof *o->partitions);
    to->name = in->name;
    to->topic_id = t ? t->id : (struct uuid){0};
    to->partitions = request_array(r, n + 1, sizeof *to->partitions);
    if (!o->partitions || !to->partitions) return false;
    o->partitions_n = in->partitions_n;
    for (int32_t i = 0; i < in->partitions_n; i++) {
        const struct txn_offset_commit_request_txn_offset_commit_request_partition *p = &in->partitions[i];
        o->partitions[i].partition_index = p->partition_index;
        if (!exists(t, p->partition_index)) {
            o->partitions[i].error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            continue;
        }
        to->partitions[to->partitions_n++] = (struct offset_commit_request_offset_commit_request_partition){
            .partition_index = p->partition_index,
            .committed_offset = p->committed_offset,
            .committed_leader_epoch = p->committed_leader_epoch,
            .committed_metadata = p->committed_metadata,
        };
    }
    q->topics_n += to->partitions_n > 0;
    return true;
}

static bool take(struct request *r, struct commit *c) {
    const struct txn_offset_commit_request *in = c->in;
    struct offset_commit_request *q = &c->to_group.commit;
    offset_commit_request_init(q);
    q->group_id = in->group_id;
    q->generation_id_or_member_epoch = in->generation_id;
    q->member_id = in->member_id;
    q->group_instance_id = in->group_instance_id;
    q->retention_time_ms = -1;
    q->topics = request_array(r, (size_t)in->topics_n + 1, sizeof *q->topics);
    c->to_group.producer_id = in->producer_id;
    c->to_group.producer_epoch = in->producer_epoch;
    c->out.topics = request_array(r, (size_t)in->topics_n + 1, sizeof *c->out.topics);
    bool ok = q->topics && c->out.topics;
    for (int32_t i = 0; ok && i < in->topics_n; i++) ok = take_topic(r, c, &in->topics[i]);
    return ok;
}

/* What was not refused gets `error`, or what the group says: it has the rest in the same order. */
static void answer(struct request *r, struct commit *c, int16_t error,
                   const struct offset_commit_response *from) {
    int32_t topic = 0;
    for (int32_t t = 0; t < c->out.topics_n; t++) {
        struct txn_offset_commit_response_txn_offset_commit_response_topic *o = &c->out.topics[t];
        int32_t at = 0;
        for (int32_t i = 0; i < o->partitions_n; i++) {
            int16_t *code = &o->partitions[i].error_code;
            if (!*code) *code = from ? from->topics[topic].partitions[at++].error_code : error;
            if (*code == KERR_COORDINATOR_LOAD_IN_PROGRESS && r->version < FIRST_VERSION_WITH_LOADING)
                *code = KERR_COORDINATOR_NOT_AVAILABLE;
        }
        topic += at > 0;
    }
    request_finish(r, &c->out);
}

static void finish(struct request *r) {
    struct commit *c = ((struct coord_call *)r->state)->context;
    const struct offset_commit_response *from = coord_call_response(r);
    if (from) answer(r, c, KERR_NONE, from);
}

static void write_offsets(struct request *r, struct commit *c) {
    struct coord_call *call = coord_call_begin(r, COORDINATOR_GROUP, 1);
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = c;
    call->ops[0].api = GROUP_API_TXN_OFFSET_COMMIT;
    call->ops[0].request = &c->to_group;
    call->ops[0].guard = c->guard;
    coord_call_send(call, finish);
}

static int16_t for_client(int16_t error) {
    return group_error_for_client(GROUP_API_TXN_OFFSET_COMMIT, error);
}

static struct kstr offsets_topic(const struct request *r) {
    return coordinators_topic(r->node->coordinators, COORDINATOR_GROUP);
}

static int32_t offsets_partition(const struct request *r, const struct commit *c) {
    return coord_partition_of(coordinators_get(r->node->coordinators, COORDINATOR_GROUP), c->in->group_id);
}

static void on_verified(struct verification_call *v) {
    struct commit *c = v->owner;
    struct request *r = v->request;
    int16_t error = verification_error(v, offsets_topic(r), offsets_partition(r, c));
    verification_free(v);
    if (error)
        answer(r, c, for_client(error), NULL);
    else
        write_offsets(r, c);
}

static enum verification_kind kind_of(int16_t version) {
    if (version >= FIRST_VERSION_THAT_ADDS) return VERIFY_ADD;
    return version >= FIRST_VERSION_WITH_ABORTABLE ? VERIFY_ONLY : VERIFY_OLD;
}

static int16_t begin_verification(struct request *r, struct commit *c) {
    struct kstr name = offsets_topic(r);
    struct replica *p = replicas_get(r->node->replicas, name.s, (size_t)name.len, offsets_partition(r, c));
    if (!p) return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    int64_t now = loop_wall(r->net->loop);
    log_lock(p->log);
    int err = p->deleted ? OE_CLOSED : replica_open(p, now);
    if (!err)
        err = log_verification_begin(p->log, c->in->producer_id, c->in->producer_epoch, NO_BASE_SEQUENCE,
                                     c->call.kind == VERIFY_ADD, now, &c->guard);
    log_unlock(p->log);
    replica_unref(p);
    return !err ? KERR_NONE : err == OE_INVALID ? KERR_INVALID_PRODUCER_EPOCH : kerr_of_storage(err);
}

static void verify(struct request *r, struct commit *c) {
    verification_init(&c->call, r, kind_of(r->version), c->in->transactional_id, c->in->producer_id,
                      c->in->producer_epoch);
    int16_t error = KERR_NONE;
    if (c->call.kind == VERIFY_ADD || verification_enabled(r->node)) error = begin_verification(r, c);
    if (error) {
        answer(r, c, for_client(error), NULL);
    } else if (!c->guard) {
        write_offsets(r, c);
    } else {
        c->call.owner = c;
        verification_add(&c->call, offsets_topic(r), offsets_partition(r, c));
        verification_send(&c->call, on_verified);
    }
}

void handle_txn_offset_commit(struct request *r, const struct txn_offset_commit_request *in) {
    struct commit *c = request_alloc(r, sizeof *c);
    txn_offset_commit_response_init(&c->out);
    c->in = in;
    if (!take(r, c))
        request_fail(r, "out of memory");
    else if (!c->to_group.commit.topics_n)
        request_finish(r, &c->out);
    else if (in->group_id.len <= 0)
        answer(r, c, KERR_INVALID_GROUP_ID, NULL);
    else
        verify(r, c);
}
