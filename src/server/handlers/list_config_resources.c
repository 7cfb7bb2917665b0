/* ListConfigResources (KIP-1142): which resources have, or can have, configurations. Version 0 lists client
 * metrics subscriptions only. KafkaApis.handleListConfigResources. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/list_config_resources.h"
#include "metadata/image.h"

static const int8_t all_types[] = {CONFIG_GROUP, CONFIG_CLIENT_METRICS, CONFIG_BROKER_LOGGER, CONFIG_BROKER,
                                   CONFIG_TOPIC};
enum { TYPES = sizeof all_types / sizeof *all_types };

struct list {
    struct request *request;
    struct list_config_resources_response *out;
    size_t room;
};

/* Which of all_types are asked for, as bits; 0: one that is not known. */
static unsigned asked_types(const struct request *r, const struct list_config_resources_request *in) {
    unsigned asked = 0, subscriptions = 1u << 1, known = r->version == 0 ? subscriptions : (1u << TYPES) - 1;
    if (in->resource_types_n <= 0) return known;
    for (int32_t i = 0; i < in->resource_types_n; i++) {
        const int8_t *at = memchr(all_types, in->resource_types[i], TYPES);
        if (!at) return 0;
        asked |= 1u << (at - all_types);
    }
    return asked;
}

static void add(struct list *l, struct kstr name, int8_t type) {
    if ((size_t)l->out->config_resources_n == l->room) return;
    l->out->config_resources[l->out->config_resources_n++] =
        (struct list_config_resources_response_config_resource){.resource_name = name, .resource_type = type};
}

static void add_sets(struct list *l, const struct image *image, int8_t type) {
    struct pmap_iter it;
    pmap_iterate(&image->configs, &it);
    for (const struct config_set *s; (s = pmap_next(&it));)
        if ((int8_t)s->type == type) add(l, kstr_of(s->resource), type);
}

static void add_brokers(struct list *l, const struct image *image, int8_t type) {
    for (int32_t i = 0; i < image_brokers_n(image); i++) {
        const struct broker *b = image_broker_at(image, i);
        if (b->fenced || !broker_endpoint(b, request_listener(l->request))) continue;
        add(l, kstr_of(arena_printf(&l->request->arena, "%d", b->id)), type);
    }
}

static void add_topics(struct list *l, const struct image *image) {
    size_t n = 0;
    const struct topic **topics = image_topics_sorted(image, &l->request->arena, &n);
    for (size_t i = 0; topics && i < n; i++)
        add(l, (struct kstr){topics[i]->name, topics[i]->name_len}, CONFIG_TOPIC);
}

void handle_list_config_resources(struct request *r, const struct list_config_resources_request *in) {
    struct list_config_resources_response *out = request_alloc(r, sizeof *out);
    const struct image *image = request_image(r);
    unsigned asked = asked_types(r, in);
    list_config_resources_response_init(out);
    if (!asked) {
        out->error_code = KERR_UNSUPPORTED_VERSION;
        request_finish(r, out);
        return;
    }
    struct list l = {r, out,
                     image->configs.count + image_topics_n(image) + 2 * (size_t)image_brokers_n(image)};
    out->config_resources = request_array(r, l.room, sizeof *out->config_resources);
    if (!out->config_resources) {
        request_fail(r, "the answer is too large for its memory");
        return;
    }
    for (int i = 0; i < TYPES; i++) {
        if (!(asked & (1u << i))) continue;
        if (all_types[i] == CONFIG_TOPIC)
            add_topics(&l, image);
        else if (all_types[i] == CONFIG_GROUP || all_types[i] == CONFIG_CLIENT_METRICS)
            add_sets(&l, image, all_types[i]);
        else
            add_brokers(&l, image, all_types[i]);
    }
    request_finish(r, out);
}
