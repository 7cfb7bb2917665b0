/* The start of a node, in order; each step undoes nothing that was on disk when it fails:
 *   1. listeners are bound, so that a port that is taken ends the start before anything is touched; who
 * connects waits until 6
 *   2. log directories: formatted (when no configuration file was given they are staged, kraft/format.h),
 * locked, opened; recovery is lazy
 *   3. metadata log: replayed into the image; this node leads its quorum of one
 *   4. replicas of all partitions in the image, in memory only; logs that the metadata does not know are put
 * aside
 *   5. the broker registers with the ports of its listeners
 *   6. coordinators, network loops, control thread, housekeeping; unfenced; what 3 to 6 wrote made durable,
 * on a first start while it answers already (server/control.h); connections are accepted The stop goes
 * backwards: first who asks (loops, coordinators, control thread), then the workers, whose jobs end with a
 * letter to those who asked, and only then the memory of all of them.
 *
 * Publishing (control thread): the dynamic configuration, which new replicas take; replicas; then the image,
 * so that a partition that a client can see can be written. */
#include "server/client_metrics.h"
#include "server/node.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/worker.h"
#include "kraft/format.h"
#include "kraft/node.h"
#include "metadata/version.h"
#include "metadata/delta.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/acceptor.h"
#include "server/assignments.h"
#include "server/cleaners.h"
#include "server/control.h"
#include "server/coordinators.h"
#include "server/dynamic_config.h"
#include "server/fetch_session.h"
#include "server/housekeeping.h"
#include "server/mover.h"
#include "server/net.h"
#include "server/producer_ids.h"
#include "server/shares.h"
#include "server/topic_errors.h"
#include "server/request.h"
#include "server/throttle.h"
#include "server/topic_settings.h"
#include "storage/log.h"
#include "storage/logdir.h"

enum { WORKERS = 8, SESSION_ITEMS = 1 << 20, SESSION_EVICTION_MS = 120000 };

/* ---- publishing
 * ----------------------------------------------------------------------------------------------------- */

struct image *node_image(struct node *n) {
    pthread_mutex_lock(&n->image_lock);
    struct image *i = image_ref(n->image);
    pthread_mutex_unlock(&n->image_lock);
    return i;
}

void node_set_image(struct node *n, struct image *image) {
    image_ref(image);
    pthread_mutex_lock(&n->image_lock);
    struct image *before = n->image;
    n->image = image;
    pthread_mutex_unlock(&n->image_lock);
    image_unref(before);
}

static void publish_to_replicas(struct node *n, const struct image_delta *delta, bool new_defaults) {
    replicas_apply(n->replicas, delta);
    if (new_defaults) {
        replicas_reconfigure(n->replicas, delta->after, NULL);
        return;
    }
    for (int32_t i = 0; i < delta->configs_n; i++) {
        const struct config_change *c = &delta->configs[i];
        if (c->type == CONFIG_TOPIC) replicas_reconfigure(n->replicas, delta->after, c->resource);
    }
}

void node_publish(struct node *n, const struct image_delta *delta) {
    bool new_defaults = dynamic_config_apply(n, delta);
    if (n->replicas) publish_to_replicas(n, delta, new_defaults);
    if (n->assignments) assignments_apply(n->assignments, delta);
    if (delta->quotas_changed) {
        throttle_load(n, delta->after);
        if (n->acceptors) acceptors_limit_addresses(n->acceptors, delta->after);
    }
    node_set_image(n, delta->after);
    if (n->coordinators) coordinators_apply(n->coordinators, delta);
    if (n->shares) shares_apply(n->shares, delta);
    if (n->housekeeping) housekeeping_wake(n->housekeeping);
    for (int32_t i = 0; i < delta->configs_n; i++)
        if (delta->configs[i].type == CONFIG_CLIENT_METRICS) {
            client_metrics_configure(n->client_metrics, delta->after);
            break;
        }
}

int16_t node_latest_mv(const struct node *n) {
    return config_bool(n->config, CFG_UNSTABLE_FEATURE_VERSIONS_ENABLE) ? MV_TESTING : MV_LATEST;
}

const struct node_endpoint *node_endpoint(const struct node *n, const char *listener) {
    for (int i = 0; i < n->endpoints_n; i++)
        if (!strcmp(n->endpoints[i].listener, listener)) return &n->endpoints[i];
    return NULL;
}

/* ---- what the table of replicas asks
 * --------------------------------------------------------------------------------- */

static struct logdir *choose_directory(struct node *n, const struct uuid *directory) {
    struct logdir *least = NULL;
    bool least_cordoned = false; /* such a one only when there is no other */
    for (int i = 0; i < n->logdirs_n; i++) {
        struct logdir *d = n->logdirs[i];
        if (!d) continue;
        if (uuid_equal(&n->directory_ids[i], directory)) return d;
        if (logdir_is_offline(d)) continue;
        bool cordoned = log_dir_is_cordoned(n, d);
        if (least && (cordoned > least_cordoned ||
                      (cordoned == least_cordoned && logdir_count(d) >= logdir_count(least))))
            continue;
        least = d;
        least_cordoned = cordoned;
    }
    return least;
}

/* A crash while a log changed places (storage/move.c) leaves it in two directories: that which the metadata
 * says counts, and the other is put aside. Either may be NULL. */
static struct log *one_of(struct log *a, struct log *b, struct node *n, const struct uuid *directory) {
    if (!a || !b) return a ? a : b;
    bool second = false;
    for (int i = 0; i < n->logdirs_n; i++)
        second |= n->logdirs[i] == log_dir(b) && uuid_equal(&n->directory_ids[i], directory);
    struct log *other = second ? a : b;
    LOG_WARN("storage", "%s is in two directories: that in %s is put aside as -stray", log_name(other),
             logdir_path(log_dir(other)));
    logdir_stray_log(other);
    return second ? b : a;
}

static struct log *open_log(void *arg, const struct replica_topic *t, int32_t index,
                            const struct uuid *directory) {
    struct node *n = arg;
    char name[300];
    struct log *log = NULL;
    snprintf(name, sizeof name, "%s-%d", t->name, index);
    for (int i = 0; i < n->logdirs_n; i++)
        if (n->logdirs[i]) log = one_of(log, logdir_find(n->logdirs[i], name), n, directory);
    if (log) {
        log_set_config(log, t->config);
        return log;
    }
    struct logdir *d = n->mover ? mover_preferred(n->mover, name) : NULL;
    if (!d || logdir_is_offline(d)) d = choose_directory(n, directory);
    int err = d ? logdir_create_log(d, t->name, index, &t->id, t->config, &log) : OE_OFFLINE;
    if (err) LOG_ERROR("storage", "%s: no log: %s", name, oerr_text(err));
    return err ? NULL : log;
}

static void delete_log(void *arg, struct log *log) {
    struct node *n = arg;
    logdir_hold(log);
    int err = logdir_delete_log(log, clock_wall_ms());
    if (err) LOG_ERROR("storage", "a deleted partition's directory cannot be renamed: %s", oerr_text(err));
    if (n->housekeeping) housekeeping_wake(n->housekeeping);
}

static void release_log(void *arg, struct log *log) { logdir_release(log); }

static struct log_config *config_of(void *arg, const char *topic, const struct image *image) {
    struct config *config = node_config(arg);
    struct log_config *settings = topic_settings(config, image, topic);
    config_unref(config);
    return settings;
}

/* A letter to each loop; the last one that is read calls `then` on the control thread. */
struct round {
    _Atomic int left;
    struct node *node;
    void (*then)(void *arg);
    void *arg;
    struct mail back;
    struct round_mail {
        struct mail mail;
        struct round *round;
    } mails[];
};

static void round_back(struct mail *m) {
    struct round *r = (struct round *)((char *)m - offsetof(struct round, back));
    r->then(r->arg);
    free(r);
}

static void round_passed(struct mail *m) {
    struct round *r = ((struct round_mail *)m)->round;
    if (atomic_fetch_sub(&r->left, 1) == 1) loop_post(r->node->control->loop, &r->back);
}

static void quiesce(void *arg, void (*then)(void *), void *then_arg) {
    struct node *n = arg;
    struct round *r = xcalloc(1, sizeof *r + (size_t)n->nets_n * sizeof *r->mails);
    atomic_init(&r->left, n->nets_n);
    r->node = n;
    r->then = then;
    r->arg = then_arg;
    r->back.deliver = round_back;
    for (int i = 0; i < n->nets_n; i++) {
        r->mails[i] = (struct round_mail){.mail.deliver = round_passed, .round = r};
        loop_post(n->nets[i]->loop, &r->mails[i].mail);
    }
}

/* ---- directories
 * ------------------------------------------------------------------------------------------------------ */

static void dir_offline(void *owner, struct logdir *d, int err) {
    LOG_ERROR("storage", "log directory %s is offline: %s; its partitions answer KAFKA_STORAGE_ERROR",
              logdir_path(d), oerr_text(err));
}

static void see_partition(void *to, const char *name, bool is_dir) {
    const char *dash = strrchr(name, '-');
    if (is_dir && dash && dash[1] && !dash[1 + strspn(dash + 1, "0123456789")] &&
        strcmp(name, "__cluster_metadata-0") != 0)
        *(bool *)to = true;
}

/* Is this a first start? The metadata directory is not formatted, and nowhere is there a partition. Sets the
 * cluster's id, which a first start that was cut short may have given to other directories already. */
static bool is_first_start(const struct config_node *c,
                           char id[sizeof((struct meta_properties *)0)->cluster_id]) {
    struct meta_properties m;
    bool partitions = false;
    if (meta_properties_read(fs_real(), c->metadata_log_dir, &m) != OE_NOTFOUND) return false;
    for (int32_t i = 0; i < c->log_dirs.n; i++) {
        fs_list(fs_real(), c->log_dirs.items[i], see_partition, &partitions);
        if (!meta_properties_read(fs_real(), c->log_dirs.items[i], &m))
            memcpy(id, m.cluster_id, sizeof m.cluster_id);
    }
    return !partitions;
}

/* No file was given: the directories are made and formatted as `ottla storage format --standalone` does. */
static int format_first(struct node *n, const struct config_node *c, struct strbuf *error) {
    struct random random;
    char id[sizeof((struct meta_properties *)0)->cluster_id], *why = NULL;
    random_seed(&random, n->seed);
    struct uuid cluster = uuid_random(&random);
    uuid_format(&cluster, id);
    if (!is_first_start(c, id)) return 0;
    bool unstable = config_bool(n->config, CFG_UNSTABLE_FEATURE_VERSIONS_ENABLE);
    int err = format_stage(&(struct format_options){.fs = fs_real(),
                                                    .unstable_features = unstable,
                                                    .cluster_id = id,
                                                    .node_id = c->id,
                                                    .dirs = c->log_dirs.items,
                                                    .dirs_n = c->log_dirs.n,
                                                    .metadata_dir = c->metadata_log_dir,
                                                    .ignore_formatted = true,
                                                    .dynamic_quorum = true,
                                                    .standalone = true,
                                                    .host = "127.0.0.1",
                                                    .port = 9093,
                                                    .controller_listener = "CONTROLLER",
                                                    .now_ms = clock_wall_ms(),
                                                    .random = &random},
                           &n->format, &why);
    if (err) strbuf_addf(error, "%s", why ? why : oerr_text(err));
    free(why);
    return err;
}

static int check_identity(struct node *n, const struct config_node *c, const char *dir,
                          struct meta_properties *m, struct strbuf *error) {
    const struct meta_properties *staged = n->format ? format_identity(n->format, dir) : NULL;
    int err = staged ? 0 : meta_properties_read(fs_real(), dir, m);
    if (staged) *m = *staged;
    if (err) {
        strbuf_addf(error,
                    err == OE_NOTFOUND ? "%s is not formatted: run `ottla storage format`"
                                       : "%s/meta.properties: cannot be read",
                    dir);
        return err;
    }
    if (m->node_id != c->id) {
        strbuf_addf(error, "%s belongs to node %d, but node.id=%d: use that node's directory or id", dir,
                    m->node_id, c->id);
        return OE_INVALID;
    }
    if (!n->cluster_id[0]) snprintf(n->cluster_id, sizeof n->cluster_id, "%s", m->cluster_id);
    if (strcmp(n->cluster_id, m->cluster_id) != 0) {
        strbuf_addf(error, "%s belongs to cluster %s, the other directories to %s", dir, m->cluster_id,
                    n->cluster_id);
        return OE_INVALID;
    }
    return 0;
}

static int open_directories(struct node *n, const struct config_node *c, struct strbuf *error) {
    n->logdirs = xcalloc((size_t)c->log_dirs.n, sizeof(struct logdir *));
    n->directory_ids = xcalloc((size_t)c->log_dirs.n, sizeof *n->directory_ids);
    n->default_settings = topic_settings(n->config, NULL, "");
    for (int32_t i = 0; i < c->log_dirs.n; i++) {
        struct meta_properties m = {0};
        const char *dir = c->log_dirs.items[i];
        int err = check_identity(n, c, dir, &m, error);
        if (err) return err;
        n->directory_ids[n->logdirs_n] = m.directory_id;
        err = logdir_open(&(struct logdir_options){.fs = fs_real(),
                                                   .path = dir,
                                                   .config = n->default_settings,
                                                   .now_ms = clock_wall_ms(),
                                                   .on_offline = dir_offline,
                                                   .owner = n},
                          &n->logdirs[n->logdirs_n]);
        if (err) {
            strbuf_addf(error, err == OE_AGAIN ? "%s is in use by another process" : "%s cannot be opened",
                        dir);
            return err;
        }
        n->logdirs_n++;
    }
    return 0;
}

/* ---- metadata
 * ---------------------------------------------------------------------------------------------------------
 */

static int open_metadata(struct node *n, const struct config_node *c, struct strbuf *error) {
    const struct listeners *l = config_listeners(n->config);
    const struct listener *controller = l->controller_name ? listeners_find(l, l->controller_name) : NULL;
    struct kraft_options o;
    kraft_options_init(&o);
    o.fs = fs_real();
    o.dir = c->metadata_log_dir;
    o.cluster_id = n->cluster_id;
    o.node_id = n->id;
    for (int i = 0; i < n->logdirs_n; i++)
        if (!strcmp(logdir_path(n->logdirs[i]), c->metadata_log_dir)) {
            n->metadata_directory_id = n->directory_ids[i];
            o.logdir = n->logdirs[i];
        }
    o.directory_id = n->metadata_directory_id;
    o.voters = c->voters_n ? config_raw(n->config, "controller.quorum.voters") : NULL;
    o.listener = controller ? controller->name : "CONTROLLER";
    o.host = controller && controller->advertised_host[0] ? controller->advertised_host : "127.0.0.1";
    o.port = (uint16_t)(controller && controller->advertised_port ? controller->advertised_port : 9093);
    o.snapshot_bytes = config_int(n->config, CFG_METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS);
    o.snapshot_interval_ms = config_int(n->config, CFG_METADATA_LOG_MAX_SNAPSHOT_INTERVAL_MS);
    o.segment_bytes = config_int(n->config, CFG_METADATA_LOG_SEGMENT_BYTES);
    o.segment_ms = config_int(n->config, CFG_METADATA_LOG_SEGMENT_MS);
    o.retention_bytes = config_int(n->config, CFG_METADATA_MAX_RETENTION_BYTES);
    o.retention_ms = config_int(n->config, CFG_METADATA_MAX_RETENTION_MS);
    char *why = NULL;
    int err = control_open(n->control, &o, &why);
    if (!err) {
        n->kraft_version = kraft_version(n->control->kraft);
        dynamic_config_load(n, n->image);
        throttle_load(n, n->image);
        acceptors_limit_addresses(n->acceptors, n->image);
    }
    if (err) strbuf_addf(error, "the metadata log cannot be opened: %s", why ? why : oerr_text(err));
    free(why);
    return err;
}

/* A log whose topic id is not the metadata's (or unknown there) is a stray. */
static void find_stray(void *to, struct log *log) {
    struct node *n = ((void **)to)[0];
    struct strays {
        struct log **logs;
        size_t n;
    } *strays = ((void **)to)[1];
    size_t len = 0;
    const char *topic = log_topic(log, &len);
    struct uuid id = log_topic_id(log);
    if (len == 18 && !memcmp(topic, "__cluster_metadata", 18)) return;
    const struct topic *t = image_topic_by_name(n->image, topic, len);
    bool known = t && log_partition(log) < t->partitions_n && (uuid_is_zero(&id) || uuid_equal(&id, &t->id));
    if (known) return;
    strays->logs = xrealloc(strays->logs, (strays->n + 1) * sizeof(struct log *));
    strays->logs[strays->n++] = log;
}

static void put_strays_aside(struct node *n) {
    for (int i = 0; i < n->logdirs_n; i++) {
        struct {
            struct log **logs;
            size_t n;
        } strays = {0};
        void *to[] = {n, &strays};
        logdir_each(n->logdirs[i], find_stray, to);
        for (size_t k = 0; k < strays.n; k++) {
            LOG_WARN("storage", "%s/%s is not in the metadata: put aside as -stray",
                     logdir_path(n->logdirs[i]), log_name(strays.logs[k]));
            logdir_stray_log(strays.logs[k]);
        }
        free(strays.logs);
    }
}

/* ---- listeners
 * -------------------------------------------------------------------------------------------------------- */

static int open_listeners(struct node *n, struct strbuf *error) {
    const struct listeners *l = config_listeners(n->config);
    n->endpoints = xcalloc((size_t)l->n, sizeof *n->endpoints);
    n->acceptors = acceptors_create(n);
    for (int32_t i = 0; i < l->n; i++) {
        const struct listener *one = &l->items[i];
        if (one->protocol != PROTOCOL_PLAINTEXT) {
            strbuf_addf(error, "listener %s: %s is not there yet, only PLAINTEXT", one->name,
                        security_protocol_name(one->protocol));
            return OE_UNSUPPORTED;
        }
        if (one->controller) continue; /* nothing speaks to the controller of a single node */
        const char *why = NULL;
        int port = one->port;
        if (acceptors_listen(n->acceptors, one, &port, &why)) {
            strbuf_addf(error, "cannot listen on %s:%d: %s", one->host, one->port, why);
            return OE_IO;
        }
        if (!one->advertised) continue;
        char own[256] = "localhost";
        if (!one->advertised_host[0]) gethostname(own, sizeof own - 1);
        n->endpoints[n->endpoints_n++] =
            (struct node_endpoint){.listener = one->name,
                                   .host = xstrdup(one->advertised_host[0] ? one->advertised_host : own),
                                   .port = one->advertised_port ? one->advertised_port : port,
                                   .protocol = (int16_t)one->protocol};
    }
    return 0;
}

/* ---- start and stop
 * --------------------------------------------------------------------------------------------------- */

static int cores(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 1 ? (int)n : 1;
}

static int loops_wanted(const struct config *c) {
    if (config_raw(c, "num.network.threads")) return (int)config_int(c, CFG_NUM_NETWORK_THREADS);
    return cores() > 2 ? cores() - 1 : 1;
}

/* More loops than cores, or than the start asked for, would only share them: num.network.threads moves below
 * that. */
static void use_loops(struct node *n, int wanted) {
    int used = wanted < n->nets_n ? wanted : n->nets_n;
    if (atomic_exchange(&n->nets_used, used) == used) return;
    LOG_INFO("server", "num.network.threads=%d: %d network loops take connections", wanted, used);
    for (int i = used; i < n->nets_n; i++) net_retire(n->nets[i]);
}

void node_reconfigure(struct node *n) {
    struct config *config = node_config(n);
    use_loops(n, loops_wanted(config));
    if (n->acceptors) acceptors_reconfigure(n->acceptors);
    if (n->coordinators) coordinators_reconfigure(n->coordinators);
    control_cordon(n->control);
    config_unref(config);
}

static void raise_descriptors(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r)) return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

static void make_parts(struct node *n) {
    const struct config *c = n->config;
    n->id = config_node(c)->id;
    n->max_request_bytes = (int32_t)config_int(c, CFG_SOCKET_REQUEST_MAX_BYTES);
    n->fetch_max_bytes = (int32_t)config_int(c, CFG_FETCH_MAX_BYTES);
    n->connections_max_idle_ms = config_int(c, CFG_CONNECTIONS_MAX_IDLE_MS);
    request_memory_init(&n->request_memory, config_int(c, CFG_QUEUED_MAX_REQUEST_BYTES),
                        n->max_request_bytes);
    n->workers = workers_create(WORKERS);
    int slots = (int)config_int(c, CFG_MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS);
    n->client_metrics = client_metrics_create(n->seed + 3);
    n->fetch_sessions = fetch_sessions_create(slots, SESSION_ITEMS, SESSION_EVICTION_MS, n->seed);
    n->shares = shares_create(n);
    n->control = control_create(n);
    n->producer_ids = producer_ids_create();
    n->topic_errors = topic_errors_create(n->seed + 4);
    n->nets_used = loops_wanted(c);
    n->nets_n = n->nets_used > cores() ? n->nets_used : cores();
    n->nets = xcalloc((size_t)n->nets_n, sizeof(struct net *));
    for (int i = 0; i < n->nets_n; i++) n->nets[i] = net_create(n, i);
    throttle_init(n);
}

static int open_all(struct node *n, struct strbuf *error) {
    const struct config_node *c = config_node(n->config);
    int err = open_listeners(n, error);
    if (!err && c->standalone) err = format_first(n, c, error);
    if (!err) err = open_directories(n, c, error);
    if (!err) err = open_metadata(n, c, error);
    if (err) return err;
    put_strays_aside(n);
    struct replicas_ops ops = {.arg = n,
                               .open_log = open_log,
                               .config_of = config_of,
                               .delete_log = delete_log,
                               .release_log = release_log,
                               .quiesce = quiesce};
    n->replicas = replicas_create(n->id, &ops, n->workers);
    replicas_load(n->replicas, n->image);
    n->assignments = assignments_create(n);
    n->mover = mover_create(n);
    mover_load(n->mover);
    assignments_load(n->assignments, n->image);
    char *why = NULL;
    err = control_register(n->control, &why);
    if (err) strbuf_addf(error, "%s", why ? why : oerr_text(err));
    free(why);
    return err;
}

/* stopped: the node ran, its directories are marked clean; else they stay as they were found. */
static void free_parts(struct node *n, bool stopped) {
    if (n->acceptors) acceptors_destroy(n->acceptors);
    if (n->workers) workers_destroy(n->workers);
    mover_destroy(n->mover);
    if (n->housekeeping) housekeeping_destroy(n->housekeeping);
    for (int i = 0; i < n->nets_n; i++) net_destroy(n->nets[i]);
    free(n->nets);
    shares_destroy(n->shares);
    if (n->control) control_destroy(n->control);
    for (int i = 0; i < n->logdirs_n; i++)
        if (stopped && !logdir_is_offline(n->logdirs[i]))
            logdir_close(n->logdirs[i], clock_wall_ms());
        else
            logdir_abandon(n->logdirs[i]);
    if (n->replicas) replicas_destroy(n->replicas); /* and with it what the logs' configurations were in */
    if (n->producer_ids) producer_ids_destroy(n->producer_ids);
    if (n->fetch_sessions) fetch_sessions_destroy(n->fetch_sessions);
    client_metrics_destroy(n->client_metrics);
    topic_errors_free(n->topic_errors);
    for (int i = 0; i < n->endpoints_n; i++) free((char *)(uintptr_t)n->endpoints[i].host);
    free(n->endpoints);
    assignments_destroy(n->assignments);
    free(n->logdirs);
    free(n->directory_ids);
    format_free(n->format);
    free(n->default_settings);
    quotas_free(&n->quotas);
    image_unref(n->image);
    config_cell_free(&n->current);
    config_unref(n->config);
    pthread_mutex_destroy(&n->image_lock);
    free(n);
}

struct node *node_start(struct config *config, struct strbuf *error) {
    struct node *n = xcalloc(1, sizeof *n);
    raise_descriptors();
    handlers_init(config_bool(config, CFG_UNSTABLE_API_VERSIONS_ENABLE));
    pthread_mutex_init(&n->image_lock, NULL);
    n->config = config;
    config_cell_init(&n->current, config_ref(config));
    n->seed = clock_entropy();
    make_parts(n);
    if (open_all(n, error)) {
        free_parts(n, false);
        return NULL;
    }
    client_metrics_configure(n->client_metrics, n->image);
    n->housekeeping = housekeeping_start(n);
    n->cleaners = cleaners_start(n);
    n->coordinators = coordinators_start(n, n->image);
    control_unfence(n->control);
    control_start(n->control);
    acceptors_start(n->acceptors);
    for (int i = 0; i < n->nets_n; i++) net_start(n->nets[i]);
    return n;
}

/* The threads have ended, and some of their letters are still to be read. Who reads one may ask another, so
 * all of them are there until nobody has any mail. */
static void settle(struct node *n) {
    for (bool more = true; more;) {
        more = coordinators_settle(n->coordinators);
        for (int i = 0; i < n->nets_n; i++) more |= net_settle(n->nets[i]);
        more |= loop_deliver(n->control->loop);
    }
}

void node_stop(struct node *n) {
    shares_stop(n->shares);
    coordinators_quiet(n->coordinators);
    for (int i = 0; i < n->nets_n; i++) net_stop(n->nets[i]);
    for (int i = 0; i < n->nets_n; i++) net_join(n->nets[i]);
    acceptors_close(n->acceptors);
    control_stop(n->control);
    mover_stop(n->mover);
    housekeeping_stop(n->housekeeping);
    cleaners_stop(n->cleaners);
    coordinators_end(n->coordinators);
    shares_settle(n->shares);
    settle(n);
    workers_destroy(n->workers);
    n->workers = NULL;
    settle(n);
    coordinators_destroy(n->coordinators);
    n->coordinators = NULL;
    free_parts(n, true);
}
