/* Before: server/coord_call (handlers), node_publish. After: coord (pure state behind it), replica,
 * storage/log.
 *
 * The thread's loop is the only one that touches the coordinators. Appends are written by that thread under
 * the log's lock, like a producer's. */
#include "server/coordinators.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "coord/coord.h"
#include "group/shard.h"
#include "io/clock.h"
#include "metadata/delta.h"
#include "record/batch.h"
#include "record/compress.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/housekeeping.h"
#include "server/markers.h"
#include "server/node.h"
#include "server/share_init.h"
#include "server/own_append.h"
#include "server/producer_ids.h"
#include "server/verification.h"
#include "share/state.h"
#include "storage/log.h"
#include "txn/shard.h"

enum { COORDINATOR_STACK = 2 << 20, STOP_RETRY_MS = 5 };

/* The coordinator of one kind. */
struct coordinator {
    struct coordinators *all;
    struct coord *coord;
    struct coord_config config;
    struct kstr topic;
    uint32_t load_buffer; /* bytes of one read at load */
    int32_t partitions;   /* of the topic, before it is there */
};

struct coordinators {
    struct node *node;
    struct loop *loop;
    pthread_t thread;
    struct coordinator kinds[COORDINATORS];
    struct group_config group;
    struct txn_config txn;
    struct txn_env txn_env;
    struct markers *markers;
    struct share_state_config share;
    struct share_state_env share_env;
    struct share_inits *share_inits;
    struct codec *codec; /* of appends that recompress */
    struct mail tune;
    atomic_bool tuning;
    struct mail stop_mail;
    struct timer stop_timer;
    pthread_mutex_t lock; /* of quiet */
    pthread_cond_t now_quiet;
    bool quiet;
};

/* ---- the log ------------------------------------------------------------------------------------------ */

static struct replica *replica_of(struct coordinator *k, int32_t partition) {
    return replicas_get(k->all->node->replicas, k->topic.s, (size_t)k->topic.len, partition);
}

/* A batch that has to reach the disk before it is acknowledged (flush.messages). */
struct flush_note {
    struct coordinator *owner;
    int32_t partition;
};

static void on_flushed(void *arg, int64_t next, int err) { /* worker */
    struct flush_note *f = arg;
    if (!err) coord_committed(f->owner->coord, f->partition, next);
    free(f); /* after an error the answers time out: what is written may be lost, or not */
}

static int16_t append(void *arg, int32_t partition, const struct coord_batch *batch, int64_t *next,
                      bool *committed) {
    struct coordinator *k = arg;
    struct replica *p = replica_of(k, partition);
    if (!p) return KERR_NOT_LEADER_OR_FOLLOWER;
    struct flush_note *f = xcalloc(1, sizeof *f);
    bool waits = false;
    *f = (struct flush_note){k, partition};
    struct own_append a = {
        .batch = batch->bytes,
        .n = batch->n,
        .transaction_version = batch->transaction_version,
        .verify = batch->transactional && verification_enabled(k->all->node),
        .guard = batch->guard,
        .now_ms = loop_wall(k->all->loop),
        .codec = k->all->codec,
        .flushed = on_flushed,
        .arg = f,
    };
    int16_t code = own_append(k->all->node, p, &a, next, &waits);
    replica_unref(p);
    if (code || !waits) free(f);
    *committed = !waits;
    return code;
}

static size_t max_batch(void *arg, int32_t partition) {
    struct replica *p = replica_of(arg, partition);
    if (!p) return 1 << 20;
    log_lock(p->log);
    size_t max = (size_t)log_config(p->log)->max_message_bytes;
    log_unlock(p->log);
    replica_unref(p);
    return max;
}

/* With the log's lock held: where the next bytes are; slice->file NULL at the end. */
static int find_slice(const struct coordinator *k, struct replica *p, int64_t offset,
                      struct log_slice *slice) {
    *slice = (struct log_slice){0};
    if (p->deleted) return OE_CLOSED;
    int err = log_open(p->log, clock_wall_ms());
    if (err) return err;
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    if (offset < start) offset = start;
    if (offset >= end) return 0;
    return log_read(p->log, offset, k->load_buffer, end, true, NULL, slice);
}

/* Whole batches only: the slice may end within one. */
static void cut_to_batches(struct strbuf *b) {
    size_t at = 0;
    for (int64_t size;
         (size = batch_peek((const uint8_t *)b->s + at, b->len - at)) > 0 && (size_t)size <= b->len - at;)
        at += (size_t)size;
    if (at) b->len = at; /* none: let the caller see what cannot be a batch */
}

static int read_slice(const struct log_slice *slice, struct strbuf *to) {
    uint8_t *room = strbuf_reserve(to, slice->len);
    if (!room) return OE_LIMIT;
    int64_t n = file_pread(slice->file, room, slice->len, slice->position);
    if (n < 0) return (int)n;
    to->len += (size_t)n;
    cut_to_batches(to);
    return 0;
}

static int read_log(void *arg, int32_t partition, int64_t offset, struct strbuf *to) { /* worker */
    struct coordinator *k = arg;
    struct log_slice slice;
    struct replica *p = replica_of(k, partition);
    if (!p) return OE_NOTFOUND;
    log_lock(p->log);
    int err = find_slice(k, p, offset, &slice);
    log_unlock(p->log);
    if (!err && slice.file) err = read_slice(&slice, to);
    file_unref(slice.file);
    replica_unref(p);
    return err;
}

/* ---- what share state asks ---------------------------------------------------------------------------- */

static bool partition_exists(void *arg, const struct uuid *topic, int32_t partition) {
    struct coordinators *c = arg;
    struct image *image = node_image(c->node);
    const struct topic *t = image_topic_by_id(image, topic);
    bool exists = t && partition < t->partitions_n && t->partitions[partition];
    image_unref(image);
    return exists;
}

/* As DeleteRecords does: segments that are wholly below go with the next retention round. */
static void prune(void *arg, int32_t partition, int64_t offset) {
    struct coordinators *c = arg;
    struct replica *p = replica_of(&c->kinds[COORDINATOR_SHARE], partition);
    if (!p) return;
    log_lock(p->log);
    bool ours = !p->deleted && log_is_open(p->log) && offset <= log_high_watermark(p->log);
    if (ours && offset > log_start_offset(p->log)) {
        int err = log_delete_records(p->log, offset);
        if (err)
            LOG_WARN("coord", "%s-%d: records before %lld cannot be cut off: %s", coord_share_kind.topic,
                     partition, (long long)offset, oerr_text(err));
        else
            replica_wake(p);
    }
    log_unlock(p->log);
    replica_unref(p);
    if (c->node->housekeeping) housekeeping_wake(c->node->housekeeping);
}

/* ---- which partitions are ours ------------------------------------------------------------------------ */

static bool leads(const struct coordinators *c, const struct topic *t, int32_t i) {
    return t && i < t->partitions_n && t->partitions[i] && t->partitions[i]->leader == c->node->id;
}

static void compare(struct coordinator *k, const struct topic *before, const struct topic *after) {
    int32_t n = after ? after->partitions_n : 0;
    /* The number of partitions counts from when the topic is first seen: later ones would move keys to other
     * partitions. */
    if (!before && after) coord_set_partitions(k->coord, after->partitions_n);
    if (before && before->partitions_n > n) n = before->partitions_n;
    for (int32_t i = 0; i < n; i++) {
        bool was = leads(k->all, before, i), is = leads(k->all, after, i);
        if (was && (!is || !uuid_equal(&before->id, &after->id))) {
            coord_resigned(k->coord, i);
            was = false;
        }
        if (is && (!was || before->partitions[i]->leader_epoch != after->partitions[i]->leader_epoch))
            coord_elected(k->coord, i, after->partitions[i]->leader_epoch);
    }
}

static struct kstr name_of(const struct topic *t) { return (struct kstr){t->name, t->name_len}; }

static struct coordinator *of_topic(struct coordinators *c, const struct topic *t) {
    for (int i = 0; t && i < COORDINATORS; i++)
        if (kstr_equal(name_of(t), c->kinds[i].topic)) return &c->kinds[i];
    return NULL;
}

static void tell_deleted(struct coordinators *c, const struct image_delta *delta) {
    struct kstr *names = xcalloc((size_t)delta->topics_n + 1, sizeof *names);
    struct uuid *ids = xcalloc((size_t)delta->topics_n + 1, sizeof *ids);
    int32_t n = 0;
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic_change *t = &delta->topics[i];
        if (!t->before || t->after || of_topic(c, t->before)) continue;
        names[n] = name_of(t->before);
        ids[n++] = t->id;
    }
    for (int i = 0; n && i < COORDINATORS; i++) coord_topics_deleted(c->kinds[i].coord, names, ids, n);
    free(names);
    free(ids);
}

/* Those who want it get the image with what changed in it. */
static void tell_metadata(struct coordinators *c, const struct image_delta *delta) {
    struct kstr *changed = xcalloc((size_t)delta->topics_n + 1, sizeof *changed);
    bool added = false;
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic_change *t = &delta->topics[i];
        changed[i] = name_of(t->after ? t->after : t->before);
        added |= !t->before;
    }
    for (int i = 0; i < COORDINATORS; i++)
        if (c->kinds[i].config.kind->metadata)
            coord_metadata(c->kinds[i].coord, delta->after, changed, delta->topics_n, added);
    free(changed);
}

void coordinators_apply(struct coordinators *c, const struct image_delta *delta) {
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic_change *t = &delta->topics[i];
        struct coordinator *k = of_topic(c, t->after ? t->after : t->before);
        if (k) compare(k, t->before, t->after);
    }
    tell_metadata(c, delta);
    tell_deleted(c, delta);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static struct group_setting setting(const struct config *k, int value, int min, int max) {
    return (struct group_setting){(int32_t)config_int(k, value), (int32_t)config_int(k, min),
                                  (int32_t)config_int(k, max)};
}

static enum group_migration migration_policy(const struct config *k) {
    static const char *const names[] = {[MIGRATION_DISABLED] = "disabled",
                                        [MIGRATION_UPGRADE] = "upgrade",
                                        [MIGRATION_DOWNGRADE] = "downgrade",
                                        [MIGRATION_BIDIRECTIONAL] = "bidirectional"};
    for (int i = MIGRATION_DISABLED; i < MIGRATION_BIDIRECTIONAL; i++)
        if (!strcasecmp(config_string(k, CFG_GROUP_CONSUMER_MIGRATION_POLICY), names[i]))
            return (enum group_migration)i;
    return MIGRATION_BIDIRECTIONAL;
}

static struct group_consumer_config consumer_settings(const struct config *k) {
    struct group_consumer_config g = {
        .session_timeout =
            setting(k, CFG_GROUP_CONSUMER_SESSION_TIMEOUT_MS, CFG_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS,
                    CFG_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS),
        .heartbeat_interval =
            setting(k, CFG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS, CFG_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS,
                    CFG_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS),
        .assignment_interval = setting(k, CFG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS,
                                       CFG_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
                                       CFG_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS),
        .max_size = (int32_t)config_int(k, CFG_GROUP_CONSUMER_MAX_SIZE),
        .regex_refresh_interval_ms = (int32_t)config_int(k, CFG_GROUP_CONSUMER_REGEX_REFRESH_INTERVAL_MS),
        .migration = migration_policy(k),
    };
    static const char *const names[ASSIGNORS_MAX] = {
        [ASSIGNOR_UNIFORM] = "uniform", [ASSIGNOR_RANGE] = "range"};
    struct config_list list = config_list(k, CFG_GROUP_CONSUMER_ASSIGNORS);
    for (int32_t i = 0; i < (int32_t)list.n && g.assignors_n < ASSIGNORS_MAX; i++)
        for (int a = 0; a < ASSIGNORS_MAX; a++)
            if (!strcmp(list.items[i], names[a])) g.assignors[g.assignors_n++] = (enum group_assignor)a;
    if (!g.assignors_n) g.assignors[g.assignors_n++] = ASSIGNOR_UNIFORM;
    return g;
}

static struct group_share_config share_group_settings(const struct config *k) {
    return (struct group_share_config){
        .session_timeout =
            setting(k, CFG_GROUP_SHARE_SESSION_TIMEOUT_MS, CFG_GROUP_SHARE_MIN_SESSION_TIMEOUT_MS,
                    CFG_GROUP_SHARE_MAX_SESSION_TIMEOUT_MS),
        .heartbeat_interval =
            setting(k, CFG_GROUP_SHARE_HEARTBEAT_INTERVAL_MS, CFG_GROUP_SHARE_MIN_HEARTBEAT_INTERVAL_MS,
                    CFG_GROUP_SHARE_MAX_HEARTBEAT_INTERVAL_MS),
        .assignment_interval =
            setting(k, CFG_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
                    CFG_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS),
        .max_size = (int32_t)config_int(k, CFG_GROUP_SHARE_MAX_SIZE),
        .initialize_retry_interval_ms = (int32_t)config_int(k, CFG_GROUP_SHARE_INITIALIZE_RETRY_INTERVAL_MS),
    };
}

static struct group_streams_config streams_settings(const struct config *k) {
    const int32_t delay = (int32_t)config_int(k, CFG_GROUP_STREAMS_INITIAL_REBALANCE_DELAY_MS);
    const int32_t standbys = (int32_t)config_int(k, CFG_GROUP_STREAMS_NUM_STANDBY_REPLICAS);
    const int32_t most = (int32_t)config_int(k, CFG_GROUP_STREAMS_MAX_STANDBY_REPLICAS);
    return (struct group_streams_config){
        .session_timeout =
            setting(k, CFG_GROUP_STREAMS_SESSION_TIMEOUT_MS, CFG_GROUP_STREAMS_MIN_SESSION_TIMEOUT_MS,
                    CFG_GROUP_STREAMS_MAX_SESSION_TIMEOUT_MS),
        .heartbeat_interval =
            setting(k, CFG_GROUP_STREAMS_HEARTBEAT_INTERVAL_MS, CFG_GROUP_STREAMS_MIN_HEARTBEAT_INTERVAL_MS,
                    CFG_GROUP_STREAMS_MAX_HEARTBEAT_INTERVAL_MS),
        .assignment_interval =
            setting(k, CFG_GROUP_STREAMS_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
                    CFG_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS),
        .initial_delay = {delay, 0, INT32_MAX},
        .standbys = {standbys, 0, most},
        .max_size = (int32_t)config_int(k, CFG_GROUP_STREAMS_MAX_SIZE),
    };
}

static struct group_config group_settings(const struct config *k) {
    return (struct group_config){
        .consumer = consumer_settings(k),
        .streams = streams_settings(k),
        .share = share_group_settings(k),
        .group_initial_rebalance_delay_ms = (int32_t)config_int(k, CFG_GROUP_INITIAL_REBALANCE_DELAY_MS),
        .group_min_session_timeout_ms = (int32_t)config_int(k, CFG_GROUP_MIN_SESSION_TIMEOUT_MS),
        .group_max_session_timeout_ms = (int32_t)config_int(k, CFG_GROUP_MAX_SESSION_TIMEOUT_MS),
        .group_max_size = (int32_t)config_int(k, CFG_GROUP_MAX_SIZE),
        .offset_metadata_max_bytes = (int32_t)config_int(k, CFG_OFFSET_METADATA_MAX_BYTES),
        .offsets_retention_ms = config_int(k, CFG_OFFSETS_RETENTION_MINUTES) * 60000,
        .offsets_retention_check_interval_ms = config_int(k, CFG_OFFSETS_RETENTION_CHECK_INTERVAL_MS),
    };
}

static struct txn_config txn_settings(const struct config *k) {
    return (struct txn_config){
        .transaction_max_timeout_ms = (int32_t)config_int(k, CFG_TRANSACTION_MAX_TIMEOUT_MS),
        .transaction_abort_timed_out_transaction_cleanup_interval_ms =
            (int32_t)config_int(k, CFG_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS),
        .transactional_id_expiration_ms = (int32_t)config_int(k, CFG_TRANSACTIONAL_ID_EXPIRATION_MS),
        .transaction_remove_expired_transaction_cleanup_interval_ms =
            (int32_t)config_int(k, CFG_TRANSACTION_REMOVE_EXPIRED_TRANSACTION_CLEANUP_INTERVAL_MS),
        .transaction_two_phase_commit_enable = config_bool(k, CFG_TRANSACTION_TWO_PHASE_COMMIT_ENABLE),
    };
}

static int64_t take_producer_id(void *arg) { return producer_ids_take(((struct coordinators *)arg)->node); }

static int16_t transaction_version(void *arg) {
    struct image *image = node_image(((struct coordinators *)arg)->node);
    int16_t level = image_feature(image, "transaction.version");
    image_unref(image);
    return level;
}

static void send_markers(void *arg, const struct txn_markers *m) {
    markers_send(((struct coordinators *)arg)->markers, m);
}

static struct share_state_config share_settings(const struct config *k) {
    return (struct share_state_config){
        .snapshot_updates =
            (int32_t)config_int(k, CFG_SHARE_COORDINATOR_SNAPSHOT_UPDATE_RECORDS_PER_SNAPSHOT),
        .prune_interval_ms = config_int(k, CFG_SHARE_COORDINATOR_STATE_TOPIC_PRUNE_INTERVAL_MS),
        .cold_interval_ms = config_int(k, CFG_SHARE_COORDINATOR_COLD_PARTITION_SNAPSHOT_INTERVAL_MS),
    };
}

static void set_up(struct coordinators *c, const struct config *k) {
    c->group = group_settings(k);
    c->txn = txn_settings(k);
    c->txn_env = (struct txn_env){c, take_producer_id, transaction_version, send_markers};
    c->share = share_settings(k);
    c->share_env = (struct share_state_env){.arg = c, .exists = partition_exists, .prune = prune};
    c->kinds[COORDINATOR_GROUP] = (struct coordinator){
        .config = {.kind = &coord_group_kind,
                   .shard = &c->group,
                   .write_timeout_ms = (int32_t)config_int(k, CFG_OFFSETS_COMMIT_TIMEOUT_MS),
                   .compression = (int32_t)config_int(k, CFG_OFFSETS_TOPIC_COMPRESSION_CODEC)},
        .load_buffer = (uint32_t)config_int(k, CFG_OFFSETS_LOAD_BUFFER_SIZE),
        .partitions = (int32_t)config_int(k, CFG_OFFSETS_TOPIC_NUM_PARTITIONS),
    };
    c->kinds[COORDINATOR_TXN] = (struct coordinator){
        .config = {.kind = &coord_txn_kind,
                   .shard = &c->txn,
                   .env = &c->txn_env,
                   .write_timeout_ms = (int32_t)config_int(k, CFG_REQUEST_TIMEOUT_MS),
                   .compression = COMPRESSION_NONE},
        .load_buffer = (uint32_t)config_int(k, CFG_TRANSACTION_STATE_LOG_LOAD_BUFFER_SIZE),
        .partitions = (int32_t)config_int(k, CFG_TRANSACTION_STATE_LOG_NUM_PARTITIONS),
    };
    c->kinds[COORDINATOR_SHARE] = (struct coordinator){
        .config = {.kind = &coord_share_kind,
                   .shard = &c->share,
                   .env = &c->share_env,
                   .write_timeout_ms = (int32_t)config_int(k, CFG_SHARE_COORDINATOR_WRITE_TIMEOUT_MS),
                   .compression =
                       (int32_t)config_int(k, CFG_SHARE_COORDINATOR_STATE_TOPIC_COMPRESSION_CODEC)},
        .load_buffer = (uint32_t)config_int(k, CFG_SHARE_COORDINATOR_LOAD_BUFFER_SIZE),
        .partitions = (int32_t)config_int(k, CFG_SHARE_COORDINATOR_STATE_TOPIC_NUM_PARTITIONS),
    };
}

static void on_tune(struct mail *m) {
    struct coordinators *c = (struct coordinators *)((char *)m - offsetof(struct coordinators, tune));
    atomic_store(&c->tuning, false);
    struct config *config = node_config(c->node);
    struct group_config now = group_settings(config);
    config_unref(config);
    c->group.consumer.assignment_interval = now.consumer.assignment_interval;
    c->group.share.assignment_interval = now.share.assignment_interval;
}

void coordinators_reconfigure(struct coordinators *c) {
    if (!atomic_exchange(&c->tuning, true)) loop_post(c->loop, &c->tune);
}

static void *run(void *arg) {
    loop_run(((struct coordinators *)arg)->loop);
    return NULL;
}

static void start_thread(struct coordinators *c) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, COORDINATOR_STACK);
    int e = pthread_create(&c->thread, &attr, run, c);
    ASSERT(e == 0);
    pthread_attr_destroy(&attr);
    pthread_setname_np(c->thread, "coordinator");
}

static void begin(struct coordinators *c, struct coordinator *k, struct image *image) {
    struct coord_log_ops ops = {.arg = k, .append = append, .max_batch = max_batch, .read = read_log};
    k->all = c;
    k->topic = kstr_of(k->config.kind->topic);
    k->coord = coord_create(c->loop, c->node->workers, &k->config, &ops, k->partitions, c->node->seed);
    coord_metadata(k->coord, image, NULL, 0, false);
    compare(k, NULL, image_topic_by_name(image, k->topic.s, (size_t)k->topic.len));
}

struct coordinators *coordinators_start(struct node *n, struct image *image) {
    struct coordinators *c = xcalloc(1, sizeof *c);
    *c = (struct coordinators){.node = n, .loop = loop_create(), .codec = codec_create()};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->now_quiet, NULL);
    struct config *config = node_config(n);
    c->tune.deliver = on_tune;
    set_up(c, config);
    config_unref(config);
    c->markers = markers_create(n, c->loop);
    for (int i = 0; i < COORDINATORS; i++) begin(c, &c->kinds[i], image);
    c->share_inits = share_inits_create(n, c->loop);
    start_thread(c);
    return c;
}

static void try_to_stop(struct coordinators *c) {
    bool stopped = markers_stop(c->markers);
    stopped &= share_inits_stop(c->share_inits);
    for (int i = 0; i < COORDINATORS; i++) stopped &= coord_stop(c->kinds[i].coord);
    if (!stopped) { /* a load must come to its end */
        loop_timer_set(c->loop, &c->stop_timer, loop_now(c->loop) + STOP_RETRY_MS);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->quiet = true;
    pthread_cond_signal(&c->now_quiet);
    pthread_mutex_unlock(&c->lock);
}

static void on_stop_timer(struct timer *t) {
    try_to_stop((struct coordinators *)((char *)t - offsetof(struct coordinators, stop_timer)));
}

static void on_stop(struct mail *m) {
    try_to_stop((struct coordinators *)((char *)m - offsetof(struct coordinators, stop_mail)));
}

void coordinators_quiet(struct coordinators *c) {
    c->stop_timer.on_due = on_stop_timer;
    c->stop_mail.deliver = on_stop;
    loop_post(c->loop, &c->stop_mail);
    pthread_mutex_lock(&c->lock);
    while (!c->quiet) pthread_cond_wait(&c->now_quiet, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void coordinators_end(struct coordinators *c) {
    ASSERT(c->quiet);
    loop_stop(c->loop);
    pthread_join(c->thread, NULL);
}

bool coordinators_settle(struct coordinators *c) { return loop_deliver(c->loop); }

void coordinators_destroy(struct coordinators *c) {
    for (int i = 0; i < COORDINATORS; i++) coord_destroy(c->kinds[i].coord);
    markers_destroy(c->markers);
    share_inits_destroy(c->share_inits);
    codec_destroy(c->codec);
    loop_destroy(c->loop);
    pthread_cond_destroy(&c->now_quiet);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct share_inits *coordinators_share_inits(const struct coordinators *c) {
    return c->share_inits;
}

struct coord *coordinators_get(const struct coordinators *c, enum coordinator_kind kind) {
    ASSERT(kind >= 0 && kind < COORDINATORS);
    return c->kinds[kind].coord;
}

struct kstr coordinators_topic(const struct coordinators *c, enum coordinator_kind kind) {
    ASSERT(kind >= 0 && kind < COORDINATORS);
    return c->kinds[kind].topic;
}
