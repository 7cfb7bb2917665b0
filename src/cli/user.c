/* ottla user list|add|delete: SCRAM credentials (KIP-554). The password never leaves this process: what is
 * sent is PBKDF2 of it (RFC 5802). */
#include "cli/user.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/alter_user_scram_credentials.h"
#include "api/describe_user_scram_credentials.h"
#include "base/kerr.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/output.h"

enum { SALT = 24, HASH_MAX = 64, PASSWORD_MAX = 1024, ITERATIONS_MIN = 4096, ITERATIONS_MAX = 16384 };

static const char *const mechanisms[] = {NULL, "SCRAM-SHA-256", "SCRAM-SHA-512"};

static int parse_mechanism(const struct cli *c, int8_t *m) {
    const char *name = cli_get(c, "mechanism");
    *m = !name || strcmp(name, mechanisms[1]) == 0 ? 1 : strcmp(name, mechanisms[2]) == 0 ? 2 : 0;
    return *m ? 0 : cli_wrong_usage("'%s' is no mechanism: it must be SCRAM-SHA-256 or SCRAM-SHA-512", name);
}

/* ---- list ---- */

static void show(const struct cli *c, const struct describe_user_scram_credentials_response *r) {
    static const char *const headings[] = {"user", "mechanism", "-iterations"};
    struct json j;
    struct table t;
    json_init(&j);
    json_open(&j, '[');
    table_init(&t, headings, 3);
    for (int32_t i = 0; i < r->results_n; i++)
        for (int32_t k = 0; k < r->results[i].credential_infos_n; k++) {
            int8_t m = r->results[i].credential_infos[k].mechanism;
            const char *name = m == 1 || m == 2 ? mechanisms[m] : "unknown";
            json_open(&j, '{');
            json_str(&j, "user", r->results[i].user);
            json_text(&j, "mechanism", name);
            json_int(&j, "iterations", r->results[i].credential_infos[k].iterations);
            json_close(&j, '}');
            table_adds(&t, r->results[i].user);
            table_add(&t, "%s", name);
            table_add(&t, "%d", r->results[i].credential_infos[k].iterations);
        }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        table_print(&t);
}

static int user_list(struct cli *c) {
    struct admin a;
    struct describe_user_scram_credentials_request q;
    struct describe_user_scram_credentials_response r = {0};
    describe_user_scram_credentials_request_init(&q);
    int status = admin_begin(c, &a);
    q.users_n = c->args_n ? 0 : -1;
    q.users = arena_calloc(&a.arena, (size_t)c->args_n + 1, sizeof *q.users);
    if (!status && !q.users) status = cli_fail("too many users");
    for (int i = 0; i < c->args_n && !status; i++) q.users[q.users_n++].name = kstr_of(c->args[i]);
    if (!status) status = admin_ask(&a, API_DESCRIBE_USER_SCRAM_CREDENTIALS, &q, &r);
    if (!status && r.error_code) status = admin_refused("user list", r.error_code, r.error_message);
    for (int32_t i = 0; i < r.results_n && !status; i++)
        if (r.results[i].error_code)
            status = r.results[i].error_code == KERR_RESOURCE_NOT_FOUND
                         ? cli_fail("there is no user %s", admin_cstr(&a, r.results[i].user))
                         : admin_refused(admin_cstr(&a, r.results[i].user), r.results[i].error_code,
                                         r.results[i].error_message);
    if (!status) show(c, &r);
    admin_end(&a);
    return status;
}

/* ---- add and delete ---- */

/* The first line of the file or of standard input. */
static int read_password(const struct cli *c, char text[PASSWORD_MAX]) {
    const char *path = cli_get(c, "password-file");
    FILE *f = path ? fopen(path, "re") : stdin;
    if (!f) return cli_fail("%s cannot be read", path);
    char *got = fgets(text, PASSWORD_MAX, f);
    if (path) fclose(f);
    text[got ? strcspn(text, "\r\n") : 0] = 0;
    return *text ? 0
                 : cli_wrong_usage("a password is read from standard input, or --password-file; it is empty");
}

static int send(struct cli *c, struct admin *a, const struct alter_user_scram_credentials_request *q) {
    struct alter_user_scram_credentials_response r = {0};
    int status = admin_ask(a, API_ALTER_USER_SCRAM_CREDENTIALS, q, &r);
    for (int32_t i = 0; i < r.results_n && !status; i++)
        if (r.results[i].error_code)
            status = admin_refused(admin_cstr(a, r.results[i].user), r.results[i].error_code,
                                   r.results[i].error_message);
    if (status || !c->json) return status;
    struct json j;
    json_init(&j);
    json_open(&j, '{');
    json_text(&j, "user", c->args[0]);
    json_bool(&j, "changed", true);
    json_close(&j, '}');
    json_print(&j);
    return 0;
}

static int user_add(struct cli *c) {
    struct admin a;
    char password[PASSWORD_MAX];
    uint8_t salt[SALT], salted[HASH_MAX];
    int8_t mechanism;
    int iterations = (int)cli_number(c, "iterations", ITERATIONS_MIN, ITERATIONS_MAX, ITERATIONS_MIN);
    int status = c->failed ? c->failed : parse_mechanism(c, &mechanism);
    if (status) return status;
    if ((status = read_password(c, password))) return status;
    const EVP_MD *hash = mechanism == 1 ? EVP_sha256() : EVP_sha512();
    int len = EVP_MD_get_size(hash);
    if (RAND_bytes(salt, SALT) != 1 ||
        !PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, SALT, iterations, hash, len, salted))
        return cli_fail("the password cannot be hashed");
    explicit_bzero(password, sizeof password);
    struct alter_user_scram_credentials_request_scram_credential_upsertion u = {
        kstr_of(c->args[0]), mechanism, iterations, {salt, SALT}, {salted, len}};
    struct alter_user_scram_credentials_request q = {.upsertions = &u, .upsertions_n = 1};
    status = admin_begin(c, &a);
    if (!status) status = send(c, &a, &q);
    explicit_bzero(salted, sizeof salted);
    admin_end(&a);
    return status;
}

static int user_delete(struct cli *c) {
    struct admin a;
    int8_t mechanism;
    int status = parse_mechanism(c, &mechanism);
    if (status) return status;
    struct alter_user_scram_credentials_request_scram_credential_deletion d = {kstr_of(c->args[0]),
                                                                               mechanism};
    struct alter_user_scram_credentials_request q = {.deletions = &d, .deletions_n = 1};
    status = admin_begin(c, &a);
    if (!status) status = send(c, &a, &q);
    admin_end(&a);
    return status;
}

/* ---- tables ---- */

#define MECHANISM                                                                                            \
    {                                                                                                        \
        'm', "mechanism", "NAME", "SCRAM-SHA-256 (the default) or SCRAM-SHA-512",                            \
            "SCRAM-SHA-256 SCRAM-SHA-512"                                                                    \
    }
static const struct cli_option add_options[] = {
    MECHANISM,
    {0, "password-file", "FILE", "the password is its first line; else that of standard input", NULL,
     HINT_FILE},
    {0, "iterations", "N", "4096 (the default) to 16384"},
    {0},
};
static const struct cli_option delete_options[] = {MECHANISM, {0}};
static const struct cli_example examples[] = {
    {"ottla user add alice <secret.txt", "or another password for her"},
    {"ottla user list", "who there is"},
    {"ottla user delete alice", "she has no password of this mechanism any more"},
    {0},
};
static const struct cli_command commands[] = {
    {"list", "[USER...]", "show users", user_list, NULL, NULL, examples, NULL, CLI_CLIENT | CLI_JSON,
     .most = -1},
    {"add", "USER", "add a user or change its password", user_add, NULL, add_options, examples, NULL,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = 1},
    {"delete", "USER", "delete a user's credential", user_delete, NULL, delete_options, examples, NULL,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = 1},
    {0},
};
const struct cli_command cli_user_command = {
    "user", .summary = "list, add, delete users with passwords (SCRAM)", .commands = commands};

int cli_user(int argc, char **argv) { return cli_run(&cli_user_command, argc, argv); }
