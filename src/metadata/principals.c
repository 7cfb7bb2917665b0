/* What the log says of users: client quotas, SCRAM credentials, ACLs, delegation tokens (ClientQuotasDelta,
 * ScramDelta, AclsDelta, DelegationTokenDelta of org.apache.kafka.image). Here they are kept and written
 * back; security/ and quota/ give them meaning. */
#include "base/assert.h"
#include "base/err.h"
#include "metadata/family.h"
#include "metadata/version.h"

#include <stdlib.h>
#include <string.h>

/* Client quotas */

static int by_type(const void *a, const void *b) {
    return strcmp(((const struct quota_part *)a)->type, ((const struct quota_part *)b)->type);
}

int quotas_replay(struct replay *r, const struct client_quota_record *q) {
    struct quota_part *parts = arena_calloc(&r->arena, (size_t)q->entity_n, sizeof *parts);
    ASSERT(parts);
    for (int32_t i = 0; i < q->entity_n; i++)
        parts[i] = (struct quota_part){replay_text(r, q->entity[i].entity_type),
                                       replay_text(r, q->entity[i].entity_name)};
    qsort(parts, (size_t)q->entity_n, sizeof *parts, by_type);
    struct quota_entity spec = {.parts = parts, .parts_n = q->entity_n};
    spec.key = image_quota_key(parts, q->entity_n, &r->arena, &spec.key_len);
    ASSERT(spec.key);
    const struct quota_entity *old = pmap_get(&r->image->quotas, spec.key, spec.key_len);
    int32_t n = old ? old->values_n : 0, to = 0;
    struct quota_value *v = arena_alloc(&r->arena, (size_t)(n + 1) * sizeof *v);
    ASSERT(v);
    const char *key = replay_text(r, q->key);
    bool placed = q->remove;
    for (int32_t i = 0; i <= n; i++) {
        int order = i < n ? strcmp(old->values[i].key, key) : 1;
        if (order >= 0 && !placed) {
            placed = true;
            v[to++] = (struct quota_value){key, q->value};
        }
        if (i < n && order != 0) v[to++] = old->values[i];
    }
    spec.values = v;
    spec.values_n = to;
    if (to > 0)
        pmap_put(&r->image->quotas, quota_entity_new(&spec));
    else
        pmap_del(&r->image->quotas, spec.key, spec.key_len);
    return 0;
}

void quotas_write(const struct image *i, struct record_list *to) {
    struct pmap_iter it;
    pmap_iterate(&i->quotas, &it);
    for (const struct quota_entity *q; (q = pmap_next(&it));) {
        struct client_quota_record_entity_data *e = arena_calloc(&to->arena, (size_t)q->parts_n, sizeof *e);
        ASSERT(e);
        for (int32_t k = 0; k < q->parts_n; k++) {
            e[k].entity_type = kstr_of(q->parts[k].type);
            e[k].entity_name = kstr_of(q->parts[k].name);
        }
        for (int32_t k = 0; k < q->values_n; k++) {
            struct client_quota_record rec = {.entity = e,
                                              .entity_n = q->parts_n,
                                              .key = kstr_of(q->values[k].key),
                                              .value = q->values[k].value};
            record_add_client_quota(to, 0, &rec);
        }
    }
}

/* SCRAM credentials */

int scram_replay(struct replay *r, const struct user_scram_credential_record *s) {
    struct scram_credential spec = {.mechanism = s->mechanism,
                                    .iterations = s->iterations,
                                    .user = replay_text(r, s->name),
                                    .salt = s->salt.p,
                                    .salt_len = s->salt.len,
                                    .stored_key = s->stored_key.p,
                                    .stored_key_len = s->stored_key.len,
                                    .server_key = s->server_key.p,
                                    .server_key_len = s->server_key.len};
    pmap_put(&r->image->scram, scram_credential_new(&spec));
    return 0;
}

int scram_replay_remove(struct replay *r, const struct remove_user_scram_credential_record *s) {
    const struct scram_credential *c = image_scram(r->image, s->mechanism, s->name.s, (size_t)s->name.len);
    if (!c) return OE_CORRUPT;
    pmap_del(&r->image->scram, c->key, c->key_len);
    return 0;
}

void scram_write(const struct image *i, struct record_list *to) {
    struct pmap_iter it;
    pmap_iterate(&i->scram, &it);
    for (const struct scram_credential *c; (c = pmap_next(&it));) {
        struct user_scram_credential_record rec = {.name = kstr_of(c->user),
                                                   .mechanism = c->mechanism,
                                                   .salt = {c->salt, c->salt_len},
                                                   .stored_key = {c->stored_key, c->stored_key_len},
                                                   .server_key = {c->server_key, c->server_key_len},
                                                   .iterations = c->iterations};
        record_add_user_scram_credential(to, 0, &rec);
    }
}

/* ACLs */

int acls_replay(struct replay *r, const struct access_control_entry_record *a) {
    struct acl spec = {.id = a->id,
                       .resource_type = a->resource_type,
                       .pattern_type = a->pattern_type,
                       .operation = a->operation,
                       .permission = a->permission_type,
                       .resource = replay_text(r, a->resource_name),
                       .principal = replay_text(r, a->principal),
                       .host = replay_text(r, a->host)};
    pmap_put(&r->image->acls, acl_new(&spec));
    return 0;
}

int acls_replay_remove(struct replay *r, const struct remove_access_control_entry_record *a) {
    if (!pmap_get(&r->image->acls, a->id.b, sizeof a->id.b)) return OE_CORRUPT;
    pmap_del(&r->image->acls, a->id.b, sizeof a->id.b);
    return 0;
}

void acls_write(const struct image *i, struct record_list *to) {
    struct pmap_iter it;
    pmap_iterate(&i->acls, &it);
    for (const struct acl *a; (a = pmap_next(&it));) {
        struct access_control_entry_record rec = {.id = a->id,
                                                  .resource_type = a->resource_type,
                                                  .resource_name = kstr_of(a->resource),
                                                  .pattern_type = a->pattern_type,
                                                  .principal = kstr_of(a->principal),
                                                  .host = kstr_of(a->host),
                                                  .operation = a->operation,
                                                  .permission_type = a->permission};
        record_add_access_control_entry(to, 0, &rec);
    }
}

/* Delegation tokens */

int tokens_replay(struct replay *r, const struct delegation_token_record *t) {
    const char **renewers = arena_calloc(&r->arena, (size_t)t->renewers_n, sizeof *renewers);
    ASSERT(renewers);
    for (int32_t i = 0; i < t->renewers_n; i++) renewers[i] = replay_text(r, t->renewers[i]);
    struct delegation_token spec = {.id = replay_text(r, t->token_id),
                                    .owner = replay_text(r, t->owner),
                                    .requester = replay_text(r, t->requester),
                                    .issued_ms = t->issue_timestamp,
                                    .max_ms = t->max_timestamp,
                                    .expires_ms = t->expiration_timestamp,
                                    .renewers = renewers,
                                    .renewers_n = t->renewers_n};
    pmap_put(&r->image->tokens, delegation_token_new(&spec));
    return 0;
}

int tokens_replay_remove(struct replay *r, const struct remove_delegation_token_record *t) {
    if (!pmap_get(&r->image->tokens, t->token_id.s, (size_t)t->token_id.len)) return OE_CORRUPT;
    pmap_del(&r->image->tokens, t->token_id.s, (size_t)t->token_id.len);
    return 0;
}

void tokens_write(const struct image *i, struct record_list *to) {
    if (i->metadata_version < MV_3_6_IV2) return;
    struct pmap_iter it;
    pmap_iterate(&i->tokens, &it);
    for (const struct delegation_token *t; (t = pmap_next(&it));) {
        struct kstr *renewers = arena_calloc(&to->arena, (size_t)t->renewers_n, sizeof *renewers);
        ASSERT(renewers);
        for (int32_t k = 0; k < t->renewers_n; k++) renewers[k] = kstr_of(t->renewers[k]);
        struct delegation_token_record rec = {.owner = kstr_of(t->owner),
                                              .requester = kstr_of(t->requester),
                                              .renewers = renewers,
                                              .renewers_n = t->renewers_n,
                                              .issue_timestamp = t->issued_ms,
                                              .max_timestamp = t->max_ms,
                                              .expiration_timestamp = t->expires_ms,
                                              .token_id = kstr_of(t->id)};
        record_add_delegation_token(to, 0, &rec);
    }
}
