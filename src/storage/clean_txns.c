#include "storage/clean_txns.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/control.h"

/* Of one producer. It is in the map while one of the two is true. */
struct open_txn {
    int64_t producer_id;
    struct abort_entry abort;
    bool aborted, aborted_data, committed_data;
};

void clean_txns_init(struct clean_txns *t, const struct abort_entry *aborts, int n) {
    *t = (struct clean_txns){.aborts = aborts, .abort_count = n};
    for (int i = 1; i < n; i++) ASSERT(aborts[i - 1].first_offset <= aborts[i].first_offset);
    hashmap_init(&t->open, 0x636c65616e);
}

void clean_txns_free(struct clean_txns *t) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&t->open, &i));) free(e->value);
    hashmap_free(&t->open);
}

static struct open_txn *get(struct clean_txns *t, int64_t id) {
    return hashmap_get(&t->open, &id, sizeof id);
}

static struct open_txn *get_or_add(struct clean_txns *t, int64_t id) {
    struct open_txn *o = get(t, id);
    if (o) return o;
    o = xcalloc(1, sizeof *o);
    o->producer_id = id;
    hashmap_put(&t->open, &o->producer_id, sizeof o->producer_id, o);
    return o;
}

static void drop_if_idle(struct clean_txns *t, struct open_txn *o) {
    if (o->aborted || o->committed_data) return;
    hashmap_del(&t->open, &o->producer_id, sizeof o->producer_id);
    free(o);
}

/* The aborted transactions that begin up to here. */
static void begin_aborted(struct clean_txns *t, int64_t offset) {
    for (; t->next < t->abort_count && t->aborts[t->next].first_offset <= offset; t->next++) {
        const struct abort_entry *a = &t->aborts[t->next];
        struct open_txn *o = get_or_add(t, a->producer_id);
        if (o->aborted) continue;
        o->aborted = true;
        o->aborted_data = false;
        o->abort = *a;
    }
}

bool clean_txns_data(struct clean_txns *t, const uint8_t *b) {
    begin_aborted(t, batch_last_offset(b));
    if (batch_magic(b) < 2 || !batch_is_transactional(b)) return false;
    struct open_txn *o = get_or_add(t, batch_producer_id(b));
    if (o->aborted)
        o->aborted_data = true;
    else
        o->committed_data = true;
    return o->aborted;
}

int clean_txns_control(struct clean_txns *t, const uint8_t *b, size_t n, bool *discard,
                       struct abort_entry *kept, bool *has_kept) {
    struct control_record r;
    *has_kept = false;
    *discard = true;
    begin_aborted(t, batch_last_offset(b));
    if (batch_count(b) == 0) return 0; /* a marker that an earlier cleaning has emptied */
    if (control_read(b, n, &r)) return OE_CORRUPT;
    struct open_txn *o = get(t, batch_producer_id(b));
    if (r.type == CONTROL_ABORT) {
        if (!o || !o->aborted) return 0;
        if (o->aborted_data) {
            *discard = false;
            *kept = o->abort;
            *has_kept = true;
        }
        o->aborted = false;
        drop_if_idle(t, o);
    } else if (r.type == CONTROL_COMMIT) {
        *discard = !o || !o->committed_data;
        if (!o) return 0;
        o->committed_data = false;
        drop_if_idle(t, o);
    } else {
        *discard = false;
    }
    return 0;
}
