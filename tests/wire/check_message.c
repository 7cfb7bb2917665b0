#include "check_message.h"

#include "base/assert.h"

static const size_t NO_LIMIT = 1u << 30;

static int decode(const struct message *m, int16_t version, const void *bytes, size_t n, struct arena *a,
                  void **x) {
    struct reader r = reader_of(bytes, n);
    *x = arena_alloc(a, m->shape->size);
    ASSERT(*x);
    int err = m->decode(*x, &r, version, a);
    ASSERT(err <= 0 && r.p <= r.end && reader_left(&r) <= n);
    return err;
}

int check_message(const struct message *m, int16_t version, const uint8_t *bytes, size_t n, size_t memory) {
    struct arena a, more;
    struct writer once, again;
    struct strbuf json;
    void *x, *y;
    arena_init(&a, memory + m->shape->size);
    int err = decode(m, version, bytes, n, &a, &x);
    ASSERT(a.used <= memory + m->shape->size);
    if (!err) {
        arena_init(&more, NO_LIMIT);
        writer_init(&once, NO_LIMIT);
        writer_init(&again, NO_LIMIT);
        strbuf_init(&json, 4096);
        ASSERT(!m->encode(x, &once, version));
        shape_json(m->shape, x, &json, version);
        ASSERT(!decode(m, version, once.buf, writer_len(&once), &more, &y));
        ASSERT(!m->encode(y, &again, version));
        ASSERT(writer_len(&once) == writer_len(&again));
        ASSERT(!writer_len(&once) || !memcmp(once.buf, again.buf, writer_len(&once)));
        strbuf_free(&json);
        writer_free(&once);
        writer_free(&again);
        arena_free(&more);
    }
    arena_free(&a);
    return err;
}
