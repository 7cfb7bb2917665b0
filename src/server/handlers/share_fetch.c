/* ShareFetch: acknowledges what the member names, acquires records for it, and sends them.
 * KafkaApis.handleShareFetchRequest, SharePartitionManager.fetchMessages, DelayedShareFetch, ShareFetchUtils.
 *
 * A fetch looks at its share partitions in turn: where would each read, and what is there? With enough bytes,
 * an error, or no time left it acquires: with the share partition locked, if the place to read is still the
 * same (else it looks at that one anew). Otherwise it waits for an append, for records that come back, or for
 * the end of its time. Nothing is locked while it reads, and no two share partitions at once.
 *
 * The answer leaves when the acknowledgements are written and the fetch is done.
 *
 * Before: server/dispatch, server/share_sessions. After: server/shares, storage/log; server/connection sends
 * the slices. */
#include "server/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/share_fetch.h"
#include "base/assert.h"
#include "base/err.h"
#include "metadata/image.h"
#include "replica/replica.h"
#include "server/connection.h"
#include "server/error_map.h"
#include "server/fetch_wait.h"
#include "server/net.h"
#include "server/node.h"
#include "server/share_ack.h"
#include "server/share_read.h"
#include "server/share_sessions.h"
#include "server/shares.h"
#include "storage/log.h"

enum {
    FIRST_VERSION_WITH_RENEW = 2,
    TRIES = 4, /* others acquire from the same share partition meanwhile */
};

/* A partition that is fetched. */
struct part {
    struct share_item item;
    struct shared_partition *shared; /* a reference; NULL with an error */
    struct share_waiter waiter;
    bool waits;
    int16_t error; /* in the answer */
    bool readable; /* in the running look: it is active and may acquire, at `offset` */
    int64_t offset;
    struct log_slice slice;
    bool answered, has_records;          /* it is in the answer */
    struct share_acquired_list acquired; /* to be freed */
    uint32_t from, len;                  /* of the slice */
};

struct share_fetching {
    struct request *request;
    const struct share_fetch_request *in;
    struct share_context context;
    struct share_acks acks;
    struct part *parts;
    int32_t parts_n;
    struct fetch_wait *wait;
    int32_t max_bytes, min_bytes;
    int64_t deadline;
    bool fetched, acknowledged; /* both: it can be answered */
    bool gone;                  /* the client */
    bool at_once;               /* of the running look: an error ends the waiting */
    int64_t bytes;
    struct timer idle; /* of a session that could not be */
};

/* ---- answering ---- */

static void refuse(struct request *r, int16_t error) {
    struct share_fetch_response *out = request_alloc(r, sizeof *out);
    share_fetch_response_init(out);
    out->error_code = error;
    request_finish(r, out);
}

static bool has_leader_error(int16_t error) {
    return error == KERR_NOT_LEADER_OR_FOLLOWER || error == KERR_FENCED_LEADER_EPOCH;
}

static void answer_leader(struct request *r, const struct share_item *i,
                          struct share_fetch_response_partition_data *o) {
    const struct topic *t = image_topic_by_id(request_image(r), &i->topic);
    const struct partition *p = t ? topic_partition(t, i->partition) : NULL;
    o->current_leader.leader_id = p ? p->leader : -1;
    o->current_leader.leader_epoch = p ? p->leader_epoch : -1;
}

static bool answer_acquired(struct request *r, const struct part *p,
                            struct share_fetch_response_partition_data *o) {
    o->acquired_records = request_array(r, p->acquired.n, sizeof *o->acquired_records);
    if (!o->acquired_records) return false;
    for (size_t i = 0; i < p->acquired.n; i++)
        o->acquired_records[o->acquired_records_n++] = (struct share_fetch_response_acquired_records){
            .first_offset = p->acquired.v[i].first,
            .last_offset = p->acquired.v[i].last,
            .delivery_count = p->acquired.v[i].delivery_count,
        };
    return true;
}

static bool answer_part(struct share_fetching *f, struct part *p,
                        struct share_fetch_response_partition_data *o) {
    share_fetch_response_partition_data_init(o);
    o->partition_index = p->item.partition;
    o->error_code = p->error;
    o->records = (struct krecords){0};
    if (has_leader_error(p->error)) answer_leader(f->request, &p->item, o);
    if (!p->has_records) return true;
    o->records =
        (struct krecords){.len = (int32_t)p->len, .file = p->slice.file, .pos = p->slice.position + p->from};
    p->slice.file = NULL; /* the answer's now */
    return answer_acquired(f->request, p, o);
}

/* The answer's topics: partitions are added to their topic, wherever it stands. */
struct answer {
    struct share_fetch_response *out;
    int32_t *room; /* for each topic of out */
    int32_t topics_max;
};

static struct share_fetch_response_partition_data *find_partition(struct share_fetch_response *out,
                                                                  const struct share_item *i) {
    for (int32_t t = 0; t < out->responses_n; t++) {
        struct share_fetch_response_share_fetchable_topic_response *topic = &out->responses[t];
        if (!uuid_equal(&topic->topic_id, &i->topic)) continue;
        for (int32_t p = 0; p < topic->partitions_n; p++)
            if (topic->partitions[p].partition_index == i->partition) return &topic->partitions[p];
    }
    return NULL;
}

static struct share_fetch_response_partition_data *add_partition(struct request *r, struct answer *a,
                                                                 const struct share_item *i) {
    struct share_fetch_response *out = a->out;
    int32_t t = 0;
    while (t < out->responses_n && !uuid_equal(&out->responses[t].topic_id, &i->topic)) t++;
    struct share_fetch_response_share_fetchable_topic_response *topic = &out->responses[t];
    if (t == out->responses_n) {
        ASSERT(t < a->topics_max);
        share_fetch_response_share_fetchable_topic_response_init(topic);
        topic->topic_id = i->topic;
        out->responses_n++;
    }
    if (topic->partitions_n == a->room[t]) {
        int32_t room = a->room[t] ? 2 * a->room[t] : 4;
        void *more = request_array(r, (size_t)room, sizeof *topic->partitions);
        if (!more) return NULL;
        if (topic->partitions_n)
            memcpy(more, topic->partitions, (size_t)topic->partitions_n * sizeof *topic->partitions);
        topic->partitions = more;
        a->room[t] = room;
    }
    return &topic->partitions[topic->partitions_n++];
}

static bool answer_acks(struct share_fetching *f, struct answer *a) {
    for (int32_t i = 0; i < f->acks.n; i++) {
        const struct share_ack *ack = &f->acks.acks[i];
        struct share_item item = {ack->topic, ack->index};
        if (!share_ack_shown(ack)) continue;
        struct share_fetch_response_partition_data *o = find_partition(a->out, &item);
        if (!o) {
            o = add_partition(f->request, a, &item);
            if (!o) return false;
            share_fetch_response_partition_data_init(o);
            o->partition_index = item.partition;
            o->records = (struct krecords){0};
        }
        o->acknowledge_error_code = ack->error;
        o->acknowledge_error_message = share_ack_message(ack);
    }
    return true;
}

/* Which parts are in the answer; the session remembers. 0 or the error for all. */
static int16_t choose(struct share_fetching *f, bool *kept) {
    if (!f->context.incremental) {
        for (int32_t i = 0; i < f->parts_n; i++) kept[i] = true;
        return 0;
    }
    struct share_answer *answers = request_array(f->request, (size_t)f->parts_n, sizeof *answers);
    int32_t n = 0, *of = request_array(f->request, (size_t)f->parts_n, sizeof *of);
    bool *chosen = request_array(f->request, (size_t)f->parts_n, sizeof *chosen);
    if (!answers || !of || !chosen) return KERR_UNKNOWN_SERVER_ERROR;
    for (int32_t i = 0; i < f->parts_n; i++) {
        const struct part *p = &f->parts[i];
        if (!p->answered) continue;
        of[n] = i;
        answers[n++] = (struct share_answer){p->item, p->has_records, p->error != 0};
    }
    int16_t error = share_sessions_answer(shares_sessions(f->request->node->shares), f->in->group_id,
                                          f->in->member_id, &f->context, answers, n, chosen);
    for (int32_t i = 0; i < n; i++) kept[of[i]] = chosen[i];
    return error;
}

static bool fill(struct share_fetching *f, struct share_fetch_response *out) {
    struct request *r = f->request;
    size_t most = (size_t)f->parts_n + (size_t)f->acks.n;
    bool *kept = request_array(r, (size_t)f->parts_n, sizeof *kept);
    struct answer a = {.out = out, .topics_max = (int32_t)most};
    a.room = request_array(r, most, sizeof *a.room);
    out->responses = request_array(r, most, sizeof *out->responses);
    if (!kept || !a.room || !out->responses) return false;
    out->error_code = choose(f, kept);
    out->acquisition_lock_timeout_ms = f->acks.settings.limits.lock_duration_ms;
    for (int32_t i = 0; i < f->parts_n && !out->error_code; i++) {
        struct part *p = &f->parts[i];
        if (!p->answered || !kept[i]) continue;
        struct share_fetch_response_partition_data *o = add_partition(r, &a, &p->item);
        if (!o || !answer_part(f, p, o)) return false;
    }
    return answer_acks(f, &a);
}

static void drop_slices(struct share_fetching *f) {
    for (int32_t i = 0; i < f->parts_n; i++) {
        file_unref(f->parts[i].slice.file);
        f->parts[i].slice = (struct log_slice){0};
    }
}

/* Gives back what it holds. */
static void let_go(struct share_fetching *f) {
    drop_slices(f);
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        free(p->acquired.v);
        p->acquired = (struct share_acquired_list){0};
        if (p->shared) shared_unref(p->shared);
        p->shared = NULL;
    }
}

static void maybe_answer(struct share_fetching *f) {
    struct request *r = f->request;
    if (!f->fetched || !f->acknowledged) return;
    if (f->gone) {
        let_go(f);
        request_finish_silent(r);
        return;
    }
    struct share_fetch_response *out = request_alloc(r, sizeof *out);
    share_fetch_response_init(out);
    bool ok = fill(f, out);
    if (f->in->share_session_epoch == SHARE_EPOCH_LAST)
        shares_end_session(r->node->shares, f->in->group_id, f->in->member_id);
    r->cancel = NULL;
    let_go(f);
    if (ok)
        request_finish(r, out);
    else
        request_fail(r, "the request is too large for its memory");
}

/* ---- a look ---- */

static void look_where(struct share_fetching *f, struct part *p) {
    p->readable = false;
    if (!p->shared || p->error) return;
    shared_lock(p->shared);
    if (p->shared->state == SHARED_FAILED) {
        p->error = p->shared->error;
        p->answered = true;
    } else if (p->shared->state == SHARED_ACTIVE) {
        p->shared->limits = f->acks.settings.limits;
        p->readable = share_partition_can_acquire(p->shared->core, &p->shared->limits);
        if (p->readable) p->offset = share_partition_next_fetch(p->shared->core);
    }
    shared_unlock(p->shared);
}

/* With the log's lock held. */
static int16_t read_locked(struct share_fetching *f, struct part *p, uint32_t limit, bool min_one) {
    struct replica *replica = p->shared->replica;
    struct log *log = replica->log;
    if (replica->deleted) return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    int err = replica_open(replica, loop_wall(f->request->net->loop));
    if (err) return kerr_of_storage(err);
    bool committed = f->acks.settings.read_committed;
    int64_t bound = committed ? log_last_stable_offset(log) : log_high_watermark(log);
    if (p->offset > log_end_offset(log) || p->offset < log_start_offset(log)) return KERR_OFFSET_OUT_OF_RANGE;
    if (p->offset >= bound) return 0;
    return kerr_of_storage(
        log_read(log, p->offset, limit, bound, min_one, committed ? &f->request->arena : NULL, &p->slice));
}

static void read_part(struct share_fetching *f, struct part *p, uint32_t limit, bool min_one) {
    struct log *log = p->shared->replica->log;
    file_unref(p->slice.file);
    p->slice = (struct log_slice){0};
    log_lock(log);
    p->error = read_locked(f, p, limit, min_one);
    log_unlock(log);
    if (p->error) f->at_once = true;
    f->bytes += p->slice.len;
}

static uint32_t limit_of(const struct share_fetching *f, int32_t readable, int32_t which) {
    if (f->max_bytes >= readable)
        return (uint32_t)(f->max_bytes / readable + (which ? 0 : f->max_bytes % readable));
    return which < f->max_bytes; /* a byte for the first of them */
}

static void look(struct share_fetching *f) {
    int32_t readable = 0, which = 0;
    bool min_one = true;
    f->bytes = 0;
    f->at_once = false;
    for (int32_t i = 0; i < f->parts_n; i++) {
        look_where(f, &f->parts[i]);
        readable += f->parts[i].readable;
    }
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        if (!p->readable) continue;
        read_part(f, p, limit_of(f, readable, which++), min_one);
        if (p->slice.len) min_one = false;
    }
}

static bool all_failed(const struct share_fetching *f) {
    for (int32_t i = 0; i < f->parts_n; i++)
        if (!f->parts[i].error) return false;
    return true;
}

/* Nothing may come of waiting: something to send, an error, all failed, or nothing that could change. */
static bool enough(const struct share_fetching *f) {
    bool any = false;
    for (int32_t i = 0; i < f->parts_n; i++) any |= f->parts[i].readable;
    return (any && (f->at_once || f->bytes >= f->min_bytes)) || all_failed(f);
}

/* ---- acquiring ---- */

/* The log begins later than what would be read. */
static void follow_log_start(struct part *p) {
    struct log *log = p->shared->replica->log;
    log_lock(log);
    int64_t start = log_start_offset(log);
    log_unlock(log);
    shared_lock(p->shared);
    if (p->shared->state == SHARED_ACTIVE) share_partition_log_start(p->shared->core, start);
    shared_wake(p->shared);
    shared_unlock(p->shared);
    p->error = KERR_NONE;
}

/* The place to read, and what was read there, are still right: acquires. false: look anew. */
static bool acquire_at(struct share_fetching *f, struct part *p, const struct share_batches *b, int32_t max,
                       int64_t *count) {
    struct shared_partition *s = p->shared;
    struct share_fetch what = {
        .member = f->in->member_id,
        .mode = f->request->version >= 2 && f->in->share_acquire_mode == SHARE_RECORD_LIMIT
                    ? SHARE_RECORD_LIMIT
                    : SHARE_BATCH_OPTIMIZED,
        .batch_size = f->in->batch_size,
        .max_records = max,
        .fetch_offset = p->offset,
        .batches = b->v,
        .batches_n = b->n,
        .aborted = (const struct share_aborted *)p->slice.aborted,
        .aborted_n = (size_t)p->slice.aborted_count,
    };
    _Static_assert(sizeof(struct share_aborted) == sizeof(struct aborted_txn), "the same two fields");
    bool same = true;
    shared_lock(s);
    if (s->state == SHARED_ACTIVE) {
        same = share_partition_can_acquire(s->core, &s->limits) &&
               share_partition_next_fetch(s->core) == p->offset;
        if (same)
            *count = share_partition_acquire(s->core, &what, &s->limits, loop_now(f->request->net->loop),
                                             &p->acquired);
        shared_arm(s);
    }
    shared_unlock(s);
    return same;
}

static int read_batches(struct share_fetching *f, const struct part *p, int32_t max,
                        struct share_batches *b) {
    shared_lock(p->shared);
    int64_t reach = share_partition_reach(p->shared->core, p->offset, max);
    shared_unlock(p->shared);
    return share_batches_read(&p->slice, reach, &f->request->arena, b);
}

static void acquire(struct share_fetching *f, struct part *p, int32_t max, uint32_t limit, bool min_one,
                    int64_t *count) {
    struct share_batches b;
    for (int tries = 0; tries < TRIES; tries++) {
        if (tries) { /* somebody else was faster */
            look_where(f, p);
            if (!p->readable) return;
            read_part(f, p, limit, min_one);
        }
        if (p->error || !p->slice.file) return;
        int err = read_batches(f, p, max, &b);
        if (err) {
            p->error = err == OE_LIMIT ? KERR_UNKNOWN_SERVER_ERROR : kerr_of_storage(err);
            return;
        }
        if (acquire_at(f, p, &b, max, count)) break;
    }
    p->has_records = p->acquired.n > 0;
    if (p->has_records)
        share_batches_cut(&b, &p->slice, p->acquired.v[0].first, p->acquired.v[p->acquired.n - 1].last,
                          &p->from, &p->len);
}

static void acquire_all(struct share_fetching *f) {
    int64_t acquired = 0;
    int32_t readable = 0, which = 0;
    bool min_one = true;
    for (int32_t i = 0; i < f->parts_n; i++) readable += f->parts[i].readable;
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        if (!p->readable) continue;
        int64_t count = 0, left = f->in->max_records - acquired;
        p->answered = true;
        if (p->error == KERR_OFFSET_OUT_OF_RANGE)
            follow_log_start(p);
        else if (left > 0)
            acquire(f, p, (int32_t)left, limit_of(f, readable, which), min_one, &count);
        acquired += count;
        which++;
        if (p->has_records) min_one = false;
    }
}

/* ---- waiting ---- */

static void end_wait(struct share_fetching *f) {
    if (!f->wait) return;
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        if (!p->waits) continue;
        shared_lock(p->shared);
        shared_unwait(p->shared, &p->waiter);
        shared_unlock(p->shared);
        p->waits = false;
    }
    fetch_wait_end(f->wait);
    f->wait = NULL;
}

static void finish_fetch(struct share_fetching *f) {
    end_wait(f);
    acquire_all(f);
    f->fetched = true;
    maybe_answer(f);
}

static void on_look(struct request *r, bool expired) {
    struct share_fetching *f = r->state;
    look(f);
    if (expired || enough(f))
        finish_fetch(f);
    else
        drop_slices(f);
}

static void on_cancel(struct request *r) { /* the client has gone: what it would acquire, it would lose */
    struct share_fetching *f = r->state;
    f->gone = true;
    if (f->fetched) return; /* the acknowledgements go on */
    end_wait(f);
    f->fetched = true;
    maybe_answer(f);
}

static bool wait(struct share_fetching *f) {
    struct request *r = f->request;
    struct replica **replicas = request_array(r, (size_t)f->parts_n, sizeof(struct replica *));
    int n = 0;
    if (!replicas) return false;
    for (int32_t i = 0; i < f->parts_n; i++)
        if (f->parts[i].shared) replicas[n++] = f->parts[i].shared->replica;
    drop_slices(f);
    f->wait = fetch_wait_begin(r, replicas, n, f->deadline, on_look);
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        if (!p->shared) continue;
        p->waiter.wait = f->wait;
        p->waits = true;
        shared_lock(p->shared);
        shared_wait(p->shared, &p->waiter);
        shared_unlock(p->shared);
    }
    return true;
}

/* ---- the request ---- */

static void open_parts(struct share_fetching *f) {
    struct request *r = f->request;
    const struct image *image = request_image(r);
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        const struct topic *t = image_topic_by_id(image, &p->item.topic);
        if (!t)
            p->error = KERR_UNKNOWN_TOPIC_ID;
        else if (!topic_partition(t, p->item.partition))
            p->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        else
            p->shared = shares_open(r->node->shares, r->net, f->in->group_id, &p->item.topic,
                                    p->item.partition, &p->error);
        p->answered = p->error != 0;
    }
}

/* In the session's order, another one first each time. */
static bool list_parts(struct share_fetching *f) {
    int32_t n = f->context.items_n, epoch = f->in->share_session_epoch;
    f->parts = request_array(f->request, (size_t)n, sizeof *f->parts);
    if (!f->parts) return false;
    int32_t first = n > 1 && epoch > 0 ? epoch % n : 0;
    for (int32_t i = 0; i < n; i++) f->parts[i].item = f->context.items[(first + i) % n];
    f->parts_n = n;
    return true;
}

static bool nothing_to_wait_for(const struct share_fetching *f) {
    bool any = false;
    for (int32_t i = 0; i < f->parts_n; i++) any |= f->parts[i].shared != NULL;
    return !any || f->in->max_records <= 0 || f->max_bytes <= 0;
}

static void fetch(struct share_fetching *f) {
    struct request *r = f->request;
    const struct share_fetch_request *in = f->in;
    if (r->version >= FIRST_VERSION_WITH_RENEW && in->is_renew_ack) {
        f->parts_n = 0; /* the answer must be quick */
        f->fetched = true;
        return;
    }
    f->max_bytes = in->max_bytes < r->node->fetch_max_bytes ? in->max_bytes : r->node->fetch_max_bytes;
    f->min_bytes = in->min_bytes < f->max_bytes ? in->min_bytes : f->max_bytes;
    f->deadline = loop_now(r->net->loop) + (in->max_wait_ms > 0 ? in->max_wait_ms : 0);
    open_parts(f);
    if (nothing_to_wait_for(f)) {
        f->fetched = true;
        return;
    }
    look(f);
    if (!enough(f) && in->max_wait_ms > 0 && wait(f)) {
        look(f); /* what came meanwhile */
        if (!enough(f)) {
            drop_slices(f);
            return;
        }
    }
    end_wait(f);
    acquire_all(f);
    f->fetched = true;
}

static void on_acknowledged(struct request *r) {
    struct share_fetching *f = r->state;
    f->acknowledged = true;
    maybe_answer(f);
}

static bool has_acks(const struct share_fetch_request *in) {
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++)
            if (in->topics[t].partitions[i].acknowledgement_batches_n > 0) return true;
    return false;
}

static bool collect_acks(struct share_fetching *f) {
    struct request *r = f->request;
    const struct share_fetch_request *in = f->in;
    size_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) n += (size_t)in->topics[t].partitions_n;
    f->acks.acks = request_array(r, n, sizeof *f->acks.acks);
    if (!f->acks.acks) return false;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++) {
            const struct share_fetch_request_fetch_partition *p = &in->topics[t].partitions[i];
            struct share_acknowledgement *b =
                request_array(r, (size_t)p->acknowledgement_batches_n, sizeof *b);
            if (!b) return false;
            for (int32_t j = 0; j < p->acknowledgement_batches_n; j++)
                b[j] = (struct share_acknowledgement){
                    .first = p->acknowledgement_batches[j].first_offset,
                    .last = p->acknowledgement_batches[j].last_offset,
                    .types = p->acknowledgement_batches[j].acknowledge_types,
                    .types_n = p->acknowledgement_batches[j].acknowledge_types_n,
                };
            f->acks.acks[f->acks.n++] = (struct share_ack){.topic = in->topics[t].topic_id,
                                                           .index = p->partition_index,
                                                           .batches = b,
                                                           .batches_n = p->acknowledgement_batches_n};
        }
    return true;
}

/* ---- the session ---- */

static int32_t list_items(const struct share_fetch_request *in, struct share_item *items) {
    int32_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++, n++)
            if (items)
                items[n] =
                    (struct share_item){in->topics[t].topic_id, in->topics[t].partitions[i].partition_index};
    return n;
}

static int32_t list_forgotten(const struct share_fetch_request *in, struct share_item *items) {
    int32_t n = 0;
    for (int32_t t = 0; t < in->forgotten_topics_data_n; t++)
        for (int32_t i = 0; i < in->forgotten_topics_data[t].partitions_n; i++, n++)
            if (items)
                items[n] = (struct share_item){in->forgotten_topics_data[t].topic_id,
                                               in->forgotten_topics_data[t].partitions[i]};
    return n;
}

static bool begin_session(struct share_fetching *f, bool acknowledges) {
    struct request *r = f->request;
    const struct share_fetch_request *in = f->in;
    int32_t n = list_items(in, NULL), forgotten_n = list_forgotten(in, NULL);
    struct share_item *items = request_array(r, (size_t)n, sizeof *items);
    struct share_item *forgotten = request_array(r, (size_t)forgotten_n, sizeof *forgotten);
    struct share_link *none = NULL, **link = r->conn ? &r->conn->share : &none;
    if (!items || !forgotten) return false;
    list_items(in, items);
    list_forgotten(in, forgotten);
    return share_sessions_fetch(shares_sessions(r->node->shares), in->group_id, in->member_id,
                                in->share_session_epoch, acknowledges, items, n, forgotten, forgotten_n, link,
                                &r->arena, &f->context);
}

static struct share_fetching *of_idle(struct timer *t) {
    return (struct share_fetching *)((char *)t - offsetof(struct share_fetching, idle));
}

static void on_idle(struct timer *t) {
    struct request *r = of_idle(t)->request;
    r->cancel = NULL;
    refuse(r, KERR_SHARE_SESSION_LIMIT_REACHED);
}

static void on_idle_cancel(struct request *r) {
    struct share_fetching *f = r->state;
    loop_timer_cancel(r->net->loop, &f->idle);
    request_finish_silent(r);
}

/* So that a client which has no session does not ask again at once. */
static void refuse_later(struct share_fetching *f) {
    struct request *r = f->request;
    r->cancel = on_idle_cancel;
    f->idle.on_due = on_idle;
    int32_t wait_ms = f->in->max_wait_ms > 0 ? f->in->max_wait_ms : 0;
    loop_timer_set(r->net->loop, &f->idle, loop_now(r->net->loop) + wait_ms);
}

/* 0, or the error for a request that cannot be. */
static int16_t check(struct request *r, const struct share_fetch_request *in) {
    if (!share_groups_enabled(request_image(r))) return KERR_UNSUPPORTED_VERSION;
    if (in->group_id.len < 0 || !share_member_id_valid(in->member_id)) return KERR_INVALID_REQUEST;
    bool renews = r->version >= FIRST_VERSION_WITH_RENEW && in->is_renew_ack;
    if (renews && (in->max_bytes || in->min_bytes || in->max_records || in->max_wait_ms))
        return KERR_INVALID_REQUEST;
    return 0;
}

void handle_share_fetch(struct request *r, const struct share_fetch_request *in) {
    int16_t error = check(r, in);
    if (error) {
        refuse(r, error);
        return;
    }
    struct share_fetching *f = request_alloc(r, sizeof *f);
    bool acknowledges = has_acks(in);
    *f = (struct share_fetching){.request = r, .in = in, .acknowledged = !acknowledges};
    r->state = f;
    f->acks.request = r;
    f->acks.group = in->group_id;
    f->acks.member = in->member_id;
    f->acks.renew_known = r->version >= FIRST_VERSION_WITH_RENEW;
    f->acks.renew = in->is_renew_ack;
    share_settings_get(r->node, request_image(r), in->group_id, &f->acks.settings);
    if (!begin_session(f, acknowledges)) {
        request_fail(r, "the request is too large for its memory");
        return;
    }
    if (f->context.limited) {
        refuse_later(f);
        return;
    }
    if (f->context.error) {
        refuse(r, f->context.error);
        return;
    }
    if (!list_parts(f) || (acknowledges && !collect_acks(f))) {
        request_fail(r, "the request is too large for its memory");
        return;
    }
    r->cancel = on_cancel;
    if (acknowledges) share_acks_begin(&f->acks, on_acknowledged);
    fetch(f);
    maybe_answer(f);
}
