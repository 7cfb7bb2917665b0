/* A log directory. Locks: a log's lock may be held when the directory's is taken, never the other way; so
 * walks over all logs first pin them (which keeps a deleted one in memory) and then lock each.
 *
 * A run of the server, as the directory sees it:
 *   open    lock, checkpoints, names; was it left clean? has the machine run on (boot.c)? nothing is written
 *   begin   before the first change: .ottla-boot is written, then the marker of the clean stop is removed
 *   run     appends; checkpoints of recovery points, starts, high watermarks
 *   close   all logs closed, everything synced at once, checkpoints, then the marker
 * A crash at any point leaves the marker only if nothing was changed since it was written. The marker is not
 * written while a log is unverified after a power cut: the next start must not believe it. */
#include "storage/logdir.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "storage/boot.h"
#include "storage/checkpoint.h"
#include "storage/log_internal.h"

#define CLEAN_MARKER ".kafka_cleanshutdown"
#define METADATA_LOG "__cluster_metadata-0"

struct doomed {
    char *path; /* of a directory, or the stem of a segment's files */
    int64_t due_ms;
    bool directory;
};

struct logdir {
    pthread_mutex_t lock;
    struct fs *fs;
    char *path;
    struct file *lock_file;
    const struct log_config *config;
    void (*on_offline)(void *owner, struct logdir *d, int err);
    void *owner;
    struct hashmap logs; /* by directory name */
    struct doomed *doomed;
    int doomed_count, doomed_cap;
    struct random random;
    bool was_clean;
    int64_t clean_epoch, broker_epoch; /* of the marker: as found, as it will be written; -1: not known */
    _Atomic bool offline, changing;
    _Atomic bool clean_points_changed; /* since they were written */
    pthread_mutex_t clean_points;      /* one writer of the file at a time */
};

struct fs *logdir_fs(const struct logdir *d) {
    return d->fs;
}
const char *logdir_path(const struct logdir *d) { return d->path; }
bool logdir_is_offline(const struct logdir *d) {
    return atomic_load_explicit(&d->offline, memory_order_acquire);
}
bool logdir_was_clean(const struct logdir *d) { return d->was_clean; }
int64_t logdir_clean_epoch(const struct logdir *d) { return d->clean_epoch; }
void logdir_set_broker_epoch(struct logdir *d, int64_t epoch) { d->broker_epoch = epoch; }

void logdir_fail(struct logdir *d, int err) {
    if (atomic_exchange(&d->offline, true)) return;
    LOG_ERROR("storage", "log directory %s is offline: %s", d->path, oerr_text(err));
    if (d->on_offline) d->on_offline(d->owner, d, err);
}

const struct log_config *logdir_config(const struct logdir *d) { return d->config; }

uint64_t logdir_random(struct logdir *d) {
    pthread_mutex_lock(&d->lock);
    uint64_t x = random_u64(&d->random);
    pthread_mutex_unlock(&d->lock);
    return x;
}

/* ---- the set of logs ---- */

static struct log *find(struct logdir *d, const char *name) {
    return hashmap_get(&d->logs, name, strlen(name));
}

struct log *logdir_find(struct logdir *d, const char *name) {
    pthread_mutex_lock(&d->lock);
    struct log *l = find(d, name);
    pthread_mutex_unlock(&d->lock);
    return l;
}

size_t logdir_count(struct logdir *d) {
    pthread_mutex_lock(&d->lock);
    size_t n = d->logs.count;
    pthread_mutex_unlock(&d->lock);
    return n;
}

struct pinned {
    struct log **logs;
    size_t count;
};

static struct pinned pin_all(struct logdir *d) {
    struct hashmap_entry *e;
    struct pinned p = {0};
    pthread_mutex_lock(&d->lock);
    p.logs = xmalloc((d->logs.count + 1) * sizeof *p.logs);
    for (size_t i = 0; (e = hashmap_next(&d->logs, &i));) {
        p.logs[p.count] = e->value;
        atomic_fetch_add(&p.logs[p.count++]->pins, 1);
    }
    pthread_mutex_unlock(&d->lock);
    return p;
}

void logdir_hold(struct log *l) { atomic_fetch_add(&l->pins, 1); }

void logdir_release(struct log *l) {
    struct logdir *d = l->dir;
    pthread_mutex_lock(&d->lock);
    bool last = atomic_fetch_sub(&l->pins, 1) == 1 && l->deleted;
    pthread_mutex_unlock(&d->lock);
    if (last) log_free(l);
}

static void unpin_all(struct pinned *p) {
    for (size_t i = 0; i < p->count; i++) logdir_release(p->logs[i]);
    free(p->logs);
}

void logdir_each(struct logdir *d, void (*each)(void *to, struct log *l), void *to) {
    struct pinned p = pin_all(d);
    for (size_t i = 0; i < p.count; i++) each(to, p.logs[i]);
    unpin_all(&p);
}

static struct log *add_log(struct logdir *d, const char *name, const struct log_config *config) {
    struct log *l = log_new(d, name, config);
    if (!l) return NULL;
    void *before = hashmap_put(&d->logs, l->name, strlen(l->name), l);
    ASSERT(!before);
    return l;
}

int logdir_create_log(struct logdir *d, const char *topic, int32_t partition, const struct uuid *topic_id,
                      const struct log_config *config, struct log **out) {
    char name[320];
    if (logdir_is_offline(d)) return OE_OFFLINE;
    if (snprintf(name, sizeof name, "%s-%d", topic, partition) >= (int)sizeof name) return OE_INVALID;
    pthread_mutex_lock(&d->lock);
    struct log *l = find(d, name) ? NULL : add_log(d, name, config);
    int err = l ? 0 : find(d, name) ? OE_EXISTS : OE_INVALID;
    pthread_mutex_unlock(&d->lock);
    if (err) return err;
    if (topic_id) l->topic_id = *topic_id;
    l->known = true;
    *out = l;
    return 0;
}

int logdir_create_future(struct logdir *to, const struct log *l, struct log **future) {
    char name[320];
    uint64_t a = logdir_random(to), b = logdir_random(to);
    if (logdir_is_offline(to)) return OE_OFFLINE;
    snprintf(name, sizeof name, "%.*s-%d.%016llx%016llx-future", l->topic_len, l->name, l->partition,
             (unsigned long long)a, (unsigned long long)b);
    pthread_mutex_lock(&to->lock);
    struct log *f = add_log(to, name, l->config);
    pthread_mutex_unlock(&to->lock);
    if (!f) return OE_INVALID;
    f->topic_id = l->topic_id;
    f->known = true;
    *future = f;
    return 0;
}

/* ---- what is deleted later ---- */

static void doom(struct logdir *d, char *path, int64_t due_ms, bool directory) {
    pthread_mutex_lock(&d->lock);
    if (d->doomed_count == d->doomed_cap) {
        d->doomed_cap = d->doomed_cap ? 2 * d->doomed_cap : 8;
        d->doomed = xrealloc(d->doomed, (size_t)d->doomed_cap * sizeof *d->doomed);
    }
    d->doomed[d->doomed_count++] = (struct doomed){path, due_ms, directory};
    pthread_mutex_unlock(&d->lock);
}

void logdir_delete_later(struct logdir *d, const char *stem, int64_t due_ms) {
    doom(d, xstrdup(stem), due_ms, false);
}

static int delete_segment_files(struct logdir *d, const char *stem) {
    static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"};
    char path[LOG_PATH + 32];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(path, sizeof path, "%s%s.deleted", stem, suffixes[i]);
        int err = fs_unlink(d->fs, path);
        if (err && err != OE_NOTFOUND) return err;
    }
    return 0;
}

/* Deletes what is due; returns when the next is. */
static int64_t delete_due(struct logdir *d, int64_t now_ms) {
    for (;;) {
        struct doomed x = {.path = NULL};
        int64_t next = INT64_MAX;
        pthread_mutex_lock(&d->lock);
        for (int i = 0; i < d->doomed_count; i++) {
            if (d->doomed[i].due_ms > now_ms) {
                if (d->doomed[i].due_ms < next) next = d->doomed[i].due_ms;
                continue;
            }
            x = d->doomed[i];
            d->doomed[i] = d->doomed[--d->doomed_count];
            break;
        }
        pthread_mutex_unlock(&d->lock);
        if (!x.path) return next;
        int err = x.directory ? fs_remove_tree(d->fs, x.path) : delete_segment_files(d, x.path);
        free(x.path);
        if (err && err != OE_EXISTS) {
            logdir_fail(d, err);
            return INT64_MAX;
        }
    }
}

static char *unique_name(struct logdir *d, const struct log *l, const char *suffix) {
    char tail[80];
    uint64_t a = logdir_random(d), b = logdir_random(d);
    int n = snprintf(tail, sizeof tail, "-%d.%016llx%016llx%s", l->partition, (unsigned long long)a,
                     (unsigned long long)b, suffix);
    int topic = l->topic_len < 255 - n ? l->topic_len : 255 - n;
    return xasprintf("%s/%.*s%s", d->path, topic, l->name, tail);
}

/* Takes the log out of the set and gives its directory another name. *where: the directory that it was in;
 * from the lock on it is not moved any more (logdir_replace). */
static int rename_away(struct log *l, const char *suffix, struct logdir **where, char **renamed) {
    char from[LOG_PATH];
    *renamed = NULL;
    logdir_hold(l);
    log_lock(l);
    ASSERT(!l->deleted);
    l->deleted = true; /* before the rename: a flush that runs without the lock will not find its files */
    struct logdir *d = *where = l->dir;
    log_path(l, from);
    int err = logdir_begin_changes(d);
    if (!err && l->on_disk) {
        char *to = unique_name(d, l, suffix);
        err = fs_rename(d->fs, from, to);
        if (!err) err = fs_sync_dir(d->fs, d->path);
        *renamed = to;
    }
    l->on_disk = false;
    log_unlock(l);
    pthread_mutex_lock(&d->lock);
    void *was = hashmap_del(&d->logs, l->name, strlen(l->name));
    ASSERT(was == l);
    pthread_mutex_unlock(&d->lock);
    logdir_release(l);
    return err;
}

int logdir_delete_log(struct log *l, int64_t now_ms) {
    char *path;
    int64_t due;
    struct logdir *d;
    log_lock(l);
    if (__builtin_add_overflow(now_ms, l->config->file_delete_delay_ms, &due)) due = INT64_MAX;
    bool has_clean_point = l->clean_point >= 0;
    log_unlock(l);
    int err = rename_away(l, "-delete", &d, &path);
    if (err) {
        free(path);
        logdir_fail(d, err);
        return err;
    }
    if (path) doom(d, path, due, true);
    /* A log that gets the name next is not clean up to where this one was. */
    if (!has_clean_point) return 0;
    atomic_store(&d->clean_points_changed, true);
    return logdir_write_clean_points(d);
}

/* All that l knows of its files is what f knew. */
static void take_over(struct log *l, struct log *f) {
    l->dir = f->dir;
    l->start = f->start;
    l->end = f->end;
    l->high_watermark = f->high_watermark;
    l->recovery_point = f->recovery_point;
    l->size = f->size;
    l->cut_offset = f->cut_offset;
    l->cut_known = f->cut_known;
    l->latest_epoch = f->latest_epoch;
    l->cuts++;
    l->trust = f->trust;
    l->on_disk = f->on_disk;
    l->metadata = f->metadata;
    l->start_inside = f->start_inside;
    l->known = f->known;
    l->uncleanable = false;
    l->unverified = l->must_be_read = false;
    l->clean_point = l->clean_seen_end = -1;
    l->clean_again_ms = 0;
}

/* The names on the disk: the new directory first, so that one of them is always there. */
static int replace_directories(struct log *l, struct log *f, int64_t due) {
    struct logdir *from = l->dir, *to = f->dir;
    char old[LOG_PATH], future[LOG_PATH], new[LOG_PATH];
    log_path(l, old);
    log_path(f, future);
    int err = logdir_begin_changes(to);
    if (!err && f->on_disk) {
        int n = snprintf(new, sizeof new, "%s/%s", to->path, l->name);
        ASSERT(n > 0 && n < LOG_PATH);
        err = fs_rename(to->fs, future, new);
        if (!err) err = fs_sync_dir(to->fs, to->path);
    }
    if (err) {
        logdir_fail(to, err);
        return err;
    }
    if (!l->on_disk) return 0;
    char *away = unique_name(from, l, "-delete");
    err = logdir_begin_changes(from);
    if (!err) err = fs_rename(from->fs, old, away);
    if (!err) err = fs_sync_dir(from->fs, from->path);
    if (!err)
        doom(from, away, due, true);
    else
        free(away);
    if (err) logdir_fail(from, err); /* the log has left it in time */
    return 0;
}

int logdir_replace(struct log *l, struct log *f, int64_t now_ms) {
    struct logdir *from = l->dir, *to = f->dir;
    int64_t due;
    ASSERT(!l->open && !f->open && !l->deleted && !f->deleted && f->future && from != to);
    if (__builtin_add_overflow(now_ms, l->config->file_delete_delay_ms, &due)) due = INT64_MAX;
    int err = replace_directories(l, f, due);
    if (err) return err;
    if (l->clean_point >= 0) atomic_store(&from->clean_points_changed, true);
    pthread_mutex_lock(&from->lock);
    void *was = hashmap_del(&from->logs, l->name, strlen(l->name));
    pthread_mutex_unlock(&from->lock);
    ASSERT(was == l);
    take_over(l, f);
    f->deleted = true;
    f->on_disk = false;
    f->config = to->config;
    pthread_mutex_lock(&to->lock);
    was = hashmap_del(&to->logs, f->name, strlen(f->name));
    ASSERT(was == f);
    was = hashmap_put(&to->logs, l->name, strlen(l->name), l);
    ASSERT(!was);
    pthread_mutex_unlock(&to->lock);
    log_unlock(f);
    logdir_release(f);
    return 0;
}

int logdir_stray_log(struct log *l) {
    char *path;
    struct logdir *d;
    int err = rename_away(l, "-stray", &d, &path);
    free(path);
    if (err) logdir_fail(d, err);
    return err;
}

/* ---- opening ---- */

static bool has_suffix(const char *s, const char *suffix) {
    size_t n = strlen(s), k = strlen(suffix);
    return n > k && !strcmp(s + n - k, suffix);
}

struct opening {
    struct logdir *d;
    int64_t now_ms;
    enum log_trust trust;
};

static void see_directory(void *to, const char *name, bool is_dir) {
    struct opening *o = to;
    if (!is_dir) return;
    if (has_suffix(name, "-delete")) {
        int64_t due = o->now_ms + o->d->config->file_delete_delay_ms;
        doom(o->d, xasprintf("%s/%s", o->d->path, name), due, true);
        return;
    }
    if (has_suffix(name, "-stray") || !strcmp(name, "remote-log-index-cache") || !strcmp(name, "lost+found"))
        return;
    struct log *l = add_log(o->d, name, o->d->config);
    if (!l) {
        LOG_WARN("storage", "%s/%s is no partition's directory and is left alone", o->d->path, name);
        return;
    }
    l->on_disk = true;
    l->trust = (uint8_t)o->trust;
    /* Kafka closes the metadata log after it has written the marker. */
    if (o->trust == TRUST_ALL && !strcmp(name, METADATA_LOG)) l->trust = TRUST_WRITES;
    l->unverified = l->trust != TRUST_ALL;
    l->must_be_read = l->trust == TRUST_FLUSHED;
}

static void see_recovery_point(void *to, const char *name, int64_t offset) {
    struct log *l = find(to, name);
    if (l && offset >= 0) l->recovery_point = l->end = offset;
}
static void see_start(void *to, const char *name, int64_t offset) {
    struct log *l = find(to, name);
    if (!l || offset < 0) return;
    l->start = offset;
    l->start_inside = true;
}
static void see_high_watermark(void *to, const char *name, int64_t offset) {
    struct log *l = find(to, name);
    if (l && offset >= 0) l->high_watermark = offset;
}
static void see_clean_point(void *to, const char *name, int64_t offset) {
    struct log *l = find(to, name);
    if (l && offset >= 0) l->clean_point = offset;
}
static void see_unverified(void *to, const char *name) {
    struct log *l = find(to, name);
    if (!l) return;
    l->trust = TRUST_FLUSHED;
    l->must_be_read = true;
}

/* Without its checkpoint a log is recovered from its beginning, which is right but slow. */
static int read_checkpoint(struct logdir *d, const char *file,
                           void (*each)(void *to, const char *name, int64_t offset)) {
    int err = checkpoint_read(d->fs, d->path, file, each, d);
    if (err != OE_CORRUPT) return err;
    LOG_WARN("storage", "%s/%s is damaged; what it does not say is taken from the logs", d->path, file);
    return 0;
}

static void nothing(void *to, const char *name) {}

/* The epoch in the marker, a line of JSON; one that cannot be read says nothing. */
static int64_t read_clean_epoch(struct logdir *d, const char *marker) {
    static const char key[] = "\"brokerEpoch\":";
    uint8_t *text = NULL;
    size_t n;
    if (fs_read_all(d->fs, marker, 4096, &text, &n)) return -1;
    const char *at = strstr((char *)text, key);
    int64_t epoch = at ? strtoll(at + sizeof key - 1, NULL, 10) : -1;
    free(text);
    return epoch;
}

static int load(struct logdir *d, int64_t now_ms) {
    struct opening o = {d, now_ms, TRUST_FLUSHED};
    struct fs_stat st;
    char marker[LOG_PATH];
    snprintf(marker, sizeof marker, "%s/" CLEAN_MARKER, d->path);
    d->was_clean = !fs_stat(d->fs, marker, &st);
    d->clean_epoch = d->was_clean ? read_clean_epoch(d, marker) : -1;
    d->broker_epoch = d->clean_epoch;
    if (d->was_clean)
        o.trust = TRUST_ALL;
    else if (boot_holds(d->fs, d->path, nothing, d))
        o.trust = TRUST_WRITES;
    int err = fs_list(d->fs, d->path, see_directory, &o);
    if (err) return err;
    if (o.trust == TRUST_WRITES) boot_holds(d->fs, d->path, see_unverified, d);
    if ((err = read_checkpoint(d, RECOVERY_POINTS, see_recovery_point))) return err;
    if ((err = read_checkpoint(d, LOG_STARTS, see_start))) return err;
    if ((err = read_checkpoint(d, HIGH_WATERMARKS, see_high_watermark))) return err;
    if ((err = read_checkpoint(d, CLEAN_POINTS, see_clean_point))) return err;
    bool fresh =
        d->logs.count == 1 && logdir_find(d, "__cluster_metadata-0"); /* formatted, or nothing but that */
    if (d->logs.count && !(fresh && o.trust == TRUST_FLUSHED))
        LOG_INFO("storage", "%s: %zu partitions, %s", d->path, d->logs.count,
                 o.trust == TRUST_ALL      ? "stopped cleanly"
                 : o.trust == TRUST_WRITES ? "the process had ended early"
                                           : "not stopped cleanly");
    return 0;
}

static int make_root(struct logdir *d) {
    int err = fs_mkdir(d->fs, d->path);
    if (err) return err == OE_EXISTS ? 0 : err;
    const char *slash = strrchr(d->path, '/');
    char *parent = slash ? xstrndup(d->path, slash == d->path ? 1 : (size_t)(slash - d->path)) : xstrdup(".");
    err = fs_sync_dir(d->fs, parent);
    free(parent);
    return err;
}

int logdir_open(const struct logdir_options *o, struct logdir **out) {
    if (strlen(o->path) >= LOG_DIR_PATH) return OE_INVALID;
    struct logdir *d = xcalloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->clean_points, NULL);
    d->fs = o->fs;
    d->path = xstrdup(o->path);
    d->config = o->config;
    d->on_offline = o->on_offline;
    d->owner = o->owner;
    hashmap_init(&d->logs, 0x6c6f67646972);
    random_seed(&d->random, (uint64_t)o->now_ms ^ hash_bytes(d->path, strlen(d->path), 1));
    char lock[LOG_PATH];
    snprintf(lock, sizeof lock, "%s/.lock", d->path);
    int err = make_root(d);
    if (!err) err = fs_lock(d->fs, lock, &d->lock_file);
    if (!err) err = load(d, o->now_ms);
    if (err) {
        logdir_abandon(d);
        return err;
    }
    *out = d;
    return 0;
}

/* ---- changes and checkpoints ---- */

/* With the directory's lock. */
static void list_unverified(struct logdir *d, struct strbuf *b) {
    struct hashmap_entry *e;
    strbuf_init(b, SIZE_MAX / 2);
    for (size_t i = 0; (e = hashmap_next(&d->logs, &i));) {
        const struct log *l = e->value;
        if (l->unverified && l->trust == TRUST_FLUSHED) strbuf_addf(b, "unverified %s\n", l->name);
    }
}

static int begin(struct logdir *d) {
    struct boot_checkpoint now;
    struct strbuf unverified;
    char marker[LOG_PATH];
    snprintf(marker, sizeof marker, "%s/" CLEAN_MARKER, d->path);
    list_unverified(d, &unverified);
    int err = boot_identify(d->fs, d->path, false, &now);
    if (!err) err = boot_write(d->fs, d->path, &now, 1, &unverified);
    strbuf_free(&unverified);
    if (err) return err;
    err = fs_unlink(d->fs, marker);
    if (err == OE_NOTFOUND) return 0;
    return err ? err : fs_sync_dir(d->fs, d->path);
}

int logdir_begin_changes(struct logdir *d) {
    if (atomic_load_explicit(&d->changing, memory_order_acquire)) return 0;
    if (logdir_is_offline(d)) return OE_OFFLINE;
    pthread_mutex_lock(&d->lock);
    int err = d->changing ? 0 : begin(d);
    if (!err) atomic_store_explicit(&d->changing, true, memory_order_release);
    pthread_mutex_unlock(&d->lock);
    return err;
}

struct lines {
    struct strbuf points, starts, marks;
    int point_count, start_count, mark_count;
};

static void add_line(struct strbuf *b, int *count, const struct log *l, int64_t offset) {
    strbuf_addf(b, "%.*s %d %lld\n", l->topic_len, l->name, l->partition, (long long)offset);
    ++*count;
}

static void add_lines(struct lines *x, struct log *l) {
    log_lock(l);
    if (l->open) {
        const struct log_open *o = l->open;
        l->start_inside = l->start > (o->count ? o->segments[0].base : 0);
    }
    if (l->on_disk && !l->future && !l->deleted) {
        add_line(&x->points, &x->point_count, l, l->recovery_point);
        l->cut_known = true;
        if (l->start_inside) add_line(&x->starts, &x->start_count, l, l->start);
        add_line(&x->marks, &x->mark_count, l, l->high_watermark);
    }
    log_unlock(l);
}

/* The recovery points, and .ottla-boot that names them before and after. */
static int write_recovery_points(struct logdir *d, const struct lines *x) {
    struct boot_checkpoint c[2];
    struct strbuf unverified;
    int err = boot_identify(d->fs, d->path, false, &c[0]);
    if (!err) err = checkpoint_prepare(d->fs, d->path, RECOVERY_POINTS, x->point_count, &x->points);
    if (!err) err = boot_identify(d->fs, d->path, true, &c[1]);
    if (err) return err;
    pthread_mutex_lock(&d->lock);
    list_unverified(d, &unverified);
    pthread_mutex_unlock(&d->lock);
    err = boot_write(d->fs, d->path, c, 2, &unverified);
    strbuf_free(&unverified);
    return err ? err : checkpoint_commit(d->fs, d->path, RECOVERY_POINTS);
}

/* ---- clean points ---- */

void logdir_set_clean_point(struct log *l, int64_t offset) {
    if (l->clean_point == offset) return;
    l->clean_point = offset;
    l->clean_again_ms = 0;
    atomic_store(&l->dir->clean_points_changed, true);
}

static int write_clean_points(struct logdir *d) {
    struct strbuf lines;
    int count = 0;
    if (!atomic_exchange(&d->clean_points_changed, false)) return 0;
    strbuf_init(&lines, SIZE_MAX / 2);
    struct pinned p = pin_all(d);
    for (size_t i = 0; i < p.count; i++) {
        struct log *l = p.logs[i];
        log_lock(l);
        if (l->clean_point >= 0 && !l->future && !l->deleted) add_line(&lines, &count, l, l->clean_point);
        log_unlock(l);
    }
    unpin_all(&p);
    int err = logdir_begin_changes(d);
    if (!err) err = checkpoint_write(d->fs, d->path, CLEAN_POINTS, count, &lines);
    strbuf_free(&lines);
    return err;
}

int logdir_write_clean_points(struct logdir *d) {
    if (logdir_is_offline(d)) return OE_OFFLINE;
    pthread_mutex_lock(&d->clean_points);
    int err = write_clean_points(d);
    pthread_mutex_unlock(&d->clean_points);
    if (err) logdir_fail(d, err);
    return err;
}

int logdir_checkpoint(struct logdir *d) {
    struct lines x = {.point_count = 0};
    if (logdir_is_offline(d)) return OE_OFFLINE;
    if (!atomic_load(&d->changing)) return 0;
    strbuf_init(&x.points, SIZE_MAX / 2);
    strbuf_init(&x.starts, SIZE_MAX / 2);
    strbuf_init(&x.marks, SIZE_MAX / 2);
    struct pinned p = pin_all(d);
    for (size_t i = 0; i < p.count; i++) add_lines(&x, p.logs[i]);
    /* Starts first: a start that is too low only shows what was deleted, a recovery point above lost data
     * would hide the loss. */
    int err = checkpoint_write(d->fs, d->path, LOG_STARTS, x.start_count, &x.starts);
    if (!err) err = write_recovery_points(d, &x);
    if (!err) err = checkpoint_write(d->fs, d->path, HIGH_WATERMARKS, x.mark_count, &x.marks);
    if (!err) err = logdir_write_clean_points(d); /* before a cut's mark goes */
    strbuf_free(&x.points);
    strbuf_free(&x.starts);
    strbuf_free(&x.marks);
    for (size_t i = 0; i < p.count && !err; i++) {
        log_lock(p.logs[i]);
        log_cut_done(p.logs[i]);
        log_unlock(p.logs[i]);
    }
    unpin_all(&p);
    if (err) logdir_fail(d, err);
    return err;
}

/* ---- work in the background ---- */

static int64_t tick_log(struct log *l, int64_t now_ms, int64_t idle_before) {
    log_lock(l);
    int64_t due = l->deleted ? INT64_MAX : log_flush_due(l);
    if (due > now_ms && !l->deleted && l->open && l->last_used < idle_before) log_close_idle(l, now_ms);
    log_unlock(l);
    if (due > now_ms) return due;
    log_flush(l, now_ms);
    return INT64_MAX;
}

int64_t logdir_tick(struct logdir *d, int64_t now_ms, int64_t idle_before) {
    if (logdir_is_offline(d)) return INT64_MAX;
    int64_t next = delete_due(d, now_ms);
    struct pinned p = pin_all(d);
    for (size_t i = 0; i < p.count; i++) {
        int64_t due = tick_log(p.logs[i], now_ms, idle_before);
        if (due < next) next = due;
    }
    unpin_all(&p);
    return next;
}

bool logdir_recover_one(struct logdir *d, int64_t now_ms) {
    struct pinned p = pin_all(d);
    bool more = false, done = false;
    for (size_t i = 0; i < p.count && !more && !logdir_is_offline(d); i++) {
        struct log *l = p.logs[i];
        if (!l->unverified) continue;
        more = done;
        if (done) break;
        log_lock(l);
        int64_t used = l->last_used;
        if (!l->deleted && l->unverified && !log_open(l, now_ms)) log_close_idle(l, now_ms);
        l->last_used = used;
        done = true;
        log_unlock(l);
    }
    unpin_all(&p);
    return more;
}

/* ---- closing ---- */

static void free_all(struct logdir *d) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&d->logs, &i));) log_free(e->value);
    hashmap_free(&d->logs);
    for (int i = 0; i < d->doomed_count; i++) free(d->doomed[i].path);
    free(d->doomed);
    file_unref(d->lock_file);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->clean_points);
    free(d->path);
    free(d);
}

void logdir_abandon(struct logdir *d) { free_all(d); }

/* Everything of the log is in its files. */
static int close_log(struct log *l, int64_t now_ms) {
    int err = l->unverified ? log_open(l, now_ms) : 0;
    if (!err && l->open) {
        const struct log_open *o = l->open;
        l->start_inside = l->start > (o->count ? o->segments[0].base : 0);
        err = log_close_idle(l, now_ms);
        if (err == OE_AGAIN) err = 0; /* an epoch and no records: nothing to keep */
    }
    return err;
}

static int write_marker(struct logdir *d) {
    char *content = xasprintf("{\"version\":0,\"brokerEpoch\":%lld}", (long long)d->broker_epoch);
    char *path = xasprintf("%s/" CLEAN_MARKER, d->path);
    int err = fs_write_atomic(d->fs, path, content, strlen(content));
    free(path);
    free(content);
    return err;
}

static int stop(struct logdir *d, int64_t now_ms) {
    struct hashmap_entry *e;
    int err = 0;
    for (size_t i = 0; !err && (e = hashmap_next(&d->logs, &i));) err = close_log(e->value, now_ms);
    if (!err && d->was_clean && !atomic_load(&d->changing))
        return d->broker_epoch == d->clean_epoch ? 0 : write_marker(d);
    if (err) return err;
    if ((err = logdir_begin_changes(d))) return err;
    if ((err = fs_sync_all(d->fs, d->path))) return err;
    for (size_t i = 0; (e = hashmap_next(&d->logs, &i));) {
        struct log *l = e->value;
        if (l->known) l->recovery_point = l->end;
    }
    if ((err = logdir_checkpoint(d))) return err;
    return write_marker(d);
}

int logdir_close(struct logdir *d, int64_t now_ms) {
    int err = logdir_is_offline(d) ? OE_OFFLINE : stop(d, now_ms);
    if (err) LOG_ERROR("storage", "%s is not closed cleanly: %s", d->path, oerr_text(err));
    free_all(d);
    return err;
}
