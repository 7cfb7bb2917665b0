/* StreamsGroupDescribe of one group. Source: GroupMetadataManager.streamsGroupDescribe,
 * StreamsGroup.asDescribedGroup. While the topics are not right the topology is described as it was sent. */
#include <stdlib.h>

#include "api/streams_group_describe.h"
#include "base/kerr.h"
#include "group/own.h"
#include "group/streams.h"

/* What is copied into the response; `failed` when there is no memory. */
struct describing {
    struct arena *arena;
    bool failed;
};

static struct kstr copied(struct describing *d, struct kstr a) {
    if (a.len <= 0) return a;
    struct kstr copy = {.s = arena_memdup(d->arena, a.s, (size_t)a.len), .len = a.len};
    d->failed |= !copy.s;
    return copy.s ? copy : (struct kstr){0};
}

static void *array(struct describing *d, int32_t n, size_t size) {
    void *p = arena_calloc(d->arena, (size_t)n, size);
    d->failed |= !p;
    return p;
}

/* --- the topology --- */

static int by_text(const void *a, const void *b) {
    return names_compare(*(const struct kstr *)a, *(const struct kstr *)b);
}

static struct kstr *sorted(struct describing *d, const struct kstr *names, int32_t n) {
    struct kstr *out = array(d, n, sizeof *out);
    for (int32_t i = 0; out && i < n; i++) out[i] = copied(d, names[i]);
    if (out && n) qsort(out, (size_t)n, sizeof *out, by_text);
    return out;
}

static int by_topic(const void *a, const void *b) {
    return names_compare(((const struct streams_group_describe_response_topic_info *)a)->name,
                         ((const struct streams_group_describe_response_topic_info *)b)->name);
}

/* configured NULL: with the partitions that the application said. */
static struct streams_group_describe_response_topic_info *infos(
    struct describing *d, const struct streams_group_topology_value_topic_info *from,
    const struct configured_topic *configured, int32_t n) {
    struct streams_group_describe_response_topic_info *out = array(d, n, sizeof *out);
    for (int32_t i = 0; out && i < n; i++) {
        out[i].name = copied(d, from[i].name);
        out[i].partitions = configured ? configured[i].partitions : from[i].partitions;
        out[i].replication_factor = from[i].replication_factor;
        out[i].topic_configs = array(d, from[i].topic_configs_n, sizeof *out[i].topic_configs);
        for (int32_t k = 0; out[i].topic_configs && k < from[i].topic_configs_n; k++) {
            out[i].topic_configs[k].key = copied(d, from[i].topic_configs[k].key);
            out[i].topic_configs[k].value = copied(d, from[i].topic_configs[k].value);
            out[i].topic_configs_n++;
        }
    }
    if (out && n) qsort(out, (size_t)n, sizeof *out, by_topic);
    return out;
}

static void subtopology(struct describing *d, const struct streams_group_topology_value_subtopology *from,
                        const struct configured_subtopology *c,
                        struct streams_group_describe_response_subtopology *out) {
    out->subtopology_id = copied(d, from->subtopology_id);
    out->source_topics = sorted(d, from->source_topics, from->source_topics_n);
    out->source_topics_n = from->source_topics_n;
    out->repartition_sink_topics = sorted(d, from->repartition_sink_topics, from->repartition_sink_topics_n);
    out->repartition_sink_topics_n = from->repartition_sink_topics_n;
    out->repartition_source_topics = infos(d, from->repartition_source_topics, c ? c->repartition : NULL,
                                           from->repartition_source_topics_n);
    out->repartition_source_topics_n = from->repartition_source_topics_n;
    out->state_changelog_topics =
        infos(d, from->state_changelog_topics, c ? c->changelog : NULL, from->state_changelog_topics_n);
    out->state_changelog_topics_n = from->state_changelog_topics_n;
}

static struct streams_group_describe_response_topology *topology(struct describing *d,
                                                                 const struct streams *g) {
    const struct topology *t = g->topology;
    bool ready = g->configured && g->configured->status == STREAMS_READY;
    if (ready) t = g->configured->topology;
    struct streams_group_describe_response_topology *out = array(d, 1, sizeof *out);
    if (!out) return NULL;
    out->epoch = t->v.epoch;
    out->subtopologies = array(d, t->v.subtopologies_n, sizeof *out->subtopologies);
    for (int32_t i = 0; out->subtopologies && i < t->v.subtopologies_n; i++, out->subtopologies_n++)
        subtopology(d, t->sorted[i], ready ? &g->configured->subtopologies[i] : NULL, &out->subtopologies[i]);
    return out;
}

/* --- members --- */

static struct streams_group_describe_response_task_ids *task_ids(struct describing *d,
                                                                 const struct task_list *l, int32_t *n) {
    struct streams_group_describe_response_task_ids *out = array(d, task_list_subtopologies(l), sizeof *out);
    *n = 0;
    for (int32_t at = 0; out && at < l->n; at += out[(*n)++].partitions_n) {
        int32_t run = task_list_run(l, at);
        out[*n].subtopology_id = copied(d, l->list[at].subtopology);
        out[*n].partitions_n = run;
        out[*n].partitions = array(d, run, sizeof *out[*n].partitions);
        for (int32_t i = 0; out[*n].partitions && i < run; i++)
            out[*n].partitions[i] = l->list[at + i].partition;
    }
    return out;
}

static void assignment(struct describing *d, const struct tasks *t,
                       struct streams_group_describe_response_assignment *out) {
    out->active_tasks = task_ids(d, &t->of[TASK_ACTIVE], &out->active_tasks_n);
    out->standby_tasks = task_ids(d, &t->of[TASK_STANDBY], &out->standby_tasks_n);
    out->warmup_tasks = task_ids(d, &t->of[TASK_WARMUP], &out->warmup_tasks_n);
}

static void member(struct describing *d, const struct streams *g, const struct streams_member *m,
                   struct streams_group_describe_response_member *out) {
    const struct streams_target *target = streams_target(g, m->m.id);
    streams_group_describe_response_member_init(out);
    out->member_id = copied(d, m->m.id);
    out->member_epoch = m->m.epoch;
    out->instance_id = copied(d, m->m.instance_id);
    out->rack_id = copied(d, m->m.rack);
    out->client_id = copied(d, m->m.client_id);
    out->client_host = copied(d, m->m.client_host);
    out->topology_epoch = m->topology_epoch;
    out->process_id = copied(d, m->process);
    if (m->has_endpoint) out->user_endpoint = array(d, 1, sizeof *out->user_endpoint);
    if (out->user_endpoint) {
        out->user_endpoint->host = copied(d, m->host);
        out->user_endpoint->port = m->port;
    }
    out->client_tags = array(d, m->tags.n, sizeof *out->client_tags);
    for (; out->client_tags && out->client_tags_n < m->tags.n; out->client_tags_n++) {
        out->client_tags[out->client_tags_n].key = copied(d, m->tags.list[out->client_tags_n].key);
        out->client_tags[out->client_tags_n].value = copied(d, m->tags.list[out->client_tags_n].value);
    }
    assignment(d, &m->assigned, &out->assignment);
    if (target) assignment(d, &target->tasks, &out->target_assignment);
}

static void group(struct describing *d, const struct streams *g,
                  struct streams_group_describe_response_described_group *r) {
    struct hashmap_entry *e;
    r->group_state = kstr_of(streams_state(&g->m));
    r->group_epoch = g->m.epoch;
    r->assignment_epoch = g->m.assignment_epoch;
    r->topology = topology(d, g);
    r->members = array(d, (int32_t)g->m.members.count, sizeof *r->members);
    for (size_t i = 0; r->members && (e = hashmap_next(&g->m.members, &i));)
        member(d, g, e->value, &r->members[r->members_n++]);
}

void streams_describe_step(struct group_shard *s, const struct group_event *e) {
    const struct kstr *id = e->request;
    struct streams *g = (struct streams *)modern_find(s, *id, GROUP_KIND_STREAMS);
    struct describing d = {.arena = e->arena};
    struct streams_group_describe_response_described_group *r = arena_alloc(e->arena, sizeof *r);
    if (r) {
        streams_group_describe_response_described_group_init(r);
        r->group_id = *id;
        if (g && g->topology) {
            group(&d, g, r);
        } else if (g) {
            r->error_code = KERR_UNKNOWN_SERVER_ERROR; /* a log that has lost it */
        } else if (!id->len) {
            r->error_code = KERR_INVALID_GROUP_ID;
        } else {
            r->error_code = KERR_GROUP_ID_NOT_FOUND;
            r->error_message = kstr_of(arena_printf(
                e->arena,
                group_existing(s, *id) ? "Group %.*s is not a streams group." : "Group %.*s not found.",
                KSTR_ARG(*id)));
        }
    }
    step_answer(s, d.failed ? NULL : r);
}
