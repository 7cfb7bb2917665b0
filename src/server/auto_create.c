/* A list of names travels to the control thread, becomes one CreateTopics request, and is committed like any
 * other. A name that was asked for twice exists when its second turn comes and is left out there. */
#include "server/auto_create.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/create_topics.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/clock.h"
#include "server/control.h"
#include "server/node.h"
#include "server/throttle.h"
#include "server/topic_errors.h"

enum { NAMES_MAX = 1000 };

struct auto_create {
    struct mail mail;
    struct node *node;
    struct arena arena;
    struct create_topics_request in;
    struct change_quota quota; /* of the client that asked */
    int64_t keep_ms;           /* 0: names; else topics whose errors are kept */
};

bool auto_create_enabled(const struct node *n) {
    return config_bool(n->config, CFG_AUTO_CREATE_TOPICS_ENABLE);
}

struct auto_create *auto_create_begin_own(struct node *n) {
    struct auto_create *c = xcalloc(1, sizeof *c);
    c->node = n;
    arena_init(&c->arena, 4 << 20);
    create_topics_request_init(&c->in);
    return c;
}

struct auto_create *auto_create_begin(struct request *r) {
    struct auto_create *c = auto_create_begin_own(r->node);
    change_quota_begin(&c->quota, r, 0);
    return c;
}

static void set_configs(struct auto_create *c, struct create_topics_request_creatable_topic *t,
                        const char *const pairs[][2], int n) {
    t->configs = arena_calloc(&c->arena, (size_t)n, sizeof *t->configs);
    for (int i = 0; t->configs && i < n; i++) {
        t->configs[i] = (struct create_topics_request_creatable_topic_config){.name = kstr_of(pairs[i][0]),
                                                                              .value = kstr_of(pairs[i][1])};
        t->configs_n = i + 1;
    }
}

static const char *number(struct auto_create *c, enum cfg_id key) {
    return arena_printf(&c->arena, "%lld", (long long)config_int(c->node->config, key));
}

static void set_sizes(struct auto_create *c, struct create_topics_request_creatable_topic *t,
                      enum cfg_id partitions, enum cfg_id replicas) {
    t->num_partitions = (int32_t)config_int(c->node->config, partitions);
    t->replication_factor = (int16_t)config_int(c->node->config, replicas);
}

/* The coordinators' topics: GroupCoordinatorService.groupMetadataTopicConfigs,
 * TransactionStateManager.transactionTopicConfigs, ShareCoordinatorService.shareGroupStateTopicConfigs. */
static void set_offsets(struct auto_create *c, struct create_topics_request_creatable_topic *t) {
    set_sizes(c, t, CFG_OFFSETS_TOPIC_NUM_PARTITIONS, CFG_OFFSETS_TOPIC_REPLICATION_FACTOR);
    const char *const pairs[][2] = {{"cleanup.policy", "compact"},
                                    {"compression.type", "producer"},
                                    {"segment.bytes", number(c, CFG_OFFSETS_TOPIC_SEGMENT_BYTES)}};
    set_configs(c, t, pairs, 3);
}

static void set_transactions(struct auto_create *c, struct create_topics_request_creatable_topic *t) {
    set_sizes(c, t, CFG_TRANSACTION_STATE_LOG_NUM_PARTITIONS, CFG_TRANSACTION_STATE_LOG_REPLICATION_FACTOR);
    const char *const pairs[][2] = {{"cleanup.policy", "compact"},
                                    {"compression.type", "uncompressed"},
                                    {"min.insync.replicas", number(c, CFG_TRANSACTION_STATE_LOG_MIN_ISR)},
                                    {"segment.bytes", number(c, CFG_TRANSACTION_STATE_LOG_SEGMENT_BYTES)},
                                    {"unclean.leader.election.enable", "false"}};
    set_configs(c, t, pairs, 5);
}

static void set_share_state(struct auto_create *c, struct create_topics_request_creatable_topic *t) {
    set_sizes(c, t, CFG_SHARE_COORDINATOR_STATE_TOPIC_NUM_PARTITIONS,
              CFG_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR);
    const char *const pairs[][2] = {
        {"cleanup.policy", "delete"},
        {"compression.type", "producer"},
        {"min.insync.replicas", number(c, CFG_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR)},
        {"retention.ms", "-1"},
        {"segment.bytes", number(c, CFG_SHARE_COORDINATOR_STATE_TOPIC_SEGMENT_BYTES)}};
    set_configs(c, t, pairs, 5);
}

static void set_internal(struct auto_create *c, struct create_topics_request_creatable_topic *t) {
    if (kstr_is(t->name, "__consumer_offsets")) set_offsets(c, t);
    if (kstr_is(t->name, "__transaction_state")) set_transactions(c, t);
    if (kstr_is(t->name, "__share_group_state")) set_share_state(c, t);
}

/* NULL: there is no room. */
static struct create_topics_request_creatable_topic *add_name(struct auto_create *c, struct kstr name) {
    if (c->in.topics_n == NAMES_MAX) return NULL;
    if (!c->in.topics) c->in.topics = arena_calloc(&c->arena, NAMES_MAX, sizeof *c->in.topics);
    char *copy = arena_strndup(&c->arena, name.s, (size_t)name.len);
    if (!c->in.topics || !copy) return NULL;
    struct create_topics_request_creatable_topic *t = &c->in.topics[c->in.topics_n++];
    create_topics_request_creatable_topic_init(t);
    t->name = (struct kstr){copy, name.len};
    return t;
}

static struct kstr copied(struct auto_create *c, struct kstr a) {
    const char *copy = a.len >= 0 ? arena_strndup(&c->arena, a.s, (size_t)a.len) : NULL;
    return copy ? (struct kstr){copy, a.len} : KSTR_NULL;
}

void auto_create_add_topic(struct auto_create *c, const struct create_topics_request_creatable_topic *topic,
                           int64_t keep_ms) {
    struct create_topics_request_creatable_topic *t = add_name(c, topic->name);
    c->keep_ms = keep_ms;
    if (!t) {
        topic_errors_end(c->node->topic_errors, topic->name, NULL, 0);
        return;
    }
    t->num_partitions = topic->num_partitions;
    t->replication_factor = topic->replication_factor;
    t->configs = arena_calloc(&c->arena, (size_t)topic->configs_n, sizeof *t->configs);
    for (; t->configs && t->configs_n < topic->configs_n; t->configs_n++) {
        t->configs[t->configs_n].name = copied(c, topic->configs[t->configs_n].name);
        t->configs[t->configs_n].value = copied(c, topic->configs[t->configs_n].value);
    }
}

void auto_create_add(struct auto_create *c, struct kstr name) {
    struct create_topics_request_creatable_topic *t = add_name(c, name);
    if (!t) return;
    t->num_partitions = (int32_t)config_int(c->node->config, CFG_NUM_PARTITIONS);
    t->replication_factor = (int16_t)config_int(c->node->config, CFG_DEFAULT_REPLICATION_FACTOR);
    set_internal(c, t);
}

static void leave_out_existing(struct auto_create *c, const struct image *image) {
    int32_t kept = 0;
    for (int32_t i = 0; i < c->in.topics_n; i++) {
        struct kstr name = c->in.topics[i].name;
        if (!image_topic_by_name(image, name.s, (size_t)name.len))
            c->in.topics[kept++] = c->in.topics[i];
        else if (c->keep_ms)
            topic_errors_end(c->node->topic_errors, name, NULL, 0);
    }
    c->in.topics_n = kept;
}

static void auto_create_free(struct auto_create *c) {
    change_quota_free(&c->quota);
    arena_free(&c->arena);
    free(c);
}

/* out NULL: nothing could be created because of `err`. */
static void keep_errors(struct auto_create *c, const struct create_topics_response *out, int err) {
    int64_t until = clock_mono_ms() + c->keep_ms;
    for (int32_t i = 0; i < c->in.topics_n; i++) {
        struct kstr name = c->in.topics[i].name;
        const char *why = out ? NULL : oerr_text(err);
        for (int32_t k = 0; out && k < out->topics_n; k++) {
            struct kstr said = out->topics[k].error_message;
            if (!kstr_equal(out->topics[k].name, name) || !out->topics[k].error_code) continue;
            why = said.len > 0 ? arena_strndup(&c->arena, said.s, (size_t)said.len)
                               : kerr_message(out->topics[k].error_code);
        }
        topic_errors_end(c->node->topic_errors, name, why, until);
    }
}

static void create(struct mail *m) { /* control thread */
    struct auto_create *c = (struct auto_create *)m;
    struct control *control = c->node->control;
    struct create_topics_response out;
    struct record_list records;
    record_list_init(&records);
    leave_out_existing(c, controller_image(control->controller));
    if (c->in.topics_n) {
        struct controller_context x = {
            .arena = &c->arena, .now_ms = clock_wall_ms(), .mutate = change_quota_take, .ctx = &c->quota};
        controller_create_topics(control->controller, &x, &c->in, &out, &records);
        int err = control_commit(control, &records);
        if (err) LOG_WARN("control", "auto-creation of %d topics: %s", c->in.topics_n, oerr_text(err));
        for (int32_t i = 0; !err && i < out.topics_n; i++)
            LOG_INFO("control", "auto-created topic %.*s: %s", out.topics[i].name.len, out.topics[i].name.s,
                     kerr_name(out.topics[i].error_code));
        if (c->keep_ms) keep_errors(c, err ? NULL : &out, err);
    }
    record_list_free(&records);
    auto_create_free(c);
}

void auto_create_submit(struct auto_create *c) {
    if (!c->in.topics_n) {
        auto_create_free(c);
        return;
    }
    c->mail.deliver = create;
    loop_post(c->node->control->loop, &c->mail);
}
