/* See controller.h. Here: its life, what the commands share, activation, producer ids. */
#include "controller/controller.h"

#include "api/allocate_producer_ids.h"
#include "base/assert.h"
#include "base/mem.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct controller *controller_new(const struct controller_config *config, struct image *image) {
    struct controller *c = xcalloc(1, sizeof *c);
    c->config = *config;
    c->config.cluster_id = xstrdup(config->cluster_id);
    if (c->config.latest_mv == 0) c->config.latest_mv = MV_LATEST;
    if (c->config.max_partitions_per_batch == 0)
        c->config.max_partitions_per_batch = MAX_PARTITIONS_PER_BATCH;
    c->image = image_ref(image);
    random_seed(&c->random, config->seed);
    return c;
}

void controller_free(struct controller *c) {
    if (!c) return;
    free((char *)c->config.cluster_id);
    image_unref(c->image);
    free(c);
}

void controller_set_image(struct controller *c, struct image *image) {
    ASSERT(image->offset >= c->image->offset);
    struct image *old = c->image;
    c->image = image_ref(image);
    image_unref(old);
}

const struct image *controller_image(const struct controller *c) { return c->image; }

struct api_error api_error_of(int16_t code) {
    return (struct api_error){code, kerr_message(code)};
}

struct api_error api_error_printf(struct arena *a, int16_t code, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text ? (struct api_error){code, text} : api_error_of(KERR_UNKNOWN_SERVER_ERROR);
}

const char *topic_config(const struct controller *c, const struct topic *t, const char *name) {
    char node[16];
    snprintf(node, sizeof node, "%d", c->config.node_id);
    const char *v = image_config(c->image, CONFIG_TOPIC, t->name, name);
    if (!v) v = image_config(c->image, CONFIG_BROKER, node, name);
    return v ? v : image_config(c->image, CONFIG_BROKER, "", name);
}

static void add_begin(struct record_list *records) {
    struct begin_transaction_record begin = {.name = KSTR("Bootstrap records")};
    record_add_begin_transaction(records, 0, &begin);
}

/* The level of a feature among bootstrap records; 0: none. */
static int16_t bootstrap_level(const struct record_list *bootstrap, const char *name) {
    int16_t level = 0;
    for (int32_t i = 0; i < bootstrap->n; i++) {
        const struct meta_record *m = &bootstrap->v[i];
        int32_t type, version;
        int head = meta_record_head(m->data, m->len, &type, &version);
        if (head < 0 || type != METADATA_FEATURE_LEVEL) continue;
        struct reader in = reader_of(m->data + head, m->len - (size_t)head);
        struct feature_level_record rec;
        uint8_t memory[64];
        struct arena a;
        arena_init_with(&a, memory, sizeof memory, sizeof memory);
        if (feature_level_record_decode(&rec, &in, (int16_t)version, &a) == 0 && kstr_is(rec.name, name))
            level = rec.feature_level;
        arena_free(&a);
    }
    return level;
}

/* The records of an empty log. Features below 3.6 have no transactions: then all is one batch. */
static void activate_empty(struct controller *c, const struct record_list *bootstrap,
                           struct record_list *records) {
    bool transaction = bootstrap_level(bootstrap, METADATA_VERSION) >= MV_3_6_IV1;
    if (transaction) add_begin(records);
    records->atomic = !transaction;
    for (int32_t i = 0; i < bootstrap->n; i++)
        record_add_raw(records, bootstrap->v[i].data, bootstrap->v[i].len);
    if (bootstrap_level(bootstrap, ELR_VERSION) > 0) {
        char min_isr[16];
        snprintf(min_isr, sizeof min_isr, "%d", c->config.default_min_isr);
        struct config_record rec = {CONFIG_BROKER, KSTR(""), KSTR("min.insync.replicas"), kstr_of(min_isr)};
        record_add_config(records, 0, &rec);
    }
    if (transaction) record_add_end_transaction(records, 0, &(struct end_transaction_record){0});
}

void controller_activate(struct controller *c, bool in_transaction, const struct record_list *bootstrap,
                         struct record_list *records) {
    if (in_transaction) {
        struct abort_transaction_record abort = {.reason = KSTR("Controller failover")};
        record_add_abort_transaction(records, 0, &abort);
    }
    if (c->image->metadata_version == 0) activate_empty(c, bootstrap, records);
}

void controller_allocate_producer_ids(struct controller *c, const struct controller_context *x,
                                      const struct allocate_producer_ids_request *request,
                                      struct allocate_producer_ids_response *response,
                                      struct record_list *records) {
    allocate_producer_ids_response_init(response);
    response->error_code = broker_check_epoch(c->image, request->broker_id, request->broker_epoch);
    if (response->error_code) return;
    int64_t first = c->image->next_producer_id < 0 ? 0 : c->image->next_producer_id;
    if (first > INT64_MAX - PRODUCER_ID_BLOCK) {
        response->error_code = KERR_UNKNOWN_SERVER_ERROR;
        return;
    }
    struct producer_ids_record rec = {.broker_id = request->broker_id,
                                      .broker_epoch = request->broker_epoch,
                                      .next_producer_id = first + PRODUCER_ID_BLOCK};
    record_add_producer_ids(records, 0, &rec);
    response->producer_id_start = first;
    response->producer_id_len = PRODUCER_ID_BLOCK;
}
