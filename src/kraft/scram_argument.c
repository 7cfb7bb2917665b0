/* See scram_argument.h. The salted password is PBKDF2 of the password; client and server key are HMACs of it,
 * and what is stored is the hash of the client key, and the server key. */
#include "kraft/scram_argument.h"

#include "base/err.h"
#include "base/mem.h"
#include "metadata/scram.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS_MIN = 4096, ITERATIONS_MAX = 16384, SALT_BYTES = 26, VALUE_MAX = 1024, HASH_MAX = 64 };

static const struct mechanism {
    const char *name;
    int8_t type;
    int hash_len;
    const EVP_MD *(*hash)(void);
} mechanisms[] = {{"SCRAM-SHA-256", 1, 32, EVP_sha256}, {"SCRAM-SHA-512", 2, 64, EVP_sha512}};

struct given {
    const struct mechanism *mechanism;
    char *name, *password, *salted, *salt, *iterations; /* in the copy of the argument, or NULL */
    uint8_t salt_bytes[VALUE_MAX], salted_bytes[VALUE_MAX];
    int salt_len, salted_len, rounds;
};

static int refuse(char **why, char *line) {
    free(*why);
    *why = line;
    return OE_INVALID;
}

/* Standard base64 with padding; the length or -1. */
static int decode64(const char *text, uint8_t to[VALUE_MAX]) {
    size_t n = strlen(text), pad = 0;
    if (n == 0 || n % 4 != 0 || n / 4 * 3 > VALUE_MAX) return -1;
    while (pad < 2 && text[n - 1 - pad] == '=') pad++;
    int len = EVP_DecodeBlock(to, (const unsigned char *)text, (int)n);
    return len < 0 ? -1 : len - (int)pad;
}

/* One "key=value" of the list; the value may stand in quotes. */
static int take(struct given *g, char *component, char **why) {
    char *value = strchr(component, '=');
    if (!value) return refuse(why, xasprintf("No equals sign found in SCRAM component: %s", component));
    *value++ = 0;
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
        value[n - 1] = 0;
        value++;
    }
    if (strcmp(component, "name") == 0)
        g->name = value;
    else if (strcmp(component, "password") == 0)
        g->password = value;
    else if (strcmp(component, "saltedpassword") == 0)
        g->salted = value;
    else if (strcmp(component, "salt") == 0)
        g->salt = value;
    else if (strcmp(component, "iterations") == 0)
        g->iterations = value;
    else
        return refuse(why, xasprintf("Unknown SCRAM configurations: %s", component));
    return 0;
}

static int split(struct given *g, char *text, char **why) {
    while (*text == ' ') text++;
    char *list = strchr(text, '=');
    if (!list) return refuse(why, xasprintf("Failed to find equals sign in SCRAM argument '%s'", text));
    *list++ = 0;
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++)
        if (strcmp(text, mechanisms[i].name) == 0) g->mechanism = &mechanisms[i];
    if (!g->mechanism) return refuse(why, xasprintf("The add-scram mechanism %s is not supported.", text));
    size_t n = strlen(list);
    if (*list != '[') return refuse(why, xstrdup("Expected configuration string to start with ["));
    if (list[n - 1] != ']') return refuse(why, xstrdup("Expected configuration string to end with ]"));
    list[n - 1] = 0;
    int err = 0;
    char *rest, *part = strtok_r(list + 1, ",", &rest);
    for (; part && !err; part = strtok_r(NULL, ",", &rest)) err = take(g, part, why);
    return err;
}

static int check(struct given *g, struct random *random, char **why) {
    char *end = NULL;
    if (!g->name) return refuse(why, xstrdup("You must supply 'name' to add-scram"));
    if (!g->password && !g->salted)
        return refuse(why, xstrdup("You must supply one of 'password' or 'saltedpassword' to add-scram"));
    if (g->password && g->salted) return refuse(why, xstrdup("Unknown SCRAM configurations: saltedpassword"));
    if (g->salted && !g->salt)
        return refuse(why, xstrdup("You must supply 'salt' with 'saltedpassword' to add-scram"));
    g->salt_len = SALT_BYTES;
    if (g->salt)
        g->salt_len = decode64(g->salt, g->salt_bytes);
    else
        random_bytes(random, g->salt_bytes, SALT_BYTES);
    if (g->salt_len < 0) return refuse(why, xasprintf("Failed to decode given salt: %s", g->salt));
    if (g->salted && (g->salted_len = decode64(g->salted, g->salted_bytes)) < 0)
        return refuse(why, xstrdup("Failed to decode given saltedPassword"));
    long rounds = g->iterations ? strtol(g->iterations, &end, 10) : ITERATIONS_MIN;
    if (end && (*end || end == g->iterations))
        return refuse(why, xasprintf("Failed to parse iterations count: %s", g->iterations));
    if (rounds < ITERATIONS_MIN || rounds > ITERATIONS_MAX)
        return refuse(why, xasprintf("The 'iterations' value must be %s %d for add-scram using %s",
                                     rounds < ITERATIONS_MIN ? ">=" : "<=",
                                     rounds < ITERATIONS_MIN ? ITERATIONS_MIN : ITERATIONS_MAX,
                                     g->mechanism->name));
    g->rounds = (int)rounds;
    return 0;
}

static bool keys(struct given *g, uint8_t stored[HASH_MAX], uint8_t server[HASH_MAX]) {
    const struct mechanism *m = g->mechanism;
    if (g->password) {
        g->salted_len = m->hash_len;
        if (!PKCS5_PBKDF2_HMAC(g->password, (int)strlen(g->password), g->salt_bytes, g->salt_len, g->rounds,
                               m->hash(), m->hash_len, g->salted_bytes))
            return false;
    }
    return scram_keys(m->type, g->salted_bytes, g->salted_len, stored, server) > 0;
}

int scram_argument_add(const char *argument, struct random *random, struct record_list *to, char **why) {
    struct given g = {0};
    uint8_t stored[HASH_MAX], server[HASH_MAX];
    char *copy = xstrdup(argument);
    int err = split(&g, copy, why);
    if (!err) err = check(&g, random, why);
    if (!err && !keys(&g, stored, server))
        err = refuse(why, xstrdup("the keys of a SCRAM user cannot be computed"));
    if (!err) {
        struct user_scram_credential_record rec = {.name = kstr_of(g.name),
                                                   .mechanism = g.mechanism->type,
                                                   .salt = {g.salt_bytes, g.salt_len},
                                                   .stored_key = {stored, g.mechanism->hash_len},
                                                   .server_key = {server, g.mechanism->hash_len},
                                                   .iterations = g.rounds};
        record_add_user_scram_credential(to, 0, &rec);
    }
    explicit_bzero(copy, strlen(argument));
    explicit_bzero(&g, sizeof g);
    free(copy);
    return err;
}
