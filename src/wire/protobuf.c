/* See protobuf.h. */
#include "wire/protobuf.h"

#include <string.h>

enum { VARINT_MAX = 10, TYPE_BITS = 3, NUMBER_MAX = (1 << 29) - 1 };

static uint64_t varint(struct protobuf *in) {
    uint64_t value = 0;
    for (int i = 0; i < VARINT_MAX; i++) {
        if (in->p == in->end) break;
        uint8_t byte = *in->p++;
        value |= (uint64_t)(byte & 127) << (7 * i);
        if (byte < 128) return value;
    }
    in->bad = true;
    return 0;
}

static uint64_t fixed(struct protobuf *in, size_t n) {
    uint64_t value = 0;
    if ((size_t)(in->end - in->p) < n) {
        in->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) value |= (uint64_t)in->p[i] << (8 * i);
    in->p += n;
    return value;
}

static void read_bytes(struct protobuf *in, struct protobuf_field *f) {
    uint64_t n = varint(in);
    if (in->bad || n > (uint64_t)(in->end - in->p)) {
        in->bad = true;
        return;
    }
    f->bytes = in->p;
    f->len = (size_t)n;
    in->p += n;
}

bool protobuf_next(struct protobuf *in, struct protobuf_field *f) {
    if (in->bad || in->p == in->end) return false;
    uint64_t tag = varint(in);
    *f = (struct protobuf_field){.number = (uint32_t)(tag >> TYPE_BITS), .type = tag & 7};
    if (f->number == 0 || tag >> TYPE_BITS > NUMBER_MAX) in->bad = true;
    switch (f->type) {
    case PROTOBUF_VARINT: f->value = varint(in); break;
    case PROTOBUF_I64: f->value = fixed(in, 8); break;
    case PROTOBUF_I32: f->value = fixed(in, 4); break;
    case PROTOBUF_BYTES: read_bytes(in, f); break;
    default: in->bad = true;
    }
    return !in->bad;
}

struct protobuf protobuf_message(const struct protobuf_field *f) {
    if (f->type != PROTOBUF_BYTES) return (struct protobuf){.bad = true};
    return protobuf_of(f->bytes, f->len);
}

double protobuf_double(const struct protobuf_field *f) {
    double d;
    memcpy(&d, &f->value, sizeof d);
    return d;
}
