/* See voters.h. */
#include "raft/voters.h"

#include "base/arena.h"
#include "base/err.h"
#include "records/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECODE_ARENA = 1 << 20, MIN_KRAFT_VERSION = 0, MAX_KRAFT_VERSION = 1 };

/* "id@host:port"; host may be "[::1]". What follows the port in *rest. */
static int parse_one(const char *s, size_t n, struct voter *v, const char **rest) {
    char text[VOTER_NAME_MAX + 64], *end;
    if (n >= sizeof text) return OE_MALFORMED;
    memcpy(text, s, n);
    text[n] = 0;
    long id = strtol(text, &end, 10);
    if (end == text || *end != '@' || id < 0 || id > INT32_MAX) return OE_MALFORMED;
    char *host = end + 1, *close = *host == '[' ? strchr(host, ']') : NULL;
    char *colon = strchr(close ? close : host, ':');
    if (!colon || colon == host) return OE_MALFORMED;
    size_t len = close ? (size_t)(close - host - 1) : (size_t)(colon - host);
    if (len == 0 || len >= VOTER_NAME_MAX) return OE_MALFORMED;
    long port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || port < 0 || port > UINT16_MAX) return OE_MALFORMED;
    *v = (struct voter){.id = (int32_t)id, .port = (uint16_t)port};
    memcpy(v->host, close ? host + 1 : host, len);
    *rest = s + (end - text);
    return 0;
}

static int parse_list(const char *text, const char *listener, bool directories, struct voters *to) {
    to->n = 0;
    for (const char *p = text; *p;) {
        p += strspn(p, " ");
        size_t n = strcspn(p, ", ");
        struct voter v;
        const char *rest;
        if (to->n == VOTERS_MAX || parse_one(p, n, &v, &rest)) return OE_MALFORMED;
        size_t left = (size_t)(p + n - rest);
        if (directories) {
            char id[UUID_TEXT];
            if (left != UUID_TEXT || *rest != ':') return OE_MALFORMED;
            memcpy(id, rest + 1, UUID_TEXT - 1);
            id[UUID_TEXT - 1] = 0;
            if (uuid_parse(id, &v.directory)) return OE_MALFORMED;
            snprintf(v.listener, sizeof v.listener, "%s", listener);
        } else if (left != 0) {
            return OE_MALFORMED;
        }
        if (voters_find(to, v.id)) return OE_MALFORMED;
        to->v[to->n++] = v;
        p += n;
        p += strspn(p, ", ");
    }
    return to->n > 0 ? 0 : OE_MALFORMED;
}

int voters_parse(const char *text, struct voters *to) { return parse_list(text, NULL, false, to); }

int voters_parse_initial(const char *text, const char *listener, struct voters *to) {
    return parse_list(text, listener, true, to);
}

const struct voter *voters_find(const struct voters *s, int32_t id) {
    for (int32_t i = 0; i < s->n; i++)
        if (s->v[i].id == id) return &s->v[i];
    return NULL;
}

static int copy_name(char to[VOTER_NAME_MAX], struct kstr from) {
    if (from.len < 0 || from.len >= VOTER_NAME_MAX) return OE_MALFORMED;
    if (from.len) memcpy(to, from.s, (size_t)from.len);
    to[from.len] = 0;
    return 0;
}

static int copy_voters(const struct voters_record *rec, struct voters *to) {
    if (rec->voters_n > VOTERS_MAX) return OE_UNSUPPORTED;
    to->n = 0;
    for (int32_t i = 0; i < rec->voters_n; i++) {
        const struct voters_record_voter *from = &rec->voters[i];
        struct voter v = {.id = from->voter_id, .directory = from->voter_directory_id};
        if (from->endpoints_n > 0) {
            int err = copy_name(v.listener, from->endpoints[0].name);
            if (!err) err = copy_name(v.host, from->endpoints[0].host);
            if (err) return err;
            v.port = from->endpoints[0].port;
        }
        to->v[to->n++] = v;
    }
    return 0;
}

int voters_decode(const void *value, size_t len, struct voters *to) {
    struct voters_record rec;
    struct reader in = reader_of(value, len);
    struct arena a;
    arena_init(&a, DECODE_ARENA);
    int err = voters_record_decode(&rec, &in, 0, &a);
    if (!err) err = copy_voters(&rec, to);
    arena_free(&a);
    return err == OE_SHORT ? OE_MALFORMED : err;
}

int voters_encode(const struct voters *s, struct writer *to) {
    struct voters_record_voter v[VOTERS_MAX];
    struct voters_record_endpoint e[VOTERS_MAX];
    for (int32_t i = 0; i < s->n; i++) {
        e[i] =
            (struct voters_record_endpoint){kstr_of(s->v[i].listener), kstr_of(s->v[i].host), s->v[i].port};
        v[i] = (struct voters_record_voter){.voter_id = s->v[i].id,
                                            .voter_directory_id = s->v[i].directory,
                                            .endpoints = &e[i],
                                            .endpoints_n = 1,
                                            .kraft_version_feature = {MIN_KRAFT_VERSION, MAX_KRAFT_VERSION}};
    }
    struct voters_record rec = {.version = 0, .voters = v, .voters_n = s->n};
    return voters_record_encode(&rec, to, 0);
}
