/* Produce: for each partition, checks, log_append onto the burst's gathered write, and the answer when that
 * is written (and, where flush.messages asks for it, on the disk). KafkaApis.handleProduceRequest,
 * ReplicaManager.appendRecords.
 *
 * A request is finished when all its partitions are settled. `pending` counts those that are not, and one for
 * the handler itself, so that the last one to settle finishes, on whichever thread it is.
 *
 * acks=all needs nothing more here: no other node follows this one, and too few in-sync replicas refuse the
 * append.
 *
 * Before: server/dispatch. After: server/appender → storage/log; replica/replica (high watermark, waiting
 * fetches). */
#include "server/handlers/handlers.h"

#include <stdatomic.h>
#include <string.h>

#include "api/produce.h"
#include "base/assert.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/appender.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/net.h"
#include "server/node.h"
#include "storage/log.h"

enum { FIRST_VERSION_WITH_IDS = 13, FIRST_VERSION_WITH_ZSTD = 7, LEAST_LENGTH = 14 };

struct produce;

/* One partition of the request. */
struct produce_slot {
    struct append_listener listener;
    struct flush_waiter flush;
    struct produce *produce;
    struct produce_response_partition_produce_response *answer;
};

struct produce {
    struct request *request;
    struct produce_response out;
    int16_t acks;
    bool transactional; /* the request has a transactional id */
    bool out_of_memory;
    _Atomic int pending;
};

static void fail(struct produce_response_partition_produce_response *a, int16_t code) {
    a->error_code = code;
    a->base_offset = -1;
    a->log_append_time_ms = -1;
    a->log_start_offset = -1;
}

/* ---- settling
 * ---------------------------------------------------------------------------------------------------------
 */

static bool any_failed(const struct produce_response *out) {
    for (int32_t t = 0; t < out->responses_n; t++)
        for (int32_t i = 0; i < out->responses[t].partition_responses_n; i++)
            if (out->responses[t].partition_responses[i].error_code) return true;
    return false;
}

static void finish(struct request *r) {
    struct produce *p = r->state;
    if (p->out_of_memory)
        request_fail(r, "the request is too large for its memory");
    else if (p->acks)
        request_finish(r, &p->out);
    else if (any_failed(&p->out))
        request_fail(r, "a produce with acks=0 was refused");
    else
        request_finish_silent(r);
}

static bool settle(struct produce *p) { return atomic_fetch_sub(&p->pending, 1) == 1; }

/* The names in the answer point into the connection's buffer. */
static void detach(struct request *r) {
    struct produce *p = r->state;
    for (int32_t t = 0; t < p->out.responses_n; t++) {
        struct kstr *name = &p->out.responses[t].name;
        if (name->len <= 0) continue;
        char *copy = arena_strndup(&r->arena, name->s, (size_t)name->len);
        if (copy)
            name->s = copy;
        else
            *name = (struct kstr){.s = "", .len = 0};
    }
}

static void on_flushed(struct flush_waiter *f, int err) { /* a worker */
    struct produce_slot *s = (struct produce_slot *)((char *)f - offsetof(struct produce_slot, flush));
    struct produce *p = s->produce;
    if (err) fail(s->answer, kerr_of_storage(err));
    if (settle(p)) request_resume(p->request, finish);
}

static void on_written(struct append_listener *l, struct replica *replica, int err, bool must_flush) {
    struct produce_slot *s = (struct produce_slot *)((char *)l - offsetof(struct produce_slot, listener));
    struct produce *p = s->produce;
    if (err)
        fail(s->answer, kerr_of_storage(err));
    else if (must_flush) {
        s->flush.flushed = on_flushed;
        replica_flush(replica, &s->flush);
        return;
    }
    if (settle(p)) finish(p->request);
}

/* ---- one partition
 * ---------------------------------------------------------------------------------------------------- */

/* ProduceRequest.validateRecords: 0, or the code. */
static int16_t check_records(int16_t version, const struct krecords *records) {
    if (records->len <= 0) return KERR_INVALID_RECORD;
    int64_t size = batch_peek(records->p, (size_t)records->len);
    if (size <= 0 || size > records->len) return size < 0 ? KERR_CORRUPT_MESSAGE : KERR_INVALID_RECORD;
    if (batch_magic(records->p) != 2) return KERR_INVALID_RECORD;
    if (size < BATCH_HEADER) return KERR_CORRUPT_MESSAGE;
    if (version < FIRST_VERSION_WITH_ZSTD && batch_compression(records->p) == COMPRESSION_ZSTD)
        return KERR_UNSUPPORTED_COMPRESSION_TYPE;
    if (size < records->len && batch_peek(records->p + size, (size_t)(records->len - size)) > 0)
        return KERR_INVALID_RECORD;
    return 0;
}

/* The reference's reader of batches gives up on such a one, and only then has a text. */
static bool not_even_framed(const struct krecords *records) {
    return records->len >= BATCH_PREFIX &&
           (batch_magic(records->p) > 2 || batch_length(records->p) < LEAST_LENGTH);
}

static int16_t check(const struct produce *p, const struct replica *replica, int16_t version,
                     const struct krecords *records) {
    int16_t code = check_records(version, records);
    if (code) return code;
    if (p->acks < -1 || p->acks > 1) return KERR_INVALID_REQUIRED_ACKS;
    if (replica->topic->internal && !kstr_is(p->request->client_id, "__admin_client"))
        return KERR_INVALID_TOPIC_EXCEPTION;
    if (batch_is_transactional(records->p)) /* no transaction can be open here yet */
        return p->transactional ? KERR_INVALID_TXN_STATE : KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    return 0;
}

static void refused(struct request *r, struct replica *replica, const struct log_append_result *result,
                    struct produce_response_partition_produce_response *a) {
    fail(a, kerr_of_fault(result->fault));
    if (result->fault == FAULT_CORRUPT || result->fault == FAULT_TOO_LARGE ||
        result->fault == FAULT_LIST_TOO_LARGE || result->fault == FAULT_IO)
        return;
    a->log_start_offset = log_start_offset(replica->log);
    if (!result->error_count) return;
    a->record_errors = request_array(r, (size_t)result->error_count, sizeof *a->record_errors);
    for (int i = 0; a->record_errors && i < result->error_count; i++) {
        const struct record_error *e = &result->errors[i];
        a->record_errors[i].batch_index = e->index;
        a->record_errors[i].batch_index_error_message = e->message ? kstr_of(e->message) : KSTR_NULL;
        a->record_errors_n = i + 1;
    }
    a->error_message = result->message ? kstr_of(result->message) : KSTR_NULL;
}

/* Queues one batch; true when it waits for the gathered write. */
static bool append(struct produce *p, struct replica *replica, const struct krecords *records,
                   struct produce_response_partition_produce_response *a, struct append_listener *l) {
    struct request *r = p->request;
    struct appender *appender = &r->net->appender;
    appender_begin(appender, replica);
    if (replica->deleted) {
        fail(a, KERR_UNKNOWN_TOPIC_OR_PARTITION);
        return false;
    }
    if (p->acks == -1 && !replica_enough_in_sync(replica)) {
        fail(a, KERR_NOT_ENOUGH_REPLICAS);
        return false;
    }
    struct log_append_result result;
    int err = log_append(replica->log,
                         &(struct log_append_args){.bytes = (uint8_t *)(uintptr_t)records->p,
                                                   .len = (size_t)records->len,
                                                   .leader_epoch = replica->leader_epoch,
                                                   .origin = APPEND_CLIENT,
                                                   .now_ms = loop_wall(r->net->loop),
                                                   .arena = &r->arena,
                                                   .codec = r->net->codec},
                         &result);
    if (err) {
        if (result.fault == FAULT_NONE) result.fault = FAULT_IO;
        refused(r, replica, &result, a);
        return false;
    }
    a->base_offset = result.first_offset;
    a->log_append_time_ms = result.append_time;
    a->log_start_offset = result.log_start;
    if (result.duplicate && !log_flush_needed(replica->log)) return false;
    appender_add(appender, l);
    return true;
}

/* ---- the request
 * ------------------------------------------------------------------------------------------------------ */

static void produce_partition(struct produce *p, const struct produce_request_topic_produce_data *topic,
                              const struct produce_request_partition_produce_data *in,
                              struct produce_response_partition_produce_response *a,
                              struct produce_slot *slot) {
    produce_response_partition_produce_response_init(a);
    a->index = in->index;
    struct request *r = p->request;
    int16_t code = 0;
    struct replica *replica = r->version >= FIRST_VERSION_WITH_IDS
                                  ? lookup_by_id(r->node, &topic->topic_id, in->index, &code)
                                  : lookup_by_name(r->node, topic->name, in->index, &code);
    if (replica) code = check(p, replica, r->version, &in->records);
    if (code) {
        fail(a, code);
        if (code == KERR_CORRUPT_MESSAGE && not_even_framed(&in->records))
            a->error_message = KSTR("the bytes are no record batch");
        return;
    }
    *slot = (struct produce_slot){.listener.written = on_written, .produce = p, .answer = a};
    atomic_fetch_add(&p->pending, 1);
    if (!append(p, replica, &in->records, a, &slot->listener)) atomic_fetch_sub(&p->pending, 1);
}

static bool produce_topic(struct produce *p, const struct produce_request_topic_produce_data *in,
                          struct produce_response_topic_produce_response *out) {
    struct request *r = p->request;
    size_t n = (size_t)(in->partition_data_n > 0 ? in->partition_data_n : 0);
    produce_response_topic_produce_response_init(out);
    out->name = in->name;
    out->topic_id = in->topic_id;
    out->partition_responses = request_array(r, n, sizeof *out->partition_responses);
    struct produce_slot *slots = request_array(r, n, sizeof *slots);
    if (!out->partition_responses || !slots) return false;
    out->partition_responses_n = (int32_t)n;
    for (size_t i = 0; i < n; i++)
        produce_partition(p, in, &in->partition_data[i], &out->partition_responses[i], &slots[i]);
    return true;
}

void handle_produce(struct request *r, const struct produce_request *in) {
    struct produce *p = request_alloc(r, sizeof *p);
    produce_response_init(&p->out);
    p->request = r;
    p->acks = in->acks;
    p->transactional = in->transactional_id.len >= 0;
    atomic_init(&p->pending, 1);
    r->state = p;
    r->detach = detach;
    size_t n = (size_t)(in->topic_data_n > 0 ? in->topic_data_n : 0);
    p->out.responses = request_array(r, n, sizeof *p->out.responses);
    bool ok = p->out.responses != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        p->out.responses_n = (int32_t)i + 1;
        ok = produce_topic(p, &in->topic_data[i], &p->out.responses[i]);
    }
    p->out_of_memory = !ok; /* what was queued is written, and the client sees its connection end */
    if (settle(p)) finish(r);
}
