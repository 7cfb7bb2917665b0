/* DescribeCluster: the brokers that clients of this listener can reach (fenced ones too when asked for, from
 * version 2). KafkaApis.handleDescribeCluster, AuthHelper.computeDescribeClusterResponse. */
#include "server/handlers/handlers.h"

#include "api/describe_cluster.h"
#include "metadata/image.h"
#include "server/node.h"
#include "server/operations.h"

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static void refuse(struct request *r, int8_t asked, struct describe_cluster_response *out) {
    bool controllers = asked == ENDPOINT_CONTROLLERS;
    out->error_code = r->version == 0 ? KERR_INVALID_REQUEST
                      : controllers   ? KERR_MISMATCHED_ENDPOINT_TYPE
                                      : KERR_UNSUPPORTED_ENDPOINT_TYPE;
    out->error_message = controllers
                             ? KSTR("The request was sent to an endpoint of type BROKER, but we wanted an "
                                    "endpoint of type CONTROLLER")
                             : kstr_of(arena_printf(&r->arena, "Unsupported endpoint type %d", asked));
}

static void list_brokers(struct request *r, bool fenced_too, struct describe_cluster_response *out) {
    const struct image *image = request_image(r);
    int32_t n = image_brokers_n(image);
    out->brokers = request_array(r, (size_t)n, sizeof *out->brokers);
    for (int32_t i = 0; out->brokers && i < n; i++) {
        const struct broker *b = image_broker_at(image, i);
        const struct endpoint *e = broker_endpoint(b, request_listener(r));
        if (!e || (b->fenced && !fenced_too)) continue;
        struct describe_cluster_response_describe_cluster_broker *o = &out->brokers[out->brokers_n++];
        *o = (struct describe_cluster_response_describe_cluster_broker){.broker_id = b->id,
                                                                        .host = kstr_of(e->host),
                                                                        .port = e->port,
                                                                        .rack = kstr_of(b->rack),
                                                                        .is_fenced = b->fenced};
        if (!b->fenced && (out->controller_id < 0 || b->id == r->node->id)) out->controller_id = b->id;
    }
}

void handle_describe_cluster(struct request *r, const struct describe_cluster_request *in) {
    struct describe_cluster_response *out = request_alloc(r, sizeof *out);
    describe_cluster_response_init(out);
    if (in->endpoint_type != ENDPOINT_BROKERS)
        refuse(r, in->endpoint_type, out);
    else {
        if (in->include_cluster_authorized_operations)
            out->cluster_authorized_operations = OPERATIONS_CLUSTER;
        out->cluster_id = kstr_of(r->node->cluster_id);
        list_brokers(r, in->include_fenced_brokers, out);
    }
    request_finish(r, out);
}
