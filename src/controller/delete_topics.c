/* DeleteTopics, by name and by id (ControllerApis.deleteTopics, ReplicationControlManager.deleteTopic). The
 * reference shuffles its answers so that their order does not tell absent topics from forbidden ones; here
 * they keep the order of the request. */
#include "api/delete_topics.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "controller/state.h"
#include "records/metadata.h"

#include <string.h>

/* One topic as the request names it, in all versions. */
struct wanted {
    struct kstr name; /* len -1: by id */
    struct uuid id;
};

struct work {
    struct controller *c;
    const struct controller_context *x;
    struct record_list *records;
    struct delete_topics_response *response;
    struct hashmap names, ids; /* how often each name and id was given */
};

static void answer(struct work *w, struct kstr name, const struct uuid *id, struct api_error e) {
    struct delete_topics_response_deletable_topic_result *to =
        &w->response->responses[w->response->responses_n++];
    delete_topics_response_deletable_topic_result_init(to);
    to->name = name;
    if (id) to->topic_id = *id;
    to->error_code = e.code;
    to->error_message = kstr_of(e.message);
}

static void count(struct hashmap *m, const void *key, size_t len) {
    uintptr_t times = (uintptr_t)hashmap_get(m, key, len);
    hashmap_put(m, key, len, (void *)(times + 1));
}

static struct api_error remove_topic(struct work *w, const struct topic *t) {
    if (w->x->mutate && !w->x->mutate(w->x->ctx, t->partitions_n))
        return (struct api_error){KERR_THROTTLING_QUOTA_EXCEEDED, NULL};
    record_add_remove_topic(w->records, 0, &(struct remove_topic_record){.topic_id = t->id});
    return API_OK;
}

static bool allowed(const struct work *w, const struct topic *t) {
    return !w->x->allowed || w->x->allowed(w->x->ctx, t->name, (size_t)t->name_len);
}

static void delete_by_id(struct work *w, const struct wanted *q) {
    const struct topic *t = image_topic_by_id(w->c->image, &q->id);
    uintptr_t times = (uintptr_t)hashmap_del(&w->ids, q->id.b, sizeof q->id.b);
    if (times == 0) return; /* answered with its first */
    if (times > 1)
        return answer(w, KSTR_NULL, &q->id, (struct api_error){KERR_INVALID_REQUEST, "Duplicate topic id."});
    if (!t) return answer(w, KSTR_NULL, &q->id, api_error_of(KERR_UNKNOWN_TOPIC_ID));
    if (!allowed(w, t)) return answer(w, KSTR_NULL, &q->id, api_error_of(KERR_TOPIC_AUTHORIZATION_FAILED));
    uintptr_t named = (uintptr_t)hashmap_get(&w->names, t->name, (size_t)t->name_len);
    if (named == 1) return; /* given by name, too: that one says so */
    struct kstr name = {arena_strndup(w->x->arena, t->name, (size_t)t->name_len), t->name_len};
    answer(w, name.s ? name : KSTR_NULL, &q->id, remove_topic(w, t));
}

static void delete_by_name(struct work *w, const struct wanted *q, const struct hashmap *given_ids) {
    const struct topic *t = image_topic_by_name(w->c->image, q->name.s, (size_t)q->name.len);
    uintptr_t times = (uintptr_t)hashmap_del(&w->names, q->name.s, (size_t)q->name.len);
    if (times == 0) return;
    if (times > 1)
        return answer(w, q->name, NULL, (struct api_error){KERR_INVALID_REQUEST, "Duplicate topic name."});
    bool may = !w->x->allowed || w->x->allowed(w->x->ctx, q->name.s, (size_t)q->name.len);
    if (!may) return answer(w, q->name, NULL, api_error_of(KERR_TOPIC_AUTHORIZATION_FAILED));
    if (!t) return answer(w, q->name, NULL, api_error_of(KERR_UNKNOWN_TOPIC_OR_PARTITION));
    if (hashmap_get(given_ids, t->id.b, sizeof t->id.b))
        return answer(w, q->name, &t->id,
                      (struct api_error){KERR_INVALID_REQUEST,
                                         "The provided topic name maps to an ID that was already supplied."});
    answer(w, q->name, &t->id, remove_topic(w, t));
}

static void delete_all(struct work *w, const struct wanted *q, int32_t n) {
    struct hashmap given_ids;
    hashmap_init(&given_ids, random_u64(&w->c->random));
    for (int32_t k = 0; k < n; k++) {
        if (q[k].name.len >= 0 && uuid_is_zero(&q[k].id))
            count(&w->names, q[k].name.s, (size_t)q[k].name.len);
        if (q[k].name.len >= 0 || uuid_is_zero(&q[k].id)) continue;
        count(&w->ids, q[k].id.b, sizeof q[k].id.b);
        count(&given_ids, q[k].id.b, sizeof q[k].id.b);
    }
    for (int32_t k = 0; k < n; k++) {
        bool zero = uuid_is_zero(&q[k].id);
        if (q[k].name.len < 0 && zero)
            answer(w, KSTR_NULL, NULL,
                   (struct api_error){KERR_INVALID_REQUEST, "Neither topic name nor id were specified."});
        else if (q[k].name.len >= 0 && !zero)
            answer(w, q[k].name, &q[k].id,
                   (struct api_error){KERR_INVALID_REQUEST,
                                      "You may not specify both topic name and topic id."});
        else if (q[k].name.len < 0)
            delete_by_id(w, &q[k]);
    }
    for (int32_t k = 0; k < n; k++)
        if (q[k].name.len >= 0 && uuid_is_zero(&q[k].id)) delete_by_name(w, &q[k], &given_ids);
    hashmap_free(&given_ids);
}

void controller_delete_topics(struct controller *c, const struct controller_context *x, int16_t version,
                              const struct delete_topics_request *request,
                              struct delete_topics_response *response, struct record_list *records) {
    delete_topics_response_init(response);
    int32_t names_n = request->topic_names_n > 0 ? request->topic_names_n : 0;
    int32_t topics_n = request->topics_n > 0 ? request->topics_n : 0;
    int32_t n = names_n + topics_n;
    struct wanted *q = arena_calloc(x->arena, (size_t)n, sizeof *q);
    response->responses = arena_calloc(x->arena, (size_t)n, sizeof *response->responses);
    if (n == 0 || !q || !response->responses) return;
    for (int32_t k = 0; k < names_n; k++) q[k].name = request->topic_names[k];
    for (int32_t k = 0; k < topics_n; k++)
        q[names_n + k] = (struct wanted){request->topics[k].name, request->topics[k].topic_id};
    struct work w = {.c = c, .x = x, .records = records, .response = response};
    hashmap_init(&w.names, random_u64(&c->random));
    hashmap_init(&w.ids, random_u64(&c->random));
    if (!c->config.delete_topic_enable) {
        int16_t code = version < 3 ? KERR_INVALID_REQUEST : KERR_TOPIC_DELETION_DISABLED;
        for (int32_t k = 0; k < n; k++) answer(&w, q[k].name, &q[k].id, (struct api_error){code, NULL});
    } else {
        delete_all(&w, q, n);
    }
    ASSERT(response->responses_n <= n);
    hashmap_free(&w.names);
    hashmap_free(&w.ids);
}
