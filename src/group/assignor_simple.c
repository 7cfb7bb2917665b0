/* The assignor of share groups: every partition goes to as many members as there are for each partition
 * (rounded up), every member gets about as many partitions as the others; what members have stays as far as
 * that allows. Only partitions that may be assigned count (whose state is initialized).
 *
 * With different subscriptions each topic is a matter of its own among its subscribers, with the same goals.
 * Source: SimpleAssignor (SimpleHomogeneousAssignmentBuilder, SimpleHeterogeneousAssignmentBuilder). */
#include "base/assert.h"
#include "group/assignor.h"

/* Some partitions and the members that share them. */
struct sharing {
    struct assign_input *in;
    const int32_t *partitions; /* by number */
    int32_t partitions_n;
    const int32_t *members;
    int32_t members_n;
    int32_t *sharers; /* members of each of the partitions */
    int32_t *has;     /* partitions of each of the members */
    int32_t *wants;   /* the goal for each of the members */
    bool *given;      /* [partition][member] */
    int32_t most;     /* the goal for each partition */
};

static bool *at(struct sharing *s, int32_t p, int32_t m) {
    return &s->given[(size_t)p * (size_t)s->members_n + (size_t)m];
}

static void give(struct sharing *s, int32_t p, int32_t m) {
    ASSERT(!*at(s, p, m));
    *at(s, p, m) = true;
    s->sharers[p]++;
    s->has[m]++;
}

static void take(struct sharing *s, int32_t p, int32_t m) {
    ASSERT(*at(s, p, m));
    *at(s, p, m) = false;
    s->sharers[p]--;
    s->has[m]--;
}

/* The goals: partitions × sharers, spread evenly. */
static void set_goals(struct sharing *s) {
    int64_t n = s->members_n;
    s->most = s->partitions_n ? (s->members_n + s->partitions_n - 1) / s->partitions_n : 0;
    int64_t all = (int64_t)s->most * s->partitions_n;
    for (int64_t m = 0; m < n; m++)
        s->wants[m] = (int32_t)((all * (m + 1) + n - 1) / n - (all * m + n - 1) / n);
}

static void keep(struct sharing *s, const int32_t *topic_of) {
    for (int32_t m = 0; m < s->members_n; m++)
        for (int32_t p = 0; p < s->partitions_n; p++) {
            const struct assign_topic *t = &s->in->topics[topic_of[s->partitions[p]]];
            if (assigned_get(s->in->members[s->members[m]].current, &t->id, s->partitions[p] - t->first))
                give(s, p, m);
        }
}

static void revoke(struct sharing *s) {
    for (int32_t m = 0; m < s->members_n; m++)
        for (int32_t p = 0; p < s->partitions_n && s->has[m] > s->wants[m]; p++)
            if (*at(s, p, m)) take(s, p, m);
    for (int32_t p = 0; p < s->partitions_n; p++)
        for (int32_t m = 0; m < s->members_n && s->sharers[p] > s->most; m++)
            if (*at(s, p, m)) take(s, p, m);
}

/* Round and round the members that want more; one that has the partition already is passed over. */
static void fill(struct sharing *s) {
    int32_t next = 0;
    for (int32_t p = 0; p < s->partitions_n; p++)
        for (int32_t tried = 0; s->sharers[p] < s->most && tried < s->members_n;
             next = (next + 1) % s->members_n) {
            if (s->has[next] < s->wants[next] && !*at(s, p, next)) {
                give(s, p, next);
                tried = 0;
            } else {
                tried++;
            }
        }
}

static bool share(struct sharing *s, const int32_t *topic_of, struct assigned_builder *out) {
    struct arena *a = s->in->arena;
    if (!s->partitions_n || !s->members_n) return true;
    s->sharers = arena_calloc(a, (size_t)s->partitions_n, sizeof *s->sharers);
    s->has = arena_calloc(a, (size_t)s->members_n, sizeof *s->has);
    s->wants = arena_calloc(a, (size_t)s->members_n, sizeof *s->wants);
    s->given = arena_calloc(a, (size_t)s->partitions_n, (size_t)s->members_n);
    if (!s->sharers || !s->has || !s->wants || !s->given) return false;
    set_goals(s);
    keep(s, topic_of);
    revoke(s);
    fill(s);
    for (int32_t p = 0; p < s->partitions_n; p++)
        for (int32_t m = 0; m < s->members_n; m++) {
            const struct assign_topic *t = &s->in->topics[topic_of[s->partitions[p]]];
            if (*at(s, p, m)) assigned_add(&out[s->members[m]], &t->id, s->partitions[p] - t->first, 0);
        }
    return true;
}

/* The numbers of what may be assigned of topics [from, to). */
static int32_t list_partitions(const struct assign_input *in, const struct assigned *assignable, int32_t from,
                               int32_t to, int32_t *list, int32_t *topic_of) {
    int32_t n = 0;
    for (int32_t t = from; t < to; t++) {
        const struct assigned_topic *of = assigned_topic(assignable, &in->topics[t].id);
        for (int32_t p = 0; p < in->topics[t].partitions_n; p++) {
            topic_of[in->topics[t].first + p] = t;
            if (assigned_topic_get(of, p)) list[n++] = in->topics[t].first + p;
        }
    }
    return n;
}

bool assign_simple(struct assign_input *in, const struct assigned *assignable) {
    if (!assign_input_number(in)) return false;
    struct arena *a = in->arena;
    int32_t *partitions = arena_calloc(a, (size_t)in->partitions_n + 1, sizeof *partitions);
    int32_t *topic_of = arena_calloc(a, (size_t)in->partitions_n + 1, sizeof *topic_of);
    int32_t *members = arena_calloc(a, (size_t)in->members_n + 1, sizeof *members);
    struct assigned_builder *out = arena_calloc(a, (size_t)in->members_n + 1, sizeof *out);
    if (!partitions || !topic_of || !members || !out) return false;
    for (int32_t m = 0; m < in->members_n; m++) out[m] = assigned_begin(a);
    int32_t step = in->homogeneous ? in->topics_n : 1;
    for (int32_t t = 0; t < in->topics_n; t += step) {
        struct sharing s = {.in = in, .partitions = partitions, .members = members};
        s.partitions_n = list_partitions(in, assignable, t, t + step, partitions, topic_of);
        for (int32_t m = 0; m < in->members_n; m++)
            if (in->homogeneous || assign_member_subscribed(&in->members[m], t)) members[s.members_n++] = m;
        if (!share(&s, topic_of, out)) return false;
    }
    bool ok = true;
    for (int32_t m = 0; m < in->members_n; m++) {
        in->members[m].result = assigned_finish(&out[m], false);
        ok &= !out[m].failed;
    }
    return ok;
}
