/* WriteTxnMarkers: what another broker's transaction coordinator, or an administrator who aborts a hanging
 * transaction, has decided. KafkaApis.handleWriteTxnMarkersRequest. */
#include "server/handlers/handlers.h"

#include <stdatomic.h>
#include <string.h>

#include "api/write_txn_markers.h"
#include "server/markers.h"

struct write_markers {
    struct request *request;
    struct write_txn_markers_response out;
    struct marker_write *writes;
    int32_t n;
    _Atomic int32_t left;
};

/* Where the answer for a producer, a topic of it, a partition of that is or is to be; NULL: no memory. Each
 * stands there once, though several markers may be for it. */
static struct write_txn_markers_response_writable_txn_marker_result *producer_of(struct write_markers *w,
                                                                                 int64_t id) {
    for (int32_t i = 0; i < w->out.markers_n; i++)
        if (w->out.markers[i].producer_id == id) return &w->out.markers[i];
    w->out.markers[w->out.markers_n].producer_id = id;
    return &w->out.markers[w->out.markers_n++];
}

static struct write_txn_markers_response_writable_txn_marker_topic_result *topic_of(
    struct write_markers *w, struct write_txn_markers_response_writable_txn_marker_result *m,
    struct kstr name) {
    int32_t n = m->topics_n;
    for (int32_t i = 0; i < n; i++)
        if (kstr_equal(m->topics[i].name, name)) return &m->topics[i];
    if ((n & (n - 1)) == 0) { /* the capacity is the next power of two */
        struct write_txn_markers_response_writable_txn_marker_topic_result *more =
            request_array(w->request, n ? (size_t)n * 2 : 1, sizeof *more);
        if (!more) return NULL;
        if (n) memcpy(more, m->topics, (size_t)n * sizeof *more);
        m->topics = more;
    }
    m->topics[n].name = name;
    m->topics_n++;
    return &m->topics[n];
}

static bool put(struct write_markers *w, const struct marker_slot *s) {
    struct write_txn_markers_response_writable_txn_marker_topic_result *t =
        topic_of(w, producer_of(w, s->write->producer_id), s->topic);
    int32_t n = t ? t->partitions_n : 0;
    for (int32_t i = 0; i < n; i++)
        if (t->partitions[i].partition_index == s->partition) {
            t->partitions[i].error_code = s->error;
            return true;
        }
    if (t && (n & (n - 1)) == 0) {
        struct write_txn_markers_response_writable_txn_marker_partition_result *more =
            request_array(w->request, n ? (size_t)n * 2 : 1, sizeof *more);
        if (!more) return false;
        if (n) memcpy(more, t->partitions, (size_t)n * sizeof *more);
        t->partitions = more;
    }
    if (!t) return false;
    t->partitions[t->partitions_n++] =
        (struct write_txn_markers_response_writable_txn_marker_partition_result){
            .partition_index = s->partition, .error_code = s->error};
    return true;
}

static void answer(struct request *r) {
    struct write_markers *w = r->state;
    bool ok = true;
    for (int32_t m = 0; ok && m < w->n; m++)
        for (int32_t i = 0; ok && i < w->writes[m].n; i++) ok = put(w, &w->writes[m].slots[i]);
    if (ok)
        request_finish(r, &w->out);
    else
        request_fail(r, "out of memory");
}

static void settle(struct write_markers *w) {
    if (atomic_fetch_sub(&w->left, 1) == 1) request_resume(w->request, answer);
}

static void on_done(struct marker_write *m) { settle(m->owner); } /* any thread */

static bool prepare(struct request *r, const struct write_txn_markers_request_writable_txn_marker *in,
                    struct marker_write *w) {
    size_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) n += (size_t)in->topics[t].partition_indexes_n;
    *w = (struct marker_write){
        .node = r->node,
        .producer_id = in->producer_id,
        .coordinator_epoch = in->coordinator_epoch,
        .epoch = in->producer_epoch,
        .transaction_version = in->transaction_version,
        .commit = in->transaction_result,
        .slots = request_array(r, n + 1, sizeof *w->slots),
        .done = on_done,
        .owner = r->state,
    };
    if (!w->slots) return false;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partition_indexes_n; i++)
            w->slots[w->n++] = (struct marker_slot){.topic = in->topics[t].name,
                                                    .partition = in->topics[t].partition_indexes[i]};
    return true;
}

void handle_write_txn_markers(struct request *r, const struct write_txn_markers_request *in) {
    struct write_markers *w = request_alloc(r, sizeof *w);
    size_t n = (size_t)in->markers_n;
    write_txn_markers_response_init(&w->out);
    w->request = r;
    r->state = w;
    w->out.markers = request_array(r, n + 1, sizeof *w->out.markers);
    w->writes = request_array(r, n + 1, sizeof *w->writes);
    bool ok = w->out.markers && w->writes;
    for (; ok && w->n < in->markers_n; w->n++) ok = prepare(r, &in->markers[w->n], &w->writes[w->n]);
    if (!ok) {
        request_fail(r, "out of memory");
        return;
    }
    atomic_init(&w->left, w->n + 1);
    for (int32_t i = 0; i < w->n; i++)
        if (w->writes[i].n)
            marker_write_begin(&w->writes[i]);
        else
            settle(w);
    settle(w);
}
