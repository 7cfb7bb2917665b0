/* Snapshots of the running node, and what they make superfluous (SnapshotGenerator, KafkaRaftLog.maybeClean).
 *
 * Order, so that a crash anywhere leaves a log that can be loaded: the new snapshot is whole on disk; then
 * the log start moves up to the end of the snapshot after the one that goes; then files below go; then the
 * snapshot. */
#include "kraft/node_internal.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "metadata/snapshot.h"

#include <stdlib.h>
#include <string.h>

bool kraft_snapshot_due(const struct kraft *k, int64_t now_ms) {
    if (k->failed || k->bytes_since_snapshot == 0) return false;
    if (k->bytes_since_snapshot >= k->o.snapshot_bytes) return true;
    return k->o.snapshot_interval_ms > 0 && now_ms - k->last_snapshot_ms >= k->o.snapshot_interval_ms;
}

static char *snapshot_path(const struct kraft *k, struct snapshot_id id) {
    char name[SNAPSHOT_NAME];
    snapshot_name(id, name);
    return xasprintf("%s/%s", k->dir, name);
}

static int64_t snapshot_size(const struct kraft *k, struct snapshot_id id) {
    struct fs_stat st;
    char *path = snapshot_path(k, id);
    int err = fs_stat(k->o.fs, path, &st);
    free(path);
    return err ? 0 : st.size;
}

static int ignore_record(void *ctx, const uint8_t *value, size_t len) { return 0; }

static bool snapshot_too_old(const struct kraft *k, struct snapshot_id id, int64_t now_ms) {
    struct snapshot_read s;
    char *path = snapshot_path(k, id);
    int err = snapshot_read(k->o.fs, path, k->codec, ignore_record, NULL, &s);
    free(path);
    return !err && now_ms - s.last_timestamp > k->o.retention_ms;
}

/* Deletes the oldest snapshot, and the log up to the end of the next. */
static int drop_oldest(struct kraft *k, int64_t now_ms) {
    ASSERT(k->snapshots_n >= 2);
    log_lock(k->log);
    int64_t start = k->snapshots[1].offset;
    int err = log_open(k->log, now_ms); /* it may have been closed as idle */
    if (!err && start > log_start_offset(k->log)) err = log_delete_records(k->log, start);
    if (!err) err = log_retention(k->log, now_ms);
    log_unlock(k->log);
    if (err < 0) return err;
    char *path = snapshot_path(k, k->snapshots[0]);
    err = fs_unlink(k->o.fs, path);
    free(path);
    if (err && err != OE_NOTFOUND) return err;
    memmove(k->snapshots, k->snapshots + 1, (size_t)(--k->snapshots_n) * sizeof *k->snapshots);
    return 0;
}

static int clean(struct kraft *k, int64_t now_ms) {
    for (int err; k->snapshots_n >= 2;) {
        log_lock(k->log);
        int64_t size = (err = log_open(k->log, now_ms)) ? 0 : log_size(k->log);
        log_unlock(k->log);
        if (err) return err;
        for (int32_t i = 0; i < k->snapshots_n; i++) size += snapshot_size(k, k->snapshots[i]);
        bool large = k->o.retention_bytes >= 0 && size > k->o.retention_bytes;
        bool old = k->o.retention_ms >= 0 && snapshot_too_old(k, k->snapshots[0], now_ms);
        if (!large && !old) break;
        if ((err = drop_oldest(k, now_ms))) return err;
    }
    return 0;
}

static int write_image(struct kraft *k, struct snapshot_id id, int64_t now_ms) {
    char name[SNAPSHOT_NAME];
    struct record_list records;
    record_list_init(&records);
    image_write(k->image, &records);
    struct snapshot_content c = {&records, k->image->timestamp_ms, k->kraft_version,
                                 k->kraft_version >= 1 ? &k->voters : NULL};
    snapshot_name(id, name);
    int err = record_list_ok(&records) ? snapshot_write(k->o.fs, k->dir, name, id.epoch, &c, now_ms, true)
                                       : OE_LIMIT;
    record_list_free(&records);
    return err;
}

int kraft_snapshot(struct kraft *k, int64_t now_ms) {
    struct snapshot_id id = {k->raft.high_watermark, k->raft.election.epoch};
    ASSERT(!k->failed && k->settled && k->image->in_transaction < 0 && k->image->offset + 1 == id.offset);
    k->bytes_since_snapshot = 0; /* after a failure it waits as long again */
    k->last_snapshot_ms = now_ms;
    int err = write_image(k, id, now_ms);
    if (!err) {
        k->snapshots = xrealloc(k->snapshots, (size_t)(k->snapshots_n + 1) * sizeof *k->snapshots);
        k->snapshots[k->snapshots_n++] = id;
        LOG_DEBUG("kraft", "snapshot %lld-%d of the metadata written", (long long)id.offset, id.epoch);
        err = clean(k, now_ms);
    }
    if (err) LOG_ERROR("kraft", "a snapshot of the metadata failed: %s", oerr_text(err));
    return err;
}
