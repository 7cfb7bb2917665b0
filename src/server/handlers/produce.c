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
 * The first batch of a transaction in a partition waits until the transaction coordinator knows of it
 * (server/verification): its bytes are copied, and the connection's next request waits with it.
 *
 * Before: server/dispatch. After: server/appender → storage/log; replica/replica (high watermark, waiting
 * fetches). */
#include "server/handlers/handlers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/produce.h"
#include "base/assert.h"
#include "base/err.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/appender.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/measure.h"
#include "server/net.h"
#include "server/node.h"
#include "server/verification.h"
#include "storage/log.h"

enum {
    FIRST_VERSION_WITH_IDS = 13,
    FIRST_VERSION_THAT_ADDS = 12,      /* partitions to its transaction: transaction version 2 */
    FIRST_VERSION_WITH_ABORTABLE = 11, /* knows TRANSACTION_ABORTABLE */
    FIRST_VERSION_WITH_ZSTD = 7,
    LEAST_LENGTH = 14,
};

struct produce;

/* One partition of the request. */
struct produce_slot {
    struct append_listener listener;
    struct flush_waiter flush;
    struct produce *produce;
    struct produce_response_partition_produce_response *answer;
};

/* One that waits for the coordinator. */
struct deferred {
    struct deferred *next;
    struct produce_slot *slot;
    struct replica *replica; /* a reference */
    uint64_t guard;
    size_t n;
    uint8_t bytes[];
};

struct produce {
    struct request *request;
    struct produce_response out;
    int16_t acks;
    struct kstr transactional_id; /* null: none */
    int64_t producer_id;          /* of the transactional batches; −1: none has come */
    int16_t producer_epoch;
    bool verify; /* transaction.partition.verification.enable */
    bool out_of_memory;
    struct verification_call call;
    struct deferred *deferred, **last;
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

static void measure(struct measures *m, const struct produce_response *out) {
    for (int32_t t = 0; t < out->responses_n; t++) {
        counter_add(&m->produced, out->responses[t].partition_responses_n);
        for (int32_t i = 0; i < out->responses[t].partition_responses_n; i++)
            if (out->responses[t].partition_responses[i].error_code) counter_add(&m->produce_failed, 1);
    }
}

static void finish(struct request *r) {
    struct produce *p = r->state;
    if (r->net->measures) measure(r->net->measures, &p->out);
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

static void measure_append(struct measures *m, struct replica *p, const struct log_append_result *result) {
    counter_add(&p->bytes_in, (int64_t)result->bytes);
    counter_add(&p->messages_in, result->count);
    counter_add(&m->bytes_in, (int64_t)result->bytes);
    counter_add(&m->messages_in, result->count);
}

/* Queues one batch; true when it waits for the gathered write. */
static bool append(struct produce *p, struct replica *replica, uint8_t *bytes, size_t n, uint64_t guard,
                   struct produce_slot *slot) {
    struct request *r = p->request;
    struct appender *appender = &r->net->appender;
    struct produce_response_partition_produce_response *a = slot->answer;
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
                         &(struct log_append_args){.bytes = bytes,
                                                   .len = n,
                                                   .leader_epoch = replica->leader_epoch,
                                                   .origin = APPEND_CLIENT,
                                                   .now_ms = loop_wall(r->net->loop),
                                                   .verify = p->verify,
                                                   .guard = guard,
                                                   .arena = &r->arena,
                                                   .codec = r->net->codec},
                         &result);
    if (err) {
        if (result.fault == FAULT_NONE) result.fault = FAULT_IO;
        refused(r, replica, &result, a);
        return false;
    }
    if (r->net->measures && !result.duplicate) measure_append(r->net->measures, replica, &result);
    a->base_offset = result.first_offset;
    a->log_append_time_ms = result.append_time;
    a->log_start_offset = result.log_start;
    if (result.duplicate && !log_flush_needed(replica->log)) return false;
    appender_add(appender, &slot->listener);
    return true;
}

static void append_slot(struct produce *p, struct replica *replica, uint8_t *bytes, size_t n, uint64_t guard,
                        struct produce_slot *slot) {
    atomic_fetch_add(&p->pending, 1);
    if (!append(p, replica, bytes, n, guard, slot)) atomic_fetch_sub(&p->pending, 1);
}

/* ---- transactions ---- */

static enum verification_kind verification_of(int16_t version) {
    if (version >= FIRST_VERSION_THAT_ADDS) return VERIFY_ADD;
    return version >= FIRST_VERSION_WITH_ABORTABLE ? VERIFY_ONLY : VERIFY_OLD;
}

/* The first transactional batch decides who the producer is. */
static void meet_producer(struct produce *p, const uint8_t *batch) {
    if (p->producer_id != NO_PRODUCER_ID) return;
    p->producer_id = batch_producer_id(batch);
    p->producer_epoch = batch_producer_epoch(batch);
    p->verify = verification_enabled(p->request->node);
    verification_init(&p->call, p->request, verification_of(p->request->version), p->transactional_id,
                      p->producer_id, p->producer_epoch);
}

/* true: it waits for the coordinator, or has got its error. */
static bool defer(struct produce *p, struct replica *replica, const struct krecords *records,
                  struct produce_slot *slot) {
    struct request *r = p->request;
    uint64_t guard;
    meet_producer(p, records->p);
    if (!p->verify && p->call.kind != VERIFY_ADD) return false;
    appender_begin(&r->net->appender, replica);
    if (replica->deleted) return false; /* the append says so */
    int err = log_verification_begin(replica->log, batch_producer_id(records->p),
                                     batch_producer_epoch(records->p), batch_base_sequence(records->p),
                                     p->call.kind == VERIFY_ADD, loop_wall(r->net->loop), &guard);
    if (err) {
        fail(slot->answer, err == OE_INVALID ? KERR_INVALID_PRODUCER_EPOCH : kerr_of_storage(err));
        return true;
    }
    if (!guard) return false;
    struct deferred *d = malloc(sizeof *d + (size_t)records->len);
    if (!d) {
        p->out_of_memory = true;
        return true;
    }
    *d = (struct deferred){
        .slot = slot, .replica = replica_ref(replica), .guard = guard, .n = (size_t)records->len};
    memcpy(d->bytes, records->p, d->n);
    *p->last = d;
    p->last = &d->next;
    verification_add(&p->call, (struct kstr){replica->topic->name, replica->topic->name_len}, replica->index);
    return true;
}

/* As a client knows it. An error of the coordinator's that older clients do not expect here becomes one that
 * they try again after, without asking for metadata. */
static int16_t for_producer(const struct produce *p, int16_t error) {
    switch (error) {
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_NOT_COORDINATOR: return KERR_NOT_ENOUGH_REPLICAS;
    case KERR_CONCURRENT_TRANSACTIONS: return p->call.kind == VERIFY_ADD ? error : KERR_NOT_ENOUGH_REPLICAS;
    default: return error;
    }
}

static void not_verified(const struct produce *p, struct produce_response_partition_produce_response *a,
                         int16_t error) {
    int16_t shown = for_producer(p, error);
    fail(a, shown);
    if (shown == KERR_INVALID_TXN_STATE)
        a->error_message = KSTR("the partition was not added to the transaction");
    else if (shown != error)
        a->error_message = kstr_of(kerr_message(error)); /* why it could not be verified */
}

static void on_verified(struct verification_call *c) {
    struct produce *p = c->owner;
    struct net *net = p->request->net;
    for (struct deferred *d = p->deferred; d; d = d->next) {
        const struct replica_topic *t = d->replica->topic;
        int16_t error = verification_error(c, (struct kstr){t->name, t->name_len}, d->replica->index);
        if (error)
            not_verified(p, d->slot->answer, error);
        else
            append_slot(p, d->replica, d->bytes, d->n, d->guard, d->slot);
    }
    appender_flush(&net->appender);
    for (struct deferred *d = p->deferred, *next; d; d = next) {
        next = d->next;
        replica_unref(d->replica);
        free(d);
    }
    p->deferred = NULL;
    verification_free(c);
    if (settle(p)) finish(p->request);
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
    const struct krecords *b = &in->records;
    if (batch_is_transactional(b->p) && batch_producer_id(b->p) >= 0 && defer(p, replica, b, slot)) return;
    append_slot(p, replica, (uint8_t *)(uintptr_t)b->p, (size_t)b->len, 0, slot);
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

static void ask_coordinator(struct produce *p) {
    struct request *r = p->request;
    /* The id points into the connection's buffer. */
    struct kstr *id = &p->call.add.id;
    char *copy = arena_strndup(&r->arena, id->s ? id->s : "", (size_t)id->len);
    if (!copy) p->out_of_memory = true;
    *id = copy ? (struct kstr){copy, id->len} : KSTR("");
    /* From here on the coordinator's thread allocates from the request's memory, so the names are copied now
     * and not at the end of the burst. */
    detach(r);
    r->detach = NULL;
    p->call.owner = p;
    request_run_alone(r);
    verification_send(&p->call, on_verified);
}

/* What the whole request is refused for. */
static int16_t check_transaction(const struct produce_request *in) {
    int64_t id = NO_PRODUCER_ID;
    int16_t epoch = NO_PRODUCER_EPOCH;
    for (int32_t t = 0; t < in->topic_data_n; t++)
        for (int32_t i = 0; i < in->topic_data[t].partition_data_n; i++) {
            const struct krecords *b = &in->topic_data[t].partition_data[i].records;
            if (b->len < BATCH_HEADER || batch_magic(b->p) != 2 || !batch_is_transactional(b->p)) continue;
            if (in->transactional_id.len < 0) return KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            if (batch_producer_id(b->p) < 0) continue;
            bool other = batch_producer_id(b->p) != id || batch_producer_epoch(b->p) != epoch;
            if (id != NO_PRODUCER_ID && other) return KERR_INVALID_PRODUCER_ID_MAPPING;
            id = batch_producer_id(b->p);
            epoch = batch_producer_epoch(b->p);
        }
    return KERR_NONE;
}

static bool refuse_topic(struct request *r, const struct produce_request_topic_produce_data *in,
                         struct produce_response_topic_produce_response *out, int16_t code) {
    size_t n = (size_t)(in->partition_data_n > 0 ? in->partition_data_n : 0);
    produce_response_topic_produce_response_init(out);
    out->name = in->name;
    out->topic_id = in->topic_id;
    out->partition_responses = request_array(r, n, sizeof *out->partition_responses);
    for (size_t i = 0; out->partition_responses && i < n; i++) {
        struct produce_response_partition_produce_response *a = &out->partition_responses[i];
        produce_response_partition_produce_response_init(a);
        a->index = in->partition_data[i].index;
        fail(a, code);
        if (code == KERR_INVALID_PRODUCER_ID_MAPPING)
            a->error_message = KSTR("the request has transactional records of more than one producer");
    }
    out->partition_responses_n = (int32_t)n;
    return out->partition_responses;
}

void handle_produce(struct request *r, const struct produce_request *in) {
    struct produce *p = request_alloc(r, sizeof *p);
    int16_t refused_code = check_transaction(in);
    produce_response_init(&p->out);
    p->request = r;
    p->acks = in->acks;
    p->transactional_id = in->transactional_id;
    p->producer_id = NO_PRODUCER_ID;
    p->last = &p->deferred;
    atomic_init(&p->pending, 1);
    r->state = p;
    r->detach = detach;
    size_t n = (size_t)(in->topic_data_n > 0 ? in->topic_data_n : 0);
    p->out.responses = request_array(r, n, sizeof *p->out.responses);
    bool ok = p->out.responses != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        p->out.responses_n = (int32_t)i + 1;
        ok = refused_code ? refuse_topic(r, &in->topic_data[i], &p->out.responses[i], refused_code)
                          : produce_topic(p, &in->topic_data[i], &p->out.responses[i]);
    }
    p->out_of_memory |= !ok; /* what was queued is written, and the client sees its connection end */
    if (p->deferred) {
        ask_coordinator(p);
        return;
    }
    if (settle(p)) finish(r);
}
