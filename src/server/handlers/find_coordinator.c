/* FindCoordinator: the broker that leads the partition of the internal topic which the key belongs to. The
 * first time the topic is made, and the client asks again. KafkaApis.handleFindCoordinatorRequest.
 * Transactions and share groups have no coordinator yet: COORDINATOR_NOT_AVAILABLE. */
#include "server/handlers/handlers.h"

#include "api/find_coordinator.h"
#include "base/log.h"
#include "metadata/image.h"
#include "server/auto_create.h"
#include "server/coordinators.h"
#include "server/node.h"

enum key_type { KEY_GROUP = 0, KEY_TRANSACTION = 1, KEY_SHARE = 2 };
enum { FIRST_VERSION_WITH_BATCHES = 4, FIRST_VERSION_WITH_SHARE = 6 };

struct found {
    int16_t error;
    int32_t node;
    struct kstr host;
    int32_t port;
};

static struct found none(int16_t error) {
    return (struct found){.error = error, .node = -1, .host = KSTR(""), .port = -1};
}

static void create_topic(struct request *r) {
    struct auto_create *c = auto_create_begin(r->node);
    auto_create_add(c, KSTR("__consumer_offsets"));
    auto_create_submit(c);
}

static struct found find_group(struct request *r, struct kstr key) {
    const struct image *image = request_image(r);
    const struct topic *t = image_topic_by_name(image, "__consumer_offsets", 18);
    if (!t) {
        create_topic(r);
        return none(KERR_COORDINATOR_NOT_AVAILABLE);
    }
    int32_t index = coordinators_group_partition(r->node->coordinators, key);
    const struct partition *p = index < t->partitions_n ? t->partitions[index] : NULL;
    const struct broker *b = p && p->leader != NO_LEADER ? image_broker(image, p->leader) : NULL;
    const struct endpoint *e = b && !b->fenced ? broker_endpoint(b, request_listener(r)) : NULL;
    if (!e) return none(KERR_COORDINATOR_NOT_AVAILABLE);
    return (struct found){.node = b->id, .host = kstr_of(e->host), .port = e->port};
}

static struct found find(struct request *r, int8_t type, struct kstr key) {
    if (type == KEY_GROUP) return find_group(r, key);
    if (type == KEY_TRANSACTION || (type == KEY_SHARE && r->version >= FIRST_VERSION_WITH_SHARE)) {
        LOG_LIMITED(LOG_WARN, "server", "%s:%s: asks for the coordinator of %s, which is not there yet",
                    request_listener(r), request_host(r),
                    type == KEY_SHARE ? "share groups" : "transactions");
        return none(KERR_COORDINATOR_NOT_AVAILABLE);
    }
    return none(KERR_INVALID_REQUEST);
}

static struct kstr message_of(int16_t error) { return error ? kstr_of(kerr_message(error)) : KSTR("NONE"); }

void handle_find_coordinator(struct request *r, const struct find_coordinator_request *in) {
    struct find_coordinator_response *out = request_alloc(r, sizeof *out);
    find_coordinator_response_init(out);
    if (r->version < FIRST_VERSION_WITH_BATCHES) {
        struct found f = find(r, in->key_type, in->key);
        out->error_code = f.error;
        out->error_message = message_of(f.error);
        out->node_id = f.node;
        out->host = f.host;
        out->port = f.port;
        request_finish(r, out);
        return;
    }
    out->coordinators = request_array(r, (size_t)in->coordinator_keys_n, sizeof *out->coordinators);
    for (int32_t i = 0; out->coordinators && i < in->coordinator_keys_n; i++) {
        struct found f = find(r, in->key_type, in->coordinator_keys[i]);
        bool unknown_type =
            in->key_type < KEY_GROUP || in->key_type > KEY_SHARE; /* refused as a whole, with its message */
        out->coordinators[out->coordinators_n++] = (struct find_coordinator_response_coordinator){
            .key = in->coordinator_keys[i],
            .node_id = f.node,
            .host = f.host,
            .port = f.port,
            .error_code = f.error,
            .error_message = unknown_type ? message_of(f.error) : KSTR(""),
        };
    }
    if (out->coordinators)
        request_finish(r, out);
    else
        request_fail(r, "out of memory");
}
