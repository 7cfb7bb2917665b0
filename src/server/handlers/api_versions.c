/* ApiVersions: what is served, and the features of the cluster. A client of an unknown version learns in
 * version 0 what there is, with UNSUPPORTED_VERSION (KIP-511). The software's name and version are kept for
 * the connection. */
#include "server/handlers/handlers.h"

#include <ctype.h>
#include <stdlib.h>

#include "api/api_versions.h"
#include "base/mem.h"
#include "metadata/version.h"
#include "server/connection.h"
#include "server/node.h"
#include "wire/api.h"

enum { FIRST_VERSION_WITH_LEVEL_0 = 4 };

/* ApiVersionsRequest.isValid: letters, digits, '.' and '-', beginning and ending with a letter or digit. */
static bool valid_name(struct kstr s) {
    if (s.len <= 0 || !isalnum((unsigned char)s.s[0]) || !isalnum((unsigned char)s.s[s.len - 1]))
        return false;
    for (int32_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.s[i]) && s.s[i] != '.' && s.s[i] != '-') return false;
    return true;
}

static void list_apis(struct request *r, struct api_versions_response *out) {
    out->api_keys = request_array(r, HANDLER_KEYS, sizeof *out->api_keys);
    for (int16_t key = 0; out->api_keys && key < HANDLER_KEYS; key++) {
        const struct handler *h = handler_find(key);
        if (!h) continue;
        struct api_versions_response_api_version *a = &out->api_keys[out->api_keys_n++];
        api_versions_response_api_version_init(a);
        a->api_key = key;
        /* Older clients take a broker without Produce v0 for one that they cannot speak to (KAFKA-18659). */
        a->min_version = key == API_PRODUCE ? 0 : h->min_version;
        a->max_version = h->max_version;
    }
}

static void add_supported(struct api_versions_response *out, const char *name, int16_t min, int16_t max) {
    struct api_versions_response_supported_feature_key *k =
        &out->supported_features[out->supported_features_n++];
    *k = (struct api_versions_response_supported_feature_key){
        .name = kstr_of(name), .min_version = min, .max_version = max};
}

static void add_finalized(struct api_versions_response *out, struct feature_level f) {
    struct api_versions_response_finalized_feature_key *k =
        &out->finalized_features[out->finalized_features_n++];
    api_versions_response_finalized_feature_key_init(k);
    k->name = kstr_of(f.name);
    k->max_version_level = k->min_version_level = f.level;
}

static void list_features(struct request *r, struct api_versions_response *out) {
    const struct image *image = request_image(r);
    int32_t n = image_features_n(image);
    out->finalized_features_epoch = image->offset;
    out->finalized_features = request_array(r, (size_t)n + 1, sizeof *out->finalized_features);
    for (int32_t i = 0; out->finalized_features && i < n; i++) add_finalized(out, image_feature_at(image, i));
    if (out->finalized_features && r->node->kraft_version > 0)
        add_finalized(out, (struct feature_level){KRAFT_VERSION, r->node->kraft_version});
    out->supported_features = request_array(r, (size_t)features_n + 1, sizeof *out->supported_features);
    if (!out->supported_features) return;
    add_supported(out, METADATA_VERSION, MV_FIRST, node_latest_mv(r->node));
    for (int i = 0; r->version >= FIRST_VERSION_WITH_LEVEL_0 && i < features_n;
         i++) /* older clients cannot read a least level of 0 */
        if (features[i].latest > 0) add_supported(out, features[i].name, 0, features[i].latest);
}

void handle_api_versions(struct request *r, const struct api_versions_request *in) {
    struct api_versions_response *out = request_alloc(r, sizeof *out);
    api_versions_response_init(out);
    if (r->state) { /* dispatch: a version that is not served */
        out->error_code = KERR_UNSUPPORTED_VERSION;
        out->api_keys = request_alloc(r, sizeof *out->api_keys);
        const struct handler *own = r->handler;
        *out->api_keys = (struct api_versions_response_api_version){
            .api_key = own->key, .min_version = own->min_version, .max_version = own->max_version};
        out->api_keys_n = 1;
        request_finish(r, out);
        return;
    }
    if (r->version >= 3 &&
        (!valid_name(in->client_software_name) || !valid_name(in->client_software_version))) {
        out->error_code = KERR_INVALID_REQUEST;
        request_finish(r, out);
        return;
    }
    if (r->version >= 3 && r->conn && !r->conn->software_name) {
        r->conn->software_name = xstrndup(in->client_software_name.s, (size_t)in->client_software_name.len);
        r->conn->software_version =
            xstrndup(in->client_software_version.s, (size_t)in->client_software_version.len);
    }
    list_apis(r, out);
    list_features(r, out);
    request_finish(r, out);
}
