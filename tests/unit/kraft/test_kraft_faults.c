/* The metadata log and formatting on a disk that fails at its n-th operation, for every n: an error, a full
 * disk, a short write, a kill, a power cut. What was acknowledged is there after the next start; an append is
 * there whole or not at all; the log can always be opened and continued. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "io/sim_disk.h"
#include "kraft/format.h"
#include "kraft/node.h"
#include "metadata/version.h"
#include "storage/logdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { APPENDS = 8, TOPICS = 3, NOW = 1000000 }; /* topics of one append */

struct world {
    struct sim_disk *disk;
    struct kraft_options o;
    int acked; /* appends that returned 0 */
};

static void options(struct world *w) {
    kraft_options_init(&w->o);
    w->o.fs = sim_disk_fs(w->disk);
    assert_int_equal(fs_mkdir(w->o.fs, "/data"), 0);
    assert_int_equal(fs_sync_dir(w->o.fs, "/"), 0);
    w->o.dir = "/data";
    w->o.cluster_id = "cluster";
    w->o.node_id = 1;
    w->o.voters = "1@localhost:9093";
    w->o.snapshot_bytes = 400;
    w->o.retention_bytes = 900; /* so that snapshots and segments are deleted on the way */
    w->o.segment_bytes = 600;
}

static void fill(struct record_list *l, int append) {
    record_list_init(l);
    for (int t = 0; t < TOPICS; t++) {
        char name[32];
        snprintf(name, sizeof name, "a%d-%d", append, t);
        struct topic_record rec = {kstr_of(name), {{1, [14] = (uint8_t)append, [15] = (uint8_t)t}}};
        record_add_topic(l, 0, &rec);
    }
}

static int append(struct kraft *k, int n) {
    struct record_list l;
    fill(&l, n);
    int err = kraft_append(k, &l, NOW + n, NULL);
    record_list_free(&l);
    return err;
}

/* A life: opens, appends, writes snapshots, closes. Returns the first error. */
static int live(struct world *w) {
    struct kraft *k = NULL;
    int err = kraft_open(&w->o, NOW, &k, NULL);
    if (err) return err;
    for (int n = 0; n < APPENDS && !err; n++) {
        err = append(k, n);
        if (err) break;
        w->acked = n + 1;
        kraft_tick(k, NOW + n);
    }
    if (err) assert_int_equal(append(k, APPENDS + 1), OE_OFFLINE); /* once failed, it stays so */
    kraft_close(k, NOW + APPENDS);
    return err;
}

static int topics_of(const struct image *i, int n) {
    int found = 0;
    for (int t = 0; t < TOPICS; t++) {
        char name[32];
        snprintf(name, sizeof name, "a%d-%d", n, t);
        found += image_topic_by_name(i, name, strlen(name)) != NULL;
    }
    return found;
}

static void check_next_start(struct world *w) {
    struct kraft *k = NULL;
    char *why = NULL;
    int err = kraft_open(&w->o, NOW + 100, &k, &why);
    if (err) print_error("%s\n", why ? why : "");
    assert_int_equal(err, 0);
    free(why);
    const struct image *i = kraft_image(k);
    bool ended = false;
    for (int n = 0; n < APPENDS; n++) {
        int found = topics_of(i, n);
        assert_true(found == TOPICS || found == 0); /* whole or not at all */
        assert_false(ended && found);               /* and in order */
        if (n < w->acked) assert_int_equal(found, TOPICS);
        ended = found == 0;
    }
    assert_int_equal(i->offset + 1, kraft_end_offset(k));
    assert_int_equal(append(k, APPENDS), 0);
    kraft_close(k, NOW + 200);
    assert_int_equal(kraft_open(&w->o, NOW + 300, &k, NULL), 0);
    assert_int_equal(topics_of(kraft_image(k), APPENDS), TOPICS);
    kraft_close(k, NOW + 300);
}

static void every_operation_fails_once(enum sim_fault fault) {
    bool happened = true;
    int64_t n = 1;
    for (; happened; n++) {
        struct world w = {.disk = sim_disk_create((uint64_t)n)};
        options(&w);
        sim_disk_fault_at(w.disk, n, fault);
        live(&w);
        happened = sim_disk_faulted(w.disk);
        if (!happened) assert_int_equal(w.acked, APPENDS);
        sim_disk_fault_at(w.disk, 0, SIM_NONE);
        if (fault == SIM_KILL || fault == SIM_POWER_CUT) sim_disk_restart(w.disk);
        check_next_start(&w);
        sim_disk_destroy(w.disk);
    }
    assert_true(n > 50); /* there were operations to fail */
}

static void io_errors(void **state) { every_operation_fails_once(SIM_EIO); }
static void a_full_disk(void **state) { every_operation_fails_once(SIM_NOSPC); }
static void short_writes(void **state) { every_operation_fails_once(SIM_SHORT_WRITE); }
static void kills(void **state) { every_operation_fails_once(SIM_KILL); }
static void power_cuts(void **state) { every_operation_fails_once(SIM_POWER_CUT); }

/* ---- formatting ---- */

static int format(struct sim_disk *disk) {
    static const char *const dirs[] = {"/a/data", "/b"};
    struct random random;
    random_seed(&random, 1);
    struct format_options o = {.fs = sim_disk_fs(disk),
                               .cluster_id = "cluster",
                               .node_id = 1,
                               .dirs = dirs,
                               .dirs_n = 2,
                               .metadata_dir = "/a/data",
                               .ignore_formatted = true,
                               .dynamic_quorum = true,
                               .standalone = true,
                               .host = "localhost",
                               .port = 9093,
                               .controller_listener = "CONTROLLER",
                               .now_ms = NOW,
                               .random = &random};
    return format_run(&o, NULL);
}

/* A format that was cut short is done again, and then the node starts. */
static void a_cut_format_is_done_again(void **state) {
    static const enum sim_fault faults[] = {SIM_EIO, SIM_NOSPC, SIM_SHORT_WRITE, SIM_KILL, SIM_POWER_CUT};
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        bool happened = true;
        for (int64_t n = 1; happened; n++) {
            struct sim_disk *disk = sim_disk_create((uint64_t)n);
            sim_disk_fault_at(disk, n, faults[f]);
            int err = format(disk);
            happened = sim_disk_faulted(disk);
            assert_true(happened || err == 0);
            sim_disk_fault_at(disk, 0, SIM_NONE);
            if (faults[f] == SIM_KILL || faults[f] == SIM_POWER_CUT) sim_disk_restart(disk);
            assert_int_equal(format(disk), 0);
            sim_disk_destroy(disk);
        }
    }
}

/* ---- a server's first start: staged, used, settled, sealed; then it promises ---- */

enum { BEFORE_SETTLING = 2 };

static int stage(struct sim_disk *disk, uint64_t life, struct format **f) {
    static const char *const dirs[] = {"/b", "/a/data"};
    struct random random;
    random_seed(&random, life);
    struct format_options o = {.fs = sim_disk_fs(disk),
                               .cluster_id = "cluster",
                               .node_id = 1,
                               .dirs = dirs,
                               .dirs_n = 2,
                               .metadata_dir = "/a/data",
                               .ignore_formatted = true,
                               .dynamic_quorum = true,
                               .standalone = true,
                               .host = "localhost",
                               .port = 9093,
                               .controller_listener = "CONTROLLER",
                               .now_ms = NOW,
                               .random = &random};
    return format_stage(&o, f, NULL);
}

static bool is_formatted(struct sim_disk *disk, struct uuid *directory) {
    struct meta_properties m;
    int err = meta_properties_read(sim_disk_fs(disk), "/a/data", &m);
    assert_true(err == 0 || err == OE_NOTFOUND); /* whole or not at all */
    if (!err) *directory = m.directory_id;
    return !err;
}

static int begin(struct world *w, struct kraft *k) {
    int err = kraft_append(k, kraft_bootstrap(k), NOW, NULL);
    for (int n = 0; n < BEFORE_SETTLING && !err; n++) err = append(k, n);
    return err;
}

static int serve(struct world *w, struct kraft *k) {
    int err = 0;
    for (int n = BEFORE_SETTLING; n < APPENDS && !err; n++)
        if (!(err = append(k, n))) w->acked = n + 1;
    return err;
}

static int start_first(struct world *w, uint64_t life) {
    struct format *f = NULL;
    struct kraft *k = NULL;
    int err = stage(w->disk, life, &f);
    if (err) return err;
    w->o.directory_id = format_identity(f, "/a/data")->directory_id;
    w->o.settle_later = true;
    err = kraft_open(&w->o, NOW, &k, NULL);
    if (!err) err = begin(w, k);
    if (!err) err = kraft_settle(k, NOW, NULL);
    if (!err) err = format_seal(f, NULL);
    if (!err) err = serve(w, k);
    kraft_close(k, NOW);
    format_free(f);
    return err;
}

static void check_started(struct world *w) {
    struct kraft *k = NULL;
    char *why = NULL;
    w->o.settle_later = false;
    int err = kraft_open(&w->o, NOW + 100, &k, &why);
    if (err) print_error("%s\n", why ? why : "");
    assert_int_equal(err, 0);
    const struct image *i = kraft_image(k);
    assert_int_equal(i->metadata_version, MV_LATEST);
    for (int n = 0; n < APPENDS; n++) {
        int found = topics_of(i, n);
        assert_true(found == TOPICS || found == 0);
        if (n < w->acked || n < BEFORE_SETTLING) assert_int_equal(found, TOPICS);
    }
    kraft_close(k, NOW + 200);
}

static void first_options(struct world *w, uint64_t seed) {
    *w = (struct world){.disk = sim_disk_create(seed)};
    kraft_options_init(&w->o);
    w->o.fs = sim_disk_fs(w->disk);
    w->o.dir = "/a/data";
    w->o.cluster_id = "cluster";
    w->o.node_id = 1;
    w->o.listener = "CONTROLLER";
    w->o.host = "localhost";
    w->o.port = 9093;
}

/* A crash anywhere leaves a directory that is not formatted, of which nothing was promised, or a whole node.
 */
static void a_cut_first_start_is_none_or_whole(void **state) {
    static const enum sim_fault faults[] = {SIM_EIO, SIM_NOSPC, SIM_SHORT_WRITE, SIM_KILL, SIM_POWER_CUT};
    int again = 0, whole = 0;
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        bool happened = true;
        for (int64_t n = 1; happened; n++) {
            struct world w;
            first_options(&w, (uint64_t)n);
            sim_disk_fault_at(w.disk, n, faults[f]);
            int err = start_first(&w, 2 * (uint64_t)n);
            happened = sim_disk_faulted(w.disk);
            assert_true(happened || err == 0);
            sim_disk_fault_at(w.disk, 0, SIM_NONE);
            if (faults[f] == SIM_KILL || faults[f] == SIM_POWER_CUT) sim_disk_restart(w.disk);
            if (!is_formatted(w.disk, &w.o.directory_id)) {
                assert_int_equal(w.acked, 0);
                assert_int_equal(start_first(&w, 2 * (uint64_t)n + 1), 0);
                assert_true(is_formatted(w.disk, &w.o.directory_id));
                again++;
            } else {
                whole++;
            }
            check_started(&w);
            sim_disk_destroy(w.disk);
        }
    }
    assert_true(again > 50 && whole > 50);
}

/* Before the first answer a first start waits for the disk nowhere. */
static void nothing_waits_before_settling(void **state) {
    struct world w;
    struct format *f;
    struct kraft *k;
    first_options(&w, 1);
    assert_int_equal(stage(w.disk, 1, &f), 0);
    w.o.directory_id = format_identity(f, "/a/data")->directory_id;
    w.o.settle_later = true;
    assert_int_equal(kraft_open(&w.o, NOW, &k, NULL), 0);
    assert_int_equal(begin(&w, k), 0);
    assert_int_equal(sim_disk_syncs(w.disk), 0);
    assert_int_equal(kraft_settle(k, NOW, NULL), 0);
    assert_int_equal(format_seal(f, NULL), 0);
    assert_true(sim_disk_syncs(w.disk) > 0);
    kraft_close(k, NOW);
    format_free(f);
    sim_disk_destroy(w.disk);
}

int main(void) {
    log_set_level(LOG_FATAL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io_errors),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(short_writes),
        cmocka_unit_test(kills),
        cmocka_unit_test(power_cuts),
        cmocka_unit_test(a_cut_format_is_done_again),
        cmocka_unit_test(a_cut_first_start_is_none_or_whole),
        cmocka_unit_test(nothing_waits_before_settling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
