/* Striped placement: what must hold for every partition, and evenness over many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/kerr.h"
#include "controller/placement.h"
#include "metadata/delta.h"
#include "metadata/record.h"

#include <string.h>

/* n brokers in `racks` racks (0: none), the last `fenced` of them fenced. */
static struct image *cluster(int32_t n, int32_t racks, int32_t fenced) {
    static const char *const names[] = {"r0", "r1", "r2", "r3"};
    struct record_list l;
    record_list_init(&l);
    for (int32_t k = 0; k < n; k++) {
        struct register_broker_record b;
        register_broker_record_init(&b);
        b.broker_id = k;
        b.rack = kstr_of(racks ? names[k % racks] : NULL);
        b.fenced = k >= n - fenced;
        record_add_register_broker(&l, 4, &b);
    }
    struct image *empty = image_empty();
    struct image_delta *d = delta_begin(empty);
    for (int32_t k = 0; k < l.n; k++) assert_int_equal(delta_replay(d, l.v[k].data, l.v[k].len, k, 1), 0);
    delta_finish(d, 0);
    struct image *i = image_ref(d->after);
    delta_free(d);
    image_unref(empty);
    record_list_free(&l);
    return i;
}

static void spread(int32_t brokers, int32_t racks, int32_t fenced, int32_t partitions, int32_t replication) {
    struct image *i = cluster(brokers, racks, fenced);
    struct random r;
    struct arena a;
    int32_t *v, leads[32] = {0}, holds[32] = {0};
    const char *why;
    random_seed(&r, 3);
    arena_init(&a, 1 << 20);
    assert_int_equal(placement_place(i, &r, partitions, replication, &a, &v, &why), 0);
    for (int32_t p = 0; p < partitions; p++) {
        const int32_t *to = v + p * replication;
        assert_true(to[0] < brokers - fenced); /* the leader is not fenced */
        leads[to[0]]++;
        unsigned in_racks = 0;
        for (int32_t k = 0; k < replication; k++) {
            assert_in_range(to[k], 0, brokers - 1);
            holds[to[k]]++;
            for (int32_t m = 0; m < k; m++) assert_int_not_equal(to[k], to[m]);
            if (racks) in_racks |= 1u << (to[k] % racks);
        }
        if (racks && !fenced && replication <= racks)
            assert_int_equal(__builtin_popcount(in_racks), replication); /* a rack each */
    }
    int32_t live = brokers - fenced;
    for (int32_t b = 0; b < live && !fenced; b++) {
        /* Even, as far as the shuffling between the rounds leaves it. */
        assert_in_range(leads[b], partitions / live * 2 / 3, partitions / live * 3 / 2);
        assert_in_range(holds[b], partitions * replication / live * 3 / 4,
                        partitions * replication / live * 5 / 4);
    }
    arena_free(&a);
    image_unref(i);
}

static void every_partition_is_well_placed(void **state) {
    spread(1, 0, 0, 50, 1);
    spread(3, 0, 0, 600, 1);
    spread(3, 0, 0, 600, 3);
    spread(6, 3, 0, 600, 3);
    spread(6, 3, 0, 600, 2);
    spread(5, 0, 2, 600, 4);
    spread(6, 2, 1, 600, 6);
}

static void what_cannot_be_placed(void **state) {
    struct image *i = cluster(2, 0, 2);
    struct random r;
    struct arena a;
    int32_t *v;
    const char *why;
    random_seed(&r, 3);
    arena_init(&a, 1 << 20);
    assert_int_equal(placement_place(i, &r, 1, 1, &a, &v, &why), KERR_INVALID_REPLICATION_FACTOR);
    assert_string_equal(why, "All brokers are currently fenced, or have all their log directories cordoned.");
    arena_free(&a);
    image_unref(i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_partition_is_well_placed),
        cmocka_unit_test(what_cannot_be_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
