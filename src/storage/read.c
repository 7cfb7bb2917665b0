/* Reading for fetches. Path: server/handlers/fetch → replica → here → sendfile of the slice.
 *
 * The position comes from the offset index and the headers behind its entry; a slice ends where max_bytes or
 * the bound says, perhaps within a batch, as the reference's: clients drop a batch that is cut. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "record/batch.h"
#include "storage/log_internal.h"

/* Bytes of the segment that lie below the bound. */
static int bytes_below(struct log *l, struct segment *s, int64_t bound, uint32_t *bytes) {
    struct log_open *o = l->open;
    *bytes = s->size;
    if (bound >= log_segment_end(l, s)) return 0;
    *bytes = 0;
    if (bound <= s->base) return 0;
    if (o->bound_offset == bound && o->bound_base == s->base) {
        *bytes = o->bound_position;
        return 0;
    }
    struct batch_place p;
    int found = segment_translate(l, s, bound, &p);
    if (found < 0) return found;
    *bytes = found ? p.position : s->size;
    o->bound_offset = bound;
    o->bound_base = s->base;
    o->bound_position = *bytes;
    return 0;
}

/* Adds the segment's aborted transactions that overlap [from, upper); 1: no later segment has any. */
static int add_aborted(struct log *l, struct segment *s, int64_t from, int64_t upper, struct arena *a,
                       struct log_slice *out) {
    struct abort_entry *e = NULL;
    int n = 0, complete = 0, matches = 0;
    int err = segment_read_aborts(l, s, &e, &n);
    if (err || !n) {
        free(e);
        return err;
    }
    struct aborted_txn *all = arena_alloc(a, ((size_t)out->aborted_count + (size_t)n) * sizeof *all);
    if (!all) {
        free(e);
        return OE_LIMIT;
    }
    if (out->aborted_count) memcpy(all, out->aborted, (size_t)out->aborted_count * sizeof *all);
    for (int i = 0; i < n && !complete; i++) {
        if (e[i].last_offset >= from && e[i].first_offset < upper)
            all[out->aborted_count + matches++] = (struct aborted_txn){e[i].producer_id, e[i].first_offset};
        complete = e[i].last_stable >= upper;
    }
    free(e);
    out->aborted = all;
    out->aborted_count += matches;
    return complete;
}

static int collect_aborted(struct log *l, struct segment *s, int64_t from, struct log_slice *out,
                           struct arena *a) {
    struct log_open *o = l->open;
    struct index_entry e;
    uint32_t n = 0;
    int64_t upper = log_segment_end(l, s);
    int err = segment_index(l, s);
    int found = err ? err : index_floor(&s->offsets, BY_POSITION, out->position + out->len - 1, &e, &n);
    if (found < 0) return found;
    n = found ? n + 1 : 0; /* the first entry at or behind the slice's end */
    if (n < s->offsets.count) {
        if ((err = index_get(&s->offsets, n, &e))) return err;
        upper = s->base + e.offset;
    }
    for (; s < o->segments + o->count; s++) {
        int done = add_aborted(l, s, from, upper, a, out);
        if (done) return done < 0 ? done : 0;
    }
    return 0;
}

static int fill(struct log *l, struct segment *s, const struct batch_place *p, uint32_t max_bytes,
                int64_t bound, bool min_one, struct log_slice *out) {
    uint32_t below;
    int err = bytes_below(l, s, bound, &below);
    if (err) return err;
    out->offset = p->base_offset;
    if (p->position >= below) return 0;
    uint32_t len = below - p->position;
    if (min_one && max_bytes < p->size) max_bytes = p->size;
    if (len > max_bytes) len = max_bytes;
    out->first_batch_len = p->size;
    out->position = p->position;
    out->legacy = p->magic < 2;
    if (!len) return 0;
    if ((err = segment_open(l, s, false))) return err;
    out->file = file_ref(s->file);
    out->len = len;
    ASSERT((uint64_t)out->position + out->len <= s->size);
    return 0;
}

int log_read(struct log *l, int64_t offset, uint32_t max_bytes, int64_t bound, bool min_one,
             struct arena *aborted_to, struct log_slice *out) {
    *out = (struct log_slice){.offset = offset};
    int err = log_open(l, l->last_used);
    if (err) return err;
    if (offset < l->start || offset > l->end) return OE_RANGE;
    if (bound > l->end) bound = l->end;
    if (offset >= bound) return 0;
    struct log_open *o = l->open;
    struct segment *s = log_floor(l, offset);
    if (!s) return OE_RANGE;
    struct batch_place p;
    int found = 0;
    for (; s < o->segments + o->count; s++)
        if ((found = segment_translate(l, s, offset, &p))) break;
    if (found < 0) return log_failed(l, found, "reading");
    if (!found) return 0;
    err = fill(l, s, &p, max_bytes, bound, min_one, out);
    if (!err && aborted_to && out->len) err = collect_aborted(l, s, offset, out, aborted_to);
    if (!err) return 0;
    file_unref(out->file);
    out->file = NULL;
    return err == OE_LIMIT ? err : log_failed(l, err, "reading");
}

/* Position of an offset among all bytes of the log. */
static int64_t absolute(struct log *l, int64_t offset) {
    struct log_open *o = l->open;
    int64_t before = 0;
    struct segment *s = log_floor(l, offset);
    if (!s) return 0;
    for (struct segment *b = o->segments; b < s; b++) before += b->size;
    if (offset >= l->end) return before + s->size;
    struct batch_place p;
    int found = segment_translate(l, s, offset, &p);
    return found < 0 ? found : before + (found ? p.position : s->size);
}

int64_t log_bytes_between(struct log *l, int64_t from, int64_t to) {
    int err = log_open(l, l->last_used);
    if (err) return err;
    if (from >= to) return 0;
    struct log_open *o = l->open;
    if (o->count && from >= log_active(l)->base && to >= l->end) { /* the usual case: one look-up */
        struct batch_place p;
        int found = segment_translate(l, log_active(l), from, &p);
        return found < 0 ? found : found ? (int64_t)log_active(l)->size - p.position : 0;
    }
    int64_t a = absolute(l, from), b = absolute(l, to);
    return a < 0 ? a : b < 0 ? b : b - a;
}
