/* DescribeClientQuotas: the entities of the metadata that a filter matches (ClientQuotasImage.describe). */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/describe_client_quotas.h"
#include "metadata/image.h"

enum { MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY };

static const char *const types[] = {"user", "client-id", "ip"};
enum { TYPES = sizeof types / sizeof *types };

/* What is asked of one type; NULL: nothing. */
struct filter {
    const struct describe_client_quotas_request_component_data *of[TYPES];
    int32_t n;
    bool strict;
};

/* ---- the filter ---- */

static bool refuse(struct describe_client_quotas_response *out, int16_t code, const char *message) {
    out->error_code = code;
    out->error_message = kstr_of(message);
    out->entries_n = -1;
    return false;
}

static bool check_match(const struct describe_client_quotas_request_component_data *in, struct arena *a,
                        struct describe_client_quotas_response *out) {
    if (in->match_type == MATCH_EXACT && in->match.len < 0)
        return refuse(out, KERR_INVALID_REQUEST,
                      "Request specified MATCH_TYPE_EXACT, but set match string to null.");
    if (in->match_type == MATCH_DEFAULT && in->match.len >= 0)
        return refuse(out, KERR_INVALID_REQUEST,
                      "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
    if (in->match_type == MATCH_ANY && in->match.len >= 0)
        return refuse(out, KERR_INVALID_REQUEST,
                      "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
    if (in->match_type < MATCH_EXACT || in->match_type > MATCH_ANY)
        return refuse(out, KERR_INVALID_REQUEST, arena_printf(a, "Unknown match type %d", in->match_type));
    return true;
}

static bool add(struct filter *f, const struct describe_client_quotas_request_component_data *in,
                struct arena *a, struct describe_client_quotas_response *out) {
    struct kstr type = in->entity_type;
    int at = 0;
    while (at < TYPES && !kstr_is(type, types[at])) at++;
    if (!type.len) return refuse(out, KERR_INVALID_REQUEST, "Invalid empty entity type.");
    if (at == TYPES)
        return refuse(out, KERR_UNSUPPORTED_VERSION,
                      arena_printf(a, "Unsupported entity type %.*s", type.len, type.s));
    if (f->of[at])
        return refuse(
            out, KERR_INVALID_REQUEST,
            arena_printf(a, "Entity type %s cannot appear more than once in the filter.", types[at]));
    if (!check_match(in, a, out)) return false;
    f->of[at] = in;
    f->n++;
    return true;
}

static bool read_filter(struct filter *f, const struct describe_client_quotas_request *in, struct arena *a,
                        struct describe_client_quotas_response *out) {
    *f = (struct filter){.strict = in->strict};
    for (int32_t i = 0; i < in->components_n; i++)
        if (!add(f, &in->components[i], a, out)) return false;
    if (f->of[2] && f->n > 1)
        return refuse(out, KERR_INVALID_REQUEST,
                      "Invalid entity filter component combination. IP filter component should not be used "
                      "with user or clientId filter component.");
    return true;
}

/* ---- entities ---- */

static bool matches(const struct filter *f, const struct quota_entity *q) {
    if (f->strict && q->parts_n != f->n) return false;
    for (int t = 0; t < TYPES; t++) {
        const struct quota_part *part = NULL;
        for (int32_t i = 0; i < q->parts_n; i++)
            if (!strcmp(q->parts[i].type, types[t])) part = &q->parts[i];
        if (!f->of[t]) continue;
        if (!part) return false;
        if (f->of[t]->match_type == MATCH_DEFAULT && part->name) return false;
        if (f->of[t]->match_type == MATCH_EXACT && !(part->name && kstr_is(f->of[t]->match, part->name)))
            return false;
    }
    return true;
}

static bool fill(struct request *r, struct describe_client_quotas_response_entry_data *to,
                 const struct quota_entity *q) {
    describe_client_quotas_response_entry_data_init(to);
    to->entity = request_array(r, (size_t)q->parts_n, sizeof *to->entity);
    to->values = request_array(r, (size_t)q->values_n, sizeof *to->values);
    if (!to->entity || !to->values) return false;
    for (; to->entity_n < q->parts_n; to->entity_n++)
        to->entity[to->entity_n] = (struct describe_client_quotas_response_entity_data){
            .entity_type = kstr_of(q->parts[to->entity_n].type),
            .entity_name = kstr_of(q->parts[to->entity_n].name)};
    for (; to->values_n < q->values_n; to->values_n++)
        to->values[to->values_n] = (struct describe_client_quotas_response_value_data){
            .key = kstr_of(q->values[to->values_n].key), .value = q->values[to->values_n].value};
    return true;
}

void handle_describe_client_quotas(struct request *r, const struct describe_client_quotas_request *in) {
    struct describe_client_quotas_response *out = request_alloc(r, sizeof *out);
    struct filter f;
    bool room = true;
    describe_client_quotas_response_init(out);
    if (!read_filter(&f, in, &r->arena, out)) {
        request_finish(r, out);
        return;
    }
    const struct image *image = request_image(r);
    out->entries = request_array(r, image->quotas.count, sizeof *out->entries);
    struct pmap_iter it;
    pmap_iterate(&image->quotas, &it);
    for (const struct quota_entity *q; (room = room && out->entries) && (q = pmap_next(&it));)
        if (matches(&f, q)) room = fill(r, &out->entries[out->entries_n++], q);
    if (room)
        request_finish(r, out);
    else
        request_fail(r, "the answer is too large for its memory");
}
