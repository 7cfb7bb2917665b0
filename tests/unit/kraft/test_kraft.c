/* The metadata log on a real disk: appended, closed, opened again; with snapshots; damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/file.h"
#include "kraft/node.h"
#include "kraft/snapshot_file.h"
#include "metadata/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
    char dir[64], log[96];
    struct kraft_options o;
    struct kraft *k;
    int published;
    int32_t topics_changed;
    struct record_list l;
};

static void on_publish(void *ctx, const struct image_delta *d) {
    struct world *w = ctx;
    w->published++;
    w->topics_changed = d->topics_n;
    assert_true(d->after->offset > d->before->offset);
}

static int setup(void **state) {
    struct world *w = xcalloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/ottla-kraft-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->log, sizeof w->log, "%s/__cluster_metadata-0", w->dir);
    kraft_options_init(&w->o);
    w->o.fs = fs_real();
    w->o.dir = w->dir;
    w->o.cluster_id = "cluster";
    w->o.node_id = 1;
    w->o.voters = "1@localhost:9093";
    w->o.published = on_publish;
    w->o.ctx = w;
    record_list_init(&w->l);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    kraft_close(w->k, 0);
    record_list_free(&w->l);
    fs_remove_tree(fs_real(), w->log);
    fs_remove_tree(fs_real(), w->dir);
    free(w);
    return 0;
}

static void open_at(struct world *w, int64_t now_ms) {
    char *why = NULL;
    int err = kraft_open(&w->o, now_ms, &w->k, &why);
    if (err) print_error("%s\n", why);
    assert_int_equal(err, 0);
    assert_null(why);
}
static void close_at(struct world *w, int64_t now_ms) {
    kraft_close(w->k, now_ms);
    w->k = NULL;
}
static void fails_to_open(struct world *w, int want) {
    char *why = NULL;
    assert_int_equal(kraft_open(&w->o, 0, &w->k, &why), want);
    assert_non_null(why);
    free(why);
}

static void topic_record(struct world *w, int n) {
    char name[32];
    struct topic_record t = {.topic_id = {{[14] = (uint8_t)(n >> 8), [15] = (uint8_t)n, [0] = 1}}};
    snprintf(name, sizeof name, "topic-%d", n);
    t.name = kstr_of(name);
    record_add_topic(&w->l, 0, &t);
}
static int append(struct world *w, int64_t now_ms) {
    int64_t last = -1, end = kraft_end_offset(w->k);
    int err = kraft_append(w->k, &w->l, now_ms, &last);
    if (!err) assert_int_equal(last, end + w->l.n - 1);
    record_list_free(&w->l);
    record_list_init(&w->l);
    return err;
}
static void append_topics(struct world *w, int from, int to, int64_t now_ms) {
    for (int n = from; n < to; n++) topic_record(w, n);
    assert_int_equal(append(w, now_ms), 0);
}
static bool has_topic(struct world *w, int n) {
    char name[32];
    snprintf(name, sizeof name, "topic-%d", n);
    return image_topic_by_name(kraft_image(w->k), name, strlen(name)) != NULL;
}

static void what_is_appended_is_there_after_a_restart(void **state) {
    struct world *w = *state;
    open_at(w, 1000);
    assert_int_equal(kraft_epoch(w->k), 1);
    assert_int_equal(kraft_end_offset(w->k), 1); /* LeaderChange */
    assert_int_equal(kraft_high_watermark(w->k), 1);
    assert_int_equal(kraft_bootstrap(w->k)->n,
                     1); /* there is no bootstrap.checkpoint: the latest metadata.version */
    append_topics(w, 0, 3, 1000);
    assert_int_equal(w->published, 1);
    assert_int_equal(w->topics_changed, 3);
    assert_int_equal(kraft_end_offset(w->k), 4);
    assert_int_equal(kraft_image(w->k)->offset, 3);
    close_at(w, 2000);
    for (int32_t start = 2; start < 5; start++) {
        open_at(w, 3000);
        assert_int_equal(kraft_epoch(w->k), start);
        assert_int_equal(kraft_image(w->k)->epoch, start);
        assert_int_equal(kraft_end_offset(w->k), 3 + start);
        assert_true(has_topic(w, 0) && has_topic(w, 2) && !has_topic(w, 3));
        close_at(w, 4000);
    }
}

static void what_cannot_be_replayed_is_not_written(void **state) {
    struct world *w = *state;
    open_at(w, 1000);
    append_topics(w, 0, 1, 1000);
    topic_record(w, 5);
    topic_record(w, 0); /* it exists */
    assert_int_equal(append(w, 1000), OE_CORRUPT);
    assert_int_equal(kraft_end_offset(w->k), 2);
    assert_false(has_topic(w, 5));
    append_topics(w, 6, 7, 1000); /* and all goes on */
    close_at(w, 1000);
    open_at(w, 1000);
    assert_true(has_topic(w, 0) && has_topic(w, 6) && !has_topic(w, 5));
}

static void large_lists_take_several_batches_unless_atomic(void **state) {
    struct world *w = *state;
    open_at(w, 1000);
    for (int n = 0; n < 25000; n++) topic_record(w, n);
    w->l.atomic = false;
    assert_int_equal(append(w, 1000), 0);
    assert_int_equal(image_topics_n(kraft_image(w->k)), 25000);
    char *large = xcalloc(1, 30000);
    memset(large, 'x', 29999);
    for (int n = 0; n < 300; n++) {
        char resource[16];
        snprintf(resource, sizeof resource, "%d", n);
        struct config_record c = {CONFIG_TOPIC, kstr_of(resource), KSTR("k"), kstr_of(large)};
        record_add_config(&w->l, 0, &c);
    }
    free(large);
    struct record_list kept = w->l;
    assert_int_equal(kraft_append(w->k, &w->l, 1000, NULL), OE_LIMIT); /* 9 MB in one batch */
    w->l = kept;
    w->l.atomic = false;
    assert_int_equal(append(w, 1000), 0);
    close_at(w, 1000);
    open_at(w, 1000);
    assert_int_equal(image_topics_n(kraft_image(w->k)), 25000);
    assert_non_null(image_config(kraft_image(w->k), CONFIG_TOPIC, "299", "k"));
}

static int32_t snapshots(struct world *w, struct snapshot_id **ids) {
    int32_t n;
    assert_int_equal(snapshot_list(fs_real(), w->log, ids, &n), 0);
    return n;
}

static void snapshots_replace_the_log(void **state) {
    struct world *w = *state;
    w->o.snapshot_bytes = 4096;
    w->o.segment_bytes = 1 << 20;
    w->o.retention_bytes = 40000;
    open_at(w, 1000);
    assert_int_equal(kraft_due_ms(w->k), 1000 + 3600000);
    for (int n = 0; n < 400; n++) {
        append_topics(w, n, n + 1, 1000);
        if (kraft_due_ms(w->k) == 0) kraft_tick(w->k, 2000);
    }
    assert_true(kraft_log_start_offset(w->k) > 0);
    struct snapshot_id *ids;
    int32_t n = snapshots(w, &ids);
    assert_in_range(n, 1, 4);
    assert_int_equal(ids[0].offset, kraft_log_start_offset(w->k));
    free(ids);
    close_at(w, 2000);
    open_at(w, 3000);
    assert_int_equal(image_topics_n(kraft_image(w->k)), 400);
    assert_int_equal(kraft_due_ms(w->k) > 3000, true);
    close_at(w, 3000 + 3600000 * 2); /* due by time: written at the end */
    assert_true(snapshots(w, &ids) > n || ids[0].offset > 0);
    free(ids);
}

static void damage(struct world *w, const char *name, int64_t at) {
    char path[256];
    struct file *f;
    uint8_t byte;
    snprintf(path, sizeof path, "%s/%s", w->log, name);
    assert_int_equal(fs_open(fs_real(), path, FS_WRITE, &f), 0);
    if (at < 0) at += file_size(f);
    assert_int_equal(file_pread(f, &byte, 1, at), 1);
    byte ^= 0x55;
    assert_int_equal(file_pwrite(f, &byte, 1, at), 0);
    file_unref(f);
}

static void a_damaged_snapshot_is_passed_over(void **state) {
    struct world *w = *state;
    w->o.snapshot_bytes = 1000;
    open_at(w, 1000);
    append_topics(w, 0, 30, 1000);
    kraft_tick(w->k, 1000);
    append_topics(w, 30, 60, 1000);
    kraft_tick(w->k, 1000);
    close_at(w, 1000);
    struct snapshot_id *ids;
    char name[SNAPSHOT_NAME];
    assert_int_equal(snapshots(w, &ids), 2);
    snapshot_name(ids[1], name);
    free(ids);
    damage(w, name, -100);
    char *why = NULL;
    assert_int_equal(kraft_open(&w->o, 1000, &w->k, &why), 0);
    free(why);
    assert_int_equal(image_topics_n(kraft_image(w->k)), 60);
}

static void a_wrong_start_says_why(void **state) {
    struct world *w = *state;
    w->o.voters = "2@localhost:9093";
    fails_to_open(w, OE_UNSUPPORTED);
    w->o.voters = "1@localhost:9093,2@localhost:9094";
    fails_to_open(w, OE_UNSUPPORTED);
    w->o.voters = "nonsense";
    fails_to_open(w, OE_INVALID);
    w->o.voters = NULL;
    fails_to_open(w, OE_INVALID);
    w->o.voters = "1@localhost:9093";
    open_at(w, 1000);
    append_topics(w, 0, 3, 1000);
    close_at(w, 1000);
    damage(w, "quorum-state", 0);
    fails_to_open(w, OE_MALFORMED);
}

/* As a crash leaves it: a transaction that has begun and not ended. */
static void an_open_transaction_must_be_aborted_first(void **state) {
    struct world *w = *state;
    open_at(w, 1000);
    append_topics(w, 0, 1, 1000);
    record_add_begin_transaction(&w->l, 0, &(struct begin_transaction_record){.name = KSTR_NULL});
    topic_record(w, 1);
    assert_int_equal(append(w, 1000), OE_INVALID); /* ours are whole */

    struct strbuf b;
    char path[256];
    struct file *f;
    record_add_begin_transaction(&w->l, 0, &(struct begin_transaction_record){.name = KSTR_NULL});
    topic_record(w, 1);
    strbuf_init(&b, 4096);
    assert_int_equal(batches_build(&w->l, kraft_end_offset(w->k), 1, 1000, &b), 0);
    close_at(w, 1000);
    snprintf(path, sizeof path, "%s/00000000000000000000.log", w->log);
    assert_int_equal(fs_open(fs_real(), path, FS_WRITE, &f), 0);
    assert_int_equal(file_pwrite(f, b.s, b.len, file_size(f)), 0);
    file_unref(f);
    strbuf_free(&b);
    record_list_free(&w->l);
    record_list_init(&w->l);
    snprintf(path, sizeof path, "%s/recovery-point-offset-checkpoint", w->dir);
    fs_unlink(fs_real(), path);

    open_at(w, 2000);
    assert_true(kraft_in_transaction(w->k));
    assert_true(has_topic(w, 0) && !has_topic(w, 1));
    topic_record(w, 2);
    assert_int_equal(append(w, 2000), OE_INVALID);
    record_add_abort_transaction(&w->l, 0, &(struct abort_transaction_record){.reason = KSTR_NULL});
    topic_record(w, 2);
    assert_int_equal(append(w, 2000), 0);
    assert_false(kraft_in_transaction(w->k));
    close_at(w, 2000);
    open_at(w, 3000);
    assert_false(kraft_in_transaction(w->k));
    assert_true(has_topic(w, 0) && !has_topic(w, 1) && has_topic(w, 2));
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(what_is_appended_is_there_after_a_restart),
        STORY(what_cannot_be_replayed_is_not_written),
        STORY(large_lists_take_several_batches_unless_atomic),
        STORY(snapshots_replace_the_log),
        STORY(a_damaged_snapshot_is_passed_over),
        STORY(a_wrong_start_says_why),
        STORY(an_open_transaction_must_be_aborted_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
