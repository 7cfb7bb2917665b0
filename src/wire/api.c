#include "wire/api.h"

const struct api *api_find(int16_t key) {
    /* The keys have no gaps today; if a release leaves some, the table is still in their order. */
    if (key >= 0 && key < apis_n && apis[key].key == key) return &apis[key];
    for (int i = 0; i < apis_n; i++)
        if (apis[i].key == key) return &apis[i];
    return NULL;
}

static bool is_flexible(int16_t key, int16_t version) {
    const struct api *a = api_find(key);
    return a && version >= a->flexible;
}

int16_t api_request_header_version(int16_t key, int16_t version) { return is_flexible(key, version) ? 2 : 1; }

int16_t api_response_header_version(int16_t key, int16_t version) {
    return key != API_API_VERSIONS && is_flexible(key, version);
}
