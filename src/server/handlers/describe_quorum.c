/* DescribeQuorum: the quorum of the metadata log, which is this node.
 * KafkaRaftClient.handleDescribeQuorumRequest. */
#include "server/handlers/handlers.h"

#include "api/describe_quorum.h"
#include "config/config.h"
#include "io/clock.h"
#include "server/control.h"
#include "server/node.h"

struct state {
    const struct describe_quorum_request *in;
    struct describe_quorum_response out;
};

static bool asks_for_metadata(const struct describe_quorum_request *in) {
    return in->topics_n == 1 && kstr_is(in->topics[0].topic_name, "__cluster_metadata") &&
           in->topics[0].partitions_n == 1 && in->topics[0].partitions[0].partition_index == 0;
}

static void refuse(struct request *r, const struct describe_quorum_request *in,
                   struct describe_quorum_response *out) {
    out->topics = request_array(r, (size_t)in->topics_n, sizeof *out->topics);
    for (int32_t t = 0; out->topics && t < in->topics_n; t++) {
        struct describe_quorum_response_topic_data *o = &out->topics[out->topics_n++];
        describe_quorum_response_topic_data_init(o);
        o->topic_name = in->topics[t].topic_name;
        o->partitions = request_array(r, (size_t)in->topics[t].partitions_n, sizeof *o->partitions);
        for (int32_t i = 0; o->partitions && i < in->topics[t].partitions_n; i++) {
            struct describe_quorum_response_partition_data *p = &o->partitions[o->partitions_n++];
            describe_quorum_response_partition_data_init(p);
            p->partition_index = in->topics[t].partitions[i].partition_index;
            p->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            p->error_message = kstr_of(kerr_message(p->error_code));
        }
    }
}

static void list_nodes(struct request *r, struct describe_quorum_response *out) {
    const struct listeners *l = config_listeners(r->node->config);
    out->nodes = request_alloc(r, sizeof *out->nodes);
    out->nodes_n = 1;
    out->nodes->node_id = r->node->id;
    out->nodes->listeners = request_array(r, (size_t)l->n, sizeof *out->nodes->listeners);
    for (int32_t i = 0; out->nodes->listeners && i < l->n; i++)
        if (l->items[i].controller)
            out->nodes->listeners[out->nodes->listeners_n++] =
                (struct describe_quorum_response_listener){.name = kstr_of(l->items[i].name),
                                                           .host = kstr_of(l->items[i].advertised_host),
                                                           .port = (uint16_t)l->items[i].advertised_port};
}

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct state *s = r->state;
    struct describe_quorum_response *out = &s->out;
    if (!asks_for_metadata(s->in)) {
        refuse(r, s->in, out);
        return;
    }
    out->topics = request_alloc(r, sizeof *out->topics);
    out->topics_n = 1;
    out->topics->topic_name = s->in->topics[0].topic_name;
    struct describe_quorum_response_partition_data *p = out->topics->partitions = request_alloc(r, sizeof *p);
    out->topics->partitions_n = 1;
    describe_quorum_response_partition_data_init(p);
    p->leader_id = r->node->id;
    p->leader_epoch = kraft_epoch(c->kraft);
    p->high_watermark = kraft_high_watermark(c->kraft);
    int64_t now = clock_wall_ms();
    p->current_voters = request_alloc(r, sizeof *p->current_voters);
    p->current_voters_n = 1;
    *p->current_voters =
        (struct describe_quorum_response_replica_state){.replica_id = r->node->id,
                                                        .log_end_offset = kraft_end_offset(c->kraft),
                                                        .last_fetch_timestamp = now,
                                                        .last_caught_up_timestamp = now};
    if (kraft_version(c->kraft) > 0) p->current_voters->replica_directory_id = r->node->metadata_directory_id;
    list_nodes(r, out);
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_describe_quorum(struct request *r, const struct describe_quorum_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    describe_quorum_response_init(&s->out);
    s->in = in;
    r->state = s;
    control_submit(r, command, finish);
}
