/* StreamsGroupHeartbeat: KafkaApis.handleStreamsGroupHeartbeat. The coordinator says which internal topics
 * are missing; they are created in the background, and the next heartbeats find them, or hear why not. */
#include "server/handlers/handlers.h"

#include <stdlib.h>

#include "api/streams_group_heartbeat.h"
#include "base/strbuf.h"
#include "group/streams_result.h"
#include "group/topology.h"
#include "io/clock.h"
#include "metadata/topic_name.h"
#include "server/auto_create.h"
#include "server/coord_call.h"
#include "server/group_protocols.h"
#include "server/topic_errors.h"

enum { TEXT_MAX = 64 << 10, ERRORS_NAMED = 3 };

static void refuse(struct request *r, int16_t error, const char *message) {
    struct streams_group_heartbeat_response *out = request_alloc(r, sizeof *out);
    streams_group_heartbeat_response_init(out);
    out->error_code = error;
    out->error_message = kstr_of(message);
    request_finish(r, out);
}

/* --- the names in a topology --- */

/* Names that are bad, each once, in the order in which they come. */
struct bad_names {
    struct strbuf text;
    bool (*bad)(const char *name, size_t len);
    struct kstr *list;
    int32_t n;
};

static bool is_invalid(const char *name, size_t len) { return !topic_name_valid(name, len); }

static void look(struct bad_names *b, struct kstr name) {
    if (!b->bad(name.s, (size_t)name.len)) return;
    for (int32_t i = 0; i < b->n; i++)
        if (kstr_equal(b->list[i], name)) return;
    b->list[b->n++] = name;
    strbuf_addf(&b->text, "%s%.*s", b->n > 1 ? "," : "", name.len, name.s);
}

static void look_at_all(struct bad_names *b, const struct streams_group_heartbeat_request_topology *t) {
    for (int32_t i = 0; i < t->subtopologies_n; i++) {
        const struct streams_group_heartbeat_request_subtopology *s = &t->subtopologies[i];
        for (int32_t k = 0; k < s->source_topics_n; k++) look(b, s->source_topics[k]);
        for (int32_t k = 0; k < s->repartition_sink_topics_n; k++) look(b, s->repartition_sink_topics[k]);
        for (int32_t k = 0; k < s->repartition_source_topics_n; k++)
            look(b, s->repartition_source_topics[k].name);
        for (int32_t k = 0; k < s->state_changelog_topics_n; k++) look(b, s->state_changelog_topics[k].name);
    }
}

static size_t names_in(const struct streams_group_heartbeat_request_topology *t) {
    size_t n = 0;
    for (int32_t i = 0; i < t->subtopologies_n; i++)
        n += (size_t)t->subtopologies[i].source_topics_n +
             (size_t)t->subtopologies[i].repartition_sink_topics_n +
             (size_t)t->subtopologies[i].repartition_source_topics_n +
             (size_t)t->subtopologies[i].state_changelog_topics_n;
    return n;
}

/* The bad names as a text, or NULL: there are none. */
static const char *bad_names(struct request *r, const struct streams_group_heartbeat_request_topology *t,
                             bool (*bad)(const char *name, size_t len)) {
    struct bad_names b = {.bad = bad, .list = request_array(r, names_in(t), sizeof *b.list)};
    const char *text = NULL;
    if (!b.list) return NULL;
    strbuf_init(&b.text, TEXT_MAX);
    look_at_all(&b, t);
    if (b.n) text = arena_strndup(&r->arena, strbuf_str(&b.text), b.text.len);
    strbuf_free(&b.text);
    return text;
}

/* --- the topics that are missing --- */

static void create_topics(struct request *r, const struct streams_heartbeat_result *result) {
    struct topic_errors *errors = r->node->topic_errors;
    struct auto_create *c = auto_create_begin(r);
    int64_t now = clock_mono_ms();
    for (int32_t i = 0; i < result->topics_n; i++)
        if (topic_errors_begin(errors, result->topics[i].name, now))
            auto_create_add_topic(c, &result->topics[i], 2 * (int64_t)result->heartbeat_interval_ms);
    auto_create_submit(c);
}

static struct streams_group_heartbeat_response_status *missing_status(
    struct streams_heartbeat_result *result) {
    for (int32_t i = 0; i < result->response.status_n; i++)
        if (result->response.status[i].status_code == STREAMS_MISSING_INTERNAL_TOPICS)
            return &result->response.status[i];
    return NULL;
}

/* Why they could not be created goes behind what the coordinator says of them. */
static void add_errors(struct request *r, struct streams_heartbeat_result *result) {
    struct streams_group_heartbeat_response_status *status = missing_status(result);
    int32_t n = 0;
    int64_t now = clock_mono_ms();
    struct strbuf b;
    strbuf_init(&b, TEXT_MAX);
    for (int32_t i = 0; status && i < result->topics_n; i++) {
        struct kstr name = result->topics[i].name;
        const char *why = topic_errors_get(r->node->topic_errors, name, now, &r->arena);
        if (why && ++n <= ERRORS_NAMED)
            strbuf_addf(&b, "%s%.*s (%s)", n > 1 ? ", " : "", name.len, name.s, why);
    }
    if (n > ERRORS_NAMED) strbuf_addf(&b, " and %d more", n - ERRORS_NAMED);
    if (n) {
        const char *detail = arena_printf(&r->arena, "%.*s; Creation failed: %s.", status->status_detail.len,
                                          status->status_detail.s, strbuf_str(&b));
        if (detail) status->status_detail = kstr_of(detail);
    }
    strbuf_free(&b);
}

static void finish(struct request *r) {
    struct streams_heartbeat_result *result = coord_call_response(r);
    if (!result) return;
    if (result->topics_n) {
        add_errors(r, result); /* of earlier attempts: this one is told with the next heartbeat */
        create_topics(r, result);
    }
    request_finish(r, &result->response);
}

void handle_streams_group_heartbeat(struct request *r, const struct streams_group_heartbeat_request *in) {
    if (!group_protocol_enabled(r, "streams", STREAMS_VERSION)) {
        refuse(r, KERR_UNSUPPORTED_VERSION, kerr_message(KERR_UNSUPPORTED_VERSION));
        return;
    }
    const char *bad = in->topology ? bad_names(r, in->topology, topic_name_is_internal) : NULL;
    if (bad) {
        refuse(r, KERR_STREAMS_INVALID_TOPOLOGY,
               arena_printf(&r->arena,
                            "Use of Kafka internal topics %s in a Kafka Streams topology is prohibited.",
                            bad));
        return;
    }
    bad = in->topology ? bad_names(r, in->topology, is_invalid) : NULL;
    if (bad) {
        refuse(r, KERR_STREAMS_INVALID_TOPOLOGY,
               arena_printf(&r->arena, "Topic names %s are not valid topic names.", bad));
        return;
    }
    group_call_one(r, GROUP_API_STREAMS_HEARTBEAT, in, finish);
}
