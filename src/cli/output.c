#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "io/clock.h"

enum { PROGRESS_MS = 100, JSON_MAX = 1 << 30 };

/* ---- table ---- */

void table_init(struct table *t, const char *const *headings, int columns) {
    *t = (struct table){.headings = headings, .columns = columns};
}

static void add_cell(struct table *t, char *cell) {
    if (t->cells_n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->cells = xrealloc(t->cells, (size_t)t->cap * sizeof *t->cells);
    }
    t->cells[t->cells_n++] = cell;
}

void table_add(struct table *t, const char *format, ...) {
    va_list args;
    char *cell;
    va_start(args, format);
    int n = vasprintf(&cell, format, args);
    va_end(args);
    add_cell(t, n < 0 ? xstrdup("") : cell);
}

void table_adds(struct table *t, struct kstr s) {
    add_cell(t, s.len < 0 ? xstrdup("-") : xstrndup(s.s, (size_t)s.len));
}

/* Characters on a terminal, near enough: code points. */
static int width_of(const char *s) {
    int n = 0;
    for (; *s; s++) n += (*s & 0xc0) != 0x80;
    return n;
}

static void print_cell(const char *s, int width, bool right, bool last) {
    int pad = width - width_of(s);
    if (right) printf("%*s", pad, "");
    fputs(s, stdout);
    if (!right && !last) printf("%*s", pad, "");
    fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *t) {
    ASSERT(t->cells_n % t->columns == 0);
    int *widths = xcalloc((size_t)t->columns, sizeof *widths);
    for (int i = 0; i < t->columns; i++) widths[i] = width_of(t->headings[i]) - (t->headings[i][0] == '-');
    for (int i = 0; i < t->cells_n; i++) {
        int w = width_of(t->cells[i]), *widest = &widths[i % t->columns];
        if (w > *widest) *widest = w;
    }
    for (int i = -t->columns; i < t->cells_n; i++) {
        int column = (i + t->columns) % t->columns;
        bool right = t->headings[column][0] == '-';
        const char *s = i < 0 ? t->headings[column] + right : t->cells[i];
        print_cell(s, widths[column], right, column == t->columns - 1);
    }
    for (int i = 0; i < t->cells_n; i++) free(t->cells[i]);
    free(t->cells);
    free(widths);
}

/* ---- JSON ---- */

void json_init(struct json *j) {
    strbuf_init(&j->out, JSON_MAX);
    j->comma = false;
}

static void before(struct json *j, const char *key) {
    if (key) {
        json_key(j, key);
        j->comma = true;
        return;
    }
    if (j->comma) strbuf_adds(&j->out, ",");
    j->comma = true;
}

void json_key(struct json *j, const char *key) {
    if (j->comma) strbuf_adds(&j->out, ",");
    strbuf_add_json(&j->out, key, strlen(key));
    strbuf_adds(&j->out, ":");
    j->comma = false;
}

void json_open(struct json *j, char bracket) {
    if (j->comma) strbuf_adds(&j->out, ",");
    strbuf_add(&j->out, &bracket, 1);
    j->comma = false;
}

void json_close(struct json *j, char bracket) {
    strbuf_add(&j->out, &bracket, 1);
    j->comma = true;
}

void json_int(struct json *j, const char *key, int64_t v) {
    before(j, key);
    strbuf_addf(&j->out, "%lld", (long long)v);
}

void json_real(struct json *j, const char *key, double v) {
    before(j, key);
    strbuf_addf(&j->out, "%.3f", v);
}

void json_bool(struct json *j, const char *key, bool v) {
    before(j, key);
    strbuf_adds(&j->out, v ? "true" : "false");
}

void json_null(struct json *j, const char *key) {
    before(j, key);
    strbuf_adds(&j->out, "null");
}

void json_str(struct json *j, const char *key, struct kstr v) {
    if (v.len < 0) {
        json_null(j, key);
        return;
    }
    before(j, key);
    strbuf_add_json(&j->out, v.s ? v.s : "", (size_t)v.len);
}

void json_text(struct json *j, const char *key, const char *v) { json_str(j, key, kstr_of(v)); }

void json_ints(struct json *j, const char *key, const int32_t *v, int32_t n) {
    if (n < 0) {
        json_null(j, key);
        return;
    }
    if (key) json_key(j, key);
    json_open(j, '[');
    for (int32_t i = 0; i < n; i++) json_int(j, NULL, v[i]);
    json_close(j, ']');
}

void json_print(struct json *j) {
    strbuf_adds(&j->out, "\n");
    fwrite(strbuf_str(&j->out), 1, j->out.len, stdout);
    strbuf_free(&j->out);
}

/* ---- numbers ---- */

char *format_ints(char *text, size_t size, const int32_t *v, int32_t n) {
    size_t at = 0;
    text[0] = 0;
    for (int32_t i = 0; i < n && at + 14 < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%d", i ? "," : "", v[i]);
    if (n <= 0) snprintf(text, size, "-");
    return text;
}

char *format_bytes(char text[24], double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    for (; bytes >= 1024 && u + 1 < sizeof units / sizeof *units; u++) bytes /= 1024;
    snprintf(text, 24, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return text;
}

/* ---- progress ---- */

void progress_init(struct progress *p) { *p = (struct progress){.on = isatty(STDERR_FILENO)}; }

bool progress_due(struct progress *p) { return p->on && clock_mono_ms() >= p->next_ms; }

void progress_show(struct progress *p, const char *format, ...) {
    if (!p->on) return;
    va_list args;
    va_start(args, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    p->shown = true;
    p->next_ms = clock_mono_ms() + PROGRESS_MS;
}

void progress_end(struct progress *p) {
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}
