/* The table of handlers: what api_list.h names, with its generated decoder and encoder behind functions of
 * one type. */
#include <string.h>

#include "base/assert.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "wire/api.h"
#include "wire/reader.h"
#include "wire/writer.h"
#include "server/api_headers.h"

#define API(key, name, flags)                                                                                \
    static int decode_##name(void *in, struct reader *from, int16_t version, struct arena *a) {              \
        return name##_request_decode(in, from, version, a);                                                  \
    }                                                                                                        \
    static int encode_##name(const void *out, struct writer *to, int16_t version) {                          \
        return name##_response_encode(out, to, version);                                                     \
    }                                                                                                        \
    static void run_##name(struct request *r, void *in) { handle_##name(r, in); }
#include "server/api_list.h"
#undef API

static struct handler table[HANDLER_KEYS] = {
#define API(api_key, name, api_flags)                                                                        \
    [API_##api_key] = {#name,                                                                                \
                       sizeof(struct name##_request),                                                        \
                       decode_##name,                                                                        \
                       encode_##name,                                                                        \
                       run_##name,                                                                           \
                       api_flags,                                                                            \
                       API_##api_key,                                                                        \
                       0,                                                                                    \
                       0,                                                                                    \
                       0,                                                                                    \
                       -1},
#include "server/api_list.h"
#undef API
};

static int throttle_at(const struct shape *response) {
    for (int i = 0; i < response->n; i++)
        if (!strcmp(response->fields[i].name, "throttleTimeMs")) return response->fields[i].offset;
    return -1;
}

void handlers_init(bool unstable) {
    for (int key = 0; key < HANDLER_KEYS; key++) {
        if (!table[key].handle) continue;
        const struct api *api = api_find((int16_t)key);
        ASSERT(api && api->listeners & API_BROKER);
        table[key].min_version = api->first;
        table[key].max_version = unstable ? api->last : api->stable;
        table[key].flexible = api->flexible;
        table[key].throttle_at = throttle_at(api->response->shape);
    }
}

const struct handler *handler_find(int16_t key) {
    return key >= 0 && key < HANDLER_KEYS && table[key].handle ? &table[key] : NULL;
}
