/* See snapshot_file.h. */
#include "kraft/snapshot_file.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "records/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 2000 << 20, CONTROL_MEMORY = 64 << 10 };

static const char suffix[] = ".checkpoint", part[] = ".checkpoint.part";

void snapshot_name(struct snapshot_id id, char name[SNAPSHOT_NAME]) {
    snprintf(name, SNAPSHOT_NAME, "%020lld-%010d%s", (long long)id.offset, id.epoch, suffix);
}

struct listing {
    struct snapshot_id *ids;
    int32_t n;
    char **parts;
    int32_t parts_n;
};

static bool digits(const char *s, int n, int64_t *v) {
    *v = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || *v > (INT64_MAX - 9) / 10) return false;
        *v = *v * 10 + (s[i] - '0');
    }
    return true;
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static void see_name(void *to, const char *name, bool is_dir) {
    struct listing *l = to;
    int64_t offset, epoch;
    if (is_dir) return;
    if (ends_with(name, part)) {
        l->parts = xrealloc(l->parts, (size_t)(l->parts_n + 1) * sizeof *l->parts);
        l->parts[l->parts_n++] = xstrdup(name);
        return;
    }
    if (strlen(name) != 31 + sizeof suffix - 1 || strcmp(name + 31, suffix) != 0) return;
    if (!digits(name, 20, &offset) || name[20] != '-' || !digits(name + 21, 10, &epoch) || epoch > INT32_MAX)
        return;
    l->ids = xrealloc(l->ids, (size_t)(l->n + 1) * sizeof *l->ids);
    l->ids[l->n++] = (struct snapshot_id){offset, (int32_t)epoch};
}

static int by_offset(const void *a, const void *b) {
    const struct snapshot_id *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

int snapshot_list(struct fs *fs, const char *dir, struct snapshot_id **ids, int32_t *n) {
    struct listing l = {0};
    int err = fs_list(fs, dir, see_name, &l);
    for (int32_t i = 0; i < l.parts_n; i++) {
        char *path = xasprintf("%s/%s", dir, l.parts[i]);
        if (!err && fs_unlink(fs, path)) LOG_WARN("kraft", "%s cannot be deleted", path);
        free(path);
        free(l.parts[i]);
    }
    free(l.parts);
    if (l.n) qsort(l.ids, (size_t)l.n, sizeof *l.ids, by_offset);
    *ids = l.ids;
    *n = l.n;
    return err == OE_NOTFOUND ? 0 : err;
}

/* ---- writing ---- */

/* The batches of the whole file. Offsets begin at 0, as the reference's. */
static int build(int32_t epoch, const struct snapshot_content *c, int64_t now_ms, struct strbuf *out) {
    struct writer w;
    struct control_value v[3];
    size_t at[4] = {0};
    int32_t n = 0;
    writer_init(&w, CONTROL_MEMORY);
    struct snapshot_header_record header = {.last_contained_log_timestamp = c->last_timestamp};
    int err = snapshot_header_record_encode(&header, &w, 0);
    v[n++].type = CONTROL_SNAPSHOT_HEADER;
    at[n] = writer_len(&w);
    if (!err && c->kraft_version >= 1) {
        struct kraft_version_record version = {.kraft_version = c->kraft_version};
        err = kraft_version_record_encode(&version, &w, 0);
        v[n++].type = CONTROL_KRAFT_VERSION;
        at[n] = writer_len(&w);
    }
    if (!err && c->kraft_version >= 1 && c->voters) {
        err = voters_encode(c->voters, &w);
        v[n++].type = CONTROL_KRAFT_VOTERS;
        at[n] = writer_len(&w);
    }
    for (int32_t i = 0; i < n; i++) {
        v[i].value = w.buf + at[i];
        v[i].len = at[i + 1] - at[i];
    }
    if (!err) err = batches_control(v, n, 0, epoch, now_ms, out);
    if (!err) err = batches_build(c->records, n, epoch, now_ms, out);
    writer_reset(&w);
    struct snapshot_footer_record footer = {0};
    if (!err) err = snapshot_footer_record_encode(&footer, &w, 0);
    v[0] = (struct control_value){CONTROL_SNAPSHOT_FOOTER, w.buf, writer_len(&w)};
    if (!err) err = batches_control(v, 1, n + c->records->n, epoch, now_ms, out);
    writer_free(&w);
    return err;
}

static int write_part(struct fs *fs, const char *path, const struct strbuf *b, bool durable) {
    struct file *f;
    int err = fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNC, &f);
    if (err) return err;
    err = file_pwrite(f, b->s, b->len, 0);
    if (!err && durable) err = file_datasync(f);
    file_unref(f);
    return err;
}

int snapshot_write(struct fs *fs, const char *dir, const char *name, int32_t epoch,
                   const struct snapshot_content *c, int64_t now_ms, bool durable) {
    ASSERT(ends_with(name, suffix));
    struct strbuf b;
    strbuf_init(&b, FILE_LIMIT);
    char *path = xasprintf("%s/%s", dir, name), *temporary = xasprintf("%s.part", path);
    int err = build(epoch, c, now_ms, &b);
    if (!err) err = write_part(fs, temporary, &b, durable);
    if (!err) err = fs_rename(fs, temporary, path);
    if (!err && durable) err = fs_sync_dir(fs, dir);
    strbuf_free(&b);
    free(path);
    free(temporary);
    return err;
}

/* ---- reading ---- */

struct reading {
    struct snapshot_read *s;
    int (*record)(void *ctx, const uint8_t *value, size_t len);
    void *ctx;
    bool header, footer;
};

static int read_control(struct reading *r, enum control_type type, const uint8_t *value, size_t len) {
    uint8_t memory[256];
    struct arena a;
    struct reader in = reader_of(value, len);
    struct snapshot_header_record header;
    struct kraft_version_record version;
    int err = 0;
    arena_init_with(&a, memory, sizeof memory, sizeof memory);
    switch (type) {
    case CONTROL_SNAPSHOT_HEADER:
        if (!(err = snapshot_header_record_decode(&header, &in, 0, &a)))
            r->s->last_timestamp = header.last_contained_log_timestamp;
        r->header = true;
        break;
    case CONTROL_SNAPSHOT_FOOTER: r->footer = true; break;
    case CONTROL_KRAFT_VERSION:
        if (!(err = kraft_version_record_decode(&version, &in, 0, &a)))
            r->s->kraft_version = version.kraft_version;
        break;
    case CONTROL_KRAFT_VOTERS:
        err = voters_decode(value, len, &r->s->voters);
        r->s->has_voters = true;
        break;
    default: break;
    }
    arena_free(&a);
    return err == OE_UNSUPPORTED ? err : err ? OE_CORRUPT : 0;
}

static int see_control(void *ctx, int64_t offset, enum control_type type, const uint8_t *value, size_t len) {
    struct reading *r = ctx;
    if (r->footer || r->header == (type == CONTROL_SNAPSHOT_HEADER))
        return OE_CORRUPT; /* one first, nothing after the last */
    return read_control(r, type, value, len);
}

static int see_record(void *ctx, int64_t offset, int32_t epoch, int64_t timestamp, const uint8_t *value,
                      size_t len) {
    struct reading *r = ctx;
    return r->header && !r->footer ? r->record(r->ctx, value, len) : OE_CORRUPT;
}

int snapshot_read(struct fs *fs, const char *path, struct codec *codec,
                  int (*record)(void *ctx, const uint8_t *value, size_t len), void *ctx,
                  struct snapshot_read *s) {
    uint8_t *bytes = NULL;
    size_t n = 0, used = 0;
    *s = (struct snapshot_read){0};
    int err = fs_read_all(fs, path, FILE_LIMIT, &bytes, &n);
    if (err) return err;
    struct reading r = {.s = s, .record = record, .ctx = ctx};
    struct batch_visitor v = {.ctx = &r, .record = see_record, .control = see_control};
    err = batches_walk(bytes, n, codec, &v, &used);
    free(bytes);
    s->size = (int64_t)n;
    return err ? err : used == n && r.header && r.footer ? 0 : OE_CORRUPT;
}
