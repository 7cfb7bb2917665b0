#include "crash_model.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/control.h"

char crash_context[256];

enum { PRODUCERS = 8 };

void model_add(struct model *m, const uint8_t *bytes, size_t len) {
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->batches = xrealloc(m->batches, (size_t)m->cap * sizeof *m->batches);
    }
    uint8_t *copy = xmalloc(len);
    memcpy(copy, bytes, len);
    m->batches[m->count++] =
        (struct model_batch){copy, len, batch_base_offset(bytes), batch_last_offset(bytes)};
}

int64_t model_end(const struct model *m) {
    int64_t end = m->count ? m->batches[m->count - 1].last + 1 : 0;
    return end > m->floor ? end : m->floor;
}

void model_cut(struct model *m, int64_t end) {
    while (m->count && m->batches[m->count - 1].last >= end) free(m->batches[--m->count].bytes);
    if (m->written > end) m->written = end;
    if (m->flushed > end) m->flushed = end;
}

void model_copy(struct model *to, const struct model *from) {
    *to = (struct model){.written = from->written,
                         .flushed = from->flushed,
                         .start = from->start,
                         .epochs_from = from->epochs_from,
                         .floor = from->floor};
    for (int i = 0; i < from->count; i++) model_add(to, from->batches[i].bytes, from->batches[i].len);
}

void model_free(struct model *m) {
    for (int i = 0; i < m->count; i++) free(m->batches[i].bytes);
    free(m->batches);
    *m = (struct model){0};
}

/* ---- what the log holds ---- */

struct content {
    uint8_t *bytes;
    size_t len;
};

/* Everything from the log start, read as a follower would. */
static struct content read_log(struct log *l) {
    struct content c = {0};
    int64_t at = log_start_offset(l), end = log_end_offset(l);
    bool first = true;
    while (at < end) {
        struct log_slice s;
        CHECK(log_read(l, at, 3000, end, true, NULL, &s) == 0);
        CHECK(s.file && s.len);
        c.bytes = xrealloc(c.bytes, c.len + s.len);
        CHECK(file_pread(s.file, c.bytes + c.len, s.len, s.position) == s.len);
        file_unref(s.file);
        size_t used = 0;
        while (used < s.len) {
            const uint8_t *b = c.bytes + c.len + used;
            int64_t size = batch_peek(b, s.len - used);
            CHECK(size >= 0);
            if (!size || (uint64_t)size > s.len - used) break;
            CHECK(batch_check(b, (size_t)size) == 0);
            CHECK(first ? batch_base_offset(b) <= at : batch_base_offset(b) == at);
            at = batch_last_offset(b) + 1;
            used += (size_t)size;
            first = false;
        }
        CHECK(used);
        c.len += used;
    }
    CHECK(at == end);
    return c;
}

static bool is_prefix(const struct model *m, const struct content *c, int64_t start, int64_t end) {
    size_t at = 0;
    for (int i = 0; i < m->count && m->batches[i].base < end; i++) {
        const struct model_batch *b = &m->batches[i];
        if (b->last < start) continue;
        if (b->len > c->len - at || memcmp(c->bytes + at, b->bytes, b->len)) return false;
        at += b->len;
    }
    return at == c->len;
}

/* ---- what follows: producers and transactions ---- */

struct producer_model {
    int64_t txn_first, last_offset;
    int32_t last_sequence;
    int16_t epoch;
    bool seen;
};

static void replay(const struct model *m, int64_t end, struct producer_model p[PRODUCERS],
                   struct aborted_txn *aborted, int64_t *markers, int *aborts) {
    memset(p, 0, PRODUCERS * sizeof *p);
    *aborts = 0;
    for (int i = 0; i < m->count && m->batches[i].base < end; i++) {
        const uint8_t *b = m->batches[i].bytes;
        int64_t id = batch_producer_id(b);
        if (id < 0) continue;
        CHECK(id < PRODUCERS);
        struct producer_model *x = &p[id];
        if (!x->seen) *x = (struct producer_model){.txn_first = -1, .last_sequence = -1};
        x->seen = true;
        x->epoch = batch_producer_epoch(b);
        x->last_offset = m->batches[i].last;
        if (batch_is_control(b)) {
            struct control_record c;
            CHECK(control_read(b, m->batches[i].len, &c) == 0);
            if (c.type == CONTROL_ABORT && x->txn_first >= 0) {
                markers[*aborts] = m->batches[i].base;
                aborted[(*aborts)++] = (struct aborted_txn){id, x->txn_first};
            }
            x->txn_first = -1;
        } else {
            x->last_sequence = batch_last_sequence(b);
            if (batch_is_transactional(b) && x->txn_first < 0) x->txn_first = batch_base_offset(b);
        }
    }
}

static void verify_producers(struct log *l, const struct producer_model p[PRODUCERS], int64_t start) {
    struct arena a;
    struct log_producer *got;
    int n;
    bool found[PRODUCERS] = {false};
    arena_init(&a, 1 << 20);
    CHECK(log_producers(l, &a, &got, &n) == 0);
    for (int i = 0; i < n; i++) {
        CHECK(got[i].producer_id < PRODUCERS);
        const struct producer_model *x = &p[got[i].producer_id];
        found[got[i].producer_id] = true;
        CHECK(x->seen);
        CHECK(got[i].epoch == x->epoch);
        CHECK(got[i].last_sequence == x->last_sequence || x->last_offset < start);
        CHECK(got[i].txn_first_offset == x->txn_first || x->txn_first < start);
    }
    /* An empty log at its start may have lost a batch that reached over it. */
    bool empty = start == log_end_offset(l);
    for (int i = 0; i < PRODUCERS; i++) CHECK(found[i] || !p[i].seen || p[i].last_offset < start || empty);
    arena_free(&a);
}

static void verify_aborts(struct log *l, const struct aborted_txn *want, const int64_t *markers, int n) {
    int64_t start = log_start_offset(l), end = log_end_offset(l);
    struct arena a;
    struct log_slice s;
    arena_init(&a, 1 << 20);
    for (int64_t at = start; at < end; at += 7) {
        CHECK(log_read(l, at, 1 << 20, end, true, &a, &s) == 0);
        for (int i = 0; i < n; i++) {
            /* A transaction that reaches into the slice's first batch must be named; more may be. */
            if (markers[i] < at || want[i].first_offset > s.offset || want[i].first_offset < start) continue;
            bool named = false;
            for (int k = 0; k < s.aborted_count; k++)
                named |= s.aborted[k].producer_id == want[i].producer_id &&
                         s.aborted[k].first_offset == want[i].first_offset;
            CHECK(named);
        }
        for (int k = 0; k < s.aborted_count; k++) {
            bool real = false;
            for (int i = 0; i < n; i++) {
                if (s.aborted[k].producer_id != want[i].producer_id) continue;
                real |= s.aborted[k].first_offset == want[i].first_offset;
                /* Recovery does not see a transaction's records below the log start. */
                real |= want[i].first_offset < start && s.aborted[k].first_offset <= markers[i];
            }
            CHECK(real || s.aborted[k].first_offset < start);
        }
        file_unref(s.file);
    }
    arena_free(&a);
}

static void verify_lookups(const struct model *m, struct log *l) {
    int64_t start = log_start_offset(l), end = log_end_offset(l);
    for (int i = 0; i < m->count && m->batches[i].base < end; i++) {
        const struct model_batch *b = &m->batches[i];
        struct log_slice s;
        struct log_position p;
        if (b->base < start) continue;
        CHECK(log_read(l, b->last, 1, end, true, NULL, &s) == 0);
        CHECK(s.offset == b->base && s.len == b->len && s.first_batch_len == b->len);
        file_unref(s.file);
        int64_t ts = batch_max_timestamp(b->bytes);
        if (i % 5 || batch_is_control(b->bytes)) continue;
        CHECK(log_offset_for_timestamp(l, ts, NULL, &p) == 0);
        CHECK(p.offset >= start && p.offset <= b->last && p.timestamp >= ts);
        /* Epochs below a start that was set are forgotten, though the start itself may come back lower. */
        CHECK(b->base < m->start || b->base < m->epochs_from ||
              log_epoch_for_offset(l, b->base) == batch_leader_epoch(b->bytes));
    }
}

const struct model *model_verify(const struct model *m, const struct model *alternative, struct log *l,
                                 int64_t least) {
    struct producer_model p[PRODUCERS];
    static struct aborted_txn aborted[10000];
    static int64_t markers[10000];
    int aborts;
    log_lock(l);
    CHECK(log_open(l, 0) == 0);
    int64_t start = log_start_offset(l), end = log_end_offset(l);
    struct content c = read_log(l);
    const struct model *which = m;
    if (alternative && !is_prefix(m, &c, start, end)) which = alternative;
    CHECK(start == end ? !c.len : is_prefix(which, &c, start, end));
    CHECK(end <= model_end(which));
    CHECK(end >= least || which == alternative);
    CHECK(start <= m->start || start == end);
    replay(which, end, p, aborted, markers, &aborts);
    verify_producers(l, p, start);
    verify_aborts(l, aborted, markers, aborts);
    verify_lookups(which, l);
    log_unlock(l);
    free(c.bytes);
    return which;
}
