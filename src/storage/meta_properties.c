/* meta.properties of a log directory (MetaProperties): version 1 has node.id, cluster.id and directory.id;
 * version 0 wrote broker.id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "storage/logdir.h"

enum { FILE_LIMIT = 64 << 10 };

/* A line of Java properties, without the escapes: none of our values needs them but ':' and '='. */
static void unescape(char *s) {
    char *to = s;
    for (; *s; s++) {
        if (*s == '\\' && s[1]) s++;
        *to++ = *s;
    }
    *to = 0;
}

static int set_number(const char *value, int64_t max, int64_t *n) {
    char *end;
    *n = strtoll(value, &end, 10);
    return end == value || *end || *n < 0 || *n > max ? OE_MALFORMED : 0;
}

static int set(struct meta_properties *m, const char *key, const char *value) {
    int64_t n;
    int err = 0;
    if (!strcmp(key, "version")) {
        if ((err = set_number(value, 1, &n))) return err;
        m->version = (int)n;
    } else if (!strcmp(key, "node.id") || !strcmp(key, "broker.id")) {
        if ((err = set_number(value, INT32_MAX, &n))) return err;
        m->node_id = (int32_t)n;
    } else if (!strcmp(key, "cluster.id")) {
        if (strlen(value) >= sizeof m->cluster_id) return OE_MALFORMED;
        memcpy(m->cluster_id, value, strlen(value) + 1);
    } else if (!strcmp(key, "directory.id")) {
        err = uuid_parse(value, &m->directory_id);
    }
    return err;
}

static char *trim(char *s) {
    s += strspn(s, " \t\r\f");
    size_t n = strlen(s);
    while (n && strchr(" \t\r\f", s[n - 1])) s[--n] = 0;
    return s;
}

int meta_properties_read(struct fs *fs, const char *dir, struct meta_properties *m) {
    uint8_t *bytes = NULL;
    size_t n;
    char *path = xasprintf("%s/meta.properties", dir), *rest;
    int err = fs_read_all(fs, path, FILE_LIMIT, &bytes, &n);
    free(path);
    if (err) return err == OE_LIMIT ? OE_MALFORMED : err;
    *m = (struct meta_properties){.version = -1, .node_id = -1};
    for (char *line = strtok_r((char *)bytes, "\n", &rest); line && !err;
         line = strtok_r(NULL, "\n", &rest)) {
        char *s = trim(line);
        if (*s == '#' || *s == '!' || !*s) continue;
        char *eq = s;
        while (*eq && *eq != '=' && *eq != ':') eq += *eq == '\\' && eq[1] ? 2 : 1;
        if (!*eq) continue;
        *eq = 0;
        char *value = trim(eq + 1);
        unescape(value);
        err = set(m, trim(s), value);
    }
    free(bytes);
    return err ? err : m->version < 0 || m->node_id < 0 ? OE_MALFORMED : 0;
}

int meta_properties_write(struct fs *fs, const char *dir, const struct meta_properties *m) {
    struct strbuf b;
    char id[UUID_TEXT];
    ASSERT(m->version == 1 && m->cluster_id[0] && m->node_id >= 0);
    strbuf_init(&b, FILE_LIMIT);
    strbuf_addf(&b, "#\ncluster.id=%s\n", m->cluster_id);
    if (!uuid_is_zero(&m->directory_id))
        strbuf_addf(&b, "directory.id=%s\n", uuid_format(&m->directory_id, id));
    strbuf_addf(&b, "node.id=%d\nversion=1\n", m->node_id);
    ASSERT(strbuf_ok(&b));
    char *path = xasprintf("%s/meta.properties", dir);
    int err = fs_write_atomic(fs, path, b.s, b.len);
    free(path);
    strbuf_free(&b);
    return err;
}
