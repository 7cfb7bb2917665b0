/* WriteTxnMarkers: what another broker's transaction coordinator, or an administrator who aborts a hanging
 * transaction, has decided. KafkaApis.handleWriteTxnMarkersRequest. */
#include "server/handlers/handlers.h"

#include <stdatomic.h>

#include "api/write_txn_markers.h"
#include "server/markers.h"

struct write_markers {
    struct request *request;
    struct write_txn_markers_response out;
    struct marker_write *writes; /* as many as markers */
    _Atomic int32_t left;
};

static void answer(struct request *r) {
    struct write_markers *w = r->state;
    for (int32_t m = 0; m < w->out.markers_n; m++) {
        const struct marker_slot *s = w->writes[m].slots;
        for (int32_t t = 0; t < w->out.markers[m].topics_n; t++)
            for (int32_t i = 0; i < w->out.markers[m].topics[t].partitions_n; i++, s++)
                w->out.markers[m].topics[t].partitions[i] =
                    (struct write_txn_markers_response_writable_txn_marker_partition_result){
                        .partition_index = s->partition, .error_code = s->error};
    }
    request_finish(r, &w->out);
}

static void settle(struct write_markers *w) {
    if (atomic_fetch_sub(&w->left, 1) == 1) request_resume(w->request, answer);
}

static void on_done(struct marker_write *m) { settle(m->owner); } /* any thread */

static bool prepare(struct request *r, const struct write_txn_markers_request_writable_txn_marker *in,
                    struct marker_write *w,
                    struct write_txn_markers_response_writable_txn_marker_result *out) {
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
    out->producer_id = in->producer_id;
    out->topics = request_array(r, (size_t)in->topics_n + 1, sizeof *out->topics);
    if (!w->slots || !out->topics) return false;
    for (int32_t t = 0; t < in->topics_n; t++) {
        const struct write_txn_markers_request_writable_txn_marker_topic *from = &in->topics[t];
        out->topics[t].name = from->name;
        out->topics[t].partitions_n = from->partition_indexes_n;
        out->topics[t].partitions =
            request_array(r, (size_t)from->partition_indexes_n + 1, sizeof *out->topics[t].partitions);
        if (!out->topics[t].partitions) return false;
        for (int32_t i = 0; i < from->partition_indexes_n; i++)
            w->slots[w->n++] =
                (struct marker_slot){.topic = from->name, .partition = from->partition_indexes[i]};
    }
    out->topics_n = in->topics_n;
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
    for (int32_t i = 0; ok && i < in->markers_n; i++) {
        ok = prepare(r, &in->markers[i], &w->writes[i], &w->out.markers[i]);
        w->out.markers_n++;
    }
    if (!ok) {
        request_fail(r, "out of memory");
        return;
    }
    atomic_init(&w->left, in->markers_n + 1);
    for (int32_t i = 0; i < in->markers_n; i++)
        if (w->writes[i].n)
            marker_write_begin(&w->writes[i]);
        else
            settle(w);
    settle(w);
}
