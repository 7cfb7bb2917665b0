/* ottla log verify: reads every byte of the files and says where something is wrong: one line a problem,
 * "file: byte N: what".
 *
 * Of a segment: batches whole and with the right CRC; offsets ascending, from the offset in the file's name
 * on; leader epochs ascending; records as many as the header says, at offsets inside of the batch. Then its
 * indexes against its batches: an entry of the offset index names the start of a batch and the last offset of
 * it or (compacted) of a later one before the next entry; an entry of the time index names an offset whose
 * batch has that timestamp, with none larger before it. Of a directory: each segment begins behind the one
 * before it. Of other files: sizes, CRCs, order.
 *
 * A log that a broker is writing may look torn at its end; zeros there are space that it has reserved, no
 * problem. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/log.h"
#include "cli/output.h"

enum { PROBLEM_TEXT = 300, PER_FILE_MAX = 20, DEPTH_MAX = 2 };

struct verify {
    struct cli *c;
    struct codec *codec;
    struct progress progress;
    struct json j;
    int64_t files, batches, records, bytes, problems;
    int64_t in_file; /* problems of the file at hand */
};

/* An index that is compared with the batches as they come by. */
struct index_walk {
    char *path;
    uint8_t *bytes;
    size_t n, entries, at; /* at: the entry that is waited for */
    bool inside;           /* its batch was met, its offset not yet */
};

struct segment_walk {
    const char *path;
    int64_t base, last; /* last: the last offset seen */
    int32_t epoch;
    int64_t max_timestamp; /* so far */
    struct index_walk offsets, times;
};

/* ---- problems ---- */

__attribute__((format(printf, 4, 5))) static void problem(struct verify *v, const char *path, int64_t byte,
                                                          const char *format, ...) {
    char text[PROBLEM_TEXT];
    va_list args;
    v->problems++;
    if (++v->in_file > PER_FILE_MAX) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (v->c->json) {
        json_open(&v->j, '{');
        json_text(&v->j, "file", path);
        json_int(&v->j, "byte", byte);
        json_text(&v->j, "problem", text);
        json_close(&v->j, '}');
        return;
    }
    progress_end(&v->progress);
    printf("%s: byte %lld: %s\n", path, (long long)byte, text);
    if (v->in_file == PER_FILE_MAX)
        printf("%s: further problems of this file are counted, not shown\n", path);
}

/* ---- indexes against batches ---- */

static void load_index(struct verify *v, struct index_walk *x, const char *segment, const char *suffix,
                       size_t entry) {
    struct fs_stat st;
    memset(x, 0, sizeof *x);
    x->path = xasprintf("%.*s%s", (int)(strlen(segment) - strlen(".log")), segment, suffix);
    if (fs_stat(fs_real(), x->path, &st) || fs_read_all(fs_real(), x->path, LOG_SMALL_MAX, &x->bytes, &x->n))
        return;
    v->files++;
    v->bytes += (int64_t)x->n;
    x->entries = log_index_entries(x->bytes, x->n, entry);
    if (x->n % entry)
        problem(v, x->path, (int64_t)(x->n - x->n % entry), "half an entry: an entry has %zu bytes", entry);
}

static void free_index(struct index_walk *x) {
    free(x->path);
    free(x->bytes);
}

static void check_order(struct verify *v, const struct index_walk *x, size_t entry, bool times) {
    for (size_t i = 1; i < x->entries; i++) {
        const uint8_t *p = x->bytes + i * entry, *before = p - entry;
        bool ok = times ? get_i64(p) >= get_i64(before) && get_u32(p + 8) >= get_u32(before + 8)
                        : get_u32(p) > get_u32(before) && get_u32(p + 4) >= get_u32(before + 4);
        if (!ok) problem(v, x->path, (int64_t)(i * entry), "this entry is not above the one before it");
    }
}

/* A batch at [at, …) with offsets up to last has come by: what does the offset index say of it? */
static void walk_offsets(struct verify *v, struct segment_walk *s, int64_t at, int64_t base, int64_t last) {
    struct index_walk *x = &s->offsets;
    for (; x->at < x->entries; x->at++, x->inside = false) {
        const uint8_t *e = x->bytes + x->at * INDEX_ENTRY;
        int64_t offset = s->base + get_u32(e), position = get_u32(e + 4);
        if (!x->inside && position > at) return;
        if (!x->inside && position < at) {
            problem(v, x->path, (int64_t)(x->at * INDEX_ENTRY),
                    "it says that a batch begins at byte %lld; none does", (long long)position);
            continue;
        }
        x->inside = true;
        if (offset > last) return; /* of a compacted log: a later batch ends there */
        if (offset < last)
            problem(v, x->path, (int64_t)(x->at * INDEX_ENTRY),
                    "it says offset %lld for byte %lld; that batch holds %lld to %lld", (long long)offset,
                    (long long)position, (long long)base, (long long)last);
    }
}

static void walk_times(struct verify *v, struct segment_walk *s, int64_t last, int64_t timestamp) {
    struct index_walk *x = &s->times;
    for (; x->at < x->entries; x->at++) {
        const uint8_t *e = x->bytes + x->at * TIME_INDEX_ENTRY;
        int64_t offset = s->base + get_u32(e + 8);
        if (offset > last) return;
        if (get_i64(e) != timestamp || s->max_timestamp > get_i64(e))
            problem(
                v, x->path, (int64_t)(x->at * TIME_INDEX_ENTRY),
                "it says timestamp %lld for offset %lld; that batch has %lld, the largest up to it is %lld",
                (long long)get_i64(e), (long long)offset, (long long)timestamp,
                (long long)(timestamp > s->max_timestamp ? timestamp : s->max_timestamp));
    }
}

/* Entries that no batch has claimed. */
static void leftovers(struct verify *v, const struct index_walk *x, size_t entry) {
    if (x->at < x->entries)
        problem(v, x->path, (int64_t)(x->at * entry),
                "this entry and %zu more lie behind the end of the segment", x->entries - x->at - 1);
}

/* ---- segments ---- */

static void check_records(struct verify *v, const char *path, const uint8_t *b, size_t n, int64_t at) {
    struct record_iter it;
    struct record r;
    int64_t base = batch_base_offset(b), last = batch_last_offset(b), before = -1, count = 0;
    int err = record_iter_start(&it, v->codec, b, n, LOG_PLAIN_MAX);
    while (!err && (err = record_iter_next(&it, &r)) == 1) {
        err = 0;
        count++;
        bool inside = r.offset <= last && (batch_magic(b) < 2 || r.offset >= base);
        if (!inside || r.offset <= before)
            problem(v, path, at,
                    "a record of this batch has offset %lld, out of order or outside of %lld to %lld",
                    (long long)r.offset, (long long)base, (long long)last);
        before = r.offset;
    }
    record_iter_end(&it);
    if (err < 0)
        problem(v, path, at, "the records of this batch cannot be read: %s", oerr_text(err));
    else if (batch_magic(b) >= 2 && count != batch_count(b))
        problem(v, path, at, "this batch holds %lld records and says %d", (long long)count, batch_count(b));
    v->records += count;
}

static void check_batch(struct verify *v, struct segment_walk *s, const uint8_t *b, size_t n, int64_t at) {
    v->batches++;
    if (batch_check(b, n)) {
        if (batch_magic(b) >= 2)
            problem(v, s->path, at, "this batch of %zu bytes has CRC %08x, its bytes give %08x", n,
                    batch_crc(b), crc32c(0, b + BATCH_AT_ATTRIBUTES, n - BATCH_AT_ATTRIBUTES));
        else
            problem(v, s->path, at, "this message of %zu bytes has a wrong CRC", n);
        return;
    }
    int64_t base = batch_base_offset(b), last = batch_last_offset(b), timestamp = batch_max_timestamp(b);
    int64_t first = batch_magic(b) >= 2 ? base : last; /* a message of before holds only its last */
    if (first < s->base || last < first)
        problem(v, s->path, at, "offsets %lld to %lld cannot be in a segment that begins at %lld",
                (long long)base, (long long)last, (long long)s->base);
    if (first <= s->last)
        problem(v, s->path, at, "this batch begins at offset %lld, the one before it ends at %lld",
                (long long)base, (long long)s->last);
    if (batch_magic(b) >= 2 && batch_leader_epoch(b) < s->epoch)
        problem(v, s->path, at, "leader epoch %d after %d", batch_leader_epoch(b), s->epoch);
    else if (batch_magic(b) >= 2)
        s->epoch = batch_leader_epoch(b);
    check_records(v, s->path, b, n, at);
    walk_offsets(v, s, at, base, last);
    walk_times(v, s, last, timestamp);
    if (timestamp > s->max_timestamp) s->max_timestamp = timestamp;
    s->last = last;
}

static void show(struct verify *v) {
    char bytes[24];
    if (progress_due(&v->progress))
        progress_show(&v->progress, "%lld files, %lld batches, %s, %lld problem%s", (long long)v->files,
                      (long long)v->batches, format_bytes(bytes, (double)v->bytes), (long long)v->problems,
                      v->problems == 1 ? "" : "s");
}

/* *last: the last offset of the segment before, then of this one. 0 or an exit status. */
static int verify_batches(struct verify *v, const char *path, enum log_kind kind, int64_t *last) {
    struct segment_walk s = {
        .path = path, .base = log_name_offset(path), .last = -1, .epoch = -1, .max_timestamp = -1};
    struct log_batches b;
    const uint8_t *batch;
    size_t n;
    int got, status = log_batches_open(&b, path);
    if (status) return status;
    v->files++;
    v->in_file = 0;
    if (kind == LOG_KRAFT_SNAPSHOT || s.base < 0) s.base = 0;
    if (kind == LOG_SEGMENT && s.base <= *last)
        problem(v, path, 0, "this segment begins at offset %lld, the one before it ends at %lld",
                (long long)s.base, (long long)*last);
    bool indexed = kind == LOG_SEGMENT && !strcmp(path + strlen(path) - 4, ".log");
    if (indexed) {
        load_index(v, &s.offsets, path, ".index", INDEX_ENTRY);
        load_index(v, &s.times, path, ".timeindex", TIME_INDEX_ENTRY);
        check_order(v, &s.offsets, INDEX_ENTRY, false);
        check_order(v, &s.times, TIME_INDEX_ENTRY, true);
    }
    while ((got = log_batches_next(&b, &batch, &n)) == 1) {
        check_batch(v, &s, batch, n, b.at);
        v->bytes += (int64_t)n;
        show(v);
    }
    if (got == OE_IO || got == OE_NOMEM)
        status = cli_fail("%s: byte %lld: %s", path, (long long)b.at, oerr_text(got));
    else if (got < 0 && !log_batches_zeros(&b))
        problem(v, path, b.at, "%s (%lld bytes follow)",
                got == OE_SHORT ? "the file ends inside of this batch" : "no batch can begin here",
                (long long)(b.size - b.at));
    else if (indexed) {
        leftovers(v, &s.offsets, INDEX_ENTRY);
        leftovers(v, &s.times, TIME_INDEX_ENTRY);
    }
    if (s.last > *last) *last = s.last;
    free_index(&s.offsets);
    free_index(&s.times);
    log_batches_close(&b);
    return status;
}

/* ---- other files ---- */

static void verify_producers(struct verify *v, const char *path, const uint8_t *p, size_t n) {
    if (n < SNAPSHOT_HEADER) {
        problem(v, path, (int64_t)n, "the file ends inside of its header");
        return;
    }
    uint32_t crc = crc32c(0, p + 6, n - 6);
    int64_t should = SNAPSHOT_HEADER + (int64_t)get_i32(p + 6) * SNAPSHOT_ENTRY;
    if (get_i16(p) != 1) problem(v, path, 0, "version %d is not known", get_i16(p));
    if (get_u32(p + 2) != crc)
        problem(v, path, 2, "the file has CRC %08x, its bytes give %08x", get_u32(p + 2), crc);
    if (should != (int64_t)n)
        problem(v, path, 6, "%d entries need %lld bytes, the file has %zu", get_i32(p + 6), (long long)should,
                n);
}

static void verify_txns(struct verify *v, const char *path, const uint8_t *p, size_t n) {
    int64_t base = log_name_offset(path), before = -1;
    if (n % TXN_INDEX_ENTRY)
        problem(v, path, (int64_t)(n - n % TXN_INDEX_ENTRY), "half an entry: an entry has %d bytes",
                TXN_INDEX_ENTRY);
    for (size_t at = 0; at + TXN_INDEX_ENTRY <= n; at += TXN_INDEX_ENTRY) {
        const uint8_t *e = p + at;
        int64_t first = get_i64(e + 10), last = get_i64(e + 18);
        if (get_i16(e) != 0) problem(v, path, (int64_t)at, "version %d is not known", get_i16(e));
        if (first > last || last < base || last <= before)
            problem(v, path, (int64_t)at, "a transaction from %lld to %lld cannot be here", (long long)first,
                    (long long)last);
        before = last;
    }
}

/* "0\n<count>\n" and count lines of `fields` words. */
static void verify_checkpoint(struct verify *v, const char *path, const char *p, size_t n) {
    int fields = strstr(log_base_name(path), "leader-epoch") ? 2 : 3;
    const char *end = p + n, *at = p;
    long long wanted = -1, seen = 0;
    for (int line = 0; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        int words = 0;
        for (size_t i = 0; i < len; i++) words += at[i] != ' ' && (i == 0 || at[i - 1] == ' ');
        if (line == 0 && (len != 1 || *at != '0'))
            problem(v, path, at - p, "version '%.*s' is not known", (int)len, at);
        else if (line == 1 && (words != 1 || sscanf(at, "%lld", &wanted) != 1))
            problem(v, path, at - p, "this is no number of entries");
        else if (line > 1 && words != fields)
            problem(v, path, at - p, "'%.*s' is no entry", (int)(len < 80 ? len : 80), at);
        seen += line > 1;
        at += len + 1;
    }
    if (n > 0 && wanted != seen) problem(v, path, 0, "it says %lld entries and has %lld", wanted, seen);
}

static void verify_index_alone(struct verify *v, const char *path, bool times, uint8_t *bytes, size_t n) {
    size_t entry = times ? TIME_INDEX_ENTRY : INDEX_ENTRY;
    struct index_walk x = {
        .path = (char *)path, .bytes = bytes, .n = n, .entries = log_index_entries(bytes, n, entry)};
    if (n % entry) problem(v, path, (int64_t)(n - n % entry), "half an entry: an entry has %zu bytes", entry);
    check_order(v, &x, entry, times);
}

static int verify_small(struct verify *v, const char *path, enum log_kind kind) {
    uint8_t *bytes;
    size_t n;
    int status = log_read_small(path, &bytes, &n);
    if (status) return status;
    v->files++;
    v->in_file = 0;
    v->bytes += (int64_t)n;
    switch (kind) {
    case LOG_PRODUCERS: verify_producers(v, path, bytes, n); break;
    case LOG_TXN_INDEX: verify_txns(v, path, bytes, n); break;
    case LOG_CHECKPOINT_TEXT: verify_checkpoint(v, path, (const char *)bytes, n); break;
    case LOG_OFFSET_INDEX: verify_index_alone(v, path, false, bytes, n); break;
    case LOG_TIME_INDEX: verify_index_alone(v, path, true, bytes, n); break;
    default: break;
    }
    free(bytes);
    return 0;
}

/* ---- directories ---- */

struct names {
    char **v;
    bool *dirs;
    int n, cap;
};

static void add_name(void *to, const char *name, bool is_dir) {
    struct names *names = to;
    if (names->n == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 64;
        names->v = xrealloc(names->v, (size_t)names->cap * sizeof *names->v);
    }
    names->v[names->n++] = xasprintf("%c%s", is_dir ? 'd' : 'f', name); /* files sort behind directories */
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int verify_path(struct verify *v, const char *path, int depth, int64_t *last);

static int verify_dir(struct verify *v, const char *dir, int depth) {
    struct names names = {0};
    int64_t last = -1;
    int status = 0;
    if (fs_list(fs_real(), dir, add_name, &names)) status = cli_fail("%s cannot be read", dir);
    if (names.n) qsort(names.v, (size_t)names.n, sizeof *names.v, compare_names);
    for (int i = 0; i < names.n && !status; i++) {
        char *path = xasprintf("%s/%s", dir, names.v[i] + 1);
        enum log_kind kind = log_kind_of(path);
        bool with_segment =
            kind == LOG_OFFSET_INDEX || kind == LOG_TIME_INDEX; /* they are compared with it */
        if (names.v[i][0] == 'd' ? depth < DEPTH_MAX : kind != LOG_UNKNOWN && !with_segment)
            status = verify_path(v, path, depth + 1, &last);
        free(path);
    }
    for (int i = 0; i < names.n; i++) free(names.v[i]);
    free(names.v);
    return status;
}

static int verify_path(struct verify *v, const char *path, int depth, int64_t *last) {
    struct fs_stat st;
    int64_t none = -1;
    enum log_kind kind = log_kind_of(path);
    if (fs_stat(fs_real(), path, &st)) return cli_fail("%s: there is no such file", path);
    show(v);
    if (st.is_dir) return verify_dir(v, path, depth);
    if (kind == LOG_UNKNOWN) return cli_fail("%s: this is no file of a log by its name", path);
    bool counts = last && kind == LOG_SEGMENT && !strcmp(path + strlen(path) - 4, ".log");
    return kind <= LOG_KRAFT_SNAPSHOT ? verify_batches(v, path, kind, counts ? last : &none)
                                      : verify_small(v, path, kind);
}

int log_verify(struct cli *c) {
    struct verify v = {.c = c};
    char bytes[24];
    int status = 0;
    v.codec = codec_create();
    progress_init(&v.progress);
    json_init(&v.j);
    json_open(&v.j, '{');
    json_key(&v.j, "problems");
    json_open(&v.j, '[');
    for (int i = 0; i < c->args_n; i++) {
        int one = verify_path(&v, c->args[i], 0, NULL);
        if (one) status = one;
    }
    progress_end(&v.progress);
    json_close(&v.j, ']');
    json_int(&v.j, "files", v.files);
    json_int(&v.j, "batches", v.batches);
    json_int(&v.j, "records", v.records);
    json_int(&v.j, "bytes", v.bytes);
    json_close(&v.j, '}');
    if (c->json)
        json_print(&v.j);
    else
        strbuf_free(&v.j.out);
    if (!c->json)
        printf("%lld files, %lld batches, %lld records, %s: %lld problem%s\n", (long long)v.files,
               (long long)v.batches, (long long)v.records, format_bytes(bytes, (double)v.bytes),
               (long long)v.problems, v.problems == 1 ? "" : "s");
    codec_destroy(v.codec);
    return status ? status : v.problems ? CLI_FAILED : CLI_DONE;
}
