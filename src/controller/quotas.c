/* AlterClientQuotas (ClientQuotaControlManager; the maps that AlterClientQuotasRequest makes of its lists).
 *
 * An entity changes as a whole or not at all, and may come once in a request. Where several things are wrong
 * with one, the reference names the first in the order of its hash maps: so parts and keys are looked at in
 * that order here, too (map_order). */
#include "api/alter_client_quotas.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "base/strbuf.h"
#include "controller/state.h"
#include "records/metadata.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCE_MAX = 64 << 10 };
#define WHOLE 9007199254740992.0 /* 2^53: numbers above have no fraction */

struct entry { /* of the request, its parts as a map: each type once */
    struct quota_part *parts;
    int32_t parts_n;
    char *text; /* as the reference prints it */
};

/* ---- maps ---- */

/* String.hashCode of ASCII, which the names of types and keys are; spread as HashMap does. */
static uint32_t map_hash(const char *s) {
    uint32_t h = 0;
    for (; *s; s++) h = h * 31 + (uint8_t)*s;
    return h ^ h >> 16;
}

/* The order in which a HashMap made for `room` names them, `n` different ones: by bucket, then as they came.
 * order[]: their places. */
static void map_order(const char *const *names, int32_t n, int32_t room, int32_t *order) {
    uint32_t cap = 1;
    while (cap < (uint32_t)room) cap *= 2;
    for (int32_t size = 1; size <= n; size++)
        if ((double)size > (double)(uint32_t)(cap * 0.75)) cap *= 2;
    for (int32_t i = 0; i < n; i++) {
        uint32_t bucket = map_hash(names[i]) & (cap - 1);
        int32_t at = i;
        for (; at > 0 && (map_hash(names[order[at - 1]]) & (cap - 1)) > bucket; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static bool in_map_order(struct quota_part *parts, int32_t n, int32_t room, struct arena *a) {
    const char **names = arena_calloc(a, (size_t)n + 1, sizeof *names);
    int32_t *order = arena_calloc(a, (size_t)n + 1, sizeof *order);
    struct quota_part *copy = arena_memdup(a, parts, (size_t)n * sizeof *parts);
    if (!names || !order || !copy) return false;
    for (int32_t i = 0; i < n; i++) names[i] = parts[i].type;
    map_order(names, n, room, order);
    for (int32_t i = 0; i < n; i++) parts[i] = copy[order[i]];
    return true;
}

static const char *text_of(struct arena *a, struct kstr s) {
    return arena_strndup(a, s.s ? s.s : "", s.len > 0 ? (size_t)s.len : 0);
}

/* Of two parts of a type the later one counts. False: no memory. */
static bool read_entity(const struct alter_client_quotas_request_entry_data *in, struct entry *e,
                        struct arena *a) {
    struct hashmap places;
    bool ok = true;
    hashmap_init(&places, 0);
    e->parts = arena_calloc(a, (size_t)in->entity_n + 1, sizeof *e->parts);
    for (int32_t i = 0; (ok = ok && e->parts) && i < in->entity_n; i++) {
        const char *type = text_of(a, in->entity[i].entity_type);
        const char *name = in->entity[i].entity_name.len < 0 ? NULL : text_of(a, in->entity[i].entity_name);
        ok = type && (name || in->entity[i].entity_name.len < 0);
        if (!ok) break;
        uintptr_t at = (uintptr_t)hashmap_get(&places, type, strlen(type));
        if (!at) hashmap_put(&places, type, strlen(type), (void *)(at = (uintptr_t)++e->parts_n));
        e->parts[at - 1] = (struct quota_part){type, name};
    }
    hashmap_free(&places);
    return ok && in_map_order(e->parts, e->parts_n, in->entity_n, a);
}

static bool print_entity(struct entry *e, struct arena *a) {
    struct strbuf text;
    strbuf_init(&text, SENTENCE_MAX);
    strbuf_adds(&text, "ClientQuotaEntity(entries={");
    for (int32_t i = 0; i < e->parts_n; i++)
        strbuf_addf(&text, "%s%s=%s", i ? ", " : "", e->parts[i].type,
                    e->parts[i].name ? e->parts[i].name : "null");
    strbuf_adds(&text, "})");
    e->text = arena_strndup(a, strbuf_str(&text), text.len);
    strbuf_free(&text);
    return e->text != NULL;
}

static int by_type(const void *a, const void *b) {
    return strcmp(((const struct quota_part *)a)->type, ((const struct quota_part *)b)->type);
}

/* Names an entity whatever the order of its parts. */
static void *entity_key(const struct entry *e, struct arena *a, size_t *len) {
    struct quota_part *parts = arena_memdup(a, e->parts, (size_t)e->parts_n * sizeof *parts);
    if (!parts) return NULL;
    qsort(parts, (size_t)e->parts_n, sizeof *parts, by_type);
    return (void *)(uintptr_t)image_quota_key(parts, e->parts_n, a, len);
}

/* ---- checks ---- */

static const struct {
    const char *name;
    bool of_address; /* else of users and client ids */
    double most;     /* 0: any, and fractions too */
    const char *type;
} quota_keys[] = {{"producer_byte_rate", false, 9223372036854775807.0, "a LONG"},
                  {"consumer_byte_rate", false, 9223372036854775807.0, "a LONG"},
                  {"request_percentage", false, 0, ""},
                  {"controller_mutation_rate", false, 0, ""},
                  {"connection_creation_rate", true, INT32_MAX, "an INT"}};

static struct api_error check_value(const char *key, double value, bool of_address, struct arena *a) {
    size_t i = 0, n = sizeof quota_keys / sizeof *quota_keys;
    while (i < n && (strcmp(quota_keys[i].name, key) != 0 || quota_keys[i].of_address != of_address)) i++;
    if (i == n) return api_error_printf(a, KERR_INVALID_REQUEST, "Invalid configuration key %s", key);
    if (value <= 0) return api_error_printf(a, KERR_INVALID_REQUEST, "Quota %s must be greater than 0", key);
    if (quota_keys[i].most > 0 && value > quota_keys[i].most)
        return api_error_printf(a, KERR_INVALID_REQUEST, "Proposed value for %s is too large for %s.", key,
                                quota_keys[i].type);
    if (quota_keys[i].most > 0 && value < WHOLE && value - (double)(int64_t)value > 1e-6)
        return api_error_printf(a, KERR_INVALID_REQUEST, "%s cannot be a fractional value.", key);
    return API_OK;
}

static const struct quota_part *part_of(const struct entry *e, const char *type) {
    for (int32_t i = 0; i < e->parts_n; i++)
        if (!strcmp(e->parts[i].type, type)) return &e->parts[i];
    return NULL;
}

static struct api_error check_entity(const struct controller *c, const struct entry *e, struct arena *a) {
    static const struct api_error empty = {KERR_INVALID_REQUEST, "Invalid empty client quota entity"};
    if (!e->parts_n) return empty;
    for (int32_t i = 0; i < e->parts_n; i++) {
        const struct quota_part *p = &e->parts[i];
        if (strcmp(p->type, "user") != 0 && strcmp(p->type, "client-id") != 0 && strcmp(p->type, "ip") != 0)
            return api_error_printf(a, KERR_INVALID_REQUEST, "Unhandled client quota entity type: %s",
                                    p->type);
        if (p->name && !*p->name)
            return api_error_printf(a, KERR_INVALID_REQUEST, "Empty %s not supported", p->type);
    }
    const struct quota_part *ip = part_of(e, "ip");
    if (!ip) return API_OK;
    if (e->parts_n > 1)
        return (struct api_error){KERR_INVALID_REQUEST, "Invalid quota entity combination, IP entity should"
                                                        "not be combined with User or ClientId"};
    const struct controller_hooks *h = &c->config.hooks;
    if (ip->name && h->is_host && !h->is_host(h->ctx, ip->name))
        return api_error_printf(a, KERR_INVALID_REQUEST, "%s is not a valid IP or resolvable host.",
                                ip->name);
    return API_OK;
}

/* ---- one entity ---- */

static const struct quota_value *value_of(const struct quota_entity *q, const char *key) {
    for (int32_t i = 0; q && i < q->values_n; i++)
        if (!strcmp(q->values[i].key, key)) return &q->values[i];
    return NULL;
}

static void add_record(const struct entry *e, const char *key, bool remove, double value,
                       struct record_list *records) {
    struct client_quota_record rec;
    client_quota_record_init(&rec);
    rec.entity = arena_calloc(&records->arena, (size_t)e->parts_n, sizeof *rec.entity);
    if (!rec.entity) {
        records->failed = true;
        return;
    }
    for (; rec.entity_n < e->parts_n; rec.entity_n++)
        rec.entity[rec.entity_n] =
            (struct client_quota_record_entity_data){.entity_type = kstr_of(e->parts[rec.entity_n].type),
                                                     .entity_name = kstr_of(e->parts[rec.entity_n].name)};
    rec.key = kstr_of(key);
    rec.remove = remove;
    rec.value = value;
    record_add_client_quota(records, 0, &rec);
}

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

/* Adds the records of one key; what is as it should be needs none. */
static struct api_error change_key(const struct entry *e, const struct quota_entity *have,
                                   const struct alter_client_quotas_request_op_data *op, const char *key,
                                   struct arena *a, struct record_list *records) {
    const struct quota_value *before = value_of(have, key);
    if (op->remove) {
        if (before) add_record(e, key, true, 0, records);
        return API_OK;
    }
    struct api_error error = check_value(key, op->value, part_of(e, "ip") != NULL, a);
    if (!api_failed(error) && !(before && same_number(before->value, op->value)))
        add_record(e, key, false, op->value, records);
    return error;
}

/* The keys of the changes, each once, in *keys; false: some key comes twice, or no memory (then *keys is
 * NULL).
 */
static bool read_keys(const struct alter_client_quotas_request_entry_data *in, const char ***keys,
                      int32_t **order, struct arena *a) {
    struct hashmap seen;
    bool once = true;
    *keys = arena_calloc(a, (size_t)in->ops_n + 1, sizeof **keys);
    *order = arena_calloc(a, (size_t)in->ops_n + 1, sizeof **order);
    hashmap_init(&seen, 0);
    for (int32_t i = 0; *keys && once && i < in->ops_n; i++) {
        const char *key = (*keys)[i] = text_of(a, in->ops[i].key);
        if (!key)
            *keys = NULL;
        else
            once = !hashmap_put(&seen, key, strlen(key), &seen);
    }
    hashmap_free(&seen);
    if (!*keys || !*order) return *keys = NULL, false;
    if (once) map_order(*keys, in->ops_n, in->ops_n, *order);
    return once;
}

static struct api_error alter_entity(struct controller *c,
                                     const struct alter_client_quotas_request_entry_data *in,
                                     const struct entry *e, const void *key, size_t key_len, struct arena *a,
                                     struct record_list *records) {
    const char **keys;
    int32_t *order, before = records->n;
    if (!read_keys(in, &keys, &order, a)) {
        if (!keys) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
        return api_error_printf(a, KERR_INVALID_REQUEST, "Ignoring duplicate entity %s", e->text);
    }
    struct api_error error = check_entity(c, e, a);
    const struct quota_entity *have = pmap_get(&c->image->quotas, key, key_len);
    for (int32_t i = 0; i < in->ops_n && !api_failed(error); i++)
        error = change_key(e, have, &in->ops[order[i]], keys[order[i]], a, records);
    if (api_failed(error)) record_list_truncate(records, before);
    return error;
}

/* ---- the request ---- */

static bool answer(struct alter_client_quotas_response_entry_data *to, const struct entry *e,
                   struct api_error error, struct arena *a) {
    to->error_code = error.code;
    to->error_message = kstr_of(error.message);
    if (to->entity) return true;
    to->entity = arena_calloc(a, (size_t)e->parts_n + 1, sizeof *to->entity);
    for (int32_t i = 0; to->entity && i < e->parts_n; i++)
        to->entity[to->entity_n++] = (struct alter_client_quotas_response_entity_data){
            .entity_type = kstr_of(e->parts[i].type), .entity_name = kstr_of(e->parts[i].name)};
    return to->entity != NULL;
}

static bool alter_one(struct controller *c, const struct alter_client_quotas_request_entry_data *in,
                      struct hashmap *seen, struct arena *a, struct alter_client_quotas_response *response,
                      struct record_list *records) {
    struct entry e = {0};
    size_t len = 0;
    if (!read_entity(in, &e, a) || !print_entity(&e, a)) return false;
    void *key = entity_key(&e, a, &len);
    if (!key) return false;
    struct alter_client_quotas_response_entry_data *to = hashmap_get(seen, key, len);
    if (to)
        return answer(to, &e,
                      api_error_printf(a, KERR_INVALID_REQUEST, "Ignoring duplicate entity %s", e.text), a);
    to = &response->entries[response->entries_n++];
    alter_client_quotas_response_entry_data_init(to);
    hashmap_put(seen, key, len, to);
    return answer(to, &e, alter_entity(c, in, &e, key, len, a, records), a);
}

void controller_alter_client_quotas(struct controller *c, const struct controller_context *x,
                                    const struct alter_client_quotas_request *request,
                                    struct alter_client_quotas_response *response,
                                    struct record_list *records) {
    struct hashmap seen;
    alter_client_quotas_response_init(response);
    records->atomic = true;
    response->entries = arena_calloc(x->arena, (size_t)request->entries_n + 1, sizeof *response->entries);
    bool room = response->entries != NULL;
    hashmap_init(&seen, random_u64(&c->random));
    for (int32_t i = 0; room && i < request->entries_n; i++)
        room = alter_one(c, &request->entries[i], &seen, x->arena, response, records);
    hashmap_free(&seen);
    bool too_large = records->n > MAX_RECORDS_PER_OP, failed = records->failed || !room;
    if (request->validate_only || too_large || failed) record_list_truncate(records, 0);
    if (!too_large && !failed) return;
    struct api_error all = api_error_of(too_large ? KERR_POLICY_VIOLATION : KERR_UNKNOWN_SERVER_ERROR);
    for (int32_t i = 0; i < response->entries_n; i++)
        answer(&response->entries[i], &(struct entry){0}, all, x->arena);
}
