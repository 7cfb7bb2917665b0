#include "bench/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/create_topics.h"
#include "api/delete_topics.h"
#include "api/keys.h"
#include "api/list_offsets.h"
#include "api/metadata.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "bench/figures.h"
#include "io/clock.h"

enum { TIMEOUT_MS = 60000, RESPONSE_MAX = 256 << 20 };

void target_open(struct target *t, int port, const char *topic, int partitions) {
    char *address = xasprintf("127.0.0.1:%d", port);
    struct client_options o = {address, "ottla-load", TIMEOUT_MS, RESPONSE_MAX};
    *t = (struct target){.topic = topic, .partitions = partitions};
    if (client_create(&o, &t->client)) fail("%s", client_why(t->client));
    free(address);
    size_t n = (size_t)partitions;
    t->leader = xcalloc(n, sizeof *t->leader);
    t->port = xcalloc(n, sizeof *t->port);
    t->first = xcalloc(n, sizeof *t->first);
    t->end = xcalloc(n, sizeof *t->end);
}

void target_close(struct target *t) {
    client_destroy(t->client);
    free(t->leader);
    free(t->port);
    free(t->first);
    free(t->end);
}

static int call(struct target *t, int16_t key, int32_t node, const void *request, void *response,
                struct arena *a) {
    struct client_call c = {.key = key,
                            .target = node >= 0 ? CLIENT_NODE : CLIENT_ANY,
                            .node = node,
                            .request = request,
                            .response = response,
                            .arena = a};
    return client_do(t->client, &c);
}

void target_create(struct target *t, int replication, const char *const *configs, int configs_n) {
    struct create_topics_request request;
    struct create_topics_response response;
    struct create_topics_request_creatable_topic topic;
    struct create_topics_request_creatable_topic_config *pairs =
        xcalloc((size_t)configs_n + 1, sizeof *pairs);
    struct arena a;
    arena_init(&a, RESPONSE_MAX);
    create_topics_request_init(&request);
    create_topics_request_creatable_topic_init(&topic);
    topic.name = kstr_of(t->topic);
    topic.num_partitions = t->partitions;
    topic.replication_factor = (int16_t)replication;
    topic.configs = pairs;
    topic.configs_n = configs_n;
    for (int i = 0; i < configs_n; i++) {
        const char *equals = strchr(configs[i], '=');
        if (!equals) fail("a configuration is name=value, not '%s'", configs[i]);
        create_topics_request_creatable_topic_config_init(&pairs[i]);
        pairs[i].name = (struct kstr){configs[i], (int32_t)(equals - configs[i])};
        pairs[i].value = kstr_of(equals + 1);
    }
    request.topics = &topic;
    request.topics_n = 1;
    request.timeout_ms = TIMEOUT_MS;
    if (call(t, API_CREATE_TOPICS, -1, &request, &response, &a))
        fail("CreateTopics: %s", client_why(t->client));
    int16_t error = response.topics_n == 1 ? response.topics[0].error_code : KERR_UNKNOWN_SERVER_ERROR;
    if (error && error != KERR_TOPIC_ALREADY_EXISTS) fail("CreateTopics %s: error %d", t->topic, error);
    free(pairs);
    arena_free(&a);
}

void target_delete(struct target *t) {
    struct delete_topics_request request;
    struct delete_topics_response response;
    struct delete_topics_request_delete_topic_state state;
    struct kstr name = kstr_of(t->topic);
    struct arena a;
    arena_init(&a, RESPONSE_MAX);
    delete_topics_request_init(&request);
    delete_topics_request_delete_topic_state_init(&state);
    state.name = name;
    request.topics = &state; /* from version 6 on; before it, topic_names */
    request.topics_n = 1;
    request.topic_names = &name;
    request.topic_names_n = 1;
    request.timeout_ms = TIMEOUT_MS;
    if (call(t, API_DELETE_TOPICS, -1, &request, &response, &a))
        fail("DeleteTopics: %s", client_why(t->client));
    int16_t error = response.responses_n == 1 ? response.responses[0].error_code : KERR_UNKNOWN_SERVER_ERROR;
    if (error && error != KERR_UNKNOWN_TOPIC_OR_PARTITION) fail("DeleteTopics %s: error %d", t->topic, error);
    arena_free(&a);
}

/* Fills leader and port; false when a partition has none. */
static bool read_leaders(struct target *t) {
    struct metadata_request request;
    struct metadata_response response;
    struct metadata_request_metadata_request_topic topic;
    struct arena a;
    int found = 0;
    arena_init(&a, RESPONSE_MAX);
    metadata_request_init(&request);
    metadata_request_metadata_request_topic_init(&topic);
    topic.name = kstr_of(t->topic);
    request.topics = &topic;
    request.topics_n = 1;
    request.allow_auto_topic_creation = false;
    if (call(t, API_METADATA, -1, &request, &response, &a)) fail("Metadata: %s", client_why(t->client));
    const struct metadata_response_metadata_response_topic *r =
        response.topics_n == 1 ? response.topics : NULL;
    for (int i = 0; r && !r->error_code && i < r->partitions_n; i++) {
        int32_t index = r->partitions[i].partition_index;
        if (index < 0 || index >= t->partitions || r->partitions[i].error_code) continue;
        for (int b = 0; b < response.brokers_n; b++)
            if (response.brokers[b].node_id == r->partitions[i].leader_id) {
                t->leader[index] = response.brokers[b].node_id;
                t->port[index] = response.brokers[b].port;
                found++;
            }
    }
    arena_free(&a);
    return found == t->partitions;
}

/* timestamp: -2 for the log start, -1 for the log end. Asks one leader for all of its partitions. */
static bool list_offsets_of(struct target *t, int32_t node, int64_t timestamp, int64_t *offsets) {
    struct list_offsets_request request;
    struct list_offsets_response response;
    struct list_offsets_request_list_offsets_topic topic;
    struct list_offsets_request_list_offsets_partition *asked = xcalloc((size_t)t->partitions, sizeof *asked);
    struct arena a;
    bool good = true;
    arena_init(&a, RESPONSE_MAX);
    list_offsets_request_init(&request);
    list_offsets_request_list_offsets_topic_init(&topic);
    topic.name = kstr_of(t->topic);
    topic.partitions = asked;
    topic.partitions_n = 0;
    for (int i = 0; i < t->partitions; i++) {
        if (t->leader[i] != node) continue;
        struct list_offsets_request_list_offsets_partition *p = &asked[topic.partitions_n++];
        list_offsets_request_list_offsets_partition_init(p);
        p->partition_index = i;
        p->timestamp = timestamp;
    }
    request.replica_id = -1;
    request.topics = &topic;
    request.topics_n = 1;
    request.timeout_ms = TIMEOUT_MS;
    if (call(t, API_LIST_OFFSETS, node, &request, &response, &a))
        fail("ListOffsets: %s", client_why(t->client));
    if (response.topics_n != 1 || response.topics[0].partitions_n != topic.partitions_n) good = false;
    for (int i = 0; good && i < response.topics[0].partitions_n; i++) {
        const struct list_offsets_response_list_offsets_partition_response *p =
            &response.topics[0].partitions[i];
        if (p->error_code || p->partition_index < 0 || p->partition_index >= t->partitions)
            good = false;
        else
            offsets[p->partition_index] = p->offset;
    }
    free(asked);
    arena_free(&a);
    return good;
}

static bool list_all_offsets(struct target *t, int64_t timestamp, int64_t *offsets) {
    const int32_t *ids;
    int n;
    if (client_nodes(t->client, &ids, &n)) fail("Metadata: %s", client_why(t->client));
    int32_t *nodes = xcalloc((size_t)n, sizeof *nodes);
    memcpy(nodes, ids, (size_t)n * sizeof *nodes);
    bool good = true;
    for (int i = 0; good && i < n; i++) {
        bool leads = false;
        for (int k = 0; k < t->partitions && !leads; k++) leads = t->leader[k] == nodes[i];
        if (leads) good = list_offsets_of(t, nodes[i], timestamp, offsets);
    }
    free(nodes);
    return good;
}

void target_wait(struct target *t) {
    int64_t until = clock_mono_ms() + TIMEOUT_MS;
    while (!read_leaders(t) || !list_all_offsets(t, -2, t->first) || !list_all_offsets(t, -1, t->end)) {
        if (clock_mono_ms() > until)
            fail("%s has no %d ready leaders after %d s", t->topic, t->partitions, TIMEOUT_MS / 1000);
        clock_sleep_ms(10);
    }
}

bool target_read_end(struct target *t) { return list_all_offsets(t, -1, t->end); }

int64_t target_sum(const struct target *t, const int64_t *offsets) {
    int64_t sum = 0;
    for (int i = 0; i < t->partitions; i++) sum += offsets[i];
    return sum;
}

int target_connect(int port, bool blocking) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        fail("connect to port %d: %s", port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!blocking) fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}
