/* kafka-configs for users, clients and addresses: quotas and SCRAM credentials. */
#include <math.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/alter_client_quotas.h"
#include "api/alter_user_scram_credentials.h"
#include "api/describe_client_quotas.h"
#include "api/describe_user_scram_credentials.h"
#include "base/kerr.h"
#include "cli/names/configs.h"

enum { MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY, SALT = 26, HASH_MAX = 64, ITERATIONS = 4096 };

/* ---- quotas ---- */

bool configs_is_client_quota(const char *name) {
    return !strcmp(name, "producer_byte_rate") || !strcmp(name, "consumer_byte_rate") ||
           !strcmp(name, "request_percentage") || !strcmp(name, "controller_mutation_rate");
}

static const char *quota_type(const char *type) {
    return !strcmp(type, "users") ? "user" : !strcmp(type, "clients") ? "client-id" : "ip";
}

static bool ask(struct tool_run *r, const struct entities *e, struct describe_client_quotas_response *a) {
    struct describe_client_quotas_request_component_data v[ENTITIES_MAX];
    struct describe_client_quotas_request q;
    if (e->names_n > e->types_n) return tool_fail(r, "More entity names specified than entity types");
    describe_client_quotas_request_init(&q);
    q.strict = true;
    q.components = v;
    for (int i = 0; i < e->types_n; i++) {
        const char *name = i < e->names_n ? e->names[i] : NULL;
        v[q.components_n++] = (struct describe_client_quotas_request_component_data){
            .entity_type = kstr_of(quota_type(e->types[i])),
            .match_type = !name   ? MATCH_ANY
                          : *name ? MATCH_EXACT
                                  : MATCH_DEFAULT,
            .match = name && *name ? kstr_of(name) : KSTR_NULL};
    }
    return tool_ask(r, API_DESCRIBE_CLIENT_QUOTAS, &q, a) && tool_check(r, a->error_code, a->error_message);
}

/* As Double.toString() writes it. */
static void print_double(double v) {
    char text[40];
    if (v == floor(v) && fabs(v) < 1e7) {
        printf("%.1f", v);
        return;
    }
    int digits = 1;
    do snprintf(text, sizeof text, "%.*e", digits - 1, v);
    while (strtod(text, NULL) != v && digits++ < 17);
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent >= -3 && exponent < 7) {
        printf("%.*f", digits - 1 - exponent > 1 ? digits - 1 - exponent : 1, v);
        return;
    }
    printf("%.*s%sE%d", (int)strcspn(text, "e"), text, digits == 1 ? ".0" : "", exponent);
}

static void print_entry(struct tool_run *r, const struct describe_client_quotas_response_entry_data *e) {
    static const char *const types[][2] = {
        {"user", "user-principal"}, {"client-id", "client-id"}, {"ip", "ip"}};
    bool first = true;
    fputs("Quota configs for ", stdout);
    for (int t = 0; t < 3; t++)
        for (int32_t i = 0; i < e->entity_n; i++) {
            struct kstr name = e->entity[i].entity_name;
            if (!kstr_is(e->entity[i].entity_type, types[t][0])) continue;
            if (name.len < 0)
                printf("%sthe default %s", first ? "" : ", ", types[t][1]);
            else
                printf("%s%s '%.*s'", first ? "" : ", ", types[t][1], name.len, name.s);
            first = false;
        }
    fputs(" are ", stdout);
    uint32_t *hashes = arena_calloc(&r->admin.arena, (size_t)e->values_n + 1, sizeof *hashes);
    for (int32_t i = 0; hashes && i < e->values_n; i++) hashes[i] = tool_hash(e->values[i].key);
    const int32_t *order = hashes ? tool_hash_order(r, hashes, e->values_n, e->values_n) : NULL;
    for (int32_t i = 0; order && i < e->values_n; i++) {
        printf("%s%.*s=", i ? ", " : "", e->values[order[i]].key.len, e->values[order[i]].key.s);
        print_double(e->values[order[i]].value);
    }
    putchar('\n');
}

bool configs_describe_quotas(struct tool_run *r, const struct entities *e) {
    struct describe_client_quotas_response a;
    if (!ask(r, e, &a)) return false;
    for (int32_t i = 0; i < a.entries_n; i++) print_entry(r, &a.entries[i]);
    return true;
}

static bool check_removed(struct tool_run *r, const struct entities *e, const struct changes *c) {
    struct describe_client_quotas_response a;
    char wrong[500] = "";
    size_t at = 0;
    if (!ask(r, e, &a)) return false;
    for (int i = 0; i < c->removed_n; i++) {
        bool there = false;
        for (int32_t k = 0; a.entries_n > 0 && k < a.entries[0].values_n; k++)
            there = there || kstr_is(a.entries[0].values[k].key, c->removed[i]);
        if (!there && at + 200 < sizeof wrong)
            at += (size_t)snprintf(wrong + at, sizeof wrong - at, "%s%.190s", at ? "," : "", c->removed[i]);
    }
    return !at || tool_fail(r, "Invalid config(s): %s", wrong);
}

bool configs_alter_quotas(struct tool_run *r, const struct entities *e, const struct changes *c) {
    struct alter_client_quotas_request_entity_data entity[ENTITIES_MAX];
    struct alter_client_quotas_request_entry_data entry = {.entity = entity};
    struct alter_client_quotas_request q;
    struct alter_client_quotas_response a;
    if (!check_removed(r, e, c)) return false;
    entry.ops = arena_calloc(&r->admin.arena, (size_t)(c->n + c->removed_n) + 1, sizeof *entry.ops);
    if (!entry.ops) return tool_fail(r, "too many quotas");
    for (int i = 0; i < e->types_n; i++)
        entity[entry.entity_n++] = (struct alter_client_quotas_request_entity_data){
            kstr_of(quota_type(e->types[i])), *e->names[i] ? kstr_of(e->names[i]) : KSTR_NULL};
    for (int i = 0; i < c->n; i++) {
        char *end;
        double v = strtod(c->values[i], &end);
        if (end == c->values[i] || *end)
            return tool_fail(r, "Cannot parse quota configuration value for %s: %s", c->names[i],
                             c->values[i]);
        entry.ops[entry.ops_n++] =
            (struct alter_client_quotas_request_op_data){kstr_of(c->names[i]), v, false};
    }
    for (int i = 0; i < c->removed_n; i++)
        entry.ops[entry.ops_n++] =
            (struct alter_client_quotas_request_op_data){kstr_of(c->removed[i]), 0, true};
    alter_client_quotas_request_init(&q);
    q.entries = &entry;
    q.entries_n = 1;
    if (!tool_call(r, &(struct client_call){.key = API_ALTER_CLIENT_QUOTAS,
                                            .target = CLIENT_CONTROLLER,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena}))
        return false;
    return a.entries_n < 1 || tool_check(r, a.entries[0].error_code, a.entries[0].error_message);
}

/* ---- SCRAM ---- */

int8_t configs_scram_mechanism(const char *name) {
    return !strcmp(name, "SCRAM-SHA-256") ? 1 : !strcmp(name, "SCRAM-SHA-512") ? 2 : 0;
}

bool configs_describe_scram(struct tool_run *r, const char *user) {
    struct describe_user_scram_credentials_request_user_name name = {kstr_of(user)};
    struct describe_user_scram_credentials_request q;
    struct describe_user_scram_credentials_response a;
    describe_user_scram_credentials_request_init(&q);
    q.users = &name;
    q.users_n = user ? 1 : 0;
    if (!tool_ask(r, API_DESCRIBE_USER_SCRAM_CREDENTIALS, &q, &a) ||
        !tool_check(r, a.error_code, a.error_message))
        return false;
    for (int32_t i = 0; i < a.results_n; i++) {
        if (a.results[i].error_code == KERR_RESOURCE_NOT_FOUND) continue;
        printf("SCRAM credential configs for user-principal '%.*s' are ", a.results[i].user.len,
               a.results[i].user.s);
        for (int32_t k = 0; k < a.results[i].credential_infos_n; k++)
            printf("%sSCRAM-SHA-%d=iterations=%d", k ? ", " : "",
                   a.results[i].credential_infos[k].mechanism == 1 ? 256 : 512,
                   a.results[i].credential_infos[k].iterations);
        putchar('\n');
    }
    return true;
}

struct secret {
    uint8_t salt[SALT], salted[HASH_MAX];
};

/* "[iterations=n,]password=…" */
static bool add_upsertion(struct tool_run *r, const char *user, const char *mechanism, const char *value,
                          struct secret *s,
                          struct alter_user_scram_credentials_request_scram_credential_upsertion *u) {
    int64_t iterations = ITERATIONS;
    const char *p = value;
    bool ok = true, strong = !strcmp(mechanism, "SCRAM-SHA-512");
    if (!strncmp(p, "iterations=", 11)) {
        size_t n = strcspn(p += 11, ",");
        char digits[16] = "";
        if (n < sizeof digits) memcpy(digits, p, n);
        ok = !cli_parse_number(digits, -1, INT32_MAX, &iterations) && p[n] == ',';
        if (iterations == -1) iterations = ITERATIONS;
        p += n + (p[n] == ',');
    }
    if (!ok || strncmp(p, "password=", 9) != 0)
        return tool_fail(r, "Invalid credential property %s=%s", mechanism, value);
    if (iterations < ITERATIONS)
        return tool_fail(r, "Iterations %lld is less than the minimum %d required for %s",
                         (long long)iterations, ITERATIONS, mechanism);
    int len = strong ? 64 : 32;
    if (RAND_bytes(s->salt, SALT) != 1 ||
        PKCS5_PBKDF2_HMAC(p + 9, (int)strlen(p + 9), s->salt, SALT, (int)iterations,
                          strong ? EVP_sha512() : EVP_sha256(), len, s->salted) != 1)
        return tool_fail(r, "the password cannot be salted");
    *u = (struct alter_user_scram_credentials_request_scram_credential_upsertion){
        kstr_of(user), strong ? 2 : 1, (int32_t)iterations, {s->salt, SALT}, {s->salted, len}};
    return true;
}

bool configs_alter_scram(struct tool_run *r, const char *user, const struct changes *c) {
    struct alter_user_scram_credentials_request_scram_credential_deletion deletions[2];
    struct alter_user_scram_credentials_request_scram_credential_upsertion upsertions[2];
    struct secret secrets[2];
    struct alter_user_scram_credentials_request q = {.deletions = deletions, .upsertions = upsertions};
    struct alter_user_scram_credentials_response a;
    for (int i = 0; i < c->removed_n && q.deletions_n < 2; i++)
        deletions[q.deletions_n++] = (struct alter_user_scram_credentials_request_scram_credential_deletion){
            kstr_of(user), configs_scram_mechanism(c->removed[i])};
    for (int i = 0; i < c->n && q.upsertions_n < 2; i++, q.upsertions_n++)
        if (!add_upsertion(r, user, c->names[i], c->values[i], &secrets[i], &upsertions[i])) return false;
    bool sent = tool_call(r, &(struct client_call){.key = API_ALTER_USER_SCRAM_CREDENTIALS,
                                                   .target = CLIENT_CONTROLLER,
                                                   .request = &q,
                                                   .response = &a,
                                                   .arena = &r->admin.arena});
    explicit_bzero(secrets, sizeof secrets);
    if (!sent) return false;
    for (int32_t i = 0; i < a.results_n; i++)
        if (!tool_check(r, a.results[i].error_code, a.results[i].error_message)) return false;
    return true;
}
