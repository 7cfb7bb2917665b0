/* Slots of {hash, offset + 1}; 0 is an empty one. A hash's home is its first half scaled to the slots, so
 * slots are ordered by hash except where the table wraps. Invariant: no entry lies further from its home than
 * the one that an insertion passed over to get there, so a look-up ends where it meets one that is nearer to
 * its home than it is itself. */
#include "storage/offset_map.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/random.h"
#include "io/pages.h"

struct offset_slot {
    uint64_t hash[2];
    uint64_t offset; /* plus one */
};
_Static_assert(sizeof(struct offset_slot) == OFFSET_MAP_ENTRY, "an entry is 24 bytes");

int offset_map_init(struct offset_map *m, int64_t bytes, double load_factor, int64_t expected,
                    uint64_t seed) {
    struct random r;
    *m = (struct offset_map){.latest = -1};
    ASSERT(bytes >= 0 && expected >= 0);
    if (bytes > INT32_MAX) bytes = INT32_MAX; /* as the reference */
    size_t most = (size_t)bytes / OFFSET_MAP_ENTRY;
    double limit = (double)most * load_factor;
    m->limit = limit >= (double)most ? most : limit < 1 ? 1 : (size_t)limit;
    if (!m->limit) m->limit = 1;
    size_t want = m->limit;
    if ((uint64_t)expected < want) want = (size_t)expected + 1;
    want += want / 8 + 1;
    if (want > most) want = most;
    m->slot_count = want > m->limit || want > (uint64_t)expected ? want : m->limit + 1;
    random_seed(&r, seed);
    m->key = (struct siphash_key){{random_u64(&r), random_u64(&r)}};
    m->slots = pages_alloc(m->slot_count * sizeof *m->slots);
    return m->slots ? 0 : OE_NOMEM;
}

void offset_map_free(struct offset_map *m) {
    if (m->slots) pages_free(m->slots, m->slot_count * sizeof *m->slots);
    m->slots = NULL;
}

static inline size_t home_of(const struct offset_map *m, const struct offset_slot *s) {
    return (size_t)(((__uint128_t)s->hash[0] * m->slot_count) >> 64);
}
static inline size_t next(const struct offset_map *m, size_t i) { return i + 1 == m->slot_count ? 0 : i + 1; }
static inline size_t distance(const struct offset_map *m, size_t home, size_t at) {
    return at >= home ? at - home : at + m->slot_count - home;
}

/* The slot that holds the hash, or the one where it would go. */
static struct offset_slot *find(const struct offset_map *m, const struct offset_slot *wanted, size_t *at) {
    size_t i = home_of(m, wanted);
    for (size_t d = 0; d < m->slot_count; d++, i = next(m, i)) {
        struct offset_slot *s = &m->slots[i];
        *at = i;
        if (!s->offset || distance(m, home_of(m, s), i) < d) return s;
        if (s->hash[0] == wanted->hash[0] && s->hash[1] == wanted->hash[1]) return s;
    }
    return NULL;
}

void offset_map_put(struct offset_map *m, const void *key, size_t n, int64_t offset) {
    struct offset_slot new = {.offset = (uint64_t)offset + 1};
    size_t i;
    ASSERT(offset >= 0 && !offset_map_full(m) && m->count < m->slot_count);
    siphash128(&m->key, key, n, new.hash);
    struct offset_slot *s = find(m, &new, &i);
    ASSERT(s);
    if (offset > m->latest) m->latest = offset;
    if (s->offset && s->hash[0] == new.hash[0] && s->hash[1] == new.hash[1]) {
        if (new.offset > s->offset) s->offset = new.offset;
        return;
    }
    m->count++;
    ASSERT(m->count <= m->slot_count);
    for (;; i = next(m, i)) { /* each moves on to the place of one that is nearer to its home */
        struct offset_slot old = m->slots[i];
        if (!old.offset) break;
        if (distance(m, home_of(m, &old), i) >= distance(m, home_of(m, &new), i)) continue;
        m->slots[i] = new;
        new = old;
    }
    m->slots[i] = new;
}

int64_t offset_map_get(const struct offset_map *m, const void *key, size_t n) {
    struct offset_slot wanted = {.offset = 0};
    size_t i;
    siphash128(&m->key, key, n, wanted.hash);
    const struct offset_slot *s = find(m, &wanted, &i);
    if (!s || !s->offset || s->hash[0] != wanted.hash[0] || s->hash[1] != wanted.hash[1]) return -1;
    return (int64_t)s->offset - 1;
}
