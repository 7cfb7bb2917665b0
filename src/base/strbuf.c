#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_init(struct strbuf *b, size_t limit) { *b = (struct strbuf){.limit = limit}; }

void strbuf_free(struct strbuf *b) {
    free(b->s);
    b->s = NULL;
    b->len = b->cap = 0;
}

void strbuf_reset(struct strbuf *b) {
    b->len = 0;
    b->failed = false;
    if (b->s) b->s[0] = 0;
}

void *strbuf_reserve(struct strbuf *b, size_t n) {
    if (b->failed) return NULL;
    if (n > b->limit || b->len > b->limit - n) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        if (cap < need) cap = need;
        char *s = realloc(b->s, cap);
        if (!s) {
            b->failed = true;
            return NULL;
        }
        b->s = s;
        b->cap = cap;
    }
    return b->s + b->len;
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t n) {
    char *p = strbuf_reserve(b, n);
    if (!p) return;
    if (n) memcpy(p, bytes, n);
    b->len += n;
    b->s[b->len] = 0;
}

void strbuf_adds(struct strbuf *b, const char *s) { strbuf_add(b, s, strlen(s)); }

void strbuf_addf(struct strbuf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : strbuf_reserve(b, (size_t)n);
    if (p) {
        vsnprintf(p, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

/* Length of the valid UTF-8 sequence at p (2..4), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t left) {
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (!n || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0))) return 0;
    if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))) return 0;
    return n;
}

void strbuf_add_json(struct strbuf *b, const char *s, size_t n) {
    const unsigned char *p = (const unsigned char *)s;
    strbuf_add(b, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t seq = p[i] >= 0x80 ? utf8_sequence(p + i, n - i) : 1;
        if (p[i] == '"' || p[i] == '\\')
            strbuf_addf(b, "\\%c", p[i]);
        else if (p[i] == '\n')
            strbuf_add(b, "\\n", 2);
        else if (p[i] < 0x20 || p[i] == 0x7f || !seq)
            strbuf_addf(b, "\\u%04x", p[i]);
        else
            strbuf_add(b, p + i, seq);
        i += seq ? seq : 1;
    }
    strbuf_add(b, "\"", 1);
}

char *strbuf_detach(struct strbuf *b) {
    if (b->failed) return NULL;
    if (!b->s) strbuf_add(b, "", 0);
    char *s = b->s;
    b->s = NULL;
    b->len = b->cap = 0;
    return s;
}
