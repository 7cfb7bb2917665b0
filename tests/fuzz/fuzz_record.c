/* Record batches: validated as from a client, read, converted. Input: a byte of rules, the rest is the batch,
 * whose length and CRC are put right so that the inside is reached. */
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "record/control.h"
#include "record/record.h"
#include "record/validate.h"
#include "fuzz.h"

enum { PLAIN = 1 << 20, MEMORY = 4 << 20 };

static void mend(uint8_t *b, size_t n) {
    if (n < LEGACY_HEADER_V1) return;
    put_i32(b + 8, (int32_t)(n - BATCH_OVERHEAD));
    if (b[16] >= 2 && n >= BATCH_HEADER)
        put_u32(b + BATCH_AT_CRC, crc32c(0, b + BATCH_AT_ATTRIBUTES, n - BATCH_AT_ATTRIBUTES));
    else if (b[16] < 2)
        put_u32(b + 12, crc32_gzip_refl(0, b + 16, n - 16));
}

static void read_all(struct codec *c, const uint8_t *b, size_t n) {
    struct record_iter it;
    struct record r;
    struct strbuf out;
    struct control_record control;
    if (!record_iter_start(&it, c, b, n, PLAIN))
        for (int i = 0; i < 100000 && record_iter_next(&it, &r) > 0; i++) {
            const uint8_t *at = r.headers, *end = at ? at + r.headers_len : NULL;
            int32_t left = r.header_count;
            struct record_header h;
            while (record_next_header(&at, end, &left, &h)) ASSERT(h.key_len >= 0);
        }
    record_iter_end(&it);
    strbuf_init(&out, PLAIN);
    if (batch_check(b, n) == 0 && batch_magic(b) < 2) legacy_convert(c, b, n, PLAIN, &out);
    strbuf_free(&out);
    if (n >= BATCH_HEADER) control_read(b, n, &control);
}

static void validate(struct codec *c, uint8_t how, uint8_t *b, size_t n) {
    struct record_rules rules = {.target_compression = (how & 7) < COMPRESSION_COUNT ? how & 7 : -1,
                                 .level = COMPRESS_LEVEL_DEFAULT,
                                 .compacted = how & 8,
                                 .log_append_time = how & 16,
                                 .before_max_ms = INT64_MAX,
                                 .after_max_ms = 1000,
                                 .max_bytes = PLAIN};
    struct arena a;
    arena_init(&a, MEMORY);
    struct validation v = {.bytes = b,
                           .len = n,
                           .rules = &rules,
                           .partition = "t-0",
                           .arena = &a,
                           .codec = c,
                           .origin = how & 32 ? APPEND_COORDINATOR : APPEND_CLIENT,
                           .now_ms = 1000000};
    if (!record_validate(&v)) ASSERT(batch_check(v.bytes, v.len) == 0);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t n = size - 1;
    uint8_t *b = malloc(n);
    struct codec *c = codec_create();
    memcpy(b, data + 1, n);
    if (!(data[0] & 64)) mend(b, n);
    if (n >= BATCH_PREFIX) read_all(c, b, n);
    validate(c, data[0], b, n);
    codec_destroy(c);
    free(b);
    return 0;
}
