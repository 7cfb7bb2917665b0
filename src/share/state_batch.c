/* combine: a sweep over the ranges in the order of (first, last, count, state). The two smallest, `a` and
 * `b`, meet when they overlap, or when they touch and say the same; then both are replaced by what holds,
 * which may meet again. Otherwise `a` is finished: nothing that is left begins before `b`. So neighbours that
 * say the same stay apart when the first was finished before the second came to be; the log shows such, and
 * so do we.
 *
 * Pieces that a meeting leaves are kept in a small heap; what is known is sorted already, so that a small
 * change of a long list costs little more than copying it. */
#include "share/state_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void state_batches_add_all(struct state_batches *b, const struct state_batch *x, size_t n) {
    if (b->n + n > b->cap) {
        b->cap = b->cap * 2 > b->n + n ? b->cap * 2 : b->n + n;
        b->v = xrealloc(b->v, b->cap * sizeof *b->v);
    }
    if (n) memcpy(b->v + b->n, x, n * sizeof *x);
    b->n += n;
}

void state_batches_add(struct state_batches *b, struct state_batch x) {
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 4;
        b->v = xrealloc(b->v, b->cap * sizeof *b->v);
    }
    b->v[b->n++] = x;
}

void state_batches_free(struct state_batches *b) {
    free(b->v);
    *b = (struct state_batches){0};
}

/* What they say, without where. */
static int compare_say(const struct state_batch *a, const struct state_batch *b) {
    if (a->delivery_count != b->delivery_count) return a->delivery_count < b->delivery_count ? -1 : 1;
    return (a->state > b->state) - (a->state < b->state);
}

static int compare(const void *x, const void *y) {
    const struct state_batch *a = x, *b = y;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    if (a->last != b->last) return a->last < b->last ? -1 : 1;
    return compare_say(a, b);
}

/* ---- the sweep ---- */

struct input { /* sorted */
    const struct state_batch *at, *end;
};

struct sweep {
    struct input in[2];
    struct state_batches pieces; /* a binary heap */
};

static void push(struct sweep *s, int64_t first, int64_t last, const struct state_batch *says) {
    struct state_batches *h = &s->pieces;
    struct state_batch x = *says;
    x.first = first;
    x.last = last;
    ASSERT(first <= last);
    state_batches_add(h, x);
    for (size_t i = h->n - 1; i > 0 && compare(&h->v[i], &h->v[(i - 1) / 2]) < 0; i = (i - 1) / 2) {
        struct state_batch t = h->v[i];
        h->v[i] = h->v[(i - 1) / 2];
        h->v[(i - 1) / 2] = t;
    }
}

static struct state_batch pop_piece(struct state_batches *h) {
    struct state_batch top = h->v[0];
    h->v[0] = h->v[--h->n];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        for (size_t c = left; c < left + 2 && c < h->n; c++)
            if (compare(&h->v[c], &h->v[least]) < 0) least = c;
        if (least == i) return top;
        struct state_batch t = h->v[i];
        h->v[i] = h->v[least];
        h->v[least] = t;
        i = least;
    }
}

/* The smallest of all; *from: where it is (2: among the pieces). NULL: nothing is left. */
static const struct state_batch *peek(const struct sweep *s, int *from) {
    const struct state_batch *least = s->pieces.n ? s->pieces.v : NULL;
    *from = 2;
    for (int i = 0; i < 2; i++) {
        const struct state_batch *x = s->in[i].at;
        if (x == s->in[i].end || (least && compare(x, least) >= 0)) continue;
        least = x;
        *from = i;
    }
    return least;
}

static struct state_batch pop(struct sweep *s, int from) {
    return from == 2 ? pop_piece(&s->pieces) : *s->in[from].at++;
}

static bool meet(const struct state_batch *a, const struct state_batch *b) {
    return b->first <= a->last || (a->last + 1 == b->first && compare_say(a, b) == 0);
}

/* They overlap and say different things; a is first in order. */
static void settle_overlap(struct sweep *s, const struct state_batch *a, const struct state_batch *b) {
    if (compare_say(b, a) < 0) { /* a holds; what of b is behind it stays */
        push(s, a->first, a->last, a);
        if (b->last > a->last) push(s, a->last + 1, b->last, b);
        return;
    }
    if (b->first > a->first) push(s, a->first, b->first - 1, a);
    push(s, b->first, b->last, b);
    if (b->last < a->last) push(s, b->last + 1, a->last, a);
}

static void run(struct sweep *s, struct state_batches *out) {
    int from;
    while (peek(s, &from)) {
        struct state_batch a = pop(s, from);
        const struct state_batch *next = peek(s, &from);
        if (!next || !meet(&a, next)) {
            state_batches_add(out, a);
            continue;
        }
        struct state_batch b = pop(s, from);
        if (compare_say(&a, &b) == 0)
            push(s, a.first, a.last > b.last ? a.last : b.last, &a);
        else
            settle_overlap(s, &a, &b);
    }
}

static struct input prepare(struct state_batch *room, const struct state_batch *from, size_t n,
                            int64_t start) {
    size_t kept = 0;
    bool in_order = true;
    for (size_t i = 0; i < n; i++) {
        if (!state_batch_valid(&from[i]) || (start != -1 && from[i].last < start)) continue;
        room[kept] = from[i];
        if (start != -1 && room[kept].first < start) room[kept].first = start;
        in_order = in_order && (!kept || compare(&room[kept - 1], &room[kept]) <= 0);
        kept++;
    }
    if (!in_order) qsort(room, kept, sizeof *room, compare);
    return (struct input){room, room + kept};
}

void state_batches_combine(const struct state_batch *known, size_t known_n, const struct state_batch *more,
                           size_t more_n, int64_t start_offset, struct state_batches *out) {
    struct state_batch *room = xmalloc((known_n + more_n + 1) * sizeof *room);
    struct sweep s = {.in = {prepare(room, known, known_n, start_offset),
                             prepare(room + known_n, more, more_n, start_offset)}};
    out->n = 0;
    run(&s, out);
    state_batches_free(&s.pieces);
    free(room);
}
