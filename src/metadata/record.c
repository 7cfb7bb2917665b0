/* See record.h. */
#include "metadata/record.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "records/metadata.h"
#include "wire/writer.h"

#include <string.h>

enum { FRAME_VERSION = 1, FIRST_CAP = 64 };

void record_list_init(struct record_list *l) {
    *l = (struct record_list){.atomic = true};
    arena_init(&l->arena, RECORD_LIST_LIMIT);
}

void record_list_free(struct record_list *l) {
    arena_free(&l->arena);
    l->v = NULL;
    l->n = l->cap = 0;
}

void record_list_truncate(struct record_list *l, int32_t n) {
    ASSERT(n >= 0 && n <= l->n);
    l->n = n;
}

/* Room for one more; the old array stays behind in the arena, which doubling bounds. */
static struct meta_record *next(struct record_list *l) {
    if (l->n == l->cap) {
        int32_t cap = l->cap ? l->cap * 2 : FIRST_CAP;
        struct meta_record *v = arena_alloc(&l->arena, (size_t)cap * sizeof *v);
        if (!v) {
            l->failed = true;
            return NULL;
        }
        if (l->n) memcpy(v, l->v, (size_t)l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    return &l->v[l->n];
}

void record_add_raw(struct record_list *l, const void *frame, size_t len) {
    struct meta_record *to = l->failed ? NULL : next(l);
    if (!to) return;
    to->data = arena_memdup(&l->arena, frame, len);
    to->len = (uint32_t)len;
    if (to->data)
        l->n++;
    else
        l->failed = true;
}

static void frame_begin(struct writer *w, enum metadata_type type, int16_t version) {
    write_uvarint(w, FRAME_VERSION);
    write_uvarint(w, (uint32_t)type);
    write_uvarint(w, (uint32_t)version);
}

static void frame_end(struct record_list *l, struct writer *w, int err) {
    if (err || w->err)
        l->failed = true;
    else
        record_add_raw(l, w->buf, writer_len(w));
    writer_free(w);
}

#define X(name, NAME)                                                                                        \
    void record_add_##name(struct record_list *l, int16_t version, const struct name##_record *r) {          \
        uint8_t memory[512];                                                                                 \
        struct writer w;                                                                                     \
        writer_init_with(&w, memory, sizeof memory, RECORD_LIST_LIMIT);                                      \
        frame_begin(&w, METADATA_##NAME, version);                                                           \
        int err = name##_record_encode(r, &w, version);                                                      \
        frame_end(l, &w, err);                                                                               \
    }
RECORD_TYPES(X)
#undef X

int meta_record_head(const uint8_t *data, size_t len, int32_t *type, int32_t *version) {
    const uint8_t *p = data, *end = data + len;
    uint32_t v[3];
    for (int i = 0; i < 3; i++) {
        int n = get_uvarint(p, end, &v[i]);
        if (n == 0) return OE_MALFORMED;
        p += n;
        if (i == 0 && v[0] != FRAME_VERSION) return OE_UNSUPPORTED;
        if (v[i] > INT16_MAX) return OE_MALFORMED;
    }
    *type = (int32_t)v[1];
    *version = (int32_t)v[2];
    return (int)(p - data);
}
