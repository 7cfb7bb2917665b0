/* Fetch: reads each partition of the session or request as slices of segment files, answers when there is
 * enough, else waits. KafkaApis.handleFetchRequest, ReplicaManager.fetchMessages, DelayedFetch, FetchSession.
 *
 * States: read → enough, an error, or no time to wait: answered; else waiting → (an append, a deletion, the
 * time limit) → read. Each look reads all partitions anew: what was too little before is a prefix of what is
 * there now. Slices hold references to their files; those of a look that did not answer are given back.
 *
 * Before: server/dispatch, server/fetch_session. After: storage/log (log_read); server/connection sends the
 * slices. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/fetch.h"
#include "base/assert.h"
#include "base/err.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/appender.h"
#include "server/error_map.h"
#include "server/fetch_session.h"
#include "server/fetch_wait.h"
#include "server/lookup.h"
#include "server/measure.h"
#include "server/net.h"
#include "server/node.h"
#include "server/throttle.h"
#include "storage/log.h"

enum {
    FIRST_VERSION_WITH_IDS = 13,
    FIRST_VERSION_WITH_LEADERS = 12,
    LAST_VERSION_WITHOUT_STORAGE_ERROR = 5,
    READ_UNCOMMITTED = 0,
    READ_COMMITTED = 1
};

/* One partition of the running look. */
struct part {
    struct fetch_item *item;
    struct replica *replica; /* NULL with error */
    struct log_slice slice;
    int16_t error;
    bool unlisted; /* the metadata does not know it: it is not read, comes last, and does not end a wait for
                      the others */
    int64_t high_watermark, last_stable, log_start;
    int32_t diverging_epoch; /* −1: it does not diverge */
    int64_t diverging_end;
};

struct fetch {
    struct request *request;
    struct fetch_context context;
    struct fetch_wait *wait; /* NULL: not waiting */
    struct part *parts;
    int32_t parts_n, readable_n; /* readable: not unlisted, or soon not */
    int32_t max_bytes, min_bytes;
    int32_t replica_id; /* ≥ 0: a broker; −1: a consumer */
    bool read_committed, by_id;
    int64_t deadline;
    int64_t bytes; /* of the last look */
    bool at_once;  /* an error or a diverging epoch: no waiting */
};

/* ---- reading
 * ----------------------------------------------------------------------------------------------------------
 */

static void part_failed(struct part *p, int16_t error) {
    p->error = error;
    p->high_watermark = p->last_stable = p->log_start = -1;
}

/* KIP-320/595: the reader says in which epoch its last record was; where its log leaves ours, it must
 * truncate. */
static int16_t check_divergence(struct part *p, struct log *log) {
    int32_t epoch = -1;
    int64_t end = -1;
    log_epoch_end(log, p->item->last_fetched_epoch, &epoch, &end);
    if (end < 0 || epoch < 0) return KERR_OFFSET_OUT_OF_RANGE;
    if (epoch < p->item->last_fetched_epoch || end < p->item->fetch_offset) {
        p->diverging_epoch = epoch;
        p->diverging_end = end;
    }
    return 0;
}

/* With the log's lock held. */
static int16_t read_locked(struct fetch *f, struct part *p, uint32_t limit, bool min_one) {
    struct log *log = p->replica->log;
    if (p->replica->deleted) return f->by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    int16_t error = check_leader_epoch(p->replica, p->item->leader_epoch < 0 ? -1 : p->item->leader_epoch);
    if (error) return error;
    if (f->replica_id >= 0) return KERR_NOT_LEADER_OR_FOLLOWER; /* no broker follows this one */
    int err = replica_open(p->replica, loop_wall(f->request->net->loop));
    if (err) return kerr_of_storage(err);
    p->high_watermark = log_high_watermark(log);
    p->last_stable = log_last_stable_offset(log);
    p->log_start = log_start_offset(log);
    if (p->item->last_fetched_epoch >= 0) error = check_divergence(p, log);
    if (error || p->diverging_epoch >= 0) return error;
    int64_t bound = f->read_committed ? p->last_stable : p->high_watermark;
    if (p->item->fetch_offset > log_end_offset(log) || p->item->fetch_offset < p->log_start)
        return KERR_OFFSET_OUT_OF_RANGE;
    struct arena *aborted_to = f->read_committed ? &f->request->arena : NULL;
    if (p->item->fetch_offset >= bound) return 0;
    return kerr_of_storage(
        log_read(log, p->item->fetch_offset, limit, bound, min_one, aborted_to, &p->slice));
}

static void read_part(struct fetch *f, struct part *p, int64_t *left, bool *min_one) {
    p->slice = (struct log_slice){0};
    p->diverging_epoch = -1;
    if (!p->replica) {
        f->at_once |= !p->unlisted;
        return;
    }
    int64_t limit = p->item->max_bytes < *left ? p->item->max_bytes : *left;
    if (limit < 0) limit = 0;
    log_lock(p->replica->log);
    p->error = read_locked(f, p, (uint32_t)limit, *min_one);
    log_unlock(p->replica->log);
    if (p->error) part_failed(p, p->error);
    if (p->error || p->diverging_epoch >= 0) f->at_once = true;
    if (!p->slice.len) return;
    *min_one = false;
    *left -= p->slice.len;
    f->bytes += p->slice.len;
}

static void look(struct fetch *f) {
    int64_t left = f->max_bytes;
    bool min_one = true;
    f->bytes = 0;
    f->at_once = false;
    for (int32_t i = 0; i < f->parts_n; i++) read_part(f, &f->parts[i], &left, &min_one);
}

static void drop_slices(struct fetch *f) {
    for (int32_t i = 0; i < f->parts_n; i++) {
        file_unref(f->parts[i].slice.file);
        f->parts[i].slice = (struct log_slice){0};
    }
}

/* ---- answering
 * -------------------------------------------------------------------------------------------------------- */

static int16_t shown_error(const struct fetch *f, int16_t error) {
    if (error == KERR_KAFKA_STORAGE_ERROR && f->request->version <= LAST_VERSION_WITHOUT_STORAGE_ERROR)
        return KERR_NOT_LEADER_OR_FOLLOWER;
    return error;
}

static void answer_aborted(struct fetch *f, const struct part *p, struct fetch_response_partition_data *a) {
    a->aborted_transactions_n = p->unlisted ? 0 : -1;
    if (!f->read_committed || p->error) return;
    a->aborted_transactions_n = 0;
    if (!p->slice.aborted_count) return;
    a->aborted_transactions =
        request_array(f->request, (size_t)p->slice.aborted_count, sizeof *a->aborted_transactions);
    for (int i = 0; a->aborted_transactions && i < p->slice.aborted_count; i++) {
        a->aborted_transactions[i].producer_id = p->slice.aborted[i].producer_id;
        a->aborted_transactions[i].first_offset = p->slice.aborted[i].first_offset;
        a->aborted_transactions_n = i + 1;
    }
}

static void answer_part(struct fetch *f, struct part *p, struct fetch_response_partition_data *a) {
    fetch_response_partition_data_init(a);
    a->partition_index = p->item->partition;
    a->error_code = shown_error(f, p->error);
    a->high_watermark = p->high_watermark;
    a->last_stable_offset = p->last_stable;
    a->log_start_offset = p->log_start;
    a->diverging_epoch.epoch = p->diverging_epoch;
    a->diverging_epoch.end_offset = p->diverging_epoch >= 0 ? p->diverging_end : -1;
    answer_aborted(f, p, a);
    a->records = (struct krecords){0};
    if (p->slice.file)
        a->records =
            (struct krecords){.len = (int32_t)p->slice.len, .file = p->slice.file, .pos = p->slice.position};
    p->slice.file = NULL; /* the answer's now */
}

static bool same_topic(const struct fetch *f, const struct fetch_item *a, const struct fetch_item *b) {
    return f->by_id ? uuid_equal(&a->topic_id, &b->topic_id) : kstr_equal(a->topic, b->topic);
}

/* The parts that have something to say, those with an error of before the reading last; neighbours of a topic
 * together. */
static int32_t choose(struct fetch *f, struct part **chosen) {
    int32_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < f->parts_n; i++) {
            struct part *p = &f->parts[i];
            if (p->unlisted != (pass == 1)) continue;
            if (fetch_item_says(&f->context, p->item, p->error, p->high_watermark, p->log_start,
                                p->slice.len > 0, p->diverging_epoch >= 0))
                chosen[n++] = p;
        }
    return n;
}

static void measure_part(struct measures *m, const struct part *p) {
    counter_add(&m->fetched, 1);
    if (p->error) counter_add(&m->fetch_failed, 1);
    if (!p->slice.len) return;
    counter_add(&m->bytes_out, p->slice.len);
    atomic_fetch_add_explicit(&p->replica->bytes_out, p->slice.len, memory_order_relaxed);
}

/* The answer goes: the session remembers what it said. */
static void remember(struct fetch *f) {
    struct measures *m = f->request->net->measures;
    for (int32_t i = 0; i < f->parts_n; i++) {
        struct part *p = &f->parts[i];
        fetch_item_answer(&f->context, p->item, p->error, p->high_watermark, p->log_start, p->slice.len > 0,
                          p->diverging_epoch >= 0);
        if (m) measure_part(m, p);
    }
}

/* A quota is exceeded: nothing is said, and remembered, this time. */
static void take_back(struct fetch_response *out) {
    for (int32_t t = 0; t < out->responses_n; t++)
        for (int32_t i = 0; i < out->responses[t].partitions_n; i++)
            file_unref(out->responses[t].partitions[i].records.file);
    out->responses_n = 0;
}

static bool fill(struct fetch *f, struct fetch_response *out) {
    struct request *r = f->request;
    size_t room = (size_t)f->parts_n;
    struct part **chosen = request_array(r, room, sizeof *chosen);
    struct fetch_response_partition_data *answers = request_array(r, room, sizeof *answers);
    out->responses = request_array(r, room, sizeof *out->responses);
    if (!chosen || !answers || !out->responses) return false;
    int32_t n = choose(f, chosen);
    for (int32_t i = 0; i < n; i++) {
        answer_part(f, chosen[i], &answers[i]);
        if (i == 0 || !same_topic(f, chosen[i]->item, chosen[i - 1]->item)) {
            struct fetch_response_fetchable_topic_response *t = &out->responses[out->responses_n++];
            fetch_response_fetchable_topic_response_init(t);
            t->topic = chosen[i]->item->topic;
            t->topic_id = chosen[i]->item->topic_id;
            t->partitions = &answers[i];
        }
        out->responses[out->responses_n - 1].partitions_n++;
    }
    return true;
}

/* Clients' quotas are not followers'. */
static bool quotas_hold(struct fetch *f) {
    if (!throttle_on(f->request->node)) return false;
    f->request->charged |= f->replica_id >= 0; /* nor is its time counted */
    return f->replica_id < 0;
}

static void end(struct fetch *f) {
    if (f->wait) fetch_wait_end(f->wait);
    f->wait = NULL;
}

static void finish(struct fetch *f) {
    struct request *r = f->request;
    struct fetch_response *out = request_alloc(r, sizeof *out);
    fetch_response_init(out);
    end(f);
    bool ok = fill(f, out);
    out->session_id = f->context.session ? f->context.session->id : 0;
    bool throttled = ok && quotas_hold(f) && throttle_fetch(r, 4 + fetch_response_size(out, r->version));
    if (throttled)
        take_back(out);
    else
        remember(f);
    if (ok && !throttled && f->context.full && r->version >= 7)
        out->session_id =
            fetch_context_keep(r->node->fetch_sessions, &f->context, f->by_id, loop_now(r->net->loop));
    drop_slices(f);
    if (f->context.session && ok) { /* names are the session's, which another request may change after this */
        for (int32_t i = 0; i < out->responses_n; i++) {
            struct kstr *t = &out->responses[i].topic;
            char *copy = t->len > 0 ? arena_strndup(&r->arena, t->s, (size_t)t->len) : NULL;
            *t = (struct kstr){.s = copy ? copy : "", .len = copy ? t->len : 0};
        }
    }
    fetch_context_end(r->node->fetch_sessions, &f->context);
    if (ok)
        request_finish(r, out);
    else
        request_fail(r, "the request is too large for its memory");
}

/* ---- waiting
 * ----------------------------------------------------------------------------------------------------------
 */

static void on_look(struct request *r, bool expired) {
    struct fetch *f = r->state;
    look(f);
    if (expired || f->at_once || f->bytes >= f->min_bytes)
        finish(f);
    else
        drop_slices(f);
}

static void on_cancel(struct request *r) { /* the client has gone */
    struct fetch *f = r->state;
    drop_slices(f);
    end(f);
    fetch_context_end(r->node->fetch_sessions, &f->context);
    request_finish_silent(r);
}

static void wait(struct fetch *f) {
    struct request *r = f->request;
    struct replica **replicas = request_array(r, (size_t)f->parts_n, sizeof(struct replica *));
    if (!replicas) {
        finish(f);
        return;
    }
    int n = 0;
    for (int32_t i = 0; i < f->parts_n; i++)
        if (f->parts[i].replica) replicas[n++] = f->parts[i].replica;
    drop_slices(f);
    r->cancel = on_cancel;
    f->wait = fetch_wait_begin(r, replicas, n, f->deadline, on_look);
    look(f); /* what came between reading and waiting */
    if (f->at_once || f->bytes >= f->min_bytes)
        finish(f);
    else
        drop_slices(f);
}

/* ---- the request
 * ------------------------------------------------------------------------------------------------------ */

static bool list_parts(struct fetch *f) {
    struct request *r = f->request;
    f->parts = request_array(r, (size_t)f->context.items_n, sizeof *f->parts);
    if (!f->parts) return false;
    for (struct fetch_item *i = f->context.first; i; i = i->next) {
        struct part *p = &f->parts[f->parts_n++];
        p->item = i;
        p->diverging_epoch = -1;
        p->replica = f->by_id ? lookup_by_id(r->node, &i->topic_id, i->partition, &p->error)
                              : lookup_by_name(r->node, i->topic, i->partition, &p->error);
        p->unlisted = p->error && p->error != KERR_KAFKA_STORAGE_ERROR;
        /* One that is being recovered is waited for like one without records. */
        f->readable_n += !p->unlisted || p->error == KERR_NOT_LEADER_OR_FOLLOWER;
        if (p->error) part_failed(p, p->error);
    }
    return true;
}

static void finish_error(struct request *r, int16_t error) {
    struct fetch_response *out = request_alloc(r, sizeof *out);
    fetch_response_init(out);
    out->error_code = error;
    request_finish(r, out);
}

/* FetchRequest.getErrorResponse: before version 13 each partition says it too. */
static void refuse(struct request *r, const struct fetch_request *in, int16_t error) {
    struct fetch_response *out = request_alloc(r, sizeof *out);
    fetch_response_init(out);
    out->error_code = error;
    int32_t n = r->version < FIRST_VERSION_WITH_IDS ? in->topics_n : 0;
    out->responses = request_array(r, (size_t)n, sizeof *out->responses);
    for (int32_t t = 0; out->responses && t < n; t++) {
        struct fetch_response_fetchable_topic_response *o = &out->responses[out->responses_n++];
        fetch_response_fetchable_topic_response_init(o);
        o->topic = in->topics[t].topic;
        o->partitions = request_array(r, (size_t)in->topics[t].partitions_n, sizeof *o->partitions);
        for (int32_t i = 0; o->partitions && i < in->topics[t].partitions_n; i++) {
            struct fetch_response_partition_data *a = &o->partitions[o->partitions_n++];
            fetch_response_partition_data_init(a);
            a->partition_index = in->topics[t].partitions[i].partition;
            a->error_code = error;
            a->high_watermark = -1;
            a->records = (struct krecords){0};
        }
    }
    request_finish(r, out);
}

void handle_fetch(struct request *r, const struct fetch_request *in) {
    if (in->isolation_level != READ_UNCOMMITTED && in->isolation_level != READ_COMMITTED) {
        refuse(r, in, KERR_UNKNOWN_SERVER_ERROR);
        return;
    }
    struct fetch *f = request_alloc(r, sizeof *f);
    r->state = f;
    f->request = r;
    f->by_id = r->version >= FIRST_VERSION_WITH_IDS;
    f->read_committed = in->isolation_level == READ_COMMITTED;
    f->replica_id = r->version >= 15 ? in->replica_state.replica_id : in->replica_id;
    f->max_bytes = in->max_bytes < r->node->fetch_max_bytes ? in->max_bytes : r->node->fetch_max_bytes;
    if (quotas_hold(f)) {
        int32_t most = throttle_fetch_most(r);
        if (f->max_bytes > most) f->max_bytes = most;
    }
    f->min_bytes = in->min_bytes < f->max_bytes ? in->min_bytes : f->max_bytes;
    int64_t now = loop_now(r->net->loop);
    f->deadline = now + (in->max_wait_ms > 0 ? in->max_wait_ms : 0);
    if (fetch_context_begin(r->node->fetch_sessions, in, r->version, now, &r->arena, &f->context)) {
        request_fail(r, "the request is too large for its memory");
        return;
    }
    if (f->context.error) {
        finish_error(r, f->context.error);
        return;
    }
    if (!list_parts(f)) {
        fetch_context_end(r->node->fetch_sessions, &f->context);
        request_fail(r, "the request is too large for its memory");
        return;
    }
    look(f);
    if (f->at_once || f->bytes >= f->min_bytes || in->max_wait_ms <= 0 || !f->readable_n)
        finish(f);
    else
        wait(f);
}
