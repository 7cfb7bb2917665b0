/* See node.h. An append, in order: the records are replayed on a copy of the image (a record that cannot be
 * replayed is never written); batches are built, queued, written and made durable; raft moves the high
 * watermark; the copy becomes the image and is published. When a step fails the copy is dropped, and from the
 * first write on the node is failed: what is on disk is not known.
 *
 * Start: load.c; who the voters are; the epoch's first records; what the owner appends before it settles;
 * then the new epoch in quorum-state and the log become durable, once for all of these. Until then nothing
 * was answered, and a quorum of one has given its vote to nobody else: a power cut may take the file, the
 * log's end or both, and the next start takes the larger epoch of what is left. If both are lost the epoch
 * comes again, but nobody has seen it. */
#include "kraft/node_internal.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/quorum_state.h"
#include "records/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_LIMIT = 64 << 10, CONTROL_MEMORY = 64 << 10, APPEND_LIMIT = 1 << 30 };

static const struct uuid metadata_topic_id = {{[15] = 1}};

void kraft_options_init(struct kraft_options *o) {
    *o = (struct kraft_options){.snapshot_bytes = 20 << 20,
                                .snapshot_interval_ms = 3600000,
                                .segment_bytes = 1 << 30,
                                .segment_ms = 604800000,
                                .retention_bytes = 100 << 20,
                                .retention_ms = 604800000};
}

struct image *kraft_image(const struct kraft *k) {
    return k->image;
}
bool kraft_in_transaction(const struct kraft *k) { return k->in_transaction; }
int32_t kraft_epoch(const struct kraft *k) { return k->raft.election.epoch; }
int64_t kraft_end_offset(const struct kraft *k) { return k->raft.log_end; }
int64_t kraft_high_watermark(const struct kraft *k) { return k->raft.high_watermark; }
int16_t kraft_version(const struct kraft *k) { return k->kraft_version; }
const struct record_list *kraft_bootstrap(const struct kraft *k) { return &k->bootstrap; }

int64_t kraft_log_start_offset(const struct kraft *k) {
    log_lock(k->log);
    int64_t start = log_open(k->log, k->last_snapshot_ms) ? k->image->offset + 1 : log_start_offset(k->log);
    log_unlock(k->log);
    return start;
}

/* ---- writing ---- */

int kraft_write_batches(struct kraft *k, struct strbuf *b, int32_t records, int64_t now_ms) {
    struct arena a;
    struct log_append_result result;
    arena_init(&a, APPEND_LIMIT);
    struct log_append_args args = {.bytes = (uint8_t *)b->s,
                                   .len = b->len,
                                   .leader_epoch = k->raft.election.epoch,
                                   .origin = APPEND_RAFT_LEADER,
                                   .now_ms = now_ms,
                                   .arena = &a,
                                   .codec = k->codec};
    log_lock(k->log);
    int err = log_append_follower(k->log, &args, &result);
    if (!err) err = log_write_queue(k->log, now_ms);
    log_unlock(k->log);
    if (!err) raft_appended(&k->raft, k->raft.log_end + records);
    if (!err && k->settled) err = log_flush(k->log, now_ms);
    arena_free(&a);
    if (err) {
        LOG_ERROR("kraft", "%s: writing failed: %s %s", k->dir, oerr_text(err),
                  result.message ? result.message : "");
        k->failed = err;
        return err == OE_INVALID ? OE_IO : err;
    }
    struct raft_todo todo = raft_flushed(&k->raft, k->raft.log_end);
    ASSERT(todo.commit);
    log_lock(k->log);
    ASSERT(log_end_offset(k->log) == k->raft.log_end);
    log_set_high_watermark(k->log, k->raft.high_watermark);
    log_unlock(k->log);
    k->bytes_since_snapshot += (int64_t)b->len;
    return 0;
}

/* The next image from records that will stand at the log end. first: skipped ones. */
static int replay_list(struct kraft *k, const struct record_list *l, int32_t first, struct image_delta *d) {
    int err = 0;
    for (int32_t i = first; i < l->n && !err; i++)
        err = delta_replay(d, l->v[i].data, l->v[i].len, k->raft.log_end + i, k->raft.election.epoch);
    if (!err && delta_in_transaction(d)) err = OE_INVALID; /* ours end in the append in which they begin */
    return err;
}

/* After a crash within a metadata transaction the first record must abort it. The image is that of before it:
 * nothing to replay. */
static int32_t leading_abort(const struct kraft *k, const struct record_list *l) {
    int32_t type, version;
    if (!k->in_transaction) return 0;
    int head = l->n > 0 ? meta_record_head(l->v[0].data, l->v[0].len, &type, &version) : OE_INVALID;
    return head > 0 && type == METADATA_ABORT_TRANSACTION ? 1 : OE_INVALID;
}

static void publish(struct kraft *k, struct image_delta *d, int64_t now_ms) {
    d->after->offset = k->raft.log_end - 1;
    d->after->epoch = k->raft.election.epoch;
    delta_finish(d, now_ms);
    struct image *old = k->image;
    k->image = image_ref(d->after);
    k->in_transaction = false;
    image_unref(old);
    if (k->o.published) k->o.published(k->o.ctx, d);
}

int kraft_append(struct kraft *k, const struct record_list *records, int64_t now_ms, int64_t *last) {
    if (k->failed) return OE_OFFLINE;
    if (!record_list_ok(records)) return OE_LIMIT;
    if (last) *last = k->raft.log_end - 1;
    if (records->n == 0) return 0;
    int32_t first = leading_abort(k, records);
    if (first < 0) return first;
    struct strbuf b;
    struct image_delta *d = delta_begin(k->image);
    strbuf_init(&b, APPEND_LIMIT);
    int err = replay_list(k, records, first, d);
    if (err) LOG_ERROR("kraft", "records that cannot be replayed were refused: %s", oerr_text(err));
    if (!err) err = batches_build(records, k->raft.log_end, k->raft.election.epoch, now_ms, &b);
    if (!err) err = kraft_write_batches(k, &b, records->n, now_ms);
    if (!err) {
        publish(k, d, now_ms);
        if (last) *last = k->raft.log_end - 1;
    }
    delta_free(d);
    strbuf_free(&b);
    return err;
}

int64_t kraft_due_ms(const struct kraft *k) {
    if (k->failed || k->bytes_since_snapshot == 0) return INT64_MAX;
    if (k->bytes_since_snapshot >= k->o.snapshot_bytes) return 0;
    return k->o.snapshot_interval_ms > 0 ? k->last_snapshot_ms + k->o.snapshot_interval_ms : INT64_MAX;
}

void kraft_tick(struct kraft *k, int64_t now_ms) {
    if (kraft_snapshot_due(k, now_ms) && !k->in_transaction) kraft_snapshot(k, now_ms);
}

/* ---- the quorum ---- */

static char *state_path(const struct kraft *k) { return xasprintf("%s/quorum-state", k->dir); }

static int read_state(struct kraft *k, struct raft_election *e, char **why) {
    uint8_t *text = NULL;
    size_t n;
    char *path = state_path(k);
    *e = (struct raft_election){.leader = RAFT_NO_NODE, .voted = RAFT_NO_NODE};
    int err = fs_read_all(k->o.fs, path, STATE_LIMIT, &text, &n);
    if (err == OE_NOTFOUND)
        err = 0;
    else if (!err)
        err = quorum_state_parse((char *)text, e);
    if (err) kraft_why(why, err, "%s: %s", path, oerr_text(err));
    free(text);
    free(path);
    return err;
}

static int save_state(struct kraft *k, char **why) {
    struct strbuf b;
    int32_t ids[VOTERS_MAX];
    char *path = state_path(k);
    strbuf_init(&b, STATE_LIMIT);
    for (int32_t i = 0; i < k->voters.n; i++) ids[i] = k->voters.v[i].id;
    quorum_state_format(&k->raft.election, k->kraft_version >= 1 ? 1 : 0, ids, k->voters.n, &b);
    int err = strbuf_ok(&b) ? fs_write_atomic(k->o.fs, path, b.s, b.len) : OE_LIMIT;
    if (err) kraft_why(why, err, "%s cannot be written: %s", path, oerr_text(err));
    strbuf_free(&b);
    free(path);
    return err;
}

/* Who votes, from the log or the configuration; this node must be the only one. */
static int check_voters(struct kraft *k, char **why) {
    bool dynamic = k->kraft_version >= 1;
    if (k->kraft_version > 1)
        return kraft_why(why, OE_UNSUPPORTED, "kraft.version %d of %s is not supported", k->kraft_version,
                         k->dir);
    if (!dynamic && (!k->o.voters || !*k->o.voters))
        return kraft_why(why, OE_INVALID,
                         "there are no voters: set controller.quorum.voters, or format with --standalone");
    if (!dynamic && voters_parse(k->o.voters, &k->voters))
        return kraft_why(why, OE_INVALID, "controller.quorum.voters=%s is not a list of id@host:port",
                         k->o.voters);
    const struct voter *self = voters_find(&k->voters, k->o.node_id);
    if (!self)
        return kraft_why(why, OE_UNSUPPORTED, "node %d is not one of the quorum's voters", k->o.node_id);
    if (k->voters.n > 1)
        return kraft_why(why, OE_UNSUPPORTED, "the quorum has %d voters; this release runs a quorum of one",
                         k->voters.n);
    if (dynamic && !uuid_equal(&self->directory, &k->o.directory_id))
        return kraft_why(why, OE_UNSUPPORTED, "the voter %d is in another directory than %s", self->id,
                         k->o.dir);
    return 0;
}

/* With dynamic voters: this node as it is reachable now. True when the log must be told. */
static bool update_voters(struct kraft *k) {
    struct voter *v = &k->voters.v[0];
    if (k->kraft_version < 1) return false;
    bool same = strcmp(v->listener, k->o.listener ? k->o.listener : v->listener) == 0 &&
                strcmp(v->host, k->o.host ? k->o.host : v->host) == 0 &&
                v->port == (k->o.port ? k->o.port : v->port);
    if (!same) {
        if (k->o.listener) snprintf(v->listener, sizeof v->listener, "%s", k->o.listener);
        if (k->o.host) snprintf(v->host, sizeof v->host, "%s", k->o.host);
        if (k->o.port) v->port = k->o.port;
    }
    return !same || !k->voters_in_log;
}

/* The first batch of an epoch: who leads; and with dynamic voters, if the log does not say so yet, who votes.
 */
static int begin_epoch(struct kraft *k, int64_t now_ms) {
    struct writer w;
    struct strbuf b;
    struct leader_change_message_voter self = {.voter_id = k->o.node_id};
    struct leader_change_message change = {.leader_id = k->o.node_id,
                                           .voters = &self,
                                           .voters_n = 1,
                                           .granting_voters = &self,
                                           .granting_voters_n = 1};
    size_t at[4] = {0};
    int32_t n = 1;
    writer_init(&w, CONTROL_MEMORY);
    strbuf_init(&b, CONTROL_MEMORY);
    int err = leader_change_message_encode(&change, &w, 0);
    at[1] = writer_len(&w);
    if (!err && update_voters(k)) {
        struct kraft_version_record version = {.kraft_version = k->kraft_version};
        err = kraft_version_record_encode(&version, &w, 0);
        at[2] = writer_len(&w);
        if (!err) err = voters_encode(&k->voters, &w);
        at[3] = writer_len(&w);
        n = 3;
    }
    static const enum control_type types[] = {CONTROL_LEADER_CHANGE, CONTROL_KRAFT_VERSION,
                                              CONTROL_KRAFT_VOTERS};
    struct control_value v[3];
    for (int32_t i = 0; i < n; i++) v[i] = (struct control_value){types[i], w.buf + at[i], at[i + 1] - at[i]};
    if (!err) err = batches_control(v, n, k->raft.log_end, k->raft.election.epoch, now_ms, &b);
    if (!err) err = kraft_write_batches(k, &b, n, now_ms);
    if (!err) k->voters_in_log = true;
    writer_free(&w);
    strbuf_free(&b);
    return err;
}

void kraft_image_reaches(struct kraft *k, int64_t now_ms) {
    struct image_delta *d = delta_begin(k->image);
    bool in_transaction = k->in_transaction;
    void (*published)(void *, const struct image_delta *) = k->o.published;
    k->o.published = NULL;
    publish(k, d, now_ms);
    k->o.published = published;
    k->in_transaction = in_transaction;
    delta_free(d);
}

static int become_leader(struct kraft *k, int64_t now_ms, char **why) {
    struct raft_election saved;
    int err = read_state(k, &saved, why);
    if (err) return err;
    log_lock(k->log);
    int64_t end = log_end_offset(k->log);
    log_unlock(k->log);
    struct raft_todo todo = raft_start(&k->raft, k->o.node_id, &saved, k->last_epoch, end);
    ASSERT(todo.save); /* with what the epoch's first batch is flushed: kraft_settle */
    todo = raft_saved(&k->raft);
    ASSERT(todo.begin_epoch);
    if ((err = begin_epoch(k, now_ms)))
        return kraft_why(why, err, "%s cannot be written: %s", k->dir, oerr_text(err));
    kraft_image_reaches(k, now_ms);
    return 0;
}

int kraft_settle(struct kraft *k, int64_t now_ms, char **why) {
    ASSERT(!k->settled && !k->failed);
    int err = save_state(k, why);
    if (!err && (err = log_flush(k->log, now_ms)))
        kraft_why(why, err, "%s cannot be written: %s", k->dir, oerr_text(err));
    k->settled = !err;
    k->failed = err;
    return err;
}

/* ---- life ---- */

/* Is the file this text? Its size decides how much is read, so damage is seen. */
static bool file_is(struct fs *fs, const char *path, const char *text) {
    uint8_t *bytes = NULL;
    size_t n;
    bool same =
        !fs_read_all(fs, path, STATE_LIMIT, &bytes, &n) && n == strlen(text) && !memcmp(bytes, text, n);
    free(bytes);
    return same;
}

/* The log's directory with its partition.metadata; both are there before the log is first opened. They become
 * durable with the log's first flush; what a power cut tears before is written anew. */
static int make_directory(struct kraft *k, char **why) {
    char id[UUID_TEXT], *path = xasprintf("%s/partition.metadata", k->dir);
    char *text = xasprintf("version: 0\ntopic_id: %s", uuid_format(&metadata_topic_id, id));
    int err = fs_mkdir(k->o.fs, k->dir);
    if (err == OE_EXISTS) err = 0;
    if (!err && !file_is(k->o.fs, path, text)) err = fs_replace(k->o.fs, path, text, strlen(text));
    if (err) kraft_why(why, err, "%s cannot be made: %s", k->dir, oerr_text(err));
    free(text);
    free(path);
    return err;
}

static int find_log(struct kraft *k, int64_t now_ms, char **why) {
    int err = make_directory(k, why);
    if (err) return err;
    k->config = LOG_CONFIG_DEFAULT;
    k->config.segment_bytes = k->o.segment_bytes > INT32_MAX ? INT32_MAX : (int32_t)k->o.segment_bytes;
    k->config.segment_ms = k->o.segment_ms;
    k->config.retention_ms = k->config.retention_bytes = -1;
    k->config.max_message_bytes = KRAFT_BATCH_MAX;
    k->logdir = k->o.logdir;
    if (!k->logdir) {
        struct logdir_options o = {.fs = k->o.fs, .path = k->o.dir, .config = &k->config, .now_ms = now_ms};
        err = logdir_open(&o, &k->logdir);
        if (err == OE_AGAIN) return kraft_why(why, err, "%s is in use by another process", k->o.dir);
        if (err) return kraft_why(why, err, "%s cannot be opened: %s", k->o.dir, oerr_text(err));
        k->own_logdir = true;
    }
    k->log = logdir_find(k->logdir, METADATA_TOPIC "-0");
    if (!k->log)
        err = logdir_create_log(k->logdir, METADATA_TOPIC, 0, &metadata_topic_id, &k->config, &k->log);
    if (err) return kraft_why(why, err, "%s cannot be made: %s", k->dir, oerr_text(err));
    log_set_config(k->log, &k->config);
    return 0;
}

static void free_node(struct kraft *k) {
    if (k->log) {
        static const struct log_config standard =
            LOG_CONFIG_DEFAULT; /* the log may outlive us in its directory */
        log_set_config(k->log, &standard);
    }
    if (k->own_logdir) logdir_abandon(k->logdir);
    image_unref(k->image);
    record_list_free(&k->bootstrap);
    if (k->codec) codec_destroy(k->codec);
    free(k->snapshots);
    free((char *)k->o.dir);
    free((char *)k->o.cluster_id);
    free((char *)k->o.voters);
    free((char *)k->o.listener);
    free((char *)k->o.host);
    free(k->dir);
    free(k);
}

int kraft_open(const struct kraft_options *o, int64_t now_ms, struct kraft **out, char **why) {
    struct kraft *k = xcalloc(1, sizeof *k);
    k->o = *o;
    k->o.dir = xstrdup(o->dir);
    k->o.voters = o->voters ? xstrdup(o->voters) : NULL;
    k->o.listener = o->listener ? xstrdup(o->listener) : NULL;
    k->o.host = o->host ? xstrdup(o->host) : NULL;
    k->o.cluster_id = o->cluster_id ? xstrdup(o->cluster_id) : NULL;
    k->dir = xasprintf("%s/" METADATA_TOPIC "-0", o->dir);
    k->codec = codec_create();
    record_list_init(&k->bootstrap);
    int err = find_log(k, now_ms, why);
    if (!err) err = kraft_load(k, now_ms, why);
    if (!err && k->image->metadata_version == 0) err = kraft_load_bootstrap(k, why);
    if (!err) err = check_voters(k, why);
    if (!err) err = become_leader(k, now_ms, why);
    if (!err && !o->settle_later) err = kraft_settle(k, now_ms, why);
    if (err) {
        free_node(k);
        return err;
    }
    *out = k;
    return 0;
}

void kraft_close(struct kraft *k, int64_t now_ms) {
    if (!k) return;
    if (k->settled && kraft_snapshot_due(k, now_ms) && !k->in_transaction) kraft_snapshot(k, now_ms);
    if (k->own_logdir && k->settled && !k->failed) {
        logdir_close(k->logdir, now_ms);
        k->own_logdir = false;
        k->log = NULL;
    }
    free_node(k);
}
