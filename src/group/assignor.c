/* What the assignors share, and the range assignor. */
#include "group/assignor.h"

#include <stdlib.h>

#include "base/assert.h"
#include "group/names.h"

bool assign_input_number(struct assign_input *in) {
    int64_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) {
        in->topics[t].first = (int32_t)n;
        n += in->topics[t].partitions_n;
        if (n > INT32_MAX) return false;
    }
    in->partitions_n = (int32_t)n;
    return true;
}

int32_t assign_topic_index(const struct assign_input *in, const struct uuid *id) {
    int32_t from = 0, to = in->topics_n;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        int c = memcmp(in->topics[middle].id.b, id->b, sizeof id->b);
        if (!c) return middle;
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return -1;
}

bool assign_member_subscribed(const struct assign_member *m, int32_t topic) {
    int32_t from = 0, to = m->topics_n;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        if (m->topics[middle] == topic) return true;
        if (m->topics[middle] < topic)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

bool assign_results(struct assign_input *in, const int32_t *owners) {
    struct assigned_builder *b = arena_calloc(in->arena, (size_t)in->members_n, sizeof *b);
    if (!b) return false;
    for (int32_t m = 0; m < in->members_n; m++) b[m] = assigned_begin(in->arena);
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t p = 0; p < in->topics[t].partitions_n; p++) {
            int32_t owner = owners[in->topics[t].first + p];
            ASSERT(owner < in->members_n);
            if (owner >= 0) assigned_add(&b[owner], &in->topics[t].id, p, 0);
        }
    bool ok = true;
    for (int32_t m = 0; m < in->members_n; m++) {
        in->members[m].result = assigned_finish(&b[m], false);
        ok &= !b[m].failed;
    }
    return ok;
}

/* --- range --- */

struct range {
    int32_t members, quota, extra, next;
};

static int by_instance(const void *a, const void *b) {
    const struct assign_member *x = *(struct assign_member *const *)a, *y = *(struct assign_member *const *)b;
    if (x->instance_id.len >= 0 && y->instance_id.len >= 0)
        return names_compare(x->instance_id, y->instance_id);
    if (x->instance_id.len >= 0) return -1;
    if (y->instance_id.len >= 0) return 1;
    return names_compare(x->id, y->id);
}

bool assign_range(struct assign_input *in) {
    struct assign_member **order = arena_calloc(in->arena, (size_t)in->members_n, sizeof *order);
    struct range *ranges = arena_calloc(in->arena, (size_t)in->topics_n, sizeof *ranges);
    if (!order || !ranges) return false;
    for (int32_t m = 0; m < in->members_n; m++) {
        order[m] = &in->members[m];
        for (int32_t i = 0; i < in->members[m].topics_n; i++) ranges[in->members[m].topics[i]].members++;
    }
    qsort(order, (size_t)in->members_n, sizeof(struct assign_member *), by_instance);
    for (int32_t t = 0; t < in->topics_n; t++) {
        if (!ranges[t].members) continue;
        ranges[t].quota = in->topics[t].partitions_n / ranges[t].members;
        ranges[t].extra = in->topics[t].partitions_n % ranges[t].members;
    }
    for (int32_t m = 0; m < in->members_n; m++) {
        struct assigned_builder b = assigned_begin(in->arena);
        for (int32_t i = 0; i < order[m]->topics_n; i++) {
            int32_t t = order[m]->topics[i];
            struct range *r = &ranges[t];
            int32_t end = r->next + r->quota + (r->extra > 0);
            r->extra -= r->extra > 0;
            for (; r->next < end; r->next++) assigned_add(&b, &in->topics[t].id, r->next, 0);
        }
        order[m]->result = assigned_finish(&b, false);
        if (b.failed) return false;
    }
    return true;
}
