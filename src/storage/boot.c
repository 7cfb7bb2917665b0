#include "storage/boot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "storage/checkpoint.h"

enum { FILE_LIMIT = 64 << 20 };
#define FILE_NAME ".ottla-boot"

int boot_identify(struct fs *fs, const char *dir, bool tmp, struct boot_checkpoint *c) {
    struct fs_stat st;
    char *path = xasprintf("%s/" RECOVERY_POINTS "%s", dir, tmp ? ".tmp" : "");
    int err = fs_stat(fs, path, &st);
    free(path);
    *c = (struct boot_checkpoint){0};
    if (err) return err == OE_NOTFOUND ? 0 : err;
    *c = (struct boot_checkpoint){st.inode, st.mtime_ms};
    return 0;
}

static bool same(const struct boot_checkpoint *a, const struct boot_checkpoint *b) {
    return a->inode == b->inode && a->mtime_ms == b->mtime_ms;
}

bool boot_holds(struct fs *fs, const char *dir, void (*each)(void *to, const char *name), void *to) {
    char id[FS_BOOT_ID], text[FS_BOOT_ID] = "", *rest;
    struct boot_checkpoint now, then;
    uint8_t *bytes = NULL;
    size_t n;
    bool found = false;
    fs_boot_id(fs, id);
    if (!id[0] || boot_identify(fs, dir, false, &now)) return false;
    char *path = xasprintf("%s/" FILE_NAME, dir);
    int err = fs_read_all(fs, path, FILE_LIMIT, &bytes, &n);
    free(path);
    if (err) return false;
    char *unverified = strstr((char *)bytes, "\nunverified ");
    if (unverified) *unverified++ = 0;
    for (char *s = strtok_r((char *)bytes, "\n", &rest); s; s = strtok_r(NULL, "\n", &rest)) {
        sscanf(s, "boot %39s", text);
        if (sscanf(s, "checkpoint %" SCNu64 " %" SCNd64, &then.inode, &then.mtime_ms) == 2)
            found |= same(&then, &now);
    }
    bool holds = found && !strcmp(text, id);
    for (char *s = holds && unverified ? strtok_r(unverified, "\n", &rest) : NULL; s;
         s = strtok_r(NULL, "\n", &rest))
        if (!strncmp(s, "unverified ", 11)) each(to, s + 11);
    free(bytes);
    return holds;
}

int boot_write(struct fs *fs, const char *dir, const struct boot_checkpoint *c, int count,
               const struct strbuf *unverified) {
    char id[FS_BOOT_ID];
    struct strbuf b;
    ASSERT(count >= 1 && count <= 2);
    fs_boot_id(fs, id);
    strbuf_init(&b, unverified->len + 512);
    strbuf_addf(&b, "boot %s\n", id);
    for (int i = 0; i < count; i++)
        strbuf_addf(&b, "checkpoint %" PRIu64 " %" PRId64 "\n", c[i].inode, c[i].mtime_ms);
    if (unverified->len) strbuf_add(&b, unverified->s, unverified->len);
    ASSERT(strbuf_ok(&b));
    char *path = xasprintf("%s/" FILE_NAME, dir);
    int err = fs_replace(fs, path, b.s, b.len);
    free(path);
    strbuf_free(&b);
    return err;
}
