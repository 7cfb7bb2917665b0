/* The uniform assignor for members with different subscriptions:
 *   1. members keep what they are still subscribed to;
 *   2. what nobody has is given out, topic by topic, each partition to the subscriber with the fewest; topics
 *      with many partitions for each subscriber come first, as they leave the least choice;
 *   3. topics are balanced in turn, from the subscriber with the most to the one with the fewest, until a
 *      whole turn changes nothing or after 16 turns.
 * Perfectly balanced when all subscribers of a topic have the same subscriptions, nearly otherwise. Source:
 * UniformHeterogeneousAssignmentBuilder. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "group/assignor.h"

enum { NOBODY = -1, TURNS_MAX = 16 };

struct subscribers {
    int32_t *members; /* ascending */
    int32_t n;
};

struct uneven {
    struct assign_input *in;
    struct subscribers *by_topic;
    int32_t *sizes;  /* partitions that each member has */
    int32_t *owners; /* by number */
    int32_t *order;  /* topics, best first */
};

/* Some members by how much they have. Two ranges at its ends take part: those with the fewest, which are
 * given to one after the other, and those with the most, which are taken from. Within a range all had the
 * same when its turn began. */
struct balance {
    const int32_t *sizes;
    int32_t *sorted, n;
    int32_t least_end, least_size, next_least;
    int32_t most_start, most_end, most_size, next_most;
};

static int64_t java_half(const struct uuid *u, int half) { return get_i64(u->b + 8 * half); }

static int compare_uuids(const struct uuid *a, const struct uuid *b) {
    for (int half = 0; half < 2; half++) {
        int64_t x = java_half(a, half), y = java_half(b, half);
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

static int compare_topics(const void *a, const void *b, void *ctx) {
    const struct uneven *u = ctx;
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    /* x before y if it has more partitions for each subscriber */
    int64_t left = (int64_t)u->in->topics[y].partitions_n * u->by_topic[x].n;
    int64_t right = (int64_t)u->in->topics[x].partitions_n * u->by_topic[y].n;
    if (left != right) return left < right ? -1 : 1;
    if (u->by_topic[x].n != u->by_topic[y].n) return u->by_topic[x].n < u->by_topic[y].n ? -1 : 1;
    return compare_uuids(&u->in->topics[x].id, &u->in->topics[y].id);
}

static int compare_members(const void *a, const void *b, void *ctx) {
    const int32_t *sizes = ctx;
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    if (sizes[x] != sizes[y]) return sizes[x] < sizes[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool collect_subscribers(struct uneven *u) {
    struct assign_input *in = u->in;
    for (int32_t m = 0; m < in->members_n; m++)
        for (int32_t i = 0; i < in->members[m].topics_n; i++) u->by_topic[in->members[m].topics[i]].n++;
    for (int32_t t = 0; t < in->topics_n; t++) {
        struct subscribers *s = &u->by_topic[t];
        s->members = arena_alloc(in->arena, ((size_t)s->n + 1) * sizeof *s->members);
        if (!s->members) return false;
        s->n = 0;
    }
    for (int32_t m = 0; m < in->members_n; m++)
        for (int32_t i = 0; i < in->members[m].topics_n; i++) {
            struct subscribers *s = &u->by_topic[in->members[m].topics[i]];
            s->members[s->n++] = m;
        }
    return true;
}

static void assign(struct uneven *u, int32_t number, int32_t member) {
    if (u->owners[number] != NOBODY) u->sizes[u->owners[number]]--;
    u->owners[number] = member;
    u->sizes[member]++;
}

static void keep(struct uneven *u) {
    struct assign_input *in = u->in;
    for (int32_t m = 0; m < in->members_n; m++) {
        const struct assigned *a = in->members[m].current;
        for (int32_t i = 0; i < assigned_topics(a); i++) {
            int32_t t = assign_topic_index(in, &a->topics[i].id);
            if (t < 0 || !assign_member_subscribed(&in->members[m], t)) continue;
            for (int32_t k = 0; k < a->topics[i].n; k++)
                if (a->topics[i].partitions[k] < in->topics[t].partitions_n)
                    assign(u, in->topics[t].first + a->topics[i].partitions[k], m);
        }
    }
}

/* Returns how far apart the members are. */
static int32_t balance_begin(struct balance *b, struct uneven *u, const struct subscribers *s) {
    memcpy(b->sorted, s->members, (size_t)s->n * sizeof *s->members);
    qsort_r(b->sorted, (size_t)s->n, sizeof *b->sorted, compare_members, u->sizes);
    b->sizes = u->sizes;
    b->n = s->n;
    int32_t least = u->sizes[b->sorted[0]], most = u->sizes[b->sorted[s->n - 1]];
    b->least_end = b->next_least = 0;
    b->least_size = least - 1;
    b->most_start = b->most_end = s->n;
    b->most_size = most + 1;
    b->next_most = s->n - 1;
    return most - least;
}

/* Who is to get the next partition. */
static int32_t next_least(struct balance *b) {
    if (b->next_least >= b->least_end) {
        b->least_size++;
        while (b->least_end < b->n && b->sizes[b->sorted[b->least_end]] == b->least_size) b->least_end++;
        b->next_least = 0;
    }
    return b->sorted[b->next_least++];
}

/* Who is to give up the next partition, or NOBODY. */
static int32_t next_most(struct balance *b) {
    if (b->next_most < b->most_start) {
        if (b->most_end <= b->most_start && b->most_start > 0)
            b->most_size = b->sizes[b->sorted[b->most_start - 1]];
        else
            b->most_size--;
        while (b->most_start > 0 && b->sizes[b->sorted[b->most_start - 1]] == b->most_size) b->most_start--;
        b->next_most = b->most_end - 1;
    }
    return b->next_most < 0 ? NOBODY : b->sorted[b->next_most--];
}

/* The member that next_most gave has nothing to give up. */
static void exclude_most(struct balance *b) {
    int32_t member = b->sorted[b->next_most + 1];
    b->sorted[b->next_most + 1] = b->sorted[b->most_end - 1];
    b->sorted[--b->most_end] = member;
}

static bool is_balanced(const struct balance *b) { return b->most_size - b->least_size <= 1; }

static void give_out(struct uneven *u, struct balance *b) {
    for (int32_t i = 0; i < u->in->topics_n; i++) {
        const struct assign_topic *t = &u->in->topics[u->order[i]];
        const struct subscribers *s = &u->by_topic[u->order[i]];
        if (!s->n) continue;
        balance_begin(b, u, s);
        for (int32_t p = 0; p < t->partitions_n; p++)
            if (u->owners[t->first + p] == NOBODY) assign(u, t->first + p, next_least(b));
    }
}

/* A topic's partitions by owner: those of member m are at [start[m], end[m]) of list. */
struct by_owner {
    int32_t *list, *start, *end;
};

static void group_by_owner(const struct uneven *u, const struct assign_topic *t, struct by_owner *o) {
    int32_t at = 0;
    for (int32_t m = 0; m < u->in->members_n; m++) o->end[m] = 0;
    for (int32_t p = 0; p < t->partitions_n; p++) o->end[u->owners[t->first + p]]++;
    for (int32_t m = 0; m < u->in->members_n; m++) {
        o->start[m] = at;
        at += o->end[m];
        o->end[m] = o->start[m];
    }
    for (int32_t p = 0; p < t->partitions_n; p++) o->list[o->end[u->owners[t->first + p]]++] = p;
}

static int32_t balance_topic(struct uneven *u, int32_t topic, struct balance *b, struct by_owner *o) {
    const struct assign_topic *t = &u->in->topics[topic];
    int32_t moved = 0;
    if (balance_begin(b, u, &u->by_topic[topic]) <= 1) return 0;
    group_by_owner(u, t, o);
    while (!is_balanced(b)) {
        int32_t from;
        while ((from = next_most(b)) != NOBODY && o->end[from] <= o->start[from]) exclude_most(b);
        if (from == NOBODY) break;
        int32_t partition = o->list[--o->end[from]], to = next_least(b);
        if (is_balanced(b)) break; /* the least loaded has come near */
        assign(u, t->first + partition, to);
        moved++;
    }
    return moved;
}

static void balance_all(struct uneven *u, struct balance *b, struct by_owner *o) {
    int32_t n = 0, last = -1;
    for (int32_t i = 0; i < u->in->topics_n; i++)
        if (u->by_topic[u->order[i]].n >= 2) u->order[n++] = u->order[i];
    for (int turn = 0; turn < TURNS_MAX; turn++)
        for (int32_t i = 0; i < n; i++) {
            if (i == last) return;
            if (balance_topic(u, u->order[i], b, o) > 0 || last == -1) last = i;
        }
}

bool assign_uniform_uneven(struct assign_input *in) {
    size_t members = (size_t)in->members_n, topics = (size_t)in->topics_n + 1,
           partitions = (size_t)in->partitions_n + 1;
    struct uneven u = {
        .in = in,
        .by_topic = arena_calloc(in->arena, topics, sizeof *u.by_topic),
        .sizes = arena_calloc(in->arena, members, sizeof *u.sizes),
        .owners = arena_alloc(in->arena, partitions * sizeof *u.owners),
        .order = arena_calloc(in->arena, topics, sizeof *u.order),
    };
    struct balance b = {.sorted = arena_calloc(in->arena, members, sizeof *b.sorted)};
    struct by_owner o = {
        .list = arena_calloc(in->arena, partitions, sizeof *o.list),
        .start = arena_calloc(in->arena, members, sizeof *o.start),
        .end = arena_calloc(in->arena, members, sizeof *o.end),
    };
    if (!u.by_topic || !u.sizes || !u.owners || !u.order || !b.sorted || !o.list || !o.start || !o.end ||
        !collect_subscribers(&u))
        return false;
    for (int32_t p = 0; p < in->partitions_n; p++) u.owners[p] = NOBODY;
    for (int32_t t = 0; t < in->topics_n; t++) u.order[t] = t;
    keep(&u);
    qsort_r(u.order, (size_t)in->topics_n, sizeof *u.order, compare_topics, &u);
    give_out(&u, &b);
    balance_all(&u, &b, &o);
    return assign_results(in, u.owners);
}
