#include "config/properties.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "config/text.h"

struct reader {
    const char *at, *end, *path;
    int32_t line; /* of `at` */
    struct strbuf *error;
};

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\f'; }
static bool is_end_of_line(char c) { return c == '\n' || c == '\r'; }

/* Steps over one end of line: \n, \r or \r\n. */
static void next_line(struct reader *r) {
    if (r->at < r->end && *r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n') r->at++;
    if (r->at < r->end) r->at++;
    r->line++;
}

/* Steps to the first byte of the next logical line. A backslash alone on a line is no line either. */
static void skip_to_content(struct reader *r) {
    while (r->at < r->end) {
        if (is_space(*r->at)) {
            r->at++;
        } else if (is_end_of_line(*r->at)) {
            next_line(r);
        } else if (*r->at == '\\' && r->at + 1 < r->end && is_end_of_line(r->at[1])) {
            r->at++;
            next_line(r);
        } else if (*r->at == '#' || *r->at == '!') {
            while (r->at < r->end && !is_end_of_line(*r->at)) r->at++;
        } else {
            return;
        }
    }
}

static int hex4(struct reader *r, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = r->at < r->end ? *r->at : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            strbuf_addf(r->error, "%s:%d: \\u must be followed by four hexadecimal digits", r->path, r->line);
            return OE_MALFORMED;
        }
        *code = *code << 4 | (uint32_t)digit;
        r->at++;
    }
    return 0;
}

static void add_utf8(struct strbuf *b, uint32_t c) {
    char out[4];
    size_t n = 0;
    if (c < 0x80) {
        out[n++] = (char)c;
    } else if (c < 0x800) {
        out[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        out[n++] = (char)(0xe0 | c >> 12);
        out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        out[n++] = (char)(0xf0 | c >> 18);
        out[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80) out[n++] = (char)(0x80 | (c & 0x3f));
    strbuf_add(b, out, n);
}

/* After "\u": one code unit, or two that are a surrogate pair; half a pair becomes U+FFFD. */
static int unicode_escape(struct reader *r, struct strbuf *to) {
    uint32_t code, low;
    int err = hex4(r, &code);
    if (err) return err;
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        if ((err = hex4(r, &low))) return err;
        if (low >= 0xdc00 && low < 0xe000) {
            add_utf8(to, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return 0;
        }
        add_utf8(to, 0xfffd);
        code = low;
    }
    if (code == 0 || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
    add_utf8(to, code);
    return 0;
}

/* After a backslash. */
static int escape(struct reader *r, struct strbuf *to) {
    if (r->at == r->end) return 0;
    char c = *r->at;
    if (is_end_of_line(c)) { /* goes on in the next line, whose leading white space does not count */
        next_line(r);
        while (r->at < r->end && is_space(*r->at)) r->at++;
        return 0;
    }
    r->at++;
    if (c == 'u') return unicode_escape(r, to);
    c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
    strbuf_add(to, &c, 1);
    return 0;
}

/* Reads a key (until white space, = or :) or a value (until the end of the line) into `to`. */
static int read_part(struct reader *r, bool key, struct strbuf *to) {
    strbuf_reset(to);
    while (r->at < r->end && !is_end_of_line(*r->at)) {
        char c = *r->at;
        if (key && (is_space(c) || c == '=' || c == ':')) break;
        if (c == 0) {
            strbuf_addf(r->error, "%s:%d: a NUL byte", r->path, r->line);
            return OE_MALFORMED;
        }
        r->at++;
        int err = 0;
        if (c == '\\')
            err = escape(r, to);
        else
            strbuf_add(to, &c, 1);
        if (err) return err;
    }
    return strbuf_ok(to) ? 0 : OE_NOMEM;
}

/* White space with at most one line break behind a backslash, and one = or :. */
static void skip_separator(struct reader *r) {
    bool seen = false;
    while (r->at < r->end) {
        char c = *r->at;
        if (c == '\\' && r->at + 1 < r->end && is_end_of_line(r->at[1])) {
            r->at++;
            next_line(r);
        } else if (is_space(c)) {
            r->at++;
        } else if (!seen && (c == '=' || c == ':')) {
            seen = true;
            r->at++;
        } else {
            return;
        }
    }
}

static void set(struct properties *p, int32_t *cap, struct property item) {
    for (int32_t i = 0; i < p->n; i++) {
        if (strcmp(p->items[i].name, item.name)) continue;
        p->items[i] = item;
        return;
    }
    if (p->n == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        struct property *items = text_alloc(&p->arena, (size_t)*cap * sizeof *items);
        if (p->n) memcpy(items, p->items, (size_t)p->n * sizeof *items);
        p->items = items;
    }
    p->items[p->n++] = item;
}

int properties_parse(struct properties *p, const char *text, size_t length, const char *path,
                     struct strbuf *error) {
    *p = (struct properties){.path = path};
    arena_init(&p->arena, SIZE_MAX);
    if (length > PROPERTIES_MAX_BYTES) {
        strbuf_addf(error, "%s: larger than %d bytes", path, PROPERTIES_MAX_BYTES);
        return OE_LIMIT;
    }
    struct reader r = {.at = text, .end = text + length, .path = path, .line = 1, .error = error};
    struct strbuf part;
    int32_t cap = 0;
    int err = 0;
    strbuf_init(&part, PROPERTIES_MAX_BYTES * 2);
    for (skip_to_content(&r); r.at < r.end; skip_to_content(&r)) {
        struct property item = {.line = r.line};
        if ((err = read_part(&r, true, &part))) goto out;
        item.name = text_copy_n(&p->arena, strbuf_str(&part), part.len);
        skip_separator(&r);
        if ((err = read_part(&r, false, &part))) goto out;
        item.value = text_copy_n(&p->arena, strbuf_str(&part), part.len);
        set(p, &cap, item);
        if (p->n > PROPERTIES_MAX_KEYS) {
            strbuf_addf(error, "%s: more than %d keys", path, PROPERTIES_MAX_KEYS);
            err = OE_LIMIT;
            break;
        }
    }
out:
    strbuf_free(&part);
    return err;
}

void properties_free(struct properties *p) {
    arena_free(&p->arena);
    *p = (struct properties){0};
}

const char *properties_get(const struct properties *p, const char *name) {
    for (int32_t i = 0; i < p->n; i++)
        if (!strcmp(p->items[i].name, name)) return p->items[i].value;
    return NULL;
}

/* One code point of UTF-8; a wrong byte stands for itself. */
static const char *decode(const char *s, uint32_t *code) {
    const uint8_t *p = (const uint8_t *)s;
    int more = *p < 0xc0 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
    *code = more == 0 ? *p : *p & (0x3f >> more);
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *code = *p;
            return s + 1;
        }
        *code = *code << 6 | (p[i] & 0x3f);
    }
    return s + 1 + more;
}

static void write_part(struct strbuf *to, const char *s, bool key) {
    const char *start = s;
    while (*s) {
        uint32_t c;
        bool first = s == start;
        s = decode(s, &c);
        if (c == '\t' || c == '\n' || c == '\r' || c == '\f')
            strbuf_addf(to, "\\%c", c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : 'f');
        else if (c < 0x80 && (strchr("=:#!\\", (int)c) || (c == ' ' && (key || first))))
            strbuf_addf(to, "\\%c", (int)c);
        else if (c >= 0x20 && c < 0x7f)
            strbuf_addf(to, "%c", (int)c);
        else if (c < 0x10000)
            strbuf_addf(to, "\\u%04X", c);
        else
            strbuf_addf(to, "\\u%04X\\u%04X", 0xd800 + ((c - 0x10000) >> 10),
                        0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

void properties_write(struct strbuf *to, const char *name, const char *value) {
    write_part(to, name, true);
    strbuf_adds(to, "=");
    write_part(to, value, false);
    strbuf_adds(to, "\n");
}
