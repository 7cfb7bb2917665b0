/* The codecs of Kafka: none, gzip, snappy (xerial framing, as the Java clients write it; bare snappy is read,
 * too), lz4 (frame format) and zstd. Reading is a stream into memory of a fixed size, so hostile input cannot
 * make it large.
 *
 * A codec keeps the libraries' contexts between uses; one owner, one use at a time. */
#ifndef OTTLA_RECORD_COMPRESS_H
#define OTTLA_RECORD_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_SNAPPY,
    COMPRESSION_LZ4,
    COMPRESSION_ZSTD,
    COMPRESSION_COUNT
};
enum { COMPRESS_LEVEL_DEFAULT = -1000000 };

struct codec;
struct codec *codec_create(void); /* small until used */
void codec_destroy(struct codec *c);

/* "gzip" and so on; NULL when unknown. compression_parse: the number, or -1. */
const char *compression_name(enum compression c);
int compression_parse(const char *name);
/* The range of levels that compression.<type>.level allows, and its default. */
void compression_levels(enum compression c, int *min, int *max, int *standard);

/* Compresses n bytes to the end of `out`. 0, OE_LIMIT (out's limit), OE_NOMEM. */
int compress(struct codec *c, enum compression how, int level, const void *bytes, size_t n,
             struct strbuf *out);

/* Starts to decompress n borrowed bytes. 0, OE_UNSUPPORTED (no such codec), OE_MALFORMED.
 * legacy_lz4: the frame header's checksum may be the wrong one of old clients (magic 0). */
int decompress_start(struct codec *c, enum compression how, const void *bytes, size_t n, bool legacy_lz4);
/* The next bytes, at most cap; 0 at the end; OE_MALFORMED, OE_LIMIT, OE_NOMEM. */
int64_t decompress_read(struct codec *c, void *to, size_t cap);
/* The whole, to the end of `out`; OE_LIMIT when it would pass out's limit. */
int decompress_all(struct codec *c, enum compression how, const void *bytes, size_t n, bool legacy_lz4,
                   struct strbuf *out);

#endif
