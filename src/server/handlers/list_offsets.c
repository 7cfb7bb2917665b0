/* ListOffsets: earliest, latest, by time, largest timestamp, local and tiered.
 * KafkaApis.handleListOffsetRequest, Partition.fetchOffsetForTimestamp, UnifiedLog.fetchOffsetByTimestamp. */
#include "server/handlers/handlers.h"

#include "api/list_offsets.h"
#include "replica/replica.h"
#include "server/asked_partition.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/net.h"
#include "storage/log.h"

/* Timestamps with a meaning of their own, and the first version that knows them. */
enum {
    LATEST = -1,
    EARLIEST = -2,
    MAX_TIMESTAMP = -3,          /* 7 */
    EARLIEST_LOCAL = -4,         /* 8 */
    LATEST_TIERED = -5,          /* 9 */
    EARLIEST_PENDING_UPLOAD = -6 /* 11 */
};
enum { CONSUMER = -1, READ_COMMITTED = 1, FIRST_VERSION_WITH_EPOCH = 4 };

static bool known_timestamp(int64_t timestamp, int16_t version) {
    static const int8_t first[] = {0, 0, 7, 8, 9, 11}; /* of −1, −2, … */
    return timestamp >= 0 || (timestamp >= EARLIEST_PENDING_UPLOAD && version >= first[-timestamp - 1]);
}

/* With the log's lock held. */
static int16_t find(struct request *r, const struct list_offsets_request *in, struct replica *p,
                    int64_t timestamp, struct log_position *at) {
    struct log *log = p->log;
    int err = replica_open(p, loop_wall(r->net->loop));
    if (err) return kerr_of_storage(err);
    int64_t bound = in->replica_id != CONSUMER              ? log_end_offset(log)
                    : in->isolation_level == READ_COMMITTED ? log_last_stable_offset(log)
                                                            : log_high_watermark(log);
    switch (timestamp) {
    case LATEST: *at = (struct log_position){bound, -1, p->leader_epoch}; return 0;
    case EARLIEST:
    case EARLIEST_LOCAL: return kerr_of_storage(log_earliest(log, at));
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD: *at = (struct log_position){-1, -1, -1}; return 0;
    case MAX_TIMESTAMP: err = log_max_timestamp(log, r->net->codec, at); break;
    default: err = log_offset_for_timestamp(log, timestamp, r->net->codec, at); break;
    }
    if (!err && at->offset >= bound) *at = (struct log_position){-1, -1, -1};
    return kerr_of_storage(err);
}

static void answer(struct request *r, const struct list_offsets_request *in, struct kstr topic,
                   const struct list_offsets_request_list_offsets_partition *asked,
                   struct list_offsets_response_list_offsets_partition_response *o) {
    struct log_position at = {-1, -1, -1};
    list_offsets_response_list_offsets_partition_response_init(o);
    o->partition_index = asked->partition_index;
    if (!known_timestamp(asked->timestamp, r->version)) {
        o->error_code = KERR_UNSUPPORTED_VERSION;
        return;
    }
    struct replica *p = lookup_by_name(r->node, topic, asked->partition_index, &o->error_code);
    if (!p) return;
    log_lock(p->log);
    o->error_code =
        p->deleted ? KERR_UNKNOWN_TOPIC_OR_PARTITION : check_leader_epoch(p, asked->current_leader_epoch);
    if (!o->error_code) o->error_code = find(r, in, p, asked->timestamp, &at);
    log_unlock(p->log);
    if (o->error_code) return;
    o->offset = at.offset;
    o->timestamp = at.timestamp;
    if (r->version >= FIRST_VERSION_WITH_EPOCH) o->leader_epoch = at.leader_epoch;
}

/* Everything that is asked for, in order of topics and partitions; NULL: no memory. */
static struct asked_partition *list_asked(struct request *r, const struct list_offsets_request *in,
                                          int32_t *n) {
    size_t total = 0;
    for (int32_t t = 0; t < in->topics_n; t++) total += (size_t)in->topics[t].partitions_n;
    struct asked_partition *asked = total < INT32_MAX ? request_array(r, total, sizeof *asked) : NULL;
    *n = 0;
    for (int32_t t = 0; asked && t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++, ++*n)
            asked[*n] = (struct asked_partition){.topic = in->topics[t].name,
                                                 .partition = in->topics[t].partitions[i].partition_index,
                                                 .at = *n,
                                                 .ask = &in->topics[t].partitions[i]};
    if (asked) asked_sort(asked, (size_t)*n);
    return asked;
}

/* A partition that is asked for more than once is not answered; whatever entry it stands in, a topic is one.
 */
void handle_list_offsets(struct request *r, const struct list_offsets_request *in) {
    struct list_offsets_response *out = request_alloc(r, sizeof *out);
    int32_t n;
    list_offsets_response_init(out);
    struct asked_partition *asked = list_asked(r, in, &n);
    struct list_offsets_response_list_offsets_partition_response *p =
        asked ? request_array(r, (size_t)n, sizeof *p) : NULL;
    out->topics =
        p ? request_array(r, (size_t)(n < in->topics_n ? n : in->topics_n), sizeof *out->topics) : NULL;
    if (!out->topics) {
        request_fail(r, "the request is too large for its memory");
        return;
    }
    for (int32_t i = 0, times; i < n; i += times, p++) {
        for (times = 1; i + times < n && asked_same(&asked[i], &asked[i + times]);) times++;
        if (!i || !asked_same_topic(&asked[i - 1], &asked[i])) {
            struct list_offsets_response_list_offsets_topic_response *t = &out->topics[out->topics_n++];
            list_offsets_response_list_offsets_topic_response_init(t);
            t->name = asked[i].topic;
            t->partitions = p;
        }
        out->topics[out->topics_n - 1].partitions_n++;
        if (times == 1) {
            answer(r, in, asked[i].topic, asked[i].ask, p);
            continue;
        }
        list_offsets_response_list_offsets_partition_response_init(p);
        p->partition_index = asked[i].partition;
        p->error_code = KERR_INVALID_REQUEST;
    }
    request_finish(r, out);
}
