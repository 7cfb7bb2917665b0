/* See quorum_state.h. The reader looks for the keys that it needs and skips the rest: all values are numbers
 * or plain strings. */
#include "raft/quorum_state.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What follows "key": , or NULL. */
static const char *value_of(const char *text, const char *key) {
    size_t n = strlen(key);
    for (const char *p = text; (p = strchr(p, '"')); p++) {
        if (strncmp(p + 1, key, n) != 0 || p[1 + n] != '"') continue;
        p += n + 2;
        p += strspn(p, " \t");
        if (*p != ':') return NULL;
        p++;
        return p + strspn(p, " \t");
    }
    return NULL;
}

static int number(const char *text, const char *key, int32_t *v) {
    const char *p = value_of(text, key);
    char *end;
    if (!p) return OE_MALFORMED;
    errno = 0;
    long n = strtol(p, &end, 10);
    if (end == p || errno || n < INT32_MIN || n > INT32_MAX) return OE_MALFORMED;
    *v = (int32_t)n;
    return 0;
}

static int directory(const char *text, const char *key, struct uuid *v) {
    const char *p = value_of(text, key);
    char id[UUID_TEXT];
    if (!p || *p != '"' || strcspn(p + 1, "\"") != UUID_TEXT - 1) return OE_MALFORMED;
    memcpy(id, p + 1, UUID_TEXT - 1);
    id[UUID_TEXT - 1] = 0;
    return uuid_parse(id, v);
}

int quorum_state_parse(const char *text, struct raft_election *e) {
    int32_t version;
    *e = (struct raft_election){0};
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' ')) n--;
    if (*text != '{' || text[n - 1] != '}') return OE_MALFORMED;
    int err = number(text, "data_version", &version);
    if (err) return err;
    if (version < 0 || version > 1) return OE_UNSUPPORTED;
    if ((err = number(text, "leaderId", &e->leader))) return err;
    if ((err = number(text, "leaderEpoch", &e->epoch))) return err;
    if ((err = number(text, "votedId", &e->voted))) return err;
    if (version == 1 && (err = directory(text, "votedDirectoryId", &e->voted_directory))) return err;
    return e->epoch < 0 ? OE_MALFORMED : 0;
}

void quorum_state_format(const struct raft_election *e, int16_t version, const int32_t *voters, int32_t n,
                         struct strbuf *out) {
    char id[UUID_TEXT];
    if (version == 1) {
        strbuf_addf(out,
                    "{\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,\"votedDirectoryId\":\"%s\",\"data_"
                    "version\":1}",
                    e->leader, e->epoch, e->voted, uuid_format(&e->voted_directory, id));
        return;
    }
    strbuf_addf(out,
                "{\"clusterId\":\"\",\"leaderId\":%d,\"leaderEpoch\":%d,\"votedId\":%d,\"appliedOffset\":0,"
                "\"currentVoters\":[",
                e->leader, e->epoch, e->voted);
    for (int32_t i = 0; i < n; i++) strbuf_addf(out, "%s{\"voterId\":%d}", i ? "," : "", voters[i]);
    strbuf_adds(out, "],\"data_version\":0}");
}
