/* From disk to an image: the newest good snapshot, then the log behind it (MetadataLoader, KafkaRaftLog of
 * the reference).
 *
 *   snapshots      | log                  | done
 *   ---------------+----------------------+--------------------------------------------------------------
 *   none           | begins at 0          | all of it is replayed
 *   none           | begins later         | OE_CORRUPT: what came before is gone
 *   newest good    | holds its end offset | snapshot, then the log from there
 *   newest good    | ends before it       | emptied, begins at the snapshot's end: a crash cut it
 *   newest good    | begins behind it     | OE_CORRUPT: there is a gap
 *   newest damaged | any                  | the one before it is tried, if the log reaches back to it
 */
#include "kraft/node_internal.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "metadata/version.h"
#include "record/batch.h"
#include "records/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 1 << 20 };

int kraft_why(char **why, int err, const char *format, ...) {
    if (!why) return err;
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) text = NULL;
    va_end(args);
    free(*why);
    *why = text;
    return err;
}

/* ---- snapshot ---- */

struct snapshot_replay {
    struct image_delta *delta;
    struct snapshot_id id;
};

static int replay_snapshot_record(void *ctx, const uint8_t *value, size_t len) {
    struct snapshot_replay *r = ctx;
    return delta_replay(r->delta, value, len, r->id.offset - 1, r->id.epoch);
}

/* The image of one snapshot in *image. */
static int load_snapshot(struct kraft *k, struct snapshot_id id, struct image **image, char **why) {
    char name[SNAPSHOT_NAME];
    struct snapshot_read s;
    struct image *empty = image_empty();
    struct snapshot_replay r = {delta_begin(empty), id};
    snapshot_name(id, name);
    char *path = xasprintf("%s/%s", k->dir, name);
    int err = snapshot_read(k->o.fs, path, k->codec, replay_snapshot_record, &r, &s);
    if (!err && delta_in_transaction(r.delta)) err = OE_CORRUPT;
    if (err) {
        kraft_why(why, err, "%s: %s", path, oerr_text(err));
    } else {
        delta_finish(r.delta, s.last_timestamp);
        *image = image_ref(r.delta->after);
        (*image)->offset = id.offset - 1;
        (*image)->epoch = id.epoch;
        k->kraft_version = s.kraft_version;
        if (s.has_voters) k->voters = s.voters;
        k->voters_in_log = s.has_voters && id.offset > 0;
        k->last_epoch = id.epoch;
    }
    delta_free(r.delta);
    image_unref(empty);
    free(path);
    return err;
}

/* ---- log ---- */

struct log_replay {
    struct kraft *k;
    struct image_delta *delta;
    int64_t from, next; /* records below `from` are in the snapshot */
    int64_t timestamp, bytes;
    int32_t epoch;
};

static int replay_record(void *ctx, int64_t offset, int32_t epoch, int64_t timestamp, const uint8_t *value,
                         size_t len) {
    struct log_replay *r = ctx;
    return offset < r->from ? 0 : delta_replay(r->delta, value, len, offset, epoch);
}

static int replay_control(void *ctx, int64_t offset, enum control_type type, const uint8_t *value,
                          size_t len) {
    struct log_replay *r = ctx;
    uint8_t memory[64];
    struct arena a;
    struct reader in = reader_of(value, len);
    struct kraft_version_record version;
    int err = 0;
    if (offset < r->from) return 0;
    arena_init_with(&a, memory, sizeof memory, sizeof memory);
    if (type == CONTROL_KRAFT_VERSION) {
        err = kraft_version_record_decode(&version, &in, 0, &a);
        if (!err) r->k->kraft_version = version.kraft_version;
    } else if (type == CONTROL_KRAFT_VOTERS) {
        err = voters_decode(value, len, &r->k->voters);
        r->k->voters_in_log = true;
    }
    arena_free(&a);
    return err;
}

static void replay_end(void *ctx, int64_t next_offset, int32_t epoch, int64_t timestamp) {
    struct log_replay *r = ctx;
    r->next = next_offset;
    r->epoch = epoch;
    r->timestamp = timestamp;
}

/* Reads what lies at r->next, at least one batch, and replays it. */
static int replay_some(struct log_replay *r, int64_t end) {
    struct kraft *k = r->k;
    struct log_slice s = {0};
    struct batch_visitor v = {r, replay_record, replay_control, replay_end};
    size_t used = 0;
    int64_t before = r->next;
    log_lock(k->log);
    int err = log_read(k->log, r->next, READ_BYTES, end, true, NULL, &s);
    log_unlock(k->log);
    if (err) return err;
    if (!s.file) return OE_CORRUPT;
    size_t n = s.len > s.first_batch_len ? s.len : s.first_batch_len;
    uint8_t *bytes = malloc(n);
    int64_t got = bytes ? file_pread(s.file, bytes, n, s.position) : OE_NOMEM;
    err = got < 0 ? (int)got : batches_walk(bytes, (size_t)got, k->codec, &v, &used);
    if (!err && r->next <= before) err = OE_CORRUPT;
    r->bytes += (int64_t)used;
    free(bytes);
    file_unref(s.file);
    return err;
}

static int replay_log(struct kraft *k, struct image *base, int64_t from, char **why) {
    log_lock(k->log);
    int64_t end = log_end_offset(k->log);
    log_unlock(k->log);
    struct log_replay r = {.k = k,
                           .delta = delta_begin(base),
                           .from = from,
                           .next = from,
                           .epoch = k->last_epoch,
                           .timestamp = base->timestamp_ms};
    int err = 0;
    while (r.next < end && !err) err = replay_some(&r, end);
    if (err) {
        kraft_why(why, err, "%s: the log cannot be replayed at offset %lld: %s", k->dir, (long long)r.next,
                  oerr_text(err));
    } else {
        k->in_transaction = delta_in_transaction(r.delta);
        if (!k->in_transaction) delta_finish(r.delta, r.timestamp);
        k->image = image_ref(delta_committed(r.delta));
        if (!k->in_transaction && end > 0) k->image->offset = end - 1; /* control records count */
        k->last_epoch = r.epoch;
        k->bytes_since_snapshot = r.bytes;
    }
    delta_free(r.delta);
    return err;
}

/* ---- both ---- */

static int open_log(struct kraft *k, int64_t snapshot_end, int64_t now_ms, char **why) {
    log_lock(k->log);
    int err = log_open(k->log, now_ms);
    if (!err && log_end_offset(k->log) < snapshot_end) {
        LOG_WARN("kraft", "%s ends at %lld, before the newest snapshot (%lld): it begins anew there", k->dir,
                 (long long)log_end_offset(k->log), (long long)snapshot_end);
        err = log_truncate_fully(k->log, snapshot_end, now_ms);
    }
    int64_t start = err ? 0 : log_start_offset(k->log);
    log_unlock(k->log);
    if (err) return kraft_why(why, err, "%s cannot be opened: %s", k->dir, oerr_text(err));
    if (start > snapshot_end)
        return kraft_why(why, OE_CORRUPT, "%s begins at offset %lld, but no good snapshot reaches so far",
                         k->dir, (long long)start);
    return 0;
}

int kraft_load(struct kraft *k, int64_t now_ms, char **why) {
    int err = snapshot_list(k->o.fs, k->dir, &k->snapshots, &k->snapshots_n);
    k->last_snapshot_ms = now_ms; /* as the reference: the interval begins with the process */
    if (err) return kraft_why(why, err, "%s cannot be read: %s", k->dir, oerr_text(err));
    struct image *base = NULL;
    int32_t at = k->snapshots_n;
    while (at > 0 && !base) {
        err = load_snapshot(k, k->snapshots[--at], &base, why);
        if (err && err != OE_CORRUPT) return err;
        if (err) LOG_ERROR("kraft", "%s", why && *why ? *why : "a snapshot is damaged");
    }
    int64_t from = base ? k->snapshots[at].offset : 0;
    if (!base) base = image_empty();
    err = open_log(k, from, now_ms, why);
    if (!err) err = replay_log(k, base, from, why);
    image_unref(base);
    return err;
}

/* ---- bootstrap.checkpoint ---- */

static int keep_record(void *ctx, const uint8_t *value, size_t len) {
    record_add_raw(ctx, value, len);
    return 0;
}

int kraft_load_bootstrap(struct kraft *k, char **why) {
    struct snapshot_read s;
    char *path = xasprintf("%s/bootstrap.checkpoint", k->o.dir);
    int err = snapshot_read(k->o.fs, path, k->codec, keep_record, &k->bootstrap, &s);
    if (err == OE_NOTFOUND) {
        struct feature_level_record mv = {KSTR(METADATA_VERSION), MV_LATEST};
        record_add_feature_level(&k->bootstrap, 0, &mv);
        err = 0;
    }
    if (err) kraft_why(why, err, "%s: %s", path, oerr_text(err));
    free(path);
    return err;
}
