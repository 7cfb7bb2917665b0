/* DescribeUserScramCredentials, from the image (ScramImage.describe): mechanisms and iterations, no keys. No
 * users asked for: all of them. */
#include "server/handlers/handlers.h"

#include "api/describe_user_scram_credentials.h"
#include "base/hashmap.h"
#include "metadata/image.h"
#include "metadata/scram.h"
#include "server/node.h"

#define RESULT struct describe_user_scram_credentials_response_describe_user_scram_credentials_result

struct work {
    struct request *r;
    struct describe_user_scram_credentials_response *out;
    struct hashmap seen; /* name → its place in the answer, plus one */
};

/* The result for a user of that name; before: it was there already. */
static RESULT *result_of(struct work *w, struct kstr name, bool *before) {
    const char *key = name.s ? name.s : "";
    uintptr_t at = (uintptr_t)hashmap_get(&w->seen, key, (size_t)name.len);
    *before = at > 0;
    if (at > 0) return &w->out->results[at - 1];
    RESULT *to = &w->out->results[w->out->results_n++];
    describe_user_scram_credentials_response_describe_user_scram_credentials_result_init(to);
    to->user = name;
    hashmap_put(&w->seen, key, (size_t)name.len, (void *)(uintptr_t)w->out->results_n);
    return to;
}

static void describe(struct work *w, RESULT *to) {
    const struct image *image = request_image(w->r);
    to->credential_infos = request_alloc(w->r, 2 * sizeof *to->credential_infos);
    for (int m = SCRAM_SHA_256; m <= SCRAM_SHA_512; m++) {
        const struct scram_credential *c =
            image_scram(image, (int8_t)m, to->user.s ? to->user.s : "", (size_t)to->user.len);
        if (c)
            to->credential_infos[to->credential_infos_n++] =
                (struct describe_user_scram_credentials_response_credential_info){(int8_t)m, c->iterations};
    }
    if (to->credential_infos_n > 0) return;
    to->error_code = KERR_RESOURCE_NOT_FOUND;
    to->error_message =
        kstr_of(arena_printf(&w->r->arena, "Attempt to describe a user credential that does not exist: %.*s",
                             (int)to->user.len, to->user.s ? to->user.s : ""));
}

static void collect(struct work *w, const struct describe_user_scram_credentials_request *in) {
    bool before;
    struct pmap_iter it;
    for (int32_t i = 0; i < in->users_n; i++) {
        RESULT *to = result_of(w, in->users[i].name, &before);
        if (!before || to->error_code) continue;
        to->error_code = KERR_DUPLICATE_RESOURCE;
        to->error_message = kstr_of(arena_printf(
            &w->r->arena,
            "Cannot describe SCRAM credentials for the same user twice in a single request: %.*s",
            (int)to->user.len, to->user.s ? to->user.s : ""));
    }
    if (in->users_n > 0) return;
    pmap_iterate(&request_image(w->r)->scram, &it);
    for (const struct scram_credential *c; (c = pmap_next(&it));) result_of(w, kstr_of(c->user), &before);
}

void handle_describe_user_scram_credentials(struct request *r,
                                            const struct describe_user_scram_credentials_request *in) {
    struct describe_user_scram_credentials_response *out = request_alloc(r, sizeof *out);
    describe_user_scram_credentials_response_init(out);
    struct work w = {.r = r, .out = out};
    size_t most = in->users_n > 0 ? (size_t)in->users_n : request_image(r)->scram.count;
    out->results = request_array(r, most, sizeof *out->results);
    if (!out->results) {
        request_fail(r, "DescribeUserScramCredentials: too many users");
        return;
    }
    hashmap_init(&w.seen, r->node->seed);
    collect(&w, in);
    hashmap_free(&w.seen);
    for (int32_t i = 0; i < out->results_n; i++)
        if (!out->results[i].error_code) describe(&w, &out->results[i]);
    request_finish(r, out);
}
