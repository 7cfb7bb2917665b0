/* FindCoordinator: the broker that leads the partition of the internal topic which the key belongs to. The
 * first time the topic is made, and the client asks again. KafkaApis.handleFindCoordinatorRequest. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/find_coordinator.h"
#include "base/uuid.h"
#include "coord/coord.h"
#include "metadata/image.h"
#include "server/auto_create.h"
#include "server/coordinators.h"
#include "server/node.h"

enum { FIRST_VERSION_WITH_BATCHES = 4, FIRST_VERSION_WITH_SHARE = 6, UUID_LETTERS_MAX = 24 };

struct found {
    int16_t error;
    int32_t node;
    struct kstr host;
    int32_t port;
};

static struct found none(int16_t error) {
    return (struct found){.error = error, .node = -1, .host = KSTR(""), .port = -1};
}

/* Where the last colon before `end` is; −1: nowhere. */
static int32_t colon_before(struct kstr s, int32_t end) {
    while (--end >= 0 && s.s[end] != ':') continue;
    return end;
}

/* "group:topicId:partition"; the group may have colons of its own. false: it is none. *key is then as the
 * hash is taken of it (SharePartitionKey). */
static bool read_share_key(struct request *r, struct kstr *key) {
    struct kstr k = *key;
    char id[UUID_LETTERS_MAX + 1], text[UUID_TEXT];
    struct uuid topic;
    int64_t partition = 0;
    while (k.len > 0 && k.s[k.len - 1] == ':') k.len--;
    int32_t second = colon_before(k, k.len), first = colon_before(k, second), group = 0;
    if (first <= 0 || second - first - 1 > UUID_LETTERS_MAX) return false;
    while (group < first && (unsigned char)k.s[group] <= ' ') group++;
    memcpy(id, k.s + first + 1, (size_t)(second - first - 1));
    id[second - first - 1] = 0;
    if (group == first || uuid_parse(id, &topic)) return false;
    int32_t at = second + 1, sign = at < k.len && (k.s[at] == '-' || k.s[at] == '+') ? at++ : -1;
    if (at == k.len) return false;
    for (; at < k.len && partition <= INT32_MAX; at++) {
        if (k.s[at] < '0' || k.s[at] > '9') return false;
        partition = partition * 10 + k.s[at] - '0';
    }
    if (sign >= 0 && k.s[sign] == '-') partition = -partition;
    if (partition > INT32_MAX || partition < INT32_MIN) return false;
    *key = kstr_of(
        arena_printf(&r->arena, "%.*s:%s:%lld", first, k.s, uuid_format(&topic, text), (long long)partition));
    return key->len >= 0;
}

static struct found find_partition(struct request *r, enum coordinator_kind kind, struct kstr key) {
    const struct image *image = request_image(r);
    struct kstr name = coordinators_topic(r->node->coordinators, kind);
    const struct topic *t = image_topic_by_name(image, name.s, (size_t)name.len);
    if (!t) {
        struct auto_create *c = auto_create_begin(r);
        auto_create_add(c, name);
        auto_create_submit(c);
        return none(KERR_COORDINATOR_NOT_AVAILABLE);
    }
    int32_t index = coord_partition_of(coordinators_get(r->node->coordinators, kind), key);
    const struct partition *p = index < t->partitions_n ? t->partitions[index] : NULL;
    const struct broker *b = p && p->leader != NO_LEADER ? image_broker(image, p->leader) : NULL;
    const struct endpoint *e = b && !b->fenced ? broker_endpoint(b, request_listener(r)) : NULL;
    if (!e) return none(KERR_COORDINATOR_NOT_AVAILABLE);
    return (struct found){.node = b->id, .host = kstr_of(e->host), .port = e->port};
}

static struct found find(struct request *r, int8_t type, struct kstr key) {
    if (type < 0 || type >= COORDINATORS) return none(KERR_INVALID_REQUEST);
    if (type == COORDINATOR_SHARE && (r->version < FIRST_VERSION_WITH_SHARE || !read_share_key(r, &key)))
        return none(KERR_INVALID_REQUEST);
    return find_partition(r, (enum coordinator_kind)type, key);
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
            in->key_type < 0 || in->key_type >= COORDINATORS; /* refused as a whole, with its message */
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
