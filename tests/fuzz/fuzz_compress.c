/* Every decompressor. Input: a byte that chooses the codec (and old lz4 headers), the rest is compressed
 * bytes. */
#include <stdlib.h>

#include "base/assert.h"
#include "record/compress.h"
#include "fuzz.h"

enum { OUTPUT = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t to[4096];
    if (size < 1) return 0;
    struct codec *c = codec_create();
    int64_t n, total = 0;
    if (!decompress_start(c, (enum compression)(data[0] & 7), data + 1, size - 1, data[0] & 8))
        while ((n = decompress_read(c, to, sizeof to)) > 0 && (total += n) < OUTPUT)
            ASSERT(n <= (int64_t)sizeof to);
    codec_destroy(c);
    return 0;
}
