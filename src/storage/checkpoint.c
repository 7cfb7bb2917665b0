#include "storage/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"

enum { FILE_LIMIT = 256 << 20, NAME = 512 };

/* "topic partition offset" at s. */
static int parse_line(char *s, char name[NAME], int64_t *offset) {
    char *space = strchr(s, ' '), *end;
    if (!space || space == s || space - s > 300) return OE_CORRUPT;
    long partition = strtol(space + 1, &end, 10);
    if (end == space + 1 || *end != ' ' || partition < 0) return OE_CORRUPT;
    *offset = strtoll(end + 1, &end, 10);
    if (*end && *end != '\r') return OE_CORRUPT;
    snprintf(name, NAME, "%.*s-%ld", (int)(space - s), s, partition);
    return 0;
}

int checkpoint_read(struct fs *fs, const char *dir, const char *file,
                    void (*each)(void *to, const char *name, int64_t offset), void *to) {
    uint8_t *bytes = NULL;
    size_t n;
    char *path = xasprintf("%s/%s", dir, file), *rest, name[NAME];
    int err = fs_read_all(fs, path, FILE_LIMIT, &bytes, &n);
    free(path);
    if (err) return err == OE_NOTFOUND ? 0 : err;
    char *line = strtok_r((char *)bytes, "\n", &rest);
    long long expected = 0, found = 0;
    if (line && strcmp(line, "0")) err = OE_CORRUPT;
    if (line && !err && (line = strtok_r(NULL, "\n", &rest))) expected = strtoll(line, NULL, 10);
    while (!err && line && (line = strtok_r(NULL, "\n", &rest))) {
        int64_t offset;
        if ((err = parse_line(line, name, &offset))) break;
        each(to, name, offset);
        found++;
    }
    free(bytes);
    return err ? err : found == expected ? 0 : OE_CORRUPT;
}

static void content(struct strbuf *b, int count, const struct strbuf *lines) {
    strbuf_init(b, lines->len + 32);
    strbuf_addf(b, "0\n%d\n", count);
    strbuf_add(b, lines->s, lines->len);
    ASSERT(strbuf_ok(b));
}

int checkpoint_write(struct fs *fs, const char *dir, const char *file, int count,
                     const struct strbuf *lines) {
    int err = checkpoint_prepare(fs, dir, file, count, lines);
    return err ? err : checkpoint_commit(fs, dir, file);
}

int checkpoint_prepare(struct fs *fs, const char *dir, const char *file, int count,
                       const struct strbuf *lines) {
    struct strbuf b;
    struct file *f = NULL;
    char *tmp = xasprintf("%s/%s.tmp", dir, file);
    content(&b, count, lines);
    int err = fs_open(fs, tmp, FS_WRITE | FS_CREATE | FS_TRUNC, &f);
    if (!err) err = file_pwrite(f, b.s, b.len, 0);
    if (!err) err = file_datasync(f);
    file_unref(f);
    strbuf_free(&b);
    free(tmp);
    return err;
}

int checkpoint_commit(struct fs *fs, const char *dir, const char *file) {
    char *path = xasprintf("%s/%s", dir, file), *tmp = xasprintf("%s.tmp", path);
    int err = fs_rename(fs, tmp, path);
    if (!err) err = fs_sync_dir(fs, dir);
    free(path);
    free(tmp);
    return err;
}
