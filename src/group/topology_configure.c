/* The topics of a topology: first how many partitions each internal one must have, then whether those that
 * exist have as many, and which are missing.
 *
 *   1. every source topic exists;
 *   2. a repartition topic has as many partitions as it says, or as the most that a subtopology which writes
 *      it reads; repeated until nothing is left to find out;
 *   3. topics that are joined have the same number: that of the topics from outside if there are any;
 *   4. a changelog has as many as the most that its subtopology reads, which is also how many tasks there
 * are.
 *
 * What the application's user can mend is a status; what can never work is an error. */
#include <stdlib.h>

#include "base/kerr.h"
#include "base/strbuf.h"
#include "group/modern.h"
#include "group/own.h"
#include "group/topology.h"
#include "metadata/image.h"

/* Partitions that were decided for an internal topic. */
struct decided {
    struct kstr name;
    int32_t partitions;
};

struct configuring {
    struct configured *c;
    const struct image *image;
    struct arena *arena;     /* the result's */
    struct hashmap decided;  /* name → struct decided */
    struct hashmap internal; /* name → the repartition topic's struct …_topic_info */
    int16_t error;
    const char *message; /* of error */
};

static const char *no_memory(struct configuring *x) {
    x->error = KERR_UNKNOWN_SERVER_ERROR;
    return "";
}

static void fail(struct configuring *x, int16_t error, const char *message) {
    if (!x->error) x->message = message;
    if (!x->error) x->error = error;
}

/* What is wrong and can be mended; only the first counts. */
static void set_status(struct configuring *x, enum streams_status status, const char *detail) {
    if (!detail) detail = no_memory(x);
    if (x->c->status != STREAMS_READY) return;
    x->c->status = status;
    x->c->detail = detail;
}

static bool stopped(const struct configuring *x) { return x->error || x->c->status != STREAMS_READY; }

/* Into the arena. */
static const char *text_end(struct configuring *x, struct strbuf *b) {
    const char *text = strbuf_ok(b) ? arena_strndup(x->arena, strbuf_str(b), b->len) : NULL;
    strbuf_free(b);
    return text ? text : no_memory(x);
}

enum { NAMED = 3, TEXT_MAX = 1 << 20 };

/* The first few, and how many more there are. */
static void add_names(struct strbuf *b, const struct names *names) {
    for (int32_t i = 0; i < names->n && i < NAMED; i++)
        strbuf_addf(b, "%s%.*s", i ? ", " : "", KSTR_ARG(names->list[i]));
    if (names->n > NAMED) strbuf_addf(b, " and %d additional topics", names->n - NAMED);
}

static const char *with_names(struct configuring *x, const char *before, const struct names *names,
                              const char *after) {
    struct strbuf b;
    strbuf_init(&b, TEXT_MAX);
    strbuf_adds(&b, before);
    add_names(&b, names);
    strbuf_adds(&b, after);
    return text_end(x, &b);
}

/* --- how many partitions --- */

static int32_t existing(const struct configuring *x, struct kstr topic) {
    const struct topic *t = x->image ? image_topic_by_name(x->image, topic.s, (size_t)topic.len) : NULL;
    return t ? t->partitions_n : -1;
}

static int32_t decided(const struct configuring *x, struct kstr topic) {
    const struct decided *d = hashmap_get(&x->decided, topic.s, (size_t)topic.len);
    return d ? d->partitions : -1;
}

/* -1: not known. */
static int32_t partitions_of(const struct configuring *x, struct kstr topic) {
    int32_t n = existing(x, topic);
    return n >= 0 ? n : decided(x, topic);
}

static void decide(struct configuring *x, struct kstr topic, int32_t partitions) {
    struct decided *d = hashmap_get(&x->decided, topic.s, (size_t)topic.len);
    if (!d) d = arena_calloc(x->arena, 1, sizeof *d);
    if (!d) {
        no_memory(x);
        return;
    }
    *d = (struct decided){topic, partitions};
    hashmap_put(&x->decided, topic.s, (size_t)topic.len, d);
}

static int32_t subtopologies(const struct configuring *x) { return x->c->topology->v.subtopologies_n; }

static const struct streams_group_topology_value_subtopology *subtopology(const struct configuring *x,
                                                                          int32_t i) {
    return x->c->topology->sorted[i];
}

static void check_sources(struct configuring *x) {
    struct names missing;
    int32_t all = 0, n = 0;
    for (int32_t i = 0; i < subtopologies(x); i++) all += subtopology(x, i)->source_topics_n;
    struct kstr *list = arena_alloc(x->arena, (size_t)all * sizeof *list);
    for (int32_t i = 0; list && i < subtopologies(x); i++)
        for (int32_t k = 0; k < subtopology(x, i)->source_topics_n; k++)
            if (existing(x, subtopology(x, i)->source_topics[k]) < 0)
                list[n++] = subtopology(x, i)->source_topics[k];
    if (!list || !names_sort(x->arena, list, n, &missing))
        no_memory(x);
    else if (n)
        set_status(x, STREAMS_MISSING_SOURCE_TOPICS,
                   with_names(x, "Source topics ", &missing, " are missing."));
}

/* The most partitions that a subtopology reads, as far as is known; -1: nothing is. Repartition topics count
 * with what is decided, also if they exist. */
static int32_t most_read(const struct configuring *x,
                         const struct streams_group_topology_value_subtopology *s) {
    int32_t most = -1;
    for (int32_t i = 0; i < s->repartition_source_topics_n; i++) {
        int32_t n = decided(x, s->repartition_source_topics[i].name);
        if (n > most) most = n;
    }
    for (int32_t i = 0; i < s->source_topics_n; i++) {
        int32_t n = partitions_of(x, s->source_topics[i]);
        if (n > most) most = n;
    }
    return most;
}

/* One look at all that is written; returns whether something was found out, *open: something still is not. */
static bool find_out(struct configuring *x, bool *open) {
    bool progress = false;
    *open = false;
    for (int32_t i = 0; i < subtopologies(x); i++) {
        const struct streams_group_topology_value_subtopology *s = subtopology(x, i);
        for (int32_t k = 0; k < s->repartition_sink_topics_n; k++) {
            if (decided(x, s->repartition_sink_topics[k]) >= 0) continue;
            int32_t n = most_read(x, s);
            if (n >= 0) decide(x, s->repartition_sink_topics[k], n);
            progress |= n >= 0;
            *open |= n < 0;
        }
    }
    return progress;
}

static void decide_repartition(struct configuring *x) {
    for (int32_t i = 0; i < subtopologies(x); i++)
        for (int32_t k = 0; k < subtopology(x, i)->repartition_source_topics_n; k++) {
            struct streams_group_topology_value_topic_info *t =
                &subtopology(x, i)->repartition_source_topics[k];
            hashmap_put(&x->internal, t->name.s, (size_t)t->name.len, t);
            if (t->partitions) decide(x, t->name, t->partitions);
        }
    for (bool open = true; open && !x->error;)
        if (!find_out(x, &open) && open)
            fail(x, KERR_STREAMS_INVALID_TOPOLOGY,
                 "Failed to compute number of partitions for all repartition topics. There may be loops in "
                 "the topology that cannot be resolved.");
    for (int32_t i = 0; i < subtopologies(x); i++)
        for (int32_t k = 0; k < subtopology(x, i)->repartition_source_topics_n; k++)
            if (decided(x, subtopology(x, i)->repartition_source_topics[k].name) < 0)
                fail(x, KERR_STREAMS_INVALID_TOPOLOGY,
                     "Failed to compute number of partitions for all repartition topics, because a "
                     "repartition source topic is never used as a sink topic.");
}

/* --- topics that are joined --- */

struct joined {
    struct names all, inside, outside; /* inside: repartition topics */
};

static bool is_fixed(const struct configuring *x, struct kstr topic) {
    const struct streams_group_topology_value_topic_info *t =
        hashmap_get(&x->internal, topic.s, (size_t)topic.len);
    return t && t->partitions;
}

static void not_the_same(struct configuring *x, const struct names *topics) {
    struct strbuf b;
    strbuf_init(&b, TEXT_MAX);
    strbuf_adds(&b, "Following topics do not have the same number of partitions: [{");
    for (int32_t i = 0; i < topics->n; i++)
        strbuf_addf(&b, "%s%.*s=%d", i ? ", " : "", KSTR_ARG(topics->list[i]),
                    partitions_of(x, topics->list[i]));
    strbuf_adds(&b, "}]");
    set_status(x, STREAMS_INCORRECTLY_PARTITIONED_TOPICS, text_end(x, &b));
}

/* All repartition topics of the application that say how many partitions they have must say the same;
 * returns it, 0 if none does, or -1. */
static int32_t said_by_all(struct configuring *x, const struct names *inside) {
    struct hashmap_entry *e;
    int32_t said = 0;
    for (size_t i = 0; (e = hashmap_next(&x->internal, &i));) {
        const struct streams_group_topology_value_topic_info *t = e->value;
        int32_t n = t->partitions ? partitions_of(x, t->name) : said;
        if (said && n != said) {
            not_the_same(x, inside);
            return -1;
        }
        said = n;
    }
    return said;
}

static int32_t agreed(struct configuring *x, const struct joined *j) {
    int32_t n = j->outside.n ? partitions_of(x, j->outside.list[0]) : said_by_all(x, &j->inside);
    for (int32_t i = 1; i < j->outside.n; i++)
        if (partitions_of(x, j->outside.list[i]) != n) {
            not_the_same(x, &j->outside);
            return -1;
        }
    if (j->outside.n || n) return n;
    for (int32_t i = 0; i < j->inside.n; i++) { /* nobody says: the most */
        int32_t of = partitions_of(x, j->inside.list[i]);
        if (of > n) n = of;
    }
    return n;
}

static void join(struct configuring *x, const struct joined *j) {
    for (int32_t i = 0; i < j->all.n; i++)
        if (partitions_of(x, j->all.list[i]) < 0) {
            fail(x, KERR_UNKNOWN_SERVER_ERROR, NULL);
            return;
        }
    int32_t n = agreed(x, j);
    for (int32_t i = 0; !stopped(x) && i < j->inside.n; i++) {
        struct kstr name = j->inside.list[i];
        int32_t has = partitions_of(x, name);
        if (is_fixed(x, name) && has != n)
            set_status(x, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
                       arena_printf(x->arena,
                                    "Number of partitions [%d] of repartition topic [%.*s] doesn't match "
                                    "number of partitions [%d] of the source topic.",
                                    has, KSTR_ARG(name), n));
    }
    for (int32_t i = 0; !stopped(x) && i < j->inside.n; i++) decide(x, j->inside.list[i], n);
}

/* false: it names topics that are not there. */
static bool collect_joined(struct configuring *x, const struct streams_group_topology_value_subtopology *s,
                           const struct streams_group_topology_value_copartition_group *g, struct joined *j) {
    int32_t n = 0, inside = 0;
    *j = (struct joined){0};
    struct kstr *list =
        arena_alloc(x->arena, (size_t)(g->source_topics_n + g->repartition_source_topics_n) * sizeof *list);
    if (!list) return false;
    for (int32_t i = 0; i < g->source_topics_n; i++) {
        if (g->source_topics[i] < 0 || g->source_topics[i] >= s->source_topics_n) return false;
        list[n++] = s->source_topics[g->source_topics[i]];
    }
    for (int32_t i = 0; i < g->repartition_source_topics_n; i++) {
        int16_t at = g->repartition_source_topics[i];
        if (at < 0 || at >= s->repartition_source_topics_n) return false;
        list[n++] = s->repartition_source_topics[at].name;
    }
    if (!names_sort(x->arena, list, n, &j->all)) return false;
    struct kstr *parts = arena_alloc(x->arena, (size_t)j->all.n * sizeof *parts);
    if (!parts) return false;
    for (int pass = 0; pass < 2; pass++) { /* those inside, then the others, each in order */
        for (int32_t i = 0, at = pass ? inside : 0; i < j->all.n; i++) {
            struct kstr name = j->all.list[i];
            bool is_inside = hashmap_get(&x->internal, name.s, (size_t)name.len);
            if (is_inside == !pass) parts[at++] = name;
            inside += !pass && is_inside;
        }
    }
    j->inside = (struct names){parts, inside};
    j->outside = (struct names){parts + inside, j->all.n - inside};
    return true;
}

static void decide_joined(struct configuring *x) {
    for (int32_t i = 0; i < subtopologies(x); i++)
        for (int32_t k = 0; !stopped(x) && k < subtopology(x, i)->copartition_groups_n; k++) {
            struct joined j;
            if (!collect_joined(x, subtopology(x, i), &subtopology(x, i)->copartition_groups[k], &j))
                fail(x, KERR_UNKNOWN_SERVER_ERROR, NULL);
            else
                join(x, &j);
        }
}

/* --- tasks, changelogs --- */

/* -1: some source has no number. */
static int32_t most_sources(const struct configuring *x,
                            const struct streams_group_topology_value_subtopology *s) {
    int32_t most = 0;
    for (int32_t i = 0; i < s->source_topics_n + s->repartition_source_topics_n; i++) {
        int32_t n = partitions_of(x, i < s->source_topics_n
                                         ? s->source_topics[i]
                                         : s->repartition_source_topics[i - s->source_topics_n].name);
        if (n < 0) return -1;
        if (n > most) most = n;
    }
    return most;
}

static void decide_changelogs(struct configuring *x) {
    for (int32_t i = 0; i < subtopologies(x) && !stopped(x); i++) {
        const struct streams_group_topology_value_subtopology *s = subtopology(x, i);
        int32_t n = most_sources(x, s);
        if (!s->source_topics_n && !s->repartition_source_topics_n)
            fail(x, KERR_STREAMS_INVALID_TOPOLOGY,
                 arena_printf(x->arena, "No source topics found for subtopology %.*s",
                              KSTR_ARG(s->subtopology_id)));
        else if (n < 0)
            fail(x, KERR_UNKNOWN_SERVER_ERROR, NULL);
        for (int32_t k = 0; k < s->state_changelog_topics_n && !stopped(x); k++)
            decide(x, s->state_changelog_topics[k].name, n);
    }
}

static struct configured_topic *configure_list(struct configuring *x,
                                               const struct streams_group_topology_value_topic_info *infos,
                                               int32_t n) {
    struct configured_topic *out = arena_calloc(x->arena, (size_t)n, sizeof *out);
    if (!out) no_memory(x);
    for (int32_t i = 0; out && i < n; i++) {
        out[i].info = &infos[i];
        out[i].partitions = infos[i].partitions ? infos[i].partitions : decided(x, infos[i].name);
        if (out[i].partitions < 1) fail(x, KERR_UNKNOWN_SERVER_ERROR, NULL);
    }
    return out;
}

static void configure_subtopologies(struct configuring *x) {
    struct configured *c = x->c;
    c->subtopologies = arena_calloc(x->arena, (size_t)subtopologies(x), sizeof *c->subtopologies);
    if (!c->subtopologies) no_memory(x);
    for (; c->subtopologies_n < subtopologies(x) && !x->error; c->subtopologies_n++) {
        const struct streams_group_topology_value_subtopology *s = subtopology(x, c->subtopologies_n);
        c->subtopologies[c->subtopologies_n] = (struct configured_subtopology){
            .from = s,
            .id = s->subtopology_id,
            .tasks_n = most_sources(x, s),
            .stateful = s->state_changelog_topics_n > 0,
            .repartition = configure_list(x, s->repartition_source_topics, s->repartition_source_topics_n),
            .changelog = configure_list(x, s->state_changelog_topics, s->state_changelog_topics_n),
        };
        if (c->subtopologies[c->subtopologies_n].tasks_n < 1) fail(x, KERR_UNKNOWN_SERVER_ERROR, NULL);
    }
}

/* --- what is missing --- */

static void add_missing(struct configuring *x, const struct configured_topic *t) {
    struct create_topics_request_creatable_topic *out = &x->c->missing[x->c->missing_n++];
    create_topics_request_creatable_topic_init(out);
    out->name = t->info->name;
    out->num_partitions = t->partitions;
    out->replication_factor = t->info->replication_factor ? t->info->replication_factor : -1;
    out->configs = arena_calloc(x->arena, (size_t)t->info->topic_configs_n, sizeof *out->configs);
    if (!out->configs) no_memory(x);
    for (int32_t i = 0; out->configs && i < t->info->topic_configs_n; i++)
        out->configs[out->configs_n++] = (struct create_topics_request_creatable_topic_config){
            .name = t->info->topic_configs[i].key, .value = t->info->topic_configs[i].value};
}

static void check_internal(struct configuring *x, struct hashmap *seen, const struct configured_topic *topics,
                           int32_t n) {
    for (int32_t i = 0; i < n && !x->error; i++) {
        struct kstr name = topics[i].info->name;
        int32_t has = existing(x, name);
        if (hashmap_put(seen, name.s, (size_t)name.len, x)) continue;
        if (has < 0)
            add_missing(x, &topics[i]);
        else if (has != topics[i].partitions)
            set_status(x, STREAMS_INCORRECTLY_PARTITIONED_TOPICS,
                       arena_printf(x->arena,
                                    "Existing topic %.*s has different number of partitions: expected %d, "
                                    "found %d",
                                    KSTR_ARG(name), topics[i].partitions, has));
    }
}

static int by_name(const void *a, const void *b) {
    const struct create_topics_request_creatable_topic *x = a, *y = b;
    return names_compare(x->name, y->name);
}

static void find_missing(struct configuring *x) {
    struct configured *c = x->c;
    struct hashmap seen;
    struct names names = {0};
    size_t all = 0;
    for (int32_t i = 0; i < c->subtopologies_n; i++)
        all += (size_t)c->subtopologies[i].from->repartition_source_topics_n +
               (size_t)c->subtopologies[i].from->state_changelog_topics_n;
    c->missing = arena_calloc(x->arena, all, sizeof *c->missing);
    names.list = arena_calloc(x->arena, all, sizeof *names.list);
    if (!c->missing || !names.list) {
        no_memory(x);
        return;
    }
    hashmap_init(&seen, x->decided.seed);
    for (int32_t i = 0; i < c->subtopologies_n; i++) {
        const struct configured_subtopology *s = &c->subtopologies[i];
        check_internal(x, &seen, s->repartition, s->from->repartition_source_topics_n);
        check_internal(x, &seen, s->changelog, s->from->state_changelog_topics_n);
    }
    hashmap_free(&seen);
    if (stopped(x) || !c->missing_n) return;
    qsort(c->missing, (size_t)c->missing_n, sizeof *c->missing, by_name);
    for (; names.n < c->missing_n; names.n++) names.list[names.n] = c->missing[names.n].name;
    set_status(x, STREAMS_MISSING_INTERNAL_TOPICS,
               with_names(x, "Internal topics are missing: ", &names, ""));
}

static void configure(struct configuring *x) {
    check_sources(x);
    if (!stopped(x)) decide_repartition(x);
    if (!stopped(x)) decide_joined(x);
    if (!stopped(x)) decide_changelogs(x);
    if (!stopped(x)) configure_subtopologies(x);
    if (!stopped(x)) find_missing(x);
    x->c->known = x->c->status == STREAMS_READY || x->c->status == STREAMS_MISSING_INTERNAL_TOPICS;
    if (x->c->known) return;
    x->c->subtopologies_n = 0;
    x->c->missing_n = 0;
}

int16_t topology_configure(const struct topology *t, const struct image *image, struct configured **to,
                           const char **message) {
    struct configured *c = xcalloc(1, sizeof *c);
    *message = NULL;
    c->status = STREAMS_READY;
    c->topology = topology_own(&t->v);
    *to = c;
    if (!c->topology) return KERR_UNKNOWN_SERVER_ERROR;
    struct configuring x = {.c = c, .image = image, .arena = &c->topology->arena};
    hashmap_init(&x.decided, (uint64_t)(uintptr_t)c);
    hashmap_init(&x.internal, (uint64_t)(uintptr_t)c);
    configure(&x);
    hashmap_free(&x.decided);
    hashmap_free(&x.internal);
    *message = x.message;
    return x.error;
}

void configured_free(struct configured *c) {
    if (!c) return;
    topology_free(c->topology);
    free(c);
}

const struct configured_subtopology *configured_find(const struct configured *c, struct kstr id) {
    int32_t from = 0, to = c->subtopologies_n;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        int r = names_compare(c->subtopologies[middle].id, id);
        if (!r) return &c->subtopologies[middle];
        if (r < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}
