/* The uniform assignor for members that are all subscribed to the same topics: the members' quotas differ by
 * one at most; each keeps what it has up to its quota, and what is over goes to those who have too little.
 * The extra partitions go to members that have one already, as far as there are such. Source:
 * UniformHomogeneousAssignmentBuilder. */
#include "base/assert.h"
#include "group/assignor.h"

enum { NOBODY = -1 };

/* Members keep what they have and are subscribed to; of two with the same partition, the later one. */
static void keep(const struct assign_input *in, int32_t *owners) {
    for (int32_t m = 0; m < in->members_n; m++) {
        const struct assigned *a = in->members[m].current;
        for (int32_t i = 0; i < assigned_topics(a); i++) {
            int32_t t = assign_topic_index(in, &a->topics[i].id);
            for (int32_t k = 0; t >= 0 && k < a->topics[i].n; k++)
                if (a->topics[i].partitions[k] < in->topics[t].partitions_n)
                    owners[in->topics[t].first + a->topics[i].partitions[k]] = m;
        }
    }
}

bool assign_uniform(struct assign_input *in) {
    if (!assign_input_number(in)) return false;
    if (!in->members_n) return true;
    if (!in->homogeneous) return assign_uniform_uneven(in);
    int32_t *owners = arena_alloc(in->arena, ((size_t)in->partitions_n + 1) * sizeof *owners);
    int32_t *room = arena_calloc(in->arena, (size_t)in->members_n, sizeof *room);
    int32_t *has = arena_calloc(in->arena, (size_t)in->members_n, sizeof *has);
    if (!owners || !room || !has) return false;
    for (int32_t p = 0; p < in->partitions_n; p++) owners[p] = NOBODY;
    keep(in, owners);
    for (int32_t p = 0; p < in->partitions_n; p++)
        if (owners[p] != NOBODY) has[owners[p]]++;
    int32_t quota = in->partitions_n / in->members_n, extra = in->partitions_n % in->members_n;
    for (int32_t m = 0; m < in->members_n; m++) {
        /* The extra one is given to a member that has it, or when only as many members are left. */
        bool gets = extra > 0 && (has[m] > quota || in->members_n - m <= extra);
        extra -= gets;
        room[m] = quota + gets;
    }
    ASSERT(extra == 0);
    for (int32_t p = 0; p < in->partitions_n; p++) { /* what is over the quota */
        if (owners[p] == NOBODY) continue;
        if (room[owners[p]] > 0)
            room[owners[p]]--;
        else
            owners[p] = NOBODY;
    }
    for (int32_t p = 0, m = 0; p < in->partitions_n; p++) {
        if (owners[p] != NOBODY) continue;
        while (!room[m]) m++; /* there is room for all */
        ASSERT(m < in->members_n);
        owners[p] = m;
        room[m]--;
    }
    return assign_results(in, owners);
}
