/* Headers are read through a window, so that many small batches cost few reads, and large ones are skipped.
 */
#include "server/share_read.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "io/file.h"
#include "record/batch.h"
#include "record/control.h"
#include "storage/log.h"

enum { WINDOW = 8192, CONTROL_MAX = 512, FIRST_CAP = 32 };

struct window {
    const struct log_slice *slice;
    uint32_t at, len; /* of the slice; what of it is in bytes */
    uint8_t bytes[WINDOW];
};

/* n ≤ WINDOW bytes at `at`; NULL: the slice ends before. */
static const uint8_t *look(struct window *w, uint32_t at, uint32_t n, int *err) {
    if (at > w->slice->len || n > w->slice->len - at) return NULL;
    if (at >= w->at && at + n <= w->at + w->len) return w->bytes + (at - w->at);
    uint32_t want = w->slice->len - at < WINDOW ? w->slice->len - at : WINDOW;
    int64_t got = file_pread(w->slice->file, w->bytes, want, w->slice->position + at);
    if (got < 0) *err = (int)got;
    if (got < (int64_t)n) return NULL;
    w->at = at;
    w->len = (uint32_t)got;
    return w->bytes;
}

static bool reserve(struct share_batches *b, size_t *cap, struct arena *a) {
    if (b->n + 1 < *cap) return true;
    size_t more = *cap ? 2 * *cap : FIRST_CAP;
    struct share_source *v = arena_calloc(a, more, sizeof *v);
    uint32_t *at = arena_calloc(a, more, sizeof *at);
    if (!v || !at) return false;
    if (b->n) memcpy(v, b->v, b->n * sizeof *v);
    if (b->n) memcpy(at, b->at, (b->n + 1) * sizeof *at);
    b->v = v;
    b->at = at;
    *cap = more;
    return true;
}

static bool is_abort_marker(struct window *w, uint32_t at, uint32_t size, int *err) {
    struct control_record c;
    const uint8_t *bytes = size <= CONTROL_MAX ? look(w, at, size, err) : NULL;
    return bytes && !control_read(bytes, size, &c) && c.type == CONTROL_ABORT;
}

static struct share_source describe(const uint8_t *h) {
    struct share_source s = {.base = batch_base_offset(h), .last = batch_last_offset(h), .producer_id = -1};
    if (batch_magic(h) < 2) {
        s.base = s.last < s.base ? s.last : s.base;
        return s;
    }
    s.producer_id = batch_producer_id(h);
    s.transactional = batch_is_transactional(h);
    return s;
}

/* The header of the batch at `at`, when the whole batch is in the slice; else NULL. */
static const uint8_t *header(struct window *w, uint32_t at, uint32_t *size, int *err) {
    const uint8_t *h = look(w, at, BATCH_PREFIX, err);
    int64_t n = h ? batch_peek(h, BATCH_PREFIX) : 0;
    if (n < 0) *err = (int)n;
    if (n <= 0 || n > (int64_t)(w->slice->len - at)) return NULL;
    *size = (uint32_t)n;
    return look(w, at, n < BATCH_HEADER ? (uint32_t)n : BATCH_HEADER, err);
}

int share_batches_read(const struct log_slice *s, int64_t reach, struct arena *a, struct share_batches *b) {
    struct window w = {.slice = s};
    uint32_t at = 0, size;
    size_t cap = 0;
    int err = 0;
    *b = (struct share_batches){0};
    for (;;) {
        const uint8_t *h = header(&w, at, &size, &err);
        if (err) return err;
        if (!h) break;
        if (b->n && b->v[b->n - 1].last >= reach) return 0; /* there is one more */
        if (!reserve(b, &cap, a)) return OE_LIMIT;
        bool control = batch_magic(h) >= 2 && batch_is_control(h);
        b->v[b->n] = describe(h);
        b->at[b->n++] = at;
        at += size;
        b->at[b->n] = at;
        if (control) b->v[b->n - 1].abort_marker = is_abort_marker(&w, at - size, size, &err);
        if (err) return err;
    }
    b->whole = true;
    return 0;
}

void share_batches_cut(const struct share_batches *b, const struct log_slice *s, int64_t first, int64_t last,
                       uint32_t *from, uint32_t *len) {
    size_t begin = 0, end;
    *from = 0;
    *len = s->len;
    if (b->n == 1 && b->whole) return;
    while (begin + 1 < b->n && b->v[begin + 1].base <= first) begin++;
    end = begin + 1;
    while (end < b->n && b->v[end].base <= last) end++;
    *from = b->at[begin];
    *len = b->at[end] - b->at[begin];
}
