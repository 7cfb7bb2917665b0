/* The first thread keeps the number of the others as the configuration asks. The pace
 * (log.cleaner.io.max.bytes.per.second) is one for all of them: each byte takes its time, BURST_MS may be
 * ahead. (The reference averages over periods of that length, and over the idle time before them.)
 *
 * One lock, held for a moment only; never with a log's. */
#include "server/cleaners.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/clock.h"
#include "server/node.h"
#include "storage/cleaner.h"
#include "storage/log.h"
#include "storage/logdir.h"

enum { BURST_MS = 300, STACK = 512 << 10 };

struct cleaner {
    struct cleaners *owner;
    struct cleaner *next;
    pthread_t thread;
    int index;
    bool ended;
    /* of its last cleaning */
    struct clean_stats stats;
    int64_t took_ms, delay_ms;
};

struct cleaners {
    struct node *node;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct cleaner *all;
    bool stopping;
    int wanted;
    int64_t paid_until_ns; /* the pace: what was moved so far takes until then */
    int64_t last_run_ms, cleanings, failures;
    double max_ratio;
};

/* With the lock: until the time or until it is over. */
static void sleep_until(struct cleaners *c, int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    while (!c->stopping && clock_mono_ns() < ns)
        if (pthread_cond_timedwait(&c->changed, &c->lock, &t)) break;
}

static bool is_over(void *owner) {
    struct cleaner *k = owner;
    pthread_mutex_lock(&k->owner->lock);
    bool over = k->owner->stopping;
    pthread_mutex_unlock(&k->owner->lock);
    return over;
}

static double wanted_rate(struct cleaners *c) {
    struct config *config = node_config(c->node);
    double rate = config_double(config, CFG_LOG_CLEANER_IO_MAX_BYTES_PER_SECOND);
    config_unref(config);
    return rate;
}

static void keep_pace(void *owner, int64_t bytes) {
    struct cleaners *c = ((struct cleaner *)owner)->owner;
    double rate = wanted_rate(c);
    if (!(rate > 0)) return;
    pthread_mutex_lock(&c->lock);
    int64_t now = clock_mono_ns(), earliest = now - BURST_MS * INT64_C(1000000);
    double takes = (double)bytes / rate * 1e9;
    if (c->paid_until_ns < earliest) c->paid_until_ns = earliest;
    c->paid_until_ns += takes < 3600e9 ? (int64_t)takes : INT64_C(3600000000000);
    sleep_until(c, c->paid_until_ns);
    pthread_mutex_unlock(&c->lock);
}

/* ---- one log ---- */

static struct clean_options options(struct cleaner *k) {
    struct config *config = node_config(k->owner->node);
    int64_t threads = config_int(config, CFG_LOG_CLEANER_THREADS);
    int64_t io = config_int(config, CFG_LOG_CLEANER_IO_BUFFER_SIZE) / threads / 2;
    struct clean_options o = {
        .now_ms = clock_wall_ms(),
        .map_bytes = config_int(config, CFG_LOG_CLEANER_DEDUPE_BUFFER_SIZE) / threads,
        .load_factor = config_double(config, CFG_LOG_CLEANER_IO_BUFFER_LOAD_FACTOR),
        .io_bytes = io > 4096 ? (int32_t)io : 4096,
        .seed = clock_entropy(),
        .stop = is_over,
        .moved = keep_pace,
        .owner = k,
    };
    config_unref(config);
    return o;
}

static void note(struct cleaner *k, const struct clean_stats *s, int64_t took_ms, int64_t delay_ms, int err) {
    struct cleaners *c = k->owner;
    pthread_mutex_lock(&c->lock);
    k->stats = *s;
    k->took_ms = took_ms;
    k->delay_ms = delay_ms;
    if (!err)
        c->cleanings++;
    else if (err != OE_AGAIN)
        c->failures++;
    pthread_mutex_unlock(&c->lock);
}

static void clean(struct cleaner *k, struct clean_pick *p, int *err) {
    struct clean_options o = options(k);
    struct clean_stats s;
    char name[300];
    snprintf(name, sizeof name, "%s", log_name(p->log));
    int64_t delay = p->max_delay_ms, begun = clock_mono_ms();
    *err = cleaner_clean(p, &o, &s);
    int64_t took = clock_mono_ms() - begun;
    note(k, &s, took, delay, *err);
    if (*err == OE_AGAIN)
        LOG_INFO("cleaner", "%s: the cleaning was left off: the log was changed, or the node ends", name);
    if (*err) return;
    LOG_INFO("cleaner",
             "%s: cleaned offsets [%lld, %lld) in %lld ms: %lld of %lld records stay, %lld of %lld bytes, "
             "%d segments became %d; the keys filled %.1f%% of their buffer",
             name, (long long)s.from, (long long)s.to, (long long)took, (long long)s.messages_written,
             (long long)s.messages_read, (long long)s.bytes_written, (long long)s.bytes_read,
             s.segments_before, s.segments_after, 100 * s.map_use);
    if (s.invalid)
        LOG_WARN("cleaner", "%s: %lld records had no key and are gone", name, (long long)s.invalid);
}

static bool clean_one(struct cleaner *k) {
    struct cleaners *c = k->owner;
    struct clean_pick p;
    double ratio;
    int err = 0, found = cleaner_pick(c->node->logdirs, c->node->logdirs_n, clock_wall_ms(), &p, &ratio);
    pthread_mutex_lock(&c->lock);
    c->last_run_ms = clock_wall_ms();
    c->max_ratio = ratio;
    pthread_mutex_unlock(&c->lock);
    if (found) clean(k, &p, &err);
    return found && !err;
}

/* ---- the threads ---- */

static void *run(void *arg);

static void start_one(struct cleaners *c, int index) {
    struct cleaner *k = xcalloc(1, sizeof *k);
    pthread_attr_t attr;
    char name[32];
    k->owner = c;
    k->index = index;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    if (pthread_create(&k->thread, &attr, run, k)) {
        LOG_WARN("cleaner", "a cleaner thread could not be started");
        free(k);
    } else {
        snprintf(name, sizeof name, "cleaner-%d", index);
        pthread_setname_np(k->thread, name);
        k->next = c->all;
        c->all = k;
    }
    pthread_attr_destroy(&attr);
}

/* With the lock, by the first thread: those that have ended go, those that are missing are started. */
static void adjust(struct cleaners *c) {
    struct cleaner **at = &c->all, *k;
    while ((k = *at)) {
        if (!k->ended) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        pthread_join(k->thread, NULL);
        free(k);
    }
    for (int i = 1; i < c->wanted; i++) {
        for (k = c->all; k && k->index != i;) k = k->next;
        if (!k) start_one(c, i);
    }
}

/* With the lock: how long to sleep when nothing is dirty. */
static int64_t read_settings(struct cleaners *c) {
    struct config *config = node_config(c->node);
    int64_t backoff = config_int(config, CFG_LOG_CLEANER_BACKOFF_MS);
    c->wanted = (int)config_int(config, CFG_LOG_CLEANER_THREADS);
    config_unref(config);
    return backoff < 86400000 ? backoff : 86400000;
}

static void *run(void *arg) {
    struct cleaner *k = arg;
    struct cleaners *c = k->owner;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        int64_t backoff = read_settings(c);
        if (!k->index) adjust(c);
        if (k->index >= c->wanted && k->index) break;
        pthread_mutex_unlock(&c->lock);
        bool cleaned = clean_one(k);
        pthread_mutex_lock(&c->lock);
        if (!cleaned) sleep_until(c, clock_mono_ns() + backoff * 1000000);
    }
    k->ended = true;
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct cleaners *cleaners_start(struct node *n) {
    pthread_condattr_t attr;
    if (!config_bool(n->config, CFG_LOG_CLEANER_ENABLE)) {
        LOG_WARN("cleaner", "log.cleaner.enable=false: compacted topics grow without end");
        return NULL;
    }
    struct cleaners *c = xcalloc(1, sizeof *c);
    c->node = n;
    c->last_run_ms = clock_wall_ms();
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_lock(&c->lock);
    start_one(c, 0);
    pthread_mutex_unlock(&c->lock);
    return c;
}

void cleaners_stop(struct cleaners *c) {
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    for (struct cleaner *k = c->all, *next; k; k = next) { /* nobody starts or joins any now */
        next = k->next;
        pthread_join(k->thread, NULL);
        free(k);
    }
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct cleaners_state cleaners_state(struct cleaners *c) {
    struct cleaners_state s = {.max_dirty_percent = 0};
    int64_t read = 0, written = 0;
    pthread_mutex_lock(&c->lock);
    for (const struct cleaner *k = c->all; k; k = k->next) {
        int use = (int)(100 * k->stats.map_use);
        if (use > s.max_buffer_utilization) s.max_buffer_utilization = use;
        if (k->took_ms / 1000 > s.max_clean_seconds) s.max_clean_seconds = (int)(k->took_ms / 1000);
        if (k->delay_ms / 1000 > s.max_compaction_delay_s)
            s.max_compaction_delay_s = (int)(k->delay_ms / 1000);
        read += k->stats.bytes_read;
        written += k->stats.bytes_written;
    }
    s.max_dirty_percent = (int)(100 * c->max_ratio);
    s.since_last_run_ms = clock_wall_ms() - c->last_run_ms;
    s.recopy_percent = (int)(100 * written / (read ? read : 1));
    s.cleanings = c->cleanings;
    s.failures = c->failures;
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->node->logdirs_n; i++)
        s.uncleanable_partitions += logdir_uncleanable(c->node->logdirs[i]);
    return s;
}
