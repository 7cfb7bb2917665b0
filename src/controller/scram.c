/* AlterUserScramCredentials (ScramControlManager; KIP-554). A user may be altered once in a request; each is
 * answered once, in the order in which they are first named. The client sends the salted password; what is
 * kept are the two keys that come of it. */
#include "api/alter_user_scram_credentials.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "controller/state.h"
#include "metadata/scram.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <string.h>

enum { MAX_ITERATIONS = 16384 };

struct user {
    struct kstr name;
    struct api_error error;
    const struct alter_user_scram_credentials_request_scram_credential_deletion *deletion;
    const struct alter_user_scram_credentials_request_scram_credential_upsertion *upsertion;
};

struct work {
    struct controller *c;
    struct arena *arena;
    struct record_list *records;
    struct user *users;
    int32_t n;
    struct hashmap by_name;
};

static struct api_error check_name(struct kstr name, int8_t mechanism) {
    if (name.len <= 0) return (struct api_error){KERR_UNACCEPTABLE_CREDENTIAL, "Username must not be empty"};
    if (memchr(name.s, 0, (size_t)name.len)) /* ours: names end with a NUL in an image */
        return (struct api_error){KERR_UNACCEPTABLE_CREDENTIAL, "Username must not have a NUL"};
    if (!scram_mechanism_known(mechanism))
        return (struct api_error){KERR_UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"};
    return API_OK;
}

static struct api_error check_deletion(struct work *w, const struct user *u) {
    struct api_error e = check_name(u->name, u->deletion->mechanism);
    if (api_failed(e)) return e;
    if (!image_scram(w->c->image, u->deletion->mechanism, u->name.s, (size_t)u->name.len))
        return (struct api_error){KERR_RESOURCE_NOT_FOUND,
                                  "Attempt to delete a user credential that does not exist"};
    return API_OK;
}

static struct api_error check_upsertion(const struct user *u) {
    struct api_error e = check_name(u->name, u->upsertion->mechanism);
    if (api_failed(e)) return e;
    if (u->upsertion->iterations < SCRAM_MIN_ITERATIONS)
        return (struct api_error){KERR_UNACCEPTABLE_CREDENTIAL, "Too few iterations"};
    if (u->upsertion->iterations > MAX_ITERATIONS)
        return (struct api_error){KERR_UNACCEPTABLE_CREDENTIAL, "Too many iterations"};
    return API_OK;
}

/* The user of that name, new or named before. */
static struct user *named(struct work *w, struct kstr name, bool *before) {
    uintptr_t at = (uintptr_t)hashmap_get(&w->by_name, name.s ? name.s : "", (size_t)name.len);
    *before = at > 0;
    if (at > 0) return &w->users[at - 1];
    struct user *u = &w->users[w->n++];
    u->name = name;
    hashmap_put(&w->by_name, name.s ? name.s : "", (size_t)name.len, (void *)(uintptr_t)w->n);
    return u;
}

static void twice(struct user *u) {
    u->deletion = NULL;
    u->upsertion = NULL;
    if (!api_failed(u->error))
        u->error = (struct api_error){KERR_DUPLICATE_RESOURCE,
                                      "A user credential cannot be altered twice in the same request"};
}

static void finish(struct work *w, struct user *u) {
    if (u->deletion) {
        struct remove_user_scram_credential_record rec = {u->name, u->deletion->mechanism};
        record_add_remove_user_scram_credential(w->records, 0, &rec);
    }
    if (!u->upsertion) return;
    uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
    int32_t len = scram_keys(u->upsertion->mechanism, u->upsertion->salted_password.p,
                             u->upsertion->salted_password.len, stored, server);
    if (len == 0) {
        u->error = (struct api_error){KERR_UNKNOWN_SERVER_ERROR, "An empty salted password"};
        return;
    }
    struct user_scram_credential_record rec = {.name = u->name,
                                               .mechanism = u->upsertion->mechanism,
                                               .salt = u->upsertion->salt,
                                               .stored_key = {stored, len},
                                               .server_key = {server, len},
                                               .iterations = u->upsertion->iterations};
    record_add_user_scram_credential(w->records, 0, &rec);
}

static void collect(struct work *w, const struct alter_user_scram_credentials_request *request) {
    static const struct api_error old = {KERR_UNSUPPORTED_VERSION,
                                         "The current metadata.version does not support SCRAM"};
    bool supported = w->c->image->metadata_version >= MV_3_5_IV2, before;
    for (int32_t i = 0; i < request->deletions_n; i++) {
        struct user *u = named(w, request->deletions[i].name, &before);
        if (before) {
            twice(u);
            continue;
        }
        u->deletion = &request->deletions[i];
        u->error = supported ? check_deletion(w, u) : old;
        if (api_failed(u->error)) u->deletion = NULL;
    }
    for (int32_t i = 0; i < request->upsertions_n; i++) {
        struct user *u = named(w, request->upsertions[i].name, &before);
        if (before) {
            twice(u);
            continue;
        }
        u->upsertion = &request->upsertions[i];
        u->error = supported ? check_upsertion(u) : old;
        if (api_failed(u->error)) u->upsertion = NULL;
    }
}

void controller_alter_scram(struct controller *c, const struct controller_context *x,
                            const struct alter_user_scram_credentials_request *request,
                            struct alter_user_scram_credentials_response *response,
                            struct record_list *records) {
    alter_user_scram_credentials_response_init(response);
    size_t most = (size_t)request->deletions_n + (size_t)request->upsertions_n;
    struct work w = {.c = c, .arena = x->arena, .records = records};
    w.users = arena_calloc(x->arena, most, sizeof *w.users);
    response->results = arena_calloc(x->arena, most, sizeof *response->results);
    if (!w.users || !response->results) return; /* the server's limit of memory: nothing was done */
    hashmap_init(&w.by_name, c->config.seed);
    collect(&w, request);
    hashmap_free(&w.by_name);
    records->atomic = true;
    for (int32_t i = 0; i < w.n; i++) {
        struct user *u = &w.users[i];
        finish(&w, u);
        struct alter_user_scram_credentials_response_alter_user_scram_credentials_result *to =
            &response->results[response->results_n++];
        alter_user_scram_credentials_response_alter_user_scram_credentials_result_init(to);
        to->user = u->name;
        to->error_code = u->error.code;
        to->error_message = kstr_of(u->error.message);
    }
}
