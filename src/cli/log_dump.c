/* ottla log dump: one line a batch, record or entry, with the reference's names for what they hold; with
 * --json one object a line. Stops at the first place that cannot be read, says where, and fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/text.h"

enum { LINE_MAX_BYTES = 1 << 30 };

struct dump {
    struct cli *c;
    const char *path;
    enum log_decode decode;
    bool deep, data;
    int64_t from, left; /* offset; batches that may still be shown, -1: all */
    struct codec *codec;
    struct strbuf line;
};

static void put_line(struct dump *d) {
    strbuf_adds(&d->line, "\n");
    fwrite(strbuf_str(&d->line), 1, d->line.len, stdout);
    strbuf_reset(&d->line);
}

/* "name: v " or "name":v, */
static void add_number(struct dump *d, const char *name, int64_t v) {
    if (d->c->json)
        strbuf_addf(&d->line, "%s\"%s\":%lld", d->line.len > 1 ? "," : "", name, (long long)v);
    else
        strbuf_addf(&d->line, " %s: %lld", name, (long long)v);
}
static void add_word(struct dump *d, const char *name, const char *v) {
    if (d->c->json)
        strbuf_addf(&d->line, "%s\"%s\":\"%s\"", d->line.len > 1 ? "," : "", name, v);
    else
        strbuf_addf(&d->line, " %s: %s", name, v);
}
static void add_bool(struct dump *d, const char *name, bool v) {
    if (d->c->json)
        strbuf_addf(&d->line, ",\"%s\":%s", name, v ? "true" : "false");
    else
        strbuf_addf(&d->line, " %s: %s", name, v ? "true" : "false");
}
static void begin_line(struct dump *d, const char *text) {
    strbuf_reset(&d->line);
    strbuf_adds(&d->line, d->c->json ? "{" : text);
}
static void end_line(struct dump *d) {
    if (d->c->json) strbuf_adds(&d->line, "}");
    put_line(d);
}

/* ---- batches ---- */

static void add_bytes(struct dump *d, const char *name, const uint8_t *bytes, int32_t n) {
    bool text = bytes && utf8_is_valid(bytes, (size_t)n);
    if (d->c->json) {
        strbuf_addf(&d->line, ",\"%s%s\":", name, bytes && !text ? "Base64" : "");
        if (!bytes)
            strbuf_adds(&d->line, "null");
        else if (text)
            strbuf_add_json(&d->line, (const char *)bytes, (size_t)n);
    } else {
        strbuf_addf(&d->line, " %s: ", name);
        if (!bytes)
            strbuf_adds(&d->line, "null");
        else if (text)
            strbuf_add(&d->line, bytes, (size_t)n);
        else
            strbuf_adds(&d->line, "base64:");
    }
    if (!bytes || text) return;
    if (d->c->json) strbuf_adds(&d->line, "\"");
    base64_add(&d->line, bytes, (size_t)n);
    if (d->c->json) strbuf_adds(&d->line, "\"");
}

static void add_headers(struct dump *d, const struct record *r) {
    struct record_header h;
    const uint8_t *at = r->headers;
    int32_t left = r->header_count;
    strbuf_adds(&d->line, d->c->json ? ",\"headerKeys\":[" : " headerKeys: [");
    const uint8_t *end = at ? at + r->headers_len : NULL; /* a message of magic 0 or 1 has none */
    for (bool first = true; record_next_header(&at, end, &left, &h); first = false) {
        if (!first) strbuf_adds(&d->line, ",");
        if (d->c->json)
            strbuf_add_json(&d->line, h.key, (size_t)h.key_len);
        else
            strbuf_add(&d->line, h.key, (size_t)h.key_len);
    }
    strbuf_adds(&d->line, "]");
}

static void dump_record(struct dump *d, const struct record *r, bool control) {
    const char *type = NULL;
    begin_line(d, "|");
    add_number(d, "offset", r->offset);
    add_number(d, "timestamp", r->timestamp);
    add_number(d, "keySize", r->key_len);
    add_number(d, "valueSize", r->value_len);
    add_headers(d, r);
    struct strbuf decoded;
    strbuf_init(&decoded, LINE_MAX_BYTES);
    if (control && log_decode_control(r, &decoded, &type)) {
        add_word(d, "controlType", type);
        strbuf_addf(&d->line, d->c->json ? ",\"payload\":%s" : " payload: %s", strbuf_str(&decoded));
    } else if (!control && log_decode_record(d->decode, r, &decoded)) {
        strbuf_addf(&d->line, d->c->json ? ",%s" : " {%s}", strbuf_str(&decoded));
    } else if (d->data) {
        add_bytes(d, "key", r->key, r->key_len);
        add_bytes(d, "value", r->value, r->value_len);
    }
    strbuf_free(&decoded);
    end_line(d);
}

static void dump_batch(struct dump *d, const uint8_t *b, size_t n, int64_t at) {
    int magic = (uint8_t)batch_magic(b);
    begin_line(d, "batch");
    add_number(d, "baseOffset", batch_base_offset(b));
    add_number(d, "lastOffset", batch_last_offset(b));
    if (magic >= 2) {
        add_number(d, "count", batch_count(b));
        add_number(d, "baseSequence", batch_base_sequence(b));
        add_number(d, "lastSequence", batch_last_sequence(b));
        add_number(d, "producerId", batch_producer_id(b));
        add_number(d, "producerEpoch", batch_producer_epoch(b));
        add_number(d, "partitionLeaderEpoch", batch_leader_epoch(b));
        add_bool(d, "isTransactional", batch_is_transactional(b));
        add_bool(d, "isControl", batch_is_control(b));
        if (batch_attrs(b) & BATCH_DELETE_HORIZON) add_number(d, "deleteHorizonMs", batch_base_timestamp(b));
    }
    add_number(d, "position", at);
    add_number(d, magic >= 2 && (batch_attrs(b) & BATCH_LOG_APPEND_TIME) ? "LogAppendTime" : "CreateTime",
               batch_max_timestamp(b));
    add_number(d, "size", (int64_t)n);
    add_number(d, "magic", magic);
    if (magic >= 2) {
        const char *codec = compression_name(batch_compression(b));
        add_word(d, "compresscodec", codec ? codec : "unknown");
        add_number(d, "crc", batch_crc(b));
    }
    add_bool(d, "isvalid", !batch_check(b, n));
    end_line(d);
}

static int dump_records(struct dump *d, const uint8_t *b, size_t n, int64_t at) {
    struct record_iter it;
    struct record r;
    bool control = batch_magic(b) >= 2 && batch_is_control(b);
    int err = batch_check(b, n);
    if (err)
        return cli_fail("%s: byte %lld: this batch's CRC is wrong; its records are not shown", d->path,
                        (long long)at);
    err = record_iter_start(&it, d->codec, b, n, LOG_PLAIN_MAX);
    while (!err && (err = record_iter_next(&it, &r)) == 1) {
        err = 0;
        if (r.offset >= d->from) dump_record(d, &r, control);
    }
    record_iter_end(&it);
    return err < 0 ? cli_fail("%s: byte %lld: the records of this batch cannot be read: %s", d->path,
                              (long long)at, oerr_text(err))
                   : 0;
}

static int dump_batches(struct dump *d) {
    struct log_batches b;
    const uint8_t *batch;
    size_t n;
    int got = 0, status = log_batches_open(&b, d->path);
    while (!status && d->left && (got = log_batches_next(&b, &batch, &n)) == 1) {
        if (batch_last_offset(batch) < d->from) continue;
        dump_batch(d, batch, n, b.at);
        if (d->deep) status = dump_records(d, batch, n, b.at);
        if (d->left > 0) d->left--;
    }
    if (!status && got < 0 && !log_batches_zeros(&b))
        status = cli_fail("%s: byte %lld: %s", d->path, (long long)b.at,
                          got == OE_SHORT ? "the file ends inside of a batch" : "no batch can begin here");
    log_batches_close(&b);
    return status;
}

/* ---- the other files ---- */

static int dump_entries(struct dump *d, enum log_kind kind, const uint8_t *p, size_t n) {
    size_t size = kind == LOG_OFFSET_INDEX ? INDEX_ENTRY
                  : kind == LOG_TIME_INDEX ? TIME_INDEX_ENTRY
                                           : TXN_INDEX_ENTRY;
    size_t entries = kind == LOG_TXN_INDEX ? n / size : log_index_entries(p, n, size);
    int64_t base = log_name_offset(d->path);
    if (base < 0) base = 0;
    for (size_t i = 0; i < entries; i++, p += size) {
        begin_line(d, "entry");
        if (kind == LOG_OFFSET_INDEX) {
            add_number(d, "offset", base + get_u32(p));
            add_number(d, "position", get_u32(p + 4));
        } else if (kind == LOG_TIME_INDEX) {
            add_number(d, "timestamp", get_i64(p));
            add_number(d, "offset", base + get_u32(p + 8));
        } else {
            add_number(d, "version", get_i16(p));
            add_number(d, "producerId", get_i64(p + 2));
            add_number(d, "firstOffset", get_i64(p + 10));
            add_number(d, "lastOffset", get_i64(p + 18));
            add_number(d, "lastStableOffset", get_i64(p + 26));
        }
        end_line(d);
    }
    return 0;
}

static int dump_producers(struct dump *d, const uint8_t *p, size_t n) {
    if (n < SNAPSHOT_HEADER) return cli_fail("%s: byte %zu: the file ends inside of its header", d->path, n);
    int32_t count = get_i32(p + 6);
    begin_line(d, "snapshot");
    add_number(d, "version", get_i16(p));
    add_number(d, "crc", get_u32(p + 2));
    add_number(d, "producers", count);
    add_bool(d, "isvalid", get_u32(p + 2) == crc32c(0, p + 6, n - 6));
    end_line(d);
    for (int32_t i = 0; i < count; i++) {
        size_t at = SNAPSHOT_HEADER + (size_t)i * SNAPSHOT_ENTRY;
        if (at + SNAPSHOT_ENTRY > n)
            return cli_fail("%s: byte %zu: the file ends inside of an entry", d->path, at);
        const uint8_t *e = p + at;
        begin_line(d, "producer");
        add_number(d, "producerId", get_i64(e));
        add_number(d, "producerEpoch", get_i16(e + 8));
        add_number(d, "lastSequence", get_i32(e + 10));
        add_number(d, "lastOffset", get_i64(e + 14));
        add_number(d, "offsetDelta", get_i32(e + 22));
        add_number(d, "lastTimestamp", get_i64(e + 26));
        add_number(d, "coordinatorEpoch", get_i32(e + 34));
        add_number(d, "currentTxnFirstOffset", get_i64(e + 38));
        end_line(d);
    }
    return 0;
}

static void dump_text(struct dump *d, const char *p, size_t n) {
    for (const char *end = p + n; p < end;) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((line_end ? line_end : end) - p);
        begin_line(d, "");
        if (d->c->json) {
            strbuf_adds(&d->line, "\"line\":");
            strbuf_add_json(&d->line, p, len);
        } else {
            strbuf_add(&d->line, p, len);
        }
        end_line(d);
        p += len + 1;
    }
}

static int dump_small(struct dump *d, enum log_kind kind) {
    uint8_t *bytes;
    size_t n;
    int status = log_read_small(d->path, &bytes, &n);
    if (status) return status;
    if (kind == LOG_PRODUCERS)
        status = dump_producers(d, bytes, n);
    else if (kind == LOG_TEXT || kind == LOG_CHECKPOINT_TEXT)
        dump_text(d, (const char *)bytes, n);
    else
        status = dump_entries(d, kind, bytes, n);
    free(bytes);
    return status;
}

static int dump_file(struct dump *d, const char *path) {
    static const char *const decoders[] = {"none", "metadata", "offsets", "transactions", "share"};
    enum log_kind kind = log_kind_of(path);
    const char *decode = cli_get(d->c, "decode");
    d->path = path;
    d->decode = log_decode_of(path);
    for (int i = 0; decode && i < 5; i++)
        if (!strcmp(decoders[i], decode)) d->decode = (enum log_decode)i;
    d->deep = d->data || cli_has(d->c, "deep") || d->decode != DECODE_NONE;
    d->left = cli_number(d->c, "count", 1, INT64_MAX, -1);
    if (d->c->args_n > 1 && !d->c->json) printf("%s\n", path);
    if (kind == LOG_UNKNOWN) return cli_fail("%s: this is no file of a log by its name", path);
    return kind <= LOG_KRAFT_SNAPSHOT ? dump_batches(d) : dump_small(d, kind);
}

int log_dump(struct cli *c) {
    struct dump d = {
        .c = c, .data = cli_has(c, "print-data"), .from = cli_number(c, "from", 0, INT64_MAX, 0)};
    cli_number(c, "count", 1, INT64_MAX, -1);
    if (c->failed) return c->failed;
    int status = CLI_DONE;
    d.codec = codec_create();
    strbuf_init(&d.line, LINE_MAX_BYTES);
    for (int i = 0; i < c->args_n; i++) {
        int one = dump_file(&d, c->args[i]);
        if (one) status = one;
    }
    strbuf_free(&d.line);
    codec_destroy(d.codec);
    return status;
}
