#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/log.h"

enum { WINDOW = 1 << 20 };

const char *log_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

enum log_kind log_kind_of(const char *path) {
    static const struct {
        const char *end;
        enum log_kind kind;
    } kinds[] = {
        {".log", LOG_SEGMENT},
        {".log.deleted", LOG_SEGMENT},
        {".log.cleaned", LOG_SEGMENT},
        {".log.swap", LOG_SEGMENT},
        {".checkpoint", LOG_KRAFT_SNAPSHOT},
        {".checkpoint.deleted", LOG_KRAFT_SNAPSHOT},
        {".index", LOG_OFFSET_INDEX},
        {".timeindex", LOG_TIME_INDEX},
        {".txnindex", LOG_TXN_INDEX},
        {".snapshot", LOG_PRODUCERS},
        {"-checkpoint", LOG_CHECKPOINT_TEXT},
        {"meta.properties", LOG_TEXT},
        {"partition.metadata", LOG_TEXT},
        {"quorum-state", LOG_TEXT},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ends_with(path, kinds[i].end)) return kinds[i].kind;
    return LOG_UNKNOWN;
}

int64_t log_name_offset(const char *path) {
    const char *name = log_base_name(path);
    int64_t v = 0;
    int n = 0;
    for (; name[n] >= '0' && name[n] <= '9'; n++) v = v * 10 + (name[n] - '0');
    return n == 20 ? v : -1;
}

/* ---- batches ---- */

int log_batches_open(struct log_batches *b, const char *path) {
    memset(b, 0, sizeof *b);
    struct fs_stat st;
    if (fs_stat(fs_real(), path, &st)) return cli_fail("%s: there is no such file", path);
    if (st.is_dir) return cli_fail("%s is a directory; name its files", path);
    int err = fs_open(fs_real(), path, FS_READ, &b->file);
    if (err) return cli_fail("%s cannot be opened: %s", path, oerr_text(err));
    b->size = file_size(b->file);
    return 0;
}

void log_batches_close(struct log_batches *b) {
    file_unref(b->file);
    free(b->buffer);
    memset(b, 0, sizeof *b);
}

/* n bytes from `at`, which are in the file, at *p. */
static int see(struct log_batches *b, int64_t at, size_t n, const uint8_t **p) {
    if (at < b->buffer_at || at + (int64_t)n > b->buffer_at + (int64_t)b->have) {
        size_t want = n > WINDOW ? n : WINDOW;
        if (want > b->cap) {
            uint8_t *more = realloc(b->buffer, want);
            if (!more) return OE_NOMEM;
            b->buffer = more;
            b->cap = want;
        }
        int64_t got = file_pread(b->file, b->buffer, b->cap, at);
        if (got < 0) return (int)got;
        b->buffer_at = at;
        b->have = (size_t)got;
        if ((size_t)got < n) return OE_SHORT; /* it has become shorter */
    }
    *p = b->buffer + (at - b->buffer_at);
    return 0;
}

int log_batches_next(struct log_batches *b, const uint8_t **batch, size_t *n) {
    const uint8_t *p;
    int64_t left = b->size - b->next;
    b->at = b->next;
    if (left == 0) return 0;
    if (left < BATCH_PREFIX) return OE_SHORT;
    int err = see(b, b->at, BATCH_PREFIX, &p);
    if (err) return err;
    int64_t size = batch_peek(p, BATCH_PREFIX);
    if (size < 0) return (int)size;
    int64_t least = batch_magic(p) < 2 ? LEGACY_HEADER_V0 : BATCH_HEADER;
    if (size > left || size == 0) return OE_SHORT;
    if (size < least) return OE_CORRUPT;
    if ((err = see(b, b->at, (size_t)size, &p))) return err;
    b->next = b->at + size;
    *batch = p;
    *n = (size_t)size;
    return 1;
}

bool log_batches_zeros(struct log_batches *b) {
    for (int64_t at = b->at; at < b->size;) {
        const uint8_t *p;
        size_t n = b->size - at < WINDOW ? (size_t)(b->size - at) : WINDOW;
        if (see(b, at, n, &p)) return false;
        for (size_t i = 0; i < n; i++)
            if (p[i]) return false;
        at += (int64_t)n;
    }
    return true;
}

/* ---- small files ---- */

int log_read_small(const char *path, uint8_t **bytes, size_t *n) {
    int err = fs_read_all(fs_real(), path, LOG_SMALL_MAX, bytes, n);
    if (err == OE_NOTFOUND) return cli_fail("%s: there is no such file", path);
    return err ? cli_fail("%s cannot be read: %s", path, oerr_text(err)) : 0;
}

size_t log_index_entries(const uint8_t *bytes, size_t n, size_t size) {
    size_t entries = n / size;
    while (entries > 0) {
        const uint8_t *e = bytes + (entries - 1) * size;
        for (size_t i = 0; i < size; i++)
            if (e[i]) return entries;
        entries--;
    }
    return 0;
}
