/* Members that are subscribed by a regular expression. Which topics an expression matches is part of the
 * group's state, a record each; it is looked up by a job when a new expression comes, when topics were added,
 * and from time to time (group.consumer.regex.refresh.interval.ms), at most every 10 seconds, and one job of
 * a group at a time. All expressions of a group are looked up together. Source:
 * GroupMetadataManager.maybeUpdateRegularExpressions, handleRegularExpressionsResult. */
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/re2.h"
#include "group/consumer_step.h"
#include "group/own.h"
#include "group/record.h"
#include "group/topic_regex.h"
#include "records/group.h"

enum { LOOK_UP_MIN_INTERVAL_MS = 10000 };

static void check(struct consumer_step *st, struct kstr regex) {
    const char *error;
    struct re2_pattern *r = re2_compile(regex.s, (size_t)regex.len, &error);
    if (!r)
        consumer_fail(st, KERR_INVALID_REGULAR_EXPRESSION,
                      "SubscribedTopicRegex `%.*s` is not a valid regular expression: %s.", KSTR_ARG(regex),
                      error);
    re2_free(r);
}

/* What the group has when the step is done; in scratch. */
static struct kstr *wanted(struct consumer_step *st, int32_t *n) {
    struct kstr *list = arena_calloc(&st->s->scratch, st->c->regexes.count + 1, sizeof *list);
    struct hashmap_entry *e;
    bool old = consumer_has_regex(&st->old), now = consumer_has_regex(&st->now);
    *n = 0;
    if (!list) return NULL;
    for (size_t i = 0; (e = hashmap_next(&st->c->regexes, &i));) {
        const struct said *x = e->value;
        int32_t left =
            x->n - (old && kstr_equal(x->name, st->old.regex)) + (now && kstr_equal(x->name, st->now.regex));
        if (left > 0) list[(*n)++] = x->name;
    }
    if (now && !said_count(&st->c->regexes, st->now.regex)) list[(*n)++] = st->now.regex;
    return list;
}

static const struct resolved *any_resolved(const struct consumer *c) {
    size_t i = 0;
    struct hashmap_entry *e = hashmap_next(&c->resolved, &i);
    return e ? e->value : NULL;
}

static void look_up(struct consumer_step *st, bool is_new) {
    struct group_shard *s = st->s;
    const struct resolved *last = any_resolved(st->c);
    int32_t n;
    if (!is_new && !st->c->regexes.count) return;
    if (hashmap_get(&s->regex_jobs, st->c->m.id.s, (size_t)st->c->m.id.len)) return;
    if (last && s->now.wall <= last->ms + LOOK_UP_MIN_INTERVAL_MS) return;
    struct kstr *regexes = wanted(st, &n);
    if (!regexes || !n) return;
    bool needed = is_new || (size_t)n != st->c->resolved.count ||
                  (last ? last->version : 0) < s->topics_added || !last ||
                  s->now.wall > last->ms + s->config->consumer.regex_refresh_interval_ms;
    if (!needed) return;
    ASSERT(!s->result->job);
    struct regex_job *j = regex_job_create(s, st->c->m.id, regexes, n);
    hashmap_put(&s->regex_jobs, j->group.s, (size_t)j->group.len, j);
    s->result->job = &j->job;
}

enum regex_change consumer_step_regex(struct consumer_step *st) {
    enum regex_change change = REGEX_SAME;
    bool old = consumer_has_regex(&st->old), now = consumer_has_regex(&st->now), is_new = false;
    if (!kstr_equal(st->old.regex, st->now.regex)) {
        change = REGEX_CHANGED;
        if (old && said_count(&st->c->regexes, st->old.regex) == 1)
            record_tombstone(st->s, GROUP_CONSUMER_GROUP_REGULAR_EXPRESSION, st->c->m.id, st->old.regex);
        if (now && !said_count(&st->c->regexes, st->now.regex)) {
            check(st, st->now.regex);
            if (st->error) return change;
            is_new = true; /* the group's epoch waits for the topics */
        } else if (now ? consumer_resolved(st->c, st->now.regex) != NULL : old) {
            change = REGEX_CHANGED_RESOLVED;
        }
    }
    look_up(st, is_new);
    return change;
}

static void count(struct hashmap *topics, const struct names *names, int32_t by) {
    for (int32_t i = 0; i < names->n; i++) subscriptions_change(topics, names->list[i], 0, by);
}

static void take_found(struct group_shard *s, struct consumer *c, const struct regex_job *j) {
    struct hashmap topics = subscriptions_copy(&c->m.topics);
    static const struct names none;
    bool bump = false;
    for (int32_t i = 0; i < j->n; i++) {
        const struct resolved *now = &j->found[i], *before = consumer_resolved(c, now->regex);
        const struct names *had = before ? &before->topics : &none;
        if (!said_count(&c->regexes, now->regex)) continue; /* nobody wants it any more */
        if (!names_equal(had, &now->topics)) {
            bump = true;
            count(&topics, had, -1);
            count(&topics, &now->topics, 1);
        }
        record_consumer_regex(s, c->m.id, now);
    }
    int64_t hash = metadata_hash(s, &topics);
    subscriptions_free(&topics);
    if (!bump && hash == c->m.metadata_hash) return;
    record_consumer_epoch(s, c->m.id, c->m.epoch + 1, hash);
    LOG_INFO("group", "%.*s: epoch %d (topics that match its regular expressions changed)", KSTR_ARG(c->m.id),
             c->m.epoch + 1);
    modern_metadata_checked(s, &c->m, c->m.epoch + 1);
}

void consumer_regex_done(struct group_shard *s, struct shard_job *job) {
    struct regex_job *j = (struct regex_job *)job;
    struct consumer *c = consumer_find(s, j->group);
    hashmap_del(&s->regex_jobs, j->group.s, (size_t)j->group.len);
    if (c) take_found(s, c, j);
    regex_job_free(j);
}
