/* Reads Protocol Buffers' wire format from bytes that nobody has checked; only what OpenTelemetry's messages
 * need: no groups. Everything borrows from the bytes; nothing is allocated. The first error sticks.
 *
 *     struct protobuf in = protobuf_of(bytes, n);
 *     for (struct protobuf_field f; protobuf_next(&in, &f);)
 *         if (f.number == 1 && f.type == PROTOBUF_BYTES) …
 *     if (in.bad) …
 */
#ifndef OTTLA_WIRE_PROTOBUF_H
#define OTTLA_WIRE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protobuf_type { PROTOBUF_VARINT = 0, PROTOBUF_I64 = 1, PROTOBUF_BYTES = 2, PROTOBUF_I32 = 5 };

struct protobuf {
    const uint8_t *p, *end;
    bool bad;
};

struct protobuf_field {
    uint32_t number;
    enum protobuf_type type;
    uint64_t value;       /* VARINT, I64, I32 */
    const uint8_t *bytes; /* BYTES */
    size_t len;
};

static inline struct protobuf protobuf_of(const void *bytes, size_t n) {
    return (struct protobuf){bytes, n ? (const uint8_t *)bytes + n : bytes, false};
}
/* The next field; false at the end or after an error. */
bool protobuf_next(struct protobuf *in, struct protobuf_field *f);
/* The message that a BYTES field holds; of another type: an empty one that is bad. */
struct protobuf protobuf_message(const struct protobuf_field *f);
/* The double of an I64 field. */
double protobuf_double(const struct protobuf_field *f);

#endif
