/* One reading stream over four libraries. A stream is `at..end` of compressed bytes and the library's
 * context; snappy, which has no stream of its own, is read block by block into memory that holds one block:
 * snappy cannot give more than about 22 bytes for one, so a block that claims more than 64 is refused before
 * anything is allocated. */
#include "record/compress.h"

#include <isa-l/igzip_lib.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    SNAPPY_BLOCK = 32 << 10,
    SNAPPY_RATIO = 64,
    XERIAL_HEADER = 16,
    ZSTD_WINDOW_MAX = 27,
    GZIP_LEVELS = 4
};

struct codec {
    enum compression how;
    const uint8_t *at, *end;
    bool ended;
    ZSTD_DCtx *zstd_in;
    ZSTD_CCtx *zstd_out;
    LZ4F_dctx *lz4_in;
    struct inflate_state *gzip_in;
    struct isal_zstream *gzip_out;
    uint8_t *gzip_level[GZIP_LEVELS]; /* work memory of a level */
    uint8_t *block;                   /* snappy's current block */
    size_t block_at, block_len, block_cap;
    bool bare_snappy;
};

static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
static const uint8_t xerial[XERIAL_HEADER] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

struct codec *codec_create(void) {
    return xcalloc(1, sizeof(struct codec));
}

void codec_destroy(struct codec *c) {
    if (!c) return;
    ZSTD_freeDCtx(c->zstd_in);
    ZSTD_freeCCtx(c->zstd_out);
    LZ4F_freeDecompressionContext(c->lz4_in);
    free(c->gzip_in);
    free(c->gzip_out);
    for (int i = 0; i < GZIP_LEVELS; i++) free(c->gzip_level[i]);
    free(c->block);
    free(c);
}

const char *compression_name(enum compression c) { return (unsigned)c < COMPRESSION_COUNT ? names[c] : NULL; }

int compression_parse(const char *name) {
    for (int i = 0; i < COMPRESSION_COUNT; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

void compression_levels(enum compression c, int *min, int *max, int *standard) {
    static const int levels[][3] = {{0, 0, 0}, {-1, 9, -1}, {0, 0, 0}, {1, 17, 9}, {-131072, 22, 3}};
    ASSERT((unsigned)c < COMPRESSION_COUNT);
    *min = levels[c][0];
    *max = levels[c][1];
    *standard = levels[c][2];
}

/* ---- writing ---- */

/* ISA-L has the levels 0 to 3; gzip's 1 to 9 are spread over 1 to 3. */
static int isal_level(int level) {
    return level == COMPRESS_LEVEL_DEFAULT || level < 0 ? 2 : level <= 2 ? 1 : level <= 6 ? 2 : 3;
}

static int gzip_write(struct codec *c, int level, const void *bytes, size_t n, struct strbuf *out) {
    static const uint32_t sizes[GZIP_LEVELS] = {0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                                ISAL_DEF_LVL3_DEFAULT};
    int l = isal_level(level);
    if (n > UINT32_MAX) return OE_LIMIT;
    if (!c->gzip_out && !(c->gzip_out = malloc(sizeof *c->gzip_out))) return OE_NOMEM;
    if (!c->gzip_level[l] && !(c->gzip_level[l] = malloc(sizes[l]))) return OE_NOMEM;
    struct isal_zstream *s = c->gzip_out;
    isal_deflate_init(s);
    s->level = (uint32_t)l;
    s->level_buf = c->gzip_level[l];
    s->level_buf_size = sizes[l];
    s->gzip_flag = IGZIP_GZIP;
    s->end_of_stream = 1;
    s->flush = NO_FLUSH;
    s->next_in = (uint8_t *)bytes;
    s->avail_in = (uint32_t)n;
    do {
        size_t room = n / 2 + 1024;
        if (!(s->next_out = strbuf_reserve(out, room))) return OE_LIMIT;
        s->avail_out = (uint32_t)room;
        if (isal_deflate(s) != COMP_OK) return OE_MALFORMED;
        out->len += room - s->avail_out;
    } while (s->internal_state.state != ZSTATE_END);
    return 0;
}

static int snappy_write(const uint8_t *bytes, size_t n, struct strbuf *out) {
    strbuf_add(out, xerial, sizeof xerial);
    for (size_t at = 0; at < n; at += SNAPPY_BLOCK) {
        size_t part = n - at < SNAPPY_BLOCK ? n - at : SNAPPY_BLOCK,
               room = snappy_max_compressed_length(part);
        uint8_t *p = strbuf_reserve(out, 4 + room);
        if (!p) return OE_LIMIT;
        if (snappy_compress((const char *)bytes + at, part, (char *)p + 4, &room) != SNAPPY_OK)
            return OE_MALFORMED;
        put_u32(p, (uint32_t)room);
        out->len += 4 + room;
    }
    return strbuf_ok(out) ? 0 : OE_LIMIT;
}

/* The Java clients' frames: independent blocks of 64 KiB, no checksums. Level 9 is Kafka's name for the fast
 * one. */
static int lz4_write(int level, const void *bytes, size_t n, struct strbuf *out) {
    LZ4F_preferences_t p = {.frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    if (level != COMPRESS_LEVEL_DEFAULT && level != 9)
        p.compressionLevel = level < 3 ? 3 : level > 12 ? 12 : level;
    size_t room = LZ4F_compressFrameBound(n, &p);
    void *to = strbuf_reserve(out, room);
    if (!to) return OE_LIMIT;
    size_t k = LZ4F_compressFrame(to, room, bytes, n, &p);
    if (LZ4F_isError(k)) return OE_MALFORMED;
    out->len += k;
    return 0;
}

static int zstd_write(struct codec *c, int level, const void *bytes, size_t n, struct strbuf *out) {
    size_t room = ZSTD_compressBound(n);
    void *to = strbuf_reserve(out, room);
    if (!to) return OE_LIMIT;
    if (!c->zstd_out && !(c->zstd_out = ZSTD_createCCtx())) return OE_NOMEM;
    size_t k =
        ZSTD_compressCCtx(c->zstd_out, to, room, bytes, n, level == COMPRESS_LEVEL_DEFAULT ? 3 : level);
    if (ZSTD_isError(k)) return OE_NOMEM;
    out->len += k;
    return 0;
}

int compress(struct codec *c, enum compression how, int level, const void *bytes, size_t n,
             struct strbuf *out) {
    switch (how) {
    case COMPRESSION_NONE: strbuf_add(out, bytes, n); return strbuf_ok(out) ? 0 : OE_LIMIT;
    case COMPRESSION_GZIP: return gzip_write(c, level, bytes, n, out);
    case COMPRESSION_SNAPPY: return snappy_write(bytes, n, out);
    case COMPRESSION_LZ4: return lz4_write(level, bytes, n, out);
    case COMPRESSION_ZSTD: return zstd_write(c, level, bytes, n, out);
    default: return OE_UNSUPPORTED;
    }
}

/* ---- reading ---- */

static void gzip_member(struct codec *c) {
    isal_inflate_init(c->gzip_in);
    c->gzip_in->crc_flag = ISAL_GZIP;
}

static int gzip_start(struct codec *c) {
    if (!c->gzip_in && !(c->gzip_in = malloc(sizeof *c->gzip_in))) return OE_NOMEM;
    gzip_member(c);
    return 0;
}

static int64_t gzip_read(struct codec *c, void *to, size_t cap) {
    struct inflate_state *s = c->gzip_in;
    uint32_t room = cap > INT32_MAX ? INT32_MAX : (uint32_t)cap;
    s->next_out = to;
    s->avail_out = room;
    while (s->avail_out == room) {
        size_t left = (size_t)(c->end - c->at);
        s->next_in = (uint8_t *)c->at;
        s->avail_in = left > INT32_MAX ? INT32_MAX : (uint32_t)left;
        uint32_t had = s->avail_in;
        if (isal_inflate(s) != ISAL_DECOMP_OK) return OE_MALFORMED;
        c->at += had - s->avail_in;
        if (s->block_state == ISAL_BLOCK_FINISH) {
            uint8_t *next_out = s->next_out;
            uint32_t avail_out = s->avail_out;
            /* Another member may follow; anything else after the end is ignored, as by the reference. */
            if (c->end - c->at < 18 || c->at[0] != 0x1f || c->at[1] != 0x8b) {
                c->ended = true;
                break;
            }
            gzip_member(c);
            s->next_out = next_out;
            s->avail_out = avail_out;
        } else if (!had && s->avail_out == room) {
            return OE_MALFORMED; /* cut short */
        }
    }
    return room - s->avail_out;
}

static int block_room(struct codec *c, size_t n) {
    if (n <= c->block_cap) return 0;
    uint8_t *p = realloc(c->block, n);
    if (!p) return OE_NOMEM;
    c->block = p;
    c->block_cap = n;
    return 0;
}

static int snappy_block(struct codec *c, size_t n) {
    size_t size;
    if (snappy_uncompressed_length((const char *)c->at, n, &size) != SNAPPY_OK) return OE_MALFORMED;
    if (size > n * SNAPPY_RATIO) return OE_MALFORMED;
    int err = block_room(c, size);
    if (err) return err;
    if (size && snappy_uncompress((const char *)c->at, n, (char *)c->block, &size) != SNAPPY_OK)
        return OE_MALFORMED;
    c->at += n;
    c->block_at = 0;
    c->block_len = size;
    return 0;
}

static void snappy_start(struct codec *c) {
    c->block_at = c->block_len = 0;
    c->bare_snappy = c->end - c->at < XERIAL_HEADER || memcmp(c->at, xerial, 8) != 0;
    if (!c->bare_snappy) c->at += XERIAL_HEADER;
}

static int64_t snappy_read(struct codec *c, void *to, size_t cap) {
    while (c->block_at == c->block_len) {
        size_t left = (size_t)(c->end - c->at), n = left;
        if (!left) return 0;
        if (!c->bare_snappy) {
            if (left < 4) return OE_MALFORMED;
            if (left >= XERIAL_HEADER && !memcmp(c->at, xerial, 8)) {
                c->at += XERIAL_HEADER; /* streams one after the other */
                continue;
            }
            n = get_u32(c->at);
            c->at += 4;
            if (n > left - 4) return OE_MALFORMED;
        }
        int err = snappy_block(c, n);
        if (err) return err;
    }
    size_t n = c->block_len - c->block_at;
    if (n > cap) n = cap;
    memcpy(to, c->block + c->block_at, n);
    c->block_at += n;
    return (int64_t)n;
}

/* The first clients with lz4 summed the frame's magic number, too: the right header checksum is found by
 * trying all. */
static int lz4_mend_header(struct codec *c) {
    enum { MOST = 19 };
    uint8_t header[MOST];
    size_t n = (size_t)(c->end - c->at);
    if (n < 7) return OE_MALFORMED;
    size_t sum_at = 6 + (c->at[4] & 8 ? 8 : 0);
    if (sum_at >= n || sum_at >= MOST) return OE_MALFORMED;
    memcpy(header, c->at, sum_at + 1);
    for (int i = 0; i < 256; i++) {
        size_t used = sum_at + 1, none = 0;
        header[sum_at] = (uint8_t)i;
        LZ4F_resetDecompressionContext(c->lz4_in);
        if (LZ4F_isError(LZ4F_decompress(c->lz4_in, NULL, &none, header, &used, NULL))) continue;
        c->at += used;
        return 0;
    }
    return OE_MALFORMED;
}

static int lz4_start(struct codec *c, bool legacy) {
    if (!c->lz4_in && LZ4F_isError(LZ4F_createDecompressionContext(&c->lz4_in, LZ4F_VERSION)))
        return OE_NOMEM;
    LZ4F_resetDecompressionContext(c->lz4_in);
    return legacy ? lz4_mend_header(c) : 0;
}

static int64_t lz4_read(struct codec *c, void *to, size_t cap) {
    for (;;) {
        size_t out = cap, in = (size_t)(c->end - c->at);
        size_t k = LZ4F_decompress(c->lz4_in, to, &out, c->at, &in, NULL);
        if (LZ4F_isError(k)) return OE_MALFORMED;
        c->at += in;
        if (!k) c->ended = true;
        if (out || !k) return (int64_t)out;
        if (!in) return OE_MALFORMED; /* cut short */
    }
}

static int zstd_start(struct codec *c) {
    if (!c->zstd_in) {
        if (!(c->zstd_in = ZSTD_createDCtx())) return OE_NOMEM;
        ZSTD_DCtx_setParameter(c->zstd_in, ZSTD_d_windowLogMax, ZSTD_WINDOW_MAX);
    }
    ZSTD_DCtx_reset(c->zstd_in, ZSTD_reset_session_only);
    return 0;
}

static int64_t zstd_read(struct codec *c, void *to, size_t cap) {
    ZSTD_outBuffer out = {to, cap, 0};
    for (;;) {
        ZSTD_inBuffer in = {c->at, (size_t)(c->end - c->at), 0};
        size_t k = ZSTD_decompressStream(c->zstd_in, &out, &in);
        if (ZSTD_isError(k)) return OE_MALFORMED;
        c->at += in.pos;
        if (!k && c->at == c->end) c->ended = true; /* frames may follow each other */
        if (out.pos || c->ended) return (int64_t)out.pos;
        if (!in.pos && k) return OE_MALFORMED; /* cut short */
    }
}

int decompress_start(struct codec *c, enum compression how, const void *bytes, size_t n, bool legacy_lz4) {
    c->how = how;
    c->at = bytes;
    c->end = c->at + n;
    c->ended = false;
    switch (how) {
    case COMPRESSION_NONE: return 0;
    case COMPRESSION_GZIP: return gzip_start(c);
    case COMPRESSION_SNAPPY: snappy_start(c); return 0;
    case COMPRESSION_LZ4: return lz4_start(c, legacy_lz4);
    case COMPRESSION_ZSTD: return zstd_start(c);
    default: return OE_UNSUPPORTED;
    }
}

static int64_t plain_read(struct codec *c, void *to, size_t cap) {
    size_t n = (size_t)(c->end - c->at);
    if (n > cap) n = cap;
    memcpy(to, c->at, n);
    c->at += n;
    return (int64_t)n;
}

int64_t decompress_read(struct codec *c, void *to, size_t cap) {
    ASSERT(cap > 0);
    if (c->ended) return 0;
    switch (c->how) {
    case COMPRESSION_NONE: return plain_read(c, to, cap);
    case COMPRESSION_GZIP: return gzip_read(c, to, cap);
    case COMPRESSION_SNAPPY: return snappy_read(c, to, cap);
    case COMPRESSION_LZ4: return lz4_read(c, to, cap);
    case COMPRESSION_ZSTD: return zstd_read(c, to, cap);
    default: return OE_UNSUPPORTED;
    }
}

int decompress_all(struct codec *c, enum compression how, const void *bytes, size_t n, bool legacy_lz4,
                   struct strbuf *out) {
    int err = decompress_start(c, how, bytes, n, legacy_lz4);
    while (!err) {
        size_t step = n < 1024 ? 4096 : n < (1 << 20) ? 4 * n : 4 << 20;
        if (out->len >= out->limit)
            step = 1; /* one more byte is too many */
        else if (step > out->limit - out->len)
            step = out->limit - out->len;
        uint8_t spare, *to = step == 1 && out->len >= out->limit ? &spare : strbuf_reserve(out, step);
        if (!to) return OE_NOMEM;
        int64_t k = decompress_read(c, to, step);
        if (k <= 0) return (int)k;
        if (to == &spare) return OE_LIMIT;
        out->len += (size_t)k;
    }
    return err;
}
