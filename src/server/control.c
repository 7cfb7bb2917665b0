/* Before: handlers that change metadata. After: controller (pure), kraft (log), replica/replicas (publisher).
 */
#include "server/control.h"

#include <stdlib.h>

#include "api/broker_registration.h"
#include "api/controller_registration.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "config/config.h"
#include "io/clock.h"
#include "kraft/format.h"
#include "kraft/reconfigure.h"
#include "metadata/version.h"
#include "server/config_hooks.h"
#include "server/mover.h"
#include "server/node.h"
#include "storage/logdir.h"

enum { CONTROL_STACK = 2 << 20, FEATURES_MAX = 16 };

/* What travels to the control thread with a request. */
struct command {
    struct mail mail;
    struct control *control;
    struct request *request;
    control_command *run;
    void (*finish)(struct request *r);
    int err; /* of the commit */
};

struct control *control_create(struct node *node) {
    struct control *c = xcalloc(1, sizeof *c);
    c->node = node;
    c->loop = loop_create();
    return c;
}

static void arm_tick(struct control *c) {
    int64_t due = kraft_due_ms(c->kraft), wall = clock_wall_ms();
    if (due == INT64_MAX)
        loop_timer_cancel(c->loop, &c->tick);
    else
        loop_timer_set(c->loop, &c->tick, clock_mono_ms() + (due > wall ? due - wall : 0));
}

static void on_tick(struct timer *t) {
    struct control *c = (struct control *)((char *)t - offsetof(struct control, tick));
    kraft_tick(c->kraft, clock_wall_ms());
    arm_tick(c);
}

static void published(void *arg, const struct image_delta *delta) {
    struct control *c = arg;
    node_publish(c->node, delta);
}

static _Noreturn void log_failed(int err) {
    LOG_AT(LOG_FATAL, "control", "the metadata log has failed (%s): this node cannot go on", oerr_text(err));
    exit(1);
}

int control_commit(struct control *c, const struct record_list *records) {
    if (!records->n) return 0;
    int err = kraft_append(c->kraft, records, clock_wall_ms(), NULL);
    if (err && err != OE_LIMIT) log_failed(err);
    if (!err) controller_set_image(c->controller, kraft_image(c->kraft));
    arm_tick(c);
    return err;
}

void control_raise_kraft_version(struct control *c, int16_t version) {
    int err = kraft_raise_version(c->kraft, version, clock_wall_ms());
    if (err) log_failed(err);
    controller_set_image(c->controller, kraft_image(c->kraft));
    node_set_image(c->node, kraft_image(c->kraft));
    c->node->kraft_version = version;
    arm_tick(c);
}

static void too_large(struct request *r) {
    request_fail(r, "the change is too large for one metadata batch");
}

static void run_command(struct mail *m) { /* control thread */
    struct command *k = (struct command *)m;
    struct record_list records;
    record_list_init(&records);
    k->run(k->control, k->request, &records);
    k->err = control_commit(k->control, &records);
    record_list_free(&records);
    request_resume(k->request, k->err ? too_large : k->finish);
}

void control_submit(struct request *r, control_command *command, void (*finish)(struct request *r)) {
    struct command *k = request_alloc(r, sizeof *k);
    *k = (struct command){.mail.deliver = run_command,
                          .control = r->node->control,
                          .request = r,
                          .run = command,
                          .finish = finish};
    loop_post(k->control->loop, &k->mail);
}

/* What the start wrote becomes durable; then, on a first start, the directories are formatted for good. */
static void settle(struct control *c) {
    char *why = NULL;
    struct node *n = c->node;
    int err = kraft_settle(c->kraft, clock_wall_ms(), &why);
    if (!err && n->format) err = format_seal(n->format, &why);
    if (!err) return;
    LOG_AT(LOG_FATAL, "control", "%s", why ? why : oerr_text(err));
    exit(1);
}

static void *run(void *arg) {
    struct control *c = arg;
    if (c->node->format) settle(c);
    loop_run(c->loop);
    return NULL;
}

void control_start(struct control *c) {
    if (!c->node->format) settle(c);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, CONTROL_STACK);
    int e = pthread_create(&c->thread, &attr, run, c);
    ASSERT(e == 0);
    pthread_attr_destroy(&attr);
    pthread_setname_np(c->thread, "control");
}

/* ---- the life of the node as a broker
 * --------------------------------------------------------------------------------- */

static struct controller_config controller_settings(struct node *n) {
    return (struct controller_config){
        .cluster_id = n->cluster_id,
        .node_id = n->id,
        .default_partitions = (int32_t)config_int(n->config, CFG_NUM_PARTITIONS),
        .default_replication = (int16_t)config_int(n->config, CFG_DEFAULT_REPLICATION_FACTOR),
        .default_min_isr = (int32_t)config_int(n->config, CFG_MIN_INSYNC_REPLICAS),
        .delete_topic_enable = config_bool(n->config, CFG_DELETE_TOPIC_ENABLE),
        .latest_mv = node_latest_mv(n),
        .unclean_election = config_bool(n->config, CFG_UNCLEAN_LEADER_ELECTION_ENABLE),
        .seed = n->seed,
        .hooks = config_hooks(n),
    };
}

/* This node as a controller (ControllerRegistrationManager): an incarnation a process. */
static int register_controller(struct control *c, const struct kraft_options *o) {
    struct node *n = c->node;
    const struct listener *own = listeners_find(config_listeners(n->config), o->listener);
    struct controller_registration_request_listener listener = {
        .name = kstr_of(o->listener),
        .host = kstr_of(o->host),
        .port = o->port,
        .security_protocol = own ? (int16_t)own->protocol : PROTOCOL_PLAINTEXT};
    struct controller_registration_request_feature supported[FEATURES_MAX];
    struct controller_registration_request in;
    struct controller_registration_response out;
    struct record_list records;
    struct random random;
    random_seed(&random, n->seed + 2);
    controller_registration_request_init(&in);
    in.controller_id = n->id;
    in.incarnation_id = uuid_random(&random);
    in.listeners = &listener;
    in.listeners_n = 1;
    in.features = supported;
    supported[in.features_n++] =
        (struct controller_registration_request_feature){KSTR(METADATA_VERSION), MV_FIRST, node_latest_mv(n)};
    ASSERT(features_n < FEATURES_MAX);
    for (int i = 0; i < features_n; i++)
        if (features[i].latest > 0)
            supported[in.features_n++] = (struct controller_registration_request_feature){
                kstr_of(features[i].name), 0, features[i].latest};
    record_list_init(&records);
    controller_register_controller(c->controller, NULL, &in, &out,
                                   &records); /* refused before 3.7: no record */
    int err = control_commit(c, &records);
    record_list_free(&records);
    return err;
}

int control_open(struct control *c, struct kraft_options *options, char **why) {
    options->published = published;
    options->ctx = c;
    options->settle_later = true;
    int err = kraft_open(options, clock_wall_ms(), &c->kraft, why);
    if (!err && kraft_image(c->kraft)->metadata_version > node_latest_mv(c->node)) {
        *why = xasprintf("metadata.version %s is not stable: it needs unstable.feature.versions.enable",
                         metadata_version_name(kraft_image(c->kraft)->metadata_version));
        err = OE_UNSUPPORTED;
    }
    if (err) return err;
    c->tick.on_due = on_tick;
    struct controller_config settings = controller_settings(c->node);
    c->controller = controller_new(&settings, kraft_image(c->kraft));
    node_set_image(c->node, kraft_image(c->kraft));
    struct record_list records;
    record_list_init(&records);
    controller_activate(c->controller, kraft_in_transaction(c->kraft), kraft_bootstrap(c->kraft), &records);
    err = control_commit(c, &records);
    record_list_free(&records);
    return err ? err : register_controller(c, options);
}

/* The epoch of the clean stop before, if all directories agree on it; -1: after a crash the controller must
 * know. */
static int64_t clean_epoch(const struct node *n) {
    int64_t epoch = n->logdirs_n ? logdir_clean_epoch(n->logdirs[0]) : -1;
    for (int i = 1; i < n->logdirs_n; i++)
        if (logdir_clean_epoch(n->logdirs[i]) != epoch) return -1;
    return epoch;
}

static void fill_registration(struct control *c, struct arena *a, struct broker_registration_request *in) {
    struct node *n = c->node;
    struct random random;
    random_seed(&random, n->seed + 1); /* another than that which made the cluster id */
    broker_registration_request_init(in);
    in->broker_id = n->id;
    in->cluster_id = kstr_of(n->cluster_id);
    in->incarnation_id = uuid_random(&random);
    in->rack = kstr_of(config_node(n->config)->rack);
    in->previous_broker_epoch = clean_epoch(n);
    in->log_dirs = n->directory_ids;
    in->log_dirs_n = n->logdirs_n;
    in->listeners = arena_calloc(a, (size_t)n->endpoints_n, sizeof *in->listeners);
    for (int i = 0; i < n->endpoints_n; i++)
        in->listeners[in->listeners_n++] =
            (struct broker_registration_request_listener){.name = kstr_of(n->endpoints[i].listener),
                                                          .host = kstr_of(n->endpoints[i].host),
                                                          .port = (uint16_t)n->endpoints[i].port,
                                                          .security_protocol = n->endpoints[i].protocol};
    in->features = arena_calloc(a, (size_t)features_n + 1, sizeof *in->features);
    in->features[in->features_n++] =
        (struct broker_registration_request_feature){.name = KSTR(METADATA_VERSION),
                                                     .min_supported_version = MV_FIRST,
                                                     .max_supported_version = node_latest_mv(n)};
    for (int i = 0; i < features_n; i++)
        if (features[i].latest > 0)
            in->features[in->features_n++] = (struct broker_registration_request_feature){
                .name = kstr_of(features[i].name), .max_supported_version = features[i].latest};
}

int control_register(struct control *c, char **why) {
    struct arena a;
    struct record_list records;
    struct broker_registration_request in;
    struct broker_registration_response out;
    arena_init(&a, 1 << 20);
    record_list_init(&records);
    fill_registration(c, &a, &in);
    struct controller_context x = {.arena = &a, .now_ms = clock_wall_ms()};
    controller_register_broker(c->controller, &x, &in, kraft_end_offset(c->kraft), &out, &records);
    int err = out.error_code ? OE_INVALID : control_commit(c, &records);
    if (err)
        *why = xasprintf("the controller refused this broker: %s", kerr_name(out.error_code));
    else
        c->node->broker_epoch = out.broker_epoch;
    for (int i = 0; !err && i < c->node->logdirs_n; i++)
        logdir_set_broker_epoch(c->node->logdirs[i], out.broker_epoch);
    record_list_free(&records);
    arena_free(&a);
    return err;
}

static void broker_state(struct control *c,
                         int16_t (*command)(struct controller *, int32_t, int64_t, struct record_list *)) {
    struct record_list records;
    record_list_init(&records);
    int16_t error = command(c->controller, c->node->id, c->node->broker_epoch, &records);
    if (error)
        LOG_WARN("control", "broker %d: %s", c->node->id, kerr_name(error));
    else
        control_commit(c, &records);
    record_list_free(&records);
}

/* A letter to itself, because the configuration changes within a commit. */
static void on_cordon(struct mail *m) {
    struct control *c = (struct control *)((char *)m - offsetof(struct control, cordon));
    struct node *n = c->node;
    struct uuid *dirs = xcalloc((size_t)n->logdirs_n + 1, sizeof *dirs);
    struct record_list records;
    int32_t count = 0;
    c->cordoning = false;
    for (int i = 0; i < n->logdirs_n; i++)
        if (log_dir_is_cordoned(n, n->logdirs[i])) dirs[count++] = n->directory_ids[i];
    record_list_init(&records);
    int16_t error = controller_cordon(c->controller, n->id, n->broker_epoch, dirs, count, &records);
    if (error)
        LOG_WARN("control", "cordoned.log.dirs is not known to the controller: %s", kerr_name(error));
    else if (!control_commit(c, &records) && records.n)
        LOG_INFO("control", "%d of %d log directories take no new partitions (cordoned.log.dirs)", count,
                 n->logdirs_n);
    record_list_free(&records);
    free(dirs);
}

void control_cordon(struct control *c) {
    if (c->cordoning) return;
    c->cordoning = true;
    c->cordon.deliver = on_cordon;
    loop_post(c->loop, &c->cordon);
}

void control_unfence(struct control *c) { broker_state(c, controller_unfence_broker); }

void control_recovered(struct control *c) { broker_state(c, controller_recovered); }

void control_stop(struct control *c) {
    loop_stop(c->loop);
    pthread_join(c->thread, NULL);
    broker_state(c, controller_begin_shutdown);
    broker_state(c, controller_fence_broker);
}

void control_destroy(struct control *c) {
    if (c->kraft) kraft_close(c->kraft, clock_wall_ms());
    if (c->controller) controller_free(c->controller);
    loop_destroy(c->loop);
    free(c);
}
