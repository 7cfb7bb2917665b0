/* One scenario of everything that storage does to a disk, run again and again with a fault at the first,
 * second, … operation; then the directory is opened again (with faults in recovery, too) and must hold what
 * was promised:
 *
 *   kill, failures   all that log_write_queue returned success for
 *   power cut        all that log_flush returned success for
 *   in any case      a prefix of what was appended, whole batches, offsets without gaps; indexes, epochs,
 *                    producers and aborted transactions that agree with it; and appending goes on
 *
 * test_crash kill|cut|eio|nospc|short [first seed] [seeds] [only operation] */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "crash_model.h"
#include "io/sim_disk.h"
#include "record/control.h"

enum { LOGS = 2, STEPS = 130, PRODUCERS_USED = 3 };

struct producer_use {
    int32_t next;
    int16_t epoch;
    bool in_txn;
};
struct world {
    struct sim_disk *disk;
    struct logdir *d;
    struct log_config config;
    struct random random;
    struct arena arena;
    struct codec *codec;
    struct model models[LOGS], olds[LOGS];
    bool cutting[LOGS]; /* a truncation is not flushed yet: olds may come back */
    struct producer_use producers[LOGS][PRODUCERS_USED];
    int32_t epochs[LOGS];
    int64_t now;
};

static const char *const topics[LOGS] = {"a", "b"};
static uint64_t below(struct world *w, uint64_t n) { return random_below(&w->random, n); }

static int open_world(struct world *w) {
    struct logdir_options o = {
        .fs = sim_disk_fs(w->disk), .path = "/data", .config = &w->config, .now_ms = w->now};
    w->d = NULL;
    return logdir_open(&o, &w->d);
}

static struct log *the_log(struct world *w, int i) {
    char name[8];
    snprintf(name, sizeof name, "%s-0", topics[i]);
    struct log *l = logdir_find(w->d, name);
    struct uuid id = {{(uint8_t)i, 9}};
    if (!l && logdir_create_log(w->d, topics[i], 0, &id, &w->config, &l)) return NULL;
    return l;
}

/* ---- steps: each returns 0 or the error that the fault caused ---- */

static int append_batch(struct world *w, int i, struct log *l, const uint8_t *bytes, size_t n,
                        enum append_origin from) {
    struct model *m = &w->models[i];
    if (below(w, 30) == 0) w->epochs[i]++;
    struct log_append_args a = {.bytes = arena_memdup(&w->arena, bytes, n),
                                .len = n,
                                .leader_epoch = w->epochs[i],
                                .origin = from,
                                .now_ms = w->now,
                                .arena = &w->arena,
                                .codec = w->codec};
    struct log_append_result r;
    int64_t end = model_end(m);
    int err = log_append(l, &a, &r);
    CHECK(err != OE_INVALID);
    if (err) return err;
    CHECK(!r.duplicate && r.first_offset == end);
    model_add(m, a.bytes, n);
    CHECK(r.last_offset + 1 == model_end(m));
    return 0;
}

static int append_data(struct world *w, int i, struct log *l) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    char value[700];
    uint8_t *bytes;
    size_t n;
    int count = 1 + (int)below(w, 4), k = (int)below(w, PRODUCERS_USED + 1);
    if (k < PRODUCERS_USED) {
        struct producer_use *p = &w->producers[i][k];
        o.producer_id = k;
        o.producer_epoch = p->epoch;
        o.base_sequence = p->next;
        o.transactional = k > 0;
        p->next += count;
        p->in_txn |= o.transactional;
    }
    memset(value, 'a' + (int)below(w, 26), sizeof value);
    batch_builder_init(&b, &o, 1 << 20);
    for (int x = 0; x < count; x++)
        CHECK(
            !batch_builder_add(&b, w->now - (int64_t)below(w, 50), "key", 3, value, below(w, sizeof value)));
    CHECK(!batch_builder_finish(&b, w->codec, &bytes, &n));
    int err = append_batch(w, i, l, bytes, n, APPEND_CLIENT);
    batch_builder_free(&b);
    return err;
}

static int append_marker(struct world *w, int i, struct log *l) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    uint8_t bytes[128];
    int k = 1 + (int)below(w, PRODUCERS_USED - 1);
    struct producer_use *p = &w->producers[i][k];
    if (!p->in_txn) return 0;
    o.producer_id = k;
    o.producer_epoch = p->epoch;
    o.transactional = true;
    size_t n = marker_batch_write(bytes, &o, below(w, 2), 1, w->now);
    p->in_txn = false;
    if (below(w, 3) == 0) p->epoch++, p->next = 0;
    return append_batch(w, i, l, bytes, n, APPEND_COORDINATOR);
}

static int write_log(struct world *w, int i, struct log *l) {
    struct model *m = &w->models[i];
    int err = log_write_queue(l, w->now);
    if (err) return err;
    CHECK(log_end_offset(l) == model_end(m));
    m->written = model_end(m);
    log_set_high_watermark(l, m->written);
    return 0;
}

static int flush(struct world *w, int i, struct log *l) {
    struct model *m = &w->models[i];
    int64_t target = m->written;
    int err = log_flush(l, w->now);
    if (err) return err;
    CHECK(log_recovery_point(l) >= target);
    m->flushed = target;
    if (w->cutting[i]) model_free(&w->olds[i]);
    w->cutting[i] = false;
    return 0;
}

/* The producers' next sequences, from what the log holds. */
static void learn_producers(struct world *w, int i, struct log *l) {
    struct log_producer *p;
    int n;
    memset(w->producers[i], 0, sizeof w->producers[i]);
    CHECK(log_producers(l, &w->arena, &p, &n) == 0);
    for (int x = 0; x < n; x++)
        w->producers[i][p[x].producer_id] =
            (struct producer_use){p[x].last_sequence + 1, p[x].epoch, p[x].txn_first_offset >= 0};
}

static int truncate_log(struct world *w, int i, struct log *l) {
    struct model *m = &w->models[i];
    if (m->count < 4 || w->cutting[i]) return 0;
    int64_t to = m->batches[m->count - 1 - (int)below(w, 3)].base;
    if (to <= m->start) return 0;
    model_copy(&w->olds[i], m);
    w->cutting[i] = true;
    model_cut(m, to);
    log_lock(l);
    int err = log_truncate_to(l, to, w->now);
    if (!err) CHECK(log_end_offset(l) == to);
    if (!err) learn_producers(w, i, l);
    log_unlock(l);
    if (err || (err = flush(w, i, l))) return err;
    return logdir_checkpoint(w->d);
}

static int locked_step(struct world *w, int i, struct log *l, uint64_t what) {
    struct model *m = &w->models[i];
    int err = 0;
    log_lock(l);
    if (what < 50) {
        for (int n = 1 + (int)below(w, 5); n && !err; n--)
            err = below(w, 4) ? append_data(w, i, l) : append_marker(w, i, l);
        if (!err) err = write_log(w, i, l);
    } else if (what < 54) {
        err = log_roll(l, w->now);
    } else if (what < 60) {
        err = log_retention(l, w->now);
        if (err > 0) err = 0;
    } else if (what < 64) {
        int64_t to = m->start + (int64_t)below(w, (uint64_t)(m->written - m->start) / 3 + 1);
        err = log_delete_records(l, to);
    } else if (what < 68) {
        err = log_close_idle(l, w->now);
    }
    if (log_start_offset(l) > m->start) m->start = log_start_offset(l);
    log_unlock(l);
    return err;
}

static int step(struct world *w) {
    int i = (int)below(w, LOGS);
    uint64_t what = below(w, 100);
    struct log *l = the_log(w, i);
    if (!l) return OE_OFFLINE;
    w->now += 1 + (int64_t)below(w, 40);
    sim_disk_set_time(w->disk, w->now);
    arena_reset(&w->arena);
    if (what < 68) return locked_step(w, i, l, what);
    if (what < 82) return flush(w, i, l);
    if (what < 90) return logdir_checkpoint(w->d);
    if (what < 94) return truncate_log(w, i, l);
    if (what < 98) {
        logdir_tick(w->d, w->now, w->now - 60);
        return logdir_is_offline(w->d) ? OE_OFFLINE : 0;
    }
    int err = logdir_close(w->d, w->now);
    w->d = NULL;
    if (!err)
        for (int k = 0; k < LOGS; k++) w->models[k].flushed = w->models[k].written;
    if (!err) err = open_world(w);
    if (!err) CHECK(logdir_was_clean(w->d));
    return err;
}

static int run(struct world *w, int steps) {
    int err = w->d ? 0 : open_world(w);
    for (int s = 0; s < steps && !err; s++) err = step(w);
    return err;
}

/* ---- what is left ---- */

static void reopen(struct world *w, enum sim_fault fault) {
    if (w->d) logdir_abandon(w->d);
    w->d = NULL;
    sim_disk_restart(w->disk);
    /* Recovery meets its own fault a few times. */
    for (int again = (int)below(w, 3); again; again--) {
        sim_disk_fault_at(w->disk, 1 + (int64_t)below(w, 12), fault);
        int err = open_world(w);
        for (int i = 0; i < LOGS && !err; i++) {
            struct log *l = the_log(w, i);
            if (!l) break;
            log_lock(l);
            err = log_open(l, w->now);
            log_unlock(l);
        }
        if (w->d) logdir_abandon(w->d);
        w->d = NULL;
        sim_disk_restart(w->disk);
    }
    CHECK(open_world(w) == 0);
}

static void verify(struct world *w, bool cut) {
    for (int i = 0; i < LOGS; i++) {
        struct model *m = &w->models[i];
        struct log *l = the_log(w, i);
        CHECK(l);
        arena_reset(&w->arena);
        const struct model *which =
            model_verify(m, w->cutting[i] ? &w->olds[i] : NULL, l, cut ? m->flushed : m->written);
        if (which != m) {
            model_free(m);
            *m = w->olds[i];
            w->olds[i] = (struct model){0};
        } else if (w->cutting[i]) {
            model_free(&w->olds[i]);
        }
        w->cutting[i] = false;
        log_lock(l);
        model_cut(m, log_end_offset(l));
        if (model_end(m) < log_end_offset(l)) {
            CHECK(log_start_offset(l) == log_end_offset(l));
            m->floor = log_end_offset(l);
        }
        m->written = log_end_offset(l);
        if (m->start > m->epochs_from) m->epochs_from = m->start;
        m->start = log_start_offset(l);
        if (cut && m->flushed > m->written) m->flushed = m->written;
        log_set_high_watermark(l, m->written);
        learn_producers(w, i, l);
        log_unlock(l);
        /* The producers of a log whose start has moved past them are new again. */
    }
}

static void start_world(struct world *w, uint64_t seed) {
    *w = (struct world){
        .disk = sim_disk_create(seed), .codec = codec_create(), .config = LOG_CONFIG_DEFAULT, .now = 1000000};
    random_seed(&w->random, seed);
    arena_init(&w->arena, 64 << 20);
    w->config.segment_bytes = 9000;
    w->config.index_interval_bytes = 900;
    w->config.retention_bytes = 40000;
    w->config.file_delete_delay_ms = 100;
    w->config.timestamp_before_max_ms = INT64_MAX;
    w->config.producer_id_expiration_ms = INT64_MAX;
}

static void end_world(struct world *w) {
    if (w->d) logdir_abandon(w->d);
    for (int i = 0; i < LOGS; i++) {
        model_free(&w->models[i]);
        model_free(&w->olds[i]);
    }
    arena_free(&w->arena);
    codec_destroy(w->codec);
    sim_disk_destroy(w->disk);
}

/* Returns false when the scenario ended before the n-th operation. */
static bool once(uint64_t seed, int64_t n, enum sim_fault fault) {
    struct world w;
    snprintf(crash_context, sizeof crash_context, "seed %llu operation %lld", (unsigned long long)seed,
             (long long)n);
    start_world(&w, seed);
    sim_disk_fault_at(w.disk, n, fault);
    int err = run(&w, STEPS);
    bool met = sim_disk_faulted(w.disk);
    CHECK(met || !err);
    if (err && fault < SIM_KILL && w.d) CHECK(logdir_is_offline(w.d));
    bool cut = fault == SIM_POWER_CUT;
    if (!met) sim_disk_cut(w.disk), cut = true;
    reopen(&w, fault);
    verify(&w, cut);
    /* Life goes on, and ends cleanly. */
    CHECK(run(&w, 12) == 0);
    CHECK(logdir_close(w.d, w.now) == 0);
    w.d = NULL;
    for (int i = 0; i < LOGS; i++) w.models[i].flushed = w.models[i].written;
    sim_disk_cut(w.disk);
    sim_disk_restart(w.disk);
    CHECK(open_world(&w) == 0);
    CHECK(logdir_was_clean(w.d));
    verify(&w, true);
    end_world(&w);
    return met;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        enum sim_fault fault;
        int seeds;
    } kinds[] = {{"kill", SIM_KILL, 4},
                 {"cut", SIM_POWER_CUT, 6},
                 {"eio", SIM_EIO, 2},
                 {"nospc", SIM_NOSPC, 2},
                 {"short", SIM_SHORT_WRITE, 2}};
    log_set_level(LOG_FATAL);
    for (size_t k = 0; argc > 1 && k < sizeof kinds / sizeof *kinds; k++) {
        if (strcmp(argv[1], kinds[k].name)) continue;
        uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        uint64_t seeds = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)kinds[k].seeds;
        int64_t runs = 0;
        if (argc > 4) { /* one operation, with what the log says */
            log_set_level(LOG_INFO);
            once(first, strtoll(argv[4], NULL, 10), kinds[k].fault);
            return 0;
        }
        for (uint64_t seed = first; seed < first + seeds; seed++)
            for (int64_t n = 1; once(seed, n, kinds[k].fault); n++) runs++;
        printf("%s: %lld faults, all recovered\n", kinds[k].name, (long long)runs);
        return runs > 0 ? 0 : 1;
    }
    fprintf(stderr, "usage: test_crash kill|cut|eio|nospc|short [first seed] [seeds] [only operation]\n");
    return 2;
}
