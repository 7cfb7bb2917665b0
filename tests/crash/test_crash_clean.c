/* A compacted log that is written, cleaned, restarted, with a fault at the first, second, … operation of the
 * disk, and faults in recovery. What must hold afterwards:
 *
 *   kill, failures   the log ends where the last write that succeeded ended, or later
 *   power cut        it ends where the last flush that succeeded ended, or later
 *   in any case      the newest record of each key that is not a tombstone is there; so is each record that
 * no cleaning could have reached; what is there is what was written; what a cleaning that was completed has
 * dropped is not there; a reader of committed records sees no aborted ones; and writing and cleaning go on
 *
 * test_crash_clean kill|cut|eio|nospc|short [first seed] [seeds] [only operation] */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "crash_model.h"
#include "io/sim_disk.h"
#include "record/control.h"
#include "record/record.h"
#include "storage/cleaner.h"

enum { STEPS = 90, MORE_STEPS = 25, PRODUCERS_USED = 3, KEYS = 8, OFFSETS = 2048, RETENTION = 2000 };

/* What was written at an offset. */
struct written {
    int key, value;  /* key −1: a marker, or lost in a power cut; value −1: a tombstone */
    int producer;    /* of a transaction, else 0 */
    int64_t decided; /* the marker's offset; −1: the transaction is open */
    bool aborted;
    bool written;
    bool gone; /* a cleaning that was completed has dropped it */
};
struct world {
    struct sim_disk *disk;
    struct logdir *d;
    struct log *l;
    struct log_config config;
    struct random random;
    struct arena arena;
    struct codec *codec;
    int64_t now;
    struct written at[OFFSETS];
    int64_t end, flushed; /* written and flushed with success */
    int64_t reached;      /* no cleaning has been let beyond it */
    int next[PRODUCERS_USED];
    bool in_txn[PRODUCERS_USED];
    int values;
};

static uint64_t below(struct world *w, uint64_t n) { return random_below(&w->random, n); }

static int open_world(struct world *w) {
    struct logdir_options o = {
        .fs = sim_disk_fs(w->disk), .path = "/data", .config = &w->config, .now_ms = w->now};
    struct uuid id = {{9}};
    w->d = NULL;
    int err = logdir_open(&o, &w->d);
    if (err) return err;
    w->l = logdir_find(w->d, "t-0");
    return w->l ? 0 : logdir_create_log(w->d, "t", 0, &id, &w->config, &w->l);
}

/* ---- steps ---- */

static int append(struct world *w, const uint8_t *bytes, size_t n, enum append_origin from) {
    struct log_append_args a = {.bytes = arena_memdup(&w->arena, bytes, n),
                                .len = n,
                                .origin = from,
                                .now_ms = w->now,
                                .arena = &w->arena,
                                .codec = w->codec};
    struct log_append_result r;
    int err = log_append(w->l, &a, &r);
    CHECK(err != OE_INVALID);
    if (!err) CHECK(!r.duplicate && r.first_offset == w->end && r.last_offset < OFFSETS);
    if (!err) err = log_write_queue(w->l, w->now);
    if (err) return err;
    w->end = log_end_offset(w->l);
    CHECK(w->end == r.last_offset + 1);
    log_set_high_watermark(w->l, w->end);
    return 0;
}

static int append_data(struct world *w) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    char key[8], value[300];
    uint8_t *bytes;
    size_t n;
    int count = 1 + (int)below(w, 4), p = (int)below(w, PRODUCERS_USED);
    if (p) {
        o.producer_id = p;
        o.producer_epoch = 0;
        o.base_sequence = w->next[p];
        o.transactional = true;
        w->next[p] += count;
        w->in_txn[p] = true;
    }
    o.compression = (enum compression)below(w, COMPRESSION_COUNT);
    batch_builder_init(&b, &o, 1 << 20);
    for (int i = 0; i < count; i++) {
        struct written x = {
            .key = (int)below(w, KEYS), .value = ++w->values, .producer = p, .decided = -1, .written = true};
        if (below(w, 6) == 0) x.value = -1;
        snprintf(key, sizeof key, "%d", x.key);
        memset(value, '.', sizeof value);
        int k = snprintf(value, sizeof value, "%d", x.value);
        value[k] = ' ';
        w->at[w->end + i] = x;
        CHECK(!batch_builder_add(&b, w->now, key, strlen(key), x.value < 0 ? NULL : value,
                                 x.value < 0 ? 0 : (size_t)k + 1 + below(w, 250)));
    }
    CHECK(!batch_builder_finish(&b, w->codec, &bytes, &n));
    int err = append(w, bytes, n, APPEND_CLIENT);
    batch_builder_free(&b);
    return err;
}

/* The marker at this offset decides its producer's open records. */
static void decide(struct world *w, int64_t marker) {
    const struct written *m = &w->at[marker];
    for (int64_t i = marker - 1; i >= 0; i--)
        if (w->at[i].key >= 0 && w->at[i].producer == m->producer && w->at[i].decided < 0)
            w->at[i].decided = marker, w->at[i].aborted = m->aborted;
}

static int append_marker(struct world *w) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    uint8_t bytes[128];
    int p = 1 + (int)below(w, PRODUCERS_USED - 1);
    bool commit = below(w, 3);
    if (!w->in_txn[p]) return 0;
    o.producer_id = p;
    o.producer_epoch = 0;
    o.transactional = true;
    int64_t at = w->end;
    w->at[at] = (struct written){.key = -1, .producer = p, .aborted = !commit, .written = true};
    size_t n = marker_batch_write(bytes, &o, commit, 1, w->now);
    decide(w, at);
    w->in_txn[p] = false;
    return append(w, bytes, n, APPEND_COORDINATOR);
}

static int flush(struct world *w) {
    int err = log_flush(w->l, w->now);
    if (!err) w->flushed = w->end;
    return err;
}

static void read_present(struct world *w, bool present[OFFSETS]);

static int clean(struct world *w) {
    struct clean_pick p;
    struct clean_stats s;
    struct clean_options o = {.now_ms = w->now,
                              .map_bytes = 24 * (3 + (int64_t)below(w, 30)),
                              .load_factor = 0.9,
                              .io_bytes = 512,
                              .seed = 1};
    bool present[OFFSETS];
    if (!cleaner_pick(&w->d, 1, w->now, &p, NULL)) return logdir_is_offline(w->d) ? OE_OFFLINE : 0;
    if (p.first_uncleanable > w->reached) w->reached = p.first_uncleanable;
    int err = cleaner_clean(&p, &o, &s);
    if (err) return err;
    read_present(w, present);
    for (int64_t i = 0; i < s.to; i++) w->at[i].gone = !present[i];
    return 0;
}

static int restart(struct world *w) {
    int err = logdir_close(w->d, w->now);
    w->d = NULL;
    if (!err) w->flushed = w->end;
    if (!err) err = open_world(w);
    if (!err) {
        log_lock(w->l);
        err = log_open(w->l, w->now);
        log_unlock(w->l);
    }
    return err;
}

static int step(struct world *w) {
    uint64_t what = below(w, 100);
    int err = 0;
    w->now += 1 + (int64_t)below(w, 100);
    sim_disk_set_time(w->disk, w->now);
    arena_reset(&w->arena);
    if (what >= 62 && what < 70) return flush(w);
    if (what >= 70 && what < 84) return clean(w);
    if (what >= 84 && what < 90) return logdir_checkpoint(w->d);
    if (what >= 90 && what < 94) return restart(w);
    if (what >= 94) {
        logdir_tick(w->d, w->now, 0);
        return logdir_is_offline(w->d) ? OE_OFFLINE : 0;
    }
    log_lock(w->l);
    if (what < 50)
        err = below(w, 3) ? append_data(w) : append_marker(w);
    else if (what < 58)
        err = log_roll(w->l, w->now);
    else
        err = log_close_idle(w->l, w->now);
    if (err == OE_AGAIN) err = 0;
    if (!err) err = log_open(w->l, w->now);
    log_unlock(w->l);
    return err;
}

static int run(struct world *w, int steps) {
    int err = w->d ? 0 : open_world(w);
    for (int s = 0; s < steps && !err; s++) err = step(w);
    return err;
}

/* ---- what is left ---- */

struct reading {
    struct world *w;
    bool *present;
    bool committed; /* as a reader of committed records sees it */
};

static bool is_aborted(const struct log_slice *s, bool ended[], const uint8_t *b) {
    if (!batch_is_transactional(b)) return false;
    for (int i = 0; i < s->aborted_count; i++)
        if (!ended[i] && s->aborted[i].producer_id == batch_producer_id(b) &&
            s->aborted[i].first_offset <= batch_last_offset(b))
            return true;
    return false;
}

/* An abort marker ends the producer's aborted transaction. */
static void end_aborted(const struct log_slice *s, bool ended[], const uint8_t *b, size_t n) {
    struct control_record r;
    if (!batch_count(b)) return;
    CHECK(!control_read(b, n, &r));
    if (r.type != CONTROL_ABORT) return;
    for (int i = 0; i < s->aborted_count; i++)
        if (!ended[i] && s->aborted[i].producer_id == batch_producer_id(b) &&
            s->aborted[i].first_offset <= batch_last_offset(b)) {
            ended[i] = true;
            return;
        }
}

static void take_records(struct reading *x, const uint8_t *b, size_t n) {
    struct world *w = x->w;
    struct record_iter it;
    struct record r;
    int more = record_iter_start(&it, w->codec, b, n, 1 << 20);
    while (!more && (more = record_iter_next(&it, &r)) > 0) {
        CHECK(r.offset < w->end);
        const struct written *y = &w->at[r.offset];
        x->present[r.offset] = true;
        if (!batch_is_control(b)) {
            CHECK(r.key_len == 1 && y->key == r.key[0] - '0');
            CHECK((r.value ? atoi((const char *)r.value) : -1) == y->value);
            CHECK((y->producer > 0) == batch_is_transactional(b));
        } else {
            CHECK(y->key == -1);
        }
        more = 0;
    }
    CHECK(more == 0);
    record_iter_end(&it);
}

static int64_t take_slice(struct reading *x, const struct log_slice *s, int64_t at) {
    bool ended[256] = {false};
    uint8_t *bytes = malloc(s->len);
    CHECK(file_pread(s->file, bytes, s->len, s->position) == s->len && s->aborted_count < 256);
    for (size_t p = 0; p < s->len;) {
        const uint8_t *b = bytes + p;
        int64_t size = batch_peek(b, s->len - p);
        CHECK(size > 0 && p + (size_t)size <= s->len && !batch_check(b, (size_t)size));
        CHECK(batch_base_offset(b) >= at || p == 0);
        at = batch_last_offset(b) + 1;
        if (batch_is_control(b))
            end_aborted(s, ended, b, (size_t)size);
        else if (x->committed && is_aborted(s, ended, b)) {
            p += (size_t)size;
            continue;
        }
        take_records(x, b, (size_t)size);
        p += (size_t)size;
    }
    free(bytes);
    return at;
}

static void read_log(struct world *w, bool committed, bool present[OFFSETS]) {
    struct reading x = {w, present, committed};
    memset(present, 0, OFFSETS * sizeof *present);
    log_lock(w->l);
    int64_t at = log_start_offset(w->l), bound = log_end_offset(w->l);
    if (committed) bound = log_last_stable_offset(w->l);
    while (at < bound) {
        struct log_slice s;
        CHECK(!log_read(w->l, at, 1 << 20, bound, true, committed ? &w->arena : NULL, &s));
        if (!s.file) break;
        at = take_slice(&x, &s, at);
        file_unref(s.file);
    }
    log_unlock(w->l);
}
static void read_present(struct world *w, bool present[OFFSETS]) { read_log(w, false, present); }

/* What is not there at or above `least` was never written, and what its markers decided is open again. */
static void forget_lost(struct world *w, int64_t least, int64_t end, const bool present[OFFSETS]) {
    for (int64_t i = 0; i < w->end; i++) {
        struct written *y = &w->at[i];
        if (i >= least && !present[i]) *y = (struct written){.key = -1};
        y->decided = -1;
        if (y->key >= 0) y->aborted = false;
    }
    for (int64_t i = 0; i < end; i++)
        if (w->at[i].key < 0 && w->at[i].producer) decide(w, i);
    w->end = end;
    if (w->flushed > end) w->flushed = end;
}

/* least: what is below was promised. Above it a power cut may leave holes. */
static void verify(struct world *w, int64_t least) {
    static bool present[OFFSETS], seen[OFFSETS];
    int64_t newest[KEYS], there[KEYS];
    log_lock(w->l);
    CHECK(log_open(w->l, w->now) == 0);
    int64_t end = log_end_offset(w->l);
    CHECK(end >= least && end <= w->end);
    log_set_high_watermark(w->l, end);
    log_unlock(w->l);
    read_log(w, false, present);
    forget_lost(w, least, end, present);
    read_log(w, true, seen);
    memset(newest, -1, sizeof newest);
    memset(there, -1, sizeof there);
    for (int64_t i = 0; i < end; i++) {
        const struct written *y = &w->at[i];
        CHECK(!(present[i] && y->gone));
        if (i >= w->reached && i < least && y->written) CHECK(present[i]);
        if (y->key < 0) continue;
        CHECK(!seen[i] || (present[i] && !y->aborted));
        if (y->aborted || (y->producer && y->decided < 0)) continue;
        if (i < least) newest[y->key] = i;
        if (present[i]) there[y->key] = i;
    }
    for (int k = 0; k < KEYS; k++) {
        if (newest[k] < 0 || w->at[newest[k]].value < 0) continue;
        CHECK(there[k] >= newest[k]);
        CHECK(seen[there[k]] || there[k] >= log_last_stable_offset(w->l));
    }
}

static void learn_producers(struct world *w) {
    struct log_producer *p;
    int n;
    memset(w->next, 0, sizeof w->next);
    memset(w->in_txn, 0, sizeof w->in_txn);
    log_lock(w->l);
    CHECK(log_producers(w->l, &w->arena, &p, &n) == 0);
    for (int i = 0; i < n; i++) {
        w->next[p[i].producer_id] = p[i].last_sequence + 1;
        w->in_txn[p[i].producer_id] = p[i].txn_first_offset >= 0;
    }
    log_unlock(w->l);
}

static void reopen(struct world *w, enum sim_fault fault) {
    if (w->d) logdir_abandon(w->d);
    w->d = NULL;
    sim_disk_restart(w->disk);
    for (int again = (int)below(w, 3); again; again--) { /* recovery meets its own fault a few times */
        sim_disk_fault_at(w->disk, 1 + (int64_t)below(w, 14), fault);
        int err = open_world(w);
        if (!err) {
            log_lock(w->l);
            log_open(w->l, w->now);
            log_unlock(w->l);
        }
        if (w->d) logdir_abandon(w->d);
        w->d = NULL;
        sim_disk_restart(w->disk);
    }
    CHECK(open_world(w) == 0);
}

static void start_world(struct world *w, uint64_t seed) {
    *w = (struct world){
        .disk = sim_disk_create(seed), .codec = codec_create(), .config = LOG_CONFIG_DEFAULT, .now = 1000000};
    random_seed(&w->random, seed);
    arena_init(&w->arena, 64 << 20);
    w->config.segment_bytes = 2500;
    w->config.index_interval_bytes = 300;
    w->config.cleanup_delete = false;
    w->config.cleanup_compact = true;
    w->config.min_cleanable_dirty_ratio = 0;
    w->config.delete_retention_ms = RETENTION;
    w->config.file_delete_delay_ms = 100;
    w->config.producer_id_expiration_ms = INT64_MAX;
}

static void end_world(struct world *w) {
    if (w->d) logdir_abandon(w->d);
    arena_free(&w->arena);
    codec_destroy(w->codec);
    sim_disk_destroy(w->disk);
}

/* Returns false when the scenario ended before the n-th operation. */
static bool once(uint64_t seed, int64_t n, enum sim_fault fault) {
    static struct world w;
    snprintf(crash_context, sizeof crash_context, "seed %llu operation %lld", (unsigned long long)seed,
             (long long)n);
    start_world(&w, seed);
    sim_disk_fault_at(w.disk, n, fault);
    int64_t before = w.end;
    int err = run(&w, STEPS);
    bool met = sim_disk_faulted(w.disk);
    CHECK(met || !err);
    if (err && fault < SIM_KILL && w.d) CHECK(logdir_is_offline(w.d));
    bool cut = fault == SIM_POWER_CUT || !met;
    if (!met) sim_disk_cut(w.disk);
    reopen(&w, fault);
    /* An append that failed may be there in part or whole: at most one batch. */
    int64_t written = w.end;
    for (w.end += 5; w.end > OFFSETS; w.end--)
        ;
    verify(&w, cut ? w.flushed : written);
    CHECK(w.end >= before);
    learn_producers(&w);
    CHECK(run(&w, MORE_STEPS) == 0);
    CHECK(logdir_close(w.d, w.now) == 0);
    w.d = NULL;
    sim_disk_cut(w.disk);
    sim_disk_restart(w.disk);
    CHECK(open_world(&w) == 0);
    CHECK(logdir_was_clean(w.d) && logdir_uncleanable(w.d) == 0);
    verify(&w, w.end);
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
    fprintf(stderr,
            "usage: test_crash_clean kill|cut|eio|nospc|short [first seed] [seeds] [only operation]\n");
    return 2;
}
